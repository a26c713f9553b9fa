//! Apple in-app purchase (`docs/protocols/apple.md`): the store sells, and tells of it by signed objects.
//!
//! | file | what |
//! |---|---|
//! | `transaction` | a purchase as the store states it, whichever way it came |
//! | `receipt` | `verifyReceipt`, VK-Pay's way |
//! | `api` | the App Store Server API: transactions, and notifications that did not arrive |
//! | `notify` | App Store Server Notifications V2 |

mod api;
mod notify;
mod receipt;
mod transaction;

pub use api::{Mailbox, Missed};
pub(super) use notify::{read as read_callback, reply};

use super::{
    CallError, CreateRequest, Created, Goods, GoodsRequest, Held, Outside, Proof, Purchase, Refusal, Standing, Stands,
    text_of,
};
use config::AppleNode;
use domain::{Attempt, Code, Failure, Fen, Order};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use transaction::Transaction;

/// The product and quantity of a request, from its quote, `data` or `custom`, at their configured price.
///
/// # Errors
/// [`Code::PRODUCT`]; [`Code::FORBIDDEN`] where a quote says otherwise, or signs a price and not what is sold for it.
pub(super) fn goods(node: &AppleNode, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    product(node.products.as_ref(), request)
}

/// See [`goods`]; the same for every app store.
pub(super) fn product(products: Option<&BTreeMap<String, Fen>>, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    let refuse = |what: &str| Failure::new(Code::PRODUCT).says(what);
    // The store charges for the product, and not by the amount: without a list of prices the quote must name it.
    let bare = products.is_none() && request.needs_signed_goods();
    if bare && request.signed("product_id").is_none() {
        return Err(Failure::new(Code::FORBIDDEN).says("the quote names no product_id"));
    }
    let id = request
        .named("product_id")?
        .and_then(Value::as_str)
        .filter(|id| (1..=255).contains(&id.len()) && !id.chars().any(char::is_control))
        .ok_or_else(|| refuse("product_id"))?;
    let quantity = match request.named("quantity")? {
        None => 1,
        Some(value) => {
            Fen::from_json(value).filter(|n| (1..=9_999).contains(&n.0)).ok_or_else(|| refuse("quantity"))?.0
        }
    };
    if bare && request.signed("quantity").is_none() && quantity != 1 {
        return Err(Failure::new(Code::FORBIDDEN).says("quantity"));
    }
    if let Some(products) = products {
        let price = products.get(id).ok_or_else(|| refuse("product_id"))?;
        if price.0.checked_mul(quantity).map(Fen) != request.total {
            return Err(refuse("total_fee"));
        }
    }
    let mut named = Map::new();
    named.insert("product_id".to_owned(), json!(id));
    named.insert("quantity".to_owned(), json!(quantity));
    Ok(Goods { total: None, named })
}

pub(super) fn check(_node: &AppleNode, _request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    Ok(())
}

/// What `uni.requestPayment` takes. Apple is not asked: the purchase begins on the device, and the token
/// ties it to the order.
pub(super) async fn create(
    _outside: &Outside,
    _node: &AppleNode,
    _merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let attempt = request.attempt;
    let order_info = json!({
        "productid": text_of(&attempt.goods, "product_id"),
        "quantity": attempt.goods.get("quantity"),
        "username": attempt.number,
        "appAccountToken": attempt.number,
        "manualFinishTransaction": true,
    });
    let fresh_until = request.order.time_expire;
    Ok(Created { order_info, code_url: None, fresh_until, number: None, payment: None })
}

/// The store cannot be asked by our number: unpaid until a transaction comes.
pub(super) async fn query(
    _outside: &Outside,
    _node: &AppleNode,
    _merchant: &str,
    _order: &Order,
    _attempt: &Attempt,
    _now: i64,
) -> Result<Standing, CallError> {
    Ok(Standing::Unpaid { paying: false })
}

/// How a transaction stands. Without a key of the App Store Server API nobody can be asked.
pub(super) async fn stands(
    outside: &Outside,
    node: &AppleNode,
    transaction_id: &str,
    now: i64,
) -> Result<Stands, CallError> {
    if node.api.is_none() {
        return Ok(Stands::Untold);
    }
    let found = api::transaction(outside, node, transaction_id, now).await;
    found.map(|found| if found.revoked { Stands::Back } else { Stands::Paid })
}

/// Verifies what a client brings.
pub(super) async fn purchase(
    outside: &Outside,
    node: &AppleNode,
    merchant: &str,
    _order: &Order,
    attempt: &Attempt,
    proof: Proof<'_>,
    now: i64,
) -> Result<Purchase, CallError> {
    let found = match proof {
        Proof::Signed(signed) => Transaction::signed(node, signed),
        Proof::Receipt { receipt, transaction_id } => receipt::verify(outside, node, receipt, transaction_id).await,
        Proof::Transaction(id) => api::transaction(outside, node, id, now).await,
        Proof::Order { .. } => refused("ORDER", "Apple has no purchase orders"),
    };
    let transaction = found?;
    let age = now.saturating_sub(transaction.purchased_at) / 1_000;
    let too_old = u64::try_from(age).unwrap_or(0) > node.receipt_expires_in;
    let revoked = transaction.revoked;
    let held = transaction.signed_at.filter(|_| matches!(proof, Proof::Signed(_)));
    let held = held.map(|at| Held { at, key: transaction.id.clone() });
    Ok(Purchase { payment: transaction.payment(merchant, attempt), revoked, too_old, held })
}

fn refused<T>(code: &str, message: &str) -> Result<T, CallError> {
    Err(CallError::Refused(Refusal { code: code.to_owned(), message: message.to_owned(), meaning: super::Meaning::No }))
}

/// Apple does not look at what it is asked: the set-up is wrong, and will be until somebody mends it.
fn set_up<T>(code: &str, message: &str) -> Result<T, CallError> {
    Err(CallError::Refused(Refusal {
        code: code.to_owned(),
        message: message.to_owned(),
        meaning: super::Meaning::Unheard,
    }))
}

/// One of Apple's hosts, or its place below `apiBase`.
fn host(node: &AppleNode, below: &str, apple: &str) -> String {
    node.api_base.as_ref().map_or_else(|| apple.to_owned(), |base| format!("{base}/{below}"))
}

/// A fresh `appAccountToken`: a random UUID (version 4), lower case.
pub(super) fn account_token() -> String {
    let mut bytes = crypto::random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
