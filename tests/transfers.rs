//! Transfers: what is asked, what is refused, and what an unknown outcome comes to.

use crate::world::{Answer, TABLE, World, merge};
use futures::future::join_all;
use sandbox::{Fault, LoggedRequest, Misbehaviour, Mode, Op, TransferOutcome, TransferState};
use serde_json::{Value, json};
use shared::app::{App, Settings, system_clock};
use shared::config::Source;
use shared::payments::pursue_transfer;
use shared::store::Store;

pub const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";
pub const NAME: &str = "欧阳收款人";

/// A transfer of WeChat Pay's in VK-Pay's dialect.
pub fn wxpay(no: &str, amount: u64) -> Value {
    json!({
        "provider": "wxpay", "out_bill_no": no, "openid": OPENID, "transfer_amount": amount, "transfer_remark": "佣金",
    })
}

/// One of Alipay's under the older names.
pub fn alipay(no: &str, amount: u64) -> Value {
    json!({
        "provider": "alipay", "out_trade_no": no, "payee_account": "payee@example.com", "payee_real_name": NAME,
        "money": amount, "desc": "佣金",
    })
}

impl World {
    /// Calls `pay/transfer`.
    pub async fn transfer(&self, data: Value) -> Answer {
        self.call("transfer", json!({ "action": "pay/transfer", "data": data })).await
    }

    /// Calls `pay/queryTransfer`.
    pub async fn query_transfer(&self, data: Value) -> Answer {
        self.call("transfer", json!({ "url": "pay/queryTransfer", "data": data })).await
    }

    /// Calls `pay/cancelTransfer`.
    pub async fn cancel_transfer(&self, no: &str) -> Answer {
        self.call("transfer", json!({ "action": "pay/cancelTransfer", "data": { "out_bill_no": no } })).await
    }

    /// The requests of a kind that the providers had.
    pub fn asked(&self, op: Op) -> Vec<LoggedRequest> {
        self.sandbox.requests().into_iter().filter(|r| r.op == op).collect()
    }

    /// The ledger's item.
    pub async fn ledger(&self, no: &str) -> Value {
        let items = self.kind("transfer").await;
        items.into_iter().find(|item| item["out_bill_no"] == no).unwrap_or_default()
    }

