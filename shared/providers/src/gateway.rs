//! One merchant's door to one product of a provider.

use crate::diagnosis::{Examination, Page};
use crate::driver::{Client, Cx, Driver, Shape};
use crate::{
    AbnormalRefund, AuthorizationRequest, AuthorizationStanding, Balance, BalanceRequest, CallError, CallbackError,
    CallbackRequest, Closing, CreateRequest, Created, Goods, GoodsRequest, Held, Login, Merchant, Node, Notice, Proof,
    ProviderReply, Purchase, RawOutcome, RawRequest, Receipt, ReceiverRequest, RefundRequest, RefundStanding,
    ReturnRequest, ShareRequest, ShippingRequest, ShippingStanding, Standing, Stands, TokenCache, TransferRequest,
    TransferStanding, Verdict, wxpay,
};
use config::TransferDefaults;
use domain::{
    Attempt, Code, Failure, Fen, Order, Payment, Provider, Refund, ReturnStanding, ShareStanding, ShippingMode, UnixMs,
};
use futures::future::BoxFuture;
use net::egress::Receivers;
use net::provider_http::Http;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};
use telemetry::Metric;

/// What the providers keep for the process's lifetime.
#[derive(Default)]
pub struct ProviderClients {
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

impl Gateway {
    /// The gateway of a merchant's node, if the configuration has it.
    pub fn find(merchant: &Merchant, provider: Provider, node: &str) -> Option<Self> {
        Some(Self { merchant: merchant.id.clone(), node: Node::find(merchant, provider, node)? })
    }

    /// The name of the node that a client means, as VK-Pay derives it (`docs/protocols/vkpay.md#which-node`).
    ///
    /// # Errors
    /// [`Code::PLATFORM`] when the provider has none for it.
    pub fn node_for(provider: Provider, client: &Client<'_>, merchant: &Merchant) -> Result<&'static str, Failure> {
        on_provider!(provider, P => P::node_for(client, merchant))
            .ok_or_else(|| Failure::new(Code::PLATFORM).says(client.platform))
    }

    /// How this client can pay this merchant by a provider, if it can: the node, and the platform that a client says to
    /// get it. A phone's browser goes to Alipay's own page where the merchant has that product.
    pub fn offered<'a>(
        provider: Provider,
        client: &Client<'a>,
        merchant: &'a Merchant,
    ) -> Option<(Self, &'static str, &'a str)> {
        let wap = provider == Provider::Alipay && client.leaves_for_alipay();
        let platforms = [wap.then_some("wap"), Some(client.platform)];
        platforms.into_iter().flatten().find_map(|platform| {
            let node = Self::node_for(provider, &client.on(platform), merchant).ok()?;
            let gateway = Self::find(merchant, provider, node)?;
            client.can_use(provider, node).then_some((gateway, node, platform))
        })
    }

    /// Whether an order there has to name the payer at the provider (`openid`).
    pub fn needs_openid(provider: Provider, node: &str) -> bool {
        matches!((provider, node), (Provider::Wxpay, "mp-weixin" | "h5-weixin") | (Provider::Alipay, "mp-alipay"))
    }

    /// Whether a client that does not say its platform is on the one that its node is named after.
    pub fn node_is_platform(&self) -> bool {
        on_provider!(self.node.provider(), P => P::NODE_IS_PLATFORM)
    }

    fn cx<'a>(&'a self, clients: &'a ProviderClients, now: UnixMs) -> Cx<'a> {
        Cx { clients, merchant: &self.merchant, now }
    }

    /// Waits for what the provider says, and measures it.
    async fn timed<T>(&self, call: BoxFuture<'_, Result<T, CallError>>) -> Result<T, CallError> {
        let (provider, began) = (self.node.provider().name(), Instant::now());
        let answer = call.await;
        telemetry::measure_time(Metric::ProviderMs, Some(provider), began.elapsed());
        if matches!(answer, Err(CallError::Unknown(_))) {
            telemetry::count(Metric::ProviderFailed, Some(provider));
        }
        answer
    }

