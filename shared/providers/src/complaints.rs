//! A merchant's complaints at a provider: one list for each merchant number or application, whatever nodes of ours it has.

use crate::driver::{Cx, Driver};
use crate::{CallError, ComplaintAnswer, ComplaintEnd, ComplaintPage, Merchant, Node, ProviderClients};
use domain::{Complaint, ComplaintLine, Day, Provider, UnixMs};

/// Where a merchant's complaints at a provider are asked for and answered.
#[derive(Clone)]
pub struct ComplaintDesk {
    /// The provider.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// WeChat Pay's merchant number, Alipay's application, the mini program of virtual payment.
    pub account: String,
    /// Whether the configuration asks for its complaints to be looked for (`complaints` of one of its nodes).
    pub looked_for: bool,
    node: Node,
}

impl ComplaintDesk {
    /// The desks of a merchant at a provider, each account once; none where the provider has no complaints.
    pub fn of(merchant: &Merchant, provider: Provider) -> Vec<Self> {
        let mut desks: Vec<Self> = Vec::new();
        for (account, looked_for, node) in on_provider!(provider, P => P::complaint_accounts(merchant)) {
            match desks.iter_mut().find(|own| own.account == account) {
                Some(own) => own.looked_for |= looked_for,
                None => desks.push(Self { provider, merchant: merchant.id.clone(), account, looked_for, node }),
            }
        }
        desks
    }

    fn cx<'a>(&'a self, clients: &'a ProviderClients, now: UnixMs) -> Cx<'a> {
        Cx { clients, merchant: &self.merchant, now }
    }

    /// A page of the complaints that were made from a day to another, both in Asia/Shanghai and included; pages count from 0.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list(
        &self,
        clients: &ProviderClients,
        days: (Day, Day),
        page: u64,
        now: UnixMs,
    ) -> Result<ComplaintPage, CallError> {
        on_node!(&self.node, node => Box::pin(node.complaints(self.cx(clients, now), days, page)).await)
    }

    /// A complaint as it stands now; `None` when the provider has none of that id.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn find(
        &self,
        clients: &ProviderClients,
        complaint_id: &str,
        now: UnixMs,
    ) -> Result<Option<Complaint>, CallError> {
        let found = on_node!(&self.node, node => Box::pin(node.complaint(self.cx(clients, now), complaint_id)).await)?;
        match found {
            Some(other) if other.complaint_id != complaint_id => {
                Err(CallError::unknown("the answer is about another complaint"))
            }
            found => Ok(found),
        }
    }

    /// What was said about a complaint, the newest first where the provider has it so.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn history(
        &self,
        clients: &ProviderClients,
        complaint: &Complaint,
        now: UnixMs,
    ) -> Result<Vec<ComplaintLine>, CallError> {
        on_node!(&self.node, node => Box::pin(node.complaint_history(self.cx(clients, now), complaint)).await)
    }

    /// Answers the payer. Each call is an answer of its own.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn answer(
        &self,
        clients: &ProviderClients,
        answer: &ComplaintAnswer<'_>,
        now: UnixMs,
    ) -> Result<(), CallError> {
        on_node!(&self.node, node => Box::pin(node.answer_complaint(self.cx(clients, now), answer)).await)
    }

    /// Tells the provider that a complaint is done with.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn complete(
        &self,
        clients: &ProviderClients,
        end: &ComplaintEnd<'_>,
        now: UnixMs,
    ) -> Result<(), CallError> {
        on_node!(&self.node, node => Box::pin(node.complete_complaint(self.cx(clients, now), end)).await)
    }

    /// Has the provider send notices of complaints to this URL, in place of any other.
    ///
    /// # Errors
    /// See [`CallError`]. Providers that are told in their console refuse.
    pub async fn subscribe(&self, clients: &ProviderClients, url: &str, now: UnixMs) -> Result<(), CallError> {
        on_node!(&self.node, node => Box::pin(node.subscribe_complaints(self.cx(clients, now), url)).await)
    }
}
