//! Small scopes, whole: two callbacks and two refunds of one order, with a death at every await.

use crate::authorizations::{Authorizing, asking, payout};
use crate::complaints::Complaining;
use crate::laws::{self, Seen};
use crate::ops::{Luck, Step, number};
use crate::stores::{self, Sale, Shape};
use crate::world::{GOODS, TABLE, World};
use crate::{Mortal, heal, virtually};
use crate::{sharing, shipping};
use futures::future::join_all;
use sandbox::{AuthorizationOutcome, ComplaintWish, Fault, Misbehaviour, Op, Pay, Provider, RefundOutcome};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A scope that is run whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Two callbacks of one payment at once.
    Callbacks,
    /// Two refunds at once of an order that one of them could empty.
    Refunds,
    /// A callback of a late payment, and the stream that sends it back.
    Late,
    /// A callback of an order for a receiver, and the stream.
    Forwarded,
    /// Two payments of one order, told at once.
    Rivals,
    /// The same refund twice at once, at a provider that takes one call only.
    Repeated,
    /// A creation whose answer was lost, refused when it is repeated; then it is paid, and its time ends.
    Reissued,
    /// A transfer that never arrived, cancelled and sent again at once.
    Payout,
    /// A payment of what its provider could not close with the order, told and found at once.
    Unopened,
    /// A payment at a provider that closes nothing, after its order was closed, found while a query is refused.
    Watched,
    /// A payment by a link that was given out late and outlives its order, after that has ended.
    Outlived,
    /// An order that was paid some time ago, closed and asked about while its provider refuses to tell.
    Refused,
    /// An order that nobody has paid, asked about twice at once while one word of the answer says that it is paid.
    Contradicted,
    /// A callback of a payment that was taken though it was closed, while the payer chooses another way and pays
    /// that too.
    Changed,
    /// A purchase in a store, told by the store while its client brings the proof.
    Shown,
    /// A purchase that names no order, brought at once for the order that it was bought for and for a thief's.
    Thief,
    /// The same, where the thief brings it under the number of a restoration.
    Restored,
    /// A purchase that its store has taken back, told of while its client brings the proof that it had been given.
    TakenBack,
    /// A part of a purchase that came after its order was closed, taken back and told of with the purchase.
    Part,
    /// The same, where an operator accepts the late purchase while the store tells.
    Accepted,
    /// A purchase that its store has taken back, while nobody was told and its client brings the proof of before.
    Old,
    /// A payment that nobody tells of, asked about by a message that comes twice, while its client asks.
    Asked,
    /// The same, where every message was lost and the order's time is over: the schedule finds it while its client asks.
    Forgotten,
    /// Orders that race for the first pieces of goods whose shards are still empty; then the merchant does without shards,
    /// and a third order is for the last piece, which is in one.
    Drawn,
    /// Orders that race for the last pieces, which are in two shards; there are not enough for all.
    LastPieces,
    /// A callback of an order that a receiver takes in place of the handler in Rust; then the type is the handler's again,
    /// and the stream comes.
    Moved,
    /// Two callbacks at once of a payment in a mini program, whose platform keeps the money.
    Kept,
    /// The shipping of such an order, reported by two runs of the schedule at once while the platform is busy.
    Shipped,
    /// A payee's authorisation, closed and told of together with the confirmation that came before, while a transfer is
    /// made under it.
    Authorized,
    /// A share and a refund at once of an order that only one of them fits into.
    Shared,
    /// The same refund twice at once of an order that is shared, while the answer of a return is lost.
    TakenBackFirst,
    /// A return and a refund at once under one number, where the provider takes both for one.
    OneSeries,
    /// Two refunds at once, of different amounts, of one complaint.
    Complained,
    /// A complaint that was refunded and opened again, told of while the schedule looks.
    Reopened,
    /// The same answer to a complaint twice at once, taken though its provider said otherwise.
    Answered,
    /// A refund that got stuck, sent to a card twice at once.
    Carded,
    /// A refund that got stuck and was sent to a card, told of and asked about once it has arrived.
    Mended,
}

