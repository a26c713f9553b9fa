//! What a provider is asked of a payment, and what it answers.

use domain::{Attempt, Code, Failure, Fen, Field, Order, Payment, UnixMs};
use serde_json::{Map, Value};

/// What a provider is asked to create.
pub struct CreateRequest<'a> {
    /// The order; its `description`, `total_fee`, `time_expire` and `other` are sent.
    pub order: &'a Order,
    /// The attempt; its `number`, ids, `openid` and `client_ip` are sent.
    pub attempt: &'a Attempt,
    /// Where the provider sends its callback, the whole URL.
    pub notify_url: &'a str,
    /// Where the payer's browser returns to, for gateways that bring payers back.
    pub return_url: Option<&'a str>,
    /// The client's platform, as the client said (`vk_platform`).
    pub platform: &'a str,
    /// The payer's pay code, for `codepay`.
    pub auth_code: Option<&'a str>,
    /// The shop (`store_id`), for `codepay`.
    pub store_id: Option<&'a str>,
    /// Now.
    pub now: UnixMs,
}

/// What is asked of a provider before there is an order.
pub struct GoodsRequest<'a> {
    /// The request's `data`.
    pub data: &'a Map<String, Value>,
    /// Its `custom`.
    pub custom: &'a Map<String, Value>,
    /// The amount, where the request gives one.
    pub total: Option<Fen>,
    /// The names that a signed quote fixed; none where there was no quote. Its `custom` is then the request's.
    pub quoted: &'a [&'static str],
    /// The merchant's own systems ask: they may name what a quote leaves open.
    pub trusted: bool,
}

impl<'a> GoodsRequest<'a> {
    /// A field of the data, where it is there.
    pub(crate) fn read(&self, field: &Field) -> Option<&'a Value> {
        self.data.get(field.name).filter(|value| !value.is_null())
    }

    /// What a quote says of the goods: its own claim, else its `custom`.
    pub(crate) fn signed(&self, field: &Field) -> Option<&'a Value> {
        let name = field.name;
        let said = match self.quoted.contains(&name) {
            true => self.data.get(name),
            false if self.quoted.is_empty() => None,
            false => self.custom.get(name),
        };
        said.filter(|value| !value.is_null())
    }

    /// What names the goods: what a quote says of them, else the data, else `custom`.
    ///
    /// # Errors
    /// [`Code::FORBIDDEN`] when the data says otherwise than the quote.
    pub(crate) fn named(&self, field: &Field) -> Result<Option<&'a Value>, Failure> {
        let (name, given) = (field.name, self.read(field));
        let Some(signed) = self.signed(field) else {
            return Ok(given.or_else(|| self.custom.get(name).filter(|value| !value.is_null())));
        };
        let number = |value: &Value| Fen::from_json(value);
        match given {
            Some(given) if given != signed && (number(given).is_none() || number(given) != number(signed)) => {
                Err(Failure::new(Code::FORBIDDEN).at(name).says(name))
            }
            Some(_) | None => Ok(Some(signed)),
        }
    }

    /// Whether only a quote can say what is bought: it signs the price, and who asks is not trusted.
    pub(crate) const fn needs_signed_goods(&self) -> bool {
        !self.quoted.is_empty() && !self.trusted
    }
}

/// What a request buys, where the provider sells goods by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Goods {
    /// The amount, where the provider computes it from the goods.
    pub total: Option<Fen>,
    /// Becomes [`Attempt::goods`].
    pub named: Map<String, Value>,
}

/// What a provider created.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// `orderInfo`: what the client SDK of this pay type takes.
    pub order_info: Value,
    /// The text of a QR code, where the product has one.
    pub code_url: Option<String>,
    /// Until when these parameters can be used.
    pub fresh_until: UnixMs,
    /// The provider's own number for this attempt, where callbacks and queries speak of that.
    pub number: Option<String>,
    /// `codepay`: the payment, when it was made at once.
    pub payment: Option<Payment>,
}

/// How an order stands at a provider.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Not paid; `paying` while the payer is at it.
    Unpaid {
        /// The payer is entering a password.
        paying: bool,
    },
    /// Paid: every payment that the provider has for the attempt, the first one first. Refunds, if any, are
    /// told by the refund query.
    Paid(Vec<Payment>),
    /// Closed without a payment.
    Closed,
    /// Unknown to the provider.
    Missing,
}

/// How closing an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Nothing can be paid any more.
    Closed,
    /// The provider has no close, and has no payment yet: it may still be paid.
    LeftOpen,
    /// The payer is paying at this moment: it must not be closed.
    Paying,
}