    /// Waits until the ledger's item has a state.
    pub async fn until_state(&self, no: &str, state: &str) -> Value {
        for _ in 0..200 {
            let item = self.ledger(no).await;
            if item["state"] == state {
                return item;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("{no} never was {state}: {}", self.ledger(no).await);
    }
}

#[tokio::test]
async fn a_payee_of_wechat_pays_confirms_and_the_callback_ends_it() {
    let world = World::start().await;
    let (status, answer) = world.transfer(wxpay("BILL1", 100)).await;
    assert_eq!(status, 200, "{answer}");
    let known = world.sandbox.transfer("BILL1").expect("a transfer");
    assert_eq!(
        (answer["code"].as_i64(), &answer["provider"], &answer["out_bill_no"], &answer["transfer_bill_no"]),
        (Some(0), &json!("wxpay"), &json!("BILL1"), &json!(known.id)),
        "{answer}"
    );
    assert_eq!((&answer["transfer_amount"], &answer["state"]), (&json!(100), &json!("WAIT_USER_CONFIRM")));
    assert_eq!((&answer["out_trade_no"], &answer["money"]), (&json!("BILL1"), &json!(100)), "the older names");
    assert_eq!(answer["provider_state"], "WAIT_USER_CONFIRM");
    assert_eq!(answer["result"]["transfer_bill_no"], known.id, "the provider's answer");
    let options = json!({ "mchId": world.keys.wechat.mchid, "appId": world.keys.wechat.mp_appid, "package": known.package_info.unwrap() });
    assert_eq!(answer["options"], options, "for wx.requestMerchantTransfer");
    assert_eq!(answer["data"]["options"], options);
    assert_eq!((known.amount, known.payee.as_str(), known.remark.as_deref()), (100, OPENID, Some("佣金")));
    let notify_url = format!("{}/notify/transfer-notify/wxpay/default", world.base);
    assert_eq!(known.notify_url, Some(notify_url));
    world.sandbox.confirm_transfer("BILL1").unwrap();
    let item = world.until_state("BILL1", "SUCCESS").await;
    assert!(item["end_date"].is_i64() && item["due"].is_null() && item["due_shard"].is_null(), "{item}");
    let (status, answer) = world.transfer(wxpay("BILL1", 100)).await;
    assert_eq!((status, &answer["state"], &answer["options"]), (200, &json!("SUCCESS"), &Value::Null));
    assert_eq!(world.asked(Op::Transfer).len(), 1);
    assert!(world.asked(Op::TransferQuery).is_empty(), "nobody is asked about an end");
}

#[tokio::test]
async fn alipay_pays_at_once_in_certificate_mode() {
    let world = World::start().await;
    let (status, answer) = world.call("transfer", json!({ "url": "pay/transfer", "data": alipay("A-1", 1234) })).await;
    let known = world.sandbox.transfer("A-1").expect("a transfer");
    assert_eq!((status, &answer["state"], &answer["transfer_bill_no"]), (200, &json!("SUCCESS"), &json!(known.id)));
    assert_eq!((known.amount, known.payee.as_str(), known.name.as_deref()), (1234, "payee@example.com", Some(NAME)));
    assert_eq!(known.request["payee_info"]["identity_type"], "ALIPAY_LOGON_ID");
    assert_eq!((&known.request["order_title"], &known.request["remark"]), (&json!("佣金"), &json!("佣金")));
    let newer = json!({
        "provider": "alipay", "out_bill_no": "A-2", "transfer_amount": 10, "order_title": "题目",
        "payee_info": { "identity": "2088123456789012" },
    });
    // The bare data object means the first action.
    let (status, answer) = world.call("transfer", newer).await;
    assert_eq!((status, &answer["state"]), (200, &json!("SUCCESS")), "{answer}");
    let known = world.sandbox.transfer("A-2").expect("a transfer");
    assert_eq!(
        known.request["payee_info"],
        json!({ "identity": "2088123456789012", "identity_type": "ALIPAY_USER_ID" })
    );
    assert_eq!(world.ledger("A-2").await["due"], Value::Null, "an end is not asked about");
}

#[tokio::test]
async fn alipay_in_key_mode_and_apiv2_are_refused_by_us() {
    let world = World::with(Mode::default(), |config| {
        config["alipay"]["transfer"] = config["alipay"]["h5"].clone();
    })
    .await;
    let (status, answer) = world.transfer(alipay("KEY_1", 100)).await;
    assert_eq!((status, &answer["code"]), (422, &json!(2005)), "{answer}");
    let world = World::with(Mode { wxpay_version: 2, ..Mode::default() }, |config| {
        config["wxpay"]["transfer"] = config["wxpay"]["h5"].clone();
    })
    .await;
    assert_eq!(world.transfer(wxpay("V2", 100)).await.0, 422);
    assert_eq!(
        world.transfer(json!({ "provider": "douyin", "out_bill_no": "D1", "transfer_amount": 100 })).await.0,
        422
    );
    assert!(world.kind("transfer").await.is_empty() && world.sandbox.requests().is_empty());
}

#[tokio::test]
async fn what_is_malformed_is_refused_and_nothing_is_written_or_sent() {
    let world = World::start().await;
    let without = |key: &str| {
        let mut data = wxpay("BAD1", 100);
        data.as_object_mut().unwrap().remove(key);
        data
    };
    let with = |mut data: Value, over: Value| {
        merge(&mut data, over);
        data
    };
    let mut bad = vec![
        without("provider"),
        without("out_bill_no"),
        without("openid"),
        without("transfer_amount"),
        without("transfer_remark"),
        with(wxpay("BAD1", 100), json!({ "provider": "nobody" })),
        with(wxpay("BAD1", 100), json!({ "out_trade_no": "BAD2" })),
        with(wxpay("BAD1", 100), json!({ "money": 101 })),
        with(wxpay("BAD1", 100), json!({ "desc": "别的" })),
        with(wxpay("BAD1", 100), json!({ "user_name": "甲", "re_user_name": "乙" })),
        with(wxpay("BAD1", 100), json!({ "pid": "nobody" })),
        with(wxpay("BAD1", 100), json!({ "openid": "with space" })),
        with(wxpay("BAD1", 100), json!({ "transfer_remark": "😀" })),
        with(wxpay("BAD1", 100), json!({ "transfer_remark": "长".repeat(33) })),
        with(wxpay("BAD1", 100), json!({ "transfer_scene_report_infos": [{ "info_type": "活动名称" }] })),
        with(wxpay("BAD1", 100), json!({ "transfer_scene_report_infos": "活动名称" })),
        wxpay("BAD1", 9),
        wxpay("BAD1", 200_000),
        wxpay("BAD_1", 100),
        wxpay(&"N".repeat(33), 100),
        with(alipay("BAD-1", 100), json!({ "out_trade_no": "BAD|1" })),
        with(alipay("BAD-1", 100), json!({ "payee_real_name": "" })),
        with(alipay("BAD-1", 100), json!({ "payee_account": "" })),
        with(alipay("BAD-1", 100), json!({ "desc": "" })),
        with(alipay("BAD-1", 100), json!({ "payee_info": { "identity": "other@example.com" } })),
        with(alipay("BAD-1", 100), json!({ "payee_info": { "identity_type": "CARD", "name": NAME } })),
        with(alipay("BAD-1", 100), json!({ "payee_info": { "cert_no": "1" } })),
    ];
    for amount in ["0", "-1", "1.5", "\"1.0\"", "\"\"", "null", "true", "1e3", "\"9\"", "\"0100\"", "10000000001"] {
        let amount: Value = serde_json::from_str(amount).unwrap();
        bad.push(with(wxpay("BAD1", 100), json!({ "transfer_amount": amount })));
        bad.push(with(alipay("BAD-1", 100), json!({ "money": amount })));
    }
    for data in bad {
        let (status, answer) = world.transfer(data.clone()).await;
        assert_eq!(status, 400, "{data} -> {answer}");
        assert_ne!(answer["code"], 0);
    }
    assert!(world.kind("transfer").await.is_empty() && world.sandbox.requests().is_empty());
    let both = json!({ "out_trade_no": "BOTH1", "money": "100", "desc": "佣金" });
    assert_eq!(world.transfer(with(wxpay("BOTH1", 100), both)).await.0, 200, "two names, one value");
}

#[tokio::test]
async fn the_scene_is_the_requests_else_the_nodes() {
    let world = World::start().await;
    assert_eq!(world.transfer(wxpay("SCENE1", 100)).await.0, 200);
    let sent = world.sandbox.transfer("SCENE1").unwrap().request;
    assert_eq!((&sent["transfer_scene_id"], &sent["user_recv_perception"]), (&json!("1000"), &json!("现金奖励")));
    assert_eq!(sent["transfer_scene_report_infos"].as_array().unwrap().len(), 2);
    let mut own = wxpay("SCENE2", 100);
    let infos = json!([{ "info_type": "岗位类型", "info_content": "骑手" }]);
    merge(
        &mut own,
        json!({
            "transfer_scene_id": 1005, "transfer_scene_report_infos": infos, "user_recv_perception": "劳务报酬",
            "appid": world.keys.wechat.web_appid,
        }),
    );
    let (status, answer) = world.transfer(own).await;
    assert_eq!((status, &answer["options"]["appId"]), (200, &json!(world.keys.wechat.web_appid)), "{answer}");
    let sent = world.sandbox.transfer("SCENE2").unwrap().request;
    assert_eq!((&sent["transfer_scene_id"], &sent["transfer_scene_report_infos"]), (&json!("1005"), &infos));
    let world = World::with(Mode::default(), |config| {
        for key in ["transferSceneId", "transferSceneReportInfos"] {
            config["wxpay"]["transfer"].as_object_mut().unwrap().remove(key);
        }
    })
    .await;
    let (status, answer) = world.transfer(wxpay("SCENE3", 100)).await;
    assert_eq!(status, 400, "{answer}");
}

#[tokio::test]
async fn the_payees_name_travels_encrypted_and_only_where_it_may() {
    for public_key in [true, false] {
        let world = World::with(Mode { wxpay_public_key: public_key, ..Mode::default() }, |_| {}).await;
        let named = |no: &str, amount: u64, key: &str| {
            let mut data = wxpay(no, amount);
            data[key] = json!(NAME);
            data
        };
        let (status, answer) = world.transfer(named("NAME1", 200_000, "user_name")).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(world.sandbox.transfer("NAME1").unwrap().name.as_deref(), Some(NAME), "it decrypts there");
        assert_eq!(world.transfer(named("NAME2", 30, "re_user_name")).await.0, 200);
        assert_eq!(world.sandbox.transfer("NAME2").unwrap().name.as_deref(), Some(NAME));
        assert_eq!(world.transfer(named("NAME3", 29, "user_name")).await.0, 200);
        assert_eq!(world.sandbox.transfer("NAME3").unwrap().name, None, "not below 30 fen");
        assert_eq!(world.transfer(named("NAME1", 200_000, "re_user_name")).await.0, 200);
        let mut other = named("NAME1", 200_000, "user_name");
        other["user_name"] = json!("别人");
        assert_eq!(world.transfer(other).await.0, 409, "another name is another payee");
        let items = json!(world.items(TABLE).await).to_string();
        assert!(!items.contains(NAME), "the name is at rest in the clear");
    }
}

#[tokio::test]
async fn a_number_belongs_to_one_transfer() {
    let world = World::start().await;
    assert_eq!(world.transfer(wxpay("ONE1", 100)).await.0, 200);
    assert_eq!(world.transfer(wxpay("ONE1", 101)).await.0, 409);
    let mut other = wxpay("ONE1", 100);
    other["openid"] = json!("oSomebodyElse");
    assert_eq!(world.transfer(other).await.0, 409);
    assert_eq!(world.transfer(alipay("ONE1", 100)).await.0, 409);
    let (status, answer) = world.transfer(wxpay("ONE1", 100)).await;
    assert_eq!((status, &answer["state"]), (200, &json!("WAIT_USER_CONFIRM")));
    assert!(answer["options"]["package"].is_string(), "the payee may still confirm: {answer}");
    assert_eq!(world.asked(Op::Transfer).len(), 1);
    assert_eq!(world.sandbox.transfers().len(), 1);
}

#[tokio::test]
async fn the_same_call_many_times_at_once_is_one_transfer() {
    let world = World::start().await;
    let answers = join_all((0..8).map(|_| world.transfer(wxpay("MANY1", 100)))).await;
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 409)), "{answers:?}");
    assert!(answers.iter().any(|(status, _)| *status == 200));
    assert_eq!((world.sandbox.transfers().len(), world.kind("transfer").await.len()), (1, 1));
    let numbered: Vec<Value> = world.items(TABLE).await;
    let ledger = numbered.iter().filter(|i| !i["out_bill_no"].is_null() && !i["state"].is_null()).count();
    assert_eq!(ledger, 1, "only the ledger's item has both");
}