/// All of them.
pub const SCOPES: [Scope; 37] = [
    Scope::Callbacks,
    Scope::Refunds,
    Scope::Late,
    Scope::Forwarded,
    Scope::Rivals,
    Scope::Repeated,
    Scope::Reissued,
    Scope::Payout,
    Scope::Unopened,
    Scope::Watched,
    Scope::Outlived,
    Scope::Refused,
    Scope::Contradicted,
    Scope::Changed,
    Scope::Shown,
    Scope::Thief,
    Scope::Restored,
    Scope::TakenBack,
    Scope::Part,
    Scope::Accepted,
    Scope::Old,
    Scope::Asked,
    Scope::Forgotten,
    Scope::Drawn,
    Scope::LastPieces,
    Scope::Moved,
    Scope::Kept,
    Scope::Shipped,
    Scope::Authorized,
    Scope::Shared,
    Scope::TakenBackFirst,
    Scope::OneSeries,
    Scope::Complained,
    Scope::Reopened,
    Scope::Answered,
    Scope::Carded,
    Scope::Mended,
];

fn created(provider: &str, kind: &str) -> Step {
    Step::Create(json!({
        "provider": provider, "out_trade_no": NO, "total_fee": 100, "subject": "sim", "type": kind,
        "vk_platform": "h5", "needQRcode": true, "custom": { "user_id": "user_0" },
    }))
}

/// Orders for so many pieces of the goods.
async fn ordered(world: &World, quantities: [u64; 3]) {
    for (i, quantity) in quantities.into_iter().enumerate() {
        let order = json!({
            "provider": "wxpay", "out_trade_no": number(i), "total_fee": 100 * quantity, "subject": "sim",
            "type": "goods", "vk_platform": "h5", "needQRcode": true,
            "custom": { "user_id": "user_0", "goods_id": GOODS, "quantity": quantity },
        });
        Step::Create(order).run(world).await;
    }
}

/// Runs a scope without a death, in an order of things by a seed.
///
/// # Errors
/// The law that was broken, and by what.
pub fn run_in_order(scope: Scope, seed: u64) -> Result<(), String> {
    run(scope, seed, usize::MAX, usize::MAX).map(|_| ())
}

/// The only order of a scope.
const NO: &str = "ORDER_0";

fn refund(n: u8) -> Step {
    Step::Refund(json!({ "out_trade_no": NO, "out_refund_no": format!("{NO}_R{n}"), "refund_fee": 60 }))
}

fn told(provider: Provider) -> Step {
    Step::Told(provider, NO.to_owned())
}

fn closed() -> Step {
    Step::Close(NO.to_owned())
}

fn asked() -> Step {
    Step::Query(NO.to_owned())
}

/// Whose order is for the same goods, in the scopes of a store.
const THIEF: usize = 3;

fn proven(shape: Shape) -> Step {
    Step::Sale(Sale::Prove(0, None, shape))
}

fn stolen(shape: Shape) -> Step {
    Step::Sale(Sale::Prove(0, Some(number(THIEF)), shape))
}

