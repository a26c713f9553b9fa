//! Bills of a day, out of the books: WeChat Pay's trade bill and Alipay's (wechat.md 2.6, alipay.md 2.4), and the
//! ways to spoil them.
//!
//! **Not simulated:** when a bill is ready. Today's bill can be had at once, and grows.

use crate::alipay::Desk as AlipayDesk;
use crate::ids::{rfc3339, spaced, yuan};
use crate::ledger::{Provider, RefundState, State, TradeState};
use crate::server::{Answer, Inbound};
use crate::wechat::{Desk, Refusal, Reply};
use crate::{Sandbox, alipay, crypto};
use encoding_rs::GBK;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::HashMap;
use std::io::Write;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What a bill has that the books have not, or the other way round; or what is wrong with its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillTamper {
    /// The line of this out_trade_no or out_refund_no is missing.
    Drop(String),
    /// That line has another amount, fen.
    Amount(String, u64),
    /// A refund of this number has not ended (WeChat Pay).
    Unsettled(String),
    /// A payment that the books have not.
    Payment {
        /// out_trade_no.
        number: String,
        /// The provider's number.
        transaction_id: String,
        /// Fen.
        amount: u64,
    },
    /// A refund that the books have not.
    Refund {
        /// out_trade_no of the payment.
        number: String,
        /// The provider's number of the payment.
        transaction_id: String,
        /// out_refund_no.
        out_refund_no: String,
        /// Fen.
        amount: u64,
    },
    /// The payment of this number was reversed (WeChat Pay).
    Reversed(String),
    /// `NO_STATEMENT_EXIST`, `BILL_NOT_EXIST`.
    NoStatement,
    /// `STATEMENT_CREATING` (WeChat Pay).
    Creating,
    /// `EMPTY_DATA_WITH_BILL_FILE` (Alipay).
    EmptyFile,
    /// The hash of another file (WeChat Pay).
    WrongHash,
    /// The hash is over the file as it is downloaded, not over its text (WeChat Pay).
    HashOfFile,
    /// Not compressed, whatever `tar_type` says (WeChat Pay); the CSV without an archive (Alipay).
    Plain,
    /// A byte order mark, and CRLF.
    Windows,
    /// UTF-8 instead of GBK (Alipay).
    Utf8,
    /// Only the first half of the file.
    Truncated,
    /// A page instead of a file.
    Html,
    /// So many megabytes of empty lines before the file's end.
    Bomb(u64),
    /// The file is said to be at this URL.
    Elsewhere(String),
}

/// Files that were offered for download, and what spoils them.
#[derive(Default)]
pub(crate) struct Bills {
    tampers: Vec<(Provider, BillTamper)>,
    files: HashMap<String, Offered>,
}

struct Offered {
    merchant: String,
    until: i64,
    bytes: Vec<u8>,
}

/// A line, of either provider.
struct Line {
    at: i64,
    created: i64,
    number: String,
    transaction_id: String,
    appid: String,
    sub_merchant: Option<String>,
    payer: String,
    trade_type: &'static str,
    subject: String,
    amount: u64,
    what: What,
}

enum What {
    Payment,
    Reversed,
    Refund { number: String, id: String, status: &'static str },
}

impl Line {
    fn name(&self) -> &str {
        match &self.what {
            What::Refund { number, .. } => number,
            What::Payment | What::Reversed => &self.number,
        }
    }
}

impl Sandbox {
    /// Spoils a provider's bills from now on; see [`BillTamper`].
    pub fn spoil_bill(&self, provider: Provider, how: BillTamper) {
        self.state().bills.tampers.push((provider, how));
    }

