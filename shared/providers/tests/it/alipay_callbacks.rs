//! Alipay's callbacks: which are believed, and what they say.

use super::alipay_kit::{
    ALIPAY, APP_ID, NUMBER, OURS, STRANGER, TRADE_NO, config, node, paid_fields, read, signed_form, with_merchant,
};
use domain::{Fen, UnixMs};
use proptest::prelude::*;
use providers::Config;
use providers::{CallbackError, CallbackRequest, Notice, RefundProgress, Verdict, reply};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

fn read_by(section: Value, body: &str) -> Result<Notice, CallbackError> {
    with_merchant(section, |merchant| read(merchant, body.as_bytes()))
}

fn read_ours(body: &str) -> Result<Notice, CallbackError> {
    read_by(json!({ "h5": node(json!({})) }), body)
}

fn fields(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut fields = paid_fields();
    fields.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    fields
}

fn genuine(changes: &[(&str, &str)]) -> String {
    signed_form(&fields(changes), &ALIPAY.private)
}

#[test]
fn a_payment_is_stated_whole() {
    let Ok(Notice::Payment(payment)) = read_ours(&genuine(&[])) else { panic!("not a payment") };
    assert_eq!((payment.number.as_str(), payment.transaction_id.as_str()), (NUMBER, TRADE_NO));
    assert_eq!((payment.total, payment.currency.as_str()), (Some(Fen(1230)), "CNY"));
    assert_eq!(payment.app_id.as_deref(), Some(APP_ID));
    assert_eq!(payment.mch_id, None, "no account was configured to compare with");
    assert_eq!(payment.payer.as_deref(), Some("2088000000000001"));
    assert_eq!(payment.paid_at, Some(UnixMs::new(1_767_323_046_000)));
    assert_eq!(payment.info["subject"], "1+1 杯 100%2B");
    assert_eq!(payment.info.get("seller_email"), None);
    assert_eq!(payment.info.get("sign"), None);
}

#[test]
fn the_receiving_account_is_told_where_one_is_configured() {
    let section = || json!({ "h5": node(json!({ "sellerId": "2088000000000002" })) });
    let Ok(Notice::Payment(payment)) = read_by(section(), &genuine(&[])) else { panic!("not a payment") };
    assert_eq!(payment.mch_id.as_deref(), Some("2088000000000002"));
    let Ok(Notice::Payment(payment)) = read_by(section(), &genuine(&[("seller_id", "2088999999999999")])) else {
        panic!("not a payment")
    };
    assert_eq!(payment.mch_id.as_deref(), Some("2088999999999999"), "the caller records the mismatch");
    let silent = genuine(&[("seller_id", "")]);
    assert_eq!(read_by(section(), &silent), Err(CallbackError::Malformed("seller_id")));
}

#[test]
fn an_open_id_is_the_payer_where_there_is_one() {
    let Ok(Notice::Payment(payment)) = read_ours(&genuine(&[("buyer_open_id", "074a1CcTG1LelxKe4xQC0zgNdId0nx")]))
    else {
        panic!("not a payment")
    };
    assert_eq!(payment.payer.as_deref(), Some("074a1CcTG1LelxKe4xQC0zgNdId0nx"));
}

#[test]
fn a_finished_trade_is_a_payment_too() {
    assert!(matches!(read_ours(&genuine(&[("trade_status", "TRADE_FINISHED")])), Ok(Notice::Payment(_))));
}

#[test]
fn only_paid_states_are_payments() {
    for status in ["WAIT_BUYER_PAY", "TRADE_CLOSED", "TRADE_PENDING", "trade_success", "SUCCESS"] {
        let body = genuine(&[("trade_status", status)]);
        assert_eq!(read_ours(&body), Ok(Notice::Other(status.to_owned())));
    }
}

