//! IAP Kit's server: how an order stands, and key events (huawei.md 5).

use super::Keys;
use crate::common::jws::Token;
use crate::crypto::{ALNUM, DIGITS, random_text};
use crate::ids;
use crate::ledger::{NewTrade, RefundOutcome, RefundWish, Trade};
use crate::merchant::Merchant;
use crate::outbox::SignedRequest;
use crate::provider::{Provider, Wire};
use crate::sandbox::Sandbox;
use crate::state::State;
use crate::wire::{Answer, Inbound};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

/// The order status query.
pub(super) const STATUS: &str = "/order/harmony/v1/application/order/status/query";

/// Serves the order status query.
pub(super) fn handle(sandbox: &Sandbox, inbound: &Inbound) -> Answer {
    let token = inbound.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let now = sandbox.now();
    let state = sandbox.state();
    let Some(merchant) = state.merchants.iter().find(|m| authorized(m, token, &inbound.body, now)) else {
        return Answer::new(401, "application/json", "{}", "401");
    };
    let body: Value = serde_json::from_slice(&inbound.body).unwrap_or_default();
    let (id, token) = (body["purchaseOrderId"].as_str(), body["purchaseToken"].as_str());
    let own = |t: &&Trade| {
        t.wire == Wire::HUAWEI_IAP && t.merchant == merchant.keys::<Keys>().id && t.transaction_id.as_deref() == id
    };
    let trade = state.trades.iter().find(own).filter(|t| t.paid.is_some() && t.prepay_id.as_deref() == token);
    let answer = match trade {
        Some(trade) => {
            json!({ "responseCode": "0", "jwsPurchaseOrder": merchant.keys::<Keys>().authority.sign(&claims(trade, now)) })
        }
        None => json!({ "responseCode": "1001880012", "responseMessage": "no record" }),
    };
    Answer::new(200, "application/json", answer.to_string(), "SUCCESS")
}

fn authorized(merchant: &Merchant, token: &str, body: &[u8], now: i64) -> bool {
    let keys: &Keys = merchant.keys();
    Token::read(token).is_some_and(|token| {
        token.header["kid"] == json!(keys.key_id)
            && token.claims["iss"] == json!(keys.issuer_id)
            && token.claims["aud"] == "iap-v1"
            && token.claims["aid"] == json!(keys.app_id)
            && token.claims["digest"] == json!(hex::encode(digest(&SHA256, body)))
            && token.is_fresh(now)
            && token.is_signed_by(&keys.public_point)
    })
}

/// An order as it is signed. What was not taken back has a blank reason for that.
pub(super) fn claims(trade: &Trade, now: i64) -> Value {
    let mut claims = json!({
        "environment": "NORMAL", "purchaseOrderId": trade.transaction_id, "purchaseToken": trade.prepay_id,
        "applicationId": trade.appid, "productId": trade.request["productId"], "productType": "0",
        "quantity": trade.request["quantity"], "purchaseTime": trade.paid, "finishStatus": "2", "needFinish": true,
        "price": trade.amount(), "currency": "CNY", "developerPayload": trade.number, "countryCode": "CN", "signedTime": now,
        "purchaseOrderRevocationReasonCode": "",
    });
    if let Some(refund) = trade.refunds.first() {
        claims["purchaseOrderRevocationReasonCode"] = json!("1");
        claims["revocationTime"] = json!(refund.created);
    }
    claims
}

/// What every product of IAP Kit costs, fen.
const PRICE: u64 = 100;

/// The purchase sheet.
pub(super) fn open(state: &mut State, order_info: &Value, merchant: Option<&str>, now: i64) -> Result<String, String> {
    let merchant = state.merchant_named(merchant).ok_or("no such app")?;
    let keys: &Keys = merchant.keys();
    let number = order_info["developerPayload"].as_str().ok_or("developerPayload")?.to_owned();
    if state.find(Provider::Huawei, &keys.id, &number).is_none() {
        let mut trade = Trade::begin(NewTrade {
            provider: Provider::Huawei,
            wire: Wire::HUAWEI_IAP,
            merchant: &keys.id,
            number: &number,
            total: PRICE,
            notify_url: None,
            now,
        });
        trade.appid.clone_from(&keys.app_id);
        trade.transaction_id = Some(format!("17{}", random_text(18, DIGITS)));
        trade.prepay_id = Some(random_text(40, ALNUM));
        trade.request = order_info.clone();
        state.add(trade);
    }
    Ok(number)
}

fn find(state: &State, number: &str) -> Result<usize, String> {
    let found = state.all(number).iter().copied().find(|at| state.trades[*at].wire == Wire::HUAWEI_IAP);
    found.filter(|at| state.trades[*at].paid.is_some()).ok_or_else(|| "no such purchase".to_owned())
}

impl Sandbox {
    /// Takes a purchase of IAP Kit back, as Huawei does when its buyer asks.
    ///
    /// # Errors
    /// When there is no such purchase.
    pub fn iap_revoke(&self, number: &str) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        let at = find(&state, number)?;
        let wish = RefundWish {
            number: ids::uuid(),
            id: ids::uuid(),
            amount: state.trades[at].amount(),
            notify_url: None,
            settles: None,
        };
        let r = state.refund_of(at, wish, now);
        state.settle(at, r, RefundOutcome::Success, now);
        Ok(())
    }

    /// A key event of IAP Kit about a purchase, addressed to where the merchant's console has its notifications.
    ///
    /// # Errors
    /// When there is no such purchase, or the console has no address.
    pub fn iap_event(&self, number: &str, kind: &str) -> Result<SignedRequest, String> {
        let now = self.now();
        let state = self.state();
        let trade = &state.trades[find(&state, number)?];
        let merchant = state.merchant(Provider::Huawei, &trade.merchant).ok_or("the merchant is gone")?;
        let url = state.console_url(&merchant, Provider::Huawei).ok_or("the console has no address")?;
        let event = json!({
            "notificationType": kind, "notificationRequestId": ids::uuid(), "notificationVersion": "v3",
            "signedTime": now,
            "notificationMetaData": {
                "environment": "NORMAL", "applicationId": trade.appid, "packageName": "com.example.shop", "type": 0,
                "purchaseToken": trade.prepay_id, "purchaseOrderId": trade.transaction_id,
            },
        });
        let body = json!({ "jwsNotification": merchant.keys::<Keys>().authority.sign(&event) }).to_string();
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Ok(SignedRequest { method: "POST".to_owned(), url, headers, body })
    }
}
