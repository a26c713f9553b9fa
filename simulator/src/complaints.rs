//! Payers who complain to their provider: what they, the provider and the merchant do about it, and what must hold.

use crate::chance::chance;
use crate::choice::fault;
use crate::ops::{Step, look, rfc3339};
use crate::stores::sold;
use crate::world::{TABLE, World};
use sandbox::{CallbackKind, Complaint, ComplaintState, ComplaintWish, Op, Provider, RefundState, Trade};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How often one payment may be complained of.
const MOST: usize = 2;

/// One thing that happens about complaints.
#[derive(Debug, Clone)]
pub enum Complaining {
    /// `pay/subscribeComplaints`.
    Subscribe,
    /// The payer of a trade complains.
    Complain(String, ComplaintWish),
    /// The payer says more; a complaint that is done with is opened again.
    More(String),
    /// The provider tells of a complaint.
    Told(String),
    /// `pay/answerComplaint`.
    Answer(String, &'static str),
    /// `pay/completeComplaint`.
    Complete(String),
    /// `pay/refundComplaint`, of so much, or of all.
    Refund(String, Option<u64>),
    /// `pay/queryComplaints` of one.
    Query(String),
    /// The schedule's look at what nobody was told of.
    Look,
}

/// When the merchant, or the schedule for it, was about to end complaints, Unix ms.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Until when the merchant's last request about each ran.
    meant: BTreeMap<String, i64>,
    /// From when and until when the schedule looked.
    looks: Vec<(i64, i64)>,
}

/// Notes when something ended, also where it died.
struct Until<'a>(&'a World, i64, Option<String>);

impl<'a> Until<'a> {
    fn the_end(world: &'a World, of: Option<&str>) -> Self {
        Self(world, world.now(), of.map(str::to_owned))
    }
}

impl Drop for Until<'_> {
    fn drop(&mut self) {
        let now = self.0.now();
        let mut ending = self.0.ending.lock().expect("not poisoned");
        match self.2.take() {
            Some(id) => drop(ending.meant.insert(id, now)),
            None => ending.looks.push((self.1, now)),
        }
    }
}

/// Which of the shop's merchants looks for complaints at which provider: the second by APIv3, because APIv2 has none.
pub(crate) fn looks_for_complaints(config: &mut Value) {
    let (own, second) = ("/alipay", "/merchants/second/wxpay");
    for place in [own, second] {
        let nodes = config.pointer_mut(place).and_then(Value::as_object_mut).expect("a section");
        nodes.values_mut().filter(|node| node.is_object()).for_each(|node| node["complaints"] = json!(true));
    }
}

/// Whose complaints of a trade are: `provider` and `pid` of a request.
fn whose(provider: Provider) -> Value {
    match provider {
        Provider::Alipay => json!({ "provider": "alipay" }),
        _ => json!({ "provider": "wxpay", "pid": "second" }),
    }
}

/// Whether complaints about a trade are looked for.
fn is_looked_for(world: &World, provider: Provider, merchant: &str) -> bool {
    match provider {
        Provider::Wxpay => merchant == world.second_mchid(),
        Provider::Alipay => merchant == world.own_app_id(),
        _ => false,
    }
}

impl Complaining {
    /// Does it. An answer is looked at, whatever it is.
    pub(crate) async fn run(self, world: &World) {
        match self {
            Self::Subscribe => call(world, "subscribeComplaints", whose(Provider::Wxpay)).await,
            Self::Complain(number, wish) => drop(world.sandbox.complain(&number, &wish)),
            Self::More(id) => {
                let over = |c: &Complaint| c.state == ComplaintState::Processed && c.provider == Provider::Alipay;
                // Whether a payer of Alipay can go on with a complaint that is done with, no page says.
                if world.sandbox.complaint(&id).is_some_and(|complaint| !over(&complaint)) {
                    let _ = world.sandbox.complain_more(&id, "还是没有收到");
                }
            }
            Self::Told(id) => {
                if let Ok(callback) = world.sandbox.callback_of(None, &id, CallbackKind::Complaint) {
                    look(world, &world.notify(&callback).await);
                }
            }
            Self::Answer(id, text) => {
                let Some(mut data) = about(world, &id) else { return };
                data["response_content"] = json!(text);
                call(world, "answerComplaint", data).await;
            }
            Self::Complete(id) => {
                let Some(mut data) = about(world, &id) else { return };
                if data["provider"] == "alipay" {
                    data["process_code"] = json!("CONSENSUS_WITH_CLIENT");
                }
                let _until = Until::the_end(world, Some(&id));
                call(world, "completeComplaint", data).await;
            }
            Self::Refund(id, fee) => {
                let Some(mut data) = about(world, &id) else { return };
                if let Some(fee) = fee {
                    data["refund_fee"] = json!(fee);
                }
                let _until = Until::the_end(world, Some(&id));
                call(world, "refundComplaint", data).await;
            }
            Self::Query(id) => {
                let Some(data) = about(world, &id) else { return };
                let body = json!({ "action": "pay/queryComplaints", "data": data });
                look(world, &query_payment::handle(&world.app, world.call(&body)).await);
            }
            Self::Look => {
                let _until = Until::the_end(world, None);
                let event = json!({ "time": rfc3339(world.now()), "job": "complaints" });
                let _ = reconcile::handle(&world.app, &event).await;
            }
        }
    }
}

