//! The report as text.

use super::finding::{Finding, Node, Report, Text, is_below};
use crate::lang::Lang;
use std::io::{self, Write};

/// Writes the report: the nodes of each merchant with their findings, then those of the whole.
///
/// # Errors
/// When the output cannot be written.
pub(super) fn write(report: &Report, lang: Lang, out: &mut impl Write) -> io::Result<()> {
    let mut told = vec![false; report.findings.len()];
    let mut merchant = None;
    for node in &report.nodes {
        if merchant != Some(&node.merchant) {
            merchant = Some(&node.merchant);
            writeln!(out, "{} {}", lang.t("商户", "Merchant"), node.merchant)?;
        }
        write_node(node, lang, out)?;
        for (finding, told) in report.findings.iter().zip(&mut told) {
            if is_below(&finding.path, &node.path) {
                *told = true;
                write_finding(finding, lang, out)?;
            }
        }
    }
    if told.contains(&false) || !report.checked.is_empty() {
        writeln!(out, "{}", lang.t("整体", "The whole"))?;
    }
    for own in &report.checked {
        let mark = if own.healthy { "✓" } else { "✗" };
        let name = match own.path {
            "table" => lang.t("订单表", "the table"),
            _ => lang.t("回调地址", "the address of callbacks"),
        };
        writeln!(out, "  {mark} {name} {}", own.of)?;
    }
    for (finding, _) in report.findings.iter().zip(&told).filter(|(_, told)| !**told) {
        write_finding(finding, lang, out)?;
    }
    let (errors, warnings, notes) = (report.errors, report.warnings, report.notes);
    let took = format!("{}.{}", report.took_ms / 1000, report.took_ms % 1000 / 100);
    match lang {
        Lang::Zh => writeln!(out, "错误 {errors}，警告 {warnings}，提示 {notes}；用时 {took} 秒"),
        Lang::En => writeln!(out, "errors: {errors}, warnings: {warnings}, notes: {notes}; it took {took} s"),
    }
}

fn write_node(node: &Node, lang: Lang, out: &mut impl Write) -> io::Result<()> {
    let mark = if node.healthy { "✓" } else { "✗" };
    let answered = match (node.answered_ms, lang) {
        (Some(ms), Lang::Zh) => format!("{ms} 毫秒内应答"),
        (Some(ms), Lang::En) => format!("answered in {ms} ms"),
        (None, _) => lang.t("没有应答", "no answer").to_owned(),
    };
    writeln!(out, "  {mark} {:<40} {answered}", node.path)?;
    if node.healthy && !node.unproven.is_empty() {
        let prefix = format!("{}.", node.path);
        let keys: Vec<&str> = node.unproven.iter().map(|key| key.strip_prefix(&prefix).unwrap_or(key)).collect();
        writeln!(out, "      {} {}", lang.t("无法用提问证实：", "no question proves:"), keys.join(", "))?;
    }
    Ok(())
}

fn write_finding(finding: &Finding, lang: Lang, out: &mut impl Write) -> io::Result<()> {
    let of = |text: &Text| lang.t(&text.zh, &text.en).to_owned();
    let severity = match finding.severity.name() {
        "error" => lang.t("错误", "error"),
        "warning" => lang.t("警告", "warning"),
        _ => lang.t("提示", "note"),
    };
    writeln!(out, "      {severity} {}  {}", finding.path, finding.code)?;
    writeln!(out, "        {}", of(&finding.cause))?;
    writeln!(out, "        {}", of(&finding.remedy))?;
    if let Some(page) = &finding.found_at {
        writeln!(out, "        {} {} {}", lang.t("位置：", "Found at:"), of(&page.name), page.url)?;
    }
    if !finding.words.is_empty() {
        writeln!(out, "        {} {}", lang.t("原话：", "In their words:"), finding.words)?;
    }
    Ok(())
}
