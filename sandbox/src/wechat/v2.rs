//! APIv2: XML with a shared key (wechat.md section 5). The client certificate of `/secapi/` is not seen here, see the crate's page.

use super::Account;
use super::objects::trade_type;
use super::v2_operations::Cx;
use super::xml::{self, Fields};
use crate::crypto::{ALNUM, hmac_hex, md5_hex, random_text};
use crate::faults::{Misbehaviour, Op};
use crate::ids;
use crate::ledger::Trade;
use crate::provider::Provider;
use crate::sandbox::Sandbox;
use crate::wire::{Answer, Inbound};

/// Allowed field names; a `*` in front means required.
type Allowed = &'static [&'static str];

const COMMON: Allowed = &["*appid", "*mch_id", "*nonce_str", "*sign", "sign_type", "sub_appid", "sub_mch_id"];
const UNIFIED: Allowed = &[
    "*body",
    "*out_trade_no",
    "*total_fee",
    "*spbill_create_ip",
    "*notify_url",
    "*trade_type",
    "device_info",
    "detail",
    "attach",
    "fee_type",
    "time_start",
    "time_expire",
    "goods_tag",
    "product_id",
    "limit_pay",
    "openid",
    "receipt",
    "scene_info",
    "profit_sharing",
];
const MICROPAY: Allowed = &[
    "*body",
    "*out_trade_no",
    "*total_fee",
    "*spbill_create_ip",
    "*auth_code",
    "device_info",
    "detail",
    "attach",
    "fee_type",
    "time_start",
    "time_expire",
    "goods_tag",
    "limit_pay",
    "receipt",
    "scene_info",
    "profit_sharing",
];
const QUERY: Allowed = &["transaction_id", "out_trade_no"];
const CLOSE: Allowed = &["*out_trade_no"];
const REFUND: Allowed = &[
    "transaction_id",
    "out_trade_no",
    "*out_refund_no",
    "*total_fee",
    "*refund_fee",
    "refund_fee_type",
    "refund_desc",
    "refund_account",
    "notify_url",
];
const REFUND_QUERY: Allowed = &["transaction_id", "out_trade_no", "out_refund_no", "refund_id", "offset"];

pub(crate) fn op(path: &str) -> Op {
    match path {
        "/pay/unifiedorder" | "/pay/micropay" => Op::Create,
        "/pay/orderquery" => Op::Query,
        "/pay/closeorder" => Op::Close,
        "/secapi/pay/refund" => Op::Refund,
        "/pay/refundquery" => Op::RefundQuery,
        "/secapi/pay/reverse" => Op::Reverse,
        _ => Op::Unknown,
    }
}

/// Upper-case hex over all non-empty fields but `sign`, by name (wechat.md 5.1).
pub(crate) fn sign(fields: &Fields, key: &str, hmac: bool) -> String {
    let mut text = String::new();
    for (name, value) in fields.iter().filter(|(name, value)| *name != "sign" && !value.is_empty()) {
        text.push_str(&format!("{name}={value}&"));
    }
    text.push_str(&format!("key={key}"));
    let hex = if hmac { hmac_hex(key.as_bytes(), text.as_bytes()) } else { md5_hex(text.as_bytes()) };
    hex.to_uppercase()
}

/// The fields of a paid order, as query and callback carry them.
pub(crate) fn order_fields(trade: &Trade, set: &mut impl FnMut(&str, &str)) {
    let amount = trade.amount().to_string();
    set("out_trade_no", &trade.number);
    set("total_fee", &amount);
    if let Some(sub) = &trade.sub_merchant {
        set("sub_mch_id", sub);
    }
    if let Some(attach) = &trade.attach {
        set("attach", attach);
    }
    if let (Some(paid), Some(id)) = (trade.paid, &trade.transaction_id) {
        set("transaction_id", id);
        set("openid", trade.payer.as_deref().unwrap_or_default());
        set("is_subscribe", "N");
        set("trade_type", trade_type(&trade.product));
        set("bank_type", "OTHERS");
        set("fee_type", "CNY");
        set("cash_fee", &amount);
        set("time_end", &ids::compact(paid));
    }
}

