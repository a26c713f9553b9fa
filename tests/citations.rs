//! What a comment or a page points to is there: pages, headings, files, tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Names of files that are read.
const TEXTS: [&str; 14] =
    ["rs", "md", "ts", "mjs", "js", "vue", "py", "yaml", "yml", "toml", "sh", "html", "css", "patch"];

/// Words for sources that only their authors have.
const PRIVATE: [&str; 6] =
    ["the contract", "the seeds", "fine print", "contract.md", "contract-money", "contract-providers"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// All texts of the repository but this file, by their path in it.
fn texts() -> BTreeMap<PathBuf, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() && is_ours(&name) {
                folders.push(path);
            } else if kind.is_file() && (is_text(&path) || path.starts_with(".ci")) {
                let text = std::fs::read(root().join(&path)).expect("a file");
                found.insert(path, String::from_utf8_lossy(&text).into_owned());
            }
        }
    }
    found.remove(Path::new("tests/citations.rs")).expect("this file");
    found
}

/// Not what is built or fetched.
fn is_ours(folder: &str) -> bool {
    match folder {
        "target" | "node_modules" | "dist" => false,
        ".ci" | ".github" => true,
        folder => !folder.starts_with('.'),
    }
}

fn is_text(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| TEXTS.contains(&e))
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "md")
}

/// The lines of a page that are no code.
fn prose(page: &str) -> Vec<&str> {
    let mut code = false;
    let is_prose = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    };
    page.lines().filter(is_prose).collect()
}

/// The names that headings of a page have in links: letters, digits, `_` and `-` in lower case, a blank is a `-`, and
/// a name that is taken gets a number.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in prose(page) {
        let Some(heading) = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')) else {
            continue;
        };
        let text = linked(heading.trim());
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '));
        let name: String = kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
        let free = (0..).map(|n| if n == 0 { name.clone() } else { format!("{name}-{n}") });
        let free = { free }.find(|name| !names.contains(name)).expect("numbers have no end");
        names.insert(free);
    }
    names
}

/// A text with its links replaced by what they are called.
fn linked(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, link)) = rest.split_once("](") {
        let (_, after) = link.split_once(')').unwrap_or((link, ""));
        plain.push_str(before);
        rest = after;
    }
    plain + rest
}

/// `docs/….md`, with the heading after a `#`, wherever it stands; not as a part of a longer path or address.
fn citations(line: &str) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("docs/") {
        let before = line[..at].trim_end_matches("../").chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '-' | '_' | '.')) {
            continue;
        }
        let path: String = line[at..].chars().take_while(|&c| is_of_a_path(c)).collect();
        let Some(end) = path.find(".md") else { continue };
        let rest = &line[at + end + 3..];
        let heading = rest.strip_prefix('#').map(|rest| rest.chars().take_while(|&c| is_of_a_heading(c)).collect());
        found.push((path[..end + 3].to_owned(), heading));
    }
    found
}

fn is_of_a_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.')
}

fn is_of_a_heading(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_')
}

