//! What is told of an import, in Chinese and English. No text holds a value of the configuration.

use super::files::Trouble;
use super::migrate::{Note, What};
use super::script::{Place, SyntaxError, Why};
use crate::lang::Lang;

/// A text from a file, as it may be shown on a terminal: without control characters.
pub(super) fn clean(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// `3 faults`, with what follows.
pub(super) fn count(lang: Lang, count: usize, zh: &str, en: &str, rest: &str) -> String {
    match lang {
        Lang::Zh => format!("{count} {zh}"),
        Lang::En => format!("{count} {en}{}{}", if count == 1 { "" } else { "s" }, rest),
    }
}

/// A place in the file.
pub(super) fn place(lang: Lang, place: Place) -> String {
    let Place { line, column } = place;
    match lang {
        Lang::Zh => format!("第 {line} 行第 {column} 列"),
        Lang::En => format!("line {line}, column {column}"),
    }
}

/// Why a file is not read as JavaScript.
pub(super) fn syntax_error(lang: Lang, error: &SyntaxError) -> String {
    match (error, lang) {
        (SyntaxError::TooLong, Lang::Zh) => "超过 256 KB，不是支付配置文件".to_owned(),
        (SyntaxError::TooLong, Lang::En) => "is longer than 256 kB; no configuration is".to_owned(),
        (SyntaxError::TooNested, Lang::Zh) => "括号超过 2 万个，不是支付配置文件".to_owned(),
        (SyntaxError::TooNested, Lang::En) => "has more than 20000 brackets; no configuration does".to_owned(),
        (SyntaxError::TooMuch, Lang::Zh) => "要计算的内容太多，不是支付配置文件".to_owned(),
        (SyntaxError::TooMuch, Lang::En) => "has more to compute than any configuration".to_owned(),
        (SyntaxError::TooSlow, Lang::Zh) => "5 秒内解析不完，不是支付配置文件".to_owned(),
        (SyntaxError::TooSlow, Lang::En) => "cannot be parsed within 5 s; no configuration takes that long".to_owned(),
        (SyntaxError::Unclosed(bracket, at), Lang::Zh) => {
            format!("{}：这里的 {bracket} 没有对应的右括号", place(lang, *at))
        }
        (SyntaxError::Unclosed(bracket, at), Lang::En) => {
            format!("{}: this {bracket} is never closed", place(lang, *at))
        }
        (SyntaxError::FullWidth(sign, at), Lang::Zh) => {
            format!("{}：{sign} 是中文标点，这里要用英文标点", place(lang, *at))
        }
        (SyntaxError::FullWidth(sign, at), Lang::En) => {
            format!("{}: {sign} is Chinese punctuation; JavaScript has its own here", place(lang, *at))
        }
        (SyntaxError::Unexpected(at), Lang::Zh) => {
            format!("{}：JavaScript 语法错误，请检查这里和前一行的逗号、引号、括号", place(lang, *at))
        }
        (SyntaxError::Unexpected(at), Lang::En) => {
            format!(
                "{}: is not JavaScript; look here and on the line before for a comma, quote or bracket",
                place(lang, *at)
            )
        }
    }
}

/// Why a value is not known.
pub(super) fn why(lang: Lang, why: &Why) -> String {
    match (why, lang) {
        (Why::Environment(name), Lang::Zh) => format!("取自环境变量 {}，请手工填写", clean(name)),
        (Why::Environment(name), Lang::En) => {
            format!("comes from the environment variable {}; fill it in", clean(name))
        }
        (Why::Function, Lang::Zh) => "是函数，不执行".to_owned(),
        (Why::Function, Lang::En) => "is a function, and nothing is run".to_owned(),
        (Why::Call(name), Lang::Zh) => format!("调用了 {}()，不执行", clean(name)),
        (Why::Call(name), Lang::En) => format!("calls {}(), and nothing is run", clean(name)),
        (Why::Module(name), Lang::Zh) => format!("取自另一个模块 {}，只读取这一个文件", clean(name)),
        (Why::Module(name), Lang::En) => format!("comes from another module, {}; only this file is read", clean(name)),
        (Why::Name(name), Lang::Zh) => format!("{} 不是前面定义过的常量", clean(name)),
        (Why::Name(name), Lang::En) => format!("{} is no constant that is defined above", clean(name)),
        (Why::Expression, Lang::Zh) => "不是常量表达式".to_owned(),
        (Why::Expression, Lang::En) => "is no constant expression".to_owned(),
        (Why::File(file, trouble), _) => no_file(lang, file, *trouble),
        (Why::Prototype, Lang::Zh) => "__proto__ 不是配置项".to_owned(),
        (Why::Prototype, Lang::En) => "__proto__ is no entry".to_owned(),
        (Why::Twice(name), Lang::Zh) => format!("{} 写了两次，以后一处为准，前一处没有用", clean(name)),
        (Why::Twice(name), Lang::En) => {
            format!("has {} twice; the last one counts, the first is not used", clean(name))
        }
        (Why::TooMuch, Lang::Zh) => "嵌套太深或内容太多".to_owned(),
        (Why::TooMuch, Lang::En) => "is nested too deep, or larger than any configuration".to_owned(),
    }
}

fn no_file(lang: Lang, file: &str, trouble: Trouble) -> String {
    let file = clean(file);
    match (trouble, lang) {
        (Trouble::Missing, Lang::Zh) => format!("找不到文件 {file}，可用 --pem-dir 指定证书目录"),
        (Trouble::Missing, Lang::En) => format!("the file {file} is not there; --pem-dir says where key files are"),
        (Trouble::Outside, Lang::Zh) => {
            format!("文件 {file} 不在 config.js 所在目录下，不读取；可用 --pem-dir 指定证书目录")
        }
        (Trouble::Outside, Lang::En) => {
            format!(
                "the file {file} is not below the folder of config.js and is not read; --pem-dir says where key files are"
            )
        }
        (Trouble::TooLarge, Lang::Zh) => format!("文件 {file} 超过 1 MB，不是密钥文件"),
        (Trouble::TooLarge, Lang::En) => format!("the file {file} is larger than 1 MB; no key file is"),
        (Trouble::Unreadable(kind), Lang::Zh) => format!("文件 {file} 读取失败：{kind}"),
        (Trouble::Unreadable(kind), Lang::En) => format!("the file {file} cannot be read: {kind}"),
    }
}

fn what(lang: Lang, what: &What) -> String {
    let text = |zh: &str, en: &str| lang.t(zh, en).to_owned();
    match what {
        What::Unknown(unknown) => why(lang, unknown),
        What::Skipped => text(
            "语句不执行；如果它改了配置，请手工补上",
            "is a statement, and nothing is run; if it changes the configuration, do so by hand",
        ),
        What::Unused => text("没有填写，不保留", "is not filled in"),
        What::Blank(keys) => count(lang, *keys, "个空白项，不保留", "blank key", ""),
        What::EmptyFile(file) => match lang {
            Lang::Zh => format!("文件 {} 是空的", clean(file)),
            Lang::En => format!("the file {} is empty", clean(file)),
        },
        What::NoFile(file, trouble) => no_file(lang, file, *trouble),
        What::OldNotifyUrl => text(
            "指向 uniCloud 的旧地址，不保留：回调改用部署时的 PAY_NOTIFY_URL（模板会设置），或自己的域名",
            "points at uniCloud; callbacks go to PAY_NOTIFY_URL, which the template sets, or to your own domain here",
        ),
        What::NeverDeleted => text("不保留：订单不会自动删除", "is not needed: orders are never deleted"),
        What::Inlined(file) => match lang {
            Lang::Zh => format!("已写入文件 {} 的内容", clean(file)),
            Lang::En => format!("holds the text of the file {} now", clean(file)),
        },
        What::Renamed(name) => match lang {
            Lang::Zh => format!("改名为 {}", clean(name)),
            Lang::En => format!("is {} now", clean(name)),
        },
        What::StillOn => text(
            "旧配置写了 enable: false，这里没有这个开关：只要节点填了就能支付；不用就删掉整段",
            "was switched off by enable: false, which only hid buttons there and is nothing here: a node that is filled in takes payments; take the section out if it shall not",
        ),
        What::Version2 => {
            text("没有写 version，只有 APIv2 密钥：按 2 处理", "is 2: no version was given, and an APIv2 key only")
        }
        What::NewNotifyKey(reason) => new_notify_key(lang, reason),
        What::NewCaller => text(
            "新生成的密钥（在文件里）：自己的服务器用它调用；页面直接调用要再配置 auth.jwt",
            "is a new key, in the file: your own server calls with it; pages that call by themselves need auth.jwt as well",
        ),
        What::ClosedWhitelist => text(
            "名单里有不能确定的内容；补全之前，名单之外的用户都不能支付",
            "is not known whole; until you fill it in, nobody else may pay",
        ),
    }
}

fn new_notify_key(lang: Lang, reason: &str) -> String {
    let zh = match reason {
        "is a published sample" => "是文档里公开的示例密钥",
        "is one repeated character" => "是同一个字符的重复",
        _ => "是占位文字",
    };
    match lang {
        Lang::Zh => format!("{zh}，已生成新的（在文件里）；用它解密的 Java、PHP 等系统也要换"),
        Lang::En => format!("{reason}; there is a new one in the file. Systems that decrypt with it need it too"),
    }
}

/// A note without its path.
pub(super) fn note(lang: Lang, note: &Note) -> String {
    what(lang, &note.what)
}

/// The nodes that nobody filled in, in one line.
pub(super) fn unused(lang: Lang, notes: &[&Note]) -> Option<String> {
    let paths: Vec<String> = notes.iter().map(|note| clean(&note.path)).collect();
    match (paths.is_empty(), lang) {
        (true, _) => None,
        (false, Lang::Zh) => Some(format!("没有填写的：{}", paths.join("、"))),
        (false, Lang::En) => Some(format!("not filled in: {}", paths.join(", "))),
    }
}

/// A note as a line.
pub(super) fn line(lang: Lang, note: &Note) -> String {
    let text = what(lang, &note.what);
    let place = note.place.map(|at| place(lang, at));
    let head = match (clean(&note.path), place, lang) {
        (path, None, _) => path,
        (path, Some(place), _) if path.is_empty() => place,
        (path, Some(place), Lang::Zh) => format!("{path}（{place}）"),
        (path, Some(place), Lang::En) => format!("{path} ({place})"),
    };
    match (head.is_empty(), lang) {
        (true, _) => text,
        (false, Lang::Zh) => format!("{head}：{text}"),
        (false, Lang::En) => format!("{head}: {text}"),
    }
}
