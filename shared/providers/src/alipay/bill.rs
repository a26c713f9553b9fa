//! The trade bill (`alipay.data.dataservice.bill.downloadurl.query`, `docs/protocols/alipay.md#bills`).
//!
//! No official page describes the file; what is read here is what merchants publish of theirs: a ZIP with a CSV
//! of the lines and one of sums (汇总), GBK, lines that begin with `#` around header and rows, cells that may
//! end in a tab. The URL is signed by the gateway and lives for 30 s; the file is neither signed nor hashed, so
//! it is fetched by https even where the URL says http.

use super::answer::word;
use super::call::{Call, gateway};
use crate::alipay::AlipayNode;
use crate::bill::{
    Bill, BillError, BilledPayment, BilledRefund, Bounded, MAX_FILE, MAX_TEXT, Statement, file_url, read_download,
};
use crate::{CallError, ProviderClients};
use csv::ByteRecord;
use domain::{Day, Fen, UnixMs};
use encoding_rs::GBK;
use net::provider_http::Request;
use serde_json::Map;
use std::borrow::Cow;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// The bill of a day.
pub(crate) async fn bill(
    clients: &ProviderClients,
    node: &AlipayNode,
    day: Day,
    now: UnixMs,
) -> Result<Statement, CallError> {
    let mut biz = Map::new();
    biz.insert("bill_type".to_owned(), "trade".into());
    biz.insert("bill_date".to_owned(), day.to_string().into());
    let call = Call::new("alipay.data.dataservice.bill.downloadurl.query", biz);
    let fields = match call.send(clients, node, now).await {
        Ok(fields) => fields,
        Err(CallError::Refused(refusal)) if is_none(&refusal.code) => return Ok(Statement::Empty),
        Err(error) => return Err(error),
    };
    if word(&fields, "bill_file_code") == Some("EMPTY_DATA_WITH_BILL_FILE") {
        return Ok(Statement::Empty);
    }
    let url = word(&fields, "bill_download_url");
    let url = url.ok_or_else(|| CallError::unknown("the answer has no bill_download_url"))?;
    fetch(clients, node, url).await.map(Statement::Ready)
}

/// Refusals that say that there is nothing.
fn is_none(code: &str) -> bool {
    matches!(code.rsplit('.').next(), Some("BILL_NOT_EXIST" | "NO_BILL_DATA"))
}

async fn fetch(clients: &ProviderClients, node: &AlipayNode, url: &str) -> Result<Bill, CallError> {
    let own = gateway(node);
    let url = file_url(url, own)
        .or_else(|why| match url.strip_prefix("http://") {
            Some(rest) => file_url(&format!("https://{rest}"), own),
            None => Err(why),
        })
        .map_err(CallError::unknown)?;
    let request = Request::get(url.as_str());
    let download = clients.http.download(request, MAX_FILE).await.map_err(CallError::unknown)?;
    if download.status != 200 {
        return Err(CallError::Unknown(format!("the file: HTTP {}", download.status)));
    }
    let read = read_download(download, |mut file| {
        // An archive's list of files stands at its end.
        let mut whole = Vec::new();
        file.read_to_end(&mut whole)?;
        read(&whole)
    });
    read.await.map_err(CallError::unknown)
}

/// Reads a file: an archive, or the CSV itself.
///
/// # Errors
/// See [`BillError`].
pub fn read(file: &[u8]) -> Result<Bill, BillError> {
    read_within(file, MAX_TEXT)
}

/// The same with another limit for the text, bytes.
///
/// # Errors
/// See [`BillError`].
pub fn read_within(file: &[u8], limit: u64) -> Result<Bill, BillError> {
    let mut bill = Bill::default();
    if !file.starts_with(b"PK") {
        parse(&mut bill, Bounded::new(file, limit))?;
        return Ok(bill);
    }
    let broken = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) => BillError::from(error),
        other => BillError::Read(other.to_string()),
    };
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(broken)?;
    let (mut found, mut left) = (false, limit);
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(broken)?;
        if entry.is_dir() || text_of(entry.name_raw()).is_some_and(|name| name.contains("汇总")) {
            continue;
        }
        left = parse(&mut bill, Bounded::new(entry, left))?;
        found = true;
    }
    if found { Ok(bill) } else { Err(BillError::NoFile) }
}

/// UTF-8, else GBK. No Chinese text is both.
fn text_of(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.into()),
        Err(_) => GBK.decode_without_bom_handling_and_without_replacement(bytes),
    }
}

/// A cell, with brackets of one width.
fn cell(bytes: &[u8]) -> Option<String> {
    Some(text_of(bytes)?.trim().trim_start_matches('\u{feff}').replace('（', "(").replace('）', ")"))
}

