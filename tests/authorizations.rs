//! Payees who take transfers without confirming each: how an authorisation is given, told of, and taken back; and what is
//! paid out under one.

use crate::transfers::{OPENID, alipay, wxpay};
use crate::world::{Answer, TABLE, World, merge};
use aws_sdk_dynamodb::types::AttributeValue::S;
use futures::future::join_all;
use sandbox::{AuthorizationOutcome, CallbackKind, Fault, Forgery, Misbehaviour, Mode, Op, SignedRequest};
use serde_json::{Value, json};

fn wish(no: &str) -> Value {
    json!({ "provider": "wxpay", "out_authorization_no": no, "openid": OPENID, "user_display_name": "会员001" })
}

fn under(bill: &str, no: &str) -> Value {
    json!({
        "provider": "wxpay", "out_bill_no": bill, "out_authorization_no": no, "transfer_amount": 100,
        "transfer_remark": "佣金",
    })
}

impl World {
    async fn authorization(&self, action: &str, data: Value) -> Answer {
        let action = format!("pay/{action}UserConfirmAuthorization");
        self.call("transfer", json!({ "action": action, "data": data })).await
    }

    /// Asks for an authorisation.
    async fn authorize(&self, no: &str) -> Answer {
        self.authorization("create", wish(no)).await
    }

    /// The ledger's item of an authorisation.
    async fn authorized(&self, no: &str) -> Value {
        let items = self.kind("authorization").await;
        items.into_iter().find(|item| item["out_authorization_no"] == no).unwrap_or_default()
    }

    /// Waits until the ledger's item of an authorisation has a state.
    async fn until_authorized(&self, no: &str, state: &str) -> Value {
        for _ in 0..200 {
            let item = self.authorized(no).await;
            if item["state"] == state {
                return item;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("{no} never was {state}: {}", self.authorized(no).await);
    }

    /// Sets a text of the ledger's item.
    async fn amend_authorization(&self, no: &str, field: &str, value: &str) {
        let update = self.tables.update_item().table_name(TABLE);
        let update = update.key("pk", S(format!("A#default#{no}"))).key("sk", S("A".to_owned()));
        let update = update.update_expression("SET #f = :v").expression_attribute_names("#f", field);
        update.expression_attribute_values(":v", S(value.to_owned())).send().await.expect("written");
    }

    /// As if the ledger had never heard of an authorisation.
    async fn forget_authorization(&self, no: &str) {
        let delete = self.tables.delete_item().table_name(TABLE);
        delete.key("pk", S(format!("A#default#{no}"))).key("sk", S("A".to_owned())).send().await.expect("deleted");
    }

    /// An authorisation that its payee has given.
    async fn given(&self, no: &str) {
        assert_eq!(self.authorize(no).await.0, 200);
        self.sandbox.settle_authorization(no, AuthorizationOutcome::Confirmed).expect("it waits");
        self.until_authorized(no, "TAKING_EFFECT").await;
    }

    /// An authorisation that its payee has given or taken back while the callback was lost, and that callback.
    async fn untold(&self, no: &str, outcome: AuthorizationOutcome) -> SignedRequest {
        self.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose).number(no));
        self.sandbox.settle_authorization(no, outcome).expect("it can be done");
        self.sandbox.build_callback(no, CallbackKind::Authorization)
    }
}

