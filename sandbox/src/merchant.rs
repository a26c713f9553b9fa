//! A registered merchant: an account with each provider.

use crate::crypto::RsaKey;
use crate::provider::{Mode, Provider};
use serde_json::Value;
use std::any::Any;
use std::sync::Arc;

/// What a provider's keys are made of. RSA keys are dear, so the providers share them.
pub(crate) struct Seed<'a> {
    /// The merchant's id in the sandbox.
    pub(crate) id: &'a str,
    /// Of certificate authorities.
    pub(crate) authority: RsaKey,
    /// The merchant's.
    pub(crate) ours: RsaKey,
    /// The provider's.
    pub(crate) theirs: RsaKey,
    /// For a provider with more than one pair.
    pub(crate) more: [RsaKey; 3],
}

/// The key material of one merchant with one provider, of both sides.
pub(crate) trait ProviderKeys: Sized {
    /// The same, ready for use.
    type Opened: Any + Send + Sync;

    /// Makes everything up.
    fn generate(seed: &Seed<'_>) -> Self;

    /// Who the merchant is there: mchid, app id.
    fn id(&self) -> &str;

    /// The provider's section of a configuration, with VK-Pay's keys. `base` is the sandbox's URL.
    fn config(&self, base: &str, mode: Mode) -> Value;

    /// Reads the keys; `None` if one cannot be read.
    fn open(&self) -> Option<Self::Opened>;

    /// Applications whose users log in with WeChat, and their secrets.
    fn apps(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

struct Account {
    provider: Provider,
    id: String,
    keys: Arc<dyn Any + Send + Sync>,
}

/// A registered merchant with its keys read.
pub(crate) struct Merchant {
    /// Its id in the sandbox.
    pub(crate) id: String,
    accounts: Vec<Account>,
    apps: Vec<(String, String)>,
}

impl Merchant {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), accounts: Vec::new(), apps: Vec::new() }
    }

    /// Adds its account with a provider; `None` if a key cannot be read.
    pub(crate) fn with<K: ProviderKeys>(mut self, provider: Provider, keys: &K) -> Option<Self> {
        self.accounts.push(Account { provider, id: keys.id().to_owned(), keys: Arc::new(keys.open()?) });
        self.apps.extend(keys.apps());
        Some(self)
    }

    /// Its keys with the provider that has keys of this type.
    pub(crate) fn keys<K: Any>(&self) -> &K {
        let mut found = self.accounts.iter().filter_map(|account| account.keys.downcast_ref());
        found.next().expect("a merchant has an account with every provider")
    }

    /// The same, to keep.
    pub(crate) fn account<K: Any + Send + Sync>(&self) -> Option<Arc<K>> {
        self.accounts.iter().find_map(|account| Arc::clone(&account.keys).downcast().ok())
    }

    /// Who it is at a provider.
    pub(crate) fn id_at(&self, provider: Provider) -> &str {
        self.accounts.iter().find(|account| account.provider == provider).map_or("", |account| &account.id)
    }

    /// Whether it owns an application.
    pub(crate) fn owns_app(&self, id: &str) -> bool {
        self.apps.iter().any(|(own, _)| own == id)
    }

    /// Whether it owns an application with this secret.
    pub(crate) fn has_app(&self, id: &str, secret: &str) -> bool {
        self.apps.iter().any(|(own, own_secret)| own == id && own_secret == secret)
    }
}
