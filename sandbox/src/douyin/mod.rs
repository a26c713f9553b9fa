//! Douyin: ecpay, the trade system, tokens, login codes (douyin.md A and B). The open product is not simulated.

use crate::crypto::{self, ALNUM, DIGITS, RsaKey, b64, md5_hex, random, random_text, sha1_hex};
use crate::desk::{self, Sdk};
use crate::faults::{Misbehaviour, Op};
use crate::forgery::Forgery;
use crate::ids;
use crate::ledger::{NewTrade, RefundState, RefundWish, Trade, TradeState};
use crate::merchant::{Merchant, ProviderKeys, Seed};
use crate::outbox::{Notice, SignedRequest};
use crate::profile::Profile;
use crate::provider::{DouyinProduct, Mode, Provider, Wire};
use crate::sandbox::Sandbox;
use crate::state::State;
use crate::wire::{Answer, Call, Inbound};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

impl Wire {
    /// ecpay.
    const ECPAY: Self = Self::named("ecpay");
    /// The trade system.
    const TRADE_SYSTEM: Self = Self::named("trade_system");
}

/// The pauses are those of ecpay's pages.
const PROFILE: Profile = Profile {
    retry_ladder: &[15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600],
    ..Profile::USUAL
};

/// What both sides know of an application here.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Keys {
    /// The application's id.
    pub id: String,
    pub secret: String,
    pub mch_id: String,
    pub salt: String,
    pub token: String,
    pub app_private_key: String,
    pub app_public_key: String,
    pub platform_private_key: String,
    pub platform_public_key: String,
}

impl ProviderKeys for Keys {
    type Opened = Self;

