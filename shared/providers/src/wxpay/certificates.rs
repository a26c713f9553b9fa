//! The keys that verify WeChat Pay: the configured public key, and platform certificates fetched on use
//! (`docs/protocols/wechat.md#keys-and-certificates`).
//!
//! A frozen Lambda runs no background refresh, so a list is fetched when it is needed and older than
//! [`KEEP`]. One download at a time per merchant, at most one a minute ([`PAUSE`]) whatever serial
//! numbers strangers send, and none longer than [`BUDGET`], because a callback wants its answer within five
//! seconds. The first list is authenticated by AES-GCM under the APIv3 key; while certificates are held, a
//! further list must be signed with one of them, or with the configured public key. When a download fails,
//! what is held stays in use for as long as the certificates themselves are valid.

use super::signing::Signed;
use super::transport::{Ask, send};
use crate::CallError;
use crate::wxpay::{V3, WxpayNode};
use crypto::aes::open_gcm;
use crypto::cert::Certificate;
use crypto::rsa::PublicKey;
use domain::UnixMs;
use net::provider_http::{Answer, Http};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a list is used before it is fetched anew. WeChat Pay asks for less than 12 hours.
pub const KEEP: Duration = Duration::from_hours(11);
/// The least pause between two downloads of one merchant.
pub const PAUSE: Duration = Duration::from_mins(1);
/// The longest that a download may take.
const BUDGET: Duration = Duration::from_secs(3);
/// The most certificates that are read from one list.
const MOST: usize = 16;

/// Platform certificates, by merchant, for the process's lifetime.
#[derive(Default)]
pub struct Certificates {
    merchants: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Shelf>>>>,
}

/// Why there is no key of a serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoKey {
    /// WeChat Pay does not use that number with this merchant.
    Unknown,
    /// It could not be asked.
    Unavailable(String),
}

/// What is held of one merchant.
#[derive(Default)]
struct Shelf {
    known: HashMap<String, Known>,
    /// When the list was last fetched and verified.
    fetched: Option<UnixMs>,
    /// When a download was last begun.
    tried: Option<UnixMs>,
    /// Why that one failed, if it did.
    fault: Option<NoKey>,
}

struct Known {
    key: PublicKey,
    /// `notBefore` and `notAfter`, Unix seconds.
    validity: (i64, i64),
}

impl Certificates {
    /// The key that a serial number names, for one merchant. The number is looked up verbatim.
    pub(super) async fn key(
        &self,
        http: &Http,
        node: &WxpayNode,
        v3: &V3,
        serial: &str,
        now: UnixMs,
    ) -> Result<PublicKey, NoKey> {
        if let Some((_, key)) = v3.public_key.as_ref().filter(|(id, _)| id == serial) {
            return Ok(key.clone());
        }
        let plausible = serial.len() <= 40 && serial.bytes().all(|b| b.is_ascii_hexdigit());
        if !plausible {
            return Err(NoKey::Unknown);
        }
        let shelf = self.shelf(node);
        let mut shelf = shelf.lock().await;
        let stale = shelf.fetched.is_none_or(|at| now.abs_diff(at) >= KEEP);
        let rested = shelf.tried.is_none_or(|at| now.abs_diff(at) >= PAUSE);
        if (stale || !shelf.known.contains_key(serial)) && rested {
            shelf.refresh(http, node, v3, stale, now).await;
        }
        match shelf.known.get(serial) {
            Some(known) if (known.validity.0..=known.validity.1).contains(&now.secs()) => Ok(known.key.clone()),
            Some(_) => Err(NoKey::Unknown),
            None => Err(shelf.fault.clone().unwrap_or(NoKey::Unknown)),
        }
    }

    /// The key that fields of a request are encrypted to, with its serial number: the configured public key,
    /// else that of the valid platform certificate which became so last.
    pub(super) async fn sealing_key(
        &self,
        http: &Http,
        node: &WxpayNode,
        v3: &V3,
        now: UnixMs,
    ) -> Result<(String, PublicKey), NoKey> {
        if let Some((id, key)) = &v3.public_key {
            return Ok((id.clone(), key.clone()));
        }
        let shelf = self.shelf(node);
        let mut shelf = shelf.lock().await;
        let stale = shelf.fetched.is_none_or(|at| now.abs_diff(at) >= KEEP);
        let rested = shelf.tried.is_none_or(|at| now.abs_diff(at) >= PAUSE);
        if stale && rested {
            shelf.refresh(http, node, v3, stale, now).await;
        }
        let seconds = now.secs();
        let valid = shelf.known.iter().filter(|(_, known)| (known.validity.0..=known.validity.1).contains(&seconds));
        match valid.max_by_key(|(_, known)| known.validity.0) {
            Some((serial, known)) => Ok((serial.clone(), known.key.clone())),
            None => Err(shelf.fault.clone().unwrap_or(NoKey::Unknown)),
        }
    }

