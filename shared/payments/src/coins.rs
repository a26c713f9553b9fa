//! `pay/wxpayVirtual/*`: a payer's coins in WeChat's virtual payment, by VK-Pay's field names.

use super::{Context, Fields};
use config::DEFAULT_MERCHANT;
use domain::{Code, Failure, Fen, Field, fields as f};
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
    let merchant = fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT);
    let merchant =
        cx.merchant(merchant).await?.ok_or_else(|| f::PID.wrong("names no merchant of the configuration"))?;
    let node = merchant.virtual_pay.get("mp-weixin").ok_or(Code::PROVIDER)?;
    let either = |snake: &Field, camel: &Field| -> Result<Option<&str>, Failure> {
        Ok(fields.text(snake)?.or(fields.text(camel)?))
    };
    let number = |snake: &Field, camel: &Field| {
        either(snake, camel)?.filter(|text| virtual_pay_number(text)).ok_or_else(|| fields.fault(snake))
    };
    let moves = what != Coin::Balance;
    let own = match what {
        Coin::Balance => "",
        Coin::Cancel => number(&f::COIN_REFUND_NO, &f::COIN_REFUND_NO_CAMEL)?,
        Coin::Pay | Coin::Present => number(&f::COIN_TRADE_NO, &f::COIN_TRADE_NO_CAMEL)?,
    };
    let request = CoinRequest {
        openid: fields.needed_text(&f::OPENID)?,
        user_ip: either(&f::USER_IP, &f::USER_IP_CAMEL)?.unwrap_or(client_ip),
        amount: match moves {
            true => fields.raw(&f::COINS).and_then(Fen::from_json).ok_or_else(|| fields.fault(&f::COINS))?.0,
            false => 0,
        },
        number: own,
        pay_number: match what {
            Coin::Cancel => number(&f::COIN_TRADE_NO, &f::COIN_TRADE_NO_CAMEL)?,
            _ => "",
        },
        payitem: fields.text(&f::PAYITEM)?,
        remark: fields.text(&f::REMARK)?,
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
