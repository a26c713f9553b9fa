//! The field rules of APIv3 bodies: what may stand in them, and nothing else may (wechat.md 2.1, 2.5).

use super::v3::Refusal;
use crate::ids;
use serde_json::{Map, Value};

/// What a value may be.
pub(crate) enum Kind {
    /// Characters, at least and at most.
    Text(usize, usize),
    /// 6–32 of `[0-9A-Za-z_\-|*]`.
    OutTradeNo,
    /// 1–64 of `[0-9A-Za-z_\-|*@]`.
    OutRefundNo,
    /// 1–32 digits and letters.
    OutBillNo,
    /// An integer, at least.
    Int(i64),
    Bool,
    Rfc3339,
    /// https, or http to a loopback address; no query string; at most 255.
    NotifyUrl,
    /// One of these words.
    Word(&'static [&'static str]),
    Words(&'static [&'static str]),
    Object(&'static [Rule]),
    List(&'static [Rule]),
}

/// One field: name, whether it must be there, kind.
pub(crate) type Rule = (&'static str, bool, Kind);

use Kind::{Bool, Int, List, NotifyUrl, Object, OutBillNo, OutRefundNo, OutTradeNo, Rfc3339, Text, Word, Words};

const CURRENCY: Kind = Word(&["CNY"]);
const AMOUNT: &[Rule] = &[("total", true, Int(1)), ("currency", false, CURRENCY)];
const DETAIL: &[Rule] =
    &[("cost_price", false, Int(0)), ("invoice_id", false, Text(1, 32)), ("goods_detail", false, List(GOODS))];
const GOODS: &[Rule] = &[
    ("merchant_goods_id", true, Text(1, 32)),
    ("wechatpay_goods_id", false, Text(1, 32)),
    ("goods_name", false, Text(1, 256)),
    ("quantity", true, Int(1)),
    ("unit_price", true, Int(0)),
];
const STORE: &[Rule] = &[
    ("id", true, Text(1, 32)),
    ("name", false, Text(1, 256)),
    ("area_code", false, Text(1, 32)),
    ("address", false, Text(1, 512)),
];
const SCENE: &[Rule] =
    &[("payer_client_ip", true, Text(1, 45)), ("device_id", false, Text(1, 32)), ("store_info", false, Object(STORE))];
const H5: &[Rule] = &[
    ("type", true, Word(&["Wap", "iOS", "Android"])),
    ("app_name", false, Text(1, 64)),
    ("app_url", false, Text(1, 128)),
    ("bundle_id", false, Text(1, 128)),
    ("package_name", false, Text(1, 128)),
];
const H5_SCENE: &[Rule] = &[
    ("payer_client_ip", true, Text(1, 45)),
    ("device_id", false, Text(1, 32)),
    ("store_info", false, Object(STORE)),
    ("h5_info", true, Object(H5)),
];
const SETTLE: &[Rule] = &[("profit_sharing", false, Bool)];
const LIMITS: &[&str] = &["no_credit", "no_balance", "no_debit", "balance_only"];
const PAYER: &[Rule] = &[("openid", true, Text(1, 128))];
const PARTNER_PAYER: &[Rule] = &[("sp_openid", false, Text(1, 128)), ("sub_openid", false, Text(1, 128))];
const CODE_PAYER: &[Rule] = &[("auth_code", true, Text(16, 32))];
const CODE_STORE: &[Rule] = &[("id", false, Text(1, 32)), ("out_id", false, Text(1, 32))];
const CODE_SCENE: &[Rule] =
    &[("device_id", false, Text(1, 32)), ("device_ip", false, Text(1, 45)), ("store_info", true, Object(CODE_STORE))];

macro_rules! order {
    ($($extra:expr),* $(,)?) => {
        &[
            ("description", true, Text(1, 127)),
            ("out_trade_no", true, OutTradeNo),
            ("time_expire", false, Rfc3339),
            ("attach", false, Text(0, 128)),
            ("notify_url", true, NotifyUrl),
            ("goods_tag", false, Text(1, 32)),
            ("support_fapiao", false, Bool),
            ("amount", true, Object(AMOUNT)),
            ("detail", false, Object(DETAIL)),
            ("settle_info", false, Object(SETTLE)),
            ("limit_pay", false, Words(LIMITS)),
            $($extra),*
        ]
    };
}
macro_rules! own {
    ($($extra:expr),* $(,)?) => {
        order![("appid", true, Text(1, 32)), ("mchid", true, Text(1, 32)), $($extra),*]
    };
}
macro_rules! partner {
    ($($extra:expr),* $(,)?) => {
        order![
            ("sp_appid", true, Text(1, 32)), ("sp_mchid", true, Text(1, 32)),
            ("sub_appid", false, Text(1, 32)), ("sub_mchid", true, Text(1, 32)),
            $($extra),*
        ]
    };
}

const JSAPI: &[Rule] = own![("payer", true, Object(PAYER)), ("scene_info", false, Object(SCENE))];
const NATIVE: &[Rule] = own![("scene_info", false, Object(SCENE))];
const H5_ORDER: &[Rule] = own![("scene_info", true, Object(H5_SCENE))];
const PARTNER_JSAPI: &[Rule] = partner![("payer", true, Object(PARTNER_PAYER)), ("scene_info", false, Object(SCENE))];
const PARTNER_NATIVE: &[Rule] = partner![("scene_info", false, Object(SCENE))];
const PARTNER_H5: &[Rule] = partner![("scene_info", true, Object(H5_SCENE))];
const CODEPAY: &[Rule] = &[
    ("appid", true, Text(1, 32)),
    ("mchid", true, Text(1, 32)),
    ("description", true, Text(1, 127)),
    ("out_trade_no", true, OutTradeNo),
    ("attach", false, Text(0, 128)),
    ("goods_tag", false, Text(1, 32)),
    ("support_fapiao", false, Bool),
    ("payer", true, Object(CODE_PAYER)),
    ("amount", true, Object(AMOUNT)),
    ("scene_info", true, Object(CODE_SCENE)),
    ("detail", false, Object(DETAIL)),
    ("settle_info", false, Object(SETTLE)),
];

/// The rules of an order's body.
pub(crate) fn order(product: &str, partner: bool) -> &'static [Rule] {
    match (product, partner) {
        ("jsapi", false) => JSAPI,
        ("h5", false) => H5_ORDER,
        ("codepay", _) => CODEPAY,
        (_, false) => NATIVE,
        ("jsapi", true) => PARTNER_JSAPI,
        ("h5", true) => PARTNER_H5,
        (_, true) => PARTNER_NATIVE,
    }
}

pub(crate) const CLOSE: &[Rule] = &[("mchid", true, Text(1, 32))];
pub(crate) const PARTNER_CLOSE: &[Rule] = &[("sp_mchid", true, Text(1, 32)), ("sub_mchid", true, Text(1, 32))];
pub(crate) const REVERSE: &[Rule] = &[("appid", true, Text(1, 32)), ("mchid", true, Text(1, 32))];
pub(crate) const REFUND: &[Rule] = &[
    ("sub_mchid", false, Text(1, 32)),
    ("transaction_id", false, Text(1, 32)),
    ("out_trade_no", false, OutTradeNo),
    ("out_refund_no", true, OutRefundNo),
    ("reason", false, Text(1, 80)),
    ("notify_url", false, NotifyUrl),
    ("funds_account", false, Word(&["AVAILABLE", "UNSETTLED"])),
    ("amount", true, Object(REFUND_AMOUNT)),
    ("goods_detail", false, List(REFUND_GOODS)),
];
const REFUND_AMOUNT: &[Rule] =
    &[("refund", true, Int(1)), ("total", true, Int(1)), ("currency", true, CURRENCY), ("from", false, List(FROM))];
const FROM: &[Rule] = &[("account", true, Word(&["AVAILABLE", "UNAVAILABLE"])), ("amount", true, Int(1))];
const REFUND_GOODS: &[Rule] = &[
    ("merchant_goods_id", true, Text(1, 32)),
    ("wechatpay_goods_id", false, Text(1, 32)),
    ("goods_name", false, Text(1, 256)),
    ("unit_price", true, Int(0)),
    ("refund_amount", true, Int(1)),
    ("refund_quantity", true, Int(1)),
];
pub(crate) const ABNORMAL: &[Rule] = &[
    ("out_refund_no", true, OutRefundNo),
    ("sub_mchid", false, Text(1, 32)),
    ("type", true, Word(&["USER_BANK_CARD", "MERCHANT_BANK_CARD"])),
    ("bank_type", false, Text(1, 32)),
    ("bank_account", false, Text(1, 1024)),
    ("real_name", false, Text(1, 1024)),
];

/// Account transfers (wechat.md 2.9).
pub(crate) const TRANSFER: &[Rule] = &[
    ("appid", true, Text(1, 32)),
    ("out_bill_no", true, OutBillNo),
    ("transfer_scene_id", true, Text(1, 36)),
    ("openid", true, Text(1, 64)),
    ("user_name", false, Text(1, 1024)),
    ("transfer_amount", true, Int(1)),
    ("transfer_remark", true, Text(1, 32)),
    ("notify_url", false, NotifyUrl),
    ("user_recv_perception", false, Text(1, 64)),
    ("transfer_scene_report_infos", true, List(REPORT_INFOS)),
    ("user_recv_style", false, Object(STYLE)),
];
/// Transfers to who confirms none (page 4014399371).
pub(crate) const AUTHORIZED_TRANSFER: &[Rule] = &[
    ("appid", true, Text(1, 32)),
    ("out_bill_no", true, OutBillNo),
    ("transfer_scene_id", true, Text(1, 36)),
    ("user_name", false, Text(1, 1024)),
    ("transfer_amount", true, Int(1)),
    ("transfer_remark", true, Text(1, 32)),
    ("notify_url", false, NotifyUrl),
    ("user_recv_perception", false, Text(1, 64)),
    ("transfer_scene_report_infos", true, List(REPORT_INFOS)),
    ("authorization_id", false, Text(9, 64)),
    ("out_authorization_no", false, Text(5, 32)),
];

/// Authorisations of payees (page 4015901167).
pub(crate) const AUTHORIZATION: &[Rule] = &[
    ("out_authorization_no", true, Text(5, 32)),
    ("appid", true, Text(1, 32)),
    ("openid", true, Text(1, 64)),
    ("transfer_scene_id", true, Text(1, 36)),
    ("user_display_name", true, Text(1, 32)),
    ("user_recv_perception", false, Text(1, 256)),
    ("authorization_notify_url", true, NotifyUrl),
];
const REPORT_INFOS: &[Rule] = &[("info_type", true, Text(1, 15)), ("info_content", true, Text(1, 32))];
const STYLE: &[Rule] = &[("type", true, Word(&["CONFIRM_PAGE", "RED_PACKET"]))];

/// Profit sharing (merchant-operations.md).
const RECEIVER_TYPES: &[&str] = &["MERCHANT_ID", "PERSONAL_OPENID", "PERSONAL_SUB_OPENID"];
pub(crate) const SHARE: &[Rule] = &[
    ("appid", false, Text(1, 32)),
    ("sub_mchid", false, Text(1, 32)),
    ("sub_appid", false, Text(1, 32)),
    ("transaction_id", true, Text(1, 32)),
    ("out_order_no", true, OutRefundNo),
    ("receivers", true, List(SHARE_RECEIVERS)),
    ("unfreeze_unsplit", true, Bool),
];
const SHARE_RECEIVERS: &[Rule] = &[
    ("type", true, Word(RECEIVER_TYPES)),
    ("account", true, Text(1, 64)),
    ("name", false, Text(1, 1024)),
    ("amount", true, Int(1)),
    ("description", true, Text(1, 80)),
];
pub(crate) const UNFREEZE: &[Rule] = &[
    ("sub_mchid", false, Text(1, 32)),
    ("transaction_id", true, Text(1, 32)),
    ("out_order_no", true, OutRefundNo),
    ("description", true, Text(1, 80)),
];
pub(crate) const RETURN: &[Rule] = &[
    ("sub_mchid", false, Text(1, 32)),
    ("out_order_no", true, OutRefundNo),
    ("out_return_no", true, OutRefundNo),
    ("return_mchid", true, Text(1, 32)),
    ("amount", true, Int(1)),
    ("description", true, Text(1, 80)),
];
pub(crate) const RECEIVER: &[Rule] = &[
    ("sub_mchid", false, Text(1, 32)),
    ("appid", true, Text(1, 32)),
    ("sub_appid", false, Text(1, 32)),
    ("type", true, Word(RECEIVER_TYPES)),
    ("account", true, Text(1, 64)),
    ("name", false, Text(1, 1024)),
    ("relation_type", true, Text(1, 32)),
    ("custom_relation", false, Text(1, 10)),
];
pub(crate) const NO_RECEIVER: &[Rule] = &[
    ("sub_mchid", false, Text(1, 32)),
    ("appid", true, Text(1, 32)),
    ("sub_appid", false, Text(1, 32)),
    ("type", true, Word(RECEIVER_TYPES)),
    ("account", true, Text(1, 64)),
];

fn wrong(at: &str, issue: &str) -> Refusal {
    Refusal::new(400, "PARAM_ERROR", &format!("输入源“/body{at}”{issue}"), 268_435_461).field(at, "body").issue(issue)
}

/// Parses a body and holds it against its rules.
pub(crate) fn check(body: &[u8], rules: &[Rule]) -> Result<Map<String, Value>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|_| wrong("", "不是UTF-8"))?;
    if text.chars().any(|c| c.len_utf8() > 3) {
        return Err(wrong("", "含有4字节字符"));
    }
    let Ok(Value::Object(map)) = serde_json::from_str(text) else {
        return Err(wrong("", "无法解析为JSON对象"));
    };
    object(&map, rules, "")?;
    Ok(map)
}

