//! `vk-pay config import`: VK-Pay's `config.js` as our configuration, and what is still to be done.

use super::check::Findings;
use super::files::Files;
use super::migrate::{Migrated, Note, What, migrate};
use super::{UNREADABLE, print, said, script, tell};
use crate::lang::Lang;
use clap::Args;
use serde_json::{Value, json};
use shared::app::system_clock;
use shared::config::Source;
use shared::net::provider_http::Http;
use std::fmt::Write;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vk_pay_local::demo::write_private;

/// What Parameter Store and Secrets Manager take, bytes.
const PARAMETER: usize = 8 << 10;
const SECRET: usize = 64 << 10;

/// What is made into what.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(super) struct Arguments {
    /// The config.js of uni-config-center/uni-pay, unmodified
    #[arg(value_name = "CONFIG_JS")]
    config_js: PathBuf,
    /// Where its key files are, if not beside it
    #[arg(long, value_name = "DIR")]
    pem_dir: Option<PathBuf>,
    /// Write the configuration to this file, which only you may read, instead of printing it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite that file if it is there
    #[arg(long, requires = "output")]
    force: bool,
    /// Print as JSON what was left out, changed, or still has faults
    #[arg(long, requires = "output")]
    json: bool,
}

/// Reads, writes, checks and tells.
pub(super) async fn run(arguments: Arguments, lang: Lang) -> ExitCode {
    if arguments.output.is_none() && std::io::stdout().is_terminal() {
        let zh = "结果里有密钥，不在终端显示：请加 --output 文件名，或重定向标准输出";
        let en = "the result holds secrets and is not shown on a terminal: give --output FILE, or redirect stdout";
        tell(&format!("{}\n", lang.t(zh, en)));
        return ExitCode::from(UNREADABLE);
    }
    let made = match made(&arguments, lang) {
        Ok(made) => made,
        Err(why) => {
            return unreadable(
                &format!("{}: {why}", said::clean(&arguments.config_js.to_string_lossy())),
                arguments.json,
            );
        }
    };
    let text = format!("{:#}\n", Value::Object(made.document.clone()));
    match &arguments.output {
        None => print(&text),
        Some(path) => {
            if let Err(why) = write(path, &arguments, &text, lang) {
                return unreadable(&format!("{}: {why}", said::clean(&path.to_string_lossy())), arguments.json);
            }
        }
    }
    let source = Source::Inline(text.clone());
    let found = Findings::of(&text, &source, system_clock()(), &Http::default()).await;
    match arguments.json {
        true => print(&format!("{:#}\n", report(&arguments, &made, &found, text.len(), lang))),
        false => tell(&told(&arguments, &made, &found, text.len(), lang)),
    }
    found.status()
}

/// Says why there is no result, in JSON too where that is asked for.
fn unreadable(why: &str, json: bool) -> ExitCode {
    tell(&format!("{why}\n"));
    if json {
        crate::operate::print_failure(None, why, UNREADABLE, None);
    }
    ExitCode::from(UNREADABLE)
}

