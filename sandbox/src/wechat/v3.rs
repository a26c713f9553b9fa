//! APIv3: routes, refusals, and the envelope of answers (wechat.md sections 1, 2, 4).

use super::Account;
use super::complaints::{self, About};
use super::{auth, authorizations, bill, orders, receipts, refunds, sharing, transfers};
use crate::crypto::{ALNUM, gcm_seal, random_text};
use crate::faults::{Misbehaviour, Op};
use crate::ids;
use crate::sandbox::Sandbox;
use crate::wire::{Answer, Inbound};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// An error answer: status, code, message, and the number at the end of Request-ID.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    message: String,
    detail: Option<Value>,
    internal: u32,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: &str, internal: u32) -> Self {
        Self { status, code, message: message.to_owned(), detail: None, internal }
    }

    pub(crate) fn field(mut self, field: &str, location: &str) -> Self {
        self.detail = Some(json!({"field": field, "location": location}));
        self
    }

    pub(crate) fn issue(mut self, issue: &str) -> Self {
        if let Some(detail) = &mut self.detail {
            detail["issue"] = json!(issue);
        }
        self
    }

    pub(crate) fn internal(mut self, internal: u32) -> Self {
        self.internal = internal;
        self
    }

    /// 400 `PARAM_ERROR`.
    pub(crate) fn param(message: &str) -> Self {
        Self::new(400, "PARAM_ERROR", message, 268_435_461)
    }

    /// Errors carry no signature: the real service's do not (probe in wechat.md 1.4).
    fn answer(self) -> Answer {
        if self.code.is_empty() {
            return Answer::new(self.status, "application/json", "", &self.status.to_string());
        }
        let mut body = json!({"code": self.code, "message": self.message});
        if let Some(detail) = self.detail {
            body["detail"] = detail;
        }
        let verdict = format!("{}: {}", self.code, self.message);
        let mut answer = Answer::new(self.status, "application/json; charset=utf-8", body.to_string(), &verdict);
        answer.headers.push(("Request-ID", request_id(self.internal)));
        answer
    }
}

fn request_id(internal: u32) -> String {
    format!("08{}-{internal}", random_text(32, b"0123456789ABCDEF"))
}

/// A success: 200 with a body, or 204.
pub(crate) type Reply = Result<Option<Value>, Refusal>;

/// The paths of APIv3.
#[derive(Debug)]
pub(crate) enum Route {
    Create { partner: bool, product: String },
    ById { partner: bool, id: String },
    ByNumber { partner: bool, number: String },
    Close { partner: bool, number: String },
    Reverse { number: String },
    Refund,
    RefundQuery { number: String },
    Abnormal { id: String },
    Transfer,
    TransferQuery { number: String },
    TransferById { id: String },
    TransferCancel { number: String },
    ReceiptApply,
    ReceiptQuery { number: String },
    Authorize,
    AuthorizationQuery { number: String },
    AuthorizationClose { number: String },
    AuthorizedTransfer,
    Certificates,
    TradeBill,
    FundFlow,
    BillFile,
    Complaints,
    Complaint { id: String, about: About },
    ComplaintUrl,
    Balance { account: String },
    Share,
    ShareQuery { number: String },
    Unfreeze,
    Return,
    ReturnQuery { number: String },
    Unsplit { id: String },
    Receiver { add: bool },
}

