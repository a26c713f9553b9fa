//! What the keys of the configuration mean, from the tables of the pages that explain them.

use std::collections::BTreeMap;

/// A page, and the section that it is about; none where its headings say so.
const PAGES: [(&str, Option<&str>); 6] = [
    (include_str!("../../docs/configuration.md"), None),
    (include_str!("../../docs/appleiap.md"), Some("appleiap")),
    (include_str!("../../docs/vkspay.md"), Some("vkspay")),
    (include_str!("../../docs/wxpay-virtual.md"), Some("wxpay-virtual")),
    (include_str!("../../docs/douyin.md"), Some("douyin")),
    (include_str!("../../docs/huawei.md"), Some("huawei")),
];

/// The section that a heading of `docs/configuration.md` is about.
fn section_of(heading: &str) -> Option<&'static str> {
    Some(match heading {
        "Top level" => "",
        "`wxpay.<node>`" => "wxpay",
        "`alipay.<node>`" => "alipay",
        "`auth`" => "auth",
        "`policy`" => "policy",
        "Many merchants" => "merchantDocuments",
        "`handlers`" => "handlers",
        "`request`" => "request",
        _ => return None,
    })
}

/// Meanings by section and key; a key of an object has its path (`http.url`).
pub(crate) struct Meanings(BTreeMap<(String, String), String>);

impl Meanings {
    /// Reads the pages.
    pub(crate) fn read() -> Self {
        let mut found = BTreeMap::new();
        for (page, about) in PAGES {
            let mut section = about;
            for line in page.lines() {
                if let Some(heading) = line.strip_prefix("## ").filter(|_| about.is_none()) {
                    section = section_of(heading);
                }
                let (Some(section), Some((keys, meaning))) = (section, row(line)) else { continue };
                for key in keys {
                    found.entry((section.to_owned(), key)).or_insert_with(|| meaning.clone());
                }
            }
        }
        Self(found)
    }

    /// What a key means, by its path in the section.
    pub(crate) fn of(&self, section: &str, path: &[&str]) -> Option<&str> {
        let whole = (section.to_owned(), path.join("."));
        let last = (section.to_owned(), path.last().copied().unwrap_or_default().to_owned());
        self.0.get(&whole).or_else(|| self.0.get(&last)).map(String::as_str)
    }
}

/// What the fields of requests mean, by action and field: from the tables of `docs/api.md` and `docs/transfer.md`.
pub(crate) fn field_meanings() -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for page in [include_str!("../../docs/api.md"), include_str!("../../docs/transfer.md")] {
        let mut action = "";
        // Below a heading of its own stands what an action answers.
        let mut asked = false;
        for line in page.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                (action, asked) = (heading, heading.starts_with("pay/"));
            } else if line.starts_with("### ") {
                asked = false;
            }
            let Some((keys, meaning)) = row(line).filter(|_| asked) else { continue };
            for key in keys {
                found.entry((action.to_owned(), key)).or_insert_with(|| meaning.clone());
            }
        }
    }
    found
}

/// The keys in the first cell of a table's row, and what its last cell says of them.
fn row(line: &str) -> Option<(Vec<String>, String)> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let (first, last) = (cells.first()?, cells.last().filter(|_| cells.len() > 1)?);
    let names = first.split('`').skip(1).step_by(2);
    let keys: Vec<String> = names.map(|name| name.split(".<").next().unwrap_or(name).to_owned()).collect();
    (!keys.is_empty()).then(|| (keys, plain(last)))
}

/// A text without Markdown's links and marks.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        match after.split_once("](").and_then(|(shown, rest)| Some((shown, rest.split_once(')')?.1))) {
            Some((shown, after)) => {
                out.push_str(before);
                out.push_str(shown);
                rest = after;
            }
            None => break,
        }
    }
    out.push_str(rest);
    out.replace(['`', '*'], "")
}
