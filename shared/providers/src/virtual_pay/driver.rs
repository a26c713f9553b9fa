//! Virtual payment behind the interface that all providers have.

use super::config::{ALIASES, IGNORED, NODES, VirtualNode};
use super::{complaint, create, env, examine, order, push, request, session};
use crate::common::wechat_push;
use crate::diagnosis::{Examination, Page};
use crate::driver::{Client, Cx, Driver, MARGIN, Shape};
use crate::{
    CallError, CallbackError, CallbackRequest, ComplaintAnswer, ComplaintEnd, ComplaintPage, CreateRequest, Created,
    Goods, GoodsRequest, Login, Merchant, Node, Notice, ProviderClients, ProviderReply, RawOutcome, RawRequest,
    RefundRequest, RefundStanding, Standing, Verdict, text_of,
};
use config::{Reader, Section};
use domain::{Attempt, Code, Complaint, ComplaintLine, Day, Failure, Fen, Order, Refund, UnixMs, fields};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// WeChat's session key, which signs the parameters of a virtual payment.
const SESSION: Duration = Duration::from_hours(3 * 24);

impl Driver for VirtualNode {
    const SECTION: Section = Section {
        name: "wxpay-virtual",
        nodes: &NODES,
        aliases: &ALIASES,
        ignored: IGNORED,
        identity: &["appId", "mchId"],
        signing: &["offerId", "appKey", "sandboxAppKey"],
    };
    const TAKES_GET: bool = true;
    const BINDS_PAYER: bool = true;
    const REFUND_NUMBER_LIMIT: usize = 32;

    fn read_config(name: &str, node: &Reader<'_>) -> Option<Self> {
        Self::read(name, node)
    }

    fn node_for(client: &Client<'_>, _merchant: &Merchant) -> Option<&'static str> {
        matches!(client.platform, "" | "mp-weixin").then_some("mp-weixin")
    }

    fn app_id(&self) -> &str {
        &self.app_id
    }

    fn mch_id(&self) -> Option<&str> {
        self.mch_id.as_deref()
    }

    fn number_limit(&self) -> usize {
        32
    }

    fn watched_until(&self, order: &Order, _attempt: &Attempt) -> UnixMs {
        order.time_expire + SESSION + MARGIN
    }

    /// `wxpay_virtual` of a request: what is bought, and what it costs.
    ///
    /// # Errors
    /// [`Code::VIRTUAL`], [`Code::BUY_QUANTITY`], [`Code::VIRTUAL_MODE`], [`Code::PRODUCT`]; [`Code::FORBIDDEN`] for
    /// coins under a quote that does not sign them.
    fn goods(&self, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
        let wanted = request.read(&fields::WXPAY_VIRTUAL).and_then(Value::as_object).ok_or(Code::VIRTUAL)?;
        let quantity = wanted.get("buy_quantity").and_then(Fen::from_json).ok_or(Code::BUY_QUANTITY)?.0;
        let mut named = Map::new();
        let total = match text_of(wanted, "mode") {
            // The payer has the coins beside what the order delivers.
            Some("short_series_coin") if request.needs_signed_goods() && !request.quoted.contains(&"wxpay_virtual") => {
                return Err(Failure::new(Code::FORBIDDEN).at("wxpay_virtual.mode").says("wxpay_virtual.mode"));
            }
            Some(mode @ "short_series_coin") => {
                named.insert("mode".to_owned(), json!(mode));
                let hundredths = quantity.checked_mul(100).ok_or(Code::BUY_QUANTITY)?;
                (hundredths % self.rate == 0).then_some(hundredths / self.rate)
            }
            Some(mode @ "short_series_goods") => {
                named.insert("mode".to_owned(), json!(mode));
                let product = text_of(wanted, "product_id").filter(|id| (1..=64).contains(&id.len()));
                let product = product
                    .ok_or_else(|| Failure::new(Code::PRODUCT).at("wxpay_virtual.product_id").says("product_id"))?;
                let price = wanted.get("goods_price").and_then(Fen::from_json);
                let price = price
                    .ok_or_else(|| {
                        Failure::new(Code::PRODUCT)
                            .at("wxpay_virtual.goods_price")
                            .says("goods_price: must be an integer in fen")
                    })?
                    .0;
                named.insert("product_id".to_owned(), json!(product));
                named.insert("goods_price".to_owned(), json!(price));
                price.checked_mul(quantity)
            }
            _ => return Err(Code::VIRTUAL_MODE.into()),
        };
        let total = total.filter(|total| (1..=Fen::MAX.0).contains(total)).ok_or(Code::BUY_QUANTITY)?;
        named.insert("buy_quantity".to_owned(), json!(quantity));
        named.insert("env".to_owned(), json!(env(self)));
        Ok(Goods { total: Some(Fen(total)), named })
    }

    async fn payer(&self, cx: Cx<'_>, openid: Option<&str>, code: Option<&str>) -> Result<Option<String>, Failure> {
        session::payer(cx.clients, self, openid, code, cx.now).await.map(Some)
    }

    fn check(&self, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
        let number = &request.attempt.number;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-|*@".contains(&b);
        if !(8..=32).contains(&number.len()) || !number.bytes().all(plain) || number.starts_with('_') {
            return Err(("out_trade_no", "8 to 32 letters, digits and _-|*@, not beginning with _".to_owned()));
        }
        Ok(())
    }

    async fn create(&self, cx: Cx<'_>, request: &CreateRequest<'_>) -> Result<Created, CallError> {
        create(cx.clients, self, request).await
    }

    async fn query(&self, cx: Cx<'_>, order: &Order, attempt: &Attempt) -> Result<Standing, CallError> {
        order::query(cx.clients, self, cx.merchant, order, attempt, cx.now).await
    }

    fn check_refund(&self, out_refund_no: &str, _reason: &str) -> Result<(), (&'static str, String)> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        match (8..=32).contains(&out_refund_no.len()) && out_refund_no.bytes().all(plain) {
            true => Ok(()),
            false => Err(("out_refund_no", "8 to 32 letters, digits, _ and -".to_owned())),
        }
    }

