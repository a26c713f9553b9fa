//! The web console: server-rendered pages whose forms work without script; htmx only refreshes what moves.
//!
//! Everything that changes an order goes through the functions themselves, with a request like any client's, so that
//! what one sees here is what the API does.

mod assets;
mod bills;
mod call;
mod callbacks;
mod complaints;
mod copies;
mod csv;
mod developers;
mod figures;
mod filter;
mod forms;
mod home;
mod incidents;
mod layout;
mod lookup;
mod order;
mod orders;
mod raw_requests;
mod refund;
mod rows;
mod sandbox;
mod shipping;
mod shop;
mod tables;
mod text;
mod timeline;
mod totals;
mod transfers;
mod trigger;
mod view;
mod wallet;
mod ways;
mod wishes;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
pub use forms::kinds_of;
use std::sync::Arc;
use text::Lang;
pub use totals::Totals;
pub use trigger::{TRIGGERS, Trigger, control};
use view::View;
pub use view::{Console, Local, Rights};

/// The routes of all pages.
pub fn router(console: Arc<Console>) -> Router {
    Router::new()
        .route("/", get(home::page))
        .route("/live", get(home::live))
        .route("/orders", get(orders::page).post(home::create))
        .route("/orders.csv", get(csv::file))
        .route("/orders/{no}", get(order::page))
        .route("/orders/{no}/live", get(order::live))
        .route("/orders/{no}/pay", post(order::pay_another_way))
        .route("/orders/{no}/refund", post(order::refund))
        .route("/orders/{no}/refund/{token}", get(refund::confirmation).post(refund::make))
        .route("/orders/{no}/close", post(order::close))
        .route("/orders/{no}/query", post(order::query))
        .route("/orders/{no}/rerun", post(order::rerun))
        .route("/orders/{no}/shipping", post(shipping::report))
        .route("/orders/{no}/shipping/query", post(shipping::query))
        .route("/orders/{no}/callback", post(callbacks::send))
        .route("/incidents", get(incidents::page))
        .route("/incidents/live/{status}", get(incidents::live))
        .route("/incidents/{id}", post(incidents::resolve))
        .route("/incidents/{id}/complaint", post(complaints::act))
        .route("/incidents/{id}/card", post(incidents::card))
        .route("/transfers", get(transfers::page))
        .route("/transfers/live", get(transfers::live))
        .route("/shipping", get(shipping::page))
        .route("/shipping/live", get(shipping::live))
        .route("/bills", get(bills::page).post(bills::run))
        .route("/developers", get(developers::page))
        .route("/developers/live", get(developers::live))
        .route("/sandbox/cashier/{no}", get(wallet::page).post(wallet::pay))
        .route("/tables", get(tables::index))
        .route("/tables/{name}", get(tables::page))
        .route("/demo", get(shop::page))
        .route("/sandbox", get(sandbox::page))
        .route("/sandbox/live", get(sandbox::live))
        .route("/sandbox/misbehave", post(sandbox::misbehave))
        .route("/sandbox/behave", post(sandbox::behave))
        .route("/sandbox/receiver", post(sandbox::receiver))
        .route("/sandbox/tomorrow", post(sandbox::tomorrow))
        .route("/assets/{file}", get(assets::serve))
        .fallback(missing)
        .layer(from_fn_with_state(console.clone(), forms_where_allowed))
        .layer(from_fn(remember_language))
        .with_state(console)
}

async fn missing(view: View) -> Response {
    let what = view.lang.t("没有这个页面", "There is no such page");
    (StatusCode::NOT_FOUND, layout::bare(&view, what)).into_response()
}

/// A console that is only to look takes no form, whatever its pages show.
async fn forms_where_allowed(
    State(console): State<Arc<Console>>,
    view: View,
    request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || console.rights.write {
        return next.run(request).await;
    }
    let what = view.lang.t("只读：这里什么都不能更改", "Read-only: nothing can be changed here");
    (StatusCode::FORBIDDEN, layout::bare(&view, what)).into_response()
}

/// `?lang=` is kept in a cookie.
async fn remember_language(request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let chosen = form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == "lang")
        .and_then(|(_, value)| Lang::parse(&value));
    let mut response = next.run(request).await;
    if let Some(lang) = chosen
        && let Ok(cookie) = format!("lang={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", lang.tag()).parse()
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
