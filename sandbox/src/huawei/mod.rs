//! Huawei: Payment Kit, PSS requests and SM2 answers; IAP Kit's signed orders (huawei.md).

mod iap;

use crate::common::jws::{Authority, ec_pair};
use crate::crypto::{self, DIGITS, b64, random, random_text};
use crate::desk::{self, Sdk};
use crate::faults::{Misbehaviour, Op};
use crate::forgery::Forgery;
use crate::ids;
use crate::ledger::{NewTrade, RefundState, RefundWish, Trade, TradeState};
use crate::merchant::{Merchant, ProviderKeys, Seed};
use crate::outbox::{Notice, SignedRequest};
use crate::profile::Profile;
use crate::provider::{Mode, Provider, Wire};
use crate::sandbox::Sandbox;
use crate::wire::{Answer, Call, Inbound};
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sm2::dsa::signature::Signer;
use sm2::dsa::{Signature, SigningKey};
use time::OffsetDateTime;

impl Wire {
    /// Payment Kit.
    const HUAWEI: Self = Self::named("huawei");
    /// IAP Kit.
    const HUAWEI_IAP: Self = Self::named("huawei_iap");
}

/// The schedule is not public: "a certain period".
const PROFILE: Profile = Profile {
    retry_ladder: &[15, 30, 180, 600, 1800, 3600],
    // A trade comes to be when its payer opens it.
    transaction_id: ids::trade_no,
    ..Profile::USUAL
};

/// The signer's id of SM2 where nobody names one.
const SIGNER: &str = "1234567812345678";
const IAP_MARK: [u64; 10] = [1, 3, 6, 1, 4, 1, 2011, 2, 415, 1];

/// What both sides know of a merchant here.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Keys {
    /// mercNo.
    pub id: String,
    pub app_id: String,
    pub fa_app_id: String,
    pub auth_id: String,
    pub mch_private_key: String,
    pub mch_public_key: String,
    pub platform_secret: String,
    pub platform_public_key: String,
    pub authority: Authority,
    /// The key of IAP Kit's server.
    #[serde(default)]
    pub issuer_id: String,
    #[serde(default)]
    pub key_id: String,
    #[serde(default)]
    pub private_key: String,
    #[serde(default)]
    pub public_point: String,
}

impl ProviderKeys for Keys {
    type Opened = Self;

    fn generate(seed: &Seed<'_>) -> Self {
        let (secret, point) = loop {
            let secret: [u8; 32] = random();
            if let Ok(key) = SigningKey::from_slice(SIGNER, &secret) {
                break (secret, key.verifying_key().to_sec1_bytes().to_vec());
            }
        };
        let (private_key, public_point) = ec_pair();
        let mark: Vec<u64> = IAP_MARK.iter().copied().chain([1]).collect();
        Self {
            id: format!("101{}", random_text(9, DIGITS)),
            app_id: format!("5765880{}", random_text(12, DIGITS)),
            fa_app_id: format!("6917{}", random_text(15, DIGITS)),
            auth_id: random_text(18, DIGITS),
            mch_private_key: b64(&seed.ours.pkcs8()),
            mch_public_key: b64(&seed.ours.spki()),
            platform_secret: hex::encode(secret),
            platform_public_key: hex::encode_upper(point),
            authority: Authority::generate("Huawei CBG Root CA G2 of the sandbox", &mark, None),
            issuer_id: ids::uuid(),
            key_id: hex::encode_upper(random::<5>()),
            private_key,
            public_point,
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn open(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn config(&self, base: &str, _mode: Mode) -> Value {
        let node = |app_id: &str, kind: &str| {
            json!({
                "appId": app_id, "mchId": self.id, "mchAuthId": self.auth_id, "mchPrivateKey": self.mch_private_key,
                "platformPublicKey": self.platform_public_key, "clientType": kind, "apiBase": base,
            })
        };
        let mut app = node(&self.app_id, "app-harmony");
        app["iap"] = json!({ "rootCertContent": self.authority.root });
        if !self.private_key.is_empty() {
            app["iap"]["issuerId"] = json!(self.issuer_id);
            app["iap"]["keyId"] = json!(self.key_id);
            app["iap"]["privateKeyContent"] = json!(self.private_key);
        }
        json!({ "mp-harmony": node(&self.fa_app_id, "mp-harmony"), "app-harmony": app })
    }
}

impl Keys {
    fn sign(&self, text: &str) -> String {
        let secret = hex::decode(&self.platform_secret).unwrap_or_default();
        let key = SigningKey::from_slice(SIGNER, &secret).expect("a key that the sandbox made");
        let signature: Signature = key.sign(text.as_bytes());
        b64(&der(&signature.to_bytes()))
    }
}

/// r and s as a DER sequence.
fn der(raw: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len() - 1);
        let mut digits = bytes[start..].to_vec();
        if digits[0] & 0x80 != 0 {
            digits.insert(0, 0);
        }
        let mut out = vec![2, u8::try_from(digits.len()).unwrap_or(0)];
        out.extend(digits);
        out
    };
    let (r, s) = raw.split_at(raw.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(body.len()).unwrap_or(0)], body].concat()
}