#[tokio::test]
async fn a_payee_gives_an_authorisation_and_is_paid_without_confirming() {
    let world = World::start().await;
    let (status, answer) = world.authorize("AUTH_0001").await;
    let known = world.sandbox.authorization("AUTH_0001").expect("an authorisation");
    assert_eq!((status, &answer["code"], &answer["state"]), (200, &json!(0), &json!("WAIT_USER_CONFIRM")), "{answer}");
    let options =
        json!({ "mchId": world.keys.wechat.mchid, "appId": world.keys.wechat.mp_appid, "package": known.package_info });
    assert_eq!(answer["options"], options, "for wx.requestMerchantTransfer");
    assert_eq!(known.notify_url, Some(format!("{}/notify/transfer-notify/wxpay/default", world.base)));
    assert_eq!((known.payee.as_str(), known.display_name.as_str(), known.scene.as_str()), (OPENID, "会员001", "1000"));

    world.sandbox.settle_authorization("AUTH_0001", AuthorizationOutcome::Confirmed).unwrap();
    let item = world.until_authorized("AUTH_0001", "TAKING_EFFECT").await;
    assert!(
        item["due"].is_null() && item["authorization_id"].is_string() && item["authorize_time"].is_string(),
        "{item}"
    );

    let (status, answer) = world.transfer(under("UNDER1", "AUTH_0001")).await;
    assert_eq!((status, &answer["state"], &answer["options"]), (200, &json!("SUCCESS"), &Value::Null), "{answer}");
    assert_eq!(answer["out_authorization_no"], "AUTH_0001");
    let paid = world.sandbox.transfer("UNDER1").expect("a transfer");
    assert_eq!((paid.payee.as_str(), paid.amount), (OPENID, 100));
    assert_eq!((&paid.request["openid"], &paid.request["out_authorization_no"]), (&Value::Null, &json!("AUTH_0001")));
    assert_eq!(world.ledger("UNDER1").await["payee"], OPENID, "the day's limits count who gets it");
    let by_id = json!({
        "provider": "wxpay", "out_bill_no": "UNDER2", "authorization_id": item["authorization_id"],
        "transfer_amount": 100, "transfer_remark": "佣金",
    });
    let (status, answer) = world.transfer(by_id).await;
    assert_eq!((status, &answer["state"]), (200, &json!("SUCCESS")), "{answer}");
    for _ in 0..2 {
        let (status, answer) = world.transfer(under("UNDER1", "AUTH_0001")).await;
        assert_eq!((status, &answer["state"]), (200, &json!("SUCCESS")), "the same again is the same: {answer}");
    }
    assert_eq!(world.asked(Op::Transfer).len(), 2);
    let shown = json!([answer, world.authorization("query", json!({ "out_authorization_no": "AUTH_0001" })).await.1]);
    assert!(!shown.to_string().contains(OPENID), "whose it is stands in no reply: {shown}");
}

#[tokio::test]
async fn nothing_is_paid_under_an_authorisation_that_is_not_in_effect() {
    let world = World::start().await;
    world.authorize("AUTH_0001").await;
    let (status, answer) = world.transfer(under("EARLY1", "AUTH_0001")).await;
    assert_eq!(
        (status, &answer["code"], &answer["state"]),
        (409, &json!(2034), &json!("WAIT_USER_CONFIRM")),
        "{answer}"
    );
    // Given, and the callback is still on its way: the provider says so.
    world.untold("AUTH_0001", AuthorizationOutcome::Confirmed).await;
    assert_eq!(world.transfer(under("EARLY2", "AUTH_0001")).await.1["state"], "SUCCESS");
    world.authorization("close", json!({ "out_authorization_no": "AUTH_0001" })).await;
    let (status, answer) = world.transfer(under("LATE1", "AUTH_0001")).await;
    assert_eq!((status, &answer["code"], &answer["state"]), (409, &json!(2034), &json!("CLOSED")), "{answer}");
    assert_eq!(world.sandbox.transfers().len(), 1);
    assert_eq!(world.kind("transfer").await.len(), 1, "and nothing is written for it");
    assert_eq!(world.asked(Op::Transfer).len(), 1, "nor sent");
    let (status, answer) = world.transfer(under("EARLY2", "AUTH_0001")).await;
    assert_eq!((status, &answer["state"]), (200, &json!("SUCCESS")), "what was paid stays paid: {answer}");
}