#[test]
fn a_refund_is_told_by_its_own_number_and_not_by_the_cumulative_amount() {
    for status in ["TRADE_SUCCESS", "TRADE_CLOSED", "TRADE_FINISHED"] {
        let changes = [
            ("trade_status", status),
            ("refund_fee", "5.00"),
            ("gmt_refund", "2026-01-03 10:00:00.123"),
            ("out_biz_no", "R_1"),
        ];
        let Ok(Notice::Refund(refund)) = read_ours(&genuine(&changes)) else { panic!("not a refund") };
        assert_eq!((refund.number.as_deref().expect("a number"), refund.out_refund_no.as_str()), (NUMBER, "R_1"));
        assert_eq!(refund.transaction_id.as_deref(), Some(TRADE_NO));
        assert_eq!(refund.standing.progress, RefundProgress::Success);
        assert_eq!(refund.standing.refund, None);
        assert_eq!(refund.standing.refunded_at, Some(UnixMs::new(1_767_405_600_000)));
        assert_eq!(refund.payment.expect("the payment too").total, Some(Fen(1230)));
    }
    let Ok(Notice::Refund(refund)) = read_ours(&genuine(&[("refund_fee", "12.30")])) else { panic!("not a refund") };
    assert_eq!(refund.out_refund_no, NUMBER, "a refund without a number goes by the trade's");
    assert!(matches!(read_ours(&genuine(&[("refund_fee", "0.00")])), Ok(Notice::Payment(_))));
}

#[test]
fn a_message_of_another_kind_asks_for_nothing() {
    let mut fields = fields(&[("notify_type", "dut_user_sign")]);
    fields.remove("trade_status");
    let body = signed_form(&fields, &ALIPAY.private);
    assert_eq!(read_ours(&body), Ok(Notice::Other("dut_user_sign".to_owned())));
}

#[test]
fn nobody_else_can_sign() {
    for key in [&STRANGER.private, &OURS.private] {
        assert_eq!(read_ours(&signed_form(&paid_fields(), key)), Err(CallbackError::Forged("sign")));
    }
}

#[test]
fn every_signed_field_counts() {
    let body = genuine(&[]);
    for (name, value) in paid_fields() {
        let pair = form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
        assert!(body.contains(&pair));
        let other = |to: &str| body.split('&').map(|p| if p == pair { to } else { p }).collect::<Vec<_>>().join("&");
        for to in [format!("{pair}0"), format!("{name}="), format!("{name}[]={value}"), format!("{pair}&{pair}")] {
            assert!(read_ours(&other(&to)).is_err(), "{to}");
        }
        let deleted = body.split('&').filter(|p| *p != pair).collect::<Vec<_>>().join("&");
        assert!(read_ours(&deleted).is_err(), "{name} deleted");
    }
    assert!(read_ours(&format!("{body}&unknown=1")).is_err());
    assert!(read_ours(&genuine(&[("unknown", "1")])).is_ok(), "a new field of Alipay's stays in the text");
}

#[test]
fn a_sign_that_is_missing_empty_doubled_or_a_list_is_no_sign() {
    let body = genuine(&[]);
    let (rest, sign) = body.split_once("&sign=").expect("the sign is last");
    assert_eq!(read_ours(rest), Err(CallbackError::Forged("no sign")));
    assert_eq!(read_ours(&format!("{rest}&sign=")), Err(CallbackError::Forged("no sign")));
    assert!(read_ours(&format!("{rest}&sign={sign}&sign={sign}")).is_err());
    assert!(read_ours(&format!("{rest}&sign=&sign={sign}")).is_err());
    assert!(read_ours(&format!("{rest}&sign%5B%5D={sign}")).is_err());
    assert!(read_ours(&format!("{rest}&sign[0]={sign}")).is_err());
    assert!(read_ours(&format!("{rest}&SIGN={sign}")).is_err());
    assert!(read_ours(&format!("{rest}&sign={sign}")).is_ok());
}

#[test]
fn the_algorithm_is_not_the_messages_to_choose() {
    let body = genuine(&[]);
    for other in ["RSA", "rsa2", "MD5", "none", ""] {
        let changed = body.replace("sign_type=RSA2", &format!("sign_type={other}"));
        assert_eq!(read_ours(&changed), Err(CallbackError::Forged("sign_type is not RSA2")));
    }
    let deleted = body.replace("&sign_type=RSA2", "");
    assert_eq!(read_ours(&deleted), Err(CallbackError::Forged("sign_type is not RSA2")));
}

