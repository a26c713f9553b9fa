//! WeChat's virtual payment of mini programs (`docs/protocols/wxpay-virtual.md`).
//!
//! The client pays with a text that we sign twice: with the AppKey, and with the payer's session key, which
//! never leaves the server. There is no amount on the wire beside the goods, so goods, payer and environment
//! are compared.

mod coins;
mod order;
mod push;
mod session;
mod transport;

pub use coins::{Coin, CoinRequest};
pub(super) use order::{delivered, query, query_refund, refund};
pub(super) use push::{read as read_callback, reply};
pub use session::keep as keep_session;
pub(super) use session::payer;
pub(super) use transport::host;

pub use coins::coins;

use super::{CallError, CreateRequest, Created, Goods, GoodsRequest, Outside, text_of};
use config::VirtualNode;
use crypto::hash;
use domain::{Code, Failure, Fen};
use serde_json::{Map, Value, json};

/// The client's call, as the AppKey signs it: here without a leading slash.
const CLIENT_CALL: &str = "requestVirtualPayment";

/// 0 live, 1 sandbox.
const fn env(node: &VirtualNode) -> u64 {
    node.sandbox as u64
}

/// `wxpay_virtual` of a request: what is bought, and what it costs.
///
/// # Errors
/// [`Code::VIRTUAL`], [`Code::BUY_QUANTITY`], [`Code::VIRTUAL_MODE`], [`Code::PRODUCT`]; [`Code::FORBIDDEN`] for coins
/// under a quote that does not sign them.
pub(super) fn goods(node: &VirtualNode, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    let wanted = request.data.get("wxpay_virtual").and_then(Value::as_object).ok_or(Code::VIRTUAL)?;
    let quantity = wanted.get("buy_quantity").and_then(Fen::from_json).ok_or(Code::BUY_QUANTITY)?.0;
    let mut named = Map::new();
    let total = match text_of(wanted, "mode") {
        // The payer has the coins beside what the order delivers.
        Some("short_series_coin") if request.needs_signed_goods() && !request.quoted.contains(&"wxpay_virtual") => {
            return Err(Failure::new(Code::FORBIDDEN).says("wxpay_virtual.mode"));
        }
        Some(mode @ "short_series_coin") => {
            named.insert("mode".to_owned(), json!(mode));
            let hundredths = quantity.checked_mul(100).ok_or(Code::BUY_QUANTITY)?;
            (hundredths % node.rate == 0).then_some(hundredths / node.rate)
        }
        Some(mode @ "short_series_goods") => {
            named.insert("mode".to_owned(), json!(mode));
            let product = text_of(wanted, "product_id").filter(|id| (1..=64).contains(&id.len()));
            let product = product.ok_or_else(|| Failure::new(Code::PRODUCT).says("product_id"))?;
            let price = wanted.get("goods_price").and_then(Fen::from_json);
            let price = price.ok_or_else(|| Failure::new(Code::PRODUCT).says("goods_price"))?.0;
            named.insert("product_id".to_owned(), json!(product));
            named.insert("goods_price".to_owned(), json!(price));
            price.checked_mul(quantity)
        }
        _ => return Err(Code::VIRTUAL_MODE.into()),
    };
    let total = total.filter(|total| (1..=Fen::MAX.0).contains(total)).ok_or(Code::BUY_QUANTITY)?;
    named.insert("buy_quantity".to_owned(), json!(quantity));
    named.insert("env".to_owned(), json!(env(node)));
    Ok(Goods { total: Some(Fen(total)), named })
}

pub(super) fn check(_node: &VirtualNode, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    let number = &request.attempt.number;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-|*@".contains(&b);
    if !(8..=32).contains(&number.len()) || !number.bytes().all(plain) || number.starts_with('_') {
        return Err(("out_trade_no", "8 to 32 letters, digits and _-|*@, not beginning with _".to_owned()));
    }
    Ok(())
}

pub(super) fn check_refund_number(number: &str) -> Result<(), (&'static str, String)> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    match (8..=32).contains(&number.len()) && number.bytes().all(plain) {
        true => Ok(()),
        false => Err(("out_refund_no", "8 to 32 letters, digits, _ and -".to_owned())),
    }
}

/// Signs what the client hands to `wx.requestVirtualPayment`. WeChat is not asked. The parameters are made
/// anew each time, because a new login makes the session key that signed the old ones void.
pub(super) async fn create(
    outside: &Outside,
    node: &VirtualNode,
    _merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let attempt = request.attempt;
    let openid = attempt.openid.as_deref().unwrap_or_default();
    let session = session::live(outside, node, openid, request.now).await.map_err(CallError::unknown)?;
    let session = session.ok_or_else(|| CallError::unknown("the session has ended"))?;
    let data = sign_data(node, &attempt.goods, &attempt.number);
    let pay_sig = pay_sig(node, CLIENT_CALL, data.as_bytes());
    let signature = hash::hmac_sha256_hex(session.expose().as_bytes(), data.as_bytes());
    let order_info = json!({
        "mode": attempt.goods.get("mode"),
        "signData": data,
        "paySig": pay_sig,
        "signature": signature,
    });
    Ok(Created { order_info, code_url: None, fresh_until: request.now, number: None, payment: None })
}

/// `signData`: the very text that is signed and handed out.
fn sign_data(node: &VirtualNode, goods: &Map<String, Value>, number: &str) -> String {
    let mut data = Map::new();
    data.insert("offerId".to_owned(), json!(node.offer_id));
    data.insert("buyQuantity".to_owned(), json!(goods.get("buy_quantity")));
    data.insert("env".to_owned(), json!(env(node)));
    data.insert("currencyType".to_owned(), json!("CNY"));
    if let Some(product) = goods.get("product_id") {
        data.insert("productId".to_owned(), product.clone());
        data.insert("goodsPrice".to_owned(), json!(goods.get("goods_price")));
    }
    data.insert("outTradeNo".to_owned(), json!(number));
    data.insert("attach".to_owned(), json!(number));
    Value::Object(data).to_string()
}

/// The AppKey's signature over a call and its text, lower-case hex.
fn pay_sig(node: &VirtualNode, call: &str, text: &[u8]) -> String {
    signature(node.app_key.expose(), call, text)
}

/// HMAC-SHA256 over `<call>&<text>`, lower-case hex. Server calls have the path with its slash.
pub fn signature(app_key: &str, call: &str, text: &[u8]) -> String {
    hash::hmac_sha256_hex(app_key.as_bytes(), &[call.as_bytes(), b"&", text].concat())
}