    /// The application at the provider.
    pub fn app_id(&self) -> &str {
        on_node!(&self.node, node => node.app_id())
    }

    /// The merchant at the provider, where it is known.
    pub fn mch_id(&self) -> Option<&str> {
        on_node!(&self.node, node => node.mch_id())
    }

    /// The receiving account that `other` of an order names, where the provider takes one.
    pub fn receiver_in<'a>(&self, other: &'a Map<String, Value>) -> Option<&'a str> {
        on_provider!(self.node.provider(), P => P::receiver_in(other))
    }

    /// Whether only the payer can pay whose login the parameters are signed for; a request may bring a login code.
    pub fn binds_payer(&self) -> bool {
        on_provider!(self.node.provider(), P => P::BINDS_PAYER)
    }

    /// The longest `out_trade_no` that the provider takes, bytes.
    pub fn number_limit(&self) -> usize {
        on_node!(&self.node, node => node.number_limit())
    }

    /// The number of a new attempt, where it is not made from the order's.
    pub fn own_number(&self) -> Option<String> {
        on_node!(&self.node, node => node.own_number())
    }

    /// True when the provider never learns the number of an attempt and gives numbers of its own.
    pub fn gives_numbers(&self) -> bool {
        on_node!(&self.node, node => node.gives_numbers())
    }

    /// True when pay parameters that have ended cannot be made anew under the same number, so that paying on
    /// needs another attempt.
    pub fn spends_numbers(&self) -> bool {
        on_provider!(self.node.provider(), P => P::SPENDS_NUMBERS)
    }

    /// True when the payer leaves the page to pay and the provider can be told where to send them back.
    pub fn returns_payers(&self) -> bool {
        on_node!(&self.node, node => node.returns_payers())
    }

    /// The longest `out_refund_no` that the provider takes, bytes.
    pub fn refund_number_limit(&self) -> usize {
        on_provider!(self.node.provider(), P => P::REFUND_NUMBER_LIMIT)
    }

    /// The longest that a new order may live here.
    pub fn longest_life(&self, attempt: &Attempt) -> Duration {
        on_node!(&self.node, node => node.longest_life(attempt))
    }

    /// Until when an attempt that its provider did not close is asked about.
    pub fn watched_until(&self, order: &Order, attempt: &Attempt) -> UnixMs {
        on_node!(&self.node, node => node.watched_until(order, attempt))
    }

    /// Reads what a request buys, before anything is stored.
    ///
    /// # Errors
    /// The field's code (1017 to 1020).
    pub fn goods(&self, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
        on_node!(&self.node, node => node.goods(request))
    }

    /// The payer, after a fresh login code, if there is one, was exchanged.
    ///
    /// # Errors
    /// [`Code::SESSION`] where the product needs a live session and there is none.
    pub async fn payer(
        &self,
        clients: &ProviderClients,
        openid: Option<&str>,
        code: Option<&str>,
        now: UnixMs,
    ) -> Result<Option<String>, Failure> {
        on_node!(&self.node, node => Box::pin(node.payer(self.cx(clients, now), openid, code)).await)
    }

    /// Checks what the provider would refuse for its shape, before anything is stored.
    ///
    /// # Errors
    /// The name of the field, in the words of the API, and what is wrong with it.
    pub fn check(&self, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
        on_node!(&self.node, node => node.check(request))
    }

    /// Creates the payment at the provider. The same attempt again is the same payment.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn create(&self, clients: &ProviderClients, request: &CreateRequest<'_>) -> Result<Created, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.create(self.cx(clients, request.now), request))).await)
    }

    /// Asks how an attempt stands.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn query(
        &self,
        clients: &ProviderClients,
        order: &Order,
        attempt: &Attempt,
        now: UnixMs,
    ) -> Result<Standing, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.query(self.cx(clients, now), order, attempt))).await)
    }

    /// Asks how a payment stands that was told before.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn stands(
        &self,
        clients: &ProviderClients,
        order: &Order,
        attempt: &Attempt,
        payment: &Payment,
        now: UnixMs,
    ) -> Result<Stands, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.stands(self.cx(clients, now), order, attempt, payment))).await)
    }

    /// Asks a store how a purchase stands now that was signed for its client before.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn brought(
        &self,
        clients: &ProviderClients,
        payment: &Payment,
        held: &Held,
        now: UnixMs,
    ) -> Result<Stands, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.brought(self.cx(clients, now), payment, held))).await)
    }

    /// Closes an attempt. A pay-code attempt is reversed instead. Where the provider has no close, it is
    /// asked first, so that a payment is not overlooked; an answer that cannot be had is an unknown outcome.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn close(
        &self,
        clients: &ProviderClients,
        order: &Order,
        attempt: &Attempt,
        now: UnixMs,
    ) -> Result<Closing, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.close(self.cx(clients, now), order, attempt))).await)
    }

    /// Whether its close is a reversal, which gives back what was paid (pay codes).
    pub fn reverses(&self) -> bool {
        on_node!(&self.node, node => node.reverses())
    }

    /// Whether the provider has a close.
    pub fn closes(&self) -> bool {
        on_node!(&self.node, node => node.closes())
    }

    /// Whether this node can refund at all.
    ///
    /// # Errors
    /// Why not: APIv2 without a client certificate, a store that refunds only by itself.
    pub fn can_refund(&self, attempt: &Attempt) -> Result<(), Failure> {
        on_node!(&self.node, node => node.can_refund(attempt))
    }

    /// Whether the provider takes the same refund number again for the same refund, so that one whose outcome is not
    /// known may be sent again at any time.
    pub fn repeats_refunds(&self) -> bool {
        on_provider!(self.node.provider(), P => P::REPEATS_REFUNDS)
    }

    /// Checks a refund's shape, before anything is reserved.
    ///
    /// # Errors
    /// The name of the field and what is wrong with it.
    pub fn check_refund(&self, out_refund_no: &str, reason: &str) -> Result<(), (&'static str, String)> {
        on_node!(&self.node, node => node.check_refund(out_refund_no, reason))
    }

    /// Refunds. The same `out_refund_no` again is the same refund.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn refund(
        &self,
        clients: &ProviderClients,
        request: &RefundRequest<'_>,
    ) -> Result<RefundStanding, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.refund(self.cx(clients, request.now), request))).await)
    }

    /// Asks how a refund stands.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn query_refund(
        &self,
        clients: &ProviderClients,
        order: &Order,
        attempt: &Attempt,
        refund: &Refund,
        now: UnixMs,
    ) -> Result<RefundStanding, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.query_refund(self.cx(clients, now), order, attempt, refund))).await)
    }

    /// Whether a refund that its payer's account did not take can be paid to a bank card.
    pub fn mends_refunds(&self) -> bool {
        on_node!(&self.node, node => node.mends_refunds())
    }

    /// Has a refund that its payer's account did not take paid to a bank card. The same refund again is paid once.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn apply_abnormal_refund(
        &self,
        clients: &ProviderClients,
        request: &AbnormalRefund<'_>,
    ) -> Result<RefundStanding, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.apply_abnormal_refund(self.cx(clients, request.now), request))).await)
    }

    /// What this node says of transfers, when it can make any.
    ///
    /// # Errors
    /// [`Code::UNSUPPORTED`], with what it lacks.
    pub fn transfers(&self) -> Result<&TransferDefaults, Failure> {
        on_node!(&self.node, node => node.transfers())
    }

    /// The key that personal data of this node's transfers is sealed under at rest, made from its private key.
    pub fn sealing_key(&self) -> Option<[u8; 32]> {
        on_node!(&self.node, node => node.sealing_key())
    }

    /// Pays out. The same number again with the same fields is the same transfer.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn transfer(
        &self,
        clients: &ProviderClients,
        request: &TransferRequest<'_>,
    ) -> Result<TransferStanding, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.transfer(self.cx(clients, request.now), request))).await)
    }

    /// Asks how a transfer stands; `None` when the provider does not know the number.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn query_transfer(
        &self,
        clients: &ProviderClients,
        request: &TransferRequest<'_>,
    ) -> Result<Option<TransferStanding>, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.query_transfer(self.cx(clients, request.now), request))).await)
    }

    /// Takes a transfer back that its payee has not confirmed; `None` when the provider does not know the number.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn cancel_transfer(
        &self,
        clients: &ProviderClients,
        request: &TransferRequest<'_>,
    ) -> Result<Option<TransferStanding>, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.cancel_transfer(self.cx(clients, request.now), request))).await)
    }

    /// The receipt of a transfer that succeeded; it is asked for, where it was not yet.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn receipt(
        &self,
        clients: &ProviderClients,
        request: &TransferRequest<'_>,
    ) -> Result<Receipt, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.receipt(self.cx(clients, request.now), request))).await)
    }

    /// Asks for a payee's authorisation. The same number again with the same fields is the same one.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn authorize(
        &self,
        clients: &ProviderClients,
        request: &AuthorizationRequest<'_>,
    ) -> Result<AuthorizationStanding, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.authorize(self.cx(clients, request.now), request))).await)
    }

    /// Asks how a payee's authorisation stands; `None` when the provider does not know the number.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn query_authorization(
        &self,
        clients: &ProviderClients,
        request: &AuthorizationRequest<'_>,
    ) -> Result<Option<AuthorizationStanding>, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.query_authorization(self.cx(clients, request.now), request))).await)
    }

    /// Closes a payee's authorisation; `None` when the provider does not know the number.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn close_authorization(
        &self,
        clients: &ProviderClients,
        request: &AuthorizationRequest<'_>,
    ) -> Result<Option<AuthorizationStanding>, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.close_authorization(self.cx(clients, request.now), request))).await)
    }

    /// Whether the provider keeps the money of an attempt until its shipping is reported.
    pub fn keeps_money(&self, attempt: &Attempt) -> bool {
        on_node!(&self.node, node => node.keeps_money(attempt))
    }

    /// Who reports shipping, as the node says.
    pub fn shipping(&self) -> Option<ShippingMode> {
        on_node!(&self.node, node => node.shipping())
    }

    /// Reports the shipping of a payment; of one that is reported already, corrects it.
    ///
    /// # Errors
    /// See [`CallError`]; [`Meaning::Missing`](crate::Meaning::Missing) where the provider does not have the payment yet.
    pub async fn ship(&self, clients: &ProviderClients, request: &ShippingRequest<'_>) -> Result<(), CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.ship(self.cx(clients, request.now), request))).await)
    }

    /// Asks how the shipping of a payment stands.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn query_shipping(
        &self,
        clients: &ProviderClients,
        transaction_id: &str,
        now: UnixMs,
    ) -> Result<ShippingStanding, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.query_shipping(self.cx(clients, now), transaction_id))).await)
    }

    /// Has the payer asked to confirm that the goods came.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn confirm_receive(
        &self,
        clients: &ProviderClients,
        transaction_id: &str,
        received: UnixMs,
        now: UnixMs,
    ) -> Result<(), CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.confirm_receive(self.cx(clients, now), transaction_id, received))).await)
    }

    /// Makes a call that has no action of its own; whether it may be made was looked at before.
    pub async fn request(&self, clients: &ProviderClients, raw: &RawRequest<'_>, now: UnixMs) -> RawOutcome {
        let (provider, began) = (self.node.provider().name(), Instant::now());
        let outcome = on_node!(&self.node, node => Box::pin(node.request(self.cx(clients, now), raw)).await);
        telemetry::measure_time(Metric::ProviderMs, Some(provider), began.elapsed());
        if matches!(outcome.answer, Err(CallError::Unknown(_))) {
            telemetry::count(Metric::ProviderFailed, Some(provider));
        }
        outcome
    }

    /// Asks for the merchant's balance.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn balance(
        &self,
        clients: &ProviderClients,
        request: &BalanceRequest<'_>,
        now: UnixMs,
    ) -> Result<Balance, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.balance(self.cx(clients, now), request))).await)
    }

    /// Whether this node can share what was paid through it.
    ///
    /// # Errors
    /// [`Code::UNSUPPORTED`], with what it lacks.
    pub fn can_share(&self) -> Result<(), Failure> {
        on_node!(&self.node, node => node.can_share())
    }

    /// Whether what is paid for an order of this `other` can be shared, where that depends on how it is paid.
    ///
    /// # Errors
    /// [`Code::UNSUPPORTED`], with what it lacks.
    pub fn can_share_payment(&self, other: &Map<String, Value>) -> Result<(), Failure> {
        on_node!(&self.node, node => node.can_share_payment(other))
    }

    /// The kinds of receivers that can be given a share, the usual one first.
    pub fn receiver_types(&self) -> &'static [&'static str] {
        on_node!(&self.node, node => node.receiver_types())
    }

    /// Whether an account can be a receiver of its kind.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_receiver(&self, kind: &str, account: &str) -> Result<(), &'static str> {
        on_node!(&self.node, node => node.check_receiver(kind, account))
    }

    /// Whether the provider takes a number of a share.
    pub fn takes_share_number(&self, number: &str) -> bool {
        on_node!(&self.node, node => node.takes_share_number(number))
    }

    /// Whether `other` of an order has the provider keep the money so that it can be shared.
    pub fn is_shared(&self, other: &Map<String, Value>) -> bool {
        on_node!(&self.node, node => node.is_shared(other))
    }

    /// Has `other` of an order say so.
    pub fn mark_shared(&self, other: &mut Map<String, Value>) {
        on_node!(&self.node, node => node.mark_shared(other));
    }

    /// Shares what was paid, or ends sharing. The same number again is the same share.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn share(
        &self,
        clients: &ProviderClients,
        request: &ShareRequest<'_>,
    ) -> Result<ShareStanding, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.share(self.cx(clients, request.now), request))).await)
    }

    /// Asks how a share stands; `None` when the provider does not know the number.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn query_share(
        &self,
        clients: &ProviderClients,
        request: &ShareRequest<'_>,
    ) -> Result<Option<ShareStanding>, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.query_share(self.cx(clients, request.now), request))).await)
    }

    /// Takes back what a receiver got. The same number again is the same return.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn return_share(
        &self,
        clients: &ProviderClients,
        request: &ReturnRequest<'_>,
    ) -> Result<ReturnStanding, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.return_share(self.cx(clients, request.now), request))).await)
    }

    /// Asks how a return stands; `None` when the provider does not know the number.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn query_return(
        &self,
        clients: &ProviderClients,
        request: &ReturnRequest<'_>,
    ) -> Result<Option<ReturnStanding>, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.query_return(self.cx(clients, request.now), request))).await)
    }

    /// Asks how much of a payment is kept to be shared.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn unsplit(
        &self,
        clients: &ProviderClients,
        attempt: &Attempt,
        transaction_id: &str,
        now: UnixMs,
    ) -> Result<Fen, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.unsplit(self.cx(clients, now), attempt, transaction_id))).await)
    }

    /// Says who may be given a share. Twice is once.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn add_receiver(
        &self,
        clients: &ProviderClients,
        request: &ReceiverRequest<'_>,
    ) -> Result<(), CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.add_receiver(self.cx(clients, request.now), request))).await)
    }

    /// Says who no longer may. Twice is once.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn delete_receiver(
        &self,
        clients: &ProviderClients,
        request: &ReceiverRequest<'_>,
    ) -> Result<(), CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.delete_receiver(self.cx(clients, request.now), request))).await)
    }

    /// Verifies an in-app purchase that a client brings for an attempt. Refused is what is not authentic,
    /// not this app's, or taken back.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn purchase(
        &self,
        clients: &ProviderClients,
        attempt: &Attempt,
        proof: Proof<'_>,
        now: UnixMs,
    ) -> Result<Purchase, CallError> {
        on_node!(&self.node, node => self.timed(Box::pin(node.purchase(self.cx(clients, now), attempt, proof))).await)
    }

    /// Asks the provider a few signed questions that change nothing and move no money, and says what its answers show to
    /// be wrong with the node's set-up.
    pub async fn examine(&self, clients: &ProviderClients, now: UnixMs) -> Examination {
        on_node!(&self.node, node => Box::pin(node.examine(self.cx(clients, now))).await)
    }

    /// The page of the provider's console on which the value of a key of the node is found.
    pub fn found_at(&self, key: &str) -> Page {
        on_node!(&self.node, node => node.found_at(key))
    }

    /// The keys under which the configuration may have a node: VK-Pay's name, and uni-pay's; none for a section that is
    /// itself the only node.
    pub fn keys_of(provider: Provider, node: &str) -> Vec<&'static str> {
        let section = on_provider!(provider, P => P::SECTION);
        let own = section.nodes.iter().copied().filter(|name| *name == node);
        own.chain(section.aliases.iter().filter(|(_, name)| *name == node).map(|(alias, _)| *alias)).collect()
    }

    /// All nodes of a merchant, by provider and name; the node of a section without nodes has the empty one.
    pub fn all(merchant: &Merchant) -> Vec<(Provider, String, Self)> {
        let mut all = Vec::new();
        for provider in Provider::ALL {
            for name in Node::names(merchant, provider) {
                all.extend(Self::find(merchant, provider, &name).map(|gateway| (provider, name, gateway)));
            }
        }
        all
    }

    /// Tells the provider that an order is delivered which was found paid by asking, where it wants to know.
    /// Nothing depends on its answer.
    pub async fn delivered(&self, clients: &ProviderClients, attempt: &Attempt, now: UnixMs) {
        on_node!(&self.node, node => Box::pin(node.delivered(self.cx(clients, now), attempt)).await);
    }
}