impl Scope {
    /// The type of its order.
    const fn kind(self) -> &'static str {
        match self {
            Self::Forwarded => "mine",
            Self::Drawn | Self::LastPieces => "goods",
            // Its handler writes nothing, so no condition of a handler helps.
            Self::Rivals | Self::Changed => "custom",
            _ => "recharge",
        }
    }

    /// Where its order is paid.
    const fn payee(self) -> Provider {
        match self {
            Self::Repeated | Self::Reissued | Self::Unopened | Self::OneSeries => Provider::Alipay,
            Self::Watched | Self::Outlived | Self::Refused | Self::Contradicted => Provider::Vkspay,
            Self::Shown | Self::Thief | Self::Restored | Self::TakenBack | Self::Part | Self::Accepted | Self::Old => {
                Provider::Appleiap
            }
            _ => Provider::Wxpay,
        }
    }

    /// Whether its order is made to be shared.
    const fn is_shared(self) -> bool {
        matches!(self, Self::Shared | Self::TakenBackFirst | Self::OneSeries)
    }

    /// Whether its order is paid to the merchant of APIv3, which alone has complaints and bank cards.
    const fn is_second(self) -> bool {
        matches!(self, Self::Complained | Self::Reopened | Self::Answered | Self::Carded | Self::Mended)
    }

    /// Whether its order's payer complains.
    const fn is_complained(self) -> bool {
        matches!(self, Self::Complained | Self::Reopened | Self::Answered)
    }

    /// Whether its order is paid though that is closed.
    const fn is_forced(self) -> bool {
        matches!(self, Self::Late | Self::Changed)
    }

    /// Its order, up to where it is paid.
    async fn begin(self, world: &World) {
        if self.payee() == Provider::Appleiap {
            for i in [0, THIEF] {
                Step::Create(stores::creation(i, self.kind())).run(world).await;
            }
            if matches!(self, Self::Part | Self::Accepted) {
                closed().run(world).await;
            }
            return;
        }
        match self {
            Self::Drawn => {
                world.offer(3, 2, &[]);
                return ordered(world, [1, 1, 1]).await;
            }
            Self::LastPieces => {
                world.offer(0, 2, &[1, 2]);
                return ordered(world, [2, 1, 1]).await;
            }
            Self::Moved => move_type(world, true).await,
            _ => {}
        }
        if matches!(self, Self::Kept | Self::Shipped) {
            let mut order = json!({
                "provider": "wxpay", "out_trade_no": NO, "total_fee": 100, "subject": "sim", "type": self.kind(),
                "custom": { "user_id": "user_0" },
            });
            shipping::in_mini_program(&mut order);
            return Step::Create(order).run(world).await;
        }
        if self.is_shared() {
            let mut order = json!({
                "provider": self.payee().name(), "out_trade_no": NO, "total_fee": 100, "subject": "sim",
                "type": self.kind(), "vk_platform": "h5", "needQRcode": true, "custom": { "user_id": "user_0" },
            });
            if self.payee() == Provider::Wxpay {
                order["pid"] = json!("second");
            }
            sharing::may_be_shared(&mut order);
            return Step::Create(order).run(world).await;
        }
        if self.is_second() {
            return Step::Create(json!({
                "provider": "wxpay", "pid": "second", "out_trade_no": NO, "total_fee": 100, "subject": "sim",
                "type": self.kind(), "vk_platform": "h5", "needQRcode": true, "custom": { "user_id": "user_0" },
            }))
            .run(world)
            .await;
        }
        let create = || created(self.payee().name(), self.kind()).run(world);
        if self == Self::Rivals {
            created("alipay", self.kind()).run(world).await;
        }
        if self == Self::Reissued {
            world.sandbox.misbehave(Fault::once(Op::Create, Misbehaviour::SystemErrorAfterCommit));
            create().await;
            world.sandbox.misbehave(Fault::once(Op::Create, Misbehaviour::TooMany));
        }
        create().await;
        match self {
            Self::Late | Self::Unopened | Self::Watched => closed().run(world).await,
            Self::Changed => {
                // It is closed there; the answer is lost, and the next query learns of it.
                world.sandbox.misbehave(Fault::once(Op::Close, Misbehaviour::SystemErrorAfterCommit));
                closed().run(world).await;
                asked().run(world).await;
            }
            Self::Outlived => {
                // The first link has ended, so that another is given out; then the order's own time is over.
                tokio::time::advance(Duration::from_mins(100)).await;
                create().await;
                tokio::time::advance(Duration::from_mins(25)).await;
                Step::Reconcile(200).run(world).await;
            }
            _ => {}
        }
    }

    /// How its order is paid at a provider.
    fn way(self, provider: Provider) -> Pay {
        Pay { provider: Some(provider), force: self.is_forced(), notify: false, ..Pay::default() }
    }

    /// The order is paid. The number that its provider knows it by.
    async fn pay(self, world: &World) -> Result<String, String> {
        // VksPay makes the number itself.
        let number = match self {
            Self::Watched | Self::Refused | Self::Contradicted => {
                world.sandbox.trades().first().ok_or("no trade")?.number.clone()
            }
            Self::Outlived => world.sandbox.trades().last().ok_or("no trade")?.number.clone(),
            _ => NO.to_owned(),
        };
        if self.payee() == Provider::Appleiap {
            stores::buy(world, NO, matches!(self, Self::Thief | Self::Restored)).await;
        } else if self != Self::Contradicted {
            world.sandbox.pay(&number, self.way(self.payee())).await?;
        }
        if matches!(self, Self::Drawn | Self::LastPieces) {
            for other in ["ORDER_1", "ORDER_2"] {
                world.sandbox.pay(other, self.way(self.payee())).await?;
            }
        }
        if self.is_forced() {
            world.forced.lock().expect("not poisoned").insert((self.payee(), NO.to_owned()));
        }
        Ok(number)
    }

    /// The two things that happen at once, after what leads to them.
    async fn two_things(self, world: &World, number: String) -> Result<[Step; 2], String> {
        let payee = self.payee();
        Ok(match self {
            Self::Refunds => {
                told(payee).run(world).await;
                [refund(1), refund(2)]
            }
            Self::Repeated => {
                told(payee).run(world).await;
                world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::TooMany));
                // So that the second may overtake the first.
                world.weather.wire.store(300, Ordering::Relaxed);
                [refund(1), refund(1)]
            }
            Self::Payout => paid_out(world).await,
            Self::Authorized => given_and_taken_back(world).await?,
            Self::Rivals => {
                // Alipay does not know a trade before its payer has opened it, so it could not be closed there.
                world.sandbox.pay(NO, self.way(Provider::Alipay)).await?;
                [told(payee), told(Provider::Alipay)]
            }
            Self::Unopened => {
                tokio::time::advance(Duration::from_hours(3)).await;
                [told(payee), Step::Reconcile(200)]
            }
            Self::Watched => {
                tokio::time::advance(Duration::from_mins(11)).await;
                twisted(world, Misbehaviour::Refuse, 1);
                [Step::Reconcile(200), Step::Told(payee, number)]
            }
            Self::Reissued | Self::Outlived => {
                tokio::time::advance(Duration::from_hours(3)).await;
                [Step::Reconcile(200), asked()]
            }
            Self::Refused => {
                tokio::time::advance(Duration::from_mins(3)).await;
                twisted(world, Misbehaviour::Refuse, 2);
                [closed(), asked()]
            }
            Self::Contradicted => {
                twisted(world, Misbehaviour::Contradict, 2);
                [asked(), closed()]
            }
            Self::Shown => [Step::Sale(Sale::Told(0)), proven(Shape::Held)],
            Self::Thief => [proven(Shape::Held), stolen(Shape::Held)],
            Self::Restored => [proven(Shape::Held), stolen(Shape::Restored)],
            Self::TakenBack => {
                Step::Sale(Sale::TakeBack(0, None)).run(world).await;
                [Step::Sale(Sale::ToldTakenBack(0)), proven(Shape::Held)]
            }
            Self::Part => {
                Step::Sale(Sale::TakeBack(0, Some(40_000))).run(world).await;
                [Step::Sale(Sale::Told(0)), Step::Sale(Sale::ToldTakenBack(0))]
            }
            Self::Accepted => accepted(world).await,
            Self::Old => {
                Step::Sale(Sale::TakeBack(0, None)).run(world).await;
                tokio::time::advance(Duration::from_mins(20)).await;
                [proven(Shape::Held), proven(Shape::Held)]
            }
            Self::Asked => {
                tokio::time::advance(Duration::from_secs(80)).await;
                [Step::Work(Luck::Twice), asked()]
            }
            Self::Forgotten => {
                world.queues.iter().for_each(|queues| queues.lose());
                tokio::time::advance(Duration::from_hours(3)).await;
                [Step::Reconcile(200), asked()]
            }
            Self::Changed => [told(payee), created("alipay", self.kind())],
            Self::Drawn | Self::LastPieces => [told(payee), Step::Told(payee, "ORDER_1".to_owned())],
            Self::Shipped => shipped(world, payee).await,
            Self::Shared => shared_and_refunded(world, payee).await,
            Self::TakenBackFirst => taken_back_first(world, payee).await,
            Self::OneSeries => returned_and_refunded(world, payee).await,
            Self::Complained | Self::Reopened | Self::Answered | Self::Carded | Self::Mended => {
                self.about_a_refund(world).await?
            }
            Self::Callbacks | Self::Late | Self::Forwarded | Self::Moved | Self::Kept => [told(payee), told(payee)],
        })
    }

    /// The same, about a complaint or a refund that got stuck.
    async fn about_a_refund(self, world: &World) -> Result<[Step; 2], String> {
        let payee = self.payee();
        Ok(match self {
            Self::Complained => {
                let id = complained(world, payee).await?;
                [40, 30].map(|fee| Step::Complaint(Complaining::Refund(id.clone(), Some(fee))))
            }
            Self::Reopened => reopened(world, payee).await?,
            Self::Answered => {
                let id = complained(world, payee).await?;
                world.sandbox.misbehave(Fault::once(Op::ComplaintAnswer, Misbehaviour::SystemErrorAfterCommit));
                [(); 2].map(|()| Step::Complaint(Complaining::Answer(id.clone(), "马上处理")))
            }
            Self::Mended => {
                stuck(world, payee).await;
                card().run(world).await;
                world.sandbox.settle_refund(&refund_number(), RefundOutcome::Success);
                [Step::ToldRefund(refund_number()), Step::QueryRefund(NO.to_owned())]
            }
            _ => {
                stuck(world, payee).await;
                [card(), card()]
            }
        })
    }

    /// What comes after them.
    async fn end(self, world: &World, second: usize) {
        match self {
            // The stream may die too.
            Self::Late | Self::Forwarded => Mortal::new(Step::Dispatch(10, true).run(world), second).await,
            Self::Moved => {
                move_type(world, false).await;
                Mortal::new(Step::Dispatch(10, true).run(world), second).await;
            }
            // The third finds what the two have left.
            Self::Drawn | Self::LastPieces => {
                if self == Self::Drawn {
                    world.shards(0);
                }
                Step::Told(self.payee(), number(2)).run(world).await;
            }
            Self::Changed => {
                // Where the other way was never begun, there is nothing to pay.
                let _ = world.sandbox.pay(NO, Pay { force: false, ..self.way(Provider::Alipay) }).await;
            }
            Self::Authorized => Step::Transfer(payout(AUTHORIZED)).run(world).await,
            // Who was told that nobody knows asks again, once nobody is sending it any more.
            Self::Complained | Self::Answered => {
                tokio::time::advance(Duration::from_mins(2)).await;
                let id = world.sandbox.complaints().first().map(|complaint| complaint.id.clone()).unwrap_or_default();
                let again = match self {
                    Self::Answered => Complaining::Answer(id, "马上处理"),
                    _ => Complaining::Refund(id, Some(40)),
                };
                for made in world.sandbox.refunds() {
                    world.sandbox.settle_refund(&made.out_refund_no, RefundOutcome::Success);
                }
                Step::QueryRefund(NO.to_owned()).run(world).await;
                Step::Complaint(again).run(world).await;
            }
            _ => {}
        }
    }
}