fn object(map: &Map<String, Value>, rules: &[Rule], at: &str) -> Result<(), Refusal> {
    for name in map.keys() {
        if !rules.iter().any(|(own, ..)| own == name) {
            return Err(wrong(&format!("/{name}"), "是多余的字段").internal(270_924_358));
        }
    }
    for (name, required, kind) in rules {
        let at = format!("{at}/{name}");
        match map.get(*name) {
            Some(found) => value(found, kind, &at)?,
            None if *required => return Err(wrong(&at, "缺失必填字段")),
            None => {}
        }
    }
    Ok(())
}

fn number(value: &Value, longest: usize, shortest: usize, extra: &str) -> bool {
    value.as_str().is_some_and(|s| {
        (shortest..=longest).contains(&s.len()) && s.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    })
}

fn value(found: &Value, kind: &Kind, at: &str) -> Result<(), Refusal> {
    let good = match kind {
        Text(min, max) => found.as_str().is_some_and(|s| (*min..=*max).contains(&s.chars().count())),
        OutTradeNo => number(found, 32, 6, "_-|*"),
        OutRefundNo => number(found, 64, 1, "_-|*@"),
        OutBillNo => number(found, 32, 1, ""),
        Int(min) => found.as_i64().is_some_and(|i| i >= *min && i <= i64::from(i32::MAX)),
        Bool => found.is_boolean(),
        Rfc3339 => found.as_str().is_some_and(|s| s.len() <= 64 && ids::from_rfc3339(s).is_some()),
        NotifyUrl => found.as_str().is_some_and(notify_url),
        Word(words) => found.as_str().is_some_and(|s| words.contains(&s)),
        Words(words) => found
            .as_array()
            .is_some_and(|list| list.iter().all(|word| word.as_str().is_some_and(|s| words.contains(&s)))),
        Object(rules) => match found {
            Value::Object(map) => return object(map, rules, at),
            _ => false,
        },
        List(rules) => match found {
            Value::Array(list) => {
                for (i, item) in list.iter().enumerate() {
                    value(item, &Object(rules), &format!("{at}/{i}"))?;
                }
                !list.is_empty()
            }
            _ => false,
        },
    };
    let low = matches!(kind, Int(_)) && found.is_i64() && !good;
    let issue = if low { "数值超出范围，低于最小值 1" } else { "映射到值字段时校验失败" };
    if good { Ok(()) } else { Err(wrong(at, issue)) }
}

