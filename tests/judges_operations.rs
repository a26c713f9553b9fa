//! The judges of `judges.rs` in the providers' place for what merchants do besides payments: transfers without
//! confirmation, receipts, complaints, profit sharing, stuck refunds, balances and the fund-flow bill, shipping and virtual
//! payment. They verify every request, open what is sealed to them, seal what is the merchant's, and tell of what happens,
//! forged and genuine.

use crate::judges::{Gateway, Script, V3_FORGERIES, installed};
use crate::transfers::{NAME, OPENID, wxpay};
use crate::world::World;
use sandbox::Mode;
use serde_json::{Value, json};

const SUPPLIER: &str = "1900000100";
const SUPPLIER_NAME: &str = "某某供应商有限公司";
const CARD: &str = "6222021234567890123";

/// With WeChat Pay's public key, and with platform certificates.
fn modes() -> [Mode; 2] {
    [Mode::default(), Mode { wxpay_public_key: false, ..Mode::default() }]
}

async fn of_wxpay(mode: Mode) -> (Gateway, World) {
    let gateway = Gateway::start(Script::Python("wechat_gateway.py")).await;
    let (world, _) = gateway
        .world_with(mode, |config| {
            config["auth"]["wxpayVirtual"] = json!("key");
            config["shipping"] = json!({ "recharge": "manual" });
            for section in ["wxpay", "wxpay-virtual"] {
                for node in config[section].as_object_mut().expect("nodes").values_mut() {
                    node["complaints"] = json!(true);
                }
            }
        })
        .await;
    happen(&gateway, "base", json!({ "base": gateway.base })).await;
    (gateway, world)
}

async fn happen(gateway: &Gateway, what: &str, more: Value) -> Value {
    let mut wish = json!({ "what": what });
    crate::world::merge(&mut wish, more);
    gateway.tell("happen", wish).await
}

async fn done(world: &World, function: &str, action: &str, data: Value) -> Value {
    let (status, answer) = world.call(function, json!({ "action": format!("pay/{action}"), "data": data })).await;
    assert_eq!(status, 200, "{action}: {answer}");
    answer
}

/// An order that is paid at the judge.
async fn sold(gateway: &Gateway, world: &World, no: &str, data: Value) {
    let (status, made) = world.create(no, data).await;
    assert_eq!(status, 200, "{made}");
    gateway.tell("pay", json!({ "number": no })).await;
    let paid = done(world, "query-payment", "queryPayment", json!({ "out_trade_no": no })).await;
    assert_eq!(paid["trade_state"], "SUCCESS", "{paid}");
}

fn event(name: &str, number: &str, mode: Mode) -> Value {
    json!({ "event": name, "number": number, "public_key": mode.wxpay_public_key })
}

