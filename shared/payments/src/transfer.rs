//! `pay/transfer`, `pay/queryTransfer` and `pay/cancelTransfer`: money that leaves the merchant.
//!
//! The ledger's item, with the day's limits, is written before the provider is called. From then on only what
//! the provider says moves it: its answer, a callback, a query. A number is sent again only while the provider
//! has never shown a bill of it and says that it knows none, and then with the stored fields. So a lost answer
//! pays nobody twice.

use super::{Caller, Context, Fields, authorization};
use config::{DEFAULT_MERCHANT, TransferDefaults, report_infos};
use crypto::aes;
use domain::{
    Authorization, Code, Failure, Fen, Field, IDENTITY_TYPES, Provider, ReportInfo, Transfer, TransferState, UnixMs,
    fields as f,
};
use providers::{CallError, Gateway, Meaning, Receipt, Refusal, TransferNotice, TransferRequest, TransferStanding};
use serde_json::{Map, Value, json};
use std::time::Duration;
use store::{Begun, Incident, IncidentName};

/// The node of both providers.
const NODE: &str = "transfer";
/// The least amount (`docs/protocols/vkpay.md#transfers`).
const LEAST: Fen = Fen(10);
/// WeChat Pay wants the payee's name from here on, and none below the other (`docs/protocols/wechat.md#transfers`).
const NAME_FROM: Fen = Fen(200_000);
const NO_NAME_BELOW: Fen = Fen(30);
/// WeChat Pay tells of a bill for 30 days; then not knowing a number means nothing.
const TOLD: Duration = Duration::from_hours(29 * 24);
/// A call that was made this long ago is surely over: longer than any function runs.
const CALL: Duration = Duration::from_secs(90);
/// How often a transfer may move under our hands before we give up.
const ROUNDS: usize = 8;

