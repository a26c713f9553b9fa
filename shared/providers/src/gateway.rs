//! One merchant's door to one product of a provider, and the dispatch over the closed set of providers.

mod life;

use super::{
    CallError, CallbackError, CallbackRequest, Closing, CreateRequest, Created, Goods, GoodsRequest, Held, Meaning,
    Notice, Proof, ProviderReply, Purchase, RefundRequest, RefundStanding, Refusal, Standing, Stands, TokenCache,
    TransferRequest, TransferStanding, Verdict, alipay, apple, douyin, huawei, virtual_pay, vkspay, wxpay,
};
use config::{
    AlipayNode, AppleNode, DouyinNode, HuaweiNode, Merchant, TransferDefaults, VirtualNode, VkspayNode, WxpayNode,
};
use domain::{Attempt, Code, Failure, Fen, Order, Payment, Provider, Refund};
use net::egress::Receivers;
use net::provider_http::Http;
use std::sync::Arc;

/// What the providers keep for the process's lifetime.
#[derive(Default)]
pub struct Outside {
    /// The HTTP client.
    pub http: Http,
    /// WeChat Pay's platform certificates, and Douyin's, fetched on use.
    pub wxpay: wxpay::Certificates,
    /// Tokens and session keys, shared with other instances.
    pub tokens: TokenCache,
    /// Receivers of paid orders, whose addresses the merchant wrote.
    pub receivers: Receivers,
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
    Apple(Arc<AppleNode>),
    Vkspay(Arc<VkspayNode>),
    Virtual(Arc<VirtualNode>),
    Douyin(Arc<DouyinNode>),
    Huawei(Arc<HuaweiNode>),
}

impl Gateway {
    /// The gateway of a merchant's node, if the configuration has it. VksPay has one for all clients.
    pub fn find(merchant: &Merchant, provider: Provider, node: &str) -> Option<Self> {
        let node = match provider {
            Provider::Wxpay => Node::Wxpay(merchant.wxpay.get(node)?.clone()),
            Provider::Alipay => Node::Alipay(merchant.alipay.get(node)?.clone()),
            Provider::Appleiap => Node::Apple(merchant.apple.get(node)?.clone()),
            Provider::Vkspay => Node::Vkspay(merchant.vkspay.clone()?),
            Provider::WxpayVirtual => Node::Virtual(merchant.wxpay_virtual.get(node)?.clone()),
            Provider::Douyin => Node::Douyin(merchant.douyin.get(node)?.clone()),
            Provider::Huawei => Node::Huawei(merchant.huawei.get(node)?.clone()),
        };
        Some(Self { merchant: merchant.id.clone(), node })
    }

    /// The application at the provider.
    pub fn app_id(&self) -> &str {
        match &self.node {
            Node::Wxpay(node) => &node.app_id,
            Node::Alipay(node) => &node.app_id,
            Node::Apple(node) => &node.bundle_id,
            Node::Vkspay(node) => &node.mch_id,
            Node::Virtual(node) => &node.app_id,
            Node::Douyin(node) => &node.app_id,
            Node::Huawei(node) => &node.app_id,
        }
    }

    /// The merchant at the provider, where it is known.
    pub fn mch_id(&self) -> Option<&str> {
        match &self.node {
            Node::Wxpay(node) => Some(&node.mch_id),
            Node::Alipay(node) => node.seller_id.as_deref(),
            Node::Apple(_) => None,
            Node::Vkspay(node) => Some(&node.mch_id),
            Node::Virtual(node) => node.mch_id.as_deref(),
            Node::Douyin(node) => node.mch_id.as_deref(),
            Node::Huawei(node) => node.mch_id.as_deref(),
        }
    }

    /// The longest `out_trade_no` that the provider takes.
    pub fn number_limit(&self) -> usize {
        match &self.node {
            Node::Wxpay(_) | Node::Virtual(_) => 32,
            // The open product has WeChat Pay's shapes.
            Node::Douyin(node) if node.can_close() => 32,
            Node::Alipay(_) | Node::Apple(_) | Node::Vkspay(_) | Node::Douyin(_) => 64,
            Node::Huawei(_) => 46,
        }
    }