#[tokio::test]
async fn the_ledger_is_written_before_the_provider_is_called() {
    let world = World::start().await;
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::TimeoutBefore(1_500)));
    let calling = world.transfer(wxpay("FIRST1", 100));
    let looking = async {
        let item = world.until_state("FIRST1", "UNKNOWN").await;
        assert_eq!(
            (&item["kind"], &item["transfer_amount"], &item["provider"], &item["merchant"]),
            (&json!("transfer"), &json!(100), &json!("wxpay"), &json!("default"))
        );
        let due = item["due"].as_i64().unwrap() - item["create_date"].as_i64().unwrap();
        assert_eq!((due, item["due_shard"].is_string()), (5_000, true), "{item}");
    };
    let ((status, _), ()) = tokio::join!(calling, looking);
    assert_eq!(status, 504);
}

#[tokio::test]
async fn an_unknown_outcome_is_504_until_the_same_call_again_tells_and_nobody_is_paid_twice() {
    let world = World::start().await;
    let takes_effect = [
        (Misbehaviour::TimeoutAfterCommit(50), true),
        (Misbehaviour::SystemErrorAfterCommit, true),
        (Misbehaviour::Garbage, true),
        (Misbehaviour::BadSignature, true),
        (Misbehaviour::NoSignature, true),
        (Misbehaviour::TimeoutBefore(50), false),
        (Misbehaviour::DropConnection, false),
        (Misbehaviour::SystemError, false),
        (Misbehaviour::Http5xx, false),
    ];
    for (n, (what, took_effect)) in takes_effect.into_iter().enumerate() {
        for (data, state) in
            [(wxpay(&format!("DOUBT{n}"), 100), "WAIT_USER_CONFIRM"), (alipay(&format!("DOUBT-{n}"), 100), "SUCCESS")]
        {
            let no = data["out_bill_no"].as_str().or(data["out_trade_no"].as_str()).unwrap().to_owned();
            world.sandbox.misbehave(Fault::once(Op::Transfer, what));
            let (status, answer) = world.transfer(data.clone()).await;
            assert_eq!((status, &answer["state"]), (504, &json!("UNKNOWN")), "{no} {what:?}: {answer}");
            assert_ne!(answer["code"], 0);
            assert_eq!(world.ledger(&no).await["state"], "UNKNOWN");
            // While the provider does not tell, it stays so.
            world.sandbox.misbehave(Fault::once(Op::TransferQuery, Misbehaviour::Http5xx));
            let (status, answer) = world.transfer(data.clone()).await;
            assert_eq!((status, &answer["state"]), (504, &json!("UNKNOWN")), "{no} {what:?}: {answer}");
            world.sandbox.misbehave(Fault::once(Op::TransferQuery, Misbehaviour::DropConnection));
            let (status, answer) = world.query_transfer(json!({ "out_bill_no": no })).await;
            assert_eq!((status, &answer["code"], &answer["state"]), (200, &json!(0), &json!("UNKNOWN")), "{answer}");
            let (status, answer) = world.transfer(data).await;
            assert_eq!((status, &answer["state"]), (200, &json!(state)), "{no} {what:?}: {answer}");
            let sent = world.asked(Op::Transfer).iter().filter(|r| r.number.as_ref() == Some(&no)).count();
            assert_eq!(sent, if took_effect { 1 } else { 2 }, "{no} {what:?}: sent again only if it was not there");
            let paid = world.sandbox.transfers().iter().filter(|t| t.number == no).count();
            assert_eq!(paid, 1, "{no} {what:?}: paid once");
        }
    }
}