/// Exchanges a login code of a client on a platform. A session key that comes with it is kept for as long as it is
/// good, and never leaves the server. `None` when the merchant has no node for it.
pub async fn exchange(
    clients: &ProviderClients,
    merchant: &Merchant,
    provider: Provider,
    platform: &str,
    code: &str,
    now: UnixMs,
) -> Option<Result<Login, CallError>> {
    let cx = Cx { clients, merchant: &merchant.id, now };
    on_provider!(provider, P => P::login(cx, merchant, platform, code).await)
}

/// Reads a callback with the keys of one merchant: verify the raw bytes, check the age, decrypt, parse.
///
/// # Errors
/// See [`CallbackError`]; it fails closed.
pub async fn read_callback(
    provider: Provider,
    merchant: &Merchant,
    clients: &ProviderClients,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let gets = on_provider!(provider, P => P::TAKES_GET);
    if !(request.method == http::Method::POST || gets && request.method == http::Method::GET) {
        return Err(CallbackError::Malformed("not a POST"));
    }
    on_provider!(provider, P => P::read_callback(merchant, clients, request).await)
}

/// The answer to a callback in the provider's own words.
pub fn reply(provider: Provider, request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    on_provider!(provider, P => P::reply(request, verdict))
}

/// Whose message this is by its shape alone, for a URL that names no provider (VK-Pay's `/vk-pay-notify/`,
/// which Douyin's console is given). A wrong guess fails its verification.
pub fn addressee(request: &CallbackRequest<'_>) -> Option<Provider> {
    let shape = Shape::of(request);
    Provider::ALL.into_iter().find(|provider| on_provider!(*provider, P => P::recognises(&shape)))
}
