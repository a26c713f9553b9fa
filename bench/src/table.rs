//! How fast the console is on a large table: `cargo run --release -p bench -- table [ORDERS [FOLDER]]`.
//!
//! It makes a table of so many paid orders of the last thirty days, two accounts, every twentieth refunded in part, in the
//! embedded DynamoDB, and asks the console for its pages over HTTP. With a folder the table stays there, and is taken as it
//! is the next time.

use crate::callback::{self, Shop, TABLE};
use dynoxide::{Database, ImportOptions, Item};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use shared::api::{Request, Response};
use shared::domain::{Day, Provider, UnixMs};
use shared::store::{ListedAccount, Store, due_shard};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vk_pay_local::calls::Calls;
use vk_pay_local::console::{self, Console, Rights};
use vk_pay_local::dynamo;
use vk_pay_local::guard::Guard;

/// Orders that are written at once.
const CHUNK: u64 = 5_000;
const DAYS: u64 = 30;
const ACCOUNTS: [Provider; 2] = [Provider::Wxpay, Provider::Alipay];
/// Shards of a day in the index.
const SHARDS: u8 = 16;

/// Makes the table, asks, and prints.
///
/// # Panics
/// When there is no room for the table.
#[expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]
pub(crate) async fn run(orders: u64, folder: Option<PathBuf>) {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = folder.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("dynamodb.sqlite");
    let there = file.exists();
    let database = Database::new(file.to_str().expect("a path")).expect("a database");
    let endpoint = dynamo::serve(database.clone()).await.expect("a port");
    let client = dynamo::client(&endpoint);
    dynamo::create_tables(&client, TABLE, "").await.expect("tables");
    let now = (shared::app::system_clock())();
    if !there {
        let began = Instant::now();
        seed(&database, orders, now).await;
        println!("{orders} orders made in {} s", began.elapsed().as_secs());
    }
    let address = serve(&client).await;
    println!("\n{:44} {:>9} {:>12}", "what", "ms", "bytes");
    // A folder may hold a table of another day.
    let sample = number(orders / 2);
    let store = Store::new(client.clone(), TABLE, "");
    let found = store.order(&sample).await.expect("a table").expect("the order in the middle");
    let day = Day::of(found.pay_date.unwrap_or(found.create_date));
    for (what, path) in [
        ("home, nothing added up yet", "/".to_owned()),
        ("a day's first page", format!("/orders?day={day}")),
        ("a day's first page, again", format!("/orders?day={day}")),
        ("seven days' first page", format!("/orders?to={day}")),
        ("search by number", format!("/orders?q={sample}")),
        ("search by transaction", format!("/orders?q=TX{sample}")),
        ("search by user", "/orders?q=user_17".to_owned()),
        ("search by subject, found at once", format!("/orders?q=tea&day={day}")),
        ("search by subject, found nowhere", format!("/orders?q=nothing-of-the-kind&day={day}")),
        ("refunded on a day", format!("/orders?state=REFUND&day={day}")),
        ("incidents", "/incidents".to_owned()),
    ] {
        let (took, bytes, _) = get(address, &path).await;
        println!("{what:44} {took:>9} {bytes:>12}");
    }
    let next = next_page(address, &format!("/orders?day={day}")).await;
    let (took, bytes, _) = get(address, &next).await;
    println!("{:44} {took:>9} {bytes:>12}", "a day's second page");
    files(address, orders, day).await;
    let began = Instant::now();
    loop {
        let (took, bytes, text) = get_text(address, "/").await;
        let missing =
            text.split("data-missing=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("0").to_owned();
        if missing == "0" {
            println!("{:44} {took:>9} {bytes:>12}", "home, all days added up");
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!("{:44} {:>9}", "adding up thirty days, behind the page", began.elapsed().as_millis());
}

/// Files of about ten, a hundred and two hundred thousand lines, with what memory each took: that of the console, of the
/// embedded DynamoDB and of whoever reads the file, which are one process here.
#[expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]
async fn files(address: SocketAddr, orders: u64, day: Day) {
    for wanted in [10_000, 100_000, 200_000] {
        let days = (wanted * DAYS).div_ceil(orders.max(1)).clamp(1, DAYS);
        let from = day.before(i64::try_from(days).unwrap_or(30) - 1);
        forget_peak();
        let before = memory("VmRSS:");
        let (took, bytes, lines) = get(address, &format!("/orders.csv?from={from}&to={day}")).await;
        println!("{:44} {took:>9} {bytes:>12}", format!("CSV of {} lines", lines.saturating_sub(1)));
        println!("{:44} {:>9} KiB more at its peak", "", memory("VmHWM:").saturating_sub(before));
    }
}

/// The number of an order.
fn number(n: u64) -> String {
    format!("BENCH{n:09}")
}

/// Writes copies of one order, its payment, and its refund, as the functions made them.
async fn seed(database: &Database, orders: u64, now: UnixMs) {
    let model = model().await;
    database.enable_bulk_loading().expect("a database");
    let span = DAYS * 86_400_000;
    let mut n = 0;
    while n < orders {
        let end = (n + CHUNK).min(orders);
        let mut items: Vec<Item> = Vec::new();
        for at in n..end {
            let ago = i64::try_from(span / orders.max(1) * (orders - at)).unwrap_or_default();
            items.extend(model.copies(at, UnixMs::new(now.get() - ago)));
        }
        database.import_items(TABLE, items, ImportOptions::default()).expect("items");
        n = end;
    }
    database.disable_bulk_loading().expect("a database");
}

/// Items as DynamoDB writes them.
struct Model {
    order: Value,
    payment: Value,
    refund: Value,
    refund_number: Value,
}

async fn model() -> Model {
    let shop = Shop::open().await;
    let app = callback::app_with(&shop.config, &shop.dynamodb, shared::app::system_clock(), None).await;
    let created = create_payment::handle(&app, callback::creation("MODEL_1")).await;
    assert_eq!(created.status, 200, "{}", created.body);
    callback::pay(&shop.sandbox, "MODEL_1").await;
    let told = callback::request_of(&shop.sandbox.build_callback("MODEL_1", sandbox::CallbackKind::Payment));
    assert!(notify::handle(&app, told).await.status < 300);
    let back = callback::call(&json!({ "out_trade_no": "MODEL_1", "out_refund_no": "MODEL_R", "refund_fee": 40 }));
    assert_eq!(refund::handle(&app, back).await.status, 200);
    let told = callback::request_of(&shop.sandbox.build_callback("MODEL_1", sandbox::CallbackKind::Refund));
    assert!(notify::handle(&app, told).await.status < 300);
    let items = shop.items().await;
    let of = |kind: &str| items.iter().find(|item| item["kind"]["S"] == kind).expect("an item of that kind").clone();
    Model { order: of("order"), payment: of("transaction"), refund: of("refund"), refund_number: of("refund_number") }
}

impl Model {
    fn copies(&self, n: u64, at: UnixMs) -> Vec<Item> {
        let no = number(n);
        let provider = ACCOUNTS[usize::try_from(n % 3).unwrap_or_default().min(1)];
        let shard = due_shard(&no, SHARDS).replace("due#", "");
        let listed = |what: &str| format!("{what}#{provider}#default#{}#{shard}", Day::of(at));
        let (text, time) = (|text: &str| json!({ "S": text }), json!({ "N": at.to_string() }));
        let fee = 100 + n % 9_900;
        let amount = |fee: u64| json!({ "N": fee.to_string() });
        let back = if n.is_multiple_of(20) { 40 } else { 0 };
        let mut copies = Vec::new();
        let mut copy = |model: &Value, change: Vec<(&str, Value)>| {
            let mut item: HashMap<String, Value> = serde_json::from_value(model.clone()).expect("an item");
            // Nothing of it waits for the schedule.
            item.retain(|name, _| !["due_shard", "due"].contains(&name.as_str()));
            item.extend(change.into_iter().map(|(name, value)| (name.to_owned(), value)));
            copies.push(serde_json::from_value(json!(item)).expect("an item"));
        };
        let state = if back > 0 { ("REFUND", "2") } else { ("SUCCESS", "1") };
        let subjects = ["Longjing tea, 50 g", "余额充值", "Gold membership", "A bicycle"];
        let subject = subjects[usize::try_from(n % 4).unwrap_or_default()];
        copy(
            &self.order,
            vec![
                ("pk", text(&format!("O#{no}"))),
                ("out_trade_no", text(&no)),
                ("provider", text(provider.name())),
                ("pay_type", text(&format!("{provider}_h5"))),
                ("description", text(subject)),
                ("user_id", text(&format!("user_{}", n % 50_000))),
                ("list_key", text(&format!("user#user_{}", n % 50_000))),
                ("list_date", time.clone()),
                ("create_date", time.clone()),
                ("pay_date", time.clone()),
                ("transaction_id", text(&format!("TX{no}"))),
                ("total_fee", amount(fee)),
                ("refund_fee", amount(back)),
                ("refundable", amount(fee - back)),
                ("trade_state", text(state.0)),
                ("status", json!({ "N": state.1 })),
            ],
        );
        copy(
            &self.payment,
            vec![
                ("pk", text(&format!("T#{provider}#TX{no}"))),
                ("out_trade_no", text(&no)),
                ("number", text(&no)),
                ("transaction_id", text(&format!("TX{no}"))),
                ("total_fee", amount(fee)),
                ("list_key", text(&listed("paid"))),
                ("list_date", time.clone()),
            ],
        );
        if back > 0 {
            let name = format!("R{no}");
            copy(
                &self.refund,
                vec![
                    ("pk", text(&format!("O#{no}"))),
                    ("sk", text(&format!("R#{name}"))),
                    ("out_trade_no", text(&no)),
                    ("out_refund_no", text(&name)),
                ],
            );
            copy(
                &self.refund_number,
                vec![
                    ("pk", text(&format!("F#{provider}#default#{name}"))),
                    ("out_trade_no", text(&no)),
                    ("out_refund_no", text(&name)),
                    ("refund_fee", amount(back)),
                    ("list_key", text(&listed("refunded"))),
                    ("list_date", time),
                ],
            );
        }
        copies
    }
}

/// Nothing is called while pages are looked at.
struct NoCalls;

impl Calls for NoCalls {
    fn call<'a>(&'a self, _: &'static str, _: Request) -> BoxFuture<'a, Result<Response, String>> {
        Box::pin(async { Err("nothing is called here".to_owned()) })
    }

    fn run<'a>(&'a self, _: &'static str, _: &'a Value) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async { Err("nothing is run here".to_owned()) })
    }
}