/// Where the links of a page lead: a path and a heading, either of which may be empty.
fn links(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in prose(page) {
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split([')', ' ']).next().unwrap_or_default();
            if target.contains("://") || target.starts_with("mailto:") || target.starts_with('$') {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            found.push((path.to_owned(), heading.to_owned()));
        }
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

/// What is wrong with a path and heading, if anything.
fn fault(texts: &BTreeMap<PathBuf, String>, path: &Path, heading: &str) -> Option<String> {
    let Some(page) = texts.get(path) else {
        let is_there = root().join(path).exists();
        return (!is_there || !heading.is_empty()).then(|| format!("{} is not there", path.display()));
    };
    let is_there = heading.is_empty() || (is_page(path) && anchors(page).contains(heading));
    (!is_there).then(|| format!("{} has no heading #{heading}", path.display()))
}

/// All that points to nothing, or to what only its author has.
fn faults(texts: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, text) in texts {
        for (n, line) in text.lines().enumerate() {
            let mut say = |what: String| faults.push(format!("{}:{}: {what}", file.display(), n + 1));
            for (path, heading) in citations(line) {
                if let Some(what) = fault(texts, Path::new(&path), heading.as_deref().unwrap_or_default()) {
                    say(what);
                }
            }
            let lower = line.to_lowercase();
            for word in PRIVATE.iter().filter(|word| lower.contains(**word)) {
                say(format!("nobody else has {word:?}"));
            }
            for (at, _) in line.match_indices("`protocols/") {
                say(format!("{:?} is no path of the repository", line[at..].chars().take(40).collect::<String>()));
            }
        }
        if !is_page(file) {
            continue;
        }
        for (path, heading) in links(text) {
            let target = match path.as_str() {
                "" => file.clone(),
                path => plain(&file.parent().expect("a file").join(path)),
            };
            faults.extend(fault(texts, &target, &heading).map(|what| format!("{}: {what}", file.display())));
        }
    }
    faults
}

/// The code spans of a page.
fn spans(page: &str) -> Vec<&str> {
    prose(page).into_iter().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn whatever_is_cited_is_there() {
    let texts = texts();
    assert!(texts.len() > 300, "{} texts", texts.len());
    let faults = faults(&texts);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_citation_of_nothing_is_a_fault() {
    let texts = |line: &str| {
        let page = "# A page\n\n## Who pays (付款)?\n\n## Who pays (付款)?\n\n```\n# no heading\n```\n";
        let own = [("docs/page.md", page), ("docs/other.md", "[on](page.md#a-page), [here](#there)\n\n# There\n")];
        let own = own.into_iter().map(|(path, text)| (path.into(), text.to_owned()));
        own.chain([("src/lib.rs".into(), line.to_owned())]).collect::<BTreeMap<PathBuf, _>>()
    };
    for right in [
        "//! See `docs/page.md`.",
        "//! See `docs/page.md#who-pays-付款` and docs/page.md#who-pays-付款-1.",
        "// https://example.com/docs/none.md, somebody/docs/none.md",
    ] {
        assert_eq!(faults(&texts(right)), Vec::<String>::new(), "{right}");
    }
    for wrong in [
        "//! See `docs/none.md`.",
        "//! See `docs/page.md#who-pays`.",
        "//! See (docs/page.md#no-heading).",
        "include_str!(\"../docs/none.md\")",
        "//! As `protocols/page.md` says.",
        "//! As the contract says.",
    ] {
        assert_eq!(faults(&texts(wrong)).len(), 1, "{wrong}");
    }
    let mut broken = texts("");
    broken.insert("docs/broken.md".into(), "[a](page.md#none), [b](../none/x.md), [c](#none)".to_owned());
    assert_eq!(faults(&broken).len(), 3);
}

#[test]
fn what_must_always_hold_is_held_by_tests_that_are_there() {
    let texts = texts();
    let page = &texts[Path::new("docs/invariants.md")];
    let mut tests = 0;
    for span in spans(page) {
        if span.contains('/') && !span.contains(['{', ' ']) {
            assert!(root().join(span).exists(), "{span}");
        } else if span.matches('_').count() > 2 && !span.contains(' ') {
            let function = format!("fn {span}(");
            let is_there =
                texts.iter().any(|(path, text)| path.iter().any(|part| part == "tests") && text.contains(&function));
            assert!(is_there, "{span}");
            tests += 1;
        } else if span.contains('-') && span.starts_with(|c: char| c.is_ascii_lowercase()) {
            let patch = format!("simulator/defences/{span}.patch");
            assert!(root().join(&patch).exists(), "{patch}");
        }
    }
    assert!(tests > 50, "{tests} tests");
}

#[test]
fn a_page_and_its_translation_have_the_same_headings_and_table_rows() {
    let texts = texts();
    let mut pairs = 0;
    for (path, chinese) in &texts {
        let Some(stem) = path.to_str().and_then(|path| path.strip_suffix(".zh-CN.md")) else { continue };
        let english = texts.get(Path::new(&format!("{stem}.md"))).unwrap_or_else(|| panic!("{stem}.md is missing"));
        assert_eq!(heading_levels(chinese), heading_levels(english), "headings of {stem}");
        assert_eq!(table_rows(chinese), table_rows(english), "table rows of {stem}");
        pairs += 1;
    }
    assert!(pairs > 10, "{pairs} pairs");
}

/// How deep each heading of a page is, in their order.
fn heading_levels(page: &str) -> Vec<usize> {
    let depth = |line: &str| line.find(' ').filter(|&n| n > 0 && line[..n].bytes().all(|b| b == b'#'));
    prose(page).into_iter().filter_map(depth).collect()
}

fn table_rows(page: &str) -> usize {
    prose(page).into_iter().filter(|line| line.trim_start().starts_with('|')).count()
}