#[tokio::test]
async fn a_rate_limit_of_wechat_pays_is_unknown_and_alipays_is_a_refusal() {
    let world = World::start().await;
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::TooMany));
    assert_eq!(world.transfer(wxpay("BUSY1", 100)).await.0, 504);
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::TooMany));
    let (status, answer) = world.transfer(alipay("BUSY2", 100)).await;
    assert_eq!((status, &answer["state"]), (422, &json!("REFUSED")), "{answer}");
    assert_eq!(world.transfer(alipay("BUSY2", 100)).await.0, 200, "the same number may be sent again");
}

#[tokio::test]
async fn an_unknown_outcome_is_found_by_a_query_or_a_callback() {
    let world = World::start().await;
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::TimeoutAfterCommit(20)));
    assert_eq!(world.transfer(wxpay("FIND1", 100)).await.0, 504);
    let (status, answer) = world.query_transfer(json!({ "out_trade_no": "FIND1" })).await;
    assert_eq!((status, &answer["state"]), (200, &json!("WAIT_USER_CONFIRM")), "{answer}");
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::TimeoutAfterCommit(20)));
    assert_eq!(world.transfer(wxpay("FIND2", 100)).await.0, 504);
    world.sandbox.confirm_transfer("FIND2").unwrap();
    let item = world.until_state("FIND2", "SUCCESS").await;
    assert_eq!(item["transfer_bill_no"], world.sandbox.transfer("FIND2").unwrap().id);
    assert_eq!(world.asked(Op::Transfer).len(), 2, "nothing was sent again");
}

