//! `pay/createPayment` and `pay/closePayment`.

use serde_json::{Map, Value, json};
use shared::api::{self, Call, Reply, Request, Response};
use shared::app::App;
use shared::domain::{Failure, action::Payments, fields};
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
    let mut result = Map::new();
    result.insert("provider".to_owned(), json!(order.current().provider));
    result.insert("pay_type".to_owned(), json!(order.current().pay_type));
    result.insert("out_trade_no".to_owned(), json!(order.out_trade_no));
    result.insert("total_fee".to_owned(), json!(order.total_fee));
    result.insert("subject".to_owned(), json!(order.description));
    result.insert("platform".to_owned(), json!(order.platform));
    result.insert("orderInfo".to_owned(), made.order_info);
    result.insert("needQRcode".to_owned(), json!(made.qr_text.is_some()));
    result.insert("time_expire".to_owned(), json!(order.time_expire));
    result.insert("trade_state".to_owned(), json!(order.trade_state));
    result.insert("status".to_owned(), json!(order.status));
    let wants_image = call.fields().raw(&fields::NEED_QRCODE).and_then(Value::as_str) == Some("image");
    if let Some(image) = made.qr_text.as_deref().filter(|_| wants_image).and_then(api::qrcode_image) {
        result.insert("qrcodeImage".to_owned(), json!(image));
    }
    Ok(Reply::ok(result))
}

async fn close(app: &App, call: &Call) -> Result<Reply, Failure> {
    let order = close_payment(&app.context(call.config.clone()), &call.caller, call.fields().out_trade_no()?).await?;
    let mut result = Map::new();
    result.insert("out_trade_no".to_owned(), json!(order.out_trade_no));
    result.insert("trade_state".to_owned(), json!(order.trade_state));
    result.insert("status".to_owned(), json!(order.status));
    Ok(Reply::ok(result))
}
