//! Lists and sums of days, and the export.

use super::stack::stack;
use super::{msg, number, trigger, until};
use serde_json::json;

#[test]
fn a_page_of_a_day_goes_on_where_it_ended() {
    let numbers: Vec<String> = (0..3).map(|_| number(&trigger(&["paid", "--provider", "huawei"]))).collect();
    let page =
        |more: &[&str]| stack().run(&[&["orders", "--provider", "huawei", "--limit", "2"], more].concat()).json(0);
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let found = match &cursor {
            Some(cursor) => page(&["--cursor", cursor]),
            None => page(&[]),
        };
        seen.extend(found["list"].as_array().expect("a list").iter().map(number));
        match found["cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    for no in &numbers {
        assert_eq!(seen.iter().filter(|own| *own == no).count(), 1, "{no} in {seen:?}");
    }
    let found = stack().run(&["orders", "--user", "demo-user", "--limit", "1000", "--type", "recharge"]).json(0);
    let seen: Vec<String> = found["list"].as_array().expect("a list").iter().map(number).collect();
    assert!(numbers.iter().all(|no| seen.contains(no)), "a user's orders: {seen:?}");
}

#[test]
fn a_list_that_is_asked_for_wrongly_is_refused() {
    for line in [
        &["orders", "--cursor", "bm9uZQ=="][..],
        &["orders", "--day", "2026-02-30"],
        &["orders", "--from", "2026-02-03", "--to", "2026-02-01"],
        &["orders", "--from", "2026-02-03"],
        &["orders", "--provider", "paypal"],
        &["totals", "--from", "2026-01-02", "--to", "2026-01-01"],
        &["totals", "--from", "2024-01-01", "--to", "2026-01-01"],
    ] {
        stack().run(line).is(2);
    }
}

#[test]
fn a_merchant_or_type_that_there_is_not_is_an_error_that_names_those_that_there_are() {
    let day = &stack().day(0);
    for line in [
        &["orders"][..],
        &["orders", "--user", "demo-user"],
        &["orders", "--state", "NOTPAY"],
        &["payments"],
        &["totals"],
        &["export", "csv", "--from", day, "--to", day],
        &["incidents"],
        &["transfers"],
        &["shipping"],
    ] {
        let refused = stack().text(&[line, &["--merchant", "nosuch"]].concat());
        refused.is(2);
        for part in ["nosuch", "cert, default, v2"] {
            assert!(refused.err.contains(part), "{line:?} {part}: {}", refused.err);
        }
    }
    let refused = stack().run(&["orders", "--type", "rechagre"]).json(2);
    assert!(msg(&refused).contains("rechagre") && msg(&refused).contains("recharge, goods, vip"), "{refused:#}");
}

#[test]
fn a_command_line_that_is_wrong_is_a_document_too_where_json_is_wanted() {
    for (line, part) in [
        (&["orders", "--day", "2026-02-30"][..], "not a day such as"),
        (&["orders", "--provider", "paypal"], "wxpay, alipay"),
        (&["orders", "--state", "PAID"], "NOTPAY, SUCCESS, REFUND, CLOSED"),
        (&["orders", "--limit", "0"], "--limit"),
        (&["orders", "--nothing"], "--nothing"),
        (&["transfers", "--state", "PAID"], "PROCESSING"),
        (&["trigger", "lightning"], "one of: unpaid"),
    ] {
        let refused = stack().run(line);
        let error = refused.json(2)["error"].clone();
        assert_eq!(error["exit"], 2, "{error:#}");
        let words = error["msg"].as_str().expect("words");
        assert!(words.contains(part) && !words.contains("Usage"), "{line:?}: {words}");
        assert!(refused.err.contains(part), "{}", refused.err);
    }
}

#[test]
fn a_day_is_added_up_by_provider_and_merchant() {
    for ending in ["paid", "refund"] {
        trigger(&[ending, "--merchant", "cert", "--provider", "alipay", "--amount", "12.34"]);
    }
    let only = ["--merchant", "cert", "--provider", "alipay"];
    let totals = stack().run(&[&["totals"][..], &only].concat()).json(0);
    let sums = json!({
        "paid": 2, "paid_fee": 2468, "refunded": 1, "refunded_fee": 1234, "returned": 0, "returned_fee": 0,
    });
    assert_eq!(totals["totals"], sums);
    assert_eq!((&totals["days"][0]["merchant"], &totals["days"][0]["provider"]), (&json!("cert"), &json!("alipay")));
    let shown = stack().text(&[&["totals"][..], &only].concat());
    assert!(shown.out.contains("¥24.68") && shown.out.contains("¥12.34"), "{}", shown.out);
    let payments = stack().run(&[&["payments", "--limit", "1"][..], &only].concat()).json(0);
    assert_eq!((payments["payments"].as_array().map(Vec::len), &payments["totals"]), (Some(1), &sums));
}

#[test]
fn what_went_back_and_was_credited_to_no_order_is_no_part_of_the_net() {
    trigger(&["late", "--merchant", "v2", "--provider", "vkspay", "--amount", "5.00"]);
    let only = ["totals", "--merchant", "v2", "--provider", "vkspay"];
    let returned = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        Some(stack().run(&only).json(0)["totals"].clone()).filter(|sums| sums["returned"] == 1)
    });
    let sums = returned.expect("the late payment goes back");
    assert_eq!((&sums["returned_fee"], &sums["paid"], &sums["refunded_fee"]), (&json!(500), &json!(0), &json!(0)));
    let shown = stack().text(&only);
    assert!(shown.out.contains("¥5.00") && !shown.out.contains("-¥5.00"), "{}", shown.out);
}

#[test]
fn an_export_has_a_line_for_each_order_and_runs_nothing() {
    let no = stack().create(&json!({ "subject": "=HYPERLINK(\"http://evil.example\")", "pid": "cert" }));
    stack().pay(&no);
    until(&no, |found| found["order"]["trade_state"] == "SUCCESS");
    let (from, to) = (&stack().day(-1), &stack().day(1));
    let line = ["export", "csv", "--from", from, "--to", to, "--merchant", "cert"];
    let shown = stack().text(&line);
    shown.is(0);
    let own = shown.out.lines().find(|line| line.contains(&no)).expect("its line");
    assert!(own.contains("SUCCESS,1.00,0.00,CNY,wxpay") && own.contains("\"'=HYPERLINK("), "{own}");
    let file = stack().folder.path().join("orders.csv");
    let path = file.to_str().expect("a path");
    let done = stack().run(&[&line[..], &["--output", path, "--excel"]].concat()).json(0);
    let written = std::fs::read_to_string(&file).expect("the file");
    assert!(written.starts_with('\u{feff}') && written.contains("\r\n"));
    assert_eq!(done["lines"], written.lines().count() - 1);
    stack().text(&[&line[..], &["--output", path]].concat()).is(1);
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), written, "nothing is written over");
    stack().run(&line).is(2);
}
