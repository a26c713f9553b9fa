//! VksPay, one JSON endpoint below `/vkspay/api`, and an epay site below `/epay` (vkspay.md 2 and 5).

mod epay;

use crate::crypto::{self, ALNUM, DIGITS, RsaKey, b64, md5_hex, random_text};
use crate::desk::{self, PlainText, Sdk};
use crate::faults::{Misbehaviour, Op};
use crate::forgery::Forgery;
use crate::ids;
use crate::ledger::{NewTrade, RefundState, RefundWish, Trade, TradeState};
use crate::merchant::{Merchant, ProviderKeys, Seed};
use crate::outbox::{Notice, SignedRequest};
use crate::profile::Profile;
use crate::provider::{Epay, Mode, Provider, Wire};
use crate::sandbox::Sandbox;
use crate::state::State;
use crate::wire::{Answer, Call, Inbound};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

impl Wire {
    /// VksPay's own.
    const VKSPAY: Self = Self::named("vkspay");
    /// epay v1, MD5.
    const EPAY_MD5: Self = Self::named("epay_md5");
    /// epay v2, RSA.
    const EPAY_RSA: Self = Self::named("epay_rsa");
}

/// The pauses are about epay's; VksPay's are not public.
const PROFILE: Profile = Profile { retry_ladder: &[60, 180, 1200, 3600, 7200], ..Profile::USUAL };

/// What both sides know of a merchant here.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Keys {
    /// The store's number, and the epay site's `pid`.
    pub id: String,
    pub key: String,
    pub mch_private_key: String,
    pub mch_public_key: String,
    pub platform_private_key: String,
    pub platform_public_key: String,
}

impl ProviderKeys for Keys {
    type Opened = Account;

