//! Huawei: Payment Kit, PSS requests and SM2 answers; IAP Kit's signed orders (huawei.md).

mod iap;

use crate::Sandbox;
use crate::apple::{Authority, ec_pair};
use crate::callbacks::{Notice, SignedRequest};
use crate::crypto::{self, ALNUM, DIGITS, RsaKey, b64, random, random_text};
use crate::faults::{Misbehaviour, Op};
use crate::forgery::Forgery;
use crate::ids;
use crate::keys::{Merchant, Mode};
use crate::ledger::{Provider, RefundState, RefundWish, Trade, TradeState, Wire};
use crate::server::{Answer, Call, Inbound};
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sm2::dsa::signature::Signer;
use sm2::dsa::{Signature, SigningKey};
use time::OffsetDateTime;

/// The schedule is not public: "a certain period".
pub(crate) const LADDER: &[u64] = &[15, 30, 180, 600, 1800, 3600];

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

impl Keys {
    /// Makes everything up; RSA keys are dear, so the providers share them.
    pub(crate) fn generate(ours: &RsaKey, _theirs: &RsaKey) -> Self {
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
            mch_private_key: b64(&ours.pkcs8()),
            mch_public_key: b64(&ours.spki()),
            platform_secret: hex::encode(secret),
            platform_public_key: hex::encode_upper(point),
            authority: Authority::generate("Huawei CBG Root CA G2 of the sandbox", &mark, None),
            issuer_id: ids::uuid(),
            key_id: hex::encode_upper(random::<5>()),
            private_key,
            public_point,
        }
    }

    /// The section `huawei` of a configuration. `base` is the sandbox's URL.
    pub(crate) fn config(&self, base: &str, _mode: Mode) -> Value {
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

/// What a request is about.
pub(crate) fn call(inbound: &Inbound) -> Option<Call> {
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

type Refused = (&'static str, &'static str);

/// Serves a request; every answer is signed.
pub(crate) fn handle(sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
    if inbound.path == iap::STATUS {
        return iap::handle(sandbox, inbound);
    }
    let auth: Value =
        inbound.header("paymercauth").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let merchant = sandbox.state().merchant(Provider::Huawei, auth["callerId"].as_str().unwrap_or_default());
    let Some(merchant) = merchant else {
        return Answer::new(200, "application/json", r#"{"resultCode":"200000"}"#, "no callerId");
    };
    let body: Value = serde_json::from_slice(&inbound.body).unwrap_or_default();
    let served = match authorized(&merchant, inbound, &auth, &body) {
        true => serve(sandbox, &merchant, inbound, &body, fault),
        false => Err(("200002", "INVALID_SIGNATURE")),
    };
    let answer = served.unwrap_or_else(
        |(code, sub)| json!({ "resultCode": code, "resultDesc": "refused", "subCode": sub, "subDesc": sub }),
    );
    let verdict = answer["subCode"].as_str().unwrap_or("SUCCESS").to_owned();
    Answer::new(200, "application/json", signed(&merchant, answer, fault), &verdict)
}

fn signed(merchant: &Merchant, mut answer: Value, fault: Option<Misbehaviour>) -> String {
    let text = canonical(&answer);
    match fault {
        Some(Misbehaviour::NoSignature) => {}
        Some(Misbehaviour::BadSignature) => answer["sign"] = json!(merchant.keys.huawei.sign("something else")),
        _ => answer["sign"] = json!(merchant.keys.huawei.sign(&text)),
    }
    answer.to_string()
}

fn authorized(merchant: &Merchant, inbound: &Inbound, auth: &Value, body: &Value) -> bool {
    let spki = crypto::der(&merchant.keys.huawei.mch_public_key).unwrap_or_default();
    let right = |text: &str, name: &str| {
        let signature = auth[name].as_str().and_then(crypto::unb64).unwrap_or_default();
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &spki).verify(text.as_bytes(), &signature).is_ok()
    };
    let signed = if inbound.method == "GET" { inbound.target() } else { canonical(&without(body, "sign")) };
    let trace = auth["traceId"].as_str().unwrap_or_default();
    auth["authId"] == json!(merchant.keys.huawei.auth_id)
        && (1..=32).contains(&trace.len())
        && auth["time"].is_i64()
        && right(&signed, "bodySign")
        && right(&canonical(&without(auth, "headerSign")), "headerSign")
}

fn utc(ms: i64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000+0000");
    OffsetDateTime::from_unix_timestamp(ms / 1000).ok().and_then(|t| t.format(format).ok()).unwrap_or_default()
}

fn serve(
    sandbox: &Sandbox,
    merchant: &Merchant,
    inbound: &Inbound,
    body: &Value,
    fault: Option<Misbehaviour>,
) -> Result<Value, Refused> {
    let keys = &merchant.keys.huawei;
    let now = sandbox.now();
    let mut state = sandbox.state();
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let last = inbound.path.rsplit('/').next().unwrap_or_default().to_owned();
    if inbound.path.starts_with("/api/v2/aggr/preorder/create/") {
        let own = if last == "fa" { &keys.fa_app_id } else { &keys.app_id };
        let number = text("mercOrderNo");
        let total = body["totalAmount"].as_u64().filter(|n| *n > 0).ok_or(("400000", "CHECK_AMOUNT_INVALID"))?;
        let shaped =
            (1..=46).contains(&number.len()) && !text("tradeSummary").is_empty() && !text("callbackUrl").is_empty();
        if text("appId") != *own || text("mercNo") != keys.id || !shaped || text("currency") != "CNY" {
            return Err(("400000", "INVALID_ARGUMENTS"));
        }
        if state.find(Provider::Huawei, &keys.id, number).is_some() {
            return Err(("400000", "CHECK_TRANSACTION_ORDER_STATUS"));
        }
        let url = Some(text("callbackUrl").to_owned());
        let mut trade = Trade::begin(Provider::Huawei, Wire::Huawei, &keys.id, number, total, url, now);
        trade.appid = own.clone();
        trade.state = TradeState::Unseen;
        trade.prepay_id = Some(random_text(26, DIGITS));
        trade.attach = Some(text("payload").to_owned());
        let prepay = trade.prepay_id.clone();
        state.add(trade);
        return Ok(json!({ "resultCode": "000000", "resultDesc": "Success.", "prepayId": prepay }));
    }
    if inbound.path.starts_with("/api/v2/aggr/transactions/merc-orders/") {
        let at = state.find(Provider::Huawei, &keys.id, &last).ok_or(("400000", "MERC_ORDER_NOT_EXIST"))?;
        let trade = state.current(at, now).clone();
        if trade.paid.is_none() {
            return Err(("400000", "MERC_ORDER_NOT_EXIST"));
        }
        return Ok(order(&trade));
    }
    if inbound.path == "/api/v1/aggr/transactions/refunds" {
        let number = text("mercRefundOrderNo");
        let known = state.find_refund(Provider::Huawei, &keys.id, number);
        let at =
            state.find(Provider::Huawei, &keys.id, text("mercOrderNo")).ok_or(("400000", "MERC_ORDER_NOT_EXIST"))?;
        let amount = body["refundAmount"].as_u64().filter(|n| *n > 0).ok_or(("400000", "CHECK_AMOUNT_INVALID"))?;
        let id = match known {
            Some((t, r)) => state.trades[t].refunds[r].refund_id.clone(),
            None => {
                let trade = &state.trades[at];
                if trade.paid.is_none() || trade.refunded() + amount > trade.amount() {
                    return Err(("400000", "CHECK_AMOUNT_INVALID"));
                }
                let id = format!("HR{}", random_text(20, DIGITS));
                let url = Some(text("callbackUrl").to_owned());
                let held = fault == Some(Misbehaviour::HoldRefund);
                let settles = now + sandbox.scaled_ms(1);
                state.refund_of(
                    at,
                    RefundWish {
                        number: number.to_owned(),
                        id: id.clone(),
                        amount,
                        notify_url: url,
                        settles: (!held).then_some(settles),
                    },
                    now,
                );
                id
            }
        };
        return Ok(json!({
            "resultCode": "000000", "resultDesc": "Success.", "mercRefundOrderNo": number, "sysRefundOrderNo": id,
            "mercOrderNo": text("mercOrderNo"), "refundAmount": amount,
        }));
    }
    let (t, r) = state.find_refund(Provider::Huawei, &keys.id, &last).ok_or(("400000", "REFUND_ORDER_NOT_EXIST"))?;
    let refund = &state.trades[t].refunds[r];
    Ok(json!({
        "resultCode": "000000", "resultDesc": "Success.", "mercRefundOrderNo": refund.out_refund_no,
        "sysRefundOrderNo": refund.refund_id, "refundAmount": refund.amount, "refundOrderStatus": status(refund.state),
        "finishTime": refund.settled.map(utc),
    }))
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

/// Refuses a request without looking at it.
pub(crate) fn refuse(_sandbox: &Sandbox, _inbound: &Inbound, what: Misbehaviour) -> Answer {
    let status = if what == Misbehaviour::TooMany { 429 } else { 500 };
    Answer::new(status, "application/json", r#"{"resultCode":"500000"}"#, "busy")
}

/// What every product of IAP Kit costs, fen.
const PRICE: u64 = 100;

/// `requestPayment` on an `orderStr`, or IAP Kit's purchase sheet.
pub(crate) fn open(sandbox: &Sandbox, order_info: &Value, merchant: Option<&str>) -> Result<String, String> {
    let now = sandbox.now();
    let mut state = sandbox.state();
    if order_info["productId"].is_string() {
        let merchant = state.merchant_named(merchant).ok_or("no such app")?;
        let keys = &merchant.keys.huawei;
        let number = order_info["developerPayload"].as_str().ok_or("developerPayload")?.to_owned();
        if state.find(Provider::Huawei, &keys.id, &number).is_none() {
            let mut trade = Trade::begin(Provider::Huawei, Wire::HuaweiIap, &keys.id, &number, PRICE, None, now);
            trade.appid.clone_from(&keys.app_id);
            trade.transaction_id = Some(format!("17{}", random_text(18, DIGITS)));
            trade.prepay_id = Some(random_text(40, ALNUM));
            trade.request = order_info.clone();
            state.add(trade);
        }
        return Ok(number);
    }
    let text = order_info.as_str().ok_or("orderStr is one text")?;
    let order: Value = serde_json::from_str(text).map_err(|_| "orderStr is not JSON")?;
    let merchant = state.merchant(Provider::Huawei, order["merc_no"].as_str().unwrap_or_default()).ok_or("merc_no")?;
    let spki = crypto::der(&merchant.keys.huawei.mch_public_key).unwrap_or_default();
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
pub(crate) fn client_result(sandbox: &Sandbox, trade: &Trade) -> Value {
    let Some(merchant) = sandbox.state().merchant(Provider::Huawei, &trade.merchant) else { return Value::Null };
    if trade.wire != Wire::HuaweiIap {
        return json!({ "errMsg": "requestPayment:ok" });
    }
    let claims = iap::claims(trade, sandbox.now());
    json!({
        "jwsPurchaseOrder": merchant.keys.huawei.authority.sign(&claims),
        "purchaseOrderId": trade.transaction_id, "purchaseToken": trade.prepay_id,
    })
}

/// Writes and signs a callback.
pub(crate) fn notify(notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest {
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
    body["sign"] = json!(merchant.keys.huawei.sign(&canonical(&without(&body, "sign"))));
    let headers = vec![("content-type".to_owned(), "application/json; charset=UTF-8".to_owned())];
    SignedRequest { method: "POST".to_owned(), url: notice.url.to_owned(), headers, body: body.to_string() }
}

/// Exactly these words are an acknowledgement.
pub(crate) fn accepted(status: u16, body: &str) -> bool {
    status == 200 && body == r#"{"resultCode":"000000","resultDesc":"Success."}"#
}

/// True for a callback of this module.
pub(crate) fn wrote(request: &SignedRequest) -> bool {
    request.body.contains("\"callbackId\"")
}

/// Spoils a callback.
pub(crate) fn forge(_sandbox: &Sandbox, request: &mut SignedRequest, how: Forgery) {
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
