//! WeChat Pay behind the interface that all providers have.

use super::config::{ALIASES, Api, IGNORED, MINI_PROGRAM, NODES, V3, WxpayNode};
use super::failure::{is_paying, ours};
use super::{
    authorization, bill, callback, check, client, complaint, examine, fund_flow, receipt, request, sharing, shipping,
    transfer, v2, v3, v3_refund,
};
use crate::bill::{FundStatement, Statement};
use crate::common::{raw, wechat_login};
use crate::diagnosis::{Examination, Page};
use crate::driver::{Client, Cx, Driver, Shape, unsupported};
use crate::{
    AbnormalRefund, Account, AuthorizationRequest, AuthorizationStanding, Balance, BalanceRequest, CallError,
    CallbackError, CallbackRequest, Closing, ComplaintAnswer, ComplaintEnd, ComplaintPage, CreateRequest, Created,
    Login, Merchant, Node, Notice, ProviderClients, ProviderReply, RawOutcome, RawRequest, Receipt, ReceiverRequest,
    RefundRequest, RefundStanding, ReturnRequest, ShareRequest, ShippingRequest, ShippingStanding, Standing,
    TransferRequest, TransferStanding, Verdict,
};
use config::{Reader, Section, TransferDefaults};
use domain::{
    Attempt, Code, Complaint, ComplaintLine, Day, Failure, Fen, Order, Refund, ReturnStanding, ShareStanding,
    ShippingMode, UnixMs,
};
use serde_json::{Map, Value};

impl Driver for WxpayNode {
    const SECTION: Section = Section {
        name: "wxpay",
        nodes: &NODES,
        aliases: &ALIASES,
        ignored: IGNORED,
        identity: &["appId", "mchId"],
        signing: &["key", "v3Key", "appPrivateKeyContent"],
    };
    const NODE_IS_PLATFORM: bool = false;
    /// A message push has its URL checked by one.
    const TAKES_GET: bool = true;

    fn read_config(name: &str, node: &Reader<'_>) -> Option<Self> {
        Self::read(name, node)
    }