/// The authorisation of its scope.
const AUTHORIZED: &str = "AUTH_0";

/// An authorisation that was given and taken back, neither of which was told yet.
async fn given_and_taken_back(world: &World) -> Result<[Step; 2], String> {
    Step::Authorization(Authorizing::Ask(asking(AUTHORIZED))).run(world).await;
    for outcome in [AuthorizationOutcome::Confirmed, AuthorizationOutcome::Closed] {
        Step::Authorization(Authorizing::Settle(AUTHORIZED.to_owned(), outcome)).run(world).await;
    }
    let told = world.authorized.lock().expect("not poisoned").clone();
    let [given, closed] = <[_; 2]>::try_from(told).map_err(|_| "the payee has not decided")?;
    Ok([closed, given].map(|told| Step::Authorization(Authorizing::Told(Box::new(told)))))
}

/// The type that moves is the receiver's, or its handler's in Rust again, and the functions have seen it.
async fn move_type(world: &World, to_receiver: bool) {
    world.moved(to_receiver);
    tokio::time::advance(Duration::from_mins(6)).await;
}

/// Bought late and taken back in part, which the store has not told yet.
async fn accepted(world: &World) -> [Step; 2] {
    Step::Sale(Sale::Told(0)).run(world).await;
    Step::Sale(Sale::TakeBack(0, Some(40_000))).run(world).await;
    [Step::Sale(Sale::ToldTakenBack(0)), Step::Resolve(incident(world), "accept")]
}

