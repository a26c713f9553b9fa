//! WeChat Pay: APIv3 below `/v3/`, APIv2 below `/pay/` and `/secapi/`, shipping below `/wxa/sec/order/`.

mod auth;
mod authorizations;
mod bill;
mod complaints;
mod forge;
mod keys;
mod notify;
mod objects;
mod orders;
mod receipts;
mod refunds;
mod rules;
mod sharing;
mod shipping;
mod transfers;
mod v2;
mod v2_operations;
mod v3;
mod xml;

use crate::desk::{self, PlainText};
use crate::faults::{Misbehaviour, Op};
use crate::forgery::Forgery;
use crate::merchant::Merchant;
use crate::outbox::{Notice, SignedRequest};
use crate::profile::Profile;
use crate::provider::{Provider, Wire};
use crate::sandbox::Sandbox;
use crate::wire::{Answer, Call, Inbound};
use keys::Account;
pub(crate) use keys::Keys;
use serde_json::Value;

impl Wire {
    /// APIv3, callbacks signed with the WeChat Pay public key (the request named it in `Wechatpay-Serial`).
    const V3: Self = Self::named("v3");
    /// APIv3, callbacks signed with the platform certificate.
    const V3_CERT: Self = Self::named("v3_cert");
    /// APIv2, XML signed with MD5.
    const V2_MD5: Self = Self::named("v2_md5");
    /// APIv2, XML signed with HMAC-SHA256.
    const V2_HMAC: Self = Self::named("v2_hmac");

    fn is_v3(self) -> bool {
        matches!(self, Self::V3 | Self::V3_CERT)
    }
}

/// It is sent again for 24 h 4 min in all (wechat.md section 3).
const PROFILE: Profile = Profile {
    retry_ladder: &[15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600],
    ..Profile::USUAL
};

/// The desk.
pub(crate) struct Desk;

impl desk::Desk for Desk {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// It takes every request: what is nobody's is answered 404 here.
    fn call(&self, inbound: &Inbound) -> Option<Call> {
        let (op, numbers) = if let Some(op) = shipping::op(&inbound.path) {
            (op, shipping::numbers(&inbound.body))
        } else if inbound.path.starts_with("/v3/") {
            let op = v3::Route::of(&inbound.path).map_or(Op::Unknown, |route| route.op(&inbound.method));
            let mut numbers: Vec<String> = Vec::new();
            if let Ok(Value::Object(body)) = serde_json::from_slice(&inbound.body) {
                let named = [
                    "out_refund_no",
                    "out_trade_no",
                    "transaction_id",
                    "out_bill_no",
                    "out_authorization_no",
                    "out_order_no",
                    "out_return_no",
                    "account",
                ];
                let named = named.iter().filter_map(|name| body.get(*name));
                numbers.extend(named.filter_map(Value::as_str).map(str::to_owned));
            }
            numbers.extend(v3::Route::of(&inbound.path).and_then(|route| route.number()));
            (op, numbers)
        } else {
            let map = xml::parse(&inbound.body).unwrap_or_default();
            let names = ["out_refund_no", "out_trade_no", "transaction_id"];
            (v2::op(&inbound.path), names.iter().filter_map(|name| map.get(*name).cloned()).collect())
        };
        Some(Call { provider: Provider::Wxpay, op, numbers })
    }

    fn handle(&self, sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
        if shipping::op(&inbound.path).is_some() {
            shipping::handle(sandbox, inbound)
        } else if inbound.path.starts_with("/v3/") {
            v3::handle(sandbox, inbound, fault)
        } else {
            v2::handle(sandbox, inbound, fault)
        }
    }

    fn refuse(&self, sandbox: &Sandbox, inbound: &Inbound, what: Misbehaviour) -> Answer {
        match () {
            () if shipping::op(&inbound.path).is_some() => shipping::refuse(what),
            () if inbound.path.starts_with("/v3/") => v3::refuse(what),
            () => v2::refuse(sandbox, inbound, what),
        }
    }

    fn notify(&self, notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest {
        let account = merchant.keys();
        if let Some(push) = notice.shipping {
            return shipping::notify(notice, push, account, now);
        }
        if notice.wire().is_v3() { notify::v3(notice, account, now) } else { notify::v2(notice, account) }
    }

    fn accepted(&self, wire: Wire, status: u16, body: &str) -> bool {
        let success = || {
            xml::parse(body.as_bytes()).is_ok_and(|map| map.get("return_code").is_some_and(|code| code == "SUCCESS"))
        };
        if wire == Wire::PUSH {
            return status == 200 && (body.contains("\"ErrCode\":0") || body.is_empty() || body == "success");
        }
        if wire.is_v3() { matches!(status, 200 | 204) } else { status == 200 && success() }
    }

    fn wrote(&self, callback: &SignedRequest) -> bool {
        is_push(callback)
            || callback.header("wechatpay-serial").is_some()
            || xml::parse(callback.body.as_bytes()).is_ok_and(|fields| fields.contains_key("mch_id"))
    }

    fn fits(&self, callback: &SignedRequest, how: Forgery) -> bool {
        if is_push(callback) {
            return match how {
                Forgery::OldTimestamp => false,
                Forgery::Downgrade => callback.url.contains("msg_signature="),
                _ => true,
            };
        }
        // APIv2 signs no time.
        how != Forgery::OldTimestamp || callback.header("wechatpay-timestamp").is_some()
    }

    fn forge(&self, sandbox: &Sandbox, callback: &mut SignedRequest, how: Forgery) {
        if is_push(callback) {
            return forge::push(callback, how);
        }
        let Some(serial) = callback.header("wechatpay-serial") else {
            return forge::v2(callback, how);
        };
        let account = forge::account_of(sandbox, serial).expect("a callback of a registered merchant");
        forge::v3(sandbox, callback, &account, how);
    }

    fn plain_text<'a>(&self, merchant: &'a Merchant, wire: Wire) -> Option<PlainText<'a>> {
        if wire.is_v3() {
            return None;
        }
        let account: &Account = merchant.keys();
        Some(PlainText {
            host: "attach",
            read: |callback| xml::parse(callback.body.as_bytes()).map_err(str::to_owned),
            sign: Box::new(move |fields| v2::sign(fields, &account.keys.v2_key, wire == Wire::V2_HMAC)),
            write: |genuine, fields| SignedRequest { body: xml::write("xml", fields), ..genuine },
        })
    }
}

/// Whether a callback is a message push.
fn is_push(callback: &SignedRequest) -> bool {
    callback.url.contains("/pay-notify/wxpay/") && callback.url.contains("signature=")
}
