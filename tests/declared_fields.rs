//! The fields that each action declares (`domain::fields`) are those that it asks for, and a fault names its field.

use crate::shipping::bought_as;
use crate::transfers::{alipay, wxpay};
use crate::world::{World, merge};
use sandbox::Mode;
use serde_json::{Value, json};
use shared::domain::action::{Action, Logins, Payments, Queries, Refunds, Transfers};
use shared::domain::{Field, Provider, Shape, fields};

/// The order whose shipping is asked for.
const SHIPPED: &str = "T0000009";

/// A world where every action is open to the merchant's key, with an order of a mini program that is paid.
async fn open_world() -> World {
    let world = World::with(Mode::default(), |config| {
        config["auth"]["wxpayVirtual"] = json!("key");
        config["auth"]["request"] = json!("key");
    })
    .await;
    bought_as(&world, SHIPPED, json!({})).await;
    world
}

/// Data of an action that is as it must be, for some of the providers that it may be meant for.
fn samples(action: Action) -> Vec<Value> {
    let order = |provider: Provider, more: Value| {
        let mut data = json!({
            "provider": provider, "out_trade_no": "T0000001", "total_fee": 100, "subject": "s", "type": "recharge",
            "custom": { "user_id": "user_001" }, "openid": "o1",
        });
        merge(&mut data, more);
        data
    };
    match action {
        Action::Payments(Payments::Create) => vec![
            order(Provider::Wxpay, json!({ "vk_platform": "mp-weixin" })),
            order(Provider::Appleiap, json!({ "product_id": "p" })),
            order(Provider::Vkspay, json!({})),
            order(
                Provider::WxpayVirtual,
                json!({ "wxpay_virtual": { "mode": "short_series_coin", "buy_quantity": 100 } }),
            ),
            order(Provider::Huawei, json!({ "vk_platform": "app-harmony" })),
        ],
        Action::Queries(Queries::Orders) => vec![
            json!({ "user_id": "user_001" }),
            json!({ "day": "2026-01-01" }),
            json!({ "from": "2026-01-01", "to": "2026-01-02" }),
        ],
        Action::Queries(Queries::Incidents) => vec![json!({})],
        Action::Queries(Queries::Methods) => vec![json!({ "vk_platform": "h5" })],
        Action::Refunds(Refunds::ResolveIncident) => vec![json!({ "incident_id": "i1", "action": "close" })],
        Action::Queries(Queries::Complaints) => vec![json!({ "provider": "wxpay", "complaint_id": "c1" })],
        Action::Refunds(
            Refunds::AnswerComplaint
            | Refunds::CompleteComplaint
            | Refunds::RefundComplaint
            | Refunds::SubscribeComplaints,
        ) => vec![json!({ "provider": "wxpay", "complaint_id": "c1", "response_content": "r" })],
        Action::Refunds(Refunds::UploadShipping) => vec![json!({ "out_trade_no": SHIPPED, "logistics_type": 1 })],
        Action::Refunds(Refunds::QueryShipping | Refunds::ConfirmReceive) => vec![json!({ "out_trade_no": SHIPPED })],
        Action::Refunds(Refunds::AddReceiver | Refunds::DeleteReceiver) => vec![json!({
            "provider": "wxpay", "type": "PERSONAL_OPENID", "account": "oReceiver",
            "relation_type": "CUSTOM", "custom_relation": "代理商",
        })],
        Action::Refunds(Refunds::ProfitShare) => vec![json!({
            "out_trade_no": "T0000001", "out_order_no": "S0000001",
            "receivers": [{ "type": "MERCHANT_ID", "account": "1900000100", "amount": 1, "description": "d" }],
        })],
        Action::Refunds(Refunds::UnfreezeShare) => {
            vec![json!({ "out_trade_no": "T0000001", "out_order_no": "S0000001" })]
        }
        Action::Refunds(Refunds::ReturnShare) => vec![json!({
            "out_trade_no": "T0000001", "out_order_no": "S0000001", "out_return_no": "SR000001",
            "return_mchid": "1900000100", "amount": 1,
        })],
        Action::Refunds(Refunds::QueryShare) => {
            vec![json!({ "out_trade_no": "T0000001", "out_order_no": "S0000001" })]
        }
        Action::Transfers(Transfers::Transfer) => {
            let scene = json!({
                "transfer_scene_id": "1000",
                "transfer_scene_report_infos": [{ "info_type": "a", "info_content": "b" }],
            });
            let (mut first, second) = (wxpay("B0000001", 100), alipay("B0000002", 100));
            merge(&mut first, scene);
            vec![first, second]
        }
        Action::Refunds(Refunds::ApplyAbnormal) => vec![json!({
            "out_trade_no": SHIPPED, "out_refund_no": "R0000001", "type": "USER_BANK_CARD",
            "bank_type": "ICBC_DEBIT", "bank_account": "6222021234567890123", "real_name": "n",
        })],
        Action::Transfers(Transfers::Request) => {
            vec![json!({ "provider": "wxpay", "method": "GET", "path": "/v3/certificates" })]
        }
        Action::Transfers(Transfers::QueryBalance | Transfers::QueryAccountBalance) => {
            vec![json!({ "provider": "wxpay" })]
        }
        Action::Transfers(Transfers::Query | Transfers::Cancel | Transfers::Receipt) => {
            vec![json!({ "out_bill_no": "B1" }), json!({})]
        }
        Action::Transfers(Transfers::Authorize) => {
            let data = json!({
                "provider": "wxpay", "out_authorization_no": "A0000001", "openid": "o1", "user_display_name": "u1",
            });
            vec![data]
        }
        Action::Transfers(Transfers::QueryAuthorization | Transfers::CloseAuthorization) => {
            vec![json!({ "out_authorization_no": "A0000001" }), json!({})]
        }
        Action::Transfers(_) => {
            vec![json!({ "openid": "o1", "amount": 1, "out_trade_no": "T0000001", "out_refund_no": "R0000001" })]
        }
        Action::Logins(Logins::Any) => vec![json!({ "provider": "wxpay", "code": "c" })],
        Action::Logins(_) => vec![json!({ "code": "c" })],
        _ => vec![json!({ "out_trade_no": "T0000001", "transaction_receipt": "r", "transaction_identifier": "t" })],
    }
}

