//! Profit sharing: the very bytes that are sent, and what each answer means.

use super::wxpay_kit::*;
use domain::{Fen, ReceiverResult, ReturnState, Share, ShareReturn, UnixMs};
use providers::{CallError, ReceiverRequest, ReturnRequest, ShareRequest};
use serde_json::{Value, json};

fn a_share(more: Value) -> Share {
    let mut fields = json!({
        "out_trade_no": "T202601010001", "out_order_no": "S0001", "provider": "wxpay", "merchant": "default",
        "attempt": 1, "transaction_id": "4200000001", "unfreeze_unsplit": false, "state": "UNKNOWN", "sent_at": NOW,
        "create_date": NOW, "version": 1,
        "receivers": [{ "type": "MERCHANT_ID", "account": "1900000100", "amount": 20, "description": "分给供应商",
            "result": "PENDING" }],
    });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(fields).unwrap()
}

fn a_return() -> ShareReturn {
    serde_json::from_value(json!({
        "out_trade_no": "T202601010001", "out_return_no": "B0001", "out_order_no": "S0001", "return_mchid": "1900000100",
        "amount": 20, "description": "退款", "provider": "wxpay", "merchant": "default", "attempt": 1,
        "state": "UNKNOWN", "sent_at": NOW, "create_date": NOW, "version": 1,
    }))
    .unwrap()
}

fn answered(state: &str, receivers: Value) -> Value {
    json!({
        "transaction_id": "4200000001", "out_order_no": "S0001", "order_id": "3008450740201411110007820472",
        "state": state, "receivers": receivers,
    })
}

async fn share(server: &Server, share: &Share, more: Value) -> Result<domain::ShareStanding, CallError> {
    let attempt = attempt("h5", more);
    let request = ShareRequest { attempt: &attempt, share, now: UnixMs::new(NOW) };
    gateway(&config_of("h5", v3_node(&server.base)), "h5").share(&server.clients, &request).await
}