#[test]
fn a_charset_that_nobody_asked_for_is_refused() {
    assert_eq!(read_ours(&genuine(&[("charset", "GBK")])), Err(CallbackError::Malformed("charset")));
    assert!(read_ours(&genuine(&[("charset", "UTF-8")])).is_ok());
}

#[test]
fn an_application_of_nobody_here_is_forged() {
    let body = genuine(&[("app_id", "2021999999999999")]);
    assert_eq!(read_ours(&body), Err(CallbackError::Forged("app_id is not this merchant's")));
}

#[test]
fn one_merchants_callback_is_not_anothers() {
    let theirs = node(json!({ "alipayPublicKey": STRANGER.public_text }));
    let config = config(json!({
        "alipay": { "h5": node(json!({})) },
        "merchants": {
            "same-app": { "alipay": { "h5": theirs } },
            "other-app": { "alipay": { "h5": node(json!({ "appId": "2021000000000009" })) } },
            "none": {},
        },
    }));
    let body = genuine(&[]);
    let read_as = |id: &str| read(config.merchant(id).expect("a merchant"), body.as_bytes());
    assert!(read_as("default").is_ok());
    assert_eq!(read_as("same-app"), Err(CallbackError::Forged("sign")));
    for id in ["other-app", "none"] {
        assert_eq!(read_as(id), Err(CallbackError::Forged("app_id is not this merchant's")));
    }
}

#[test]
fn the_key_of_another_application_of_the_merchant_proves_nothing() {
    let section = json!({
        "h5": node(json!({})),
        "app-plus": node(json!({ "appId": "2021000000000009", "alipayPublicKey": STRANGER.public_text })),
    });
    let body = signed_form(&paid_fields(), &STRANGER.private);
    assert_eq!(read_by(section, &body), Err(CallbackError::Forged("sign")));
}

#[test]
fn nodes_that_share_an_application_are_all_tried() {
    let section = json!({
        "app-plus": node(json!({ "alipayPublicKey": STRANGER.public_text })),
        "h5": node(json!({})),
    });
    assert!(read_by(section, &genuine(&[])).is_ok());
}

#[test]
fn fields_that_are_needed_are_missed_by_name() {
    for name in ["app_id", "out_trade_no", "trade_no", "trade_status", "total_amount"] {
        let mut fields = paid_fields();
        fields.remove(name);
        let answer = read_ours(&signed_form(&fields, &ALIPAY.private));
        assert!(matches!(answer, Err(CallbackError::Malformed(what)) if what.contains(name)), "{name}: {answer:?}");
    }
    for amount in ["12.345", "-1", "1e3", "x"] {
        assert!(matches!(read_ours(&genuine(&[("total_amount", amount)])), Err(CallbackError::Malformed(_))));
    }
}

#[test]
fn a_form_that_two_parsers_read_differently_is_refused() {
    let body = genuine(&[]);
    for more in ["&", "&x", "&=1", "&x=%", "&x=%4", "&x=%zz", "&x=%ff%fe", "&a=1&a=1", "&a%00=1"] {
        let answer = read_ours(&format!("{body}{more}"));
        assert!(matches!(answer, Err(CallbackError::Malformed(_))), "{more}: {answer:?}");
    }
    assert!(matches!(read_ours(""), Err(CallbackError::Malformed(_))));
}

/// The signed text does not tell `&` in a value from a separator: a payer who may choose a text could make
/// Alipay sign for a larger amount. The signature below is genuine and covers exactly the forged fields.
#[test]
fn a_value_cannot_become_fields() {
    let mut innocent = fields(&[("total_amount", "0.01"), ("subject", "x&total_amount=12.30&total_b=")]);
    let body = signed_form(&innocent, &ALIPAY.private);
    assert!(read_ours(&body).is_err(), "the genuine message is left to the query");
    let sign = body.split_once("&sign=").expect("the sign is last").1;

    innocent.insert("subject".to_owned(), "x".to_owned());
    innocent.insert("total_amount".to_owned(), "12.30".to_owned());
    innocent.insert("total_b".to_owned(), "&total_amount=0.01".to_owned());
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(&innocent).append_pair("sign_type", "RSA2");
    let forged = format!("{}&sign={sign}", form.finish());
    let params: Vec<(String, String)> = form_urlencoded::parse(forged.as_bytes()).into_owned().collect();
    assert!(providers::alipay::signing::verify_notify(&params, &ALIPAY.public), "the signature fits");
    assert_eq!(read_ours(&forged), Err(CallbackError::Malformed("a value that reads as further fields")));
}

