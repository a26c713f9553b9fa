//! A store like Apple's: purchases on a device, `verifyReceipt`, the App Store Server API, notifications V2, all under
//! a certificate authority of its own (apple.md).

mod history;

use crate::common::jws::{Authority, Token, ec_pair};
use crate::crypto::{DIGITS, b64, random, random_text, unb64};
use crate::desk::{self, Sdk};
use crate::faults::{Misbehaviour, Op};
use crate::forgery::Forgery;
use crate::ids;
use crate::ledger::{NewTrade, RefundOutcome, RefundWish, Trade};
use crate::merchant::{Merchant, ProviderKeys, Seed};
use crate::outbox::{Notice, SignedRequest};
use crate::profile::Profile;
use crate::provider::{Mode, Provider, Wire};
use crate::sandbox::Sandbox;
use crate::wire::{Answer, Call, Inbound};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

impl Wire {
    /// The only one.
    const APPLE: Self = Self::named("apple");
}

/// Notifications V2 are sent again five times.
const PROFILE: Profile = Profile { retry_ladder: &[3_600, 43_200, 86_400, 172_800, 259_200], ..Profile::USUAL };

/// Markers of Apple's leaf and intermediate certificates.
const MARKS: ([u64; 7], [u64; 7]) = ([1, 2, 840, 113635, 100, 6, 11], [1, 2, 840, 113635, 100, 6, 2]);

/// What both sides know of an app here.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Keys {
    /// The bundle id.
    pub id: String,
    pub app_apple_id: u64,
    pub password: String,
    pub issuer_id: String,
    pub key_id: String,
    pub private_key: String,
    pub public_point: String,
    pub authority: Authority,
}

impl ProviderKeys for Keys {
    type Opened = Self;

