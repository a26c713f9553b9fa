//! Orders over APIv3: what is sent, what of the answer is believed, and what the client gets.

use super::wxpay_kit::*;
use crypto::rsa::PublicKey;
use domain::{Fen, Order, UnixMs};
use providers::Config;
use providers::wxpay::signing::{invoke_message, request_message};
use providers::{CallError, Created, Meaning, Standing};
use serde_json::{Value, json};

async fn create(
    node: &str,
    config: &Config,
    server: &Server,
    order: &Order,
    more: Value,
) -> Result<Created, CallError> {
    let attempt = attempt(node, more);
    gateway(config, node).create(&server.clients, &create_request(order, &attempt)).await
}

async fn prepay_server() -> Server {
    Server::start(|seen| match seen.target.rsplit('/').next() {
        Some("native") => Canned::json(&json!({ "code_url": "weixin://wxpay/bizpayurl?pr=p4lpSuKzz" })),
        Some("h5") => Canned::json(&json!({ "h5_url": "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?x=1" })),
        _ => Canned::json(&json!({ "prepay_id": "wx261153585405162d4d02642eabe7000000" })),
    })
    .await
}

/// Verifies `Authorization` over the request as the server saw it.
fn assert_signed(seen: &Seen) {
    let value = seen.headers["authorization"].to_str().unwrap();
    let fields = value.strip_prefix("WECHATPAY2-SHA256-RSA2048 ").unwrap();
    let field = |name: &str| {
        let mut pairs = fields.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).unwrap().1.trim_matches('"').to_owned()
    };
    assert_eq!((field("mchid").as_str(), field("serial_no").as_str()), (MCH, MERCHANT.serial.as_str()));
    let seconds: i64 = field("timestamp").parse().unwrap();
    assert_eq!(seconds, NOW / 1000);
    let message = request_message(&seen.method, &seen.target, seconds, &field("nonce_str"), &seen.body);
    let key = PublicKey::parse(&MERCHANT.public_pem).unwrap();
    assert!(key.verify(&message, &field("signature")), "the bytes signed are the bytes sent");
    for name in ["accept", "user-agent"] {
        assert!(!seen.headers[name].is_empty());
    }
    assert_eq!(seen.headers["wechatpay-serial"], PUB_KEY_ID);
}

