//! Reading bills: layouts, encodings, compression, hashes; and files that are none.

use crypto::hash::sha1_hex;
use domain::{Day, Fen};
use encoding_rs::GBK;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use providers::bill::{Bill, BillError, MAX_LINE, file_url};
use providers::{alipay, wxpay};
use std::io::{Cursor, Write};
use std::time::Duration;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const WXPAY: &str = include_str!("../../../../tests/fixtures/bills/wxpay.csv");
const ALIPAY: &str = include_str!("../../../../tests/fixtures/bills/alipay.csv");

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn wxpay(file: &[u8], hash: &str) -> Result<Bill, BillError> {
    wxpay::bill::read(file, hash)
}

/// A file with the hash that belongs to it.
fn wxpay_own(file: &[u8]) -> Result<Bill, BillError> {
    wxpay(file, &sha1_hex(file))
}

fn right_wxpay(bill: &Bill) {
    let paid: Vec<(&str, &str, u64)> =
        bill.payments.iter().map(|p| (&*p.number, &*p.transaction_id, p.total.0)).collect();
    assert_eq!(
        paid,
        [("BILL_1", "4200000000202601010000000001", 100), ("BILL_2", "4200000000202601010000000002", 1000)],
        "the order's amount, not what is settled"
    );
    let refunds: Vec<(&str, u64, bool)> =
        bill.refunds.iter().map(|r| (&*r.out_refund_no, r.refund.0, r.success)).collect();
    assert_eq!(refunds, [("BILL_1-1", 40, true), ("BILL_2-1", 1000, false)]);
    assert_eq!(bill.refunds[0].refund_id.as_deref(), Some("50300000000202601010000000001"));
    assert_eq!((&*bill.reversed[0].number, bill.reversed.len(), bill.lines), ("BILL_3", 1, 5));
}

fn right_alipay(bill: &Bill) {
    let paid: Vec<(&str, &str, u64)> =
        bill.payments.iter().map(|p| (&*p.number, &*p.transaction_id, p.total.0)).collect();
    assert_eq!(
        paid,
        [
            ("ALI_1", "2026010122001000000000000001", 100),
            ("ALI_2", "2026010122001000000000000002", 1000),
            ("ALI_3", "2026010122001000000000000003", 50),
        ]
    );
    let refunds: Vec<(&str, &str, u64)> =
        bill.refunds.iter().map(|r| (&*r.number, &*r.out_refund_no, r.refund.0)).collect();
    assert_eq!((refunds, bill.lines), (vec![("ALI_1", "ALI_1-1", 40)], 4));
}

#[test]
fn a_wechat_bill_reads_the_same_in_every_form() {
    let text = WXPAY.as_bytes();
    let windows = format!("\u{feff}{}", WXPAY.replace('\n', "\r\n"));
    for form in [text, windows.as_bytes()] {
        right_wxpay(&wxpay_own(form).unwrap());
        let zipped = gzip(form);
        right_wxpay(&wxpay(&zipped, &sha1_hex(form)).unwrap());
        right_wxpay(&wxpay_own(&zipped).unwrap());
        let twice = [gzip(&form[..100]), gzip(&form[100..])].concat();
        right_wxpay(&wxpay(&twice, &sha1_hex(form)).unwrap());
    }
}

#[test]
fn columns_are_found_by_name_and_missing_ones_are_named() {
    let text = WXPAY.replace("订单金额,申请退款金额", "别的,另一个");
    let bill = wxpay_own(text.as_bytes()).unwrap();
    assert_eq!(bill.payments[1].total, Fen(990), "without the order's amount, what is settled");
    assert_eq!(bill.refunds[1].refund, Fen(990));
    for (name, shown) in [
        ("微信订单号", "微信订单号"),
        ("交易状态", "交易状态"),
        ("商户订单号", "商户订单号"),
        ("退款状态", "商户退款单号"),
    ] {
        let text = WXPAY.replacen(name, "别的", 1);
        assert_eq!(wxpay_own(text.as_bytes()), Err(BillError::Column(shown)));
    }
    for name in ["支付宝交易号", "商户订单号", "业务类型", "退款批次号/请求号"] {
        let text = ALIPAY.replacen(name, "别的", 1);
        assert_eq!(alipay::bill::read(text.as_bytes()), Err(BillError::Column(name)));
    }
}

