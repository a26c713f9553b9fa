//! Alipay: the gateway of OpenAPI v2, and what the wallet opens (alipay.md sections 1 and 2).

mod bill;
mod complaints;
mod envelope;
mod keys;
mod notify;
mod orders;
mod refunds;
mod request;
mod sharing;
mod trades;
mod transfers;

use crate::crypto::ALNUM;
use crate::desk::{self, PlainText};
use crate::faults::{Misbehaviour, Op};
use crate::forgery::Forgery;
use crate::merchant::Merchant;
use crate::outbox::{Notice, SignedRequest};
use crate::profile::Profile;
use crate::provider::{Provider, Wire};
use crate::sandbox::Sandbox;
use crate::wire::{Answer, Call, Inbound};
use crate::{crypto, ids};
use keys::Account;
pub(crate) use keys::Keys;
use request::{Request, Wanted, signed_text};
use serde_json::{Map, Value};

impl Wire {
    /// Key mode.
    const ALIPAY_KEY: Self = Self::named("key");
    /// Certificate mode.
    const ALIPAY_CERT: Self = Self::named("cert");
}

/// Its ladder is of alipay.md 1.7. It tells of money that moved, and of nothing else.
const PROFILE: Profile = Profile {
    retry_ladder: &[240, 600, 600, 3600, 7200, 21600, 54000],
    event_id: |now| format!("{}222{}", &ids::compact(now)[..8], crypto::random_text(23, ALNUM).to_lowercase()),
    transaction_id: ids::trade_no,
    payer: || "2088102146225135".to_owned(),
    begins_unseen: true,
    tells_failed_refunds: false,
};

/// A refusal: code, sub_code, sub_msg.
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) sub_code: String,
    pub(crate) sub_msg: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, sub_code: &str, sub_msg: &str) -> Self {
        Self { code, sub_code: sub_code.to_owned(), sub_msg: sub_msg.to_owned() }
    }

    /// 40004 with an `ACQ.` code.
    pub(crate) fn business(sub_code: &str, sub_msg: &str) -> Self {
        Self::new("40004", &format!("ACQ.{sub_code}"), sub_msg)
    }

    pub(crate) fn msg(&self) -> &'static str {
        match self.code {
            "20000" => "Service Currently Unavailable",
            "40001" => "Missing Required Arguments",
            "40002" => "Invalid Arguments",
            "40003" => "Conditional Failed",
            "40005" => "Call Limited",
            "40006" => "Insufficient Permissions",
            _ => "Business Failed",
        }
    }
}

/// The fields of a successful node, beyond code and msg.
pub(crate) type Reply = Result<Map<String, Value>, Refusal>;

/// What every method is given: a verified request.
pub(crate) struct Cx<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) merchant: &'a Account,
    pub(crate) request: &'a Request,
    pub(crate) biz: &'a Map<String, Value>,
    pub(crate) fault: Option<Misbehaviour>,
}

impl Cx<'_> {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.biz.get(name).and_then(Value::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn app_id(&self) -> &str {
        &self.merchant.keys.app_id
    }
}

fn op(method: &str) -> Op {
    match method {
        "alipay.trade.precreate"
        | "alipay.trade.create"
        | "alipay.trade.pay"
        | "alipay.trade.page.pay"
        | "alipay.trade.wap.pay" => Op::Create,
        "alipay.trade.query" => Op::Query,
        "alipay.trade.close" => Op::Close,
        "alipay.trade.cancel" => Op::Reverse,
        "alipay.trade.refund" => Op::Refund,
        "alipay.trade.fastpay.refund.query" => Op::RefundQuery,
        "alipay.fund.trans.uni.transfer" => Op::Transfer,
        "alipay.fund.trans.common.query" => Op::TransferQuery,
        "alipay.open.app.alipaycert.download" => Op::Certificates,
        "alipay.data.dataservice.bill.downloadurl.query" => Op::Bill,
        "alipay.security.risk.complaint.info.batchquery" | "alipay.merchant.tradecomplain.batchquery" => Op::Complaints,
        "alipay.security.risk.complaint.info.query" | "alipay.merchant.tradecomplain.query" => Op::ComplaintQuery,
        "alipay.merchant.tradecomplain.reply.submit" => Op::ComplaintAnswer,
        "alipay.security.risk.complaint.process.finish" | "alipay.merchant.tradecomplain.feedback.submit" => {
            Op::ComplaintEnd
        }
        "alipay.data.bill.balance.query" => Op::Balance,
        sharing::SETTLE => Op::Share,
        sharing::QUERY | sharing::LEFT => Op::ShareQuery,
        sharing::BIND | sharing::UNBIND => Op::Receiver,
        _ => Op::Unknown,
    }
}

