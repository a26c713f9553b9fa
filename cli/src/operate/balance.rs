//! `vk-pay balance`: what the merchant has at a provider.

use super::args::{Common, day, provider};
use super::text::{Table, money};
use super::{Failure, Session, rows};
use clap::Args;
use serde_json::{Map, Value, json};
use shared::domain::action::Transfers;
use shared::domain::{Day, Fen, Provider};

/// Whose balance.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The provider: wxpay or alipay
    #[arg(value_name = "PROVIDER", value_parser = provider)]
    provider: Provider,
    /// The merchant: `default`, or a key of `merchants`
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,
    /// The account at WeChat Pay: BASIC, OPERATION or FEES
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// At the end of this day, Beijing time (WeChat Pay)
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    day: Option<Day>,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let mut data = Map::from_iter([("provider".to_owned(), json!(arguments.provider))]);
    let given = [
        ("pid", arguments.merchant),
        ("account_type", arguments.account),
        ("date", arguments.day.map(|day| day.to_string())),
    ];
    for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        data.insert(name.to_owned(), json!(value));
    }
    let mut document = session.call(Transfers::QueryBalance, data).await?.body;
    document["place"] = rows::place(&session);
    session.show(&document, || lines(&session, &document))
}

fn lines(session: &Session, reply: &Value) -> Vec<String> {
    let amount = |name: &str| reply.get(name).and_then(Value::as_u64).map(|fen| money(Fen(fen)));
    let mut table = Table::new(&["", ""]);
    let rows = [
        (session.t("可用余额", "available"), amount("available_amount")),
        (session.t("不可用余额", "not available"), amount("pending_amount")),
        (session.t("合计", "in all"), amount("total_amount")),
    ];
    for (title, amount) in rows.into_iter().filter_map(|(title, amount)| Some((title, amount?))) {
        table.row([title.to_owned(), amount]);
    }
    std::iter::once(session.place()).chain(table.lines().into_iter().skip(1)).collect()
}
