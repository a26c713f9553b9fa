//! The flat XML of APIv2, read strictly and written with CDATA.

pub(crate) use crate::desk::Fields;
use quick_xml::Reader;
use quick_xml::events::Event;

/// Reads `<xml><name>value</name>…</xml>`: one level, no DTD, no attributes that matter, no name twice.
pub(crate) fn parse(bytes: &[u8]) -> Result<Fields, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "NOT_UTF8")?;
    let bad = "XML_FORMAT_ERROR";
    let mut reader = Reader::from_str(text);
    let (mut fields, mut name, mut value, mut depth) = (Fields::new(), String::new(), String::new(), 0);
    loop {
        match reader.read_event().map_err(|_| bad)? {
            Event::Start(start) => {
                depth += 1;
                if depth > 2 {
                    return Err(bad);
                }
                name = start.name().as_ref().to_owned();
                value.clear();
                if depth == 1 && name != "xml" && name != "root" {
                    return Err(bad);
                }
            }
            Event::Empty(empty) if depth == 1 => {
                fields.insert(empty.name().as_ref().to_owned(), String::new());
            }
            Event::Text(text) if depth == 2 => value.push_str(&text),
            Event::CData(text) if depth == 2 => value.push_str(&text),
            Event::GeneralRef(entity) if depth == 2 => {
                let escaped = format!("&{};", &*entity);
                value.push_str(&quick_xml::escape::unescape(&escaped).map_err(|_| bad)?);
            }
            Event::End(_) => {
                if depth == 2 && fields.insert(std::mem::take(&mut name), std::mem::take(&mut value)).is_some() {
                    return Err(bad);
                }
                depth -= 1;
            }
            Event::DocType(_) => return Err(bad),
            Event::Eof => break,
            _ => {}
        }
    }
    if depth == 0 && !fields.is_empty() { Ok(fields) } else { Err(bad) }
}

/// Writes fields; numbers plain, the rest in CDATA.
pub(crate) fn write(root: &str, fields: &Fields) -> String {
    let mut out = format!("<{root}>");
    for (name, value) in fields {
        if !value.is_empty() && value.len() < 10 && value.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("<{name}>{value}</{name}>"));
        } else {
            let safe = value.replace("]]>", "]]]]><![CDATA[>");
            out.push_str(&format!("<{name}><![CDATA[{safe}]]></{name}>"));
        }
    }
    out.push_str(&format!("</{root}>"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let fields: Fields = [("body", "a<b>&]]>支付"), ("total_fee", "1"), ("empty", "")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        assert_eq!(parse(write("xml", &fields).as_bytes()).unwrap(), fields);
        let plain = "<xml>\n <a>1 &amp; 2</a>\n <b><![CDATA[<x>]]></b>\n</xml>\n";
        assert_eq!(parse(plain.as_bytes()).unwrap()["a"], "1 & 2");
    }

    #[test]
    fn hostile_documents_are_refused() {
        for text in [
            "<?xml version=\"1.0\"?><!DOCTYPE foo [<!ENTITY xxe SYSTEM \"http://x\">]><xml><value>&xxe;</value></xml>",
            "<xml><a>&xxe;</a></xml>",
            "<xml><a><b>1</b></a></xml>",
            "<xml><a>1</a><a>2</a></xml>",
            "<xml><a>1</a>",
            "",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
