//! Provider callbacks: `POST {notifyUrl}/pay-notify/{provider}/{merchant}` and its siblings.
//!
//! The path only says whose keys verify. What is paid, refunded or none of it is said by the verified
//! message alone.

use shared::api::{self, Request, Response};
use shared::app::App;
use shared::config::DEFAULT_MERCHANT;
use shared::order::Provider;
use shared::payment::settle_notice;
use shared::provider::{self, CallbackError, CallbackRequest, Verdict};

/// Serves one callback.
pub async fn handle(app: &App, request: Request) -> Response {
    let Some((provider, merchant_id)) = addressee(&request.path) else {
        return api::not_found(&request);
    };
    let callback =
        CallbackRequest { headers: &request.headers, query: &request.query, body: &request.body, now: (app.clock)() };
    let verdict = judge(app, provider, merchant_id, &request, &callback).await;
    let reply = provider::reply(provider, &callback, verdict);
    tracing::info!(request_id = request.request_id, %provider, merchant = merchant_id, status = reply.status, "a callback was answered");
    Response { status: reply.status, content_type: reply.content_type, body: reply.body }
}

/// Whose callback a path is: ours, or VK-Pay's `/vk-pay-notify/{pay_type}/{out_trade_no}`. What stands
/// before the route (a stage, a prefix of the merchant's) does not matter.
fn addressee(path: &str) -> Option<(Provider, &str)> {
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let at = |names: &[&str]| segments.iter().position(|s| names.contains(s));
    if let Some(i) = at(&["pay-notify", "refund-notify", "transfer-notify"]) {
        let provider = Provider::parse(segments.get(i + 1)?)?;
        let merchant = segments.get(i + 2).copied().unwrap_or(DEFAULT_MERCHANT);
        return (segments.len() <= i + 3).then_some((provider, merchant));
    }
    let pay_type = segments.get(at(&["vk-pay-notify"])? + 1)?;
    Some((Provider::parse(pay_type.split('_').next()?)?, DEFAULT_MERCHANT))
}

async fn judge(
    app: &App,
    provider: Provider,
    merchant_id: &str,
    request: &Request,
    callback: &CallbackRequest<'_>,
) -> Verdict {
    let context = app.context(app.config().await);
    let Some(merchant) = context.config.merchant(merchant_id) else {
        tracing::warn!(%provider, merchant = merchant_id, "a callback for a merchant that is not configured");
        return Verdict::Rejected;
    };
    if request.method != "POST" {
        return Verdict::Rejected;
    }
    match provider::read_callback(provider, merchant, &app.outside, callback).await {
        Ok(notice) => match settle_notice(&context, &notice).await {
            Ok(()) => Verdict::Accepted,
            Err(failure) => {
                let detail = failure.private.as_deref().unwrap_or(failure.code.en);
                tracing::error!(%provider, merchant = merchant_id, detail, "a callback could not be taken");
                Verdict::Retry
            }
        },
        Err(CallbackError::Probe) => {
            tracing::info!(%provider, "a signature probe was refused");
            Verdict::Rejected
        }
        Err(CallbackError::Unavailable(why)) => {
            tracing::error!(%provider, merchant = merchant_id, why, "a callback could not be checked");
            Verdict::Retry
        }
        Err(error) => {
            tracing::warn!(%provider, merchant = merchant_id, %error, "a callback was refused");
            Verdict::Rejected
        }
    }
}
