//! The fund-flow bill of APIv3: what an account's balance was changed by on a day
//! (<https://pay.weixin.qq.com/docs/merchant/products/bill-download/format-fundflow.html>).
//!
//! Its file is fetched and hashed as the trade bill's. Its last row states the sums, and a file whose rows do not come to
//! them is none: no line is left out silently.

use super::bill::{cells, fetched, hashed};
use crate::bill::{BillError, BilledTransfer, FundFlow, FundStatement, MAX_TEXT, next_line};
use crate::wxpay::{V3, WxpayNode};
use crate::{CallError, ProviderClients, Refusal};
use domain::{Day, Fen, UnixMs};
use std::io::{BufReader, Read};

/// A merchant's accounts: the basic one (基本账户), the one that payouts are made from (运营账户), and the one that fees are
/// taken from (手续费账户). Who has not the last two has the same in the first.
const ACCOUNTS: [&str; 3] = ["BASIC", "OPERATION", "FEES"];

/// The fund-flow bills of all accounts of a day, in one.
pub(crate) async fn funds(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    day: Day,
    now: UnixMs,
) -> Result<FundStatement, CallError> {
    let mut whole = None::<FundFlow>;
    for account in ACCOUNTS {
        match of_account(clients, node, v3, account, (day, now)).await {
            Ok(FundStatement::Empty) => {}
            Ok(FundStatement::NotYet) => return Ok(FundStatement::NotYet),
            Ok(FundStatement::Ready(flow)) => whole.get_or_insert_default().add(flow),
            Err(CallError::Refused(refusal)) if account != ACCOUNTS[0] && is_of_the_account(&refusal) => {
                tracing::warn!(
                    account,
                    code = refusal.code,
                    "no fund-flow bill: taken for an account that is not there"
                );
            }
            Err(error) => return Err(error),
        }
    }
    Ok(whole.map_or(FundStatement::Empty, FundStatement::Ready))
}

/// Whether a refusal can mean that the merchant has not this account. What was not looked at, for its signature, its address
/// or the moment, says nothing of it, and the account's payouts would be compared with nothing.
fn is_of_the_account(refusal: &Refusal) -> bool {
    ["NO_AUTH", "NOAUTH"].contains(&refusal.code.as_str()) || refusal.meaning.speaks_of_the_number()
}

/// The fund-flow bill of an account of a day.
async fn of_account(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    account: &str,
    (day, now): (Day, UnixMs),
) -> Result<FundStatement, CallError> {
    let target = format!("/v3/bill/fundflowbill?bill_date={day}&account_type={account}&tar_type=GZIP");
    match fetched(clients, node, v3, &target, now, |file, hash| read(file, &hash)).await {
        Err(CallError::Refused(refusal)) if refusal.code == "NO_STATEMENT_EXIST" => Ok(FundStatement::Empty),
        Err(CallError::Refused(refusal)) if refusal.code == "STATEMENT_CREATING" => Ok(FundStatement::NotYet),
        other => other.map(FundStatement::Ready),
    }
}

/// Reads a file, compressed or not, whose SHA-1 (lower-case hex) is known: of the file or of its text.
///
/// # Errors
/// See [`BillError`].
pub fn read(file: impl Read, hash: &str) -> Result<FundFlow, BillError> {
    hashed(file, hash, MAX_TEXT, parse)
}

/// Where the columns are.
struct Columns {
    count: usize,
    business_no: usize,
    name: usize,
    kind: usize,
    direction: usize,
    amount: usize,
    voucher: usize,
}

impl Columns {
    fn of(header: &str) -> Result<Self, BillError> {
        let names: Vec<&str> = header.split(',').map(|name| name.trim().trim_start_matches('`')).collect();
        let need =
            |wanted: &'static str| names.iter().position(|name| *name == wanted).ok_or(BillError::Column(wanted));
        Ok(Self {
            count: names.len(),
            business_no: need("微信支付业务单号")?,
            name: need("业务名称")?,
            kind: need("业务类型")?,
            direction: need("收支类型")?,
            amount: need("收支金额(元)").or_else(|_| need("收支金额（元）"))?,
            voucher: need("业务凭证号")?,
        })
    }
}