impl Route {
    pub(crate) fn of(path: &str) -> Option<Self> {
        let parts: Vec<String> = path
            .split('/')
            .skip(1)
            .map(|part| percent_decode_str(part).decode_utf8().map(Into::into))
            .collect::<Result<_, _>>()
            .ok()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (partner, rest) = match parts.as_slice() {
            ["v3", "pay", "partner", "transactions", rest @ ..] => (true, rest),
            ["v3", "pay", "transactions", rest @ ..] => (false, rest),
            ["v3", "refund", "domestic", "refunds"] => return Some(Self::Refund),
            ["v3", "refund", "domestic", "refunds", id, "apply-abnormal-refund"] => {
                return Some(Self::Abnormal { id: (*id).to_owned() });
            }
            ["v3", "refund", "domestic", "refunds", number] => {
                return Some(Self::RefundQuery { number: (*number).to_owned() });
            }
            ["v3", "fund-app", "mch-transfer", rest @ ..] => return Self::of_transfers(rest),
            ["v3", "merchant-service", "complaints-v2"] => return Some(Self::Complaints),
            ["v3", "merchant-service", "complaint-notifications"] => return Some(Self::ComplaintUrl),
            ["v3", "merchant-service", "complaints-v2", id, rest @ ..] => {
                let about = match rest {
                    [] => About::It,
                    ["negotiation-historys"] => About::History,
                    ["response"] => About::Response,
                    ["complete"] => About::Complete,
                    ["update-refund-progress"] => About::Refund,
                    _ => return None,
                };
                return Some(Self::Complaint { id: (*id).to_owned(), about });
            }
            ["v3", "profitsharing", rest @ ..] => return Self::of_sharing(rest),
            ["v3", "bill", "tradebill"] => return Some(Self::TradeBill),
            ["v3", "bill", "fundflowbill"] => return Some(Self::FundFlow),
            ["v3", "billdownload", "file"] => return Some(Self::BillFile),
            ["v3", "merchant", "fund", "balance" | "dayendbalance", account] => {
                return Some(Self::Balance { account: (*account).to_owned() });
            }
            ["v3", "certificates"] => return Some(Self::Certificates),
            _ => return None,
        };
        match rest {
            [product @ ("jsapi" | "native" | "h5" | "app")] => {
                Some(Self::Create { partner, product: (*product).to_owned() })
            }
            ["codepay"] if !partner => Some(Self::Create { partner, product: "codepay".to_owned() }),
            ["id", id] => Some(Self::ById { partner, id: (*id).to_owned() }),
            ["out-trade-no", number] => Some(Self::ByNumber { partner, number: (*number).to_owned() }),
            ["out-trade-no", number, "close"] => Some(Self::Close { partner, number: (*number).to_owned() }),
            ["out-trade-no", number, "reverse"] if !partner => Some(Self::Reverse { number: (*number).to_owned() }),
            _ => None,
        }
    }

    /// Of transfers, below `/v3/fund-app/mch-transfer`.
    fn of_transfers(parts: &[&str]) -> Option<Self> {
        match parts {
            ["transfer-bills"] => Some(Self::Transfer),
            ["transfer-bills", "transfer"] => Some(Self::AuthorizedTransfer),
            ["transfer-bills", "out-bill-no", number] => Some(Self::TransferQuery { number: (*number).to_owned() }),
            ["transfer-bills", "transfer-bill-no", id] => Some(Self::TransferById { id: (*id).to_owned() }),
            ["transfer-bills", "out-bill-no", number, "cancel"] => {
                Some(Self::TransferCancel { number: (*number).to_owned() })
            }
            ["elecsign", "out-bill-no"] => Some(Self::ReceiptApply),
            ["elecsign", "out-bill-no", number] => Some(Self::ReceiptQuery { number: (*number).to_owned() }),
            ["user-confirm-authorization"] => Some(Self::Authorize),
            ["user-confirm-authorization", "out-authorization-no", number] => {
                Some(Self::AuthorizationQuery { number: (*number).to_owned() })
            }
            ["user-confirm-authorization", "out-authorization-no", number, "close"] => {
                Some(Self::AuthorizationClose { number: (*number).to_owned() })
            }
            _ => None,
        }
    }

    /// Of profit sharing, below `/v3/profitsharing`.
    fn of_sharing(parts: &[&str]) -> Option<Self> {
        match parts {
            ["orders"] => Some(Self::Share),
            ["orders", "unfreeze"] => Some(Self::Unfreeze),
            ["orders", number] => Some(Self::ShareQuery { number: (*number).to_owned() }),
            ["return-orders"] => Some(Self::Return),
            ["return-orders", number] => Some(Self::ReturnQuery { number: (*number).to_owned() }),
            ["transactions", id, "amounts"] => Some(Self::Unsplit { id: (*id).to_owned() }),
            ["receivers", "add"] => Some(Self::Receiver { add: true }),
            ["receivers", "delete"] => Some(Self::Receiver { add: false }),
            _ => None,
        }
    }

