//! Requests by name: what is allowed, what never is, and what is kept of them; and balances.

use crate::world::World;
use sandbox::{Fault, Misbehaviour, Mode, Op};
use serde_json::{Value, json};

async fn open_world() -> World {
    World::with(Mode::default(), |config| {
        config["auth"]["request"] = json!("key");
        config["request"] = json!({
            "wxpay": ["GET /v3/merchant/fund/balance/", "GET /v3/pay/transactions/", "POST /v3/marketing/"],
            "alipay": ["alipay.trade.query"],
            "wxpay-virtual": ["query_order"],
        });
    })
    .await
}

async fn request(world: &World, data: Value) -> (u16, Value) {
    world.call("transfer", json!({ "action": "pay/request", "data": data })).await
}

#[tokio::test]
async fn an_allowed_request_is_signed_verified_answered_and_kept() {
    let world = open_world().await;
    let (status, answer) =
        request(&world, json!({ "provider": "wxpay", "method": "GET", "path": "/v3/merchant/fund/balance/BASIC" }))
            .await;
    assert_eq!(
        (status, &answer["code"], &answer["result"]["available_amount"]),
        (200, &json!(0), &json!(0)),
        "{answer}"
    );
    assert!(answer["provider_request_id"].is_string(), "{answer}");
    world.create("RAW_1", json!({ "provider": "alipay" })).await;
    world.pay("RAW_1").await;
    let ask = json!({ "provider": "alipay", "method": "alipay.trade.query", "data": { "out_trade_no": "RAW_1" } });
    let (status, answer) = request(&world, ask).await;
    assert_eq!((status, &answer["result"]["trade_status"]), (200, &json!("TRADE_SUCCESS")), "{answer}");
    let kept = world.kind("request").await;
    assert_eq!(kept.len(), 2);
    let own = kept.iter().find(|item| item["provider"] == "alipay").unwrap();
    assert_eq!(
        (&own["target"], &own["state"], &own["source"], &own["http_status"]),
        (&json!("alipay.trade.query"), &json!("done"), &json!("key:shop"), &json!(200))
    );
    assert_eq!((&own["data"]["out_trade_no"], &own["answer"]["buyer_logon_id"]), (&json!("RAW_1"), &json!("***")));
    assert!(own["expire_at"].as_i64() > Some(0), "it is kept for a while");
}

#[tokio::test]
async fn what_is_kept_of_a_request_has_no_personal_data_in_lists_either() {
    let world = open_world().await;
    let data = json!({ "phones": ["13800138000", ["13800138001"], { "mobile": "13800138000", "sort": 1 }] });
    // Alipay knows no such field; the request is kept all the same.
    let own = json!({ "provider": "alipay", "method": "alipay.trade.query", "data": data });
    assert_eq!(request(&world, own).await.0, 422);
    let kept = world.kind("request").await;
    assert_eq!(kept[0]["data"]["phones"], json!(["***", ["***"], { "mobile": "***", "sort": 1 }]));
}

#[tokio::test]
async fn nothing_is_requested_that_is_not_allowed_or_moves_money() {
    let world = open_world().await;
    for (provider, method, path) in [
        ("wxpay", "GET", Some("/v3/certificates")),
        ("wxpay", "POST", Some("/v3/merchant/fund/balance/BASIC")),
        ("wxpay", "POST", Some("/v3/refund/domestic/refunds")),
        ("wxpay", "POST", Some("/v3/marketing/favor/users/o1/coupons")),
        ("wxpay", "POST", Some("/v3/pay/transactions/out-trade-no/T1/close")),
        ("wxpay", "POST", Some("/v3/marketing/favor/coupon-stocks")),
        ("wxpay", "POST", Some("/v3/ecommerce/account/cancel-applications")),
        ("alipay", "koubei.marketing.campaign.benefit.send", None),
        ("alipay", "alipay.point.order.add", None),
        ("alipay", "alipay.trade.refund", None),
        ("alipay", "alipay.fund.trans.uni.transfer", None),
        ("wxpay-virtual", "refund_order", None),
    ] {
        let (status, answer) = request(&world, json!({ "provider": provider, "method": method, "path": path })).await;
        assert_eq!((status, &answer["code"]), (403, &json!(403)), "{method} {path:?}: {answer}");
    }
    for path in [
        "/v3/merchant/fund/balance/../../../pay/transactions/jsapi",
        "/v3/x%2f..",
        "//v3/x",
        "/v3/a?b=c",
        "https://a/v3/b",
    ] {
        let (status, answer) = request(&world, json!({ "provider": "wxpay", "method": "GET", "path": path })).await;
        assert_eq!((status, &answer["field"]), (400, &json!("path")), "{path}: {answer}");
    }
    assert!(world.sandbox.requests().is_empty(), "nobody was called");
    assert!(world.kind("request").await.is_empty());
}

