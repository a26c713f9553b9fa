//! What happens next in a run, by chance.

use crate::authorizations;
use crate::chance::chance;
use crate::ops::{GUESSED, Luck, ORDERS, Step, number};
use crate::stores::{self, sold};
use crate::world::{SHARDS, TABLE, USERS, World};
use crate::{complaints, sharing, shipping};
use sandbox::{Forgery, Misbehaviour, Op, Provider, RefundOutcome, TransferOutcome};
use serde_json::{Value, json};

impl Step {
    /// The next thing that happens.
    pub fn any(world: &World) -> Self {
        // Drawn only where there is a store, or queues, so that all other runs of a seed stay as they are.
        if world.sells && chance(|c| c.permille(350)) {
            return stores::any(world);
        }
        if world.queues.is_some() && chance(|c| c.permille(150)) {
            return Self::Work(chance(|c| *c.pick(&[Luck::Good, Luck::Good, Luck::Twice, Luck::Lost])));
        }
        if world.sharded && chance(|c| c.permille(40)) {
            return Self::Shards(chance(|c| *c.pick(&SHARDS)));
        }
        if world.moves && chance(|c| c.permille(60)) {
            return Self::Moved(chance(|c| c.permille(500)));
        }
        if world.ships && chance(|c| c.permille(120)) {
            return shipping::any(world);
        }
        if world.ships && chance(|c| c.permille(60)) {
            return authorizations::any(world);
        }
        if world.shares && chance(|c| c.permille(250)) {
            return sharing::any(world);
        }
        if world.complains && chance(|c| c.permille(300)) {
            return complaints::any(world);
        }
        match chance(|c| c.below(128)) {
            0..=17 => Self::Create(creation(world)),
            18..=34 => payment(world),
            35..=51 => telling(world),
            52..=57 => Self::Query(any_order()),
            58..=67 => Self::Refund(refund()),
            68..=71 => telling_of_refund(world),
            72..=74 => Self::QueryRefund(any_order()),
            75..=78 => Self::Close(any_order()),
            79..=83 => Self::Reconcile(chance(|c| *c.pick(&[2, 200, 200]))),
            84..=88 => Self::Dispatch(chance(|c| c.below(10)) + 1, chance(|c| c.permille(200))),
            89 | 90 => match paid(world) {
                Some((provider, number)) => Self::Forged(provider, number, forgery()),
                None => Self::Reconcile(200),
            },
            91 | 92 => settling(world),
            93 | 94 => resolving(world),
            95 => Self::Rerun(any_order()),
            96 => Self::Receiver(chance(|c| c.permille(500))),
            100..=107 => any_transfer(world),
            108 => Self::Rotate(chance(|c| c.permille(500))),
            109 | 110 => Self::Denied(chance(|c| c.permille(500))),
            111 => Self::Goods(chance(|c| c.permille(500))),
            112..=114 => giving_back(world),
            115..=117 => Self::Create(guess(world)),
            118..=121 => elsewhere(world),
            122..=124 => Self::Choose(choosing(world)),
            125.. => match paid(world) {
                Some((provider, number)) => Self::Resplit(provider, number, any_order()),
                None => Self::Choose(choosing(world)),
            },
            97..=99 => misbehaving(),
        }
    }
}

fn any_order() -> String {
    number(chance(|c| c.below(ORDERS)))
}

