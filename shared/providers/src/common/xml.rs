//! Flat XML as WeChat Pay's v2 speaks it: one root, below it elements that hold only text.
//!
//! There is no DTD support at all, and nothing here touches a file or the network: a document type,
//! a processing instruction, an entity beyond the five predefined ones, an attribute, a nested or repeated
//! element, or a size beyond the bounds is refused, never worked around. White space inside an element is
//! kept as it came, because signatures are made over it.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use std::collections::BTreeMap;
use thiserror::Error;

/// The largest document that is read, bytes.
const MAX_BYTES: usize = 1 << 20;
/// The most elements below the root.
const MAX_ELEMENTS: usize = 512;

/// Why a document was refused. No text repeats any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum XmlError {
    /// More than a megabyte, or more than 512 elements.
    #[error("the document is too large")]
    TooLarge,
    /// Not UTF-8, or it declares another encoding.
    #[error("the document is not UTF-8")]
    Encoding,
    /// A DOCTYPE, a processing instruction, or an entity that only a DTD could define.
    #[error("the document has a DTD, an instruction or an unknown entity")]
    Forbidden,
    /// Not well-formed, or not flat.
    #[error("the document is not flat, well-formed XML")]
    Malformed,
    /// The same element twice.
    #[error("an element stands twice")]
    Duplicate,
}

/// A flat document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The name of the root element.
    pub root: String,
    /// The texts of the elements below it, by name.
    pub fields: BTreeMap<String, String>,
}

/// Reads a flat document.
///
/// # Errors
/// See [`XmlError`].
pub fn read(bytes: &[u8]) -> Result<Document, XmlError> {
    read_nested(bytes, 1)
}

/// Reads a document with so many levels below the root; an element inside another is named by its path,
/// `GoodsInfo.ProductId`. An element holds text or elements, never both.
///
/// # Errors
/// See [`XmlError`].
pub fn read_nested(bytes: &[u8], levels: usize) -> Result<Document, XmlError> {
    if bytes.len() > MAX_BYTES {
        return Err(XmlError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    let text = text.trim_start_matches('\u{feff}').trim_ascii_start();
    if !text.chars().all(is_xml_char) {
        return Err(XmlError::Malformed);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut parser = Parser { levels, ..Parser::default() };
    let mut first = true;
    loop {
        match reader.read_event().map_err(|_| XmlError::Malformed)? {
            Event::Decl(declaration) => {
                let utf8 = match declaration.encoding() {
                    None => true,
                    Some(name) => name.is_ok_and(|n| n.eq_ignore_ascii_case("utf-8")),
                };
                if !first {
                    return Err(XmlError::Forbidden);
                }
                if !utf8 {
                    return Err(XmlError::Encoding);
                }
            }
            Event::DocType(_) | Event::PI(_) => return Err(XmlError::Forbidden),
            Event::Comment(_) => {}
            Event::Start(tag) => parser.open(&tag)?,
            Event::Empty(tag) => {
                parser.open(&tag)?;
                parser.close()?;
            }
            Event::End(_) => parser.close()?,
            Event::Text(text) if text.contains("]]>") => return Err(XmlError::Malformed),
            Event::Text(text) => parser.text(&text.xml10_content())?,
            Event::CData(text) => parser.data(&text.xml10_content())?,
            Event::GeneralRef(reference) => parser.data(resolve(&reference)?.encode_utf8(&mut [0; 4]))?,
            Event::Eof => return parser.finish(),
        }
        first = false;
    }
}

/// What has been read so far.
#[derive(Default)]
struct Parser {
    root: Option<String>,
    ended: bool,
    levels: usize,
    /// The elements that hold the open one, below the root.
    parents: Vec<String>,
    /// The element that is open below the root, with its text so far.
    element: Option<(String, String)>,
    fields: BTreeMap<String, String>,
}

impl Parser {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), XmlError> {
        let name = tag.name().into_inner();
        if !is_name(name) || !tag.attributes_raw().trim_ascii().is_empty() || self.ended {
            return Err(XmlError::Malformed);
        }
        match self.element.take() {
            Some((parent, text)) if self.parents.len() + 1 < self.levels && text.trim_ascii().is_empty() => {
                self.parents.push(parent);
            }
            Some(_) => return Err(XmlError::Malformed),
            None => {}
        }
        if self.root.is_none() {
            self.root = Some(name.to_owned());
            return Ok(());
        }
        if self.fields.len() >= MAX_ELEMENTS {
            return Err(XmlError::TooLarge);
        }
        let path = self.parents.last().map_or_else(|| name.to_owned(), |parent| format!("{parent}.{name}"));
        if self.fields.contains_key(&path) {
            return Err(XmlError::Duplicate);
        }
        self.element = Some((path, String::new()));
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlError> {
        match self.element.take() {
            Some((name, text)) => {
                self.fields.insert(name, text);
            }
            None if self.parents.pop().is_some() => {}
            None if self.root.is_some() && !self.ended => self.ended = true,
            None => return Err(XmlError::Malformed),
        }
        Ok(())
    }

    /// Text that may also stand between elements, if it is only white space.
    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        match &mut self.element {
            Some((_, content)) => content.push_str(text),
            None if text.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) => {}
            None => return Err(XmlError::Malformed),
        }
        Ok(())
    }

    /// CDATA and references, which may stand only inside an element.
    fn data(&mut self, text: &str) -> Result<(), XmlError> {
        let (_, content) = self.element.as_mut().ok_or(XmlError::Malformed)?;
        content.push_str(text);
        Ok(())
    }

    fn finish(self) -> Result<Document, XmlError> {
        match self.root {
            Some(root) if self.ended => Ok(Document { root, fields: self.fields }),
            _ => Err(XmlError::Malformed),
        }
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    if reference.is_char_ref() {
        return match reference.resolve_char_ref() {
            Ok(Some(c)) if is_xml_char(c) => Ok(c),
            _ => Err(XmlError::Malformed),
        };
    }
    match &**reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(XmlError::Forbidden),
    }
}

/// Writes a flat document, in the order of the fields. Texts stand in CDATA, in which `]]>` is split over two
/// sections and a carriage return is written as a reference, so that every text comes back as it was.
///
/// # Errors
/// [`XmlError::Malformed`] for a name or a character that XML cannot hold.
pub fn write<'a>(root: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<String, XmlError> {
    let mut out = format!("<{root}>");
    for (name, text) in fields {
        if !is_name(name) || !text.chars().all(is_xml_char) {
            return Err(XmlError::Malformed);
        }
        let text = text.replace("]]>", "]]]]><![CDATA[>").replace('\r', "]]>&#13;<![CDATA[");
        out.push_str(&format!("<{name}><![CDATA[{text}]]></{name}>"));
    }
    if !is_name(root) {
        return Err(XmlError::Malformed);
    }
    out.push_str(&format!("</{root}>"));
    Ok(out)
}

/// Names as the protocol has them: ASCII letters, digits, `_`, `-`, `.`, and a letter or `_` first.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') && name.bytes().all(plain)
}

/// The characters of XML 1.0.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
