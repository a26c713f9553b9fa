//! Whose payments are listed: merchants at providers.
//!
//! The stack of this machine says which merchants its configuration has. On AWS the configuration is not read, which would
//! take a right to its secrets: there, the reports of bills name the accounts that are checked each day.

use super::progress::AT_ONCE;
use super::text::clean;
use super::{Failure, Session, note};
use crate::lang::Lang;
use clap::Args;
use futures::stream::{self, StreamExt};
use shared::domain::{Day, Provider};
use shared::store::ListedAccount;
use std::collections::{BTreeSet, HashSet};
use vk_pay_local::target::Place;

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
    /// Every account.
    pub(super) const fn all() -> Self {
        Self { provider: None, merchant: Vec::new() }
    }

    /// Whether an account is wanted.
    pub(super) fn has(&self, provider: Provider, merchant: &str) -> bool {
        self.provider.is_none_or(|own| own == provider)
            && (self.merchant.is_empty() || self.merchant.iter().any(|own| own == merchant))
    }

    /// That the merchants which are named are there. The configuration of a stack of this machine knows; on AWS, where it is
    /// not read, a merchant without a lately checked bill is only remarked on.
    pub(super) async fn check(&self, session: &Session) -> Result<(), Failure> {
        if self.merchant.is_empty() {
            return Ok(());
        }
        let known = merchants(session).await?;
        let strange: Vec<&String> = self.merchant.iter().filter(|id| !known.contains(*id)).collect();
        let Some(strange) = strange.first().map(|id| clean(id)) else { return Ok(()) };
        let names = known.into_iter().collect::<Vec<_>>().join(", ");
        match (&session.target.merchants, session.lang) {
            (Some(_), Lang::Zh) => Err(Failure::usage(format!("--merchant {strange}：没有这个商户。已有：{names}"))),
            (Some(_), Lang::En) => {
                Err(Failure::usage(format!("--merchant {strange}: there is no such merchant. There are: {names}")))
            }
            (None, Lang::Zh) => {
                note(&format!("商户 {strange} 最近 {REPORTED} 天没有对过账单；对过的有：{names}"));
                Ok(())
            }
            (None, Lang::En) => {
                note(&format!(
                    "no bill of the merchant {strange} was checked in the last {REPORTED} days; those whose bills were: {names}"
                ));
                Ok(())
            }
        }
    }

    /// The accounts, in order.
    pub(super) async fn accounts(&self, session: &Session) -> Result<Vec<ListedAccount>, Failure> {
        self.check(session).await?;
        let merchants = match self.merchant.is_empty() {
            false => self.merchant.iter().cloned().collect(),
            true => merchants(session).await?,
        };
        let of = |merchant: String| {
            let at = move |provider| ListedAccount { provider, merchant: merchant.clone() };
            Provider::ALL.into_iter().filter(|own| self.provider.is_none_or(|wanted| wanted == *own)).map(at)
        };
        Ok(merchants.into_iter().flat_map(of).collect())
    }
}

/// The merchants that are known: those of the configuration, or those whose bills were checked lately, and `default`.
async fn merchants(session: &Session) -> Result<BTreeSet<String>, Failure> {
    if let Some(known) = &session.target.merchants {
        return Ok(known.iter().cloned().collect());
    }
    let since = Day::of(session.now()).before(REPORTED);
    let reports = session.target.store.bill_reports_since(since).await?;
    Ok(reports.into_iter().map(|report| report.merchant).chain(["default".to_owned()]).collect())
}

/// On which days there is anything at all, by account, where the table is that of this machine and small: one read says it.
pub(super) async fn busy_days(session: &Session) -> Option<HashSet<(ListedAccount, Day)>> {
    match session.target.place {
        Place::Local { .. } => session.target.store.days_if_few().await.ok().flatten(),
        // Few have the right to scan there.
        Place::Aws { .. } => None,
    }
}

/// The first account of which something is found, some being asked at a time.
pub(super) async fn first_of<F, T, E>(
    accounts: &[ListedAccount],
    ask: impl Fn(ListedAccount) -> F,
) -> Result<Option<T>, Failure>
where
    F: Future<Output = Result<Option<T>, E>>,
    Failure: From<E>,
{
    let mut answers = stream::iter(accounts.iter().cloned().map(ask)).buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        if let Some(found) = answer? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