/// What an action answers: status, and the field that it names flat and in the data.
async fn named(world: &World, action: Action, data: &Value) -> (u16, Option<String>) {
    let body = json!({ "action": action.name(), "data": data });
    let (status, reply) = world.call(action.function(), body).await;
    assert_eq!(reply["field"], reply["data"]["field"], "{reply}");
    let field = reply["field"].as_str().map(str::to_owned);
    if let Some(field) = field.as_ref().filter(|_| status == 400) {
        let (msg, own) = (reply["msg"].as_str().expect("a text"), field.rsplit('.').next().unwrap_or_default());
        assert!(msg.contains(own), "the text names the field too: {reply}");
    }
    (status, field)
}

#[tokio::test]
async fn a_request_without_a_needed_field_is_refused_and_told_which() {
    let world = open_world().await;
    for action in Action::ALL.iter().copied() {
        for field in fields::of(action).iter().filter(|field| field.needed) {
            let mut data = samples(action).remove(0);
            data.as_object_mut().expect("an object").remove(field.name);
            let told = named(&world, action, &data).await;
            assert_eq!(told, (400, Some(field.name.to_owned())), "{} without {}", action.name(), field.name);
        }
    }
}

/// Whether any value of a field is taken.
const fn is_lenient(field: &Field) -> bool {
    matches!(field.shape, Shape::Flag | Shape::Lenient(_))
}

#[tokio::test]
async fn every_declared_field_is_read_and_a_wrong_value_names_it() {
    let world = open_world().await;
    for action in Action::ALL.iter().copied() {
        for field in fields::of(action).iter().filter(|field| !is_lenient(field)) {
            let mut told = Vec::new();
            for mut data in samples(action) {
                data[field.name] = json!([1]);
                told.push(named(&world, action, &data).await);
            }
            let is_named = |(status, at): &(u16, Option<String>)| {
                let name = at.as_deref().and_then(|at| at.split('[').next());
                (*status, name) == (field.code.status, Some(field.name))
            };
            assert!(told.iter().any(is_named), "{}: {} is not read: {told:?}", action.name(), field.name);
        }
    }
}

#[tokio::test]
async fn a_fault_of_an_amount_says_its_unit_in_both_languages() {
    let world = open_world().await;
    let (status, reply) = world.create("T0000001", json!({ "total_fee": 1.5 })).await;
    assert_eq!((status, &reply["code"], &reply["field"]), (400, &json!(1003), &json!("total_fee")));
    let msg = reply["msg"].as_str().expect("a text");
    assert!(msg.contains("单位分") && msg.contains("in fen") && msg.contains("100 for 1.00 yuan"), "{msg}");
    let (_, reply) = world.create("T0000001", json!({ "time_expire": "2026-11-30" })).await;
    assert!(reply["msg"].as_str().is_some_and(|msg| msg.contains("milliseconds")), "{reply}");
}

#[tokio::test]
async fn a_fault_below_an_object_is_named_by_its_path() {
    let world = open_world().await;
    let payee = |info: Value| json!({ "provider": "alipay", "out_bill_no": "B1", "transfer_amount": 100, "desc": "d", "payee_info": info });
    for (info, field) in [
        (json!({}), "payee_info.identity"),
        (json!({ "identity": "a@example.com" }), "payee_info.name"),
        (json!({ "identity": "a@example.com", "identity_type": "X" }), "payee_info.identity_type"),
        (json!({ "identity": "a@example.com", "cert_no": "1" }), "payee_info.cert_no"),
    ] {
        let told = named(&world, Action::Transfers(Transfers::Transfer), &payee(info)).await;
        assert_eq!(told, (400, Some(field.to_owned())));
    }
}

#[tokio::test]
async fn what_a_caller_may_not_choose_is_named_as_well() {
    let world = World::with(Mode::default(), |config| config["auth"]["createPayment"] = json!("none")).await;
    let order = json!({
        "provider": "wxpay", "out_trade_no": "T0000001", "total_fee": 100, "subject": "s", "type": "recharge",
        "vk_platform": "h5", "custom": { "user_id": "user_001" }, "other": { "goods_tag": "x" },
    });
    let (status, reply) = world.post(&world.url("create-payment"), json!({ "data": order }), None).await;
    assert_eq!((status, &reply["field"]), (403, &json!("other.goods_tag")), "{reply}");
}
