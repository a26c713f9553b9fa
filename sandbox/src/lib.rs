//! Seven payment providers, simulated at wire level: WeChat Pay (APIv3, APIv2, virtual payment), Alipay (gateway v2),
//! Apple, VksPay and epay, Douyin, Huawei.
//!
//! The sandbox is the providers' side, written from their public pages and independent of the bundle's own client: it
//! verifies signatures, enforces field rules, keeps a ledger, and sends signed callbacks on the providers' ladders.
//!
//! Modules, from the bottom to the top; each imports only what is further down in the house, which is further up in this table (`tests/layers.rs`):
//!
//! | module | what |
//! |---|---|
//! | `crypto`, `ids` | the providers' half of the cryptography; numbers and times in their shapes |
//! | `provider`, `profile` | who there is, and what the books need to know of them |
//! | `faults`, `common` | rules by which it misbehaves; what several providers speak |
//! | `wire` | requests and answers |
//! | `merchant` | a registered merchant: an account with each provider |
//! | `ledger`, `complaints`, `transfers`, `authorizations`, `bills` | trades and refunds; complaints; transfers; payees who confirm none; bills of a day |
//! | `outbox`, `forgery` | callbacks and their repetitions; the ways to spoil one |
//! | `state`, `sandbox` | all that is remembered; the sandbox as its providers know it |
//! | `desk` | what a provider is to the sandbox: the trait `Desk` |
//! | `wechat`, `alipay`, `apple`, `vkspay`, `virtual_pay`, `douyin`, `huawei` | one provider, one folder |
//! | `desks` | the table of them, below |
//! | `callbacks`, `resplit`, `wallet` | sends callbacks; splits signed texts; the payer |
//! | `control`, `server` | the same as JSON below `/sandbox/api/`; every wire endpoint |
//!
//! **Not simulated:** the client certificate that APIv2 demands for refund and reverse. Over plain loopback HTTP there is
//! no TLS to see it in, so `/secapi/…` takes the signature alone.

#![cfg_attr(not(test), warn(clippy::unwrap_used, unreachable_pub))]

mod alipay;
mod apple;
mod authorizations;
mod bills;
mod callbacks;
mod common;
mod complaints;
mod control;
mod crypto;
mod desk;
mod douyin;
mod faults;
mod forgery;
mod huawei;
mod ids;
mod ledger;
mod merchant;
mod outbox;
mod profile;
mod provider;
mod resplit;
mod sandbox;
mod server;
mod state;
mod transfers;
mod virtual_pay;
mod vkspay;
mod wallet;
mod wechat;
mod wire;

pub use authorizations::{Authorization, AuthorizationOutcome, AuthorizationState};
pub use bills::BillTamper;
pub use complaints::{Complaint, ComplaintLine, ComplaintState, ComplaintWish};
pub use desks::MerchantKeys;
pub use faults::{Endpoint, Fault, Misbehaviour, Op};
pub use forgery::Forgery;
pub use ledger::{
    Refund, RefundOutcome, RefundState, Share, ShareReceiver, ShareReturn, Sharing, Shipment, Trade, TradeState,
};
pub use outbox::{CallbackKind, Delivery, DeliveryState, ShippingEvent, SignedRequest};
pub use provider::{DouyinProduct, Epay, Mode, Provider, Wire};
pub use sandbox::{Clock, Options, Sandbox};
pub use transfers::{Transfer, TransferOutcome, TransferState};
pub use wallet::{ClientPaid, Paid, Pay};
pub use wire::LoggedRequest;

/// The table of the providers. One row is one folder: its `Desk` serves, its `Keys` are made up and configured.
mod desks {
    use crate::desk::{Desk, desks};
    use crate::merchant::{Merchant, ProviderKeys, Seed};
    use crate::provider::{Mode, Provider};
    use crate::{alipay, apple, douyin, huawei, virtual_pay, vkspay, wechat};
    use serde::{Deserialize, Serialize};
    use serde_json::{Map, Value};

    // Files of keys have those of the first two at their top level.
    desks! {
        #[serde(flatten)]
        Wxpay => wechat,
        #[serde(flatten)]
        Alipay => alipay,
        Appleiap => apple,
        Vkspay => vkspay,
        WxpayVirtual => virtual_pay,
        Douyin => douyin,
        Huawei => huawei,
    }

    /// Every desk, the first one of the list last: it takes the requests that are nobody's.
    pub(crate) fn all() -> impl Iterator<Item = &'static dyn Desk> {
        Provider::ALL.into_iter().rev().map(of)
    }
}

impl MerchantKeys {
    /// Makes all keys and certificates. `id` names the merchant in the sandbox; ten digits are taken as the mchid itself.
    pub fn generate(id: &str) -> Self {
        let trio = || [crypto::RsaKey::generate(), crypto::RsaKey::generate(), crypto::RsaKey::generate()];
        let ([authority, ours, theirs], more) = std::thread::scope(|scope| {
            let other = scope.spawn(trio);
            (trio(), other.join().expect("a key generator thread"))
        });
        Self::from_seed(&merchant::Seed { id, authority, ours, theirs, more })
    }

    /// The default configuration: APIv3 with the WeChat Pay public key, Alipay in key mode.
    pub fn config(&self, base_url: &str) -> serde_json::Value {
        self.config_with(base_url, Mode::default())
    }
}

impl Sandbox {
    /// An empty sandbox.
    pub fn new(options: Options) -> Self {
        let sandbox = Self::empty(options, |provider| desks::of(provider).profile());
        sandbox.start_delivery();
        sandbox
    }

    /// All wire endpoints, and the control endpoints below `/sandbox/`.
    pub fn router(&self) -> axum::Router {
        self.start_delivery();
        server::router(self.clone())
    }

    /// Adds a merchant, or replaces the one with the same mchid.
    ///
    /// # Panics
    /// If a key in `merchant` cannot be read.
    pub fn register(&self, merchant: &MerchantKeys) {
        self.add_merchant(merchant.open().expect("readable keys"), Provider::ALL[0]);
    }
}

impl Provider {
    /// Whether a payment begins in the client's SDK, which takes `orderInfo`: see [`Sandbox::client_pay`].
    pub fn begins_at_client(self) -> bool {
        desks::of(self).sdk().is_some()
    }
}
