//! The trade bill of APIv3 (`docs/protocols/wechat.md#bills`).
//!
//! The answer to the request is signed and names the file's SHA-1; the file itself is not signed, so the hash
//! is what makes it WeChat Pay's. Whether it is over the compressed file or over the text is not said clearly,
//! so either may match. Cells begin with a backtick, money is in yuan, summary header and row follow the rows.

use super::failure::ours;
use super::signing;
use super::transport::{self, Ask, USER_AGENT, call};
use crate::bill::{
    Bill, BillError, BilledPayment, BilledRefund, Bounded, Hashed, MAX_FILE, MAX_TEXT, Pieces, Statement, file_url,
    next_line, read_download,
};
use crate::wxpay::{V3, WxpayNode};
use crate::{CallError, ProviderClients};
use crypto;
use domain::{Day, Fen, UnixMs};
use flate2::bufread::MultiGzDecoder;
use http::Method;
use net::provider_http::Request;
use serde_json::Value;
use std::io::{BufReader, Cursor, Read};

/// The bill of a day.
pub(crate) async fn bill(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    day: Day,
    now: UnixMs,
) -> Result<Statement, CallError> {
    let target = format!("/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP");
    match fetched(clients, node, v3, &target, now, |file, hash| read(file, &hash)).await {
        Err(CallError::Refused(refusal)) if refusal.code == "NO_STATEMENT_EXIST" => Ok(Statement::Empty),
        Err(CallError::Refused(refusal)) if refusal.code == "STATEMENT_CREATING" => Ok(Statement::NotYet),
        other => other.map(Statement::Ready),
    }
}

/// Asks for a bill, downloads its file and has it read, with the hash that was announced.
pub(super) async fn fetched<T: Send + 'static>(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    target: &str,
    now: UnixMs,
    read: impl FnOnce(Pieces, String) -> Result<T, BillError> + Send + 'static,
) -> Result<T, CallError> {
    let answer = call(clients, node, v3, Ask::get(target), now).await?;
    let field = |name: &str| {
        let text = answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or_else(|| CallError::unknown(format!("the answer has no {name}")))
    };
    if field("hash_type")? != "SHA1" {
        return Err(CallError::unknown("the file's hash is of a kind that is not known"));
    }
    let hash = field("hash_value")?.to_ascii_lowercase();
    let gateway = node.api_base.as_deref().unwrap_or(v3.scheme.host);
    let url = file_url(field("download_url")?, gateway).map_err(CallError::unknown)?;
    let line = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let (timestamp, nonce) = (now.secs(), crypto::nonce());
    let message = signing::request_message("GET", &line, timestamp, &nonce, b"");
    let signature = v3.private_key.sign(&message).map_err(|_| ours("SIGN", "the request cannot be signed"))?;
    let request = Request {
        method: Method::GET,
        url: url.as_str(),
        headers: vec![
            ("accept", "*/*".to_owned()),
            ("user-agent", USER_AGENT.to_owned()),
            (
                "authorization",
                signing::authorization_of(v3.scheme, &node.mch_id, &v3.serial_no, timestamp, &nonce, &signature),
            ),
        ],
        body: Vec::new(),
        identity: None,
    };
    let download = clients.http.download(request, MAX_FILE).await.map_err(|e| transport::not_sent(&e))?;
    if download.status != 200 {
        return Err(CallError::unknown(format!("the file: HTTP {}", download.status)));
    }
    let read = read_download(download, move |file| read(file, hash));
    read.await.map_err(CallError::unknown)
}

/// Reads a file, compressed or not, whose SHA-1 (lower-case hex) is known: of the file or of its text.
///
/// # Errors
/// See [`BillError`].
pub fn read(file: impl Read, hash: &str) -> Result<Bill, BillError> {
    read_within(file, hash, MAX_TEXT)
}

/// The same with another limit for the text, bytes.
///
/// # Errors
/// See [`BillError`].
pub fn read_within(file: impl Read, hash: &str, limit: u64) -> Result<Bill, BillError> {
    hashed(file, hash, limit, parse)
}

/// Reads the text of a file, compressed or not, and compares the hash of either.
pub(super) fn hashed<T>(
    file: impl Read,
    hash: &str,
    limit: u64,
    parse: impl FnOnce(&mut dyn Read) -> Result<T, BillError>,
) -> Result<T, BillError> {
    let mut file = Hashed::new(file);
    let mut head = Vec::new();
    (&mut file).take(2).read_to_end(&mut head)?;
    let compressed = head == [0x1f, 0x8b];
    let whole = BufReader::new(Cursor::new(head).chain(&mut file));
    let text: Box<dyn Read + '_> = if compressed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
    let mut text = Hashed::new(Bounded::new(text, limit));
    let read = parse(&mut text)?;
    let of_text = text.finish()?;
    let of_file = file.finish()?;
    if !crypto::hash::same(&of_text, hash) && !crypto::hash::same(&of_file, hash) {
        return Err(BillError::Hash);
    }
    Ok(read)
}

/// Where the columns are.
struct Columns {
    count: usize,
    transaction_id: usize,
    number: usize,
    state: usize,
    total: usize,
    sub_mch_id: Option<usize>,
    fee: Option<usize>,
    refund: Option<RefundColumns>,
}

