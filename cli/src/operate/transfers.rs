//! `vk-pay transfers`: those that have not ended, or one by its number.
//!
//! What has not ended is due, and stands in that index. An ended transfer is in no list: it is found by its number.

use super::accounts::{Which, first_of};
use super::args::{Common, day};
use super::progress::{AT_ONCE, Count, shown as shown_while};
use super::text::{Table, clean, moment, moment_or_dash, money, zone};
use super::{Failure, Session, rows};
use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use shared::domain::{Day, Transfer, TransferState};
use shared::store::{Due, StoreError};

/// Which transfers.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The number of one, ended or not
    no: Option<String>,
    /// Only those that were started on this day, Beijing time
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, conflicts_with = "no")]
    day: Option<Day>,
    /// Only in this state: PROCESSING, WAIT_USER_CONFIRM, CANCELING, UNKNOWN
    #[arg(long, value_name = "STATE", value_parser = state, conflicts_with = "no")]
    state: Option<TransferState>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pub(super) common: Common,
}

fn state(text: &str) -> Result<TransferState, String> {
    let read = serde_json::from_value::<TransferState>(json!(text.to_ascii_uppercase()));
    match read {
        Ok(state) if state.is_open() => Ok(state),
        Ok(_) => Err("a transfer in this state has ended, and is in no list: name its number".to_owned()),
        Err(_) => Err("not a state: PROCESSING, WAIT_USER_CONFIRM, CANCELING, UNKNOWN".to_owned()),
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let list = match &arguments.no {
        Some(no) => vec![find(&session, &arguments, no).await?],
        None => open(&session, &arguments).await?,
    };
    let document = json!({ "list": list.iter().map(shown).collect::<Vec<_>>(), "place": rows::place(&session) });
    session.show(&document, || lines(&session, &list, arguments.no.is_some()))
}

async fn find(session: &Session, arguments: &Arguments, no: &str) -> Result<Transfer, Failure> {
    let mut accounts = arguments.which.accounts(session).await?;
    accounts.dedup_by(|a, b| a.merchant == b.merchant);
    let store = &session.target.store;
    let found = first_of(&accounts, |account| async move { store.transfer(&account.merchant, no).await });
    found.await?.ok_or_else(|| {
        Failure::refused(format!("{} {}", session.t("没有这笔转账：", "there is no transfer"), clean(no)))
    })
}

async fn open(session: &Session, arguments: &Arguments) -> Result<Vec<Transfer>, Failure> {
    arguments.which.check(session).await?;
    let store = &session.target.store;
    let keys: Vec<String> = super::due::all(session)
        .await?
        .into_iter()
        .filter_map(|due| match due {
            Due::Transfer(key) => Some(key),
            Due::Order(_)
            | Due::Refund(..)
            | Due::Share(..)
            | Due::Return(..)
            | Due::Task(..)
            | Due::Authorization(_) => None,
        })
        .collect();
    let count = Count::of(keys.len());
    let transfers = keys.iter().map(|key| {
        let count = &count;
        async move {
            let transfer = store.transfer_by_key(key).await?;
            count.add();
            Ok::<_, StoreError>(transfer)
        }
    });
    let read = stream::iter(transfers).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>();
    let mut list: Vec<Transfer> = shown_while(session, &count, read).await?.into_iter().flatten().collect();
    let wanted = |transfer: &Transfer| {
        arguments.day.is_none_or(|day| Day::of(transfer.create_date) == day)
            && arguments.state.is_none_or(|state| transfer.state == state)
            && arguments.which.has(transfer.provider, &transfer.merchant)
    };
    list.retain(wanted);
    list.sort_by_key(|transfer| std::cmp::Reverse(transfer.create_date));
    Ok(list)
}

/// A transfer in JSON, without who gets it: that is personal data.
fn shown(transfer: &Transfer) -> Value {
    let mut fields = transfer.shown();
    fields.insert("merchant".to_owned(), json!(transfer.merchant));
    fields.insert("node".to_owned(), json!(transfer.node));
    fields.insert("create_date".to_owned(), json!(transfer.create_date));
    fields.insert("end_date".to_owned(), json!(transfer.end_date));
    fields.insert("source".to_owned(), json!(transfer.source));
    fields.insert("transfer_remark".to_owned(), json!(transfer.transfer_remark));
    fields.remove("options");
    Value::Object(fields)
}

fn lines(session: &Session, list: &[Transfer], one: bool) -> Vec<String> {
    let mut table = Table::new(&[
        session.t("转账单号", "transfer"),
        session.t(">金额", ">amount"),
        session.t("状态", "state"),
        session.t("渠道说", "the provider says"),
        session.t("渠道", "provider"),
        session.t("商户", "merchant"),
        session.t("渠道单号", "number there"),
        session.t("发起", "begun"),
        session.t("结束", "ended"),
        session.t("说明", "reason"),
    ]);
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    for transfer in list {
        table.row([
            transfer.out_bill_no.clone(),
            money(transfer.transfer_amount),
            transfer.state.name().to_owned(),
            text(&transfer.provider_state),
            transfer.provider.name().to_owned(),
            transfer.merchant.clone(),
            text(&transfer.transfer_bill_no),
            moment(transfer.create_date),
            moment_or_dash(transfer.end_date),
            text(&transfer.fail_reason),
        ]);
    }
    let mut lines = vec![session.place()];
    match table.is_empty() {
        true => lines.push(session.t("没有未结束的转账。", "No transfer is under way.").to_owned()),
        false => lines.extend(table.lines()),
    }
    if !one {
        lines.push(
            session
                .t(
                    "已结束的转账不在列表里：vk-pay transfers 单号",
                    "Finished transfers are not listed: vk-pay transfers NO",
                )
                .to_owned(),
        );
    }
    lines.push(zone(session.lang).to_owned());
    lines
}
