//! The bill of a day (alipay.md 2.4).

use super::{Cx, Refusal, Reply};
use crate::bills::{BillTamper, Line, Offered, Statement, What, is_day};
use crate::ids::{spaced, yuan};
use crate::provider::Provider;
use crate::sandbox::Sandbox;
use crate::wire::{Answer, Inbound};
use encoding_rs::GBK;
use serde_json::{Map, json};
use std::io::Write;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// `alipay.data.dataservice.bill.downloadurl.query`.
pub(crate) fn query(cx: &Cx<'_>, inbound: &Inbound) -> Reply {
    let invalid = |text: &str| Refusal::new("40004", "INVAILID_ARGUMENTS", text);
    let day = cx.text("bill_date").filter(|day| is_day(day)).ok_or_else(|| invalid("bill_date"))?;
    if cx.text("bill_type") != Some("trade") {
        return Err(invalid("bill_type"));
    }
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let statement = Statement { provider: Provider::Alipay, merchant: cx.app_id(), day, unsettled: false, now };
    let lines = state.bills.lines(&state.trades, &statement);
    let wishes = state.bills.wishes(Provider::Alipay);
    let mut node = Map::new();
    if wishes.has(&BillTamper::EmptyFile) {
        node.insert("bill_file_code".to_owned(), json!("EMPTY_DATA_WITH_BILL_FILE"));
        return Ok(node);
    }
    if wishes.has(&BillTamper::NoStatement) || lines.is_empty() {
        return Err(Refusal::new("40004", "isp.BILL_NOT_EXIST", "账单不存在"));
    }
    let text = wishes.text(text_of(cx.app_id(), day, &lines));
    let bytes = |text: &str| {
        if wishes.has(&BillTamper::Utf8) { text.as_bytes().to_vec() } else { GBK.encode(text).0.into_owned() }
    };
    let file = if wishes.has(&BillTamper::Plain) {
        bytes(&text)
    } else {
        let sums = "#支付宝业务汇总查询\n门店编号,门店名称,交易订单总笔数\n合计,,1\n";
        archive(&format!("{}_{day}_", cx.app_id()), &bytes(&text), &bytes(sums))
    };
    let (file, elsewhere) = (wishes.file(file), wishes.elsewhere());
    let offered = Offered { merchant: cx.app_id().to_owned(), until: now + 30_000, bytes: file };
    let token = state.bills.offer(offered);
    let host = inbound.header("host").unwrap_or_default();
    let url = elsewhere.unwrap_or_else(|| format!("http://{host}{FILE}?bizType=trade&fileType=csv.zip&fileId={token}"));
    node.insert("bill_download_url".to_owned(), json!(url));
    Ok(node)
}

/// Where Alipay's files are.
pub(crate) const FILE: &str = "/downloadBillFile.resource";

/// Answers [`FILE`]; whoever has the URL may.
pub(crate) fn file(sandbox: &Sandbox, inbound: &Inbound) -> Answer {
    let (now, state) = (sandbox.now(), sandbox.state());
    let token = inbound.arg("fileId").unwrap_or_default();
    match state.bills.offered(&token, now) {
        Some(file) => Answer::new(200, "application/octet-stream", file.bytes.clone(), "SUCCESS"),
        None => Answer::new(404, "text/html", "<html><h1>404</h1></html>", "no such file"),
    }
}

fn text_of(app_id: &str, day: &str, lines: &[Line]) -> String {
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
