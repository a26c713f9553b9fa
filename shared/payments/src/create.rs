//! `pay/createPayment`: one order by its number, one open attempt at a time.

use super::payee::payee;
use super::query::Asked;
use super::wanted::{Wanted, read};
use super::{Caller, Confirmed, Context, Fields, Source};
use crypto::hash;
use domain::{Attempt, AttemptState, Code, Failure, Fen, Order, Parameters, REVERSAL, Sharing, Status, UnixMs};
use providers::{CallError, CreateRequest, Created, Gateway, Meaning};
use serde_json::{Map, Value};
use std::time::Duration;
use store::{Added, HistoryEntry, Holder, Kept};
use telemetry::Metric;

/// What the HTTP request tells of the client, beside the data.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The client's address, as the platform saw it.
    pub client_ip: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
}

/// A `createPayment` request, read.
pub struct CreateInput<'a> {
    /// The data.
    pub fields: Fields<'a>,
    /// The client.
    pub environment: Environment,
    /// The names that a signed quote fixed; none where there was no quote.
    pub quoted: &'a [&'static str],
}

/// An order with pay parameters for its current attempt.
pub struct CreateReply {
    /// The order.
    pub order: Order,
    /// `orderInfo`.
    pub order_info: Value,
    /// The text of a QR code, where there is one to show.
    pub qr_text: Option<String>,
}

/// What may not change between two requests for one order.
const GOODS: [&str; 5] = ["product_id", "quantity", "mode", "buy_quantity", "goods_price"];
/// How often the order may change under us before we give up.
const ROUNDS: usize = 5;

/// Creates an order, or answers the one that has this number.
///
/// # Errors
/// A [`Failure`] with the field's code for bad input, 409 for a number with another content, 422 when the
/// provider refuses, 504 when its outcome is not known.
pub async fn create_payment(
    cx: &Context<'_>,
    caller: &Caller,
    input: &CreateInput<'_>,
) -> Result<CreateReply, Failure> {
    let mut seen = order_under(cx, input.fields.out_trade_no()?).await?;
    let payee = payee(cx, caller, input, seen.as_ref())?;
    let (gateway, mut wanted) = read(cx, caller, input, payee).await?;
    let code = if gateway.binds_payer() { input.fields.text(&domain::fields::CODE)? } else { None };
    wanted.openid = gateway.payer(cx.clients, wanted.openid.as_deref(), code, cx.now()).await?;
    if let Some(openid) = wanted.openid.as_ref().filter(|_| gateway.binds_payer()) {
        wanted.goods.insert("openid".to_owned(), Value::String(openid.clone()));
    }
    for round in 0..ROUNDS {
        if round > 0 {
            seen = order_under(cx, wanted.out_trade_no).await?;
            // Somebody else made it meanwhile, for others.
            if !super::payee::payee(cx, caller, input, seen.as_ref())?.is(&wanted.payee) {
                break;
            }
        }
        let begun = match seen.take() {
            None => begin(cx, caller, &wanted, &gateway).await?,
            Some(order) => Box::pin(resume(cx, caller, &wanted, &gateway, order)).await?,
        };
        let Some(begun) = begun else { continue };
        let first = begun.kept.is_none() && begun.order.attempts.len() == 1;
        if let Some(reply) = Box::pin(issue(cx, caller, &wanted, &gateway, begun)).await? {
            if first {
                telemetry::count(Metric::Created, Some(reply.order.current().provider.name()));
            }
            return Ok(reply);
        }
    }
    Err(Code::BUSY.into())
}

/// The order that has a number, if there is one.
///
/// # Errors
/// [`Code::ORDER_DIFFERS`] when another order is paid under that number.
async fn order_under(cx: &Context<'_>, out_trade_no: &str) -> Result<Option<Order>, Failure> {
    match cx.store.holder(out_trade_no).await? {
        None => Ok(None),
        Some(Holder::Order(order)) => Ok(Some(*order)),
        Some(Holder::Attempt(_)) => Err(Code::ORDER_DIFFERS.into()),
    }
}

