//! What a provider has to answer, as one trait; [`providers!`](crate::providers) lists who implements it.
//!
//! A driver is a node of the configuration: its keys are checked, so that a call can go out. What only some providers
//! have comes with a default, which is that this one has it not.

use crate::bill::{FundStatement, Statement};
use crate::diagnosis::{Examination, Page};
use crate::{
    AbnormalRefund, Account, AuthorizationRequest, AuthorizationStanding, Balance, BalanceRequest, CallError,
    CallbackError, CallbackRequest, Closing, ComplaintAnswer, ComplaintEnd, ComplaintPage, CreateRequest, Created,
    Goods, GoodsRequest, Held, Login, Meaning, Merchant, Node, Notice, Proof, ProviderClients, ProviderReply, Purchase,
    RawOutcome, RawRequest, Receipt, ReceiverRequest, RefundRequest, RefundStanding, Refusal, ReturnRequest,
    ShareRequest, ShippingRequest, ShippingStanding, Standing, Stands, TransferRequest, TransferStanding, Verdict,
};
use config::{Reader, Section, TransferDefaults};
use domain::{
    Attempt, Code, Complaint, ComplaintLine, Day, Failure, Fen, Order, Payment, Provider, Refund, ReturnStanding,
    ShareStanding, ShippingMode, UnixMs,
};
use http::HeaderMap;
use serde_json::{Map, Value};
use std::time::Duration;

/// The longest that an order lives where the provider names no limit.
pub(crate) const NO_LIMIT_NAMED: Duration = Duration::from_hours(7 * 24);
/// What the key is derived for that seals the personal data of transfers.
pub(crate) const SEALED_TRANSFERS: &str = "vk-pay transfers 1";
/// A day.
pub(crate) const DAY: Duration = Duration::from_hours(24);
/// What a provider has is taken to be told so long after nothing can be paid any more.
pub(crate) const MARGIN: Duration = DAY;

/// What a call works with.
#[derive(Clone, Copy)]
pub(crate) struct Cx<'a> {
    /// What the providers keep.
    pub clients: &'a ProviderClients,
    /// The merchant in the configuration.
    pub merchant: &'a str,
    /// Now.
    pub now: UnixMs,
}

/// A request's client, as far as it decides which product is meant.
pub struct Client<'a> {
    /// The platform, as the client says.
    pub platform: &'a str,
    /// The browser's words, in lower case.
    pub user_agent: String,
    /// The request names the payer at the provider.
    pub has_openid: bool,
    /// A QR code is wanted: `isPC`, `needQRcode`.
    pub wants_qr: bool,
    /// `alipayAppPayToH5Pay`: an app is given a QR code.
    pub app_to_qr: bool,
}

impl Client<'_> {
    /// In WeChat's browser.
    pub(crate) fn in_wechat(&self) -> bool {
        self.user_agent.contains("micromessenger")
    }

    /// On a phone.
    pub(crate) fn on_phone(&self) -> bool {
        ["iphone", "android", "mobile", "harmony"].iter().any(|word| self.user_agent.contains(word))
    }

    /// A phone's browser that is in no wallet.
    pub(crate) fn leaves_for_alipay(&self) -> bool {
        let inside = self.in_wechat() || self.user_agent.contains("alipayclient");
        self.is_web() && self.on_phone() && !self.wants_qr && !inside
    }

    /// The same client, saying another platform.
    pub(crate) fn on<'b>(&self, platform: &'b str) -> Client<'b> {
        Client {
            platform,
            user_agent: self.user_agent.clone(),
            has_openid: self.has_openid,
            wants_qr: self.wants_qr,
            app_to_qr: self.app_to_qr,
        }
    }

    /// Whether a node is for this client: one of a mini program only there, one of an app only in an app, and what
    /// Apple sells on none of Android's.
    pub(crate) fn can_use(&self, provider: Provider, node: &str) -> bool {
        let android = self.platform == "app-android" || self.user_agent.contains("android");
        match node {
            _ if provider == Provider::Appleiap && android => false,
            _ if node.starts_with("mp-") => self.platform == node,
            _ if node.starts_with("app-") => self.is_app(),
            _ => true,
        }
    }

    /// A page in a browser.
    pub(crate) fn is_web(&self) -> bool {
        matches!(self.platform, "h5" | "web" | "")
    }

    /// An app.
    pub(crate) fn is_app(&self) -> bool {
        matches!(self.platform, "app-plus" | "app" | "app-android" | "app-ios" | "app-harmony")
    }
}

