//! Shipping of a mini program's orders: the very bytes that are sent, and what each of WeChat's codes means.

use super::wxpay_kit::*;
use domain::{Logistics, ShippingReport, ShippingState, TokenStore, TokenStoreError, UnixMs};
use futures::future::{BoxFuture, FutureExt};
use providers::{CallError, Meaning, ShippingRequest, ShippingStanding, TokenCache};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What instances share, in memory.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, (String, UnixMs)>>);

impl TokenStore for Kept {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<(String, UnixMs)>, TokenStoreError>> {
        let found = self.0.lock().unwrap().get(name).cloned();
        async move { Ok(found) }.boxed()
    }

    fn save<'a>(&'a self, name: &'a str, sealed: &'a str, until: UnixMs) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        self.0.lock().unwrap().insert(name.to_owned(), (sealed.to_owned(), until));
        async { Ok(()) }.boxed()
    }

    fn claim<'a>(&'a self, _: &'a str, _: UnixMs, _: UnixMs) -> BoxFuture<'a, Result<bool, TokenStoreError>> {
        async { Ok(true) }.boxed()
    }
}

/// A server that gives tokens, and answers what is asked under one of them.
async fn server(answer: impl Fn(&Seen) -> Value + Send + Sync + 'static) -> Server {
    let given = Mutex::new(0);
    let mut server = Server::start(move |seen| {
        if seen.target == "/cgi-bin/stable_token" {
            let mut given = given.lock().unwrap();
            *given += 1;
            return Canned::plain(200, json!({ "access_token": format!("T{given}"), "expires_in": 7200 }).to_string());
        }
        Canned::plain(200, answer(seen).to_string())
    })
    .await;
    server.clients.tokens = TokenCache::new(Box::<Kept>::default());
    server
}

fn mini_program(server: &Server) -> providers::Config {
    let mut node = v3_node(&server.base);
    node["secret"] = json!("0f1e2d3c4b5a69788796a5b4c3d2e1f0");
    config_of("mp-weixin", node)
}

async fn ship(server: &Server, report: &ShippingReport) -> Result<(), CallError> {
    let request = ShippingRequest {
        transaction_id: "4200000001",
        openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        report,
        now: UnixMs::new(NOW + 120),
    };
    gateway(&mini_program(server), "mp-weixin").ship(&server.clients, &request).await
}

async fn query(server: &Server) -> Result<ShippingStanding, CallError> {
    gateway(&mini_program(server), "mp-weixin").query_shipping(&server.clients, "4200000001", UnixMs::new(NOW)).await
}

fn done() -> Value {
    json!({ "errcode": 0, "errmsg": "ok" })
}

#[tokio::test]
async fn a_virtual_order_is_reported_with_its_payment_its_payer_and_the_time_in_beijing() {
    let server = server(|_| done()).await;
    assert_eq!(ship(&server, &ShippingReport::whole(Logistics::Virtual, "年卡")).await, Ok(()));
    let seen = server.last();
    assert_eq!(seen.target, "/wxa/sec/order/upload_shipping_info?access_token=T1");
    assert_eq!(
        seen.text(),
        r#"{"order_key":{"order_number_type":2,"transaction_id":"4200000001"},"logistics_type":3,"delivery_mode":1,"shipping_list":[{"item_desc":"年卡"}],"upload_time":"2026-01-01T08:00:00.120+08:00","payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}"#
    );
}

#[tokio::test]
async fn a_token_that_has_ended_is_fetched_anew_once() {
    let ended = server(|seen| {
        let code = if seen.target.ends_with("=T1") { 42_001 } else { 0 };
        json!({ "errcode": code, "errmsg": "" })
    })
    .await;
    assert_eq!(ship(&ended, &ShippingReport::whole(Logistics::Virtual, "年卡")).await, Ok(()));
    let refusing = server(|_| json!({ "errcode": 40_001, "errmsg": "invalid credential" })).await;
    let outcome = ship(&refusing, &ShippingReport::whole(Logistics::Virtual, "年卡")).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
    let calls = refusing.seen().iter().filter(|seen| seen.target.starts_with("/wxa/")).count();
    assert_eq!(calls, 2);
}

#[tokio::test]
async fn each_code_means_what_its_page_says_and_one_that_no_page_has_means_nothing() {
    let meant = |outcome: &Result<(), CallError>| match outcome {
        Ok(()) => "taken",
        Err(CallError::Unknown(_)) => "unknown",
        Err(error) if error.means(Meaning::Missing) => "not there",
        Err(CallError::Refused(_)) => "refused",
    };
    for (code, means) in [
        (0, "taken"),
        (10_060_023, "taken"),
        (10_060_001, "not there"),
        (-1, "unknown"),
        (10_060_012, "unknown"),
        (10_060_019, "unknown"),
        (45_009, "unknown"),
        (12_345, "unknown"),
        (10_060_002, "refused"),
        (10_060_003, "refused"),
        (10_060_004, "refused"),
        (10_060_031, "refused"),
        (47_001, "refused"),
        (48_001, "refused"),
        (268_485_216, "refused"),
        (268_485_228, "refused"),
    ] {
        let server = server(move |_| json!({ "errcode": code, "errmsg": "" })).await;
        let outcome = ship(&server, &ShippingReport::whole(Logistics::Virtual, "年卡")).await;
        assert_eq!(meant(&outcome), means, "{code}: {outcome:?}");
    }
}

#[tokio::test]
async fn each_state_is_read_and_an_answer_about_another_payment_is_none() {
    for (state, finished, list, wanted) in [
        (1, 0, json!([]), ShippingState::Due),
        (1, 0, json!([{ "tracking_no": "1" }]), ShippingState::Part),
        (2, 1, json!([{}]), ShippingState::Reported),
        (2, 2, json!([{}]), ShippingState::Corrected),
        (3, 1, json!([{}]), ShippingState::Received),
        (6, 1, json!([{}]), ShippingState::Received),
        (4, 1, json!([{}]), ShippingState::Settled),
        (5, 0, json!([]), ShippingState::Refunded),
    ] {
        let order = json!({
            "transaction_id": "4200000001", "order_state": state,
            "shipping": { "finish_shipping_count": finished, "shipping_list": list, "logistics_type": 3 },
        });
        let server = server(move |_| json!({ "errcode": 0, "errmsg": "ok", "order": order })).await;
        assert_eq!(query(&server).await.map(|standing| standing.state), Ok(wanted), "{state}");
        assert_eq!(server.last().text(), r#"{"transaction_id":"4200000001"}"#);
    }
    for order in [
        json!({ "transaction_id": "4200000002", "order_state": 2 }),
        json!({ "transaction_id": "4200000001", "order_state": 9 }),
        json!({ "transaction_id": "4200000001" }),
        json!(null),
    ] {
        let server = server(move |_| json!({ "errcode": 0, "errmsg": "ok", "order": order })).await;
        assert!(matches!(query(&server).await, Err(CallError::Unknown(_))));
    }
}

#[tokio::test]
async fn without_the_secret_it_is_said_what_is_missing() {
    let server = server(|_| done()).await;
    let config = config_of("mp-weixin", v3_node(&server.base));
    let outcome = gateway(&config, "mp-weixin").query_shipping(&server.clients, "4200000001", UnixMs::new(NOW)).await;
    assert!(matches!(outcome, Err(CallError::Refused(refusal)) if refusal.message.contains("secret")));
    assert!(server.seen().is_empty());
}