    async fn refund(&self, cx: Cx<'_>, request: &RefundRequest<'_>) -> Result<RefundStanding, CallError> {
        order::refund(cx.clients, self, request).await
    }

    async fn query_refund(
        &self,
        cx: Cx<'_>,
        order: &Order,
        attempt: &Attempt,
        refund: &Refund,
    ) -> Result<RefundStanding, CallError> {
        order::query_refund(cx.clients, self, order, attempt, refund, cx.now).await
    }

    async fn delivered(&self, cx: Cx<'_>, attempt: &Attempt) {
        order::delivered(cx.clients, self, attempt, cx.now).await;
    }

    async fn login(cx: Cx<'_>, merchant: &Merchant, _platform: &str, code: &str) -> Option<Result<Login, CallError>> {
        let node = merchant.virtual_pay.get("mp-weixin")?;
        Some(session::app(node).session(cx.clients, code, node.session_ttl, cx.now).await)
    }

    /// By mini program.
    fn complaint_accounts(merchant: &Merchant) -> Vec<(String, bool, Node)> {
        let nodes = merchant.virtual_pay.values();
        nodes.map(|node| (node.app_id.clone(), node.complaints, node.clone().into())).collect()
    }

    async fn complaints(&self, cx: Cx<'_>, days: (Day, Day), page: u64) -> Result<ComplaintPage, CallError> {
        complaint::list(cx, self, days, page).await
    }

    async fn complaint(&self, cx: Cx<'_>, complaint_id: &str) -> Result<Option<Complaint>, CallError> {
        complaint::find(cx, self, complaint_id).await
    }

    async fn complaint_history(&self, cx: Cx<'_>, complaint: &Complaint) -> Result<Vec<ComplaintLine>, CallError> {
        complaint::history(cx, self, complaint).await
    }

    async fn answer_complaint(&self, cx: Cx<'_>, answer: &ComplaintAnswer<'_>) -> Result<(), CallError> {
        complaint::answer(cx, self, answer).await
    }

    async fn complete_complaint(&self, cx: Cx<'_>, end: &ComplaintEnd<'_>) -> Result<(), CallError> {
        complaint::complete(cx, self, end).await
    }

    async fn request(&self, cx: Cx<'_>, raw: &RawRequest<'_>) -> RawOutcome {
        request::request(cx.clients, self, raw, cx.now).await
    }

    async fn examine(&self, cx: Cx<'_>) -> Examination {
        examine::examine(self, cx).await
    }

    fn found_at(&self, key: &str) -> Page {
        examine::found_at(key)
    }

    fn recognises(callback: &Shape<'_>) -> bool {
        callback.query("signature") && callback.query("nonce")
    }

    async fn read_callback(
        merchant: &Merchant,
        clients: &ProviderClients,
        request: &CallbackRequest<'_>,
    ) -> Result<Notice, CallbackError> {
        push::read(merchant, clients, request).await
    }

    fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
        wechat_push::reply(request, verdict)
    }
}
