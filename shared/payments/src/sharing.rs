//! `pay/addReceiver`, `pay/deleteReceiver`, `pay/profitShare`, `pay/unfreezeShare`, `pay/returnShare` and `pay/queryShare`;
//! and what a provider tells of a share.

use super::query::PAUSE;
use super::share::{self, Paid};
use super::share_return;
use super::{Caller, Context, Fields};
use config::DEFAULT_MERCHANT;
use domain::{
    Code, Failure, Fen, Field, MAX_RECEIVERS, Order, RECEIVER_MERCHANT, RECEIVER_TYPES, ReceiverResult, RefundState,
    ReturnState, Share, ShareReceiver, ShareReturn, ShareState, UnixMs, fields as f,
};
use providers::{CallError, Gateway, ReceiverRequest, ShareNotice};
use serde_json::{Map, Value};

/// The longest text that a provider shows with a share, characters.
const DESCRIPTION: usize = 80;
/// The longest account of a receiver, characters.
const ACCOUNT: usize = 64;
/// What is said where nothing is.
const SHARED: &str = "分账";
const UNFROZEN: &str = "解冻全部剩余资金";
const RETURNED: &str = "分账回退";

/// Says who may be given a share, or who no longer may. Answers the receiver's type and account.
///
/// # Errors
/// The field's code for bad input; 422 the provider cannot share, or refuses; 504 the outcome is not known, and the same
/// again does no harm.
pub async fn change_receiver(cx: &Context<'_>, fields: &Fields<'_>, add: bool) -> Result<(String, String), Failure> {
    let provider = fields.needed_provider()?;
    let id = fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT);
    let merchant = cx.merchant(id).await?.ok_or_else(|| f::PID.wrong("names no merchant of the configuration"))?;
    let app_id = fields.text(&f::APPID)?;
    let kind = fields.choice(&f::RECEIVER_TYPE)?.ok_or_else(|| fields.fault(&f::RECEIVER_TYPE))?;
    let account = fields.needed_text(&f::RECEIVER_ACCOUNT)?;
    let nodes = Gateway::all(&merchant).into_iter().filter(|(own, ..)| *own == provider).map(|(_, _, gateway)| gateway);
    let nodes: Vec<Gateway> = nodes.collect();
    let able = |gateway: &&Gateway| gateway.can_share().is_ok() && app_id.is_none_or(|id| gateway.app_id() == id);
    let gateway = match nodes.iter().find(able) {
        Some(gateway) => gateway,
        None => {
            // The reason of the first says what is lacking.
            nodes.first().map_or(Ok(()), Gateway::can_share)?;
            return Err(match app_id {
                Some(_) => f::APPID.wrong("is of no node of this provider that can share"),
                None => Failure::new(Code::UNSUPPORTED).says(format!("{provider}: profitShare")),
            });
        }
    };
    fit(gateway, kind, account).map_err(|(field, what)| match field {
        "type" => f::RECEIVER_TYPE.wrong(&what),
        _ => f::RECEIVER_ACCOUNT.wrong(&what),
    })?;
    let (mut name, mut relation_type, mut custom_relation) = (None, None, None);
    if add {
        name = fields.text(&f::RECEIVER_NAME)?;
        relation_type = fields.choice(&f::RELATION_TYPE)?;
        custom_relation = fields.text(&f::CUSTOM_RELATION)?;
        if kind == RECEIVER_MERCHANT && name.is_none() {
            return Err(f::RECEIVER_NAME.wrong("is missing; a merchant (MERCHANT_ID) is named by its full name"));
        }
        if (relation_type == Some("CUSTOM")) != custom_relation.is_some() {
            return Err(f::CUSTOM_RELATION.wrong("goes with relation_type CUSTOM, and only with it"));
        }
    }
    let request = ReceiverRequest {
        kind,
        account,
        name,
        app_id,
        sub_mchid: fields.text(&f::SUB_MCHID)?,
        relation_type,
        custom_relation,
        now: cx.now(),
    };
    let done = match add {
        true => gateway.add_receiver(cx.clients, &request).await,
        false => gateway.delete_receiver(cx.clients, &request).await,
    };
    match done {
        Ok(()) => Ok((kind.to_owned(), account.to_owned())),
        Err(CallError::Refused(refusal)) => Err(Failure::new(Code::SHARE_REFUSED).says(refusal.to_string())),
        Err(CallError::Unknown(why)) => Err(Failure::new(Code::OUTCOME_UNKNOWN).private(why)),
    }
}

