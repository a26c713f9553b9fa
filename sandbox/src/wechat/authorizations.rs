//! Payees who confirm no transfer: pages 4015901167, 4014399423, 4015653811, 4014399371 and 4014512908 of WeChat Pay.

use super::rules;
use super::transfers::{self, Payee};
use super::v3::{Cx, Refusal, Reply};
use crate::authorizations::{Authorization, AuthorizationState};
use crate::crypto::{ALNUM, random_text};
use crate::ids;
use crate::provider::{Provider, Wire};
use crate::state::Due;
use serde_json::{Value, json};

/// How long a payee may take to give one, and how long one that was never given is remembered after that, s.
const TO_GIVE: u64 = 24 * 3600;
const REMEMBERED: u64 = 30 * 24 * 3600;

/// The word for a state.
const fn word(state: AuthorizationState) -> &'static str {
    match state {
        AuthorizationState::WaitUserConfirm => "WAIT_USER_CONFIRM",
        AuthorizationState::TakingEffect => "TAKING_EFFECT",
        AuthorizationState::Closed => "CLOSED",
    }
}

/// As an answer and a callback have it; the callback names no merchant.
pub(crate) fn shown(authorization: &Authorization) -> Value {
    let mut shown = json!({
        "out_authorization_no": authorization.number,
        "appid": authorization.appid,
        "openid": authorization.payee,
        "user_display_name": authorization.display_name,
        "state": word(authorization.state),
    });
    if let (Some(id), Some(at)) = (&authorization.id, authorization.authorized) {
        shown["authorization_id"] = json!(id);
        shown["authorize_time"] = json!(ids::rfc3339(at));
    }
    if let Some(at) = authorization.closed {
        shown["close_info"] = json!({ "close_time": ids::rfc3339(at), "close_reason": authorization.close_reason });
    }
    shown
}

fn answer(authorization: &Authorization) -> Reply {
    let mut answer = shown(authorization);
    answer["transfer_scene_id"] = json!(authorization.scene);
    answer["create_time"] = json!(ids::rfc3339(authorization.created));
    if let Some(perception) = authorization.request.get("user_recv_perception") {
        answer["user_recv_perception"] = perception.clone();
    }
    Ok(Some(answer))
}

fn missing() -> Refusal {
    Refusal::new(404, "NOT_FOUND", "授权单不存在", 268_512_771)
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(400, "INVALID_REQUEST", message, 268_435_461)
}

