//! Authorisations of payees: who has given one gets transfers without confirming each (免确认收款授权,
//! `docs/protocols/merchant-operations.md#transfers-without-confirmation`).

use super::{Provider, UnixMs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How an authorisation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthorizationState {
    /// Nobody knows whether the provider has it; so it begins.
    Unknown,
    /// The payee must give it.
    WaitUserConfirm,
    /// It was given, and transfers may be made under it.
    TakingEffect,
    /// It was taken back, or never given in time. Nothing is made under it any more.
    Closed,
    /// The provider made none. The same number may be asked for again.
    Refused,
}

impl AuthorizationState {
    /// The name, as in a reply's `state`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::WaitUserConfirm => "WAIT_USER_CONFIRM",
            Self::TakingEffect => "TAKING_EFFECT",
            Self::Closed => "CLOSED",
            Self::Refused => "REFUSED",
        }
    }

    /// True while somebody must go on asking about it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Unknown | Self::WaitUserConfirm)
    }

    /// Whether an authorisation may move to a state. What is closed stays so, whatever is told of it late.
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Closed, _) => false,
            (Self::Unknown, Self::Unknown) | (Self::Refused, Self::Refused) => false,
            (Self::Unknown | Self::Refused, _) => true,
            (Self::WaitUserConfirm, Self::TakingEffect | Self::Closed) | (Self::TakingEffect, Self::Closed) => true,
            (Self::WaitUserConfirm | Self::TakingEffect, _) => false,
        }
    }
}

/// One authorisation: the ledger's item, and all that must be sent again unchanged.
///
/// The payee's account and the name that they are shown are in no reply and no log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// The merchant's number, unique among all authorisations of one merchant.
    pub out_authorization_no: String,
    /// How it stands.
    pub state: AuthorizationState,
    /// Who pays out under it.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The node in the configuration.
    pub node: String,
    /// When it was first asked for, or first learnt of.
    pub create_date: UnixMs,
    /// When its provider was last called to make it: until that call is surely over, not knowing the number proves
    /// nothing.
    pub sent_at: UnixMs,
    /// By whom: `key:<name>`, `iam:<arn>`, `user:<id>`; `adopted` of one that was made elsewhere.
    pub source: String,
    /// The application at the provider.
    pub app_id: String,
    /// The merchant at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mch_id: Option<String>,
    /// Who gives it: the openid.
    pub payee: String,
    /// The scene of the transfers that are made under it.
    pub transfer_scene: String,
    /// How the payee's account with the merchant is shown to them.
    pub user_display_name: String,
    /// What the payee is told that transfers are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_recv_perception: Option<String>,
    /// Where the provider tells what the payee does.
    pub notify_url: String,
    /// The provider's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_id: Option<String>,
    /// The provider's own word for its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_state: Option<String>,
    /// When the payee gave it, in the provider's words (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorize_time: Option<String>,
    /// Why it was closed, in the provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_reason: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_reason: Option<String>,
    /// What the payee's client gives it with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_info: Option<String>,
    /// The provider's answer, redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// When it was closed, as the bundle learnt it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<UnixMs>,
    /// Counts the writes of this item.
    pub version: u64,
}

impl Authorization {
    /// The fields of a reply; `options` is what `wx.requestMerchantTransfer` takes.
    pub fn shown(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        put("provider", json!(self.provider));
        put("out_authorization_no", json!(self.out_authorization_no));
        put("authorization_id", json!(self.authorization_id));
        put("state", json!(self.state));
        put("provider_state", json!(self.provider_state));
        for (name, text) in [
            ("authorize_time", &self.authorize_time),
            ("close_reason", &self.close_reason),
            ("fail_reason", &self.fail_reason),
        ] {
            if let Some(text) = text {
                put(name, json!(text));
            }
        }
        put("result", json!(self.result));
        if let (AuthorizationState::WaitUserConfirm, Some(package)) = (self.state, &self.package_info) {
            put("options", json!({ "mchId": self.mch_id, "appId": self.app_id, "package": package }));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::AuthorizationState::{Closed, Refused, TakingEffect, Unknown, WaitUserConfirm};

    #[test]
    fn an_authorisation_only_moves_on_and_nothing_leaves_its_end() {
        let all = [Unknown, WaitUserConfirm, TakingEffect, Closed, Refused];
        for to in all {
            assert!(!Closed.may_become(to), "{to:?}");
            assert_eq!(TakingEffect.may_become(to), to == Closed, "{to:?}");
            assert_eq!(WaitUserConfirm.may_become(to), matches!(to, TakingEffect | Closed), "{to:?}");
            assert_eq!(Unknown.may_become(to), to != Unknown, "{to:?}");
            assert_eq!(Refused.may_become(to), to != Refused, "{to:?}");
        }
    }
}