/// Shares what was paid for an order among receivers. The same number again is the same share.
///
/// # Errors
/// The field's code for bad input; 404; 409 the order is not paid, was not made to be shared, has not so much left, or the
/// number has another content; 422 the provider refused; 504 the outcome is not known.
pub async fn profit_share(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Share, Failure> {
    let (no, number) = (fields.out_trade_no()?, needed_number(fields, &f::OUT_ORDER_NO)?);
    let receivers = read_receivers(fields)?;
    let unfreeze_unsplit = match fields.raw(&f::UNFREEZE_UNSPLIT) {
        None => false,
        Some(Value::Bool(unfreeze)) => *unfreeze,
        Some(_) => return Err(fields.fault(&f::UNFREEZE_UNSPLIT)),
    };
    let order = cx.visible_order(caller, no).await?;
    let wished = Share { unfreeze_unsplit, ..wish(cx, &order, number, receivers).await? };
    share::begin(cx, &caller.source, &wished).await
}

/// Ends the sharing of an order: what is left is the merchant's.
///
/// # Errors
/// As [`profit_share`].
pub async fn unfreeze_share(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Share, Failure> {
    let (no, number) = (fields.out_trade_no()?, needed_number(fields, &f::OUT_ORDER_NO)?);
    let description = Some(fields.text(&f::SHARE_DESCRIPTION)?.unwrap_or(UNFROZEN).to_owned());
    let order = cx.visible_order(caller, no).await?;
    let wished = Share { unfreeze_unsplit: true, description, ..wish(cx, &order, number, Vec::new()).await? };
    share::begin(cx, &caller.source, &wished).await
}

/// A share of an order, as its provider takes one.
async fn wish(
    cx: &Context<'_>,
    order: &Order,
    out_order_no: &str,
    mut receivers: Vec<ShareReceiver>,
) -> Result<Share, Failure> {
    let paid = Paid::of(cx, order).await?;
    if !paid.gateway.takes_share_number(out_order_no) {
        return Err(f::OUT_ORDER_NO.wrong("is not a number that this provider takes: 1 to 32 letters, digits and _"));
    }
    for (i, receiver) in receivers.iter_mut().enumerate() {
        if receiver.kind.is_empty() {
            receiver.kind = paid.gateway.receiver_types().first().copied().unwrap_or(RECEIVER_MERCHANT).to_owned();
        }
        fit(&paid.gateway, &receiver.kind, &receiver.account)
            .map_err(|(field, what)| bad(format!("receivers[{i}].{field}"), &what))?;
    }
    Ok(Share {
        out_trade_no: order.out_trade_no.clone(),
        out_order_no: out_order_no.to_owned(),
        provider: paid.attempt.provider,
        merchant: paid.attempt.merchant.clone(),
        attempt: paid.attempt.n,
        transaction_id: paid.transaction_id.to_owned(),
        receivers,
        unfreeze_unsplit: false,
        description: None,
        state: ShareState::Unknown,
        order_id: None,
        reason: None,
        sent_at: cx.now(),
        create_date: cx.now(),
        end_date: None,
        version: 1,
    })
}

/// Whether a provider takes such a receiver; else the field, and what is wrong with it.
fn fit(gateway: &Gateway, kind: &str, account: &str) -> Result<(), (&'static str, String)> {
    let kinds = gateway.receiver_types();
    if !kinds.contains(&kind) {
        return Err(("type", format!("must be one of {}", kinds.join(", "))));
    }
    gateway.check_receiver(kind, account).map_err(|what| ("account", what.to_owned()))
}

/// A number of a share or a return, as its providers take it: without the dot that a number of ours may have.
fn number<'a>(fields: &Fields<'a>, field: &Field) -> Result<Option<&'a str>, Failure> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-|*@".contains(&b);
    match fields.raw(field) {
        None => Ok(None),
        Some(Value::String(text)) if (1..=64).contains(&text.len()) && text.bytes().all(plain) => Ok(Some(text)),
        Some(_) => Err(fields.fault(field)),
    }
}

fn needed_number<'a>(fields: &Fields<'a>, field: &Field) -> Result<&'a str, Failure> {
    number(fields, field)?.ok_or_else(|| fields.fault(field))
}

/// The fault of something within a field, at its path.
fn bad(path: impl Into<String>, what: &str) -> Failure {
    let path = path.into();
    Failure::new(Code::FIELD).says(format!("{path}: {what}")).at(path)
}

