//! The sandbox's forgeries are what they say: each one that is offered for a callback changes it and is not believed.

use crate::providers_flow::{create, pay, ways};
use crate::world::World;
use sandbox::{CallbackKind, Forgery, Mode, SignedRequest};
use serde_json::json;

fn parts(request: &SignedRequest) -> (&str, &[(String, String)], &str) {
    (&request.url, &request.headers, &request.body)
}

/// Every offered forgery of a genuine callback, sent: none moves the order. Those that are not offered.
async fn none_is_believed(
    world: &World,
    what: &str,
    no: &str,
    genuine: &SignedRequest,
    acknowledged: bool,
) -> Vec<Forgery> {
    let (offered, others): (Vec<_>, Vec<_>) = Forgery::ALL.into_iter().partition(|how| how.fits(genuine));
    for how in offered {
        let forged = world.sandbox.forge(genuine.clone(), how);
        assert_ne!(parts(&forged), parts(genuine), "{what} {how:?}");
        let (status, body) = world.sandbox.send(&forged).await.expect("an answer");
        assert!(acknowledged || (400..500).contains(&status), "{what} {how:?}: {status} {body}");
        assert_eq!(world.order(no).await["trade_state"], "NOTPAY", "{what} {how:?}");
    }
    others
}

#[tokio::test]
async fn every_forgery_that_is_offered_changes_the_callback_and_is_refused() {
    let no = "SPOILT_2026_0001";
    for (provider, wxpay_version) in [("wxpay", 3), ("wxpay", 2), ("alipay", 3)] {
        let world = World::with(Mode { wxpay_version, ..Mode::default() }, |_| {}).await;
        world.create(no, json!({ "provider": provider })).await;
        world.pay_silently(no).await;
        let genuine = world.sandbox.build_callback(no, CallbackKind::Payment);
        let what = format!("{provider} v{wxpay_version}");
        let others = none_is_believed(&world, &what, no, &genuine, false).await;
        let timeless = (provider, wxpay_version) != ("wxpay", 3);
        assert_eq!(others, if timeless { vec![Forgery::OldTimestamp] } else { Vec::new() }, "{what}");
    }
    for way in ways().into_iter().filter(|way| way.name != "iap") {
        let world = World::with(way.mode, |_| {}).await;
        let created = create(&world, &way, no).await;
        pay(&world, &way, &created, false).await;
        let attempt = &world.order(no).await["attempts"][0];
        let number = attempt["numbers"][0].as_str().or(attempt["number"].as_str()).expect("a number").to_owned();
        let genuine = world.sandbox.build_callback(&number, CallbackKind::Payment);
        // A notice of VksPay's own proves nothing, so it is acknowledged and nothing comes of a wrong one.
        let others = none_is_believed(&world, way.name, no, &genuine, way.name.starts_with("vks")).await;
        let expected = match way.name {
            "epay rsa" => Vec::new(),
            "plain" => vec![Forgery::OldTimestamp, Forgery::Downgrade],
            _ => vec![Forgery::OldTimestamp],
        };
        assert_eq!(others, expected, "{}", way.name);
    }
}
