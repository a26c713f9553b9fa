//! Douyin behind the interface that all providers have.

use super::config::{ALIASES, DouyinNode, DouyinProduct, IGNORED, NODES};
use super::{ecpay, examine, login, open, reply, trade};
use crate::common::raw;
use crate::diagnosis::{Examination, Page};
use crate::driver::{Client, Cx, Driver, MARGIN, NO_LIMIT_NAMED, Shape, close_by_asking};
use crate::{
    CallError, CallbackError, CallbackRequest, Closing, CreateRequest, Created, Goods, GoodsRequest, Login, Merchant,
    Notice, ProviderClients, ProviderReply, RefundRequest, RefundStanding, Standing, Verdict,
};
use config::{Reader, Section};
use domain::{Attempt, Failure, Order, Refund, UnixMs};
use serde_json::{Map, json};
use std::time::Duration;

/// The least and the most of ecpay's `valid_time`, and taken for the trade system's `payExpireSeconds`, whose limit is
/// not public.
const LIFE: std::ops::RangeInclusive<Duration> = Duration::from_mins(5)..=Duration::from_hours(48);

impl Driver for DouyinNode {
    const SECTION: Section = Section {
        name: "douyin",
        nodes: &NODES,
        aliases: &ALIASES,
        ignored: IGNORED,
        identity: &["appId", "mchId"],
        signing: &["salt", "privateKey", "privateKeyContent", "v3Key", "appPrivateKeyContent"],
    };
    const SPENDS_NUMBERS: bool = true;

    fn read_config(name: &str, node: &Reader<'_>) -> Option<Self> {
        Self::read(name, node)
    }