    /// The number of a new attempt, where it is not made from the order's: Apple knows a UUID
    /// (`appAccountToken`).
    pub fn own_number(&self) -> Option<String> {
        match &self.node {
            Node::Apple(_) => Some(apple::account_token()),
            _ => None,
        }
    }

    /// True when the provider never learns the number of an attempt and gives numbers of its own.
    pub fn gives_numbers(&self) -> bool {
        matches!(&self.node, Node::Vkspay(node) if vkspay::gives_numbers(node))
    }

    /// True when pay parameters that have ended cannot be made anew under the same number, so that paying on
    /// needs another attempt.
    pub fn spends_numbers(&self) -> bool {
        matches!(self.node, Node::Huawei(_) | Node::Douyin(_))
    }

    /// True when the payer leaves the page to pay and the provider can be told where to send them back.
    pub fn returns_payers(&self) -> bool {
        match &self.node {
            Node::Wxpay(node) => node.name == "mweb",
            Node::Alipay(node) => matches!(node.name.as_str(), "pc" | "wap" | "h5"),
            Node::Vkspay(node) => vkspay::returns_payers(node),
            Node::Apple(_) | Node::Virtual(_) | Node::Douyin(_) | Node::Huawei(_) => false,
        }
    }

    /// The longest `out_refund_no` that the provider takes.
    pub fn refund_number_limit(&self) -> usize {
        match &self.node {
            Node::Virtual(_) => 32,
            _ => 64,
        }
    }

    /// Reads what a request buys, before anything is stored.
    ///
    /// # Errors
    /// The field's code (1017 to 1020).
    pub fn goods(&self, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
        match &self.node {
            Node::Wxpay(_) | Node::Alipay(_) => Ok(Goods::default()),
            Node::Apple(node) => apple::goods(node, request),
            Node::Vkspay(node) => vkspay::goods(node, request),
            Node::Virtual(node) => virtual_pay::goods(node, request),
            Node::Douyin(node) => douyin::goods(node, request),
            Node::Huawei(node) => huawei::goods(node, request),
        }
    }

    /// The payer, after a fresh login code, if there is one, was exchanged.
    ///
    /// # Errors
    /// [`Code::SESSION`] where the product needs a live session and there is none.
    pub async fn payer(
        &self,
        outside: &Outside,
        openid: Option<&str>,
        code: Option<&str>,
        now: i64,
    ) -> Result<Option<String>, Failure> {
        match &self.node {
            Node::Virtual(node) => virtual_pay::payer(outside, node, openid, code, now).await.map(Some),
            _ => Ok(openid.map(str::to_owned)),
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
            Node::Apple(node) => apple::check(node, request),
            Node::Vkspay(node) => vkspay::check(node, request),
            Node::Virtual(node) => virtual_pay::check(node, request),
            Node::Douyin(node) => douyin::check(node, request),
            Node::Huawei(node) => huawei::check(node, request),
        }
    }

    /// Creates the payment at the provider. The same attempt again is the same payment.
    pub async fn create(&self, outside: &Outside, request: &CreateRequest<'_>) -> Result<Created, CallError> {
        let merchant = &self.merchant;
        match &self.node {
            Node::Wxpay(node) => wxpay::create(outside, node, merchant, request).await,
            Node::Alipay(node) => alipay::create(outside, node, merchant, request).await,
            Node::Apple(node) => apple::create(outside, node, merchant, request).await,
            Node::Vkspay(node) => vkspay::create(outside, node, merchant, request).await,
            Node::Virtual(node) => virtual_pay::create(outside, node, merchant, request).await,
            Node::Douyin(node) => douyin::create(outside, node, merchant, request).await,
            Node::Huawei(node) => huawei::create(outside, node, merchant, request).await,
        }
    }

