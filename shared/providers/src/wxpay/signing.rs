//! What WeChat Pay's APIv3 signs, byte by byte (`docs/protocols/wechat.md#signing-a-request`).
//!
//! Every line ends with one LF, the last one too. Signatures are RSASSA-PKCS1-v1_5 with SHA-256 in standard
//! base64. What is composed here must be the very bytes that travel.

use crate::wxpay::{Scheme, WECHAT_PAY};
use crypto::rsa::PublicKey;
use domain::UnixMs;
use http::HeaderMap;
use std::time::Duration;

/// Signatures that begin so are WeChat Pay's probes: deliberately wrong, and to be refused.
pub const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// The width of the freshness window: younger than this, and not further in the future.
pub const WINDOW: Duration = Duration::from_mins(5);

/// The five lines of a request: method, path with query, Unix seconds, nonce, body.
pub fn request_message(method: &str, target: &str, timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut message = format!("{method}\n{target}\n{timestamp}\n{nonce}\n").into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    message
}

/// The three lines of an answer or a callback: timestamp and nonce as the headers have them, raw body.
pub fn answer_message(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut message = format!("{timestamp}\n{nonce}\n").into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    message
}

/// The four lines that a client hands to WeChat: `line4` is `prepay_id=<id>` for JSAPI and mini programs,
/// the bare `<id>` for apps.
pub fn invoke_message(app_id: &str, timestamp: i64, nonce: &str, line4: &str) -> Vec<u8> {
    format!("{app_id}\n{timestamp}\n{nonce}\n{line4}\n").into_bytes()
}

/// The value of `Authorization`. `serial_no` is the merchant certificate's, upper-case hex.
pub fn authorization(mch_id: &str, serial_no: &str, timestamp: i64, nonce: &str, signature: &str) -> String {
    authorization_of(&WECHAT_PAY, mch_id, serial_no, timestamp, nonce, signature)
}

/// The same in a look-alike's scheme.
pub fn authorization_of(
    scheme: &Scheme,
    mch_id: &str,
    serial_no: &str,
    timestamp: i64,
    nonce: &str,
    signature: &str,
) -> String {
    let scheme = scheme.name;
    format!(
        "{scheme} mchid=\"{mch_id}\",nonce_str=\"{nonce}\",signature=\"{signature}\",\
         timestamp=\"{timestamp}\",serial_no=\"{serial_no}\""
    )
}

/// The signature headers of an answer or a callback.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a> {
    /// Names the key, to be looked up verbatim.
    pub serial: &'a str,
    timestamp: &'a str,
    nonce: &'a str,
    signature: &'a str,
    /// The timestamp, read.
    at: UnixMs,
}

/// Why the headers are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// A probe: [`PROBE`].
    Probe,
    /// Missing, empty, doubled, or another algorithm.
    Bad(&'static str),
}

impl<'a> Signed<'a> {
    /// Reads the headers; each must stand exactly once.
    pub(super) fn read(headers: &'a HeaderMap, scheme: &Scheme) -> Result<Self, HeaderFault> {
        let [signature, timestamp, nonce, serial, kind] = scheme.headers;
        let signature = header(headers, signature).ok_or(HeaderFault::Bad("no signature header"))?;
        if signature.starts_with(PROBE) {
            return Err(HeaderFault::Probe);
        }
        let timestamp = header(headers, timestamp).ok_or(HeaderFault::Bad("no timestamp header"))?;
        let nonce = header(headers, nonce).ok_or(HeaderFault::Bad("no nonce header"))?;
        let serial = header(headers, serial).ok_or(HeaderFault::Bad("no serial header"))?;
        let mut types = headers.get_all(kind).iter();
        if types.any(|t| t.as_bytes() != scheme.name.as_bytes()) {
            return Err(HeaderFault::Bad("another signature type"));
        }
        let digits = timestamp.len() <= 12 && timestamp.bytes().all(|b| b.is_ascii_digit());
        let at = timestamp
            .parse()
            .ok()
            .filter(|_| digits)
            .and_then(UnixMs::from_secs)
            .ok_or(HeaderFault::Bad("bad timestamp header"))?;
        Ok(Self { serial, timestamp, nonce, signature, at })
    }

    /// Whether this key signed that body under these headers.
    pub(super) fn verified_by(&self, key: &PublicKey, body: &[u8]) -> bool {
        key.verify(&answer_message(self.timestamp, self.nonce, body), self.signature)
    }

    /// Whether the signed time lies within [`WINDOW`] of `now`.
    pub(super) fn is_fresh(&self, now: UnixMs) -> bool {
        now.abs_diff(self.at) < WINDOW
    }
}

/// A header that stands exactly once and is not empty.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok().filter(|v| !v.is_empty())?;
    values.next().is_none().then_some(value)
}
