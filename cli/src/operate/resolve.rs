//! `vk-pay resolve`: decides an incident.

use super::args::Common;
use super::confirm::confirm;
use super::rows::{field, place};
use super::text::{Table, clean, money};
use super::{Failure, Session};
use crate::lang::Lang;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use shared::domain::action::Refunds;
use shared::domain::{Code, Fen};
use shared::payments::actions_by_table;
use shared::store::{Action, IncidentStatus, Recorded};

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Decision {
    /// Credit the payment after all, and deliver the order
    Accept,
    /// Send the payment back, all of it
    Refund,
    /// Nothing but a note
    Close,
}

impl Decision {
    const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refund => "refund",
            Self::Close => "close",
        }
    }
}

/// Which incident, and what.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Its id, as `vk-pay incidents` shows it
    #[arg(value_name = "INCIDENT")]
    id: String,
    /// What is decided
    action: Decision,
    /// A note for whoever reads it later
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let recorded = session.target.store.incident(&arguments.id).await?;
    let missing = || {
        Failure::refused(format!("{} {}", session.t("没有这个异常：", "there is no incident"), clean(&arguments.id)))
    };
    let recorded = recorded.ok_or_else(missing)?;
    check(&session, &recorded, arguments.action).await?;
    let action = arguments.action.name();
    if arguments.action != Decision::Close {
        confirm(&session, &facts(&session, &recorded, arguments.action), arguments.yes)?;
    }
    let mut data = Map::new();
    data.insert("incident_id".to_owned(), json!(recorded.incident_id));
    data.insert("action".to_owned(), json!(action));
    if let Some(note) = &arguments.note {
        data.insert("note".to_owned(), json!(note));
    }
    let no = recorded.incident.out_trade_no.as_deref().unwrap_or("NO");
    let answer =
        session.call(Refunds::ResolveIncident, data).await.map_err(|failure| session.ask_again(failure, no))?;
    let mut document = answer.body;
    document["place"] = place(&session);
    session.show(&document, || lines(&session, &document))
}

/// That the incident is still open, and that the decision is one of those that it may take. The function looks again, and at
/// what the provider says.
async fn check(session: &Session, recorded: &Recorded, decision: Decision) -> Result<(), Failure> {
    let (id, incident) = (&recorded.incident_id, &recorded.incident);
    if recorded.status == IncidentStatus::Resolved {
        let by = recorded.action.map_or("-", name_of);
        let mut failure = Failure::refused(match session.lang {
            Lang::Zh => format!("异常 {} {id} 已经处理：{by}", incident.incident.name()),
            Lang::En => format!("the incident {} {id} is resolved already: {by}", incident.incident.name()),
        });
        failure.code = Some(Code::INCIDENT_RESOLVED.number);
        return Err(failure);
    }
    let possible = actions_by_table(&session.target.store, recorded).await?;
    if possible.iter().any(|action| name_of(*action) == decision.name()) {
        return Ok(());
    }
    let name = decision.name();
    let fits = possible.into_iter().map(name_of).collect::<Vec<_>>().join(", ");
    let fits = if fits.is_empty() {
        session.t("无，正在执行此前的决定", "none: what was decided is under way").to_owned()
    } else {
        fits
    };
    let mut failure = Failure::refused(match session.lang {
        Lang::Zh => format!("异常 {} {id} 不能 {name}。可以：{fits}", incident.incident.name()),
        Lang::En => format!("{name} does not fit the incident {} {id}. What does: {fits}", incident.incident.name()),
    });
    failure.code = Some(Code::INCIDENT_ACTION.number);
    Err(failure)
}

const fn name_of(action: Action) -> &'static str {
    match action {
        Action::Accept => Decision::Accept.name(),
        Action::Refund => Decision::Refund.name(),
        Action::Close => Decision::Close.name(),
    }
}

fn facts<'a>(session: &'a Session, recorded: &Recorded, decision: Decision) -> Vec<(&'a str, String)> {
    let incident = &recorded.incident;
    let payment = incident.payment.as_ref();
    let does = match decision {
        Decision::Accept => session.t("入账并交付", "credit it, and deliver the order"),
        Decision::Refund => session.t("全额退回付款人", "refund all of it to the payer"),
        Decision::Close => session.t("结案", "close"),
    };
    let amount = payment.and_then(|payment| payment.total).map_or_else(|| "?".to_owned(), money);
    let dash = || "-".to_owned();
    vec![
        (session.t("处理", "decision"), does.to_owned()),
        (session.t("金额", "amount"), amount),
        (session.t("异常", "incident"), format!("{} {}", incident.incident.name(), recorded.incident_id)),
        (session.t("订单", "order"), incident.out_trade_no.clone().unwrap_or_else(dash)),
        (session.t("商户", "merchant"), incident.merchant.clone()),
        (session.t("渠道", "provider"), incident.provider.name().to_owned()),
        (session.t("渠道单号", "transaction"), incident.transaction_id.clone().unwrap_or_else(dash)),
    ]
}

fn lines(session: &Session, reply: &Value) -> Vec<String> {
    let empty = Map::new();
    let reply = reply.as_object().unwrap_or(&empty);
    let mut table = Table::new(&["", ""]);
    for (zh, en, name) in [
        ("异常", "incident", "incident"),
        ("状态", "status", "status"),
        ("处理", "action", "action"),
        ("订单", "order", "out_trade_no"),
        ("退款单号", "refund", "out_refund_no"),
        ("退款状态", "refund's state", "refund_status"),
    ] {
        if reply.get(name).is_some_and(|value| !value.is_null()) {
            table.row([session.t(zh, en).to_owned(), field(reply, name)]);
        }
    }
    if let Some(fee) = reply.get("refund_fee").and_then(Value::as_u64) {
        table.row([session.t("退款金额", "amount").to_owned(), money(Fen(fee))]);
    }
    table.lines().into_iter().skip(1).collect()
}