/// A refusal before (`return_code`) or after (`err_code`) the signature was found right.
pub(crate) enum Bad {
    Protocol(String),
    Business(&'static str, String),
}

pub(crate) fn business(code: &'static str, text: &str) -> Bad {
    Bad::Business(code, text.to_owned())
}

pub(crate) type Reply = Result<Fields, Bad>;

fn plain_fail(message: &str) -> Answer {
    let fields = [("return_code", "FAIL"), ("return_msg", message)].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    Answer::new(200, "text/plain", xml::write("xml", &fields), message)
}

pub(crate) fn handle(sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
    if op(&inbound.path) == Op::Unknown {
        return Answer::new(404, "text/plain", "", "404");
    }
    if inbound.method != "POST" {
        return plain_fail("REQUIRE_POST_METHOD");
    }
    if inbound.body.is_empty() {
        return plain_fail("POST_DATA_EMPTY");
    }
    let fields = match xml::parse(&inbound.body) {
        Ok(fields) => fields,
        Err(message) => return plain_fail(message),
    };
    let hmac = fields.get("sign_type").is_some_and(|kind| kind == "HMAC-SHA256");
    let merchant = match known(sandbox, &inbound.path, &fields, hmac) {
        Ok(merchant) => merchant,
        Err(message) => return plain_fail(&message),
    };
    let cx = Cx { sandbox, merchant: &merchant, fields: &fields, hmac, fault };
    let reply = match inbound.path.as_str() {
        "/pay/unifiedorder" => cx.create(false),
        "/pay/micropay" => cx.create(true),
        "/pay/orderquery" => cx.query(),
        "/pay/closeorder" => cx.close(),
        "/secapi/pay/refund" => cx.refund(),
        "/pay/refundquery" => cx.refund_query(),
        _ => cx.reverse(),
    };
    let (mut answer, verdict) = match reply {
        Ok(mut answer) => {
            answer.insert("result_code".to_owned(), "SUCCESS".to_owned());
            (answer, "SUCCESS".to_owned())
        }
        Err(Bad::Business(code, text)) => {
            let verdict = format!("{code}: {text}");
            let pairs = [("result_code", "FAIL".to_owned()), ("err_code", code.to_owned()), ("err_code_des", text)];
            (pairs.map(|(k, v)| (k.to_owned(), v)).into(), verdict)
        }
        Err(Bad::Protocol(message)) => return plain_fail(&message),
    };
    finish(&mut answer, &fields, &merchant, hmac, fault);
    Answer::new(200, "text/plain", xml::write("xml", &answer), &verdict)
}

/// Adds what every answer carries, and the signature.
fn finish(answer: &mut Fields, fields: &Fields, merchant: &Account, hmac: bool, fault: Option<Misbehaviour>) {
    for (name, value) in [
        ("return_code", "SUCCESS"),
        ("return_msg", "OK"),
        ("appid", &fields["appid"]),
        ("mch_id", &fields["mch_id"]),
        ("nonce_str", &random_text(32, ALNUM)),
    ] {
        answer.insert(name.to_owned(), value.to_owned());
    }
    match fault {
        Some(Misbehaviour::NoSignature) => {}
        Some(Misbehaviour::BadSignature) => {
            answer.insert("sign".to_owned(), md5_hex(b"bad").to_uppercase());
        }
        _ => {
            let sign = sign(answer, &merchant.keys.v2_key, hmac);
            answer.insert("sign".to_owned(), sign);
        }
    }
}

/// Whose request it is, if its fields and its signature are right.
fn known(sandbox: &Sandbox, path: &str, fields: &Fields, hmac: bool) -> Result<std::sync::Arc<Account>, String> {
    let allowed = match path {
        "/pay/unifiedorder" => UNIFIED,
        "/pay/micropay" => MICROPAY,
        "/pay/closeorder" => CLOSE,
        "/secapi/pay/refund" => REFUND,
        "/pay/refundquery" => REFUND_QUERY,
        _ => QUERY,
    };
    for name in COMMON.iter().chain(allowed).filter_map(|name| name.strip_prefix('*')) {
        if fields.get(name).is_none_or(String::is_empty) {
            return Err(format!("缺少参数{name}"));
        }
    }
    for name in fields.keys() {
        if !COMMON.iter().chain(allowed).any(|own| own.trim_start_matches('*') == name) {
            return Err(format!("参数{name}多余"));
        }
    }
    let kind = fields.get("sign_type").map_or("MD5", String::as_str);
    if !matches!(kind, "MD5" | "HMAC-SHA256") {
        return Err("签名类型错误".to_owned());
    }
    if fields["nonce_str"].len() > 32 {
        return Err("nonce_str长度不能超过32".to_owned());
    }
    let merchant = sandbox
        .state()
        .account::<Account>(Provider::Wxpay, &fields["mch_id"])
        .ok_or("mch_id参数长度有误或商户号不存在")?;
    if !merchant.owns_appid(&fields["appid"]) {
        return Err("appid和mch_id不匹配".to_owned());
    }
    if fields.get("sub_mch_id").is_some_and(|sub| *sub != merchant.keys.sub_mchid) {
        return Err("sub_mch_id与mch_id不匹配".to_owned());
    }
    if fields["sign"] != sign(fields, &merchant.keys.v2_key, hmac) {
        return Err("签名错误".to_owned());
    }
    Ok(merchant)
}

/// Refuses without doing anything; signed, if the request is somebody's.
pub(crate) fn refuse(sandbox: &Sandbox, inbound: &Inbound, what: Misbehaviour) -> Answer {
    let (code, text) = match what {
        Misbehaviour::Refuse => ("SIGNERROR", "签名错误"),
        Misbehaviour::TooMany => ("FREQUENCY_LIMITED", "频率限制"),
        _ => ("SYSTEMERROR", "系统超时"),
    };
    let fields = xml::parse(&inbound.body).unwrap_or_default();
    let hmac = fields.get("sign_type").is_some_and(|kind| kind == "HMAC-SHA256");
    let Ok(merchant) = known(sandbox, &inbound.path, &fields, hmac) else {
        return plain_fail(code);
    };
    let pairs = [("result_code", "FAIL"), ("err_code", code), ("err_code_des", text)];
    let mut answer = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    finish(&mut answer, &fields, &merchant, hmac, None);
    Answer::new(200, "text/plain", xml::write("xml", &answer), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample of the official page on signing (chapter 4.3).
    #[test]
    fn the_official_sample_is_signed_alike() {
        let key = "192006250b4c09247ec02edce69f6a2d";
        let fields = [
            ("appid", "wxd930ea5d5a258f4f"),
            ("mch_id", "10000100"),
            ("device_info", "1000"),
            ("body", "test"),
            ("nonce_str", "ibuaiVcKdpRxkhJA"),
            ("empty", ""),
            ("sign", "does not count"),
        ];
        let fields = fields.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(sign(&fields, key, false), "9A0A8659F005D6984697E2CA0A9CF3B7");
        let hmac = "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6";
        assert_eq!(sign(&fields, key, true), hmac);
    }
}
