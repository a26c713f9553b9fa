//! `pay/transfer`, `pay/queryTransfer`, `pay/cancelTransfer`; `pay/request` and `pay/queryBalance`; and `pay/wxpayVirtual/*`, the coins of WeChat's
//! virtual payment.

use shared::api::{self, Call, Reply, Request, Response};
use shared::app::App;
use shared::domain::action::Transfers;
use shared::payments::{Coin, cancel_transfer, coins, query_balance, query_transfer, raw_request, transfer};

/// Serves one request.
pub async fn handle(app: &App, request: Request) -> Response {
    api::serve(app, request, async |action, call: Call| {
        let context = app.context(call.config.clone());
        let fields = call.fields();
        let coins = async |what| coins(&context, what, &fields, &call.environment()?.client_ip).await.map(Reply::ok);
        let transfer = match action {
            Transfers::Transfer => transfer(&context, &call.caller, &fields).await,
            Transfers::Query => query_transfer(&context, &fields).await,
            Transfers::Cancel => cancel_transfer(&context, &fields).await,
            Transfers::Request => return raw_request(&context, &call.caller, &fields).await.map(Reply::ok),
            Transfers::QueryBalance | Transfers::QueryAccountBalance => {
                return query_balance(&context, &fields).await.map(Reply::ok);
            }
            Transfers::Balance => return coins(Coin::Balance).await,
            Transfers::CurrencyPay => return coins(Coin::Pay).await,
            Transfers::CancelCurrencyPay => return coins(Coin::Cancel).await,
            Transfers::PresentCurrency => return coins(Coin::Present).await,
        };
        transfer.map(|transfer| Reply::ok(transfer.shown()))
    })
    .await
}
