//! `auth`: who may call which action.

use super::asked::Kind;
use super::client_may_choose::ClientMayChoose;
use super::reader::{Reader, base_url};
use domain::{Secret, action::Action};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One way to prove that a caller may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Anybody.
    None,
    /// `Authorization: Bearer` with one of `auth.keys`.
    Key,
    /// A Function URL of type `AWS_IAM`, whose caller Lambda has verified.
    Iam,
    /// A JWT of the merchant's users.
    Jwt,
}

/// How JWTs are verified.
pub struct Jwt {
    /// Where the keys come from.
    pub keys: JwtKeys,
    /// Required `iss`.
    pub issuer: Option<String>,
    /// Required `aud`.
    pub audience: Option<String>,
    /// Seconds of clock difference that are allowed.
    pub leeway: u64,
    /// The role that may refund and the like.
    pub admin_role: String,
}

/// The keys that verify JWTs; they pin the algorithm.
pub enum JwtKeys {
    /// HS256 under a shared secret.
    Hs256(Secret),
    /// RS256 or ES256 by the key's type: a JSON Web Key Set.
    Jwks(Value),
    /// The same, fetched on use.
    JwksUrl(String),
}

/// Which types of order need a signed quote.
pub enum RequireQuote {
    /// None.
    Never,
    /// All.
    Always,
    /// These.
    Types(Vec<String>),
}

/// `auth`, checked.
pub struct Auth {
    default: Vec<Mode>,
    actions: BTreeMap<String, Vec<Mode>>,
    /// The shared secrets of mode `key`, by name.
    pub keys: Vec<(String, Secret)>,
    /// How mode `jwt` verifies.
    pub jwt: Option<Jwt>,
    /// Patterns that `userArn` must match in mode `iam`; `None` lets every verified caller pass.
    pub iam_allow: Option<Vec<String>>,
    /// The secret of signed quotes.
    pub quote: Option<Secret>,
    /// Which types need one.
    pub require_quote: RequireQuote,
    /// What an untrusted caller may choose without one.
    pub client_may_choose: ClientMayChoose,
}

impl Auth {
    /// The modes of an action; any of them may pass. Empty means closed.
    pub fn modes(&self, action: Action) -> &[Mode] {
        match action.auth_keys().iter().find_map(|key| self.actions.get(*key)) {
            Some(modes) => modes,
            None if action.access().by_default() => &self.default,
            None => &[],
        }
    }

