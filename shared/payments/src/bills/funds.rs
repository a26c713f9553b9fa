//! The fund-flow bill of a day: its fees against those of the trade bill, its payouts against the transfers of the table.
//!
//! The trade bill comes first, and does not depend on this one.

use super::{BillsReply, Job, speaks_for};
use crate::Context;
use crate::incident_record::ring;
use domain::{Failure, Fen, Provider, Transfer, TransferState};
use providers::Account;
use providers::bill::{BilledTransfer, FundFlow, FundStatement};
use serde_json::{Value, json};
use store::{BillState, FundsReport, Incident, IncidentName, Recording};

/// How far the fees of a line may be apart, in thousandths of a fen: one bill rounds each to fen, the other does not.
const ROUNDING: u64 = 500;

/// What the fund-flow bills of a merchant's accounts come to; `None` where there are none of the kind. `fees` are the trade
/// bill's, in thousandths of a fen. With it the differences.
pub(super) async fn check(
    cx: &Context<'_>,
    job: &Job<'_>,
    accounts: &[Account],
    fees: Option<i64>,
    reply: &mut BillsReply,
) -> Result<Option<(FundsReport, u64)>, Failure> {
    let (mut sum, mut found, mut differences) = (FundFlow::default(), false, 0);
    // Of several merchants with one account the first speaks for it.
    for account in accounts.iter().filter(|account| speaks_for(job, account)) {
        match account.funds(cx.clients, job.day, cx.now()).await {
            Ok(None) => {}
            Ok(Some(FundStatement::Empty)) => found = true,
            Ok(Some(FundStatement::NotYet)) => {
                reply.pending += 1;
                return Ok(Some((unread(BillState::Pending, None), differences)));
            }
            Ok(Some(FundStatement::Ready(flow))) => {
                found = true;
                for transfer in &flow.transfers {
                    differences += u64::from(paid_out(cx, job, account, transfer, reply).await?);
                }
                sum.add(flow);
            }
            Err(error) => {
                reply.errors += 1;
                let (provider, merchant, day) = (job.provider, &job.merchant.id, job.day);
                let why = format!("fund-flow bill: {error}");
                telemetry::alarm!("bill_failed", %provider, merchant, bill_date = %day, why);
                return Ok(Some((unread(BillState::Failed, Some(why.chars().take(200).collect())), differences)));
            }
        }
    }
    if !found {
        return Ok(None);
    }
    if let Some(fees) = fees.filter(|_| sum.lines > 0) {
        differences += u64::from(other_fees(cx, job, fees, &sum, reply).await?);
    }
    let state = if sum.lines > 0 { BillState::Checked } else { BillState::Empty };
    let report = FundsReport {
        state,
        lines: sum.lines,
        income: sum.income,
        expense: sum.expense,
        fees: sum.fees.minus(sum.fees_returned).unwrap_or_default(),
        withdrawn: sum.withdrawn,
        paid_out: sum.paid_out.minus(sum.paid_back).unwrap_or_default(),
        reason: None,
    };
    Ok(Some((report, differences)))
}

fn unread(state: BillState, reason: Option<String>) -> FundsReport {
    let none = Fen::ZERO;
    FundsReport { state, lines: 0, income: none, expense: none, fees: none, withdrawn: none, paid_out: none, reason }
}

/// Whether the fees differ, and the incident of that.
async fn other_fees(
    cx: &Context<'_>,
    job: &Job<'_>,
    fees: i64,
    sum: &FundFlow,
    reply: &mut BillsReply,
) -> Result<bool, Failure> {
    let booked = (i128::from(sum.fees.0) - i128::from(sum.fees_returned.0)) * 1000;
    let apart = (booked - i128::from(fees)).unsigned_abs();
    if apart <= u128::from(ROUNDING) * u128::from(sum.fee_lines.max(1)) {
        return Ok(false);
    }
    let fen = |thousandths: i128| json!(i64::try_from(thousandths.div_euclid(1000)).unwrap_or(i64::MAX));
    let incident = Incident {
        expected: Some(json!({ "fees": fen(i128::from(fees)) })),
        actual: Some(json!({ "fees": fen(booked), "bill_date": job.day.to_string() })),
        ..Incident::new(IncidentName::BillFees, job.provider, &job.merchant.id)
    };
    told(cx, &incident, reply).await
}

/// Whether a payout of the bill is none of the table's, and the incident of that.
async fn paid_out(
    cx: &Context<'_>,
    job: &Job<'_>,
    account: &Account,
    billed: &BilledTransfer,
    reply: &mut BillsReply,
) -> Result<bool, Failure> {
    let own = own_transfer(cx, job, account, billed).await?;
    let expected = match &own {
        None => Value::Null,
        Some(own) if own.transfer_amount != billed.amount => json!(own.transfer_amount),
        // One that was refused or never sent took no money.
        Some(own) if own.state == TransferState::Refused => json!(own.state),
        Some(_) => return Ok(false),
    };
    let number = own.map_or_else(|| billed.out_bill_no.to_string(), |own| own.out_bill_no);
    let incident = Incident {
        out_bill_no: Some(number).filter(|number| !number.is_empty()),
        transaction_id: Some(billed.transfer_bill_no.to_string()).filter(|id| !id.is_empty()),
        expected: Some(expected).filter(|value| !value.is_null()),
        actual: Some(json!(billed.amount)),
        ..Incident::new(IncidentName::BillPayout, job.provider, &job.merchant.id)
    };
    told(cx, &incident, reply).await
}

/// The transfer of any merchant with this account.
async fn own_transfer(
    cx: &Context<'_>,
    job: &Job<'_>,
    account: &Account,
    billed: &BilledTransfer,
) -> Result<Option<Transfer>, Failure> {
    let is_own = |transfer: &Transfer| transfer.provider == Provider::Wxpay;
    for merchant in job.merchants {
        if !Account::of(merchant, job.provider).iter().any(|other| other.id == account.id) {
            continue;
        }
        if !billed.transfer_bill_no.is_empty()
            && let Some(own) = cx.store.transfer_of_bill(&merchant.id, &billed.transfer_bill_no).await?
        {
            return Ok(Some(own).filter(is_own));
        }
        if !billed.out_bill_no.is_empty()
            && let Some(own) = cx.store.transfer(&merchant.id, &billed.out_bill_no).await?
        {
            return Ok(Some(own).filter(is_own));
        }
    }
    Ok(None)
}

async fn told(cx: &Context<'_>, incident: &Incident, reply: &mut BillsReply) -> Result<bool, Failure> {
    if cx.store.record_incident(incident, false, None, cx.now()).await? == Recording::New {
        reply.incidents += 1;
        ring(incident);
    }
    Ok(true)
}