/// A provider's node. See the module.
pub(crate) trait Driver: Sized + Send + Sync + 'static {
    /// Its section in the configuration.
    const SECTION: Section;
    /// Its callbacks may come as a GET.
    const TAKES_GET: bool = false;
    /// The longest `out_refund_no` that the provider takes, bytes.
    const REFUND_NUMBER_LIMIT: usize = 64;
    /// Whether the provider takes the same refund number again for the same refund, so that one whose outcome is not
    /// known may be sent again at any time.
    const REPEATS_REFUNDS: bool = true;
    /// True when pay parameters that have ended cannot be made anew under the same number, so that paying on needs
    /// another attempt.
    const SPENDS_NUMBERS: bool = false;

    /// Whether only the payer can pay whose login the parameters are signed for; a request may bring a login code.
    const BINDS_PAYER: bool = false;
    /// Whether a client that does not say its platform is on the one that its node is named after.
    const NODE_IS_PLATFORM: bool = true;

    /// Reads a node of the section, or the section itself where it has none.
    fn read_config(name: &str, node: &Reader<'_>) -> Option<Self>;

    /// Which node a client means, as VK-Pay derives it (`docs/protocols/vkpay.md#which-node`).
    fn node_for(client: &Client<'_>, merchant: &Merchant) -> Option<&'static str>;

    /// The application at the provider.
    fn app_id(&self) -> &str;

    /// The merchant at the provider, where it is known.
    fn mch_id(&self) -> Option<&str>;

    /// The receiving account that `other` of an order names, where the provider takes one.
    fn receiver_in(_other: &Map<String, Value>) -> Option<&str> {
        None
    }

    /// The longest `out_trade_no` that the provider takes, bytes.
    fn number_limit(&self) -> usize {
        64
    }

    /// The number of a new attempt, where it is not made from the order's.
    fn own_number(&self) -> Option<String> {
        None
    }

    /// True when the provider never learns the number of an attempt and gives numbers of its own.
    fn gives_numbers(&self) -> bool {
        false
    }

    /// True when the payer leaves the page to pay and the provider can be told where to send them back.
    fn returns_payers(&self) -> bool {
        false
    }

    /// The longest that a new order may live here. Products check their own limits too.
    fn longest_life(&self, _attempt: &Attempt) -> Duration {
        NO_LIMIT_NAMED
    }

    /// Until when an attempt that its provider did not close is asked about: as long as the provider itself
    /// takes money for it, and a day more. Where the order's own end was sent and binds, or where nothing can be
    /// asked for, that is the order's end.
    fn watched_until(&self, order: &Order, attempt: &Attempt) -> UnixMs;

    /// Reads what a request buys, before anything is stored.
    ///
    /// # Errors
    /// The field's code (1017 to 1020).
    fn goods(&self, _request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
        Ok(Goods::default())
    }

    /// The payer, after a fresh login code, if there is one, was exchanged.
    ///
    /// # Errors
    /// [`Code::SESSION`] where the product needs a live session and there is none.
    async fn payer(&self, _cx: Cx<'_>, openid: Option<&str>, _code: Option<&str>) -> Result<Option<String>, Failure> {
        Ok(openid.map(str::to_owned))
    }

    /// Checks what the provider would refuse for its shape, before anything is stored.
    ///
    /// # Errors
    /// The name of the field, in the words of the API, and what is wrong with it.
    fn check(&self, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)>;

    /// Creates the payment at the provider. The same attempt again is the same payment.
    async fn create(&self, cx: Cx<'_>, request: &CreateRequest<'_>) -> Result<Created, CallError>;

    /// Asks how an attempt stands.
    async fn query(&self, cx: Cx<'_>, order: &Order, attempt: &Attempt) -> Result<Standing, CallError>;

    /// Asks how a payment stands that was told before.
    async fn stands(
        &self,
        cx: Cx<'_>,
        order: &Order,
        attempt: &Attempt,
        payment: &Payment,
    ) -> Result<Stands, CallError> {
        Ok(crate::stands::of(self.query(cx, order, attempt).await?, payment))
    }

    /// Asks a store how a purchase stands now that was signed for its client before.
    async fn brought(&self, _cx: Cx<'_>, _payment: &Payment, _held: &Held) -> Result<Stands, CallError> {
        Ok(Stands::CannotAsk)
    }

    /// Whether the provider has a close.
    fn closes(&self) -> bool {
        false
    }

    /// Whether its close is a reversal, which gives back what was paid (pay codes).
    fn reverses(&self) -> bool {
        false
    }

    /// Closes an attempt. A pay-code attempt is reversed instead. Where the provider has no close, it is asked first,
    /// so that a payment is not overlooked; an answer that cannot be had is an unknown outcome.
    async fn close(&self, cx: Cx<'_>, order: &Order, attempt: &Attempt) -> Result<Closing, CallError> {
        close_by_asking(self, cx, order, attempt).await
    }

    /// Whether this node can refund at all.
    ///
    /// # Errors
    /// Why not: APIv2 without a client certificate, a store that refunds only by itself.
    fn can_refund(&self, _attempt: &Attempt) -> Result<(), Failure> {
        Ok(())
    }

    /// Checks a refund's shape, before anything is reserved.
    ///
    /// # Errors
    /// The name of the field and what is wrong with it.
    fn check_refund(&self, _out_refund_no: &str, _reason: &str) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    /// Refunds. The same `out_refund_no` again is the same refund.
    async fn refund(&self, cx: Cx<'_>, request: &RefundRequest<'_>) -> Result<RefundStanding, CallError>;

    /// Asks how a refund stands.
    async fn query_refund(
        &self,
        cx: Cx<'_>,
        order: &Order,
        attempt: &Attempt,
        refund: &Refund,
    ) -> Result<RefundStanding, CallError>;

    /// Whether a refund that its payer's account did not take can be paid to a bank card.
    fn mends_refunds(&self) -> bool {
        false
    }

    /// Has a refund that its payer's account did not take paid to a bank card. The same refund again is paid once.
    async fn apply_abnormal_refund(
        &self,
        _cx: Cx<'_>,
        _request: &AbnormalRefund<'_>,
    ) -> Result<RefundStanding, CallError> {
        unsupported()
    }

    /// What this node says of transfers, when it can make any.
    ///
    /// # Errors
    /// [`Code::UNSUPPORTED`], with what it lacks.
    fn transfers(&self) -> Result<&TransferDefaults, Failure> {
        Err(Failure::new(Code::UNSUPPORTED).says("transfer"))
    }

    /// The key that personal data of this node's transfers is sealed under at rest, made from its private key.
    fn sealing_key(&self) -> Option<[u8; 32]> {
        None
    }

    /// Pays out. The same number again with the same fields is the same transfer.
    async fn transfer(&self, _cx: Cx<'_>, _request: &TransferRequest<'_>) -> Result<TransferStanding, CallError> {
        unsupported()
    }

    /// Asks how a transfer stands; `None` when the provider does not know the number.
    async fn query_transfer(
        &self,
        _cx: Cx<'_>,
        _request: &TransferRequest<'_>,
    ) -> Result<Option<TransferStanding>, CallError> {
        unsupported()
    }

    /// Takes a transfer back that its payee has not confirmed; `None` when the provider does not know the number.
    async fn cancel_transfer(
        &self,
        _cx: Cx<'_>,
        _request: &TransferRequest<'_>,
    ) -> Result<Option<TransferStanding>, CallError> {
        unsupported()
    }

    /// The receipt of a transfer that succeeded; it is asked for, where it was not yet.
    async fn receipt(&self, _cx: Cx<'_>, _request: &TransferRequest<'_>) -> Result<Receipt, CallError> {
        unsupported()
    }

    /// Asks for a payee's authorisation. The same number again with the same fields is the same one.
    async fn authorize(
        &self,
        _cx: Cx<'_>,
        _request: &AuthorizationRequest<'_>,
    ) -> Result<AuthorizationStanding, CallError> {
        unsupported()
    }

    /// Asks how a payee's authorisation stands; `None` when the provider does not know the number.
    async fn query_authorization(
        &self,
        _cx: Cx<'_>,
        _request: &AuthorizationRequest<'_>,
    ) -> Result<Option<AuthorizationStanding>, CallError> {
        unsupported()
    }

    /// Closes a payee's authorisation; `None` when the provider does not know the number.
    async fn close_authorization(
        &self,
        _cx: Cx<'_>,
        _request: &AuthorizationRequest<'_>,
    ) -> Result<Option<AuthorizationStanding>, CallError> {
        unsupported()
    }

    /// Whether the provider keeps the money of this attempt until it is told that the goods are on their way.
    fn keeps_money(&self, _attempt: &Attempt) -> bool {
        false
    }

    /// Who reports that, as the node says.
    fn shipping(&self) -> Option<ShippingMode> {
        None
    }

    /// Reports the shipping of a payment; of one that is reported already, corrects it. A payment that the provider does
    /// not have, or not yet, is a refusal that means [`Meaning::Missing`].
    async fn ship(&self, _cx: Cx<'_>, _request: &ShippingRequest<'_>) -> Result<(), CallError> {
        unsupported()
    }

    /// Asks how the shipping of a payment stands, by the provider's number of it.
    async fn query_shipping(&self, _cx: Cx<'_>, _transaction_id: &str) -> Result<ShippingStanding, CallError> {
        unsupported()
    }

    /// Has the payer asked to confirm that the goods came, at this time. It is possible once.
    async fn confirm_receive(&self, _cx: Cx<'_>, _transaction_id: &str, _received: UnixMs) -> Result<(), CallError> {
        unsupported()
    }

    /// The merchant numbers or applications that payers complain about here, each with whether its complaints are looked
    /// for, and the node that asks.
    fn complaint_accounts(_merchant: &Merchant) -> Vec<(String, bool, Node)> {
        Vec::new()
    }

    /// A page of the complaints of some days, the first and the last included; pages count from 0.
    async fn complaints(&self, _cx: Cx<'_>, _days: (Day, Day), _page: u64) -> Result<ComplaintPage, CallError> {
        unsupported()
    }

    /// A complaint as it stands now; `None` when the provider has none of that id.
    async fn complaint(&self, _cx: Cx<'_>, _complaint_id: &str) -> Result<Option<Complaint>, CallError> {
        unsupported()
    }

    /// What was said about a complaint.
    async fn complaint_history(&self, _cx: Cx<'_>, _complaint: &Complaint) -> Result<Vec<ComplaintLine>, CallError> {
        Ok(Vec::new())
    }

    /// Answers the payer. Each call is an answer of its own.
    async fn answer_complaint(&self, _cx: Cx<'_>, _answer: &ComplaintAnswer<'_>) -> Result<(), CallError> {
        unsupported()
    }

    /// Tells the provider that a complaint is done with, or that what it asks for was refunded.
    async fn complete_complaint(&self, _cx: Cx<'_>, _end: &ComplaintEnd<'_>) -> Result<(), CallError> {
        unsupported()
    }

    /// Has notices of complaints sent to this URL.
    async fn subscribe_complaints(&self, _cx: Cx<'_>, _url: &str) -> Result<(), CallError> {
        unsupported()
    }

    /// Makes a call that has no action of its own; whether it may be made was looked at before.
    async fn request(&self, _cx: Cx<'_>, _raw: &RawRequest<'_>) -> RawOutcome {
        RawOutcome::not_made(CallError::Refused(Refusal {
            code: "UNSUPPORTED".to_owned(),
            message: "the node has no such call".to_owned(),
            meaning: Meaning::No,
        }))
    }

    /// Asks for the merchant's balance.
    async fn balance(&self, _cx: Cx<'_>, _request: &BalanceRequest<'_>) -> Result<Balance, CallError> {
        unsupported()
    }

    /// Whether this node can share what was paid through it.
    ///
    /// # Errors
    /// [`Code::UNSUPPORTED`], with what it lacks.
    fn can_share(&self) -> Result<(), Failure> {
        Err(Failure::new(Code::UNSUPPORTED).says("profitShare"))
    }

    /// Whether what is paid for an order of this `other` can be shared, where that depends on how it is paid.
    ///
    /// # Errors
    /// [`Code::UNSUPPORTED`], with what it lacks.
    fn can_share_payment(&self, _other: &Map<String, Value>) -> Result<(), Failure> {
        self.can_share()
    }

    /// The kinds of receivers that can be given a share, the usual one first.
    fn receiver_types(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether an account can be a receiver of its kind; else what is wrong with it.
    fn check_receiver(&self, _kind: &str, _account: &str) -> Result<(), &'static str> {
        Ok(())
    }

    /// Whether the provider takes a number of a share.
    fn takes_share_number(&self, _number: &str) -> bool {
        true
    }

    /// Whether `other` of an order has the provider keep the money so that it can be shared.
    fn is_shared(&self, _other: &Map<String, Value>) -> bool {
        false
    }

    /// Has `other` of an order say so.
    fn mark_shared(&self, _other: &mut Map<String, Value>) {}

    /// Shares what was paid, or ends sharing. The same number again is the same share.
    async fn share(&self, _cx: Cx<'_>, _request: &ShareRequest<'_>) -> Result<ShareStanding, CallError> {
        unsupported()
    }

    /// Asks how a share stands; `None` when the provider does not know the number.
    async fn query_share(&self, _cx: Cx<'_>, _request: &ShareRequest<'_>) -> Result<Option<ShareStanding>, CallError> {
        unsupported()
    }

    /// Takes back what a receiver got. The same number again is the same return.
    async fn return_share(&self, _cx: Cx<'_>, _request: &ReturnRequest<'_>) -> Result<ReturnStanding, CallError> {
        unsupported()
    }

    /// Asks how a return stands; `None` when the provider does not know the number.
    async fn query_return(
        &self,
        _cx: Cx<'_>,
        _request: &ReturnRequest<'_>,
    ) -> Result<Option<ReturnStanding>, CallError> {
        unsupported()
    }

    /// Asks how much of a payment is kept to be shared.
    async fn unsplit(&self, _cx: Cx<'_>, _attempt: &Attempt, _transaction_id: &str) -> Result<Fen, CallError> {
        unsupported()
    }

    /// Says who may be given a share. Twice is once.
    async fn add_receiver(&self, _cx: Cx<'_>, _request: &ReceiverRequest<'_>) -> Result<(), CallError> {
        unsupported()
    }

    /// Says who no longer may. Twice is once.
    async fn delete_receiver(&self, _cx: Cx<'_>, _request: &ReceiverRequest<'_>) -> Result<(), CallError> {
        unsupported()
    }

    /// Verifies an in-app purchase that a client brings for an attempt. Refused is what is not authentic, not this
    /// app's, or taken back.
    async fn purchase(&self, _cx: Cx<'_>, _attempt: &Attempt, _proof: Proof<'_>) -> Result<Purchase, CallError> {
        unsupported()
    }

    /// Tells the provider that an order is delivered which was found paid by asking, where it wants to know. Nothing
    /// depends on its answer.
    async fn delivered(&self, _cx: Cx<'_>, _attempt: &Attempt) {}

    /// Exchanges a login code of a client on a platform. `None` when the merchant has no node for it.
    async fn login(
        _cx: Cx<'_>,
        _merchant: &Merchant,
        _platform: &str,
        _code: &str,
    ) -> Option<Result<Login, CallError>> {
        None
    }

    /// The merchant numbers or applications that this provider writes a bill of a day for, each with the node that asks
    /// for it.
    fn accounts(_merchant: &Merchant) -> Vec<Account> {
        Vec::new()
    }

    /// By which of a payment's ids at the provider (merchant number, application) a bill's account is told.
    fn billed_as<'a>(mch_id: Option<&'a str>, _app_id: Option<&'a str>) -> Option<&'a str> {
        mch_id
    }

    /// Asks for the bill of a day, downloads and reads it.
    async fn bill(&self, _cx: Cx<'_>, _day: Day) -> Result<Statement, CallError> {
        unsupported()
    }

    /// Asks for the fund-flow bill of a day; `None` where the provider has none.
    async fn funds(&self, _cx: Cx<'_>, _day: Day) -> Result<Option<FundStatement>, CallError> {
        Ok(None)
    }

    /// Asks the provider a few signed questions that change nothing and move no money, and says what its answers show to be
    /// wrong with the node's set-up. Nothing that it asks needs an order, and nothing is kept of the answers.
    async fn examine(&self, cx: Cx<'_>) -> Examination;

    /// The page of the provider's console on which the value of a key is found; the key is a [`Diagnosis`]'s.
    ///
    /// [`Diagnosis`]: crate::diagnosis::Diagnosis
    fn found_at(&self, key: &str) -> Page;

    /// Whether a message is of this provider by its shape alone, for a URL that names none.
    fn recognises(callback: &Shape<'_>) -> bool;

    /// Reads a callback with the keys of one merchant: verify the raw bytes, check the age, decrypt, parse.
    ///
    /// # Errors
    /// See [`CallbackError`]; it fails closed.
    async fn read_callback(
        merchant: &Merchant,
        clients: &ProviderClients,
        request: &CallbackRequest<'_>,
    ) -> Result<Notice, CallbackError>;

    /// The answer to a callback in the provider's own words.
    fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply;
}

/// Ends an attempt where the provider has no close: it is asked, and what is unpaid stays open there.
pub(crate) async fn close_by_asking(
    node: &impl Driver,
    cx: Cx<'_>,
    order: &Order,
    attempt: &Attempt,
) -> Result<Closing, CallError> {
    // Who refuses to tell has not said that nothing was paid.
    let standing = node.query(cx, order, attempt).await;
    match standing.map_err(|error| error.as_unknown("the query is refused"))? {
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

/// The answer of a call that the provider does not have.
pub(crate) fn unsupported<T>() -> Result<T, CallError> {
    Err(CallError::Refused(Refusal {
        code: "UNSUPPORTED".to_owned(),
        message: "the provider has no such call".to_owned(),
        meaning: Meaning::No,
    }))
}

/// A callback by its shape.
pub(crate) struct Shape<'a> {
    headers: &'a HeaderMap,
    query: Vec<String>,
    body: Body,
}

enum Body {
    Json(Map<String, Value>),
    Xml,
    /// The names of the fields; also of what is nothing else.
    Form(Vec<String>),
}

impl<'a> Shape<'a> {
    /// The shape of a callback.
    pub(crate) fn of(request: &CallbackRequest<'a>) -> Self {
        let names = |text: &[u8]| form_urlencoded::parse(text).map(|(name, _)| name.into_owned()).collect();
        let body = match serde_json::from_slice(request.body) {
            Ok(Value::Object(body)) => Body::Json(body),
            _ if request.body.first() == Some(&b'<') => Body::Xml,
            _ => Body::Form(names(request.body)),
        };
        Self { headers: request.headers, query: names(request.query.as_bytes()), body }
    }

    /// It has this header.
    pub(crate) fn header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// It has this name in the query string.
    pub(crate) fn query(&self, name: &str) -> bool {
        self.query.iter().any(|own| own == name)
    }

    /// Its body is a JSON object with this name.
    pub(crate) fn json(&self, name: &str) -> bool {
        matches!(&self.body, Body::Json(body) if body.contains_key(name))
    }

    /// Its body is XML.
    pub(crate) const fn is_xml(&self) -> bool {
        matches!(self.body, Body::Xml)
    }

    /// Its body is a form, or nothing.
    pub(crate) const fn is_form(&self) -> bool {
        matches!(self.body, Body::Form(_))
    }

    /// Its body is a form with this name.
    pub(crate) fn form(&self, name: &str) -> bool {
        matches!(&self.body, Body::Form(names) if names.iter().any(|own| own == name))
    }
}
