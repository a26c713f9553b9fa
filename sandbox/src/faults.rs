//! Rules by which the sandbox misbehaves, as real providers do now and then.

use crate::provider::Provider;
use serde::{Deserialize, Serialize};

/// What a request asks for, the same words for all providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// As a rule: matches every operation, but not callbacks.
    Any,
    /// Order creation of every kind, the pay code (micropay, trade.pay) included.
    Create,
    /// Order query.
    Query,
    /// Order close.
    Close,
    /// WeChat's reverse, Alipay's cancel.
    Reverse,
    /// Refund.
    Refund,
    /// Refund query.
    RefundQuery,
    /// Transfer.
    Transfer,
    /// Transfer query.
    TransferQuery,
    /// Transfer cancel.
    TransferCancel,
    /// The receipt of a transfer, asked for or looked for.
    Receipt,
    /// A payee is asked for an authorisation.
    Authorize,
    /// How an authorisation stands.
    AuthorizationQuery,
    /// An authorisation is closed.
    AuthorizationClose,
    /// `GET /v3/certificates`, `alipay.open.app.alipaycert.download`.
    Certificates,
    /// The bill of a day, and its file.
    Bill,
    /// What a merchant has.
    Balance,
    /// The fund-flow bill of a day.
    FundFlow,
    /// What is reported as shipped.
    Ship,
    /// How shipping stands.
    ShipQuery,
    /// The payer is asked to confirm that goods have come.
    ConfirmReceive,
    /// Complaints are listed.
    Complaints,
    /// How a complaint stands, and what was said.
    ComplaintQuery,
    /// A payer who complains is answered.
    ComplaintAnswer,
    /// A complaint is ended, or its refund granted.
    ComplaintEnd,
    /// Where notices of complaints go.
    ComplaintUrl,
    /// Profit sharing: a share, or its end.
    Share,
    /// How a share stands, and what is left to share.
    ShareQuery,
    /// A return of a share.
    ShareReturn,
    /// How a return stands.
    ShareReturnQuery,
    /// Who may be given a share.
    Receiver,
    /// Callbacks that the sandbox sends.
    Notify,
    /// Not an operation that the sandbox knows.
    Unknown,
}

/// Where a rule applies. Empty fields match everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Only this provider.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// The operation.
    pub op: Op,
    /// Only this out_trade_no (or out_refund_no).
    #[serde(default)]
    pub number: Option<String>,
}

