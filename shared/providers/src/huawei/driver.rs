//! Huawei behind the interface that all providers have.

use super::config::{ALIASES, HuaweiNode, IGNORED, NODES};
use super::{examine, iap, is_iap, notify, pay, unconfigured};
use crate::common::raw;
use crate::diagnosis::{Examination, Page};
use crate::driver::{Client, Cx, Driver, MARGIN, NO_LIMIT_NAMED, Shape};
use crate::{
    CallError, CallbackError, CallbackRequest, CreateRequest, Created, Goods, GoodsRequest, Held, Merchant, Notice,
    Proof, ProviderClients, ProviderReply, Purchase, RefundRequest, RefundStanding, Standing, Stands, Verdict,
};
use config::{Reader, Section};
use domain::{Attempt, Code, Failure, Order, Payment, Refund, UnixMs, fields};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// `expireTime` of Payment Kit.
const LONGEST_LIFE: Duration = Duration::from_hours(180 * 24);

impl Driver for HuaweiNode {
    const SECTION: Section = Section {
        name: "huawei",
        nodes: &NODES,
        aliases: &ALIASES,
        ignored: IGNORED,
        identity: &["appId", "mchId"],
        signing: &["mchPrivateKey", "mchPrivateKeyContent"],
    };
    const SPENDS_NUMBERS: bool = true;

    fn read_config(name: &str, node: &Reader<'_>) -> Option<Self> {
        Self::read(name, node)
    }

    fn node_for(client: &Client<'_>, merchant: &Merchant) -> Option<&'static str> {
        match client.platform {
            "mp-harmony" | "mp" => Some("mp-harmony"),
            "app-harmony" | "app" => Some("app-harmony"),
            "" if merchant.huawei.len() == 1 => {
                Some(if merchant.huawei.contains_key("mp-harmony") { "mp-harmony" } else { "app-harmony" })
            }
            _ => None,
        }
    }

    fn app_id(&self) -> &str {
        &self.app_id
    }

    fn mch_id(&self) -> Option<&str> {
        self.mch_id.as_deref()
    }

    fn number_limit(&self) -> usize {
        46
    }

    fn longest_life(&self, attempt: &Attempt) -> Duration {
        if is_iap(attempt) { NO_LIMIT_NAMED } else { LONGEST_LIFE }
    }

    fn watched_until(&self, order: &Order, attempt: &Attempt) -> UnixMs {
        if is_iap(attempt) { order.time_expire } else { order.time_expire + MARGIN }
    }

    /// A product for IAP Kit; for Payment Kit the kind of business (`biz_type`).
    fn goods(&self, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
        if let Some(iap) = &self.iap
            && (self.pay.is_none() || request.named(&fields::PRODUCT_ID)?.is_some())
        {
            return crate::common::store::product(iap.products.as_ref(), request);
        }
        let mut goods = Map::new();
        match request.read(&fields::BIZ_TYPE) {
            None => {}
            Some(Value::String(kind)) if (1..=16).contains(&kind.len()) && kind.bytes().all(|b| b.is_ascii_digit()) => {
                goods.insert("biz_type".to_owned(), json!(kind));
            }
            Some(Value::Number(kind)) if kind.is_u64() => {
                goods.insert("biz_type".to_owned(), json!(kind.to_string()));
            }
            Some(_) => return Err(fields::BIZ_TYPE.fault()),
        }
        Ok(Goods { total: None, named: goods })
    }

    fn check(&self, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
        let number = &request.attempt.number;
        match number.len() <= 46 && number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            true if is_iap(request.attempt) => Ok(()),
            true => raw::check("subject", &request.order.description),
            false => Err(("out_trade_no", "at most 46 letters, digits, _ and -".to_owned())),
        }
    }

    async fn create(&self, cx: Cx<'_>, request: &CreateRequest<'_>) -> Result<Created, CallError> {
        match &self.pay {
            _ if is_iap(request.attempt) => Ok(iap::sheet(request)),
            Some(keys) => pay::create(cx.clients, self, keys, request).await,
            None => unconfigured(),
        }
    }

    async fn query(&self, cx: Cx<'_>, _order: &Order, attempt: &Attempt) -> Result<Standing, CallError> {
        match &self.pay {
            // The store cannot be asked by our number.
            _ if is_iap(attempt) => Ok(Standing::Unpaid { paying: false }),
            Some(keys) => pay::query(cx.clients, self, keys, cx.merchant, attempt, cx.now).await,
            None => unconfigured(),
        }
    }

    async fn stands(
        &self,
        cx: Cx<'_>,
        order: &Order,
        attempt: &Attempt,
        payment: &Payment,
    ) -> Result<Stands, CallError> {
        match is_iap(attempt) {
            true => Ok(Stands::CannotAsk),
            false => Ok(crate::stands::of(self.query(cx, order, attempt).await?, payment)),
        }
    }

    async fn brought(&self, cx: Cx<'_>, payment: &Payment, held: &Held) -> Result<Stands, CallError> {
        let names = (payment.transaction_id.as_str(), held.key.as_str());
        iap::brought(cx.clients, self, cx.merchant, names, cx.now).await
    }

    fn can_refund(&self, attempt: &Attempt) -> Result<(), Failure> {
        match is_iap(attempt) {
            true => Err(Failure::new(Code::UNSUPPORTED).says("huawei iap: refund")),
            false => Ok(()),
        }
    }

    /// Payment Kit signs the reason as it stands.
    fn check_refund(&self, _out_refund_no: &str, reason: &str) -> Result<(), (&'static str, String)> {
        raw::check("refund_desc", reason)
    }

    async fn refund(&self, cx: Cx<'_>, request: &RefundRequest<'_>) -> Result<RefundStanding, CallError> {
        match &self.pay {
            Some(keys) => pay::refund(cx.clients, self, keys, request).await,
            None => unconfigured(),
        }
    }

    async fn query_refund(
        &self,
        cx: Cx<'_>,
        _order: &Order,
        _attempt: &Attempt,
        refund: &Refund,
    ) -> Result<RefundStanding, CallError> {
        match &self.pay {
            Some(keys) => pay::query_refund(cx.clients, self, keys, refund, cx.now).await,
            None => unconfigured(),
        }
    }

    async fn purchase(&self, cx: Cx<'_>, attempt: &Attempt, proof: Proof<'_>) -> Result<Purchase, CallError> {
        iap::purchase(cx, self, attempt, proof).await
    }

    async fn examine(&self, cx: Cx<'_>) -> Examination {
        examine::examine(self, cx).await
    }

    fn found_at(&self, key: &str) -> Page {
        examine::found_at(key)
    }

    fn recognises(callback: &Shape<'_>) -> bool {
        callback.json("mercNo") || callback.json("callbackId") || callback.json("jwsNotification")
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