    /// Bills are right again.
    pub fn mend_bills(&self) {
        self.state().bills.tampers.clear();
    }
}

/// The lines of a merchant's day, spoilt as wished.
fn lines(state: &State, provider: Provider, merchant: &str, day: &str, now: i64) -> Vec<Line> {
    let that_day = |ms: i64| rfc3339(ms).starts_with(day);
    let mut lines = Vec::new();
    for trade in state.trades.iter().filter(|t| t.provider == provider && t.merchant == merchant) {
        let (Some(paid), Some(id)) = (trade.paid, &trade.transaction_id) else { continue };
        let line = |at: i64, amount: u64, what: What| Line {
            at,
            created: trade.created,
            number: trade.number.clone(),
            transaction_id: id.clone(),
            appid: trade.appid.clone(),
            sub_merchant: trade.sub_merchant.clone(),
            payer: trade.payer.clone().unwrap_or_default(),
            trade_type: trade.trade_type(),
            subject: trade.subject.clone(),
            amount,
            what,
        };
        if that_day(paid) {
            lines.push(line(paid, trade.amount(), What::Payment));
        }
        // A reversed pay code that was paid stands on the bill again, under the same numbers; Alipay's is a refund.
        if let (TradeState::Revoked, Some(at)) = (trade.state, trade.closed.filter(|at| that_day(*at))) {
            lines.push(line(at, trade.amount(), What::Reversed));
        }
        for refund in &trade.refunds {
            let (at, status) = match refund.state {
                RefundState::Success => (refund.settled.unwrap_or(refund.created), "SUCCESS"),
                RefundState::Processing if provider == Provider::Wxpay => (refund.created, "PROCESSING"),
                RefundState::Processing | RefundState::Closed | RefundState::Abnormal => continue,
            };
            if that_day(at) {
                let (number, id) = (refund.out_refund_no.clone(), refund.refund_id.clone());
                lines.push(line(at, refund.amount, What::Refund { number, id, status }));
            }
        }
    }
    for (_, how) in state.bills.tampers.iter().filter(|(own, _)| *own == provider) {
        spoil(&mut lines, how, now);
    }
    lines
}

fn spoil(lines: &mut Vec<Line>, how: &BillTamper, now: i64) {
    let made_up = |number: &str, transaction_id: &str, amount: u64, what: What| Line {
        at: now,
        created: now,
        number: number.to_owned(),
        transaction_id: transaction_id.to_owned(),
        appid: "unknown".to_owned(),
        sub_merchant: None,
        payer: String::new(),
        trade_type: "NATIVE",
        subject: "别处的商品".to_owned(),
        amount,
        what,
    };
    match how {
        BillTamper::Drop(number) => lines.retain(|line| line.name() != number),
        BillTamper::Amount(number, amount) => {
            for line in lines.iter_mut().filter(|line| line.name() == number) {
                line.amount = *amount;
            }
        }
        BillTamper::Unsettled(wanted) => {
            for line in lines.iter_mut() {
                if let What::Refund { number, status, .. } = &mut line.what
                    && number == wanted
                {
                    *status = "PROCESSING";
                }
            }
        }
        BillTamper::Reversed(number) => {
            let again = lines
                .iter()
                .find(|line| line.name() == number)
                .map(|line| made_up(&line.number, &line.transaction_id, line.amount, What::Reversed));
            lines.extend(again);
        }
        BillTamper::Payment { number, transaction_id, amount } => {
            lines.push(made_up(number, transaction_id, *amount, What::Payment));
        }
        BillTamper::Refund { number, transaction_id, out_refund_no, amount } => {
            let what =
                What::Refund { number: out_refund_no.clone(), id: "50300000000000000".to_owned(), status: "SUCCESS" };
            lines.push(made_up(number, transaction_id, *amount, what));
        }
        _ => {}
    }
}

/// What is wished for a provider's files.
struct Wishes<'a>(Vec<&'a BillTamper>);

