//! What the console remembers of this run: calls of the functions, its own and from anywhere, and callbacks that arrived.

use crate::mask;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use shared::app::App;
use shared::config::DEFAULT_MERCHANT;
use shared::crypto::hash::sha256_hex;
use shared::domain::{Provider, UnixMs};
use shared::providers::{CallbackRequest, Notice, read_callback};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many entries of each kind are kept.
const LENGTH: usize = 1000;
/// No callback is larger.
const MAX_BODY: usize = 1 << 20;
/// No call is larger: a Function URL takes no more.
const MAX_CALL: usize = 6 << 20;
/// What of a body is kept.
const KEPT: usize = 24 * 1024;

/// A call of a function, by the console or from anywhere, or of the sandbox. Bodies are [masked](crate::mask) when it is
/// entered.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// 1, 2, 3 …
    pub id: u64,
    /// When.
    pub at: UnixMs,
    /// The order that it was about.
    pub out_trade_no: String,
    /// `pay/createPayment` …, or what was sent to the notify function.
    pub title: String,
    /// The path that was called.
    pub path: String,
    /// The request's body.
    pub request: Value,
    /// HTTP status.
    pub status: u16,
    /// The answer's body; text where it is not JSON.
    pub response: Value,
    /// Who called; the console itself where nobody is named.
    pub caller: Caller,
    /// How long it took, where that was measured, ms.
    pub millis: Option<u64>,
}

/// Who called, by the credential that came with the request. Whether it was good, the answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caller {
    /// A form of the console.
    #[default]
    Console,
    /// A key of the merchant's.
    Key,
    /// A user's token.
    Token,
    /// Nobody in particular.
    Anyone,
}

impl Caller {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Key => "key",
            Self::Token => "jwt",
            Self::Anyone => "none",
        }
    }

    fn of(headers: &HeaderMap, body: &Value) -> Self {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match bearer {
            // A token has a header, claims and a signature.
            Some(text) if text.matches('.').count() == 2 => Self::Token,
            Some(_) => Self::Key,
            None if body.get("uniIdToken").is_some() => Self::Token,
            None => Self::Anyone,
        }
    }
}

/// A callback as the notify function got it.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// When it arrived.
    pub at: UnixMs,
    /// Who was named in the path.
    pub provider: Provider,
    /// The merchant in the path.
    pub merchant: String,
    /// What the verified message is about: its number at the provider, and the refund number.
    pub verified: Result<(String, Option<String>), String>,
    /// The order, where the console knows it because it sent the callback.
    pub out_trade_no: Option<String>,
    /// What the console sent it as, by the toolbox's name.
    pub label: Option<&'static str>,
    /// How it was answered.
    pub status: u16,
    /// And with which words.
    pub answer: String,
    body: String,
}

/// The journal.
#[derive(Default)]
pub struct Journal {
    exchanges: Mutex<(u64, VecDeque<Exchange>)>,
    receipts: Mutex<VecDeque<Receipt>>,
    received: AtomicU64,
}

impl Journal {
    /// Enters a call; gives its id.
    pub fn exchange(&self, mut exchange: Exchange) -> u64 {
        exchange.request = mask::masked(&exchange.request);
        exchange.response = mask::masked(&exchange.response);
        let mut entries = lock(&self.exchanges);
        entries.0 += 1;
        exchange.id = entries.0;
        push(&mut entries.1, exchange);
        entries.0
    }

    /// A call by its id.
    pub fn find(&self, id: u64) -> Option<Exchange> {
        lock(&self.exchanges).1.iter().find(|e| e.id == id).cloned()
    }

    /// The calls about an order, newest first.
    pub fn exchanges_of(&self, out_trade_no: &str) -> Vec<Exchange> {
        lock(&self.exchanges).1.iter().rev().filter(|e| e.out_trade_no == out_trade_no).cloned().collect()
    }

    /// The calls before an id that are wanted, newest first, at most so many.
    pub fn exchanges_before(&self, id: u64, most: usize, wanted: impl Fn(&Exchange) -> bool) -> Vec<Exchange> {
        lock(&self.exchanges).1.iter().rev().filter(|e| e.id < id && wanted(e)).take(most).cloned().collect()
    }

    /// How many calls and callbacks there were so far: it changes when there is one more.
    pub fn length(&self) -> (u64, u64) {
        (lock(&self.exchanges).0, self.received.load(Ordering::Relaxed))
    }

    /// The callbacks that `belongs` picks, oldest first.
    pub fn receipts(&self, belongs: impl Fn(&Receipt) -> bool) -> Vec<Receipt> {
        lock(&self.receipts).iter().filter(|r| belongs(r)).cloned().collect()
    }

