//! Authorisations of payees (`docs/protocols/merchant-operations.md#transfers-without-confirmation`).

use super::transport::{Ask, call};
use crate::common::url::segment;
use crate::wxpay::{V3, WxpayNode};
use crate::{AuthorizationRequest, AuthorizationStanding, CallError, ProviderClients};
use domain::AuthorizationState;
use serde::Serialize;
use serde_json::Value;

const AUTHORIZATIONS: &str = "/v3/fund-app/mch-transfer/user-confirm-authorization";

/// The body that asks for one: only what is set.
#[derive(Serialize)]
struct AuthorizationBody<'a> {
    out_authorization_no: &'a str,
    appid: &'a str,
    openid: &'a str,
    transfer_scene_id: &'a str,
    user_display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_recv_perception: Option<&'a str>,
    authorization_notify_url: &'a str,
}

/// Asks for one. The same number with the same fields is the same authorisation.
pub(super) async fn authorize(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &AuthorizationRequest<'_>,
) -> Result<AuthorizationStanding, CallError> {
    let authorization = request.authorization;
    let body = AuthorizationBody {
        out_authorization_no: &authorization.out_authorization_no,
        appid: &authorization.app_id,
        openid: &authorization.payee,
        transfer_scene_id: &authorization.transfer_scene,
        user_display_name: &authorization.user_display_name,
        user_recv_perception: authorization.user_recv_perception.as_deref(),
        authorization_notify_url: &authorization.notify_url,
    };
    judge(request, &call(clients, node, v3, Ask::json(AUTHORIZATIONS, &body), request.now).await?)
}

/// How one stands; `None` when WeChat Pay does not know the number.
pub(super) async fn query(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &AuthorizationRequest<'_>,
) -> Result<Option<AuthorizationStanding>, CallError> {
    let target =
        format!("{AUTHORIZATIONS}/out-authorization-no/{}", segment(&request.authorization.out_authorization_no));
    found(request, call(clients, node, v3, Ask::get(&target), request.now).await)
}

/// Ends one; `None` when WeChat Pay does not know the number.
pub(super) async fn close(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &AuthorizationRequest<'_>,
) -> Result<Option<AuthorizationStanding>, CallError> {
    let number = segment(&request.authorization.out_authorization_no);
    let target = format!("{AUTHORIZATIONS}/out-authorization-no/{number}/close");
    found(request, call(clients, node, v3, Ask::post(&target), request.now).await)
}

fn found(
    request: &AuthorizationRequest<'_>,
    answer: Result<Value, CallError>,
) -> Result<Option<AuthorizationStanding>, CallError> {
    match answer {
        Ok(answer) => judge(request, &answer).map(Some),
        Err(CallError::Refused(refusal)) if super::transfer::says_unknown(&refusal.code) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How an authorisation stands, when it is the one that was asked for. What is not known of it yet, as of one that was
/// made elsewhere, is not compared.
fn judge(request: &AuthorizationRequest<'_>, answer: &Value) -> Result<AuthorizationStanding, CallError> {
    let authorization = request.authorization;
    let text = |key: &str| answer.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let fits = |key: &str, ours: &str| ours.is_empty() || text(key).is_none_or(|theirs| theirs == ours);
    let ours = text("out_authorization_no") == Some(authorization.out_authorization_no.as_str())
        && fits("appid", &authorization.app_id)
        && fits("openid", &authorization.payee)
        && fits("authorization_id", authorization.authorization_id.as_deref().unwrap_or_default());
    if !ours {
        return Err(CallError::unknown("the answer is about another authorisation"));
    }
    standing(answer).ok_or_else(|| CallError::unknown("the answer has no state that is known"))
}

/// How an authorisation stands, out of an answer or a callback; `None` for a state that is not known.
pub(super) fn standing(object: &Value) -> Option<AuthorizationStanding> {
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let own = |key: &str| text(object, key);
    let state = match own("state").as_deref() {
        Some("WAIT_USER_CONFIRM") => AuthorizationState::WaitUserConfirm,
        Some("TAKING_EFFECT") => AuthorizationState::TakingEffect,
        Some("CLOSED") => AuthorizationState::Closed,
        _ => return None,
    };
    Some(AuthorizationStanding {
        state,
        provider_state: own("state"),
        authorization_id: own("authorization_id"),
        authorize_time: own("authorize_time"),
        close_reason: text(&object["close_info"], "close_reason").filter(|_| state == AuthorizationState::Closed),
        package_info: own("package_info").filter(|_| state == AuthorizationState::WaitUserConfirm),
        app_id: own("appid"),
        payee: own("openid"),
        transfer_scene: own("transfer_scene_id"),
        user_display_name: own("user_display_name"),
        user_recv_perception: own("user_recv_perception"),
        result: redacted(object),
    })
}

/// What is kept of an authorisation: not who gave it, nor what it is given with.
fn redacted(object: &Value) -> Value {
    const KEPT: [&str; 9] = [
        "mchid",
        "appid",
        "out_authorization_no",
        "authorization_id",
        "state",
        "authorize_time",
        "close_info",
        "transfer_scene_id",
        "create_time",
    ];
    KEPT.iter().filter_map(|key| Some(((*key).to_owned(), object.get(*key)?.clone()))).collect()
}
