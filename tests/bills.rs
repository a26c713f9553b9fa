//! Bills of a day against the table: what fits, what differs, what cannot be had.

use crate::world::{TABLE, World, merge};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::{BillTamper, Endpoint, Fault, Misbehaviour, Mode, Op, RefundOutcome, TransferOutcome};
use serde_json::{Value, json};
use shared::app::system_clock;
use shared::domain::{Day, Provider, UnixMs};
use shared::payments::{BillsReply, check_bills};

const DAY_MS: i64 = 86_400_000;

fn now() -> i64 {
    (system_clock())().get()
}

fn today() -> String {
    Day::of(UnixMs::new(now())).to_string()
}

fn there(provider: Provider) -> sandbox::Provider {
    sandbox::Provider::parse(provider.name()).expect("the same names")
}

impl World {
    /// Checks today's bills of one provider, tomorrow.
    async fn bills(&self, provider: Provider) -> BillsReply {
        let app = self.app.as_ref().expect("an app");
        let cx = app.context(app.config().await);
        check_bills(&cx, UnixMs::new(now() + DAY_MS), None, None, Some(provider)).await.expect("a run")
    }

    /// The same, with today named.
    async fn bills_of(&self, day: &str, merchant: Option<&str>) -> BillsReply {
        let app = self.app.as_ref().expect("an app");
        let cx = app.context(app.config().await);
        check_bills(&cx, UnixMs::new(now()), Some(day), merchant, None).await.expect("a run")
    }

    fn spoil(&self, provider: Provider, how: BillTamper) {
        self.sandbox.spoil_bill(there(provider), how);
    }

    async fn report(&self, provider: Provider) -> Value {
        let reports = self.kind("bill_report").await;
        let found = reports.iter().find(|r| r["provider"] == provider.name() && r["bill_date"] == today());
        found.cloned().unwrap_or_else(|| panic!("no report: {reports:?}"))
    }

    async fn bill_incidents(&self) -> Vec<Value> {
        let all = self.kind("incident").await;
        all.into_iter().filter(|i| i["incident"].as_str().unwrap().starts_with("bill_")).collect()
    }

    /// A paid order of 100 fen.
    async fn paid_at(&self, provider: Provider, no: &str) {
        let (status, answer) = self.create(no, json!({ "provider": provider.name() })).await;
        assert_eq!(status, 200, "{answer}");
        self.pay(no).await;
    }

    /// A refund that has ended.
    async fn refunded(&self, no: &str, number: &str, amount: u64) {
        let before = self.order(no).await["refund_fee"].as_u64().unwrap();
        let body = json!({ "out_trade_no": no, "out_refund_no": number, "refund_fee": amount });
        let (status, answer) = self.call("refund", body).await;
        assert_eq!(status, 200, "{answer}");
        self.until(|order| order["refund_fee"] == before + amount, no).await;
    }

    /// How it became known that an order's refund ended well.
    async fn ended_by(&self, no: &str) -> Value {
        let history = self.history(no).await;
        let ended: Vec<_> = history.iter().filter(|line| line["event"] == "refunded").collect();
        assert_eq!(ended.len(), 1, "{history:?}");
        ended[0]["source"].clone()
    }

    /// Loses all callbacks from now on.
    fn lose_callbacks(&self) {
        self.sandbox.misbehave(Fault { on: Endpoint::op(Op::Notify), times: None, what: Misbehaviour::Lose });
    }

    /// Lists an item under the day before.
    async fn list_a_day_earlier(&self, pk: &str, sk: &str) {
        let key = [("pk", pk), ("sk", sk)].map(|(k, v)| (k.to_owned(), Av::S(v.to_owned())));
        let item = self.kind_key(pk).await["list_key"].as_str().unwrap().to_owned();
        let earlier = Day::parse(&today()).unwrap().before(1).to_string();
        let listed = item.replace(&today(), &earlier);
        assert_ne!(listed, item);
        self.tables
            .update_item()
            .table_name(TABLE)
            .set_key(Some(key.into()))
            .update_expression("SET list_key = :l")
            .expression_attribute_values(":l", Av::S(listed))
            .send()
            .await
            .expect("written");
    }

    async fn kind_key(&self, pk: &str) -> Value {
        self.items(TABLE).await.into_iter().find(|i| i["pk"] == pk).unwrap_or_else(|| panic!("no {pk}"))
    }
}

const BOTH: [Provider; 2] = [Provider::Wxpay, Provider::Alipay];

