//! An epay site, v1 with MD5 and v2 with RSA, told apart by the signature's type or the path.

use super::{Account, is_paid, refunded};
use crate::crypto::{self, DIGITS, md5_hex, random_text};
use crate::desk::{Fields, PlainText};
use crate::faults::{Misbehaviour, Op};
use crate::forgery::Forgery;
use crate::ids;
use crate::ledger::{NewTrade, RefundState, Trade, TradeState};
use crate::merchant::Merchant;
use crate::outbox::{Notice, SignedRequest};
use crate::provider::{Provider, Wire};
use crate::sandbox::Sandbox;
use crate::state::State;
use crate::wire::{Answer, Call, Inbound};
use serde_json::{Value, json};

fn fields(inbound: &Inbound) -> Fields {
    let query = form_urlencoded::parse(inbound.query.as_bytes()).into_owned();
    query.chain(form_urlencoded::parse(&inbound.body).into_owned()).collect()
}

pub(super) fn call(inbound: &Inbound) -> Call {
    let fields = fields(inbound);
    let op = match (inbound.path.trim_start_matches("/epay/"), fields.get("act").map(String::as_str)) {
        ("mapi.php" | "api/pay/create", _) => Op::Create,
        ("api.php", Some("order")) | ("api/pay/query", _) => Op::Query,
        ("api.php", Some("refund")) | ("api/pay/refund", _) => Op::Refund,
        ("api/pay/refundquery", _) => Op::RefundQuery,
        _ => Op::Unknown,
    };
    let numbers = ["out_refund_no", "out_trade_no"].iter().filter_map(|name| fields.get(*name).cloned()).collect();
    Call { provider: Provider::Vkspay, op, numbers }
}