fn read_receivers(fields: &Fields<'_>) -> Result<Vec<ShareReceiver>, Failure> {
    let list = match fields.raw(&f::RECEIVERS) {
        Some(Value::Array(list)) if (1..=MAX_RECEIVERS).contains(&list.len()) => list,
        _ => return Err(fields.fault(&f::RECEIVERS)),
    };
    let mut receivers: Vec<ShareReceiver> = Vec::new();
    let mut sum = Fen::ZERO;
    for (i, given) in list.iter().enumerate() {
        let path = format!("receivers[{i}]");
        let Value::Object(given) = given else { return Err(bad(path, "must be an object")) };
        let receiver = read_receiver(&path, given)?;
        // Its result is told by type and account, and so is who returns it.
        if receivers.iter().any(|other| other.account == receiver.account) {
            return Err(bad(format!("{path}.account"), "is named twice; add the amounts up"));
        }
        sum = Fen(sum.0.saturating_add(receiver.amount.0));
        receivers.push(receiver);
    }
    match sum <= Fen::MAX {
        true => Ok(receivers),
        false => Err(bad("receivers", &format!("share more than {} fen", Fen::MAX))),
    }
}

fn read_receiver(path: &str, given: &Map<String, Value>) -> Result<ShareReceiver, Failure> {
    const KNOWN: [&str; 4] = ["type", "account", "amount", "description"];
    // A name that is not looked at must not be believed to be.
    if let Some(name) = given.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(bad(format!("{path}.{name}"), "is not read here; names of receivers go with addReceiver"));
    }
    let text = |name: &str, most: usize| match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= most && !text.chars().any(char::is_control) => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(bad(format!("{path}.{name}"), &format!("must be a text of 1 to {most} characters"))),
    };
    let needed = |name: &str, most: usize| text(name, most)?.ok_or_else(|| bad(format!("{path}.{name}"), "is missing"));
    // Empty where it is left out: the usual one of the provider.
    let kind = text("type", ACCOUNT)?.unwrap_or_default();
    if !kind.is_empty() && !RECEIVER_TYPES.contains(&kind.as_str()) {
        return Err(bad(format!("{path}.type"), &format!("must be one of {}", RECEIVER_TYPES.join(", "))));
    }
    let amount = given.get("amount").and_then(Fen::from_json);
    Ok(ShareReceiver {
        kind,
        account: needed("account", ACCOUNT)?,
        amount: amount.ok_or_else(|| {
            bad(format!("{path}.amount"), "must be an integer in fen from 1, such as 100 for 1.00 yuan")
        })?,
        description: text("description", DESCRIPTION)?.unwrap_or_else(|| SHARED.to_owned()),
        result: ReceiverResult::Pending,
        fail_reason: None,
        detail_id: None,
        returned: Fen::ZERO,
        returning: Fen::ZERO,
    })
}

