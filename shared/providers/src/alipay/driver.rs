//! Alipay behind the interface that all providers have.

use super::config::{ALIASES, AlipayNode, IGNORED, NODES};
use super::{bill, check, complaint, create, examine, login, notify, refund, request, sharing, trade, transfer};
use crate::bill::Statement;
use crate::diagnosis::{Examination, Page};
use crate::driver::{Client, Cx, DAY, Driver, Shape, unsupported};
use crate::{
    Account, Balance, BalanceRequest, CallError, CallbackError, CallbackRequest, Closing, ComplaintAnswer,
    ComplaintEnd, ComplaintPage, CreateRequest, Created, Login, Merchant, Node, Notice, ProviderClients, ProviderReply,
    RawOutcome, RawRequest, ReceiverRequest, RefundRequest, RefundStanding, ReturnRequest, ShareRequest, Standing,
    TransferRequest, TransferStanding, Verdict, text_of,
};
use config::{Reader, Section, TransferDefaults};
use domain::{
    Attempt, Code, Complaint, ComplaintLine, Day, Failure, Fen, Order, Refund, ReturnStanding, ShareStanding, UnixMs,
};
use serde_json::{Map, Value};
use std::time::Duration;

impl Driver for AlipayNode {
    const SECTION: Section = Section {
        name: "alipay",
        nodes: &NODES,
        aliases: &ALIASES,
        ignored: IGNORED,
        identity: &["appId"],
        signing: &["privateKey", "privateKeyContent"],
    };
    const NODE_IS_PLATFORM: bool = false;

    fn read_config(name: &str, node: &Reader<'_>) -> Option<Self> {
        Self::read(name, node)
    }

    fn node_for(client: &Client<'_>, _merchant: &Merchant) -> Option<&'static str> {
        match client.platform {
            "pc" if !client.wants_qr => Some("pc"),
            "wap" if !client.wants_qr => Some("wap"),
            "pc" => Some("h5"),
            _ if client.wants_qr => Some("h5"),
            "" if client.has_openid => Some("mp-alipay"),
            _ if client.is_web() => Some("h5"),
            "mp-alipay" => Some("mp-alipay"),
            _ if client.is_app() => Some(if client.app_to_qr { "h5" } else { "app-plus" }),
            _ => None,
        }
    }

    fn app_id(&self) -> &str {
        &self.app_id
    }

    fn mch_id(&self) -> Option<&str> {
        self.seller_id.as_deref()
    }

    fn receiver_in(other: &Map<String, Value>) -> Option<&str> {
        text_of(other, "seller_id")
    }

    fn returns_payers(&self) -> bool {
        matches!(self.name.as_str(), "pc" | "wap" | "h5")
    }

    fn longest_life(&self, _attempt: &Attempt) -> Duration {
        15 * DAY
    }

    fn watched_until(&self, order: &Order, _attempt: &Attempt) -> UnixMs {
        order.time_expire
    }

    fn check(&self, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
        check::check(self, request)
    }

    async fn create(&self, cx: Cx<'_>, request: &CreateRequest<'_>) -> Result<Created, CallError> {
        create::create(cx.clients, self, cx.merchant, request).await
    }

    async fn query(&self, cx: Cx<'_>, _order: &Order, attempt: &Attempt) -> Result<Standing, CallError> {
        trade::query(cx.clients, self, cx.merchant, &attempt.number, cx.now).await
    }

    fn closes(&self) -> bool {
        true
    }

    /// Ending a trade of a pay code is a cancellation.
    fn reverses(&self) -> bool {
        self.name == "codepay"
    }

    async fn close(&self, cx: Cx<'_>, _order: &Order, attempt: &Attempt) -> Result<Closing, CallError> {
        trade::close(cx.clients, self, &attempt.number, cx.now).await
    }

    async fn refund(&self, cx: Cx<'_>, request: &RefundRequest<'_>) -> Result<RefundStanding, CallError> {
        refund::refund(cx.clients, self, request).await
    }

    async fn query_refund(
        &self,
        cx: Cx<'_>,
        _order: &Order,
        attempt: &Attempt,
        refund: &Refund,
    ) -> Result<RefundStanding, CallError> {
        refund::query(cx.clients, self, &attempt.number, refund, cx.now).await
    }

    fn transfers(&self) -> Result<&TransferDefaults, Failure> {
        match self.certificates {
            Some(_) => Ok(&self.transfer),
            None => Err(Failure::new(Code::UNSUPPORTED)
                .says("alipay: certificate mode (appCert, alipayPublicCert, alipayRootCert)")),
        }
    }

    fn sealing_key(&self) -> Option<[u8; 32]> {
        Some(self.private_key.derived_key(crate::driver::SEALED_TRANSFERS))
    }

    async fn transfer(&self, cx: Cx<'_>, request: &TransferRequest<'_>) -> Result<TransferStanding, CallError> {
        transfer::transfer(cx.clients, self, request).await
    }

    async fn query_transfer(
        &self,
        cx: Cx<'_>,
        request: &TransferRequest<'_>,
    ) -> Result<Option<TransferStanding>, CallError> {
        transfer::query(cx.clients, self, request).await
    }

    fn can_share(&self) -> Result<(), Failure> {
        match self.name.as_str() {
            "transfer" => Err(Failure::new(Code::UNSUPPORTED).says("alipay.transfer takes no payments")),
            _ => Ok(()),
        }
    }

    fn can_share_payment(&self, other: &Map<String, Value>) -> Result<(), Failure> {
        sharing::can_share(self, other)
    }

    fn receiver_types(&self) -> &'static [&'static str] {
        &sharing::RECEIVERS
    }