    fn node_for(client: &Client<'_>, _merchant: &Merchant) -> Option<&'static str> {
        match client.platform {
            "pc" => Some("h5"),
            _ if client.wants_qr => Some("h5"),
            "" if client.has_openid => Some("mp-weixin"),
            _ if client.is_web() && client.in_wechat() => Some("h5-weixin"),
            _ if client.is_web() && client.on_phone() => Some("mweb"),
            _ if client.is_web() => Some("h5"),
            "mp-weixin" => Some("mp-weixin"),
            "h5-weixin" => Some("h5-weixin"),
            "mweb" => Some("mweb"),
            _ if client.is_app() => Some("app-plus"),
            _ => None,
        }
    }

    fn app_id(&self) -> &str {
        &self.app_id
    }

    fn mch_id(&self) -> Option<&str> {
        Some(&self.mch_id)
    }

    fn number_limit(&self) -> usize {
        32
    }

    fn returns_payers(&self) -> bool {
        self.name == "mweb"
    }

    fn watched_until(&self, order: &Order, _attempt: &Attempt) -> UnixMs {
        order.time_expire
    }

    fn check(&self, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
        check::check(self, request)
    }

    async fn create(&self, cx: Cx<'_>, request: &CreateRequest<'_>) -> Result<Created, CallError> {
        match &self.api {
            Api::V3(v3) => v3::create(cx.clients, self, v3, cx.merchant, request).await,
            Api::V2(v2) => v2::order::create(cx.clients, self, v2, cx.merchant, request).await,
        }
    }

    async fn query(&self, cx: Cx<'_>, _order: &Order, attempt: &Attempt) -> Result<Standing, CallError> {
        match &self.api {
            Api::V3(v3) => v3::query(cx.clients, self, v3, cx.merchant, attempt, cx.now).await,
            Api::V2(v2) => v2::order::query(cx.clients, self, v2, cx.merchant, attempt).await,
        }
    }

    fn closes(&self) -> bool {
        true
    }

    /// Closing an order of a pay code is a reversal.
    fn reverses(&self) -> bool {
        client::Product::of(self) == Some(client::Product::CodePay)
    }

    async fn close(&self, cx: Cx<'_>, _order: &Order, attempt: &Attempt) -> Result<Closing, CallError> {
        let closed = match &self.api {
            Api::V3(v3) => v3::close(cx.clients, self, v3, attempt, cx.now).await,
            Api::V2(v2) => v2::order::close(cx.clients, self, v2, attempt).await,
        };
        match closed {
            Ok(()) => Ok(Closing::Closed),
            Err(error) if is_paying(&error) => Ok(Closing::Paying),
            Err(error) => Err(error),
        }
    }

    fn can_refund(&self, _attempt: &Attempt) -> Result<(), Failure> {
        match &self.api {
            Api::V2(v2) if v2.identity.is_none() => {
                Err(Failure::new(Code::REFUND_REFUSED).says(v2::no_certificate().message))
            }
            Api::V2(_) | Api::V3(_) => Ok(()),
        }
    }

    /// APIv2 signs the reason as it stands.
    fn check_refund(&self, _out_refund_no: &str, reason: &str) -> Result<(), (&'static str, String)> {
        match &self.api {
            Api::V2(_) => raw::check("refund_desc", reason),
            Api::V3(_) => Ok(()),
        }
    }

    async fn refund(&self, cx: Cx<'_>, request: &RefundRequest<'_>) -> Result<RefundStanding, CallError> {
        match &self.api {
            Api::V3(v3) => v3_refund::refund(cx.clients, self, v3, request).await,
            Api::V2(v2) => v2::refund::refund(cx.clients, self, v2, request).await,
        }
    }

    fn mends_refunds(&self) -> bool {
        matches!(self.api, Api::V3(_))
    }

    async fn apply_abnormal_refund(
        &self,
        cx: Cx<'_>,
        request: &AbnormalRefund<'_>,
    ) -> Result<RefundStanding, CallError> {
        match &self.api {
            Api::V3(v3) => v3_refund::apply_abnormal(cx.clients, self, v3, request).await,
            Api::V2(_) => unsupported(),
        }
    }

    async fn query_refund(
        &self,
        cx: Cx<'_>,
        _order: &Order,
        attempt: &Attempt,
        refund: &Refund,
    ) -> Result<RefundStanding, CallError> {
        match &self.api {
            Api::V3(v3) => v3_refund::query_refund(cx.clients, self, v3, attempt, &refund.out_refund_no, cx.now).await,
            Api::V2(v2) => v2::refund::query_refund(cx.clients, self, v2, attempt, &refund.out_refund_no).await,
        }
    }

    fn transfers(&self) -> Result<&TransferDefaults, Failure> {
        match transfer_keys(self) {
            Some(_) => Ok(&self.transfer),
            None => Err(Failure::new(Code::UNSUPPORTED).says("wxpay: version 3")),
        }
    }

    fn sealing_key(&self) -> Option<[u8; 32]> {
        Some(transfer_keys(self)?.private_key.derived_key(crate::driver::SEALED_TRANSFERS))
    }

    async fn transfer(&self, cx: Cx<'_>, request: &TransferRequest<'_>) -> Result<TransferStanding, CallError> {
        match transfer_keys(self) {
            Some(v3) => transfer::transfer(cx.clients, self, v3, request).await,
            None => unsupported(),
        }
    }

    async fn query_transfer(
        &self,
        cx: Cx<'_>,
        request: &TransferRequest<'_>,
    ) -> Result<Option<TransferStanding>, CallError> {
        match transfer_keys(self) {
            Some(v3) => transfer::query(cx.clients, self, v3, request).await,
            None => unsupported(),
        }
    }

    async fn cancel_transfer(
        &self,
        cx: Cx<'_>,
        request: &TransferRequest<'_>,
    ) -> Result<Option<TransferStanding>, CallError> {
        match transfer_keys(self) {
            Some(v3) => transfer::cancel(cx.clients, self, v3, request).await,
            None => unsupported(),
        }
    }

    async fn receipt(&self, cx: Cx<'_>, request: &TransferRequest<'_>) -> Result<Receipt, CallError> {
        match transfer_keys(self) {
            Some(v3) => receipt::receipt(cx.clients, self, v3, request).await,
            None => unsupported(),
        }
    }

    async fn authorize(
        &self,
        cx: Cx<'_>,
        request: &AuthorizationRequest<'_>,
    ) -> Result<AuthorizationStanding, CallError> {
        match transfer_keys(self) {
            Some(v3) => authorization::authorize(cx.clients, self, v3, request).await,
            None => unsupported(),
        }
    }

    async fn query_authorization(
        &self,
        cx: Cx<'_>,
        request: &AuthorizationRequest<'_>,
    ) -> Result<Option<AuthorizationStanding>, CallError> {
        match transfer_keys(self) {
            Some(v3) => authorization::query(cx.clients, self, v3, request).await,
            None => unsupported(),
        }
    }

    async fn close_authorization(
        &self,
        cx: Cx<'_>,
        request: &AuthorizationRequest<'_>,
    ) -> Result<Option<AuthorizationStanding>, CallError> {
        match transfer_keys(self) {
            Some(v3) => authorization::close(cx.clients, self, v3, request).await,
            None => unsupported(),
        }
    }

    /// What is paid in a mini program of ours. Of a sub-merchant's there is no access token.
    fn keeps_money(&self, attempt: &Attempt) -> bool {
        self.name == MINI_PROGRAM && attempt.sub_appid.is_none()
    }

    fn shipping(&self) -> Option<ShippingMode> {
        self.shipping
    }

    async fn ship(&self, cx: Cx<'_>, request: &ShippingRequest<'_>) -> Result<(), CallError> {
        shipping::ship(cx, self, request).await
    }

    async fn query_shipping(&self, cx: Cx<'_>, transaction_id: &str) -> Result<ShippingStanding, CallError> {
        shipping::query(cx, self, transaction_id).await
    }

    async fn confirm_receive(&self, cx: Cx<'_>, transaction_id: &str, received: UnixMs) -> Result<(), CallError> {
        shipping::confirm_receive(cx, self, transaction_id, received).await
    }

    /// By merchant number, as bills are.
    fn complaint_accounts(merchant: &Merchant) -> Vec<(String, bool, Node)> {
        let nodes = merchant.wxpay.values().filter(|node| transfer_keys(node).is_some());
        nodes.map(|node| (node.mch_id.clone(), node.complaints, node.clone().into())).collect()
    }

    async fn complaints(&self, cx: Cx<'_>, days: (Day, Day), page: u64) -> Result<ComplaintPage, CallError> {
        match transfer_keys(self) {
            Some(v3) => complaint::list(cx, self, v3, days, page).await,
            None => unsupported(),
        }
    }

    async fn complaint(&self, cx: Cx<'_>, complaint_id: &str) -> Result<Option<Complaint>, CallError> {
        match transfer_keys(self) {
            Some(v3) => complaint::find(cx, self, v3, complaint_id).await,
            None => unsupported(),
        }
    }

    async fn complaint_history(&self, cx: Cx<'_>, complaint: &Complaint) -> Result<Vec<ComplaintLine>, CallError> {
        match transfer_keys(self) {
            Some(v3) => complaint::history(cx, self, v3, complaint).await,
            None => unsupported(),
        }
    }

    async fn answer_complaint(&self, cx: Cx<'_>, answer: &ComplaintAnswer<'_>) -> Result<(), CallError> {
        match transfer_keys(self) {
            Some(v3) => complaint::answer(cx, self, v3, answer).await,
            None => unsupported(),
        }
    }

    async fn complete_complaint(&self, cx: Cx<'_>, end: &ComplaintEnd<'_>) -> Result<(), CallError> {
        match transfer_keys(self) {
            Some(v3) => complaint::complete(cx, self, v3, end).await,
            None => unsupported(),
        }
    }

    async fn subscribe_complaints(&self, cx: Cx<'_>, url: &str) -> Result<(), CallError> {
        match transfer_keys(self) {
            Some(v3) => complaint::subscribe(cx, self, v3, url).await,
            None => unsupported(),
        }
    }

    fn can_share(&self) -> Result<(), Failure> {
        match &self.api {
            Api::V3(_) => Ok(()),
            Api::V2(_) => Err(Failure::new(Code::UNSUPPORTED).says("wxpay: profit sharing needs version 3")),
        }
    }

    fn receiver_types(&self) -> &'static [&'static str] {
        &sharing::RECEIVERS
    }