/// The desk.
pub(crate) struct Desk;

impl desk::Desk for Desk {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// An encrypted `biz_content` does not tell its number here.
    fn call(&self, inbound: &Inbound) -> Option<Call> {
        if inbound.path == bill::FILE {
            return Some(Call { provider: Provider::Alipay, op: Op::Bill, numbers: Vec::new() });
        }
        if inbound.path != "/gateway.do" {
            return None;
        }
        let request = Request::read(inbound);
        let get = |name: &str| request.as_ref().ok().and_then(|r| r.get(name)).unwrap_or_default();
        let biz: Value = serde_json::from_str(get("biz_content")).unwrap_or_default();
        let names = ["out_request_no", "out_trade_no", "trade_no", "out_biz_no"];
        let numbers = names.iter().filter_map(|name| biz[*name].as_str()).map(str::to_owned).collect();
        let op = match op(get("method")) {
            Op::Refund if biz.as_object().is_some_and(sharing::is_return) => Op::ShareReturn,
            op => op,
        };
        Some(Call { provider: Provider::Alipay, op, numbers })
    }

    fn handle(&self, sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
        if inbound.path == bill::FILE {
            return bill::file(sandbox, inbound);
        }
        let request = match Request::read(inbound) {
            Ok(request) => request,
            Err(refusal) => return envelope::stranger(&refusal),
        };
        let merchant = match request.merchant(sandbox) {
            Ok(merchant) => merchant,
            Err(refusal) => return envelope::stranger(&refusal),
        };
        let envelope = envelope::Envelope { sandbox, merchant: &merchant, request: &request, fault };
        if let Err(refusal) = request.verify(sandbox, &merchant) {
            return envelope.gateway_error(&refusal);
        }
        let biz = match request.biz(&merchant) {
            Ok(biz) => biz,
            Err(refusal) => return envelope.plain(Err(refusal)),
        };
        let cx = Cx { sandbox, merchant: &merchant, request: &request, biz: &biz, fault };
        let reply = match request.get("method").unwrap_or_default() {
            "alipay.trade.precreate" => orders::precreate(&cx),
            "alipay.trade.create" => orders::create(&cx),
            "alipay.trade.pay" => match orders::pay(&cx) {
                Ok(paid) => return envelope.coded(paid.code, paid.fields),
                Err(refusal) => Err(refusal),
            },
            "alipay.trade.page.pay" | "alipay.trade.wap.pay" => return page(&cx),
            "alipay.trade.query" => trades::query(&cx),
            "alipay.trade.close" => trades::close(&cx),
            "alipay.trade.cancel" => trades::cancel(&cx),
            "alipay.trade.refund" => refunds::create(&cx),
            "alipay.trade.fastpay.refund.query" => refunds::query(&cx),
            "alipay.fund.trans.uni.transfer" => transfers::create(&cx),
            "alipay.fund.trans.common.query" => transfers::query(&cx),
            "alipay.open.app.alipaycert.download" => trades::certificate(&cx),
            "alipay.data.bill.balance.query" => Ok(balance(&cx)),
            "alipay.data.dataservice.bill.downloadurl.query" => bill::query(&cx, inbound),
            sharing::SETTLE => sharing::share(&cx),
            sharing::QUERY => sharing::query(&cx),
            sharing::LEFT => sharing::unsplit(&cx),
            sharing::BIND => sharing::receivers(&cx, true),
            sharing::UNBIND => sharing::receivers(&cx, false),
            method if complaints::is_method(method) => complaints::serve(&cx, method),
            _ => {
                return envelope.gateway_error(&Refusal::new("40002", "isv.invalid-method", "不存在的方法名"));
            }
        };
        envelope.sealed(reply)
    }

