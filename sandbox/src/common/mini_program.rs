//! What WeChat has of a mini program, whoever is paid in it: access tokens, and message push (wechat.md 6).

use crate::crypto::{DIGITS, b64, hmac_hex, random, random_text, sha1_hex};
use crate::provider::Wire;
use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use serde_json::{Value, json};

impl Wire {
    /// Message push about what is shipped.
    pub(crate) const PUSH: Self = Self::named("push");
}

/// The protocol of a push, also to who is no provider of shipping.
pub(crate) const PUSHED: Wire = Wire::PUSH;

/// The access token of an application; all of them end, and there are others, when `generation` grows.
pub(crate) fn access_token(app_id: &str, secret: &str, generation: u64) -> String {
    let text = format!("token {app_id} {generation}");
    format!("token-{}", &hmac_hex(secret.as_bytes(), text.as_bytes())[..40])
}

/// What the console of a mini program says of its message push.
pub(crate) struct PushKeys<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) token: &'a str,
    /// The key of safe mode; without it the push is in plain mode.
    pub(crate) key: Option<&'a str>,
}

/// A message as it is pushed at a time, Unix ms: the query, signed, and the body.
pub(crate) fn push(keys: &PushKeys<'_>, message: &Value, now: i64) -> (String, String) {
    let (timestamp, nonce) = ((now / 1000).to_string(), random_text(9, DIGITS));
    let signature = sorted_sha1(&[keys.token, &timestamp, &nonce]);
    let mut query = vec![("signature", signature), ("timestamp", timestamp.clone()), ("nonce", nonce.clone())];
    let body = match keys.key {
        None => message.to_string(),
        Some(key) => {
            let sealed = seal(key, &message.to_string(), keys.app_id);
            query.push(("encrypt_type", "aes".to_owned()));
            query.push(("msg_signature", sorted_sha1(&[keys.token, &timestamp, &nonce, &sealed])));
            json!({ "ToUserName": "gh_0000", "Encrypt": sealed }).to_string()
        }
    };
    (form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish(), body)
}

/// How a push is spoilt.
#[derive(Clone, Copy)]
pub(crate) enum Spoilt {
    /// A signature that fits nothing.
    Signature,
    /// None at all.
    Unsigned,
    /// An empty one.
    Empty,
    /// The plain signature beside it stays right, and proves nothing.
    Downgraded,
    /// Another message inside.
    Altered,
}

/// Spoils a push: its query and its body.
pub(crate) fn spoil_push(query: &str, body: &str, how: Spoilt) -> (String, String) {
    let mut query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut body = body.to_owned();
    let safe = query.iter().any(|(name, _)| name == "msg_signature");
    let name = if safe { "msg_signature" } else { "signature" };
    let mut sign = |signature: &str| {
        query.iter_mut().filter(|(own, _)| own == name).for_each(|(_, value)| signature.clone_into(value));
    };
    match how {
        Spoilt::Signature => sign(&sha1_hex(&random::<8>())),
        Spoilt::Empty => sign(""),
        Spoilt::Unsigned => query.retain(|(own, _)| own != name),
        Spoilt::Downgraded => query.retain(|(own, _)| own != "msg_signature" && own != "encrypt_type"),
        Spoilt::Altered if safe => {
            let mut outer: Value = serde_json::from_str(&body).unwrap_or_default();
            outer["Encrypt"] = json!(b64(&random::<64>()));
            body = outer.to_string();
        }
        Spoilt::Altered => sign(&sha1_hex(&random::<8>())),
    }
    (form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish(), body)
}

/// AES-256-CBC with 32-byte padding: random, length, message, receiver.
fn seal(encoding_key: &str, text: &str, app_id: &str) -> String {
    let key = decode_key(encoding_key);
    let mut plain = random::<16>().to_vec();
    plain.extend(u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
    plain.extend(text.as_bytes());
    plain.extend(app_id.as_bytes());
    let pad = 32 - plain.len() % 32;
    plain.extend(std::iter::repeat_n(u8::try_from(pad).unwrap_or(32), pad));
    let iv: [u8; 16] = key[..16].try_into().expect("16 bytes");
    let cipher = UnboundCipherKey::new(&AES_256, &key).expect("32 bytes");
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    EncryptingKey::cbc(cipher).and_then(|key| key.less_safe_encrypt(&mut plain, context)).expect("whole blocks");
    b64(&plain)
}

fn decode_key(text: &str) -> Vec<u8> {
    let mut bits = 0u32;
    let mut held = 0;
    let mut out = Vec::new();
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    out
}

fn sorted_sha1(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    sha1_hex(parts.concat().as_bytes())
}