impl Wishes<'_> {
    fn has(&self, how: &BillTamper) -> bool {
        self.0.contains(&how)
    }

    fn bomb(&self) -> u64 {
        self.0
            .iter()
            .find_map(|how| if let BillTamper::Bomb(megabytes) = how { Some(*megabytes) } else { None })
            .unwrap_or(0)
    }

    fn elsewhere(&self) -> Option<String> {
        self.0.iter().find_map(|how| if let BillTamper::Elsewhere(url) = how { Some(url.clone()) } else { None })
    }

    /// A text as a file has it: line ends, mark, and what a bomb adds.
    fn text(&self, text: String) -> String {
        let text =
            if self.has(&BillTamper::Windows) { format!("\u{feff}{}", text.replace('\n', "\r\n")) } else { text };
        let bomb = usize::try_from(self.bomb()).unwrap_or(0) << 20;
        text + &"\n".repeat(bomb)
    }

    /// A file as it is sent.
    fn file(&self, file: Vec<u8>) -> Vec<u8> {
        if self.has(&BillTamper::Html) {
            return b"<!doctype html>\n<html><h1>404</h1></html>\n".to_vec();
        }
        let whole = file.len();
        if self.has(&BillTamper::Truncated) { file[..whole / 2].to_vec() } else { file }
    }
}

fn wishes(state: &State, provider: Provider) -> Wishes<'_> {
    Wishes(state.bills.tampers.iter().filter(|(own, _)| *own == provider).map(|(_, how)| how).collect())
}

fn offer(state: &mut State, merchant: &str, until: i64, bytes: Vec<u8>) -> String {
    let token = hex::encode(crypto::random::<16>());
    state.bills.files.insert(token.clone(), Offered { merchant: merchant.to_owned(), until, bytes });
    token
}

