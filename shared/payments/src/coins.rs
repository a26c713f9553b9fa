//! `pay/wxpayVirtual/*`: a payer's coins in WeChat's virtual payment, by VK-Pay's field names.

use super::{Context, Fields};
use config::DEFAULT_MERCHANT;
use domain::{Code, Failure, Fen};
use providers::CallError;
use providers::virtual_pay::{self, Coin, CoinRequest};
use serde_json::{Map, Value, json};

/// Serves one of the four actions. `client_ip` stands in for a payer's address that is not named.
///
/// # Errors
/// The field's code for bad input, [`Code::SESSION`] without a live session, 422 when WeChat refuses, 504 when
/// the outcome is not known.
pub async fn coins(
    cx: &Context<'_>,
    what: Coin,
    fields: &Fields<'_>,
    client_ip: &str,
) -> Result<Map<String, Value>, Failure> {
    let merchant = fields.text("pid", 64)?.unwrap_or(DEFAULT_MERCHANT);
    let merchant = cx.merchant(merchant).await?.ok_or_else(|| Failure::new(Code::FIELD).says("pid"))?;
    let node = merchant.virtual_pay.get("mp-weixin").ok_or(Code::PROVIDER)?;
    let either = |snake: &'static str, camel: &'static str| -> Result<Option<_>, Failure> {
        Ok(fields.text(snake, 64)?.or(fields.text(camel, 64)?))
    };
    let number = |value: Option<_>, name: &str| match value {
        Some(text) if virtual_pay_number(text) => Ok(text),
        _ => Err(Failure::new(Code::OUT_TRADE_NO).says(name)),
    };
    let moves = what != Coin::Balance;
    let own = match what {
        Coin::Balance => "",
        Coin::Cancel => number(either("out_refund_no", "outRefundNo")?, "out_refund_no")?,
        Coin::Pay | Coin::Present => number(either("out_trade_no", "outTradeNo")?, "out_trade_no")?,
    };
    let request = CoinRequest {
        openid: fields.text("openid", 128)?.ok_or(Code::OPENID)?,
        user_ip: either("user_ip", "userIp")?.unwrap_or(client_ip),
        amount: match moves {
            true => {
                fields.raw("amount").and_then(Fen::from_json).ok_or_else(|| Failure::new(Code::FIELD).says("amount"))?.0
            }
            false => 0,
        },
        number: own,
        pay_number: match what {
            Coin::Cancel => number(either("out_trade_no", "outTradeNo")?, "out_trade_no")?,
            _ => "",
        },
        payitem: fields.text("payitem", 4096)?,
        remark: fields.text("remark", 256)?,
        now: cx.now(),
    };
    let answer = virtual_pay::coins(cx.clients, node, what, &request).await.ok_or(Code::SESSION)?;
    Ok(named(&answer.map_err(CallError::for_client)?, own, what))
}

fn virtual_pay_number(text: &str) -> bool {
    (8..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The answer by VK-Pay's names.
fn named(answer: &Map<String, Value>, number: &str, what: Coin) -> Map<String, Value> {
    const NAMES: [(&str, &str); 8] = [
        ("balance", "balance"),
        ("present_balance", "presentBalance"),
        ("sum_save", "sumSave"),
        ("sum_present", "sumPresent"),
        ("sum_balance", "sumBalance"),
        ("sum_cost", "sumCost"),
        ("first_save_flag", "firstSaveFlag"),
        ("used_present_amount", "usedPresentAmount"),
    ];
    let mut fields: Map<String, Value> =
        NAMES.iter().filter_map(|(theirs, ours)| Some(((*ours).to_owned(), answer.get(*theirs)?.clone()))).collect();
    match what {
        Coin::Balance => {}
        Coin::Cancel => drop(fields.insert("outRefundNo".to_owned(), json!(number))),
        Coin::Pay | Coin::Present => drop(fields.insert("outTradeNo".to_owned(), json!(number))),
    }
    fields
}
