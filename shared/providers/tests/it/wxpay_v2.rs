//! APIv2: signed requests, verified answers, and what only a client certificate may ask.

use super::wxpay_kit::*;
use domain::{Fen, Secret, UnixMs};
use providers::wxpay::v2::{is_signed, sign};
use providers::{CallError, Created, Meaning, RefundProgress, RefundStanding, Standing};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

fn answer(more: Value, hmac: bool) -> Canned {
    let mut fields = json!({
        "return_code": "SUCCESS", "return_msg": "OK", "result_code": "SUCCESS", "appid": APP, "mch_id": MCH,
        "nonce_str": "IITRi8Iabbblz1Jc",
    });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Canned::plain(200, signed_xml(&fields, hmac))
}

fn failed(code: &str) -> Canned {
    answer(json!({ "result_code": "FAIL", "err_code": code, "err_code_des": "" }), false)
}

fn certified(base: &str) -> Value {
    let mut node = v2_node(base, "MD5");
    node["appCertContent"] = json!(MERCHANT.certificate_pem);
    node["appPrivateKeyContent"] = json!(MERCHANT.private_pem);
    node
}

async fn server(canned: impl Fn() -> Canned + Send + Sync + 'static) -> Server {
    Server::start(move |_| canned()).await
}

async fn create(
    node: &str,
    sign_type: &str,
    server: &Server,
    order_with: Value,
    more: Value,
) -> Result<Created, CallError> {
    let mut section = v2_node(&server.base, sign_type);
    section["sceneInfo"] = json!({ "h5_info": { "type": "Wap", "wap_url": "https://shop.test", "wap_name": "Shop" } });
    let config = config_of(node, section);
    let (order, attempt) = (order(order_with), attempt(node, more));
    let mut request = create_request(&order, &attempt);
    request.auth_code = (node == "codepay").then_some("130061098828009406");
    gateway(&config, node).create(&server.clients, &request).await
}

