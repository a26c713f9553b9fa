//! Whose payments are listed: merchants at providers.
//!
//! The stack of this machine says which merchants its configuration has. On AWS the configuration is not read, which would
//! take a right to its secrets: there, the reports of bills name the accounts that are checked each day.

use super::{Failure, Session};
use clap::Args;
use shared::domain::{Day, Provider};
use shared::store::ListedAccount;
use std::collections::BTreeSet;

/// How far back a report tells of an account.
const REPORTED: i64 = 45;

/// Which accounts are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Which {
    /// Only this provider
    #[arg(long, value_name = "NAME", value_parser = super::args::provider)]
    pub(crate) provider: Option<Provider>,
    /// Only this merchant: `default`, or a key of `merchants` (may be repeated)
    #[arg(long, value_name = "ID")]
    pub(crate) merchant: Vec<String>,
}

impl Which {
    /// Whether an account is wanted.
    pub(super) fn has(&self, provider: Provider, merchant: &str) -> bool {
        self.provider.is_none_or(|own| own == provider)
            && (self.merchant.is_empty() || self.merchant.iter().any(|own| own == merchant))
    }

    /// The accounts, in order.
    pub(super) async fn accounts(&self, session: &Session) -> Result<Vec<ListedAccount>, Failure> {
        let merchants: BTreeSet<String> = match (self.merchant.is_empty(), &session.target.merchants) {
            (false, _) => self.merchant.iter().cloned().collect(),
            (true, Some(known)) => known.iter().cloned().collect(),
            (true, None) => {
                let since = Day::of(session.now()).before(REPORTED);
                let reports = session.target.store.bill_reports_since(since).await?;
                reports.into_iter().map(|report| report.merchant).chain(["default".to_owned()]).collect()
            }
        };
        let of = |merchant: String| {
            let at = move |provider| ListedAccount { provider, merchant: merchant.clone() };
            Provider::ALL.into_iter().filter(|own| self.provider.is_none_or(|wanted| wanted == *own)).map(at)
        };
        Ok(merchants.into_iter().flat_map(of).collect())
    }
}
