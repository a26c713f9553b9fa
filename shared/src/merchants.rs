//! Merchants with documents of their own: read when they are first needed, looked at again as the configuration is.

use config::{MerchantDocuments, Source, parse_merchant};
use crypto::hash;
use domain::UnixMs;
use futures::future::BoxFuture;
use net::provider_http::Http;
use payments::Merchants;
use providers::{Config, Merchant};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a request waits for a document of which there is an earlier one.
const REFRESH: Duration = Duration::from_secs(2);

/// What is known of one document.
#[derive(Default)]
struct Slot {
    /// The last good one.
    merchant: Option<Arc<Merchant>>,
    /// Digest of the text that was looked at last, right or faulty.
    digest: String,
    /// What was wrong with it.
    fault: Option<String>,
    /// When it is to be looked at again.
    stale_at: Option<UnixMs>,
}

/// See the module.
pub(crate) struct Directory {
    ttl: Duration,
    clock: Arc<dyn Fn() -> UnixMs + Send + Sync>,
    http: Http,
    slots: std::sync::Mutex<HashMap<String, Arc<Mutex<Slot>>>>,
}

impl Directory {
    pub(crate) fn new(ttl: Duration, clock: Arc<dyn Fn() -> UnixMs + Send + Sync>) -> Self {
        Self { ttl, clock, http: Http::default(), slots: std::sync::Mutex::default() }
    }

    async fn look(&self, source: &Source, id: &str) -> Result<Option<Arc<Merchant>>, String> {
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()).or_default().clone();
        let mut slot = slot.lock().await;
        let now = (self.clock)();
        if slot.stale_at.is_none_or(|at| now >= at) {
            self.refresh(&mut slot, source, id, now).await;
        }
        match (&slot.merchant, &slot.fault) {
            (Some(merchant), _) => Ok(Some(merchant.clone())),
            (None, Some(fault)) => Err(fault.clone()),
            (None, None) => Err("its document cannot be had".to_owned()),
        }
    }

    /// Reads a document again. What is wrong with it is logged when it changes; the last good one stays in use.
    async fn refresh(&self, slot: &mut Slot, source: &Source, id: &str, now: UnixMs) {
        let fetched = match slot.merchant {
            None => source.fetch(&self.http).await.map_err(|error| error.to_string()),
            Some(_) => match tokio::time::timeout(REFRESH, source.fetch(&self.http)).await {
                Ok(fetched) => fetched.map_err(|error| error.to_string()),
                Err(_) => Err("its document cannot be read in time".to_owned()),
            },
        };
        let fault = match fetched {
            Err(why) => {
                slot.digest.clear();
                Some(why)
            }
            Ok(text) => {
                let digest = hash::sha256_hex(text.as_bytes());
                if digest == slot.digest {
                    slot.stale_at = Some(now + self.ttl);
                    return;
                }
                slot.digest = digest;
                self.parse(slot, source, id, &text, now)
            }
        };
        if let Some(why) = fault.as_ref().filter(|_| fault != slot.fault) {
            tracing::error!(merchant = id, why, "the document of a merchant cannot be used");
        }
        // Where there is nothing to go on with, the next request looks again; one that finds the same faulty text waits
        // for its time, so that requests cannot make many calls of a fault.
        slot.stale_at = (slot.merchant.is_some() || fault.is_none()).then(|| now + self.ttl);
        slot.fault = fault;
    }

    fn parse(&self, slot: &mut Slot, source: &Source, id: &str, text: &str, now: UnixMs) -> Option<String> {
        match parse_merchant::<Merchant>(id, text, source.base(), now) {
            Ok(read) => {
                for remark in read.remarks {
                    tracing::warn!("{remark}");
                }
                for path in read.damaged_keys {
                    telemetry::alarm!("damaged_key", path);
                }
                slot.merchant =
                    Some(Arc::new(Merchant { certificate_end: read.first_certificate_end, ..read.merchant }));
                None
            }
            Err(faults) => Some(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        }
    }
}

impl Merchants for Directory {
    fn find<'a>(&'a self, config: &'a Config, id: &'a str) -> BoxFuture<'a, Result<Option<Arc<Merchant>>, String>> {
        let source = config.merchant_documents.as_ref().and_then(|documents: &MerchantDocuments| documents.source(id));
        Box::pin(async move {
            match source {
                Some(source) => self.look(&source, id).await,
                None => Ok(None),
            }
        })
    }
}