#[tokio::test]
async fn a_day_on_which_all_fits_leaves_a_report_and_no_incident() {
    for provider in BOTH {
        let world = World::start().await;
        for i in 1..=3 {
            world.paid_at(provider, &format!("FITS_{i}")).await;
        }
        world.create("UNPAID_1", json!({ "provider": provider.name() })).await;
        world.refunded("FITS_1", "FITS_1_R", 30).await;
        world.refunded("FITS_1", "FITS_1_S", 70).await;
        world.refunded("FITS_2", "FITS_2_R", 5).await;
        for _ in 0..2 {
            let reply = world.bills(provider).await;
            assert_eq!(reply, BillsReply { asked: 1, checked: 1, ..BillsReply::default() });
            let report = world.report(provider).await;
            let shown = ["state", "lines", "total_fee", "refund_fee", "differences", "merchant", "list_key"];
            let shown: Vec<&Value> = shown.iter().map(|name| &report[*name]).collect();
            assert_eq!(json!(shown), json!(["checked", 6, 300, 105, 0, "default", "bill_report"]), "{provider}");
        }
        assert_eq!(world.kind("incident").await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn each_difference_is_one_incident_and_no_other_at_the_next_run() {
    let payment = |number: &str| BillTamper::Payment {
        number: number.to_owned(),
        transaction_id: "4200000000000000000000000099".to_owned(),
        amount: 77,
    };
    for provider in BOTH {
        let cases = [
            (BillTamper::Drop("DIFF_1".into()), "bill_missing_there", json!(["DIFF_1", null, 100, null])),
            (BillTamper::Amount("DIFF_1".into(), 99), "bill_amount", json!(["DIFF_1", null, 100, 99])),
            (payment("NOBODY_1"), "bill_missing_here", json!(["NOBODY_1", null, null, 77])),
            (payment("DIFF_1"), "bill_missing_here", json!(["DIFF_1", null, "REFUND", 77])),
            (payment("DIFF_2"), "bill_missing_here", json!(["DIFF_2", null, "NOTPAY", 77])),
            (BillTamper::Drop("DIFF_1_R".into()), "bill_refund", json!(["DIFF_1", "DIFF_1_R", 30, null])),
            (BillTamper::Amount("DIFF_1_R".into(), 31), "bill_refund", json!(["DIFF_1", "DIFF_1_R", 30, 31])),
            (
                BillTamper::Refund {
                    number: "NOBODY_1".into(),
                    transaction_id: "4200000000000000000000000098".into(),
                    out_refund_no: "NOBODY_R".into(),
                    amount: 9,
                },
                "bill_refund",
                json!(["NOBODY_1", "NOBODY_R", null, 9]),
            ),
        ];
        let world = World::start().await;
        world.paid_at(provider, "DIFF_1").await;
        world.refunded("DIFF_1", "DIFF_1_R", 30).await;
        world.create("DIFF_2", json!({ "provider": provider.name() })).await;
        let mut known = 0;
        for (tamper, name, shown) in cases {
            world.sandbox.mend_bills();
            world.spoil(provider, tamper.clone());
            let reply = world.bills(provider).await;
            assert_eq!((reply.incidents, reply.errors, reply.checked), (1, 0, 1), "{provider} {tamper:?}");
            assert_eq!(world.report(provider).await["differences"], 1, "{tamper:?}");
            assert_eq!(world.bills(provider).await.incidents, 0, "{provider} {tamper:?}");
            let incidents = world.bill_incidents().await;
            known += 1;
            assert_eq!(incidents.len(), known);
            let fields = ["out_trade_no", "out_refund_no", "expected", "actual"];
            let found = incidents.iter().any(|i| {
                i["incident"] == name && json!(fields.map(|f| i.get(f).cloned().unwrap_or_default())) == shown
            });
            assert!(found, "{provider} {tamper:?}: {incidents:?}");
        }
        let order = world.order("DIFF_1").await;
        assert_eq!((&order["refund_fee"], &order["trade_state"]), (&json!(30), &json!("REFUND")), "nothing is changed");
        assert_eq!(world.order("DIFF_2").await["trade_state"], "NOTPAY");
    }
}

#[tokio::test]
async fn a_payment_whose_callback_was_lost_is_credited_and_reported() {
    for provider in BOTH {
        let world = World::start().await;
        world.create("LOST_1", json!({ "provider": provider.name() })).await;
        world.pay_silently("LOST_1").await;
        let reply = world.bills(provider).await;
        assert_eq!((reply.credited, reply.incidents, reply.asked, reply.errors), (1, 1, 2, 0), "{provider}");
        let order = world.order("LOST_1").await;
        assert_eq!((&order["trade_state"], &order["notify_mode"]), (&json!("SUCCESS"), &json!(0)));
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
        let incident = world.incident_of("bill_missing_here", "LOST_1").await;
        assert_eq!((&incident["expected"], &incident["actual"]), (&json!("NOTPAY"), &json!(100)));
        assert_eq!(incident["transaction_id"], order["transaction_id"]);
        let again = world.bills(provider).await;
        assert_eq!((again.incidents, again.asked, again.credited), (0, 1, 0));
        assert_eq!(world.report(provider).await["differences"], 0);
    }
}

#[tokio::test]
async fn a_payment_that_is_an_incident_already_is_explained() {
    for policy in ["refund", "wait"] {
        let world = World::with(Mode::default(), |config| {
            config["policy"] = json!({ "latePayment": policy, "duplicatePayment": policy });
        })
        .await;
        world.create("LATE_1", json!({})).await;
        let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "LATE_1" } });
        assert_eq!(world.call("create-payment", close).await.0, 200);
        let anyway = sandbox::Pay { force: true, ..sandbox::Pay::default() };
        world.sandbox.pay("LATE_1", anyway).await.expect("paid");
        world.incident_of("late_payment", "LATE_1").await;
        if policy == "refund" {
            world.run_refund_tasks().await;
            for _ in 0..100 {
                if world.incident_of("late_payment", "LATE_1").await["status"] == "resolved" {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            assert_eq!(world.incident_of("late_payment", "LATE_1").await["status"], "resolved");
        }
        let reply = world.bills(Provider::Wxpay).await;
        assert_eq!((reply.incidents, reply.errors, reply.asked), (0, 0, 1), "{policy}");
        let report = world.report(Provider::Wxpay).await;
        let lines = if policy == "refund" { json!([2, 100, 100, 0]) } else { json!([1, 100, 0, 0]) };
        let shown = ["lines", "total_fee", "refund_fee", "differences"].map(|name| report[name].clone());
        assert_eq!(json!(shown), lines, "{policy}");
        assert_eq!(world.bill_incidents().await, Vec::<Value>::new());
        if policy == "refund" {
            world.spoil(Provider::Wxpay, BillTamper::Drop("LATE_1X1".into()));
            assert_eq!(world.bills(Provider::Wxpay).await.incidents, 1, "the money that went back is compared too");
            assert_eq!(world.incident_of("bill_refund", "LATE_1").await["out_refund_no"], "LATE_1X1");
        }
    }
}

impl World {
    /// Runs every refund task that is due, as dispatch would.
    async fn run_refund_tasks(&self) {
        let app = self.app.as_ref().expect("an app");
        for task in self.kind("task").await.into_iter().filter(|task| task["task"] == "refund") {
            let cx = app.context(app.config().await);
            let no = task["out_trade_no"].as_str().unwrap();
            let name = format!("refund#{}", task["subject"].as_str().unwrap());
            let task = app.store.task(no, &name).await.unwrap().unwrap();
            shared::payments::run_task(&cx, &task, UnixMs::new(now())).await.unwrap();
        }
    }
}

#[tokio::test]
async fn every_form_of_a_file_is_read() {
    let world = World::start().await;
    for provider in BOTH {
        world.paid_at(provider, &format!("FORM_{provider}")).await;
    }
    let forms = [
        (Provider::Wxpay, vec![BillTamper::Plain]),
        (Provider::Wxpay, vec![BillTamper::HashOfFile]),
        (Provider::Wxpay, vec![BillTamper::Windows]),
        (Provider::Wxpay, vec![BillTamper::Plain, BillTamper::Windows]),
        (Provider::Alipay, vec![BillTamper::Utf8]),
        (Provider::Alipay, vec![BillTamper::Utf8, BillTamper::Windows]),
        (Provider::Alipay, vec![BillTamper::Plain]),
    ];
    for (provider, form) in forms {
        world.sandbox.mend_bills();
        for how in &form {
            world.spoil(provider, how.clone());
        }
        let reply = world.bills(provider).await;
        assert_eq!((reply.checked, reply.errors, reply.incidents), (1, 0, 0), "{form:?}");
        assert_eq!(world.report(provider).await["total_fee"], 100, "{form:?}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_trusted_is_an_error_and_nothing_is_compared() {
    let world = World::start().await;
    for provider in BOTH {
        world.paid_at(provider, &format!("BROKEN_{provider}")).await;
    }
    let elsewhere = |url: &str| BillTamper::Elsewhere(url.to_owned());
    let cases = [
        (Provider::Wxpay, vec![BillTamper::WrongHash]),
        (Provider::Wxpay, vec![BillTamper::Truncated]),
        (Provider::Wxpay, vec![BillTamper::Truncated, BillTamper::Plain]),
        (Provider::Wxpay, vec![BillTamper::Html]),
        (Provider::Wxpay, vec![elsewhere("http://127.0.0.1:9/file")]),
        (Provider::Wxpay, vec![elsewhere("http://example.com/file")]),
        (Provider::Wxpay, vec![elsewhere("https://127.0.0.1/file")]),
        (Provider::Wxpay, vec![elsewhere("https://169.254.169.254/latest")]),
        (Provider::Wxpay, vec![elsewhere("https://localhost/file")]),
        (Provider::Wxpay, vec![elsewhere("file:///etc/passwd")]),
        (Provider::Alipay, vec![BillTamper::Truncated]),
        (Provider::Alipay, vec![BillTamper::Html]),
        (Provider::Alipay, vec![elsewhere("http://127.0.0.1:9/file")]),
        (Provider::Alipay, vec![elsewhere("http://user:key@example.com/file")]),
    ];
    for (provider, case) in cases {
        world.sandbox.mend_bills();
        for how in &case {
            world.spoil(provider, how.clone());
        }
        let reply = world.bills(provider).await;
        assert_eq!((reply.checked, reply.errors, reply.incidents), (0, 1, 0), "{case:?}");
        let report = world.report(provider).await;
        assert_eq!((&report["state"], report["reason"].is_string()), (&json!("failed"), true), "{case:?}: {report}");
    }
    for what in
        [Misbehaviour::BadSignature, Misbehaviour::NoSignature, Misbehaviour::SystemError, Misbehaviour::Garbage]
    {
        for provider in BOTH {
            world.sandbox.mend_bills();
            world.sandbox.misbehave(Fault::once(Op::Bill, what).of(there(provider)));
            let reply = world.bills(provider).await;
            assert_eq!((reply.errors, reply.incidents), (1, 0), "{provider} {what:?}");
            world.sandbox.behave();
        }
    }
    for provider in BOTH {
        assert_eq!(world.bills(provider).await.checked, 1);
        assert_eq!(world.report(provider).await["state"], "checked");
        world.spoil(provider, BillTamper::Html);
        assert_eq!(world.bills(provider).await.errors, 1);
        assert_eq!(world.report(provider).await["state"], "checked", "what was found out before stays");
    }
}

#[tokio::test]
async fn no_statement_is_empty_without_orders_and_a_difference_with_each() {
    for (provider, none) in [
        (Provider::Wxpay, BillTamper::NoStatement),
        (Provider::Alipay, BillTamper::NoStatement),
        (Provider::Alipay, BillTamper::EmptyFile),
    ] {
        let world = World::start().await;
        world.spoil(provider, none);
        let reply = world.bills(provider).await;
        assert_eq!((reply.checked, reply.incidents, reply.errors), (1, 0, 0));
        let report = world.report(provider).await;
        assert_eq!((&report["state"], &report["lines"]), (&json!("empty"), &json!(0)), "{provider}");
        world.paid_at(provider, "NONE_1").await;
        world.paid_at(provider, "NONE_2").await;
        assert_eq!(world.bills(provider).await.incidents, 2, "{provider}");
        assert_eq!(world.report(provider).await["differences"], 2);
        assert_eq!(world.bills(provider).await.incidents, 0);
        world.incident_of("bill_missing_there", "NONE_1").await;
        world.incident_of("bill_missing_there", "NONE_2").await;
    }
}

#[tokio::test]
async fn a_bill_that_is_being_made_is_asked_for_again_by_later_runs() {
    let world = World::start().await;
    world.paid_at(Provider::Wxpay, "MAKING_1").await;
    world.spoil(Provider::Wxpay, BillTamper::Creating);
    let reply = world.bills(Provider::Wxpay).await;
    assert_eq!((reply.pending, reply.checked, reply.incidents, reply.errors), (1, 0, 0, 0));
    assert_eq!(world.report(Provider::Wxpay).await["state"], "pending");
    world.sandbox.mend_bills();
    let app = world.app.as_ref().unwrap();
    let cx = app.context(app.config().await);
    let reply = check_bills(&cx, UnixMs::new(now() + 2 * DAY_MS), None, None, Some(Provider::Wxpay)).await.unwrap();
    assert_eq!((reply.pending, reply.checked, reply.asked), (0, 2, 2), "the day's own, and the one that was open");
    let report = world.report(Provider::Wxpay).await;
    assert_eq!((&report["state"], report.get("reason")), (&json!("checked"), None), "{report}");
    let reply = check_bills(&cx, UnixMs::new(now() + 2 * DAY_MS), None, None, Some(Provider::Wxpay)).await.unwrap();
    assert_eq!(reply.asked, 1, "what is checked is left alone");
}

#[tokio::test]
async fn orders_of_a_day_are_spread_over_shards_and_all_found() {
    let world = World::start().await;
    for i in 0..24 {
        world.paid_at(Provider::Wxpay, &format!("SHARD_{i}")).await;
    }
    let claims = world.kind("transaction").await;
    let keys: std::collections::BTreeSet<&str> = claims.iter().map(|c| c["list_key"].as_str().unwrap()).collect();
    assert!(keys.len() > 4, "{keys:?}");
    let beginning = format!("paid#wxpay#default#{}#", today());
    assert!(keys.iter().all(|key| key.starts_with(&beginning)), "{keys:?}");
    let claim = &claims[0];
    let order = world.order(claim["out_trade_no"].as_str().unwrap()).await;
    assert_eq!((&claim["list_date"], &claim["total_fee"]), (&order["pay_date"], &json!(100)));
    assert_eq!(world.bills(Provider::Wxpay).await.incidents, 0);
    assert_eq!(world.report(Provider::Wxpay).await["lines"], 24);
    world.spoil(Provider::Wxpay, BillTamper::NoStatement);
    assert_eq!(world.bills(Provider::Wxpay).await.incidents, 24);
}

#[tokio::test]
async fn a_refund_that_ended_without_a_callback_is_settled_and_reported() {
    let world = World::start().await;
    world.paid_at(Provider::Wxpay, "SETTLE_1").await;
    world.sandbox.misbehave(Fault { on: Endpoint::op(Op::Refund), times: Some(1), what: Misbehaviour::HoldRefund });
    world.lose_callbacks();
    let body = json!({ "out_trade_no": "SETTLE_1", "out_refund_no": "SETTLE_R", "refund_fee": 60 });
    assert_eq!(world.call("refund", body).await.0, 200);
    let reply = world.bills(Provider::Wxpay).await;
    assert_eq!((reply.incidents, reply.refunds), (0, 0), "one that has not ended is no difference");
    assert_eq!(world.report(Provider::Wxpay).await["refund_fee"], 0);
    world.sandbox.settle_refund("SETTLE_R", RefundOutcome::Success);
    let reply = world.bills(Provider::Wxpay).await;
    assert_eq!((reply.incidents, reply.refunds, reply.errors), (1, 1, 0));
    let order = world.order("SETTLE_1").await;
    assert_eq!((&order["refund_fee"], &order["refund_reserved"]), (&json!(60), &json!(0)));
    assert_eq!(world.ended_by("SETTLE_1").await, "query", "the bill was the reason to ask");
    let incident = world.incident_of("bill_refund", "SETTLE_1").await;
    assert_eq!((&incident["expected"], &incident["actual"]), (&json!("PROCESSING"), &json!(60)));
    assert_eq!(world.bills(Provider::Wxpay).await.incidents, 0);
    assert_eq!(world.report(Provider::Wxpay).await["differences"], 0);
}

#[tokio::test]
async fn a_refund_that_only_the_bill_tells_of_is_ended_by_the_bill() {
    let world = World::start().await;
    world.paid_at(Provider::Alipay, "TOLD_1").await;
    world.lose_callbacks();
    for (op, times, what) in [
        (Op::Refund, Some(1), Misbehaviour::SystemErrorAfterCommit),
        (Op::RefundQuery, None, Misbehaviour::KnowsNothing),
    ] {
        world.sandbox.misbehave(Fault { on: Endpoint::op(op), times, what });
    }
    let body = json!({ "out_trade_no": "TOLD_1", "out_refund_no": "TOLD_R", "refund_fee": 60 });
    assert_eq!(world.call("refund", body).await.0, 504);
    assert_eq!(world.order("TOLD_1").await["refund_fee"], 0);
    let reply = world.bills(Provider::Alipay).await;
    assert_eq!((reply.incidents, reply.refunds, reply.errors), (1, 1, 0));
    assert_eq!(world.order("TOLD_1").await["refund_fee"], 60);
    assert_eq!(world.ended_by("TOLD_1").await, "bill");
}

#[tokio::test]
async fn a_refund_made_elsewhere_is_recorded_when_the_provider_confirms_it() {
    let world = World::start().await;
    world.paid_at(Provider::Wxpay, "CONSOLE_1").await;
    world.lose_callbacks();
    world.console_refund("CONSOLE_1", 40).await;
    assert_eq!(world.order("CONSOLE_1").await["refund_fee"], 0, "nobody told");
    let reply = world.bills(Provider::Wxpay).await;
    assert_eq!((reply.incidents, reply.refunds, reply.errors), (1, 1, 0));
    let order = world.order("CONSOLE_1").await;
    assert_eq!((&order["refund_fee"], &order["refundable"]), (&json!(40), &json!(60)));
    assert_eq!(world.ended_by("CONSOLE_1").await, "bill");
    let incident = world.incident_of("bill_refund", "CONSOLE_1").await;
    assert_eq!((&incident["out_refund_no"], &incident["actual"]), (&json!("CONSOLE_1_CONSOLE"), &json!(40)));
    assert_eq!(world.bills(Provider::Wxpay).await.incidents, 0);
    assert_eq!(world.report(Provider::Wxpay).await["differences"], 0);
    let made_up = BillTamper::Refund {
        number: "CONSOLE_1".into(),
        transaction_id: order["transaction_id"].as_str().unwrap().to_owned(),
        out_refund_no: "MADE_UP".into(),
        amount: 10,
    };
    world.spoil(Provider::Wxpay, made_up);
    assert_eq!(world.bills(Provider::Wxpay).await.incidents, 1);
    assert_eq!(world.order("CONSOLE_1").await["refund_fee"], 40, "the provider does not know it");
}

#[tokio::test]
async fn a_refund_that_the_bill_has_as_unfinished_is_a_difference() {
    let world = World::start().await;
    world.paid_at(Provider::Wxpay, "OPEN_1").await;
    world.refunded("OPEN_1", "OPEN_1_R", 30).await;
    world.spoil(Provider::Wxpay, BillTamper::Unsettled("OPEN_1_R".into()));
    assert_eq!(world.bills(Provider::Wxpay).await.incidents, 1);
    assert_eq!(world.report(Provider::Wxpay).await["refund_fee"], 0);
}

#[tokio::test]
async fn a_credited_payment_that_was_reversed_is_a_difference() {
    let world = World::start().await;
    world.paid_at(Provider::Wxpay, "REVERSED_1").await;
    world.spoil(Provider::Wxpay, BillTamper::Reversed("REVERSED_1".into()));
    assert_eq!(world.bills(Provider::Wxpay).await.incidents, 1);
    assert_eq!(world.incident_of("bill_refund", "REVERSED_1").await["actual"], "REVOKED");
    assert_eq!(world.bills(Provider::Wxpay).await.incidents, 0);
}

/// A pay code that its payer has paid, which nobody has told of.
async fn paid_by_code(world: &World, provider: Provider, no: &str) {
    let code = if provider == Provider::Wxpay { "130000000000000007" } else { "2800000000000000007" };
    let (status, made) = world.create(no, json!({ "provider": provider.name(), "auth_code": code })).await;
    assert_eq!((status, &made["trade_state"]), (200, &json!("NOTPAY")), "{made}");
    world.pay_silently(no).await;
}

#[tokio::test]
async fn a_pay_code_that_we_reversed_is_no_difference() {
    for provider in BOTH {
        let world = World::start().await;
        paid_by_code(&world, provider, "OWN_REVERSAL").await;
        let close = json!({ "url": "pay/closePayment", "data": { "out_trade_no": "OWN_REVERSAL" } });
        assert_eq!(world.call("create-payment", close).await.0, 200);
        a_minute_passes(&world, "OWN_REVERSAL").await;
        let reply = world.bills(provider).await;
        assert_eq!((reply.incidents, reply.errors, reply.checked), (0, 0, 1), "{provider}: {reply:?}");
        let report = world.report(provider).await;
        assert_eq!((&report["lines"], &report["differences"]), (&json!(2), &json!(0)), "{provider}: the line is there");
        assert!(world.kind("incident").await.is_empty(), "{provider}");
        assert_eq!(world.order("OWN_REVERSAL").await["trade_state"], "CLOSED");
    }
}

#[tokio::test]
async fn a_reversed_pay_code_whose_provider_has_its_money_still_is_a_difference() {
    for provider in BOTH {
        let world = World::start().await;
        paid_by_code(&world, provider, "KEPT_MONEY").await;
        let close = json!({ "url": "pay/closePayment", "data": { "out_trade_no": "KEPT_MONEY" } });
        assert_eq!(world.call("create-payment", close).await.0, 200);
        let paid_again = |trade: &mut sandbox::Trade| {
            trade.state = sandbox::TradeState::Success;
            trade.refunds.clear();
        };
        world.sandbox.alter(there(provider), "KEPT_MONEY", paid_again).expect("a trade");
        a_minute_passes(&world, "KEPT_MONEY").await;
        world.bills(provider).await;
        let late = world.incident_of("late_payment", "KEPT_MONEY").await;
        assert_eq!(late["provider"], provider.name());
    }
}

/// The reversal was asked for a minute earlier than it was.
async fn a_minute_passes(world: &World, no: &str) {
    let update = world.tables.update_item().table_name(TABLE);
    let update = update.key("pk", Av::S(format!("O#{no}"))).key("sk", Av::S("O".to_owned()));
    let update = update.update_expression("SET attempts[0].reversing = :v");
    update.expression_attribute_values(":v", Av::N((now() - 61_000).to_string())).send().await.expect("written");
}

#[tokio::test]
async fn a_reversal_that_we_know_nothing_of_is_a_difference_on_whatever_day_it_was_paid() {
    for paid_a_day_earlier in [false, true] {
        let world = World::start().await;
        paid_by_code(&world, Provider::Wxpay, "CONSOLE_REVERSAL").await;
        let reverse = |trade: &mut sandbox::Trade| {
            trade.state = sandbox::TradeState::Revoked;
            trade.closed = trade.paid;
            trade.paid = trade.paid.map(|at| if paid_a_day_earlier { at - DAY_MS } else { at });
        };
        world.sandbox.alter(sandbox::Provider::Wxpay, "CONSOLE_REVERSAL", reverse).expect("a trade");
        assert_eq!(world.bills(Provider::Wxpay).await.incidents, 1);
        assert_eq!(world.incident_of("bill_refund", "CONSOLE_REVERSAL").await["actual"], "REVOKED");
        assert_eq!(world.bills(Provider::Wxpay).await.incidents, 0, "the same difference");
    }
}

#[tokio::test]
async fn a_credited_payment_of_another_sub_merchant_is_a_difference() {
    for (no, of_another_day) in [("PAYEE_1", false), ("PAYEE_2", true)] {
        let world = World::start().await;
        world.paid_at(Provider::Wxpay, no).await;
        let names_another = |trade: &mut sandbox::Trade| trade.sub_merchant = Some("1699999999".to_owned());
        world.sandbox.alter(sandbox::Provider::Wxpay, no, names_another).expect("a trade");
        if of_another_day {
            let id = world.order(no).await["transaction_id"].as_str().unwrap().to_owned();
            world.list_a_day_earlier(&format!("T#wxpay#{id}"), "T").await;
        }
        assert_eq!(world.bills(Provider::Wxpay).await.incidents, 1);
        let actual = &world.incident_of("merchant_mismatch", no).await["actual"];
        assert_eq!(actual, &json!({ "sub_mchid": "1699999999" }));
        assert_eq!(world.bills(Provider::Wxpay).await.incidents, 0, "no other at the next run");
    }
}

#[tokio::test]
async fn what_is_listed_under_the_day_before_is_looked_up_and_found_by_both_days() {
    for provider in BOTH {
        let world = World::start().await;
        world.paid_at(provider, "EDGE_1").await;
        world.refunded("EDGE_1", "EDGE_R", 30).await;
        let id = world.order("EDGE_1").await["transaction_id"].as_str().unwrap().to_owned();
        world.list_a_day_earlier(&format!("T#{provider}#{id}"), "T").await;
        // Alipay's refund numbers are a payment's.
        let payment = if provider == Provider::Alipay { "EDGE_1#1#" } else { "" };
        world.list_a_day_earlier(&format!("F#{provider}#default#{payment}EDGE_R"), "F").await;
        let reply = world.bills(provider).await;
        assert_eq!((reply.incidents, reply.checked, reply.asked), (0, 1, 1), "{provider}");
        let earlier = Day::parse(&today()).unwrap().before(1).to_string();
        let reply = world.bills_of(&earlier, None).await;
        assert_eq!((reply.incidents, reply.errors), (0, 0), "{provider}: the bill of the next day has them");
    }
}

#[tokio::test]
async fn merchants_with_one_account_each_answer_for_their_own_orders() {
    let world = World::with(Mode::default(), |config| {
        let (wxpay, alipay) = (config["wxpay"].clone(), config["alipay"].clone());
        config["merchants"] = json!({ "twin": { "wxpay": wxpay, "alipay": alipay } });
    })
    .await;
    for provider in BOTH {
        let name = provider.name();
        world.paid_at(provider, &format!("MINE_{name}")).await;
        world.create(&format!("TWIN_{name}"), json!({ "provider": name, "pid": "twin" })).await;
        world.pay(&format!("TWIN_{name}")).await;
        world.refunded(&format!("TWIN_{name}"), &format!("TWIN_{name}_R"), 10).await;
        let reply = world.bills(provider).await;
        assert_eq!((reply.checked, reply.incidents, reply.errors), (2, 0, 0), "{name}");
        let reports = world.kind("bill_report").await;
        let of = |id: &str| {
            let report = reports.iter().find(|r| r["merchant"] == id && r["provider"] == name).unwrap();
            json!([report["lines"], report["total_fee"], report["refund_fee"]])
        };
        assert_eq!((of("default"), of("twin")), (json!([1, 100, 0]), json!([2, 100, 10])), "{name}");
        world.spoil(
            provider,
            BillTamper::Payment { number: "NOBODY_9".into(), transaction_id: "9".repeat(28), amount: 5 },
        );
        assert_eq!(world.bills(provider).await.incidents, 1, "a line that is nobody's is told once");
    }
}

#[tokio::test]
async fn an_error_of_one_merchant_never_stops_the_others() {
    let world = World::with(Mode::default(), |config| {
        let mut wxpay = config["wxpay"].clone();
        for node in wxpay.as_object_mut().unwrap().values_mut() {
            merge(node, json!({ "apiBase": "http://127.0.0.1:9", "mchId": "1900000999" }));
        }
        config["merchants"] = json!({ "broken": { "wxpay": wxpay } });
    })
    .await;
    world.paid_at(Provider::Wxpay, "ALONE_1").await;
    let reply = world.bills(Provider::Wxpay).await;
    assert_eq!((reply.checked, reply.errors, reply.incidents), (1, 1, 0));
    let reply = world.bills_of(&today(), Some("broken")).await;
    assert_eq!((reply.checked, reply.errors), (0, 1));
    let reply = world.bills_of(&today(), Some("default")).await;
    assert_eq!((reply.checked, reply.errors, reply.asked), (2, 0, 2), "both providers");
}

#[tokio::test]
async fn apiv2_has_no_bill_and_its_orders_are_not_missed() {
    let world = World::with(Mode { wxpay_version: 2, ..Mode::default() }, |_| {}).await;
    world.paid_at(Provider::Wxpay, "APIV2_1").await;
    assert_eq!(world.bills(Provider::Wxpay).await, BillsReply::default());
    assert_eq!(world.kind("bill_report").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_run_asks_about_so_many_payments_and_leaves_the_rest_to_the_next() {
    let world = World::start().await;
    world.create("BUDGET_1", json!({})).await;
    let payment = |i: u32| BillTamper::Payment {
        number: "BUDGET_1".to_owned(),
        transaction_id: format!("42000000000000000000{i:08}"),
        amount: 100,
    };
    (0..210).for_each(|i| world.spoil(Provider::Wxpay, payment(i)));
    let reply = world.bills(Provider::Wxpay).await;
    assert_eq!((reply.asked, reply.more, reply.pending, reply.checked), (200, true, 1, 0));
    assert_eq!(reply.incidents, 210, "what is not asked about is told all the same");
    let report = world.report(Provider::Wxpay).await;
    assert_eq!((&report["state"], &report["differences"]), (&json!("pending"), &json!(210)));
    world.sandbox.mend_bills();
    world.pay("BUDGET_1").await;
    let reply = world.bills(Provider::Wxpay).await;
    assert_eq!((reply.more, reply.checked, reply.incidents), (false, 1, 0));
    assert_eq!(world.report(Provider::Wxpay).await["state"], "checked");
}

#[tokio::test]
async fn only_a_day_that_is_one_and_a_merchant_that_is_there_are_taken() {
    let world = World::start().await;
    let app = world.app.as_ref().unwrap();
    let cx = app.context(app.config().await);
    for day in ["", "yesterday", "2026-02-30", "20260101", "2026-01-01T00:00:00Z", "2026-01"] {
        assert!(check_bills(&cx, UnixMs::new(now()), Some(day), None, None).await.is_err(), "{day}");
    }
    assert!(check_bills(&cx, UnixMs::new(now()), None, Some("nobody"), None).await.is_err());
    assert_eq!(
        check_bills(&cx, UnixMs::new(now()), None, None, Some(Provider::Douyin)).await.unwrap(),
        BillsReply::default()
    );
    assert!(world.sandbox.requests().is_empty(), "no provider was asked");
}

#[tokio::test]
async fn the_request_is_the_documented_one() {
    let world = World::start().await;
    world.paid_at(Provider::Wxpay, "WIRE_1").await;
    let before = world.sandbox.requests().len();
    world.bills_of(&today(), None).await;
    let seen: Vec<(String, String, String)> =
        world.sandbox.requests().split_off(before).into_iter().map(|r| (r.method, r.path, r.verdict)).collect();
    let paths: Vec<&str> = seen.iter().map(|(_, path, _)| path.as_str()).collect();
    let each = |bill| [bill, "/v3/billdownload/file"];
    let wanted = [each("/v3/bill/tradebill"), each("/v3/bill/fundflowbill")].concat();
    // The accounts for payouts and for fees had no moves.
    let empty = ["/v3/bill/fundflowbill"; 2];
    assert_eq!(paths, [&wanted[..], &empty[..], &["/gateway.do"]].concat(), "{seen:?}");
    assert!(seen.iter().take(4).all(|(method, _, verdict)| method == "GET" && verdict == "SUCCESS"), "{seen:?}");
    let (status, _) = world.call("query-payment", json!({ "out_trade_no": "WIRE_1" })).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn the_fund_flow_bill_is_added_up_and_its_fees_and_payouts_are_compared() {
    let world = World::start().await;
    let bills = async || {
        let app = world.app.as_ref().expect("an app");
        let cx = app.context(app.config().await);
        check_bills(&cx, (app.clock)() + std::time::Duration::from_hours(24), None, None, Some(Provider::Wxpay)).await
    };
    world.create("FUNDS_1", json!({ "total_fee": 10_000 })).await;
    world.pay("FUNDS_1").await;
    let (status, _) = world.transfer(crate::transfers::wxpay("FUNDS0000001", 300)).await;
    assert_eq!(status, 200);
    world.sandbox.settle_transfer("FUNDS0000001", &TransferOutcome::Success).unwrap();
    let reply = bills().await.expect("a run");
    assert_eq!((reply.incidents, reply.errors), (0, 0));
    let report = &world.kind("bill_report").await[0];
    assert_eq!(
        (&report["state"], &report["funds"]["state"], &report["funds"]["fees"], &report["funds"]["paid_out"]),
        (&json!("checked"), &json!("checked"), &json!(60), &json!(300)),
        "{report}"
    );
    // What nobody here has paid out, and fees that the trade bill has not.
    let payout = BillTamper::Payout { id: "1330000000001".to_owned(), number: "ELSEWHERE1".to_owned(), amount: 500 };
    world.spoil(Provider::Wxpay, payout);
    world.spoil(Provider::Wxpay, BillTamper::Fee(7));
    for new in [2, 0] {
        let reply = bills().await.expect("a run");
        assert_eq!((reply.incidents, reply.errors), (new, 0));
    }
    let told = world.kind("incident").await;
    let payout = told.iter().find(|i| i["incident"] == "bill_payout").expect("told");
    assert_eq!((&payout["out_bill_no"], &payout["actual"]), (&json!("ELSEWHERE1"), &json!(500)));
    let fees = told.iter().find(|i| i["incident"] == "bill_fees").expect("told");
    assert_eq!((&fees["expected"]["fees"], &fees["actual"]["fees"]), (&json!(60), &json!(67)));
    assert_eq!(world.kind("bill_report").await[0]["differences"], 2);
}

#[tokio::test]
async fn a_fund_flow_bill_that_is_not_authentic_fails_by_itself_and_not_the_trade_bill() {
    let world = World::start().await;
    world.create("FUNDS_2", json!({})).await;
    world.pay("FUNDS_2").await;
    world.spoil(Provider::Wxpay, BillTamper::WrongFundsHash);
    let app = world.app.as_ref().expect("an app");
    let cx = app.context(app.config().await);
    let clock = (app.clock)() + std::time::Duration::from_hours(24);
    let reply = check_bills(&cx, clock, None, None, Some(Provider::Wxpay)).await.expect("a run");
    assert_eq!((reply.checked, reply.errors, reply.incidents), (1, 1, 0));
    let report = &world.kind("bill_report").await[0];
    assert_eq!((&report["state"], &report["funds"]["state"]), (&json!("checked"), &json!("failed")));
    // The next days' runs look at it again, until it is read; what was read stays.
    world.sandbox.mend_bills();
    let later = clock + std::time::Duration::from_hours(24);
    check_bills(&cx, later, None, None, Some(Provider::Wxpay)).await.expect("a run");
    let day = report["bill_date"].as_str().expect("a day").to_owned();
    let funds = async || {
        let reports = world.kind("bill_report").await;
        reports.iter().find(|report| report["bill_date"] == day).map(|report| report["funds"]["state"].clone())
    };
    assert_eq!(funds().await, Some(json!("checked")));
    world.spoil(Provider::Wxpay, BillTamper::WrongFundsHash);
    check_bills(&cx, clock, Some(&day), None, Some(Provider::Wxpay)).await.expect("a run");
    assert_eq!(funds().await, Some(json!("checked")));
}