/// Takes back what a receiver got by a share. The same number again is the same return.
///
/// # Errors
/// The field's code for bad input; 404; 409 the share has not finished, more than the receiver can return, or the number has
/// another content; 422 it failed; 504 the outcome is not known.
pub async fn return_share(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<ShareReturn, Failure> {
    let no = fields.out_trade_no()?;
    let (out_order_no, out_return_no) =
        (needed_number(fields, &f::OUT_ORDER_NO)?, needed_number(fields, &f::OUT_RETURN_NO)?);
    let return_mchid = fields.needed_text(&f::RETURN_MCHID)?;
    let amount = fields.amount(&f::RETURN_AMOUNT)?;
    let description = fields.text(&f::SHARE_DESCRIPTION)?.unwrap_or(RETURNED);
    let order = cx.visible_order(caller, no).await?;
    let paid = Paid::of(cx, &order).await?;
    let wished = ShareReturn {
        out_trade_no: order.out_trade_no.clone(),
        out_return_no: out_return_no.to_owned(),
        out_order_no: out_order_no.to_owned(),
        return_mchid: return_mchid.to_owned(),
        amount,
        description: description.to_owned(),
        out_refund_no: None,
        provider: paid.attempt.provider,
        merchant: paid.attempt.merchant.clone(),
        attempt: paid.attempt.n,
        state: ReturnState::Unknown,
        return_id: None,
        fail_reason: None,
        sent_at: UnixMs::EPOCH,
        create_date: cx.now(),
        end_date: None,
        version: 1,
    };
    share_return::begin_return(cx, &caller.source, &wished).await
}

/// What was shared of an order.
pub struct Shared {
    /// The order.
    pub order: Order,
    /// What the provider keeps of it to be shared, where it says.
    pub unsplit: Option<Fen>,
    /// Its shares, oldest first.
    pub shares: Vec<Share>,
    /// Its returns, oldest first.
    pub returns: Vec<ShareReturn>,
}

/// Asks the provider about every share and return of an order that has not ended, and lists all. The provider is asked at
/// most once in a second for one order.
///
/// # Errors
/// 404; 409 the order is not paid, or was not made to be shared; 422 its provider cannot share.
pub async fn query_share(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Shared, Failure> {
    let no = fields.out_trade_no()?;
    let only = number(fields, &f::OUT_ORDER_NO)?;
    let order = cx.visible_order(caller, no).await?;
    let paid = Paid::of(cx, &order).await?;
    let mut unsplit = None;
    if cx.store.claim_query(no, cx.now(), PAUSE).await? {
        bring_on(cx, &paid, no).await?;
        match paid.gateway.unsplit(cx.clients, paid.attempt, paid.transaction_id, cx.now()).await {
            Ok(left) => unsplit = Some(left),
            Err(CallError::Refused(refusal)) => {
                tracing::info!(
                    out_trade_no = no,
                    code = refusal.code,
                    "the provider refuses to tell what is left to share"
                );
            }
            Err(CallError::Unknown(why)) => {
                tracing::warn!(out_trade_no = no, why, "the provider does not tell what is left to share");
            }
        }
    }
    let mut shares = cx.store.shares(no).await?;
    let mut returns = cx.store.share_returns(no).await?;
    if let Some(only) = only {
        shares.retain(|share| share.out_order_no == only);
        returns.retain(|made| made.out_order_no == only);
        if shares.is_empty() {
            return Err(Code::NO_SHARE.into());
        }
    }
    Ok(Shared { order: cx.visible_order(caller, no).await?, unsplit, shares, returns })
}

/// Brings on what of an order's shares and returns has not ended. What a refund waits for is the refund's, as long as it
/// waits: it may have ended otherwise, by the provider's word.
async fn bring_on(cx: &Context<'_>, paid: &Paid<'_>, no: &str) -> Result<(), Failure> {
    for share in cx.store.shares(no).await?.iter().filter(|share| share.state.is_open()) {
        told(share::pursue(cx, paid, share).await)?;
    }
    let returns = cx.store.share_returns(no).await?;
    for made in returns.iter().filter(|made| made.state.is_open()) {
        let waiting = match &made.out_refund_no {
            Some(number) => cx.store.refund(no, number).await?,
            None => None,
        };
        if waiting.is_none_or(|refund| refund.state != RefundState::Processing) {
            told(share_return::pursue_return(cx, paid, made).await)?;
        }
    }
    Ok(())
}

/// Who does not tell, or refuses, has left what there is.
fn told<T>(pursued: Result<T, Failure>) -> Result<(), Failure> {
    match pursued {
        Err(failure) if ![Code::OUTCOME_UNKNOWN, Code::SHARE_REFUSED, Code::BUSY].contains(&failure.code) => {
            Err(failure)
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Takes what a provider tells of a share, by asking it. A payment that is not known here is another's, who has shared it
/// with this merchant.
///
/// # Errors
/// When the table, or the provider, cannot be asked.
pub(super) async fn settle_share(cx: &Context<'_>, notice: &ShareNotice) -> Result<(), Failure> {
    let (merchant, id) = (&notice.merchant, &notice.transaction_id);
    let order = match cx.store.order_of_transaction(notice.provider, merchant, id).await? {
        Some(no) => cx.store.order(&no).await?,
        None => None,
    };
    let own = |order: &Order| {
        order.paid_attempt().is_some_and(|a| {
            a.provider == notice.provider
                && notice.mch_id.as_ref().is_none_or(|own| a.mch_id.as_ref() == Some(own))
                && notice.app_id.as_ref().is_none_or(|own| a.app_id == *own)
        })
    };
    let Some(order) = order.filter(own) else {
        tracing::info!(provider = %notice.provider, merchant, "a share of a payment that is not known here");
        return Ok(());
    };
    let paid = match Paid::of(cx, &order).await {
        Ok(paid) => paid,
        // It was shared elsewhere, and there is nothing here that the message could move.
        Err(failure) if [Code::SHARE_STATE, Code::UNSUPPORTED].contains(&failure.code) => {
            tracing::warn!(out_trade_no = %order.out_trade_no, "a share of an order that was not made to be shared here");
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    let (no, number) = (&order.out_trade_no, &notice.out_order_no);
    if number.len() <= 64
        && let Some(share) = cx.store.share(no, number).await?
    {
        told(share::pursue(cx, &paid, &share).await)?;
    }
    bring_on(cx, &paid, no).await
}
