//! `vk-pay` as an operator and a script have it: the real binary, against a stack that runs here, and against one behind
//! an emulated AWS.

mod aws;
mod days;
mod money;
mod scripts;
mod shipping;
mod stack;

use serde_json::Value;
use stack::{Done, stack};
use std::time::Duration;

/// Triggers something; what it says of the one order.
fn trigger(arguments: &[&str]) -> Value {
    let done = stack().run(&[&["trigger"], arguments].concat()).json(0);
    done["orders"][0].clone()
}

/// The number of a new order that is paid and delivered.
fn paid() -> String {
    number(&trigger(&["paid"]))
}

fn number(order: &Value) -> String {
    order["out_trade_no"].as_str().expect("a number").to_owned()
}

/// An order as `vk-pay order` has it.
fn order(no: &str) -> Value {
    stack().run(&["order", no]).json(0)
}

/// Waits until an order is as it is to be.
fn until(no: &str, ended: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..200 {
        let found = order(no);
        if ended(&found) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{no} does not end so: {:#}", order(no));
}

fn refund(no: &str, more: &[&str]) -> Done {
    stack().run(&[&["refund", no], more].concat())
}

fn refunds(no: &str) -> Vec<Value> {
    order(no)["refunds"].as_array().expect("refunds").clone()
}

/// The words of a failure.
fn msg(failure: &Value) -> &str {
    failure["error"]["msg"].as_str().expect("words")
}
