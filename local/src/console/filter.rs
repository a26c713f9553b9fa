//! What of the orders is asked for, by the query of a page.

use super::rows::is_undelivered;
use super::text::Lang;
use super::view::View;
use shared::domain::{Day, Order, Provider, Status, UnixMs};
use shared::store::ListedAccount;

/// The days that are shown where none are named, today included.
const USUAL_DAYS: i64 = 7;
/// How many days a page may span.
pub(super) const MOST_DAYS: i64 = 31;
/// How many days a file may span: it is written as it is read.
pub(super) const MOST_DAYS_OF_FILE: i64 = 366;

/// The states that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Paid, and nothing went back.
    Paid,
    /// Refunded in part or whole.
    Refunded,
    /// Paid and not delivered.
    Undelivered,
    /// Not paid yet: what the schedule looks after, whatever the day.
    Open,
}

impl State {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Paid, Self::Refunded, Self::Undelivered, Self::Open];

    /// Its name in the query.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Paid => "SUCCESS",
            Self::Refunded => "REFUND",
            Self::Undelivered => "undelivered",
            Self::Open => "NOTPAY",
        }
    }

    /// Its name for the reader.
    pub(super) const fn title(self, lang: Lang) -> &'static str {
        match self {
            Self::Paid => lang.t("已支付", "Paid"),
            Self::Refunded => lang.t("有退款", "Refunded"),
            Self::Undelivered => lang.t("未交付", "Not delivered"),
            Self::Open => lang.t("待支付", "Unpaid"),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    /// A number, a transaction, a user, or a part of a subject.
    pub search: Option<String>,
    /// The first day.
    pub from: Day,
    /// The last one.
    pub to: Day,
    /// The state.
    pub state: Option<State>,
    /// The provider.
    pub provider: Option<Provider>,
    /// The merchant.
    pub merchant: Option<String>,
    /// The type.
    pub kind: Option<String>,
    /// The user.
    pub user: Option<String>,
}

impl Filter {
    /// Reads the query. The error is a sentence.
    pub(super) fn read(view: &View, now: UnixMs, most_days: i64) -> Result<Self, String> {
        let lang = view.lang;
        let today = Day::of(now);
        let day = |name: &str| match view.field(name) {
            None => Ok(None),
            Some(text) => Day::parse(&text).map(Some).ok_or_else(|| {
                let zh = format!("{name}：日期须为 YYYY-MM-DD");
                lang.t(&zh, &format!("{name}: a day is written YYYY-MM-DD")).to_owned()
            }),
        };
        let (one, from, to) = (day("day")?, day("from")?, day("to")?);
        let to =
            one.or(to).unwrap_or_else(|| from.map_or(today, |from| from.before(1 - USUAL_DAYS).min(today.max(from))));
        let from = one.or(from).unwrap_or_else(|| to.before(USUAL_DAYS - 1));
        if from > to {
            return Err(lang.t("起始日期晚于结束日期", "the first day is after the last one").to_owned());
        }
        if to.before(most_days - 1) > from {
            let zh = format!("最多 {most_days} 天");
            return Err(lang.t(&zh, &format!("at most {most_days} days")).to_owned());
        }
        let state = view.field("state");
        let known = |name: &String| State::ALL.into_iter().find(|state| state.name() == name);
        let provider = view.field("provider");
        Ok(Self {
            search: view.field("q"),
            from,
            to,
            state: match &state {
                None => None,
                Some(name) => {
                    Some(known(name).ok_or_else(|| lang.t("没有这种状态", "there is no such state").to_owned())?)
                }
            },
            provider: match &provider {
                None => None,
                Some(name) => Some(
                    Provider::parse(name)
                        .ok_or_else(|| lang.t("没有这个渠道", "there is no such provider").to_owned())?,
                ),
            },
            merchant: view.field("merchant"),
            kind: view.field("type"),
            user: view.field("user"),
        })
    }

    /// What is wrong with the merchant that is asked for, where those that there are are known.
    pub(super) fn strange_merchant(&self, all: &[ListedAccount], lang: Lang) -> Option<String> {
        let wanted = self.merchant.as_ref().filter(|id| !all.iter().any(|own| own.merchant == **id))?;
        let mut names: Vec<&str> = all.iter().map(|own| own.merchant.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let names = names.join(", ");
        let (zh, en) = (
            format!("没有这个商户：{wanted}。已有：{names}"),
            format!("there is no merchant {wanted}. There are: {names}"),
        );
        (!names.is_empty()).then(|| lang.t(&zh, &en).to_owned())
    }

    /// Whose payments are meant.
    pub(super) fn accounts(&self, all: Vec<ListedAccount>) -> Vec<ListedAccount> {
        let is = |own: &ListedAccount| {
            self.provider.is_none_or(|provider| own.provider == provider)
                && self.merchant.as_ref().is_none_or(|merchant| own.merchant == *merchant)
        };
        all.into_iter().filter(is).collect()
    }

    /// Whether an order is meant, wherever it was found.
    pub(super) fn fits(&self, order: &Order) -> bool {
        let state = match self.state {
            None => true,
            Some(State::Paid) => order.trade_state == Status::Success,
            Some(State::Refunded) => order.trade_state == Status::Refund,
            Some(State::Undelivered) => is_undelivered(order),
            Some(State::Open) => order.trade_state == Status::NotPay,
        };
        state
            && self.provider.is_none_or(|provider| order.provider == provider)
            && self.merchant.as_ref().is_none_or(|merchant| order.merchant == *merchant)
            && self.kind.as_ref().is_none_or(|kind| order.kind == *kind)
            && self.user.as_ref().is_none_or(|user| order.user_id.as_ref() == Some(user))
    }

    /// Whether its subject holds what is looked for.
    pub(super) fn speaks_of(&self, order: &Order) -> bool {
        let holds =
            |text: &str| self.search.as_ref().is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()));
        holds(&order.description)
    }

    /// Whether anything but days is asked for that a list of days has to be read for.
    pub(super) const fn is_narrow(&self) -> bool {
        self.search.is_some() || self.state.is_some() || self.kind.is_some()
    }
}