#[tokio::test]
async fn a_query_names_it_by_any_number_and_does_not_ask_about_a_stranger() {
    let world = World::start().await;
    for data in
        [json!({ "out_bill_no": "NOBODY1" }), json!({ "transfer_bill_no": "133" }), json!({ "out_trade_no": "N" })]
    {
        let (status, answer) = world.query_transfer(data).await;
        assert_eq!((status, &answer["code"]), (404, &json!(2001)), "{answer}");
    }
    assert_eq!(world.cancel_transfer("NOBODY1").await.0, 404);
    assert_eq!(world.query_transfer(json!({})).await.0, 400);
    assert_eq!(world.query_transfer(json!({ "out_bill_no": "A1", "out_trade_no": "A2" })).await.0, 400);
    assert!(world.sandbox.requests().is_empty());
    world.transfer(wxpay("KNOWN1", 100)).await;
    let id = world.sandbox.transfer("KNOWN1").unwrap().id;
    for data in
        [json!({ "out_bill_no": "KNOWN1" }), json!({ "out_trade_no": "KNOWN1" }), json!({ "transfer_bill_no": id })]
    {
        let (status, answer) = world.query_transfer(data).await;
        assert_eq!(
            (status, &answer["code"], &answer["state"]),
            (200, &json!(0), &json!("WAIT_USER_CONFIRM")),
            "{answer}"
        );
        assert!(answer["options"]["package"].is_string(), "the query does not forget it: {answer}");
    }
    assert_eq!(world.query_transfer(json!({ "provider": "alipay", "out_bill_no": "KNOWN1" })).await.0, 404);
}