#[tokio::test]
async fn python_verifies_transfers_without_confirmation_and_their_receipts() {
    let Some(()) = installed() else { return };
    for mode in modes() {
        let (gateway, world) = of_wxpay(mode).await;
        let wish = json!({
            "provider": "wxpay", "out_authorization_no": "AUTH0001", "openid": OPENID, "user_display_name": "会员001",
        });
        let asked = done(&world, "transfer", "createUserConfirmAuthorization", wish).await;
        assert_eq!(asked["state"], "WAIT_USER_CONFIRM", "{asked}");
        happen(&gateway, "authorize", json!({ "number": "AUTH0001" })).await;
        let items = async || json!(world.kind("authorization").await);
        let given = event("MCHTRANSFER.AUTHORIZATION.CONFIRMED", "AUTH0001", mode);
        gateway.gives_notice(given, &V3_FORGERIES, items).await;
        assert_eq!(items().await[0]["state"], "TAKING_EFFECT");

        let mut under = wxpay("UNDER1", 250_000);
        under["openid"] = Value::Null;
        under["out_authorization_no"] = json!("AUTH0001");
        under["user_name"] = json!(NAME);
        assert_eq!(done(&world, "transfer", "transfer", under).await["state"], "SUCCESS");
        assert_eq!(happen(&gateway, "opened", json!({})).await["user_name"], NAME, "sealed to the key that is named");

        let named = done(&world, "transfer", "transfer", wxpay("BILL1", 100)).await;
        assert_eq!(named["state"], "WAIT_USER_CONFIRM", "{named}");
        happen(&gateway, "confirm", json!({ "number": "BILL1" })).await;
        let ledger = async || world.ledger("BILL1").await;
        gateway.gives_notice(event("MCHTRANSFER.BILL.FINISHED", "BILL1", mode), &V3_FORGERIES, ledger).await;
        assert_eq!(ledger().await["state"], "SUCCESS");

        let receipt = json!({ "out_bill_no": "UNDER1" });
        assert_eq!(done(&world, "transfer", "transferReceipt", receipt.clone()).await["state"], "GENERATING");
        let made = done(&world, "transfer", "transferReceipt", receipt).await;
        assert!(made["file"].as_str().is_some_and(|file| file.starts_with("JVBERi0xLjQK")), "{made}");

        done(&world, "transfer", "queryUserConfirmAuthorization", json!({ "out_authorization_no": "AUTH0001" })).await;
        happen(&gateway, "revoke", json!({ "number": "AUTH0001" })).await;
        let closed = event("MCHTRANSFER.AUTHORIZATION.CLOSED", "AUTH0001", mode);
        gateway.gives_notice(closed, &V3_FORGERIES, items).await;
        assert_eq!(items().await[0]["state"], "CLOSED");
        let wish = json!({
            "provider": "wxpay", "out_authorization_no": "AUTH0002", "openid": OPENID, "user_display_name": "会员002",
        });
        done(&world, "transfer", "createUserConfirmAuthorization", wish).await;
        let closed =
            done(&world, "transfer", "closeUserConfirmAuthorization", json!({ "out_authorization_no": "AUTH0002" }))
                .await;
        assert_eq!(closed["state"], "CLOSED", "{closed}");

        let balance = done(&world, "transfer", "queryBalance", json!({ "provider": "wxpay" })).await;
        assert_eq!((&balance["available_amount"], &balance["pending_amount"]), (&json!(123_456), &json!(7)));
        let run = world.run(json!({ "job": "bills", "provider": "wxpay", "direct": true })).await;
        assert_eq!(run["errors"], 0, "{run}");
        gateway
            .found_right(&[
                ("authorize", 2),
                ("authorization_query", 1),
                ("authorization_close", 1),
                ("authorized_transfer", 1),
                ("transfer", 1),
                ("receipt", 1),
                ("receipt_query", 1),
                ("file", 2),
                ("balance", 1),
                ("fund_flow", 1),
            ])
            .await;
    }
}

#[tokio::test]
async fn python_verifies_complaints_at_wxpay_and_the_telephone_number_that_it_seals_is_opened_and_masked() {
    let Some(()) = installed() else { return };
    for mode in modes() {
        let (gateway, world) = of_wxpay(mode).await;
        sold(&gateway, &world, "JUDGE_C1", json!({})).await;
        for _ in 0..2 {
            done(&world, "refund", "subscribeComplaints", json!({ "provider": "wxpay" })).await;
        }
        happen(&gateway, "address", json!({ "url": "https://another.example/notify" })).await;
        done(&world, "refund", "subscribeComplaints", json!({ "provider": "wxpay" })).await;
        let complaint = json!({ "number": "200000020260101000000001", "order": "JUDGE_C1" });
        happen(&gateway, "complain", complaint).await;
        let id = "200000020260101000000001";
        let all = async || json!(world.kind("complaint").await);
        gateway.gives_notice(event("COMPLAINT.CREATE", id, mode), &V3_FORGERIES, all).await;
        let kept = &all().await[0];
        assert_eq!((&kept["complaint_id"], &kept["out_trade_no"]), (&json!(id), &json!("JUDGE_C1")), "{kept}");
        assert!(kept.to_string().contains("138****8000") && !kept.to_string().contains("13800138000"), "{kept}");
        let run = world.run(json!({ "job": "complaints", "provider": "wxpay" })).await;
        assert_eq!(run["errors"], 0, "{run}");
        let named = json!({ "provider": "wxpay", "complaint_id": id });
        let mut answer = named.clone();
        answer["response_content"] = json!("您好，今天发货");
        done(&world, "refund", "answerComplaint", answer).await;
        let one = done(&world, "query-payment", "queryComplaints", named.clone()).await;
        assert_eq!(one["data"]["history"][0]["text"], "您好，今天发货", "{one}");
        let ended = done(&world, "refund", "completeComplaint", named).await;
        assert_eq!(ended["data"]["complaint"]["state"], "processed", "{ended}");
        gateway
            .found_right(&[
                ("complaint_url_POST", 1),
                ("complaint_url_GET", 1),
                ("complaint_url_PUT", 1),
                ("complaints", 1),
                ("complaint_query", 1),
                ("complaint_history", 1),
                ("complaint_response", 1),
                ("complaint_complete", 1),
            ])
            .await;
    }
}

