//! The lines of a merchant's bills, ready to be compared.

use domain::Fen;
use providers::bill::{Bill, BilledPayment, BilledRefund};
use std::collections::HashMap;

/// The lines of all accounts, found by the provider's number and the merchant's.
#[derive(Default)]
pub(super) struct Books {
    pub(super) payments: HashMap<(Box<str>, Box<str>), Paid>,
    /// By the payment and the refund number.
    pub(super) refunds: HashMap<(Box<str>, Box<str>), Refunded>,
    /// Refunds without a number.
    pub(super) loose: Vec<Refunded>,
    /// Pay codes that were reversed, by the payment.
    pub(super) reversed: HashMap<Box<str>, Reversed>,
    pub(super) lines: u64,
    /// The fees of all, in thousandths of a fen, where the bills have them.
    pub(super) fees: Option<i64>,
}

/// A payment.
pub(super) struct Paid {
    pub(super) total: Fen,
    pub(super) sub_mch_id: Option<Box<str>>,
    /// Whether this merchant answers for it when it is nobody's.
    pub(super) speaks: bool,
}

/// A pay code that was reversed after it was paid.
pub(super) struct Reversed {
    pub(super) line: BilledPayment,
    /// What the same bill has as its payment.
    pub(super) paid: Fen,
    /// As of a payment.
    pub(super) speaks: bool,
}

/// A refund.
pub(super) struct Refunded {
    pub(super) line: BilledRefund,
    /// As of a payment.
    pub(super) speaks: bool,
}

impl Books {
    /// All refunds.
    pub(super) fn refunds(&self) -> impl Iterator<Item = &Refunded> {
        self.refunds.values().chain(&self.loose)
    }

    /// Adds a bill. Applications of one seller have the same bill, so a line may come again.
    pub(super) fn take(&mut self, bill: Bill, speaks: bool) -> Result<(), &'static str> {
        self.lines += bill.lines;
        self.fees = match (self.fees, bill.fees) {
            (Some(sum), Some(fees)) => sum.checked_add(fees),
            (None, fees) if self.lines == bill.lines => fees,
            (_, _) => None,
        };
        for line in bill.reversed {
            let reversed = Reversed { line, paid: Fen::ZERO, speaks };
            if self.reversed.insert(reversed.line.transaction_id.clone(), reversed).is_some() {
                self.lines -= 1;
            }
        }
        for BilledPayment { number, transaction_id, total, sub_mch_id } in bill.payments {
            match self.payments.insert((transaction_id, number), Paid { total, sub_mch_id, speaks }) {
                Some(known) if known.total != total => return Err("two lines of one payment differ"),
                Some(_) => self.lines -= 1,
                None => {}
            }
        }
        for line in bill.refunds {
            if line.out_refund_no.is_empty() {
                self.loose.push(Refunded { line, speaks });
                continue;
            }
            let key = (line.transaction_id.clone(), line.out_refund_no.clone());
            let now = (line.refund, line.success);
            match self.refunds.insert(key, Refunded { line, speaks }) {
                Some(known) if (known.line.refund, known.line.success) != now => {
                    return Err("two lines of one refund differ");
                }
                Some(_) => self.lines -= 1,
                None => {}
            }
        }
        Ok(())
    }
}