/// https, or http to this machine; no query, no fragment; at most 255 characters.
pub(crate) fn notify_url(url: &str) -> bool {
    let rest = match url.split_once("://") {
        Some(("https", rest)) => rest,
        Some(("http", rest))
            if ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
                rest.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
            }) =>
        {
            rest
        }
        _ => return false,
    };
    let plain = !url.contains(['?', '#', ' ', '\n']) && url.is_ascii();
    plain && url.len() <= 255 && !rest.starts_with(['/', ':']) && !rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> String {
        check(body.as_bytes(), order("native", false)).map_or_else(|r| r.code.to_owned(), |_| "OK".to_owned())
    }

    #[test]
    fn the_published_native_order_passes_and_its_spoilt_copies_do_not() {
        let good = r#"{"mchid":"1900006XXX","out_trade_no":"native12177525012014070332333","appid":"wxdace645e0bc2cXXX","description":"Image形象店-深圳腾大-QQ公仔","notify_url":"https://weixin.qq.com/","amount":{"total":1,"currency":"CNY"}}"#;
        assert_eq!(code(good), "OK");
        for (from, to) in [
            ("\"total\":1", "\"total\":0"),
            ("\"total\":1", "\"total\":1.5"),
            ("\"total\":1", "\"total\":\"1\""),
            ("\"CNY\"", "\"USD\""),
            ("https://weixin.qq.com/", "https://weixin.qq.com/?a=b"),
            ("https://weixin.qq.com/", "http://weixin.qq.com/"),
            ("https://weixin.qq.com/", "http://localhost.evil.example/"),
            ("native12177525012014070332333", "n1"),
            ("native12177525012014070332333", "native 12177525"),
            ("Image形象店-深圳腾大-QQ公仔", ""),
            ("Image形象店-深圳腾大-QQ公仔", "😀"),
            ("\"appid\"", "\"openid\":\"x\",\"appid\""),
            ("\"appid\"", "\"attach\":null,\"appid\""),
        ] {
            assert_eq!(code(&good.replace(from, to)), "PARAM_ERROR", "{from} -> {to}");
        }
    }
}