/// Huawei's canonical text of a value; the sandbox knows only integers.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<(&String, &Value)> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            fields.sort_by_key(|(name, _)| *name);
            fields.iter().map(|(name, value)| format!("{name}={}", canonical(value))).collect::<Vec<_>>().join("&")
        }
        Value::Array(list) => list.iter().filter(|v| !v.is_null()).map(canonical).collect::<Vec<_>>().join(","),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.remove(name);
    }
    value
}

/// The desk.
pub(crate) struct Desk;

impl desk::Desk for Desk {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn call(&self, inbound: &Inbound) -> Option<Call> {
        let path = inbound.path.as_str();
        let op = match path {
            _ if path.starts_with("/api/v2/aggr/preorder/") => Op::Create,
            _ if path.starts_with("/api/v2/aggr/transactions/") => Op::Query,
            "/api/v1/aggr/transactions/refunds" => Op::Refund,
            _ if path.starts_with("/api/v1/aggr/transactions/refunds/") => Op::RefundQuery,
            iap::STATUS => Op::Query,
            _ => return None,
        };
        let body: Value = serde_json::from_slice(&inbound.body).unwrap_or_default();
        let named = ["mercRefundOrderNo", "mercOrderNo", "purchaseOrderId"]
            .iter()
            .filter_map(|name| body[*name].as_str().map(str::to_owned));
        let numbers = named.chain([path.rsplit('/').next().unwrap_or_default().to_owned()]).collect();
        Some(Call { provider: Provider::Huawei, op, numbers })
    }

    fn handle(&self, sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
        if inbound.path == iap::STATUS {
            return iap::handle(sandbox, inbound);
        }
        let auth: Value =
            inbound.header("paymercauth").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let merchant = sandbox.state().merchant(Provider::Huawei, auth["callerId"].as_str().unwrap_or_default());
        let Some(merchant) = merchant else {
            let stranger = r#"{"resultCode":"200001","resultDesc":"refused","subCode":"INVALID_CALLER_ID","subDesc":"INVALID_CALLER_ID"}"#;
            return Answer::new(200, "application/json", stranger, "INVALID_CALLER_ID");
        };
        let body: Value = serde_json::from_slice(&inbound.body).unwrap_or_default();
        let own = auth["authId"] == json!(merchant.keys::<Keys>().auth_id);
        let served = match own && authorized(&merchant, inbound, &auth, &body) {
            true => {
                let last = inbound.path.rsplit('/').next().unwrap_or_default();
                Request { sandbox, keys: merchant.keys(), body: &body, last, fault }.serve(&inbound.path)
            }
            false if !own => Err(("200001", "INVALID_AUTH_ID")),
            false => Err(("200002", "INVALID_SIGNATURE")),
        };
        let answer = served.unwrap_or_else(
            |(code, sub)| json!({ "resultCode": code, "resultDesc": "refused", "subCode": sub, "subDesc": sub }),
        );
        let verdict = answer["subCode"].as_str().unwrap_or("SUCCESS").to_owned();
        Answer::new(200, "application/json", signed(&merchant, answer, fault), &verdict)
    }