/// Pays out. The same number again is the same transfer.
///
/// # Errors
/// The field's code for bad input; 403 over the day's limits, and nothing is sent; 409 the number has another
/// content; 422 the provider refused, or it ended without the payee having the money; 504 its outcome is not
/// known.
pub async fn transfer(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Transfer, Failure> {
    let Wish { gateway, transfer: mut wished, name, authorization } = read(cx, caller, fields).await?;
    if let Some(name) = &name {
        wished.payee_name = Some(seal(&gateway, &wished, name)?);
    }
    let limits = gateway.transfers()?.limits;
    for _ in 0..ROUNDS {
        if let Some(known) = cx.store.transfer(&wished.merchant, &wished.out_bill_no).await? {
            if !same(&gateway, &known, &wished, name.as_deref()) {
                return Err(Code::TRANSFER_DIFFERS.into());
            }
            return reported(pursue_transfer(cx, &known, &caller.source).await?);
        }
        if let Some(authorization) = &authorization {
            authorization::demand(cx, authorization).await?;
        }
        match cx.store.begin_transfer(&mut wished, limits, cx.now()).await? {
            Begun::Done => return reported(send(cx, &gateway, &wished, None).await?),
            Begun::OverLimit => return Err(Code::TRANSFER_LIMIT.into()),
            Begun::NotInEffect => return Err(Code::AUTHORIZATION_STATE.into()),
            Begun::Moved => {}
        }
    }
    Err(Code::BUSY.into())
}

/// What `transfer` answers of a transfer: an end without the money being with the payee is a failure.
fn reported(transfer: Transfer) -> Result<Transfer, Failure> {
    let code = match transfer.state {
        TransferState::Refused if transfer.is_refused_for_address() => Code::CALLER_ADDRESS,
        TransferState::Refused => Code::TRANSFER_REFUSED,
        TransferState::Fail | TransferState::Cancelled | TransferState::Returned => Code::TRANSFER_FAILED,
        _ => return Ok(transfer),
    };
    Err(telling(code, &transfer).says(transfer.fail_reason.unwrap_or_default()))
}

/// Answers how a transfer stands; one that may still change is asked about at its provider. When that does not
/// tell, the answer is what is known here.
///
/// # Errors
/// [`Code::NO_ORDER`] when there is none, and then nobody is asked.
pub async fn query_transfer(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Transfer, Failure> {
    let transfer = find(cx, fields).await?;
    if !transfer.may_change() {
        return Ok(transfer);
    }
    match ask(cx, &gateway_of(cx, &transfer).await?, &transfer).await {
        Ok(Some(standing)) => apply(cx, &transfer, &standing, "query").await,
        Ok(None) => Ok(transfer),
        Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => {
            tracing::warn!(out_bill_no = %transfer.out_bill_no, why, "the provider does not tell of a transfer");
            Ok(transfer)
        }
    }
}

/// Takes back a transfer that its payee has not confirmed.
///
/// # Errors
/// 404 there is none; 409 it has ended; 422 the provider has no such call, or refuses; 504 the outcome is not
/// known.
pub async fn cancel_transfer(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Transfer, Failure> {
    let transfer = find(cx, fields).await?;
    if transfer.provider != Provider::Wxpay {
        return Err(Failure::new(Code::UNSUPPORTED).says(format!("{}: cancelTransfer", transfer.provider)));
    }
    if !transfer.state.is_open() {
        return Err(telling(Code::TRANSFER_ENDED, &transfer));
    }
    let gateway = gateway_of(cx, &transfer).await?;
    let request = TransferRequest { transfer: &transfer, name: None, now: cx.now() };
    let refusal = match gateway.cancel_transfer(cx.clients, &request).await {
        Ok(Some(standing)) => return apply(cx, &transfer, &standing, "cancel").await,
        Ok(None) => None,
        Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::Address => {
            return Err(telling(Code::CALLER_ADDRESS, &transfer).says(refusal.message));
        }
        Err(CallError::Refused(refusal)) => Some(refusal),
        Err(CallError::Unknown(why)) => return Err(unknown(&transfer, why)),
    };
    match ask(cx, &gateway, &transfer).await {
        Ok(Some(standing)) => {
            let transfer = apply(cx, &transfer, &standing, "query").await?;
            let code = if transfer.state.is_open() { Code::TRANSFER_REFUSED } else { Code::TRANSFER_ENDED };
            Err(telling(code, &transfer).says(refusal.map(|r| r.message).unwrap_or_default()))
        }
        Ok(None) if !never_seen(&transfer) => Err(unknown(&transfer, "the provider no longer knows the bill")),
        Ok(None) if is_over(transfer.sent_at, cx.now()) => refuse(cx, &transfer, "CANCELLED", "no bill was made").await,
        Ok(None) => Err(unknown(&transfer, "the call that makes the bill may be under way")),
        Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => Err(unknown(&transfer, why)),
    }
}

/// The receipt (电子回单) of a transfer that succeeded, with its file where that is there; else it is asked for, and the
/// same call later has it. Only a transfer that was sent with its payee's name has one.
///
/// # Errors
/// 404 there is no such transfer; 409 it has no receipt; 422 the provider has no such call, or refuses; 504 it does not
/// tell, or the file is not the one whose hash it has signed.
pub async fn transfer_receipt(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Map<String, Value>, Failure> {
    let transfer = find(cx, fields).await?;
    if transfer.provider != Provider::Wxpay {
        return Err(Failure::new(Code::UNSUPPORTED).says(format!("{}: transferReceipt", transfer.provider)));
    }
    if transfer.state != TransferState::Success || transfer.payee_name.is_none() {
        return Err(telling(Code::NO_RECEIPT, &transfer));
    }
    let gateway = gateway_of(cx, &transfer).await?;
    match gateway.receipt(cx.clients, &TransferRequest { transfer: &transfer, name: None, now: cx.now() }).await {
        Ok(receipt) => Ok(shown_receipt(&transfer, &receipt)),
        Err(CallError::Refused(refusal)) => {
            let code = match refusal.meaning {
                Meaning::Address => Code::CALLER_ADDRESS,
                _ => Code::PROVIDER_REFUSED,
            };
            Err(telling(code, &transfer).says(refusal.message))
        }
        Err(CallError::Unknown(why)) => {
            Err(Failure { private: Some(why), ..telling(Code::OUTCOME_UNKNOWN, &transfer) })
        }
    }
}

/// A receipt as it is answered: which transfer it is of, how it stands, and the file in base64.
fn shown_receipt(transfer: &Transfer, receipt: &Receipt) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("provider", json!(transfer.provider));
    put("out_bill_no", json!(transfer.out_bill_no));
    put("transfer_bill_no", json!(transfer.transfer_bill_no));
    let state = match receipt {
        Receipt::Generating => "GENERATING",
        Receipt::Failed => "FAILED",
        Receipt::Finished { file, sha256 } => {
            put("content_type", json!("application/pdf"));
            put("file", json!(crypto::base64(file)));
            put("sha256", json!(sha256));
            "FINISHED"
        }
    };
    put("state", json!(state));
    fields
}

/// Brings a transfer on: asks the provider about one that has not ended, and sends it again with the stored
/// fields where the provider does not know the number. `source` says for whom, in the log.
///
/// # Errors
/// 504 when the provider does not tell; 403 when a refused one has no room in the limits of today. A refusal
/// is a result: the state says it.
pub async fn pursue_transfer(cx: &Context<'_>, transfer: &Transfer, source: &str) -> Result<Transfer, Failure> {
    if transfer.state.is_final() {
        return Ok(transfer.clone());
    }
    let gateway = gateway_of(cx, transfer).await?;
    match ask(cx, &gateway, transfer).await {
        Ok(Some(standing)) => apply(cx, transfer, &standing, "query").await,
        Ok(None) if transfer.state == TransferState::Refused => {
            let mut begun = transfer.clone();
            match cx.store.begin_transfer_again(&mut begun, gateway.transfers()?.limits, cx.now()).await? {
                // It was refused, so no call of before is under way.
                Begun::Done => send(cx, &gateway, &begun, Some(UnixMs::EPOCH)).await,
                Begun::OverLimit => Err(Code::TRANSFER_LIMIT.into()),
                Begun::NotInEffect => Err(telling(Code::AUTHORIZATION_STATE, transfer)),
                Begun::Moved => Err(Code::BUSY.into()),
            }
        }
        Ok(None) if never_seen(transfer) && cx.now().since(transfer.create_date) < TOLD => {
            tracing::info!(out_bill_no = %transfer.out_bill_no, source, "a transfer is sent again");
            match cx.store.repeat_transfer(transfer, cx.now()).await? {
                Some(repeated) => send(cx, &gateway, &repeated, Some(transfer.sent_at)).await,
                None => Err(unknown(transfer, "it has moved meanwhile")),
            }
        }
        Ok(None) => Err(unknown(transfer, "the provider no longer knows the bill")),
        // It was never sent, and this question was not looked at either.
        Err(error) if transfer.is_refused_for_address() && error.means(Meaning::Address) => Ok(transfer.clone()),
        Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => Err(unknown(transfer, why)),
    }
}

/// True when a call of that time is surely over.
fn is_over(sent_at: UnixMs, now: UnixMs) -> bool {
    now.since(sent_at) >= CALL
}

/// True while the provider has never shown a bill of this number.
fn never_seen(transfer: &Transfer) -> bool {
    transfer.state == TransferState::Unknown && transfer.transfer_bill_no.is_none()
}

/// Takes what a verified callback says of a transfer: applied when merchant, amount and payee are the
/// ledger's, an incident when they are not.
///
/// # Errors
/// [`Code::NO_ORDER`] when the number is not known.
pub(super) async fn settle_transfer(cx: &Context<'_>, notice: &TransferNotice) -> Result<(), Failure> {
    let number = Some(&notice.out_bill_no).filter(|number| number.len() <= 64).ok_or(Code::NO_ORDER)?;
    let transfer = cx.store.transfer(&notice.merchant, number).await?.ok_or(Code::NO_ORDER)?;
    let facts = [
        ("provider", json!(transfer.provider), json!(notice.provider)),
        ("mch_id", json!(transfer.mch_id), json!(notice.mch_id)),
        ("transfer_amount", json!(transfer.transfer_amount), json!(notice.amount)),
        ("openid", json!(transfer.payee), json!(notice.payee)),
    ];
    let (mut expected, mut actual) = (Map::new(), Map::new());
    for (name, ours, theirs) in facts.into_iter().filter(|(_, ours, theirs)| ours != theirs) {
        expected.insert(name.to_owned(), ours);
        actual.insert(name.to_owned(), theirs);
    }
    if expected.is_empty() {
        return apply(cx, &transfer, &notice.standing, "callback").await.map(|_| ());
    }
    alarm(cx, &transfer, &notice.standing, Value::Object(expected), Value::Object(actual)).await
}

async fn alarm(
    cx: &Context<'_>,
    transfer: &Transfer,
    standing: &TransferStanding,
    expected: Value,
    actual: Value,
) -> Result<(), Failure> {
    let incident = Incident {
        out_bill_no: Some(transfer.out_bill_no.clone()),
        transaction_id: standing.transfer_bill_no.clone(),
        expected: Some(expected),
        actual: Some(actual),
        ..Incident::new(IncidentName::TransferMismatch, transfer.provider, &transfer.merchant)
    };
    super::incident_record::alarm(cx, &incident, false).await?;
    Ok(())
}

async fn ask(cx: &Context<'_>, gateway: &Gateway, transfer: &Transfer) -> Result<Option<TransferStanding>, CallError> {
    gateway.query_transfer(cx.clients, &TransferRequest { transfer, name: None, now: cx.now() }).await
}

/// Calls the provider for a transfer that is written. What it refuses is asked about first where an `earlier`
/// call may have got through, and ends nothing while that one may be under way.
async fn send(
    cx: &Context<'_>,
    gateway: &Gateway,
    transfer: &Transfer,
    earlier: Option<UnixMs>,
) -> Result<Transfer, Failure> {
    const TAKEN: [&str; 5] =
        ["ALREADY_EXISTS", "OUT_BILL_NO_USED", "DUPLICATE_REQUEST", "BIZ_UNIQUE_EXCEPTION", "REP_INCONSISTENT"];
    let name = match &transfer.payee_name {
        None => None,
        Some(sealed) => match unseal(gateway, transfer, sealed) {
            Some(name) => Some(name),
            None => return Err(unknown(transfer, "the stored name of the payee does not open under this key")),
        },
    };
    let request = TransferRequest { transfer, name: name.as_deref(), now: cx.now() };
    let refusal = match gateway.transfer(cx.clients, &request).await {
        Ok(standing) => return apply(cx, transfer, &standing, "answer").await,
        Err(CallError::Refused(refusal)) => refusal,
        Err(CallError::Unknown(why)) => {
            // Refused meanwhile by another answer, it may have gone out by this call.
            move_to(cx, transfer, "answer", |seen| {
                (seen.state == TransferState::Refused)
                    .then(|| Transfer { state: TransferState::Unknown, ..seen.clone() })
            })
            .await?;
            return Err(unknown(transfer, why));
        }
    };
    if earlier.is_some() || TAKEN.iter().any(|code| refusal.code.ends_with(code)) {
        match ask(cx, gateway, transfer).await {
            Ok(Some(standing)) => return apply(cx, transfer, &standing, "query").await,
            Ok(None) => {}
            Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => {
                return Err(unknown(transfer, why));
            }
        }
    }
    if earlier.is_some_and(|at| !is_over(at, cx.now())) {
        return Err(unknown(transfer, format!("{}, and an earlier call may be under way", refusal.code)));
    }
    if refusal.meaning == Meaning::Address {
        let said = format!("{}: {}", refusal.code, refusal.message);
        tracing::error!(out_bill_no = %transfer.out_bill_no, said, "the provider takes no transfers from this address");
        return refuse(cx, transfer, Transfer::ADDRESS_REFUSED, &refusal.message).await;
    }
    let refused = refuse(cx, transfer, &refusal.code, &refusal.message).await?;
    authorization::look_again(cx, &refused).await;
    Ok(refused)
}

/// Ends a transfer of which the provider made no bill, unless it was sent again or has moved since it was read.
async fn refuse(cx: &Context<'_>, transfer: &Transfer, code: &str, message: &str) -> Result<Transfer, Failure> {
    let moved = move_to(cx, transfer, "answer", |seen| {
        (seen.version == transfer.version && seen.state.may_become(TransferState::Refused)).then(|| Transfer {
            state: TransferState::Refused,
            provider_state: Some(code.to_owned()),
            fail_reason: Some(format!("{code}: {message}")),
            ..seen.clone()
        })
    })
    .await?;
    match moved.state {
        TransferState::Unknown => Err(unknown(&moved, format!("{code}, and it was sent again meanwhile"))),
        _ => Ok(moved),
    }
}

/// Takes what the provider says of a transfer, and answers it as it stands then. Another end than the one that
/// it has is an incident, and moves nothing.
async fn apply(
    cx: &Context<'_>,
    transfer: &Transfer,
    standing: &TransferStanding,
    source: &'static str,
) -> Result<Transfer, Failure> {
    let moved = move_to(cx, transfer, source, |seen| taken(seen, standing, cx.now())).await?;
    if moved.state.is_final() && standing.state.is_final() && moved.state != standing.state {
        let (expected, actual) = (json!({ "state": moved.state }), json!({ "state": standing.state }));
        alarm(cx, &moved, standing, expected, actual).await?;
    }
    Ok(moved)
}

/// A transfer after what the provider says of it; `None` when that changes nothing.
fn taken(seen: &Transfer, standing: &TransferStanding, now: UnixMs) -> Option<Transfer> {
    let stays = seen.state == standing.state && seen.state.is_open();
    if !stays && !seen.state.may_become(standing.state) {
        return None;
    }
    let next = Transfer {
        state: standing.state,
        provider_state: standing.provider_state.clone(),
        transfer_bill_no: standing.transfer_bill_no.clone().or_else(|| seen.transfer_bill_no.clone()),
        fail_reason: standing.fail_reason.clone(),
        package_info: standing.package_info.clone().or_else(|| seen.package_info.clone()),
        result: Some(standing.result.clone()),
        end_date: standing.state.is_final().then_some(now),
        ..seen.clone()
    };
    (next != *seen).then_some(next)
}

/// Moves a transfer under the condition that it is as it was read; looks at it anew when it is not.
async fn move_to(
    cx: &Context<'_>,
    transfer: &Transfer,
    source: &str,
    next: impl Fn(&Transfer) -> Option<Transfer>,
) -> Result<Transfer, Failure> {
    let mut seen = transfer.clone();
    for _ in 0..ROUNDS {
        let Some(mut next) = next(&seen) else { return Ok(seen) };
        if cx.store.move_transfer(&seen, &next, source, cx.now()).await? {
            if next.state != seen.state {
                let (no, state) = (&next.out_bill_no, next.state.name());
                tracing::info!(out_bill_no = %no, state, source, "a transfer has moved");
            }
            next.version += 1;
            return Ok(next);
        }
        seen = cx.store.transfer(&seen.merchant, &seen.out_bill_no).await?.ok_or(Code::NO_ORDER)?;
    }
    Err(Code::BUSY.into())
}

fn unknown(transfer: &Transfer, why: impl Into<String>) -> Failure {
    let why = why.into();
    tracing::warn!(out_bill_no = %transfer.out_bill_no, why, "the outcome of a transfer is not known");
    telling(Code::OUTCOME_UNKNOWN, transfer)
}

/// A failure that shows the transfer.
fn telling(code: Code, transfer: &Transfer) -> Failure {
    Failure { data: Some(Box::new(transfer.shown())), ..Failure::new(code) }
}

async fn gateway_of(cx: &Context<'_>, transfer: &Transfer) -> Result<Gateway, Failure> {
    let merchant = cx.merchant(&transfer.merchant).await?;
    merchant.and_then(|m| Gateway::find(&m, transfer.provider, &transfer.node)).ok_or_else(|| {
        Failure::new(Code::PROVIDER)
            .says(format!("{}.{}", transfer.provider, transfer.node))
            .private("the configuration no longer has the node that this transfer was made with")
    })
}

/// Binds a sealed name to its transfer.
fn label(transfer: &Transfer) -> String {
    format!("{}#{}", transfer.merchant, transfer.out_bill_no)
}

fn seal(gateway: &Gateway, transfer: &Transfer, name: &str) -> Result<String, Failure> {
    let key = gateway.sealing_key().ok_or(Code::UNSUPPORTED)?;
    Ok(aes::seal_gcm(&key, label(transfer).as_bytes(), name.as_bytes()))
}

fn unseal(gateway: &Gateway, transfer: &Transfer, sealed: &str) -> Option<String> {
    let plain = aes::unseal_gcm(&gateway.sealing_key()?, label(transfer).as_bytes(), sealed).ok()?;
    String::from_utf8(plain).ok()
}

/// Whether a repeat has the content of the transfer that has its number. A name that is left out is the same.
fn same(gateway: &Gateway, known: &Transfer, wished: &Transfer, name: Option<&str>) -> bool {
    let named = match (name, &known.payee_name) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(name), Some(sealed)) => unseal(gateway, known, sealed).is_none_or(|known| known == name),
    };
    known.provider == wished.provider
        && known.transfer_amount == wished.transfer_amount
        && (&known.payee, &known.payee_type) == (&wished.payee, &wished.payee_type)
        && known.out_authorization_no == wished.out_authorization_no
        && named
}

/// The transfer that a request names: by its own number, else by the provider's.
async fn find(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Transfer, Failure> {
    let merchant = fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT);
    let provider = fields.provider()?;
    let found = match (number(fields)?, fields.text(&f::TRANSFER_BILL_NO)?) {
        (Some(number), _) => cx.store.transfer(merchant, number).await?,
        (None, Some(id)) => cx.store.transfer_of_bill(merchant, id).await?,
        (None, None) => return Err(fields.fault(&f::OUT_BILL_NO)),
    };
    found.filter(|t| provider.is_none_or(|p| p == t.provider)).ok_or_else(|| Code::NO_ORDER.into())
}

/// A request, read: who pays it out, the transfer as it will be written, and the payee's name.
struct Wish {
    gateway: Gateway,
    transfer: Transfer,
    name: Option<String>,
    /// What it is made under, where the payee confirms nothing.
    authorization: Option<Authorization>,
}

async fn read(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Wish, Failure> {
    let provider = fields.needed_provider()?;
    let merchant = fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT);
    let merchant =
        cx.merchant(merchant).await?.ok_or_else(|| f::PID.wrong("names no merchant of the configuration"))?;
    if !matches!(provider, Provider::Wxpay | Provider::Alipay) {
        return Err(Failure::new(Code::UNSUPPORTED).says(format!("{provider}: transfer")));
    }
    let gateway = Gateway::find(&merchant, provider, NODE)
        .ok_or_else(|| Failure::new(Code::PROVIDER).says(format!("{provider}.{NODE}")))?;
    let defaults = gateway.transfers()?;
    let number =
        number(fields)?.filter(|number| is_number(provider, number)).ok_or_else(|| fields.fault(&f::OUT_BILL_NO))?;
    let amount = amount(fields)?;
    let mut transfer = Transfer {
        out_bill_no: number.to_owned(),
        state: TransferState::Unknown,
        transfer_amount: amount,
        provider,
        merchant: merchant.id.clone(),
        node: NODE.to_owned(),
        create_date: cx.now(),
        sent_at: cx.now(),
        source: caller.source.clone(),
        app_id: gateway.app_id().to_owned(),
        mch_id: gateway.mch_id().map(str::to_owned),
        payee: String::new(),
        payee_type: None,
        payee_name: None,
        transfer_remark: None,
        order_title: None,
        transfer_scene: None,
        transfer_scene_report_infos: match fields.raw(&f::REPORT_INFOS) {
            None => defaults.report_infos.clone(),
            Some(value) => report_infos(value).ok_or_else(|| fields.fault(&f::REPORT_INFOS))?,
        },
        user_recv_perception: None,
        notify_url: None,
        out_authorization_no: None,
        transfer_bill_no: None,
        provider_state: None,
        fail_reason: None,
        package_info: None,
        result: None,
        end_date: None,
        limits: Vec::new(),
        version: 0,
    };
    let (name, authorization) = match provider {
        Provider::Wxpay => {
            let authorization = authorization::named(cx, fields).await?;
            (read_wxpay(cx, fields, defaults, authorization.as_ref(), &mut transfer)?, authorization)
        }
        _ => {
            let of_wxpay = [&f::AUTHORIZATION_ID, &f::OUT_AUTHORIZATION_NO];
            if let Some(field) = of_wxpay.into_iter().find(|field| fields.raw(field).is_some()) {
                return Err(fields.wrong(field, "is WeChat Pay's alone; leave it out"));
            }
            (read_alipay(fields, defaults, &mut transfer)?, None)
        }
    };
    Ok(Wish { gateway, transfer, name, authorization })
}

/// Who gets it, and of which application their openid is: as the request says, or as they have authorised. A request that
/// says otherwise than the authorisation is refused.
fn read_payee(
    fields: &Fields<'_>,
    authorization: Option<&Authorization>,
    transfer: &mut Transfer,
) -> Result<(), Failure> {
    const OTHER: &str = "is not the authorisation's; leave it out";
    let app_id = fields.text(&f::APPID)?;
    let Some(authorization) = authorization else {
        let openid = fields.needed_text(&f::PAYEE_OPENID)?;
        let openid = Some(openid).filter(|id| id.bytes().all(|b| b.is_ascii_graphic()));
        openid.ok_or_else(|| fields.fault(&f::PAYEE_OPENID))?.clone_into(&mut transfer.payee);
        if let Some(app_id) = app_id {
            app_id.clone_into(&mut transfer.app_id);
        }
        return Ok(());
    };
    if fields.text(&f::PAYEE_OPENID)?.is_some_and(|openid| openid != authorization.payee) {
        return Err(fields.wrong(&f::PAYEE_OPENID, OTHER));
    }
    if app_id.is_some_and(|app_id| app_id != authorization.app_id) {
        return Err(fields.wrong(&f::APPID, OTHER));
    }
    transfer.payee.clone_from(&authorization.payee);
    transfer.app_id.clone_from(&authorization.app_id);
    transfer.out_authorization_no = Some(authorization.out_authorization_no.clone());
    Ok(())
}

fn read_wxpay(
    cx: &Context<'_>,
    fields: &Fields<'_>,
    defaults: &TransferDefaults,
    authorization: Option<&Authorization>,
    transfer: &mut Transfer,
) -> Result<Option<String>, Failure> {
    // WeChat Pay carries no characters of four bytes.
    let text = |field: &Field, most: usize| match fields.text(field)? {
        Some(text) if text.chars().any(|c| c.len_utf8() > 3) => Err(fields.wrong(field, "must be without emoji")),
        Some(text) if text.chars().count() > most => {
            Err(fields.wrong(field, &format!("must be a text of 1 to {most} characters")))
        }
        text => Ok(text.map(str::to_owned)),
    };
    read_payee(fields, authorization, transfer)?;
    let scene = match fields.raw(&f::TRANSFER_SCENE_ID) {
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => text(&f::TRANSFER_SCENE_ID, 36)?,
    };
    let authorized = authorization.map(|a| a.transfer_scene.clone()).filter(|scene| !scene.is_empty());
    transfer.transfer_scene = Some(
        scene.or(authorized).or_else(|| defaults.scene.clone()).ok_or_else(|| fields.fault(&f::TRANSFER_SCENE_ID))?,
    );
    if transfer.transfer_scene_report_infos.is_empty() {
        return Err(fields.fault(&f::REPORT_INFOS));
    }
    let plain =
        |info: &ReportInfo| [&info.info_type, &info.info_content].iter().all(|t| t.chars().all(|c| c.len_utf8() <= 3));
    if !transfer.transfer_scene_report_infos.iter().all(plain) {
        return Err(fields.wrong(&f::REPORT_INFOS, "must be without emoji"));
    }
    transfer.user_recv_perception = text(&f::USER_RECV_PERCEPTION, 64)?.or_else(|| defaults.recv_perception.clone());
    let remark = one(text(&f::TRANSFER_REMARK, 32)?, text(&f::DESC, 32)?, &f::TRANSFER_REMARK, &f::DESC)?;
    transfer.transfer_remark =
        Some(remark.ok_or_else(|| fields.wrong(&f::TRANSFER_REMARK, "must be a text of 1 to 32 characters"))?);
    let (base, path) = cx.callback("transfer-notify", Provider::Wxpay, &transfer.merchant)?;
    transfer.notify_url = Some(format!("{base}{path}"));
    let name = one(name(fields, &f::USER_NAME)?, name(fields, &f::RE_USER_NAME)?, &f::USER_NAME, &f::RE_USER_NAME)?;
    if name.is_none() && transfer.transfer_amount >= NAME_FROM {
        return Err(fields.fault(&f::USER_NAME));
    }
    Ok(name.filter(|_| transfer.transfer_amount >= NO_NAME_BELOW))
}

fn read_alipay(
    fields: &Fields<'_>,
    defaults: &TransferDefaults,
    transfer: &mut Transfer,
) -> Result<Option<String>, Failure> {
    let info = fields.object(&f::PAYEE_INFO)?;
    let info = Fields::within(f::PAYEE_INFO.name, &info, f::PAYEE);
    info.refuse(&[f::CERT_TYPE, f::CERT_NO])?;
    let account = |fields: &Fields<'_>, field: &Field| -> Result<Option<String>, Failure> {
        let text = fields.text(field)?;
        Ok(text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned))
    };
    let identity =
        one(account(&info, &f::IDENTITY)?, account(fields, &f::PAYEE_ACCOUNT)?, &f::IDENTITY, &f::PAYEE_ACCOUNT)?;
    let identity = identity.ok_or_else(|| info.fault(&f::IDENTITY))?;
    let is_user = identity.len() == 16 && identity.starts_with("2088") && identity.bytes().all(|b| b.is_ascii_digit());
    let kind = match info.choice(&f::IDENTITY_TYPE)?.and_then(|kind| IDENTITY_TYPES.into_iter().find(|t| *t == kind)) {
        Some(kind) => kind,
        None if is_user => "ALIPAY_USER_ID",
        None => "ALIPAY_LOGON_ID",
    };
    let name = one(
        name(&info, &f::IDENTITY_NAME)?,
        name(fields, &f::PAYEE_REAL_NAME)?,
        &f::IDENTITY_NAME,
        &f::PAYEE_REAL_NAME,
    )?;
    if name.is_none() && kind == "ALIPAY_LOGON_ID" {
        return Err(info.fault(&f::IDENTITY_NAME));
    }
    let text = |field: &Field| -> Result<Option<String>, Failure> { Ok(fields.text(field)?.map(str::to_owned)) };
    let remark = one(text(&f::TRANSFER_REMARK)?, text(&f::DESC)?, &f::TRANSFER_REMARK, &f::DESC)?;
    let title = text(&f::ORDER_TITLE)?.or_else(|| remark.as_ref().map(|r| r.chars().take(128).collect()));
    transfer.order_title = Some(title.ok_or_else(|| fields.fault(&f::ORDER_TITLE))?);
    transfer.transfer_remark = remark;
    transfer.transfer_scene = text(&f::TRANSFER_SCENE_NAME)?.or_else(|| defaults.scene.clone());
    transfer.payee = identity;
    transfer.payee_type = Some(kind.to_owned());
    Ok(name)
}

