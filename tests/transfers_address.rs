//! A provider that takes no transfers from the address that they are asked from.

use crate::transfers::wxpay;
use crate::world::World;
use sandbox::{Fault, Misbehaviour, Mode, Op};
use serde_json::{Value, json};

/// What the day's counters hold.
async fn counted(world: &World) -> Vec<Value> {
    world.kind("transfer_limit").await.into_iter().map(|counter| counter["reserved"].clone()).collect()
}

async fn limited() -> World {
    World::with(Mode::default(), |config| {
        config["wxpay"]["transfer"]["dailyLimit"] = json!(1000);
        config["wxpay"]["transfer"]["dailyLimitPerPayee"] = json!(1000);
    })
    .await
}

#[tokio::test]
async fn a_transfer_refused_for_the_callers_address_has_a_code_of_its_own_and_was_never_sent() {
    let world = limited().await;
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::AddressRefused));
    let (status, answer) = world.transfer(wxpay("ADDRESS1", 600)).await;
    assert_eq!((status, &answer["code"], &answer["state"]), (422, &json!(3013), &json!("REFUSED")), "{answer}");
    assert_eq!(answer["provider_state"], "ADDRESS_REFUSED", "{answer}");
    let said = "ADDRESS_REFUSED: 此IP地址不允许调用该接口";
    assert_eq!(answer["fail_reason"], said, "{answer}");
    assert!(answer["msg"].as_str().is_some_and(|msg| msg.contains(said)), "{answer}");
    assert!(world.sandbox.transfers().is_empty());
    assert_eq!(counted(&world).await, [json!(0), json!(0)], "the day has its room again");
    let item = world.ledger("ADDRESS1").await;
    assert!(item["due"].is_null() && item["transfer_bill_no"].is_null(), "{item}");
}

#[tokio::test]
async fn the_days_room_is_given_back_once_however_often_the_address_is_refused() {
    let world = limited().await;
    assert_eq!(world.transfer(wxpay("OTHER1", 400)).await.0, 200);
    world.sandbox.misbehave(Fault::new(Op::Transfer, Misbehaviour::AddressRefused));
    for _ in 0..3 {
        let (status, answer) = world.transfer(wxpay("AGAIN1", 600)).await;
        assert_eq!((status, &answer["code"]), (422, &json!(3013)), "{answer}");
        assert_eq!(counted(&world).await, [json!(400), json!(400)]);
    }
    // The address is registered: the same number again is the same transfer.
    world.sandbox.behave();
    let (status, answer) = world.transfer(wxpay("AGAIN1", 600)).await;
    assert_eq!((status, &answer["state"], &answer["fail_reason"]), (200, &json!("WAIT_USER_CONFIRM"), &Value::Null));
    assert_eq!(counted(&world).await, [json!(1000), json!(1000)]);
    assert_eq!(world.sandbox.transfers().len(), 2);
}

#[tokio::test]
async fn a_refused_address_ends_nothing_whose_outcome_is_not_known() {
    let world = limited().await;
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::SystemErrorAfterCommit));
    assert_eq!(world.transfer(wxpay("DOUBT1", 600)).await.0, 504);
    world.sandbox.misbehave(Fault::new(Op::Any, Misbehaviour::AddressRefused));
    let (status, answer) = world.transfer(wxpay("DOUBT1", 600)).await;
    assert_eq!((status, &answer["code"], &answer["state"]), (504, &json!(5040), &json!("UNKNOWN")), "{answer}");
    assert_eq!(counted(&world).await, [json!(600), json!(600)], "an unknown one keeps its room");
    let (status, answer) = world.cancel_transfer("DOUBT1").await;
    assert_eq!((status, &answer["code"]), (422, &json!(3013)), "nothing was taken back: {answer}");
    assert_eq!(world.ledger("DOUBT1").await["state"], "UNKNOWN");
    world.sandbox.behave();
    assert_eq!(world.transfer(wxpay("DOUBT1", 600)).await.1["state"], "WAIT_USER_CONFIRM");
    assert_eq!(world.sandbox.transfers().len(), 1);
}

#[tokio::test]
async fn another_refusal_keeps_its_code() {
    let world = World::start().await;
    for what in [Misbehaviour::NotEnabled, Misbehaviour::Refuse] {
        world.sandbox.misbehave(Fault::once(Op::Transfer, what));
        let (status, answer) = world.transfer(wxpay("ELSE1", 100)).await;
        assert_eq!((status, &answer["code"]), (422, &json!(3003)), "{what:?}: {answer}");
    }
}