    fn generate(seed: &Seed<'_>) -> Self {
        let (ours, theirs) = (&seed.ours, &seed.theirs);
        Self {
            id: format!("1{}", random_text(6, DIGITS)),
            key: random_text(32, ALNUM),
            mch_private_key: b64(&ours.pkcs8()),
            mch_public_key: b64(&ours.spki()),
            platform_private_key: b64(&theirs.pkcs8()),
            platform_public_key: b64(&theirs.spki()),
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn open(&self) -> Option<Account> {
        Some(Account { keys: self.clone(), platform: RsaKey::from_text(&self.platform_private_key)? })
    }

    fn config(&self, base: &str, mode: Mode) -> Value {
        match mode.epay {
            Epay::No => json!({ "mchId": self.id, "key": self.key, "apiBase": format!("{base}/vkspay/api") }),
            Epay::Md5 => {
                json!({ "mchId": self.id, "key": self.key, "protocol": "epay", "apiBase": format!("{base}/epay") })
            }
            Epay::Rsa => json!({
                "mchId": self.id,
                "protocol": "epay",
                "signType": "RSA",
                "mchPrivateKey": self.mch_private_key,
                "platformPublicKey": self.platform_public_key,
                "apiBase": format!("{base}/epay"),
            }),
        }
    }
}

/// A merchant's keys, ready for use.
pub(crate) struct Account {
    keys: Keys,
    platform: RsaKey,
}

/// The desk.
pub(crate) struct Desk;

impl desk::Desk for Desk {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn call(&self, inbound: &Inbound) -> Option<Call> {
        if inbound.path.starts_with("/epay/") {
            return Some(epay::call(inbound));
        }
        if inbound.path != "/vkspay/api" {
            return None;
        }
        let body: Value = serde_json::from_slice(&inbound.body).unwrap_or_default();
        let op = match body["method"].as_str().unwrap_or_default() {
            "webpay" | "micropay" => Op::Create,
            "orderquery" => Op::Query,
            "orderrefund" => Op::Refund,
            "orderrefundquery" => Op::RefundQuery,
            _ => Op::Unknown,
        };
        let numbers = ["out_refund_no", "out_trade_no"].iter().filter_map(|name| body[*name].as_str());
        Some(Call { provider: Provider::Vkspay, op, numbers: numbers.map(str::to_owned).collect() })
    }

    fn handle(&self, sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
        if inbound.path.starts_with("/epay/") {
            return epay::handle(sandbox, inbound, fault);
        }
        let Ok(Value::Object(body)) = serde_json::from_slice(&inbound.body) else {
            return answer(&fail("not JSON"));
        };
        answer(&serve(sandbox, &body, fault).unwrap_or_else(|message| fail(&message)))
    }

    fn refuse(&self, _sandbox: &Sandbox, inbound: &Inbound, what: Misbehaviour) -> Answer {
        if what == Misbehaviour::Refuse {
            let body = match inbound.path.starts_with("/epay/") {
                true => json!({ "code": -4, "msg": "请求过于频繁" }),
                false => fail("签名错误"),
            };
            return Answer::new(200, "application/json", body.to_string(), "refused");
        }
        let status = if what == Misbehaviour::TooMany { 429 } else { 500 };
        Answer::new(status, "text/plain", "busy", "busy")
    }

    fn notify(&self, notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest {
        if notice.trade.wire != Wire::VKSPAY {
            return epay::notify(notice, merchant, now);
        }
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("out_trade_no", &notice.trade.number)
            .append_pair("merchantno", &notice.trade.merchant)
            .finish();
        form(notice.url, body)
    }

    fn accepted(&self, _wire: Wire, status: u16, body: &str) -> bool {
        status == 200 && (body.contains("success") || body.contains("SUCCESS"))
    }

    fn wrote(&self, callback: &SignedRequest) -> bool {
        callback.url.contains("/vkspay/") || callback.url.contains("/vkspay_")
    }

    fn fits(&self, callback: &SignedRequest, how: Forgery) -> bool {
        // Of these, epay RSA signs the time.
        how != Forgery::OldTimestamp || callback.url.contains("sign=") && callback.url.contains("timestamp=")
    }

    fn plain_text<'a>(&self, merchant: &'a Merchant, wire: Wire) -> Option<PlainText<'a>> {
        epay::plain_text(merchant, wire)
    }

    fn forge(&self, sandbox: &Sandbox, request: &mut SignedRequest, how: Forgery) {
        if request.url.contains("sign=") {
            epay::forge(sandbox, request, how);
        } else {
            let number = format!("V{}", crypto::random_text(20, DIGITS));
            request.body = format!("out_trade_no={number}");
        }
    }

    fn sdk(&self) -> Option<&dyn Sdk> {
        Some(self)
    }
}

impl Sdk for Desk {
    /// The payer opens the link.
    fn open(&self, sandbox: &Sandbox, order_info: &Value, _merchant: Option<&str>) -> Result<String, String> {
        let link = order_info["codeUrl"].as_str().ok_or("no codeUrl")?;
        let state = sandbox.state();
        let found =
            state.trades.iter().rev().find(|t| t.provider == Provider::Vkspay && t.code_url.as_deref() == Some(link));
        found.map(|trade| trade.number.clone()).ok_or_else(|| "no such link".to_owned())
    }
}

fn answer(body: &Value) -> Answer {
    let verdict = body["return_code"].as_str().unwrap_or("answered").to_owned();
    Answer::new(200, "application/json", body.to_string(), &verdict)
}

fn fail(message: &str) -> Value {
    json!({ "return_code": "FAIL", "return_msg": message })
}

/// The signature: every field but itself, sorted, then the key.
fn sign(body: &Map<String, Value>, key: &str) -> String {
    let mut fields: Vec<String> = body
        .iter()
        .filter(|(name, _)| *name != "sign")
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    fields.sort();
    fields.push(format!("key={key}"));
    md5_hex(fields.join("&").as_bytes())
}

fn serve(sandbox: &Sandbox, body: &Map<String, Value>, fault: Option<Misbehaviour>) -> Result<Value, String> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let now = sandbox.now();
    let mut state = sandbox.state();
    let merchant = state.merchant(Provider::Vkspay, text("merchantno")).ok_or("merchantno")?;
    if sign(body, &merchant.keys::<Account>().keys.key) != text("sign") {
        return Err("sign".to_owned());
    }
    let nonce = text("signaturenonce");
    if nonce.len() != 8 || !nonce.bytes().all(|b| (b'1'..=b'9').contains(&b)) || text("version") != "2.0" {
        return Err("signaturenonce or version".to_owned());
    }
    if body.get("timestamp").and_then(Value::as_i64).is_none_or(|at| at.abs_diff(now / 1000) > 600) {
        return Err("timestamp".to_owned());
    }
    let id = &merchant.keys::<Account>().keys.id;
    match text("method") {
        method @ ("webpay" | "micropay") => create(&mut state, id, body, method, now),
        "orderquery" => {
            let at = state.find(Provider::Vkspay, id, text("out_trade_no")).ok_or("no such order")?;
            query(state.current(at, now), fault)
        }
        "orderrefund" => {
            let amount = money(body, "refund_fee")?;
            let at = state.find(Provider::Vkspay, id, text("out_trade_no")).ok_or("no such order")?;
            let trade = &state.trades[at];
            if trade.paid.is_none() || trade.refunded() + amount > trade.amount() {
                return Err("more than was paid".to_owned());
            }
            let number = format!("R{}-{}{}", &id[..4], ids::compact(now), random_text(6, DIGITS));
            refunded(&mut state, at, (&number, &number), amount, fault, now);
            Ok(json!({ "return_code": "SUCCESS", "return_msg": "OK", "out_refund_no": number }))
        }
        "orderrefundquery" => {
            let (t, r) = state.find_refund(Provider::Vkspay, id, text("out_refund_no")).ok_or("no such refund")?;
            let trade = &state.trades[t];
            if trade.number != text("out_trade_no") || trade.refunds[r].state != RefundState::Success {
                return Err("not refunded".to_owned());
            }
            Ok(json!({ "return_code": "SUCCESS", "return_msg": "OK" }))
        }
        _ => Err("method".to_owned()),
    }
}

