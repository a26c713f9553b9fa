//! A merchant at a provider that writes bills.

use crate::bill::{FundStatement, Statement};
use crate::driver::{Cx, Driver};
use crate::{CallError, Merchant, Node, ProviderClients};
use domain::{Day, Provider, UnixMs};

/// A merchant at a provider that has bills: one file a day, whatever nodes of ours it has.
pub struct Account {
    /// The provider.
    pub provider: Provider,
    /// WeChat Pay's merchant number, Alipay's application.
    pub id: String,
    node: Node,
}

impl Account {
    /// The accounts of a merchant at a provider, each once; none where the provider has no bills.
    pub fn of(merchant: &Merchant, provider: Provider) -> Vec<Self> {
        on_provider!(provider, P => P::accounts(merchant))
    }

    /// Accounts by their id, each with the first of its nodes.
    pub(crate) fn each<'a>(nodes: impl Iterator<Item = (&'a str, Node)>) -> Vec<Self> {
        let mut accounts: Vec<Self> = Vec::new();
        for (id, node) in nodes {
            if accounts.iter().all(|own| own.id != id) {
                accounts.push(Self { provider: node.provider(), id: id.to_owned(), node });
            }
        }
        accounts
    }

    /// Whether a payment's ids at the provider are this account's.
    pub fn took(&self, mch_id: Option<&str>, app_id: Option<&str>) -> bool {
        on_provider!(self.provider, P => P::billed_as(mch_id, app_id)) == Some(self.id.as_str())
    }

    /// Asks for the bill of a day, downloads and reads it. `now` is for the signatures.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn bill(&self, clients: &ProviderClients, day: Day, now: UnixMs) -> Result<Statement, CallError> {
        let cx = Cx { clients, merchant: "", now };
        on_node!(&self.node, node => Box::pin(node.bill(cx, day)).await)
    }

    /// The same of the fund-flow bill; `None` where the provider has none.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn funds(
        &self,
        clients: &ProviderClients,
        day: Day,
        now: UnixMs,
    ) -> Result<Option<FundStatement>, CallError> {
        let cx = Cx { clients, merchant: "", now };
        on_node!(&self.node, node => Box::pin(node.funds(cx, day)).await)
    }
}