struct RefundColumns {
    out_refund_no: usize,
    refund_id: Option<usize>,
    refund: usize,
    state: usize,
}

impl Columns {
    fn of(header: &str) -> Result<Self, BillError> {
        let names: Vec<&str> = header.split(',').map(|name| name.trim().trim_start_matches('`')).collect();
        let find = |wanted: &str| names.iter().position(|name| *name == wanted);
        let need = |wanted: &'static str| find(wanted).ok_or(BillError::Column(wanted));
        let refund = || {
            Some(RefundColumns {
                out_refund_no: find("商户退款单号")?,
                refund_id: find("微信退款单号"),
                refund: find("申请退款金额").or_else(|| find("退款金额"))?,
                state: find("退款状态")?,
            })
        };
        Ok(Self {
            count: names.len(),
            transaction_id: need("微信订单号")?,
            number: need("商户订单号")?,
            state: need("交易状态")?,
            // What the order was about; the other is what is settled, less coupons.
            total: find("订单金额").or_else(|| find("总金额")).map_or_else(|| need("应结订单金额"), Ok)?,
            sub_mch_id: find("特约商户号").or_else(|| find("子商户号")),
            fee: find("手续费"),
            refund: refund(),
        })
    }
}

fn parse(text: &mut dyn Read) -> Result<Bill, BillError> {
    let mut text = BufReader::new(text);
    let mut line = Vec::new();
    if !next_line(&mut text, &mut line)? {
        return Err(BillError::Column("微信订单号"));
    }
    let header = std::str::from_utf8(&line).map_err(|_| BillError::Column("微信订单号"))?;
    let columns = Columns::of(header.trim_start_matches('\u{feff}'))?;
    let mut bill = Bill { fees: Some(0), ..Bill::default() };
    let mut at = 1;
    while next_line(&mut text, &mut line)? {
        at += 1;
        let row = std::str::from_utf8(&line).map_err(|_| BillError::Line(at, "is not UTF-8"))?;
        if row.trim().is_empty() {
            continue;
        }
        // The summary: its header is the first line after the header that begins with a name.
        if row.starts_with('总') {
            break;
        }
        take(&mut bill, &columns, row, at)?;
    }
    Ok(bill)
}

/// A row's cells: a comma inside a cell is not followed by a backtick.
pub(super) fn cells(row: &str) -> Vec<&str> {
    match row.strip_prefix('`') {
        Some(row) => row.split(",`").map(str::trim).collect(),
        None => row.split(',').map(str::trim).collect(),
    }
}

/// A fee in thousandths of a fen: yuan with at most five decimals, below zero where it comes back; an empty cell is none.
fn fee(text: &str) -> Option<i64> {
    let (sign, plain) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, parts) = plain.split_once('.').unwrap_or((plain, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if plain.is_empty() && sign == 1 {
        return Some(0);
    }
    if whole.is_empty() || parts.len() > 5 || !digits(whole) || !digits(parts) {
        return None;
    }
    let parts: i64 = format!("{parts:0<5}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100_000)?.checked_add(parts)?.checked_mul(sign)
}

fn take(bill: &mut Bill, columns: &Columns, row: &str, at: u64) -> Result<(), BillError> {
    let cells = cells(row);
    if cells.len() != columns.count {
        return Err(BillError::Line(at, "has another number of cells than the header"));
    }
    let number = |column: usize| match cells[column] {
        "" => Err(BillError::Line(at, "has no number")),
        number => Ok(Box::from(number)),
    };
    let amount = |column: usize| Fen::from_yuan(cells[column]).ok_or(BillError::Line(at, "has no amount"));
    bill.lines += 1;
    bill.fees = match (bill.fees, columns.fee) {
        (Some(sum), Some(column)) => {
            let fee = fee(cells[column]).ok_or(BillError::Line(at, "has no fee"))?;
            sum.checked_add(fee)
        }
        (_, _) => None,
    };
    let payment = || -> Result<BilledPayment, BillError> {
        Ok(BilledPayment {
            number: number(columns.number)?,
            transaction_id: number(columns.transaction_id)?,
            total: amount(columns.total)?,
            // A merchant of its own has a zero there.
            sub_mch_id: columns
                .sub_mch_id
                .map(|column| cells[column])
                .filter(|id| !matches!(*id, "" | "0"))
                .map(Box::from),
        })
    };
    match cells[columns.state] {
        "SUCCESS" => bill.payments.push(payment()?),
        "REVOKED" => bill.reversed.push(payment()?),
        "REFUND" => {
            let refund = columns.refund.as_ref().ok_or(BillError::Column("商户退款单号"))?;
            bill.refunds.push(BilledRefund {
                number: number(columns.number)?,
                transaction_id: number(columns.transaction_id)?,
                out_refund_no: number(refund.out_refund_no)?,
                refund_id: refund
                    .refund_id
                    .map(|column| cells[column])
                    .filter(|id| !matches!(*id, "" | "0"))
                    .map(Box::from),
                refund: amount(refund.refund)?,
                success: cells[refund.state] == "SUCCESS",
            });
        }
        "" => return Err(BillError::Line(at, "has no state")),
        other => tracing::warn!(line = at, state = other, "a line of another kind on a bill"),
    }
    Ok(())
}
