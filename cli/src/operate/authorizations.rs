//! `vk-pay authorizations`: those that payees have yet to give, or one by its number.
//!
//! What was given or closed is due no more, and stands in no list: it is found by its number.

use super::accounts::Which;
use super::args::Common;
use super::text::{Table, clean, moment, moment_or_dash, zone};
use super::{Failure, Session, rows};
use clap::Args;
use serde_json::{Value, json};
use shared::domain::{Authorization, UnixMs};
use shared::store::Due;

/// Which authorisations.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The number of one, given or not
    no: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let list = match &arguments.no {
        Some(no) => vec![find(&session, &arguments, no).await?],
        None => waiting(&session, &arguments).await?,
    };
    let document = json!({ "list": list.iter().map(shown).collect::<Vec<_>>(), "place": rows::place(&session) });
    session.show(&document, || lines(&session, &list, arguments.no.is_some()))
}

async fn find(session: &Session, arguments: &Arguments, no: &str) -> Result<Authorization, Failure> {
    let accounts = arguments.which.accounts(session).await?;
    let mut merchants: Vec<&str> = accounts.iter().map(|account| account.merchant.as_str()).collect();
    merchants.dedup();
    let store = &session.target.store;
    for merchant in merchants {
        let found = match store.authorization(merchant, no).await? {
            None => store.authorization_of_id(merchant, no).await?,
            found => found,
        };
        if let Some(authorization) = found {
            return Ok(authorization);
        }
    }
    Err(Failure::refused(format!("{} {}", session.t("没有这个授权：", "there is no authorisation"), clean(no))))
}

async fn waiting(session: &Session, arguments: &Arguments) -> Result<Vec<Authorization>, Failure> {
    let store = &session.target.store;
    let mut list = Vec::new();
    for shard in 0..store.due_shards() {
        let mut cursor = None;
        loop {
            let (items, next) = store.due(shard, UnixMs::new(i64::MAX), cursor).await?;
            for item in items {
                let Due::Authorization(key) = item.what else { continue };
                list.extend(store.authorization_by_key(&key).await?);
            }
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
    }
    list.retain(|authorization| arguments.which.has(authorization.provider, &authorization.merchant));
    list.sort_by_key(|authorization| std::cmp::Reverse(authorization.create_date));
    Ok(list)
}

/// An authorisation in JSON, without who gives it: that is personal data.
fn shown(authorization: &Authorization) -> Value {
    let mut fields = authorization.shown();
    fields.insert("merchant".to_owned(), json!(authorization.merchant));
    fields.insert("create_date".to_owned(), json!(authorization.create_date));
    fields.insert("end_date".to_owned(), json!(authorization.end_date));
    fields.insert("source".to_owned(), json!(authorization.source));
    fields.insert("transfer_scene_id".to_owned(), json!(authorization.transfer_scene));
    fields.remove("options");
    Value::Object(fields)
}

fn lines(session: &Session, list: &[Authorization], one: bool) -> Vec<String> {
    let mut table = Table::new(&[
        session.t("授权单号", "authorisation"),
        session.t("状态", "state"),
        session.t("渠道", "provider"),
        session.t("商户", "merchant"),
        session.t("渠道单号", "number there"),
        session.t("发起", "begun"),
        session.t("关闭", "closed"),
        session.t("说明", "reason"),
    ]);
    let text = |value: Option<&String>| value.cloned().unwrap_or_else(|| "-".to_owned());
    for authorization in list {
        table.row([
            authorization.out_authorization_no.clone(),
            authorization.state.name().to_owned(),
            authorization.provider.name().to_owned(),
            authorization.merchant.clone(),
            text(authorization.authorization_id.as_ref()),
            moment(authorization.create_date),
            moment_or_dash(authorization.end_date),
            text(authorization.close_reason.as_ref().or(authorization.fail_reason.as_ref())),
        ]);
    }
    let mut lines = vec![session.place()];
    match table.is_empty() {
        true => lines.push(session.t("没有等待收款人确认的授权。", "No authorisation waits for its payee.").to_owned()),
        false => lines.extend(table.lines()),
    }
    if !one {
        let others = session.t(
            "已生效和已关闭的授权不在列表里：vk-pay authorizations 单号",
            "Those that were given or closed are in no list: vk-pay authorizations NO",
        );
        lines.push(others.to_owned());
    }
    lines.push(zone(session.lang).to_owned());
    lines
}
