//! Asking for, closing and refunding Alipay trades, against answers by script.

use super::alipay_kit::{
    ALIPAY, NOW, NUMBER, Script, TRADE_NO, attempt, failure, gateway, node, order, signed_answer, success,
};
use domain::{Fen, Payment, Refund, UnixMs};
use providers::{CallError, Gateway, Meaning, RefundProgress, RefundRequest, RefundStanding, Standing};
use serde_json::{Value, json};

const QUERY: &str = "alipay.trade.query";
const CLOSE: &str = "alipay.trade.close";
const CANCEL: &str = "alipay.trade.cancel";
const REFUND: &str = "alipay.trade.refund";
const REFUND_QUERY: &str = "alipay.trade.fastpay.refund.query";

fn at(script: &Script, name: &str) -> Gateway {
    gateway(name, node(json!({ "apiBase": script.url })))
}

async fn query(answer: (u16, String)) -> Result<Standing, CallError> {
    let script = Script::with(vec![answer]).await;
    let order = order(json!({}));
    let outcome = at(&script, "h5").query(&script.clients, &order, order.current(), UnixMs::new(NOW)).await;
    assert_eq!(script.biz(0)["out_trade_no"], NUMBER);
    outcome
}

/// A trade in a state, with these fields over it.
fn trade(status: &str, more: Value) -> String {
    let mut fields = json!({
        "out_trade_no": NUMBER, "trade_no": TRADE_NO, "trade_status": status, "total_amount": "12.30",
        "receipt_amount": "0.00", "buyer_pay_amount": "0.00", "invoice_amount": "0.00",
    });
    fields.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    success(QUERY, fields)
}

