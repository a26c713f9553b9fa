//! Who calls: keys, IAM, JWTs, and signed quotes.

use super::Call;
use crate::jwks::Jwks;
use config::{Auth, JwtKeys, Mode, RequireQuote};
use crypto::jwt::{self, VerifyingKey};
use domain::action::{Action, Payments};
use domain::{Code, Failure, UnixMs};
use net::provider_http::Http;
use payments::Caller;
use providers::Config;
use serde_json::Value;

/// Why one mode did not let a caller pass.
enum No {
    /// No credential of this kind, or a bad one.
    Unknown,
    /// A good one that may not.
    Forbidden,
    /// What it is checked against cannot be reached.
    Unavailable(String),
}

/// Finds out who calls, by any of the modes that the configuration has for the action.
pub(super) async fn authenticate(
    config: &Config,
    jwks: &Jwks,
    http: &Http,
    call: &Call,
    now: UnixMs,
) -> Result<Caller, Failure> {
    let modes = config.auth.modes(call.action);
    let mut worst = Code::UNAUTHENTICATED;
    let mut detail = None;
    for mode in [Mode::Key, Mode::Iam, Mode::Jwt].into_iter().filter(|m| modes.contains(m)) {
        let result = match mode {
            Mode::Key => key(&config.auth, call),
            Mode::Iam => iam(&config.auth, call),
            Mode::Jwt => by_jwt(&config.auth, jwks, http, call, now).await,
            Mode::None => continue,
        };
        match result {
            Ok(caller) => return Ok(caller),
            Err(No::Unknown) => {}
            Err(No::Forbidden) => worst = Code::FORBIDDEN,
            Err(No::Unavailable(why)) => {
                worst = Code::UNAVAILABLE;
                detail = Some(why);
            }
        }
    }
    // Whoever shows a credential that could have been checked, and is bad, is not let in as anybody.
    let shown = bearer(call).is_some() || (modes.contains(&Mode::Jwt) && call.uni_id_token.is_some());
    let checked = modes.contains(&Mode::Key) || modes.contains(&Mode::Jwt);
    if modes.contains(&Mode::None) && !(shown && checked) {
        return Ok(Caller { source: "anyone".to_owned(), user: None, trusted: false });
    }
    let failure = Failure::new(if modes.is_empty() { Code::FORBIDDEN } else { worst });
    Err(match detail {
        Some(detail) => failure.private(detail),
        None => failure,
    })
}

/// The text after `Bearer`, scheme in any case.
fn bearer(call: &Call) -> Option<&str> {
    let (scheme, token) = call.request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|t| !t.is_empty())
}

fn key(auth: &Auth, call: &Call) -> Result<Caller, No> {
    let token = bearer(call).ok_or(No::Unknown)?;
    // Every key is compared, so that the time does not tell which one matched.
    let mut found = None;
    for (name, secret) in &auth.keys {
        if secret.matches(token) {
            found = Some(name);
        }
    }
    let name = found.ok_or(No::Unknown)?;
    Ok(Caller { source: format!("key:{name}"), user: None, trusted: true })
}

fn iam(auth: &Auth, call: &Call) -> Result<Caller, No> {
    let arn = call.request.iam_arn.as_deref().ok_or(No::Unknown)?;
    let allowed = auth.iam_allow.as_ref().is_none_or(|patterns| {
        patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => arn.starts_with(prefix),
            None => arn == pattern,
        })
    });
    if !allowed {
        return Err(No::Forbidden);
    }
    Ok(Caller { source: format!("iam:{arn}"), user: None, trusted: true })
}

