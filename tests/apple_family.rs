//! A purchase that another member of the family made and shares credits nobody here: its order, if it has one, is the
//! buyer's, and each of up to five others could show the same purchase for an order of their own.

use crate::world::{World, merge};
use sandbox::{CallbackKind, Pay, Provider};
use serde_json::{Value, json};

/// Orders, and the device brings a purchase that is shared with its owner.
async fn shared(no: &str) -> (World, Value) {
    let world = World::start().await;
    let data = json!({ "provider": "appleiap", "vk_platform": "app-plus", "product_id": "coins_1" });
    let (status, created) = world.create(no, data).await;
    assert_eq!(status, 200, "{created}");
    let mut info = created["orderInfo"].clone();
    info["inAppOwnershipType"] = json!("FAMILY_SHARED");
    let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
    let result = world.sandbox.client_pay(Provider::Appleiap, &info, how).await.unwrap().result;
    (world, result)
}

async fn uncredited(world: &World, no: &str) {
    assert_eq!(world.order(no).await["trade_state"], "NOTPAY");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
    assert!(world.kind("incident").await.is_empty());
}

#[tokio::test]
async fn a_purchase_shared_within_a_family_is_refused_as_a_proof_of_each_kind() {
    let no = "FAMILY_1";
    let (world, result) = shared(no).await;
    for proof in [
        json!({ "signed_transaction": result["signedTransaction"] }),
        json!({ "transaction_identifier": result["transactionIdentifier"] }),
        json!({ "transaction_receipt": result["transactionReceipt"], "transaction_identifier": result["transactionIdentifier"] }),
    ] {
        let mut data = json!({ "out_trade_no": no });
        merge(&mut data, proof.clone());
        let call = json!({ "action": "pay/appleiap/verifyReceipt", "data": data });
        let (status, answer) = world.call("query-payment", call).await;
        assert_eq!((status, &answer["code"]), (422, &json!(1016)), "{proof}: {answer}");
        let said = answer["msg"].as_str().expect("a message");
        assert!(said.contains("OWNERSHIP"), "{proof}: {said}");
        uncredited(&world, no).await;
    }
}

#[tokio::test]
async fn a_notification_of_a_shared_purchase_is_taken_and_asks_for_nothing() {
    let no = "FAMILY_2";
    let (world, _) = shared(no).await;
    let token = world.order(no).await["attempts"][0]["number"].as_str().expect("a token").to_owned();
    let notification = world.sandbox.build_callback(&token, CallbackKind::Payment);
    assert_eq!(world.sandbox.send(&notification).await.expect("an answer").0, 200);
    uncredited(&world, no).await;
}
