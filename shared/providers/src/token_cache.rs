//! Secrets that instances share for a time: access tokens and session keys, encrypted at rest.
//!
//! What is kept is sealed with AES-256-GCM under a key made from the application's own secret, and bound to
//! its name, so that an item that was moved or altered does not open. A token is fetched by one instance at
//! a time; the others wait for it.

use super::CallError;
use crypto::{aes, hash};
use domain::{Secret, TokenStore, TokenStoreError, UnixMs};
use std::time::Duration;

/// How long one instance may take to fetch a token.
const LEASE: Duration = Duration::from_secs(8);
/// A token that ends sooner than this is fetched anew.
const MARGIN: Duration = Duration::from_mins(5);
/// How often a waiting instance looks.
const LOOK: Duration = Duration::from_millis(150);

/// The store with its encryption. Without one nothing can be kept, and what needs it fails.
#[derive(Default)]
pub struct TokenCache(Option<Box<dyn TokenStore>>);

impl TokenCache {
    /// A cache in a store.
    pub fn new(store: Box<dyn TokenStore>) -> Self {
        Self(Some(store))
    }

    fn store(&self) -> Result<&dyn TokenStore, TokenStoreError> {
        self.0.as_deref().ok_or_else(|| TokenStoreError("there is no table".to_owned()))
    }

    /// What is kept under a name, unless it has ended or does not open under this secret.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn get(&self, name: &str, secret: &Secret, now: UnixMs) -> Result<Option<Secret>, TokenStoreError> {
        Ok(self.kept(name, secret).await?.filter(|(_, until)| *until > now).map(|(value, _)| value))
    }

    async fn kept(&self, name: &str, secret: &Secret) -> Result<Option<(Secret, UnixMs)>, TokenStoreError> {
        let Some((sealed, until)) = self.store()?.load(name).await? else { return Ok(None) };
        Ok(open(&sealed, name, secret).map(|value| (value, until)))
    }

    /// Keeps a value under a name until a time.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn put(&self, name: &str, secret: &Secret, value: &Secret, until: UnixMs) -> Result<(), TokenStoreError> {
        let sealed = aes::seal_gcm(&key(secret), name.as_bytes(), value.expose().as_bytes());
        self.store()?.save(name, &sealed, until).await
    }

    /// A token that all instances use: the kept one, else a fetched one. `stale` is one that the provider
    /// has just refused. `fetch` answers the token and how long it lives; of instances that want it at
    /// once one fetches, and the others wait.
    ///
    /// # Errors
    /// What `fetch` answers; [`CallError::Unknown`] when the store cannot be read.
    pub async fn token<F>(
        &self,
        name: &str,
        secret: &Secret,
        stale: Option<&Secret>,
        now: UnixMs,
        fetch: F,
    ) -> Result<Secret, CallError>
    where
        F: AsyncFnOnce() -> Result<(Secret, Duration), CallError>,
    {
        if let Some(token) = self.shared(name, secret, stale, now).await.map_err(CallError::unknown)? {
            return Ok(token);
        }
        let (token, lives) = fetch().await?;
        if let Err(error) = self.put(name, secret, &token, now + lives).await {
            tracing::warn!(%error, name, "a token cannot be stored");
        }
        Ok(token)
    }

    /// The kept token; `None` when it is ours to fetch.
    async fn shared(
        &self,
        name: &str,
        secret: &Secret,
        stale: Option<&Secret>,
        now: UnixMs,
    ) -> Result<Option<Secret>, TokenStoreError> {
        let started = tokio::time::Instant::now();
        loop {
            let waited = started.elapsed();
            let now = now + waited;
            let kept = self.kept(name, secret).await?;
            let good = kept.filter(|(token, until)| {
                *until > now + MARGIN && stale.is_none_or(|stale| !stale.matches(token.expose()))
            });
            if let Some((token, _)) = good {
                return Ok(Some(token));
            }
            if self.store()?.claim(name, now, now + LEASE).await? || waited >= LEASE {
                return Ok(None);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn key(secret: &Secret) -> [u8; 32] {
    let digest = hash::hmac_sha256_hex(secret.expose().as_bytes(), b"vk-pay vault 1");
    let mut key = [0; 32];
    hex::decode_to_slice(digest, &mut key).expect("a digest of 32 bytes");
    key
}

fn open(sealed: &str, name: &str, secret: &Secret) -> Option<Secret> {
    let plain = aes::unseal_gcm(&key(secret), name.as_bytes(), sealed).ok()?;
    Some(Secret::new(String::from_utf8(plain).ok()?))
}