/// Checks that the provider can take an attempt, before anything is stored.
fn check(
    wanted: &Wanted<'_>,
    gateway: &Gateway,
    order: &Order,
    attempt: &Attempt,
    notify_url: &str,
    now: UnixMs,
) -> Result<(), Failure> {
    gateway.check(&request(wanted, order, attempt, notify_url, now)).map_err(|(field, what)| {
        let code = match field {
            "openid" => Code::OPENID,
            "subject" => Code::SUBJECT,
            "out_trade_no" => Code::OUT_TRADE_NO,
            "total_fee" => Code::TOTAL_FEE,
            "product_id" => Code::PRODUCT,
            "return_url" => Code::RETURN_URL,
            _ => Code::FIELD,
        };
        Failure::new(code).at(field).says(format!("{field}: {what}"))
    })
}

/// An order whose current attempt wants pay parameters.
struct Begun {
    order: Order,
    /// Whether the provider may have been called for it already.
    again: bool,
    /// The parameters that it has.
    kept: Option<Parameters>,
}

impl Begun {
    const fn new(order: Order) -> Self {
        Self { order, again: false, kept: None }
    }
}

fn request<'a>(
    wanted: &'a Wanted<'_>,
    order: &'a Order,
    attempt: &'a Attempt,
    notify_url: &'a str,
    now: UnixMs,
) -> CreateRequest<'a> {
    CreateRequest {
        order,
        attempt,
        notify_url,
        return_url: wanted.return_url.as_deref(),
        platform: &wanted.platform,
        auth_code: wanted.auth_code,
        store_id: wanted.store_id,
        now,
    }
}

fn attempt_of(
    wanted: &Wanted<'_>,
    gateway: &Gateway,
    other: &Map<String, Value>,
    n: u64,
    number: String,
    now: UnixMs,
) -> Attempt {
    Attempt {
        n,
        provider: wanted.provider,
        node: wanted.node.to_owned(),
        pay_type: format!("{}_{}", wanted.provider, wanted.node),
        merchant: gateway.merchant.clone(),
        number: gateway.own_number().unwrap_or(number),
        numbered_there: gateway.gives_numbers(),
        numbers: Vec::new(),
        goods: wanted.goods.clone(),
        app_id: gateway.app_id().to_owned(),
        mch_id: gateway.receiver_in(other).or(gateway.mch_id()).map(str::to_owned),
        sub_appid: wanted.payee.sub_appid.clone(),
        sub_mchid: wanted.payee.sub_mchid.clone(),
        openid: wanted.openid.clone(),
        auth_code_digest: digest_of(wanted),
        state: AttemptState::Open,
        reversing: None,
        doubted: false,
        create_date: now,
        client_ip: wanted.environment.client_ip.clone(),
    }
}

/// A new order. `None` when its number was taken meanwhile.
async fn begin(
    cx: &Context<'_>,
    caller: &Caller,
    wanted: &Wanted<'_>,
    gateway: &Gateway,
) -> Result<Option<Begun>, Failure> {
    let now = cx.now();
    let (notify_url, notify_path) = cx.callback("pay-notify", wanted.provider, &gateway.merchant)?;
    let attempt = attempt_of(wanted, gateway, &wanted.other, 1, wanted.out_trade_no.to_owned(), now);
    let longest = gateway.longest_life(&attempt);
    let ends = now + Duration::from_mins(cx.config.policy.order_expire_minutes).min(longest);
    super::request::check_end(wanted.time_expire, longest, now)?;
    let order = Order {
        out_trade_no: wanted.out_trade_no.to_owned(),
        provider: wanted.provider,
        pay_type: attempt.pay_type.clone(),
        platform: wanted.platform.clone(),
        uni_platform: wanted.platform.clone(),
        kind: wanted.kind.to_owned(),
        trade_state: Status::NotPay,
        status: 0,
        total_fee: wanted.total_fee,
        currency: "CNY".to_owned(),
        refund_fee: Fen::ZERO,
        refund_reserved: Fen::ZERO,
        refundable: Fen::ZERO,
        refund_num: 0,
        refund_list: Vec::new(),
        user_id: wanted.user_id.map(str::to_owned),
        nickname: wanted.nickname.map(str::to_owned),
        openid: wanted.openid.clone(),
        client_ip: Some(wanted.environment.client_ip.clone()).filter(|ip| !ip.is_empty()),
        appid: wanted.appid.map(str::to_owned),
        provider_appid: attempt.app_id.clone(),
        mch_id: attempt.mch_id.clone(),
        merchant: gateway.merchant.clone(),
        pid: wanted.payee.pid.clone(),
        description: wanted.subject.to_owned(),
        custom: wanted.custom.clone(),
        other: wanted.other.clone(),
        notify_url,
        notify_path,
        create_date: now,
        time_expire: wanted.time_expire.unwrap_or(ends),
        pay_date: None,
        notify_date: None,
        cancel_date: None,
        notify_mode: None,
        transaction_id: None,
        notify_info: None,
        user_order_success: None,
        user_order_reason: None,
        shipping: None,
        sharing: gateway.is_shared(&wanted.other).then(Sharing::default),
        attempts: vec![attempt],
        queried_at: UnixMs::EPOCH,
        version: 1,
    };
    let url = format!("{}{}", order.notify_url, order.notify_path);
    check(wanted, gateway, &order, &order.attempts[0], &url, now)?;
    let due = super::ask::first_due(cx, &order);
    Ok(cx.store.insert_order(&order, due, &caller.source).await?.then(|| Begun::new(order)))
}