/// A request about a complaint.
fn about(world: &World, id: &str) -> Option<Value> {
    let mut data = whose(world.sandbox.complaint(id)?.provider);
    data["complaint_id"] = json!(id);
    Some(data)
}

async fn call(world: &World, action: &str, data: Value) {
    let body = json!({ "action": format!("pay/{action}"), "data": data });
    look(world, &refund::handle(&world.app, world.call(&body)).await);
}

/// The next thing that happens about complaints.
pub(crate) fn any(world: &World) -> Step {
    let complaints: Vec<Complaint> = world.sandbox.complaints();
    if complaints.is_empty() || chance(|c| c.permille(150)) {
        return Step::Complaint(match chance(|c| c.below(6)) {
            0 => Complaining::Subscribe,
            1 => Complaining::Look,
            _ => complaining(world, &complaints),
        });
    }
    let complaint = chance(|c| c.pick(&complaints).clone());
    let id = complaint.id.clone();
    let part = || chance(|c| c.below(60)) as u64 + 1;
    Step::Complaint(match chance(|c| c.below(20)) {
        0..=2 => Complaining::Told(id),
        3..=5 => Complaining::Answer(id, chance(|c| *c.pick(&["马上处理", "已经补发"]))),
        6 => Complaining::Complete(id),
        7..=10 => Complaining::Refund(id, chance(|c| c.permille(800)).then(part)),
        11 => Complaining::Query(id),
        12..=14 => Complaining::Look,
        15..=17 => Complaining::More(id),
        _ => return Step::Misbehave(op(), fault()),
    })
}

fn op() -> Op {
    chance(|c| *c.pick(&[Op::Complaints, Op::ComplaintQuery, Op::ComplaintAnswer, Op::ComplaintEnd, Op::ComplaintUrl]))
}

/// The payer of some payment complains.
fn complaining(world: &World, before: &[Complaint]) -> Complaining {
    let trades = world.sandbox.trades();
    let own = |t: &&Trade| t.paid.is_some() && !sold(t) && is_looked_for(world, t.provider, &t.merchant);
    let again = |t: &&Trade| before.iter().filter(|c| c.number == t.number).count() < MOST;
    let trades: Vec<&Trade> = trades.iter().filter(own).filter(again).collect();
    if trades.is_empty() {
        return Complaining::Look;
    }
    let number = chance(|c| c.pick(&trades).number.clone());
    let wish = ComplaintWish {
        problem_type: chance(|c| *c.pick(&["REFUND", "OTHERS"])).to_owned(),
        risk: chance(|c| c.permille(300)),
        ..ComplaintWish::default()
    };
    Complaining::Complain(number, wish)
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

fn kinds<'a>(items: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    items.iter().filter(move |item| item["kind"] == kind)
}

/// The complaint that a refund's number is made of, where it is made of one: `C`, eight hexadecimal digits, the try.
fn refunded_for(number: &str) -> Option<&str> {
    let (_, tail) = number.rsplit_once('C')?;
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    (tail.len() > 8 && tail.is_char_boundary(8) && hex(&tail[..8])).then(|| &tail[..8])
}

/// When the payer last opened it: when it was made, or opened again.
fn opened(complaint: &Complaint) -> i64 {
    let again = complaint.lines.iter().rev().find(|line| line.kind == "USER_CONTINUE_COMPLAINT");
    again.map_or(complaint.created, |line| line.at)
}

