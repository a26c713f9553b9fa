//! WeChat's virtual payment: `/xpay/…`, access tokens, login codes, message push (wechat.md 6).

use crate::common::mini_program::{PushKeys, Spoilt, access_token, push, spoil_push};
use crate::complaints::{Complaint, ComplaintState};
use crate::crypto::{ALNUM, DIGITS, b64, hmac_hex, md5_hex, random, random_text};
use crate::desk::{self, Sdk};
use crate::faults::{Misbehaviour, Op};
use crate::forgery::Forgery;
use crate::ledger::{NewTrade, Refund, RefundState, RefundWish, Trade, TradeState};
use crate::merchant::{Merchant, ProviderKeys, Seed};
use crate::outbox::{Notice, SignedRequest};
use crate::profile::Profile;
use crate::provider::{Mode, Provider, Wire};
use crate::sandbox::Sandbox;
use crate::state::State;
use crate::wire::{Answer, Call, Inbound};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

impl Wire {
    /// Callbacks in plain mode.
    const VIRTUAL_PLAIN: Self = Self::named("virtual_plain");
    /// Callbacks in safe mode.
    const VIRTUAL_SAFE: Self = Self::named("virtual_safe");
}

/// A push that is not acknowledged comes again at most 15 times.
const PROFILE: Profile = Profile {
    retry_ladder: &[2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768],
    ..Profile::USUAL
};

/// What both sides know of a mini program here.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Keys {
    /// The mini program's app id.
    pub id: String,
    pub secret: String,
    pub offer_id: String,
    pub app_key: String,
    pub sandbox_app_key: String,
    pub token: String,
    pub encoding_aes_key: String,
}

impl ProviderKeys for Keys {
    type Opened = Self;

