//! What an answer says of an order, by all of its words. Sites differ in which of them they mean, so one word is
//! believed only while no other denies it; what is not understood says nothing.

use crate::text_of;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What an answer says of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Paid, refunded or not.
    Paid,
    /// Paid, and all of it went back.
    Refunded,
    /// Not paid; `paying` while the payer is at it.
    Unpaid {
        /// The payer is entering a password.
        paying: bool,
    },
    /// Nothing that could be relied on: a refusal, or words that deny each other.
    Nothing(String),
}

/// The fields in which the state of an order is said too, in words.
const STATES: [&str; 5] = ["trade_status", "trade_state", "order_status", "pay_status", "result_code"];
const PAID: [&str; 5] = ["SUCCESS", "TRADE_SUCCESS", "TRADE_FINISHED", "PAID", "1"];
const REFUNDED: [&str; 4] = ["REFUND", "TRADE_REFUND", "REFUNDED", "2"];
const FROZEN: [&str; 3] = ["FROZEN", "TRADE_FROZEN", "3"];
const CLOSED: &str = "TRADE_CLOSED";
const UNPAID: [&str; 8] = ["NOTPAY", "NOT_PAY", "UNPAID", "WAIT", "WAITING", "WAIT_BUYER_PAY", "PAYERROR", CLOSED];
const PAYING: &str = "USERPAYING";

/// The words of an answer beside the one field that its protocol names: texts, and numbers by their digits.
fn states(answer: &Map<String, Value>) -> Vec<String> {
    let inner = answer.get("data").and_then(Value::as_object);
    let levels = std::iter::once(answer).chain(inner);
    levels
        .flat_map(|level| STATES.iter().filter_map(|name| level.get(*name)))
        .filter_map(super::text_or_number)
        .map(|word| word.trim().to_ascii_uppercase())
        .filter(|word| !word.is_empty())
        .collect()
}

/// VksPay's `orderquery`: `return_code` `SUCCESS` is paid. Anything else is *not paid* only when it says so; a refused
/// call has the same `return_code`. `known` are texts of which the configuration says that they mean unpaid.
pub(super) fn vkspay(answer: &Map<String, Value>, known: &[String]) -> Said {
    let code = text_of(answer, "return_code").unwrap_or_default();
    let message = text_of(answer, "return_msg").or_else(|| text_of(answer, "msg")).unwrap_or_default();
    let words = states(answer);
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if code == "SUCCESS" {
        let paid = words.iter().all(|word| PAID.contains(&word.as_str()) || REFUNDED.contains(&word.as_str()));
        return if paid { Said::Paid } else { denied(&words) };
    }
    if any(&PAID) || any(&REFUNDED) || any(&FROZEN) {
        return denied(&words);
    }
    if any(&[PAYING]) {
        return Said::Unpaid { paying: true };
    }
    match any(&UNPAID) || known.iter().any(|text| text == message.trim()) {
        true => Said::Unpaid { paying: false },
        false => unpaid(message).unwrap_or_else(|| Said::Nothing(format!("refused: {code} {message}"))),
    }
}

/// The texts that say that an order is not paid. A text that also speaks of a failed call says nothing.
fn unpaid(message: &str) -> Option<Said> {
    const UNPAID: [&str; 12] = [
        "未支付",
        "未付款",
        "待支付",
        "待付款",
        "等待付款",
        "等待支付",
        "等待用户",
        "没有支付",
        "支付未完成",
        "not paid",
        "unpaid",
        "notpay",
    ];
    const PAYING: [&str; 4] = ["支付中", "付款中", "userpaying", "paying"];
    const TROUBLE: [&str; 14] = [
        "签名", "验签", "频繁", "系统", "异常", "超时", "繁忙", "权限", "错误", "失败", "sign", "busy", "error",
        "timeout",
    ];
    let message = message.to_lowercase();
    let says = |list: &[&str]| list.iter().any(|words| message.contains(words));
    match () {
        () if says(&TROUBLE) => None,
        () if says(&PAYING) => Some(Said::Unpaid { paying: true }),
        () if says(&UNPAID) => Some(Said::Unpaid { paying: false }),
        () => None,
    }
}