/// A complaint is refunded once for each time that it was made, answered once with the same words until the payer writes
/// again, and ended by the merchant's word, or by a refund that answered all that the payer had said.
///
/// # Errors
/// Which law is broken, and by what.
pub(crate) fn always(world: &World, seen: &mut BTreeMap<String, u64>) -> Result<(), String> {
    let complaints = world.sandbox.complaints();
    let trades = world.sandbox.trades();
    for (at, trade) in trades.iter().enumerate() {
        let own = || complaints.iter().filter(|complaint| complaint.trade == at);
        let mut refunds: BTreeMap<&str, u64> = BTreeMap::new();
        for refund in trade.refunds.iter().filter(|refund| refund.state != RefundState::Closed) {
            if let Some(digest) = refunded_for(&refund.out_refund_no) {
                *refunds.entry(digest).or_default() += 1;
            }
        }
        let most = own().map(|complaint| complaint.times).max().unwrap_or(0);
        if refunds.len() > own().count() || refunds.values().any(|made| *made > most) {
            let refunds = &trade.refunds;
            return Err(format!(
                "{} was refunded too often for its complaints: {refunds:?} {complaints:?}",
                trade.number
            ));
        }
    }
    let ending = world.ending.lock().expect("not poisoned");
    for complaint in &complaints {
        let said: Vec<&str> = complaint.lines.iter().map(|line| line.kind).collect();
        let twice = complaint
            .lines
            .windows(2)
            .any(|pair| pair.iter().all(|line| line.kind == "MERCHANT_RESPONSE") && pair[0].text == pair[1].text);
        if twice {
            return Err(format!("the same words were sent twice: {complaint:?}"));
        }
        if complaint.state != ComplaintState::Processed {
            continue;
        }
        let opened = opened(complaint);
        let meant = ending.meant.get(&complaint.id).is_some_and(|until| *until >= opened);
        let at_once = ending.looks.iter().any(|(from, until)| *from <= opened && opened <= *until);
        if !meant && !at_once {
            return Err(format!("a complaint was ended that its payer had opened again: {complaint:?} {said:?}"));
        }
    }
    drop(ending);
    for record in kinds(&world.items(TABLE), "complaint") {
        let (id, times) = (text(record, "complaint_id"), record["times"].as_u64().unwrap_or(0));
        let before = seen.insert(id.to_owned(), times).unwrap_or(0);
        if times < before {
            return Err(format!("a complaint went back: {record}"));
        }
    }
    Ok(())
}

/// What holds when all is quiet: every complaint that is looked for is known as it stands, its incident waits as long as it
/// does, and none whose refund has arrived is left open.
///
/// # Errors
/// Which law is broken, and by what.
pub(crate) fn quiet(world: &World, items: &[Value]) -> Result<(), String> {
    for complaint in world.sandbox.complaints() {
        if !is_looked_for(world, complaint.provider, &complaint.merchant) {
            continue;
        }
        let id = complaint.id.as_str();
        let Some(record) = kinds(items, "complaint").find(|record| text(record, "complaint_id") == id) else {
            return Err(format!("nobody knows of a complaint: {complaint:?}"));
        };
        let open = complaint.state != ComplaintState::Processed;
        if (text(record, "state") != "processed") != open {
            return Err(format!("a complaint stands otherwise: {record} {complaint:?}"));
        }
        if complaint.provider == Provider::Wxpay && record["times"] != complaint.times {
            return Err(format!("the payer has complained {} times: {record}", complaint.times));
        }
        let incidents: Vec<&Value> = kinds(items, "incident").filter(|i| i["actual"]["complaint_id"] == id).collect();
        let [incident] = incidents.as_slice() else {
            return Err(format!("a complaint has {} incidents: {record} {incidents:?}", incidents.len()));
        };
        let closed_by_hand = text(incident, "resolved_by").starts_with("key:");
        if (incident["status"] == "open") != open && !(open && closed_by_hand) {
            return Err(format!("a complaint and its incident stand otherwise: {record} {incident}"));
        }
        let number = text(&record["refund"], "out_refund_no");
        let back = kinds(items, "refund").any(|r| text(r, "out_refund_no") == number && r["state"] == "SUCCESS");
        let answered = record["refund"]["times"] == record["times"] && record["refund"]["ended"] != true;
        if open && back && answered {
            return Err(format!("a complaint is left open, and its refund has arrived: {record}"));
        }
    }
    Ok(())
}