    fn generate(_seed: &Seed<'_>) -> Self {
        Self {
            id: format!("wx{}", hex::encode(random::<8>())),
            secret: random_text(32, ALNUM),
            offer_id: random_text(10, DIGITS),
            app_key: random_text(32, ALNUM),
            sandbox_app_key: random_text(32, ALNUM),
            token: random_text(16, ALNUM),
            encoding_aes_key: random_text(43, ALNUM),
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn open(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn apps(&self) -> Vec<(String, String)> {
        vec![(self.id.clone(), self.secret.clone())]
    }

    fn config(&self, base: &str, mode: Mode) -> Value {
        let mut node = json!({
            "appId": self.id,
            "secret": self.secret,
            "offerId": self.offer_id,
            "appKey": self.app_key,
            "sandboxAppKey": self.sandbox_app_key,
            "rate": 100,
            "token": self.token,
            "apiBase": base,
        });
        if !mode.virtual_plain {
            node["encodingAESKey"] = json!(self.encoding_aes_key);
        }
        json!({ "mp-weixin": node })
    }
}

impl Keys {
    /// The session key of a payer, the same at each login.
    pub fn session_of(&self, openid: &str) -> String {
        b64(&hmac_hex(self.secret.as_bytes(), openid.as_bytes()).as_bytes()[..16])
    }

    fn access_token(&self, generation: u64) -> String {
        access_token(&self.id, &self.secret, generation)
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
            "/xpay/query_order" => {
                let body: Value = serde_json::from_slice(&inbound.body).unwrap_or_default();
                // A refund is asked for by the same call.
                if body["order_id"].as_str().is_some_and(|no| no.contains("-")) { Op::RefundQuery } else { Op::Query }
            }
            "/xpay/refund_order" => Op::Refund,
            "/xpay/get_complaint_list" => Op::Complaints,
            "/xpay/get_complaint_detail" | "/xpay/get_negotiation_history" => Op::ComplaintQuery,
            "/xpay/response_complaint" => Op::ComplaintAnswer,
            "/xpay/complete_complaint" => Op::ComplaintEnd,
            path if path.starts_with("/xpay/") || path.starts_with("/sns/") || path == "/cgi-bin/stable_token" => {
                Op::Unknown
            }
            _ => return None,
        };
        let body: Value = serde_json::from_slice(&inbound.body).unwrap_or_default();
        let numbers = ["refund_order_id", "order_id", "complaint_id"].iter().filter_map(|name| body[*name].as_str());
        Some(Call { provider: Provider::WxpayVirtual, op, numbers: numbers.map(str::to_owned).collect() })
    }

    fn handle(&self, sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
        let served = match inbound.path.as_str() {
            "/cgi-bin/stable_token" => stable_token(sandbox, inbound),
            "/sns/jscode2session" | "/sns/oauth2/access_token" => login(sandbox, inbound),
            _ => xpay(sandbox, inbound, fault),
        };
        answer(&served.unwrap_or_else(|(code, message)| json!({ "errcode": code, "errmsg": message })))
    }

    fn refuse(&self, _sandbox: &Sandbox, _inbound: &Inbound, what: Misbehaviour) -> Answer {
        if what == Misbehaviour::Refuse {
            return answer(&json!({ "errcode": 268_490_002, "errmsg": "invalid parameter" }));
        }
        if what == Misbehaviour::AddressRefused {
            let words =
                "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 6583f22d-35b1b023-4a6d02b6";
            return answer(&json!({ "errcode": 40_164, "errmsg": words }));
        }
        let code = if what == Misbehaviour::TooMany { 268_490_015 } else { -1 };
        answer(&json!({ "errcode": code, "errmsg": "system busy" }))
    }

    fn notify(&self, notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest {
        let keys = merchant.keys::<Keys>();
        let safe = notice.trade.wire != Wire::VIRTUAL_PLAIN;
        let keys =
            PushKeys { app_id: &keys.id, token: &keys.token, key: safe.then_some(keys.encoding_aes_key.as_str()) };
        let (query, body) = push(&keys, &message(notice), now);
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        SignedRequest { method: "POST".to_owned(), url: format!("{}?{query}", notice.url), headers, body }
    }

    fn accepted(&self, _wire: Wire, status: u16, body: &str) -> bool {
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        status == 200
            && (json["ErrCode"] == 0 || body.contains("<ErrCode>0</ErrCode>") || body.is_empty() || body == "success")
    }

    fn wrote(&self, callback: &SignedRequest) -> bool {
        callback.url.contains("/wxpay-virtual") && callback.url.contains("signature=")
    }

    fn fits(&self, callback: &SignedRequest, how: Forgery) -> bool {
        match how {
            Forgery::OldTimestamp => false,
            Forgery::Downgrade => callback.url.contains("msg_signature="),
            _ => true,
        }
    }

    fn forge(&self, _sandbox: &Sandbox, request: &mut SignedRequest, how: Forgery) {
        let Some((url, query)) = request.url.split_once('?') else { return };
        let how = match how {
            Forgery::BadSignature | Forgery::SignTest | Forgery::OtherKey | Forgery::UnknownSerial => Spoilt::Signature,
            Forgery::NoSignature => Spoilt::Unsigned,
            Forgery::EmptySignature => Spoilt::Empty,
            Forgery::Downgrade => Spoilt::Downgraded,
            Forgery::AlteredAmount => Spoilt::Altered,
            Forgery::OldTimestamp => unreachable!("nobody is told to look at the time of a push"),
        };
        let (query, body) = spoil_push(query, &request.body, how);
        request.url = format!("{url}?{query}");
        request.body = body;
    }

    fn sdk(&self) -> Option<&dyn Sdk> {
        Some(self)
    }
}

impl Sdk for Desk {
    /// `wx.requestVirtualPayment`: checks both signatures and books the order.
    fn open(&self, sandbox: &Sandbox, order_info: &Value, _merchant: Option<&str>) -> Result<String, String> {
        let text = |name: &str| order_info[name].as_str().ok_or_else(|| format!("no {name}"));
        let sign_data = text("signData")?;
        let data: Map<String, Value> = serde_json::from_str(sign_data).map_err(|_| "signData is not JSON")?;
        let now = sandbox.now();
        let mut state = sandbox.state();
        let offer = data.get("offerId").and_then(Value::as_str).unwrap_or_default();
        let merchant =
            state.merchants.iter().find(|m| m.keys::<Keys>().offer_id == offer).cloned().ok_or("-15001 offerId")?;
        let keys = merchant.keys::<Keys>();
        let env = data.get("env").and_then(Value::as_u64).unwrap_or(0);
        let app_key = if env == 0 { &keys.app_key } else { &keys.sandbox_app_key };
        if hmac_hex(app_key.as_bytes(), format!("requestVirtualPayment&{sign_data}").as_bytes()) != text("paySig")? {
            return Err("-15006 paySig".to_owned());
        }
        let number = data.get("outTradeNo").and_then(Value::as_str).unwrap_or_default().to_owned();
        let plain = number.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-|*@".contains(&b));
        if !(8..=32).contains(&number.len()) || !plain || data.get("currencyType") != Some(&json!("CNY")) {
            return Err("-15001 outTradeNo or currencyType".to_owned());
        }
        let quantity =
            data.get("buyQuantity").and_then(Value::as_u64).filter(|n| *n > 0).ok_or("-15001 buyQuantity")?;
        let total = match text("mode")? {
            "short_series_goods" => {
                let price = data.get("goodsPrice").and_then(Value::as_u64).ok_or("-15013 goodsPrice")?;
                data.get("productId").and_then(Value::as_str).ok_or("-15001 productId")?;
                price * quantity
            }
            "short_series_coin" => quantity,
            _ => return Err("-15001 mode".to_owned()),
        };
        // The payer is whose session signed, among those who have logged in.
        let signature = text("signature")?;
        let signed = |openid: &str| hmac_hex(keys.session_of(openid).as_bytes(), sign_data.as_bytes()) == signature;
        let payer = state.logins.iter().find(|(app, openid)| *app == keys.id && signed(openid));
        let payer = Some(payer.ok_or("-15005 signature")?.1.clone());
        if state.find(Provider::WxpayVirtual, &keys.id, &number).is_some_and(|at| state.trades[at].paid.is_some()) {
            return Err("-15002 outTradeNo".to_owned());
        }
        if state.find(Provider::WxpayVirtual, &keys.id, &number).is_none() {
            let url = state.console_url(&merchant, Provider::WxpayVirtual);
            let safe = !state.plain_pushes.contains(&merchant.id);
            let wire = if safe { Wire::VIRTUAL_SAFE } else { Wire::VIRTUAL_PLAIN };
            let mut trade = Trade::begin(NewTrade {
                provider: Provider::WxpayVirtual,
                wire,
                merchant: &keys.id,
                number: &number,
                total,
                notify_url: url,
                now,
            });
            trade.product = text("mode")?.to_owned();
            trade.prepay_id = Some(format!("XO{}", random_text(20, DIGITS)));
            trade.payer = payer;
            trade.request = Value::Object(data);
            state.add(trade);
        }
        Ok(number)
    }

    /// The client learns only that it went well.
    fn result(&self, _sandbox: &Sandbox, _trade: &Trade) -> Value {
        json!({ "errMsg": "requestVirtualPayment:ok" })
    }
}

fn answer(body: &Value) -> Answer {
    let verdict = match body["errcode"].as_i64() {
        None | Some(0) => "SUCCESS".to_owned(),
        Some(code) => format!("{code} {}", body["errmsg"].as_str().unwrap_or_default()),
    };
    Answer::new(200, "application/json", body.to_string(), &verdict)
}

type Refused = (i64, &'static str);

fn stable_token(sandbox: &Sandbox, inbound: &Inbound) -> Result<Value, Refused> {
    let body: Value = serde_json::from_slice(&inbound.body).map_err(|_| (47_001, "data format error"))?;
    let appid = body["appid"].as_str().unwrap_or_default();
    let secret = body["secret"].as_str().unwrap_or_default();
    let state = sandbox.state();
    if !state.merchants.iter().any(|m| m.owns_app(appid)) {
        return Err((40_013, "invalid appid"));
    }
    if body["grant_type"] != "client_credential" || !state.merchants.iter().any(|m| m.has_app(appid, secret)) {
        return Err((40_125, "invalid appsecret"));
    }
    Ok(json!({ "access_token": access_token(appid, secret, state.token_generation), "expires_in": 7200 }))
}

/// A code is `<openid>` with a word in front, as the console hands it out; `bad…` is refused.
fn login(sandbox: &Sandbox, inbound: &Inbound) -> Result<Value, Refused> {
    let query: std::collections::HashMap<String, String> =
        form_urlencoded::parse(inbound.query.as_bytes()).into_owned().collect();
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let code = if get("js_code").is_empty() { get("code") } else { get("js_code") };
    let mut state = sandbox.state();
    let appid = get("appid");
    if !state.merchants.iter().any(|m| m.owns_app(appid)) {
        return Err((40_013, "invalid appid"));
    }
    if !state.merchants.iter().any(|m| m.has_app(appid, get("secret"))) {
        return Err((40_125, "invalid appsecret"));
    }
    if get("grant_type") != "authorization_code" || code.is_empty() || code.starts_with("bad") {
        return Err((40_029, "invalid code"));
    }
    let openid = format!("o{}", &md5_hex(format!("{appid}{code}").as_bytes())[..27]);
    if inbound.path == "/sns/oauth2/access_token" {
        return Ok(json!({
            "access_token": random_text(40, ALNUM), "expires_in": 7200, "refresh_token": random_text(40, ALNUM),
            "openid": openid, "scope": "snsapi_base",
        }));
    }
    state.logins.insert((appid.to_owned(), openid.clone()));
    let virtual_app = state.merchant(Provider::WxpayVirtual, appid);
    let key = virtual_app.map_or_else(|| b64(&random::<16>()), |m| m.keys::<Keys>().session_of(&openid));
    Ok(json!({ "openid": openid, "session_key": key, "unionid": format!("u{}", &openid[1..]) }))
}

fn xpay(sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Result<Value, Refused> {
    let query: std::collections::HashMap<String, String> =
        form_urlencoded::parse(inbound.query.as_bytes()).into_owned().collect();
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let state = sandbox.state();
    let merchant = state
        .merchants
        .iter()
        .find(|m| m.keys::<Keys>().access_token(state.token_generation) == get("access_token"))
        .cloned();
    drop(state);
    let merchant = merchant.ok_or((40_001, "invalid credential"))?;
    let keys = merchant.keys::<Keys>();
    let body: Value = serde_json::from_slice(&inbound.body).map_err(|_| (268_490_002, "params"))?;
    let env = body["env"].as_u64().filter(|env| *env < 2).ok_or((268_490_002, "env"))?;
    let app_key = if env == 0 { &keys.app_key } else { &keys.sandbox_app_key };
    let text = [inbound.path.as_bytes(), b"&", &inbound.body].concat();
    if hmac_hex(app_key.as_bytes(), &text) != get("pay_sig") {
        return Err((268_490_003, "pay_sig"));
    }
    let openid = body["openid"].as_str().unwrap_or_default();
    let needs_session = ["query_user_balance", "currency_pay", "cancel_currency_pay"]
        .iter()
        .any(|name| inbound.path == format!("/xpay/{name}"));
    if needs_session && hmac_hex(keys.session_of(openid).as_bytes(), &inbound.body) != get("signature") {
        return Err((268_490_009, "session_key"));
    }
    serve(sandbox, &merchant, inbound.path.trim_start_matches("/xpay/"), &body, env, fault)
}

fn serve(
    sandbox: &Sandbox,
    merchant: &Merchant,
    name: &str,
    body: &Value,
    env: u64,
    fault: Option<Misbehaviour>,
) -> Result<Value, Refused> {
    let now = sandbox.now();
    let mut state = sandbox.state();
    let id = &merchant.keys::<Keys>().id;
    let number = body["order_id"].as_str().unwrap_or_default();
    let found = state.find(Provider::WxpayVirtual, id, number);
    let missing = (268_490_002, "order not exist");
    match name {
        "query_order" => {
            let order = match found {
                Some(at) => order(state.current(at, now), env, fault),
                None => {
                    let (t, r) = state.find_refund(Provider::WxpayVirtual, id, number).ok_or(missing)?;
                    refund_order(&state.trades[t].refunds[r], env)
                }
            };
            Ok(json!({ "errcode": 0, "errmsg": "ok", "order": order }))
        }
        "refund_order" => {
            let wish = RefundWish {
                number: body["refund_order_id"].as_str().unwrap_or_default().to_owned(),
                id: format!("XR{}", random_text(20, DIGITS)),
                amount: body["refund_fee"].as_u64().unwrap_or_default(),
                notify_url: state.console_url(merchant, Provider::WxpayVirtual),
                settles: sandbox.settles(fault, now),
            };
            let (refund_no, refund_id) = (wish.number.clone(), wish.id.clone());
            refund(&mut state, found.ok_or(missing)?, wish, body["left_fee"].as_u64(), now)?;
            Ok(json!({
                "errcode": 0, "errmsg": "ok", "refund_order_id": refund_no, "refund_wx_order_id": refund_id,
                "pay_order_id": number,
            }))
        }
        "notify_provide_goods" => {
            let at = found.ok_or(missing)?;
            state.trades[at].attach = Some("delivered".to_owned());
            Ok(json!({ "errcode": 0, "errmsg": "ok" }))
        }
        "query_user_balance" => Ok(json!({
            "errcode": 0, "errmsg": "ok", "balance": 1000, "present_balance": 0, "sum_save": 1000, "sum_present": 0,
            "sum_balance": 1000, "sum_cost": 0, "first_save_flag": true,
        })),
        "currency_pay" if body["amount"].as_u64().is_some_and(|amount| amount > 1000) => {
            Err((268_490_006, "balance not enough"))
        }
        "currency_pay" => Ok(json!({
            "errcode": 0, "errmsg": "ok", "order_id": number, "balance": 1000, "used_present_amount": 0,
        })),
        "cancel_currency_pay" => Ok(json!({ "errcode": 0, "errmsg": "ok", "order_id": number })),
        name if name.contains("complaint") || name == "get_negotiation_history" => {
            complained(&mut state, id, name, body, now)
        }
        "present_currency" => Ok(json!({
            "errcode": 0, "errmsg": "ok", "order_id": number, "balance": 1000, "present_balance": 10,
        })),
        _ => Err((268_490_002, "no such call")),
    }
}

/// Complaints (merchant-operations.md).
fn complained(state: &mut State, id: &str, name: &str, body: &Value, now: i64) -> Result<Value, Refused> {
    let own = |c: &Complaint| c.provider == Provider::WxpayVirtual && c.merchant == id;
    let object = |state: &State, c: &Complaint| {
        let mut object = c.in_wechats_words(&state.trades[c.trade]);
        object["payer_phone"] = json!(c.phone);
        object["complaint_order_info"][0]["wxa_out_trade_no"] = json!(c.number);
        object
    };
    if name == "get_complaint_list" {
        let rows: Vec<Value> = state.complaints.iter().filter(|c| own(c)).map(|c| object(state, c)).collect();
        return Ok(json!({ "errcode": 0, "errmsg": "ok", "total": rows.len(), "complaints": rows }));
    }
    let wanted = body["complaint_id"].as_str().unwrap_or_default();
    let at = state.complaints.iter().position(|c| own(c) && c.id == wanted);
    match (name, at) {
        ("get_complaint_detail", None) => Ok(json!({ "errcode": 0, "errmsg": "ok" })),
        (_, None) => Err((268_490_002, "complaint_id")),
        ("get_complaint_detail", Some(at)) => {
            Ok(json!({ "errcode": 0, "errmsg": "ok", "complaint": object(state, &state.complaints[at]) }))
        }
        ("get_negotiation_history", Some(at)) => {
            let lines = state.complaints[at].lines_in_wechats_words();
            Ok(json!({ "errcode": 0, "errmsg": "ok", "total": lines.len(), "history": lines }))
        }
        ("response_complaint", Some(at)) => {
            let text = body["response_content"].as_str().filter(|text| !text.is_empty());
            let text = text.filter(|_| body["response_images"].is_array()).ok_or((268_490_002, "response_content"))?;
            state.complaints[at].answer(text, now);
            Ok(json!({ "errcode": 0, "errmsg": "ok" }))
        }
        ("complete_complaint", Some(at)) if state.complaints[at].state != ComplaintState::Processed => {
            state.complaints[at].end("MERCHANT_CONFIRM_COMPLETE", "", now);
            Ok(json!({ "errcode": 0, "errmsg": "ok" }))
        }
        _ => Err((268_490_002, "complaint state")),
    }
}

/// Enters a refund, if it may be; `left` is what the merchant thinks is left.
fn refund(state: &mut State, at: usize, wish: RefundWish, left: Option<u64>, now: i64) -> Result<(), Refused> {
    let plain = wish.number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !(8..=32).contains(&wish.number.len()) || !plain {
        return Err((268_490_002, "refund_order_id"));
    }
    if state.find_refund(Provider::WxpayVirtual, &state.trades[at].merchant, &wish.number).is_some() {
        return Err((268_490_004, "duplicate"));
    }
    let trade = state.current(at, now);
    let rest = trade.amount().saturating_sub(trade.refunded());
    if trade.paid.is_none() || left != Some(rest) {
        return Err((268_490_016, "left_fee"));
    }
    if wish.amount == 0 || wish.amount > rest {
        return Err((268_490_002, "refund_fee"));
    }
    state.refund_of(at, wish, now);
    Ok(())
}

fn refund_order(refund: &Refund, env: u64) -> Value {
    let status = match refund.state {
        RefundState::Success => 5,
        RefundState::Closed => 7,
        RefundState::Processing | RefundState::Abnormal => 1,
    };
    json!({
        "order_id": refund.out_refund_no, "order_type": 1, "status": status, "refund_fee": refund.amount,
        "wx_order_id": refund.refund_id, "env_type": env + 1,
    })
}

fn order(trade: &Trade, env: u64, fault: Option<Misbehaviour>) -> Value {
    let status = match trade.state {
        TradeState::Success | TradeState::Refund if trade.returned() >= trade.amount() && trade.paid.is_some() => 5,
        TradeState::Success | TradeState::Refund if trade.attach.as_deref() == Some("delivered") => 4,
        TradeState::Success | TradeState::Refund => 2,
        TradeState::Closed => 6,
        _ => 1,
    };
    let mut order = json!({
        "order_id": trade.number, "status": status, "order_fee": trade.amount(), "paid_fee": trade.amount(),
        "left_fee": trade.amount().saturating_sub(trade.refunded()), "env_type": env + 1, "order_type": 0,
        "paid_time": trade.paid.unwrap_or_default() / 1000, "wx_order_id": trade.prepay_id,
        "wxpay_order_id": trade.transaction_id,
    });
    if fault == Some(Misbehaviour::Contradict) {
        order["status"] = json!(2);
        order["paid_time"] = json!(0);
    }
    order
}

fn message(notice: &Notice<'_>) -> Value {
    let trade = notice.trade;
    let data = &trade.request;
    let mut message = json!({
        "ToUserName": "gh_0000", "FromUserName": trade.payer, "CreateTime": notice.created / 1000, "MsgType": "event",
    });
    if let Some(told) = notice.complaint {
        let complaint = &told.complaint;
        for (name, value) in [
            ("Event", json!("xpay_complaint_notify")),
            ("OpenId", json!(trade.payer)),
            ("WxOrderId", json!(trade.prepay_id)),
            ("MchOrderId", json!(trade.number)),
            ("TransactionId", json!(complaint.transaction_id)),
            ("ComplaintId", json!(complaint.id)),
            ("ComplaintDetail", json!(complaint.detail)),
            ("ComplaintTime", json!(complaint.created / 1000)),
            ("RetryTimes", json!(0)),
            ("RequestId", json!(notice.event_id)),
        ] {
            message[name] = value;
        }
        return message;
    }
    if let Some(r) = notice.refund {
        let refund = &trade.refunds[r];
        let code = i64::from(refund.state != RefundState::Success);
        for (name, value) in [
            ("Event", json!("xpay_refund_notify")),
            ("OpenId", json!(trade.payer)),
            ("WxRefundId", json!(refund.refund_id)),
            ("MchRefundId", json!(refund.out_refund_no)),
            ("WxOrderId", json!(trade.prepay_id)),
            ("MchOrderId", json!(trade.number)),
            ("RefundFee", json!(refund.amount)),
            ("RetCode", json!(code)),
            ("RetMsg", json!("ok")),
            ("RefundSuccTimestamp", json!(refund.settled.unwrap_or_default() / 1000)),
        ] {
            message[name] = value;
        }
        return message;
    }
    let goods = trade.product == "short_series_goods";
    message["Event"] = json!(if goods { "xpay_goods_deliver_notify" } else { "xpay_coin_pay_notify" });
    message["OpenId"] = json!(trade.payer);
    message["OutTradeNo"] = json!(trade.number);
    message["Env"] = data["env"].clone();
    message["WeChatPayInfo"] = json!({
        "MchOrderNo": trade.number, "TransactionId": trade.transaction_id,
        "PaidTime": trade.paid.unwrap_or_default() / 1000,
    });
    let mut info = json!({
        "Quantity": data["buyQuantity"], "OrigPrice": trade.amount(), "ActualPrice": trade.amount(),
        "Attach": data["attach"],
    });
    if goods {
        info["ProductId"] = data["productId"].clone();
    }
    message[if goods { "GoodsInfo" } else { "CoinInfo" }] = info;
    message
}
