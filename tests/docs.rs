//! Each page is there in English and in Chinese, and both say the same as far as a test can see: the same headings,
//! code, tables, and links that stay in the reader's language.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Pages that have no Chinese page yet. None is added here; the list ends when it is empty.
const ENGLISH_ONLY: &[&str] = &[];

/// Where an English page of this name stands, its Chinese one is `{name}.zh-CN.md`.
const CHINESE: &str = ".zh-CN.md";

/// What a page consists of, without its words.
#[derive(Default)]
struct Page<'a> {
    /// The number of `#` of each heading.
    headings: Vec<usize>,
    /// The lines of each block of code, its fences with them.
    code: Vec<Vec<&'a str>>,
    /// The columns of each row of each table.
    tables: Vec<Vec<usize>>,
    /// The paths that links lead to, without headings.
    links: Vec<&'a str>,
}

impl<'a> Page<'a> {
    fn read(text: &'a str) -> Self {
        let (mut page, mut in_code, mut in_table) = (Self::default(), false, false);
        for line in text.lines() {
            let fence = line.trim_start().starts_with("```");
            if fence && !in_code {
                page.code.push(Vec::new());
            }
            if fence || in_code {
                page.code.last_mut().expect("a block was begun").push(line);
                in_code ^= fence;
                in_table = false;
                continue;
            }
            let level = line.len() - line.trim_start_matches('#').len();
            if level > 0 && line[level..].starts_with(' ') {
                page.headings.push(level);
            }
            let is_row = line.trim_start().starts_with('|');
            if is_row && !in_table {
                page.tables.push(Vec::new());
            }
            if is_row {
                page.tables.last_mut().expect("a table was begun").push(columns(line));
            }
            in_table = is_row;
            page.links.extend(links(line));
        }
        page
    }
}

/// How many cells a row has; a `|` within code or after a `\` separates none.
fn columns(row: &str) -> usize {
    let (mut count, mut in_code, mut escaped) = (0, false, false);
    for c in row.trim().trim_start_matches('|').trim_end_matches('|').chars() {
        match c {
            '`' => in_code = !in_code,
            '|' if !in_code && !escaped => count += 1,
            _ => {}
        }
        escaped = c == '\\';
    }
    count + 1
}

/// The paths of the links in a line to files of the repository.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.match_indices("](").map(|(at, _)| line[at + 2..].split([')', ' ', '#']).next().unwrap_or(""));
    targets.filter(|target| !target.is_empty() && !target.contains(':'))
}

/// A line of code without its comment.
fn uncommented(line: &str) -> &str {
    let is_comment = |at: usize| at == 0 || line[..at].ends_with(char::is_whitespace);
    let comments = ["# ", "// ", "//! ", "/// "].into_iter().flat_map(|mark| line.match_indices(mark));
    let start = comments.map(|(at, _)| at).filter(|&at| is_comment(at)).min();
    line[..start.unwrap_or(line.len())].trim_end()
}

fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{4e00}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

/// Whether a line of code is the same in both languages: its comment may differ, and of the rest only what is written
/// in Chinese, and what a command prints in the language that it was asked for.
fn is_same_code(english: &str, chinese: &str) -> bool {
    let (english, chinese) = (uncommented(english), uncommented(chinese));
    let unspoken = |line: &str| line.trim_end_matches(" --lang en").trim_end_matches(" --lang zh").to_owned();
    if unspoken(english) == unspoken(chinese) {
        return true;
    }
    let (Some(from), Some(to)) = (chinese.find(is_chinese), chinese.rfind(is_chinese)) else {
        return false;
    };
    let after = chinese[to..].char_indices().nth(1).map_or("", |(at, _)| &chinese[to + at..]);
    english.starts_with(chinese[..from].trim_end()) && english.ends_with(after.trim_start())
}

/// Where two pages that should say the same differ.
fn differences(english: &Page<'_>, chinese: &Page<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if english.headings != chinese.headings {
        found.push(format!("levels of headings: {:?} and {:?}", english.headings, chinese.headings));
    }
    if english.tables.len() != chinese.tables.len() {
        found.push(format!("{} tables and {}", english.tables.len(), chinese.tables.len()));
    }
    for (n, (one, other)) in english.tables.iter().zip(&chinese.tables).enumerate() {
        if one != other {
            found.push(format!("table {}, columns of its rows: {one:?} and {other:?}", n + 1));
        }
    }
    if english.code.len() != chinese.code.len() {
        found.push(format!("{} blocks of code and {}", english.code.len(), chinese.code.len()));
    }
    for (one, other) in english.code.iter().zip(&chinese.code) {
        if one.len() != other.len() {
            found.push(format!("code of {} lines and {}: {}", one.len(), other.len(), one.join("\n")));
            continue;
        }
        let lines = one.iter().zip(other).filter(|(one, other)| !is_same_code(one, other));
        found.extend(lines.map(|(one, other)| format!("code: {one:?} and {other:?}")));
    }
    found
}

