//! Bills: what a provider's books say of a day, for the merchants that have them (WeChat Pay APIv3, Alipay).
//!
//! A bill is one file for a merchant at the provider, not for a node of ours. It is read as it arrives and kept
//! as the few fields that are compared; a file that is not whole, not authentic or not of the known layout is
//! an error, and no part of it is used.

use crypto::hash::Sha1Sum;
use domain::Fen;
use net::literal;
use net::provider_http::Download;
use std::io::{self, BufRead, Read};
use thiserror::Error;
use tokio::sync::mpsc;

/// The largest file that is downloaded, bytes.
pub const MAX_FILE: usize = 64 << 20;
/// The largest text that is read out of one, bytes.
pub const MAX_TEXT: u64 = 256 << 20;
/// The longest line, bytes.
pub const MAX_LINE: usize = 64 << 10;

/// What a bill says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bill {
    /// Payments.
    pub payments: Vec<BilledPayment>,
    /// Refunds, also those that have not ended.
    pub refunds: Vec<BilledRefund>,
    /// Payments by pay code that were reversed.
    pub reversed: Vec<BilledPayment>,
    /// Lines in all, also of other kinds.
    pub lines: u64,
    /// The provider's fees, less those that came back, in thousandths of a fen, where the bill has them.
    pub fees: Option<i64>,
}

/// What changed an account's balance on a day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FundFlow {
    /// Lines in all.
    pub lines: u64,
    /// Those that are income.
    pub income_lines: u64,
    /// Lines about fees.
    pub fee_lines: u64,
    /// What came in.
    pub income: Fen,
    /// What went out.
    pub expense: Fen,
    /// The provider's fees.
    pub fees: Fen,
    /// Fees that came back.
    pub fees_returned: Fen,
    /// Refunds, as far as they were taken from this account.
    pub refunded: Fen,
    /// What was withdrawn to the merchant's bank.
    pub withdrawn: Fen,
    /// What was paid out to others.
    pub paid_out: Fen,
    /// What of such came back.
    pub paid_back: Fen,
    /// What was paid out, one by one.
    pub transfers: Vec<BilledTransfer>,
}

impl FundFlow {
    /// Takes in the lines of another account.
    pub fn add(&mut self, other: Self) {
        for (own, more) in [
            (&mut self.lines, other.lines),
            (&mut self.income_lines, other.income_lines),
            (&mut self.fee_lines, other.fee_lines),
            (&mut self.income.0, other.income.0),
            (&mut self.expense.0, other.expense.0),
            (&mut self.fees.0, other.fees.0),
            (&mut self.fees_returned.0, other.fees_returned.0),
            (&mut self.refunded.0, other.refunded.0),
            (&mut self.withdrawn.0, other.withdrawn.0),
            (&mut self.paid_out.0, other.paid_out.0),
            (&mut self.paid_back.0, other.paid_back.0),
        ] {
            *own = own.saturating_add(more);
        }
        self.transfers.extend(other.transfers);
    }
}

/// A payout on a fund-flow bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledTransfer {
    /// The provider's number.
    pub transfer_bill_no: Box<str>,
    /// The merchant's number, mostly.
    pub out_bill_no: Box<str>,
    /// How much.
    pub amount: Fen,
}

/// What a provider answers when it is asked for a fund-flow bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FundStatement {
    /// The bill.
    Ready(FundFlow),
    /// There is none: the balance did not change on that day.
    Empty,
    /// It is being made.
    NotYet,
}

/// A payment on a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledPayment {
    /// The merchant's number.
    pub number: Box<str>,
    /// The provider's number.
    pub transaction_id: Box<str>,
    /// What the order was about.
    pub total: Fen,
    /// The sub-merchant that was paid, where the bill names one (WeChat Pay).
    pub sub_mch_id: Option<Box<str>>,
}

/// A refund on a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledRefund {
    /// The merchant's number of the payment.
    pub number: Box<str>,
    /// The provider's number of the payment.
    pub transaction_id: Box<str>,
    /// The merchant's refund number; empty where the bill names none.
    pub out_refund_no: Box<str>,
    /// The provider's refund number, where the bill names one.
    pub refund_id: Option<Box<str>>,
    /// How much.
    pub refund: Fen,
    /// Whether it ended well.
    pub success: bool,
}

/// What a provider answers when it is asked for a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// The bill.
    Ready(Bill),
    /// There is none: nothing was paid on that day.
    Empty,
    /// It is being made.
    NotYet,
}