    fn generate(_seed: &Seed<'_>) -> Self {
        let (private_key, public_point) = ec_pair();
        let leaf: Vec<u64> = MARKS.0.iter().copied().chain([1]).collect();
        let middle: Vec<u64> = MARKS.1.iter().copied().chain([1]).collect();
        Self {
            id: format!("com.example.app{}", random_text(6, DIGITS)),
            app_apple_id: u64::from(u32::from_be_bytes(random())) + 1,
            password: hex::encode(random::<16>()),
            issuer_id: ids::uuid(),
            key_id: hex::encode_upper(random::<5>()),
            private_key,
            public_point,
            authority: Authority::generate("Apple Root CA - G3 of the sandbox", &leaf, Some(&middle)),
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn open(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn config(&self, base: &str, _mode: Mode) -> Value {
        json!({ "app-plus": {
            "bundleId": self.id,
            "appAppleId": self.app_apple_id,
            "password": self.password,
            "issuerId": self.issuer_id,
            "keyId": self.key_id,
            "privateKeyContent": self.private_key,
            "rootCertContent": self.authority.root,
            "receiptExpiresIn": 86400,
            "apiBase": base,
        } })
    }
}

/// Any 2xx up to 206 is an acknowledgement.
const fn acknowledges(status: u16) -> bool {
    matches!(status, 200..=206)
}

/// The desk.
pub(crate) struct Desk;

impl desk::Desk for Desk {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn call(&self, inbound: &Inbound) -> Option<Call> {
        let path = &inbound.path;
        let known = path.ends_with("/verifyReceipt")
            || path.starts_with("/storekit/")
            || path.starts_with("/storekit-sandbox/");
        let number = path.rsplit('/').next().unwrap_or_default().to_owned();
        known.then(|| Call { provider: Provider::Appleiap, op: Op::Query, numbers: vec![number] })
    }

    fn handle(&self, sandbox: &Sandbox, inbound: &Inbound, _fault: Option<Misbehaviour>) -> Answer {
        if inbound.path.ends_with("/verifyReceipt") {
            return answer(200, &verify_receipt(sandbox, inbound));
        }
        let token = inbound.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let state = sandbox.state();
        let Some(merchant) = state.merchants.iter().find(|m| authorized(m.keys(), token, sandbox.now())).cloned()
        else {
            return Answer::new(401, "text/plain", "Unauthenticated\n", "401");
        };
        if inbound.path.starts_with("/storekit-sandbox/") {
            return answer(404, &json!({ "errorCode": 4_040_010, "errorMessage": "Transaction id not found." }));
        }
        if inbound.path == "/storekit/inApps/v1/notifications/history" && inbound.method == "POST" {
            return history::page(&state, &merchant, inbound, sandbox.now());
        }
        let id = inbound.path.rsplit('/').next().unwrap_or_default();
        let found = state.find_transaction(&merchant.keys::<Keys>().id, id).map(|at| state.trades[at].clone());
        drop(state);
        match found {
            Some(trade) if inbound.path == format!("/storekit/inApps/v1/transactions/{id}") => {
                answer(200, &json!({ "signedTransactionInfo": signed(merchant.keys(), &trade, sandbox.now()) }))
            }
            _ => answer(404, &json!({ "errorCode": 4_040_010, "errorMessage": "Transaction id not found." })),
        }
    }

    fn refuse(&self, _sandbox: &Sandbox, inbound: &Inbound, what: Misbehaviour) -> Answer {
        if inbound.path.ends_with("/verifyReceipt") {
            return answer(200, &json!({ "status": 21009, "is-retryable": true }));
        }
        let (status, code) = if what == Misbehaviour::TooMany { (429, 4_290_000) } else { (500, 5_000_000) };
        answer(status, &json!({ "errorCode": code, "errorMessage": "try again" }))
    }

    fn notify(&self, notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest {
        let body = json!({ "signedPayload": payload(notice, merchant.keys(), now) }).to_string();
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        SignedRequest { method: "POST".to_owned(), url: notice.url.to_owned(), headers, body }
    }

    fn accepted(&self, _wire: Wire, status: u16, _body: &str) -> bool {
        acknowledges(status)
    }

    fn wrote(&self, callback: &SignedRequest) -> bool {
        callback.body.starts_with(r#"{"signedPayload""#)
    }

    fn forge(&self, _sandbox: &Sandbox, request: &mut SignedRequest, how: Forgery) {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let signed = body["signedPayload"].as_str().unwrap_or_default();
        let parts: Vec<&str> = signed.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else { return };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        let forged = match how {
            Forgery::BadSignature | Forgery::SignTest => {
                format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(random::<64>()))
            }
            Forgery::NoSignature => format!("{header}.{payload}"),
            Forgery::EmptySignature => format!("{header}.{payload}."),
            Forgery::AlteredAmount => {
                let mut claims: Value = serde_json::from_slice(&decode(payload)).unwrap_or_default();
                claims["notificationType"] = json!("SUBSCRIBED");
                format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()))
            }
            Forgery::OtherKey | Forgery::UnknownSerial => {
                let leaf: Vec<u64> = MARKS.0.iter().copied().chain([1]).collect();
                let middle: Vec<u64> = MARKS.1.iter().copied().chain([1]).collect();
                let stranger = Authority::generate("a stranger's root", &leaf, Some(&middle));
                stranger.sign(&serde_json::from_slice(&decode(payload)).unwrap_or_default())
            }
            Forgery::Downgrade => {
                let mut head: Value = serde_json::from_slice(&decode(header)).unwrap_or_default();
                head["alg"] = json!("none");
                format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(head.to_string()))
            }
            Forgery::OldTimestamp => unreachable!("nobody is told to look at the time of a notification"),
        };
        request.body = json!({ "signedPayload": forged }).to_string();
    }

    fn sdk(&self) -> Option<&dyn Sdk> {
        Some(self)
    }
}

impl Sdk for Desk {
    /// StoreKit: the purchase sheet for an app. `merchant` names the app's owner, as the device knows it.
    fn open(&self, sandbox: &Sandbox, order_info: &Value, merchant: Option<&str>) -> Result<String, String> {
        let token = order_info["appAccountToken"].as_str().ok_or("no appAccountToken")?.to_owned();
        let product = order_info["productid"].as_str().filter(|id| !id.is_empty()).ok_or("no productid")?;
        let now = sandbox.now();
        let mut state = sandbox.state();
        let merchant = state.merchant_named(merchant).ok_or("no such app")?;
        let keys = merchant.keys::<Keys>();
        if state.find(Provider::Appleiap, &keys.id, &token).is_none() {
            let url = state.console_url(&merchant, Provider::Appleiap);
            let mut trade = Trade::begin(NewTrade {
                provider: Provider::Appleiap,
                wire: Wire::APPLE,
                merchant: &keys.id,
                number: &token,
                total: 100_000,
                notify_url: url,
                now,
            });
            trade.product = product.to_owned();
            trade.request = order_info.clone();
            if !trade.request["quantity"].is_u64() {
                trade.request["quantity"] = json!(1);
            }
            trade.transaction_id = Some(format!("2000{}", random_text(12, DIGITS)));
            state.add(trade);
        }
        Ok(token)
    }