    fn is_shared(&self, other: &Map<String, Value>) -> bool {
        sharing::is_shared(other)
    }

    fn mark_shared(&self, other: &mut Map<String, Value>) {
        sharing::mark_shared(other);
    }

    async fn share(&self, cx: Cx<'_>, request: &ShareRequest<'_>) -> Result<ShareStanding, CallError> {
        match &self.api {
            Api::V3(v3) => sharing::share(cx.clients, self, v3, request).await,
            Api::V2(_) => unsupported(),
        }
    }

    async fn query_share(&self, cx: Cx<'_>, request: &ShareRequest<'_>) -> Result<Option<ShareStanding>, CallError> {
        match &self.api {
            Api::V3(v3) => sharing::query(cx.clients, self, v3, request).await,
            Api::V2(_) => unsupported(),
        }
    }

    async fn return_share(&self, cx: Cx<'_>, request: &ReturnRequest<'_>) -> Result<ReturnStanding, CallError> {
        match &self.api {
            Api::V3(v3) => sharing::take_back(cx.clients, self, v3, request).await,
            Api::V2(_) => unsupported(),
        }
    }

    async fn query_return(&self, cx: Cx<'_>, request: &ReturnRequest<'_>) -> Result<Option<ReturnStanding>, CallError> {
        match &self.api {
            Api::V3(v3) => sharing::query_return(cx.clients, self, v3, request).await,
            Api::V2(_) => unsupported(),
        }
    }

