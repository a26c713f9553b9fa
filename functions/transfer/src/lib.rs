//! `pay/transfer`, `pay/queryTransfer`, `pay/cancelTransfer`; and `pay/wxpayVirtual/*`, the coins of WeChat's
//! virtual payment.

use shared::api::{self, Call, Reply, Request, Response};
use shared::app::App;
use shared::payment::{cancel_transfer, coins, query_transfer, transfer};

/// What this function serves; the first is meant where a request names none.
pub const ACTIONS: [&str; 7] = [
    "pay/transfer",
    "pay/queryTransfer",
    "pay/cancelTransfer",
    "pay/wxpayVirtual/queryUserBalance",
    "pay/wxpayVirtual/currencyPay",
    "pay/wxpayVirtual/cancelCurrencyPay",
    "pay/wxpayVirtual/presentCurrency",
];

/// Serves one request.
pub async fn handle(app: &App, request: Request) -> Response {
    api::serve(app, request, &ACTIONS, async |call: Call| {
        let context = app.context(call.config.clone());
        let fields = call.fields();
        let transfer = match call.action {
            "pay/transfer" => transfer(&context, &call.caller, &fields).await,
            "pay/queryTransfer" => query_transfer(&context, &fields).await,
            "pay/cancelTransfer" => cancel_transfer(&context, &fields).await,
            action => {
                return coins(&context, action, &fields, &call.environment()?.client_ip).await.map(Reply::ok);
            }
        };
        transfer.map(|transfer| Reply::ok(transfer.shown()))
    })
    .await
}