    /// What `uni.requestPayment` and StoreKit 2 hand back.
    fn result(&self, sandbox: &Sandbox, trade: &Trade) -> Value {
        let Some(merchant) = sandbox.state().merchant(Provider::Appleiap, &trade.merchant) else { return Value::Null };
        let receipt = json!({ "bundle": trade.merchant, "transactions": [trade.transaction_id] }).to_string();
        json!({
            "transactionIdentifier": trade.transaction_id,
            "transactionReceipt": b64(receipt.as_bytes()),
            "transactionState": "1",
            "transactionDate": ids::spaced(trade.paid.unwrap_or_default()),
            "payment": { "productid": trade.product, "quantity": trade.request["quantity"].to_string(), "username": trade.number },
            "signedTransaction": signed(merchant.keys(), trade, sandbox.now()),
        })
    }
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json", body.to_string(), if status == 200 { "SUCCESS" } else { "refused" })
}

fn authorized(keys: &Keys, token: &str, now: i64) -> bool {
    Token::read(token).is_some_and(|token| {
        token.header["kid"] == json!(keys.key_id)
            && token.claims["iss"] == json!(keys.issuer_id)
            && token.claims["bid"] == json!(keys.id)
            && token.claims["aud"] == "appstoreconnect-v1"
            && token.is_fresh(now)
            && token.is_signed_by(&keys.public_point)
    })
}

fn verify_receipt(sandbox: &Sandbox, inbound: &Inbound) -> Value {
    let body: Value = serde_json::from_slice(&inbound.body).unwrap_or_default();
    let receipt = body["receipt-data"].as_str().and_then(unb64).unwrap_or_default();
    let Ok(receipt) = serde_json::from_slice::<Value>(&receipt) else {
        return json!({ "status": 21002 });
    };
    let bundle = receipt["bundle"].as_str().unwrap_or_default();
    let state = sandbox.state();
    let Some(merchant) = state.merchant(Provider::Appleiap, bundle) else {
        return json!({ "status": 21003 });
    };
    if body["password"] != json!(merchant.keys::<Keys>().password) {
        return json!({ "status": 21004 });
    }
    if inbound.path.starts_with("/sandbox/") {
        return json!({ "status": 21008 });
    }
    let items: Vec<Value> = receipt["transactions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|id| state.find_transaction(bundle, id.as_str()?))
        .map(|at| item(&state.trades[at]))
        .collect();
    json!({
        "status": 0, "environment": "Production",
        "receipt": { "receipt_type": "Production", "bundle_id": bundle, "application_version": "1", "in_app": items },
    })
}

/// Whose purchase it is: the device says when another member of the family made it.
fn ownership(trade: &Trade) -> &str {
    trade.request["inAppOwnershipType"].as_str().unwrap_or("PURCHASED")
}

fn item(trade: &Trade) -> Value {
    let at = trade.paid.unwrap_or_default();
    let mut item = json!({
        "quantity": trade.request["quantity"].to_string(), "product_id": trade.request["productid"],
        "transaction_id": trade.transaction_id, "original_transaction_id": trade.transaction_id,
        "purchase_date_ms": at.to_string(), "original_purchase_date_ms": at.to_string(), "is_trial_period": "false",
        "app_account_token": trade.number, "in_app_ownership_type": ownership(trade),
    });
    if let Some(refund) = trade.refunds.first() {
        item["cancellation_date_ms"] = json!(refund.created.to_string());
        item["cancellation_date"] = json!("refunded");
    }
    item
}

/// A transaction as the store signs it.
fn signed(keys: &Keys, trade: &Trade, now: i64) -> String {
    let mut claims = json!({
        "transactionId": trade.transaction_id, "originalTransactionId": trade.transaction_id, "bundleId": keys.id,
        "productId": trade.request["productid"], "purchaseDate": trade.paid, "originalPurchaseDate": trade.paid,
        "quantity": trade.request["quantity"], "type": "Consumable", "appAccountToken": trade.number,
        "inAppOwnershipType": ownership(trade), "signedDate": now, "environment": "Production",
        "transactionReason": "PURCHASE", "storefront": "CHN", "storefrontId": "143465", "price": 1000, "currency": "CNY",
    });
    if let Some(refund) = trade.refunds.first() {
        claims["revocationDate"] = json!(refund.created);
        claims["revocationReason"] = json!(0);
        if refund.reason.as_deref() == Some("prorated") {
            claims["revocationType"] = json!("REFUND_PRORATED");
            claims["revocationPercentage"] = json!(refund.amount);
        }
    }
    keys.authority.sign(&claims)
}

/// `notificationType`.
fn kind(notice: &Notice<'_>) -> &'static str {
    if notice.refund.is_some() { "REFUND" } else { "ONE_TIME_CHARGE" }
}

/// `signedPayload`.
fn payload(notice: &Notice<'_>, keys: &Keys, now: i64) -> String {
    let payload = json!({
        "notificationType": kind(notice), "notificationUUID": notice.event_id, "version": "2.0", "signedDate": now,
        "data": {
            "appAppleId": keys.app_apple_id, "bundleId": keys.id, "bundleVersion": "1", "environment": "Production",
            "signedTransactionInfo": signed(keys, notice.trade, now),
        },
    });
    keys.authority.sign(&payload)
}

impl Sandbox {
    /// Refunds a purchase as the store does by itself: whole, or a part in 1/100 000. A notification follows.
    ///
    /// # Errors
    /// When there is no such purchase.
    pub fn store_refund(&self, token: &str, share: Option<u64>) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        let at = state.all(token).iter().copied().find(|at| state.trades[*at].provider == Provider::Appleiap);
        let at = at.filter(|at| state.trades[*at].paid.is_some()).ok_or("no such purchase")?;
        let url = state.trades[at].notify_url.clone();
        let number = ids::uuid();
        let r = state.refund_of(
            at,
            RefundWish {
                number: number.clone(),
                id: number,
                amount: share.unwrap_or(100_000),
                notify_url: url,
                settles: None,
            },
            now,
        );
        if share.is_some() {
            state.trades[at].refunds[r].reason = Some("prorated".to_owned());
        }
        state.settle(at, r, RefundOutcome::Success, now);
        Ok(())
    }
}