    fn node_for(_client: &Client<'_>, _merchant: &Merchant) -> Option<&'static str> {
        Some("mp-toutiao")
    }

    fn app_id(&self) -> &str {
        &self.app_id
    }

    fn mch_id(&self) -> Option<&str> {
        self.mch_id.as_deref()
    }

    /// The open product has WeChat Pay's shapes.
    fn number_limit(&self) -> usize {
        if self.can_close() { 32 } else { 64 }
    }

    fn longest_life(&self, _attempt: &Attempt) -> Duration {
        if self.can_close() { NO_LIMIT_NAMED } else { *LIFE.end() }
    }

    fn watched_until(&self, order: &Order, attempt: &Attempt) -> UnixMs {
        match self.can_close() {
            true => order.time_expire,
            // What is shorter than they take is sent as the shortest.
            false => order.time_expire.max(attempt.create_date + *LIFE.start()) + MARGIN,
        }
    }

    /// The open product pays in four ways; which one the client's platform tells.
    fn goods(&self, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
        let mut named = Map::new();
        if matches!(self.product, DouyinProduct::Douyinpay(_)) {
            named.insert("way".to_owned(), json!(open::way(request.data)));
        }
        Ok(Goods { total: None, named })
    }

    fn check(&self, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
        if let DouyinProduct::Douyinpay(pay) = &self.product {
            return open::node(pay, request.attempt).check(request);
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-*".contains(&b);
        if !request.attempt.number.bytes().all(plain) {
            return Err(("out_trade_no", "letters, digits and _-* only".to_owned()));
        }
        if request.notify_url.len() > 256 {
            return Err(("notify_url", "at most 256 characters".to_owned()));
        }
        match self.product {
            DouyinProduct::Ecpay(_) => raw::check("subject", &request.order.description),
            DouyinProduct::Trade(_) | DouyinProduct::Douyinpay(_) => Ok(()),
        }
    }

    async fn create(&self, cx: Cx<'_>, request: &CreateRequest<'_>) -> Result<Created, CallError> {
        match &self.product {
            DouyinProduct::Ecpay(keys) => ecpay::create(cx.clients, self, keys, request).await,
            DouyinProduct::Trade(keys) => trade::create(self, keys, request),
            DouyinProduct::Douyinpay(pay) => open::node(pay, request.attempt).create(cx, request).await,
        }
    }

    async fn query(&self, cx: Cx<'_>, order: &Order, attempt: &Attempt) -> Result<Standing, CallError> {
        match &self.product {
            DouyinProduct::Ecpay(keys) => ecpay::query(cx.clients, self, keys, cx.merchant, attempt).await,
            DouyinProduct::Trade(_) => trade::query(cx.clients, self, cx.merchant, attempt, cx.now).await,
            DouyinProduct::Douyinpay(pay) => {
                open::node(pay, attempt).query(cx, order, attempt).await.map(open::relabel)
            }
        }
    }

    fn closes(&self) -> bool {
        self.can_close()
    }

    async fn close(&self, cx: Cx<'_>, order: &Order, attempt: &Attempt) -> Result<Closing, CallError> {
        match &self.product {
            DouyinProduct::Douyinpay(pay) => open::node(pay, attempt).close(cx, order, attempt).await,
            DouyinProduct::Ecpay(_) | DouyinProduct::Trade(_) => close_by_asking(self, cx, order, attempt).await,
        }
    }

    /// ecpay signs the reason as it stands.
    fn check_refund(&self, _out_refund_no: &str, reason: &str) -> Result<(), (&'static str, String)> {
        match self.product {
            DouyinProduct::Ecpay(_) => raw::check("refund_desc", reason),
            DouyinProduct::Trade(_) | DouyinProduct::Douyinpay(_) => Ok(()),
        }
    }

    async fn refund(&self, cx: Cx<'_>, request: &RefundRequest<'_>) -> Result<RefundStanding, CallError> {
        match &self.product {
            DouyinProduct::Ecpay(keys) => ecpay::refund(cx.clients, self, keys, request).await,
            DouyinProduct::Trade(keys) => trade::refund(cx.clients, self, keys, request).await,
            DouyinProduct::Douyinpay(pay) => open::node(pay, request.attempt).refund(cx, request).await,
        }
    }

    async fn query_refund(
        &self,
        cx: Cx<'_>,
        order: &Order,
        attempt: &Attempt,
        refund: &Refund,
    ) -> Result<RefundStanding, CallError> {
        match &self.product {
            DouyinProduct::Ecpay(keys) => ecpay::query_refund(cx.clients, self, keys, refund).await,
            DouyinProduct::Trade(_) => trade::query_refund(cx.clients, self, refund, cx.now).await,
            DouyinProduct::Douyinpay(pay) => open::node(pay, attempt).query_refund(cx, order, attempt, refund).await,
        }
    }

    async fn login(cx: Cx<'_>, merchant: &Merchant, _platform: &str, code: &str) -> Option<Result<Login, CallError>> {
        Some(login(cx.clients, merchant.douyin.get("mp-toutiao")?, code).await)
    }

    async fn examine(&self, cx: Cx<'_>) -> Examination {
        examine::examine(self, cx).await
    }

    fn found_at(&self, key: &str) -> Page {
        examine::found_at(self, key)
    }

    fn recognises(callback: &Shape<'_>) -> bool {
        callback.header("byte-signature")
            || callback.header("douyinpay-signature")
            || callback.json("msg_signature") && callback.json("msg")
    }

    async fn read_callback(
        merchant: &Merchant,
        clients: &ProviderClients,
        request: &CallbackRequest<'_>,
    ) -> Result<Notice, CallbackError> {
        let node = merchant.douyin.values().next().ok_or(CallbackError::Forged("douyin is not configured"))?;
        match &node.product {
            DouyinProduct::Ecpay(keys) => ecpay::read(node, keys, &merchant.id, request),
            DouyinProduct::Trade(keys) => trade::read(node, keys, &merchant.id, request),
            DouyinProduct::Douyinpay(pay) => open::read(pay, &merchant.id, clients, request).await,
        }
    }

    fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
        reply(request, verdict)
    }
}
