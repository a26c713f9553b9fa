//! Merchant transfers as a merchant sees them.

use crate::client::{bench_with, keys};
use crate::v3::call;
use sandbox::{Options, TransferOutcome, TransferState};
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