    fn allows(&self, method: &str) -> bool {
        match self {
            Self::ComplaintUrl => matches!(method, "GET" | "POST" | "PUT" | "DELETE"),
            _ => method == self.method(),
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Self::ById { .. }
            | Self::ByNumber { .. }
            | Self::RefundQuery { .. }
            | Self::TransferQuery { .. }
            | Self::TransferById { .. }
            | Self::AuthorizationQuery { .. }
            | Self::ReceiptQuery { .. }
            | Self::Certificates
            | Self::TradeBill
            | Self::Complaints
            | Self::Complaint { about: About::It | About::History, .. }
            | Self::FundFlow
            | Self::Balance { .. }
            | Self::ShareQuery { .. }
            | Self::ReturnQuery { .. }
            | Self::Unsplit { .. }
            | Self::BillFile => "GET",
            _ => "POST",
        }
    }

    pub(crate) fn op(&self, method: &str) -> Op {
        if !self.allows(method) {
            return Op::Unknown;
        }
        match self {
            Self::Create { .. } => Op::Create,
            Self::ById { .. } | Self::ByNumber { .. } => Op::Query,
            Self::Close { .. } => Op::Close,
            Self::Reverse { .. } => Op::Reverse,
            Self::Refund | Self::Abnormal { .. } => Op::Refund,
            Self::RefundQuery { .. } => Op::RefundQuery,
            Self::Transfer | Self::AuthorizedTransfer => Op::Transfer,
            Self::ReceiptApply | Self::ReceiptQuery { .. } => Op::Receipt,
            Self::Authorize => Op::Authorize,
            Self::AuthorizationQuery { .. } => Op::AuthorizationQuery,
            Self::AuthorizationClose { .. } => Op::AuthorizationClose,
            Self::TransferQuery { .. } | Self::TransferById { .. } => Op::TransferQuery,
            Self::TransferCancel { .. } => Op::TransferCancel,
            Self::Certificates => Op::Certificates,
            Self::TradeBill | Self::BillFile => Op::Bill,
            Self::Complaints => Op::Complaints,
            Self::Complaint { about: About::It | About::History, .. } => Op::ComplaintQuery,
            Self::Complaint { about: About::Response, .. } => Op::ComplaintAnswer,
            Self::Complaint { about: About::Complete | About::Refund, .. } => Op::ComplaintEnd,
            Self::ComplaintUrl => Op::ComplaintUrl,
            Self::FundFlow => Op::FundFlow,
            Self::Balance { .. } => Op::Balance,
            Self::Share | Self::Unfreeze => Op::Share,
            Self::ShareQuery { .. } | Self::Unsplit { .. } => Op::ShareQuery,
            Self::Return => Op::ShareReturn,
            Self::ReturnQuery { .. } => Op::ShareReturnQuery,
            Self::Receiver { .. } => Op::Receiver,
        }
    }

    pub(crate) fn number(self) -> Option<String> {
        match self {
            Self::ById { id, .. }
            | Self::Abnormal { id }
            | Self::TransferById { id }
            | Self::Complaint { id, .. }
            | Self::Unsplit { id } => Some(id),
            Self::ShareQuery { number } | Self::ReturnQuery { number } => Some(number),
            Self::ByNumber { number, .. }
            | Self::Close { number, .. }
            | Self::Reverse { number }
            | Self::RefundQuery { number }
            | Self::TransferQuery { number }
            | Self::ReceiptQuery { number }
            | Self::AuthorizationQuery { number }
            | Self::AuthorizationClose { number }
            | Self::TransferCancel { number } => Some(number),
            Self::Create { .. }
            | Self::Refund
            | Self::Transfer
            | Self::AuthorizedTransfer
            | Self::Authorize
            | Self::ReceiptApply
            | Self::Certificates
            | Self::TradeBill
            | Self::Complaints
            | Self::ComplaintUrl
            | Self::FundFlow
            | Self::Balance { .. }
            | Self::Share
            | Self::Unfreeze
            | Self::Return
            | Self::Receiver { .. }
            | Self::BillFile => None,
        }
    }
}

