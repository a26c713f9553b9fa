//! The trade bill (wechat.md 2.6).

use super::objects::trade_type;
use super::v3::{Cx, Refusal, Reply};
use crate::bills::{BillTamper, Line, Offered, Statement, What, is_day};
use crate::crypto;
use crate::ids::{spaced, yuan};
use crate::provider::Provider;
use crate::sandbox::Sandbox;
use crate::transfers::{Transfer, TransferState};
use crate::wire::{Answer, Inbound};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write;

/// `GET /v3/bill/tradebill`.
pub(crate) fn trade_bill(cx: &Cx<'_>) -> Reply {
    let param = |name: &str| Refusal::param("参数错误").field(name, "query");
    let day = cx.inbound.arg("bill_date").filter(|day| is_day(day)).ok_or_else(|| param("bill_date"))?;
    if !matches!(cx.inbound.arg("bill_type").as_deref(), None | Some("ALL")) {
        return Err(param("bill_type"));
    }
    let zipped = match cx.inbound.arg("tar_type").as_deref() {
        None => false,
        Some("GZIP") => true,
        Some(_) => return Err(param("tar_type")),
    };
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let statement = Statement { provider: Provider::Wxpay, merchant: cx.mchid(), day: &day, unsettled: true, now };
    let lines = state.bills.lines(&state.trades, &statement);
    let wishes = state.bills.wishes(Provider::Wxpay);
    if wishes.has(&BillTamper::Creating) {
        return Err(Refusal::new(400, "STATEMENT_CREATING", "账单生成中", 268_435_461));
    }
    if wishes.has(&BillTamper::NoStatement) || lines.is_empty() {
        return Err(Refusal::new(400, "NO_STATEMENT_EXIST", "请求的账单不存在", 268_435_461));
    }
    let text = wishes.text(text_of(cx.mchid(), &lines));
    let zipped = zipped && !wishes.has(&BillTamper::Plain);
    let file = if zipped { gzip(text.as_bytes()) } else { text.clone().into_bytes() };
    let hash = match () {
        () if wishes.has(&BillTamper::WrongHash) => crypto::sha1_hex(b"another file"),
        () if wishes.has(&BillTamper::HashOfFile) => crypto::sha1_hex(&file),
        () => crypto::sha1_hex(text.as_bytes()),
    };
    let (file, elsewhere) = (wishes.file(file), wishes.elsewhere());
    let offered = Offered { merchant: cx.mchid().to_owned(), until: now + 300_000, bytes: file };
    let token = state.bills.offer(offered);
    let host = cx.inbound.header("host").unwrap_or_default();
    let tar = if zipped { "&tartype=gzip" } else { "" };
    let url = elsewhere.unwrap_or_else(|| format!("http://{host}/v3/billdownload/file?token={token}{tar}"));
    Ok(Some(json!({"hash_type": "SHA1", "hash_value": hash, "download_url": url})))
}