#[test]
fn a_wechat_bill_that_is_not_whole_or_not_theirs_is_an_error() {
    let (text, zipped) = (WXPAY.as_bytes(), gzip(WXPAY.as_bytes()));
    assert_eq!(wxpay(text, &sha1_hex(b"another")), Err(BillError::Hash));
    assert_eq!(wxpay(&zipped, &sha1_hex(b"another")), Err(BillError::Hash));
    assert_eq!(wxpay(text, ""), Err(BillError::Hash));
    for length in [1, 2, 10, zipped.len() / 2, zipped.len() - 1] {
        assert!(wxpay(&zipped[..length], &sha1_hex(text)).is_err(), "{length}");
        assert!(wxpay_own(&zipped[..length]).is_err(), "{length}: whatever its hash");
    }
    for length in [0, 10, text.len() / 2, text.len() - 1] {
        assert!(wxpay(&text[..length], &sha1_hex(text)).is_err(), "{length}");
    }
    let html = b"<!doctype html><html></html>";
    assert_eq!(wxpay_own(html), Err(BillError::Column("微信订单号")));
    let json = br#"{"code":"NO_STATEMENT_EXIST"}"#;
    assert_eq!(wxpay_own(json), Err(BillError::Column("微信订单号")));
}

#[test]
fn a_line_that_cannot_be_read_spoils_the_bill() {
    let cases = [
        ("`1.00,`0.00,\n", "`1.00,\n"),
        ("`BILL_1,", "`,"),
        ("`4200000000202601010000000001,`BILL_1,", "`,`BILL_1,"),
        ("`SUCCESS,`OTHERS", "`,`OTHERS"),
        ("`1.00,`0.00,`\n", "`1.001,`0.00,`\n"),
        ("`1.00,`0.00,`\n", "`-1.00,`0.00,`\n"),
        ("`0.00,`0.40,`\n", "`0.00,`,`\n"),
    ];
    for (right, wrong) in cases {
        let text = WXPAY.replacen(right, wrong, 1);
        let found = wxpay_own(text.as_bytes());
        match right == cases[0].0 {
            // The first case is no part of the file: the control.
            true => right_wxpay(&found.unwrap()),
            false => assert!(matches!(found, Err(BillError::Line(..))), "{wrong}: {found:?}"),
        }
    }
    for (right, wrong) in [
        ("\t,1.00", "\t,"),
        ("ALI_1\t,交易", "\t,交易"),
        ("ALI_1\t,交易", "ALI_1\t,"),
        (",-0.01,0.00,\n", "\n"),
        ("\t,1.00", "\t,-1.00"),
    ] {
        let text = ALIPAY.replacen(right, wrong, 1);
        assert_ne!(text, ALIPAY);
        let found = alipay::bill::read(text.as_bytes());
        assert!(matches!(found, Err(BillError::Line(..))), "{wrong}: {found:?}");
    }
}

#[test]
fn an_alipay_bill_reads_the_same_in_every_form() {
    let gbk = GBK.encode(ALIPAY).0;
    let windows = format!("\u{feff}{}", ALIPAY.replace('\n', "\r\n"));
    let narrow = ALIPAY.replace('（', "(").replace('）', ")");
    for text in [ALIPAY.as_bytes(), &gbk, windows.as_bytes(), narrow.as_bytes()] {
        right_alipay(&alipay::bill::read(text).unwrap());
        let sums = "#支付宝业务汇总查询\n门店编号\n合计\n".as_bytes();
        let zipped = archive(&[("a/业务明细(汇总).csv", sums), ("a/业务明细.csv", text)]);
        right_alipay(&alipay::bill::read(&zipped).unwrap());
    }
    let halves: Vec<String> = {
        let (head, rows) = ALIPAY.split_at(ALIPAY.find("2026010122001000000000000002").unwrap());
        let header = &head[..head.find("2026010122001000000000000001").unwrap()];
        vec![head.to_owned(), format!("{header}{rows}")]
    };
    let zipped = archive(&[("1.csv", halves[0].as_bytes()), ("2.csv", halves[1].as_bytes())]);
    right_alipay(&alipay::bill::read(&zipped).unwrap());
}

#[test]
fn an_alipay_file_that_is_no_bill_is_an_error() {
    let whole = archive(&[("业务明细.csv", ALIPAY.as_bytes())]);
    for length in [2, 10, whole.len() / 2, whole.len() - 1] {
        assert!(alipay::bill::read(&whole[..length]).is_err(), "{length}");
    }
    let mut altered = whole.clone();
    altered[60] ^= 0xff;
    assert!(alipay::bill::read(&altered).is_err(), "the archive's own check sum");
    assert_eq!(alipay::bill::read(&archive(&[("业务明细(汇总).csv", b"x")])), Err(BillError::NoFile));
    assert_eq!(alipay::bill::read(&archive(&[])), Err(BillError::NoFile));
    for none in ["", "<html>\n<body>", "#only\n#comments\n", "a,b\n1,2\n"] {
        assert_eq!(alipay::bill::read(none.as_bytes()), Err(BillError::Column("支付宝交易号")), "{none}");
    }
}

