//! What a script tells a running stack, with a key of `auth.keys`: make an order and have the simulated provider do
//! something with it, or send a callback again. The command line's `vk-pay trigger` and `vk-pay resend` call it.
//!
//! It stands beside the pages: no form, no page's token, and no browser.

use super::text::{Lang, parsed};
use super::view::{Console, View};
use super::{forms, lookup, wallet, ways};
use crate::journal::Exchange;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use sandbox::{CallbackKind, ComplaintWish, Fault, Forgery, Misbehaviour, Op, Pay, Sandbox, SignedRequest};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::domain::action::{Action, Payments, Refunds};
use shared::domain::{Attempt, Code, Fen, Order, Provider};
use std::sync::Arc;
use std::time::Duration;

/// How long an order may take to end as it is meant to.
const PATIENCE: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(50);
/// The most copies of a callback that are sent at once.
const MOST: u32 = 100;

/// Something that can be triggered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: &'static str,
    /// What happens, in Chinese.
    pub zh: &'static str,
    /// And in English.
    pub en: &'static str,
    ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Unpaid,
    Closed,
    Paid,
    Lost,
    Duplicate,
    Late,
    Double,
    Mismatch,
    Undelivered,
    Refund,
    RefundElsewhere,
    Complaint,
    /// Paid without its callback; then one that is spoilt so arrives.
    Spoilt(Forgery),
}

const fn trigger(name: &'static str, ending: Ending, zh: &'static str, en: &'static str) -> Trigger {
    Trigger { name, zh, en, ending }
}

/// All of them.
pub const TRIGGERS: [Trigger; 15] = [
    trigger("unpaid", Ending::Unpaid, "下单，等待付款", "an order that waits for its payer"),
    trigger("closed", Ending::Closed, "下单后关闭，未付款", "an order that is closed unpaid"),
    trigger("paid", Ending::Paid, "付款，回调送达，订单交付", "paid; the callback arrives and the order is delivered"),
    trigger(
        "lost",
        Ending::Lost,
        "付款，回调丢失：等主动查询或 `vk-pay resend` 入账",
        "paid; the callback is lost, and a query or `vk-pay resend` finds the payment",
    ),
    trigger("duplicate", Ending::Duplicate, "付款，回调同时到达五次", "paid; the callback arrives five times at once"),
    trigger("late", Ending::Late, "关闭之后付款", "paid after the order was closed"),
    trigger("double", Ending::Double, "在两个渠道各付一次", "paid twice, at two providers"),
    trigger("mismatch", Ending::Mismatch, "少付 1 分", "paid with one fen less than the order says"),
    trigger(
        "undelivered",
        Ending::Undelivered,
        "付款，但商品不存在，无法交付",
        "paid; its goods do not exist, so it is not delivered",
    ),
    trigger("refund", Ending::Refund, "付款后经 pay/refund 全额退款", "paid, then refunded in full by pay/refund"),
    trigger(
        "refund-elsewhere",
        Ending::RefundElsewhere,
        "付款后在渠道商户平台全额退款",
        "paid, then refunded in full in the provider's own console",
    ),
    trigger(
        "complaint",
        Ending::Complaint,
        "付款后用户在渠道投诉，投诉通知送达（wxpay、alipay、wxpay-virtual）",
        "paid; the payer then complains at the provider, and its notice arrives (wxpay, alipay, wxpay-virtual)",
    ),
    trigger(
        "forged",
        Ending::Spoilt(Forgery::BadSignature),
        "已支付，但回调的签名是错的；查询会查到这笔付款",
        "paid, and its callback has a wrong signature; a query finds the payment",
    ),
    trigger(
        "altered",
        Ending::Spoilt(Forgery::AlteredAmount),
        "已支付，但回调里的金额被篡改；查询会查到真实的付款",
        "paid, and its callback's amount was altered; a query finds the payment as it is",
    ),
    trigger(
        "stale",
        Ending::Spoilt(Forgery::OldTimestamp),
        "已支付，但回调是十分钟前签名的；查询会查到这笔付款",
        "paid, and its callback was signed ten minutes ago; a query finds the payment",
    ),
];