/// A voucher or a reason may hold what looks like fields; only the name of a field of the message hides one.
#[test]
fn a_vouchers_own_separators_are_taken() {
    for (name, value) in [
        ("voucher_detail_list", r#"[{"name":"满100&立减","amount":"1.00"}]"#),
        ("voucher_detail_list", r#"[{"name":"a=1&b=2&limit=1","amount":"1.00"}]"#),
        ("subject", "A&B=C"),
    ] {
        let read = read_ours(&genuine(&[(name, value)]));
        assert!(matches!(read, Ok(Notice::Payment(_))), "{value}: {read:?}");
    }
    for hidden in ["x&total_amount=12.30", "x&refund_fee=", "x&seller_id=2088"] {
        let read = read_ours(&genuine(&[("voucher_detail_list", hidden)]));
        assert_eq!(read, Err(CallbackError::Malformed("a value that reads as further fields")), "{hidden}");
    }
}

#[test]
fn empty_fields_mean_nothing_but_may_be_signed() {
    let mut fields = paid_fields();
    fields.insert("passback_params".to_owned(), String::new());
    assert!(read_ours(&signed_form(&fields, &ALIPAY.private)).is_ok());
    let mut names: Vec<(String, String)> = fields.clone().into_iter().collect();
    names.sort();
    let text = names.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
    let sign = ALIPAY.private.sign(text.as_bytes()).unwrap();
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(&fields).append_pair("sign_type", "RSA2").append_pair("sign", &sign);
    assert!(read_ours(&form.finish()).is_ok());
    let added = format!("{}&refund_fee=&gmt_refund=", genuine(&[]));
    assert!(matches!(read_ours(&added), Ok(Notice::Payment(_))), "an added empty field makes no refund");
}

#[test]
fn alipay_is_answered_in_its_own_words() {
    let headers = http::HeaderMap::new();
    let request =
        CallbackRequest { method: &http::Method::POST, headers: &headers, query: "", body: b"", now: UnixMs::EPOCH };
    for (verdict, status, body) in
        [(Verdict::Accepted, 200, "success"), (Verdict::Rejected, 400, "fail"), (Verdict::Retry, 500, "fail")]
    {
        let reply = reply(domain::Provider::Alipay, &request, verdict);
        assert_eq!((reply.status, reply.content_type, reply.body.as_str()), (status, "text/plain", body));
    }
}

static CONFIG: LazyLock<Config> = LazyLock::new(|| config(json!({ "alipay": { "h5": node(json!({})) } })));
static GENUINE: LazyLock<String> = LazyLock::new(|| genuine(&[]));

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_are_never_believed(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(read(CONFIG.merchant("default").unwrap(), &bytes).is_err());
    }

    #[test]
    fn arbitrary_fields_are_never_believed(
        values in proptest::collection::btree_map("[a-z_]{1,12}", "\\PC{0,20}", 0..8), sign in "[A-Za-z0-9+/]{0,344}",
    ) {
        let mut fields = values;
        fields.insert("app_id".to_owned(), APP_ID.to_owned());
        fields.insert("sign_type".to_owned(), "RSA2".to_owned());
        fields.insert("sign".to_owned(), sign);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        prop_assert!(read(CONFIG.merchant("default").unwrap(), body.as_bytes()).is_err());
    }

    #[test]
    fn a_callback_with_one_byte_changed_says_the_same_or_nothing(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let merchant = CONFIG.merchant("default").unwrap();
        let mut body = GENUINE.clone().into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(notice) = read(merchant, &body) {
            prop_assert_eq!(notice, read(merchant, GENUINE.as_bytes()).unwrap());
        }
    }
}
