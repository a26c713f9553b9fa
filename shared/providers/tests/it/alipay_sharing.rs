//! Profit sharing at Alipay: what is sent, and what each answer means.

use super::alipay_kit::{
    ALIPAY, APP_ID, NOW, Script, attempt, failure, gateway, node, order, read, request, signed_answer, signed_form,
    success, with_merchant,
};
use domain::{Fen, ReceiverResult, ReturnState, Share, ShareReturn, ShareStanding, Sharing, UnixMs};
use providers::{CallError, CallbackError, Gateway, Notice, ReceiverRequest, ReturnRequest, ShareRequest};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SETTLE: &str = "alipay.trade.order.settle";
const QUERY: &str = "alipay.trade.order.settle.query";
const REFUND: &str = "alipay.trade.refund";
const TRADE: &str = "2026010222001400010000000001";
const ONE: &str = "2088000000000100";
const TWO: &str = "2088000000000200";

fn at(script: &Script) -> Gateway {
    gateway("mp-alipay", node(json!({ "apiBase": script.url })))
}

fn receiver(account: &str, amount: u64) -> Value {
    json!({ "type": "userId", "account": account, "amount": amount, "description": "d", "result": "PENDING" })
}

fn a_share(receivers: Value) -> Share {
    serde_json::from_value(json!({
        "out_trade_no": "T1", "out_order_no": "S1", "provider": "alipay", "merchant": "default", "attempt": 1,
        "transaction_id": TRADE, "unfreeze_unsplit": false, "state": "UNKNOWN", "sent_at": NOW, "create_date": NOW,
        "version": 1, "receivers": receivers,
    }))
    .unwrap()
}

fn a_return() -> ShareReturn {
    serde_json::from_value(json!({
        "out_trade_no": "T1", "out_return_no": "B1", "out_order_no": "S1", "return_mchid": ONE, "amount": 20,
        "description": "退款", "provider": "alipay", "merchant": "default", "attempt": 1, "state": "UNKNOWN",
        "sent_at": NOW, "create_date": NOW, "version": 1,
    }))
    .unwrap()
}

fn detail(operation: &str, account: &Value, amount: &Value, state: &str) -> Value {
    json!({ "operation_type": operation, "trans_in": account, "amount": amount, "state": state, "detail_id": "D" })
}

async fn asked(share: &Share, answers: Vec<String>) -> (Result<Option<ShareStanding>, CallError>, Script) {
    let script = Script::of(answers).await;
    let attempt = attempt(json!({ "node": "mp-alipay" }));
    let request = ShareRequest { attempt: &attempt, share, now: UnixMs::new(NOW) };
    (at(&script).query_share(&script.clients, &request).await, script)
}

#[tokio::test]
async fn a_share_is_taken_and_done_later_and_an_end_is_done_at_once() {
    let taken = || success(SETTLE, json!({ "trade_no": TRADE, "settle_no": "2026SETTLE" }));
    let script = Script::of(vec![taken(), taken(), success(SETTLE, json!({ "trade_no": "ANOTHER" }))]).await;
    let attempt = attempt(json!({ "node": "mp-alipay" }));
    let mut share = a_share(json!([receiver(ONE, 20), { "type": "openId", "account": "o1", "amount": 105,
        "description": "d", "result": "PENDING" }]));
    let sent = |share: Share| {
        let (script, attempt) = (&script, &attempt);
        async move {
            let request = ShareRequest { attempt, share: &share, now: UnixMs::new(NOW) };
            at(script).share(&script.clients, &request).await
        }
    };
    let standing = sent(share.clone()).await.unwrap();
    assert_eq!((standing.finished, standing.order_id.as_deref()), (false, Some("2026SETTLE")));
    assert_eq!(
        script.biz(0),
        json!({ "trade_no": TRADE, "out_request_no": "S1", "royalty_mode": "async", "royalty_parameters": [
            { "royalty_type": "transfer", "trans_in_type": "userId", "trans_in": ONE, "amount": "0.20", "desc": "d" },
            { "royalty_type": "transfer", "trans_in_type": "openId", "trans_in": "o1", "amount": "1.05", "desc": "d" },
        ]})
    );
    share.receivers.clear();
    share.unfreeze_unsplit = true;
    assert!(sent(share.clone()).await.unwrap().finished);
    assert_eq!(
        script.biz(1),
        json!({ "trade_no": TRADE, "out_request_no": "S1", "extend_params": { "royalty_finish": "true" } })
    );
    assert!(matches!(sent(share).await, Err(CallError::Unknown(_))), "an answer about another payment");
}