impl Endpoint {
    /// An operation at any provider.
    pub fn op(op: Op) -> Self {
        Self { provider: None, op, number: None }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misbehaviour {
    /// The operation takes effect; the answer is withheld for so many ms, then the connection drops. On a callback:
    /// it is sent and its answer is lost, so that it will be sent again.
    TimeoutAfterCommit(u64),
    /// Nothing takes effect; the connection is held for so many ms, then drops.
    TimeoutBefore(u64),
    /// Nothing takes effect; the connection drops at once.
    DropConnection,
    /// v3 500 `SYSTEM_ERROR`, v2 `SYSTEMERROR`, Alipay 20000; nothing takes effect.
    SystemError,
    /// The same answer, but the operation took effect.
    SystemErrorAfterCommit,
    /// v3 429 `FREQUENCY_LIMITED`, v2 `FREQUENCY_LIMITED`, Alipay 40005; nothing takes effect.
    TooMany,
    /// The call is refused in the provider's words, as a wrong key or a wrong parameter is; nothing takes effect.
    Refuse,
    /// The product is not enabled: v3 403 `NO_AUTH`, Alipay 40006; at others as a wrong parameter.
    NotEnabled,
    /// Requests from this address are refused: WeChat Pay's APIv3 400 `INVALID_REQUEST`, WeChat's access tokens 40164; at
    /// others as a wrong parameter.
    AddressRefused,
    /// What is asked for does not exist: v3 404 `RESOURCE_NOT_EXISTS`, as a merchant that has only the public key is
    /// answered who asks for the platform certificates.
    Missing,
    /// Query: one word of the answer says paid and another denies it. Receipt: the hash of another file.
    Contradict,
    /// Query: the payer is entering a password.
    Paying,
    /// Query: the fields of the answer stand in `data`.
    Nest,
    /// A wrong signature on the answer or on the callback.
    BadSignature,
    /// No signature on the answer or on the callback.
    NoSignature,
    /// 502 with an HTML page; nothing takes effect.
    Http5xx,
    /// 200 with something that is no answer; the operation takes effect.
    Garbage,
    /// Refund query: nothing is known of the refund, whatever became of it (Alipay).
    KnowsNothing,
    /// A refund stays in PROCESSING until [`crate::Sandbox::settle_refund`].
    HoldRefund,
    /// A transfer stays as it was accepted (WeChat Pay `ACCEPTED`, Alipay `DEALING`) until
    /// [`crate::Sandbox::settle_transfer`].
    HoldTransfer,
    /// Callback: this sending is lost on the way (the ladder goes on).
    Lose,
    /// Callback: sent so many times more.
    Duplicate(u32),
    /// Callback: sent so many ms later.
    Delay(u64),
    /// Callback: held back until the next callback has been queued, and sent after that.
    Reorder,
}

/// A rule: where, how often, what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where it applies.
    pub on: Endpoint,
    /// How often; `None` is for ever.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub what: Misbehaviour,
}

impl Fault {
    /// A rule for one operation at any provider, for ever.
    pub fn new(op: Op, what: Misbehaviour) -> Self {
        Self { on: Endpoint::op(op), times: None, what }
    }

    /// The same, once.
    pub fn once(op: Op, what: Misbehaviour) -> Self {
        Self { times: Some(1), ..Self::new(op, what) }
    }

    /// Only for this provider.
    #[must_use]
    pub fn of(mut self, provider: Provider) -> Self {
        self.on.provider = Some(provider);
        self
    }

    /// Only for this number.
    #[must_use]
    pub fn number(mut self, number: &str) -> Self {
        self.on.number = Some(number.to_owned());
        self
    }
}

/// The rules in force, oldest first.
#[derive(Default)]
pub(crate) struct Rules(Vec<Fault>);

impl Rules {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn all(&self) -> &[Fault] {
        &self.0
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first rule that matches, spent once.
    pub(crate) fn take(&mut self, provider: Provider, op: Op, numbers: &[&str]) -> Option<Misbehaviour> {
        let at = self.0.iter().position(|fault| {
            let on = &fault.on;
            let op_fits = on.op == op || (on.op == Op::Any && op != Op::Notify);
            op_fits
                && on.provider.is_none_or(|own| own == provider)
                && on.number.as_deref().is_none_or(|own| numbers.contains(&own))
        })?;
        let what = self.0[at].what;
        match &mut self.0[at].times {
            Some(times) if *times <= 1 => {
                let _ = self.0.remove(at);
            }
            Some(times) => *times -= 1,
            None => {}
        }
        Some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_spent_where_it_applies() {
        let mut rules = Rules::default();
        rules.push(Fault::once(Op::Refund, Misbehaviour::SystemError).of(Provider::Wxpay).number("r1"));
        assert_eq!(rules.take(Provider::Alipay, Op::Refund, &["r1"]), None);
        assert_eq!(rules.take(Provider::Wxpay, Op::Refund, &["r2"]), None);
        assert_eq!(rules.take(Provider::Wxpay, Op::Refund, &["o1", "r1"]), Some(Misbehaviour::SystemError));
        assert_eq!(rules.take(Provider::Wxpay, Op::Refund, &["o1", "r1"]), None);
        rules.push(Fault::new(Op::Any, Misbehaviour::Http5xx));
        assert_eq!(rules.take(Provider::Wxpay, Op::Notify, &[]), None);
        assert_eq!(rules.take(Provider::Wxpay, Op::Query, &[]), Some(Misbehaviour::Http5xx));
    }
}
