//! Small scopes, whole: two callbacks and two refunds of one order, with a death at every await.

use crate::laws::{self, Seen};
use crate::ops::Step;
use crate::world::World;
use crate::{Mortal, heal, virtually};
use futures::future::join_all;
use sandbox::{Fault, Misbehaviour, Op, Pay, Provider};
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
}

/// All of them.
pub const SCOPES: [Scope; 14] = [
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
];

fn created(provider: &str, kind: &str) -> Step {
    Step::Create(json!({
        "provider": provider, "out_trade_no": "ORDER_0", "total_fee": 100, "subject": "sim", "type": kind,
        "vk_platform": "h5", "needQRcode": true, "custom": { "user_id": "user_0" },
    }))
}

/// Runs a scope without a death, in an order of things by a seed.
///
/// # Errors
/// The law that was broken, and by what.
pub fn run_in_order(scope: Scope, seed: u64) -> Result<(), String> {
    run(scope, seed, usize::MAX, usize::MAX).map(|_| ())
}

/// Runs a scope in which the first of two things dies after `first` polls and the second after `second`.
/// Answers which of them lived to their end.
///
/// # Errors
/// The law that was broken, and by what.
pub fn run(scope: Scope, seed: u64, first: usize, second: usize) -> Result<[bool; 2], String> {
    virtually(|| async {
        let world = World::new(seed, 0).await;
        let mut seen = Seen::default();
        let told = |provider| Step::Told(provider, "ORDER_0".to_owned());
        let refund = |n: u8| {
            Step::Refund(
                json!({ "out_trade_no": "ORDER_0", "out_refund_no": format!("ORDER_0_R{n}"), "refund_fee": 60 }),
            )
        };
        let kind = match scope {
            Scope::Forwarded => "mine",
            // Its handler writes nothing, so no condition of a handler helps.
            Scope::Rivals | Scope::Changed => "custom",
            _ => "recharge",
        };
        if scope == Scope::Rivals {
            created("alipay", kind).run(&world).await;
        }
        let (name, payee) = match scope {
            Scope::Repeated | Scope::Reissued | Scope::Unopened => ("alipay", Provider::Alipay),
            Scope::Watched | Scope::Outlived | Scope::Refused | Scope::Contradicted => ("vkspay", Provider::Vkspay),
            _ => ("wxpay", Provider::Wxpay),
        };
        if scope == Scope::Reissued {
            for what in [Misbehaviour::SystemErrorAfterCommit, Misbehaviour::TooMany] {
                world.sandbox.misbehave(Fault::once(Op::Create, what));
                created(name, kind).run(&world).await;
            }
        } else {
            created(name, kind).run(&world).await;
        }
        if matches!(scope, Scope::Late | Scope::Unopened | Scope::Watched) {
            Step::Close("ORDER_0".to_owned()).run(&world).await;
        }
        if scope == Scope::Changed {
            // It is closed there; the answer is lost, and the next query learns of it.
            world.sandbox.misbehave(Fault::once(Op::Close, Misbehaviour::SystemErrorAfterCommit));
            Step::Close("ORDER_0".to_owned()).run(&world).await;
            Step::Query("ORDER_0".to_owned()).run(&world).await;
        }
        if scope == Scope::Outlived {
            // The first link has ended, so that another is given out; then the order's own time is over.
            tokio::time::advance(Duration::from_mins(100)).await;
            created(name, kind).run(&world).await;
            tokio::time::advance(Duration::from_mins(25)).await;
            Step::Reconcile(200).run(&world).await;
        }
        let force = matches!(scope, Scope::Late | Scope::Changed);
        let paid = |provider| Pay { provider: Some(provider), force, notify: false, ..Pay::default() };
        // VksPay makes the number itself.
        let number = match scope {
            Scope::Watched | Scope::Refused | Scope::Contradicted => {
                world.sandbox.trades().first().ok_or("no trade")?.number.clone()
            }
            Scope::Outlived => world.sandbox.trades().last().ok_or("no trade")?.number.clone(),
            _ => "ORDER_0".to_owned(),
        };
        if scope != Scope::Contradicted {
            world.sandbox.pay(&number, paid(payee)).await?;
        }
        if force {
            world.forced.lock().expect("not poisoned").insert((payee, "ORDER_0".to_owned()));
        }
        let steps = match scope {
            Scope::Refunds => {
                told(Provider::Wxpay).run(&world).await;
                [refund(1), refund(2)]
            }
            Scope::Repeated => {
                told(payee).run(&world).await;
                world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::TooMany));
                // So that the second may overtake the first.
                world.weather.wire.store(300, Ordering::Relaxed);
                [refund(1), refund(1)]
            }
            Scope::Payout => {
                let payout = json!({
                    "out_bill_no": "PAYOUT0", "provider": "wxpay", "pid": "second", "transfer_amount": 250,
                    "transfer_remark": "sim", "openid": "payee-1",
                });
                world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::SystemError));
                Step::Transfer(payout.clone()).run(&world).await;
                tokio::time::advance(Duration::from_mins(3)).await;
                [Step::CancelTransfer(payout.clone()), Step::Transfer(payout)]
            }
            Scope::Reissued => {
                tokio::time::advance(Duration::from_hours(3)).await;
                [Step::Reconcile(200), Step::Query("ORDER_0".to_owned())]
            }
            Scope::Rivals => {
                // Alipay does not know a trade before its payer has opened it, so it could not be closed there.
                world.sandbox.pay("ORDER_0", paid(Provider::Alipay)).await?;
                [told(Provider::Wxpay), told(Provider::Alipay)]
            }
            Scope::Unopened => {
                tokio::time::advance(Duration::from_hours(3)).await;
                [told(payee), Step::Reconcile(200)]
            }
            Scope::Watched => {
                tokio::time::advance(Duration::from_mins(11)).await;
                world.sandbox.misbehave(Fault::once(Op::Query, Misbehaviour::Refuse));
                [Step::Reconcile(200), Step::Told(payee, number)]
            }
            Scope::Outlived => {
                tokio::time::advance(Duration::from_hours(3)).await;
                [Step::Reconcile(200), Step::Query("ORDER_0".to_owned())]
            }
            Scope::Refused => {
                tokio::time::advance(Duration::from_mins(3)).await;
                for _ in 0..2 {
                    world.sandbox.misbehave(Fault::once(Op::Query, Misbehaviour::Refuse));
                }
                [Step::Close("ORDER_0".to_owned()), Step::Query("ORDER_0".to_owned())]
            }
            Scope::Contradicted => {
                for _ in 0..2 {
                    world.sandbox.misbehave(Fault::once(Op::Query, Misbehaviour::Contradict));
                }
                [Step::Query("ORDER_0".to_owned()), Step::Close("ORDER_0".to_owned())]
            }
            Scope::Changed => [told(payee), created("alipay", kind)],
            Scope::Callbacks | Scope::Late | Scope::Forwarded => [told(Provider::Wxpay), told(Provider::Wxpay)],
        };
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
        if matches!(scope, Scope::Late | Scope::Forwarded) {
            // The stream may die too.
            Mortal::new(Step::Dispatch(10, true).run(&world), second).await;
        }
        if scope == Scope::Changed {
            // Where the other way was never begun, there is nothing to pay.
            let _ = world.sandbox.pay("ORDER_0", Pay { force: false, ..paid(Provider::Alipay) }).await;
        }
        laws::always(&world, &mut seen)?;
        laws::credited_once(&world)?;
        heal(&world).await;
        laws::always(&world, &mut seen)?;
        laws::credited_once(&world)?;
        laws::quiet(&world)?;
        Ok(lived.map(|lived| lived.get()))
    })
}