/// `GET /v3/bill/fundflowbill`: what changed the basic account, or the one that payouts are made from. There is none for
/// fees.
pub(crate) fn fund_flow(cx: &Cx<'_>) -> Reply {
    let param = |name: &str| Refusal::param("参数错误").field(name, "query");
    let day = cx.inbound.arg("bill_date").filter(|day| is_day(day)).ok_or_else(|| param("bill_date"))?;
    let account = cx.inbound.arg("account_type");
    if !matches!(account.as_deref(), None | Some("BASIC" | "OPERATION" | "FEES")) {
        return Err(param("account_type"));
    }
    let (basic, pays_out) =
        (matches!(account.as_deref(), None | Some("BASIC")), account.as_deref() == Some("OPERATION"));
    let zipped = cx.inbound.arg("tar_type").as_deref() == Some("GZIP");
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let statement = Statement { provider: Provider::Wxpay, merchant: cx.mchid(), day: &day, unsettled: false, now };
    let mut moves = Vec::new();
    for line in state.bills.lines(&state.trades, &statement).into_iter().filter(|_| basic) {
        match line.what {
            What::Payment => {
                let fee = fee_of(line.amount);
                moves.push((
                    line.at,
                    line.transaction_id.clone(),
                    "交易",
                    "交易",
                    true,
                    line.amount,
                    line.number.clone(),
                ));
                if fee > 0 {
                    moves.push((line.at, line.transaction_id, "交易", "扣除交易手续费", false, fee, line.number));
                }
            }
            What::Reversed => {
                moves.push((line.at, line.transaction_id, "退款", "退款", false, line.amount, line.number))
            }
            What::Refund { number, id, .. } => moves.push((line.at, id, "退款", "退款", false, line.amount, number)),
        }
    }
    let own = |t: &&Transfer| t.provider == Provider::Wxpay && t.merchant == cx.mchid();
    for transfer in state.transfers.iter().filter(own).filter(|_| pays_out) {
        if transfer.state == TransferState::Success && spaced(transfer.updated).starts_with(&day) {
            let (id, number) = (transfer.id.clone(), transfer.number.clone());
            moves.push((transfer.updated, id, "企业付款", "商家转账", false, transfer.amount, number));
        }
    }
    let wishes = state.bills.wishes(Provider::Wxpay);
    let (payouts, fees) = wishes.funds();
    for (id, number, amount) in payouts.into_iter().filter(|_| pays_out) {
        moves.push((now, id.to_owned(), "企业付款", "商家转账", false, amount, number.to_owned()));
    }
    for fee in fees.into_iter().filter(|_| basic) {
        moves.push((now, "4200000000".to_owned(), "交易", "扣除交易手续费", false, fee, "elsewhere".to_owned()));
    }
    if moves.is_empty() {
        return Err(Refusal::new(400, "NO_STATEMENT_EXIST", "请求的账单文件不存在", 268_435_461));
    }
    let text = funds_text(cx.mchid(), &moves);
    let file = if zipped { gzip(text.as_bytes()) } else { text.clone().into_bytes() };
    let wrong = wishes.has(&BillTamper::WrongFundsHash);
    let hash = crypto::sha1_hex(if wrong { b"another file" } else { text.as_bytes() });
    let offered = Offered { merchant: cx.mchid().to_owned(), until: now + 300_000, bytes: file };
    let token = state.bills.offer(offered);
    let host = cx.inbound.header("host").unwrap_or_default();
    let url = format!("http://{host}/v3/billdownload/file?token={token}&tartype=gzip");
    Ok(Some(json!({"hash_type": "SHA1", "hash_value": hash, "download_url": url})))
}

/// A change of an account: when, the number, name and kind of business, whether it is income, the amount, the voucher.
type Move = (i64, String, &'static str, &'static str, bool, u64, String);

fn funds_text(mchid: &str, moves: &[Move]) -> String {
    let mut text = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\n"
        .to_owned();
    let (mut sums, mut counts) = ([0_u64; 2], [0_usize; 2]);
    for (n, (at, id, name, kind, income, amount, voucher)) in moves.iter().enumerate() {
        let side = usize::from(!*income);
        sums[side] += amount;
        counts[side] += 1;
        let direction = if *income { "收入" } else { "支出" };
        let (at, amount, own) = (spaced(*at), yuan(*amount), format!("{mchid}{n:012}"));
        let cells: [&str; 11] =
            [&at, id, &own, name, kind, direction, &amount, "0.00", "system", "备注, 一", voucher.as_str()];
        text.push_str(&cells.map(|cell| format!("`{cell}")).join(","));
        text.push('\n');
    }
    let (income, expense) = (yuan(sums[0]), yuan(sums[1]));
    text.push_str("资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\n");
    text.push_str(&format!("`{}.0,`{}.0,`{income},`{}.0,`{expense}\n", moves.len(), counts[0], counts[1]));
    text
}

/// The fee of a payment: 0.6 percent, rounded to fen.
fn fee_of(amount: u64) -> u64 {
    (amount * 6 + 500) / 1000
}

/// `GET /v3/billdownload/file`, already authenticated: the answer is not signed.
pub(crate) fn file(sandbox: &Sandbox, mchid: &str, inbound: &Inbound) -> Result<Answer, Refusal> {
    let missing = || Refusal::new(404, "NO_STATEMENT_EXIST", "账单文件不存在", 268_435_461);
    let token = inbound.arg("token").ok_or_else(missing)?;
    let (now, state) = (sandbox.now(), sandbox.state());
    let offered = state.bills.offered(&token, now).filter(|file| file.merchant == mchid);
    let bytes = offered.ok_or_else(missing)?.bytes.clone();
    Ok(Answer::new(200, "text/plain", bytes, "SUCCESS"))
}

fn text_of(mchid: &str, lines: &[Line]) -> String {
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
        let fee = if matches!(line.what, What::Payment) {
            format!("{}000", yuan(fee_of(paid)))
        } else {
            "0.00000".to_owned()
        };
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
            trade_type(&line.product),
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
            &fee,
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
