//! IAP Kit's server: how an order stands, and key events (huawei.md 5).

use crate::Sandbox;
use crate::apple::verify_p256;
use crate::callbacks::SignedRequest;
use crate::ids;
use crate::keys::Merchant;
use crate::ledger::{Provider, RefundOutcome, RefundWish, State, Trade, Wire};
use crate::server::{Answer, Inbound};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
        t.wire == Wire::HuaweiIap && t.merchant == merchant.keys.huawei.id && t.transaction_id.as_deref() == id
    };
    let trade = state.trades.iter().find(own).filter(|t| t.paid.is_some() && t.prepay_id.as_deref() == token);
    let answer = match trade {
        Some(trade) => {
            json!({ "responseCode": "0", "jwsPurchaseOrder": merchant.keys.huawei.authority.sign(&claims(trade, now)) })
        }
        None => json!({ "responseCode": "1001880012", "responseMessage": "no record" }),
    };
    Answer::new(200, "application/json", answer.to_string(), "SUCCESS")
}

fn authorized(merchant: &Merchant, token: &str, body: &[u8], now: i64) -> bool {
    let keys = &merchant.keys.huawei;
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let read = |part: &str| -> Value {
        URL_SAFE_NO_PAD.decode(part).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default()
    };
    let (head, said) = (read(header), read(claims));
    head["alg"] == "ES256"
        && head["kid"] == json!(keys.key_id)
        && said["iss"] == json!(keys.issuer_id)
        && said["aud"] == "iap-v1"
        && said["aid"] == json!(keys.app_id)
        && said["digest"] == json!(hex::encode(digest(&SHA256, body)))
        && said["exp"].as_i64().is_some_and(|exp| exp > now / 1000 && exp <= now / 1000 + 3600)
        && verify_p256(&keys.public_point, format!("{header}.{claims}").as_bytes(), signature)
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

fn find(state: &State, number: &str) -> Result<usize, String> {
    let found = state.all(number).iter().copied().find(|at| state.trades[*at].wire == Wire::HuaweiIap);
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
        let body = json!({ "jwsNotification": merchant.keys.huawei.authority.sign(&event) }).to_string();
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Ok(SignedRequest { method: "POST".to_owned(), url, headers, body })
    }
}