fn parse(text: &mut dyn Read) -> Result<FundFlow, BillError> {
    let mut text = BufReader::new(text);
    let mut line = Vec::new();
    if !next_line(&mut text, &mut line)? {
        return Err(BillError::Column("微信支付业务单号"));
    }
    let header = std::str::from_utf8(&line).map_err(|_| BillError::Column("微信支付业务单号"))?;
    let columns = Columns::of(header.trim_start_matches('\u{feff}'))?;
    let mut flow = FundFlow::default();
    let (mut at, mut titles, mut summed) = (1, false, false);
    while next_line(&mut text, &mut line)? {
        at += 1;
        let row = std::str::from_utf8(&line).map_err(|_| BillError::Line(at, "is not UTF-8"))?;
        match row.trim() {
            "" => {}
            _ if summed => return Err(BillError::Line(at, "follows the sums")),
            _ if titles => {
                check(&flow, row, at)?;
                summed = true;
            }
            row if row.trim_start_matches('`').starts_with("资金流水总笔数") => titles = true,
            row => take(&mut flow, &columns, row, at)?,
        }
    }
    if summed { Ok(flow) } else { Err(BillError::Line(at, "is the last, and there are no sums")) }
}

fn take(flow: &mut FundFlow, columns: &Columns, row: &str, at: u64) -> Result<(), BillError> {
    let cells = cells(row);
    if cells.len() != columns.count {
        return Err(BillError::Line(at, "has another number of cells than the header"));
    }
    let amount = Fen::from_yuan(cells[columns.amount]).ok_or(BillError::Line(at, "has no amount"))?;
    let add = |sum: &mut Fen| {
        *sum = Fen(sum.0.checked_add(amount.0).ok_or(BillError::Line(at, "makes the sum too large"))?);
        Ok::<(), BillError>(())
    };
    let income = match cells[columns.direction] {
        "收入" => true,
        "支出" => false,
        _ => return Err(BillError::Line(at, "is neither income nor expense")),
    };
    flow.lines += 1;
    flow.income_lines += u64::from(income);
    add(if income { &mut flow.income } else { &mut flow.expense })?;
    let (name, kind) = (cells[columns.name], cells[columns.kind]);
    let of = |word: &str| kind.contains(word) || name.contains(word);
    // A fee is a payment's by its name, and a fee by its kind.
    if kind.contains("手续费") {
        flow.fee_lines += 1;
        add(if income { &mut flow.fees_returned } else { &mut flow.fees })?;
    } else if of("提现") && !income {
        add(&mut flow.withdrawn)?;
    } else if of("企业付款") || of("转账") {
        add(if income { &mut flow.paid_back } else { &mut flow.paid_out })?;
        if !income {
            flow.transfers.push(BilledTransfer {
                transfer_bill_no: Box::from(cells[columns.business_no]),
                out_bill_no: Box::from(cells[columns.voucher]),
                amount,
            });
        }
    } else if name == "退款" && !income {
        add(&mut flow.refunded)?;
    }
    Ok(())
}

/// Compares the rows with the sums that the file states: lines, lines of income, income, lines of expense, expense.
fn check(flow: &FundFlow, row: &str, at: u64) -> Result<(), BillError> {
    let stated = cells(row);
    let count = |n: usize| stated.get(n).and_then(|text| text.strip_suffix(".0").unwrap_or(text).parse::<u64>().ok());
    let amount = |n: usize| stated.get(n).and_then(|text| Fen::from_yuan(text));
    let right = stated.len() == 5
        && count(0) == Some(flow.lines)
        && count(1) == Some(flow.income_lines)
        && amount(2) == Some(flow.income)
        && count(3) == flow.lines.checked_sub(flow.income_lines)
        && amount(4) == Some(flow.expense);
    if right { Ok(()) } else { Err(BillError::Line(at, "states other sums than the lines come to")) }
}