pub(crate) fn handle(sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
    if let (Some(Route::BillFile), "GET") = (Route::of(&inbound.path), inbound.method.as_str()) {
        let file =
            auth::merchant(sandbox, inbound).and_then(|merchant| bill::file(sandbox, &merchant.keys.mchid, inbound));
        return file.unwrap_or_else(Refusal::answer);
    }
    match serve(sandbox, inbound, fault) {
        Ok((merchant, body)) => {
            let status = if body.is_some() { 200 } else { 204 };
            let text = body.map(|body| body.to_string()).unwrap_or_default();
            let mut answer = Answer::new(status, "application/json; charset=utf-8", text, "SUCCESS");
            if fault != Some(Misbehaviour::NoSignature) {
                let (key, serial) = auth::signer(&merchant, inbound.header("wechatpay-serial"));
                let key = if fault == Some(Misbehaviour::BadSignature) { sandbox.stranger() } else { key };
                answer.headers = auth::sign(key, serial, &answer.body, sandbox.now());
            }
            answer.headers.push(("Request-ID", request_id(0)));
            answer
        }
        Err(refusal) => refusal.answer(),
    }
}

type Served = (std::sync::Arc<Account>, Option<Value>);

fn serve(sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Result<Served, Refusal> {
    let route = Route::of(&inbound.path).ok_or_else(|| Refusal::new(404, "", "", 0))?;
    if !route.allows(&inbound.method) {
        return Err(Refusal::new(405, "", "", 0));
    }
    let invalid = |message: &str| Refusal::new(400, "INVALID_REQUEST", message, 268_435_461);
    if inbound.header("user-agent").is_none() {
        return Err(invalid("Http头缺少Accept或User-Agent"));
    }
    if !inbound.header("accept").is_some_and(|accept| accept.contains("application/json") || accept.contains("*/*")) {
        return Err(invalid("Http头缺少Accept或User-Agent"));
    }
    let json = inbound.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    if !inbound.body.is_empty() && !json {
        return Err(invalid("Content-Type应为application/json"));
    }
    let merchant = auth::merchant(sandbox, inbound)?;
    let key_id = inbound.header("wechatpay-serial").filter(|serial| serial.starts_with("PUB_KEY_ID_"));
    if key_id.is_some_and(|id| id != merchant.keys.wxpay_public_key_id) {
        return Err(Refusal::param("Http头Wechatpay-Serial中的公钥ID有误").field("Wechatpay-Serial", "header"));
    }
    let cx = Cx { sandbox, merchant: &merchant, inbound, fault };
    let body = match route {
        Route::Create { partner, product } => orders::create(&cx, partner, &product)?,
        Route::ById { partner, id } => orders::query(&cx, partner, None, Some(&id))?,
        Route::ByNumber { partner, number } => orders::query(&cx, partner, Some(&number), None)?,
        Route::Close { partner, number } => orders::close(&cx, partner, &number)?,
        Route::Reverse { number } => orders::reverse(&cx, &number)?,
        Route::Refund => refunds::create(&cx)?,
        Route::RefundQuery { number } => refunds::query(&cx, &number)?,
        Route::Abnormal { id } => refunds::abnormal(&cx, &id)?,
        Route::Transfer => transfers::create(&cx)?,
        Route::TransferQuery { number } => transfers::query(&cx, |t| t.number == number)?,
        Route::TransferById { id } => transfers::query(&cx, |t| t.id == id)?,
        Route::TransferCancel { number } => transfers::cancel(&cx, &number)?,
        Route::ReceiptApply => receipts::apply(&cx)?,
        Route::ReceiptQuery { number } => receipts::query(&cx, &number)?,
        Route::Authorize => authorizations::create(&cx)?,
        Route::AuthorizationQuery { number } => authorizations::query(&cx, &number)?,
        Route::AuthorizationClose { number } => authorizations::close(&cx, &number)?,
        Route::AuthorizedTransfer => authorizations::transfer(&cx)?,
        Route::Certificates => Some(certificates(&merchant)),
        Route::TradeBill => bill::trade_bill(&cx)?,
        Route::FundFlow => bill::fund_flow(&cx)?,
        Route::BillFile => None,
        Route::Complaints => complaints::list(&cx)?,
        Route::Complaint { id, about } => complaints::one(&cx, &id, about)?,
        Route::ComplaintUrl => complaints::notifications(&cx)?,
        Route::Balance { account } => balance(&cx, &account)?,
        Route::Share => sharing::share(&cx)?,
        Route::Unfreeze => sharing::unfreeze(&cx)?,
        Route::ShareQuery { number } => sharing::query(&cx, &number)?,
        Route::Return => sharing::take_back(&cx)?,
        Route::ReturnQuery { number } => sharing::query_return(&cx, &number)?,
        Route::Unsplit { id } => sharing::unsplit(&cx, &id)?,
        Route::Receiver { add } => sharing::receiver(&cx, add)?,
    };
    Ok((merchant, body))
}

/// What every operation is given: a verified request.
pub(crate) struct Cx<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) merchant: &'a Account,
    pub(crate) inbound: &'a Inbound,
    pub(crate) fault: Option<Misbehaviour>,
}

