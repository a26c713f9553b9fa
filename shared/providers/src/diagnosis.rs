//! What a provider's answer to a harmless question shows to be wrong with a node's set-up. Typed, so that whoever shows
//! it chooses the words; the provider's own stand beside it.

use crate::CallError;
use net::provider_http::Answer;
use std::collections::BTreeSet;

/// The most characters of a provider's words that are kept.
const WORDS: usize = 200;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// The provider has no such application.
    AppUnknown,
    /// The application is not online.
    AppOffline,
    /// The application is not bound to the merchant number.
    AppNotBound,
    /// The application's secret is another.
    AppSecretWrong,
    /// The provider has no such merchant.
    MerchantUnknown,
    /// Requests are not signed with the private key whose public half the provider has.
    OwnKeyRefused,
    /// The provider has no public key of the application.
    OwnKeyNotRegistered,
    /// The merchant's certificate is not one that the provider takes: of another merchant, replaced, revoked, over.
    OwnCertificateRefused,
    /// The key that both sides know (APIv2 key, salt, AppKey) is another.
    SharedKeyWrong,
    /// The provider's messages do not open with the key that decrypts them (APIv3 key).
    DecryptionKeyWrong,
    /// The provider has no key yet that decrypts its messages.
    DecryptionKeyNotSet,
    /// Content encryption has another key.
    ContentKeyWrong,
    /// Answers are not signed with the provider's key of the configuration.
    ProviderKeyWrong,
    /// The provider has its key under another id.
    ProviderKeyIdWrong,
    /// The merchant has no platform certificates, so the provider's public key must be configured.
    ProviderKeyMissing,
    /// The provider's certificate of the configuration is another than the one that it signs with.
    ProviderCertificateOutdated,
    /// The provider's root certificate of the configuration is another.
    RootCertificateWrong,
    /// The token by which a service provider acts for the merchant is void.
    AuthorizationVoid,
    /// The product is not enabled for the application or merchant.
    ProductNotEnabled,
    /// The provider refuses the product that a client of this node pays by, for reasons of which one is harmless.
    ProductRefused,
    /// Requests from this machine's address are refused.
    AddressNotAllowed,
    /// The provider's clock differs.
    ClockSkew,
    /// The key of a store's server API is refused; which part of it is wrong the store does not say.
    StoreKeyRefused,
    /// The store takes the key in its sandbox only.
    AppNotInStore,
    /// The provider counts too many calls.
    RateLimited,
    /// The provider is unwell: a 5xx, or words that mean so.
    ProviderUnwell,
    /// There is no answer.
    NoAnswer,
    /// An answer that is none of the protocol's, or words that are not known here.
    NotUnderstood,
}

/// One thing that is wrong, at a key of the node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnosis {
    /// The key of the node, with a dot below an object of it; empty for the node itself.
    pub key: &'static str,
    /// What is wrong there.
    pub trouble: Trouble,
    /// The provider's words: one line, cut.
    pub words: String,
}

/// What asking a node's provider brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Examination {
    /// What is wrong; nothing where the provider took the question and its answer was verified as far as it is signed.
    pub diagnoses: BTreeSet<Diagnosis>,
    /// Keys that no question proves, of those that the node has.
    pub unproven: Vec<&'static str>,
}

impl Examination {
    /// Adds what is wrong at a key.
    pub(crate) fn add(&mut self, key: &'static str, trouble: Trouble, words: &str) {
        self.diagnoses.insert(Diagnosis { key, trouble, words: cleaned(words) });
    }

    /// Adds a call that has no result. `read` says what a refusal's code and words mean; a refusal that it calls
    /// `Ok` shows that all is well.
    pub(crate) fn add_call<T>(
        &mut self,
        call: Result<T, CallError>,
        read: impl FnOnce(&str, &str) -> Result<(), (&'static str, Trouble)>,
    ) {
        match call {
            Ok(_) => {}
            Err(CallError::Refused(refusal)) => {
                if let Err((key, trouble)) = read(&refusal.code, &refusal.message) {
                    self.add(key, trouble, &format!("{} {}", refusal.code, refusal.message));
                }
            }
            Err(CallError::Unknown(why)) => self.add("", Trouble::NoAnswer, &why),
        }
    }

    /// Adds an answer whose status says that the provider did not do what it was asked; false when it says no such thing.
    pub(crate) fn add_status(&mut self, answer: &Answer) -> bool {
        let trouble = match answer.status {
            429 => Trouble::RateLimited,
            500.. => Trouble::ProviderUnwell,
            _ => return false,
        };
        self.add("", trouble, &format!("HTTP {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
        true
    }

    /// Adds what another question brought.
    pub(crate) fn merge(&mut self, other: Self) {
        self.diagnoses.extend(other.diagnoses);
        for key in other.unproven {
            if !self.unproven.contains(&key) {
                self.unproven.push(key);
            }
        }
    }
}

/// Words of somebody else, as one line of limited length.
fn cleaned(words: &str) -> String {
    let line: String = words.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c }).collect();
    let line = line.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    line.chars().take(WORDS).collect()
}

/// Where a value is found: a page of the provider's console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// In Chinese, as the console calls it.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
    /// The address of the console; empty where there is no one address.
    pub url: &'static str,
}

/// A login code that nobody has.
pub(crate) fn made_up_code() -> String {
    format!("bad{}", hex::encode(crypto::random::<14>()))
}

/// A number that no order has.
pub(crate) fn made_up_number() -> String {
    format!("doctor{}", hex::encode(crypto::random::<12>()))
}