fn done(outcome: Result<Created, CallError>) -> Created {
    match outcome {
        Ok(created) => created,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_native_order_sends_what_is_set_and_nothing_else() {
    let server = prepay_server().await;
    let config = config_of("h5", v3_node(&server.base));
    let created = done(create("h5", &config, &server, &order(json!({})), json!({ "openid": null })).await);
    let seen = server.last();
    assert_signed(&seen);
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v3/pay/transactions/native"));
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(
        seen.text(),
        json!({
            "appid": APP, "mchid": MCH, "description": "余额充值", "out_trade_no": "T202601010001",
            "time_expire": "2026-01-01T10:00:00+08:00", "notify_url": "https://pay.test/pay-notify/wxpay/default",
            "amount": { "total": 100, "currency": "CNY" },
        })
        .to_string()
    );
    assert_eq!(created.order_info, json!({ "codeUrl": "weixin://wxpay/bizpayurl?pr=p4lpSuKzz" }));
    assert_eq!(created.code_url.as_deref(), Some("weixin://wxpay/bizpayurl?pr=p4lpSuKzz"));
    assert!(created.fresh_until.get() > NOW && created.fresh_until.get() < NOW + 7_200_000);
}

#[tokio::test]
async fn jsapi_parameters_are_signed_for_the_client() {
    for node in ["mp-weixin", "h5-weixin"] {
        let server = prepay_server().await;
        let config = config_of(node, v3_node(&server.base));
        let created = done(create(node, &config, &server, &order(json!({})), json!({})).await);
        assert_eq!(server.last().target, "/v3/pay/transactions/jsapi");
        assert_eq!(server.last().json()["payer"], json!({ "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" }));
        let info = &created.order_info;
        let text = |key: &str| info[key].as_str().unwrap().to_owned();
        assert_eq!((text("signType"), text("appId")), ("RSA".to_owned(), APP.to_owned()));
        assert_eq!(text("package"), "prepay_id=wx261153585405162d4d02642eabe7000000");
        let message = invoke_message(APP, text("timeStamp").parse().unwrap(), &text("nonceStr"), &text("package"));
        assert!(PublicKey::parse(&MERCHANT.public_pem).unwrap().verify(&message, &text("paySign")));
    }
}

#[tokio::test]
async fn app_parameters_have_uni_apps_names() {
    let server = prepay_server().await;
    let config = config_of("app-plus", v3_node(&server.base));
    let created = done(create("app-plus", &config, &server, &order(json!({})), json!({})).await);
    assert_eq!(server.last().target, "/v3/pay/transactions/app");
    let info = &created.order_info;
    let text = |key: &str| info[key].as_str().unwrap().to_owned();
    assert_eq!((text("package"), text("partnerid")), ("Sign=WXPay".to_owned(), MCH.to_owned()));
    let message = invoke_message(APP, text("timestamp").parse().unwrap(), &text("noncestr"), &text("prepayid"));
    assert!(PublicKey::parse(&MERCHANT.public_pem).unwrap().verify(&message, &text("sign")));
}

#[tokio::test]
async fn mweb_says_who_pays_where_and_lives_five_minutes_at_most() {
    let server = prepay_server().await;
    let mut node = v3_node(&server.base);
    node["sceneInfo"] = json!({ "h5_info": { "type": "Wap", "wap_url": "https://shop.test", "wap_name": "Shop" } });
    let config = config_of("mweb", node);
    let created = done(create("mweb", &config, &server, &order(json!({})), json!({})).await);
    assert_eq!(server.last().target, "/v3/pay/transactions/h5");
    assert_eq!(
        server.last().json()["scene_info"],
        json!({
            "payer_client_ip": "203.0.113.7",
            "h5_info": { "type": "Wap", "app_name": "Shop", "app_url": "https://shop.test" },
        })
    );
    assert_eq!(created.order_info["mwebUrl"], created.order_info["mweb_url"]);
    assert!(created.order_info["mwebUrl"].as_str().unwrap().starts_with("https://wx.tenpay.com/"));
    assert!(created.fresh_until.get() < NOW + 300_000);
}

#[tokio::test]
async fn nothing_is_fresh_after_the_orders_own_end() {
    let server = prepay_server().await;
    let config = config_of("h5", v3_node(&server.base));
    let order = order(json!({ "time_expire": NOW + 90_000 }));
    let created = done(create("h5", &config, &server, &order, json!({})).await);
    assert_eq!(created.fresh_until.get(), NOW + 90_000);
}

/// The names of a body in the order in which they were sent.
fn names(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_partner_order_names_both_merchants() {
    let server = prepay_server().await;
    let config = config_of("mp-weixin", v3_node(&server.base));
    let plain = json!({ "sub_mchid": "1900000109" });
    done(create("mp-weixin", &config, &server, &order(json!({})), plain).await);
    let body = server.last().json();
    assert_eq!(server.last().target, "/v3/pay/partner/transactions/jsapi");
    assert_eq!(
        names(&body).join(" "),
        "sp_appid sp_mchid sub_mchid description out_trade_no time_expire notify_url amount payer"
    );
    assert_eq!((&body["sp_appid"], &body["sp_mchid"]), (&json!(APP), &json!(MCH)));
    assert_eq!(body["sub_mchid"], "1900000109");
    assert_eq!(body["payer"], json!({ "sp_openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" }));
    for absent in ["appid", "mchid", "sub_appid"] {
        assert!(body.get(absent).is_none());
    }
    let own_app = json!({ "sub_mchid": "1900000109", "sub_appid": "wxsub" });
    let created = done(create("mp-weixin", &config, &server, &order(json!({})), own_app).await);
    assert_eq!(server.last().json()["sub_appid"], "wxsub");
    assert_eq!(server.last().json()["payer"], json!({ "sub_openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" }));
    assert_eq!(created.order_info["appId"], "wxsub");
}

#[tokio::test]
async fn other_is_merged_and_never_touches_what_is_ours() {
    let server = prepay_server().await;
    let config = config_of("h5", v3_node(&server.base));
    let mut order = order(json!({ "other": {
        "attach": "a", "goods_tag": "WXG", "profit_sharing": "Y", "support_fapiao": true, "limit_pay": "no_credit",
        "detail": "{\"cost_price\":1,\"goods_detail\":[{\"merchant_goods_id\":\"1\",\"quantity\":1,\"unit_price\":1}]}",
        "scene_info": { "device_id": "POS1", "store_info": null }, "nothing": null,
        "amount": { "total": 1 }, "appid": "wxevil", "mchid": "1", "out_trade_no": "x", "payer": { "openid": "x" },
        "notify_url": "https://evil.test", "description": "x", "time_expire": "x", "sp_mchid": "1", "sub_mchid": "1",
    } }));
    order.sharing = Some(domain::Sharing::default());
    done(create("h5", &config, &server, &order, json!({})).await);
    let body = server.last().json();
    assert_eq!(
        names(&body).join(" "),
        "appid mchid description out_trade_no time_expire notify_url amount \
         attach goods_tag settle_info support_fapiao limit_pay detail scene_info"
    );
    assert_eq!(body["attach"], "a");
    assert_eq!(body["goods_tag"], "WXG");
    assert_eq!(body["settle_info"], json!({ "profit_sharing": true }));
    assert_eq!(body["support_fapiao"], true);
    assert_eq!(body["limit_pay"], json!(["no_credit"]));
    assert_eq!(body["detail"]["cost_price"], 1);
    assert_eq!(body["scene_info"], json!({ "device_id": "POS1", "payer_client_ip": "203.0.113.7" }));
    assert_eq!(body["amount"], json!({ "total": 100, "currency": "CNY" }));
    assert_eq!((&body["appid"], &body["mchid"]), (&json!(APP), &json!(MCH)));
    assert_eq!(body["notify_url"], "https://pay.test/pay-notify/wxpay/default");
    assert_eq!(body["description"], "余额充值");
    for absent in ["payer", "nothing", "profit_sharing", "sp_mchid", "sub_mchid"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
    // An order that is not to be shared here, because another provider's attempt began it, is not frozen either.
    order.sharing = None;
    done(create("h5", &config, &server, &order, json!({})).await);
    assert!(server.last().json().get("settle_info").is_none());
}

#[tokio::test]
async fn refusals_say_what_they_mean_and_the_rest_stays_open() {
    for (status, code, meaning) in [
        (400, "PARAM_ERROR", Some(Meaning::No)),
        (401, "SIGN_ERROR", Some(Meaning::Unheard)),
        (400, "ORDERPAID", Some(Meaning::Paid)),
        (400, "ORDER_CLOSED", Some(Meaning::Closed)),
        (403, "OUT_TRADE_NO_USED", Some(Meaning::NumberUsed)),
        (429, "FREQUENCY_LIMITED", None),
        (400, "SYSTEM_ERROR", None),
        (500, "SYSTEM_ERROR", None),
        (502, "", None),
        (404, "", None),
        (202, "", None),
        (302, "", None),
    ] {
        let server = Server::start(move |_| Canned::error(status, code)).await;
        let config = config_of("h5", v3_node(&server.base));
        match (create("h5", &config, &server, &order(json!({})), json!({})).await, meaning) {
            (Err(CallError::Refused(refusal)), Some(meaning)) => {
                assert_eq!((refusal.code.as_str(), refusal.meaning), (code, meaning));
            }
            (Err(CallError::Unknown(_)), None) => {}
            (other, _) => panic!("{status} {code}: {other:?}"),
        }
        assert_eq!(server.seen().len(), 1, "nothing is sent twice");
    }
    let config = config_of("h5", v3_node("http://127.0.0.1:1"));
    let server = prepay_server().await;
    assert!(matches!(create("h5", &config, &server, &order(json!({})), json!({})).await, Err(CallError::Unknown(_))));
}

type Answer = fn(&str) -> Canned;

fn answers_that_cannot_be_verified() -> Vec<(&'static str, Answer)> {
    vec![
        ("unsigned", |b| Canned::plain(200, b)),
        ("a probe", |b| {
            let mut canned = Canned::signed(200, b);
            canned.headers.insert("wechatpay-signature", "WECHATPAY/SIGNTEST/x".parse().unwrap());
            canned
        }),
        ("another key", |b| {
            let mut canned = Canned::signed(200, b);
            canned.headers = signed_by(&STRANGER.private, PUB_KEY_ID, NOW, b.as_bytes());
            canned
        }),
        ("another serial", |b| {
            let mut canned = Canned::signed(200, b);
            canned.headers.insert("wechatpay-serial", "PUB_KEY_ID_2".parse().unwrap());
            canned
        }),
        ("too old", |b| {
            let mut canned = Canned::signed(200, b);
            canned.headers = signed_by(&PLATFORM.private, PUB_KEY_ID, NOW - 300_000, b.as_bytes());
            canned
        }),
        ("altered", |b| {
            let mut canned = Canned::signed(200, b);
            canned.body.push(b' ');
            canned
        }),
        ("not JSON", |_| Canned::signed(200, "x")),
        ("empty object", |_| Canned::signed(200, "{}")),
    ]
}

#[tokio::test]
async fn a_2xx_that_cannot_be_verified_is_unknown() {
    const BODY: &str = r#"{"code_url":"weixin://x"}"#;
    for (name, answer) in answers_that_cannot_be_verified() {
        let server = Server::start(move |_| answer(BODY)).await;
        let config = config_of("h5", v3_node(&server.base));
        let created = create("h5", &config, &server, &order(json!({})), json!({})).await;
        assert!(matches!(created, Err(CallError::Unknown(_))), "{name}: {created:?}");
    }
}

async fn query(
    answer: impl Fn() -> Canned + Send + Sync + 'static,
    more: Value,
) -> (Result<Standing, CallError>, Seen) {
    let server = Server::start(move |_| answer()).await;
    let config = config_of("h5", v3_node(&server.base));
    let standing =
        gateway(&config, "h5").query(&server.clients, &order(json!({})), &attempt("h5", more), UnixMs::new(NOW)).await;
    (standing, server.last())
}

async fn standing_of(change: Value) -> Result<Standing, CallError> {
    let mut object = paid_order();
    object.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    query(move || Canned::json(&object), json!({})).await.0
}

#[tokio::test]
async fn a_query_asks_by_number_with_the_path_encoded() {
    let (standing, seen) = query(|| Canned::json(&paid_order()), json!({ "number": "T202601010001" })).await;
    assert_signed(&seen);
    assert_eq!(seen.target, format!("/v3/pay/transactions/out-trade-no/T202601010001?mchid={MCH}"));
    let Ok(Standing::Paid(payments)) = standing else { panic!("{standing:?}") };
    let payment = &payments[0];
    assert_eq!((payment.total, payment.currency.as_str()), (Some(Fen(100)), "CNY"));
    assert_eq!(payment.paid_at, Some(UnixMs::new(NOW)));
    let (_, seen) = query(|| Canned::error(404, "ORDER_NOT_EXIST"), json!({ "number": "a|b*c-d" })).await;
    assert_eq!(seen.target, format!("/v3/pay/transactions/out-trade-no/a%7Cb%2Ac-d?mchid={MCH}"));
    assert_signed(&seen);
    let (_, seen) = query(|| Canned::error(404, "ORDER_NOT_EXIST"), json!({ "sub_mchid": "19000109" })).await;
    assert_eq!(
        seen.target,
        format!("/v3/pay/partner/transactions/out-trade-no/T202601010001?sp_mchid={MCH}&sub_mchid=19000109")
    );
}

#[tokio::test]
async fn only_explicit_states_move_an_order() {
    for (state, wanted) in [
        ("NOTPAY", Standing::Unpaid { paying: false }),
        ("PAYERROR", Standing::Unpaid { paying: false }),
        ("USERPAYING", Standing::Unpaid { paying: true }),
        ("CLOSED", Standing::Closed),
        ("REVOKED", Standing::Closed),
        ("SOMETHING_NEW", Standing::Unpaid { paying: true }),
        ("success", Standing::Unpaid { paying: true }),
    ] {
        assert_eq!(standing_of(json!({ "trade_state": state })).await, Ok(wanted), "{state}");
    }
    for state in ["SUCCESS", "REFUND"] {
        let standing = standing_of(json!({ "trade_state": state })).await;
        assert!(matches!(standing, Ok(Standing::Paid(_))), "{state}");
    }
}

#[tokio::test]
async fn an_answer_about_another_order_is_unknown() {
    for change in [
        json!({ "out_trade_no": "T202601010002" }),
        json!({ "mchid": "1900000002", "trade_state": "NOTPAY" }),
        json!({ "appid": "wxother", "trade_state": "CLOSED" }),
        json!({ "sub_mchid": "1900000002", "trade_state": "NOTPAY" }),
        json!({ "trade_state": null }),
        json!({ "amount": null }),
        json!({ "amount": { "total": 1.5, "currency": "CNY" } }),
        json!({ "transaction_id": "" }),
    ] {
        let standing = standing_of(change.clone()).await;
        assert!(matches!(standing, Err(CallError::Unknown(_))), "{change}: {standing:?}");
    }
}

#[tokio::test]
async fn whom_a_payment_names_is_left_to_the_comparison_with_its_order() {
    let change = json!({ "mchid": "1900000002", "appid": "wxother", "sub_mchid": "1900000003" });
    let Ok(Standing::Paid(payments)) = standing_of(change).await else { panic!("it is paid") };
    let payment = &payments[0];
    assert_eq!((payment.mch_id.as_deref(), payment.app_id.as_deref()), (Some("1900000002"), Some("wxother")));
    assert_eq!(payment.parties.sub_mch_id.as_deref(), Some("1900000003"));
}

#[tokio::test]
async fn only_a_named_absence_is_an_absence() {
    for code in ["ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS"] {
        let (standing, _) = query(move || Canned::error(404, code), json!({})).await;
        assert_eq!(standing, Ok(Standing::Missing));
    }
    let (standing, _) = query(|| Canned::plain(404, ""), json!({})).await;
    assert!(matches!(standing, Err(CallError::Unknown(_))));
    let (standing, _) = query(|| Canned::error(404, "MCH_NOT_EXISTS"), json!({})).await;
    assert!(matches!(standing, Err(CallError::Refused(_))));
}

async fn close(answer: impl Fn() -> Canned + Send + Sync + 'static) -> (Result<providers::Closing, CallError>, Seen) {
    let server = Server::start(move |_| answer()).await;
    let config = config_of("h5", v3_node(&server.base));
    let attempt = attempt("h5", json!({}));
    (gateway(&config, "h5").close(&server.clients, &order(json!({})), &attempt, UnixMs::new(NOW)).await, server.last())
}

#[tokio::test]
async fn a_close_is_a_signed_204_and_closing_twice_is_closing_once() {
    let (closed, seen) = close(|| Canned::signed(204, "")).await;
    assert_eq!(closed, Ok(providers::Closing::Closed));
    assert_signed(&seen);
    assert_eq!(seen.target, "/v3/pay/transactions/out-trade-no/T202601010001/close");
    assert_eq!(seen.json(), json!({ "mchid": MCH }));
    assert_eq!(close(|| Canned::error(400, "ORDER_CLOSED")).await.0, Ok(providers::Closing::Closed));
    assert!(matches!(close(|| Canned::plain(204, "")).await.0, Err(CallError::Unknown(_))), "an unsigned 204");
    for code in ["USERPAYING", "USER_PAYING"] {
        let (paying, _) = close(move || Canned::error(400, code)).await;
        assert_eq!(paying, Ok(providers::Closing::Paying), "{code}");
    }
    let (paid, _) = close(|| Canned::error(400, "ORDERPAID")).await;
    assert!(matches!(paid, Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::Paid));
}

#[tokio::test]
async fn a_pay_code_is_paid_at_once_or_left_to_be_asked_for() {
    let ways: [(Answer, Value, bool); 3] = [
        (|_| Canned::json(&paid_order()), json!({ "paid": true }), true),
        (|_| Canned::error(400, "USERPAYING"), json!({ "paying": true }), false),
        (|_| Canned::plain(503, ""), json!({ "paying": true }), false),
    ];
    for (answer, info, paid) in ways {
        let server = Server::start(move |_| answer("")).await;
        let config = config_of("codepay", v3_node(&server.base));
        let (order, attempt) = (order(json!({})), attempt("codepay", json!({})));
        let mut request = create_request(&order, &attempt);
        request.auth_code = Some("130061098828009406");
        request.store_id = Some("0001");
        let created = done(gateway(&config, "codepay").create(&server.clients, &request).await);
        assert_eq!((created.order_info, created.payment.is_some()), (info, paid));
        let body = server.last().json();
        assert_eq!(names(&body).join(" "), "appid mchid description out_trade_no payer amount scene_info");
        assert_eq!(body["payer"], json!({ "auth_code": "130061098828009406" }));
        assert_eq!(body["scene_info"], json!({ "store_info": { "id": "0001" } }));
        assert!(body.get("notify_url").is_none());
    }
}

// What is refused before anything is sent.

fn fault(node: &str, order_with: Value, attempt_with: Value, auth_code: Option<&str>) -> Option<&'static str> {
    let config = config_of(node, v3_node("http://127.0.0.1:1"));
    let (order, attempt) = (order(order_with), attempt(node, attempt_with));
    let mut request = create_request(&order, &attempt);
    request.auth_code = auth_code;
    request.store_id = auth_code.map(|_| "0001");
    gateway(&config, node).check(&request).err().map(|(field, _)| field)
}

#[test]
fn shapes_that_wechat_refuses_are_refused_by_their_field() {
    let plain = || json!({});
    for node in ["mp-weixin", "h5-weixin", "app-plus", "h5", "mweb"] {
        assert_eq!(fault(node, plain(), plain(), None), None, "{node}");
    }
    for node in ["mp-weixin", "h5-weixin"] {
        assert_eq!(fault(node, plain(), json!({ "openid": null }), None), Some("openid"));
        assert_eq!(fault(node, plain(), json!({ "openid": "" }), None), Some("openid"));
    }
    assert_eq!(fault("h5", plain(), json!({ "openid": null }), None), None);
    assert_eq!(fault("mweb", plain(), json!({ "client_ip": "unknown" }), None), Some("client_ip"));
    for number in ["T2026", "T20260101000112345678901234567890x", "T20260101.1", "T2026 0101", "订单订单订单"] {
        assert_eq!(fault("h5", plain(), json!({ "number": number }), None), Some("out_trade_no"), "{number}");
    }
    assert_eq!(fault("h5", plain(), json!({ "number": "a_b-c|d*e" }), None), None);
    assert_eq!(fault("h5", json!({ "description": "字".repeat(127) }), plain(), None), None);
    for text in ["字".repeat(128), String::new(), "🎁".to_owned(), "a\nb".to_owned()] {
        assert_eq!(fault("h5", json!({ "description": text }), plain(), None), Some("subject"), "{text}");
    }
    for (left, ok) in
        [(-1, false), (0, false), (30_000, false), (60_000, true), (604_800_000, true), (604_800_001, false)]
    {
        let found = fault("h5", json!({ "time_expire": NOW + left }), plain(), None);
        assert_eq!(found.is_none(), ok, "{left}");
    }
    for (url, ok) in [
        ("http://127.0.0.1:9000/pay-notify/wxpay/default", true),
        ("http://pay.test/x", false),
        ("https://pay.test/x?a=1", false),
        ("pay.test", false),
    ] {
        let found = fault("h5", json!({ "notify_url": url }), plain(), None);
        assert_eq!(found, (!ok).then_some("notify_url"), "{url}");
    }
    assert_eq!(fault("codepay", plain(), plain(), Some("130061098828009406")), None);
    for code in [None, Some(""), Some("13006109882800940"), Some("160061098828009406"), Some("13006109882800940x")] {
        assert_eq!(fault("codepay", plain(), plain(), code), Some("auth_code"));
    }
    let config = config_of("codepay", v3_node("http://127.0.0.1:1"));
    let (order, attempt) = (order(plain()), attempt("codepay", plain()));
    let mut request = create_request(&order, &attempt);
    request.auth_code = Some("130061098828009406");
    let missing = gateway(&config, "codepay").check(&request).err().map(|(field, _)| field);
    assert_eq!(missing, Some("store_id"));
    assert!(fault("transfer", plain(), plain(), None).is_some());
}