    pub(super) fn read(auth: &Reader<'_>) -> Option<Self> {
        auth.asks("default", || Kind::Form(modes_form(true), Vec::new()));
        let default = match auth.given("default").is_some() {
            true => read_modes(auth, "default"),
            false => Some(vec![Mode::Key]),
        };
        let (mut actions, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for (key, access) in Action::ALL.iter().flat_map(|a| a.auth_keys().iter().map(|key| (*key, a.access()))) {
            auth.asks(key, || Kind::Form(modes_form(access.may_be_open()), Vec::new()));
            // A name may rule several actions.
            if auth.given(key).is_none() || !seen.insert(key) {
                continue;
            }
            if let Some(modes) = read_modes(auth, key) {
                if modes.contains(&Mode::None) && !access.may_be_open() {
                    auth.fault(key, "must not be none");
                }
                actions.insert(key.to_owned(), modes);
            }
        }
        let default = default.unwrap_or_default();
        if default.contains(&Mode::None) {
            let opened = |a: &&Action| a.access().by_default() && !a.access().may_be_open();
            let unnamed = |a: &&Action| a.auth_keys().iter().all(|key| auth.given(key).is_none());
            let open: Vec<&str> = Action::ALL.iter().filter(opened).filter(unnamed).map(|a| a.short_name()).collect();
            if !open.is_empty() {
                auth.fault("default", format!("must not be none while it opens {}", open.join(", ")));
            }
        }
        let used = |mode| default.contains(&mode) || actions.values().any(|modes: &Vec<Mode>| modes.contains(&mode));
        let keys = read_keys(auth);
        if used(Mode::Key) && keys.is_empty() && !auth.has("keys") {
            auth.fault("keys", "is missing, and mode key needs it");
        }
        let jwt = auth.object("jwt").and_then(|jwt| read_jwt(&jwt));
        if used(Mode::Jwt) && !auth.has("jwt") {
            auth.fault("jwt", "is missing, and mode jwt needs it");
        }
        let iam_allow = auth.object("iam").and_then(|iam| {
            let allow = iam.texts("allow");
            iam.refuse_unknown();
            allow
        });
        let quote = auth.object("quote").and_then(|quote| {
            let secret = long_secret(&quote, "hs256");
            quote.refuse_unknown();
            if let (Some(secret), Some(Jwt { keys: JwtKeys::Hs256(other), .. })) = (&secret, &jwt)
                && secret.matches(other.expose())
            {
                quote.fault("hs256", "must differ from auth.jwt.hs256");
            }
            secret
        });
        let require_quote = read_require_quote(auth);
        if !matches!(require_quote, RequireQuote::Never) && !auth.has("quote") {
            auth.fault("quote", "is missing, and requireQuote needs it");
        }
        let client_may_choose = ClientMayChoose::read(auth);
        auth.refuse_unknown();
        Some(Self { default, actions, keys, jwt, iam_allow, quote, require_quote, client_may_choose })
    }
}

/// What [`read_modes`] takes.
fn modes_form(may_be_open: bool) -> Value {
    let words = if may_be_open { json!(["none", "key", "iam", "jwt"]) } else { json!(["key", "iam", "jwt"]) };
    json!({
        "anyOf": [{ "enum": words }, { "type": "array", "minItems": 1, "items": { "enum": words } }, { "type": "null" }],
    })
}

fn read_modes(auth: &Reader<'_>, key: &str) -> Option<Vec<Mode>> {
    let mode = |value: &Value| match value.as_str()? {
        "none" => Some(Mode::None),
        "key" => Some(Mode::Key),
        "iam" => Some(Mode::Iam),
        "jwt" => Some(Mode::Jwt),
        _ => None,
    };
    let modes = match auth.given(key)? {
        Value::Array(list) if !list.is_empty() => list.iter().map(mode).collect(),
        value => mode(value).map(|m| vec![m]),
    };
    if modes.is_none() {
        auth.fault(key, "must be none, key, iam or jwt, or a list of them");
    }
    modes
}

/// Bytes that a shared secret has at least.
const SHORTEST: usize = 16;

fn long_secret(reader: &Reader<'_>, key: &str) -> Option<Secret> {
    reader.asks(key, || Kind::Secret { least: SHORTEST, bytes: None, entered: true });
    let secret = reader.required_secret(key, None)?;
    if secret.expose().len() < SHORTEST {
        reader.fault(key, format!("{} bytes, needs at least {SHORTEST}", secret.expose().len()));
        return None;
    }
    Some(secret)
}

fn read_keys(auth: &Reader<'_>) -> Vec<(String, Secret)> {
    let Some(keys) = auth.object("keys") else { return Vec::new() };
    if keys.keys().next().is_none() {
        auth.fault("keys", "is empty, and mode key needs one");
    }
    keys.names(r"^[\s\S]*$").filter_map(|name| Some((name.clone(), long_secret(&keys, name)?))).collect()
}

fn read_jwt(jwt: &Reader<'_>) -> Option<Jwt> {
    jwt.asks("", || Kind::OneOf(["hs256", "jwks", "jwksUrl"].map(str::to_owned).to_vec()));
    jwt.asks("jwks", || Kind::Form(json!({ "type": ["object", "string", "null"] }), Vec::new()));
    jwt.asks("jwksUrl", || Kind::Text);
    jwt.asks("hs256", || Kind::Secret { least: SHORTEST, bytes: None, entered: true });
    // A blank secret is a fault of its own, a blank set or URL is not there.
    let there = |key: &&str| if *key == "hs256" { jwt.given(key).is_some() } else { jwt.has(key) };
    let given: Vec<&str> = ["hs256", "jwks", "jwksUrl"].into_iter().filter(there).collect();
    let keys = match given[..] {
        ["hs256"] => long_secret(jwt, "hs256").map(JwtKeys::Hs256),
        ["jwks"] => read_jwks(jwt).map(JwtKeys::Jwks),
        ["jwksUrl"] => jwt.text("jwksUrl").and_then(|url| match base_url(url.split('?').next().unwrap_or(&url)) {
            Ok(_) if url.starts_with("http://localhost") => {
                jwt.fault("jwksUrl", "must be https, or http to a literal loopback address");
                None
            }
            Ok(_) => Some(JwtKeys::JwksUrl(url)),
            Err(what) => {
                jwt.fault("jwksUrl", what);
                None
            }
        }),
        _ => {
            jwt.fault("hs256", "exactly one of hs256, jwks and jwksUrl is needed");
            None
        }
    };
    let read = Jwt {
        issuer: jwt.text("issuer"),
        audience: jwt.text("audience"),
        leeway: jwt.integer("leewaySeconds", 0..=300).unwrap_or(30),
        admin_role: jwt.text("adminRole").unwrap_or_else(|| "admin".to_owned()),
        keys: keys?,
    };
    jwt.refuse_unknown();
    Some(read)
}

fn read_jwks(jwt: &Reader<'_>) -> Option<Value> {
    let jwks = jwt.raw("jwks")?;
    if !crypto::jwt::is_key_set(jwks) {
        jwt.fault("jwks", "must be a JSON Web Key Set with at least one key");
        return None;
    }
    Some(jwks.clone())
}

fn read_require_quote(auth: &Reader<'_>) -> RequireQuote {
    auth.asks("requireQuote", || {
        let form = json!({ "type": ["boolean", "array", "null"], "items": { "type": "string" } });
        Kind::Form(form, Vec::new())
    });
    match auth.given("requireQuote") {
        None | Some(Value::Bool(false)) => RequireQuote::Never,
        Some(Value::Bool(true)) => RequireQuote::Always,
        Some(_) => auth.texts("requireQuote").map_or(RequireQuote::Always, RequireQuote::Types),
    }
}
