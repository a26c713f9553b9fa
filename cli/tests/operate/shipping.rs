//! The shipping of what is paid in a mini program: what waits is listed, reported once and corrected once, from the terminal
//! and on the console's pages.

use super::aws::deployment;
use super::stack::stack;
use serde_json::{Value, json};

/// An order of a mini program, paid and known to be.
fn sold() -> String {
    // WeChat would know it after ten seconds.
    stack().sandbox.know_payments_after(0);
    let no = deployment().mini_program_order();
    assert_eq!(deployment().run(&["query", &no]).json(0)["trade_state"], "SUCCESS");
    no
}

fn waits(no: &str) -> bool {
    let listed = deployment().run(&["shipping", "--limit", "1000"]).json(0);
    let list = listed["list"].as_array().expect("a list");
    list.iter().any(|order| order["out_trade_no"] == no && order["shipping"]["state"] == "due")
}

fn state(no: &str) -> Value {
    deployment().run(&["shipping", no]).json(0)["shipping"]["state"].clone()
}

#[test]
fn an_order_that_waits_is_listed_until_its_shipping_is_reported_and_is_corrected_once() {
    let (aws, no) = (deployment(), sold());
    assert!(waits(&no));
    let report = |tracking: &str, more: &[&str]| {
        let line = ["shipping", "report", &no, "--carrier", "YTO", "--tracking", tracking];
        aws.run(&[&line[..], more].concat())
    };
    let unconfirmed = report("YT1", &[]);
    unconfirmed.is(2);
    for part in ["YTO YT1", no.as_str(), "--yes", "AWS 123456789012"] {
        assert!(unconfirmed.err.contains(part), "{part}: {}", unconfirmed.err);
    }
    assert_eq!(state(&no), "due");
    assert_eq!(report("YT1", &["--yes"]).json(0)["shipping"]["state"], "reported");
    assert!(!waits(&no));
    let correction = report("YT2", &[]);
    assert!(correction.err.contains("CORRECT"), "{}", correction.err);
    assert_eq!(report("YT2", &["--yes"]).json(0)["shipping"]["state"], "corrected");
    assert_eq!(report("YT3", &["--yes"]).json(1)["error"]["code"], 2040);
    let asked = aws.run(&["shipping", "query", &no]).json(0);
    assert_eq!(asked["shipping"]["state"], "corrected", "{asked:#}");
    let shown = aws.run(&["shipping", &no]).json(0);
    let outcomes: Vec<&str> = shown["history"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|line| line["detail"]["outcome"].as_str())
        .collect();
    assert_eq!(outcomes[..2], ["taken", "taken"], "{shown:#}");
}

#[test]
fn a_report_says_how_it_is_shipped_or_is_not_made() {
    let (aws, no) = (deployment(), sold());
    for line in [
        &["shipping", "report", &no, "--yes"][..],
        &["shipping", "report", &no, "--yes", "--carrier", "SF"],
        &["shipping", "report", &no, "--yes", "--virtual", "--pick-up"],
        &["shipping", "report", &no, "--yes", "--virtual", "--carrier", "SF", "--tracking", "1"],
    ] {
        aws.run(line).is(2);
    }
    // This carrier wants a telephone number.
    let line = ["shipping", "report", &no, "--yes", "--carrier", "SF", "--tracking", "SF1"];
    assert_eq!(aws.run(&line).json(1)["error"]["code"], 1030);
    assert_eq!(state(&no), "due");
    let done = aws.run(&["shipping", "report", &no, "--yes", "--virtual"]).json(0);
    assert_eq!((&done["shipping"]["state"], &done["shipping"]["logistics_type"]), (&json!("reported"), &json!(3)));
    // What is no order of a mini program has nothing to report.
    aws.run(&["shipping", &aws.order()]).is(1);
}

#[test]
fn the_console_lists_what_waits_and_reports_it_and_corrects_only_what_is_meant() {
    let (aws, no) = (deployment(), sold());
    let console = aws.console(&["--write", "--lang", "en"]);
    let listed = console.get("/shipping");
    assert!(listed.contains(&format!("data-order=\"{no}\"")) && listed.contains("data-late=\"false\""), "{listed}");
    let page = console.get(&format!("/orders/{no}"));
    assert!(page.contains("data-testid=\"shipping-form\"") && page.contains("data-testid=\"deadline\""), "{page}");
    let report = format!("/orders/{no}/shipping");
    let fields = "logistics_type=1&express_company=ZTO&tracking_no=Z";
    assert_eq!(console.post_fields(&report, &page, &format!("{fields}1")), 303);
    assert_eq!(state(&no), "reported");
    assert!(!console.get("/shipping").contains(&format!("data-order=\"{no}\"")));
    let page = console.get(&format!("/orders/{no}"));
    assert!(page.contains("name=\"corrects\""), "the correction is asked for by a word of its own");
    assert_eq!(console.post_fields(&report, &page, &format!("{fields}2")), 303);
    assert_eq!(state(&no), "reported", "the form without its check box spends nothing");
    assert_eq!(console.post_fields(&report, &page, &format!("{fields}2&corrects=yes")), 303);
    assert_eq!(state(&no), "corrected");
    assert!(!console.get(&format!("/orders/{no}")).contains("data-testid=\"shipping-form\""));
    assert_eq!(console.post(&format!("/orders/{no}/shipping/query"), &page), 303);
}

#[test]
fn a_console_that_may_only_look_reports_no_shipping() {
    let (aws, no) = (deployment(), sold());
    let console = aws.console(&[]);
    let page = console.get(&format!("/orders/{no}"));
    assert_eq!(console.post_fields(&format!("/orders/{no}/shipping"), &page, "logistics_type=3"), 403);
    assert_eq!(state(&no), "due");
}