    fn refuse(&self, sandbox: &Sandbox, inbound: &Inbound, what: Misbehaviour) -> Answer {
        let refusal = match what {
            Misbehaviour::Refuse => Refusal::new("40002", "isv.invalid-signature", "验签出错"),
            Misbehaviour::NotEnabled => Refusal::new(
                "40006",
                "isv.insufficient-isv-permissions",
                "ISV权限不足，建议在开发者中心检查签约是否已经生效",
            ),
            Misbehaviour::TooMany => Refusal::new("40005", "isv.app-call-limited", "应用调用次数超限"),
            _ => Refusal::new("20000", "aop.unknow-error", "系统繁忙"),
        };
        let Ok(request) = Request::read(inbound) else {
            return envelope::stranger(&refusal);
        };
        match request.merchant(sandbox) {
            Ok(merchant) => {
                let envelope = envelope::Envelope { sandbox, merchant: &merchant, request: &request, fault: None };
                envelope.plain(Err(refusal))
            }
            Err(_) => envelope::stranger(&refusal),
        }
    }

    fn notify(&self, notice: &Notice<'_>, merchant: &Merchant, now: i64) -> SignedRequest {
        notify::form(notice, merchant.keys(), now)
    }

    fn accepted(&self, _wire: Wire, status: u16, body: &str) -> bool {
        status == 200 && body == "success"
    }

    fn wrote(&self, callback: &SignedRequest) -> bool {
        form_urlencoded::parse(callback.body.as_bytes()).any(|(name, _)| name == "app_id")
    }

    fn forge(&self, sandbox: &Sandbox, callback: &mut SignedRequest, how: Forgery) {
        notify::forge(sandbox, callback, how);
    }

    fn open_text(&self, sandbox: &Sandbox, text: &str) -> Option<Result<String, String>> {
        Some(open(sandbox, text))
    }

    fn plain_text<'a>(&self, merchant: &'a Merchant, _wire: Wire) -> Option<PlainText<'a>> {
        let account: &Account = merchant.keys();
        Some(PlainText {
            host: "body",
            read: |callback| Ok(form_urlencoded::parse(callback.body.as_bytes()).into_owned().collect()),
            sign: Box::new(|fields| account.alipay.sign(signed_text(fields, &["sign", "sign_type"]).as_bytes())),
            write: |genuine, fields| {
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                SignedRequest { body, ..genuine }
            },
        })
    }
}

/// What the application's merchant has: what was paid, less what went back and out. Nothing is frozen.
fn balance(cx: &Cx<'_>) -> Map<String, Value> {
    let amount = crate::ids::yuan(cx.sandbox.balance_of(Provider::Alipay, cx.app_id()));
    orders::fields([
        ("total_amount", Value::from(amount.clone())),
        ("available_amount", Value::from(amount)),
        ("freeze_amount", Value::from("0.00")),
    ])
}

/// The cashier that a browser sees: the trade exists from now on.
fn page(cx: &Cx<'_>) -> Answer {
    match orders::opened(cx) {
        Ok(number) => {
            let html = format!(
                "<!doctype html><meta charset=\"utf-8\"><title>收银台</title><p>订单 <code>{number}</code> 待支付</p>"
            );
            Answer::new(200, "text/html; charset=utf-8", html, "SUCCESS")
        }
        Err(refusal) => {
            let text = format!("{}: {}", refusal.sub_code, refusal.sub_msg);
            let html = format!("<!doctype html><meta charset=\"utf-8\"><title>错误</title><p>{text}</p>");
            Answer::new(200, "text/html; charset=utf-8", html, &text)
        }
    }
}

/// The wallet opens an order string or the URL of a page: verified like a request, then the trade exists.
fn open(sandbox: &Sandbox, order: &str) -> Result<String, String> {
    let query = order.split_once("gateway.do?").map_or(order, |(_, query)| query);
    let explain = |refusal: Refusal| format!("{}: {}", refusal.sub_code, refusal.sub_msg);
    let request = Request::parse(query, "").map_err(explain)?;
    let method = request.get("method").unwrap_or_default();
    if !matches!(method, "alipay.trade.app.pay" | "alipay.trade.page.pay" | "alipay.trade.wap.pay") {
        return Err(format!("{method} is not opened by a wallet"));
    }
    let merchant = request.merchant(sandbox).map_err(explain)?;
    request.verify(sandbox, &merchant).map_err(explain)?;
    let biz = request.biz(&merchant).map_err(explain)?;
    let cx = Cx { sandbox, merchant: &merchant, request: &request, biz: &biz, fault: None };
    orders::opened(&cx).map_err(explain)
}

/// A table of fields: see [`request::check`].
pub(crate) type Table = &'static [(&'static str, bool, Wanted)];