fn creation(world: &World) -> Value {
    let i = chance(|c| c.below(ORDERS));
    let kinds = match world.sharded {
        true => ["goods", "goods", "mine", "goods", "goods", "vip", "goods", "goods"],
        false => ["recharge", "recharge", "mine", "mine", "goods", "vip", "custom", "recharge"],
    };
    let kind = kinds[i % 8];
    let mut custom = json!({
        "user_id": format!("user_{}", i % USERS), "goods_id": "goods_001", "vip_type": "gold", "vip_days": 30,
    });
    if world.sharded {
        custom["quantity"] = json!(i % 3 + 1);
    }
    let mut data = json!({
        "out_trade_no": number(i), "total_fee": 100 * (i % 3 + 1), "subject": "sim", "type": kind,
        "vk_platform": "h5", "needQRcode": true, "custom": custom,
    });
    match chance(|c| c.below(8)) {
        0..=2 => data["provider"] = json!("wxpay"),
        3 => {
            data["provider"] = json!("wxpay");
            data["pid"] = json!("second");
        }
        4 | 5 => data["provider"] = json!("alipay"),
        _ => data["provider"] = json!("vkspay"),
    }
    // Complaints are APIv3's, and the second merchant's.
    if world.complains && chance(|c| c.permille(500)) {
        data["provider"] = json!("wxpay");
        data["pid"] = json!("second");
    }
    if world.ships && data["provider"] == "wxpay" && chance(|c| c.permille(800)) {
        shipping::in_mini_program(&mut data);
        return data;
    }
    // APIv2 shares nothing, so the second merchant of WeChat Pay has what is shared.
    if world.shares && data["provider"] == "wxpay" && chance(|c| c.permille(700)) {
        data["pid"] = json!("second");
    }
    let sharable = data["provider"] == "alipay" || data["pid"] == "second";
    if world.shares && sharable && chance(|c| c.permille(800)) {
        sharing::may_be_shared(&mut data);
        return data;
    }
    // A pay code, paid at once or after the payer's password; one is closed by a reversal.
    let code = match data["provider"].as_str() {
        Some("wxpay") if data["pid"].is_null() => chance(|c| *c.pick(&["130000000000000006", "130000000000000001"])),
        Some("alipay") => chance(|c| *c.pick(&["2800000000000000006", "2800000000000000001"])),
        _ => "",
    };
    if !code.is_empty() && chance(|c| c.permille(150)) {
        data["auth_code"] = json!(code);
    }
    if chance(|c| c.permille(30)) {
        data["total_fee"] = json!(7);
    }
    data
}

/// Somebody else's order under a number that another attempt has, or may have next, at some provider.
fn guess(world: &World) -> Value {
    let trades = world.sandbox.trades();
    let (number, total) = match trades.is_empty() || chance(|c| c.permille(400)) {
        true => (format!("{}_{}", any_order(), chance(|c| c.below(2)) + 2), 100 * (chance(|c| c.below(3)) + 1)),
        false => {
            let trade = chance(|c| c.pick(&trades).clone());
            (trade.number, usize::try_from(trade.total).unwrap_or(100))
        }
    };
    let provider = chance(|c| *c.pick(&["wxpay", "alipay", "vkspay"]));
    json!({
        "out_trade_no": number, "total_fee": total, "subject": GUESSED, "type": "recharge", "provider": provider,
        "vk_platform": "h5", "needQRcode": true, "custom": { "user_id": format!("user_{}", chance(|c| c.below(USERS))) },
    })
}

/// An order that is to be paid to somebody whom its merchant never named.
fn choosing(world: &World) -> Value {
    let mut data = creation(world);
    if let Some(data) = data.as_object_mut() {
        data.remove("pid");
    }
    match chance(|c| c.below(5)) {
        0 | 1 => data["pid"] = json!("stranger"),
        2 => {
            data["provider"] = json!("wxpay");
            data["sub_mchid"] = json!(world.sub_mchid());
        }
        3 => {
            data["provider"] = json!("alipay");
            data["other"] = json!({ "seller_id": "2088999999999999" });
        }
        _ => data["other"] = json!({ "settle_info": { "profit_sharing": true } }),
    }
    data
}

fn refund() -> Value {
    let no = any_order();
    let mut data = json!({ "out_trade_no": no });
    if chance(|c| c.permille(800)) {
        data["out_refund_no"] = json!(format!("{no}_R{}", chance(|c| c.below(4))));
    }
    if chance(|c| c.permille(850)) {
        data["refund_fee"] = json!(chance(|c| c.below(120)) + 1);
    }
    data
}

/// A number of a transfer, and who pays it out.
fn payout() -> (Value, bool) {
    let i = chance(|c| c.below(4));
    let wxpay = i % 2 == 0;
    let data = match wxpay {
        true => json!({ "out_bill_no": format!("PAYOUT{i}"), "provider": "wxpay", "pid": "second" }),
        false => json!({ "out_bill_no": format!("PAYOUT{i}"), "provider": "alipay" }),
    };
    (data, wxpay)
}

fn transfer() -> Value {
    let (mut data, wxpay) = payout();
    data["transfer_amount"] = json!(if chance(|c| c.permille(50)) { 77 } else { 250 });
    data["transfer_remark"] = json!("sim");
    match wxpay {
        true => data["openid"] = json!("payee-1"),
        false => data["payee_info"] = json!({ "identity": "2088000000000001", "identity_type": "ALIPAY_USER_ID" }),
    }
    data
}