/// Why a file is no bill.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BillError {
    /// It broke off, or does not decompress.
    #[error("the file cannot be read: {0}")]
    Read(String),
    /// More than [`MAX_TEXT`] in all, or than [`MAX_LINE`] in a line.
    #[error("the file is too large")]
    TooLarge,
    /// Its hash is not what was announced.
    #[error("the file's hash is not the announced one")]
    Hash,
    /// No file of the archive is a bill.
    #[error("the archive holds no bill")]
    NoFile,
    /// A column is missing, which is how most that is no bill shows.
    #[error("the file has no column {0}")]
    Column(&'static str),
    /// A line that cannot be read.
    #[error("line {0}: {1}")]
    Line(u64, &'static str),
}

impl From<io::Error> for BillError {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            Some(own) => own.clone(),
            None => Self::Read(error.to_string()),
        }
    }
}

/// The URL of a file, when it may be called: https to a name, the node's own gateway, or this machine where the
/// gateway is on it too (a sandbox).
///
/// # Errors
/// What is wrong with it.
pub fn file_url(url: &str, gateway: &str) -> Result<reqwest::Url, &'static str> {
    let file = reqwest::Url::parse(url).map_err(|_| "the file's address is no URL")?;
    if !file.username().is_empty() || file.password().is_some() {
        return Err("the file's address holds a user");
    }
    let own = reqwest::Url::parse(gateway).is_ok_and(|own| {
        own.origin() == file.origin()
            || own.scheme() == file.scheme()
                && [&own, &file].iter().all(|url| literal(url).is_some_and(|ip| ip.is_loopback()))
    });
    let named =
        literal(&file).is_none() && file.host_str().is_some_and(|host| host.trim_end_matches('.').contains('.'));
    if own || file.scheme() == "https" && named {
        return Ok(file);
    }
    Err("the file's address is not one to be called")
}

/// Reads a download on a thread of its own, while it arrives.
pub(super) async fn read_download<T: Send + 'static>(
    mut download: Download,
    read: impl FnOnce(Pieces) -> Result<T, BillError> + Send + 'static,
) -> Result<T, BillError> {
    let (sender, receiver) = mpsc::channel(4);
    let reading = tokio::task::spawn_blocking(move || read(Pieces { receiver, piece: Vec::new(), at: 0 }));
    loop {
        let piece = match download.piece().await {
            Ok(Some(piece)) => Ok(piece),
            Ok(None) => break,
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        let last = piece.is_err();
        // A reader that has gone has its reasons, and tells them.
        if sender.send(piece).await.is_err() || last {
            break;
        }
    }
    drop(sender);
    reading.await.unwrap_or_else(|_| Err(BillError::Read("the reader ended".to_owned())))
}

/// A download, as a reader on another thread sees it.
pub(super) struct Pieces {
    receiver: mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.receiver.blocking_recv() {
                Some(piece) => (self.piece, self.at) = (piece?, 0),
                None => return Ok(0),
            }
        }
        let n = into.len().min(self.piece.len() - self.at);
        into[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Takes the SHA-1 of what is read through it.
pub(super) struct Hashed<R> {
    inner: R,
    sum: Sha1Sum,
}

impl<R: Read> Hashed<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, sum: Sha1Sum::default() }
    }

    /// The digest, after the rest was read.
    pub(super) fn finish(mut self) -> Result<String, BillError> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.sum.hex())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.sum.update(&into[..n]);
        Ok(n)
    }
}

/// Ends with [`BillError::TooLarge`] where more comes than a bill may have, or a line that never ends.
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
    line: usize,
}

impl<R: Read> Bounded<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit, line: 0 }
    }

    /// What is left of the limit.
    pub(super) fn left(&self) -> u64 {
        self.left
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        let too_large = || io::Error::other(BillError::TooLarge);
        self.left = self.left.checked_sub(n as u64).ok_or_else(too_large)?;
        for line in into[..n].split_inclusive(|b| *b == b'\n') {
            self.line += line.len();
            if self.line > MAX_LINE {
                return Err(too_large());
            }
            if line.ends_with(b"\n") {
                self.line = 0;
            }
        }
        Ok(n)
    }
}

/// The next line without its end, CRLF or LF; false after the last.
pub(super) fn next_line(text: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, BillError> {
    line.clear();
    if text.read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(true)
}