#[test]
fn a_quote_that_is_never_closed_does_not_swallow_the_rest() {
    let text = ALIPAY.replacen(",测试商品,", ",\"测试商品,", 1);
    assert!(alipay::bill::read(text.as_bytes()).is_err());
}

#[test]
fn what_is_too_large_is_an_error_and_is_not_kept() {
    let bomb = gzip(&[WXPAY.as_bytes(), &vec![b'\n'; 3 << 20]].concat());
    assert!(bomb.len() < 10_000);
    let of_text = sha1_hex(&[WXPAY.as_bytes(), &vec![b'\n'; 3 << 20]].concat());
    assert_eq!(wxpay::bill::read_within(&bomb[..], &of_text, 1 << 20), Err(BillError::TooLarge));
    right_wxpay(&wxpay::bill::read_within(&bomb[..], &of_text, 4 << 20).unwrap());
    let bomb = archive(&[("1.csv", &[ALIPAY.as_bytes(), &vec![b'\n'; 3 << 20]].concat())]);
    assert_eq!(alipay::bill::read_within(&bomb, 1 << 20), Err(BillError::TooLarge));
    right_alipay(&alipay::bill::read_within(&bomb, 4 << 20).unwrap());
    let two = archive(&[("1.csv", ALIPAY.as_bytes()), ("2.csv", ALIPAY.as_bytes())]);
    assert_eq!(alipay::bill::read_within(&two, ALIPAY.len() as u64 + 10), Err(BillError::TooLarge), "in all");
    let line = vec![b'x'; MAX_LINE + 1];
    assert_eq!(wxpay_own(&line), Err(BillError::TooLarge));
    assert_eq!(alipay::bill::read(&line), Err(BillError::TooLarge));
}

#[test]
fn a_file_is_fetched_from_a_name_by_https_or_from_the_own_gateway() {
    let (live, sandbox) = ("https://api.mch.weixin.qq.com", "http://127.0.0.1:8900/gateway.do");
    for (url, gateway) in [
        ("https://api.mch.weixin.qq.com/v3/billdownload/file?token=1", live),
        ("https://dwbillcenter.alipay.com/downloadBillFile.resource?a=1", live),
        ("http://127.0.0.1:8900/file", sandbox),
        ("http://127.0.0.1:8901/file", sandbox),
    ] {
        assert_eq!(file_url(url, gateway).map(|u| u.to_string()), Ok(url.to_owned()));
    }
    for (url, gateway) in [
        ("http://api.mch.weixin.qq.com/file", live),
        ("http://127.0.0.1:8900/file", live),
        ("https://127.0.0.1/file", live),
        ("https://2130706433/file", live),
        ("https://[::1]/file", live),
        ("https://169.254.169.254/latest", live),
        ("https://10.0.0.1/file", live),
        ("https://localhost/file", live),
        ("https://localhost./file", live),
        ("https://user:key@example.com/file", live),
        ("ftp://example.com/file", live),
        ("/v3/billdownload/file", live),
        ("http://example.com/file", sandbox),
        ("http://10.0.0.1/file", sandbox),
        ("file:///etc/passwd", sandbox),
    ] {
        assert!(file_url(url, gateway).is_err(), "{url}");
    }
}