#[tokio::test]
async fn a_share_is_sent_with_what_it_needs_and_no_more() {
    let server = Server::start(|_| Canned::json(&answered("PROCESSING", json!([])))).await;
    let standing = share(&server, &a_share(json!({})), json!({})).await.unwrap();
    assert_eq!((standing.finished, standing.order_id.as_deref()), (false, Some("3008450740201411110007820472")));
    let seen = server.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v3/profitsharing/orders"));
    assert_eq!(
        seen.text(),
        r#"{"transaction_id":"4200000001","out_order_no":"S0001","receivers":[{"type":"MERCHANT_ID","account":"1900000100","amount":20,"description":"分给供应商"}],"unfreeze_unsplit":false}"#
    );
    let person = json!({ "receivers": [
        { "type": "PERSONAL_SUB_OPENID", "account": "o1", "amount": 1, "description": "d", "result": "PENDING" },
        { "type": "PERSONAL_OPENID", "account": "o2", "amount": 1, "description": "d", "result": "PENDING" },
    ]});
    let partner = json!({ "sub_mchid": "1600000001", "sub_appid": "wxsub" });
    share(&server, &a_share(person), partner).await.unwrap();
    let sent = server.last().json();
    assert_eq!(
        (&sent["appid"], &sent["sub_appid"], &sent["sub_mchid"]),
        (&json!(APP), &json!("wxsub"), &json!("1600000001"))
    );
    share(&server, &a_share(json!({ "receivers": [], "unfreeze_unsplit": true, "description": "解冻" })), json!({}))
        .await
        .unwrap();
    let seen = server.last();
    assert_eq!(seen.target, "/v3/profitsharing/orders/unfreeze");
    assert_eq!(seen.text(), r#"{"transaction_id":"4200000001","out_order_no":"S0001","description":"解冻"}"#);
}

#[tokio::test]
async fn what_is_said_of_another_share_or_cannot_be_read_leaves_the_outcome_open() {
    for (answer, open) in [
        (Canned::json(&json!({ "out_order_no": "S0002", "state": "FINISHED" })), true),
        (Canned::json(&json!({ "out_order_no": "S0001" })), true),
        (Canned::plain(200, answered("FINISHED", json!([])).to_string()), true),
        (Canned::error(429, "FREQUENCY_LIMITED"), true),
        (Canned::error(500, "SYSTEM_ERROR"), true),
        (Canned::error(403, "NOT_ENOUGH"), false),
        (Canned::plain(400, r#"{"code":"PARAM_ERROR","message":"订单处理中，请稍后重试"}"#), true),
        (Canned::plain(400, r#"{"code":"INVALID_REQUEST","message":"非分账订单不支持分账"}"#), false),
    ] {
        let (status, headers, body) = (answer.status, answer.headers.clone(), answer.body.clone());
        let server = Server::start(move |_| Canned { status, headers: headers.clone(), body: body.clone() }).await;
        let told = share(&server, &a_share(json!({})), json!({})).await;
        assert_eq!(matches!(told, Err(CallError::Unknown(_))), open, "{told:?}");
        assert_eq!(matches!(told, Err(CallError::Refused(_))), !open, "{told:?}");
    }
}

#[tokio::test]
async fn a_share_is_asked_about_by_its_number_and_each_receiver_told() {
    let told = answered(
        "FINISHED",
        json!([
            { "type": "MERCHANT_ID", "account": "1900000100", "amount": 20, "result": "CLOSED", "fail_reason": "NO_RELATION" },
            { "type": "MERCHANT_ID", "account": MCH, "amount": 80, "result": "SUCCESS", "description": "解冻给分账方" },
        ]),
    );
    let server = Server::start(move |_| Canned::json(&told)).await;
    let (attempt, share) = (attempt("h5", json!({ "sub_mchid": "1600000001" })), a_share(json!({})));
    let request = ShareRequest { attempt: &attempt, share: &share, now: UnixMs::new(NOW) };
    let config = config_of("h5", v3_node(&server.base));
    let standing = gateway(&config, "h5").query_share(&server.clients, &request).await.unwrap().unwrap();
    assert_eq!(server.last().target, "/v3/profitsharing/orders/S0001?transaction_id=4200000001&sub_mchid=1600000001");
    assert_eq!((standing.finished, standing.receivers[0].result), (true, ReceiverResult::Closed));
    assert_eq!(standing.receivers[0].fail_reason.as_deref(), Some("NO_RELATION"));
    let missing = Server::start(|_| Canned::error(404, "RESOURCE_NOT_EXISTS")).await;
    let config = config_of("h5", v3_node(&missing.base));
    assert_eq!(gateway(&config, "h5").query_share(&missing.clients, &request).await, Ok(None));
}

#[tokio::test]
async fn a_return_is_sent_asked_about_and_ends_only_by_its_own_words() {
    for (result, state) in [
        ("SUCCESS", ReturnState::Success),
        ("FAILED", ReturnState::Failed),
        ("PROCESSING", ReturnState::Processing),
        ("SOMETHING", ReturnState::Processing),
    ] {
        let told = json!({ "out_order_no": "S0001", "out_return_no": "B0001", "amount": 20, "result": result,
            "return_id": "3009", "fail_reason": "BALANCE_NOT_ENOUGH" });
        let server = Server::start(move |_| Canned::json(&told)).await;
        let (attempt, made) = (attempt("h5", json!({})), a_return());
        let request =
            ReturnRequest { attempt: &attempt, transaction_id: "4200000001", made: &made, now: UnixMs::new(NOW) };
        let config = config_of("h5", v3_node(&server.base));
        let gateway = gateway(&config, "h5");
        assert_eq!(gateway.return_share(&server.clients, &request).await.unwrap().state, state);
        assert_eq!(
            server.last().text(),
            r#"{"out_order_no":"S0001","out_return_no":"B0001","return_mchid":"1900000100","amount":20,"description":"退款"}"#
        );
        assert_eq!(gateway.query_return(&server.clients, &request).await.unwrap().unwrap().state, state);
        assert_eq!(server.last().target, "/v3/profitsharing/return-orders/B0001?out_order_no=S0001");
    }
    let other = json!({ "out_order_no": "S0001", "out_return_no": "B0001", "amount": 21, "result": "SUCCESS" });
    let server = Server::start(move |_| Canned::json(&other)).await;
    let (attempt, made) = (attempt("h5", json!({})), a_return());
    let request = ReturnRequest { attempt: &attempt, transaction_id: "4200000001", made: &made, now: UnixMs::new(NOW) };
    let config = config_of("h5", v3_node(&server.base));
    assert!(matches!(gateway(&config, "h5").return_share(&server.clients, &request).await, Err(CallError::Unknown(_))));
}

#[tokio::test]
async fn a_receivers_name_is_sealed_and_what_is_left_is_asked_for() {
    let server = Server::start(|seen| match seen.target.contains("amounts") {
        true => Canned::json(&json!({ "transaction_id": "4200000001", "unsplit_amount": 80 })),
        false => Canned::json(&json!({ "type": "MERCHANT_ID", "account": "1900000100" })),
    })
    .await;
    let config = config_of("h5", v3_node(&server.base));
    let request = ReceiverRequest {
        kind: "MERCHANT_ID",
        account: "1900000100",
        name: Some("示例商户全称"),
        app_id: None,
        sub_mchid: None,
        relation_type: None,
        custom_relation: None,
        now: UnixMs::new(NOW),
    };
    assert_eq!(gateway(&config, "h5").add_receiver(&server.clients, &request).await, Ok(()));
    let seen = server.last();
    assert_eq!(
        (seen.target.as_str(), seen.headers["wechatpay-serial"].to_str().unwrap()),
        ("/v3/profitsharing/receivers/add", PUB_KEY_ID)
    );
    assert!(!seen.text().contains("示例商户全称"));
    assert_eq!(
        (&seen.json()["relation_type"], seen.json()["name"].as_str().map(str::len)),
        (&json!("PARTNER"), Some(344))
    );
    assert_eq!(gateway(&config, "h5").delete_receiver(&server.clients, &request).await, Ok(()));
    assert_eq!(server.last().json(), json!({ "appid": APP, "type": "MERCHANT_ID", "account": "1900000100" }));
    let attempt = attempt("h5", json!({}));
    let left = gateway(&config, "h5").unsplit(&server.clients, &attempt, "4200000001", UnixMs::new(NOW)).await;
    assert_eq!(left, Ok(Fen(80)));
    assert_eq!(server.last().target, "/v3/profitsharing/transactions/4200000001/amounts");
}