    fn refuse(&self, _sandbox: &Sandbox, _inbound: &Inbound, what: Misbehaviour) -> Answer {
        let status = if what == Misbehaviour::TooMany { 429 } else { 500 };
        Answer::new(status, "application/json", r#"{"resultCode":"500000"}"#, "busy")
    }

    fn notify(&self, notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest {
        let trade = notice.trade;
        let mut body = match notice.refund.map(|r| &trade.refunds[r]) {
            None => order(trade),
            Some(refund) => json!({
                "mercNo": trade.merchant, "mercRefundNo": refund.out_refund_no, "sysRefundNo": refund.refund_id,
                "refundAmount": refund.amount, "payerRefundAmount": refund.amount, "currency": "CNY",
                "refundOrderStatus": status(refund.state), "finishTime": refund.settled.map(utc),
            }),
        };
        if let Some(map) = body.as_object_mut() {
            map.remove("resultCode");
            map.remove("resultDesc");
            map.retain(|_, value| !value.is_null());
        }
        body["callbackId"] = json!(notice.event_id);
        body["callbackTime"] = json!(utc(now));
        body["dataType"] = json!("plain");
        body["signType"] = json!("SM2");
        body["sign"] = json!(merchant.keys::<Keys>().sign(&canonical(&without(&body, "sign"))));
        let headers = vec![("content-type".to_owned(), "application/json; charset=UTF-8".to_owned())];
        SignedRequest { method: "POST".to_owned(), url: notice.url.to_owned(), headers, body: body.to_string() }
    }

    fn accepted(&self, _wire: Wire, status: u16, body: &str) -> bool {
        status == 200 && body == r#"{"resultCode":"000000","resultDesc":"Success."}"#
    }

    fn wrote(&self, callback: &SignedRequest) -> bool {
        callback.body.contains("\"callbackId\"")
    }

    fn forge(&self, _sandbox: &Sandbox, request: &mut SignedRequest, how: Forgery) {
        let mut body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        match how {
            Forgery::BadSignature | Forgery::SignTest => body["sign"] = json!(b64(&der(&random::<64>()))),
            Forgery::OtherKey | Forgery::UnknownSerial => {
                let stranger = loop {
                    if let Ok(key) = SigningKey::from_slice(SIGNER, &random::<32>()) {
                        break key;
                    }
                };
                let signature: Signature = stranger.sign(canonical(&without(&body, "sign")).as_bytes());
                body["sign"] = json!(b64(&der(&signature.to_bytes())));
            }
            Forgery::AlteredAmount => {
                let name = if body["totalAmount"].is_u64() { "totalAmount" } else { "refundAmount" };
                body[name] = json!(body[name].as_u64().unwrap_or_default() + 1);
            }
            Forgery::NoSignature => drop(body.as_object_mut().and_then(|body| body.remove("sign"))),
            Forgery::EmptySignature => body["sign"] = json!(""),
            Forgery::Downgrade => body["signType"] = json!("RSA"),
            Forgery::OldTimestamp => unreachable!("nobody is told to look at Huawei's time"),
        }
        request.body = body.to_string();
    }

    fn sdk(&self) -> Option<&dyn Sdk> {
        Some(self)
    }
}

impl Sdk for Desk {
    /// `requestPayment` on an `orderStr`, or IAP Kit's purchase sheet.
    fn open(&self, sandbox: &Sandbox, order_info: &Value, merchant: Option<&str>) -> Result<String, String> {
        let now = sandbox.now();
        let mut state = sandbox.state();
        if order_info["productId"].is_string() {
            return iap::open(&mut state, order_info, merchant, now);
        }
        let text = order_info.as_str().ok_or("orderStr is one text")?;
        let order: Value = serde_json::from_str(text).map_err(|_| "orderStr is not JSON")?;
        let merchant =
            state.merchant(Provider::Huawei, order["merc_no"].as_str().unwrap_or_default()).ok_or("merc_no")?;
        let spki = crypto::der(&merchant.keys::<Keys>().mch_public_key).unwrap_or_default();
        let signature = order["sign"].as_str().and_then(crypto::unb64).unwrap_or_default();
        let signed = canonical(&without(&order, "sign"));
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &spki)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| "the signature is wrong")?;
        let prepay = order["prepay_id"].as_str();
        let trade = state.trades.iter().find(|t| t.provider == Provider::Huawei && t.prepay_id.as_deref() == prepay);
        let trade = trade.filter(|t| order["app_id"].as_str() == Some(&t.appid)).ok_or("prepay_id")?;
        if now > trade.created + 600_000 {
            return Err("the prepay_id has ended".to_owned());
        }
        Ok(trade.number.clone())
    }