fn paid(outcome: Result<Standing, CallError>) -> Payment {
    match outcome {
        Ok(Standing::Paid(payments)) => payments.into_iter().next().expect("a payment"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_paid_trade_is_stated_whole() {
    for status in ["TRADE_SUCCESS", "TRADE_FINISHED"] {
        let more = json!({
            "send_pay_date": "2026-01-02 11:04:06", "buyer_user_id": "2088000000000001", "buyer_logon_id": "158****1234",
            "buyer_user_name": "张三", "fund_bill_list": [{ "fund_channel": "PCREDIT", "amount": "12.30" }],
        });
        let payment = paid(query((200, trade(status, more))).await);
        assert_eq!((payment.number.as_str(), payment.transaction_id.as_str()), (NUMBER, TRADE_NO));
        assert_eq!((payment.total, payment.currency.as_str()), (Some(Fen(1230)), "CNY"));
        assert_eq!((payment.app_id, payment.mch_id), (None, None));
        assert_eq!(payment.payer.as_deref(), Some("2088000000000001"));
        assert_eq!(payment.paid_at, Some(UnixMs::new(1_767_323_046_000)));
        assert_eq!(payment.info["fund_bill_list"][0]["fund_channel"], "PCREDIT");
        assert_eq!(payment.info.get("buyer_user_name"), None);
    }
}

#[tokio::test]
async fn another_currency_is_not_called_yuan() {
    let payment = paid(query((200, trade("TRADE_SUCCESS", json!({ "trans_currency": "JPY" })))).await);
    assert_eq!(payment.currency, "JPY");
}

#[tokio::test]
async fn an_unpaid_trade_is_unpaid_and_a_new_state_is_pending() {
    let waiting = query((200, trade("WAIT_BUYER_PAY", json!({})))).await;
    assert_eq!(waiting, Ok(Standing::Unpaid { paying: false }));
    for more in [json!({ "receipt_amount": "12.30" }), json!({ "fund_bill_list": [{ "fund_channel": "PCREDIT" }] })] {
        let denied = query((200, trade("WAIT_BUYER_PAY", more))).await;
        assert!(matches!(denied, Err(CallError::Unknown(_))), "money that moved denies the word: {denied:?}");
    }
    let new = query((200, trade("TRADE_PENDING", json!({})))).await;
    assert_eq!(new, Ok(Standing::Unpaid { paying: true }));
}

#[tokio::test]
async fn a_closed_trade_was_paid_if_money_moved() {
    assert_eq!(query((200, trade("TRADE_CLOSED", json!({})))).await, Ok(Standing::Closed));
    for more in [
        json!({ "send_pay_date": "2026-01-02 11:04:06" }),
        json!({ "receipt_amount": "12.30" }),
        json!({ "buyer_pay_amount": "0.01" }),
        json!({ "fund_bill_list": [{ "fund_channel": "PCREDIT", "amount": "12.30" }] }),
    ] {
        assert_eq!(paid(query((200, trade("TRADE_CLOSED", more))).await).total, Some(Fen(1230)));
    }
}

#[tokio::test]
async fn a_trade_that_nobody_opened_yet_is_missing() {
    let answer = query((200, failure(QUERY, "40004", "ACQ.TRADE_NOT_EXIST"))).await;
    assert_eq!(answer, Ok(Standing::Missing));
}

#[tokio::test]
async fn nothing_uncertain_is_an_answer() {
    let success_by_nobody = format!(
        r#"{{"alipay_trade_query_response":{{"code":"10000","out_trade_no":"{NUMBER}","trade_no":"{TRADE_NO}","trade_status":"TRADE_SUCCESS","total_amount":"12.30"}}}}"#
    );
    for (status, body) in [
        (200, failure(QUERY, "20000", "isp.unknow-error")),
        (200, failure(QUERY, "40004", "ACQ.SYSTEM_ERROR")),
        (200, failure(QUERY, "50000", "")),
        (200, success_by_nobody),
        (200, trade("TRADE_SUCCESS", json!({ "out_trade_no": "another" }))),
        (200, trade("TRADE_SUCCESS", json!({ "total_amount": "12.345" }))),
        (200, trade("TRADE_SUCCESS", json!({ "trade_no": "" }))),
        (200, trade("", json!({}))),
        (500, trade("TRADE_SUCCESS", json!({}))),
        (302, trade("TRADE_SUCCESS", json!({}))),
        (200, "<html>busy</html>".to_owned()),
    ] {
        let outcome = query((status, body.clone())).await;
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{body}: {outcome:?}");
    }
}

#[tokio::test]
async fn no_answer_is_unknown() {
    let script = Script::of(vec![]).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let order = order(json!({}));
    let gone = gateway("h5", node(json!({ "apiBase": url })));
    let outcome = gone.query(&script.clients, &order, order.current(), UnixMs::new(NOW)).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))));
}

async fn close(name: &str, answers: Vec<String>) -> (Result<providers::Closing, CallError>, Vec<String>) {
    let script = Script::of(answers).await;
    let order = order(json!({}));
    let outcome = at(&script, name).close(&script.clients, &order, order.current(), UnixMs::new(NOW)).await;
    (outcome, script.methods())
}

fn meaning(outcome: Result<providers::Closing, CallError>) -> Meaning {
    match outcome {
        Err(CallError::Refused(refusal)) => refusal.meaning,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unpaid_trade_closes() {
    let (outcome, methods) = close("h5", vec![success(CLOSE, json!({ "out_trade_no": NUMBER }))]).await;
    assert_eq!((outcome, methods), (Ok(providers::Closing::Closed), vec![CLOSE.to_owned()]));
    let (outcome, _) = close("h5", vec![success(CLOSE, json!({ "out_trade_no": "another" }))]).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))));
}

