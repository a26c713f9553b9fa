//! `pay/createUserConfirmAuthorization`, `pay/queryUserConfirmAuthorization` and `pay/closeUserConfirmAuthorization`:
//! payees who take transfers without confirming each (`docs/transfer.md#without-confirmation`).
//!
//! The ledger's item is written before the provider is asked, and only what the provider says moves it. Nothing leaves
//! `CLOSED`, so a confirmation that is told late opens nothing. One that was made elsewhere is taken into the ledger the
//! first time that its number is named, as its provider has it.

use super::{Caller, Context, Fields};
use config::DEFAULT_MERCHANT;
use domain::{Authorization, AuthorizationState, Code, Failure, Field, Provider, Transfer, UnixMs, fields as f};
use providers::{
    AuthorizationNotice, AuthorizationRequest, AuthorizationStanding, CallError, Gateway, Meaning, Refusal,
};
use serde_json::{Map, Value, json};
use std::time::Duration;
use store::{Incident, IncidentName};

/// The node whose product it is.
const NODE: &str = "transfer";
/// WeChat Pay keeps what was never given for 30 days after the 24 hours in which it could be.
const FORGOTTEN: Duration = Duration::from_hours(31 * 24);
/// A call that was made this long ago is surely over: longer than any function runs.
const CALL: Duration = Duration::from_secs(90);
/// How often an authorisation may move under our hands before we give up.
const ROUNDS: usize = 8;

