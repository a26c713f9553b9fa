//! What is signed: requests, the app's order string, page URLs, and callbacks (`docs/protocols/alipay.md`).
//!
//! One rule for all: `name=value` of the parameters that are not empty, sorted by name, joined with `&`,
//! values raw. A request signs `sign_type` too, a callback does not. Percent-encoding comes after.

use crypto::CryptoError;
use crypto::rsa::{PrivateKey, PublicKey};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The text of a request that is signed: all parameters but `sign` (opendocs "签名").
pub fn request_text(params: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
    joined(params, |name, value| name != "sign" && !value.is_empty())
}

/// The text of a callback, or of the parameters of `return_url`, that is signed: neither `sign` nor
/// `sign_type`. Fields that nobody knows stay.
pub fn notify_text(params: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
    joined(params, |name, value| is_signed(name) && !value.is_empty())
}

/// Verifies a callback's decoded parameters with Alipay's key, always RSA2.
///
/// The documented text is tried first. The SDKs differ on two cases that no public sample shows: empty
/// fields (Java's keeps them) and `alipay_cert_sn` (smartwalle's drops it), so these are tried where
/// they occur. Callers take empty fields for absent, so no reading gives an empty field a meaning.
pub fn verify_notify(params: &[(impl AsRef<str>, impl AsRef<str>)], key: &PublicKey) -> bool {
    let Some(sign) = params.iter().find(|(name, _)| name.as_ref() == "sign").map(|(_, sign)| sign.as_ref()) else {
        return false;
    };
    let verifies = |text: String| !sign.is_empty() && key.verify(text.as_bytes(), sign);
    let has_empty = params.iter().any(|(_, value)| value.as_ref().is_empty());
    let has_serial = params.iter().any(|(name, _)| name.as_ref() == "alipay_cert_sn");
    verifies(notify_text(params))
        || has_empty && verifies(joined(params, |name, _| is_signed(name)))
        || has_serial
            && verifies(joined(params, |name, value| is_signed(name) && name != "alipay_cert_sn" && !value.is_empty()))
}

/// Signs a request: adds `sign`, standard base64 of RSASSA-PKCS1-v1_5 with SHA-256.
///
/// # Errors
/// When the private key cannot sign.
pub fn sign<K: AsRef<str> + From<&'static str>>(
    params: &mut Vec<(K, String)>,
    key: &PrivateKey,
) -> Result<(), CryptoError> {
    let sign = key.sign(request_text(params).as_bytes())?;
    params.push((K::from("sign"), sign));
    Ok(())
}

/// Parameters as a form body, a query string, or the order string that the app's SDK takes: every value
/// percent-encoded, in the order given.
pub fn encoded(params: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
    let mut text = String::new();
    for (name, value) in params.iter().filter(|(_, value)| !value.as_ref().is_empty()) {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend([name.as_ref(), "="]);
        text.extend(utf8_percent_encode(value.as_ref(), ESCAPED));
    }
    text
}

/// One value, percent-encoded.
pub(super) fn escaped(value: &str) -> String {
    utf8_percent_encode(value, ESCAPED).to_string()
}

/// The URL that a browser opens for page and wap pay: the gateway with all signed parameters.
pub fn page_url(gateway: &str, params: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
    format!("{gateway}?{}", encoded(params))
}

/// True when a value holds what reads as a further field (`…&name=`).
///
/// The signed text does not tell a separator from the same character in a value. Who can choose a value,
/// say a subject `x&total_amount=9.00&total_b=`, could have a genuine signature cover other fields, with the
/// real ones hidden in a value. So nothing that Alipay echoes may hold such a piece when it is sent.
pub fn hides_a_field(value: &str) -> bool {
    value.split('&').skip(1).any(|piece| piece.split_once('=').is_some_and(|(name, _)| is_name(name)))
}

/// True for what can be a parameter's name.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_signed(name: &str) -> bool {
    name != "sign" && name != "sign_type"
}

fn joined(params: &[(impl AsRef<str>, impl AsRef<str>)], keep: impl Fn(&str, &str) -> bool) -> String {
    let mut kept: Vec<(&str, &str)> =
        params.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).filter(|(n, v)| !n.is_empty() && keep(n, v)).collect();
    kept.sort_unstable();
    kept.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}
