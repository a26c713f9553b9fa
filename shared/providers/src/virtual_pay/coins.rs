//! A payer's coins: balance, spending, taking a spending back, presents (`docs/protocols/wxpay-virtual.md#server-api`).

use super::session;
use super::transport::xpay;
use crate::virtual_pay::VirtualNode;
use crate::{CallError, ProviderClients};
use domain::UnixMs;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What is done with coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coin {
    /// `query_user_balance`.
    Balance,
    /// `currency_pay`.
    Pay,
    /// `cancel_currency_pay`.
    Cancel,
    /// `present_currency`.
    Present,
}

/// A request about coins.
pub struct CoinRequest<'a> {
    /// The payer.
    pub openid: &'a str,
    /// The payer's address.
    pub user_ip: &'a str,
    /// How many coins; not for the balance.
    pub amount: u64,
    /// Our number; the same number again is the same movement.
    pub number: &'a str,
    /// [`Coin::Cancel`]: the number of the spending.
    pub pay_number: &'a str,
    /// [`Coin::Pay`]: JSON text of what is bought.
    pub payitem: Option<&'a str>,
    /// [`Coin::Pay`]: a remark.
    pub remark: Option<&'a str>,
    /// Now.
    pub now: UnixMs,
}

/// The body of a movement, or of the question for the balance: what the call takes.
#[derive(Serialize)]
struct CoinBody<'a> {
    openid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payitem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<&'a str>,
}

/// Calls WeChat. `None` where the payer has no live session that the call needs.
pub async fn coins(
    clients: &ProviderClients,
    node: &VirtualNode,
    what: Coin,
    request: &CoinRequest<'_>,
) -> Option<Result<Map<String, Value>, CallError>> {
    let session = match what {
        Coin::Present => None,
        Coin::Balance | Coin::Pay | Coin::Cancel => {
            match session::live(clients, node, request.openid, request.now).await {
                Ok(Some(session)) => Some(session),
                Ok(None) => return None,
                Err(error) => return Some(Err(CallError::unknown(error))),
            }
        }
    };
    let name = match what {
        Coin::Balance => "query_user_balance",
        Coin::Pay => "currency_pay",
        Coin::Cancel => "cancel_currency_pay",
        Coin::Present => "present_currency",
    };
    let items = json!([{ "productid": request.number, "unit_price": request.amount, "quantity": 1 }]).to_string();
    let (moves, pays) = (what != Coin::Balance, what == Coin::Pay);
    let body = CoinBody {
        openid: request.openid,
        user_ip: (what != Coin::Present).then_some(request.user_ip),
        order_id: moves.then_some(request.number),
        amount: moves.then_some(request.amount),
        pay_order_id: (what == Coin::Cancel).then_some(request.pay_number),
        payitem: pays.then(|| request.payitem.unwrap_or(&items)),
        remark: pays.then(|| request.remark.unwrap_or_default()),
    };
    Some(xpay(clients, node, name, &body, session.as_ref(), request.now).await)
}
