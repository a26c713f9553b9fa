//! Provider callbacks: `POST {notifyUrl}/pay-notify/{provider}/{merchant}` and its siblings.
//!
//! The path only says whose keys verify. What is paid, refunded or none of it is said by the verified
//! message alone.

use shared::api::{self, Request, Response};
use shared::app::App;
use shared::config::DEFAULT_MERCHANT;
use shared::domain::{Code, Provider};
use shared::payments::{Context, Source, settle_callback};
use shared::providers::{self, CallbackError, CallbackRequest, Notice, ProviderReply, Verdict};
use shared::telemetry::{self, Metric};
use tokio::time::Instant;

/// The longest body of a callback, bytes; providers' own have some kilobytes.
const MAX_BODY: usize = 1024 * 1024;

/// Serves one callback.
pub async fn handle(app: &App, request: Request) -> Response {
    // The provider's patience began before the configuration was looked at.
    let began = Instant::now();
    let request = match api::admit(app, request) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let callback = CallbackRequest {
        method: &request.method,
        headers: &request.headers,
        query: &request.query,
        body: &request.body,
        now: (app.clock)(),
    };
    let Some((provider, merchant_id)) = addressee(&request.path, &callback) else {
        return api::not_found(&request);
    };
    let judged = match request.body.len() <= MAX_BODY {
        true => judge(app, began, (provider, merchant_id), &callback).await,
        false => {
            tracing::warn!(%provider, bytes = request.body.len(), "a callback is too long");
            Judged::Verdict(Verdict::Rejected)
        }
    };
    let reply = match judged {
        Judged::Verdict(verdict) => providers::reply(provider, &callback, verdict),
        // Not taken, so that it comes again; and no 5xx, which would ring the alarm of failed callbacks.
        Judged::Later => ProviderReply { status: 409, ..providers::reply(provider, &callback, Verdict::Retry) },
        Judged::Echo(text) => ProviderReply { status: 200, content_type: "text/plain; charset=utf-8", body: text },
    };
    telemetry::note("provider", provider);
    telemetry::note_number("status", reply.status);
    telemetry::measure_time(Metric::CallbackMs, None, began.elapsed());
    Response { status: reply.status, content_type: reply.content_type, retry_after: None, body: reply.body }
}

enum Judged {
    Verdict(Verdict),
    /// It is to come again.
    Later,
    /// A probe of the URL, answered with its own text.
    Echo(String),
}

/// Whose callback a path is: ours, or VK-Pay's `/vk-pay-notify/{pay_type}/{out_trade_no}`; where that names
/// no pay type, the message's shape tells. What stands before the route (a stage, a prefix of the
/// merchant's) does not matter.
fn addressee<'a>(path: &'a str, callback: &CallbackRequest<'_>) -> Option<(Provider, &'a str)> {
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let at = |names: &[&str]| segments.iter().position(|s| names.contains(s));
    if let Some(i) = at(&["pay-notify", "refund-notify", "transfer-notify", "complaint-notify"]) {
        let provider = Provider::parse(segments.get(i + 1)?)?;
        let merchant = segments.get(i + 2).copied().unwrap_or(DEFAULT_MERCHANT);
        return (segments.len() <= i + 3).then_some((provider, merchant));
    }
    let provider = match segments.get(at(&["vk-pay-notify"])? + 1) {
        Some(pay_type) => Provider::parse(pay_type.split('_').next()?)?,
        None => providers::addressee(callback)?,
    };
    Some((provider, DEFAULT_MERCHANT))
}

async fn judge(
    app: &App,
    began: Instant,
    (provider, merchant_id): (Provider, &str),
    callback: &CallbackRequest<'_>,
) -> Judged {
    let context = Context { began, ..app.context(app.config().await) };
    let merchant = match context.merchant(merchant_id).await {
        Ok(Some(merchant)) => merchant,
        Ok(None) => {
            let name = telemetry::digest(merchant_id);
            tracing::warn!(%provider, name, "a callback for a merchant that is not configured");
            return Judged::Verdict(Verdict::Rejected);
        }
        Err(error) => {
            tracing::error!(%provider, %error, "a callback could not be checked");
            return Judged::Verdict(Verdict::Retry);
        }
    };
    let verdict = match providers::read_callback(provider, &merchant, &app.clients, callback).await {
        Ok(Notice::Echo(text)) => return Judged::Echo(text),
        Ok(notice) => match settle_callback(&context, &notice, Source::Callback).await {
            Ok(settled) if settled.later => {
                tracing::warn!(%provider, merchant = merchant.id, "a callback is to come again: its payment may just be reversed");
                return Judged::Later;
            }
            Ok(_) => Verdict::Accepted,
            Err(failure)
                if failure.code == Code::NO_ORDER
                    && matches!(notice, Notice::Transfer(_) | Notice::Authorization(_)) =>
            {
                tracing::warn!(%provider, merchant = merchant.id, "a callback about a transfer that is not known");
                Verdict::Rejected
            }
            Err(failure) => {
                let detail = failure.private.as_deref().unwrap_or(failure.code.en);
                tracing::error!(%provider, merchant = merchant.id, detail, "a callback could not be processed");
                Verdict::Retry
            }
        },
        Err(CallbackError::Probe) => {
            tracing::info!(%provider, "a signature probe was refused");
            Verdict::Rejected
        }
        Err(CallbackError::Unavailable(why)) => {
            tracing::error!(%provider, merchant = merchant.id, why, "a callback could not be checked");
            Verdict::Retry
        }
        Err(error) => {
            if matches!(error, CallbackError::Forged(_)) {
                telemetry::count(Metric::SignatureFailed, None);
            }
            tracing::warn!(%provider, merchant = merchant.id, %error, "a callback was refused");
            Verdict::Rejected
        }
    };
    Judged::Verdict(verdict)
}
