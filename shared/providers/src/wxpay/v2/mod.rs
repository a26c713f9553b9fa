//! APIv2: XML, MD5 or HMAC-SHA256 under one key (`docs/protocols/wechat.md#apiv2-signature`).
//!
//! The kind of signature is the node's, for requests, answers and callbacks alike; what a message says of
//! its own `sign_type` is read by nobody. An answer counts only when its sign is right over everything
//! received, and names who and what was asked for.

pub(super) mod callback;
pub(super) mod order;
pub(super) mod refund;

use super::failure::{judge, ours, refusal};
use super::transport::{USER_AGENT, address, not_sent};
use crate::common::xml;
use crate::wxpay::{V2, WxpayNode};
use crate::{CallError, ProviderClients};
use crypto::{self, hash};
use domain::Secret;
use http::Method;
use net::provider_http::Request;
use std::collections::BTreeMap;

/// The parameters of a message, by name.
pub type Params = BTreeMap<String, String>;

/// The text that is signed, without the key: every non-empty parameter except `sign`, sorted by its name's
/// bytes, as `name=value` joined with `&`.
pub fn canonical(params: &Params) -> String {
    let pairs = params.iter().filter(|(name, value)| name.as_str() != "sign" && !value.is_empty());
    pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The sign of parameters: upper-case hex of MD5, or of HMAC-SHA256 under the key, over
/// [`canonical`]`&key=<key>`.
pub fn sign(params: &Params, key: &Secret, hmac: bool) -> String {
    let text = zeroize::Zeroizing::new(format!("{}&key={}", canonical(params), key.expose()));
    let digest = match hmac {
        true => hash::hmac_sha256_hex(key.expose().as_bytes(), text.as_bytes()),
        false => hash::md5_hex(text.as_bytes()),
    };
    digest.to_ascii_uppercase()
}

/// Whether a message carries the right sign, compared in constant time.
pub fn is_signed(params: &Params, key: &Secret, hmac: bool) -> bool {
    let given = params.get("sign").map_or("", String::as_str);
    !given.is_empty() && hash::same(given, &sign(params, key, hmac))
}

/// The name of the pinned kind of signature.
pub(super) const fn sign_type(v2: &V2) -> &'static str {
    if v2.hmac { "HMAC-SHA256" } else { "MD5" }
}

/// Parameters from pairs; what is empty is left out.
fn params<const N: usize>(pairs: [(&str, &str); N]) -> Params {
    let set = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Adds the nonce and the sign, sends, and answers the verified parameters. With `certified` the merchant's
/// client certificate is shown.
pub(super) async fn call(
    clients: &ProviderClients,
    node: &WxpayNode,
    v2: &V2,
    path: &str,
    mut params: Params,
    certified: bool,
) -> Result<Params, CallError> {
    let identity = match (certified, &v2.identity) {
        (false, _) => None,
        (true, Some(identity)) => Some(&**identity),
        (true, None) => return Err(CallError::Refused(no_certificate())),
    };
    params.insert("mch_id".to_owned(), node.mch_id.clone());
    params.insert("nonce_str".to_owned(), crypto::nonce());
    params.insert("sign_type".to_owned(), sign_type(v2).to_owned());
    let sign = sign(&params, &v2.key, v2.hmac);
    params.insert("sign".to_owned(), sign);
    let body = xml::write("xml", params.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        .map_err(|_| ours("PARAM_ERROR", "a parameter holds a character that XML cannot"))?;
    let (url, _) = address(node, crate::wxpay::WECHAT_PAY.host, path);
    let headers = vec![("content-type", "text/xml; charset=utf-8".to_owned()), ("user-agent", USER_AGENT.to_owned())];
    let request = Request { method: Method::POST, url: &url, headers, body: body.into_bytes(), identity };
    let answer = clients.http.send(request).await.map_err(|e| not_sent(&e))?;
    if answer.status != 200 {
        return Err(CallError::unknown(format!("HTTP {}", answer.status)));
    }
    verified(node, v2, &answer.body)
}

/// Reads an answer. `return_code=FAIL` carries no sign: the request was refused for its form or its sign.
fn verified(node: &WxpayNode, v2: &V2, body: &[u8]) -> Result<Params, CallError> {
    let answer = xml::read(body).map_err(CallError::unknown)?.fields;
    let field = |name: &str| answer.get(name).map_or("", String::as_str);
    match field("return_code") {
        "SUCCESS" => {}
        "FAIL" => {
            let message = field("return_msg");
            let ill = ["SYSTEM", "系统", "超时", "繁忙"].iter().any(|word| message.contains(word));
            return Err(match field("err_code") {
                "" if ill => CallError::unknown("WeChat Pay is unwell"),
                "" => CallError::Refused(refusal("FAIL", message)),
                code => judge(code, message),
            });
        }
        _ => return Err(CallError::unknown("the answer has no return_code")),
    }
    if !is_signed(&answer, &v2.key, v2.hmac) {
        return Err(CallError::unknown("the answer's sign is wrong"));
    }
    if field("mch_id") != node.mch_id {
        return Err(CallError::unknown("the answer is for another merchant"));
    }
    if field("result_code") != "SUCCESS" {
        return Err(match field("err_code") {
            "" => CallError::unknown("the answer has no err_code"),
            code => judge(code, field("err_code_des")),
        });
    }
    Ok(answer)
}

/// Refused by us: refunds and reversals need the merchant's client certificate.
pub(super) fn no_certificate() -> crate::Refusal {
    refusal("CERT_ERROR", "version 2 needs appCertContent and appPrivateKeyContent, or pfx, for this")
}

/// A parameter that must be there.
fn required<'a>(answer: &'a Params, name: &str) -> Result<&'a str, CallError> {
    let text = answer.get(name).map(String::as_str).filter(|t| !t.is_empty());
    text.ok_or_else(|| CallError::unknown(format!("the answer has no {name}")))
}
