//! `pay/applyAbnormalRefund`: a refund that the payer's account did not take is paid to a bank card instead
//! (`docs/wxpay.md#a-refund-that-got-stuck`). Whose card it is goes to the provider, encrypted, and nowhere else.

use super::refund::{MOST_CARDS, apply, refused, unknown};
use super::{Caller, Context, Fields, Source};
use domain::{Code, Failure, Order, Refund, RefundState, fields as f};
use providers::{ABNORMAL, AbnormalRefund, CallError, RefundCard};
use store::{HistoryEntry, IncidentName, IncidentStatus, Recorded, StoreError};

/// Where to, as the request says.
fn card<'a>(fields: &Fields<'a>) -> Result<RefundCard<'a>, Failure> {
    let (bank_type, bank_account, real_name) =
        (fields.text(&f::BANK_TYPE)?, fields.text(&f::BANK_ACCOUNT)?, fields.text(&f::CARD_HOLDER)?);
    match fields.choice(&f::REFUND_CARD)? {
        Some("USER_BANK_CARD") => {
            let word = |text: &&str| text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            let number = |text: &&str| (8..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            Ok(RefundCard::Payer {
                bank_type: bank_type.filter(word).ok_or_else(|| fields.fault(&f::BANK_TYPE))?,
                bank_account: bank_account.filter(number).ok_or_else(|| fields.fault(&f::BANK_ACCOUNT))?,
                real_name: real_name.ok_or_else(|| fields.fault(&f::CARD_HOLDER))?,
            })
        }
        Some("MERCHANT_BANK_CARD") => {
            let given = [(bank_type, &f::BANK_TYPE), (bank_account, &f::BANK_ACCOUNT), (real_name, &f::CARD_HOLDER)];
            match given.into_iter().find(|(text, _)| text.is_some()) {
                Some((_, field)) => Err(fields.wrong(field, "belongs to USER_BANK_CARD only")),
                None => Ok(RefundCard::Merchant),
            }
        }
        _ => Err(fields.fault(&f::REFUND_CARD)),
    }
}

/// Has a refund in `ABNORMAL` paid to a bank card. The provider is asked first: one that is under way again, or has
/// arrived, is answered as it stands, and nothing is sent.
///
/// # Errors
/// 404 no such refund; 409 it is not stuck, or has been sent to a card too often; 422 the provider has no such call, or
/// refuses; 504 its outcome is not known: the same again is safe.
pub async fn apply_abnormal_refund(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<(Order, Refund), Failure> {
    let (no, to) = (fields.out_trade_no()?, card(fields)?);
    let number = fields.number(&f::OUT_REFUND_NO)?.ok_or_else(|| fields.fault(&f::OUT_REFUND_NO))?;
    let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    let refund = cx.store.refund(no, number).await?.ok_or(Code::NOT_REFUNDED)?;
    let attempt = order.attempt(refund.attempt).ok_or(Code::NOT_REFUNDED)?;
    let gateway = cx.gateway(attempt).await?;
    if !gateway.mends_refunds() {
        return Err(Failure::new(Code::UNSUPPORTED).says("applyAbnormalRefund"));
    }
    if refund.state != RefundState::Processing {
        return as_it_is(order, refund);
    }
    let told = gateway.query_refund(cx.clients, &order, attempt, &refund, cx.now()).await;
    let standing = told.map_err(CallError::unanswered)?;
    let (order, refund) = apply(cx, &order, &refund, &standing, Source::Query).await?;
    if !standing.progress.is_abnormal() || refund.state != RefundState::Processing {
        return as_it_is(order, refund);
    }
    let Some(refund_id) = refund.refund_id.clone() else { return Err(unknown(&refund)) };
    if refund.sent_to_card >= MOST_CARDS {
        return Err(Code::TOO_MANY_REFUNDS.into());
    }
    let entry = HistoryEntry::new("abnormal refund sent", &caller.source, cx.now())
        .with("out_refund_no", &refund.out_refund_no)
        .with("type", &to.name());
    // Of two at once one goes on; the provider pays one refund once.
    if !cx.store.send_to_card(&refund, &entry).await? {
        return Err(Code::BUSY.into());
    }
    let refund = Refund { sent_to_card: refund.sent_to_card + 1, ..refund };
    let request = AbnormalRefund { attempt, out_refund_no: number, refund_id: &refund_id, to, now: cx.now() };
    let answer = gateway.apply_abnormal_refund(cx.clients, &request).await;
    let entry = |event| {
        HistoryEntry::new(event, attempt.provider.name(), cx.now())
            .with("call", &"applyAbnormalRefund")
            .with("out_refund_no", &refund.out_refund_no)
    };
    match answer {
        Ok(standing) => apply(cx, &order, &refund, &standing, Source::Query).await,
        Err(CallError::Refused(refusal)) => {
            let says = without_card(&refusal.to_string(), &request.to);
            cx.store.append_history(no, &entry("refused").with("reason", &says)).await?;
            Err(Failure::new(Code::REFUND_REFUSED).says(says).with("status", refund.state.name()))
        }
        Err(CallError::Unknown(why)) => {
            cx.store.append_history(no, &entry("unknown").with("why", &without_card(&why, &request.to))).await?;
            Err(unknown(&refund))
        }
    }
}

/// A refund that is not stuck: the same request again, or one that was never fit.
fn as_it_is(order: Order, refund: Refund) -> Result<(Order, Refund), Failure> {
    match refund.state {
        RefundState::Refused => Err(refused(&refund)),
        RefundState::Processing | RefundState::Success if refund.sent_to_card > 0 => Ok((order, refund)),
        state => Err(Failure::new(Code::REFUND_NOT_STUCK).with("status", state.name())),
    }
}

/// A provider's words, without the card if it repeats it.
fn without_card(words: &str, to: &RefundCard<'_>) -> String {
    match to {
        RefundCard::Merchant => words.to_owned(),
        RefundCard::Payer { bank_account, real_name, .. } => {
            words.replace(bank_account, "***").replace(real_name, "***")
        }
    }
}

/// Whether an open incident is of a refund that can be sent to a card now.
///
/// # Errors
/// When the table cannot be read.
pub async fn is_stuck(cx: &Context<'_>, recorded: &Recorded) -> Result<bool, StoreError> {
    let incident = &recorded.incident;
    let (Some(no), Some(number)) = (&incident.out_trade_no, &incident.out_refund_no) else { return Ok(false) };
    if incident.incident != IncidentName::RefundAbnormal || recorded.status != IncidentStatus::Open {
        return Ok(false);
    }
    let (Some(order), Some(refund)) = (cx.store.order(no).await?, cx.store.refund(no, number).await?) else {
        return Ok(false);
    };
    let stuck = refund.state == RefundState::Processing && refund.reason.as_deref() == Some(ABNORMAL);
    match order.attempt(refund.attempt).filter(|_| stuck) {
        Some(attempt) => Ok(cx.find_gateway(attempt).await?.is_some_and(|gateway| gateway.mends_refunds())),
        None => Ok(false),
    }
}