pub(crate) fn create(cx: &Cx<'_>) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::AUTHORIZATION)?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if !cx.merchant.owns_appid(&text("appid")) {
        return Err(Refusal::new(400, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系", 268_435_461));
    }
    let by_public_key = cx.inbound.header("wechatpay-serial").is_some_and(|id| id.starts_with("PUB_KEY_ID_"));
    let now = cx.sandbox.now();
    let overdue = now + cx.sandbox.scaled_ms(TO_GIVE);
    let mut state = cx.sandbox.state();
    let wished = Authorization {
        provider: Provider::Wxpay,
        merchant: cx.mchid().to_owned(),
        appid: text("appid"),
        wire: if by_public_key { Wire::V3 } else { Wire::V3_CERT },
        number: text("out_authorization_no"),
        id: None,
        payee: text("openid"),
        scene: text("transfer_scene_id"),
        display_name: text("user_display_name"),
        state: AuthorizationState::WaitUserConfirm,
        package_info: format!("bffddafdfafddffdfa=={}", random_text(24, ALNUM)),
        notify_url: Some(text("authorization_notify_url")),
        created: now,
        authorized: None,
        closed: None,
        close_reason: None,
        request: Value::Object(body.clone()),
    };
    let own = |a: &Authorization| a.merchant == wished.merchant && a.number == wished.number;
    let at = match state.authorizations.iter().position(own) {
        Some(at) if state.authorizations[at].request == wished.request => at,
        Some(_) => {
            return Err(Refusal::new(400, "ALREADY_EXISTS", "商户授权单号已存在，且参数与原请求不一致", 268_435_461));
        }
        None => {
            let rival = |a: &&Authorization| {
                a.closed.is_none()
                    && (&a.merchant, &a.appid, &a.payee, &a.scene, &a.display_name)
                        == (&wished.merchant, &wished.appid, &wished.payee, &wished.scene, &wished.display_name)
            };
            if state.authorizations.iter().any(|a| rival(&a)) {
                return Err(invalid("用户在当前场景下的授权数量达到限制，不支持发起授权"));
            }
            state.authorizations.push(wished);
            let at = state.authorizations.len() - 1;
            state.schedule(overdue, Due::Overdue(at));
            at
        }
    };
    let authorization = &state.authorizations[at];
    let mut answer = json!({
        "out_authorization_no": authorization.number,
        "state": word(authorization.state),
        "create_time": ids::rfc3339(authorization.created),
    });
    if authorization.state == AuthorizationState::WaitUserConfirm {
        answer["package_info"] = json!(authorization.package_info);
    }
    Ok(Some(answer))
}

/// The place of the merchant's own, if it is remembered.
fn find(cx: &Cx<'_>, authorizations: &[Authorization], wanted: impl Fn(&Authorization) -> bool) -> Option<usize> {
    let forgotten_before = cx.sandbox.now() - cx.sandbox.scaled_ms(REMEMBERED);
    authorizations.iter().position(|a| {
        let remembered = a.authorized.is_some() || a.closed.is_none_or(|at| at > forgotten_before);
        a.merchant == cx.mchid() && wanted(a) && remembered
    })
}

pub(crate) fn query(cx: &Cx<'_>, number: &str) -> Reply {
    let state = cx.sandbox.state();
    let at = find(cx, &state.authorizations, |a| a.number == number).ok_or_else(missing)?;
    answer(&state.authorizations[at])
}

pub(crate) fn close(cx: &Cx<'_>, number: &str) -> Reply {
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let at = find(cx, &state.authorizations, |a| a.number == number).ok_or_else(missing)?;
    if state.authorizations[at].closed.is_none() {
        state.close_authorization(at, "CLOSE_VIA_MCH_API", true, now);
    }
    answer(&state.authorizations[at])
}

/// A transfer to who has given one: it needs no confirmation.
pub(crate) fn transfer(cx: &Cx<'_>) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::AUTHORIZED_TRANSFER)?;
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let (id, number) = (text("authorization_id"), text("out_authorization_no"));
    let named = {
        let state = cx.sandbox.state();
        let at = match (id, number) {
            (Some(_), Some(_)) => return Err(invalid("微信免确认收款授权单号和商户授权单号不支持同时传入")),
            (None, None) => {
                return Err(Refusal::param("缺少参数out_authorization_no").field("out_authorization_no", "body"));
            }
            (Some(id), None) => find(cx, &state.authorizations, |a| a.id.as_deref() == Some(id)),
            (None, Some(number)) => find(cx, &state.authorizations, |a| a.number == number),
        };
        state.authorizations[at.ok_or_else(missing)?].clone()
    };
    // A repetition is answered as the transfer stands, whatever has become of the authorisation.
    let known = |t: &transfers::Known| t.merchant == cx.mchid() && Some(t.number.as_str()) == text("out_bill_no");
    let repeated = cx.sandbox.state().transfers.iter().any(known);
    if !repeated && named.state != AuthorizationState::TakingEffect {
        return Err(invalid("用户免确认收款授权未生效"));
    }
    if text("transfer_scene_id") != Some(named.scene.as_str()) {
        return Err(invalid("转账场景与授权的转账场景不一致"));
    }
    let at = transfers::enter(cx, body.clone(), Payee::Authorized(named.payee))?;
    transfers::shown(cx, at)
}