    /// IAP Kit hands back a signed order.
    fn result(&self, sandbox: &Sandbox, trade: &Trade) -> Value {
        let Some(merchant) = sandbox.state().merchant(Provider::Huawei, &trade.merchant) else { return Value::Null };
        if trade.wire != Wire::HUAWEI_IAP {
            return json!({ "errMsg": "requestPayment:ok" });
        }
        let claims = iap::claims(trade, sandbox.now());
        json!({
            "jwsPurchaseOrder": merchant.keys::<Keys>().authority.sign(&claims),
            "purchaseOrderId": trade.transaction_id, "purchaseToken": trade.prepay_id,
        })
    }
}

type Refused = (&'static str, &'static str);

fn signed(merchant: &Merchant, mut answer: Value, fault: Option<Misbehaviour>) -> String {
    let text = canonical(&answer);
    match fault {
        Some(Misbehaviour::NoSignature) => {}
        Some(Misbehaviour::BadSignature) => answer["sign"] = json!(merchant.keys::<Keys>().sign("something else")),
        _ => answer["sign"] = json!(merchant.keys::<Keys>().sign(&text)),
    }
    answer.to_string()
}

fn authorized(merchant: &Merchant, inbound: &Inbound, auth: &Value, body: &Value) -> bool {
    let spki = crypto::der(&merchant.keys::<Keys>().mch_public_key).unwrap_or_default();
    let right = |text: &str, name: &str| {
        let signature = auth[name].as_str().and_then(crypto::unb64).unwrap_or_default();
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &spki).verify(text.as_bytes(), &signature).is_ok()
    };
    let signed = if inbound.method == "GET" { inbound.target() } else { canonical(&without(body, "sign")) };
    let trace = auth["traceId"].as_str().unwrap_or_default();
    (1..=32).contains(&trace.len())
        && auth["time"].is_i64()
        && right(&signed, "bodySign")
        && right(&canonical(&without(auth, "headerSign")), "headerSign")
}

fn utc(ms: i64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000+0000");
    OffsetDateTime::from_unix_timestamp(ms / 1000).ok().and_then(|t| t.format(format).ok()).unwrap_or_default()
}

/// A verified request.
struct Request<'a> {
    sandbox: &'a Sandbox,
    keys: &'a Keys,
    body: &'a Value,
    /// The last part of the path.
    last: &'a str,
    fault: Option<Misbehaviour>,
}