/// Serves the console on the table, as it is for a table in AWS: read-only, without a stack of its own.
async fn serve(client: &aws_sdk_dynamodb::Client) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let account = |provider| ListedAccount { provider, merchant: "default".to_owned() };
    let console = Console {
        store: Store::new(client.clone(), TABLE, ""),
        dynamodb: client.clone(),
        table: TABLE.to_owned(),
        clock: shared::app::system_clock(),
        calls: Arc::new(NoCalls),
        accounts: ACCOUNTS.map(account).to_vec(),
        rights: Rights { write: false, real_money: false, of: TABLE.to_owned() },
        guard: Arc::new(Guard::new(address)),
        journal: Arc::default(),
        local: None,
        wishes: Default::default(),
        totals: Arc::default(),
    };
    tokio::spawn(axum::serve(listener, console::router(Arc::new(console))).into_future());
    address
}

/// How long a page took, ms, its bytes, and its lines. Nothing of it is kept.
async fn get(address: SocketAddr, path: &str) -> (u128, usize, usize) {
    let (mut bytes, mut lines) = (0, 0);
    let took = read(address, path, |part| {
        bytes += part.len();
        lines += part.iter().filter(|byte| **byte == b'\n').count();
    })
    .await;
    (took, bytes, lines)
}

async fn get_text(address: SocketAddr, path: &str) -> (u128, usize, String) {
    let mut text = Vec::new();
    let took = read(address, path, |part| text.extend_from_slice(part)).await;
    (took, text.len(), String::from_utf8_lossy(&text).into_owned())
}

async fn read(address: SocketAddr, path: &str, mut take: impl FnMut(&[u8])) -> u128 {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = stream.read(&mut buffer).await.expect("an answer");
        if count == 0 {
            return began.elapsed().as_millis();
        }
        take(&buffer[..count]);
    }
}

/// The address of the page after one.
async fn next_page(address: SocketAddr, path: &str) -> String {
    let (_, _, text) = get_text(address, path).await;
    let link = text.split("data-testid=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
    link.unwrap_or("/orders").replace("&amp;", "&")
}

/// Has the peak counted anew from now on (proc(5), `clear_refs`).
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// What memory this process has (`VmRSS:`), or has had at most (`VmHWM:`), KiB.
fn memory(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}