/// Where the columns are.
struct Columns {
    count: usize,
    transaction_id: usize,
    number: usize,
    kind: usize,
    subject: Option<usize>,
    total: usize,
    out_refund_no: usize,
}

impl Columns {
    fn of(header: &ByteRecord) -> Result<Self, BillError> {
        let names: Vec<Option<String>> = header.iter().map(cell).collect();
        let find = |wanted: &str| names.iter().position(|name| name.as_deref() == Some(wanted));
        let need = |wanted: &'static str| find(wanted).ok_or(BillError::Column(wanted));
        Ok(Self {
            count: names.len(),
            transaction_id: need("支付宝交易号")?,
            number: need("商户订单号")?,
            kind: need("业务类型")?,
            subject: find("商品名称"),
            total: need("订单金额(元)")?,
            out_refund_no: need("退款批次号/请求号")?,
        })
    }
}

/// Takes the lines of one CSV; what is left of the limit. Separators, quotes and `#` are never a part of a
/// character of GBK, so the text is cut before it is decoded.
fn parse<R: Read>(bill: &mut Bill, text: Bounded<R>) -> Result<u64, BillError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).comment(Some(b'#')).from_reader(text);
    let mut row = ByteRecord::new();
    let mut columns: Option<Columns> = None;
    while reader.read_byte_record(&mut row).map_err(broken)? {
        let at = row.position().map_or(0, csv::Position::line);
        // A byte order mark hides the first line's sign.
        let first = row.get(0).unwrap_or_default();
        let blank = row.iter().all(|cell| cell.trim_ascii().is_empty());
        if blank || first.strip_prefix(b"\xef\xbb\xbf").is_some_and(|rest| rest.starts_with(b"#")) {
            continue;
        }
        match &columns {
            None => columns = Some(Columns::of(&row)?),
            Some(columns) => take(bill, columns, &row, at)?,
        }
    }
    match columns {
        Some(_) => Ok(reader.get_ref().left()),
        None => Err(BillError::Column("支付宝交易号")),
    }
}

fn broken(error: csv::Error) -> BillError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        _ => BillError::Read("not a CSV".to_owned()),
    }
}

fn take(bill: &mut Bill, columns: &Columns, row: &ByteRecord, at: u64) -> Result<(), BillError> {
    // A quote that is part of a name swallows the lines up to the next one.
    if row.iter().any(|cell| cell.contains(&b'\n')) {
        return Err(BillError::Line(at, "has a line break in a cell"));
    }
    let Some(more) = row.len().checked_sub(columns.count) else {
        return Err(BillError::Line(at, "has fewer cells than the header"));
    };
    // Whether a comma in a name is quoted is not known. Unquoted, it can only be the goods' or the remark's.
    let found = [more, 0].iter().find_map(|shift| Line::of(columns, row, *shift));
    let line = found.ok_or(BillError::Line(at, "has no number, kind or amount"))?;
    bill.lines += 1;
    match line.kind.as_str() {
        "交易" => match line.negative {
            true => return Err(BillError::Line(at, "has a negative payment")),
            false => bill.payments.push(BilledPayment {
                number: line.number.into(),
                transaction_id: line.transaction_id.into(),
                total: line.amount,
                sub_mch_id: None,
            }),
        },
        "退款" => bill.refunds.push(BilledRefund {
            number: line.number.into(),
            transaction_id: line.transaction_id.into(),
            out_refund_no: line.out_refund_no.into(),
            refund_id: None,
            refund: line.amount,
            success: true,
        }),
        other => tracing::warn!(line = at, kind = other, "a line of another kind on a bill"),
    }
    Ok(())
}

/// A line's cells that are compared.
struct Line {
    transaction_id: String,
    number: String,
    kind: String,
    amount: Fen,
    negative: bool,
    out_refund_no: String,
}

impl Line {
    /// With so many commas in the goods' name; `None` when that makes no sense.
    fn of(columns: &Columns, row: &ByteRecord, shift: usize) -> Option<Self> {
        let subject = columns.subject.unwrap_or(usize::MAX);
        let get = |column: usize| cell(row.get(if column > subject { column + shift } else { column })?);
        let number = |column: usize| get(column).filter(|text| !text.is_empty());
        let amount = get(columns.total)?;
        let (negative, amount) = match amount.strip_prefix('-') {
            Some(amount) => (true, amount),
            None => (false, amount.as_str()),
        };
        Some(Self {
            transaction_id: number(columns.transaction_id)?,
            number: number(columns.number)?,
            kind: number(columns.kind)?,
            amount: Fen::from_yuan(amount)?,
            negative,
            out_refund_no: get(columns.out_refund_no)?,
        })
    }
}
