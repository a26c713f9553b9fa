//! Transfers: money that leaves the merchant.

use super::{Fen, Provider, UnixMs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The kinds of account that Alipay pays out to (`docs/protocols/alipay.md#transfers`).
pub const IDENTITY_TYPES: [&str; 3] = ["ALIPAY_USER_ID", "ALIPAY_LOGON_ID", "ALIPAY_OPEN_ID"];

/// How a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TransferState {
    /// The provider has it. Every word of a provider's that is not known is this.
    Processing,
    /// The payee must confirm that they take it.
    WaitUserConfirm,
    /// It is being taken back.
    Canceling,
    /// Nobody knows whether the provider has it; so it begins.
    Unknown,
    /// The payee has the money.
    Success,
    /// It failed; a new number is needed.
    Fail,
    /// It was taken back before the payee had it.
    Cancelled,
    /// The money came back from the payee.
    Returned,
    /// The provider made no bill. The same number may be sent again.
    Refused,
}

impl TransferState {
    /// The name, as in a reply's `state`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::WaitUserConfirm => "WAIT_USER_CONFIRM",
            Self::Canceling => "CANCELING",
            Self::Unknown => "UNKNOWN",
            Self::Success => "SUCCESS",
            Self::Fail => "FAIL",
            Self::Cancelled => "CANCELLED",
            Self::Returned => "RETURNED",
            Self::Refused => "REFUSED",
        }
    }

    /// True when the provider moves it no further, but for a success whose money comes back.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Fail | Self::Cancelled | Self::Returned)
    }

    /// True while somebody must go on asking about it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Processing | Self::WaitUserConfirm | Self::Canceling | Self::Unknown)
    }

    /// True when its amount counts against the day's limits.
    pub const fn counts(self) -> bool {
        self.is_open() || matches!(self, Self::Success)
    }

    /// Whether a transfer may move to a state. What the provider has confirmed is never again unknown or
    /// refused; a refused one may be sent again, and if it went out after all, that is the truth.
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Success, Self::Returned) => true,
            (Self::Success | Self::Fail | Self::Cancelled | Self::Returned, _) => false,
            (Self::Unknown, Self::Unknown) | (Self::Refused, Self::Refused) => false,
            (Self::Unknown | Self::Refused, _) => true,
            (Self::Processing | Self::WaitUserConfirm | Self::Canceling, Self::Unknown | Self::Refused) => false,
            (Self::Processing, Self::Processing)
            | (Self::WaitUserConfirm, Self::WaitUserConfirm)
            | (Self::Canceling, Self::Canceling) => false,
            (Self::Processing | Self::WaitUserConfirm | Self::Canceling, _) => true,
        }
    }
}

/// A line of what a transfer is for, as the scene wants it: `info_type` and `info_content`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportInfo {
    /// What it says, by the scene's own name (`活动名称` …).
    pub info_type: String,
    /// The text.
    pub info_content: String,
}

/// What a node may pay out in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DailyLimits {
    /// In all.
    pub total: Option<Fen>,
    /// To one payee.
    pub per_payee: Option<Fen>,
}

/// One transfer: the ledger's item, and all that must be sent again unchanged.
///
/// The payee's real name is sealed under a key of the application's own; neither it nor the payee's account
/// is in a reply or a log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The merchant's number; the idempotency key of `transfer`, unique among all transfers of one merchant.
    pub out_bill_no: String,
    /// How it stands.
    pub state: TransferState,
    /// The amount.
    pub transfer_amount: Fen,
    /// Who pays it out.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The node in the configuration.
    pub node: String,
    /// When it was first asked for.
    pub create_date: UnixMs,
    /// When its provider was last called for it: until that call is surely over, not knowing the number proves
    /// nothing.
    #[serde(default)]
    pub sent_at: UnixMs,
    /// By whom: `key:<name>`, `iam:<arn>`, `user:<id>`.
    pub source: String,
    /// The application at the provider.
    pub app_id: String,
    /// The merchant at the provider, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mch_id: Option<String>,
    /// Who gets it: the openid, or the account at Alipay.
    pub payee: String,
    /// What kind of account that is at Alipay: `ALIPAY_USER_ID`, `ALIPAY_LOGON_ID`, `ALIPAY_OPEN_ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payee_type: Option<String>,
    /// The payee's real name, sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payee_name: Option<String>,
    /// The text that the payee sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_remark: Option<String>,
    /// Alipay's title of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_title: Option<String>,
    /// The scene: WeChat Pay's id, Alipay's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_scene: Option<String>,
    /// What the scene wants told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfer_scene_report_infos: Vec<ReportInfo>,
    /// What the payee is told that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_recv_perception: Option<String>,
    /// Where the provider tells its end, where it takes a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_url: Option<String>,
    /// The payee's authorisation that it is made under, so that they confirm nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_authorization_no: Option<String>,
    /// The provider's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_bill_no: Option<String>,
    /// The provider's own word for its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_state: Option<String>,
    /// Why it failed or was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_reason: Option<String>,
    /// What the payee's client confirms it with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_info: Option<String>,
    /// The provider's answer, redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// When it ended, as the bundle learnt it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<UnixMs>,
    /// The day's counters that its amount was put on, by their keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// Counts the writes of this item.
    pub version: u64,
}

