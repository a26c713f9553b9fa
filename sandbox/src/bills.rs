//! Bills of a day, out of the books, and the ways to spoil them. What a bill looks like is its provider's.
//!
//! **Not simulated:** when a bill is ready. Today's bill can be had at once, and grows.

use crate::crypto;
use crate::ids::{from_spaced, rfc3339};
use crate::ledger::{RefundState, Trade, TradeState};
use crate::provider::Provider;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

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
    /// A payout on the fund-flow bill that the books have not (WeChat Pay).
    Payout {
        /// The provider's number.
        id: String,
        /// out_bill_no.
        number: String,
        /// Fen.
        amount: u64,
    },
    /// A fee on the fund-flow bill that the trade bill has not, fen (WeChat Pay).
    Fee(u64),
    /// The hash of another file than the fund-flow bill's (WeChat Pay).
    WrongFundsHash,
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
    pub(crate) tampers: Vec<(Provider, BillTamper)>,
    files: HashMap<String, Offered>,
}

/// A file that was offered for download.
pub(crate) struct Offered {
    pub(crate) merchant: String,
    /// Unix ms.
    pub(crate) until: i64,
    pub(crate) bytes: Vec<u8>,
}

/// A line, of any provider.
pub(crate) struct Line {
    pub(crate) at: i64,
    pub(crate) created: i64,
    pub(crate) number: String,
    pub(crate) transaction_id: String,
    pub(crate) appid: String,
    pub(crate) sub_merchant: Option<String>,
    pub(crate) payer: String,
    /// The trade's product.
    pub(crate) product: String,
    pub(crate) subject: String,
    pub(crate) amount: u64,
    pub(crate) what: What,
}

/// What a line tells.
pub(crate) enum What {
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

/// Whose bill is wanted.
pub(crate) struct Statement<'a> {
    pub(crate) provider: Provider,
    pub(crate) merchant: &'a str,
    /// `2026-01-31`.
    pub(crate) day: &'a str,
    /// Whether refunds that have not ended are in it.
    pub(crate) unsettled: bool,
    /// Unix ms.
    pub(crate) now: i64,
}

impl Bills {
    /// The lines of a merchant's day, spoilt as wished.
    pub(crate) fn lines(&self, trades: &[Trade], of: &Statement<'_>) -> Vec<Line> {
        let that_day = |ms: i64| rfc3339(ms).starts_with(of.day);
        let mut lines = Vec::new();
        for trade in trades.iter().filter(|t| t.provider == of.provider && t.merchant == of.merchant) {
            let (Some(paid), Some(id)) = (trade.paid, &trade.transaction_id) else { continue };
            let line = |at: i64, amount: u64, what: What| Line {
                at,
                created: trade.created,
                number: trade.number.clone(),
                transaction_id: id.clone(),
                appid: trade.appid.clone(),
                sub_merchant: trade.sub_merchant.clone(),
                payer: trade.payer.clone().unwrap_or_default(),
                product: trade.product.clone(),
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
                    RefundState::Processing if of.unsettled => (refund.created, "PROCESSING"),
                    RefundState::Processing | RefundState::Closed | RefundState::Abnormal => continue,
                };
                if that_day(at) {
                    let (number, id) = (refund.out_refund_no.clone(), refund.refund_id.clone());
                    lines.push(line(at, refund.amount, What::Refund { number, id, status }));
                }
            }
        }
        for (_, how) in self.tampers.iter().filter(|(own, _)| *own == of.provider) {
            spoil(&mut lines, how, of.now);
        }
        lines
    }

    /// What is wished for a provider's files.
    pub(crate) fn wishes(&self, provider: Provider) -> Wishes<'_> {
        Wishes(self.tampers.iter().filter(|(own, _)| *own == provider).map(|(_, how)| how).collect())
    }

    /// Keeps a file for download, and makes up the token of its URL.
    pub(crate) fn offer(&mut self, file: Offered) -> String {
        let token = hex::encode(crypto::random::<16>());
        self.files.insert(token.clone(), file);
        token
    }

    /// A file by its token, as long as it is there.
    pub(crate) fn offered(&self, token: &str, now: i64) -> Option<&Offered> {
        self.files.get(token).filter(|file| now <= file.until)
    }
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
        product: "native".to_owned(),
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
pub(crate) struct Wishes<'a>(Vec<&'a BillTamper>);

impl Wishes<'_> {
    pub(crate) fn has(&self, how: &BillTamper) -> bool {
        self.0.contains(&how)
    }

    fn bomb(&self) -> u64 {
        self.0
            .iter()
            .find_map(|how| if let BillTamper::Bomb(megabytes) = how { Some(*megabytes) } else { None })
            .unwrap_or(0)
    }

    /// What a fund-flow bill has beside the books: payouts, then fees.
    pub(crate) fn funds(&self) -> (Vec<(&str, &str, u64)>, Vec<u64>) {
        let payouts = self.0.iter().filter_map(|how| match how {
            BillTamper::Payout { id, number, amount } => Some((id.as_str(), number.as_str(), *amount)),
            _ => None,
        });
        let fees = self.0.iter().filter_map(|how| if let BillTamper::Fee(fee) = how { Some(*fee) } else { None });
        (payouts.collect(), fees.collect())
    }

    pub(crate) fn elsewhere(&self) -> Option<String> {
        self.0.iter().find_map(|how| if let BillTamper::Elsewhere(url) = how { Some(url.clone()) } else { None })
    }

    /// A text as a file has it: line ends, mark, and what a bomb adds.
    pub(crate) fn text(&self, text: String) -> String {
        let text =
            if self.has(&BillTamper::Windows) { format!("\u{feff}{}", text.replace('\n', "\r\n")) } else { text };
        let bomb = usize::try_from(self.bomb()).unwrap_or(0) << 20;
        text + &"\n".repeat(bomb)
    }

    /// A file as it is sent.
    pub(crate) fn file(&self, file: Vec<u8>) -> Vec<u8> {
        if self.has(&BillTamper::Html) {
            return b"<!doctype html>\n<html><h1>404</h1></html>\n".to_vec();
        }
        let whole = file.len();
        if self.has(&BillTamper::Truncated) { file[..whole / 2].to_vec() } else { file }
    }
}

/// Whether a text is a day, as bills are asked for.
pub(crate) fn is_day(text: &str) -> bool {
    from_spaced(&format!("{text} 00:00:00")).is_some()
}
