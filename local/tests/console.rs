//! The console on a table without a stack beside it: what it shows, and that one who may only look changes nothing.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test fails by unwrapping, and is seen by nobody")]

use axum::Router;
use axum::middleware::from_fn_with_state;
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use shared::api::{Request, Response};
use shared::domain::Provider;
use shared::store::{ListedAccount, Store};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use vk_pay_local::calls::Calls;
use vk_pay_local::console::{self, Console, Rights};
use vk_pay_local::dynamo;
use vk_pay_local::guard::{self, Guard};

/// Writes down what would have been called.
#[derive(Default)]
struct Called(Mutex<Vec<String>>);

impl Calls for Called {
    fn call<'a>(&'a self, function: &'static str, _: Request) -> BoxFuture<'a, Result<Response, String>> {
        self.0.lock().unwrap().push(function.to_owned());
        let body = json!({ "code": 0, "msg": "ok" }).to_string();
        async move { Ok(Response { status: 200, content_type: "application/json", retry_after: None, body }) }.boxed()
    }

    fn run<'a>(&'a self, function: &'static str, _: &'a Value) -> BoxFuture<'a, Result<Value, String>> {
        self.0.lock().unwrap().push(function.to_owned());
        async { Ok(json!({})) }.boxed()
    }
}

struct Shown {
    address: String,
    token: String,
    called: Arc<Called>,
}

impl Shown {
    /// A console on an empty table.
    async fn with(write: bool, real_money: bool) -> Self {
        let endpoint = dynamo::serve(dynoxide::Database::memory().unwrap()).await.unwrap();
        let client = dynamo::client(&endpoint);
        dynamo::create_tables(&client, dynamo::TABLE, "").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (guard, called) = (Arc::new(Guard::new(address)), Arc::new(Called::default()));
        let console = Console {
            store: Store::new(client.clone(), dynamo::TABLE, ""),
            dynamodb: client,
            table: dynamo::TABLE.to_owned(),
            clock: shared::app::system_clock(),
            calls: called.clone(),
            accounts: vec![ListedAccount { provider: Provider::Wxpay, merchant: "default".to_owned() }],
            rights: Rights { write, real_money, of: "vk-pay-orders in cn-north-1".to_owned() },
            guard: guard.clone(),
            journal: Arc::default(),
            local: None,
            wishes: Default::default(),
            totals: Arc::default(),
        };
        let token = guard.token().to_owned();
        let pages: Router = console::router(Arc::new(console)).layer(from_fn_with_state(guard, guard::pages));
        tokio::spawn(async move { axum::serve(listener, pages).await });
        Self { address: address.to_string(), token, called }
    }

    async fn ask(&self, request: String) -> (u16, String) {
        let address = self.address.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        });
        let text = asked.await.unwrap();
        (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\naccept-language: en\r\n\r\n",
            self.address
        ))
        .await
    }

    async fn post(&self, path: &str, fields: &str) -> (u16, String) {
        let body = format!("_token={}&{fields}", self.token);
        self.ask(format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
        .await
    }
}

const PAGES: [&str; 9] = [
    "/",
    "/orders",
    "/orders?q=NOBODY",
    "/orders?state=NOTPAY",
    "/incidents",
    "/transfers",
    "/shipping",
    "/bills",
    "/developers",
];

/// What nobody can ask for, and a word of what is said of it.
const WRONG: [(&str, &str); 16] = [
    ("/incidents?cursor=zz", "another list"),
    ("/incidents?status=zz", "open or resolved"),
    ("/incidents/live/zz", "open or resolved"),
    ("/orders?cursor=zz", "another list"),
    ("/orders?user=u&cursor=zz", "another list"),
    ("/orders?state=zz", "no such state"),
    ("/orders?provider=zz", "no such provider"),
    ("/orders?merchant=zz", "There are: default"),
    ("/orders?from=zz", "YYYY-MM-DD"),
    ("/orders.csv?merchant=zz", "There are: default"),
    ("/orders.csv?to=zz", "YYYY-MM-DD"),
    ("/transfers?state=zz", "WAIT_USER_CONFIRM"),
    ("/transfers/live?state=zz", "WAIT_USER_CONFIRM"),
    ("/bills?to=zz", "YYYY-MM-DD"),
    ("/developers?before=zz", "another list"),
    ("/developers?result=zz", "good or bad"),
];

/// Every form of the console, with fields that would do something.
const FORMS: [(&str, &str); 17] = [
    ("/orders", "pay_type=wxpay_h5&amount=1.00&unit=yuan&type=custom"),
    ("/orders/X1/pay", "pay_type=wxpay_h5"),
    ("/orders/X1/refund", "scope=all"),
    ("/orders/X1/refund/token", ""),
    ("/orders/X1/close", ""),
    ("/orders/X1/query", ""),
    ("/orders/X1/rerun", ""),
    ("/orders/X1/shipping", "logistics_type=3"),
    ("/orders/X1/shipping/query", ""),
    ("/orders/X1/callback", "kind=again"),
    ("/incidents/0", "action=close"),
    ("/bills", "bill_date=2026-01-01"),
    ("/sandbox/cashier/X1", "how=pay"),
    ("/sandbox/misbehave", "what=lose&op=notify"),
    ("/sandbox/behave", ""),
    ("/sandbox/receiver", "fails=true"),
    ("/sandbox/tomorrow", ""),
];

#[tokio::test]
async fn one_who_may_only_look_sees_every_page_and_changes_nothing_by_any_form() {
    let shown = Shown::with(false, false).await;
    for page in PAGES {
        let (status, text) = shown.get(page).await;
        assert_eq!(status, 200, "{page}");
        assert!(text.contains("Read-only") && text.contains("vk-pay-orders in cn-north-1"), "{page} says so");
    }
    for (form, fields) in FORMS {
        assert_eq!(shown.post(form, fields).await.0, 403, "{form}");
    }
    assert!(shown.called.0.lock().unwrap().is_empty(), "no function was called");
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_said_with_status_400() {
    let shown = Shown::with(false, false).await;
    for (page, word) in WRONG {
        let (status, text) = shown.get(page).await;
        assert_eq!(status, 400, "{page}: {text}");
        assert!(text.contains(word), "{page}: {text}");
    }
}

#[tokio::test]
async fn one_who_may_write_calls_the_functions_and_is_told_that_real_money_moves() {
    let shown = Shown::with(true, true).await;
    for page in PAGES {
        let (status, text) = shown.get(page).await;
        assert_eq!(status, 200, "{page}");
        assert!(text.contains("move real money"), "{page}");
    }
    for (form, fields) in
        [("/orders/X1/close", ""), ("/incidents/0", "action=close"), ("/bills", "bill_date=2026-01-01")]
    {
        assert_eq!(shown.post(form, fields).await.0, 303, "{form}");
    }
    assert_eq!(*shown.called.0.lock().unwrap(), ["create-payment", "refund", "reconcile"]);
}

#[tokio::test]
async fn what_belongs_to_a_stack_of_this_process_is_not_there_without_one() {
    let shown = Shown::with(true, false).await;
    for page in ["/demo", "/tables/goods", "/tables/vk-pay-orders", "/sandbox/cashier/X1", "/sandbox/live"] {
        assert_eq!(shown.get(page).await.0, 404, "{page}");
    }
    let (_, home) = shown.get("/").await;
    for absent in ["data-testid=\"create\"", "href=\"/demo\"", "href=\"/tables\"", "href=\"/sandbox\""] {
        assert!(!home.contains(absent), "{absent}");
    }
}
