//! The parser, places in the text, and what is wrong with a text that is no JavaScript.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

/// How long a text may be, bytes. VK-Pay's whole sample has 20 kB.
pub(crate) const LONGEST: usize = 256 << 10;
/// How many opening brackets a text may have.
const MOST_BRACKETS: usize = 20_000;
/// The parser's stack, bytes. It goes by recursion through what can be read in two ways, such as `{a:{a:`, a block or an
/// object; this is several times what it was seen to need for texts of [`LONGEST`] that are made of such.
const STACK: usize = 128 << 20;
/// How long it is parsed. The sample takes a few milliseconds; only a text that is made to be slow takes longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Signs that a Chinese keyboard writes where JavaScript has the ones of ASCII.
const FULL_WIDTH: [char; 13] = ['，', '；', '：', '“', '”', '‘', '’', '（', '）', '｛', '｝', '【', '】'];

/// A place in a text, counted from 1 in lines and characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The line.
    pub(crate) line: usize,
    /// The character in it.
    pub(crate) column: usize,
}

/// Why a text is not read as JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SyntaxError {
    /// Longer than [`LONGEST`].
    TooLong,
    /// More brackets than [`MOST_BRACKETS`].
    TooNested,
    /// More to compute than any configuration has.
    TooMuch,
    /// Not parsed within [`PATIENCE`].
    TooSlow,
    /// An opening bracket without its closing one.
    Unclosed(char, Place),
    /// A sign of a Chinese keyboard where one of ASCII belongs.
    FullWidth(char, Place),
    /// Something that does not belong there, or belongs there and is missing just before.
    Unexpected(Place),
}

/// Where a node begins.
pub(super) fn place(text: &str, node: Node<'_>) -> Place {
    place_of(text, node.start_byte())
}

fn place_of(text: &str, byte: usize) -> Place {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

/// Parses a text as a JavaScript module.
pub(super) fn parse(text: &str) -> Result<Tree, SyntaxError> {
    if text.len() > LONGEST {
        return Err(SyntaxError::TooLong);
    }
    if text.bytes().filter(|byte| matches!(byte, b'(' | b'[' | b'{' | b'`')).count() > MOST_BRACKETS {
        return Err(SyntaxError::TooNested);
    }
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || parse_here(text));
        parser.expect("the system gives a thread").join().expect("the parser does not panic")
    })
}

fn parse_here(text: &str) -> Result<Tree, SyntaxError> {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_javascript::LANGUAGE.into())
        .expect("the grammar is of the version that the parser reads");
    let began = Instant::now();
    let mut in_time = |_: &ParseState| match began.elapsed() > PATIENCE {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let options = ParseOptions::new().progress_callback(&mut in_time);
    let mut rest = |at: usize, _| text.as_bytes().get(at..).unwrap_or_default();
    let tree = parser.parse_with_options(&mut rest, None, Some(options)).ok_or(SyntaxError::TooSlow)?;
    match tree.root_node().has_error() {
        true => Err(first_error(text, &tree)),
        false => Ok(tree),
    }
}

/// The first error of a tree that has one. Walks without recursion: the text may be nested as deep as it is long.
fn first_error(text: &str, tree: &Tree) -> SyntaxError {
    let mut cursor = tree.walk();
    let mut first: Option<Error<'_>> = None;
    let mut brackets = Brackets::default();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            let says_more = |found: &Error<'_>| found.is_whole && node.end_byte() <= found.node.end_byte();
            if first.as_ref().is_none_or(says_more) {
                first = Some(Error { node, is_whole: node.is_error() && cursor.depth() <= 1 });
            }
        }
        if node.child_count() == 0 {
            brackets.note(node);
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return described(text, first, brackets.unclosed());
            }
        }
    }
}

/// An error of the tree.
struct Error<'t> {
    node: Node<'t>,
    /// Whether it is a whole statement or the whole text, which does not say where in it.
    is_whole: bool,
}

/// The brackets of a text on its way, and the first that was never closed.
#[derive(Default)]
struct Brackets {
    open: Vec<(char, usize)>,
    unclosed: Option<(char, usize)>,
}

impl Brackets {
    fn note(&mut self, node: Node<'_>) {
        let opening = match node.kind() {
            "(" | "[" | "{" if !node.is_missing() => {
                self.open.extend(node.kind().chars().map(|bracket| (bracket, node.start_byte())));
                return;
            }
            ")" => '(',
            "]" => '[',
            "}" => '{',
            _ => return,
        };
        // What was opened after its partner has none.
        let partner = self.open.iter().rposition(|(bracket, _)| *bracket == opening).filter(|_| !node.is_missing());
        let Some(partner) = partner else { return };
        let between = self.open.drain(partner..).nth(1);
        let earliest = self.unclosed.into_iter().chain(between).min_by_key(|(_, at)| *at);
        self.unclosed = earliest;
    }

    fn unclosed(&self) -> Option<(char, usize)> {
        self.unclosed.or(self.open.last().copied())
    }
}

fn described(text: &str, error: Option<Error<'_>>, unclosed: Option<(char, usize)>) -> SyntaxError {
    let Some(Error { node, is_whole }) = error else { return SyntaxError::Unexpected(Place { line: 1, column: 1 }) };
    if is_whole && let Some((bracket, at)) = unclosed {
        return SyntaxError::Unclosed(bracket, place_of(text, at));
    }
    let rest = text.get(node.start_byte()..).unwrap_or_default().lines().next().unwrap_or_default();
    match rest.char_indices().find(|(_, c)| FULL_WIDTH.contains(c)) {
        Some((at, sign)) => SyntaxError::FullWidth(sign, place_of(text, node.start_byte() + at)),
        None => SyntaxError::Unexpected(place(text, node)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> SyntaxError {
        parse(text).expect_err(text)
    }

    #[test]
    fn a_text_that_is_no_javascript_is_named_by_line_and_column() {
        let at = |line, column| Place { line, column };
        for (text, wanted) in [
            ("module.exports = {\n  a: 'x'\n  b: 1,\n}\n", SyntaxError::Unexpected(at(3, 3))),
            ("module.exports = {\n  a: { c: 1,\n}\n", SyntaxError::Unclosed('{', at(1, 18))),
            ("module.exports = {\n  a: f(1,\n  b: { c: [1 }\n}\n", SyntaxError::Unexpected(at(3, 3))),
            ("module.exports = {\n  a: 'x,\n  b: 2\n}\n", SyntaxError::Unexpected(at(2, 6))),
            ("module.exports = {\n  a: 1，\n  b: 2\n}\n", SyntaxError::FullWidth('，', at(2, 7))),
        ] {
            assert_eq!(error(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_text_of_any_depth_and_length_has_an_answer() {
        for text in ["[", "{", "{a:", "`${", "(", "(.a", "{-"] {
            assert!(parse(&text.repeat(MOST_BRACKETS)).is_err(), "{text}");
            assert_eq!(error(&text.repeat(MOST_BRACKETS + 1)), SyntaxError::TooNested);
        }
        for text in ["=.a", "!", "a=>", "a?b:", "1+", "a:"] {
            let _ = parse(&text.repeat(LONGEST / text.len()));
        }
        assert!(parse(&format!("module.exports = {}1{}", "[".repeat(10_000), "]".repeat(10_000))).is_ok());
        assert_eq!(error(&"a".repeat(LONGEST + 1)), SyntaxError::TooLong);
    }
}