#[tokio::test]
async fn each_receiver_ends_as_alipay_says_and_only_by_its_own_part() {
    let share = a_share(json!([receiver(ONE, 20), receiver(TWO, 30)]));
    let list = json!([
        detail("transfer", &json!(TWO), &json!(0.3), "FAIL"),
        detail("transfer", &json!(ONE), &json!("0.20"), "SUCCESS"),
        detail("transfer_refund", &json!(ONE), &json!("0.20"), "FAIL"),
    ]);
    let (told, script) =
        asked(&share, vec![success(QUERY, json!({ "out_request_no": "S1", "royalty_detail_list": list }))]).await;
    let told = told.unwrap().unwrap();
    assert!(told.finished);
    let results: Vec<_> = told.receivers.iter().map(|r| (r.account.as_str(), r.result)).collect();
    assert_eq!(results, [(ONE, ReceiverResult::Success), (TWO, ReceiverResult::Closed)]);
    assert_eq!(script.biz(0), json!({ "trade_no": TRADE, "out_request_no": "S1" }));
    for (list, finished, ends) in [
        (json!([detail("transfer", &json!(ONE), &json!("0.20"), "PROCESSING")]), false, 1),
        (json!([detail("transfer", &json!(ONE), &json!("0.21"), "SUCCESS")]), true, 0),
        // Named otherwise than it was given: told apart by the amount.
        (json!([detail("transfer", &json!("o_one"), &json!("0.20"), "SUCCESS")]), true, 1),
    ] {
        let answer = success(QUERY, json!({ "royalty_detail_list": list }));
        let told = asked(&share, vec![answer]).await.0.unwrap().unwrap();
        assert_eq!((told.finished, told.receivers.len()), (finished, ends), "{told:?}");
    }
    // Equal amounts that ended otherwise are not told apart.
    let alike = a_share(json!([receiver(ONE, 20), receiver(TWO, 20)]));
    let parts = |second: &str| {
        let list = json!([
            detail("transfer", &json!("o_1"), &json!("0.20"), "SUCCESS"),
            detail("transfer", &json!("o_2"), &json!("0.20"), second),
        ]);
        success(QUERY, json!({ "royalty_detail_list": list }))
    };
    assert_eq!(asked(&alike, vec![parts("SUCCESS")]).await.0.unwrap().unwrap().receivers.len(), 2);
    assert_eq!(asked(&alike, vec![parts("FAIL")]).await.0.unwrap().unwrap().receivers.len(), 0);
}

