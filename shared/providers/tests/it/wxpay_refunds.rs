//! Refunds over APIv3: accepted is not done, and a rate limit is not a refusal.

use super::wxpay_kit::*;
use domain::{Fen, UnixMs};
use providers::{AbnormalRefund, CallError, Meaning, RefundCard, RefundProgress, RefundStanding};
use serde_json::{Value, json};

fn refund_object(status: &str) -> Value {
    json!({
        "refund_id": "5030", "out_refund_no": "R202601010001", "transaction_id": "4200000001",
        "out_trade_no": "T202601010001", "status": status, "create_time": "2026-01-01T08:00:00+08:00",
        "success_time": "2026-01-01T08:00:00+08:00", "amount": { "total": 100, "refund": 40, "currency": "CNY" },
    })
}

async fn refund(
    answer: impl Fn() -> Canned + Send + Sync + 'static,
    more: Value,
) -> (Result<RefundStanding, CallError>, Seen) {
    let server = Server::start(move |_| answer()).await;
    let config = config_of("h5", v3_node(&server.base));
    let (order, attempt) = (order(json!({})), attempt("h5", more));
    let request = refund_request(&order, &attempt);
    (gateway(&config, "h5").refund(&server.clients, &request).await, server.last())
}

async fn query(
    answer: impl Fn() -> Canned + Send + Sync + 'static,
    more: Value,
) -> (Result<RefundStanding, CallError>, Seen) {
    let server = Server::start(move |_| answer()).await;
    let config = config_of("h5", v3_node(&server.base));
    let attempt = attempt("h5", more);
    let standing = gateway(&config, "h5")
        .query_refund(&server.clients, &order(json!({})), &attempt, &stored_refund(), UnixMs::new(NOW))
        .await;
    (standing, server.last())
}

#[tokio::test]
async fn a_refund_names_the_payment_and_where_to_call_back() {
    let (outcome, seen) = refund(|| Canned::json(&refund_object("PROCESSING")), json!({})).await;
    assert_eq!(seen.target, "/v3/refund/domestic/refunds");
    assert_eq!(
        seen.text(),
        json!({
            "transaction_id": "4200000001", "out_refund_no": "R202601010001", "reason": "商品缺货",
            "notify_url": "https://pay.test/refund-notify/wxpay/default",
            "amount": { "refund": 40, "total": 100, "currency": "CNY" },
        })
        .to_string()
    );
    let Ok(standing) = outcome else { panic!("{outcome:?}") };
    assert_eq!(standing.progress, RefundProgress::Processing(None));
    assert_eq!((standing.refund_id.as_deref(), standing.refund), (Some("5030"), Some(Fen(40))));
    let (_, seen) = refund(|| Canned::json(&refund_object("SUCCESS")), json!({ "sub_mchid": "19000109" })).await;
    assert_eq!(seen.json()["sub_mchid"], "19000109");
}

#[tokio::test]
async fn only_explicit_ends_end_a_refund() {
    for (status, progress) in [
        ("SUCCESS", RefundProgress::Success),
        ("CLOSED", RefundProgress::Closed("CLOSED".to_owned())),
        ("ABNORMAL", RefundProgress::Processing(Some("ABNORMAL".to_owned()))),
        ("PROCESSING", RefundProgress::Processing(None)),
        ("FAILED?", RefundProgress::Processing(None)),
    ] {
        let (outcome, _) = query(move || Canned::json(&refund_object(status)), json!({})).await;
        assert!(matches!(outcome, Ok(standing) if standing.progress == progress), "{status}");
    }
}

#[tokio::test]
async fn a_refusal_releases_and_everything_else_stays_open() {
    for (status, code, meaning) in [
        (403, "NOT_ENOUGH", Some(Meaning::No)),
        (400, "INVALID_REQUEST", Some(Meaning::No)),
        (403, "USER_ACCOUNT_ABNORMAL", Some(Meaning::No)),
        (404, "RESOURCE_NOT_EXISTS", Some(Meaning::Missing)),
        (429, "FREQUENCY_LIMITED", None),
        (429, "RATELIMIT_EXCEEDED", None),
        (429, "NOT_ENOUGH", None),
        (500, "SYSTEM_ERROR", None),
        (400, "SYSTEM_ERROR", None),
        (503, "", None),
        (202, "", None),
    ] {
        let (outcome, _) = refund(move || Canned::error(status, code), json!({})).await;
        match (outcome, meaning) {
            (Err(CallError::Refused(refusal)), Some(meaning)) => assert_eq!(refusal.meaning, meaning, "{code}"),
            (Err(CallError::Unknown(_)), None) => {}
            (other, _) => panic!("{status} {code}: {other:?}"),
        }
    }
    let too_soon = json!({ "code": "INVALID_REQUEST", "message": "请于1分钟后再次发起退款" }).to_string();
    let (outcome, _) = refund(move || Canned::plain(400, too_soon.as_str()), json!({})).await;
    assert!(matches!(outcome, Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::TooSoon));
    let (outcome, _) = refund(|| Canned::plain(200, refund_object("SUCCESS").to_string()), json!({})).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "unsigned");
}