#[tokio::test]
async fn an_authorisation_that_was_taken_back_untold_is_learnt_of_by_the_refusal() {
    let world = World::start().await;
    world.given("AUTH_0001").await;
    world.untold("AUTH_0001", AuthorizationOutcome::Closed).await;
    let (status, answer) = world.transfer(under("BACK1", "AUTH_0001")).await;
    assert_eq!((status, &answer["code"], &answer["state"]), (422, &json!(3003), &json!("REFUSED")), "{answer}");
    let item = world.authorized("AUTH_0001").await;
    assert_eq!((&item["state"], &item["close_reason"]), (&json!("CLOSED"), &json!("USER_CLOSE")), "{item}");
    let (status, answer) = world.transfer(under("BACK1", "AUTH_0001")).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2034)), "it is not begun again: {answer}");
    assert!(world.sandbox.transfers().is_empty());
}

#[tokio::test]
async fn a_transfer_names_one_authorisation_and_no_other_payee() {
    let world = World::start().await;
    world.given("AUTH_0001").await;
    let id = world.authorized("AUTH_0001").await["authorization_id"].clone();
    let with = |more: Value| {
        let mut data = under("ODD1", "AUTH_0001");
        merge(&mut data, more);
        data
    };
    let mut of_alipay = alipay("ODD-1", 100);
    of_alipay["out_authorization_no"] = json!("AUTH_0001");
    let mut blank = wxpay("ODD1", 100);
    blank["authorization_id"] = json!("");
    for (data, field) in [
        (with(json!({ "authorization_id": id })), "authorization_id"),
        (with(json!({ "openid": "oSomebodyElse" })), "openid"),
        (with(json!({ "appid": "wx0000111122223333" })), "appid"),
        (with(json!({ "out_authorization_no": "" })), "out_authorization_no"),
        (with(json!({ "out_authorization_no": 7 })), "out_authorization_no"),
        (blank, "authorization_id"),
        (of_alipay, "out_authorization_no"),
    ] {
        let (status, answer) = world.transfer(data.clone()).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{data} -> {answer}");
    }
    let (status, answer) = world.transfer(under("ODD1", "NOBODYS_1")).await;
    assert_eq!((status, &answer["code"]), (404, &json!(2001)), "{answer}");
    assert!(world.kind("transfer").await.is_empty() && world.sandbox.transfers().is_empty());
    assert_eq!(world.transfer(with(json!({ "openid": OPENID }))).await.0, 200, "its own may be named");
    assert_eq!(world.transfer(wxpay("ODD1", 100)).await.0, 409, "with a confirmation it is another transfer");
}