impl Cx<'_> {
    pub(crate) fn mchid(&self) -> &str {
        &self.merchant.keys.mchid
    }

    /// The mchid in body or query must be the one that signed.
    pub(crate) fn same_mchid(&self, found: Option<&str>, name: &str) -> Result<(), Refusal> {
        match found {
            Some(found) if found == self.mchid() => Ok(()),
            Some(_) => Err(Refusal::param("请求中的商户号与Authorization中的mchid不一致").field(name, "body")),
            None => Err(Refusal::param(&format!("缺少参数{name}")).field(name, "query")),
        }
    }

    /// In partner mode only sub-merchants of this provider are served.
    pub(crate) fn known_sub(&self, sub_mchid: &str) -> Result<(), Refusal> {
        if sub_mchid == self.merchant.keys.sub_mchid {
            return Ok(());
        }
        Err(Refusal::new(403, "NO_AUTH", "服务商与特约商户未建立关系", 268_435_457))
    }
}

/// `GET /v3/merchant/fund/balance/{account_type}`: what was paid, less what went back and out, in the basic account.
fn balance(cx: &Cx<'_>, account: &str) -> Reply {
    let invalid = |message: &str| Refusal::new(400, "INVALID_REQUEST", message, 268_435_461);
    if cx.inbound.path.contains("dayendbalance") && cx.inbound.arg("date").is_none() {
        return Err(Refusal::param("缺少参数date").field("date", "query"));
    }
    match account {
        "BASIC" => {
            let amount = cx.sandbox.balance_of(crate::provider::Provider::Wxpay, cx.mchid());
            Ok(Some(json!({"available_amount": amount, "pending_amount": 0})))
        }
        "OPERATION" | "FEES" => Err(invalid("输入账户类型未开通")),
        _ => Err(Refusal::param("account_type不是可选值").field("account_type", "path")),
    }
}

/// `GET /v3/certificates`: the platform certificate under the APIv3 key (wechat.md 1.5).
fn certificates(merchant: &Account) -> Value {
    let nonce = random_text(12, ALNUM);
    let keys = &merchant.keys;
    json!({"data": [{
        "serial_no": keys.platform_serial,
        "effective_time": ids::rfc3339(1_577_836_800_000),
        "expire_time": ids::rfc3339(2_524_608_000_000),
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": gcm_seal(&keys.v3_key, &nonce, "certificate", keys.platform_cert.as_bytes()),
        },
    }]})
}

/// Refuses without looking.
pub(crate) fn refuse(what: Misbehaviour) -> Answer {
    match what {
        Misbehaviour::Refuse => Refusal::new(401, "SIGN_ERROR", "签名错误", 268_435_457),
        Misbehaviour::NotEnabled => {
            Refusal::new(403, "NO_AUTH", "商户号该产品权限未开通，请前往商户平台>产品中心检查后重试", 268_435_457)
        }
        Misbehaviour::Missing => {
            Refusal::new(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台申请使用微信支付公钥", 268_435_457)
        }
        Misbehaviour::AddressRefused => Refusal::new(400, "INVALID_REQUEST", "此IP地址不允许调用该接口", 268_435_461),
        Misbehaviour::TooMany => Refusal::new(429, "FREQUENCY_LIMITED", "频率超限", 268_447_840),
        _ => Refusal::new(500, "SYSTEM_ERROR", "系统异常，请稍后重试", 268_435_456),
    }
    .answer()
}