#[tokio::test]
async fn a_definite_refusal_is_422_and_the_number_may_be_sent_again() {
    let world = World::start().await;
    let mut data = wxpay("REFUSED1", 100);
    data["appid"] = json!("wx0000000000000000");
    let (status, answer) = world.transfer(data.clone()).await;
    assert_eq!((status, &answer["state"]), (422, &json!("REFUSED")), "{answer}");
    assert_ne!(answer["code"], 0);
    assert!(answer["fail_reason"].as_str().unwrap().starts_with("APPID_MCHID_NOT_MATCH"), "{answer}");
    let item = world.ledger("REFUSED1").await;
    assert_eq!((&item["state"], &item["due"]), (&json!("REFUSED"), &Value::Null), "nobody asks about it by itself");
    assert!(world.asked(Op::TransferQuery).is_empty(), "a first refusal needs no query");
    assert_eq!(world.transfer(data).await.0, 422, "sent again with the stored fields");
    assert_eq!((world.asked(Op::TransferQuery).len(), world.asked(Op::Transfer).len()), (2, 2));
    let (status, answer) = world.query_transfer(json!({ "out_bill_no": "REFUSED1" })).await;
    assert_eq!((status, &answer["state"]), (200, &json!("REFUSED")), "{answer}");
}

#[tokio::test]
async fn a_failure_found_later_is_200_on_query_and_422_on_transfer() {
    let world = World::start().await;
    world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose));
    world.transfer(wxpay("LATER1", 100)).await;
    world.sandbox.settle_transfer("LATER1", &TransferOutcome::Fail("NAME_NOT_CORRECT".to_owned())).unwrap();
    let (status, answer) = world.query_transfer(json!({ "out_bill_no": "LATER1" })).await;
    assert_eq!((status, &answer["code"], &answer["state"]), (200, &json!(0), &json!("FAIL")), "{answer}");
    assert_eq!((&answer["fail_reason"], &answer["options"]), (&json!("NAME_NOT_CORRECT"), &Value::Null));
    let (status, answer) = world.transfer(wxpay("LATER1", 100)).await;
    assert_eq!((status, &answer["state"]), (422, &json!("FAIL")), "{answer}");
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::HoldTransfer));
    let (status, answer) = world.transfer(alipay("LATER2", 100)).await;
    assert_eq!((status, &answer["state"], &answer["provider_state"]), (200, &json!("PROCESSING"), &json!("DEALING")));
    world.sandbox.settle_transfer("LATER2", &TransferOutcome::Fail("PAYEE_NOT_EXIST".to_owned())).unwrap();
    let (status, answer) = world.transfer(alipay("LATER2", 100)).await;
    assert_eq!((status, &answer["state"]), (422, &json!("FAIL")), "{answer}");
    assert_eq!(world.asked(Op::Transfer).len(), 2, "a failed number is never sent again");
}

#[tokio::test]
async fn a_bill_that_is_not_the_asked_one_leaves_the_outcome_open() {
    let world = World::start().await;
    // The provider has the number already, for another amount: made elsewhere.
    world.transfer(wxpay("ELSE1", 100)).await;
    world.forget("ELSE1").await;
    let (status, answer) = world.transfer(wxpay("ELSE1", 200)).await;
    assert_eq!((status, &answer["state"]), (504, &json!("UNKNOWN")), "{answer}");
    assert_eq!(world.sandbox.transfers().len(), 1);
    world.forget("ELSE1").await;
    let (status, answer) = world.transfer(wxpay("ELSE1", 100)).await;
    assert_eq!((status, &answer["state"]), (200, &json!("WAIT_USER_CONFIRM")), "the same is the same: {answer}");
    assert_eq!(world.sandbox.transfer("ELSE1").unwrap().state, TransferState::WaitUserConfirm);
}

