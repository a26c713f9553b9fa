//! `pay/code2Session`, and VK-Pay's own names for it: a login code for the payer's id.

use serde_json::{Map, json};
use shared::api::{self, Call, Reply, Request, Response};
use shared::app::App;
use shared::code::Failure;
use shared::order::Provider;
use shared::payment::login;

/// What this function serves; the first is meant where a request names none. The others are VK-Pay's.
pub const ACTIONS: [&str; 5] = [
    "pay/code2Session",
    "pay/code2SessionWeixin",
    "pay/code2SessionWeixinH5",
    "pay/code2SessionAlipay",
    "pay/code2SessionDouyin",
];

/// Serves one request.
pub async fn handle(app: &App, request: Request) -> Response {
    api::serve(app, request, &ACTIONS, async |call: Call| session(app, &call).await).await
}

async fn session(app: &App, call: &Call) -> Result<Reply, Failure> {
    let fixed = match call.action {
        "pay/code2SessionWeixin" => Some((Provider::Wxpay, "mp-weixin")),
        "pay/code2SessionWeixinH5" => Some((Provider::Wxpay, "h5")),
        "pay/code2SessionAlipay" => Some((Provider::Alipay, "mp-alipay")),
        "pay/code2SessionDouyin" => Some((Provider::Douyin, "mp-toutiao")),
        _ => None,
    };
    let known = login(&app.context(call.config.clone()), &call.fields(), fixed).await?;
    let mut fields = Map::new();
    fields.insert("openid".to_owned(), json!(known.openid));
    if let Some(unionid) = known.unionid {
        fields.insert("unionid".to_owned(), json!(unionid));
    }
    Ok(Reply::ok(fields))
}
