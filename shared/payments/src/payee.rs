//! Who is paid: the merchant and sub-merchant of an order, and who may say so.
//!
//! A caller who is not trusted says it only through a signed quote, or where the configuration leaves it to him
//! (`auth.clientMayChoose`). The same holds for what goes to the provider as it is (`other`), where a receiver, a
//! share, a discount or a bearer of fees may be named. An order stays with whom it was made for: a later request
//! that names nobody goes on with them, and one that names others needs a trusted caller or the quote.

use super::{Caller, Context, CreateInput};
use config::DEFAULT_MERCHANT;
use domain::{Code, Failure, Field, Order, fields as f};
use serde_json::Value;

/// Who is paid.
#[derive(Debug, Clone)]
pub(super) struct Payee {
    /// The merchant in the configuration.
    pub merchant: String,
    /// The same, when a request named one.
    pub pid: Option<String>,
    /// Partner mode: the sub-merchant.
    pub sub_mchid: Option<String>,
    /// Partner mode: the sub-merchant's application.
    pub sub_appid: Option<String>,
}

impl Payee {
    /// Whom an order was made for.
    fn of(order: &Order) -> Self {
        let attempt = order.current();
        Self {
            merchant: attempt.merchant.clone(),
            pid: order.pid.clone(),
            sub_mchid: attempt.sub_mchid.clone(),
            sub_appid: attempt.sub_appid.clone(),
        }
    }

    /// True when both name the same, however a request came to it.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.merchant == other.merchant && self.sub_mchid == other.sub_mchid && self.sub_appid == other.sub_appid
    }
}

/// Whom a request pays. `order` is the one that has its number already, where there is one.
///
/// # Errors
/// [`Code::FORBIDDEN`] with the name that the caller may not choose; [`Code::FIELD`] for a malformed one.
pub(super) fn payee(
    cx: &Context<'_>,
    caller: &Caller,
    input: &CreateInput<'_>,
    order: Option<&Order>,
) -> Result<Payee, Failure> {
    let pid = input.fields.text(&f::PID)?;
    let sub_mchid = id(input, &f::SUB_MCHID)?;
    let sub_appid = id(input, &f::SUB_APPID)?;
    let choice = &cx.config.auth.client_may_choose;
    let is_said = |name: &str| caller.trusted || input.quoted.contains(&name);
    let may_name = |name: &str| is_said(name) || choice.allows(name);
    let forbidden = |name: &str| Err(Failure::new(Code::FORBIDDEN).at(name.to_owned()).says(name));
    let other = input.fields.object(&f::OTHER)?;
    if !is_said("other") {
        let before = order.map(|order| &order.other);
        let free =
            |key: &str, value: &Value| choice.allows_other(key) || before.and_then(|b| b.get(key)) == Some(value);
        let refused = other.iter().find(|(key, value)| !value.is_null() && !free(key, value));
        if let Some((key, _)) = refused {
            return forbidden(&format!("other.{}", key.chars().take(64).collect::<String>()));
        }
    }
    let Some(order) = order else {
        if pid.is_some_and(|pid| pid != DEFAULT_MERCHANT && !may_name("pid")) {
            return forbidden("pid");
        }
        for (name, named) in [("sub_mchid", sub_mchid), ("sub_appid", sub_appid)] {
            if named.is_some() && !may_name(name) {
                return forbidden(name);
            }
        }
        return Ok(Payee {
            merchant: pid.unwrap_or(DEFAULT_MERCHANT).to_owned(),
            pid: pid.map(str::to_owned),
            sub_mchid: sub_mchid.map(str::to_owned),
            sub_appid: sub_appid.map(str::to_owned),
        });
    };
    let mut bound = Payee::of(order);
    if let Some(pid) = pid.filter(|pid| *pid != bound.merchant) {
        if !is_said("pid") {
            return forbidden("pid");
        }
        // Sub-merchants are those of one service provider.
        bound = Payee { merchant: pid.to_owned(), pid: Some(pid.to_owned()), sub_mchid: None, sub_appid: None };
    }
    if let Some(sub_mchid) = sub_mchid.filter(|sub| bound.sub_mchid.as_deref() != Some(*sub)) {
        if !is_said("sub_mchid") {
            return forbidden("sub_mchid");
        }
        bound = Payee { sub_mchid: Some(sub_mchid.to_owned()), sub_appid: None, ..bound };
    }
    if let Some(sub_appid) = sub_appid.filter(|sub| bound.sub_appid.as_deref() != Some(*sub)) {
        if !is_said("sub_appid") {
            return forbidden("sub_appid");
        }
        bound.sub_appid = Some(sub_appid.to_owned());
    }
    Ok(bound)
}

/// An id at WeChat Pay: letters, digits, `_` and `-`, because APIv2 signs it as it stands.
fn id<'a>(input: &CreateInput<'a>, field: &Field) -> Result<Option<&'a str>, Failure> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    match input.fields.text(field)? {
        Some(id) if !id.bytes().all(plain) => Err(field.wrong("must be letters and digits")),
        id => Ok(id),
    }
}