#[tokio::test]
async fn a_number_is_one_authorisation_however_often_it_is_asked_for() {
    let world = World::start().await;
    let answers = join_all((0..6).map(|_| world.authorize("AUTH_0001"))).await;
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 409 | 504)), "{answers:?}");
    assert_eq!((world.sandbox.authorizations().len(), world.kind("authorization").await.len()), (1, 1));
    let (status, answer) = world.authorize("AUTH_0001").await;
    assert_eq!((status, answer["options"]["package"].is_string()), (200, true), "{answer}");
    for (field, other) in [("openid", "oSomebodyElse"), ("user_display_name", "别人"), ("transfer_scene_id", "1005")]
    {
        let mut data = wish("AUTH_0001");
        data[field] = json!(other);
        let (status, answer) = world.authorization("create", data).await;
        assert_eq!((status, &answer["code"]), (409, &json!(2033)), "{field}: {answer}");
    }
    assert_eq!(world.sandbox.authorizations().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_504_and_the_same_call_again_tells() {
    let world = World::start().await;
    for (n, (what, took_effect)) in [
        (Misbehaviour::SystemErrorAfterCommit, true),
        (Misbehaviour::Garbage, true),
        (Misbehaviour::BadSignature, true),
        (Misbehaviour::DropConnection, false),
        (Misbehaviour::SystemError, false),
    ]
    .into_iter()
    .enumerate()
    {
        let no = format!("AUTH_LOST{n}");
        let mut data = wish(&no);
        data["user_display_name"] = json!(format!("会员{n}"));
        world.sandbox.misbehave(Fault::once(Op::Authorize, what));
        let (status, answer) = world.authorization("create", data.clone()).await;
        assert_eq!(
            (status, &answer["code"], &answer["state"]),
            (504, &json!(5040), &json!("UNKNOWN")),
            "{what:?}: {answer}"
        );
        assert_eq!(world.sandbox.authorization(&no).is_some(), took_effect, "{what:?}");
        world.sandbox.misbehave(Fault::once(Op::AuthorizationQuery, Misbehaviour::Http5xx));
        assert_eq!(world.authorization("create", data.clone()).await.0, 504, "while the provider does not tell");
        let (status, answer) = world.authorization("create", data).await;
        assert_eq!((status, &answer["state"]), (200, &json!("WAIT_USER_CONFIRM")), "{what:?}: {answer}");
        assert!(answer["options"]["package"].is_string(), "the payee can give it: {answer}");
        assert_eq!(world.kind("incident").await.len(), 0);
    }
}

#[tokio::test]
async fn a_refused_authorisation_says_why_and_may_be_asked_for_again() {
    let world = World::start().await;
    for (what, code) in [(Misbehaviour::NotEnabled, 3001), (Misbehaviour::AddressRefused, 3013)] {
        world.sandbox.misbehave(Fault::once(Op::Authorize, what));
        let (status, answer) = world.authorize("AUTH_0001").await;
        assert_eq!((status, &answer["code"], &answer["state"]), (422, &json!(code), &json!("REFUSED")), "{answer}");
    }
    let (status, answer) = world.authorize("AUTH_0001").await;
    assert_eq!((status, &answer["state"], &answer["fail_reason"]), (200, &json!("WAIT_USER_CONFIRM"), &Value::Null));
}

#[tokio::test]
async fn a_forged_callback_gives_and_closes_no_authorisation() {
    let world = World::start().await;
    world.authorize("AUTH_0001").await;
    let given = world.untold("AUTH_0001", AuthorizationOutcome::Confirmed).await;
    for how in Forgery::ALL {
        let (status, _) = world.sandbox.send(&world.sandbox.forge(given.clone(), how)).await.unwrap();
        assert!((400..500).contains(&status), "{how:?}: {status}");
        assert_eq!(world.authorized("AUTH_0001").await["state"], "WAIT_USER_CONFIRM", "{how:?}");
    }
    assert_eq!(world.sandbox.send(&given).await.unwrap().0, 204);
    let item = world.authorized("AUTH_0001").await;
    assert_eq!(item["state"], "TAKING_EFFECT");
    let closed = world.untold("AUTH_0001", AuthorizationOutcome::Closed).await;
    for how in Forgery::ALL {
        let (status, _) = world.sandbox.send(&world.sandbox.forge(closed.clone(), how)).await.unwrap();
        assert!((400..500).contains(&status), "{how:?}: {status}");
        assert_eq!(world.authorized("AUTH_0001").await["version"], item["version"], "{how:?}");
    }
    assert!(world.kind("incident").await.is_empty());
}

#[tokio::test]
async fn a_confirmation_that_is_told_after_the_closing_opens_nothing() {
    let world = World::start().await;
    world.authorize("AUTH_0001").await;
    let given = world.untold("AUTH_0001", AuthorizationOutcome::Confirmed).await;
    let closed = world.untold("AUTH_0001", AuthorizationOutcome::Closed).await;
    assert_eq!(world.sandbox.send(&closed).await.unwrap().0, 204);
    let item = world.authorized("AUTH_0001").await;
    assert_eq!((&item["state"], &item["close_reason"]), (&json!("CLOSED"), &json!("USER_CLOSE")));
    for late in [&given, &closed, &given] {
        assert_eq!(world.sandbox.send(late).await.unwrap().0, 204, "a repeat is taken");
    }
    assert_eq!(world.authorized("AUTH_0001").await, item, "and changes nothing");
    let (status, answer) = world.transfer(under("LATE1", "AUTH_0001")).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2034)), "{answer}");
}