    async fn unsplit(&self, cx: Cx<'_>, attempt: &Attempt, transaction_id: &str) -> Result<Fen, CallError> {
        match &self.api {
            Api::V3(v3) => sharing::unsplit(cx, self, v3, attempt, transaction_id).await,
            Api::V2(_) => unsupported(),
        }
    }

    async fn add_receiver(&self, cx: Cx<'_>, request: &ReceiverRequest<'_>) -> Result<(), CallError> {
        match &self.api {
            Api::V3(v3) => sharing::add_receiver(cx.clients, self, v3, request).await,
            Api::V2(_) => unsupported(),
        }
    }

    async fn delete_receiver(&self, cx: Cx<'_>, request: &ReceiverRequest<'_>) -> Result<(), CallError> {
        match &self.api {
            Api::V3(v3) => sharing::delete_receiver(cx.clients, self, v3, request).await,
            Api::V2(_) => unsupported(),
        }
    }

    /// Of a page in WeChat's browser, or of a mini program.
    async fn login(cx: Cx<'_>, merchant: &Merchant, platform: &str, code: &str) -> Option<Result<Login, CallError>> {
        if matches!(platform, "h5" | "h5-weixin") {
            let site = app(merchant.wxpay.get("h5-weixin")?)?;
            return Some(site.page(cx.clients, code).await);
        }
        let node = merchant.wxpay.get("mp-weixin")?;
        let app = app(node)?;
        let virtual_node = merchant.virtual_pay.values().find(|other| other.app_id == node.app_id);
        let ttl = virtual_node.map_or(wechat_login::SESSION_TTL, |other| other.session_ttl);
        Some(app.session(cx.clients, code, ttl, cx.now).await)
    }

    /// By merchant number; only APIv3 has bills. The node for transfers takes no payments.
    fn accounts(merchant: &Merchant) -> Vec<Account> {
        let nodes = merchant.wxpay.values().filter(|node| node.name != "transfer" && transfer_keys(node).is_some());
        Account::each(nodes.map(|node| (node.mch_id.as_str(), node.clone().into())))
    }

    async fn bill(&self, cx: Cx<'_>, day: Day) -> Result<Statement, CallError> {
        match &self.api {
            Api::V3(v3) => bill::bill(cx.clients, self, v3, day, cx.now).await,
            Api::V2(_) => unsupported(),
        }
    }

    async fn request(&self, cx: Cx<'_>, raw: &RawRequest<'_>) -> RawOutcome {
        match &self.api {
            Api::V3(v3) => request::request(cx.clients, self, v3, raw, cx.now).await,
            Api::V2(_) => RawOutcome::not_made(ours("UNSUPPORTED", "the node speaks APIv2; requests are APIv3's")),
        }
    }

    async fn balance(&self, cx: Cx<'_>, request: &BalanceRequest<'_>) -> Result<Balance, CallError> {
        match &self.api {
            Api::V3(v3) => request::balance(cx.clients, self, v3, request, cx.now).await,
            Api::V2(_) => Err(ours("UNSUPPORTED", "the node speaks APIv2; balances are APIv3's")),
        }
    }

    async fn funds(&self, cx: Cx<'_>, day: Day) -> Result<Option<FundStatement>, CallError> {
        match &self.api {
            Api::V3(v3) => fund_flow::funds(cx.clients, self, v3, day, cx.now).await.map(Some),
            Api::V2(_) => Ok(None),
        }
    }

    async fn examine(&self, cx: Cx<'_>) -> Examination {
        let logs_in = matches!(self.name.as_str(), "mp-weixin" | "h5-weixin");
        examine::examine(self, app(self).filter(|_| logs_in), cx).await
    }

    fn found_at(&self, key: &str) -> Page {
        examine::found_at(self, key)
    }

    fn recognises(callback: &Shape<'_>) -> bool {
        // Messages of virtual payment may be XML too.
        callback.header("wechatpay-signature") || callback.is_xml() && !callback.query("signature")
    }

    async fn read_callback(
        merchant: &Merchant,
        clients: &ProviderClients,
        request: &CallbackRequest<'_>,
    ) -> Result<Notice, CallbackError> {
        callback::read(merchant, clients, request).await
    }

    fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
        callback::reply(request, verdict)
    }
}

/// Transfers are APIv3's alone; `None` where the node speaks APIv2.
const fn transfer_keys(node: &WxpayNode) -> Option<&V3> {
    match &node.api {
        Api::V3(v3) => Some(v3),
        Api::V2(_) => None,
    }
}

/// The application of a node, where its secret is configured.
fn app(node: &WxpayNode) -> Option<wechat_login::App<'_>> {
    Some(wechat_login::App { base: node.api_base.as_ref(), app_id: &node.app_id, secret: node.secret.as_ref()? })
}