#[tokio::test]
async fn a_request_needs_auth_to_name_it_and_the_configuration_to_allow_it() {
    let world = World::start().await;
    let own = json!({ "provider": "wxpay", "method": "GET", "path": "/v3/certificates" });
    assert_eq!(request(&world, own.clone()).await.0, 403, "auth.default does not open it");
    let named = World::with(Mode::default(), |config| config["auth"]["request"] = json!("key")).await;
    assert_eq!(request(&named, own).await.0, 403, "nothing is allowed by default");
}

#[tokio::test]
async fn a_request_whose_answer_cannot_be_verified_is_unknown_and_kept_as_that() {
    let world = open_world().await;
    let own = json!({ "provider": "wxpay", "method": "GET", "path": "/v3/merchant/fund/balance/BASIC" });
    for (what, status, state) in [
        (Misbehaviour::BadSignature, 504, "unknown"),
        (Misbehaviour::Http5xx, 504, "unknown"),
        (Misbehaviour::DropConnection, 504, "unknown"),
        (Misbehaviour::NotEnabled, 422, "refused"),
    ] {
        world.sandbox.misbehave(Fault::once(Op::Balance, what));
        let (got, answer) = request(&world, own.clone()).await;
        assert_eq!(got, status, "{what:?}: {answer}");
        let id = answer["record_id"].as_str().unwrap();
        let kept = world.kind("request").await.into_iter().find(|item| item["record_id"] == id).unwrap();
        assert_eq!(kept["state"], state, "{what:?}");
    }
}

#[tokio::test]
async fn a_balance_is_told_in_fen_and_in_vk_pays_yuan() {
    let world = World::start().await;
    for provider in ["wxpay", "alipay"] {
        let no = format!("BALANCE_{provider}");
        world.create(&no, json!({ "provider": provider, "total_fee": 1234 })).await;
        world.pay(&no).await;
        for action in ["pay/queryBalance", "pay/queryAccountBalance"] {
            let call = json!({ "action": action, "data": { "provider": provider } });
            let (status, answer) = world.call("transfer", call).await;
            assert_eq!((status, &answer["available_amount"]), (200, &json!(1234)), "{answer}");
            assert_eq!((&answer["availableAmount"], &answer["freezeAmount"]), (&json!("12.34"), &json!("0.00")));
        }
    }
    let ask = async |data: Value| world.call("transfer", json!({ "action": "pay/queryBalance", "data": data })).await;
    assert_eq!(ask(json!({ "provider": "wxpay", "date": "2026-01-01" })).await.0, 200);
    assert_eq!(ask(json!({ "provider": "wxpay", "date": "2026-1-1" })).await.0, 400);
    assert_eq!(ask(json!({ "provider": "wxpay", "account_type": "OPERATION" })).await.0, 422, "not opened");
    assert_eq!(ask(json!({ "provider": "alipay", "account_type": "BASIC" })).await.1["code"], 2005);
    assert_eq!(ask(json!({ "provider": "vkspay" })).await.1["code"], 2005);
    world.sandbox.misbehave(Fault::once(Op::Balance, Misbehaviour::BadSignature));
    assert_eq!(ask(json!({ "provider": "wxpay" })).await.0, 504);
}