/// A path without `..` and `.`.
fn plain(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts
}

/// The Chinese page of an English one: `pages/a.md` has `pages/a.zh-CN.md`.
fn chinese_of(english: &str) -> String {
    format!("{}{CHINESE}", english.strip_suffix(".md").unwrap_or(english))
}

/// All that is wrong with the pages, by path.
fn faults(pages: &BTreeMap<String, String>, english_only: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let (chinese, english): (BTreeSet<_>, BTreeSet<_>) =
        pages.keys().cloned().partition(|path| path.ends_with(CHINESE));
    for path in &chinese {
        if !english.contains(&path.replace(CHINESE, ".md")) {
            faults.push(format!("{path} has no English page"));
        }
    }
    for path in &english {
        let other = chinese_of(path);
        let Some(text) = pages.get(&other) else {
            if !english_only.contains(&path.as_str()) {
                faults.push(format!("{path} has no Chinese page"));
            }
            continue;
        };
        if english_only.contains(&path.as_str()) {
            faults.push(format!("{path} has a Chinese page: take it off the list"));
        }
        let (one, two) = (Page::read(&pages[path]), Page::read(text));
        faults.extend(differences(&one, &two).into_iter().map(|what| format!("{other}: {what}")));
        for (page, text, language, own) in [(path, &pages[path], "中文", &other), (&other, text, "English", path)] {
            let name = own.rsplit('/').next().expect("a name");
            if text.lines().nth(2) != Some(format!("[{language}]({name})").as_str()) {
                faults.push(format!("{page}: its third line is not [{language}]({name})"));
            }
        }
        for link in two.links {
            let target = plain(&Path::new(&other).parent().expect("a file").join(link));
            let target = target.to_string_lossy().into_owned();
            if target != *path && !target.ends_with(CHINESE) && chinese.contains(&chinese_of(&target)) {
                faults.push(format!("{other}: {link} is there in Chinese"));
            }
        }
    }
    faults
}

/// The README and the pages of `docs`, those of its folders (protocols) not among them.
fn pages() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut pages = BTreeMap::new();
    let mut add = |path: String| {
        let text = std::fs::read_to_string(root.join(&path)).expect("a page");
        pages.insert(path, text);
    };
    for entry in std::fs::read_dir(root.join("docs")).expect("docs") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            add(format!("docs/{name}"));
        }
    }
    add("README.md".to_owned());
    add("README.zh-CN.md".to_owned());
    pages
}

#[test]
fn each_page_says_the_same_in_english_and_in_chinese() {
    let pages = pages();
    assert!(pages.len() > 50, "{} pages", pages.len());
    let faults = faults(&pages, ENGLISH_ONLY);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let gone = ENGLISH_ONLY.iter().find(|path| !pages.contains_key(**path));
    assert_eq!(gone, None, "is listed and not there");
}

#[test]
fn pages_that_differ_are_a_fault() {
    let english = "# A\n\n[中文](a.zh-CN.md)\n\nSee [b](b.md#b).\n\n| x | y |\n|---|---|\n| `a|b` | 1 |\n\n```sh\nrun   # it\nsay <text> 1\n```\n";
    let right = "# 甲\n\n[English](a.md)\n\n见 [乙](b.zh-CN.md#乙)。\n\n| x | y |\n|---|---|\n| `a|b` | 1 |\n\n```sh\nrun   # 运行\nsay <文本> 1\n```\n";
    let of = |chinese: &str| {
        let b = ("# B\n\n[中文](b.zh-CN.md)\n", "# 乙\n\n[English](b.md)\n");
        let pages =
            [("pages/a.md", english), ("pages/a.zh-CN.md", chinese), ("pages/b.md", b.0), ("pages/b.zh-CN.md", b.1)];
        faults(&pages.map(|(path, text)| (path.to_owned(), text.to_owned())).into(), &[])
    };
    assert_eq!(of(right), Vec::<String>::new());
    for (old, new) in [
        ("# 甲\n", "## 甲\n"),
        ("见", "# 又\n\n见"),
        ("| `a|b` | 1 |\n", ""),
        ("| `a|b` | 1 |", "| `a|b` | 1 | 2 |"),
        ("run ", "walk "),
        ("> 1", "> 2"),
        ("say <文本> 1\n", ""),
        ("b.zh-CN.md", "b.md"),
        ("[English](a.md)\n", "\n"),
    ] {
        assert_eq!(of(&right.replace(old, new)).len(), 1, "{old:?} {new:?}: {:?}", of(&right.replace(old, new)));
    }
    let lone = |path: &str, listed: &[&str]| faults(&[(path.to_owned(), String::new())].into(), listed).len();
    assert_eq!(
        (lone("pages/a.md", &[]), lone("pages/a.md", &["pages/a.md"]), lone("pages/a.zh-CN.md", &[])),
        (1, 0, 1)
    );
}