#[tokio::test]
async fn a_users_token_needs_the_admin_role() {
    let world = World::with(Mode::default(), |config| {
        let (users, key) = (crate::binaries_auth::USERS, crate::world::KEY);
        config["auth"] = json!({ "default": "jwt", "keys": { "shop": key }, "jwt": { "hs256": users } });
    })
    .await;
    for action in ["pay/transfer", "pay/queryTransfer", "pay/cancelTransfer"] {
        for (role, expected) in [("user", 403), ("admin", 200)] {
            let token = crate::binaries_auth::user(json!({ "role": role }));
            let body = json!({ "action": action, "data": wxpay("ROLE1", 100) });
            let (status, answer) = world.post(&world.url("transfer"), body, Some(&token)).await;
            assert_eq!(status, expected, "{action} {role}: {answer}");
        }
    }
    let (status, _) = world.post(&world.url("transfer"), wxpay("ROLE2", 100), None).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn another_merchants_number_is_another_transfer() {
    let world = World::with(Mode::default(), |config| {
        config["merchants"] = json!({ "second": { "alipay": { "transfer": config["alipay"]["transfer"] } } });
    })
    .await;
    assert_eq!(world.transfer(wxpay("PID1", 100)).await.0, 200);
    let mut second = alipay("PID1", 300);
    second["pid"] = json!("second");
    assert_eq!(world.transfer(second.clone()).await.0, 200);
    assert_eq!(world.query_transfer(json!({ "out_bill_no": "PID1", "pid": "second" })).await.1["provider"], "alipay");
    assert_eq!(world.query_transfer(json!({ "out_bill_no": "PID1" })).await.1["provider"], "wxpay");
    second["provider"] = json!("wxpay");
    assert_eq!(world.transfer(second).await.0, 400, "the second merchant has no WeChat Pay");
}

#[tokio::test]
async fn an_unfinished_transfer_is_brought_on_by_its_key() {
    let world = World::start().await;
    let settings = Settings {
        source: Source::Inline(world.config.to_string()),
        config_ttl: 300,
        notify_base: None,
        dead_letters: None,
        queues: None,
    };
    let store = Store::new(vk_pay_local::dynamo::client(&world.dynamodb), TABLE, "");
    let app = App::new(settings, store, Box::new(handlers::Registry), system_clock()).await;
    let app = app.unwrap_or_else(|faults| panic!("{faults:?}"));
    let cx = app.context(app.config().await);
    for (what, sent) in [(Misbehaviour::DropConnection, 2), (Misbehaviour::SystemErrorAfterCommit, 1)] {
        let no = format!("PURSUE{sent}");
        world.sandbox.misbehave(Fault::once(Op::Transfer, what));
        let mut data = wxpay(&no, 250_000);
        data["user_name"] = json!(NAME);
        assert_eq!(world.transfer(data).await.0, 504);
        let unfinished = app.store.transfer_by_key(&format!("X#default#{no}")).await.unwrap().expect("a transfer");
        assert_eq!(unfinished.state, shared::domain::TransferState::Unknown);
        world.sandbox.misbehave(Fault::once(Op::TransferQuery, Misbehaviour::Http5xx));
        assert_eq!(pursue_transfer(&cx, &unfinished, "reconcile").await.unwrap_err().code.status, 504);
        let moved = pursue_transfer(&cx, &unfinished, "reconcile").await.unwrap();
        assert_eq!(moved.state, shared::domain::TransferState::WaitUserConfirm, "{what:?}");
        let numbered = |r: &&LoggedRequest| r.number.as_ref() == Some(&no);
        assert_eq!(world.asked(Op::Transfer).iter().filter(numbered).count(), sent, "{what:?}");
        assert_eq!(world.sandbox.transfer(&no).unwrap().name.as_deref(), Some(NAME), "with the stored fields");
        world.sandbox.confirm_transfer(&no).unwrap();
        assert!(pursue_transfer(&cx, &moved, "reconcile").await.unwrap().state.is_final());
    }
}

impl World {
    /// Takes the ledger's item away, as if the table had been restored to an earlier time.
    async fn forget(&self, no: &str) {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        let delete = self.tables.delete_item().table_name(TABLE);
        delete.key("pk", S(format!("X#default#{no}"))).key("sk", S("X".to_owned())).send().await.expect("gone");
    }
}
