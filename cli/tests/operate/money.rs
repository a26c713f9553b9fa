//! Orders, and what changes them: refunds, incidents, handlers, queries.

use super::stack::stack;
use super::{msg, number, order, paid, refund, refunds, trigger, until};
use sandbox::{Fault, Misbehaviour, Op};
use serde_json::json;

#[test]
fn an_order_is_shown_with_all_that_happened_to_it() {
    let no = paid();
    let found = order(&no);
    assert_eq!(found["order"]["trade_state"], "SUCCESS");
    assert_eq!(found["order"]["attempts"][0]["state"], "paid");
    let history = found["history"].as_array().expect("lines");
    let events: Vec<&str> = history.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["created", "issued", "paid"]);
    assert_eq!(found["place"]["kind"], "local");
    // The provider's number of the payment finds it too.
    let transaction = found["order"]["transaction_id"].as_str().expect("a number").to_owned();
    assert_eq!(order(&transaction)["order"]["out_trade_no"], no.as_str());
    let shown = stack().text(&["order", &no, "--lang", "zh"]);
    shown.is(0);
    for part in [no.as_str(), "已支付", "¥1.00", "时间线", "callback", "+08:00"] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
}

#[test]
fn a_refund_finds_its_order_by_the_merchants_number_and_by_the_providers() {
    for provider in ["wxpay", "alipay"] {
        let no = number(&trigger(&["refund", "--provider", provider]));
        let refund = until(&no, |found| found["refunds"][0]["state"] == "SUCCESS")["refunds"][0].clone();
        for name in ["out_refund_no", "refund_id"] {
            if let Some(own) = refund[name].as_str() {
                assert_eq!(order(own)["order"]["out_trade_no"], no.as_str(), "{provider} {name} {own}");
                // What moves money takes it for no order.
                super::refund(own, &["--yes"]).is(1);
            }
        }
        assert!(refund["out_refund_no"].is_string(), "{refund:#}");
    }
}

#[test]
fn a_number_that_nobody_has_is_said_to_be_none() {
    let done = stack().run(&["order", "no-such-order"]).json(1);
    assert!(msg(&done).contains("no-such-order") && msg(&done).contains(&stack().day(-6)), "{done:#}");
}

#[test]
fn money_moves_only_after_a_confirmation() {
    let no = paid();
    let done = refund(&no, &["--amount", "0.30"]);
    assert_eq!(done.json(2)["error"]["exit"], 2);
    for part in ["¥0.30", &no, "default", "LOCAL", "--yes"] {
        assert!(done.err.contains(part), "{part}: {}", done.err);
    }
    assert!(refunds(&no).is_empty());
}

#[test]
fn an_amount_is_read_whole_or_refused() {
    let no = paid();
    for (option, value) in
        [("--amount", "0.305"), ("--amount", "0"), ("--amount", "1e2"), ("--fen", "1.0"), ("--fen", "0"), ("--fen", "")]
    {
        refund(&no, &["--yes", option, value]).is(2);
    }
    refund(&no, &["--yes", "--amount", "1", "--fen", "100"]).is(2);
    let more = refund(&no, &["--yes", "--amount", "1.01"]).json(1);
    assert!(msg(&more).contains("¥1.00"), "{more:#}");
    assert!(refunds(&no).is_empty());
}

#[test]
fn a_refund_repeated_under_its_number_sends_back_once() {
    let no = paid();
    let first = refund(&no, &["--yes", "--amount", "0.30", "--reason", "one of three"]);
    let made = first.json(0);
    let refund_no = made["out_refund_no"].as_str().expect("a number").to_owned();
    assert!(first.err.contains(&format!("--refund-no {refund_no}")), "said before the call: {}", first.err);
    let again = refund(&no, &["--yes", "--refund-no", &refund_no]).json(0);
    assert_eq!(again["out_refund_no"], refund_no.as_str());
    let other = refund(&no, &["--yes", "--refund-no", &refund_no, "--amount", "0.40"]).json(1);
    assert!(msg(&other).contains("¥0.30"));
    until(&no, |found| found["order"]["refund_fee"] == 30);
    assert_eq!(refunds(&no).len(), 1);
    let rest = refund(&no, &["--yes"]).json(0);
    assert_eq!(rest["refund_fee"], 70, "without an amount, all that is left");
}