/// The number, by either of its names.
fn number<'a>(fields: &Fields<'a>) -> Result<Option<&'a str>, Failure> {
    one(fields.number(&f::OUT_BILL_NO)?, fields.number(&f::OUT_TRADE_NO)?, &f::OUT_BILL_NO, &f::OUT_TRADE_NO)
}

/// WeChat Pay: 1 to 32 letters and digits; Alipay: 1 to 64 letters, digits, `_` and `-`.
fn is_number(provider: Provider, number: &str) -> bool {
    match provider {
        Provider::Wxpay => number.len() <= 32 && number.bytes().all(|b| b.is_ascii_alphanumeric()),
        _ => number.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')),
    }
}

fn amount(fields: &Fields<'_>) -> Result<Fen, Failure> {
    let (amount, money) = (fields.given_amount(&f::TRANSFER_AMOUNT)?, fields.given_amount(&f::MONEY)?);
    let amount = one(amount, money, &f::TRANSFER_AMOUNT, &f::MONEY)?;
    match amount.ok_or_else(|| fields.fault(&f::TRANSFER_AMOUNT))? {
        amount if amount < LEAST => Err(Code::TRANSFER_TOO_SMALL.into()),
        amount => Ok(amount),
    }
}

/// A real name: at most 200 bytes, because that is what one encrypted field holds.
fn name(fields: &Fields<'_>, field: &Field) -> Result<Option<String>, Failure> {
    match fields.text(field)? {
        Some(name) if name.len() > 200 || name.trim().is_empty() => Err(fields.fault(field)),
        name => Ok(name.map(str::to_owned)),
    }
}

/// The value of a thing that has two names, which must agree where both are there.
fn one<T: PartialEq>(first: Option<T>, second: Option<T>, name: &Field, other: &Field) -> Result<Option<T>, Failure> {
    match (first, second) {
        (Some(first), Some(second)) if first != second => {
            let what = format!("{}, {}: two values", name.name, other.name);
            Err(Failure::new(Code::FIELD).at(other.name).says(what))
        }
        (first, second) => Ok(first.or(second)),
    }
}
