//! Reading the gateway's answer: the signature covers the raw characters of one JSON value
//! (`docs/protocols/alipay.md#verifying-an-answer`).
//!
//! The value is cut out of the body as it arrived, `{` to matching `}`, or a text with its quotes when the
//! content is encrypted; it is verified, then decrypted, then parsed. Nothing is ever serialised again.
//! A success counts only when it is signed; a failure may come without a signature (a wrong `app_id`
//! leaves the gateway no key to choose) and is then no more than a failure.

use crate::alipay::AlipayNode;
use crate::common::members::Members;
use crypto::aes;
use crypto::rsa::PublicKey;
use serde_json::{Map, Value};
use thiserror::Error;

/// The exchange of a login code.
pub(super) const LOGIN: &str = "alipay.system.oauth.token";

/// What an answer is checked with.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// Alipay's public key.
    pub alipay_key: &'a PublicKey,
    /// Certificate mode: the serial number of Alipay's certificate, which a success must name.
    pub alipay_cert_sn: Option<&'a str>,
    /// The key of content encryption.
    pub encrypt_key: Option<&'a [u8; 16]>,
}

impl<'a> Keys<'a> {
    /// The keys of a node.
    pub fn of(node: &'a AlipayNode) -> Self {
        Self {
            alipay_key: &node.alipay_key,
            alipay_cert_sn: node.certificates.as_ref().map(|c| c.alipay_cert_sn.as_str()),
            encrypt_key: node.encrypt_key.as_ref().map(|k| k.expose()),
        }
    }
}

/// An answer that could be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Code 10000, signed.
    Success(Map<String, Value>),
    /// Code 10003, signed: the payer is at it (`alipay.trade.pay`).
    Pending(Map<String, Value>),
    /// Any other code, signed or not.
    Failure(Failure),
}

/// A failure in the gateway's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `code`: 20000, 40004 …
    pub code: String,
    /// `sub_code`, empty when there is none: `ACQ.TRADE_NOT_EXIST` …
    pub sub_code: String,
    /// `sub_msg`, else `msg`.
    pub message: String,
}

/// Why an answer says nothing: the outcome of the call is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AnswerError {
    /// Not a JSON object in UTF-8, or a member is not of its type.
    #[error("the answer is not the JSON of this protocol")]
    Shape,
    /// A member that is acted on occurs twice, or an error stands beside a success.
    #[error("the answer can be read in two ways")]
    Ambiguous,
    /// Neither the method's node nor `error_response`.
    #[error("the answer is not one to this method")]
    OtherMethod,
    /// A success, or an encrypted content, without a signature.
    #[error("the answer is not signed")]
    Unsigned,
    /// A signature that does not verify.
    #[error("the answer's signature does not verify")]
    Forged,
    /// Certificate mode: a success that does not name the configured certificate. Alipay's certificates
    /// rotate; then the merchant must fetch the new one.
    #[error("the answer does not name the configured Alipay certificate (alipay_cert_sn)")]
    Certificate,
    /// The content does not decrypt, or no key is configured.
    #[error("the answer's content cannot be decrypted")]
    Encrypted,
}

/// Reads the answer to a method: cut out, verify, decrypt, parse.
///
/// # Errors
/// See [`AnswerError`]; each means that the outcome is unknown.
pub fn read(body: &[u8], method: &str, keys: Keys<'_>) -> Result<Answer, AnswerError> {
    let text = std::str::from_utf8(body).map_err(|_| AnswerError::Shape)?;
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| AnswerError::Shape)?;
    let of_method = only(&members, &format!("{}_response", method.replace('.', "_")))?;
    let (raw, is_error) = match (of_method, only(&members, "error_response")?) {
        (Some(raw), None) => (raw, false),
        (None, Some(raw)) => (raw, true),
        (Some(_), Some(_)) => return Err(AnswerError::Ambiguous),
        (None, None) => return Err(AnswerError::OtherMethod),
    };
    let signed = match text_member(&members, "sign")? {
        None => false,
        Some(sign) if keys.alipay_key.verify(raw.as_bytes(), &sign) => true,
        Some(_) => return Err(AnswerError::Forged),
    };
    let node = if raw.starts_with('"') { &decrypted(raw, signed, keys)? } else { raw };
    let node: Map<String, Value> = serde_json::from_str(node).map_err(|_| AnswerError::Shape)?;
    let code = match word(&node, "code") {
        Some(code) => code,
        // The one call whose success has no code.
        None if method == LOGIN && !is_error => "10000",
        None => return Err(AnswerError::Shape),
    };
    if code != "10000" && code != "10003" {
        let code = code.to_owned();
        let sub_code = word(&node, "sub_code").unwrap_or_default().to_owned();
        let message = word(&node, "sub_msg").or_else(|| word(&node, "msg")).unwrap_or_default().to_owned();
        return Ok(Answer::Failure(Failure { code, sub_code, message }));
    }
    if is_error {
        return Err(AnswerError::Ambiguous);
    }
    if !signed {
        return Err(AnswerError::Unsigned);
    }
    if keys.alipay_cert_sn.is_some() && keys.alipay_cert_sn != text_member(&members, "alipay_cert_sn")?.as_deref() {
        return Err(AnswerError::Certificate);
    }
    Ok(if code == "10000" { Answer::Success(node) } else { Answer::Pending(node) })
}

fn decrypted(raw: &str, signed: bool, keys: Keys<'_>) -> Result<String, AnswerError> {
    if !signed {
        return Err(AnswerError::Unsigned);
    }
    let sealed: String = serde_json::from_str(raw).map_err(|_| AnswerError::Shape)?;
    let key = keys.encrypt_key.ok_or(AnswerError::Encrypted)?;
    let plain = aes::cbc128_decrypt(key, &sealed).map_err(|_| AnswerError::Encrypted)?;
    String::from_utf8(plain).map_err(|_| AnswerError::Encrypted)
}

/// A text of a node; a blank one counts as absent.
pub(super) fn word<'a>(node: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    node.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// The raw value of a member that must not occur twice.
fn only<'a>(members: &Members<'a>, name: &str) -> Result<Option<&'a str>, AnswerError> {
    let mut found = members.0.iter().filter(|(n, _)| n == name).map(|(_, raw)| *raw);
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(AnswerError::Ambiguous),
    }
}

/// A member that is a text; an empty one counts as absent.
fn text_member(members: &Members<'_>, name: &str) -> Result<Option<String>, AnswerError> {
    let Some(raw) = only(members, name)? else { return Ok(None) };
    let text: Option<String> = serde_json::from_str(raw).map_err(|_| AnswerError::Shape)?;
    Ok(text.filter(|text| !text.is_empty()))
}