#[test]
fn an_unknown_outcome_has_a_status_of_its_own_and_is_repeated_under_its_number() {
    let no = paid();
    let refund_no = format!("R{no}");
    stack().sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::SystemErrorAfterCommit).number(&refund_no));
    let done = refund(&no, &["--yes", "--fen", "40", "--refund-no", &refund_no]);
    let error = done.json(3)["error"].clone();
    assert_eq!((&error["code"], &error["exit"]), (&json!(5040), &json!(3)));
    assert!(done.err.contains(&format!("vk-pay order {no}")), "{}", done.err);
    refund(&no, &["--yes", "--refund-no", &refund_no]).is(0);
    until(&no, |found| found["order"]["refund_fee"] == 40);
    assert_eq!(refunds(&no).len(), 1);
}

#[test]
fn as_much_again_is_not_sent_back_while_a_refund_is_under_way_unless_its_number_says_so() {
    let no = paid();
    stack().sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund).number(&format!("A{no}")));
    refund(&no, &["--yes", "--fen", "40", "--refund-no", &format!("A{no}")]).is(0);
    let another = refund(&no, &["--yes", "--fen", "40"]).json(1);
    assert!(msg(&another).contains(&format!("A{no}")), "{another:#}");
    assert_eq!(refunds(&no).len(), 1);
    refund(&no, &["--yes", "--fen", "40", "--refund-no", &format!("B{no}")]).is(0);
    assert_eq!(refunds(&no).len(), 2);
}

#[test]
fn what_a_provider_cannot_do_is_said_by_it() {
    let no = number(&trigger(&["paid", "--provider", "appleiap"]));
    assert_eq!(refund(&no, &["--yes"]).json(1)["error"]["code"], 2005);
}

#[test]
fn an_incident_is_listed_and_decided_once() {
    let ended = trigger(&["mismatch", "--amount", "2.00"]);
    let (no, id) = (number(&ended), ended["incidents"][0]["incident_id"].as_str().expect("an id").to_owned());
    let listed = |more: &[&str]| {
        let list = stack().run(&[&["incidents", "--limit", "1000"], more].concat()).json(0)["list"].clone();
        list.as_array().expect("a list").iter().any(|incident| incident["incident_id"] == id.as_str())
    };
    assert!(listed(&[]) && listed(&["--incident", "amount_mismatch"]) && !listed(&["--provider", "alipay"]));
    // What does not fit is said, with what does, before anybody is asked anything.
    let unfit = stack().run(&["resolve", &id, "accept"]);
    assert!(!unfit.err.contains("--yes"), "{}", unfit.err);
    assert!(msg(&unfit.json(1)).contains("refund, close"), "{}", unfit.out);
    let unconfirmed = stack().run(&["resolve", &id, "refund"]);
    unconfirmed.is(2);
    for part in ["¥1.99", no.as_str(), "amount_mismatch", "LOCAL"] {
        assert!(unconfirmed.err.contains(part), "{part}: {}", unconfirmed.err);
    }
    let done = stack().run(&["resolve", &id, "refund", "--yes", "--note", "by hand"]).json(0);
    assert_eq!(done["refund_fee"], 199);
    let found = until(&no, |found| found["incidents"][0]["status"] == "resolved");
    assert_eq!(found["incidents"][0]["action"], "refund");
    assert!(!listed(&[]) && listed(&["--all"]));
    assert_eq!(stack().run(&["resolve", &id, "close"]).json(1)["error"]["code"], 2018);
    let again = stack().run(&["resolve", &id, "refund"]);
    assert_eq!(again.json(1)["error"]["code"], 2018);
    assert!(!again.err.contains("--yes"), "{}", again.err);
    stack().run(&["resolve", &id, "forget"]).is(2);
}

