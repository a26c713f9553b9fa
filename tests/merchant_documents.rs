//! Merchants whose sections stand in documents of their own, read when they are first needed.

use crate::binaries_kit::{Shop, refund_of};
use crate::world::World;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use sandbox::{CallbackKind, ComplaintWish, MerchantKeys, Mode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, OnceLock};

fn branch() -> &'static MerchantKeys {
    static KEYS: OnceLock<MerchantKeys> = OnceLock::new();
    KEYS.get_or_init(|| MerchantKeys::generate("branch"))
}

/// A Parameter Store with one parameter; the names that were asked for.
struct Parameters {
    base: String,
    text: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Parameters {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let (text, asked) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
        let (kept, log) = (text.clone(), asked.clone());
        let handler = async move |body: Bytes| {
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            log.lock().unwrap().push(body["Name"].as_str().expect("a name").to_owned());
            json!({ "Parameter": { "Value": *kept.lock().unwrap() } }).to_string()
        };
        tokio::spawn(axum::serve(listener, Router::new().route("/", post(handler))).into_future());
        Self { base, text, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A shop with a branch whose sections are a parameter of Parameter Store.
async fn shop(parameters: &Parameters) -> Shop {
    let mut sections = Value::Null;
    let mut shop = Shop::closed(Mode::default(), |config| {
        let gateway = config["wxpay"]["h5"]["apiBase"].as_str().expect("a gateway").to_owned();
        sections = branch().config_with(&gateway, Mode::default());
        config["merchantDocuments"] = json!({ "from": "ssm:/vk-pay/merchants/", "ids": ["branch", "closed-branch"] });
    })
    .await;
    *parameters.text.lock().unwrap() = sections.to_string();
    shop.world.sandbox.register(branch());
    shop.environment.push(("AWS_ENDPOINT_URL_SSM", parameters.base.clone()));
    for function in ["create-payment", "notify", "refund", "query-payment"] {
        shop.start(function, 1).await;
    }
    shop
}

#[tokio::test]
async fn a_merchant_with_a_document_of_its_own_is_paid_and_refunded_and_read_once_by_each_function() {
    let parameters = Parameters::start().await;
    let shop = shop(&parameters).await;
    let callback = shop.paid_there("DOC_DEFAULT", json!({})).await;
    assert!(shop.taken(&callback).await, "{}", shop.log());
    assert!(parameters.asked().is_empty(), "nobody has needed it");
    for no in ["DOC_BRANCH_1", "DOC_BRANCH_2"] {
        let callback = shop.paid_there(no, json!({ "pid": "branch" })).await;
        assert!(callback.url.ends_with("/pay-notify/wxpay/branch"), "{}", callback.url);
        assert!(shop.taken(&callback).await, "{}", shop.log());
        assert!(shop.whole(no).await);
    }
    let (status, refund) = shop.world.call("refund", refund_of("DOC_BRANCH_1", "DOC_BACK", 100)).await;
    assert_eq!(status, 200, "{refund}\n{}", shop.log());
    assert_eq!(parameters.asked(), ["/vk-pay/merchants/branch"; 3], "by create-payment, notify and refund");
    let (status, answer) = shop.world.create("DOC_NOBODY", json!({ "pid": "made-up" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!(1030)), "{answer}");
    let mut stray = shop.world.sandbox.build_callback("DOC_BRANCH_2", CallbackKind::Payment);
    stray.url = stray.url.replace("/branch", "/made-up");
    assert_eq!(shop.world.sandbox.send(&stray).await.expect("an answer").0, 401);
    assert_eq!(parameters.asked().len(), 3, "a name that is made up is asked for nowhere");
}

#[tokio::test]
async fn a_notice_of_a_complaint_reads_no_document_of_another_merchant() {
    let parameters = Parameters::start().await;
    let shop = shop(&parameters).await;
    let callback = shop.paid_there("DOC_COMPLAINT", json!({})).await;
    assert!(shop.taken(&callback).await, "{}", shop.log());
    let subscribe = json!({ "action": "pay/subscribeComplaints", "data": { "provider": "wxpay" } });
    let (status, answer) = shop.world.call("refund", subscribe).await;
    assert_eq!(status, 200, "{answer}");
    let id = shop.world.sandbox.complain("DOC_COMPLAINT", &ComplaintWish::default()).expect("a complaint");
    let told = shop.world.sandbox.build_callback(&id, CallbackKind::Complaint);
    assert!(shop.taken(&told).await, "{}", shop.log());
    let (status, page) = shop.world.call("query-payment", json!({ "action": "pay/queryComplaints" })).await;
    assert_eq!((status, &page["data"]["list"][0]["complaint_id"]), (200, &json!(id)), "{page}");
    assert!(parameters.asked().is_empty(), "whose it is was plain by its order");
}

#[tokio::test]
async fn a_document_that_cannot_be_used_stops_its_merchant_and_no_other_and_no_callback_is_lost() {
    let parameters = Parameters::start().await;
    let mut shop = shop(&parameters).await;
    let callback = shop.paid_there("DOC_LATER", json!({ "pid": "branch" })).await;
    let right = std::mem::take(&mut *parameters.text.lock().unwrap());
    *parameters.text.lock().unwrap() = json!({ "wxpay": { "h5": { "mchId": "1900000109" } } }).to_string();
    shop.kill("notify").await;
    shop.start("notify", 1).await;
    let (status, _) = shop.world.sandbox.send(&callback).await.expect("an answer");
    assert!(status >= 500, "it comes again: {status}");
    let (status, answer) = shop.world.create("DOC_CLOSED", json!({ "pid": "closed-branch" })).await;
    assert_eq!((status, &answer["code"]), (500, &json!(500)), "{answer}");
    let log = shop.log();
    assert!(log.contains("the document of a merchant cannot be used"), "{log}");
    assert!(log.contains("merchants.closed-branch.wxpay.h5."), "by its path: {log}");
    let other = shop.paid_there("DOC_OTHER", json!({})).await;
    assert!(shop.taken(&other).await, "{}", shop.log());
    *parameters.text.lock().unwrap() = right;
    assert!(shop.taken(&callback).await, "mended, without a restart\n{}", shop.log());
    assert!(shop.whole("DOC_LATER").await);
}

#[tokio::test]
async fn the_scheduled_jobs_measure_when_the_first_certificate_of_a_merchants_document_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = Shop::closed(Mode::default(), |config| {
        let gateway = config["wxpay"]["h5"]["apiBase"].as_str().expect("a gateway");
        let sections = branch().config_with(gateway, Mode { wxpay_public_key: false, ..Mode::default() });
        std::fs::write(folder.path().join("branch.json"), sections.to_string()).expect("written");
        config["merchantDocuments"] =
            json!({ "from": format!("file:{}/", folder.path().display()), "ids": ["branch"] });
    })
    .await;
    shop.start("reconcile", 1).await;
    shop.emulators["reconcile"].invoke(json!({ "job": "notices" })).await.expect("a run");
    assert!(shop.log().contains(r#""certificate_days":"#), "{}", shop.log());
}

#[tokio::test]
async fn the_scheduled_jobs_ring_for_a_merchant_whose_document_is_not_there_and_go_on() {
    let mut shop = Shop::closed(Mode::default(), |config| {
        config["merchantDocuments"] = json!({ "from": "file:nowhere/", "ids": ["branch"] });
    })
    .await;
    shop.start("reconcile", 1).await;
    let run = shop.emulators["reconcile"].invoke(json!({ "job": "notices" })).await.expect("a run");
    assert_eq!(run["more"], false, "{run}");
    assert!(shop.log().contains(r#""alarm":"merchant_unavailable","merchant":"branch""#), "{}", shop.log());
}

#[tokio::test]
async fn what_is_wrong_with_the_list_is_named_by_its_path() {
    let world = World::start().await;
    let cases = [
        (json!({ "from": "ssm:/vk-pay/merchants", "ids": ["a"] }), "merchantDocuments.from: must be ssm:/folder/"),
        (json!({ "from": "ssm:/x/", "ids": [] }), "merchantDocuments.ids: must list"),
        (json!({ "from": "ssm:/x/", "ids": ["a/../b"] }), "merchantDocuments.ids: a/../b: must be 1 to 64"),
        (json!({ "from": "ssm:/x/", "ids": ["default"] }), "merchantDocuments.ids: default: must be"),
        (json!({ "from": "ssm:/x/", "ids": ["a"], "id": "b" }), "merchantDocuments.id: is not known here"),
        (json!({ "ids": ["a"] }), "merchantDocuments.from: is missing"),
    ];
    for (section, fault) in cases {
        let mut config = world.config.clone();
        config["merchantDocuments"] = section;
        let faults = shared::config::Config::parse(&config.to_string(), std::path::Path::new("")).err().expect(fault);
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|one| one.starts_with(fault)), "{fault}: {said:?}");
    }
    let mut config = world.config.clone();
    config["merchants"] = json!({ "a": {} });
    config["merchantDocuments"] = json!({ "from": "ssm:/x/", "ids": ["a"] });
    let faults = shared::config::Config::parse(&config.to_string(), std::path::Path::new("")).err().expect("a fault");
    assert!(faults.iter().any(|fault| fault.to_string().contains("a stands under merchants too")), "{faults:?}");
}
