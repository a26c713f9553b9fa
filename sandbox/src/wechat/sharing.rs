//! Profit sharing over APIv3 (merchant-operations.md, Profit sharing): receivers, shares, their end, returns, what is left.

use super::v3::{Cx, Refusal, Reply};
use super::{auth, refunds, rules};
use crate::ids;
use crate::ledger::{Share, ShareReceiver, ShareReturn, Trade};
use crate::state::State;
use serde_json::{Map, Value, json};

/// So many shares can be asked of a payment, with so many receivers each; and so many returns of a share.
const MOST: usize = 50;

/// Whether an order is made to be shared.
pub(crate) fn flagged(request: &Value) -> bool {
    request.pointer("/settle_info/profit_sharing") == Some(&Value::Bool(true))
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(400, "INVALID_REQUEST", message, 268_435_461)
}

fn missing(message: &str) -> Refusal {
    Refusal::new(404, "RESOURCE_NOT_EXISTS", message, 268_512_771)
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The paid trade of a payment of this merchant that is made to be shared, as it stands now.
fn shared_trade(cx: &Cx<'_>, state: &mut State, id: &str, sub: Option<&str>, now: i64) -> Result<usize, Refusal> {
    let found = state.find_transaction(cx.mchid(), id);
    let own = |trade: &Trade| trade.paid.is_some() && trade.sub_merchant.as_deref() == sub;
    let at = found.filter(|at| own(&state.trades[*at])).ok_or_else(|| missing("订单不存在"))?;
    state.settle_sharing(at, now);
    match state.trades[at].sharing {
        Some(_) => Ok(at),
        None => Err(invalid("非分账订单不支持分账")),
    }
}

/// The share of a number of this merchant: its trade, and its place there.
fn find(state: &State, mchid: &str, number: &str) -> Option<(usize, usize)> {
    state.trades.iter().enumerate().filter(|(_, trade)| trade.merchant == mchid).find_map(|(t, trade)| {
        let shares = &trade.sharing.as_ref()?.shares;
        Some((t, shares.iter().position(|share| share.out_order_no == number)?))
    })
}

fn object(trade: &Trade, share: &Share) -> Value {
    let receivers: Vec<Value> = share
        .receivers
        .iter()
        .map(|r| {
            let mut told = json!({
                "amount": r.amount, "description": r.description, "type": r.kind, "account": r.account,
                "result": r.result, "detail_id": r.detail_id, "create_time": ids::rfc3339(share.created),
                "finish_time": ids::rfc3339(share.settles),
            });
            if let Some(why) = &r.fail_reason {
                told["fail_reason"] = json!(why);
            }
            told
        })
        .collect();
    let mut object = json!({
        "transaction_id": trade.transaction_id,
        "out_order_no": share.out_order_no,
        "order_id": share.order_id,
        "state": if share.finished { "FINISHED" } else { "PROCESSING" },
        "receivers": receivers,
    });
    if let Some(sub) = &trade.sub_merchant {
        object["sub_mchid"] = json!(sub);
    }
    object
}

/// Enters a share, or finds the same one again.
fn enter(cx: &Cx<'_>, body: &Map<String, Value>, receivers: &[Value], ends: bool) -> Reply {
    let now = cx.sandbox.now();
    let settles = now + cx.sandbox.scaled_ms(refunds::SETTLE_SECONDS);
    let request = Value::Object(body.clone());
    let sub = body.get("sub_mchid").and_then(Value::as_str);
    let mut state = cx.sandbox.state();
    let at = shared_trade(cx, &mut state, text(body, "transaction_id"), sub, now)?;
    let number = text(body, "out_order_no");
    if let Some((t, s)) = find(&state, cx.mchid(), number) {
        let trade = &state.trades[t];
        let share = trade.sharing.as_ref().map(|sharing| &sharing.shares[s]).ok_or_else(|| missing("记录不存在"))?;
        return match share.request == request {
            true => Ok(Some(object(trade, share))),
            false => Err(invalid("分账请求参数与原请求不一致")),
        };
    }
    let ratio = state.share_ratio;
    let trade = &state.trades[at];
    let (rest, sharing) = (trade.unsplit(), trade.sharing.as_ref().cloned().unwrap_or_default());
    if sharing.unfrozen {
        return Err(Refusal::new(403, "NOT_ENOUGH", "分账金额不足，订单剩余金额已解冻", 268_435_461));
    }
    if sharing.shares.len() >= MOST {
        return Err(Refusal::new(403, "RULE_LIMIT", "订单分账次数超过50次", 268_435_461));
    }
    let mut details: Vec<ShareReceiver> =
        receivers.iter().enumerate().map(|(i, given)| detail(given, now, i)).collect();
    let wanted: u64 = details.iter().map(|r| r.amount).sum();
    if wanted > rest {
        return Err(Refusal::new(403, "NOT_ENOUGH", "分账金额超过订单剩余可分金额", 268_435_461));
    }
    let others: u64 = details.iter().filter(|r| r.account != cx.mchid()).map(|r| r.amount).sum();
    if (sharing.given_away() + others) * 100 > trade.amount() * ratio {
        return Err(invalid("分账金额超过最大分账比例"));
    }
    if ends && rest > wanted {
        let own = json!({
            "type": "MERCHANT_ID", "account": sub.unwrap_or(cx.mchid()), "amount": rest - wanted,
            "description": "解冻给分账方",
        });
        details.push(ShareReceiver { own: true, ..detail(&own, now, details.len()) });
    }
    let share = Share {
        out_order_no: number.to_owned(),
        order_id: format!("3008{}", ids::transaction_id(now)),
        receivers: details,
        returns: Vec::new(),
        finished: false,
        created: now,
        settles,
        request,
    };
    let answer = object(trade, &share);
    if let Some(sharing) = &mut state.trades[at].sharing {
        sharing.unfrozen |= ends;
        sharing.shares.push(share);
    }
    Ok(Some(answer))
}

fn detail(given: &Value, now: i64, i: usize) -> ShareReceiver {
    let text = |name: &str| given[name].as_str().unwrap_or_default().to_owned();
    ShareReceiver {
        kind: text("type"),
        account: text("account"),
        amount: given["amount"].as_u64().unwrap_or_default(),
        description: text("description"),
        result: "PENDING".to_owned(),
        fail_reason: None,
        detail_id: format!("3601{}{i}", ids::transaction_id(now)),
        own: false,
    }
}

pub(crate) fn share(cx: &Cx<'_>) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::SHARE)?;
    let receivers = body.get("receivers").and_then(Value::as_array).cloned().unwrap_or_default();
    if receivers.len() > MOST {
        return Err(Refusal::param("分账接收方不能超过50个").field("/receivers", "body"));
    }
    let openid = receivers.iter().any(|r| r["type"] == "PERSONAL_OPENID");
    if openid && !cx.merchant.owns_appid(text(&body, "appid")) {
        return Err(Refusal::new(400, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系", 268_435_461));
    }
    let ends = body.get("unfreeze_unsplit") == Some(&Value::Bool(true));
    enter(cx, &body, &receivers, ends)
}

pub(crate) fn unfreeze(cx: &Cx<'_>) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::UNFREEZE)?;
    enter(cx, &body, &[], true)
}

pub(crate) fn query(cx: &Cx<'_>, number: &str) -> Reply {
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let (id, sub) = (cx.inbound.arg("transaction_id"), cx.inbound.arg("sub_mchid"));
    let (t, s) = find(&state, cx.mchid(), number).ok_or_else(|| missing("分账单不存在"))?;
    let trade = &state.trades[t];
    if trade.transaction_id != id || trade.sub_merchant != sub {
        return Err(missing("分账单不存在"));
    }
    state.settle_sharing(t, now);
    let trade = &state.trades[t];
    Ok(trade.sharing.as_ref().map(|sharing| object(trade, &sharing.shares[s])))
}

fn return_object(share: &Share, made: &ShareReturn) -> Value {
    let mut object = json!({
        "order_id": share.order_id,
        "out_order_no": share.out_order_no,
        "out_return_no": made.out_return_no,
        "return_id": made.return_id,
        "return_mchid": made.return_mchid,
        "amount": made.amount,
        "description": made.description,
        "result": made.result,
        "create_time": ids::rfc3339(made.created),
        "finish_time": ids::rfc3339(made.created),
    });
    if let Some(why) = &made.fail_reason {
        object["fail_reason"] = json!(why);
    }
    object
}

pub(crate) fn take_back(cx: &Cx<'_>) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::RETURN)?;
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let (number, account) = (text(&body, "out_return_no"), text(&body, "return_mchid"));
    let amount = body.get("amount").and_then(Value::as_u64).unwrap_or_default();
    let (t, s) = find(&state, cx.mchid(), text(&body, "out_order_no")).ok_or_else(|| missing("分账单不存在"))?;
    if state.trades[t].sub_merchant.as_deref() != body.get("sub_mchid").and_then(Value::as_str) {
        return Err(missing("分账单不存在"));
    }
    state.settle_sharing(t, now);
    let known = state.trades.iter().filter(|trade| trade.merchant == cx.mchid()).filter_map(|t| t.sharing.as_ref());
    let mut known =
        known.flat_map(|sharing| &sharing.shares).flat_map(|share| share.returns.iter().map(move |r| (share, r)));
    if let Some((share, made)) = known.find(|(_, made)| made.out_return_no == number) {
        let same = share.out_order_no == text(&body, "out_order_no")
            && (made.return_mchid.as_str(), made.amount) == (account, amount);
        return match same {
            true => Ok(Some(return_object(share, made))),
            false => Err(invalid("回退请求参数与原请求不一致")),
        };
    }
    let Some(share) = state.trades[t].sharing.as_mut().map(|sharing| &mut sharing.shares[s]) else {
        return Err(missing("分账单不存在"));
    };
    let given = share.receivers.iter().find(|r| r.account == account && r.kind == "MERCHANT_ID" && !r.own);
    let given = given.filter(|r| share.finished && r.result == "SUCCESS").map(|r| r.amount);
    let back: u64 =
        share.returns.iter().filter(|r| r.return_mchid == account && r.result != "FAILED").map(|r| r.amount).sum();
    match given {
        None => return Err(invalid("分账单状态不支持回退")),
        Some(given) if back + amount > given => return Err(invalid("回退金额超过分账金额")),
        Some(_) if share.returns.len() >= MOST => {
            return Err(Refusal::new(403, "RULE_LIMIT", "分账单回退次数超过50次", 268_435_461));
        }
        Some(_) => {}
    }
    share.returns.push(ShareReturn {
        out_return_no: number.to_owned(),
        return_id: format!("3009{}", ids::transaction_id(now)),
        return_mchid: account.to_owned(),
        amount,
        description: text(&body, "description").to_owned(),
        result: "PROCESSING".to_owned(),
        fail_reason: None,
        created: now,
    });
    state.settle_sharing(t, now);
    let share = state.trades[t].sharing.as_ref().map(|sharing| &sharing.shares[s]);
    Ok(share.and_then(|share| Some(return_object(share, share.returns.last()?))))
}

pub(crate) fn query_return(cx: &Cx<'_>, number: &str) -> Reply {
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let of = cx.inbound.arg("out_order_no").unwrap_or_default();
    let (t, s) = find(&state, cx.mchid(), &of).ok_or_else(|| missing("回退单不存在"))?;
    state.settle_sharing(t, now);
    let trade = &state.trades[t];
    if trade.sub_merchant != cx.inbound.arg("sub_mchid") {
        return Err(missing("回退单不存在"));
    }
    let share = trade.sharing.as_ref().map(|sharing| &sharing.shares[s]);
    let found = share.and_then(|share| {
        share.returns.iter().find(|made| made.out_return_no == number).map(|made| return_object(share, made))
    });
    found.map(Some).ok_or_else(|| missing("回退单不存在"))
}

pub(crate) fn unsplit(cx: &Cx<'_>, id: &str) -> Reply {
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let sub = cx.inbound.arg("sub_mchid");
    let at = shared_trade(cx, &mut state, id, sub.as_deref(), now)?;
    Ok(Some(json!({ "transaction_id": id, "unsplit_amount": state.trades[at].unsplit() })))
}

/// Adds a receiver, or deletes one; twice is once.
pub(crate) fn receiver(cx: &Cx<'_>, add: bool) -> Reply {
    let body = rules::check(&cx.inbound.body, if add { rules::RECEIVER } else { rules::NO_RECEIVER })?;
    if !cx.merchant.owns_appid(text(&body, "appid")) {
        return Err(Refusal::new(400, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系", 268_435_461));
    }
    if let Some(sealed) = body.get("name").and_then(Value::as_str) {
        let wanted = cx.inbound.header("wechatpay-serial");
        let (key, serial) = auth::signer(cx.merchant, wanted);
        if wanted != Some(serial) || key.oaep_open(sealed).is_none() {
            return Err(Refusal::param("敏感字段解密失败，请检查Wechatpay-Serial").field("name", "body"));
        }
    } else if add && text(&body, "type") == "MERCHANT_ID" {
        return Err(Refusal::param("分账接收方类型为商户号时，商户全称必填").field("name", "body"));
    }
    let mut state = cx.sandbox.state();
    let key = (cx.mchid().to_owned(), text(&body, "type").to_owned(), text(&body, "account").to_owned());
    if add {
        state.receivers.insert(key);
    } else {
        state.receivers.remove(&key);
    }
    Ok(Some(json!({ "type": text(&body, "type"), "account": text(&body, "account") })))
}