    /// Asks how an attempt stands.
    pub async fn query(
        &self,
        outside: &Outside,
        order: &Order,
        attempt: &Attempt,
        now: i64,
    ) -> Result<Standing, CallError> {
        let merchant = &self.merchant;
        match &self.node {
            Node::Wxpay(node) => wxpay::query(outside, node, merchant, order, attempt, now).await,
            Node::Alipay(node) => alipay::query(outside, node, merchant, order, attempt, now).await,
            Node::Apple(node) => apple::query(outside, node, merchant, order, attempt, now).await,
            Node::Vkspay(node) => vkspay::query(outside, node, merchant, order, attempt, now).await,
            Node::Virtual(node) => virtual_pay::query(outside, node, merchant, order, attempt, now).await,
            Node::Douyin(node) => douyin::query(outside, node, merchant, order, attempt, now).await,
            Node::Huawei(node) => huawei::query(outside, node, merchant, order, attempt, now).await,
        }
    }

    /// Asks how a payment stands that was told before.
    pub async fn stands(
        &self,
        outside: &Outside,
        order: &Order,
        attempt: &Attempt,
        payment: &Payment,
        now: i64,
    ) -> Result<Stands, CallError> {
        match &self.node {
            Node::Apple(node) => apple::stands(outside, node, &payment.number_there(), now).await,
            Node::Huawei(_) if huawei::is_iap(attempt) => Ok(Stands::Untold),
            _ => Ok(super::stands::of(self.query(outside, order, attempt, now).await?, payment)),
        }
    }

    /// Asks a store how a purchase stands now that was signed for its client before.
    pub async fn brought(
        &self,
        outside: &Outside,
        payment: &Payment,
        held: &Held,
        now: i64,
    ) -> Result<Stands, CallError> {
        match &self.node {
            Node::Apple(node) => apple::stands(outside, node, &held.key, now).await,
            Node::Huawei(node) => {
                let names = (payment.transaction_id.as_str(), held.key.as_str());
                huawei::brought(outside, node, &self.merchant, names, now).await
            }
            Node::Wxpay(_) | Node::Alipay(_) | Node::Vkspay(_) | Node::Virtual(_) | Node::Douyin(_) => {
                Ok(Stands::Untold)
            }
        }
    }

    /// Closes an attempt. A pay-code attempt is reversed instead. Where the provider has no close, it is
    /// asked first, so that a payment is not overlooked; an answer that cannot be had is an unknown outcome.
    pub async fn close(
        &self,
        outside: &Outside,
        order: &Order,
        attempt: &Attempt,
        now: i64,
    ) -> Result<Closing, CallError> {
        match &self.node {
            Node::Wxpay(node) => wxpay::close(outside, node, order, attempt, now).await,
            Node::Alipay(node) => alipay::close(outside, node, order, attempt, now).await,
            Node::Apple(_) => Ok(Closing::LeftOpen),
            Node::Douyin(node) if node.can_close() => douyin::close(outside, node, order, attempt, now).await,
            Node::Vkspay(_) | Node::Virtual(_) | Node::Douyin(_) | Node::Huawei(_) => {
                // Who refuses to tell has not said that nothing was paid.
                let standing = self.query(outside, order, attempt, now).await;
                match standing.map_err(|error| error.untold("the query is refused"))? {
                    Standing::Paid(_) => Err(CallError::Refused(Refusal {
                        code: "PAID".to_owned(),
                        message: "the order is paid".to_owned(),
                        meaning: Meaning::Paid,
                    })),
                    Standing::Closed => Ok(Closing::Closed),
                    Standing::Unpaid { paying: true } => Ok(Closing::Paying),
                    // What is paid after all is a late payment, and found as one.
                    Standing::Unpaid { paying: false } | Standing::Missing => Ok(Closing::LeftOpen),
                }
            }
        }
    }