fn text_of(fields: &Fields) -> String {
    let kept =
        fields.iter().filter(|(name, value)| !["sign", "sign_type"].contains(&name.as_str()) && !value.is_empty());
    kept.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// True if the merchant signed, in the way that `sign_type` says.
fn signed(merchant: &Merchant, fields: &Fields) -> bool {
    let keys = &merchant.keys::<Account>().keys;
    let sign = fields.get("sign").map(String::as_str).unwrap_or_default();
    match fields.get("sign_type").map(String::as_str) {
        Some("RSA") => {
            let spki = crypto::der(&keys.mch_public_key).unwrap_or_default();
            crypto::verify(&spki, text_of(fields).as_bytes(), sign)
        }
        _ => md5_hex(format!("{}{}", text_of(fields), keys.key).as_bytes()) == sign,
    }
}

pub(super) fn handle(sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
    let fields = fields(inbound);
    let rsa = inbound.path.starts_with("/epay/api/");
    let merchant =
        sandbox.state().merchant(Provider::Vkspay, fields.get("pid").map(String::as_str).unwrap_or_default());
    let served = match &merchant {
        Some(merchant) => serve(sandbox, merchant, inbound, &fields, rsa, fault),
        None => Err("pid".to_owned()),
    };
    let mut body = served.unwrap_or_else(|message| json!({ "code": -1, "msg": message }));
    if let (true, Some(merchant)) = (rsa && body["code"] == 0, &merchant) {
        let mut signed = Fields::new();
        for (name, value) in body.as_object().into_iter().flatten() {
            signed.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        let key = match fault {
            Some(Misbehaviour::BadSignature) => sandbox.stranger().sign(text_of(&signed).as_bytes()),
            _ => merchant.keys::<Account>().platform.sign(text_of(&signed).as_bytes()),
        };
        if fault != Some(Misbehaviour::NoSignature) {
            body["sign"] = json!(key);
            body["sign_type"] = json!("RSA");
        }
    }
    let verdict = body["msg"].as_str().unwrap_or("SUCCESS").to_owned();
    Answer::new(200, "application/json", body.to_string(), &verdict)
}

fn serve(
    sandbox: &Sandbox,
    merchant: &Merchant,
    inbound: &Inbound,
    fields: &Fields,
    rsa: bool,
    fault: Option<Misbehaviour>,
) -> Result<Value, String> {
    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let keys = &merchant.keys::<Account>().keys;
    let by_key = inbound.path == "/epay/api.php";
    let right = if by_key { text("key") == keys.key } else { signed(merchant, fields) };
    if !right || rsa != (text("sign_type") == "RSA") && !by_key {
        return Err("sign".to_owned());
    }
    let now = sandbox.now();
    if rsa && text("timestamp").parse::<i64>().is_ok_and(|at| at.abs_diff(now / 1000) > 300) {
        return Err("timestamp".to_owned());
    }
    let mut state = sandbox.state();
    let found = state.find(Provider::Vkspay, &keys.id, text("out_trade_no"));
    match (inbound.path.trim_start_matches("/epay/"), text("act")) {
        ("mapi.php" | "api/pay/create", _) => create(&mut state, &keys.id, fields, rsa, now),
        ("api.php", "order") | ("api/pay/query", _) => {
            let mut order = order(state.current(found.ok_or("订单号不存在")?, now), fault);
            order["code"] = json!(good(rsa));
            Ok(order)
        }
        ("api.php", "refund") | ("api/pay/refund", _) => {
            let amount = money(fields)?;
            let at = found.ok_or("no such order")?;
            if let Some((_, r)) = state.find_refund(Provider::Vkspay, &keys.id, text("out_refund_no")).filter(|_| rsa) {
                let id = &state.trades[at].refunds.get(r).map(|refund| refund.refund_id.clone());
                return Ok(json!({ "code": 0, "refund_no": id }));
            }
            let trade = &state.trades[at];
            if trade.paid.is_none() || trade.refunded() + amount > trade.amount() {
                return Err("more than was paid".to_owned());
            }
            let id = format!("RF{}", random_text(16, DIGITS));
            let number = if rsa { text("out_refund_no") } else { id.as_str() };
            refunded(&mut state, at, (number, &id), amount, fault, now);
            Ok(if rsa { json!({ "code": 0, "refund_no": id }) } else { json!({ "code": 1, "msg": "ok" }) })
        }
        ("api/pay/refundquery", _) => {
            let (t, r) =
                state.find_refund(Provider::Vkspay, &keys.id, text("out_refund_no")).ok_or("no such refund")?;
            let refund = &state.trades[t].refunds[r];
            let status = u8::from(refund.state == RefundState::Success);
            Ok(json!({ "code": 0, "out_refund_no": refund.out_refund_no, "status": status }))
        }
        _ => Err("no such call".to_owned()),
    }
}

/// The code of a success: v2 says 0, v1 says 1.
const fn good(rsa: bool) -> u8 {
    if rsa { 0 } else { 1 }
}

fn money(fields: &Fields) -> Result<u64, &'static str> {
    let yuan = fields.get("money").map(String::as_str).unwrap_or_default();
    ids::fen(yuan).filter(|fen| *fen > 0 && ids::yuan(*fen) == yuan).ok_or("money")
}

fn create(state: &mut State, merchant: &str, fields: &Fields, rsa: bool, now: i64) -> Result<Value, String> {
    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    if text("name").is_empty() || text("name").len() > 127 || text("type").is_empty() {
        return Err("name or type".to_owned());
    }
    let (total, number) = (money(fields)?, text("out_trade_no"));
    let at = match state.find(Provider::Vkspay, merchant, number) {
        Some(at) if state.trades[at].paid.is_some() || state.trades[at].total != total => {
            return Err("the number is used".to_owned());
        }
        Some(at) => at,
        None => {
            let mut trade = Trade::begin(NewTrade {
                provider: Provider::Vkspay,
                wire: if rsa { Wire::EPAY_RSA } else { Wire::EPAY_MD5 },
                merchant,
                number,
                total,
                notify_url: Some(text("notify_url").to_owned()),
                now,
            });
            let id = format!("{}{}", ids::compact(now), random_text(5, DIGITS));
            trade.code_url = Some(format!("https://epay.example/pay/{id}"));
            trade.prepay_id = Some(id);
            trade.product = text("type").to_owned();
            trade.subject = text("name").to_owned();
            state.add(trade)
        }
    };
    let (id, link) = (&state.trades[at].prepay_id, &state.trades[at].code_url);
    Ok(match rsa {
        true => json!({ "code": good(rsa), "trade_no": id, "pay_type": "jump", "pay_info": link }),
        false => json!({ "code": good(rsa), "trade_no": id, "payurl": link }),
    })
}

/// How an order stands, without the code.
fn order(trade: &Trade, fault: Option<Misbehaviour>) -> Value {
    let status = match trade.state {
        TradeState::Refund if trade.returned() >= trade.amount() => 2,
        state => u8::from(is_paid(state)),
    };
    let mut order = json!({
        "trade_no": trade.prepay_id, "out_trade_no": trade.number, "status": status,
        "money": ids::yuan(trade.amount()), "type": trade.product,
    });
    match fault {
        Some(Misbehaviour::Contradict) => {
            order["status"] = json!(1);
            order["trade_status"] = json!("WAITING");
        }
        Some(Misbehaviour::Paying) => {
            order["status"] = json!(0);
            order["trade_status"] = json!("USERPAYING");
        }
        Some(Misbehaviour::Nest) => {
            if status == 1 {
                order["trade_status"] = json!("TRADE_SUCCESS");
            }
            order = json!({ "data": order });
        }
        _ => {}
    }
    order
}

/// A notice: GET, its amount cut as a script's float would.
pub(super) fn notify(notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest {
    let trade = notice.trade;
    let keys = &merchant.keys::<Account>().keys;
    let money = ids::yuan(trade.amount());
    let money = money.trim_end_matches('0').trim_end_matches('.').to_owned();
    let mut fields: Fields = [
        ("pid", keys.id.clone()),
        ("trade_no", trade.prepay_id.clone().unwrap_or_default()),
        ("out_trade_no", trade.number.clone()),
        ("type", trade.product.clone()),
        ("name", trade.subject.clone()),
        ("money", money),
        ("trade_status", "TRADE_SUCCESS".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let rsa = trade.wire == Wire::EPAY_RSA;
    if rsa {
        fields.insert("timestamp".to_owned(), (now / 1000).to_string());
    }
    let text = text_of(&fields);
    let sign = match rsa {
        true => merchant.keys::<Account>().platform.sign(text.as_bytes()),
        false => md5_hex(format!("{text}{}", keys.key).as_bytes()),
    };
    fields.insert("sign".to_owned(), sign);
    fields.insert("sign_type".to_owned(), if rsa { "RSA" } else { "MD5" }.to_owned());
    get(notice.url, &fields)
}

fn get(url: &str, fields: &Fields) -> SignedRequest {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    SignedRequest { method: "GET".to_owned(), url: format!("{url}?{query}"), headers: Vec::new(), body: String::new() }
}

/// Its callbacks sign their text as it stands; VksPay's own sign nothing.
pub(super) fn plain_text(merchant: &Merchant, wire: Wire) -> Option<PlainText<'_>> {
    let account: &Account = merchant.keys();
    let rsa = match wire {
        Wire::EPAY_RSA => true,
        Wire::EPAY_MD5 => false,
        _ => return None,
    };
    Some(PlainText {
        host: "name",
        read: |request| {
            let (_, query) = request.url.split_once('?').ok_or("no query")?;
            Ok(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
        },
        sign: Box::new(move |fields| {
            let text = text_of(fields);
            match rsa {
                true => account.platform.sign(text.as_bytes()),
                false => md5_hex(format!("{text}{}", account.keys.key).as_bytes()),
            }
        }),
        write: |genuine, fields| get(genuine.url.split('?').next().unwrap_or_default(), fields),
    })
}

pub(super) fn forge(sandbox: &Sandbox, request: &mut SignedRequest, how: Forgery) {
    let Some((url, query)) = request.url.clone().split_once('?').map(|(u, q)| (u.to_owned(), q.to_owned())) else {
        return;
    };
    let mut fields: Fields = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let rsa = fields.get("sign_type").is_some_and(|kind| kind == "RSA");
    let mut set = |name: &str, value: String| drop(fields.insert(name.to_owned(), value));
    match how {
        Forgery::BadSignature | Forgery::SignTest => set("sign", md5_hex(&crypto::random::<8>())),
        Forgery::AlteredAmount => set("money", "0.01".to_owned()),
        Forgery::EmptySignature => set("sign", String::new()),
        Forgery::Downgrade => set("sign_type", if rsa { "MD5" } else { "RSA" }.to_owned()),
        Forgery::OtherKey | Forgery::UnknownSerial => {
            let text = text_of(&fields);
            let sign = if rsa { sandbox.stranger().sign(text.as_bytes()) } else { md5_hex(text.as_bytes()) };
            fields.insert("sign".to_owned(), sign);
        }
        Forgery::NoSignature => drop(fields.remove("sign")),
        Forgery::OldTimestamp => {
            let seconds: i64 = fields.get("timestamp").and_then(|text| text.parse().ok()).unwrap_or_default();
            fields.insert("timestamp".to_owned(), (seconds - 600).to_string());
            let state = sandbox.state();
            let own = state.merchants.iter().find(|m| fields.get("pid") == Some(&m.keys::<Account>().keys.id));
            let own = own.expect("a registered merchant").clone();
            let sign = own.keys::<Account>().platform.sign(text_of(&fields).as_bytes());
            fields.insert("sign".to_owned(), sign);
        }
    }
    *request = get(&url, &fields);
}