/// The order that has this number: the same request goes on with it, another content is refused, another
/// way to pay begins a new attempt. `None` when it changed meanwhile.
async fn resume(
    cx: &Context<'_>,
    caller: &Caller,
    wanted: &Wanted<'_>,
    gateway: &Gateway,
    mut order: Order,
) -> Result<Option<Begun>, Failure> {
    if !caller.trusted && caller.user.is_some() && order.user_id != caller.user {
        return Err(Code::ORDER_DIFFERS.into());
    }
    let same = order.total_fee == wanted.total_fee
        && order.kind == wanted.kind
        && order.user_id.as_deref() == wanted.user_id
        && super::request::same(&order.custom, &wanted.custom);
    if !same {
        return Err(Code::ORDER_DIFFERS.into());
    }
    let now = cx.now();
    let last = order.current();
    let differs = |name: &str| last.goods.get(name) != wanted.goods.get(name);
    if last.provider == wanted.provider && GOODS.into_iter().any(differs) {
        return Err(Code::ORDER_DIFFERS.into());
    }
    let same_way = last.provider == wanted.provider
        && last.node == wanted.node
        && last.merchant == gateway.merchant
        && (wanted.openid.is_none() || last.openid == wanted.openid)
        && last.goods == wanted.goods
        && last.sub_mchid == wanted.payee.sub_mchid
        && last.sub_appid == wanted.payee.sub_appid
        && last.auth_code_digest == digest_of(wanted);
    let kept = cx.store.parameters(&order.out_trade_no, last.n).await?;
    match order.trade_state {
        // A pay code is paid by the request itself, so the same request again is the same success.
        Status::Success if same_way && wanted.auth_code.is_some() => {
            return Ok(Some(Begun { order, again: true, kept }));
        }
        Status::Success | Status::Refund => return Err(Code::ALREADY_PAID.into()),
        Status::Closed => return Err(Code::ORDER_CLOSED.into()),
        Status::NotPay if order.time_expire <= now => return Err(Code::ORDER_CLOSED.into()),
        Status::NotPay => {}
    }
    // Parameters that were given and have ended cannot be made anew under the same number.
    let spent = gateway.spends_numbers() && kept.as_ref().is_some_and(|kept| kept.fresh_until <= now);
    match last.state {
        AttemptState::Open if same_way && !spent => Ok(Some(Begun { order, again: true, kept })),
        AttemptState::Failed if same_way => {
            let entry = HistoryEntry::new("retried", &caller.source, now).with("attempt", &last.n);
            let reopened = cx.store.reopen_attempt(&order, last.n, &entry).await?;
            order.version += 1;
            Ok(reopened.then(|| Begun::new(with_state(order, AttemptState::Open))))
        }
        _ => {
            if order.is_exhausted() {
                return Err(Code::TOO_MANY_ATTEMPTS.into());
            }
            let number = super::holder::next_number(&order, gateway, wanted.provider, "");
            let attempt = attempt_of(wanted, gateway, &order.other, last.n + 1, number, now);
            // Before the earlier attempt ends: what cannot be paid must not end what can.
            let url = format!("{}/pay-notify/{}/{}", order.notify_url, attempt.provider, attempt.merchant);
            check(wanted, gateway, &order, &attempt, &url, now)?;
            let ended = match last.state {
                AttemptState::Open if same_way => AttemptState::Abandoned,
                AttemptState::Open => match super::close::close_attempt(cx, &order, last, &caller.source).await {
                    Ok(ended) => ended.state,
                    Err(moved) if moved.code == Code::BUSY => return Ok(None),
                    Err(failure) => return Err(failure),
                },
                state => state,
            };
            add(cx, caller, gateway, order, attempt, ended).await
        }
    }
}