/// Asks a payee for an authorisation. The same number again is the same one.
///
/// # Errors
/// The field's code for bad input; 409 the number has another content, or is closed; 422 the provider refused; 504 its
/// outcome is not known.
pub async fn create_authorization(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<Authorization, Failure> {
    let wished = read(cx, caller, fields).await?;
    let gateway = gateway_of(cx, &wished).await?;
    for _ in 0..ROUNDS {
        if let Some(known) = cx.store.authorization(&wished.merchant, &wished.out_authorization_no).await? {
            if !same(&known, &wished) {
                return Err(Code::AUTHORIZATION_DIFFERS.into());
            }
            return reported(pursue(cx, &gateway, &known).await?);
        }
        if cx.store.begin_authorization(&wished, "begun", cx.now()).await? {
            return reported(send(cx, &gateway, &wished, None).await?);
        }
    }
    Err(Code::BUSY.into())
}

/// What creating answers: one that was refused or has ended is a failure.
fn reported(authorization: Authorization) -> Result<Authorization, Failure> {
    let code = match authorization.state {
        AuthorizationState::Refused if is_refused_for_address(&authorization) => Code::CALLER_ADDRESS,
        AuthorizationState::Refused => Code::PROVIDER_REFUSED,
        AuthorizationState::Closed => Code::AUTHORIZATION_STATE,
        AuthorizationState::Unknown | AuthorizationState::WaitUserConfirm | AuthorizationState::TakingEffect => {
            return Ok(authorization);
        }
    };
    let says = authorization.fail_reason.clone().or_else(|| authorization.close_reason.clone());
    Err(telling(code, &authorization).says(says.unwrap_or_default()))
}

fn is_refused_for_address(authorization: &Authorization) -> bool {
    authorization.provider_state.as_deref() == Some(Transfer::ADDRESS_REFUSED)
}

/// Answers how an authorisation stands; one that may still change is asked about at its provider. When that does not
/// tell, the answer is what is known here.
///
/// # Errors
/// [`Code::NO_ORDER`] when neither the ledger nor the provider has it.
pub async fn query_authorization(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Authorization, Failure> {
    let authorization = find(cx, fields).await?.ok_or_else(|| fields.fault(&f::OUT_AUTHORIZATION_NO))?;
    refreshed(cx, authorization).await
}

/// The same after its provider was asked, where it may still change.
async fn refreshed(cx: &Context<'_>, authorization: Authorization) -> Result<Authorization, Failure> {
    if authorization.state == AuthorizationState::Closed {
        return Ok(authorization);
    }
    match ask(cx, &gateway_of(cx, &authorization).await?, &authorization).await {
        Ok(Some(standing)) => apply(cx, &authorization, &standing, "query").await,
        Ok(None) => Ok(authorization),
        Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => {
            let no = &authorization.out_authorization_no;
            tracing::warn!(out_authorization_no = %no, why, "the provider does not tell of an authorisation");
            Ok(authorization)
        }
    }
}

/// Ends an authorisation. One that is closed, or was never made, is answered as it is.
///
/// # Errors
/// 404 there is none; 422 the provider refuses; 504 the outcome is not known.
pub async fn close_authorization(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Authorization, Failure> {
    let authorization = find(cx, fields).await?.ok_or_else(|| fields.fault(&f::OUT_AUTHORIZATION_NO))?;
    if matches!(authorization.state, AuthorizationState::Closed | AuthorizationState::Refused) {
        return Ok(authorization);
    }
    let gateway = gateway_of(cx, &authorization).await?;
    let request = AuthorizationRequest { authorization: &authorization, now: cx.now() };
    let refusal = match gateway.close_authorization(cx.clients, &request).await {
        Ok(Some(standing)) => return apply(cx, &authorization, &standing, "close").await,
        Ok(None) => return missing(cx, &authorization, true).await,
        Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::Address => {
            return Err(telling(Code::CALLER_ADDRESS, &authorization).says(refusal.message));
        }
        Err(CallError::Refused(refusal)) => refusal,
        Err(CallError::Unknown(why)) => return Err(unknown(&authorization, why)),
    };
    // It may have been closed before.
    let authorization = refreshed(cx, authorization).await?;
    match authorization.state {
        AuthorizationState::Closed => Ok(authorization),
        _ => Err(telling(Code::PROVIDER_REFUSED, &authorization).says(refusal.message)),
    }
}

/// The authorisation that a transfer names, by one of two names; `None` where it names none.
///
/// # Errors
/// The field's code where both are there, or one is blank; 404 where there is no such authorisation.
pub(super) async fn named(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Option<Authorization>, Failure> {
    for field in [&f::AUTHORIZATION_ID, &f::OUT_AUTHORIZATION_NO] {
        // Taken for none, the payee would be asked to confirm what was meant to arrive without it.
        if fields.raw(field).is_some_and(|value| value.as_str() == Some("")) {
            return Err(fields.wrong(field, "is empty; leave it out where the payee confirms the transfer"));
        }
    }
    if fields.raw(&f::AUTHORIZATION_ID).is_some() && fields.raw(&f::OUT_AUTHORIZATION_NO).is_some() {
        return Err(fields.wrong(&f::AUTHORIZATION_ID, "must not be there together with out_authorization_no"));
    }
    find(cx, fields).await
}

/// Whether transfers may be made under an authorisation now; the provider is asked where the ledger does not say so.
///
/// # Errors
/// 409 when it is not in effect; 504 when nobody knows.
pub(super) async fn demand(cx: &Context<'_>, authorization: &Authorization) -> Result<(), Failure> {
    let now = match authorization.state {
        AuthorizationState::TakingEffect => return Ok(()),
        AuthorizationState::Closed | AuthorizationState::Refused => authorization.clone(),
        AuthorizationState::Unknown | AuthorizationState::WaitUserConfirm => {
            refreshed(cx, authorization.clone()).await?
        }
    };
    match now.state {
        AuthorizationState::TakingEffect => Ok(()),
        _ => Err(telling(Code::AUTHORIZATION_STATE, &now)),
    }
}

/// Looks at the authorisation of a transfer that was refused: its payee may have taken it back, untold. Whatever comes of
/// it, the transfer stays refused.
pub(super) async fn look_again(cx: &Context<'_>, transfer: &Transfer) {
    let Some(number) = &transfer.out_authorization_no else { return };
    let looked = match cx.store.authorization(&transfer.merchant, number).await {
        Ok(Some(authorization)) => refreshed(cx, authorization).await.map(|_| ()),
        Ok(None) => Ok(()),
        Err(error) => Err(error.into()),
    };
    if let Err(failure) = looked {
        let detail = failure.private.as_deref().unwrap_or(failure.code.en);
        tracing::warn!(out_authorization_no = %number, detail, "an authorisation could not be checked");
    }
}

/// Asks about an authorisation that its payee has not given, for the schedule. One that was never made ends here.
///
/// # Errors
/// 504 when the provider does not tell.
pub(super) async fn watch(cx: &Context<'_>, authorization: &Authorization) -> Result<Authorization, Failure> {
    match ask(cx, &gateway_of(cx, authorization).await?, authorization).await {
        Ok(Some(standing)) => apply(cx, authorization, &standing, "query").await,
        Ok(None) => missing(cx, authorization, true).await,
        Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => {
            Err(unknown(authorization, why))
        }
    }
}

/// Takes what a verified callback says of an authorisation: applied when merchant, application and payee are the
/// ledger's, an incident when they are not.
///
/// # Errors
/// [`Code::NO_ORDER`] when the number is not known.
pub(super) async fn settle_authorization(cx: &Context<'_>, notice: &AuthorizationNotice) -> Result<(), Failure> {
    let number = Some(&notice.out_authorization_no).filter(|number| number.len() <= 64).ok_or(Code::NO_ORDER)?;
    let authorization = cx.store.authorization(&notice.merchant, number).await?.ok_or(Code::NO_ORDER)?;
    let standing = &notice.standing;
    let mut facts = vec![
        ("provider", json!(authorization.provider), json!(notice.provider)),
        ("appid", json!(authorization.app_id), json!(standing.app_id)),
        ("openid", json!(authorization.payee), json!(standing.payee)),
    ];
    if notice.mch_id.is_some() {
        facts.push(("mch_id", json!(authorization.mch_id), json!(notice.mch_id)));
    }
    if authorization.authorization_id.is_some() {
        facts.push(("authorization_id", json!(authorization.authorization_id), json!(standing.authorization_id)));
    }
    let (mut expected, mut actual) = (Map::new(), Map::new());
    for (name, ours, theirs) in facts.into_iter().filter(|(_, ours, theirs)| ours != theirs) {
        expected.insert(name.to_owned(), ours);
        actual.insert(name.to_owned(), theirs);
    }
    if expected.is_empty() {
        return apply(cx, &authorization, standing, "callback").await.map(|_| ());
    }
    expected.insert("out_authorization_no".to_owned(), json!(authorization.out_authorization_no));
    let incident = Incident {
        transaction_id: Some(authorization.authorization_id.unwrap_or(authorization.out_authorization_no)),
        expected: Some(Value::Object(expected)),
        actual: Some(Value::Object(actual)),
        ..Incident::new(IncidentName::TransferMismatch, authorization.provider, &authorization.merchant)
    };
    super::incident_record::alarm(cx, &incident, false).await?;
    Ok(())
}

/// Brings on one that is asked for again.
async fn pursue(cx: &Context<'_>, gateway: &Gateway, authorization: &Authorization) -> Result<Authorization, Failure> {
    if authorization.state == AuthorizationState::Closed {
        return Ok(authorization.clone());
    }
    match ask(cx, gateway, authorization).await {
        Ok(Some(standing)) => {
            let now = apply(cx, authorization, &standing, "query").await?;
            // Nothing but the answer to the request says what the payee's client needs; that was lost.
            if now.state == AuthorizationState::WaitUserConfirm && now.package_info.is_none() {
                return asked_again(cx, gateway, &now).await;
            }
            Ok(now)
        }
        Ok(None) if matches!(authorization.state, AuthorizationState::Unknown | AuthorizationState::Refused) => {
            let earlier = match authorization.state {
                AuthorizationState::Unknown => authorization.sent_at,
                // It was refused, so no call of before is under way.
                _ => UnixMs::EPOCH,
            };
            match cx.store.repeat_authorization(authorization, cx.now()).await? {
                Some(repeated) => send(cx, gateway, &repeated, Some(earlier)).await,
                None => Err(unknown(authorization, "it has moved meanwhile")),
            }
        }
        Ok(None) => missing(cx, authorization, false).await,
        Err(error) if authorization.state == AuthorizationState::Refused && error.means(Meaning::Address) => {
            Ok(authorization.clone())
        }
        Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => {
            Err(unknown(authorization, why))
        }
    }
}

/// Asks for what the provider has already, once more: the answer has the parameters for the payee's client.
async fn asked_again(
    cx: &Context<'_>,
    gateway: &Gateway,
    authorization: &Authorization,
) -> Result<Authorization, Failure> {
    let request = AuthorizationRequest { authorization, now: cx.now() };
    match gateway.authorize(cx.clients, &request).await {
        Ok(standing) => apply(cx, authorization, &standing, "answer").await,
        Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => {
            Err(unknown(authorization, why))
        }
    }
}

/// What it comes to that the provider does not know a number. `ends` says whether nobody waits for it any more.
async fn missing(cx: &Context<'_>, authorization: &Authorization, ends: bool) -> Result<Authorization, Failure> {
    let age = cx.now().since(authorization.create_date);
    match authorization.state {
        AuthorizationState::Unknown if ends && is_over(authorization.sent_at, cx.now()) => {
            refuse(cx, authorization, "NOT_FOUND", "no authorisation was made").await
        }
        AuthorizationState::Unknown => Err(unknown(authorization, "the call that makes it may be under way")),
        AuthorizationState::WaitUserConfirm if age >= FORGOTTEN => {
            move_to(cx, authorization, "query", |seen| {
                (seen.state == AuthorizationState::WaitUserConfirm).then(|| Authorization {
                    state: AuthorizationState::Closed,
                    close_reason: Some("USER_OVERDUE_UNCONFIRMED".to_owned()),
                    end_date: Some(cx.now()),
                    ..seen.clone()
                })
            })
            .await
        }
        _ => Err(unknown(authorization, "the provider no longer knows the authorisation")),
    }
}

/// True when a call of that time is surely over.
fn is_over(sent_at: UnixMs, now: UnixMs) -> bool {
    now.since(sent_at) >= CALL
}

async fn ask(
    cx: &Context<'_>,
    gateway: &Gateway,
    authorization: &Authorization,
) -> Result<Option<AuthorizationStanding>, CallError> {
    gateway.query_authorization(cx.clients, &AuthorizationRequest { authorization, now: cx.now() }).await
}

/// Asks the provider for one that is written. A refusal ends nothing while an `earlier` call may be under way.
async fn send(
    cx: &Context<'_>,
    gateway: &Gateway,
    authorization: &Authorization,
    earlier: Option<UnixMs>,
) -> Result<Authorization, Failure> {
    let request = AuthorizationRequest { authorization, now: cx.now() };
    let refusal = match gateway.authorize(cx.clients, &request).await {
        Ok(standing) => return apply(cx, authorization, &standing, "answer").await,
        Err(CallError::Refused(refusal)) => refusal,
        Err(CallError::Unknown(why)) => return Err(unknown(authorization, why)),
    };
    if earlier.is_some_and(|at| !is_over(at, cx.now())) {
        return Err(unknown(authorization, format!("{}, and an earlier call may be under way", refusal.code)));
    }
    let code = match refusal.meaning {
        Meaning::Address => Transfer::ADDRESS_REFUSED,
        _ => refusal.code.as_str(),
    };
    refuse(cx, authorization, code, &refusal.message).await
}

/// Ends one that the provider did not make, unless it was sent again or has moved since it was read.
async fn refuse(
    cx: &Context<'_>,
    authorization: &Authorization,
    code: &str,
    message: &str,
) -> Result<Authorization, Failure> {
    let moved = move_to(cx, authorization, "answer", |seen| {
        let unmoved = seen.version == authorization.version;
        (unmoved && seen.state.may_become(AuthorizationState::Refused)).then(|| Authorization {
            state: AuthorizationState::Refused,
            provider_state: Some(code.to_owned()),
            fail_reason: Some(format!("{code}: {message}")),
            ..seen.clone()
        })
    })
    .await?;
    match moved.state {
        AuthorizationState::Unknown => Err(unknown(&moved, format!("{code}, and it was sent again meanwhile"))),
        _ => Ok(moved),
    }
}

/// Takes what the provider says of an authorisation, and answers it as it stands then.
async fn apply(
    cx: &Context<'_>,
    authorization: &Authorization,
    standing: &AuthorizationStanding,
    source: &'static str,
) -> Result<Authorization, Failure> {
    move_to(cx, authorization, source, |seen| taken(seen, standing, cx.now())).await
}

/// An authorisation after what the provider says of it; `None` when that changes nothing.
fn taken(seen: &Authorization, standing: &AuthorizationStanding, now: UnixMs) -> Option<Authorization> {
    let stays = seen.state == standing.state && seen.state != AuthorizationState::Closed;
    if !stays && !seen.state.may_become(standing.state) {
        return None;
    }
    let next = Authorization {
        state: standing.state,
        provider_state: standing.provider_state.clone(),
        authorization_id: standing.authorization_id.clone().or_else(|| seen.authorization_id.clone()),
        authorize_time: standing.authorize_time.clone().or_else(|| seen.authorize_time.clone()),
        close_reason: standing.close_reason.clone(),
        fail_reason: None,
        package_info: standing.package_info.clone().or_else(|| seen.package_info.clone()),
        // The first words of a state are kept: an answer and a query tell the same in different ones.
        result: Some(standing.result.clone()).filter(|_| !stays).or_else(|| seen.result.clone()),
        end_date: (standing.state == AuthorizationState::Closed).then_some(now),
        ..seen.clone()
    };
    (next != *seen).then_some(next)
}

/// Moves an authorisation under the condition that it is as it was read; looks at it anew when it is not.
async fn move_to(
    cx: &Context<'_>,
    authorization: &Authorization,
    source: &str,
    next: impl Fn(&Authorization) -> Option<Authorization>,
) -> Result<Authorization, Failure> {
    let mut seen = authorization.clone();
    for _ in 0..ROUNDS {
        let Some(mut next) = next(&seen) else { return Ok(seen) };
        if cx.store.move_authorization(&seen, &next, source, cx.now()).await? {
            if next.state != seen.state {
                let (no, state) = (&next.out_authorization_no, next.state.name());
                tracing::info!(out_authorization_no = %no, state, source, "an authorisation has moved");
            }
            next.version += 1;
            return Ok(next);
        }
        let anew = cx.store.authorization(&seen.merchant, &seen.out_authorization_no).await?;
        seen = anew.ok_or(Code::NO_ORDER)?;
    }
    Err(Code::BUSY.into())
}

fn unknown(authorization: &Authorization, why: impl Into<String>) -> Failure {
    let why = why.into();
    let no = &authorization.out_authorization_no;
    tracing::warn!(out_authorization_no = %no, why, "the outcome of an authorisation is not known");
    telling(Code::OUTCOME_UNKNOWN, authorization)
}

/// A failure that shows the authorisation.
fn telling(code: Code, authorization: &Authorization) -> Failure {
    Failure { data: Some(Box::new(authorization.shown())), ..Failure::new(code) }
}

async fn gateway_of(cx: &Context<'_>, authorization: &Authorization) -> Result<Gateway, Failure> {
    let merchant = cx.merchant(&authorization.merchant).await?;
    merchant.and_then(|m| Gateway::find(&m, authorization.provider, &authorization.node)).ok_or_else(|| {
        Failure::new(Code::PROVIDER)
            .says(format!("{}.{}", authorization.provider, authorization.node))
            .private("the configuration no longer has the node that this authorisation was made with")
    })
}

/// Whether a repeat has the content of the authorisation that has its number.
fn same(known: &Authorization, wished: &Authorization) -> bool {
    let content = |a: &Authorization| {
        let texts = [&a.app_id, &a.payee, &a.transfer_scene, &a.user_display_name];
        (a.provider, texts.map(String::clone), a.user_recv_perception.clone())
    };
    content(known) == content(wished)
}

/// The authorisation that a request names, by its own number, else by the provider's; one that the ledger does not have
/// is asked for by its own. `None` where none is named.
async fn find(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Option<Authorization>, Failure> {
    let merchant = fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT);
    let provider = fields.provider()?;
    let found = match (fields.number(&f::OUT_AUTHORIZATION_NO)?, fields.text(&f::AUTHORIZATION_ID)?) {
        (Some(number), _) => match cx.store.authorization(merchant, number).await? {
            None => Some(adopt(cx, merchant, number).await?),
            known => known,
        },
        (None, Some(id)) => Some(cx.store.authorization_of_id(merchant, id).await?.ok_or(Code::NO_ORDER)?),
        (None, None) => None,
    };
    match found {
        Some(found) if provider.is_some_and(|provider| provider != found.provider) => Err(Code::NO_ORDER.into()),
        found => Ok(found),
    }
}

/// Takes an authorisation into the ledger that was made elsewhere, as before a move from VK-Pay.
async fn adopt(cx: &Context<'_>, merchant: &str, number: &str) -> Result<Authorization, Failure> {
    let found = cx.merchant(merchant).await?.and_then(|m| Gateway::find(&m, Provider::Wxpay, NODE));
    let gateway = found.filter(|gateway| is_number(number) && gateway.transfers().is_ok()).ok_or(Code::NO_ORDER)?;
    let shell = blank(cx, &gateway, merchant, number)?;
    let standing = match ask(cx, &gateway, &shell).await {
        Ok(standing) => standing.ok_or(Code::NO_ORDER)?,
        Err(error) if error.means(Meaning::Address) => return Err(Code::CALLER_ADDRESS.into()),
        // A refusal to tell does not say that there is none.
        Err(CallError::Refused(refusal)) => {
            return Err(Failure::new(Code::OUTCOME_UNKNOWN).private(refusal.to_string()));
        }
        Err(CallError::Unknown(why)) => return Err(Failure::new(Code::OUTCOME_UNKNOWN).private(why)),
    };
    let (Some(app_id), Some(payee)) = (standing.app_id.clone(), standing.payee.clone()) else {
        return Err(Failure::new(Code::OUTCOME_UNKNOWN).private("the answer does not say whose authorisation it is"));
    };
    let stated = Authorization {
        app_id,
        payee,
        transfer_scene: standing.transfer_scene.clone().unwrap_or_default(),
        user_display_name: standing.user_display_name.clone().unwrap_or_default(),
        user_recv_perception: standing.user_recv_perception.clone(),
        ..shell
    };
    let adopted = taken(&stated, &standing, cx.now()).unwrap_or(stated);
    // Somebody else may have been first.
    cx.store.begin_authorization(&adopted, "adopted", cx.now()).await?;
    Ok(cx.store.authorization(merchant, number).await?.ok_or(Code::BUSY)?)
}

/// An authorisation of which nothing is known but its number.
fn blank(cx: &Context<'_>, gateway: &Gateway, merchant: &str, number: &str) -> Result<Authorization, Failure> {
    let (base, path) = cx.callback("transfer-notify", Provider::Wxpay, merchant)?;
    Ok(Authorization {
        out_authorization_no: number.to_owned(),
        state: AuthorizationState::Unknown,
        provider: Provider::Wxpay,
        merchant: merchant.to_owned(),
        node: NODE.to_owned(),
        create_date: cx.now(),
        sent_at: cx.now(),
        source: "adopted".to_owned(),
        app_id: String::new(),
        mch_id: gateway.mch_id().map(str::to_owned),
        payee: String::new(),
        transfer_scene: String::new(),
        user_display_name: String::new(),
        user_recv_perception: None,
        notify_url: format!("{base}{path}"),
        authorization_id: None,
        provider_state: None,
        authorize_time: None,
        close_reason: None,
        fail_reason: None,
        package_info: None,
        result: None,
        end_date: None,
        version: 0,
    })
}

/// WeChat Pay's numbers of authorisations: 5 to 32 letters, digits, `_` and `-`.
fn is_number(number: &str) -> bool {
    (5..=32).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

async fn read(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Authorization, Failure> {
    let provider = fields.needed_provider()?;
    let merchant = fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT);
    let merchant =
        cx.merchant(merchant).await?.ok_or_else(|| f::PID.wrong("names no merchant of the configuration"))?;
    if provider != Provider::Wxpay {
        return Err(Failure::new(Code::UNSUPPORTED).says(format!("{provider}: createUserConfirmAuthorization")));
    }
    let gateway = Gateway::find(&merchant, provider, NODE)
        .ok_or_else(|| Failure::new(Code::PROVIDER).says(format!("{provider}.{NODE}")))?;
    let defaults = gateway.transfers()?;
    let number = fields
        .number(&f::OUT_AUTHORIZATION_NO)?
        .filter(|number| is_number(number))
        .ok_or_else(|| fields.wrong(&f::OUT_AUTHORIZATION_NO, "must be a text of 5 to 32 letters, digits, _ and -"))?;
    // WeChat Pay carries no characters of four bytes.
    let text = |field: &Field, most: usize| match fields.text(field)? {
        Some(text) if text.chars().any(|c| c.len_utf8() > 3) => Err(fields.wrong(field, "must be without emoji")),
        Some(text) if text.chars().count() > most => Err(fields.fault(field)),
        text => Ok(text.map(str::to_owned)),
    };
    let openid = fields.needed_text(&f::PAYEE_OPENID)?;
    let openid = Some(openid).filter(|id| id.bytes().all(|b| b.is_ascii_graphic()));
    let scene = match fields.raw(&f::TRANSFER_SCENE_ID) {
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => text(&f::TRANSFER_SCENE_ID, 36)?,
    };
    let perception = text(&f::USER_RECV_PERCEPTION, 64)?;
    Ok(Authorization {
        source: caller.source.clone(),
        app_id: fields.text(&f::APPID)?.unwrap_or(gateway.app_id()).to_owned(),
        payee: openid.ok_or_else(|| fields.fault(&f::PAYEE_OPENID))?.to_owned(),
        transfer_scene: scene.or_else(|| defaults.scene.clone()).ok_or_else(|| fields.fault(&f::TRANSFER_SCENE_ID))?,
        user_display_name: text(&f::USER_DISPLAY_NAME, 32)?.ok_or_else(|| fields.fault(&f::USER_DISPLAY_NAME))?,
        user_recv_perception: perception.or_else(|| defaults.recv_perception.clone()),
        ..blank(cx, &gateway, &merchant.id, number)?
    })
}
