//! One merchant's door to one product of a provider, and the dispatch over the closed set of providers.

use super::{
    CallbackError, CallbackRequest, CreateRequest, Created, Notice, Outcome, ProviderReply, RefundRequest,
    RefundStanding, Refusal, Standing, Verdict, alipay, wxpay,
};
use crate::config::{AlipayNode, Merchant, WxpayNode};
use crate::http::Http;
use crate::order::{Attempt, Order, Provider, Refund};
use std::sync::Arc;

/// What the providers keep for the process's lifetime.
#[derive(Default)]
pub struct Outside {
    /// The HTTP client.
    pub http: Http,
    /// WeChat Pay's platform certificates, fetched on use.
    pub wxpay: wxpay::Certificates,
}

/// A merchant's node, ready to be called.
#[derive(Clone)]
pub struct Gateway {
    /// The merchant in the configuration.
    pub merchant: String,
    node: Node,
}

#[derive(Clone)]
enum Node {
    Wxpay(Arc<WxpayNode>),
    Alipay(Arc<AlipayNode>),
}

impl Gateway {
    /// The gateway of a merchant's node, if the configuration has it.
    pub fn find(merchant: &Merchant, provider: Provider, node: &str) -> Option<Self> {
        let node = match provider {
            Provider::Wxpay => Node::Wxpay(merchant.wxpay.get(node)?.clone()),
            Provider::Alipay => Node::Alipay(merchant.alipay.get(node)?.clone()),
        };
        Some(Self { merchant: merchant.id.clone(), node })
    }

    /// The application at the provider.
    pub fn app_id(&self) -> &str {
        match &self.node {
            Node::Wxpay(node) => &node.app_id,
            Node::Alipay(node) => &node.app_id,
        }
    }

    /// The merchant at the provider, where it is known.
    pub fn mch_id(&self) -> Option<&str> {
        match &self.node {
            Node::Wxpay(node) => Some(&node.mch_id),
            Node::Alipay(node) => node.seller_id.as_deref(),
        }
    }

    /// The longest `out_trade_no` that the provider takes.
    pub fn number_limit(&self) -> usize {
        match &self.node {
            Node::Wxpay(_) => 32,
            Node::Alipay(_) => 64,
        }
    }

    /// Checks what the provider would refuse for its shape, before anything is stored.
    ///
    /// # Errors
    /// The name of the field, in the words of the API, and what is wrong with it.
    pub fn check(&self, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
        match &self.node {
            Node::Wxpay(node) => wxpay::check(node, request),
            Node::Alipay(node) => alipay::check(node, request),
        }
    }

    /// Creates the payment at the provider. The same attempt again is the same payment.
    pub async fn create(&self, outside: &Outside, request: &CreateRequest<'_>) -> Outcome<Created> {
        match &self.node {
            Node::Wxpay(node) => wxpay::create(outside, node, &self.merchant, request).await,
            Node::Alipay(node) => alipay::create(outside, node, &self.merchant, request).await,
        }
    }

    /// Asks how an attempt stands.
    pub async fn query(&self, outside: &Outside, order: &Order, attempt: &Attempt, now: i64) -> Outcome<Standing> {
        match &self.node {
            Node::Wxpay(node) => wxpay::query(outside, node, &self.merchant, order, attempt, now).await,
            Node::Alipay(node) => alipay::query(outside, node, &self.merchant, order, attempt, now).await,
        }
    }

    /// Closes an attempt. A pay-code attempt is reversed instead.
    pub async fn close(&self, outside: &Outside, order: &Order, attempt: &Attempt, now: i64) -> Outcome<()> {
        match &self.node {
            Node::Wxpay(node) => wxpay::close(outside, node, order, attempt, now).await,
            Node::Alipay(node) => alipay::close(outside, node, order, attempt, now).await,
        }
    }

    /// Whether this node can refund at all.
    ///
    /// # Errors
    /// The refusal, when it cannot (APIv2 without a client certificate).
    pub fn can_refund(&self) -> Result<(), Refusal> {
        match &self.node {
            Node::Wxpay(node) => wxpay::can_refund(node),
            Node::Alipay(_) => Ok(()),
        }
    }

    /// Refunds. The same `out_refund_no` again is the same refund.
    pub async fn refund(&self, outside: &Outside, request: &RefundRequest<'_>) -> Outcome<RefundStanding> {
        match &self.node {
            Node::Wxpay(node) => wxpay::refund(outside, node, request).await,
            Node::Alipay(node) => alipay::refund(outside, node, request).await,
        }
    }

    /// Asks how a refund stands.
    pub async fn query_refund(
        &self,
        outside: &Outside,
        attempt: &Attempt,
        refund: &Refund,
        now: i64,
    ) -> Outcome<RefundStanding> {
        match &self.node {
            Node::Wxpay(node) => wxpay::query_refund(outside, node, attempt, refund, now).await,
            Node::Alipay(node) => alipay::query_refund(outside, node, attempt, refund, now).await,
        }
    }
}

/// Reads a callback with the keys of one merchant: verify the raw bytes, check the age, decrypt, parse.
///
/// # Errors
/// See [`CallbackError`]; it fails closed.
pub async fn read_callback(
    provider: Provider,
    merchant: &Merchant,
    outside: &Outside,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    match provider {
        Provider::Wxpay => wxpay::read_callback(merchant, outside, request).await,
        Provider::Alipay => alipay::read_callback(merchant, request),
    }
}

/// The answer to a callback in the provider's own words.
pub fn reply(provider: Provider, request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    match provider {
        Provider::Wxpay => wxpay::reply(request, verdict),
        Provider::Alipay => alipay::reply(verdict),
    }
}