/// The only incident, if there is one.
fn incident(world: &World) -> String {
    let found = world.items(TABLE).into_iter().find(|item| item["kind"] == "incident");
    found.and_then(|found| found["incident_id"].as_str().map(str::to_owned)).unwrap_or_default()
}

/// So many queries go wrong.
fn twisted(world: &World, what: Misbehaviour, times: usize) {
    for _ in 0..times {
        world.sandbox.misbehave(Fault::once(Op::Query, what));
    }
}

/// Paid in a mini program, and its report due; the first answer is lost after it was taken.
async fn shipped(world: &World, payee: Provider) -> [Step; 2] {
    told(payee).run(world).await;
    tokio::time::advance(Duration::from_secs(70)).await;
    world.sandbox.misbehave(Fault::once(Op::Ship, Misbehaviour::SystemErrorAfterCommit));
    [Step::Reconcile(200), Step::Reconcile(200)]
}

/// Paid, and then shared and refunded by more than there is.
async fn shared_and_refunded(world: &World, payee: Provider) -> [Step; 2] {
    told(payee).run(world).await;
    [Step::Share(sharing::share(0, 0, 0, 60)), refund(1)]
}

/// Paid and shared twice; the answer of the first return is lost after it was made.
async fn taken_back_first(world: &World, payee: Provider) -> [Step; 2] {
    told(payee).run(world).await;
    Step::Share(sharing::share(0, 0, 0, 40)).run(world).await;
    Step::Share(sharing::share(0, 1, 1, 30)).run(world).await;
    tokio::time::advance(Duration::from_secs(70)).await;
    Step::Reconcile(200).run(world).await;
    world.sandbox.misbehave(Fault::once(Op::ShareReturn, Misbehaviour::SystemErrorAfterCommit));
    let all = || Step::Refund(json!({ "out_trade_no": NO, "out_refund_no": format!("{NO}_R1"), "refund_fee": 100 }));
    [all(), all()]
}