impl Transfer {
    /// What stands in `provider_state` of a transfer that was refused for the address that it was asked from: providers
    /// have no word of their own for it.
    pub const ADDRESS_REFUSED: &'static str = "ADDRESS_REFUSED";

    /// Whether it was refused, and never sent, for the address that it was asked from.
    pub fn is_refused_for_address(&self) -> bool {
        self.state == TransferState::Refused && self.provider_state.as_deref() == Some(Self::ADDRESS_REFUSED)
    }

    /// Whether the provider may still change it, so that it is asked: anything but an end, and Alipay's
    /// success, whose money may come back.
    pub fn may_change(&self) -> bool {
        !self.state.is_final() || (self.state == TransferState::Success && self.provider == Provider::Alipay)
    }

    /// The payee as the day's limit counts it: one account however it is written. An account at Alipay that its
    /// holder logs in with is an e-mail address or a telephone number, which Alipay reads without regard to letter
    /// case and punctuation; any other id is told apart by case.
    pub fn counted_payee(&self) -> String {
        let full_width = |c: char| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            '\u{3002}' | '\u{ff61}' => '.',
            c => c,
        };
        // Nothing that is seen: blanks, marks of direction, joiners.
        let seen = |c: &char| {
            let unseen = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
            !(c.is_whitespace() || c.is_control() || unseen)
        };
        let payee: String = self.payee.chars().map(full_width).filter(seen).collect();
        if self.payee_type.as_deref() != Some("ALIPAY_LOGON_ID") {
            return payee;
        }
        // A telephone number: with or without the country, with or without marks between the digits.
        let number: String = payee.chars().filter(|c| c.is_alphanumeric()).collect();
        if payee.contains('@') || !number.bytes().all(|b| b.is_ascii_digit()) {
            return payee.to_lowercase();
        }
        let local = ["0086", "86"].iter().find_map(|code| number.strip_prefix(code).filter(|rest| rest.len() == 11));
        local.unwrap_or(&number).to_owned()
    }

    /// The fields of a reply, by the names of both dialects; `options` is what `wx.requestMerchantTransfer`
    /// takes.
    pub fn shown(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        put("provider", json!(self.provider));
        put("out_bill_no", json!(self.out_bill_no));
        put("out_trade_no", json!(self.out_bill_no));
        put("transfer_bill_no", json!(self.transfer_bill_no));
        put("transfer_amount", json!(self.transfer_amount));
        put("money", json!(self.transfer_amount));
        put("state", json!(self.state));
        put("provider_state", json!(self.provider_state));
        if let Some(number) = &self.out_authorization_no {
            put("out_authorization_no", json!(number));
        }
        if let Some(reason) = &self.fail_reason {
            put("fail_reason", json!(reason));
        }
        put("result", json!(self.result));
        if let (TransferState::WaitUserConfirm, Some(package)) = (self.state, &self.package_info) {
            put("options", json!({ "mchId": self.mch_id, "appId": self.app_id, "package": package }));
        }
        fields
    }
}

/// The day in Shanghai that a time falls into: `2026-01-02`.
pub fn shanghai_day(at: UnixMs) -> String {
    time::OffsetDateTime::from_unix_timestamp(at.secs())
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
        .to_offset(time::macros::offset!(+8))
        .date()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::TransferState::{
        Canceling, Cancelled, Fail, Processing, Refused, Returned, Success, Unknown, WaitUserConfirm,
    };
    use super::*;

    const ALL: [TransferState; 9] =
        [Processing, WaitUserConfirm, Canceling, Unknown, Success, Fail, Cancelled, Returned, Refused];

    #[test]
    fn nothing_leaves_an_end_but_a_success_whose_money_comes_back() {
        for from in [Success, Fail, Cancelled, Returned] {
            for to in ALL {
                assert_eq!(from.may_become(to), (from, to) == (Success, Returned), "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn what_the_provider_has_is_never_again_unknown_or_refused() {
        for from in [Processing, WaitUserConfirm, Canceling] {
            assert!(!from.may_become(Unknown) && !from.may_become(Refused), "{from:?}");
            assert!([Success, Fail, Cancelled, Returned].into_iter().all(|to| from.may_become(to)), "{from:?}");
        }
        assert!(ALL.into_iter().all(|to| Refused.may_become(to) == (to != Refused)));
        assert!(ALL.into_iter().all(|to| Unknown.may_become(to) == (to != Unknown)));
    }

    #[test]
    fn a_day_begins_at_midnight_in_shanghai() {
        assert_eq!(shanghai_day(UnixMs::new(1_767_283_199_999)), "2026-01-01");
        assert_eq!(shanghai_day(UnixMs::new(1_767_283_200_000)), "2026-01-02");
    }
}