#[tokio::test]
async fn python_verifies_profit_sharing_and_a_stuck_refunds_card_and_opens_what_is_sealed_to_it() {
    let Some(()) = installed() else { return };
    for mode in modes() {
        let (gateway, world) = of_wxpay(mode).await;
        sold(&gateway, &world, "JUDGE_S1", json!({ "total_fee": 1000, "other": { "profit_sharing": true } })).await;
        let receiver = json!({
            "provider": "wxpay", "type": "MERCHANT_ID", "account": SUPPLIER, "name": SUPPLIER_NAME,
            "relation_type": "SUPPLIER",
        });
        done(&world, "refund", "addReceiver", receiver.clone()).await;
        let to = json!([{ "type": "MERCHANT_ID", "account": SUPPLIER, "amount": 200, "description": "分给供应商" }]);
        let share = json!({ "out_trade_no": "JUDGE_S1", "out_order_no": "JUDGE_S1_A", "receivers": to });
        done(&world, "refund", "profitShare", share).await;
        world.reconcile(60_000).await;
        done(&world, "refund", "queryShare", json!({ "out_trade_no": "JUDGE_S1" })).await;
        assert_eq!(world.order("JUDGE_S1").await["sharing"]["shared"], 200);
        let back = json!({
            "out_trade_no": "JUDGE_S1", "out_order_no": "JUDGE_S1_A", "out_return_no": "JUDGE_S1_R",
            "return_mchid": SUPPLIER, "amount": 50,
        });
        done(&world, "refund", "returnShare", back).await;
        world.reconcile(600_000).await;
        assert_eq!(world.kind("share_return").await[0]["state"], "SUCCESS");
        let end = json!({ "out_trade_no": "JUDGE_S1", "out_order_no": "JUDGE_S1_B" });
        done(&world, "refund", "unfreezeShare", end).await;
        let no_more = json!({ "provider": "wxpay", "type": "MERCHANT_ID", "account": SUPPLIER });
        done(&world, "refund", "deleteReceiver", no_more).await;

        sold(&gateway, &world, "JUDGE_R1", json!({})).await;
        let wish = json!({ "out_trade_no": "JUDGE_R1", "out_refund_no": "JUDGE_R1_A", "refund_fee": 60 });
        done(&world, "refund", "refund", wish).await;
        gateway.tell("settle", json!({ "number": "JUDGE_R1_A", "status": "ABNORMAL" })).await;
        done(&world, "refund", "queryRefund", json!({ "out_trade_no": "JUDGE_R1" })).await;
        let card = json!({
            "out_trade_no": "JUDGE_R1", "out_refund_no": "JUDGE_R1_A", "type": "USER_BANK_CARD",
            "bank_type": "ICBC_DEBIT", "bank_account": CARD, "real_name": NAME,
        });
        assert_eq!(done(&world, "refund", "applyAbnormalRefund", card).await["status"], "PROCESSING");
        let opened = happen(&gateway, "opened", json!({})).await;
        assert_eq!(opened, json!({ "name": SUPPLIER_NAME, "bank_account": CARD, "real_name": NAME }));
        gateway
            .found_right(&[
                ("receiver_add", 1),
                ("share", 1),
                ("share_query", 1),
                ("return", 1),
                ("unfreeze", 1),
                ("receiver_delete", 1),
                ("abnormal", 1),
            ])
            .await;
    }
}