    fn check_receiver(&self, kind: &str, account: &str) -> Result<(), &'static str> {
        sharing::check_receiver(kind, account)
    }

    fn takes_share_number(&self, number: &str) -> bool {
        sharing::is_number(number)
    }

    fn is_shared(&self, other: &Map<String, Value>) -> bool {
        sharing::is_shared(other)
    }

    fn mark_shared(&self, other: &mut Map<String, Value>) {
        sharing::mark_shared(other);
    }

    async fn share(&self, cx: Cx<'_>, request: &ShareRequest<'_>) -> Result<ShareStanding, CallError> {
        sharing::share(cx.clients, self, request).await
    }

    async fn query_share(&self, cx: Cx<'_>, request: &ShareRequest<'_>) -> Result<Option<ShareStanding>, CallError> {
        sharing::query(cx.clients, self, request).await
    }

    async fn return_share(&self, cx: Cx<'_>, request: &ReturnRequest<'_>) -> Result<ReturnStanding, CallError> {
        sharing::take_back(cx.clients, self, request).await
    }

    async fn query_return(&self, cx: Cx<'_>, request: &ReturnRequest<'_>) -> Result<Option<ReturnStanding>, CallError> {
        sharing::query_return(cx.clients, self, request).await
    }

    async fn unsplit(&self, cx: Cx<'_>, _attempt: &Attempt, transaction_id: &str) -> Result<Fen, CallError> {
        sharing::unsplit(cx, self, transaction_id).await
    }

    async fn add_receiver(&self, cx: Cx<'_>, request: &ReceiverRequest<'_>) -> Result<(), CallError> {
        sharing::change_receiver(cx.clients, self, request, true).await
    }

    async fn delete_receiver(&self, cx: Cx<'_>, request: &ReceiverRequest<'_>) -> Result<(), CallError> {
        sharing::change_receiver(cx.clients, self, request, false).await
    }

    async fn login(cx: Cx<'_>, merchant: &Merchant, _platform: &str, code: &str) -> Option<Result<Login, CallError>> {
        Some(login(cx.clients, merchant.alipay.get("mp-alipay")?, code, cx.now).await)
    }

    /// By application. The node for transfers takes no payments.
    fn accounts(merchant: &Merchant) -> Vec<Account> {
        let nodes = merchant.alipay.values().filter(|node| node.name != "transfer");
        Account::each(nodes.map(|node| (node.app_id.as_str(), node.clone().into())))
    }

    fn billed_as<'a>(_mch_id: Option<&'a str>, app_id: Option<&'a str>) -> Option<&'a str> {
        app_id
    }

    async fn bill(&self, cx: Cx<'_>, day: Day) -> Result<Statement, CallError> {
        bill::bill(cx.clients, self, day, cx.now).await
    }

    /// By application.
    fn complaint_accounts(merchant: &Merchant) -> Vec<(String, bool, Node)> {
        let nodes = merchant.alipay.values();
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

    /// There is one account, and its balance is that of now.
    async fn balance(&self, cx: Cx<'_>, request: &BalanceRequest<'_>) -> Result<Balance, CallError> {
        match request.account.is_some() || request.day.is_some() {
            true => unsupported(),
            false => request::balance(cx.clients, self, cx.now).await,
        }
    }

    async fn examine(&self, cx: Cx<'_>) -> Examination {
        examine::examine(self, cx).await
    }

    fn found_at(&self, key: &str) -> Page {
        examine::found_at(self, key)
    }

    fn recognises(callback: &Shape<'_>) -> bool {
        callback.form("app_id") && callback.form("sign")
    }

    async fn read_callback(
        merchant: &Merchant,
        _clients: &ProviderClients,
        request: &CallbackRequest<'_>,
    ) -> Result<Notice, CallbackError> {
        notify::read(merchant, request.body)
    }

    fn reply(_request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
        notify::reply(verdict)
    }
}