#[tokio::test]
async fn a_trade_that_does_not_close_says_how_it_stands() {
    let (missing, _) = close("h5", vec![failure(CLOSE, "40004", "ACQ.TRADE_NOT_EXIST")]).await;
    assert_eq!(meaning(missing), Meaning::Missing);
    let (success_already, _) = close("h5", vec![failure(CLOSE, "40004", "ACQ.TRADE_HAS_SUCCESS")]).await;
    assert_eq!(meaning(success_already), Meaning::Paid);
    for sub_code in ["ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"] {
        for (status, expected) in
            [("TRADE_SUCCESS", Meaning::Paid), ("TRADE_CLOSED", Meaning::Closed), ("WAIT_BUYER_PAY", Meaning::No)]
        {
            let answers = vec![failure(CLOSE, "40004", sub_code), trade(status, json!({}))];
            let (outcome, methods) = close("h5", answers).await;
            assert_eq!(meaning(outcome), expected);
            assert_eq!(methods, [CLOSE, QUERY]);
        }
    }
    let status_error = || failure(CLOSE, "40004", "ACQ.TRADE_STATUS_ERROR");
    let (paying, _) = close("h5", vec![status_error(), trade("TRADE_PENDING", json!({}))]).await;
    assert_eq!(paying, Ok(providers::Closing::Paying));
    let (untold, _) = close("h5", vec![status_error(), failure(QUERY, "40002", "isv.invalid-signature")]).await;
    assert!(
        matches!(untold, Err(CallError::Unknown(_))),
        "who refuses to tell has not said that it is unpaid: {untold:?}"
    );
    for sub_code in ["ACQ.SYSTEM_ERROR", "AQC.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR"] {
        let (outcome, _) = close("h5", vec![failure(CLOSE, "40004", sub_code)]).await;
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{sub_code}");
    }
}

#[tokio::test]
async fn a_pay_code_trade_is_cancelled() {
    use providers::Closing;
    for (fields, ended) in [
        (json!({ "action": "close" }), Closing::Closed),
        (json!({ "action": "refund" }), Closing::Closed),
        // There was no trade, and its payment may be on its way.
        (json!({}), Closing::LeftOpen),
    ] {
        let (outcome, methods) = close("codepay", vec![success(CANCEL, fields)]).await;
        assert_eq!((outcome, methods), (Ok(ended), vec![CANCEL.to_owned()]));
    }
    let again = || success(CANCEL, json!({ "retry_flag": "Y" }));
    let done = || success(CANCEL, json!({ "retry_flag": "N", "action": "close" }));
    let (outcome, methods) = close("codepay", vec![again(), done()]).await;
    assert_eq!((outcome, methods.len()), (Ok(providers::Closing::Closed), 2));
    let (outcome, methods) = close("codepay", vec![again(), again(), done()]).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))));
    assert_eq!(methods.len(), 2);
    let (outcome, _) = close("codepay", vec![failure(CANCEL, "40004", "AQC.SYSTEM_ERROR")]).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))));
}

async fn refund(answers: Vec<String>) -> (Result<RefundStanding, CallError>, Vec<Value>) {
    let script = Script::of(answers).await;
    let order = order(json!({}));
    let request = RefundRequest {
        order: &order,
        attempt: order.current(),
        transaction_id: TRADE_NO,
        total: Fen(1230),
        out_refund_no: "R_1",
        refund: Fen(405),
        reason: "不要了",
        notify_url: "https://shop.example/refund-notify/alipay/default",
        now: UnixMs::new(NOW),
    };
    let outcome = at(&script, "h5").refund(&script.clients, &request).await;
    let asked = (0..script.asked().len()).map(|n| script.biz(n)).collect();
    (outcome, asked)
}

fn refunded(fund_change: &str) -> String {
    success(
        REFUND,
        json!({
            "out_trade_no": NUMBER, "trade_no": TRADE_NO, "fund_change": fund_change, "refund_fee": "10.00",
            "gmt_refund_pay": "2026-01-02 11:05:00",
        }),
    )
}

fn refund_known(status: &str) -> String {
    success(
        REFUND_QUERY,
        json!({
            "out_trade_no": NUMBER, "trade_no": TRADE_NO, "out_request_no": "R_1", "total_amount": "12.30",
            "refund_amount": "4.05", "refund_status": status, "gmt_refund_pay": "2026-01-02 11:05:00",
        }),
    )
}

