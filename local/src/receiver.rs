//! A receiver of forwarded orders, as a merchant's own server might be: it checks the key, takes each order once,
//! and can be told to fail.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use shared::app::Clock;
use shared::crypto::hash::sha256_hex;
use shared::domain::UnixMs;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// Where it is.
pub const PATH: &str = "/demo/receiver";
/// The type of the orders that it gets.
pub const KIND: &str = "notify-me";
/// How many deliveries are remembered.
const LENGTH: usize = 200;

/// One delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// When.
    pub at: UnixMs,
    /// The order.
    pub out_trade_no: String,
    /// `Idempotency-Key`: the same at each delivery of an order.
    pub key: String,
    /// How it was answered.
    pub answer: Answer,
}

/// How a delivery was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The order was taken.
    Taken,
    /// It had been taken before, and nothing was done again.
    Known,
    /// It was told to fail.
    Failed,
}

/// The receiver.
pub struct Receiver {
    secret: String,
    fails: AtomicBool,
    got: Mutex<VecDeque<Delivery>>,
    clock: Clock,
}

impl Receiver {
    /// A receiver that takes what carries this secret.
    pub fn new(secret: String, clock: Clock) -> Self {
        Self { secret, fails: AtomicBool::new(false), got: Mutex::default(), clock }
    }

    /// The secret that a demo's receiver shares with its configuration.
    pub fn secret_of(demo_key: &str) -> String {
        format!("receiver-{}", &sha256_hex(format!("receiver {demo_key}").as_bytes())[..32])
    }

    /// Whether it was told to fail.
    pub fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// Tells it to fail, or to work again.
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// What it got, the newest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    fn take(&self, key: &str, order: &Value) -> Answer {
        let mut got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = got.iter().any(|delivery| delivery.key == key && delivery.answer != Answer::Failed);
        let answer = match (taken, self.fails()) {
            (true, _) => Answer::Known,
            (false, true) => Answer::Failed,
            (false, false) => Answer::Taken,
        };
        if got.len() == LENGTH {
            got.pop_front();
        }
        let out_trade_no = order["out_trade_no"].as_str().unwrap_or_default().to_owned();
        got.push_back(Delivery { at: (self.clock)(), out_trade_no, key: key.to_owned(), answer });
        answer
    }
}

/// Its route. It stands beside the pages: no form, but a key.
pub fn router(receiver: Arc<Receiver>) -> Router {
    Router::new().route(PATH, post(receive)).with_state(receiver)
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, Json(order): Json<Value>) -> Response {
    let given = order["key"].as_str().unwrap_or_default().as_bytes();
    if !bool::from(given.ct_eq(receiver.secret.as_bytes())) {
        return (StatusCode::FORBIDDEN, Json(json!({ "code": 403, "msg": "wrong key" }))).into_response();
    }
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    Json(match receiver.take(key, &order) {
        Answer::Taken | Answer::Known => json!({ "code": 0, "msg": "ok" }),
        Answer::Failed => json!({ "code": 1, "msg": "演示接收方被设为失败 (told to fail)" }),
    })
    .into_response()
}
