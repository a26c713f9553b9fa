//! JSON Web Key Sets by URL: fetched on use, one fetch at a time, and kept while their server does not answer. Nobody
//! whose key is known waits for a fetch that others cause, and junk causes few of them.

use crypto::jwt::{self, VerifyingKey};
use domain::UnixMs;
use net::provider_http::{Http, Request};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a set is used before it is fetched anew.
const KEEP: Duration = Duration::from_mins(10);
/// How long a set is used at most while it cannot be fetched anew, from when it was fetched.
const LIMIT: Duration = Duration::from_hours(1);
/// How often an unknown `kid`, and a set that cannot be fetched anew, may cause a fetch.
const PAUSE: Duration = Duration::from_mins(1);
/// The same while there is no set at all, so that nobody can call.
const RETRY: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Kept {
    url: String,
    set: Option<Value>,
    fetched_at: UnixMs,
    tried_at: Option<UnixMs>,
    failed: Option<String>,
}

/// What is known without a fetch.
enum Known {
    /// The key, of a set that is fresh.
    Fresh(VerifyingKey),
    /// The key, of a set that should be fetched anew.
    Aged(VerifyingKey),
    /// A fetch was tried a moment ago: there is no such key, or no set.
    Pause(Result<Option<VerifyingKey>, String>),
    /// Only a fetch can tell.
    Unknown,
}

impl Kept {
    fn look(&mut self, url: &str, kid: Option<&str>, now: UnixMs) -> Known {
        if self.url != url {
            *self = Self { url: url.to_owned(), ..Self::default() };
        }
        let age = now.since(self.fetched_at);
        let set = self.set.as_ref().filter(|_| age < LIMIT);
        let tried = |pause: Duration| self.tried_at.is_some_and(|at| now < at + pause);
        match set.map(|set| jwt::key_of(set, kid)) {
            Some(Some(key)) if age < KEEP => Known::Fresh(key),
            Some(Some(key)) if tried(PAUSE) => Known::Pause(Ok(Some(key))),
            Some(Some(key)) => Known::Aged(key),
            Some(None) if tried(PAUSE) => Known::Pause(Ok(None)),
            None if tried(RETRY) => {
                Known::Pause(Err(self.failed.clone().unwrap_or_else(|| "jwksUrl: is being fetched".to_owned())))
            }
            Some(None) | None => Known::Unknown,
        }
    }
}

/// The set that was fetched last.
#[derive(Default)]
pub(crate) struct Jwks {
    kept: Mutex<Kept>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
}

impl Jwks {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of that `kid` with the algorithm that its type pins.
    ///
    /// # Errors
    /// When there is no set and it cannot be fetched; never a pass.
    pub(crate) async fn key(
        &self,
        http: &Http,
        url: &str,
        kid: Option<&str>,
        now: UnixMs,
    ) -> Result<Option<VerifyingKey>, String> {
        let known = self.kept().look(url, kid, now);
        let _fetching = match known {
            Known::Fresh(key) => return Ok(Some(key)),
            Known::Pause(Ok(Some(key))) => return Ok(Some(key)),
            // Somebody fetches it anew already.
            Known::Aged(key) => match self.fetching.try_lock() {
                Ok(fetching) => fetching,
                Err(_) => return Ok(Some(key)),
            },
            // A fetch that is on its way may bring the key.
            Known::Pause(_) | Known::Unknown => self.fetching.lock().await,
        };
        let aged = match self.kept().look(url, kid, now) {
            Known::Fresh(key) => return Ok(Some(key)),
            Known::Pause(known) => return known,
            Known::Aged(key) => Some(key),
            Known::Unknown => None,
        };
        self.kept().tried_at = Some(now);
        let fetched = fetch(http, url).await;
        let mut kept = self.kept();
        if kept.url != url {
            // The configuration has changed meanwhile.
            return fetched.map(|set| jwt::key_of(&set, kid));
        }
        match fetched {
            Ok(set) => {
                let found = jwt::key_of(&set, kid);
                *kept = Kept { set: Some(set), fetched_at: now, failed: None, ..std::mem::take(&mut *kept) };
                Ok(found)
            }
            Err(why) => {
                kept.failed = Some(why.clone());
                let Some(key) = aged else { return Err(why) };
                tracing::warn!(why, "the key set could not be fetched anew; the last one is used");
                Ok(Some(key))
            }
        }
    }
}

async fn fetch(http: &Http, url: &str) -> Result<Value, String> {
    let request = Request::get(url);
    let answer = http.send(request).await.map_err(|e| format!("jwksUrl: {e}"))?;
    if answer.status != 200 {
        return Err(format!("jwksUrl: HTTP {}", answer.status));
    }
    let set: Value = serde_json::from_slice(&answer.body).map_err(|_| "jwksUrl: no JSON".to_owned())?;
    // An answer that is no set does not take the place of one that is.
    match jwt::is_key_set(&set) {
        true => Ok(set),
        false => Err("jwksUrl: no JSON Web Key Set with a key".to_owned()),
    }
}