/// The configuration that is made of a file.
fn made(arguments: &Arguments, lang: Lang) -> Result<Migrated, String> {
    let unreadable = |error: std::io::Error| match lang {
        Lang::Zh => format!("读取失败：{}", error.kind()),
        Lang::En => format!("cannot be read: {}", error.kind()),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&arguments.config_js).map_err(unreadable)?;
    // A byte more than what can be a configuration.
    file.take(script::LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let files = Files::new(&arguments.config_js, arguments.pem_dir.as_deref()).map_err(|error| match lang {
        Lang::Zh => format!("--pem-dir 的目录读取失败：{}", error.kind()),
        Lang::En => format!("the folder of --pem-dir cannot be read: {}", error.kind()),
    })?;
    if bytes.len() > script::LONGEST {
        return Err(said::syntax_error(lang, &script::SyntaxError::TooLong));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| lang.t("不是 UTF-8 编码，请另存为 UTF-8", "is not UTF-8; save it in that encoding").to_owned())?;
    let exported = script::read(&text, &files).map_err(|error| said::syntax_error(lang, &error))?;
    migrate(exported, &files).map_err(|unknown| match (unknown, lang) {
        (Some(unknown), _) => {
            let (place, why) = (said::place(lang, unknown.place), said::why(lang, &unknown.why));
            match lang {
                Lang::Zh => format!("导出的不是对象（{place}：{why}）"),
                Lang::En => format!("does not export an object ({place}: {why})"),
            }
        }
        (None, Lang::Zh) => "没有导出配置对象（module.exports = { … }）".to_owned(),
        (None, Lang::En) => "does not export an object (module.exports = { … })".to_owned(),
    })
}

fn write(path: &Path, arguments: &Arguments, text: &str, lang: Lang) -> Result<(), String> {
    let same =
        |other: &Path| path.canonicalize().ok().is_some_and(|own| other.canonicalize().is_ok_and(|it| it == own));
    if same(&arguments.config_js) {
        return Err(lang.t("就是要导入的文件", "is the file that is imported").to_owned());
    }
    if path.exists() && !arguments.force {
        return Err(lang
            .t(
                "文件已存在；要覆盖请加 --force（其中生成的密钥会换新）",
                "is there already; --force overwrites it, with new keys for those that were made",
            )
            .to_owned());
    }
    write_private(path, text.as_bytes()).map_err(|error| match lang {
        Lang::Zh => format!("写入失败：{}", error.kind()),
        Lang::En => format!("cannot be written: {}", error.kind()),
    })
}

/// For machines.
fn report(arguments: &Arguments, made: &Migrated, found: &Findings, bytes: usize, lang: Lang) -> Value {
    let notes = |notes: &[Note]| -> Vec<Value> {
        let entry = |note: &Note| {
            json!({
                "path": note.path,
                "line": note.place.map(|at| at.line),
                "column": note.place.map(|at| at.column),
                "what": said::note(lang, note),
            })
        };
        notes.iter().map(entry).collect()
    };
    let mut report = json!({
        "output": arguments.output,
        "bytes": bytes,
        "left_out": notes(&made.left_out),
        "changed": notes(&made.changed),
    });
    if let (Some(report), Value::Object(found)) = (report.as_object_mut(), found.json()) {
        report.extend(found);
    }
    report
}

/// For people.
fn told(arguments: &Arguments, made: &Migrated, found: &Findings, bytes: usize, lang: Lang) -> String {
    let mut text = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(text, "{title}");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
        let _ = writeln!(text);
    };
    let notes = |notes: &[Note]| {
        let (unused, others): (Vec<&Note>, Vec<&Note>) = notes.iter().partition(|note| note.what == What::Unused);
        let mut lines: Vec<String> = others.into_iter().map(|note| said::line(lang, note)).collect();
        lines.extend(said::unused(lang, &unused));
        lines
    };
    section(lang.t("没有导入：", "Left out:"), notes(&made.left_out));
    section(lang.t("有改动：", "Changed:"), notes(&made.changed));
    let faults =
        |faults: &[shared::config::Fault]| faults.iter().map(|f| said::clean(&f.to_string())).collect::<Vec<_>>();
    section(lang.t("还要补上或改正：", "To fill in or fix:"), faults(&found.faults));
    section(lang.t("提示：", "Remarks:"), faults(&found.remarks));
    let file =
        arguments.output.as_ref().map_or_else(|| "config.json".to_owned(), |path| path.to_string_lossy().into_owned());
    let file = said::clean(&file);
    let _ = writeln!(text, "{}", size(bytes, lang));
    if !made.can_be_paid() {
        let zh = "里面没有填写好的支付节点，还不能收款";
        let en = "No node of a provider is filled in: nobody can pay by it yet";
        let _ = writeln!(text, "{}", lang.t(zh, en));
    }
    let missing = made.left_out.iter().filter(|note| note.what.is_missing()).count();
    let _ = match (found.faults.is_empty() && missing == 0, lang) {
        (true, Lang::Zh) => writeln!(text, "配置正确。下一步：vk-pay dev --config {file}，或按 docs/deploy.md 部署"),
        (true, Lang::En) => {
            writeln!(
                text,
                "The configuration is right. Next: vk-pay dev --config {file}, or deploy it (docs/deploy.md)"
            )
        }
        (false, Lang::Zh) => {
            let _ = if missing > 0 {
                writeln!(text, "有 {missing} 个值没能取到，请按上面所列手工补上")
            } else {
                Ok(())
            };
            writeln!(text, "下一步：改好后运行 vk-pay config check {file}")
        }
        (false, Lang::En) => {
            let values = said::count(lang, missing, "", "value", " could not be taken over; fill in what is needed");
            let _ = if missing > 0 { writeln!(text, "{values}") } else { Ok(()) };
            writeln!(text, "Next: mend these, then vk-pay config check {file}")
        }
    };
    text
}

/// Where a document of this size can be kept.
fn size(bytes: usize, lang: Lang) -> String {
    match (bytes, lang) {
        (..=PARAMETER, Lang::Zh) => {
            format!("大小 {bytes} 字节：Parameter Store（高级参数 8 KB）和 Secrets Manager 都放得下")
        }
        (..=PARAMETER, Lang::En) => {
            format!("{bytes} bytes: fits into Parameter Store (8 KB, advanced) and Secrets Manager")
        }
        (..=SECRET, Lang::Zh) => format!("大小 {bytes} 字节：要用 Secrets Manager（64 KB），Parameter Store 放不下"),
        (..=SECRET, Lang::En) => format!("{bytes} bytes: needs Secrets Manager (64 KB); Parameter Store takes 8 KB"),
        (_, Lang::Zh) => format!("大小 {bytes} 字节：超过 Secrets Manager 的 64 KB，请把商户拆到 merchantDocuments"),
        (_, Lang::En) => {
            format!("{bytes} bytes: more than the 64 KB of Secrets Manager; merchantDocuments takes merchants apart")
        }
    }
}
