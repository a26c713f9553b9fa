//! Apple behind the interface that all providers have.

use super::config::{ALIASES, AppleNode, IGNORED, NODES};
use super::transaction::Transaction;
use super::{account_token, api, examine, notify, receipt, refused};
use crate::diagnosis::{Examination, Page};
use crate::driver::{Client, Cx, Driver, Shape, unsupported};
use crate::{
    CallError, CallbackError, CallbackRequest, Closing, CreateRequest, Created, Goods, GoodsRequest, Held, Merchant,
    Notice, Proof, ProviderClients, ProviderReply, Purchase, RefundRequest, RefundStanding, Standing, Stands, Verdict,
    text_of,
};
use config::{Reader, Section};
use domain::{Attempt, Code, Failure, Order, Payment, Refund, UnixMs};
use serde_json::json;

impl Driver for AppleNode {
    const SECTION: Section = Section {
        name: "appleiap",
        nodes: &NODES,
        aliases: &ALIASES,
        ignored: IGNORED,
        identity: &["bundleId", "password"],
        signing: &[],
    };
    const REPEATS_REFUNDS: bool = false;

    fn read_config(name: &str, node: &Reader<'_>) -> Option<Self> {
        Self::read(name, node)
    }

    fn node_for(client: &Client<'_>, _merchant: &Merchant) -> Option<&'static str> {
        matches!(client.platform, "" | "app-plus" | "app" | "app-ios").then_some("app-plus")
    }

    fn app_id(&self) -> &str {
        &self.bundle_id
    }

    fn mch_id(&self) -> Option<&str> {
        None
    }

    /// Apple knows a UUID (`appAccountToken`).
    fn own_number(&self) -> Option<String> {
        Some(account_token())
    }

    fn watched_until(&self, order: &Order, _attempt: &Attempt) -> UnixMs {
        order.time_expire
    }

    fn goods(&self, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
        crate::common::store::product(self.products.as_ref(), request)
    }

    fn check(&self, _request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    /// What `uni.requestPayment` takes. Apple is not asked: the purchase begins on the device, and the token ties it
    /// to the order.
    async fn create(&self, _cx: Cx<'_>, request: &CreateRequest<'_>) -> Result<Created, CallError> {
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
    async fn query(&self, _cx: Cx<'_>, _order: &Order, _attempt: &Attempt) -> Result<Standing, CallError> {
        Ok(Standing::Unpaid { paying: false })
    }

    async fn stands(
        &self,
        cx: Cx<'_>,
        _order: &Order,
        _attempt: &Attempt,
        payment: &Payment,
    ) -> Result<Stands, CallError> {
        stands(cx, self, &payment.number_there()).await
    }

    async fn brought(&self, cx: Cx<'_>, _payment: &Payment, held: &Held) -> Result<Stands, CallError> {
        stands(cx, self, &held.key).await
    }

    async fn close(&self, _cx: Cx<'_>, _order: &Order, _attempt: &Attempt) -> Result<Closing, CallError> {
        Ok(Closing::LeftOpen)
    }

    fn can_refund(&self, _attempt: &Attempt) -> Result<(), Failure> {
        Err(Failure::new(Code::UNSUPPORTED).says("appleiap: refund"))
    }

    async fn refund(&self, _cx: Cx<'_>, _request: &RefundRequest<'_>) -> Result<RefundStanding, CallError> {
        unsupported()
    }

    async fn query_refund(
        &self,
        _cx: Cx<'_>,
        _order: &Order,
        _attempt: &Attempt,
        _refund: &Refund,
    ) -> Result<RefundStanding, CallError> {
        unsupported()
    }

    async fn purchase(&self, cx: Cx<'_>, attempt: &Attempt, proof: Proof<'_>) -> Result<Purchase, CallError> {
        let found = match proof {
            Proof::Signed(signed) => Transaction::signed(self, signed),
            Proof::Receipt { receipt, transaction_id } => {
                receipt::verify(cx.clients, self, receipt, transaction_id).await
            }
            Proof::Transaction(id) => api::transaction(cx.clients, self, id, cx.now).await,
            Proof::Order { .. } => refused("ORDER", "Apple has no purchase orders"),
        };
        let transaction = found?;
        let age = cx.now.since(transaction.purchased_at);
        let too_old = age.as_secs() > self.receipt_expires_in;
        let revoked = transaction.revoked;
        let held = transaction.signed_at.filter(|_| matches!(proof, Proof::Signed(_)));
        let held = held.map(|at| Held { at, key: transaction.id.clone() });
        Ok(Purchase { payment: transaction.payment(cx.merchant, attempt), revoked, too_old, held })
    }

    async fn examine(&self, cx: Cx<'_>) -> Examination {
        examine::examine(self, cx).await
    }

    fn found_at(&self, key: &str) -> Page {
        examine::found_at(key)
    }

    fn recognises(callback: &Shape<'_>) -> bool {
        callback.json("signedPayload")
    }

    async fn read_callback(
        merchant: &Merchant,
        clients: &ProviderClients,
        request: &CallbackRequest<'_>,
    ) -> Result<Notice, CallbackError> {
        notify::read(merchant, clients, request).await
    }

    fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
        notify::reply(request, verdict)
    }
}

/// How a transaction stands. Without a key of the App Store Server API nobody can be asked.
async fn stands(cx: Cx<'_>, node: &AppleNode, transaction_id: &str) -> Result<Stands, CallError> {
    if node.api.is_none() {
        return Ok(Stands::CannotAsk);
    }
    let found = api::transaction(cx.clients, node, transaction_id, cx.now).await;
    found.map(|found| match (found.revoked, found.share) {
        (false, _) => Stands::Paid,
        (true, 100_000..) => Stands::Back,
        (true, _) => Stands::PartlyBack,
    })
}