fn money(body: &Map<String, Value>, name: &str) -> Result<u64, String> {
    let yuan = body.get(name).and_then(Value::as_str).unwrap_or_default();
    ids::fen(yuan).filter(|fen| *fen > 0 && ids::yuan(*fen) == yuan).ok_or_else(|| name.to_owned())
}

fn create(
    state: &mut State,
    merchant: &str,
    body: &Map<String, Value>,
    method: &str,
    now: i64,
) -> Result<Value, String> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let total = money(body, "total_fee")?;
    let number = format!("V{}{}", ids::compact(now), random_text(10, DIGITS));
    let mut trade = Trade::begin(NewTrade {
        provider: Provider::Vkspay,
        wire: Wire::VKSPAY,
        merchant,
        number: &number,
        total,
        notify_url: Some(text("notify_url").to_owned()).filter(|url| !url.is_empty()),
        now,
    });
    let link = format!("https://pay.vkspay.example/q/{number}");
    trade.product = method.to_owned();
    trade.code_url = Some(link.clone());
    let at = state.add(trade);
    if method == "micropay" {
        if text("auth_code").is_empty() {
            return Err("auth_code".to_owned());
        }
        state.paid(at, None, None, now)?;
    }
    Ok(json!({
        "return_code": "SUCCESS", "return_msg": "OK", "data": { "out_trade_no": number, "qrcode": link },
    }))
}

fn query(trade: &Trade, fault: Option<Misbehaviour>) -> Result<Value, String> {
    let data = match fault {
        Some(Misbehaviour::Contradict) => json!({ "out_trade_no": trade.number, "trade_state": "NOTPAY" }),
        Some(Misbehaviour::Paying) => return Err("用户支付中".to_owned()),
        _ if trade.paid.is_none() => return Err("not paid".to_owned()),
        _ => json!({ "out_trade_no": trade.number, "total_fee": ids::yuan(trade.amount()) }),
    };
    Ok(json!({ "return_code": "SUCCESS", "return_msg": "OK", "data": data }))
}

/// Enters a refund, which is done at once and told of to nobody. `numbers` are the merchant's and the provider's.
fn refunded(state: &mut State, at: usize, numbers: (&str, &str), amount: u64, fault: Option<Misbehaviour>, now: i64) {
    let settles = (fault != Some(Misbehaviour::HoldRefund)).then_some(now);
    let (number, id) = (numbers.0.to_owned(), numbers.1.to_owned());
    state.refund_of(at, RefundWish { number, id, amount, notify_url: None, settles }, now);
    state.tick(now);
}

fn form(url: &str, body: String) -> SignedRequest {
    let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    SignedRequest { method: "POST".to_owned(), url: url.to_owned(), headers, body }
}

/// `paid` in the words of an order object.
const fn is_paid(state: TradeState) -> bool {
    matches!(state, TradeState::Success | TradeState::Refund)
}