    fn generate(seed: &Seed<'_>) -> Self {
        let (ours, theirs) = (&seed.ours, &seed.theirs);
        Self {
            id: format!("tt{}", hex::encode(random::<8>())),
            secret: hex::encode(random::<20>()),
            mch_id: random_text(20, DIGITS),
            salt: random_text(40, ALNUM),
            token: random_text(24, ALNUM),
            app_private_key: b64(&ours.pkcs8()),
            app_public_key: b64(&ours.spki()),
            platform_private_key: b64(&theirs.pkcs8()),
            platform_public_key: b64(&theirs.spki()),
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn open(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn config(&self, base: &str, mode: Mode) -> Value {
        let mut node = json!({ "appId": self.id, "secret": self.secret, "mchId": self.mch_id, "apiBase": base });
        let more = match mode.douyin {
            DouyinProduct::Ecpay | DouyinProduct::Douyinpay => json!({ "salt": self.salt, "token": self.token }),
            DouyinProduct::Trade => json!({
                "product": "trade",
                "appPrivateKeyContent": self.app_private_key,
                "platformPublicKeyContent": self.platform_public_key,
                "orderEntrySchema": { "path": "pages/order/index", "params": "{}" },
            }),
        };
        if let (Value::Object(node), Value::Object(more)) = (&mut node, more) {
            node.extend(more);
        }
        json!({ "mp-toutiao": node })
    }
}

impl Keys {
    fn client_token(&self) -> String {
        format!("clt.{}", sha1_hex(self.secret.as_bytes()))
    }
}

/// The desk.
pub(crate) struct Desk;

impl desk::Desk for Desk {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn call(&self, inbound: &Inbound) -> Option<Call> {
        let op = match inbound.path.as_str() {
            "/api/apps/ecpay/v1/create_order" => Op::Create,
            "/api/apps/ecpay/v1/query_order" | "/api/trade_basic/v1/developer/order_query/" => Op::Query,
            "/api/apps/ecpay/v1/create_refund" | "/api/trade_basic/v1/developer/refund_create/" => Op::Refund,
            "/api/apps/ecpay/v1/query_refund" | "/api/trade_basic/v1/developer/refund_query/" => Op::RefundQuery,
            "/api/apps/v2/jscode2session" | "/oauth/client_token/" => Op::Unknown,
            _ => return None,
        };
        let body: Value = serde_json::from_slice(&inbound.body).unwrap_or_default();
        let numbers = ["out_refund_no", "out_order_no"].iter().filter_map(|name| body[*name].as_str());
        Some(Call { provider: Provider::Douyin, op, numbers: numbers.map(str::to_owned).collect() })
    }

    fn handle(&self, sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
        let Ok(Value::Object(body)) = serde_json::from_slice(&inbound.body) else {
            return answer(&json!({ "err_no": 2, "err_tips": "not JSON" }));
        };
        let served = match inbound.path.as_str() {
            "/api/apps/v2/jscode2session" => login(sandbox, &body),
            "/oauth/client_token/" => token(sandbox, &body),
            path if path.starts_with("/api/apps/ecpay/") => ecpay(sandbox, path, &body, fault),
            path => trade(sandbox, inbound, path, &body, fault),
        };
        answer(&served.unwrap_or_else(|(code, tips)| json!({ "err_no": code, "err_tips": tips, "err_msg": tips })))
    }

    fn refuse(&self, _sandbox: &Sandbox, _inbound: &Inbound, what: Misbehaviour) -> Answer {
        let (code, tips) = match what {
            Misbehaviour::Refuse => (2008, "sign 校验不通过"),
            Misbehaviour::TooMany => (1000, "频繁"),
            _ => (1000, "系统繁忙"),
        };
        answer(&json!({ "err_no": code, "err_tips": tips, "err_msg": tips }))
    }

    fn notify(&self, notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest {
        let (trade, keys) = (notice.trade, merchant.keys::<Keys>());
        let system = trade.wire == Wire::TRADE_SYSTEM;
        let msg = match (notice.refund.map(|r| &trade.refunds[r]), system) {
            (None, false) => json!({
                "appid": keys.id, "cp_orderno": trade.number, "cp_extra": "", "way": "2", "payment_order_no": "PP1",
                "channel_no": "C1", "total_amount": trade.amount(), "status": "SUCCESS", "seller_uid": keys.mch_id,
                "item_id": "", "paid_at": trade.paid.unwrap_or_default() / 1000, "order_id": trade.transaction_id,
            }),
            (Some(refund), false) => json!({
                "appid": keys.id, "cp_refundno": refund.out_refund_no, "status": status(refund.state),
                "refund_amount": refund.amount, "is_all_settled": false, "refund_no": refund.refund_id,
                "refunded_at": refund.settled.unwrap_or_default() / 1000, "order_id": trade.transaction_id,
            }),
            (None, true) => json!({
                "app_id": keys.id, "out_order_no": trade.number, "order_id": trade.transaction_id, "status": "SUCCESS",
                "total_amount": trade.amount(), "discount_amount": 0, "pay_channel": 2, "event_time": trade.paid,
            }),
            (Some(refund), true) => json!({
                "app_id": keys.id, "out_refund_no": refund.out_refund_no, "refund_id": refund.refund_id,
                "refund_total_amount": refund.amount, "status": status(refund.state),
            }),
        };
        let kind = if notice.refund.is_some() { "refund" } else { "payment" };
        let (timestamp, nonce) = ((now / 1000).to_string(), random_text(16, ALNUM));
        let msg = msg.to_string();
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let body = if system {
            let body = json!({ "version": "3.0", "type": kind, "msg": msg }).to_string();
            let key = RsaKey::from_text(&keys.platform_private_key).expect("a key that the sandbox made");
            let signature = key.sign(format!("{timestamp}\n{nonce}\n{body}\n").as_bytes());
            headers.extend([
                ("Byte-Timestamp".to_owned(), timestamp),
                ("Byte-Nonce-Str".to_owned(), nonce),
                ("Byte-Signature".to_owned(), signature),
            ]);
            body
        } else {
            let mut parts = [keys.token.as_str(), &timestamp, &nonce, &msg];
            parts.sort_unstable();
            let signature = sha1_hex(parts.concat().as_bytes());
            json!({ "timestamp": timestamp, "nonce": nonce, "msg": msg, "type": kind, "msg_signature": signature })
                .to_string()
        };
        SignedRequest { method: "POST".to_owned(), url: notice.url.to_owned(), headers, body }
    }

    fn accepted(&self, _wire: Wire, status: u16, body: &str) -> bool {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        status == 200 && body["err_no"] == 0
    }

    fn wrote(&self, callback: &SignedRequest) -> bool {
        callback.header("byte-signature").is_some() || callback.body.contains("\"msg_signature\"")
    }

    fn forge(&self, sandbox: &Sandbox, request: &mut SignedRequest, how: Forgery) {
        if let Some(signature) = request.header("byte-signature").map(str::to_owned) {
            match how {
                Forgery::BadSignature | Forgery::SignTest => {
                    request.set_header("Byte-Signature", &b64(&random::<256>()))
                }
                Forgery::OtherKey | Forgery::UnknownSerial => {
                    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
                    let text =
                        format!("{}\n{}\n{}\n", header("byte-timestamp"), header("byte-nonce-str"), request.body);
                    let signature = sandbox.stranger().sign(text.as_bytes());
                    request.set_header("Byte-Signature", &signature);
                }
                Forgery::AlteredAmount => {
                    request.body = request.body.replace("total_amount\\\":", "total_amount\\\":1")
                }
                Forgery::NoSignature => request.drop_header("Byte-Signature"),
                Forgery::EmptySignature => request.set_header("Byte-Signature", ""),
                Forgery::Downgrade => request.set_header("Byte-Signature", &signature[..20]),
                Forgery::OldTimestamp => unreachable!("nobody is told to look at Douyin's time"),
            }
            return;
        }
        let mut body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        match how {
            Forgery::BadSignature | Forgery::SignTest | Forgery::OtherKey | Forgery::UnknownSerial => {
                body["msg_signature"] = json!(sha1_hex(&random::<8>()));
            }
            Forgery::AlteredAmount => {
                let msg = body["msg"].as_str().unwrap_or_default().replace("amount\":", "amount\":1");
                body["msg"] = json!(msg);
            }
            Forgery::NoSignature => drop(body.as_object_mut().and_then(|body| body.remove("msg_signature"))),
            Forgery::EmptySignature | Forgery::Downgrade => body["msg_signature"] = json!(""),
            Forgery::OldTimestamp => unreachable!("nobody is told to look at Douyin's time"),
        }
        request.body = body.to_string();
    }

    fn sdk(&self) -> Option<&dyn Sdk> {
        Some(self)
    }
}

impl Sdk for Desk {
    /// `tt.pay`, or `tt.requestOrder` with what the server signed.
    fn open(&self, sandbox: &Sandbox, order_info: &Value, _merchant: Option<&str>) -> Result<String, String> {
        let now = sandbox.now();
        let mut state = sandbox.state();
        if let Some(id) = order_info["order_id"].as_str() {
            let trade =
                state.trades.iter().find(|t| t.provider == Provider::Douyin && t.transaction_id.as_deref() == Some(id));
            let trade = trade.filter(|t| t.prepay_id.as_deref() == order_info["order_token"].as_str());
            return trade.map(|t| t.number.clone()).ok_or_else(|| "no such order".to_owned());
        }
        let data = order_info["data"].as_str().ok_or("no data")?;
        let authorization = order_info["byteAuthorization"].as_str().ok_or("no byteAuthorization")?;
        let fields: std::collections::HashMap<&str, &str> = authorization
            .strip_prefix("SHA256-RSA2048 ")
            .ok_or("scheme")?
            .split(',')
            .filter_map(|part| part.split_once('='))
            .collect();
        let get = |name: &str| fields.get(name).copied().unwrap_or_default();
        let merchant = state.merchant(Provider::Douyin, get("appid")).ok_or("appid")?;
        let keys = merchant.keys::<Keys>();
        let signed = format!("POST\n/requestOrder\n{}\n{}\n{data}\n", get("timestamp"), get("nonce_str"));
        let spki = crypto::der(&keys.app_public_key).unwrap_or_default();
        if !crypto::verify(&spki, signed.as_bytes(), get("signature")) {
            return Err("the signature is wrong".to_owned());
        }
        let order: Value = serde_json::from_str(data).map_err(|_| "data is not JSON")?;
        let number = order["outOrderNo"].as_str().filter(|no| !no.is_empty()).ok_or("outOrderNo")?.to_owned();
        let total = order["totalAmount"].as_u64().filter(|n| *n > 0).ok_or("totalAmount")?;
        if order["skuList"].as_array().is_none_or(Vec::is_empty) || order["orderEntrySchema"]["path"].as_str().is_none()
        {
            return Err("skuList or orderEntrySchema".to_owned());
        }
        if state.find(Provider::Douyin, &keys.id, &number).is_none() {
            let mut trade = Trade::begin(NewTrade {
                provider: Provider::Douyin,
                wire: Wire::TRADE_SYSTEM,
                merchant: &keys.id,
                number: &number,
                total,
                notify_url: order["payNotifyUrl"].as_str().map(str::to_owned),
                now,
            });
            trade.transaction_id = Some(format!("ots{}", random_text(19, DIGITS)));
            trade.request = order;
            state.add(trade);
        }
        Ok(number)
    }

    /// The client learns only that it went well.
    fn result(&self, _sandbox: &Sandbox, _trade: &Trade) -> Value {
        json!({ "code": 0 })
    }
}

fn answer(body: &Value) -> Answer {
    let verdict = match body["err_no"].as_i64() {
        Some(0) => "SUCCESS".to_owned(),
        code => format!("{code:?} {}", body["err_tips"].as_str().unwrap_or_default()),
    };
    Answer::new(200, "application/json", body.to_string(), &verdict)
}

type Refused = (i64, &'static str);

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn login(sandbox: &Sandbox, body: &Map<String, Value>) -> Result<Value, Refused> {
    let merchant = sandbox.state().merchant(Provider::Douyin, text(body, "appid")).ok_or((40_015, "appid"))?;
    let code = text(body, "code");
    if text(body, "secret") != merchant.keys::<Keys>().secret {
        return Err((40_017, "secret"));
    }
    if code.is_empty() || code.starts_with("bad") {
        return Err((40_018, "bad code"));
    }
    let openid = format!("_000{}", &md5_hex(code.as_bytes())[..28]);
    Ok(json!({ "err_no": 0, "err_tips": "success", "data": {
        "openid": openid, "session_key": b64(&random::<16>()), "unionid": md5_hex(openid.as_bytes()),
    } }))
}

fn token(sandbox: &Sandbox, body: &Map<String, Value>) -> Result<Value, Refused> {
    let merchant =
        sandbox.state().merchant(Provider::Douyin, text(body, "client_key")).ok_or((10_003, "client_key"))?;
    if text(body, "client_secret") != merchant.keys::<Keys>().secret || text(body, "grant_type") != "client_credential"
    {
        return Err((10_013, "client_secret"));
    }
    Ok(json!({ "message": "success", "err_no": 0, "data": {
        "access_token": merchant.keys::<Keys>().client_token(), "expires_in": 7200, "error_code": 0, "description": "",
    } }))
}

/// ecpay's signature over a request.
fn sign(body: &Map<String, Value>, salt: &str) -> String {
    let skipped = ["sign", "app_id", "thirdparty_id", "other_settle_params"];
    let mut values = vec![salt.to_owned()];
    for (name, value) in body {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = value.trim().trim_matches('"').trim().to_owned();
        if !skipped.contains(&name.as_str()) && !value.is_empty() && value != "null" {
            values.push(value);
        }
    }
    values.sort();
    md5_hex(values.join("&").as_bytes())
}

fn ecpay(
    sandbox: &Sandbox,
    path: &str,
    body: &Map<String, Value>,
    fault: Option<Misbehaviour>,
) -> Result<Value, Refused> {
    let now = sandbox.now();
    let mut state = sandbox.state();
    let merchant = state.merchant(Provider::Douyin, text(body, "app_id")).ok_or((2000, "app_id"))?;
    let keys: &Keys = merchant.keys();
    if sign(body, &keys.salt) != text(body, "sign") {
        return Err((2008, "签名错误"));
    }
    let found = state.find(Provider::Douyin, &keys.id, text(body, "out_order_no"));
    match path.rsplit('/').next().unwrap_or_default() {
        "create_order" => create(&mut state, &keys.id, body, now),
        "query_order" => Ok(order(state.current(found.ok_or((2010, "订单不存在"))?, now), fault, now)),
        "create_refund" => {
            let refund_no = text(body, "out_refund_no");
            let amount = amount(body, "refund_amount").ok_or((2001, "refund_amount"))?;
            if let Some((t, r)) = state.find_refund(Provider::Douyin, &keys.id, refund_no) {
                let id = &state.trades[t].refunds[r].refund_id;
                return Ok(json!({ "err_no": 0, "err_tips": "受理成功", "refund_no": id }));
            }
            let at = found.ok_or((2010, "订单不存在"))?;
            let trade = &state.trades[at];
            if trade.paid.is_none() || trade.refunded() + amount > trade.amount() || text(body, "reason").is_empty() {
                return Err((2011, "退款金额超出"));
            }
            let id = random_text(19, DIGITS);
            state.refund_of(at, wish(body, &id, amount, sandbox.settles(fault, now)), now);
            Ok(json!({ "err_no": 0, "err_tips": "受理成功", "refund_no": id }))
        }
        _ => {
            let found = state.find_refund(Provider::Douyin, &keys.id, text(body, "out_refund_no"));
            let (t, r) = found.ok_or((2012, "退款单不存在"))?;
            let refund = &state.trades[t].refunds[r];
            Ok(json!({ "err_no": 0, "err_tips": "", "refundInfo": {
                "refund_no": refund.refund_id, "refund_amount": refund.amount, "refund_status": status(refund.state),
                "refunded_at": refund.settled.unwrap_or_default() / 1000,
            } }))
        }
    }
}

/// A positive amount.
fn amount(body: &Map<String, Value>, name: &str) -> Option<u64> {
    body.get(name).and_then(Value::as_u64).filter(|n| *n > 0)
}

/// The refund that a request asks for.
fn wish(body: &Map<String, Value>, id: &str, amount: u64, settles: Option<i64>) -> RefundWish {
    RefundWish {
        number: text(body, "out_refund_no").to_owned(),
        id: id.to_owned(),
        amount,
        notify_url: Some(text(body, "notify_url").to_owned()),
        settles,
    }
}

fn create(state: &mut State, merchant: &str, body: &Map<String, Value>, now: i64) -> Result<Value, Refused> {
    let number = text(body, "out_order_no");
    let total = amount(body, "total_amount").ok_or((2001, "total_amount"))?;
    let valid = body.get("valid_time").and_then(Value::as_i64).filter(|s| (300..=172_800).contains(s));
    let subject = text(body, "subject");
    let short = |text: &str| !text.is_empty() && text.len() <= 128 && text.chars().count() <= 42;
    if !short(subject) || !short(text(body, "body")) || number.is_empty() || number.len() > 64 {
        return Err((2001, "subject, body or out_order_no"));
    }
    if state.find(Provider::Douyin, merchant, number).is_some() {
        return Err((2002, "订单号重复"));
    }
    let mut trade = Trade::begin(NewTrade {
        provider: Provider::Douyin,
        wire: Wire::ECPAY,
        merchant,
        number,
        total,
        notify_url: Some(text(body, "notify_url").to_owned()),
        now,
    });
    trade.expires = now + valid.ok_or((2001, "valid_time"))? * 1000;
    trade.transaction_id = Some(format!("N{}", random_text(18, DIGITS)));
    trade.prepay_id = Some(random_text(40, ALNUM));
    trade.subject = subject.to_owned();
    let data = json!({ "order_id": trade.transaction_id, "order_token": trade.prepay_id });
    state.add(trade);
    Ok(json!({ "err_no": 0, "err_tips": "", "data": data }))
}

/// How an order stands at ecpay.
fn order(trade: &Trade, fault: Option<Misbehaviour>, now: i64) -> Value {
    let (status, paid) = match trade.state {
        _ if fault == Some(Misbehaviour::Contradict) => ("TIMEOUT", Some(now)),
        TradeState::Success | TradeState::Refund => ("SUCCESS", trade.paid),
        TradeState::Closed => ("TIMEOUT", trade.paid),
        _ => ("PROCESSING", trade.paid),
    };
    json!({ "err_no": 0, "err_tips": "", "out_order_no": trade.number, "order_id": trade.transaction_id,
        "payment_info": { "total_fee": trade.amount(), "order_status": status, "way": 2,
            "pay_time": paid.map(ids::spaced).unwrap_or_default() } })
}

const fn status(state: RefundState) -> &'static str {
    match state {
        RefundState::Success => "SUCCESS",
        RefundState::Processing => "PROCESSING",
        RefundState::Closed | RefundState::Abnormal => "FAIL",
    }
}

fn trade(
    sandbox: &Sandbox,
    inbound: &Inbound,
    path: &str,
    body: &Map<String, Value>,
    fault: Option<Misbehaviour>,
) -> Result<Value, Refused> {
    let now = sandbox.now();
    let mut state = sandbox.state();
    let token = inbound.header("access-token").unwrap_or_default();
    let merchant = state.merchants.iter().find(|m| m.keys::<Keys>().client_token() == token).cloned();
    let merchant = merchant.ok_or((28_001_003, "access_token 无效"))?;
    let keys = merchant.keys::<Keys>();
    let found = state
        .find(Provider::Douyin, &keys.id, text(body, "out_order_no"))
        .or_else(|| state.find_transaction(&keys.id, text(body, "order_id")));
    let data = match path.trim_end_matches('/').rsplit('/').next().unwrap_or_default() {
        "order_query" => {
            let trade = state.current(found.ok_or((10_001, "订单不存在"))?, now);
            let contradicts = fault == Some(Misbehaviour::Contradict);
            let paid = contradicts || matches!(trade.state, TradeState::Success | TradeState::Refund);
            json!({
                "status": contradicts.then_some("CANCEL"),
                "out_order_no": trade.number, "order_id": trade.transaction_id, "total_amount": trade.amount(),
                "pay_status": if paid { "SUCCESS" } else { "PROCESS" },
                "item_order_list": [{ "item_order_id": format!("I{}", trade.number), "sku_id": "sku", "item_order_amount": trade.amount() }],
            })
        }
        "refund_create" => {
            let at = found.ok_or((10_001, "订单不存在"))?;
            let amount = amount(body, "refund_total_amount").ok_or((10_002, "refund_total_amount"))?;
            let parts: u64 = body
                .get("item_order_detail")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|item| item["refund_amount"].as_u64())
                .sum();
            let trade = &state.trades[at];
            if parts != amount || trade.paid.is_none() || trade.refunded() + amount > trade.amount() {
                return Err((10_003, "退款金额超出"));
            }
            let id = format!("motb{}", random_text(19, DIGITS));
            state.refund_of(at, wish(body, &id, amount, sandbox.settles(fault, now)), now);
            json!({ "refund_id": id, "refund_audit_deadline": now + 86_400_000 })
        }
        _ => {
            let found = state.find_refund(Provider::Douyin, &keys.id, text(body, "out_refund_no"));
            let (t, r) = found.ok_or((10_004, "退款单不存在"))?;
            let refund = &state.trades[t].refunds[r];
            json!({ "refund_id": refund.refund_id, "refund_status": status(refund.state), "refund_total_amount": refund.amount })
        }
    };
    Ok(json!({ "err_no": 0, "err_msg": "", "log_id": ids::uuid(), "data": data }))
}