/// Paid and shared; what takes the share back and what refunds have the same number.
async fn returned_and_refunded(world: &World, payee: Provider) -> [Step; 2] {
    told(payee).run(world).await;
    Step::Share(sharing::share_to(0, 0, sharing::ALIPAY_RECEIVERS[0], 40)).run(world).await;
    tokio::time::advance(Duration::from_secs(70)).await;
    Step::Reconcile(200).run(world).await;
    let back = json!({
        "out_trade_no": NO, "out_order_no": format!("{NO}_S0"), "out_return_no": format!("{NO}_R1"),
        "return_mchid": sharing::ALIPAY_RECEIVERS[0].1, "amount": 40,
    });
    [Step::ReturnShare(back), refund(1)]
}

/// Paid and complained of, and the complaint told. Its id.
async fn complained(world: &World, payee: Provider) -> Result<String, String> {
    told(payee).run(world).await;
    Step::Complaint(Complaining::Subscribe).run(world).await;
    let id = world.sandbox.complain(NO, &ComplaintWish::default())?;
    Step::Complaint(Complaining::Told(id.clone())).run(world).await;
    Ok(id)
}

/// Complained of, refunded in part, and opened again.
async fn reopened(world: &World, payee: Provider) -> Result<[Step; 2], String> {
    let id = complained(world, payee).await?;
    let refund = || Step::Complaint(Complaining::Refund(id.clone(), Some(60)));
    refund().run(world).await;
    for made in world.sandbox.refunds() {
        world.sandbox.settle_refund(&made.out_refund_no, RefundOutcome::Success);
    }
    refund().run(world).await;
    tokio::time::advance(Duration::from_mins(2)).await;
    Step::Complaint(Complaining::More(id.clone())).run(world).await;
    tokio::time::advance(Duration::from_mins(2)).await;
    Ok([Step::Complaint(Complaining::Look), Step::Complaint(Complaining::Told(id))])
}