/// Adds an attempt to an order. Somebody else may have its number: an order can be created under any, and so the
/// number gets a tail that nobody can foresee. `None` when the order changed meanwhile.
async fn add(
    cx: &Context<'_>,
    caller: &Caller,
    gateway: &Gateway,
    mut order: Order,
    mut attempt: Attempt,
    ended: AttemptState,
) -> Result<Option<Begun>, Failure> {
    for _ in 0..ROUNDS {
        let entry = HistoryEntry::new("attempt", &caller.source, cx.now())
            .with("attempt", &attempt.n)
            .with("pay_type", &attempt.pay_type);
        match cx.store.add_attempt(&order, &attempt, ended, &entry).await? {
            Added::Done => {
                order.attempts.push(attempt);
                order.version += 1;
                return Ok(Some(Begun::new(order)));
            }
            Added::OrderMoved => return Ok(None),
            Added::NumberTaken => {
                let tail = hex::encode(crypto::random::<4>());
                attempt.number = super::holder::next_number(&order, gateway, attempt.provider, &tail);
            }
        }
    }
    Err(Code::BUSY.into())
}

fn digest_of(wanted: &Wanted<'_>) -> Option<String> {
    wanted.auth_code.map(|code| hash::sha256_hex(code.as_bytes())[..16].to_owned())
}

fn with_state(mut order: Order, state: AttemptState) -> Order {
    if let Some(last) = order.attempts.last_mut() {
        last.state = state;
    }
    order
}

/// Gives the pay parameters of the current attempt: the kept ones while they are fresh, else new ones.
/// `None` when the number turned out to be spent, so that another attempt is needed. `again` when an earlier
/// call may have been taken: then a refusal leaves the attempt open, because it can still be paid.
async fn issue(
    cx: &Context<'_>,
    caller: &Caller,
    wanted: &Wanted<'_>,
    gateway: &Gateway,
    begun: Begun,
) -> Result<Option<CreateReply>, Failure> {
    let now = cx.now();
    let Begun { order, again, kept } = begun;
    let attempt = order.current();
    let before = kept.as_ref().and_then(|kept| kept.return_url.as_deref());
    let elsewhere = wanted.return_url.is_some() && wanted.return_url.as_deref() != before;
    if let Some(kept) = &kept
        && ((kept.fresh_until > now && !elsewhere) || order.trade_state.is_paid())
        && let Ok(order_info) = serde_json::from_str(&kept.order_info)
    {
        return Ok(Some(CreateReply { order, order_info, qr_text: kept.code_url.clone() }));
    }
    if attempt.numbered_there && !attempt.numbers.is_empty() && order.is_exhausted() {
        return Err(Code::TOO_MANY_ATTEMPTS.into());
    }
    let url = format!("{}/pay-notify/{}/{}", order.notify_url, attempt.provider, attempt.merchant);
    if elsewhere {
        check(wanted, gateway, &order, attempt, &url, now)?;
    }
    let mut request = request(wanted, &order, attempt, &url, now);
    request.return_url = request.return_url.or(before);
    let creating = gateway.create(cx.clients, &request);
    let created = match kept.is_some() {
        // Its messages are on their way since then.
        true => creating.await,
        false => futures::join!(creating, super::ask::begin(cx, &order, attempt)).0,
    };
    match created {
        Ok(created) => {
            let return_url = request.return_url.map(str::to_owned);
            Box::pin(keep(cx, order, return_url, created, again)).await.map(Some)
        }
        Err(CallError::Refused(refusal)) => {
            let entry = HistoryEntry::new("refused", format!("{}", attempt.provider), cx.now())
                .with("attempt", &attempt.n)
                .with("code", &refusal.code)
                .with("message", &refusal.message);
            match refusal.meaning {
                Meaning::Paid => {
                    match super::query::ask(cx, &order, attempt, Source::Query).await? {
                        Asked::Paid | Asked::Misfit { .. } | Asked::Closed => {}
                        Asked::Unknown { .. } | Asked::Unpaid { .. } => look_again(cx, &order).await?,
                    }
                    return Err(Code::ALREADY_PAID.into());
                }
                Meaning::NumberUsed if gateway.spends_numbers() => {
                    cx.store.end_attempt(&order, attempt, AttemptState::Abandoned, &entry).await?;
                    return Ok(None);
                }
                Meaning::Closed => {
                    cx.store.end_attempt(&order, attempt, AttemptState::Closed, &entry).await?;
                }
                Meaning::No | Meaning::Missing | Meaning::TooSoon | Meaning::Unheard | Meaning::Address if !again => {
                    cx.store.fail_attempt(&order, attempt.n, &entry).await?;
                }
                // The number may exist there, with this content or other: money may still come through it.
                Meaning::NumberUsed
                | Meaning::No
                | Meaning::Missing
                | Meaning::TooSoon
                | Meaning::Unheard
                | Meaning::Address => {
                    cx.store.append_history(&order.out_trade_no, &entry).await?;
                }
            }
            Err(Failure::new(Code::PROVIDER_REFUSED).says(refusal.to_string()))
        }
        Err(CallError::Unknown(why)) => {
            let entry = HistoryEntry::new("unknown", format!("{}", attempt.provider), cx.now())
                .with("call", &"create")
                .with("why", &why);
            cx.store.append_history(&order.out_trade_no, &entry).await?;
            tracing::warn!(out_trade_no = %order.out_trade_no, source = %caller.source, why, "creating a payment has no known outcome");
            Err(Code::OUTCOME_UNKNOWN.into())
        }
    }
}