    /// Whether its close is a reversal, which gives back what was paid (pay codes).
    pub fn reverses(&self) -> bool {
        match &self.node {
            Node::Wxpay(node) => wxpay::reverses(node),
            Node::Alipay(node) => alipay::reverses(node),
            Node::Apple(_) | Node::Vkspay(_) | Node::Virtual(_) | Node::Douyin(_) | Node::Huawei(_) => false,
        }
    }

    /// Whether the provider has a close.
    pub fn closes(&self) -> bool {
        match &self.node {
            Node::Wxpay(_) | Node::Alipay(_) => true,
            Node::Douyin(node) => node.can_close(),
            Node::Apple(_) | Node::Vkspay(_) | Node::Virtual(_) | Node::Huawei(_) => false,
        }
    }

    /// Whether this node can refund at all.
    ///
    /// # Errors
    /// Why not: APIv2 without a client certificate, a store that refunds only by itself.
    pub fn can_refund(&self, attempt: &Attempt) -> Result<(), Failure> {
        match &self.node {
            Node::Wxpay(node) => {
                wxpay::can_refund(node).map_err(|r| Failure::new(Code::REFUND_REFUSED).says(r.message))
            }
            Node::Apple(_) => Err(Failure::new(Code::UNSUPPORTED).says("appleiap: refund")),
            Node::Huawei(_) if huawei::is_iap(attempt) => {
                Err(Failure::new(Code::UNSUPPORTED).says("huawei iap: refund"))
            }
            Node::Alipay(_) | Node::Vkspay(_) | Node::Virtual(_) | Node::Douyin(_) | Node::Huawei(_) => Ok(()),
        }
    }

    /// Whether the provider takes the same refund number again for the same refund, so that one whose outcome is not
    /// known may be sent again at any time. VksPay and epay v1 have no number of ours, and what a site of epay v2
    /// does is its own affair.
    pub const fn repeats_refunds(&self) -> bool {
        match &self.node {
            Node::Wxpay(_) | Node::Alipay(_) | Node::Virtual(_) | Node::Douyin(_) | Node::Huawei(_) => true,
            Node::Apple(_) | Node::Vkspay(_) => false,
        }
    }

    /// Checks a refund's shape, before anything is reserved.
    ///
    /// # Errors
    /// The name of the field and what is wrong with it.
    pub fn check_refund(&self, out_refund_no: &str, _refund: Fen, reason: &str) -> Result<(), (&'static str, String)> {
        match &self.node {
            Node::Virtual(_) => virtual_pay::check_refund_number(out_refund_no),
            Node::Wxpay(node) => wxpay::check_refund(node, reason),
            Node::Douyin(node) => douyin::check_refund(node, reason),
            Node::Huawei(_) => huawei::check_refund(reason),
            Node::Alipay(_) | Node::Apple(_) | Node::Vkspay(_) => Ok(()),
        }
    }

    /// Refunds. The same `out_refund_no` again is the same refund.
    pub async fn refund(&self, outside: &Outside, request: &RefundRequest<'_>) -> Result<RefundStanding, CallError> {
        match &self.node {
            Node::Wxpay(node) => wxpay::refund(outside, node, request).await,
            Node::Alipay(node) => alipay::refund(outside, node, request).await,
            Node::Apple(_) => unsupported(),
            Node::Vkspay(node) => vkspay::refund(outside, node, request).await,
            Node::Virtual(node) => virtual_pay::refund(outside, node, request).await,
            Node::Douyin(node) => douyin::refund(outside, node, request).await,
            Node::Huawei(node) => huawei::refund(outside, node, request).await,
        }
    }