fn refund_number() -> String {
    format!("{NO}_R1")
}

fn card() -> Step {
    Step::Card(NO.to_owned(), refund_number())
}

/// Paid, and a refund of it that the payer's account does not take.
async fn stuck(world: &World, payee: Provider) {
    told(payee).run(world).await;
    refund(1).run(world).await;
    world.sandbox.settle_refund(&refund_number(), RefundOutcome::Abnormal);
    Step::ToldRefund(refund_number()).run(world).await;
}

/// A transfer that never arrived, cancelled and sent again.
async fn paid_out(world: &World) -> [Step; 2] {
    let payout = json!({
        "out_bill_no": "PAYOUT0", "provider": "wxpay", "pid": "second", "transfer_amount": 250,
        "transfer_remark": "sim", "openid": "payee-1",
    });
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::SystemError));
    Step::Transfer(payout.clone()).run(world).await;
    tokio::time::advance(Duration::from_mins(3)).await;
    [Step::CancelTransfer(payout.clone()), Step::Transfer(payout)]
}

/// Runs a scope in which the first of two things dies after `first` polls and the second after `second`.
/// Answers which of them lived to their end.
///
/// # Errors
/// The law that was broken, and by what.
pub fn run(scope: Scope, seed: u64, first: usize, second: usize) -> Result<[bool; 2], String> {
    virtually(|| async {
        let mut world = match scope {
            Scope::Kept | Scope::Shipped => World::shipping(seed, 0).await,
            _ => World::with_queues(seed, 0, matches!(scope, Scope::Asked | Scope::Forgotten)).await,
        };
        world.shares = scope.is_shared();
        world.complains = scope.is_complained();
        let mut seen = Seen::default();
        scope.begin(&world).await;
        let number = scope.pay(&world).await?;
        let steps = scope.two_things(&world, number).await?;
        let lived = [std::cell::Cell::new(false), std::cell::Cell::new(false)];
        let lives = steps.into_iter().zip([first, second]).zip(&lived).map(|((step, polls), lived)| {
            let world = &world;
            let whole = async move {
                step.run(world).await;
                lived.set(true);
            };
            Mortal::new(whole, polls)
        });
        join_all(lives).await;
        scope.end(&world, second).await;
        laws::always(&world, &mut seen)?;
        laws::credited_once(&world)?;
        heal(&world).await;
        laws::always(&world, &mut seen)?;
        laws::credited_once(&world)?;
        laws::quiet(&world)?;
        Ok(lived.map(|lived| lived.get()))
    })
}