#[tokio::test]
async fn a_callback_that_does_not_fit_the_ledger_moves_no_authorisation() {
    for (field, other) in
        [("payee", "oSomebodyElse"), ("app_id", "wx0000111122223333"), ("authorization_id", "AUTH0000000000")]
    {
        let world = World::start().await;
        world.authorize("AUTH_0001").await;
        let given = world.untold("AUTH_0001", AuthorizationOutcome::Confirmed).await;
        world.amend_authorization("AUTH_0001", field, other).await;
        for _ in 0..2 {
            assert_eq!(world.sandbox.send(&given).await.unwrap().0, 204, "{field}");
        }
        assert_eq!(world.authorized("AUTH_0001").await["state"], "WAIT_USER_CONFIRM", "{field}");
        let incidents = world.kind("incident").await;
        assert_eq!(incidents.len(), 1, "{field}: once");
        assert_eq!(incidents[0]["incident"], "transfer_mismatch", "{field}: {}", incidents[0]);
        assert_eq!(incidents[0]["expected"]["out_authorization_no"], "AUTH_0001");
    }
}

#[tokio::test]
async fn a_callback_about_an_unknown_authorisation_is_refused_and_writes_nothing() {
    let (world, other) = (World::start().await, World::start().await);
    other.authorize("AUTH_0001").await;
    let mut given = other.untold("AUTH_0001", AuthorizationOutcome::Confirmed).await;
    given.url = given.url.replace(&other.base, &world.base);
    let before = world.items(TABLE).await.len();
    let (status, _) = other.sandbox.send(&given).await.unwrap();
    assert!((400..500).contains(&status), "{status}");
    assert_eq!(world.items(TABLE).await.len(), before);
}

#[tokio::test]
async fn an_authorisation_is_closed_once_and_a_lost_answer_is_learnt() {
    let world = World::start().await;
    let close = || world.authorization("close", json!({ "out_authorization_no": "AUTH_0001" }));
    assert_eq!(close().await.0, 404);
    world.given("AUTH_0001").await;
    world.sandbox.misbehave(Fault::once(Op::AuthorizationClose, Misbehaviour::SystemError));
    assert_eq!(close().await.0, 504);
    world.sandbox.misbehave(Fault::once(Op::AuthorizationClose, Misbehaviour::AddressRefused));
    assert_eq!(close().await.1["code"], 3013);
    world.sandbox.misbehave(Fault::once(Op::AuthorizationClose, Misbehaviour::Refuse));
    let (status, answer) = close().await;
    assert_eq!((status, &answer["code"], &answer["state"]), (422, &json!(3001), &json!("TAKING_EFFECT")), "{answer}");
    for _ in 0..2 {
        let (status, answer) = close().await;
        assert_eq!((status, &answer["state"]), (200, &json!("CLOSED")), "{answer}");
        assert_eq!(answer["close_reason"], "CLOSE_VIA_MCH_API", "{answer}");
    }
    let (status, answer) = world.authorize("AUTH_0001").await;
    assert_eq!((status, &answer["code"], &answer["state"]), (409, &json!(2034), &json!("CLOSED")), "take a new number");
}