#[tokio::test]
async fn python_verifies_shipping_and_what_virtual_payment_signs_twice() {
    let Some(()) = installed() else { return };
    let (gateway, world) = of_wxpay(Mode::default()).await;
    sold(&gateway, &world, "JUDGE_M1", json!({ "vk_platform": "mp-weixin", "openid": OPENID })).await;
    let parcel = json!({
        "tracking_no": "SF1234567890", "express_company": "SF", "item_desc": "抱枕*1",
        "contact": { "receiver_contact": "189****1234" },
    });
    let report = json!({ "out_trade_no": "JUDGE_M1", "logistics_type": 1, "shipping_list": [parcel] });
    done(&world, "refund", "uploadShipping", report).await;
    done(&world, "refund", "queryShipping", json!({ "out_trade_no": "JUDGE_M1" })).await;

    let known = done(&world, "login", "code2Session", json!({ "provider": "wxpay-virtual", "code": "c1" })).await;
    assert_eq!(known["openid"], "o_judge_payer");
    let coins = json!({ "openid": known["openid"] });
    assert_eq!(done(&world, "transfer", "wxpayVirtual/queryUserBalance", coins).await["balance"], 12);

    let id = "200000020260101000000002";
    happen(&gateway, "complain", json!({ "number": id, "order": "JUDGE_M1" })).await;
    let run = world.run(json!({ "job": "complaints", "provider": "wxpay-virtual" })).await;
    assert_eq!(run["errors"], 0, "{run}");
    let named = json!({ "provider": "wxpay-virtual", "complaint_id": id });
    let mut answer = named.clone();
    answer["response_content"] = json!("您好");
    done(&world, "refund", "answerComplaint", answer).await;
    done(&world, "query-payment", "queryComplaints", named.clone()).await;
    let ended = done(&world, "refund", "completeComplaint", named).await;
    assert_eq!(ended["data"]["complaint"]["state"], "processed", "{ended}");
    gateway
        .found_right(&[
            ("token", 2),
            ("ship", 1),
            ("session", 1),
            ("xpay_query_user_balance", 1),
            ("xpay_get_complaint_list", 1),
            ("xpay_get_complaint_detail", 1),
            ("xpay_get_negotiation_history", 1),
            ("xpay_response_complaint", 1),
            ("xpay_complete_complaint", 1),
        ])
        .await;
}

#[tokio::test]
async fn alipay_sdk_verifies_both_kinds_of_complaints_and_its_message_is_taken() {
    let Some(()) = installed() else { return };
    for mode in [Mode::default(), Mode { alipay_cert: true, ..Mode::default() }] {
        let gateway = Gateway::start(Script::Node("alipay_gateway.mjs")).await;
        let (world, _) = gateway
            .world_with(mode, |config| {
                for node in config["alipay"].as_object_mut().expect("nodes").values_mut() {
                    node["complaints"] = json!(true);
                }
            })
            .await;
        sold(&gateway, &world, "JUDGE_A1", json!({ "provider": "alipay" })).await;
        let (told, risk) = ("202601012100000000000001", "1234567890");
        gateway.tell("complain", json!({ "id": told, "number": "JUDGE_A1", "risk": false })).await;
        let url = format!("{}/notify/complaint-notify/alipay/default", world.base);
        let all = async || json!(world.kind("complaint").await);
        let forgeries = ["other key", "altered", "added field", "no sign", "sha1"];
        gateway.gives_notice(json!({ "complaint": told, "url": url }), &forgeries, all).await;
        assert_eq!(all().await[0]["out_trade_no"], "JUDGE_A1");
        gateway.tell("complain", json!({ "id": risk, "number": "JUDGE_A1", "risk": true })).await;
        let run = world.run(json!({ "job": "complaints", "provider": "alipay" })).await;
        assert_eq!((&run["errors"], all().await.as_array().map(Vec::len)), (&json!(0), Some(2)), "{run}");
        let answer = json!({ "provider": "alipay", "complaint_id": told, "response_content": "您好" });
        done(&world, "refund", "answerComplaint", answer).await;
        for id in [told, risk] {
            let end = json!({
                "provider": "alipay", "complaint_id": id, "process_code": "CONSENSUS_WITH_CLIENT",
                "response_content": "已与用户协商",
            });
            let ended = done(&world, "refund", "completeComplaint", end).await;
            assert_eq!(ended["data"]["complaint"]["state"], "processed", "{ended}");
        }
        gateway
            .found_right(&[
                ("alipay.security.risk.complaint.info.batchquery", 1),
                ("alipay.security.risk.complaint.info.query", 1),
                ("alipay.security.risk.complaint.process.finish", 1),
                ("alipay.merchant.tradecomplain.batchquery", 1),
                ("alipay.merchant.tradecomplain.query", 1),
                ("alipay.merchant.tradecomplain.reply.submit", 1),
                ("alipay.merchant.tradecomplain.feedback.submit", 1),
            ])
            .await;
    }
}
