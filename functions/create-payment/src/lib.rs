//! `pay/createPayment` and `pay/closePayment`.

use serde_json::{Map, json};
use shared::api::{self, Call, Reply, Request, Response};
use shared::app::App;
use shared::domain::{Failure, action::Payments};
use shared::payments::{CreateInput, close_payment, create_payment};

/// Serves one request.
pub async fn handle(app: &App, request: Request) -> Response {
    api::serve(app, request, async |action, call: Call| match action {
        Payments::Create => create(app, &call).await,
        Payments::Close => close(app, &call).await,
    })
    .await
}

async fn create(app: &App, call: &Call) -> Result<Reply, Failure> {
    let input = CreateInput { fields: call.fields(), environment: call.environment()?, quoted: &call.quoted };
    let made = create_payment(&app.context(call.config.clone()), &call.caller, &input).await?;
    let order = &made.order;
    let mut fields = Map::new();
    fields.insert("provider".to_owned(), json!(order.current().provider));
    fields.insert("pay_type".to_owned(), json!(order.current().pay_type));
    fields.insert("out_trade_no".to_owned(), json!(order.out_trade_no));
    fields.insert("total_fee".to_owned(), json!(order.total_fee));
    fields.insert("platform".to_owned(), json!(order.platform));
    fields.insert("orderInfo".to_owned(), made.order_info);
    fields.insert("needQRcode".to_owned(), json!(made.qr_text.is_some()));
    fields.insert("time_expire".to_owned(), json!(order.time_expire));
    fields.insert("trade_state".to_owned(), json!(order.trade_state));
    fields.insert("status".to_owned(), json!(order.status));
    let wants_image = call.data.get("needQRcode").and_then(|v| v.as_str()) == Some("image");
    if let Some(image) = made.qr_text.as_deref().filter(|_| wants_image).and_then(api::qrcode_image) {
        fields.insert("qrcodeImage".to_owned(), json!(image));
    }
    Ok(Reply::ok(fields))
}

async fn close(app: &App, call: &Call) -> Result<Reply, Failure> {
    let order = close_payment(&app.context(call.config.clone()), &call.caller, call.fields().out_trade_no()?).await?;
    let mut fields = Map::new();
    fields.insert("out_trade_no".to_owned(), json!(order.out_trade_no));
    fields.insert("trade_state".to_owned(), json!(order.trade_state));
    fields.insert("status".to_owned(), json!(order.status));
    Ok(Reply::ok(fields))
}