/// The routes.
pub fn control(console: Arc<Console>) -> Router {
    Router::new()
        .route("/control/trigger", post(run))
        .route("/control/resend", post(resend))
        .layer(from_fn_with_state(console.clone(), scripts_only))
        .with_state(console)
}

/// Lets in whoever shows a key of `auth.keys`, and is no page in a browser.
async fn scripts_only(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return refused(StatusCode::FORBIDDEN, Code::FORBIDDEN, "no page in a browser may do this");
    }
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    let Some(config) = console.config().await else {
        return refused(StatusCode::NOT_FOUND, Code::UNKNOWN_ACTION, "no stack runs in this process");
    };
    // Every key is compared, so that the time does not tell which one matched.
    let known = config.auth.keys.iter().fold(false, |known, (_, secret)| secret.matches(&token) | known);
    if !known {
        return refused(StatusCode::UNAUTHORIZED, Code::UNAUTHENTICATED, "a key of auth.keys is needed");
    }
    next.run(request).await
}

fn refused(status: StatusCode, code: Code, what: &str) -> Response {
    (status, Json(json!({ "code": code.number, "msg": what }))).into_response()
}

/// What cannot be done with an order here, in the words of whoever refused.
fn impossible(out_trade_no: Option<&str>, what: &str) -> Response {
    let body = json!({ "code": Code::UNSUPPORTED.number, "msg": what, "out_trade_no": out_trade_no });
    (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
}

const fn no_sandbox(lang: Lang) -> &'static str {
    lang.t(
        "这里用的是自己的配置，没有模拟渠道",
        "this stack runs with a configuration of its own, and so without simulated providers",
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    name: String,
    provider: Option<String>,
    /// Fen.
    amount: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
    merchant: Option<String>,
}

async fn run(State(console): State<Arc<Console>>, view: View, Json(wish): Json<Wish>) -> Response {
    let lang = view.lang;
    let bad = |code: Code, what: &str| refused(StatusCode::BAD_REQUEST, code, what);
    let Some(sandbox) = console.sandbox() else { return impossible(None, no_sandbox(lang)) };
    let Some(trigger) = TRIGGERS.iter().find(|trigger| trigger.name == wish.name) else {
        return bad(Code::FIELD, "name: there is no such trigger");
    };
    let provider = match wish.provider.as_deref().map(Provider::parse) {
        None => Provider::ALL[0],
        Some(Some(provider)) => provider,
        Some(None) => return bad(Code::PROVIDER, "provider: there is no such provider"),
    };
    let Some(amount) = wish.amount.as_ref().map_or(Some(Fen(100)), Fen::from_json) else {
        return bad(Code::TOTAL_FEE, "amount: a positive integer, fen");
    };
    let script = Script { console: &console, view: &view, sandbox, provider, amount };
    let data = script.order(trigger.ending, &wish);
    let no = data.get("out_trade_no").and_then(Value::as_str).unwrap_or_default().to_owned();
    let created = script.call(Payments::Create, data).await;
    if created.status >= 400 {
        let says = created.response.get("msg").and_then(Value::as_str).unwrap_or_default();
        return impossible(Some(&no), &format!("pay/createPayment: {says}"));
    }
    match Box::pin(script.play(trigger.ending, &no)).await {
        Ok(told) => script.report(trigger, &no, told).await,
        Err(what) => impossible(Some(&no), &what),
    }
}

/// One order on its way.
struct Script<'a> {
    console: &'a Console,
    view: &'a View,
    sandbox: &'a Sandbox,
    provider: Provider,
    amount: Fen,
}

