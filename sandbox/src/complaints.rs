//! The books of complaints: what payers say of their payments to the provider, and what the merchant has done about it.

use crate::ids;
use crate::ledger::Trade;
use crate::provider::{Provider, Wire};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// States of a complaint, in WeChat's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ComplaintState {
    /// Nobody has answered.
    Pending,
    /// The merchant has answered.
    Processing,
    /// Done with.
    Processed,
}

/// A line of what was said.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ComplaintLine {
    pub at: i64,
    /// `USER_CREATE_COMPLAINT`, `MERCHANT_RESPONSE` …
    pub kind: &'static str,
    pub text: String,
}

/// A complaint in the books. Amounts are fen, times unix ms.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the providers' own")]
pub struct Complaint {
    pub provider: Provider,
    /// mchid, Alipay's app id, the mini program.
    pub merchant: String,
    pub id: String,
    /// The trade's out_trade_no, its place in the books, and its number there.
    pub number: String,
    pub trade: usize,
    pub transaction_id: String,
    pub amount: u64,
    pub state: ComplaintState,
    /// `REFUND`, `SERVICE_NOT_WORK`, `OTHERS`.
    pub problem_type: String,
    pub detail: String,
    pub phone: String,
    pub created: i64,
    /// How often the payer has complained.
    pub times: u64,
    /// The payer waits for an answer.
    pub awaits_reply: bool,
    /// The merchant has granted the refund that is asked for.
    pub approved: bool,
    /// How the merchant says that it was ended, at Alipay.
    pub process_code: Option<String>,
    /// Alipay: a consumers' complaint, and not one about a trade of a mini program.
    pub risk: bool,
    /// WeChat: it is told without its time.
    pub incomplete: bool,
    pub lines: Vec<ComplaintLine>,
}

/// What a payer complains of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ComplaintWish {
    /// `REFUND`, `SERVICE_NOT_WORK`, `OTHERS`.
    pub problem_type: String,
    /// What the payer writes.
    pub detail: String,
    /// The payer's telephone number.
    pub phone: String,
    /// Alipay: a consumers' complaint, of which nobody is told.
    pub risk: bool,
    /// WeChat: it is told without its time.
    pub incomplete: bool,
}

impl Default for ComplaintWish {
    fn default() -> Self {
        Self {
            problem_type: "OTHERS".to_owned(),
            detail: "付了款，没有收到".to_owned(),
            phone: "13812345678".to_owned(),
            risk: false,
            incomplete: false,
        }
    }
}

/// What a notice of a complaint tells.
#[derive(Clone, Debug)]
pub(crate) struct ComplaintTold {
    /// Which one.
    pub(crate) complaint: Complaint,
    /// `CREATE_COMPLAINT`, `CONTINUE_COMPLAINT`, `USER_RESPONSE` …
    pub(crate) action: &'static str,
    /// In which protocol.
    pub(crate) wire: Wire,
}

/// Where a merchant has its notices of complaints sent.
#[derive(Clone, Debug)]
pub(crate) struct ComplaintUrl {
    pub(crate) url: String,
    pub(crate) wire: Wire,
}

impl Complaint {
    /// The merchant has answered.
    pub(crate) fn answer(&mut self, text: &str, at: i64) {
        self.lines.push(ComplaintLine { at, kind: "MERCHANT_RESPONSE", text: text.to_owned() });
        self.awaits_reply = false;
        if self.state == ComplaintState::Pending {
            self.state = ComplaintState::Processing;
        }
    }

    /// The merchant has ended it, or the money that came back has.
    pub(crate) fn end(&mut self, kind: &'static str, text: &str, at: i64) {
        self.lines.push(ComplaintLine { at, kind, text: text.to_owned() });
        self.awaits_reply = false;
        self.state = ComplaintState::Processed;
    }

    /// As WeChat Pay and virtual payment write it, but for the telephone number.
    pub(crate) fn in_wechats_words(&self, trade: &Trade) -> Value {
        let asked = (self.problem_type == "REFUND").then_some(self.amount);
        json!({
            "complaint_id": self.id,
            "complaint_time": (!self.incomplete).then(|| ids::rfc3339(self.created)),
            "complaint_detail": self.detail,
            "complaint_state": self.state,
            "complaint_order_info": [{
                "transaction_id": self.transaction_id, "out_trade_no": self.number, "amount": self.amount,
            }],
            "complaint_full_refunded": trade.returned() >= trade.amount(),
            "incoming_user_response": self.awaits_reply,
            "user_complaint_times": self.times,
            "complaint_media_list": [],
            "problem_description": "商品或服务问题",
            "problem_type": self.problem_type,
            "apply_refund_amount": asked,
            "user_tag_list": ["TRUSTED"],
        })
    }

    /// What was said as WeChat Pay and virtual payment write it, the newest first.
    pub(crate) fn lines_in_wechats_words(&self) -> Vec<Value> {
        let line = |(i, line): (usize, &ComplaintLine)| {
            let operator = if line.kind.starts_with("USER") { "投诉人" } else { "商户" };
            json!({
                "log_id": format!("{}{i:03}", self.id), "operator": operator, "operate_time": ids::rfc3339(line.at),
                "operate_type": line.kind, "operate_details": line.text, "image_list": [],
            })
        };
        self.lines.iter().enumerate().map(line).rev().collect()
    }
}