fn progress(outcome: Result<RefundStanding, CallError>) -> RefundProgress {
    match outcome {
        Ok(standing) => standing.progress,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refund_succeeds_when_money_moved_and_its_amount_is_not_the_cumulative_one() {
    let (outcome, asked) = refund(vec![refunded("Y")]).await;
    let Ok(standing) = outcome else { panic!("{outcome:?}") };
    assert_eq!(standing.progress, RefundProgress::Success);
    assert_eq!(standing.refund, None);
    assert_eq!(standing.refunded_at, Some(UnixMs::new(1_767_323_100_000)));
    assert_eq!(asked.len(), 1);
    assert_eq!((&asked[0]["refund_amount"], &asked[0]["out_request_no"]), (&json!("4.05"), &json!("R_1")));
    assert_eq!((&asked[0]["trade_no"], &asked[0]["refund_reason"]), (&json!(TRADE_NO), &json!("不要了")));
}

#[tokio::test]
async fn a_refund_that_moved_nothing_is_confirmed_by_asking() {
    let (outcome, asked) = refund(vec![refunded("N"), refund_known("REFUND_SUCCESS")]).await;
    let Ok(standing) = outcome else { panic!("{outcome:?}") };
    assert_eq!((standing.progress, standing.refund), (RefundProgress::Success, Some(Fen(405))));
    assert_eq!(asked[1]["out_request_no"], "R_1");
    for answer in [
        success(REFUND_QUERY, json!({})),
        refund_known(""),
        refund_known("REFUND_PROCESSING"),
        failure(REFUND_QUERY, "40004", "TRADE_NOT_EXIST"),
        failure(REFUND_QUERY, "20000", "isp.unknow-error"),
    ] {
        let (outcome, _) = refund(vec![refunded("N"), answer]).await;
        assert!(matches!(progress(outcome), RefundProgress::Processing(_)));
    }
    // What the trade has refunded in all is told on.
    let (outcome, _) = refund(vec![refunded("N"), success(REFUND_QUERY, json!({}))]).await;
    assert!(matches!(outcome, Ok(standing) if standing.returned == Some(Fen(1000))));
    let channels = |items: Value| {
        let mut fields = json!({ "out_trade_no": NUMBER, "fund_change": "Y", "refund_fee": "10.00" });
        fields["refund_detail_item_list"] = items;
        success(REFUND, fields)
    };
    for (items, cash) in [
        (
            json!([{ "fund_channel": "ALIPAYACCOUNT", "amount": "3.05" }, { "fund_channel": "COUPON", "amount": "1.00" }]),
            Some(Fen(305)),
        ),
        (json!([{ "fund_channel": "BANKCARD", "amount": "4.05" }]), Some(Fen(405))),
        (json!([]), None),
        (json!([{ "fund_channel": "BANKCARD" }]), None),
        (json!("x"), None),
    ] {
        let (outcome, _) = refund(vec![channels(items)]).await;
        assert!(matches!(outcome, Ok(standing) if standing.cash == cash));
    }
}

#[tokio::test]
async fn a_refund_whose_end_nobody_knows_is_unknown() {
    for answer in [
        failure(REFUND, "20000", "aop.unknow-error"),
        failure(REFUND, "40004", "ACQ.SYSTEM_ERROR"),
        success(REFUND, json!({ "fund_change": "Y", "out_trade_no": "another" })),
        r#"{"alipay_trade_refund_response":{"code":"10000","fund_change":"Y"}}"#.to_owned(),
    ] {
        let (outcome, _) = refund(vec![answer]).await;
        assert!(matches!(outcome, Err(CallError::Unknown(_))));
    }
}

#[tokio::test]
async fn a_refund_is_refused_only_when_it_was_not_made() {
    let (outcome, asked) = refund(vec![failure(REFUND, "40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH")]).await;
    assert!(matches!(outcome, Err(CallError::Refused(_))));
    assert_eq!(asked.len(), 1);
    let closed = || failure(REFUND, "40004", "ACQ.TRADE_HAS_CLOSE");
    let (outcome, _) = refund(vec![closed(), refund_known("REFUND_SUCCESS")]).await;
    assert_eq!(progress(outcome), RefundProgress::Success, "the repeat of the refund that closed the trade");
    // The trade says whether all of it has gone back, and then the refund's amount is in that.
    let trade = |status: &str, paid: bool| {
        let mut fields = json!({ "out_trade_no": NUMBER, "trade_status": status, "total_amount": "12.30" });
        if paid {
            fields["send_pay_date"] = json!("2026-01-02 11:00:00");
        }
        success("alipay.trade.query", fields)
    };
    let empty = || success(REFUND_QUERY, json!({}));
    for (status, paid) in [("TRADE_SUCCESS", true), ("TRADE_FINISHED", true), ("TRADE_CLOSED", false)] {
        let (outcome, _) = refund(vec![closed(), empty(), trade(status, paid)]).await;
        assert!(matches!(outcome, Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::Closed), "{status}");
    }
    let (outcome, _) = refund(vec![closed(), empty(), trade("TRADE_CLOSED", true)]).await;
    let Ok(standing) = outcome else { panic!("{outcome:?}") };
    assert_eq!(standing.returned, Some(Fen(1230)));
    assert!(matches!(standing.progress, RefundProgress::Processing(Some(_))), "it is not called refused");
    for answer in [vec![], vec![failure("alipay.trade.query", "40006", "isv.insufficient-isv-permissions")]] {
        let (outcome, _) = refund([vec![closed(), empty()], answer].concat()).await;
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "who does not tell has not said that it failed");
    }
    let (outcome, _) = refund(vec![closed()]).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))));
}