impl Script<'_> {
    /// What `pay/createPayment` gets.
    fn order(&self, ending: Ending, wish: &Wish) -> Map<String, Value> {
        let lang = self.view.lang;
        let undelivered = ending == Ending::Undelivered;
        let kind = if undelivered { "goods" } else { wish.kind.as_deref().unwrap_or("recharge") };
        let mut custom = forms::custom_of(kind);
        if undelivered {
            custom.insert("goods_id".to_owned(), json!("no-such-goods"));
        }
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
        put("out_trade_no", json!(forms::new_number(self.console.now())));
        put("total_fee", json!(self.amount));
        put("subject", json!(lang.t("脚本触发的订单", "Order made by a script")));
        put("type", json!(kind));
        put("user_id", json!(crate::demo::USER));
        put("custom", Value::Object(custom));
        if let Some(merchant) = wish.merchant.as_deref().filter(|id| *id != "default") {
            put("pid", json!(merchant));
        }
        ways::fill(usual_way(self.provider), &mut data, None);
        data
    }

    /// Calls an action, on the heap: a whole function is within.
    async fn call(&self, action: impl Into<Action>, data: Map<String, Value>) -> Exchange {
        Box::pin(self.console.call(self.view, action, data)).await
    }

    async fn read(&self, no: &str) -> Result<Order, String> {
        let order = self.console.store.order(no).await.map_err(|error| error.to_string())?;
        order.ok_or_else(|| format!("there is no order {no}"))
    }

    /// Has the order end so; the answers to the callbacks that were sent on the way.
    async fn play(&self, ending: Ending, no: &str) -> Result<Vec<Value>, String> {
        let order = self.read(no).await?;
        let attempt = order.current().clone();
        match ending {
            Ending::Unpaid => {}
            Ending::Closed => self.close(&order).await?,
            Ending::Paid | Ending::Undelivered => self.pay(&order, &attempt, Pay::default()).await?,
            Ending::Lost => self.pay(&order, &attempt, Pay { notify: false, ..Pay::default() }).await?,
            Ending::Duplicate => {
                let mut fault = Fault::once(Op::Notify, Misbehaviour::Duplicate(4));
                fault.on.provider = Some(ways::at_sandbox(attempt.provider));
                fault.on.number = Some(number_of(&attempt).to_owned());
                self.sandbox.misbehave(fault);
                self.pay(&order, &attempt, Pay::default()).await?;
            }
            Ending::Late => {
                self.open(&order, &attempt).await?;
                self.close(&order).await?;
                self.pay(&order, &attempt, Pay { force: true, ..Pay::default() }).await?;
            }
            Ending::Double => self.pay_twice(&order, &attempt).await?,
            Ending::Mismatch => {
                let less = self.amount.0.checked_sub(1).filter(|less| *less > 0);
                let less = less.ok_or("amount: at least 2 fen, of which one is then missing")?;
                self.pay(&order, &attempt, Pay { amount: Some(less), ..Pay::default() }).await?;
                self.until(no, |order, incidents| !incidents.is_empty() || order.trade_state.is_paid()).await;
                if self.read(no).await?.trade_state.is_paid() {
                    return Err(self.names_no_amount());
                }
            }
            Ending::Refund => {
                self.pay(&order, &attempt, Pay::default()).await?;
                self.until(no, |order, _| order.trade_state.is_paid()).await;
                let data = Map::from_iter([("out_trade_no".to_owned(), json!(no))]);
                let did = self.call(Refunds::Refund, data).await;
                if did.status >= 400 {
                    let says = did.response.get("msg").and_then(Value::as_str).unwrap_or_default();
                    return Err(format!("pay/refund: {says}"));
                }
            }
            Ending::RefundElsewhere => {
                self.pay(&order, &attempt, Pay::default()).await?;
                self.until(no, |order, _| order.trade_state.is_paid()).await;
                return self.give_back(no, &attempt).await;
            }
            Ending::Complaint => self.complain(&order, &attempt).await?,
            Ending::Spoilt(how) => {
                self.pay(&order, &attempt, Pay { notify: false, ..Pay::default() }).await?;
                return self.send_spoilt(no, &attempt, how).await;
            }
        }
        Ok(Vec::new())
    }

    fn names_no_amount(&self) -> String {
        let name = self.provider.name();
        match self.view.lang {
            Lang::Zh => format!("{name} 的消息里没有另外的金额（价格由商品或代币数量决定），这笔付款已正常入账"),
            Lang::En => format!(
                "{name} tells no amount of its own (goods or coins have their price), so this payment was credited as any other"
            ),
        }
    }

    async fn close(&self, order: &Order) -> Result<(), String> {
        let data = Map::from_iter([("out_trade_no".to_owned(), json!(order.out_trade_no))]);
        let did = self.call(Payments::Close, data).await;
        let says = did.response.get("msg").and_then(Value::as_str).unwrap_or_default();
        if did.status < 400 { Ok(()) } else { Err(format!("pay/closePayment: {says}")) }
    }

    /// The payer's wallet opens what the client carried to it, where there is such a thing: the trade then exists.
    async fn open(&self, order: &Order, attempt: &Attempt) -> Result<(), String> {
        let provider = ways::at_sandbox(attempt.provider);
        if self.sandbox.trade_at(provider, number_of(attempt)).is_some() {
            return Ok(());
        }
        let parameters = lookup::parameters(self.console, order, attempt.n).await;
        match lookup::carried(order, parameters.as_ref()) {
            Some(text) => self.sandbox.open_order_string(&text).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Pays an attempt, in the wallet or through the client's SDK.
    async fn pay(&self, order: &Order, attempt: &Attempt, how: Pay) -> Result<(), String> {
        let provider = ways::at_sandbox(attempt.provider);
        let there = self.sandbox.trade_at(provider, number_of(attempt)).is_some();
        let how = Pay { provider: Some(provider), ..how };
        if !provider.begins_at_client() || (how.force && there) {
            self.open(order, attempt).await?;
            return self.sandbox.pay(number_of(attempt), how).await.map(|_| ());
        }
        let parameters = lookup::parameters(self.console, order, attempt.n).await;
        let info = parsed(parameters.as_ref().map_or("", |own| &own.order_info));
        let told = how.notify && !how.force;
        let how = Pay { merchant: Some(attempt.merchant.clone()), ..how };
        let paid = self.sandbox.client_pay(provider, &info, how).await?;
        // An app store's proof comes through the client; where the callback is lost, so is this.
        if let Some(proof) = ways::face(attempt.provider).proof.as_ref().filter(|_| told) {
            Box::pin(wallet::bring_proof(self.console, self.view, order, proof, &paid.result)).await;
        }
        Ok(())
    }

    /// Has the order paid at another provider, and then once more at the first.
    async fn pay_twice(&self, order: &Order, first: &Attempt) -> Result<(), String> {
        self.open(order, first).await?;
        let no = &order.out_trade_no;
        let other = [Provider::Wxpay, Provider::Alipay].into_iter().find(|other| *other != first.provider);
        let mut data = self.again(order);
        ways::fill(usual_way(other.unwrap_or(first.provider)), &mut data, None);
        let did = self.call(Payments::Create, data).await;
        if did.status >= 400 {
            let says = did.response.get("msg").and_then(Value::as_str).unwrap_or_default();
            return Err(format!("pay/createPayment at another provider: {says}"));
        }
        let order = self.read(no).await?;
        let second = order.current().clone();
        self.pay(&order, &second, Pay::default()).await?;
        self.until(no, |order, _| order.trade_state.is_paid()).await;
        self.pay(&order, first, Pay { force: true, ..Pay::default() }).await
    }

    /// The same order, for another way to pay.
    fn again(&self, order: &Order) -> Map<String, Value> {
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
        put("out_trade_no", json!(order.out_trade_no));
        put("total_fee", json!(order.total_fee));
        put("subject", json!(order.description));
        put("type", json!(order.kind));
        put("custom", Value::Object(order.custom.clone()));
        put("user_id", json!(order.user_id));
        if let Some(pid) = &order.pid {
            put("pid", json!(pid));
        }
        data
    }

    /// Refunds all in the provider's own console, which then tells of it.
    async fn give_back(&self, no: &str, attempt: &Attempt) -> Result<Vec<Value>, String> {
        let provider = ways::at_sandbox(attempt.provider);
        let number = number_of(attempt);
        self.sandbox
            .give_back(Some(provider), number, self.amount.0)
            .ok_or("the simulated provider cannot give this payment back")?;
        let request = self.sandbox.callback_of(Some(provider), number, CallbackKind::Refund)?;
        Ok(send(self.console, self.sandbox, &request, 1, (no, "again")).await)
    }

    async fn send_spoilt(&self, no: &str, attempt: &Attempt, how: Forgery) -> Result<Vec<Value>, String> {
        let provider = ways::at_sandbox(attempt.provider);
        let genuine = self.sandbox.callback_of(Some(provider), number_of(attempt), CallbackKind::Payment)?;
        if !how.fits(&genuine) {
            let name = attempt.provider.name();
            return Err(match self.view.lang {
                Lang::Zh => format!("{name} 的回调没有这种伪造方式：它签名的内容里没有需要检查的时间"),
                Lang::En => format!("a callback of {name} cannot be spoilt so: it signs no time that is looked at"),
            });
        }
        let label = match how {
            Forgery::AlteredAmount => "altered",
            Forgery::OldTimestamp => "late",
            _ => "bad",
        };
        let request = self.sandbox.forge(genuine, how);
        Ok(send(self.console, self.sandbox, &request, 1, (no, label)).await)
    }

    /// Waits until the order and its incidents are as they are to be; false when it took too long.
    async fn until(&self, no: &str, ended: impl Fn(&Order, &[Value]) -> bool) -> bool {
        let waiting = async {
            loop {
                if let Ok(order) = self.read(no).await
                    && ended(&order, &self.incidents(no).await)
                {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.is_ok()
    }

    /// Pays, and complains of it.
    async fn complain(&self, order: &Order, attempt: &Attempt) -> Result<(), String> {
        if !matches!(attempt.provider, Provider::Wxpay | Provider::Alipay | Provider::WxpayVirtual) {
            return Err("the simulated provider tells nobody of complaints".to_owned());
        }
        self.pay(order, attempt, Pay::default()).await?;
        self.until(&order.out_trade_no, |order, _| order.trade_state.is_paid()).await;
        if attempt.provider == Provider::Wxpay {
            let data = [("provider", json!(attempt.provider)), ("pid", json!(attempt.merchant))];
            let data = data.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
            let did = self.call(Refunds::SubscribeComplaints, data).await;
            if did.status >= 400 {
                let says = did.response.get("msg").and_then(Value::as_str).unwrap_or_default();
                return Err(format!("pay/subscribeComplaints: {says}"));
            }
        }
        self.sandbox.complain(number_of(attempt), &ComplaintWish::default()).map(|_| ())
    }

    async fn incidents(&self, no: &str) -> Vec<Value> {
        let about = |incident: &Map<String, Value>| incident.get("out_trade_no").and_then(Value::as_str) == Some(no);
        let page = self.console.store.incidents(100, None, about).await.ok().flatten();
        page.map(|(list, _)| list.into_iter().map(Value::Object).collect()).unwrap_or_default()
    }

    /// Where the order ended.
    async fn report(&self, trigger: &Trigger, no: &str, answers: Vec<Value>) -> Response {
        let delivered = |order: &Order| order.trade_state.is_paid() && order.user_order_success.is_some();
        let settled = match trigger.ending {
            Ending::Unpaid | Ending::Closed | Ending::Lost | Ending::Spoilt(_) => true,
            Ending::Paid | Ending::Duplicate | Ending::Undelivered => self.until(no, |order, _| delivered(order)).await,
            Ending::Late | Ending::Double | Ending::Mismatch | Ending::RefundElsewhere | Ending::Complaint => {
                self.until(no, |_, incidents| !incidents.is_empty()).await
            }
            Ending::Refund => self.until(no, |order, _| order.refund_fee > Fen::ZERO).await,
        };
        let order = match self.read(no).await {
            Ok(order) => order,
            Err(what) => return impossible(Some(no), &what),
        };
        let incidents = self.incidents(no).await;
        Json(json!({
            "code": 0,
            "trigger": trigger.name,
            "out_trade_no": no,
            "provider": order.provider,
            "merchant": order.merchant,
            "type": order.kind,
            "total_fee": order.total_fee,
            "trade_state": order.trade_state,
            "refund_fee": order.refund_fee,
            "user_order_success": order.user_order_success,
            "incidents": incidents,
            "callbacks": answers,
            "settled": settled,
        }))
        .into_response()
    }
}

/// The way to pay that a provider's list begins with.
fn usual_way(provider: Provider) -> &'static str {
    ways::face(provider).ways.first().map_or("", |way| way.id)
}

/// What the provider knows an attempt by.
fn number_of(attempt: &Attempt) -> &str {
    attempt.numbers.last().unwrap_or(&attempt.number)
}

/// Sends copies of a callback at once, and says how each was answered. The console's timeline shows them by the label.
async fn send(
    console: &Console,
    sandbox: &Sandbox,
    request: &SignedRequest,
    times: u32,
    (no, label): (&str, &'static str),
) -> Vec<Value> {
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..times {
        let (sandbox, request) = (sandbox.clone(), request.clone());
        sending.spawn(async move { sandbox.send(&request).await });
    }
    let answers = sending.join_all().await;
    console.journal.label(&request.body, answers.len(), no, label);
    let told = |answer| match answer {
        Ok((status, body)) => json!({ "status": status, "body": body }),
        Err(what) => json!({ "error": what }),
    };
    answers.into_iter().map(told).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    out_trade_no: String,
    out_refund_no: Option<String>,
    times: u32,
    /// Signed now, and not as it was sent before.
    fresh: bool,
}

async fn resend(State(console): State<Arc<Console>>, view: View, Json(wish): Json<Again>) -> Response {
    let Some(sandbox) = console.sandbox() else { return impossible(None, no_sandbox(view.lang)) };
    if !(1..=MOST).contains(&wish.times) {
        return refused(StatusCode::BAD_REQUEST, Code::FIELD, "times: 1 to 100");
    }
    let no = wish.out_trade_no.as_str();
    let order = match console.store.order(no).await {
        Ok(Some(order)) => order,
        Ok(None) => return refused(StatusCode::NOT_FOUND, Code::NO_ORDER, "there is no such order"),
        Err(error) => return refused(StatusCode::BAD_GATEWAY, Code::INTERNAL, &error.to_string()),
    };
    let refund = wish.out_refund_no.as_deref();
    let sent = order.attempts.iter().rev().find_map(|attempt| {
        let numbers = attempt.numbers.iter().rev().chain([&attempt.number]);
        let provider = ways::at_sandbox(attempt.provider);
        numbers.into_iter().find_map(|number| sandbox.last_sent(provider, number, refund))
    });
    let (request, fresh) = match sent.filter(|_| !wish.fresh) {
        Some(request) => (request, false),
        None => match signed_now(sandbox, &order, refund) {
            Ok(request) => (request, true),
            Err(what) => return impossible(Some(no), &what),
        },
    };
    let answers = send(&console, sandbox, &request, wish.times, (no, "again")).await;
    let body = json!({ "code": 0, "out_trade_no": no, "url": request.url, "fresh": fresh, "answers": answers });
    Json(body).into_response()
}

/// The callback of what was paid, or of a refund, as its provider would sign it now.
fn signed_now(sandbox: &Sandbox, order: &Order, refund: Option<&str>) -> Result<SignedRequest, String> {
    let attempt = order.paid_attempt().unwrap_or_else(|| order.current());
    let provider = ways::at_sandbox(attempt.provider);
    match refund {
        Some(number) => sandbox.callback_of(Some(provider), number, CallbackKind::Refund),
        None => sandbox.callback_of(Some(provider), number_of(attempt), CallbackKind::Payment),
    }
}