#[tokio::test]
async fn only_a_number_that_alipay_does_not_know_is_unknown_to_it() {
    let share = a_share(json!([receiver(ONE, 20)]));
    let told = asked(&share, vec![failure(QUERY, "40004", "ACQ.TRADE_SETTLE_NOT_EXIST")]).await.0;
    assert_eq!(told, Ok(None));
    for answer in [
        failure(QUERY, "40004", "ACQ.INVALID_PARAMETER"),
        failure(QUERY, "20000", "aop.unknow-error"),
        success(QUERY, json!({})),
        success(QUERY, json!({ "out_request_no": "S2", "royalty_detail_list": [] })),
        signed_answer(QUERY, r#"{"code":"10000"}"#, &super::alipay_kit::OURS.private),
    ] {
        let told = asked(&share, vec![answer.clone()]).await.0;
        assert!(told.is_err(), "{answer}: {told:?}");
    }
}

#[tokio::test]
async fn a_return_refunds_nothing_and_ends_by_the_query_alone() {
    let attempt = attempt(json!({ "node": "mp-alipay" }));
    let made = a_return();
    let request = ReturnRequest { attempt: &attempt, transaction_id: TRADE, made: &made, now: UnixMs::new(NOW) };
    let part = |state: &str| {
        let mut detail = detail("transfer_refund", &Value::Null, &json!("0.20"), state);
        detail["trans_out"] = json!(ONE);
        success(QUERY, json!({ "out_request_no": "B1", "royalty_detail_list": [detail] }))
    };
    let worked =
        || success(REFUND, json!({ "out_trade_no": attempt.number, "fund_change": "Y", "refund_fee": "0.00" }));
    for (state, wanted) in
        [("SUCCESS", ReturnState::Success), ("FAIL", ReturnState::Failed), ("PROCESSING", ReturnState::Processing)]
    {
        let script = Script::of(vec![worked(), part(state)]).await;
        let told = at(&script).return_share(&script.clients, &request).await.unwrap();
        assert_eq!(told.state, wanted);
        assert_eq!(
            script.biz(0),
            json!({ "out_trade_no": attempt.number, "trade_no": TRADE, "out_request_no": "B1", "refund_amount": "0.00",
                "refund_royalty_parameters": [{ "royalty_type": "transfer", "trans_out_type": "userId",
                    "trans_out": ONE, "amount": "0.20", "desc": "退款" }] })
        );
    }
    // That the call worked is no end.
    let script = Script::of(vec![worked(), failure(QUERY, "20000", "aop.unknow-error")]).await;
    assert_eq!(at(&script).return_share(&script.clients, &request).await.unwrap().state, ReturnState::Processing);
    let script = Script::of(vec![failure(REFUND, "40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH")]).await;
    assert!(matches!(at(&script).return_share(&script.clients, &request).await, Err(CallError::Refused(_))));
    // A share under the same number is no return.
    let other =
        success(QUERY, json!({ "royalty_detail_list": [detail("transfer", &json!(ONE), &json!("0.20"), "SUCCESS")] }));
    let script = Script::of(vec![other]).await;
    assert!(matches!(at(&script).query_return(&script.clients, &request).await, Err(CallError::Unknown(_))));
}

#[tokio::test]
async fn what_is_left_and_who_may_be_given_a_share_is_asked_for_by_name() {
    const LEFT: &str = "alipay.trade.order.onsettle.query";
    const BIND: &str = "alipay.trade.royalty.relation.bind";
    let script = Script::of(vec![
        success(LEFT, json!({ "unsettled_amount": "7.05" })),
        success(BIND, json!({ "result_code": "SUCCESS" })),
        success(BIND, json!({ "result_code": "FAIL" })),
        success("alipay.trade.royalty.relation.unbind", json!({ "result_code": "SUCCESS" })),
    ])
    .await;
    let (gateway, attempt, now) = (at(&script), attempt(json!({})), UnixMs::new(NOW));
    assert_eq!(gateway.unsplit(&script.clients, &attempt, TRADE, now).await, Ok(Fen(705)));
    let request = ReceiverRequest {
        kind: "userId",
        account: ONE,
        name: Some("示例商户"),
        app_id: None,
        sub_mchid: None,
        relation_type: Some("SUPPLIER"),
        custom_relation: None,
        now,
    };
    assert_eq!(gateway.add_receiver(&script.clients, &request).await, Ok(()));
    let told = gateway.add_receiver(&script.clients, &request).await;
    assert!(matches!(told, Err(CallError::Refused(_))), "{told:?}");
    assert_eq!(gateway.delete_receiver(&script.clients, &request).await, Ok(()));
    let sent = script.biz(1);
    assert_eq!(
        sent["receiver_list"],
        json!([{ "type": "userId", "account": ONE, "name": "示例商户", "memo": "SUPPLIER" }])
    );
    assert_eq!(sent["out_request_no"].as_str().map(str::len), Some(32));
    assert_eq!(script.biz(3)["receiver_list"], json!([{ "type": "userId", "account": ONE }]));
}

#[tokio::test]
async fn an_order_is_frozen_in_alipays_words_where_it_can_be_shared() {
    for (name, frozen) in [("app-plus", true), ("pc", true), ("wap", true), ("h5", false)] {
        let order = order(json!({
            "other": { "profit_sharing": true, "extend_params": { "sys_service_provider_id": "2088" } },
            "sharing": Sharing::default(),
            "attempts": [attempt(json!({ "node": name, "pay_type": format!("alipay_{name}") }))],
        }));
        let script = Script::of(vec![success(
            "alipay.trade.precreate",
            json!({ "out_trade_no": order.current().number, "qr_code": "q" }),
        )])
        .await;
        let gateway = gateway(name, node(json!({ "apiBase": script.url })));
        assert_eq!(gateway.can_share_payment(&order.other).is_ok(), frozen, "{name}");
        let created = gateway.create(&script.clients, &request(&order)).await.unwrap();
        let text = match frozen {
            true => created.order_info.to_string(),
            false => script.asked()[0]["biz_content"].clone(),
        };
        assert_eq!(text.contains("royalty_freeze"), frozen, "{name}: {text}");
        assert!(!text.contains("profit_sharing"), "{name}: {text}");
    }
}

/// What `alipay.trade.create` is told for an order of this `other` in a mini program.
async fn told(other: Value, sharing: Option<Sharing>) -> Value {
    let mut order = order(json!({ "other": other, "attempts": [attempt(json!({ "node": "mp-alipay" }))] }));
    order.sharing = sharing;
    let answer = json!({ "out_trade_no": order.current().number, "trade_no": TRADE });
    let script = Script::of(vec![success("alipay.trade.create", answer)]).await;
    at(&script).create(&script.clients, &request(&order)).await.unwrap();
    script.biz(0)
}

#[tokio::test]
async fn an_order_that_is_not_to_be_shared_here_is_not_frozen_in_any_words() {
    let own = || json!({ "royalty_freeze": "true", "sys_service_provider_id": "2088" });
    let alone = || json!({ "royalty_freeze": "true" });
    let rest = json!({ "sys_service_provider_id": "2088" });
    for (other, left) in [
        (json!({ "profit_sharing": true }), Value::Null),
        (json!({ "extend_params": alone() }), Value::Null),
        (json!({ "extend_params": own() }), rest.clone()),
        (json!({ "profit_sharing": true, "extend_params": own() }), rest.clone()),
        (json!({ "extend_params": own().to_string() }), rest.clone()),
        // Without the word nothing is touched.
        (json!({ "extend_params": rest.to_string() }), json!(rest.to_string())),
    ] {
        assert_eq!(told(other.clone(), None).await["extend_params"], left, "{other}");
    }
    let shared = Some(Sharing::default());
    for (other, frozen) in [
        (json!({ "profit_sharing": true }), alone()),
        (json!({ "extend_params": own() }), own()),
        (json!({ "profit_sharing": true, "extend_params": rest.to_string() }), own()),
    ] {
        assert_eq!(told(other.clone(), shared).await["extend_params"], frozen, "{other}");
    }
    let text = json!({ "extend_params": alone().to_string() });
    assert!(gateway("mp-alipay", node(json!({}))).is_shared(text.as_object().unwrap()));
}

#[test]
fn a_notice_of_a_share_of_alipay_names_it_and_says_nothing_else() {
    let section = json!({ "mp-alipay": node(json!({})) });
    let content = json!({ "msg_type": "ASYNC_SETTLE_RESULT", "trade_no": TRADE, "out_request_no": "S1",
        "royalty_detail_list": [detail("transfer", &json!(ONE), &json!("0.20"), "SUCCESS")] });
    let form = |content: &Value| {
        let fields = [
            ("notify_id", "N1"),
            ("utc_timestamp", "1767323046000"),
            ("msg_method", "alipay.trade.order.settle.notify"),
            ("app_id", APP_ID),
            ("version", "1.1"),
            ("charset", "UTF-8"),
            ("biz_content", &content.to_string()),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>()
    };
    with_merchant(section, |merchant| {
        match read(merchant, signed_form(&form(&content), &ALIPAY.private).as_bytes()) {
            Ok(Notice::Share(told)) => {
                assert_eq!((told.transaction_id.as_str(), told.out_order_no.as_str()), (TRADE, "S1"));
                assert_eq!((told.mch_id, told.app_id.as_deref()), (None, Some(APP_ID)));
            }
            other => panic!("{other:?}"),
        }
        // The time to share is over: it names no share.
        let over = json!({ "msg_type": "AUTO_SETTLE_FINISH", "trade_no": TRADE });
        let told = read(merchant, signed_form(&form(&over), &ALIPAY.private).as_bytes());
        assert!(matches!(&told, Ok(Notice::Share(told)) if told.out_order_no.is_empty()), "{told:?}");
        let forged = read(merchant, signed_form(&form(&content), &super::alipay_kit::OURS.private).as_bytes());
        assert!(matches!(forged, Err(CallbackError::Forged(_))), "{forged:?}");
        for wrong in [json!({}), json!([]), json!({ "trade_no": "9".repeat(65) }), json!({ "trade_no": 1 })] {
            let told = read(merchant, signed_form(&form(&wrong), &ALIPAY.private).as_bytes());
            assert!(matches!(told, Err(CallbackError::Malformed(_))), "{wrong}: {told:?}");
        }
    });
}