async fn keep(
    cx: &Context<'_>,
    mut order: Order,
    return_url: Option<String>,
    created: Created,
    again: bool,
) -> Result<CreateReply, Failure> {
    let attempt = order.current();
    let entry = HistoryEntry::new("issued", format!("{}", attempt.provider), cx.now())
        .with("attempt", &attempt.n)
        .with("pay_type", &attempt.pay_type)
        .with("number", &attempt.number);
    let parameters = Parameters {
        order_info: created.order_info.to_string(),
        code_url: created.code_url.clone(),
        return_url,
        fresh_until: created.fresh_until,
    };
    match created.number.as_deref().filter(|number| !attempt.has_number(number)) {
        None => cx.store.keep_parameters(&order, attempt, &parameters, &entry).await?,
        Some(number) => match cx.store.keep_numbered(&order, attempt, &parameters, number, &entry).await? {
            Kept::Done => {}
            Kept::TooMany => return Err(Code::TOO_MANY_ATTEMPTS.into()),
            Kept::Over => {
                let paid = cx.store.order(&order.out_trade_no).await?.is_some_and(|order| order.trade_state.is_paid());
                return Err(if paid { Code::ALREADY_PAID } else { Code::ORDER_CLOSED }.into());
            }
        },
    }
    if again {
        // Another call for it may have been refused meanwhile.
        let entry =
            HistoryEntry::new("retried", order.current().provider.name(), cx.now()).with("attempt", &order.current().n);
        cx.store.reopen_attempt(&order, order.current().n, &entry).await?;
    }
    if let Some(payment) = created.payment {
        match super::confirm(cx, &payment, Source::Query).await? {
            Confirmed::Unsettled | Confirmed::Unknown => look_again(cx, &order).await?,
            Confirmed::Credited | Confirmed::Already | Confirmed::Reversed | Confirmed::Incident { .. } => {}
        }
        if let Some(paid) = cx.store.order(&order.out_trade_no).await? {
            order = paid;
        }
    }
    Ok(CreateReply { order, order_info: created.order_info, qr_text: created.code_url })
}

/// A provider has said that it is paid, and nothing came of that: its reversal may be on its way. Nobody tells of a
/// payment by pay code a second time, so the schedule asks as soon as the reversal is over.
async fn look_again(cx: &Context<'_>, order: &Order) -> Result<(), Failure> {
    Ok(cx.store.look_at(&order.out_trade_no, cx.now() + REVERSAL).await?)
}