async fn by_jwt(auth: &Auth, jwks: &Jwks, http: &Http, call: &Call, now: UnixMs) -> Result<Caller, No> {
    let settings = auth.jwt.as_ref().ok_or(No::Unknown)?;
    let token = bearer(call).or(call.uni_id_token.as_deref()).ok_or(No::Unknown)?;
    let kid = jwt::key_id(token).ok_or(No::Unknown)?;
    let key = match &settings.keys {
        JwtKeys::Hs256(secret) => VerifyingKey::hs256(secret.expose().as_bytes()),
        JwtKeys::Jwks(set) => jwt::key_of(set, kid.as_deref()).ok_or(No::Unknown)?,
        JwtKeys::JwksUrl(url) => {
            jwks.key(http, url, kid.as_deref(), now).await.map_err(No::Unavailable)?.ok_or(No::Unknown)?
        }
    };
    let rules = jwt::Rules {
        issuer: settings.issuer.as_deref(),
        audience: settings.audience.as_deref(),
        leeway: settings.leeway,
    };
    let claims = jwt::claims(token, &key, &rules).ok_or(No::Unknown)?;
    let user = ["uid", "sub"]
        .iter()
        .find_map(|name| claims.get(*name).and_then(Value::as_str).filter(|text| !text.is_empty()))
        .ok_or(No::Unknown)?
        .to_owned();
    let admin = match claims.get("role") {
        Some(Value::String(role)) => *role == settings.admin_role,
        Some(Value::Array(roles)) => roles.iter().any(|r| r.as_str() == Some(&settings.admin_role)),
        _ => false,
    };
    if !admin && call.action.access().needs_admin() {
        return Err(No::Forbidden);
    }
    Ok(Caller { source: format!("user:{user}"), user: Some(user), trusted: admin })
}

/// What a quote fixes.
const QUOTED: [&str; 4] = ["out_trade_no", "total_fee", "type", "custom"];
/// What it may fix beside that: who is paid, what goes to the provider as it is, and what is bought where the provider
/// sells goods by name.
const MAY_BE_QUOTED: [&str; 8] =
    ["provider", "pid", "sub_mchid", "sub_appid", "other", "product_id", "quantity", "wxpay_virtual"];

/// Takes a signed quote into the data of `createPayment`: what is left out comes from it, what differs is
/// refused. Answers the names that it fixed; none where there was no quote.
pub(super) fn apply_quote(config: &Config, call: &mut Call, _now: UnixMs) -> Result<Vec<&'static str>, Failure> {
    if call.action != Action::Payments(Payments::Create) {
        return Ok(Vec::new());
    }
    let forbidden = || Failure::new(Code::FORBIDDEN).at("quote").says("quote");
    let Some(quote) = call.data.remove("quote").filter(|q| !q.is_null()) else {
        let kind = call.data.get("type").and_then(Value::as_str);
        let required = match &config.auth.require_quote {
            RequireQuote::Never => false,
            RequireQuote::Always => true,
            RequireQuote::Types(types) => kind.is_some_and(|kind| types.iter().any(|t| t == kind)),
        };
        return if required { Err(forbidden()) } else { Ok(Vec::new()) };
    };
    let secret = config.auth.quote.as_ref().ok_or_else(forbidden)?;
    let key = VerifyingKey::hs256(secret.expose().as_bytes());
    let rules = jwt::Rules::default();
    let claims = quote.as_str().and_then(|token| jwt::claims(token, &key, &rules)).ok_or_else(forbidden)?;
    let mut fixed = Vec::new();
    for name in QUOTED.into_iter().chain(MAY_BE_QUOTED) {
        let value = match claims.get(name).filter(|v| !v.is_null()) {
            Some(value) => value,
            None if QUOTED.contains(&name) => return Err(forbidden()),
            None => continue,
        };
        fixed.push(name);
        match call.data.get(name).filter(|v| !v.is_null()) {
            Some(given) if !same(given, value) => return Err(forbidden()),
            Some(_) => {}
            None => {
                call.data.insert(name.to_owned(), value.clone());
            }
        }
    }
    Ok(fixed)
}

/// Equal, with amounts also as their decimal text.
fn same(given: &Value, quoted: &Value) -> bool {
    let text = |v: &Value| v.as_u64().map(|n| n.to_string()).or_else(|| v.as_str().map(str::to_owned));
    given == quoted || matches!((text(given), text(quoted)), (Some(a), Some(b)) if a == b)
}