fn any_transfer(world: &World) -> Step {
    match chance(|c| c.below(8)) {
        0..=2 => Step::Transfer(transfer()),
        3 => Step::QueryTransfer(payout().0),
        4 => Step::CancelTransfer(payout().0),
        5 => match world.sandbox.transfers().iter().find(|t| t.ended.is_some() && t.provider == Provider::Wxpay) {
            Some(ended) => Step::ToldTransfer(ended.number.clone()),
            None => Step::QueryTransfer(payout().0),
        },
        _ => {
            let open: Vec<_> = world.sandbox.transfers().into_iter().filter(|t| t.ended.is_none()).collect();
            if open.is_empty() {
                return Step::Transfer(transfer());
            }
            let number = chance(|c| c.pick(&open).number.clone());
            let failed = chance(|c| c.permille(300));
            let outcome = if failed { TransferOutcome::Fail("OTHER".to_owned()) } else { TransferOutcome::Success };
            Step::SettleTransfer(number, outcome)
        }
    }
}

/// A refund in Alipay's console of a payment that an order was credited with, or the telling of one.
fn elsewhere(world: &World) -> Step {
    let made = world.elsewhere.lock().expect("not poisoned").clone();
    if !made.is_empty() && chance(|c| c.permille(500)) {
        let (number, place) = chance(|c| c.pick(&made).clone());
        return Step::ToldElsewhere(number, place);
    }
    let orders = world.orders();
    let credited = |t: &sandbox::Trade| {
        t.provider == Provider::Alipay
            && t.refunded() < t.amount()
            && orders
                .iter()
                .any(|o| o["transaction_id"].as_str().is_some_and(|id| t.transaction_id.as_deref() == Some(id)))
    };
    let trades: Vec<_> = world.sandbox.trades().into_iter().filter(credited).collect();
    if trades.is_empty() {
        return Step::Create(creation(world));
    }
    let trade = chance(|c| c.pick(&trades).clone());
    let left = trade.amount() - trade.refunded();
    match chance(|c| c.permille(400)) {
        true => Step::Elsewhere(trade.number, None, left),
        false => {
            let amount = chance(|c| c.below(usize::try_from(left).unwrap_or(1))) as u64 + 1;
            Step::Elsewhere(trade.number, Some(chance(|c| *c.pick(&["1", "2"]))), amount)
        }
    }
}

/// Every payment of the order that one payment belongs to.
fn rivals(world: &World, number: &str) -> Vec<(Provider, String)> {
    let orders = world.orders();
    let whole = orders.iter().find(|order| order["attempts"].to_string().contains(number));
    let attempts = whole.map(|order| order["attempts"].to_string()).unwrap_or_default();
    let trades = world.sandbox.trades().into_iter();
    let own = trades.filter(|t| t.paid.is_some() && !sold(t) && (t.number == number || attempts.contains(&t.number)));
    own.map(|t| (t.provider, t.number)).collect()
}

/// A payment that was made, if there is one.
fn paid(world: &World) -> Option<(Provider, String)> {
    let trades: Vec<_> = world.sandbox.trades().into_iter().filter(|t| t.paid.is_some() && !sold(t)).collect();
    (!trades.is_empty()).then(|| chance(|c| c.pick(&trades).clone())).map(|t| (t.provider, t.number))
}

/// A payer pays, now and then what is closed already, or another amount.
fn payment(world: &World) -> Step {
    let force = chance(|c| c.permille(120));
    let trades: Vec<_> = world
        .sandbox
        .trades()
        .into_iter()
        // A pay code that is closed cannot be paid, and nobody would be told.
        .filter(|t| t.paid.is_none() && world.was_handed_out(t) && !sold(t))
        .filter(|t| t.payable() || force && t.notify_url.is_some())
        .collect();
    if trades.is_empty() {
        return Step::Create(creation(world));
    }
    let trade = chance(|c| c.pick(&trades).clone());
    let wrong = chance(|c| c.permille(25)).then_some(trade.total + 1);
    Step::Pay(trade.provider, trade.number, force, wrong)
}

/// A provider tells of a payment, or of all of an order at one moment.
fn telling(world: &World) -> Step {
    match paid(world) {
        Some((provider, number)) if chance(|c| c.permille(800)) => Step::Told(provider, number),
        Some((_, number)) => Step::ToldAtOnce(rivals(world, &number)),
        None => Step::Query(any_order()),
    }
}