#[test]
fn a_day_is_written_in_one_way_and_begins_at_midnight_in_shanghai() {
    let day = Day::parse("2026-01-01").unwrap();
    assert_eq!((day.begins().get(), day.to_string()), (1_767_196_800_000, "2026-01-01".to_owned()));
    assert_eq!(Day::of(day.begins()), day);
    assert_eq!(Day::of(day.begins() - Duration::from_millis(1)), day.before(1));
    assert_eq!(day.before(1).to_string(), "2025-12-31");
    for wrong in [
        "",
        "2026-1-1",
        "20260101",
        "2026-02-30",
        "2026-13-01",
        "+026-01-01",
        " 2026-01-01",
        "2026-01-01 ",
        "2026/01/01",
        "昨天",
    ] {
        assert_eq!(Day::parse(wrong), None, "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_panic_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _ = wxpay_own(&bytes);
        let _ = wxpay_own(&gzip(&bytes));
        let _ = alipay::bill::read(&bytes);
        let _ = alipay::bill::read(&[b"PK\x03\x04".as_slice(), &bytes].concat());
        let _ = alipay::bill::read(&archive(&[("1.csv", &bytes)]));
    }

    #[test]
    fn no_change_of_a_bill_panics_the_readers(at in 0usize..4096, bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
        for whole in [WXPAY.as_bytes().to_vec(), gzip(WXPAY.as_bytes())] {
            let mut changed = whole;
            let at = at % changed.len();
            changed.splice(at..(at + bytes.len()).min(changed.len()), bytes.iter().copied());
            let _ = wxpay_own(&changed);
        }
        for whole in [ALIPAY.as_bytes().to_vec(), GBK.encode(ALIPAY).0.into_owned(), archive(&[("1.csv", ALIPAY.as_bytes())])] {
            let mut changed = whole;
            let at = at % changed.len();
            changed.splice(at..(at + bytes.len()).min(changed.len()), bytes.iter().copied());
            let _ = alipay::bill::read(&changed);
        }
    }
}

const FUNDS: &str = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号
`2026-01-01 08:00:00,`42000001,`1,`交易,`交易,`收入,`100.00,`100.00,`system,`茶, 一杯,`T1
`2026-01-01 08:00:00,`42000001,`2,`交易,`扣除交易手续费,`支出,`0.60,`99.40,`system,`,`T1
`2026-01-01 09:00:00,`50300001,`3,`退款,`退款,`支出,`40.00,`59.40,`API,`缺货,`R1
`2026-01-01 09:00:00,`50300001,`4,`退款,`退还交易手续费,`收入,`0.24,`59.64,`system,`,`R1
`2026-01-01 10:00:00,`13300001,`5,`企业付款,`商家转账,`支出,`3.00,`56.64,`API,`,`B1
`2026-01-01 11:00:00,`60000001,`6,`充值/提现,`提现,`支出,`50.00,`6.64,`a@1900007291,`,`
资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额
`6.0,`2.0,`100.24,`4.0,`93.60
";

fn funds(text: &[u8]) -> Result<providers::bill::FundFlow, BillError> {
    wxpay::fund_flow::read(text, &sha1_hex(text))
}

#[test]
fn a_fund_flow_bill_is_read_by_kinds_and_its_sums_are_compared() {
    let flow = funds(FUNDS.as_bytes()).expect("a bill");
    assert_eq!((flow.lines, flow.income, flow.expense), (6, Fen(10_024), Fen(9360)));
    assert_eq!((flow.fees, flow.fees_returned, flow.refunded), (Fen(60), Fen(24), Fen(4000)));
    assert_eq!((flow.withdrawn, flow.paid_out, flow.transfers.len()), (Fen(5000), Fen(300), 1));
    assert_eq!((&*flow.transfers[0].transfer_bill_no, &*flow.transfers[0].out_bill_no), ("13300001", "B1"));
    assert_eq!(wxpay::fund_flow::read(&gzip(FUNDS.as_bytes())[..], &sha1_hex(FUNDS.as_bytes())), Ok(flow.clone()));
    let windows = format!("\u{feff}{}", FUNDS.replace('\n', "\r\n"));
    assert_eq!(funds(windows.as_bytes()), Ok(flow));
    assert_eq!(wxpay::fund_flow::read(FUNDS.as_bytes(), &sha1_hex(b"another")), Err(BillError::Hash));
    for (from, to) in [
        ("`100.00,`100.00", "`100.01,`100.00"),
        ("`6.0,`2.0", "`7.0,`2.0"),
        ("`支出,`50.00", "`收入,`50.00"),
        ("`支出,`50.00", "`,`50.00"),
        ("`支出,`50.00", "`支出,`-50.00"),
        ("`支出,`50.00", "`支出,`99999999999999999999"),
        ("`支出,`50.00", "`支出,`184467440737095516.15"),
        ("`6.0,`2.0,`100.24,`4.0,`93.60\n", ""),
        ("收支类型", "别的"),
        ("`6.0,`2.0,`100.24,`4.0,`93.60\n", "`6.0,`2.0,`100.24,`4.0,`93.60\n`7.0\n"),
        ("`,`T1\n`2026-01-01 09", "`x,`y,`T1\n`2026-01-01 09"),
    ] {
        let changed = FUNDS.replacen(from, to, 1);
        assert_ne!(changed, FUNDS);
        assert!(funds(changed.as_bytes()).is_err(), "{from} -> {to}");
    }
}

proptest! {
    /// No line is left out: whatever is changed, the sums are right or there is no bill.
    #[test]
    fn a_changed_fund_flow_bill_is_refused_or_adds_up(at in 0..FUNDS.len(), byte: u8) {
        let mut changed = FUNDS.as_bytes().to_vec();
        changed[at] = byte;
        if let Ok(flow) = funds(&changed) {
            prop_assert_eq!((flow.lines, flow.income, flow.expense), (6, Fen(10_024), Fen(9360)));
        }
    }

    #[test]
    fn no_file_makes_the_reader_of_fund_flow_bills_panic(text in "\\PC{0,200}", rows in 0_usize..4) {
        let head = FUNDS.lines().next().unwrap_or_default();
        let _ = funds(format!("{head}\n{}", format!("{text}\n").repeat(rows)).as_bytes());
        let _ = funds(text.as_bytes());
    }
}