#[tokio::test]
async fn an_authorisation_that_was_made_elsewhere_is_taken_into_the_ledger_when_it_is_named() {
    let world = World::start().await;
    world.given("AUTH_0001").await;
    world.forget_authorization("AUTH_0001").await;
    let (status, answer) = world.authorization("query", json!({ "out_authorization_no": "AUTH_0001" })).await;
    assert_eq!((status, &answer["state"]), (200, &json!("TAKING_EFFECT")), "{answer}");
    let item = world.authorized("AUTH_0001").await;
    assert_eq!((&item["payee"], &item["source"]), (&json!(OPENID), &json!("adopted")), "{item}");
    world.forget_authorization("AUTH_0001").await;
    assert_eq!(world.transfer(under("MOVED1", "AUTH_0001")).await.1["state"], "SUCCESS");
    let (status, answer) = world.authorization("query", json!({ "out_authorization_no": "NOBODYS_1" })).await;
    assert_eq!((status, &answer["code"]), (404, &json!(2001)), "{answer}");
    for what in [Misbehaviour::Http5xx, Misbehaviour::Refuse, Misbehaviour::NotEnabled] {
        world.sandbox.misbehave(Fault::once(Op::AuthorizationQuery, what));
        let (status, answer) = world.authorization("query", json!({ "out_authorization_no": "NOBODYS_1" })).await;
        assert_eq!(status, 504, "{what:?}: who does not tell has not said that there is none: {answer}");
    }
}

#[tokio::test]
async fn only_apiv3_and_only_wechat_pay_have_authorisations() {
    let world = World::with(Mode { wxpay_version: 2, ..Mode::default() }, |config| {
        config["wxpay"]["transfer"] = config["wxpay"]["h5"].clone();
    })
    .await;
    assert_eq!(world.authorize("AUTH_0001").await.0, 422);
    let mut data = wish("AUTH_0001");
    data["provider"] = json!("alipay");
    let (status, answer) = world.authorization("create", data).await;
    assert_eq!((status, &answer["code"]), (422, &json!(2005)), "{answer}");
    assert!(world.kind("authorization").await.is_empty() && world.sandbox.requests().is_empty());
    let world = World::start().await;
    for no in ["A1", "with space", "A|AAAA"] {
        let (status, answer) = world.authorize(no).await;
        assert_eq!((status, &answer["field"]), (400, &json!("out_authorization_no")), "{no}: {answer}");
    }
    assert!(world.kind("authorization").await.is_empty() && world.sandbox.requests().is_empty());
}

#[tokio::test]
async fn the_schedule_learns_what_nobody_told_of_an_authorisation() {
    let world = World::start().await;
    world.sandbox.misbehave(Fault::once(Op::Authorize, Misbehaviour::DropConnection));
    assert_eq!(world.authorize("AUTH_NEVER").await.0, 504);
    assert_eq!(world.authorize("AUTH_GIVEN").await.0, 200);
    let mut other = wish("AUTH_LATE1");
    other["user_display_name"] = json!("会员002");
    assert_eq!(world.authorization("create", other).await.0, 200);
    world.untold("AUTH_GIVEN", AuthorizationOutcome::Confirmed).await;
    world.reconcile(10_000).await;
    assert_eq!(world.authorized("AUTH_GIVEN").await["state"], "TAKING_EFFECT");
    assert_eq!(world.authorized("AUTH_NEVER").await["state"], "UNKNOWN", "the call may be under way");
    let item = world.authorized("AUTH_LATE1").await;
    assert_eq!((&item["state"], item["due"].is_i64()), (&json!("WAIT_USER_CONFIRM"), true), "{item}");
    world.sandbox.settle_authorization("AUTH_LATE1", AuthorizationOutcome::Overdue).unwrap();
    world.reconcile(24 * 3_600_000).await;
    let item = world.authorized("AUTH_LATE1").await;
    assert_eq!(
        (&item["state"], &item["close_reason"]),
        (&json!("CLOSED"), &json!("USER_OVERDUE_UNCONFIRMED")),
        "{item}"
    );
    assert!(item["due_shard"].is_null(), "{item}");
    assert_eq!(world.sandbox.authorizations().len(), 2, "nobody is asked for what nobody waits for");
}