/// A provider tells of a refund that has ended.
fn telling_of_refund(world: &World) -> Step {
    // Alipay says nothing of a refund that failed.
    let told = |r: &sandbox::Refund| match r.provider {
        Provider::Appleiap => false,
        Provider::Alipay => r.state == sandbox::RefundState::Success,
        _ => true,
    };
    let refunds: Vec<_> = world.sandbox.refunds().into_iter().filter(|r| r.settled.is_some() && told(r)).collect();
    match refunds.is_empty() {
        true => Step::QueryRefund(any_order()),
        false => Step::ToldRefund(chance(|c| c.pick(&refunds).out_refund_no.clone())),
    }
}

/// A refund in a console.
fn giving_back(world: &World) -> Step {
    match paid(world) {
        // Of a console's refund of a pay code only the bill tells.
        Some((provider, number)) if provider != Provider::Vkspay && world.is_told(provider, &number) => {
            let amount = chance(|c| *c.pick(&[40, 100, 200, 300])) as u64;
            Step::GiveBack(provider, number, amount)
        }
        _ => Step::Goods(true),
    }
}

/// A refund that is under way ends.
fn settling(world: &World) -> Step {
    let stuck = crate::ops::stuck(world);
    if !stuck.is_empty() && chance(|c| c.permille(500)) {
        return chance(|c| c.pick(&stuck).clone());
    }
    let refunds = world.sandbox.refunds();
    let open: Vec<_> = refunds.iter().filter(|r| r.settled.is_none()).collect();
    if open.is_empty() {
        return Step::QueryRefund(any_order());
    }
    let refund = chance(|c| (*c.pick(&open)).clone());
    // Only WeChat Pay has a refund that ends without the money going back.
    let closed = chance(|c| c.permille(200)) && refund.provider == Provider::Wxpay;
    // Only by APIv3 can one that got stuck be sent to a card.
    let stuck =
        refund.provider == Provider::Wxpay && json!(refund.wire).as_str().is_some_and(|wire| wire.starts_with("v3"));
    let outcome = match closed {
        true => RefundOutcome::Closed,
        false if stuck && chance(|c| c.permille(300)) => RefundOutcome::Abnormal,
        false => RefundOutcome::Success,
    };
    Step::Settle(refund.out_refund_no, outcome)
}

/// An operator decides about an incident.
fn resolving(world: &World) -> Step {
    let incidents: Vec<_> = world.items(TABLE).into_iter().filter(|i| i["kind"] == "incident").collect();
    if incidents.is_empty() {
        return Step::Query(any_order());
    }
    let id = chance(|c| c.pick(&incidents)["incident_id"].as_str().unwrap_or_default().to_owned());
    Step::Resolve(id, chance(|c| *c.pick(&["accept", "refund", "close"])))
}

/// A provider's next calls go wrong.
fn misbehaving() -> Step {
    let ops =
        [Op::Create, Op::Query, Op::Close, Op::Reverse, Op::Refund, Op::RefundQuery, Op::Transfer, Op::TransferQuery];
    let op = chance(|c| *c.pick(&ops));
    let what = chance(|c| {
        *c.pick(&[
            Misbehaviour::SystemError,
            Misbehaviour::SystemErrorAfterCommit,
            Misbehaviour::TooMany,
            Misbehaviour::Refuse,
            Misbehaviour::Contradict,
            Misbehaviour::BadSignature,
            Misbehaviour::Http5xx,
            Misbehaviour::Garbage,
            Misbehaviour::HoldRefund,
        ])
    });
    Step::Misbehave(op, what)
}

/// How a call of a merchant's own goes wrong that no payer waits for.
pub(crate) fn fault() -> Misbehaviour {
    chance(|c| {
        *c.pick(&[
            Misbehaviour::SystemError,
            Misbehaviour::SystemErrorAfterCommit,
            Misbehaviour::TooMany,
            Misbehaviour::Refuse,
            Misbehaviour::BadSignature,
            Misbehaviour::Http5xx,
            Misbehaviour::Garbage,
        ])
    })
}

fn forgery() -> Forgery {
    chance(|c| {
        *c.pick(&[
            Forgery::BadSignature,
            Forgery::OtherKey,
            Forgery::AlteredAmount,
            Forgery::NoSignature,
            Forgery::EmptySignature,
        ])
    })
}
