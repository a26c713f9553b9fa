//! Requests by name over APIv3: the very bytes that are sent, and which answers are results.

use super::wxpay_kit::*;
use domain::{Day, Fen, Provider, UnixMs};
use providers::bill::FundStatement;
use providers::{Account, BalanceRequest, CallError, RawOutcome, RawRequest, RawTarget};
use serde_json::{Value, json};

async fn request(canned: impl Fn() -> Canned + Send + Sync + 'static, method: &str, data: Value) -> (RawOutcome, Seen) {
    let server = Server::start(move |_| canned()).await;
    let config = config_of("h5", v3_node(&server.base));
    let target =
        RawTarget::read(Provider::Wxpay, method, Some("/v3/merchant-service/complaint-notifications")).unwrap();
    let raw = RawRequest { target, data: data.as_object().unwrap() };
    let outcome = gateway(&config, "h5").request(&server.clients, &raw, UnixMs::new(NOW)).await;
    (outcome, server.last())
}

#[tokio::test]
async fn the_data_is_the_query_or_the_body_and_both_are_signed() {
    let data = json!({ "url": "https://a.test/?b=c&d", "limit": 5, "flag": true });
    for method in ["GET", "DELETE"] {
        let (outcome, seen) = request(|| Canned::json(&json!({ "url": "x" })), method, data.clone()).await;
        assert_eq!(seen.method, method);
        let query = "flag=true&limit=5&url=https%3A%2F%2Fa.test%2F%3Fb%3Dc%26d";
        let mut parts: Vec<&str> = seen.target.split_once('?').unwrap().1.split('&').collect();
        parts.sort_unstable();
        assert_eq!(parts.join("&"), query);
        assert!(seen.body.is_empty());
        assert!(seen.headers["authorization"].to_str().unwrap().starts_with("WECHATPAY2-SHA256-RSA2048 "));
        assert_eq!((outcome.status, outcome.answer), (Some(200), Ok(json!({ "url": "x" }))));
    }
    for method in ["POST", "PUT", "PATCH"] {
        let (outcome, seen) = request(|| Canned::signed(204, ""), method, data.clone()).await;
        assert_eq!((seen.method.as_str(), seen.json(), seen.target.contains('?')), (method, data.clone(), false));
        assert_eq!((outcome.status, outcome.answer), (Some(204), Ok(Value::Null)), "an empty answer that is signed");
    }
}

#[tokio::test]
async fn a_query_of_more_than_plain_values_is_not_sent() {
    let server = Server::start(|_| Canned::json(&json!({}))).await;
    let config = config_of("h5", v3_node(&server.base));
    for value in [json!([1]), json!({ "a": 1 }), Value::Null] {
        let data = json!({ "x": value });
        let target = RawTarget::read(Provider::Wxpay, "GET", Some("/v3/certificates")).unwrap();
        let raw = RawRequest { target, data: data.as_object().unwrap() };
        let outcome = gateway(&config, "h5").request(&server.clients, &raw, UnixMs::new(NOW)).await;
        assert!(matches!(outcome.answer, Err(CallError::Refused(_))));
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn only_a_verified_2xx_is_a_result() {
    let signed = |key: &crypto::rsa::PrivateKey, at: i64| Canned {
        status: 200,
        headers: signed_by(key, PUB_KEY_ID, at, b"{}"),
        body: b"{}".to_vec(),
    };
    for (n, refused) in [false, false, false, false, true].into_iter().enumerate() {
        let canned = move || match n {
            0 => Canned::plain(200, "{}"),
            1 => signed(&STRANGER.private, NOW),
            2 => signed(&PLATFORM.private, NOW - 600_000),
            3 => Canned::error(500, "SYSTEM_ERROR"),
            _ => Canned::error(403, "NO_AUTH"),
        };
        let (outcome, _) = request(canned, "POST", json!({})).await;
        assert_eq!(matches!(outcome.answer, Err(CallError::Refused(_))), refused, "{outcome:?}");
        assert!(outcome.answer.is_err());
    }
}

#[tokio::test]
async fn a_balance_that_is_no_whole_number_of_fen_is_none() {
    for (answer, right) in [
        (json!({ "available_amount": 100, "pending_amount": 1 }), true),
        (json!({ "available_amount": 100 }), true),
        (json!({ "available_amount": -1 }), false),
        (json!({ "available_amount": 1.5 }), false),
        (json!({ "available_amount": "100" }), false),
        (json!({ "pending_amount": 1 }), false),
        (json!({}), false),
    ] {
        let text = answer.to_string();
        let server = Server::start(move |_| Canned::signed(200, text.as_str())).await;
        let config = config_of("h5", v3_node(&server.base));
        let ask = BalanceRequest { account: Some("OPERATION"), day: None };
        let balance = gateway(&config, "h5").balance(&server.clients, &ask, UnixMs::new(NOW)).await;
        assert_eq!(server.last().target, "/v3/merchant/fund/balance/OPERATION");
        match balance {
            Ok(balance) => assert!(right && balance.available == Fen(100), "{answer}"),
            Err(error) => assert!(!right && matches!(error, CallError::Unknown(_)), "{answer}"),
        }
    }
}

#[tokio::test]
async fn the_fund_flow_bills_of_all_accounts_are_one_and_an_account_that_the_merchant_has_not_is_left_out() {
    const NONE: (u16, &str) = (400, "NO_STATEMENT_EXIST");
    for (answers, wanted) in [
        ([NONE; 3], Ok(FundStatement::Empty)),
        ([NONE, (400, "INVALID_REQUEST"), (403, "NO_AUTH")], Ok(FundStatement::Empty)),
        ([NONE, (400, "STATEMENT_CREATING"), (400, "NO_AUTH")], Ok(FundStatement::NotYet)),
        ([(403, "NO_AUTH"), NONE, NONE], Err(())),
        ([NONE, (500, "SYSTEM_ERROR"), NONE], Err(())),
        // What was not heard says nothing of the account.
        ([NONE, (401, "SIGN_ERROR"), NONE], Err(())),
        ([NONE, NONE, (401, "SIGN_ERROR")], Err(())),
        ([NONE, NONE, (400, "INVALID_REQ_TOO_MUCH")], Err(())),
    ] {
        let server = Server::start(move |seen| {
            let at = ["account_type=BASIC", "account_type=OPERATION", "account_type=FEES"];
            let at = at.iter().position(|account| seen.target.contains(account)).expect("an account");
            Canned::error(answers[at].0, answers[at].1)
        })
        .await;
        let config = config_of("h5", v3_node(&server.base));
        let accounts = Account::of(config.merchant("default").unwrap(), Provider::Wxpay);
        let account = accounts.first().expect("an account");
        let day = Day::parse("2026-01-01").expect("a day");
        let told = account.funds(&server.clients, day, UnixMs::new(NOW)).await;
        assert_eq!(told.map(|told| told.expect("of APIv3")).map_err(|_| ()), wanted, "{answers:?}");
    }
}

#[test]
fn each_kind_of_receiver_is_one_providers() {
    let config = config_of("h5", v3_node("https://wx.test"));
    let wxpay = gateway(&config, "h5").receiver_types();
    let alipay = super::alipay_kit::gateway("h5", super::alipay_kit::node(json!({}))).receiver_types();
    assert_eq!([wxpay, alipay].concat(), domain::RECEIVER_TYPES);
}
