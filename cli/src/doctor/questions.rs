//! Asks each node's provider, all at once.

use super::codes::Code;
use super::document::{Documents, Place};
use super::finding::{Finding, Node};
use super::reach;
use super::recorder::{Recorder, Seen, system_time};
use futures::future::join_all;
use shared::config::Merchant;
use shared::domain::Provider;
use shared::net::provider_http::Http;
use shared::providers::{Diagnosis, Examination, Gateway, ProviderClients, Trouble};
use std::sync::Arc;
use std::time::Duration;

/// How long all questions about a node may take.
const PATIENCE: Duration = Duration::from_millis(7_000);

/// What asking about a node brought.
pub(super) struct Asked {
    /// How it was answered.
    pub(super) node: Node,
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
    /// What was sent.
    pub(super) seen: Vec<Seen>,
}

/// Asks about every node of the merchants, of these providers.
pub(super) async fn ask_all(
    merchants: &[Arc<Merchant>],
    documents: &Documents,
    only: &[Provider],
    http: &Arc<Http>,
) -> Vec<Asked> {
    let nodes = merchants.iter().flat_map(|merchant| Gateway::all(merchant).into_iter());
    let asked =
        nodes.filter(|(provider, ..)| only.is_empty() || only.contains(provider)).map(|(provider, name, gateway)| {
            let place = documents.node(&gateway.merchant, provider, &name);
            async move { ask(&gateway, provider, &place, http).await }
        });
    join_all(asked).await
}

/// Whether the providers of all nodes are simulated on this machine.
pub(super) fn are_all_simulated(merchants: &[Arc<Merchant>], documents: &Documents) -> bool {
    let mut nodes = merchants.iter().flat_map(|merchant| Gateway::all(merchant).into_iter());
    nodes.all(|(provider, name, gateway)| documents.node(&gateway.merchant, provider, &name).is_simulated())
}

async fn ask(gateway: &Gateway, provider: Provider, place: &Place<'_>, http: &Arc<Http>) -> Asked {
    let recorder = Arc::new(Recorder::new(http.clone()));
    let clients = ProviderClients { http: Http::through(recorder.clone()), ..ProviderClients::default() };
    let examined = tokio::time::timeout(PATIENCE, gateway.examine(&clients, system_time())).await;
    let seen = recorder.seen();
    let (findings, unproven) = match examined {
        Ok(Examination { diagnoses, unproven }) => {
            let findings = join_all(diagnoses.into_iter().map(|diagnosis| finding(gateway, place, diagnosis, &seen)));
            (findings.await, unproven)
        }
        Err(_) => {
            let words = format!("no answer within {} s", PATIENCE.as_secs());
            (vec![Finding::new(place.path.as_str(), Code::NoAnswer, words)], Vec::new())
        }
    };
    let slowest = seen.iter().filter(|seen| seen.status.is_some()).map(|seen| seen.took).max();
    let node = Node {
        merchant: gateway.merchant.clone(),
        provider: provider.name(),
        path: place.path.clone(),
        healthy: false,
        answered_ms: slowest.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        unproven: unproven.into_iter().map(|key| place.key(key)).collect(),
    };
    Asked { node, findings, seen }
}

/// A diagnosis as a finding. That there is no answer is looked into: the name, the way, the certificate, or an answer
/// that is none of the provider's.
async fn finding(gateway: &Gateway, place: &Place<'_>, diagnosis: Diagnosis, seen: &[Seen]) -> Finding {
    let Diagnosis { key, trouble, words } = diagnosis;
    match trouble {
        Trouble::ClockSkew => Finding::new("clock", Code::ClockSkew, words),
        Trouble::NoAnswer => {
            let path = if place.has("apiBase") { place.key("apiBase") } else { place.path.clone() };
            let unanswered = seen.iter().find(|seen| seen.status.is_none());
            match (unanswered, seen.last().and_then(|seen| seen.status)) {
                (Some(seen), _) => match reach::obstacle(&seen.url).await {
                    Some((code, words)) => Finding::new(path, code, words),
                    None => Finding::new(path, Code::NoAnswer, words),
                },
                (None, Some(500..)) => Finding::new(path, Code::ProviderUnwell, words),
                (None, _) => Finding::new(path, Code::NotUnderstood, words),
            }
        }
        trouble => {
            let page = gateway.found_at(key);
            Finding::new(place.key(key), trouble.into(), words).at(page)
        }
    }
}
