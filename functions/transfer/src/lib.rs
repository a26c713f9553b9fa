//! `pay/wxpayVirtual/*`: the coins of WeChat's virtual payment.

use shared::api::{self, Call, Request, Response};
use shared::app::App;
use shared::payment::coins;

/// What this function serves; the first is meant where a request names none.
pub const ACTIONS: [&str; 4] = [
    "pay/wxpayVirtual/queryUserBalance",
    "pay/wxpayVirtual/currencyPay",
    "pay/wxpayVirtual/cancelCurrencyPay",
    "pay/wxpayVirtual/presentCurrency",
];

/// Serves one request.
pub async fn handle(app: &App, request: Request) -> Response {
    api::serve(app, request, &ACTIONS, async |call: Call| {
        let context = app.context(call.config.clone());
        coins(&context, call.action, &call.fields(), &call.environment().client_ip).await.map(api::Reply::ok)
    })
    .await
}
