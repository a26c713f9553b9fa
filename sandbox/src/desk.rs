//! What a provider is to the sandbox: one [`Desk`], which serves its requests and writes its callbacks.

use crate::faults::Misbehaviour;
use crate::forgery::Forgery;
use crate::ledger::Trade;
use crate::merchant::Merchant;
use crate::outbox::{Notice, SignedRequest};
use crate::profile::Profile;
use crate::provider::Wire;
use crate::sandbox::Sandbox;
use crate::wire::{Answer, Call, Inbound};
use serde_json::Value;
use std::collections::BTreeMap;

/// One provider, simulated. What only some of them have has a default.
pub(crate) trait Desk: Sync {
    /// How it keeps its books, and when it sends again.
    fn profile(&self) -> &'static Profile;

    /// What a request is about; `None` if it is no request of this provider's.
    fn call(&self, inbound: &Inbound) -> Option<Call>;

    /// Serves a request. The faults that only the provider can play are its own: `Contradict` (of an unpaid trade too),
    /// `Paying`, `HoldRefund`, an answer without a signature or with a bad one.
    fn handle(&self, sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer;

    /// Refuses a request without looking at it.
    fn refuse(&self, sandbox: &Sandbox, inbound: &Inbound, what: Misbehaviour) -> Answer;

    /// Writes and signs a callback, as of `now`.
    fn notify(&self, notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest;

    /// Whether an answer to a callback of this protocol is an acknowledgement.
    fn accepted(&self, wire: Wire, status: u16, body: &str) -> bool;

    /// Whether a callback is this provider's.
    fn wrote(&self, callback: &SignedRequest) -> bool;

    /// Whether a callback of this provider's can be spoilt so. Few sign a time that the receiver is told to look at.
    fn fits(&self, _callback: &SignedRequest, how: Forgery) -> bool {
        how != Forgery::OldTimestamp
    }

    /// Spoils a callback of this provider's, in a way that fits.
    fn forge(&self, sandbox: &Sandbox, callback: &mut SignedRequest, how: Forgery);

    /// The client's SDK, where payments begin in it.
    fn sdk(&self) -> Option<&dyn Sdk> {
        None
    }

    /// Opens what a wallet opens by itself, an order string or a page's URL, and answers the number that is to be paid;
    /// `None` where wallets open nothing.
    fn open_text(&self, _sandbox: &Sandbox, _text: &str) -> Option<Result<String, String>> {
        None
    }

    /// How callbacks of a protocol are signed whose text is signed as it stands; `None` where texts are escaped.
    fn plain_text<'a>(&self, _merchant: &'a Merchant, _wire: Wire) -> Option<PlainText<'a>> {
        None
    }
}

/// A provider's SDK on the client, which takes `orderInfo`.
pub(crate) trait Sdk: Sync {
    /// Checks what the server made, and answers the number that is to be paid. `merchant` names the owner of the app
    /// that the SDK runs in.
    ///
    /// # Errors
    /// What the provider has against it.
    fn open(&self, sandbox: &Sandbox, order_info: &Value, merchant: Option<&str>) -> Result<String, String>;

    /// What it hands back after a payment.
    fn result(&self, _sandbox: &Sandbox, _trade: &Trade) -> Value {
        Value::Null
    }
}

/// Fields in the byte order of their names.
pub(crate) type Fields = BTreeMap<String, String>;

/// A callback that signs `name=value&…` with nothing escaped.
pub(crate) struct PlainText<'a> {
    /// The field in which the payer's own text is.
    pub(crate) host: &'static str,
    /// Reads a callback's fields.
    pub(crate) read: fn(&SignedRequest) -> Result<Fields, String>,
    /// Signs fields, all but `sign` and `sign_type`.
    pub(crate) sign: Box<dyn Fn(&Fields) -> String + 'a>,
    /// Writes fields in place of a callback's own.
    pub(crate) write: fn(SignedRequest, &Fields) -> SignedRequest,
}

/// Puts the sandbox together. A row: the provider, and its folder, which has a `Desk` and `Keys`.
macro_rules! desks {
    ($( $(#[$attribute:meta])* $provider:ident => $folder:ident, )+) => {
        /// Everything that both sides know of one merchant: its own keys and the providers' keys that answer it.
        ///
        /// Key material is as the providers' consoles hand it out. It is throwaway: keep it in a file if a sandbox shall
        /// outlive its process, never anywhere else.
        #[derive(Clone, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the names are the providers'")]
        pub struct MerchantKeys {
            pub id: String,
            $( $(#[$attribute])* pub $folder: $folder::Keys, )+
        }

        impl MerchantKeys {
            pub(crate) fn from_seed(seed: &Seed<'_>) -> Self {
                Self {
                    id: seed.id.to_owned(),
                    $( $folder: ProviderKeys::generate(seed), )+
                }
            }

            /// A configuration fragment `{"wxpay": …, "alipay": …, …}` of all providers, with VK-Pay's keys (vkpay.md
            /// section 1). `base_url` is the sandbox's.
            pub fn config_with(&self, base_url: &str, mode: Mode) -> Value {
                let base = base_url.trim_end_matches('/');
                let mut config = Map::new();
                $( config.insert(Provider::$provider.name().to_owned(), self.$folder.config(base, mode)); )+
                Value::Object(config)
            }

            /// Reads all keys; `None` if one cannot be read.
            pub(crate) fn open(&self) -> Option<Merchant> {
                let merchant = Merchant::new(&self.id);
                $( let merchant = merchant.with(Provider::$provider, &self.$folder)?; )+
                Some(merchant)
            }
        }

        /// A provider's desk.
        pub(crate) const fn of(provider: Provider) -> &'static dyn Desk {
            match provider {
                $( Provider::$provider => &$folder::Desk, )+
            }
        }
    };
}
pub(crate) use desks;
