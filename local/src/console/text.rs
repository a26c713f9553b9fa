//! Words: both languages side by side, amounts, times, JSON.

use maud::{Markup, html};
use serde_json::Value;
use shared::domain::{Fen, Status, UnixMs};
use time::macros::{format_description, offset};

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lang {
    /// Chinese, the default.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The language of a tag such as `en` or `zh-CN`.
    pub(super) fn parse(tag: &str) -> Option<Self> {
        match tag.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("zh") => Some(Self::Zh),
            Some("en") => Some(Self::En),
            _ => None,
        }
    }

    /// The first of the two that a browser names; browsers name the preferred one first.
    pub(super) fn accepted(header: Option<&str>) -> Self {
        header.unwrap_or_default().split(',').find_map(Self::parse).unwrap_or(Self::Zh)
    }

    /// The tag.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// The text in this language.
    pub(super) const fn t<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The other one.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Zh => Self::En,
            Self::En => Self::Zh,
        }
    }
}

/// `¥ 12.30` with a thin currency sign.
pub(super) fn money(fen: Fen) -> Markup {
    html! { span.money { span.yen { "¥" } (fen.to_yuan()) } }
}

fn shanghai(at: UnixMs) -> Option<time::OffsetDateTime> {
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.get()) * 1_000_000).ok()?;
    Some(at.to_offset(offset!(+8)))
}

/// `10-03 14:05:09`, Shanghai.
pub(super) fn moment(at: UnixMs) -> String {
    let format = format_description!("[month]-[day] [hour]:[minute]:[second]");
    shanghai(at).and_then(|at| at.format(format).ok()).unwrap_or_default()
}

/// `14:05:09.123`, Shanghai.
pub(super) fn clock(at: UnixMs) -> String {
    let format = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");
    shanghai(at).and_then(|at| at.format(format).ok()).unwrap_or_default()
}

/// `2026-10-03 14:05:09`, Shanghai.
pub(super) fn stamp(at: UnixMs) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    shanghai(at).and_then(|at| at.format(format).ok()).unwrap_or_default()
}

/// How long ago it was, with the date for whoever wants to know.
pub(super) fn ago(lang: Lang, at: UnixMs, now: UnixMs) -> Markup {
    let minutes = now.since(at).as_secs() / 60;
    let words = match minutes {
        _ if at > now => moment(at),
        0 => lang.t("刚刚", "just now").to_owned(),
        1..60 => format!("{minutes} {}", lang.t("分钟前", "min ago")),
        60..1440 => format!("{} {}", minutes / 60, lang.t("小时前", "h ago")),
        1440..10_080 => format!("{} {}", minutes / 1440, lang.t("天前", if minutes < 2880 { "day ago" } else { "days ago" })),
        _ => stamp(at)[..10].to_owned(),
    };
    html! { time datetime=[rfc3339(at)] title=(stamp(at)) { (words) } }
}

/// RFC 3339, UTC.
pub(super) fn rfc3339(at: UnixMs) -> Option<String> {
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.get()) * 1_000_000).ok()?;
    at.format(&time::format_description::well_known::Rfc3339).ok()
}

/// `20261003140509`, for numbers of orders.
pub(super) fn compact(at: UnixMs) -> String {
    let format = format_description!("[year][month][day][hour][minute][second]");
    shanghai(at).and_then(|at| at.format(format).ok()).unwrap_or_default()
}

/// The state of an order as a badge.
pub(super) fn badge(lang: Lang, state: Status, refunded_all: bool) -> Markup {
    let (tone, zh, en) = match state {
        Status::NotPay => ("wait", "待支付", "Unpaid"),
        Status::Success => ("good", "已支付", "Paid"),
        Status::Refund if refunded_all => ("past", "已全额退款", "Refunded"),
        Status::Refund => ("part", "部分退款", "Partly refunded"),
        Status::Closed => ("past", "已关闭", "Closed"),
    };
    html! { span.badge data-tone=(tone) data-state=(state.name()) { (lang.t(zh, en)) } }
}

/// The name of an order's type.
pub(super) fn kind_name(lang: Lang, kind: &str) -> &str {
    match kind {
        "recharge" => lang.t("充值", "Recharge"),
        "goods" => lang.t("商品", "Goods"),
        "vip" => lang.t("会员", "Membership"),
        "custom" => lang.t("自定义", "Custom"),
        crate::receiver::KIND => lang.t("转发给接收方", "Handed to a receiver"),
        other => other,
    }
}

/// A JSON text read, or the text itself.
pub(super) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// JSON with its parts marked for colour.
pub(super) fn json(value: &Value) -> Markup {
    let pretty = match value {
        Value::String(text) => text.clone(),
        value => format!("{value:#}"),
    };
    html! {
        pre.json { code {
            @for line in pretty.lines() {
                @let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
                (indent)
                @match rest.split_once("\": ").filter(|_| rest.starts_with('"')) {
                    Some((key, value)) => { span.k { (key) "\"" } ": " (scalar(value)) }
                    None => { (scalar(rest)) }
                }
                "\n"
            }
        } }
    }
}

fn scalar(text: &str) -> Markup {
    let (body, comma) = text.strip_suffix(',').map_or((text, ""), |body| (body, ","));
    let class = match body.as_bytes().first() {
        Some(b'"') => "s",
        Some(b'0'..=b'9' | b'-' | b't' | b'f' | b'n') => "n",
        _ => "p",
    };
    html! { span class=(class) { (body) } (comma) }
}
