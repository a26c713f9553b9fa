//! `pay/code2Session`, and VK-Pay's own names for it: a login code for the payer's id.

use serde_json::{Map, json};
use shared::api::{self, Call, Reply, Request, Response};
use shared::app::App;
use shared::domain::{Failure, Provider, action::Logins};
use shared::payments::login;

/// Serves one request.
pub async fn handle(app: &App, request: Request) -> Response {
    api::serve(app, request, async |action, call: Call| {
        let fixed = match action {
            Logins::Any => None,
            Logins::Weixin => Some((Provider::Wxpay, "mp-weixin")),
            Logins::WeixinH5 => Some((Provider::Wxpay, "h5")),
            Logins::Alipay => Some((Provider::Alipay, "mp-alipay")),
            Logins::Douyin => Some((Provider::Douyin, "mp-toutiao")),
        };
        session(app, &call, fixed).await
    })
    .await
}

async fn session(app: &App, call: &Call, fixed: Option<(Provider, &str)>) -> Result<Reply, Failure> {
    let known = login(&app.context(call.config.clone()), &call.fields(), fixed).await?;
    let mut fields = Map::new();
    fields.insert("openid".to_owned(), json!(known.openid));
    if let Some(unionid) = known.unionid {
        fields.insert("unionid".to_owned(), json!(unionid));
    }
    Ok(Reply::ok(fields))
}
