//! What a script has the simulated providers do.

use super::stack::stack;
use super::{msg, number, order, paid, refund, trigger, until};
use serde_json::json;

#[test]
fn each_trigger_ends_as_its_line_says() {
    let listed = stack().run(&["trigger", "--list"]).json(0)["triggers"].clone();
    let names: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|own| own["name"].as_str()).collect();
    let endings = [
        ("unpaid", "NOTPAY", None),
        ("closed", "CLOSED", None),
        ("paid", "SUCCESS", None),
        ("lost", "NOTPAY", None),
        ("duplicate", "SUCCESS", None),
        ("late", "CLOSED", Some("late_payment")),
        ("double", "SUCCESS", Some("second_payment")),
        ("mismatch", "NOTPAY", Some("amount_mismatch")),
        ("undelivered", "SUCCESS", Some("undelivered")),
        ("refund", "REFUND", None),
        ("refund-elsewhere", "REFUND", Some("refund_elsewhere")),
        ("complaint", "SUCCESS", Some("complaint")),
        ("forged", "NOTPAY", None),
        ("altered", "NOTPAY", None),
        ("stale", "NOTPAY", None),
    ];
    assert_eq!(names, endings.map(|(name, ..)| name), "each is tried here");
    for (name, state, incident) in endings {
        let ended = trigger(&[name]);
        assert_eq!((&ended["trade_state"], &ended["settled"]), (&json!(state), &json!(true)), "{name}: {ended:#}");
        assert_eq!(ended["incidents"][0]["incident"].as_str(), incident, "{name}: {ended:#}");
        if ["forged", "altered", "stale"].contains(&name) {
            assert_eq!(ended["callbacks"][0]["status"], 401, "{name}: {ended:#}");
        }
    }
    stack().run(&["trigger", "lightning"]).is(2);
    let many = stack().run(&["trigger", "paid", "--count", "3"]).json(0);
    assert_eq!(many["orders"].as_array().map(Vec::len), Some(3));
}

#[test]
fn every_provider_can_be_triggered_and_says_what_it_cannot() {
    for provider in ["wxpay", "alipay", "appleiap", "vkspay", "wxpay-virtual", "douyin", "huawei"] {
        let ended = trigger(&["paid", "--provider", provider]);
        assert_eq!((&ended["trade_state"], &ended["provider"]), (&json!("SUCCESS"), &json!(provider)), "{ended:#}");
    }
    for (line, said) in [
        (["trigger", "stale", "--provider", "alipay"], "signs no time"),
        (["trigger", "refund", "--provider", "appleiap"], "cannot do that"),
        (["trigger", "mismatch", "--provider", "appleiap"], "no amount of its own"),
    ] {
        let refused = stack().run(&line).json(1);
        assert!(msg(&refused).contains(said), "{refused:#}");
    }
}

#[test]
fn a_callback_that_was_lost_is_signed_now_and_arrives() {
    let no = number(&trigger(&["lost"]));
    let sent = stack().run(&["resend", &no]).json(0);
    assert_eq!((&sent["fresh"], &sent["answers"][0]["status"]), (&json!(true), &json!(204)));
    until(&no, |found| found["order"]["user_order_success"] == true);
}

#[test]
fn a_callback_is_sent_again_byte_for_byte_and_credits_nothing_more() {
    let no = paid();
    let sent = stack().run(&["resend", &no, "--times", "5"]).json(0);
    assert_eq!(sent["fresh"], false);
    let answers = sent["answers"].as_array().expect("answers");
    assert!(answers.len() == 5 && answers.iter().all(|answer| answer["status"] == 204), "{answers:?}");
    let history = order(&no)["history"].as_array().expect("lines").clone();
    assert_eq!(history.iter().filter(|line| line["event"] == "paid").count(), 1);
    let refund_no = refund(&no, &["--yes"]).json(0)["out_refund_no"].as_str().expect("a number").to_owned();
    until(&no, |found| found["refunds"][0]["state"] == "SUCCESS");
    let again = stack().run(&["resend", &no, "--refund", &refund_no]).json(0);
    assert!(again["url"].as_str().expect("a URL").contains("refund-notify"), "{again:#}");
}

#[test]
fn nobody_tells_the_stack_anything_without_a_key_or_from_a_page() {
    let wish = json!({ "name": "paid" });
    assert_eq!(stack().post("/control/trigger", &wish, &[]), 401);
    assert_eq!(stack().post("/control/trigger", &wish, &[("authorization", "Bearer x".to_owned())]), 401);
    let key = ("authorization", format!("Bearer {}", stack().key));
    assert_eq!(stack().post("/control/trigger", &wish, &[key.clone(), ("origin", stack().url.clone())]), 403);
    assert_eq!(stack().post("/control/trigger", &wish, &[key]), 200);
}

#[test]
fn what_works_on_this_machine_only_does_not_list_the_options_of_aws() {
    for command in ["trigger", "resend"] {
        let help = stack().plain(&[command, "--help"]);
        help.is(0);
        assert!(help.out.contains("--data-dir") && help.out.contains("--json"), "{}", help.out);
        for option in ["--profile", "--region", "--table", "--stack"] {
            assert!(!help.out.contains(option), "{command} {option}: {}", help.out);
        }
    }
    let orders = stack().plain(&["orders", "--help"]);
    assert!(orders.out.contains("--profile"), "{}", orders.out);
}

#[test]
fn the_greeting_stands_before_what_the_configuration_is_remarked_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("said");
    let written = std::fs::File::create(&file).expect("a file");
    let mut stack = std::process::Command::new(env!("CARGO_BIN_EXE_vk-pay"))
        .args(["dev", "--port", "0", "--schedule", "0", "--data-dir"])
        .arg(folder.path().join("data"))
        .env_clear()
        .stdout(written.try_clone().expect("a file"))
        .stderr(written)
        .spawn()
        .expect("the binary runs");
    let said = (0..400).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::read_to_string(&file).ok().filter(|said| said.contains("is missing: nothing binds a product"))
    });
    let _ = stack.kill();
    let _ = stack.wait();
    let said = said.expect("the remark is not lost");
    assert!(said.starts_with("Console "), "{said}");
    assert!(said.find("Ctrl-C stops.") < said.find("is missing"), "{said}");
}

#[test]
fn where_no_stack_runs_the_command_that_starts_one_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_str().expect("a path");
    let none = stack().plain(&["orders", "--data-dir", dir]);
    none.is(1);
    assert!(none.err.contains("vk-pay dev"), "{}", none.err);
    // One that was killed leaves its address.
    let gone = json!({ "url": "http://127.0.0.1:9", "dynamodb": "http://127.0.0.1:9", "key": null });
    std::fs::write(folder.path().join("stack.json"), gone.to_string()).expect("written");
    let killed = stack().plain(&["orders", "--data-dir", dir]);
    killed.is(1);
    assert!(killed.err.contains("is gone") && killed.err.contains("vk-pay dev"), "{}", killed.err);
}

#[test]
fn two_stacks_do_not_share_a_data_folder() {
    let second = stack().text(&["dev", "--port", "0"]);
    second.is(1);
    assert!(second.err.contains("runs with the data folder") && second.err.contains(&stack().url), "{}", second.err);
}