#[tokio::test]
async fn an_answer_about_another_refund_is_unknown() {
    for key in ["out_refund_no", "transaction_id"] {
        let mut object = refund_object("SUCCESS");
        object[key] = json!("another");
        let (outcome, _) = refund(move || Canned::json(&object), json!({})).await;
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{key}");
    }
}

#[tokio::test]
async fn a_refund_that_is_not_known_there_may_be_sent_again() {
    let (outcome, seen) = query(|| Canned::error(404, "RESOURCE_NOT_EXISTS"), json!({ "sub_mchid": "19000109" })).await;
    assert!(matches!(outcome, Ok(standing) if standing.progress == RefundProgress::Missing));
    assert_eq!(seen.target, "/v3/refund/domestic/refunds/R202601010001?sub_mchid=19000109");
    let (outcome, _) = query(|| Canned::plain(404, ""), json!({})).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "an empty 404 says nothing");
}

const CARD: &str = "6222021234567890123";

async fn mend(
    answer: impl Fn() -> Canned + Send + Sync + 'static,
    to: RefundCard<'_>,
) -> (Result<RefundStanding, CallError>, Seen) {
    let server = Server::start(move |_| answer()).await;
    let config = config_of("h5", v3_node(&server.base));
    let attempt = attempt("h5", json!({ "sub_mchid": "19000109" }));
    let request = AbnormalRefund {
        attempt: &attempt,
        out_refund_no: "R202601010001",
        refund_id: "5030",
        to,
        now: UnixMs::new(NOW),
    };
    (gateway(&config, "h5").apply_abnormal_refund(&server.clients, &request).await, server.last())
}

const fn card() -> RefundCard<'static> {
    RefundCard::Payer { bank_type: "ICBC_DEBIT", bank_account: CARD, real_name: "张三" }
}

#[tokio::test]
async fn an_abnormal_refund_names_the_card_encrypted_to_the_key_that_the_header_names() {
    let (outcome, seen) = mend(|| Canned::json(&refund_object("PROCESSING")), card()).await;
    assert!(matches!(outcome, Ok(standing) if standing.progress == RefundProgress::Processing(None)));
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/v3/refund/domestic/refunds/5030/apply-abnormal-refund")
    );
    assert_eq!(seen.headers["wechatpay-serial"], PUB_KEY_ID);
    let body = seen.json();
    assert_eq!(
        (&body["sub_mchid"], &body["out_refund_no"], &body["type"], &body["bank_type"]),
        (&json!("19000109"), &json!("R202601010001"), &json!("USER_BANK_CARD"), &json!("ICBC_DEBIT"))
    );
    let open = |name: &str| PLATFORM.private.decrypt_oaep(body[name].as_str().unwrap()).unwrap();
    assert_eq!((open("bank_account"), open("real_name")), (CARD.into(), "张三".into()));
    let (_, seen) = mend(|| Canned::json(&refund_object("PROCESSING")), RefundCard::Merchant).await;
    assert_eq!(
        seen.json(),
        json!({ "sub_mchid": "19000109", "out_refund_no": "R202601010001", "type": "MERCHANT_BANK_CARD" })
    );
}

#[tokio::test]
async fn an_odd_answer_to_an_abnormal_refund_is_unknown_and_a_code_is_a_refusal() {
    for key in ["out_refund_no", "refund_id"] {
        let mut object = refund_object("PROCESSING");
        object[key] = json!("another");
        let (outcome, _) = mend(move || Canned::json(&object), card()).await;
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{key}");
    }
    for canned in [
        || Canned::plain(200, refund_object("SUCCESS").to_string()),
        || Canned::json(&json!({})),
        || Canned::json(&json!([])),
        || Canned::signed(200, "<html>"),
        || Canned::signed(204, ""),
        || Canned::error(500, "SYSTEM_ERROR"),
        || Canned::error(429, "FREQUENCY_LIMITED"),
        || Canned::plain(404, ""),
    ] {
        let (outcome, _) = mend(canned, card()).await;
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
    }
    let (outcome, _) = mend(|| Canned::error(400, "INVALID_REQUEST"), card()).await;
    assert!(matches!(outcome, Err(CallError::Refused(_))));
    let (outcome, _) = mend(|| Canned::json(&refund_object("ABNORMAL")), card()).await;
    assert!(matches!(outcome, Ok(standing) if standing.progress.is_abnormal()));
}

#[tokio::test]
async fn what_goes_back_in_money_is_what_the_payer_gets() {
    let mut object = refund_object("SUCCESS");
    object["amount"]["payer_refund"] = json!(30);
    let (outcome, _) = query(move || Canned::json(&object), json!({})).await;
    assert!(matches!(outcome, Ok(standing) if (standing.refund, standing.cash) == (Some(Fen(40)), Some(Fen(30)))));
}