fn query(inbound: &Inbound, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(inbound.query.as_bytes());
    pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

fn is_day(text: &str) -> bool {
    crate::ids::from_spaced(&format!("{text} 00:00:00")).is_some()
}

/// `GET /v3/bill/tradebill`.
pub(crate) fn trade_bill(desk: &Desk<'_>) -> Reply {
    let param = |name: &str| Refusal::param("参数错误").field(name, "query");
    let day = desk.arg("bill_date").filter(|day| is_day(day)).ok_or_else(|| param("bill_date"))?;
    if !matches!(desk.arg("bill_type").as_deref(), None | Some("ALL")) {
        return Err(param("bill_type"));
    }
    let zipped = match desk.arg("tar_type").as_deref() {
        None => false,
        Some("GZIP") => true,
        Some(_) => return Err(param("tar_type")),
    };
    let now = desk.sandbox.now();
    let mut state = desk.sandbox.state();
    let lines = lines(&state, Provider::Wxpay, desk.mchid(), &day, now);
    let wishes = wishes(&state, Provider::Wxpay);
    if wishes.has(&BillTamper::Creating) {
        return Err(Refusal::new(400, "STATEMENT_CREATING", "账单生成中", 268_435_461));
    }
    if wishes.has(&BillTamper::NoStatement) || lines.is_empty() {
        return Err(Refusal::new(400, "NO_STATEMENT_EXIST", "请求的账单不存在", 268_435_461));
    }
    let text = wishes.text(wxpay_text(desk.mchid(), &lines));
    let zipped = zipped && !wishes.has(&BillTamper::Plain);
    let file = if zipped { gzip(text.as_bytes()) } else { text.clone().into_bytes() };
    let hash = match () {
        () if wishes.has(&BillTamper::WrongHash) => crypto::sha1_hex(b"another file"),
        () if wishes.has(&BillTamper::HashOfFile) => crypto::sha1_hex(&file),
        () => crypto::sha1_hex(text.as_bytes()),
    };
    let (file, elsewhere) = (wishes.file(file), wishes.elsewhere());
    let token = offer(&mut state, desk.mchid(), now + 300_000, file);
    let host = desk.inbound.header("host").unwrap_or_default();
    let tar = if zipped { "&tartype=gzip" } else { "" };
    let url = elsewhere.unwrap_or_else(|| format!("http://{host}/v3/billdownload/file?token={token}{tar}"));
    Ok(Some(json!({"hash_type": "SHA1", "hash_value": hash, "download_url": url})))
}

/// `GET /v3/billdownload/file`, already authenticated: the answer is not signed.
pub(crate) fn wxpay_file(sandbox: &Sandbox, mchid: &str, inbound: &Inbound) -> Result<Answer, Refusal> {
    let missing = || Refusal::new(404, "NO_STATEMENT_EXIST", "账单文件不存在", 268_435_461);
    let token = query(inbound, "token").ok_or_else(missing)?;
    let (now, state) = (sandbox.now(), sandbox.state());
    let offered = state.bills.files.get(&token).filter(|file| file.merchant == mchid && now <= file.until);
    let bytes = offered.ok_or_else(missing)?.bytes.clone();
    Ok(Answer::new(200, "text/plain", bytes, "SUCCESS"))
}

fn wxpay_text(mchid: &str, lines: &[Line]) -> String {
    const HEADER: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,\
        应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,\
        订单金额,申请退款金额,费率备注";
    let mut text = format!("{HEADER}\n");
    let (mut total, mut returned) = (0, 0);
    for line in lines {
        let (mut paid, mut refund) = (line.amount, 0);
        let (state, id, number, kind, status) = match &line.what {
            What::Payment => ("SUCCESS", "0", "0", "", ""),
            What::Reversed => ("REVOKED", "0", "0", "", ""),
            What::Refund { number, id, status } => {
                (paid, refund) = (0, line.amount);
                ("REFUND", id.as_str(), number.as_str(), "ORIGINAL", *status)
            }
        };
        total += paid;
        returned += refund;
        let (paid, refund) = (yuan(paid), yuan(refund));
        let cells = [
            &spaced(line.at),
            &line.appid,
            mchid,
            line.sub_merchant.as_deref().unwrap_or("0"),
            "",
            &line.transaction_id,
            &line.number,
            &line.payer,
            line.trade_type,
            state,
            "OTHERS",
            "CNY",
            &paid,
            "0.00",
            id,
            number,
            &refund,
            "0.00",
            kind,
            status,
            &line.subject,
            "",
            "0.00000",
            "0.60%",
            &paid,
            &refund,
            "",
        ];
        text.push_str(&cells.map(|cell| format!("`{cell}")).join(","));
        text.push('\n');
    }
    let (total, returned) = (yuan(total), yuan(returned));
    text.push_str("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n");
    text.push_str(&format!("`{}.0,`{total},`{returned},`0.0,`0.0,`{total},`{returned}\n", lines.len()));
    text
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// `alipay.data.dataservice.bill.downloadurl.query`.
pub(crate) fn alipay_bill(desk: &AlipayDesk<'_>, inbound: &Inbound) -> alipay::Reply {
    let invalid = |text: &str| alipay::Refusal::new("40004", "INVAILID_ARGUMENTS", text);
    let day = desk.text("bill_date").filter(|day| is_day(day)).ok_or_else(|| invalid("bill_date"))?;
    if desk.text("bill_type") != Some("trade") {
        return Err(invalid("bill_type"));
    }
    let now = desk.sandbox.now();
    let mut state = desk.sandbox.state();
    let lines = lines(&state, Provider::Alipay, desk.app_id(), day, now);
    let wishes = wishes(&state, Provider::Alipay);
    let mut node = Map::new();
    if wishes.has(&BillTamper::EmptyFile) {
        node.insert("bill_file_code".to_owned(), json!("EMPTY_DATA_WITH_BILL_FILE"));
        return Ok(node);
    }
    if wishes.has(&BillTamper::NoStatement) || lines.is_empty() {
        return Err(alipay::Refusal::new("40004", "isp.BILL_NOT_EXIST", "账单不存在"));
    }
    let text = wishes.text(alipay_text(desk.app_id(), day, &lines));
    let bytes = |text: &str| {
        if wishes.has(&BillTamper::Utf8) { text.as_bytes().to_vec() } else { GBK.encode(text).0.into_owned() }
    };
    let file = if wishes.has(&BillTamper::Plain) {
        bytes(&text)
    } else {
        let sums = "#支付宝业务汇总查询\n门店编号,门店名称,交易订单总笔数\n合计,,1\n";
        archive(&format!("{}_{day}_", desk.app_id()), &bytes(&text), &bytes(sums))
    };
    let (file, elsewhere) = (wishes.file(file), wishes.elsewhere());
    let token = offer(&mut state, desk.app_id(), now + 30_000, file);
    let host = inbound.header("host").unwrap_or_default();
    let url = elsewhere.unwrap_or_else(|| format!("http://{host}{FILE}?bizType=trade&fileType=csv.zip&fileId={token}"));
    node.insert("bill_download_url".to_owned(), json!(url));
    Ok(node)
}

/// Where Alipay's files are.
pub(crate) const FILE: &str = "/downloadBillFile.resource";

/// Answers [`FILE`]; whoever has the URL may.
pub(crate) fn alipay_file(sandbox: &Sandbox, inbound: &Inbound) -> Answer {
    let (now, state) = (sandbox.now(), sandbox.state());
    let token = query(inbound, "fileId").unwrap_or_default();
    match state.bills.files.get(&token).filter(|file| now <= file.until) {
        Some(file) => Answer::new(200, "application/octet-stream", file.bytes.clone(), "SUCCESS"),
        None => Answer::new(404, "text/html", "<html><h1>404</h1></html>", "no such file"),
    }
}

fn alipay_text(app_id: &str, day: &str, lines: &[Line]) -> String {
    const HEADER: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,\
        订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,\
        商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";
    let mut text = format!(
        "#支付宝业务明细查询\n#账号：[{app_id}]\n#起始日期：[{day} 00:00:00]   终止日期：[{day} 24:00:00]\n\
         #----------------业务明细列表----------------\n{HEADER}\n"
    );
    for line in lines {
        let (kind, sign, number) = match &line.what {
            What::Payment | What::Reversed => ("交易", "", ""),
            What::Refund { number, .. } => ("退款", "-", number.as_str()),
        };
        let amount = format!("{sign}{}", yuan(line.amount));
        let (created, at) = (spaced(line.created), spaced(line.at));
        text.push_str(&format!(
            "{}\t,{}\t,{kind},{},{created},{at},,,,,{}\t,{amount},{amount},0.00,0.00,0.00,0.00,0.00,,0.00,0.00,{number}\t,0.00,0.00,\n",
            line.transaction_id, line.number, line.subject, line.payer
        ));
    }
    text.push_str("#----------------业务明细列表结束----------------\n#导出时间：[");
    text + day + "]\n"
}

/// Both files under names in GBK, as Alipay's archives have them: the writer knows only UTF-8, so the bytes of a
/// stand-in of the same length are replaced.
fn archive(stem: &str, lines: &[u8], sums: &[u8]) -> Vec<u8> {
    let names = [("@@@@@@@@", "业务明细"), ("@@@@@@@@$@@@@$", "业务明细(汇总)")];
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for ((name, _), content) in names.iter().zip([lines, sums]) {
        let written = writer.start_file(format!("{stem}{name}.csv"), options);
        if written.is_err() || writer.write_all(content).is_err() {
            return Vec::new();
        }
    }
    let mut bytes = writer.finish().map(std::io::Cursor::into_inner).unwrap_or_default();
    for (stand_in, name) in names.iter().rev() {
        let (from, to) = (stand_in.as_bytes(), GBK.encode(name).0);
        for at in 0..bytes.len().saturating_sub(from.len()) {
            if bytes[at..].starts_with(from) {
                bytes[at..at + from.len()].copy_from_slice(&to);
            }
        }
    }
    bytes
}
