//! Whether providers reach the address of callbacks, and this system behind it: a GET that is no callback, whose refusal
//! has the words that this system refuses in. It rings no alarm.

use super::codes::Code;
use super::finding::Finding;
use super::reach;
use futures::future::join_all;
use shared::config::Merchant;
use shared::domain::Provider;
use shared::net::egress::may_be_called;
use shared::net::provider_http::{Answer, Http, Request};
use shared::providers::{CallbackRequest, Gateway, Verdict, reply};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer is waited for; providers wait as long.
const ANSWER: Duration = Duration::from_secs(5);
const PATH: &str = "notifyUrl";

/// Looks at an address. `real` says that a provider of the configuration is a real one.
pub(super) async fn examine(url: &str, merchants: &[Arc<Merchant>], real: bool, http: &Http) -> Vec<Finding> {
    let Ok(parsed) = reqwest::Url::parse(url) else {
        return vec![Finding::new(PATH, Code::ConfigFault, "is not a URL")];
    };
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let addresses = reach::addresses(&host, parsed.port_or_known_default().unwrap_or(443)).await;
    let private = !addresses.is_empty() && !addresses.iter().any(|address| may_be_called(address.ip(), false));
    if private && real {
        return vec![Finding::new(PATH, Code::NotifyUrlPrivate, host)];
    }
    if parsed.scheme() != "https" && !shared::net::is_loopback(&parsed) {
        return vec![Finding::new(PATH, Code::NotifyUrlInsecure, url)];
    }
    let base = url.trim_end_matches('/');
    let mut callers: BTreeSet<(Provider, &str)> = BTreeSet::new();
    for merchant in merchants {
        callers.extend(Gateway::all(merchant).into_iter().map(|(provider, ..)| (provider, merchant.id.as_str())));
    }
    let probes = callers.into_iter().map(|(provider, merchant)| probe(base, provider, merchant, http));
    join_all(probes).await.into_iter().flatten().collect()
}

async fn probe(base: &str, provider: Provider, merchant: &str, http: &Http) -> Option<Finding> {
    let url = format!("{base}/pay-notify/{provider}/{merchant}");
    match http.send_within(Request::get(&url), ANSWER).await {
        Ok(answer) => {
            let code = judge(provider, &answer)?;
            let body: String =
                String::from_utf8_lossy(&answer.body).chars().filter(|c| !c.is_control()).take(80).collect();
            Some(Finding::new(PATH, code, format!("GET {url}: HTTP {} {body}", answer.status)))
        }
        Err(error) => Some(match reach::obstacle(&url).await {
            Some((code, words)) => Finding::new(PATH, code, words),
            None => Finding::new(PATH, Code::NoAnswer, error.to_string()),
        }),
    }
}

/// What is wrong with an answer; nothing where it is this system's.
fn judge(provider: Provider, answer: &Answer) -> Option<Code> {
    let (method, headers) = Default::default();
    let request = CallbackRequest { method: &method, headers: &headers, query: "", body: b"", now: Default::default() };
    let is = |verdict| {
        let own = reply(provider, &request, verdict);
        own.status == answer.status && own.body.as_bytes() == answer.body
    };
    if is(Verdict::Rejected) || is(Verdict::Accepted) {
        return None;
    }
    Some(match answer.status {
        _ if is(Verdict::Retry) => Code::NotifyUrlUnwell,
        300..=399 => Code::NotifyUrlRedirects,
        401 | 403 => Code::NotifyUrlForbidden,
        404 => Code::NotifyUrlNotFound,
        500.. => Code::NotifyUrlUnwell,
        _ => Code::NotifyUrlNotOurs,
    })
}