    /// Asks how a refund stands.
    pub async fn query_refund(
        &self,
        outside: &Outside,
        order: &Order,
        attempt: &Attempt,
        refund: &Refund,
        now: i64,
    ) -> Result<RefundStanding, CallError> {
        match &self.node {
            Node::Wxpay(node) => wxpay::query_refund(outside, node, attempt, refund, now).await,
            Node::Alipay(node) => alipay::query_refund(outside, node, attempt, refund, now).await,
            Node::Apple(_) => unsupported(),
            Node::Vkspay(node) => vkspay::query_refund(outside, node, order, attempt, refund, now).await,
            Node::Virtual(node) => virtual_pay::query_refund(outside, node, order, attempt, refund, now).await,
            Node::Douyin(node) => douyin::query_refund(outside, node, order, attempt, refund, now).await,
            Node::Huawei(node) => huawei::query_refund(outside, node, order, attempt, refund, now).await,
        }
    }

    /// What this node says of transfers, when it can make any.
    ///
    /// # Errors
    /// [`Code::UNSUPPORTED`]: WeChat Pay's APIv2, Alipay in key mode, and everybody else.
    pub fn transfers(&self) -> Result<&TransferDefaults, Failure> {
        let (defaults, needs) = match &self.node {
            Node::Wxpay(node) => (&node.transfer, wxpay::transfer_keys(node).is_none().then_some("wxpay: version 3")),
            Node::Alipay(node) => (
                &node.transfer,
                node.certificates
                    .is_none()
                    .then_some("alipay: certificate mode (appCert, alipayPublicCert, alipayRootCert)"),
            ),
            _ => return Err(Failure::new(Code::UNSUPPORTED).says("transfer")),
        };
        match needs {
            None => Ok(defaults),
            Some(what) => Err(Failure::new(Code::UNSUPPORTED).says(what)),
        }
    }

    /// The key that personal data of this node's transfers is sealed under at rest, made from its private key.
    pub fn sealing_key(&self) -> Option<[u8; 32]> {
        let key = match &self.node {
            Node::Wxpay(node) => &wxpay::transfer_keys(node)?.private_key,
            Node::Alipay(node) => &node.private_key,
            _ => return None,
        };
        Some(key.derived_key("vk-pay transfers 1"))
    }

    /// Pays out. The same number again with the same fields is the same transfer.
    pub async fn transfer(
        &self,
        outside: &Outside,
        request: &TransferRequest<'_>,
    ) -> Result<TransferStanding, CallError> {
        match &self.node {
            Node::Wxpay(node) => match wxpay::transfer_keys(node) {
                Some(v3) => wxpay::transfer(outside, node, v3, request).await,
                None => unsupported(),
            },
            Node::Alipay(node) => alipay::transfer(outside, node, request).await,
            _ => unsupported(),
        }
    }

    /// Asks how a transfer stands; `None` when the provider does not know the number.
    pub async fn query_transfer(
        &self,
        outside: &Outside,
        request: &TransferRequest<'_>,
    ) -> Result<Option<TransferStanding>, CallError> {
        match &self.node {
            Node::Wxpay(node) => match wxpay::transfer_keys(node) {
                Some(v3) => wxpay::query_transfer(outside, node, v3, request).await,
                None => unsupported(),
            },
            Node::Alipay(node) => alipay::query_transfer(outside, node, request).await,
            _ => unsupported(),
        }
    }

    /// Takes a transfer back that its payee has not confirmed; `None` when the provider does not know the
    /// number. WeChat Pay only.
    pub async fn cancel_transfer(
        &self,
        outside: &Outside,
        request: &TransferRequest<'_>,
    ) -> Result<Option<TransferStanding>, CallError> {
        match &self.node {
            Node::Wxpay(node) => match wxpay::transfer_keys(node) {
                Some(v3) => wxpay::cancel_transfer(outside, node, v3, request).await,
                None => unsupported(),
            },
            _ => unsupported(),
        }
    }

    /// Verifies an in-app purchase that a client brings for an attempt. Refused is what is not authentic,
    /// not this app's, or taken back.
    pub async fn purchase(
        &self,
        outside: &Outside,
        order: &Order,
        attempt: &Attempt,
        proof: Proof<'_>,
        now: i64,
    ) -> Result<Purchase, CallError> {
        match &self.node {
            Node::Apple(node) => apple::purchase(outside, node, &self.merchant, order, attempt, proof, now).await,
            Node::Huawei(node) => huawei::purchase(outside, node, &self.merchant, order, attempt, proof, now).await,
            _ => unsupported(),
        }
    }

