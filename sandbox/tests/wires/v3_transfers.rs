//! Merchant transfers as a merchant sees them.

use crate::client::{bench_with, keys};
use crate::v3::call;
use sandbox::{AuthorizationOutcome, AuthorizationState, Options, TransferOutcome, TransferState};
use serde_json::{Value, json};

const BILLS: &str = "/v3/fund-app/mch-transfer/transfer-bills";

fn bill(number: &str, amount: u64) -> Value {
    json!({
        "appid": keys().wechat.mp_appid, "out_bill_no": number, "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        "transfer_scene_id": "1000", "transfer_amount": amount, "transfer_remark": "佣金",
        "notify_url": "https://shop.example/transfer-notify/wxpay/default",
        "transfer_scene_report_infos": [{"info_type": "活动名称", "info_content": "新会员有礼"}],
    })
}

#[tokio::test]
async fn a_number_is_one_bill_and_its_payee_confirms_it() {
    let bench = bench_with(Options { retry_divisor: 1000, ..Options::default() }).await;
    let made = call(&bench, "POST", BILLS, bill("BILL1", 100)).await.json();
    assert_eq!(made["state"], "WAIT_USER_CONFIRM", "{made}");
    assert!(made["package_info"].is_string());
    assert_eq!(call(&bench, "POST", BILLS, bill("BILL1", 100)).await.json(), made, "the same request, the same bill");
    assert_eq!(call(&bench, "POST", BILLS, bill("BILL1", 101)).await.code(), "ALREADY_EXISTS");
    let by_number = call(&bench, "GET", &format!("{BILLS}/out-bill-no/BILL1"), Value::Null).await.json();
    let id = made["transfer_bill_no"].as_str().unwrap();
    assert_eq!(call(&bench, "GET", &format!("{BILLS}/transfer-bill-no/{id}"), Value::Null).await.json(), by_number);
    assert_eq!((&by_number["transfer_amount"], &by_number["package_info"]), (&json!(100), &Value::Null));
    bench.sandbox.confirm_transfer("BILL1").unwrap();
    assert_eq!(bench.sandbox.transfer("BILL1").unwrap().state, TransferState::Success);
    assert_eq!(
        call(&bench, "POST", &format!("{BILLS}/out-bill-no/BILL1/cancel"), Value::Null).await.code(),
        "INVALID_REQUEST"
    );
    assert!(bench.sandbox.settle_transfer("BILL1", &TransferOutcome::Cancelled).is_err(), "an end is an end");
    let missing = call(&bench, "GET", &format!("{BILLS}/out-bill-no/NOBODY1"), Value::Null).await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn a_cancelled_bill_is_cancelled_after_a_while() {
    let bench = bench_with(Options { retry_divisor: 1000, ..Options::default() }).await;
    call(&bench, "POST", BILLS, bill("BILL2", 100)).await;
    let cancelled = call(&bench, "POST", &format!("{BILLS}/out-bill-no/BILL2/cancel"), Value::Null).await.json();
    assert_eq!(cancelled["state"], "CANCELING");
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(bench.sandbox.transfer("BILL2").unwrap().state, TransferState::Cancelled);
}

#[tokio::test]
async fn the_rules_of_a_bill_are_enforced() {
    let bench = bench_with(Options::default()).await;
    let with = |name: &str, value: Value| {
        let mut body = bill("BILL3", 100);
        body[name] = value;
        body
    };
    for (body, code) in [
        (with("out_bill_no", json!("BILL_3")), "PARAM_ERROR"),
        (with("transfer_amount", json!(0)), "PARAM_ERROR"),
        (with("transfer_amount", json!(200_000)), "PARAM_ERROR"),
        (with("transfer_remark", json!("长".repeat(33))), "PARAM_ERROR"),
        (with("transfer_scene_report_infos", json!([])), "PARAM_ERROR"),
        (with("mchid", json!("1900000109")), "PARAM_ERROR"),
        (with("appid", json!("wx0000000000000000")), "APPID_MCHID_NOT_MATCH"),
        // In the clear, or encrypted to somebody else: it does not decrypt.
        (with("user_name", json!("张三")), "PARAM_ERROR"),
        (with("user_name", json!("A".repeat(344))), "PARAM_ERROR"),
    ] {
        let answer = call(&bench, "POST", BILLS, body.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body}");
    }
    assert!(bench.sandbox.transfers().is_empty());
}

const AUTHORIZATIONS: &str = "/v3/fund-app/mch-transfer/user-confirm-authorization";

fn authorization(number: &str, account: &str) -> Value {
    json!({
        "appid": keys().wechat.mp_appid, "out_authorization_no": number, "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        "transfer_scene_id": "1000", "user_display_name": account,
        "authorization_notify_url": "https://shop.example/transfer-notify/wxpay/default",
    })
}

fn authorized_bill(number: &str, name: &str, value: &str) -> Value {
    let mut body = bill(number, 100);
    body.as_object_mut().expect("an object").remove("openid");
    body[name] = json!(value);
    body
}

#[tokio::test]
async fn an_authorisation_is_given_once_and_transfers_under_it_need_no_confirmation() {
    let bench = bench_with(Options { retry_divisor: 1000, ..Options::default() }).await;
    let made = call(&bench, "POST", AUTHORIZATIONS, authorization("AUTH_1", "u1")).await.json();
    assert_eq!((&made["state"], made["package_info"].is_string()), (&json!("WAIT_USER_CONFIRM"), true), "{made}");
    assert_eq!(
        call(&bench, "POST", AUTHORIZATIONS, authorization("AUTH_1", "u1")).await.json(),
        made,
        "the same again"
    );
    assert_eq!(call(&bench, "POST", AUTHORIZATIONS, authorization("AUTH_1", "u2")).await.code(), "ALREADY_EXISTS");
    assert_eq!(call(&bench, "POST", AUTHORIZATIONS, authorization("AUTH_2", "u1")).await.code(), "INVALID_REQUEST");
    let pay = format!("{BILLS}/transfer");
    let under = || authorized_bill("UNDER1", "out_authorization_no", "AUTH_1");
    assert_eq!(call(&bench, "POST", &pay, under()).await.code(), "INVALID_REQUEST", "it was not given yet");
    bench.sandbox.settle_authorization("AUTH_1", AuthorizationOutcome::Confirmed).unwrap();
    let own = format!("{AUTHORIZATIONS}/out-authorization-no/AUTH_1");
    let given = call(&bench, "GET", &own, Value::Null).await.json();
    assert_eq!((&given["state"], &given["close_info"]), (&json!("TAKING_EFFECT"), &Value::Null), "{given}");
    let paid = call(&bench, "POST", &pay, under()).await.json();
    assert_eq!(
        (&paid["state"], &paid["openid"]),
        (&json!("SUCCESS"), &json!("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")),
        "{paid}"
    );
    let mut both = under();
    both["authorization_id"] = given["authorization_id"].clone();
    assert_eq!(call(&bench, "POST", &pay, both).await.code(), "INVALID_REQUEST");
    let id = given["authorization_id"].as_str().expect("a number");
    let by_id = call(&bench, "POST", &pay, authorized_bill("UNDER2", "authorization_id", id)).await.json();
    assert_eq!(by_id["state"], "SUCCESS", "{by_id}");
    for blank in ["authorization_id", "out_authorization_no"] {
        assert_eq!(call(&bench, "POST", &pay, authorized_bill("UNDER3", blank, "")).await.code(), "PARAM_ERROR");
    }
    let closed = call(&bench, "POST", &format!("{own}/close"), Value::Null).await.json();
    assert_eq!(closed["close_info"]["close_reason"], "CLOSE_VIA_MCH_API", "{closed}");
    assert_eq!(
        call(&bench, "POST", &pay, authorized_bill("UNDER4", "authorization_id", id)).await.code(),
        "INVALID_REQUEST"
    );
    assert_eq!(call(&bench, "POST", &pay, under()).await.json()["state"], "SUCCESS", "what was paid is answered so");
    assert_eq!(bench.sandbox.transfers().len(), 2);
    let missing = call(&bench, "GET", &format!("{AUTHORIZATIONS}/out-authorization-no/NOBODY1"), Value::Null).await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn an_authorisation_that_is_not_given_in_time_is_closed_and_later_forgotten() {
    // A day is a millisecond.
    let bench = bench_with(Options { retry_divisor: 86_400_000, ..Options::default() }).await;
    call(&bench, "POST", AUTHORIZATIONS, authorization("AUTH_1", "u1")).await;
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let closed = bench.sandbox.authorization("AUTH_1").expect("an authorisation");
    assert_eq!(
        (closed.state, closed.close_reason.as_deref()),
        (AuthorizationState::Closed, Some("USER_OVERDUE_UNCONFIRMED"))
    );
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let missing = call(&bench, "GET", &format!("{AUTHORIZATIONS}/out-authorization-no/AUTH_1"), Value::Null).await;
    assert_eq!(missing.code(), "NOT_FOUND");
}
