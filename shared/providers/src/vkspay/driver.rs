//! VksPay and epay behind the interface that all providers have.

use super::config::{IGNORED, VkspayNode, VkspayProtocol};
use super::{create, epay, examine, notice, query, query_refund, refund};
use crate::diagnosis::{Examination, Page};
use crate::driver::{Client, Cx, Driver, MARGIN, Shape};
use crate::{
    CallError, CallbackError, CallbackRequest, CreateRequest, Created, Goods, GoodsRequest, Merchant, Notice,
    ProviderClients, ProviderReply, RefundRequest, RefundStanding, Standing, Verdict,
};
use config::{Reader, Section};
use domain::{Attempt, Failure, Order, Refund, UnixMs, fields};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long a link of VksPay or of an epay site may be paid after it was given out: not public, so a week is assumed.
const LINK: Duration = Duration::from_hours(7 * 24);

impl Driver for VkspayNode {
    /// One for all clients.
    const SECTION: Section = Section {
        name: "vkspay",
        nodes: &[],
        aliases: &[],
        ignored: IGNORED,
        identity: &["mchId"],
        signing: &["key", "mchPrivateKey", "mchPrivateKeyContent"],
    };
    const TAKES_GET: bool = true;
    /// VksPay and epay v1 have no number of ours, and what a site of epay v2 does is its own affair.
    const REPEATS_REFUNDS: bool = false;

    fn read_config(_name: &str, node: &Reader<'_>) -> Option<Self> {
        Self::read(node)
    }

    fn node_for(client: &Client<'_>, _merchant: &Merchant) -> Option<&'static str> {
        match client.platform {
            "pc" => Some("h5"),
            _ if client.wants_qr => Some("h5"),
            "mp-weixin" => Some("mp-weixin"),
            "mp-alipay" => Some("mp-alipay"),
            "h5-weixin" => Some("h5-weixin"),
            "mweb" => Some("mweb"),
            _ if client.is_web() && client.in_wechat() => Some("h5-weixin"),
            _ if client.is_web() && client.on_phone() => Some("mweb"),
            _ if client.is_web() => Some("h5"),
            _ if client.is_app() => Some("app-plus"),
            _ => None,
        }
    }

    fn app_id(&self) -> &str {
        &self.mch_id
    }

    fn mch_id(&self) -> Option<&str> {
        Some(&self.mch_id)
    }

    /// VksPay takes no number of ours; an epay site does.
    fn gives_numbers(&self) -> bool {
        matches!(self.protocol, VkspayProtocol::Vkspay { .. })
    }

    /// How VksPay itself would be told is not known; an epay site is.
    fn returns_payers(&self) -> bool {
        !matches!(self.protocol, VkspayProtocol::Vkspay { .. })
    }

    fn watched_until(&self, order: &Order, _attempt: &Attempt) -> UnixMs {
        order.time_expire + LINK + MARGIN
    }

    /// `provider_pay_method`: how the payer wants to pay; `auto` and nothing are one.
    fn goods(&self, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
        let mut named = Map::new();
        match request.read(&fields::PROVIDER_PAY_METHOD) {
            None => {}
            Some(Value::String(method)) if method.is_empty() || method == "auto" => {}
            Some(Value::String(method)) if ["wxpay", "alipay"].contains(&method.as_str()) => {
                named.insert("pay_method".to_owned(), json!(method));
            }
            Some(_) => return Err(fields::PROVIDER_PAY_METHOD.fault()),
        }
        Ok(Goods { total: None, named })
    }

    fn check(&self, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
        if request.auth_code.is_some() && !matches!(self.protocol, VkspayProtocol::Vkspay { .. }) {
            return Err(("auth_code", "an epay site takes no pay codes".to_owned()));
        }
        if request.auth_code.is_some_and(|code| !code.bytes().all(|b| b.is_ascii_alphanumeric())) {
            return Err(("auth_code", "letters and digits only".to_owned()));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '|');
        match self.protocol {
            VkspayProtocol::Vkspay { .. } => Ok(()),
            _ if request.attempt.number.chars().all(plain) => epay::check(request),
            _ => Err(("out_trade_no", "letters, digits and ._-| only".to_owned())),
        }
    }

    async fn create(&self, cx: Cx<'_>, request: &CreateRequest<'_>) -> Result<Created, CallError> {
        create(cx.clients, self, cx.merchant, request).await
    }

    async fn query(&self, cx: Cx<'_>, _order: &Order, attempt: &Attempt) -> Result<Standing, CallError> {
        query(cx.clients, self, cx.merchant, attempt, cx.now).await
    }

    async fn refund(&self, cx: Cx<'_>, request: &RefundRequest<'_>) -> Result<RefundStanding, CallError> {
        refund(cx.clients, self, request).await
    }

    async fn query_refund(
        &self,
        cx: Cx<'_>,
        order: &Order,
        attempt: &Attempt,
        refund: &Refund,
    ) -> Result<RefundStanding, CallError> {
        query_refund(cx.clients, self, order, attempt, refund, cx.now).await
    }

    async fn examine(&self, cx: Cx<'_>) -> Examination {
        examine::examine(self, cx).await
    }

    fn found_at(&self, _key: &str) -> Page {
        examine::found_at(self)
    }

    fn recognises(callback: &Shape<'_>) -> bool {
        let name = "out_trade_no";
        callback.json(name) || callback.form(name) || callback.is_form() && callback.query(name)
    }

    async fn read_callback(
        merchant: &Merchant,
        clients: &ProviderClients,
        request: &CallbackRequest<'_>,
    ) -> Result<Notice, CallbackError> {
        notice::read(merchant, clients, request).await
    }

    fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
        notice::reply(request, verdict)
    }
}