    /// Tells the provider that an order is delivered which was found paid by asking, where it wants to know.
    /// Nothing depends on its answer.
    pub async fn delivered(&self, outside: &Outside, attempt: &Attempt, now: i64) {
        if let Node::Virtual(node) = &self.node {
            virtual_pay::delivered(outside, node, attempt, now).await;
        }
    }
}

fn unsupported<T>() -> Result<T, CallError> {
    Err(CallError::Refused(Refusal {
        code: "UNSUPPORTED".to_owned(),
        message: "the provider has no such call".to_owned(),
        meaning: Meaning::No,
    }))
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
    let gets = matches!(provider, Provider::WxpayVirtual | Provider::Vkspay);
    if !(request.method == http::Method::POST || gets && request.method == http::Method::GET) {
        return Err(CallbackError::Malformed("not a POST"));
    }
    match provider {
        Provider::Wxpay => wxpay::read_callback(merchant, outside, request).await,
        Provider::Alipay => alipay::read_callback(merchant, request),
        Provider::Appleiap => apple::read_callback(merchant, outside, request).await,
        Provider::Vkspay => vkspay::read_callback(merchant, outside, request).await,
        Provider::WxpayVirtual => virtual_pay::read_callback(merchant, outside, request).await,
        Provider::Douyin => douyin::read_callback(merchant, outside, request).await,
        Provider::Huawei => huawei::read_callback(merchant, outside, request).await,
    }
}

/// The answer to a callback in the provider's own words.
pub fn reply(provider: Provider, request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    match provider {
        Provider::Wxpay => wxpay::reply(request, verdict),
        Provider::Alipay => alipay::reply(verdict),
        Provider::Appleiap => apple::reply(request, verdict),
        Provider::Vkspay => vkspay::reply(request, verdict),
        Provider::WxpayVirtual => virtual_pay::reply(request, verdict),
        Provider::Douyin => douyin::reply(request, verdict),
        Provider::Huawei => huawei::reply(request, verdict),
    }
}

/// Whose message this is by its shape alone, for a URL that names no provider (VK-Pay's `/vk-pay-notify/`,
/// which Douyin's console is given). A wrong guess fails its verification.
pub fn addressee(request: &CallbackRequest<'_>) -> Option<Provider> {
    let has = |name: &str| request.headers.contains_key(name);
    let query = |name: &str| form_urlencoded::parse(request.query.as_bytes()).any(|(key, _)| key == name);
    if has("wechatpay-signature") {
        return Some(Provider::Wxpay);
    }
    if has("byte-signature") || has("douyinpay-signature") {
        return Some(Provider::Douyin);
    }
    if query("signature") && query("nonce") {
        return Some(Provider::WxpayVirtual);
    }
    if let Ok(serde_json::Value::Object(body)) = serde_json::from_slice(request.body) {
        let has = |name: &str| body.contains_key(name);
        return match () {
            () if has("msg_signature") && has("msg") => Some(Provider::Douyin),
            () if has("signedPayload") => Some(Provider::Appleiap),
            () if has("mercNo") || has("callbackId") || has("jwsNotification") => Some(Provider::Huawei),
            () if has("out_trade_no") => Some(Provider::Vkspay),
            () => None,
        };
    }
    if request.body.first() == Some(&b'<') {
        return Some(Provider::Wxpay);
    }
    let form = |name: &str| form_urlencoded::parse(request.body).any(|(key, _)| key == name);
    match () {
        () if form("app_id") && form("sign") => Some(Provider::Alipay),
        () if form("out_trade_no") || query("out_trade_no") => Some(Provider::Vkspay),
        () => None,
    }
}
