//! `pay/transfer`, `pay/queryTransfer`, `pay/cancelTransfer`, `pay/transferReceipt`; `pay/createUserConfirmAuthorization`
//! and its siblings; `pay/request` and `pay/queryBalance`; the coins of virtual payment.

use shared::api::{self, Call, Reply, Request, Response};
use shared::app::App;
use shared::domain::Authorization;
use shared::domain::action::Transfers;
use shared::payments::{
    Coin, cancel_transfer, close_authorization, coins, create_authorization, query_authorization, query_balance,
    query_transfer, raw_request, transfer, transfer_receipt,
};

/// Serves one request.
pub async fn handle(app: &App, request: Request) -> Response {
    api::serve(app, request, async |action, call: Call| {
        let context = app.context(call.config.clone());
        let fields = call.fields();
        let coins = async |what| coins(&context, what, &fields, &call.environment()?.client_ip).await.map(Reply::ok);
        let authorization = |authorization: Authorization| Reply::ok(authorization.shown());
        let transfer = match action {
            Transfers::Transfer => transfer(&context, &call.caller, &fields).await,
            Transfers::Query => query_transfer(&context, &fields).await,
            Transfers::Cancel => cancel_transfer(&context, &fields).await,
            Transfers::Receipt => return transfer_receipt(&context, &fields).await.map(Reply::ok),
            Transfers::Authorize => {
                return create_authorization(&context, &call.caller, &fields).await.map(authorization);
            }
            Transfers::QueryAuthorization => return query_authorization(&context, &fields).await.map(authorization),
            Transfers::CloseAuthorization => return close_authorization(&context, &fields).await.map(authorization),
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