fn done<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> T {
    match outcome {
        Ok(done) => done,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_unified_order_is_signed_with_the_pinned_kind() {
    for (sign_type, hmac) in [("MD5", false), ("HMAC-SHA256", true)] {
        let server = server(move || answer(json!({ "prepay_id": "wx26", "trade_type": "JSAPI" }), hmac)).await;
        let created = done(create("mp-weixin", sign_type, &server, json!({}), json!({})).await);
        let sent = server.last().xml();
        assert_eq!(server.last().target, "/pay/unifiedorder");
        assert!(is_signed(&sent, &Secret::new(V2_KEY), hmac));
        assert_eq!((sent["total_fee"].as_str(), sent["trade_type"].as_str()), ("100", "JSAPI"));
        assert_eq!((sent["mch_id"].as_str(), sent["appid"].as_str()), (MCH, APP));
        assert_eq!(sent["time_expire"], "20260101100000");
        assert_eq!(sent["openid"], "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o");
        assert_eq!(sent["spbill_create_ip"], "203.0.113.7");
        let mut info = params(&created.order_info);
        let pay_sign = info.remove("paySign").unwrap();
        assert_eq!(info["signType"], sign_type);
        assert_eq!(info["package"], "prepay_id=wx26");
        assert_eq!(pay_sign, sign(&info, &Secret::new(V2_KEY), hmac));
    }
}

#[tokio::test]
async fn each_product_gets_what_its_client_takes() {
    let native = server(|| answer(json!({ "code_url": "weixin://x", "prepay_id": "wx26" }), false)).await;
    let created = done(create("h5", "MD5", &native, json!({}), json!({})).await);
    assert_eq!(created.order_info, json!({ "codeUrl": "weixin://x" }));
    assert_eq!(native.last().xml()["product_id"], "T202601010001");

    let mweb = server(|| answer(json!({ "mweb_url": "https://wx.tenpay.com/x" }), false)).await;
    let created = done(create("mweb", "MD5", &mweb, json!({}), json!({})).await);
    assert_eq!(created.order_info["mwebUrl"], "https://wx.tenpay.com/x");
    let scene: Value = serde_json::from_str(&mweb.last().xml()["scene_info"]).unwrap();
    assert_eq!(scene, json!({ "h5_info": { "type": "Wap", "wap_url": "https://shop.test", "wap_name": "Shop" } }));

    let app = server(|| answer(json!({ "prepay_id": "wx26" }), false)).await;
    let created = done(create("app-plus", "MD5", &app, json!({}), json!({})).await);
    let mut info = params(&created.order_info);
    let given = info.remove("sign").unwrap();
    assert_eq!(info.keys().collect::<Vec<_>>(), ["appid", "noncestr", "package", "partnerid", "prepayid", "timestamp"]);
    assert_eq!(given, sign(&info, &Secret::new(V2_KEY), false));
}

#[tokio::test]
async fn other_is_merged_as_text_and_never_touches_what_is_ours() {
    let server = server(|| answer(json!({ "code_url": "weixin://x" }), false)).await;
    let other = |sharing: Value| {
        json!({ "sharing": sharing, "other": {
            "attach": "a&b<c>", "goods_tag": "WXG", "profit_sharing": true, "detail": { "cost_price": 1 },
            "total_fee": "1", "mch_id": "1", "notify_url": "https://evil.test", "sign": "x", "key": "x", "openid": "x",
        } })
    };
    done(create("h5", "MD5", &server, other(json!(domain::Sharing::default())), json!({})).await);
    let sent = server.last().xml();
    assert!(is_signed(&sent, &Secret::new(V2_KEY), false));
    assert_eq!((sent["attach"].as_str(), sent["profit_sharing"].as_str()), ("a&b<c>", "Y"));
    assert_eq!(sent["detail"], "{\"cost_price\":1}");
    assert_eq!((sent["total_fee"].as_str(), sent["mch_id"].as_str()), ("100", MCH));
    assert!(!sent.contains_key("key") && !sent.contains_key("openid"));
    assert_eq!(sent["notify_url"], "https://pay.test/pay-notify/wxpay/default");
    // An order that is not to be shared here, because another provider's attempt began it, is not frozen.
    done(create("h5", "MD5", &server, other(Value::Null), json!({})).await);
    assert!(!server.last().xml().contains_key("profit_sharing"));
}

#[tokio::test]
async fn answers_are_believed_only_under_the_pinned_kind_of_sign() {
    let good = || json!({ "code_url": "weixin://x" });
    let unsigned = || {
        let mut fields = params(&json!({ "return_code": "SUCCESS", "result_code": "SUCCESS", "code_url": "x" }));
        fields.insert("mch_id".to_owned(), MCH.to_owned());
        Canned::plain(200, to_xml(&fields))
    };
    let other_kind = move || answer(good(), true);
    let other_merchant = move || answer(json!({ "code_url": "x", "mch_id": "1" }), false);
    let not_xml = || Canned::plain(200, "SUCCESS");
    let gateway_error = move || Canned { status: 502, ..answer(good(), false) };
    for server in [
        server(unsigned).await,
        server(other_kind).await,
        server(other_merchant).await,
        server(not_xml).await,
        server(gateway_error).await,
    ] {
        let created = create("h5", "MD5", &server, json!({}), json!({})).await;
        assert!(matches!(created, Err(CallError::Unknown(_))), "{created:?}");
    }
}

#[tokio::test]
async fn refusals_say_what_they_mean_in_v2_too() {
    for (code, meaning) in [
        ("NOAUTH", Some(Meaning::Unheard)),
        ("ORDERPAID", Some(Meaning::Paid)),
        ("ORDERCLOSED", Some(Meaning::Closed)),
        ("OUT_TRADE_NO_USED", Some(Meaning::NumberUsed)),
        ("SYSTEMERROR", None),
        ("BIZERR_NEED_RETRY", None),
    ] {
        let server = server(move || failed(code)).await;
        match (create("h5", "MD5", &server, json!({}), json!({})).await, meaning) {
            (Err(CallError::Refused(refusal)), Some(meaning)) => assert_eq!(refusal.meaning, meaning),
            (Err(CallError::Unknown(_)), None) => {}
            (other, _) => panic!("{code}: {other:?}"),
        }
    }
    let form = || Canned::plain(200, "<xml><return_code>FAIL</return_code><return_msg>签名错误</return_msg></xml>");
    let server = server(form).await;
    assert!(matches!(create("h5", "MD5", &server, json!({}), json!({})).await, Err(CallError::Refused(_))));
}

fn paid() -> Value {
    json!({
        "out_trade_no": "T202601010001", "transaction_id": "4200000001", "total_fee": "100", "trade_state": "SUCCESS",
        "time_end": "20260101080000", "openid": "o1",
    })
}

async fn query(change: Value) -> Result<Standing, CallError> {
    let mut fields = paid();
    fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let server = server(move || answer(fields.clone(), false)).await;
    let config = config_of("h5", v2_node(&server.base, "MD5"));
    let attempt = attempt("h5", json!({}));
    gateway(&config, "h5").query(&server.clients, &order(json!({})), &attempt, UnixMs::new(NOW)).await
}

#[tokio::test]
async fn only_explicit_states_move_an_order_in_v2() {
    for (state, wanted) in [
        ("NOTPAY", Standing::Unpaid { paying: false }),
        ("PAYERROR", Standing::Unpaid { paying: false }),
        ("USERPAYING", Standing::Unpaid { paying: true }),
        ("ACCEPT", Standing::Unpaid { paying: true }),
        ("CLOSED", Standing::Closed),
        ("REVOKED", Standing::Closed),
    ] {
        assert_eq!(query(json!({ "trade_state": state })).await, Ok(wanted), "{state}");
    }
    for state in ["SUCCESS", "REFUND"] {
        let Ok(Standing::Paid(payments)) = query(json!({ "trade_state": state })).await else { panic!() };
        let payment = &payments[0];
        assert_eq!((payment.total, payment.currency.as_str()), (Some(Fen(100)), "CNY"));
        assert_eq!(payment.paid_at, Some(UnixMs::new(NOW)));
    }
    for change in [
        json!({ "out_trade_no": "T202601010002" }),
        json!({ "appid": "wxother", "trade_state": "NOTPAY" }),
        json!({ "total_fee": "1.0" }),
        json!({ "transaction_id": "" }),
        json!({ "trade_state": "" }),
    ] {
        assert!(matches!(query(change.clone()).await, Err(CallError::Unknown(_))), "{change}");
    }
    // Whom a payment names is left to the comparison with its order.
    let Ok(Standing::Paid(payments)) = query(json!({ "appid": "wxother" })).await else { panic!() };
    assert_eq!(payments[0].app_id.as_deref(), Some("wxother"));
    let missing = json!({ "result_code": "FAIL", "err_code": "ORDERNOTEXIST" });
    assert_eq!(query(missing).await, Ok(Standing::Missing));
}

#[tokio::test]
async fn a_pay_code_waits_for_the_payer_and_is_reversed_with_a_certificate() {
    let mut at_once = paid();
    at_once.as_object_mut().unwrap().remove("trade_state");
    let fields = at_once.clone();
    let paid = server(move || answer(fields.clone(), false)).await;
    let created = done(create("codepay", "MD5", &paid, json!({}), json!({})).await);
    assert_eq!((created.order_info, created.payment.unwrap().total), (json!({ "paid": true }), Some(Fen(100))));
    assert_eq!(paid.last().target, "/pay/micropay");
    assert_eq!(paid.last().xml()["auth_code"], "130061098828009406");
    for code in ["USERPAYING", "SYSTEMERROR", "BANKERROR"] {
        let server = server(move || failed(code)).await;
        let created = done(create("codepay", "MD5", &server, json!({}), json!({})).await);
        assert_eq!((created.order_info, created.payment), (json!({ "paying": true }), None));
    }
    let refused = server(|| failed("AUTH_CODE_INVALID")).await;
    assert!(matches!(create("codepay", "MD5", &refused, json!({}), json!({})).await, Err(CallError::Refused(_))));

    let attempt = attempt("codepay", json!({}));
    let without = config_of("codepay", v2_node(&refused.base, "MD5"));
    let closed =
        gateway(&without, "codepay").close(&refused.clients, &order(json!({})), &attempt, UnixMs::new(NOW)).await;
    assert!(matches!(closed, Err(CallError::Refused(_))));
    let turn = AtomicUsize::new(0);
    let again = server(move || {
        let recall = if turn.fetch_add(1, Ordering::SeqCst) == 0 { "Y" } else { "N" };
        answer(json!({ "recall": recall }), false)
    })
    .await;
    let config = config_of("codepay", certified(&again.base));
    let closed = gateway(&config, "codepay").close(&again.clients, &order(json!({})), &attempt, UnixMs::new(NOW)).await;
    assert_eq!(closed, Ok(providers::Closing::Closed));
    assert!(again.seen().iter().all(|seen| seen.target == "/secapi/pay/reverse"));
    assert_eq!(again.seen().len(), 2);
    let ever = server(|| answer(json!({ "recall": "Y" }), false)).await;
    let config = config_of("codepay", certified(&ever.base));
    let closed = gateway(&config, "codepay").close(&ever.clients, &order(json!({})), &attempt, UnixMs::new(NOW)).await;
    assert!(matches!(closed, Err(CallError::Unknown(_))));
    assert_eq!(ever.seen().len(), 3);
}

#[tokio::test]
async fn a_close_is_verified_and_closing_twice_is_closing_once() {
    for (canned, wanted) in [
        (answer as fn(Value, bool) -> Canned, Some(Ok(providers::Closing::Closed))),
        ((|_, _| failed("ORDERCLOSED")) as fn(Value, bool) -> Canned, Some(Ok(providers::Closing::Closed))),
        ((|_, _| failed("ORDERPAID")) as fn(Value, bool) -> Canned, None),
    ] {
        let server = server(move || canned(json!({}), false)).await;
        let config = config_of("h5", v2_node(&server.base, "MD5"));
        let attempt = attempt("h5", json!({}));
        let closed = gateway(&config, "h5").close(&server.clients, &order(json!({})), &attempt, UnixMs::new(NOW)).await;
        match wanted {
            Some(wanted) => assert_eq!(closed, wanted),
            None => assert!(matches!(closed, Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::Paid)),
        }
        assert_eq!(server.last().target, "/pay/closeorder");
    }
}

async fn refund(canned: impl Fn() -> Canned + Send + Sync + 'static) -> (Result<RefundStanding, CallError>, Server) {
    let server = server(canned).await;
    let config = config_of("h5", certified(&server.base));
    let (order, attempt) = (order(json!({})), attempt("h5", json!({})));
    let outcome = gateway(&config, "h5").refund(&server.clients, &refund_request(&order, &attempt)).await;
    (outcome, server)
}

#[tokio::test]
async fn a_refund_needs_the_client_certificate() {
    let server = server(|| Canned::plain(500, "")).await;
    let config = config_of("h5", v2_node(&server.base, "MD5"));
    let (order, attempt) = (order(json!({})), attempt("h5", json!({})));
    assert!(gateway(&config, "h5").can_refund(&attempt).is_err());
    let outcome = gateway(&config, "h5").refund(&server.clients, &refund_request(&order, &attempt)).await;
    assert!(matches!(outcome, Err(CallError::Refused(_))));
    assert!(server.seen().is_empty());
    assert!(gateway(&config_of("h5", certified(&server.base)), "h5").can_refund(&attempt).is_ok());
    assert!(gateway(&config_of("h5", v3_node(&server.base)), "h5").can_refund(&attempt).is_ok());
}

#[tokio::test]
async fn an_accepted_v2_refund_is_on_its_way() {
    let accepted = json!({
        "out_refund_no": "R202601010001", "refund_id": "5030", "refund_fee": "40", "transaction_id": "4200000001",
    });
    let (outcome, server) = refund(move || answer(accepted.clone(), false)).await;
    let standing = done(outcome);
    assert_eq!(standing.progress, RefundProgress::Processing(None));
    assert_eq!((standing.refund_id.as_deref(), standing.refund), (Some("5030"), Some(Fen(40))));
    let sent = server.last().xml();
    assert_eq!(server.last().target, "/secapi/pay/refund");
    assert_eq!((sent["refund_fee"].as_str(), sent["total_fee"].as_str()), ("40", "100"));
    assert_eq!(sent["notify_url"], "https://pay.test/refund-notify/wxpay/default");
    let other = json!({ "out_refund_no": "R2", "refund_id": "5030" });
    assert!(matches!(refund(move || answer(other.clone(), false)).await.0, Err(CallError::Unknown(_))));
}

#[tokio::test]
async fn v2_refund_refusals_release_and_need_retry_does_not() {
    for (code, meaning) in [
        ("NOTENOUGH", Some(Meaning::No)),
        ("INVALID_REQ_TOO_MUCH", Some(Meaning::TooSoon)),
        ("BIZERR_NEED_RETRY", None),
        ("SYSTEMERROR", None),
    ] {
        match (refund(move || failed(code)).await.0, meaning) {
            (Err(CallError::Refused(refusal)), Some(meaning)) => assert_eq!(refusal.meaning, meaning),
            (Err(CallError::Unknown(_)), None) => {}
            (other, _) => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_right_one_of_several_refunds_is_read() {
    for (status, progress) in [
        ("SUCCESS", RefundProgress::Success),
        ("REFUNDCLOSE", RefundProgress::Closed("REFUNDCLOSE".to_owned())),
        ("CHANGE", RefundProgress::Processing(Some("ABNORMAL".to_owned()))),
        ("PROCESSING", RefundProgress::Processing(None)),
    ] {
        let fields = json!({
            "refund_count": "2", "out_refund_no_0": "R0", "refund_status_0": "SUCCESS", "refund_fee_0": "1",
            "out_refund_no_1": "R202601010001", "refund_status_1": status, "refund_fee_1": "40", "refund_id_1": "5031",
            "refund_success_time_1": "2026-01-01 08:00:00",
        });
        let server = server(move || answer(fields.clone(), false)).await;
        let config = config_of("h5", v2_node(&server.base, "MD5"));
        let attempt = attempt("h5", json!({}));
        let standing = gateway(&config, "h5")
            .query_refund(&server.clients, &order(json!({})), &attempt, &stored_refund(), UnixMs::new(NOW))
            .await;
        let standing = done(standing);
        assert_eq!((standing.progress, standing.refund), (progress, Some(Fen(40))));
        assert_eq!((standing.refund_id.as_deref(), standing.refunded_at), (Some("5031"), Some(UnixMs::new(NOW))));
    }
    let server = server(|| failed("REFUNDNOTEXIST")).await;
    let config = config_of("h5", v2_node(&server.base, "MD5"));
    let attempt = attempt("h5", json!({}));
    let standing = gateway(&config, "h5")
        .query_refund(&server.clients, &order(json!({})), &attempt, &stored_refund(), UnixMs::new(NOW))
        .await;
    assert_eq!(done(standing).progress, RefundProgress::Missing);
}