#[test]
fn a_handler_that_still_refuses_is_no_success() {
    let no = number(&trigger(&["undelivered"]));
    assert_eq!(order(&no)["incidents"][0]["incident"], "undelivered");
    let done = stack().run(&["rerun", &no]).json(1);
    assert!(msg(&done).contains("商品不存在"), "{done:#}");
    assert_eq!(stack().run(&["rerun", &paid()]).json(1)["error"]["code"], 2016);
}

#[test]
fn a_payment_that_nobody_told_of_is_found_by_asking() {
    let no = number(&trigger(&["lost"]));
    assert_eq!(stack().run(&["query", &no]).json(0)["trade_state"], "SUCCESS");
    assert_eq!(order(&no)["order"]["notify_mode"], 0);
}

#[test]
fn an_unpaid_order_is_listed_and_closed() {
    let no = number(&trigger(&["unpaid"]));
    let listed = || {
        let list = stack().run(&["orders", "--state", "notpay", "--limit", "1000"]).json(0)["list"].clone();
        list.as_array().expect("a list").iter().any(|order| order["out_trade_no"] == no.as_str())
    };
    assert!(listed());
    stack().run(&["close", &no]).json(0);
    assert_eq!(order(&no)["order"]["trade_state"], "CLOSED");
    assert!(!listed());
    stack().run(&["orders", "--state", "CLOSED"]).is(2);
}

#[test]
fn a_transfer_under_way_is_listed_and_an_ended_one_found_by_its_number() {
    let no = stack().transfer();
    let list = stack().run(&["transfers"]).json(0)["list"].clone();
    let own = list.as_array().expect("a list").iter().find(|own| own["out_bill_no"] == no.as_str());
    assert_eq!(own.expect("it is under way")["transfer_amount"], 30);
    stack().sandbox.confirm_transfer(&no).expect("the payee confirms");
    let state = || stack().run(&["transfers", &no]).json(0)["list"][0]["state"].clone();
    for _ in 0..200 {
        if state() == "SUCCESS" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(state(), "SUCCESS");
    stack().run(&["transfers", "no-such"]).is(1);
    stack().run(&["transfers", "--state", "SUCCESS"]).is(2);
}

#[test]
fn an_authorisation_that_waits_is_listed_and_a_given_one_found_by_its_number() {
    let no = format!("A{}", hex::encode(shared::crypto::random::<8>()));
    let data = json!({
        "provider": "wxpay", "out_authorization_no": no, "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        "user_display_name": no, "transfer_scene_id": "1000",
    });
    stack().call("transfer", "pay/createUserConfirmAuthorization", &data);
    let list = stack().run(&["authorizations"]).json(0)["list"].clone();
    let own = list.as_array().expect("a list").iter().find(|own| own["out_authorization_no"] == no.as_str());
    assert_eq!(own.expect("it waits")["state"], "WAIT_USER_CONFIRM");
    assert!(!list.to_string().contains("oUpF8uMuAJO"), "whose it is is not shown: {list}");
    stack().sandbox.settle_authorization(&no, sandbox::AuthorizationOutcome::Confirmed).expect("the payee gives it");
    let state = || stack().run(&["authorizations", &no]).json(0)["list"][0]["state"].clone();
    for _ in 0..200 {
        if state() == "TAKING_EFFECT" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(state(), "TAKING_EFFECT");
    stack().run(&["authorizations", "no-such"]).is(1);
}

#[test]
fn a_balance_is_told_and_what_is_not_stuck_is_sent_to_no_card() {
    let balance = stack().run(&["balance", "wxpay"]).json(0);
    assert!(balance["available_amount"].is_u64(), "{balance}");
    stack().run(&["balance", "wxpay", "--account", "OPERATION"]).is(1);
    stack().run(&["balance", "nobody"]).is(2);
    assert!(stack().run(&["requests"]).json(0)["list"].is_array());
    stack().run(&["requests", "--cursor", "of-another-list"]).is(2);
    let no = paid();
    stack().run(&["mend-refund", &no, "no-such", "--to-merchant", "--yes"]).is(1);
    stack().run(&["mend-refund", &no, "no-such"]).is(2);
}
