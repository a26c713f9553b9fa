//! The Rust API as JSON below `/sandbox/api/`: for consoles, scripts, other languages.

use crate::authorizations::AuthorizationOutcome;
use crate::bills::BillTamper;
use crate::complaints::ComplaintWish;
use crate::faults::Fault;
use crate::forgery::Forgery;
use crate::ledger::RefundOutcome;
use crate::outbox::{CallbackKind, ShippingEvent};
use crate::provider::Provider;
use crate::sandbox::Sandbox;
use crate::transfers::TransferOutcome;
use crate::wallet::Pay;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/trades", get(trades))
        .route("/trade/{number}", get(trade))
        .route("/refunds", get(refunds))
        .route("/outbox", get(outbox))
        .route("/requests", get(requests))
        .route("/pay", post(pay))
        .route("/open", post(open))
        .route("/scan", post(scan))
        .route("/client_pay", post(client_pay))
        .route("/callback", post(callback))
        .route("/deliver", post(deliver))
        .route("/misbehave", post(misbehave))
        .route("/behave", post(behave))
        .route("/settle_refund", post(settle_refund))
        .route("/transfers", get(transfers))
        .route("/settle_transfer", post(settle_transfer))
        .route("/authorizations", get(authorizations))
        .route("/settle_authorization", post(settle_authorization))
        .route("/receive", post(receive))
        .route("/settle_shipping", post(settle_shipping))
        .route("/push_shipping", post(push_shipping))
        .route("/complaints", get(complaints))
        .route("/complain", post(complain))
        .route("/complain_more", post(complain_more))
        .route("/sharing", post(sharing))
        .route("/spoil_bill", post(spoil_bill))
        .route("/mend_bills", post(mend_bills))
}

fn done(result: Result<Value, String>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"error": error}))).into_response(),
    }
}

async fn trades(State(sandbox): State<Sandbox>) -> Response {
    Json(sandbox.trades()).into_response()
}

async fn trade(State(sandbox): State<Sandbox>, Path(number): Path<String>) -> Response {
    match sandbox.trade(&number) {
        Some(trade) => Json(trade).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({"error": format!("no trade {number}")}))).into_response(),
    }
}

async fn refunds(State(sandbox): State<Sandbox>) -> Response {
    Json(sandbox.refunds()).into_response()
}

async fn outbox(State(sandbox): State<Sandbox>) -> Response {
    Json(sandbox.outbox()).into_response()
}

async fn requests(State(sandbox): State<Sandbox>) -> Response {
    Json(sandbox.requests()).into_response()
}

#[derive(Deserialize)]
struct PayWish {
    number: String,
    #[serde(flatten)]
    how: Pay,
}

async fn pay(State(sandbox): State<Sandbox>, Json(wish): Json<PayWish>) -> Response {
    done(sandbox.pay(&wish.number, wish.how).await.map(|paid| json!(paid)))
}

#[derive(Deserialize)]
struct OpenWish {
    order: String,
    /// Whether the payer goes on and pays.
    #[serde(default)]
    pay: bool,
}

async fn open(State(sandbox): State<Sandbox>, Json(wish): Json<OpenWish>) -> Response {
    done(if wish.pay {
        sandbox.pay_order_string(&wish.order).await.map(|paid| json!(paid))
    } else {
        sandbox.open_order_string(&wish.order).map(|number| json!({"number": number}))
    })
}

#[derive(Deserialize)]
struct ClientWish {
    provider: Provider,
    /// `orderInfo` as `createPayment` answered it.
    order_info: Value,
    #[serde(default)]
    how: Pay,
}

async fn client_pay(State(sandbox): State<Sandbox>, Json(wish): Json<ClientWish>) -> Response {
    done(sandbox.client_pay(wish.provider, &wish.order_info, wish.how).await.map(|paid| json!(paid)))
}

#[derive(Deserialize)]
struct Numbered {
    number: String,
}

async fn scan(State(sandbox): State<Sandbox>, Json(wish): Json<Numbered>) -> Response {
    done(sandbox.scan(&wish.number).map(|()| json!({"number": wish.number})))
}

#[derive(Deserialize)]
struct CallbackWish {
    number: String,
    kind: CallbackKind,
    forgery: Option<Forgery>,
    #[serde(default = "once")]
    times: u32,
    /// Only builds it and answers the request.
    #[serde(default)]
    build_only: bool,
}

fn once() -> u32 {
    1
}

async fn callback(State(sandbox): State<Sandbox>, Json(wish): Json<CallbackWish>) -> Response {
    let request = match sandbox.try_build_callback(&wish.number, wish.kind) {
        Ok(request) => request,
        Err(error) => return done(Err(error)),
    };
    let request = match wish.forgery {
        Some(how) => sandbox.forge(request, how),
        None => request,
    };
    let mut answers = Vec::new();
    for _ in 0..if wish.build_only { 0 } else { wish.times.min(100) } {
        answers.push(match sandbox.send(&request).await {
            Ok((status, body)) => json!({"status": status, "body": body}),
            Err(error) => json!({"error": error}),
        });
    }
    done(Ok(json!({"request": request, "answers": answers})))
}