/// An epay site's order: `status` 0 unpaid, 1 paid, 2 refunded, 3 frozen.
pub(super) fn epay(order: &Map<String, Value>) -> Said {
    let words = states(order);
    let all = |lists: &[&[&str]]| words.iter().all(|word| lists.iter().any(|list| list.contains(&word.as_str())));
    let none = |lists: &[&[&str]]| !words.iter().any(|word| lists.iter().any(|list| list.contains(&word.as_str())));
    let status =
        order.get("status").and_then(|status| status.as_i64().or_else(|| status.as_str()?.trim().parse().ok()));
    match status {
        Some(1) if all(&[&PAID]) => Said::Paid,
        Some(2) if all(&[&PAID, &REFUNDED, &[CLOSED]]) => Said::Refunded,
        Some(3) if all(&[&PAID, &FROZEN]) => Said::Paid,
        Some(0) if none(&[&PAID, &REFUNDED, &FROZEN]) => Said::Unpaid { paying: words.iter().any(|w| w == PAYING) },
        Some(0..=3) => denied(&words),
        Some(other) => Said::Nothing(format!("status {other}")),
        None => Said::Nothing("no status in the answer".to_owned()),
    }
}

/// Whether a notice that says "paid" also says something else.
pub(super) fn notice_denies(fields: &BTreeMap<String, String>) -> bool {
    let said = |name: &&str| fields.get(*name).map(|word| word.trim().to_ascii_uppercase());
    STATES.iter().filter_map(said).any(|word| !word.is_empty() && !PAID.contains(&word.as_str()))
}

fn denied(words: &[String]) -> Said {
    let words: String = words.join(" ").chars().take(100).collect();
    Said::Nothing(format!("the answer contradicts itself: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn vkspay_is_paid_by_its_success_unless_another_word_denies_it() {
        for (answer, said) in [
            (json!({ "return_code": "SUCCESS" }), Some(Said::Paid)),
            (json!({ "return_code": "SUCCESS", "data": { "trade_state": "REFUND" } }), Some(Said::Paid)),
            (json!({ "return_code": "SUCCESS", "data": { "trade_state": "NOTPAY" } }), None),
            (json!({ "return_code": "SUCCESS", "result_code": "FAIL" }), None),
            (json!({ "return_code": "FAIL", "return_msg": "not paid" }), Some(Said::Unpaid { paying: false })),
            (json!({ "return_code": "FAIL", "return_msg": "订单未支付" }), Some(Said::Unpaid { paying: false })),
            (json!({ "return_code": "FAIL", "return_msg": "用户支付中" }), Some(Said::Unpaid { paying: true })),
            (json!({ "return_code": "FAIL", "trade_state": "NOTPAY" }), Some(Said::Unpaid { paying: false })),
            (json!({ "return_code": "FAIL", "return_msg": "今天不行" }), Some(Said::Unpaid { paying: false })),
            (json!({ "return_code": "FAIL", "trade_state": "SUCCESS", "return_msg": "未支付" }), None),
            (json!({ "return_code": "FAIL", "return_msg": "签名错误" }), None),
            (json!({ "return_code": "FAIL", "return_msg": "签名错误，未支付" }), None),
            (json!({ "return_code": "FAIL", "return_msg": "请求过于频繁" }), None),
            (json!({ "return_code": "FAIL", "return_msg": "订单不存在" }), None),
            (json!({ "return_code": "FAIL" }), None),
            (json!({ "return_code": "" }), None),
        ] {
            let seen = vkspay(&map(answer.clone()), &["今天不行".to_owned()]);
            match said {
                Some(said) => assert_eq!(seen, said, "{answer}"),
                None => assert!(matches!(seen, Said::Nothing(_)), "{answer}: {seen:?}"),
            }
        }
    }

    #[test]
    fn epay_is_paid_by_its_status_unless_another_word_denies_it() {
        for (answer, said) in [
            (json!({ "status": 1 }), Some(Said::Paid)),
            (json!({ "status": "1", "trade_status": "TRADE_SUCCESS" }), Some(Said::Paid)),
            (json!({ "status": 1, "trade_status": "WAITING" }), None),
            (json!({ "status": 0, "trade_status": "TRADE_SUCCESS" }), None),
            (json!({ "status": 0 }), Some(Said::Unpaid { paying: false })),
            (json!({ "status": 0, "trade_status": "WAITING" }), Some(Said::Unpaid { paying: false })),
            (json!({ "status": 0, "trade_state": "USERPAYING" }), Some(Said::Unpaid { paying: true })),
            (json!({ "status": 2 }), Some(Said::Refunded)),
            (json!({ "status": 2, "trade_status": "WAITING" }), None),
            (json!({ "status": 3 }), Some(Said::Paid)),
            (json!({ "status": 7 }), None),
            (json!({ "trade_status": "TRADE_SUCCESS" }), None),
            (json!({}), None),
        ] {
            let seen = epay(&map(answer.clone()));
            match said {
                Some(said) => assert_eq!(seen, said, "{answer}"),
                None => assert!(matches!(seen, Said::Nothing(_)), "{answer}: {seen:?}"),
            }
        }
    }
}