impl Request<'_> {
    fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    fn amount(&self, name: &str) -> Result<u64, Refused> {
        self.body[name].as_u64().filter(|n| *n > 0).ok_or(("400000", "CHECK_AMOUNT_INVALID"))
    }

    fn serve(&self, path: &str) -> Result<Value, Refused> {
        if path.starts_with("/api/v2/aggr/preorder/create/") {
            self.create()
        } else if path.starts_with("/api/v2/aggr/transactions/merc-orders/") {
            self.query()
        } else if path == "/api/v1/aggr/transactions/refunds" {
            self.refund()
        } else {
            self.query_refund()
        }
    }

    fn create(&self) -> Result<Value, Refused> {
        let keys = self.keys;
        let now = self.sandbox.now();
        let mut state = self.sandbox.state();
        let own = if self.last == "fa" { &keys.fa_app_id } else { &keys.app_id };
        let number = self.text("mercOrderNo");
        let total = self.amount("totalAmount")?;
        let shaped = (1..=46).contains(&number.len())
            && !self.text("tradeSummary").is_empty()
            && !self.text("callbackUrl").is_empty();
        let ours = self.text("appId") == *own && self.text("mercNo") == keys.id;
        if !ours || !shaped || self.text("currency") != "CNY" {
            return Err(("400000", "INVALID_ARGUMENTS"));
        }
        if state.find(Provider::Huawei, &keys.id, number).is_some() {
            return Err(("400000", "CHECK_TRANSACTION_ORDER_STATUS"));
        }
        let mut trade = Trade::begin(NewTrade {
            provider: Provider::Huawei,
            wire: Wire::HUAWEI,
            merchant: &keys.id,
            number,
            total,
            notify_url: Some(self.text("callbackUrl").to_owned()),
            now,
        });
        trade.appid = own.clone();
        trade.state = TradeState::Unseen;
        trade.prepay_id = Some(random_text(26, DIGITS));
        trade.attach = Some(self.text("payload").to_owned());
        let prepay = trade.prepay_id.clone();
        state.add(trade);
        Ok(json!({ "resultCode": "000000", "resultDesc": "Success.", "prepayId": prepay }))
    }

    fn query(&self) -> Result<Value, Refused> {
        let mut state = self.sandbox.state();
        let missing = ("400000", "MERC_ORDER_NOT_EXIST");
        let at = state.find(Provider::Huawei, &self.keys.id, self.last).ok_or(missing)?;
        let trade = state.current(at, self.sandbox.now());
        if trade.paid.is_none() { Err(missing) } else { Ok(order(trade)) }
    }

    fn refund(&self) -> Result<Value, Refused> {
        let now = self.sandbox.now();
        let mut state = self.sandbox.state();
        let (number, order) = (self.text("mercRefundOrderNo"), self.text("mercOrderNo"));
        let known = state.find_refund(Provider::Huawei, &self.keys.id, number);
        let at = state.find(Provider::Huawei, &self.keys.id, order).ok_or(("400000", "MERC_ORDER_NOT_EXIST"))?;
        let amount = self.amount("refundAmount")?;
        let id = match known {
            Some((t, r)) => state.trades[t].refunds[r].refund_id.clone(),
            None => {
                let trade = &state.trades[at];
                if trade.paid.is_none() || trade.refunded() + amount > trade.amount() {
                    return Err(("400000", "CHECK_AMOUNT_INVALID"));
                }
                let id = format!("HR{}", random_text(20, DIGITS));
                let wish = RefundWish {
                    number: number.to_owned(),
                    id: id.clone(),
                    amount,
                    notify_url: Some(self.text("callbackUrl").to_owned()),
                    settles: self.sandbox.settles(self.fault, now),
                };
                state.refund_of(at, wish, now);
                id
            }
        };
        Ok(json!({
            "resultCode": "000000", "resultDesc": "Success.", "mercRefundOrderNo": number, "sysRefundOrderNo": id,
            "mercOrderNo": order, "refundAmount": amount,
        }))
    }

    fn query_refund(&self) -> Result<Value, Refused> {
        let state = self.sandbox.state();
        let found = state.find_refund(Provider::Huawei, &self.keys.id, self.last);
        let (t, r) = found.ok_or(("400000", "REFUND_ORDER_NOT_EXIST"))?;
        let refund = &state.trades[t].refunds[r];
        Ok(json!({
            "resultCode": "000000", "resultDesc": "Success.", "mercRefundOrderNo": refund.out_refund_no,
            "sysRefundOrderNo": refund.refund_id, "refundAmount": refund.amount,
            "refundOrderStatus": status(refund.state), "finishTime": refund.settled.map(utc),
        }))
    }
}

const fn status(state: RefundState) -> &'static str {
    match state {
        RefundState::Success => "REFUND_SUCCESS",
        RefundState::Processing => "REFUND_CHL_PROC",
        RefundState::Closed | RefundState::Abnormal => "REFUND_FAILED",
    }
}

fn order(trade: &Trade) -> Value {
    json!({
        "resultCode": "000000", "resultDesc": "Success.", "mercNo": trade.merchant, "appId": trade.appid,
        "sysTransOrderNo": trade.transaction_id, "mercOrderNo": trade.number, "payload": trade.attach,
        "orderStatus": "TRX_SUCCESS", "currency": "CNY", "totalAmount": trade.amount(), "payerAmount": trade.amount(),
        "promotionAmount": 0, "finishTime": trade.paid.map(utc), "paymentTools": "HUAWEIPAY",
    })
}