    /// Marks the newest `times` callbacks with this body as sent by the console about an order.
    pub fn label(&self, body: &str, times: usize, out_trade_no: &str, label: &'static str) {
        let digest = sha256_hex(body.as_bytes());
        let mut receipts = lock(&self.receipts);
        for receipt in receipts.iter_mut().rev().filter(|r| r.body == digest && r.label.is_none()).take(times) {
            receipt.out_trade_no = Some(out_trade_no.to_owned());
            receipt.label = Some(label);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn push<T>(list: &mut VecDeque<T>, entry: T) {
    if list.len() == LENGTH {
        list.pop_front();
    }
    list.push_back(entry);
}

/// What the recorder works with.
#[derive(Clone)]
pub struct Recorder {
    /// Where it writes.
    pub journal: Arc<Journal>,
    /// Whose keys verify.
    pub app: Arc<App>,
}

/// Records callbacks on their way to the notify function: what they say, and how they are answered.
pub async fn record(State(recorder): State<Recorder>, request: Request, next: Next) -> Response {
    let segments: Vec<&str> = request.uri().path().split('/').filter(|s| !s.is_empty()).collect();
    let addressee = segments.iter().position(|s| s.ends_with("-notify")).and_then(|at| {
        let provider = Provider::parse(segments.get(at + 1)?)?;
        Some((provider, (*segments.get(at + 2).unwrap_or(&DEFAULT_MERCHANT)).to_owned()))
    });
    let Some((provider, merchant)) = addressee else { return record_call(&recorder, request, next).await };
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let at = (recorder.app.clock)();
    let verified = verify(&recorder.app, provider, &merchant, &parts, &bytes, at).await;
    let digest = sha256_hex(&bytes);
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let (parts, body) = response.into_parts();
    let answer = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let receipt = Receipt {
        at,
        provider,
        merchant,
        verified,
        out_trade_no: None,
        label: None,
        status: parts.status.as_u16(),
        answer: String::from_utf8_lossy(&answer).into_owned(),
        body: digest,
    };
    push(&mut lock(&recorder.journal.receipts), receipt);
    recorder.journal.received.fetch_add(1, Ordering::Relaxed);
    Response::from_parts(parts, Body::from(answer))
}

/// Records a call of a function from outside.
async fn record_call(recorder: &Recorder, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let (at, began) = ((recorder.app.clock)(), Instant::now());
    // One that is larger than a function takes goes on as it is: the function refuses it.
    let Ok(bytes) = to_bytes(body, MAX_CALL).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "413\n").into_response();
    };
    let read = told(&bytes);
    let caller = Caller::of(&parts.headers, &read);
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let (parts, body) = response.into_parts();
    let answer = to_bytes(body, MAX_CALL).await.unwrap_or_default();
    let said = told(&answer);
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let action = ["action", "$url", "url"].iter().find_map(|key| text(&read, key));
    let data = read.get("data").unwrap_or(&read);
    let number = text(data, "out_trade_no").or_else(|| text(&said, "out_trade_no"));
    recorder.journal.exchange(Exchange {
        id: 0,
        at,
        out_trade_no: number.unwrap_or_default(),
        title: action.unwrap_or_else(|| path.trim_start_matches('/').to_owned()),
        path,
        request: read,
        status: parts.status.as_u16(),
        response: said,
        caller,
        millis: u64::try_from(began.elapsed().as_millis()).ok(),
    });
    Response::from_parts(parts, Body::from(answer))
}

/// A body as JSON, as far as it is kept.
fn told(bytes: &[u8]) -> Value {
    if bytes.len() > KEPT {
        return Value::String(format!("… {} bytes", bytes.len()));
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

async fn verify(
    app: &App,
    provider: Provider,
    merchant: &str,
    parts: &http::request::Parts,
    body: &[u8],
    now: UnixMs,
) -> Result<(String, Option<String>), String> {
    let config = app.config().await;
    let merchant = config.merchant(merchant).ok_or("no such merchant")?;
    let query = parts.uri.query().unwrap_or_default();
    let callback = CallbackRequest { method: &parts.method, headers: &parts.headers, query, body, now };
    match read_callback(provider, merchant, &app.clients, &callback).await {
        Ok(Notice::Payment(payment)) => Ok((payment.number.clone(), None)),
        Ok(Notice::Refund(refund)) => {
            Ok((refund.number.clone().unwrap_or_default(), Some(refund.out_refund_no.clone())))
        }
        Ok(Notice::Transfer(transfer)) => Ok((transfer.out_bill_no.clone(), Some("transfer".to_owned()))),
        Ok(Notice::Authorization(notice)) => {
            Ok((notice.out_authorization_no.clone(), Some("authorization".to_owned())))
        }
        Ok(Notice::Hint(hint)) => Ok((hint.number.unwrap_or_default(), hint.out_refund_no)),
        Ok(Notice::Event(event)) => Ok((event.number.unwrap_or_default(), Some(event.name))),
        Ok(Notice::Shipping(notice)) => Ok((String::new(), Some(format!("shipping of {}", notice.transaction_id)))),
        Ok(Notice::Complaint(notice)) => Ok((String::new(), Some(format!("complaint {}", notice.complaint_id)))),
        Ok(Notice::Share(notice)) => Ok((String::new(), Some(format!("share {}", notice.out_order_no)))),
        Ok(Notice::Echo(_)) => Ok((String::new(), Some("echo".to_owned()))),
        Ok(Notice::Other(name)) => Ok((String::new(), Some(name))),
        Err(error) => Err(error.to_string()),
    }
}