    fn shelf(&self, node: &WxpayNode) -> Arc<tokio::sync::Mutex<Shelf>> {
        let id = format!("{} {}", node.mch_id, node.api_base.as_deref().unwrap_or_default());
        self.merchants.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default().clone()
    }
}

impl Shelf {
    /// Fetches the list anew. When that fails, what is held stays.
    async fn refresh(&mut self, http: &Http, node: &WxpayNode, v3: &V3, stale: bool, now: UnixMs) {
        self.tried = Some(now);
        let download = tokio::time::timeout(BUDGET, download(http, node, v3, self, stale, now)).await;
        match download.unwrap_or_else(|_| Err(NoKey::Unavailable("the certificates took too long".to_owned()))) {
            Ok(known) => {
                self.known = known;
                self.fetched = Some(now);
                self.fault = None;
            }
            Err(fault) => self.fault = Some(fault),
        }
    }
}

/// Fetches the list and answers its certificates, once it is known to be WeChat Pay's.
async fn download(
    http: &Http,
    node: &WxpayNode,
    v3: &V3,
    shelf: &Shelf,
    stale: bool,
    now: UnixMs,
) -> Result<HashMap<String, Known>, NoKey> {
    let unavailable = |what: &str| NoKey::Unavailable(what.to_owned());
    let answer = match send(http, node, v3, Ask::get(v3.scheme.certificates), now).await {
        Ok(answer) => answer,
        Err(CallError::Unknown(what)) => return Err(NoKey::Unavailable(what)),
        Err(CallError::Refused(refusal)) => return Err(NoKey::Unavailable(refusal.message)),
    };
    match answer.status {
        200 => {}
        // A merchant that has only the public key has no certificates to give.
        404 => return Err(NoKey::Unknown),
        _ if code_of(&answer) == "RESOURCE_NOT_EXISTS" => return Err(NoKey::Unknown),
        status => return Err(NoKey::Unavailable(format!("the certificates answered HTTP {status}"))),
    }
    let list = read_list(&answer.body, v3).ok_or_else(|| unavailable("the certificates do not open"))?;
    let signed =
        Signed::read(&answer.headers, v3.scheme).map_err(|_| unavailable("the certificates are not signed"))?;
    let configured = v3.public_key.as_ref().filter(|(id, _)| id == signed.serial).map(|(_, key)| key);
    let held = shelf.known.get(signed.serial).map(|known| &known.key);
    let fresh = list.get(signed.serial).map(|known| &known.key).filter(|_| stale);
    let verified = configured.or(held).or(fresh).is_some_and(|key| signed.verified_by(key, &answer.body));
    if !verified || !signed.is_fresh(now) {
        return Err(unavailable("the certificates are not rightly signed"));
    }
    Ok(list)
}

fn code_of(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body["code"].as_str().unwrap_or_default().to_owned()
}

/// Opens every certificate of a list; one that does not open spoils it all.
fn read_list(body: &[u8], v3: &V3) -> Option<HashMap<String, Known>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let entries = body.get("data")?.as_array().filter(|list| !list.is_empty() && list.len() <= MOST)?;
    entries.iter().map(|entry| read_entry(entry, v3)).collect()
}

/// The keys of a list by their serial numbers, where it opens under the node's APIv3 key.
pub(super) fn opens(body: &[u8], v3: &V3) -> Option<HashMap<String, PublicKey>> {
    Some(read_list(body, v3)?.into_iter().map(|(serial, known)| (serial, known.key)).collect())
}

fn read_entry(entry: &Value, v3: &V3) -> Option<(String, Known)> {
    let sealed = entry.get("encrypt_certificate")?;
    if sealed["algorithm"].as_str() != Some("AEAD_AES_256_GCM") {
        return None;
    }
    let pem = open_gcm(
        v3.key.expose().as_bytes(),
        sealed["nonce"].as_str()?.as_bytes(),
        sealed["associated_data"].as_str().unwrap_or_default().as_bytes(),
        sealed["ciphertext"].as_str()?,
    )
    .ok()?;
    let certificate = Certificate::parse(std::str::from_utf8(&pem).ok()?).ok()?;
    let serial = entry.get("serial_no")?.as_str()?;
    let same = serial.trim_start_matches('0').eq_ignore_ascii_case(&certificate.serial_hex());
    let key = PublicKey::from_der(&certificate.spki().ok()?).ok()?;
    same.then(|| (serial.to_owned(), Known { key, validity: certificate.validity() }))
}
