//! WeChat's virtual payment of mini programs (`docs/protocols/wxpay-virtual.md`).
//!
//! The client pays with a text that we sign twice: with the AppKey, and with the payer's session key, which
//! never leaves the server. There is no amount on the wire beside the goods, so goods, payer and environment
//! are compared.

mod coins;
mod complaint;
mod config;
mod driver;
mod examine;
mod order;
mod push;
mod request;
mod session;
mod transport;

pub use self::config::VirtualNode;
pub use coins::coins;
pub use coins::{Coin, CoinRequest};

use super::common::body;
use super::{CallError, CreateRequest, Created, ProviderClients};
use crypto::hash;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The client's call, as the AppKey signs it: here without a leading slash.
const CLIENT_CALL: &str = "requestVirtualPayment";

/// 0 live, 1 sandbox.
const fn env(node: &VirtualNode) -> u64 {
    node.sandbox as u64
}

/// Signs what the client hands to `wx.requestVirtualPayment`. WeChat is not asked. The parameters are made
/// anew each time, because a new login makes the session key that signed the old ones void.
pub(super) async fn create(
    clients: &ProviderClients,
    node: &VirtualNode,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let attempt = request.attempt;
    let openid = attempt.openid.as_deref().unwrap_or_default();
    let session = session::live(clients, node, openid, request.now).await.map_err(CallError::unknown)?;
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignData<'a> {
    offer_id: &'a str,
    buy_quantity: Option<&'a Value>,
    env: u64,
    currency_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<&'a Value>,
    /// With the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    goods_price: Option<Option<&'a Value>>,
    out_trade_no: &'a str,
    attach: &'a str,
}

/// `signData`: the very text that is signed and handed out.
fn sign_data(node: &VirtualNode, goods: &Map<String, Value>, number: &str) -> String {
    let product_id = goods.get("product_id");
    body::text_of(&SignData {
        offer_id: &node.offer_id,
        buy_quantity: goods.get("buy_quantity"),
        env: env(node),
        currency_type: "CNY",
        product_id,
        goods_price: product_id.map(|_| goods.get("goods_price")),
        out_trade_no: number,
        attach: number,
    })
}

/// The AppKey's signature over a call and its text, lower-case hex.
fn pay_sig(node: &VirtualNode, call: &str, text: &[u8]) -> String {
    signature(node.app_key.expose(), call, text)
}

/// HMAC-SHA256 over `<call>&<text>`, lower-case hex. Server calls have the path with its slash.
pub fn signature(app_key: &str, call: &str, text: &[u8]) -> String {
    hash::hmac_sha256_hex(app_key.as_bytes(), &[call.as_bytes(), b"&", text].concat())
}