#[derive(Deserialize)]
struct DeliverWish {
    now: Option<i64>,
}

async fn deliver(State(sandbox): State<Sandbox>, Json(wish): Json<DeliverWish>) -> Response {
    let now = wish.now.unwrap_or_else(|| sandbox.now());
    done(Ok(json!({"sent": sandbox.deliver_due(now).await})))
}

async fn misbehave(State(sandbox): State<Sandbox>, Json(fault): Json<Fault>) -> Response {
    sandbox.misbehave(fault);
    done(Ok(json!({})))
}

async fn behave(State(sandbox): State<Sandbox>) -> Response {
    sandbox.behave();
    done(Ok(json!({})))
}

#[derive(Deserialize)]
struct SettleWish {
    out_refund_no: String,
    outcome: RefundOutcome,
}

async fn settle_refund(State(sandbox): State<Sandbox>, Json(wish): Json<SettleWish>) -> Response {
    sandbox.settle_refund(&wish.out_refund_no, wish.outcome);
    done(Ok(json!({})))
}

async fn transfers(State(sandbox): State<Sandbox>) -> Response {
    Json(sandbox.transfers()).into_response()
}

#[derive(Deserialize)]
struct TransferWish {
    number: String,
    outcome: TransferOutcome,
}

async fn settle_transfer(State(sandbox): State<Sandbox>, Json(wish): Json<TransferWish>) -> Response {
    done(sandbox.settle_transfer(&wish.number, &wish.outcome).map(|()| json!({})))
}

async fn authorizations(State(sandbox): State<Sandbox>) -> Response {
    Json(sandbox.authorizations()).into_response()
}

#[derive(Deserialize)]
struct AuthorizationWish {
    number: String,
    outcome: AuthorizationOutcome,
}

async fn settle_authorization(State(sandbox): State<Sandbox>, Json(wish): Json<AuthorizationWish>) -> Response {
    done(sandbox.settle_authorization(&wish.number, wish.outcome).map(|()| json!({})))
}

async fn receive(State(sandbox): State<Sandbox>, Json(wish): Json<Numbered>) -> Response {
    done(sandbox.receive(&wish.number).map(|()| json!({})))
}

async fn settle_shipping(State(sandbox): State<Sandbox>, Json(wish): Json<Numbered>) -> Response {
    done(sandbox.settle_shipping(&wish.number).map(|()| json!({})))
}

#[derive(Deserialize)]
struct PushWish {
    number: String,
    event: ShippingEvent,
}

async fn push_shipping(State(sandbox): State<Sandbox>, Json(wish): Json<PushWish>) -> Response {
    done(sandbox.push_shipping(&wish.number, wish.event).map(|()| json!({})))
}

async fn complaints(State(sandbox): State<Sandbox>) -> Response {
    Json(sandbox.complaints()).into_response()
}

#[derive(Deserialize)]
struct Complained {
    number: String,
    #[serde(flatten)]
    wish: ComplaintWish,
}

async fn complain(State(sandbox): State<Sandbox>, Json(wish): Json<Complained>) -> Response {
    done(sandbox.complain(&wish.number, &wish.wish).map(|id| json!({"complaint_id": id})))
}

#[derive(Deserialize)]
struct More {
    complaint_id: String,
    text: String,
}

async fn complain_more(State(sandbox): State<Sandbox>, Json(wish): Json<More>) -> Response {
    done(sandbox.complain_more(&wish.complaint_id, &wish.text).map(|()| json!({})))
}

#[derive(Deserialize)]
struct SharingWish {
    /// The most that others may be given, per cent.
    at_most: Option<u64>,
    /// Whether shares and returns stay under way.
    hold: Option<bool>,
    /// A receiver whose returns fail, and why; no longer, where nothing is said.
    account: Option<String>,
    fail_reason: Option<String>,
}

async fn sharing(State(sandbox): State<Sandbox>, Json(wish): Json<SharingWish>) -> Response {
    if let Some(percent) = wish.at_most {
        sandbox.share_at_most(percent);
    }
    if let Some(hold) = wish.hold {
        sandbox.hold_sharing(hold);
    }
    if let Some(account) = &wish.account {
        sandbox.fail_returns_by(account, wish.fail_reason.as_deref());
    }
    done(Ok(json!({})))
}

#[derive(Deserialize)]
struct SpoilWish {
    provider: Provider,
    how: BillTamper,
}

async fn spoil_bill(State(sandbox): State<Sandbox>, Json(wish): Json<SpoilWish>) -> Response {
    sandbox.spoil_bill(wish.provider, wish.how);
    done(Ok(json!({})))
}

async fn mend_bills(State(sandbox): State<Sandbox>) -> Response {
    sandbox.mend_bills();
    done(Ok(json!({})))
}