async fn query_refund(answer: String, age: i64) -> Result<RefundStanding, CallError> {
    let script = Script::of(vec![answer]).await;
    let refund: Refund = serde_json::from_value(json!({
        "out_trade_no": NUMBER, "out_refund_no": "R_1", "refund_fee": 405, "refund_desc": "", "state": "PROCESSING",
        "provider": "alipay", "merchant": "default", "attempt": 1, "create_date": NOW - age,
    }))
    .expect("a refund");
    at(&script, "h5")
        .query_refund(&script.clients, &order(json!({})), &attempt(json!({})), &refund, UnixMs::new(NOW))
        .await
}

#[tokio::test]
async fn a_refund_is_asked_for_by_its_number() {
    let Ok(standing) = query_refund(refund_known("REFUND_SUCCESS"), 1).await else { panic!() };
    assert_eq!((standing.progress, standing.refund), (RefundProgress::Success, Some(Fen(405))));
    assert_eq!(standing.refunded_at, Some(UnixMs::new(1_767_323_100_000)));
    for status in ["", "REFUND_FAIL", "REFUND_PROCESSING"] {
        let outcome = query_refund(refund_known(status), 3_600_000).await;
        assert!(matches!(progress(outcome), RefundProgress::Processing(_)), "{status}");
    }
    let raw = json!({ "code": "10000", "out_request_no": "R_2", "refund_status": "REFUND_SUCCESS" }).to_string();
    let other = query_refund(signed_answer(REFUND_QUERY, &raw, &ALIPAY.private), 1).await;
    assert!(matches!(other, Err(CallError::Unknown(_))));
}

#[tokio::test]
async fn a_refund_is_missing_only_when_the_gateway_must_know_it() {
    for sub_code in ["TRADE_NOT_EXIST", "ACQ.TRADE_NOT_EXIST"] {
        let outcome = query_refund(failure(REFUND_QUERY, "40004", sub_code), 1).await;
        assert_eq!(progress(outcome), RefundProgress::Missing);
    }
    let empty = || success(REFUND_QUERY, json!({}));
    assert_eq!(progress(query_refund(empty(), 10_000).await), RefundProgress::Processing(None));
    assert_eq!(progress(query_refund(empty(), 10_001).await), RefundProgress::Missing);
    let outcome = query_refund(failure(REFUND_QUERY, "40004", "ACQ.SYSTEM_ERROR"), 60_000).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))));
}
