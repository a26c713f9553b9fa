//! Profit sharing (`docs/protocols/merchant-operations.md#profit-sharing`): a share is taken and done later
//! (`royalty_mode` `async`), a return is a refund of nothing to the payer that takes the receiver's part back.

use super::answer::word;
use super::call::Call;
use super::create::{Product, is_user_id};
use super::trade;
use crate::alipay::AlipayNode;
use crate::driver::Cx;
use crate::{CallError, Meaning, ProviderClients, ReceiverRequest, Refusal, ReturnRequest, ShareRequest, text_of};
use domain::{
    Code, Failure, Fen, Order, ReceiverResult, ReceiverStanding, ReturnStanding, ReturnState, Share, ShareReceiver,
    ShareStanding, UnixMs,
};
use serde_json::{Map, Value, json};

const SETTLE: &str = "alipay.trade.order.settle";
const QUERY: &str = "alipay.trade.order.settle.query";
const LEFT: &str = "alipay.trade.order.onsettle.query";
const BIND: &str = "alipay.trade.royalty.relation.bind";
const UNBIND: &str = "alipay.trade.royalty.relation.unbind";

/// The longest number of a share, and what it is made of.
const NUMBER: usize = 32;
/// The kinds of receivers, the usual one first: a user id (2088 and 12 digits), or an open id of the application.
pub(super) const RECEIVERS: [&str; 2] = ["userId", "openId"];
/// What of an order says that its money is kept, and where Alipay wants it.
const FLAG: &str = "profit_sharing";
const EXTRAS: &str = "extend_params";
const FREEZE: &str = "royalty_freeze";

fn is_yes(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || matches!(value.as_str(), Some("true" | "Y" | "1"))
}

/// Alipay's further parameters, as an object or as its text.
fn extras_of(fields: &Map<String, Value>) -> Option<Map<String, Value>> {
    match fields.get(EXTRAS)? {
        Value::Object(extras) => Some(extras.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

/// Whether `other` of an order has its money kept: by the flag that all providers have, or in Alipay's words.
pub(super) fn is_shared(other: &Map<String, Value>) -> bool {
    let own = || extras_of(other)?.get(FREEZE).map(is_yes);
    other.get(FLAG).map(is_yes).or_else(own) == Some(true)
}

/// Has it say so.
pub(super) fn mark_shared(other: &mut Map<String, Value>) {
    other.insert(FLAG.to_owned(), true.into());
}

/// Says it in Alipay's words, where the product can be shared. The money of an order that is not to be shared here, because
/// another provider's attempt began it, is not frozen there, in whatever words: no action could free it.
pub(super) fn write_flag(node: &AlipayNode, order: &Order, biz: &mut Map<String, Value>) {
    biz.shift_remove(FLAG);
    let mut extras = extras_of(biz).unwrap_or_default();
    if order.sharing.is_some() {
        if order.other.get(FLAG).is_some_and(is_yes) && can_share(node, &order.other).is_ok() {
            extras.insert(FREEZE.to_owned(), "true".into());
            biz.insert(EXTRAS.to_owned(), extras.into());
        }
    } else if extras.shift_remove(FREEZE).is_some() {
        if extras.is_empty() {
            biz.shift_remove(EXTRAS);
        } else {
            biz.insert(EXTRAS.to_owned(), extras.into());
        }
    }
}

/// Whether a payment of this node can be shared. One that is made face to face (当面付) is not: a refund of it takes from
/// receivers by a ratio that nobody can choose, and the ledger would not know.
pub(super) fn can_share(node: &AlipayNode, other: &Map<String, Value>) -> Result<(), Failure> {
    let face_to_face = match Product::of(node, other) {
        Some(Product::Precreate | Product::Pay) | None => true,
        Some(Product::Create | Product::App | Product::Page | Product::Wap) => {
            text_of(other, "product_code") == Some("FACE_TO_FACE_PAYMENT")
        }
    };
    match face_to_face {
        true => {
            Err(Failure::new(Code::UNSUPPORTED).says("alipay: profit sharing of payments that are made face to face"))
        }
        false => Ok(()),
    }
}

/// Whether it is a number for a share: 1 to 32 letters, digits and `_`.
pub(super) fn is_number(number: &str) -> bool {
    (1..=NUMBER).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What is wrong with a receiver's account.
pub(super) fn check_receiver(kind: &str, account: &str) -> Result<(), &'static str> {
    match kind == RECEIVERS[0] && !is_user_id(account) {
        true => Err("must be a user id: 16 digits that begin with 2088"),
        false => Ok(()),
    }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What an account is, which a return does not say.
fn kind_of(account: &str) -> &'static str {
    RECEIVERS[usize::from(!is_user_id(account))]
}

pub(super) async fn share(
    clients: &ProviderClients,
    node: &AlipayNode,
    request: &ShareRequest<'_>,
) -> Result<ShareStanding, CallError> {
    let share = request.share;
    let mut biz = asked(&share.transaction_id, &share.out_order_no);
    if !share.receivers.is_empty() {
        let part = |receiver: &ShareReceiver| {
            json!({
                "royalty_type": "transfer",
                "trans_in_type": receiver.kind,
                "trans_in": receiver.account,
                "amount": receiver.amount.to_yuan(),
                "desc": receiver.description,
            })
        };
        biz.insert("royalty_parameters".to_owned(), share.receivers.iter().map(part).collect());
        biz.insert("royalty_mode".to_owned(), "async".into());
    }
    if share.receivers.is_empty() || share.unfreeze_unsplit {
        biz.insert(EXTRAS.to_owned(), json!({ "royalty_finish": "true" }));
    }
    let fields = Call::new(SETTLE, biz).send(clients, node, request.now).await?;
    if word(&fields, "trade_no").is_some_and(|no| no != share.transaction_id) {
        return Err(CallError::unknown("the answer is about another payment"));
    }
    // What is taken is not yet done; an end without receivers is done at once.
    Ok(ShareStanding {
        finished: share.receivers.is_empty(),
        order_id: word(&fields, "settle_no").map(str::to_owned),
        receivers: Vec::new(),
    })
}

fn asked(trade_no: &str, number: &str) -> Map<String, Value> {
    object([("trade_no", trade_no.into()), ("out_request_no", number.into())])
}

/// The parts of a share or a return, as Alipay has them; `None` when it does not know the number.
async fn parts(
    clients: &ProviderClients,
    node: &AlipayNode,
    (trade_no, number): (&str, &str),
    operation: &str,
    now: UnixMs,
) -> Result<Option<Vec<Part>>, CallError> {
    let fields = match Call::new(QUERY, asked(trade_no, number)).send(clients, node, now).await {
        Ok(fields) => fields,
        Err(CallError::Refused(Refusal { code, .. })) if code.ends_with("NOT_EXIST") => return Ok(None),
        Err(error) => return Err(error),
    };
    if word(&fields, "out_request_no").is_some_and(|theirs| theirs != number) {
        return Err(CallError::unknown("the answer is about another share"));
    }
    let list = fields.get("royalty_detail_list").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let parts = list.iter().filter_map(Value::as_object);
    Ok(Some(parts.filter(|part| word(part, "operation_type") == Some(operation)).map(Part::read).collect()))
}

/// What Alipay says of one receiver.
struct Part {
    accounts: Vec<String>,
    amount: Option<Fen>,
    result: ReceiverResult,
    fail_reason: Option<String>,
    detail_id: Option<String>,
}

impl Part {
    fn read(part: &Map<String, Value>) -> Self {
        let amount = match part.get("amount") {
            Some(Value::String(yuan)) => Fen::from_yuan(yuan),
            Some(number @ Value::Number(_)) => Fen::from_yuan(&number.to_string()),
            _ => None,
        };
        let result = match word(part, "state") {
            Some("SUCCESS") => ReceiverResult::Success,
            Some("FAIL") => ReceiverResult::Closed,
            _ => ReceiverResult::Pending,
        };
        let accounts = ["trans_in", "trans_in_open_id", "trans_out", "trans_out_open_id"];
        let why = word(part, "error_code").or_else(|| word(part, "error_desc"));
        Self {
            accounts: accounts.iter().filter_map(|name| word(part, name)).map(str::to_owned).collect(),
            amount,
            result,
            fail_reason: why.filter(|_| result == ReceiverResult::Closed).map(str::to_owned),
            detail_id: word(part, "detail_id").map(str::to_owned),
        }
    }

    fn is(&self, receiver: &ShareReceiver) -> bool {
        self.amount == Some(receiver.amount) && self.accounts.contains(&receiver.account)
    }
}

pub(super) async fn query(
    clients: &ProviderClients,
    node: &AlipayNode,
    request: &ShareRequest<'_>,
) -> Result<Option<ShareStanding>, CallError> {
    let share = request.share;
    let found = parts(clients, node, (&share.transaction_id, &share.out_order_no), "transfer", request.now).await?;
    let Some(parts) = found else { return Ok(None) };
    if parts.is_empty() && !share.receivers.is_empty() {
        return Err(CallError::unknown("the answer names no receiver"));
    }
    let finished = parts.iter().all(|part| part.result != ReceiverResult::Pending);
    Ok(Some(ShareStanding { finished, order_id: None, receivers: matched(share, parts) }))
}

/// Whose part is whose. Alipay may name an account in another way than it was given; then parts of one amount are told
/// apart only where they stand alike.
fn matched(share: &Share, mut parts: Vec<Part>) -> Vec<ReceiverStanding> {
    let mut told = Vec::new();
    let mut rest = Vec::new();
    for receiver in &share.receivers {
        match parts.iter().position(|part| part.is(receiver)) {
            Some(at) => told.push(standing(receiver, &parts.swap_remove(at))),
            None => rest.push(receiver),
        }
    }
    for receiver in &rest {
        let alike: Vec<&Part> = parts.iter().filter(|part| part.amount == Some(receiver.amount)).collect();
        let equal = rest.iter().filter(|other| other.amount == receiver.amount).count();
        if let Some((first, others)) = alike.split_first()
            && alike.len() == equal
            && others.iter().all(|other| other.result == first.result)
        {
            let part = standing(receiver, first);
            told.push(ReceiverStanding { detail_id: part.detail_id.filter(|_| equal == 1), ..part });
        }
    }
    told
}

fn standing(receiver: &ShareReceiver, part: &Part) -> ReceiverStanding {
    ReceiverStanding {
        kind: receiver.kind.clone(),
        account: receiver.account.clone(),
        amount: receiver.amount,
        result: part.result,
        fail_reason: part.fail_reason.clone(),
        detail_id: part.detail_id.clone(),
    }
}

/// Takes back by a refund of 0.00 to the payer, which has a number, and an outcome, of its own: a refund that took shares
/// back in the same call would have one outcome for all of them, and the refund query names no receivers.
pub(super) async fn take_back(
    clients: &ProviderClients,
    node: &AlipayNode,
    request: &ReturnRequest<'_>,
) -> Result<ReturnStanding, CallError> {
    let made = request.made;
    let mut biz = trade::by_number(&request.attempt.number);
    biz.extend(asked(request.transaction_id, &made.out_return_no));
    biz.insert("refund_amount".to_owned(), Fen::ZERO.to_yuan().into());
    let mut part = object([
        ("royalty_type", "transfer".into()),
        ("trans_out_type", kind_of(&made.return_mchid).into()),
        ("trans_out", made.return_mchid.as_str().into()),
        ("amount", made.amount.to_yuan().into()),
        ("desc", made.description.as_str().into()),
    ]);
    if let Some(seller) = node.seller_id.as_deref().filter(|seller| is_user_id(seller)) {
        part.extend(object([("trans_in_type", RECEIVERS[0].into()), ("trans_in", seller.into())]));
    }
    biz.insert("refund_royalty_parameters".to_owned(), json!([part]));
    let fields = Call::new("alipay.trade.refund", biz).send(clients, node, request.now).await?;
    if word(&fields, "out_trade_no").is_some_and(|number| number != request.attempt.number) {
        return Err(CallError::unknown("the answer is about another payment"));
    }
    // 10000 says that the call worked. What became of the return only the query says.
    let asked = query_return(clients, node, request).await;
    Ok(asked.ok().flatten().unwrap_or(ReturnStanding {
        state: ReturnState::Processing,
        return_id: None,
        fail_reason: None,
    }))
}

pub(super) async fn query_return(
    clients: &ProviderClients,
    node: &AlipayNode,
    request: &ReturnRequest<'_>,
) -> Result<Option<ReturnStanding>, CallError> {
    let made = request.made;
    let number = (request.transaction_id, made.out_return_no.as_str());
    let Some(parts) = parts(clients, node, number, "transfer_refund", request.now).await? else { return Ok(None) };
    let [part] = parts.as_slice() else {
        return Err(CallError::unknown("the answer does not name one return"));
    };
    if part.amount != Some(made.amount) {
        return Err(CallError::unknown("the answer is about another amount"));
    }
    Ok(Some(ReturnStanding {
        state: match part.result {
            ReceiverResult::Pending => ReturnState::Processing,
            ReceiverResult::Success => ReturnState::Success,
            ReceiverResult::Closed => ReturnState::Failed,
        },
        return_id: part.detail_id.clone(),
        fail_reason: part.fail_reason.clone(),
    }))
}

pub(super) async fn unsplit(cx: Cx<'_>, node: &AlipayNode, transaction_id: &str) -> Result<Fen, CallError> {
    let biz = object([("trade_no", transaction_id.into())]);
    let fields = Call::new(LEFT, biz).send(cx.clients, node, cx.now).await?;
    let left = word(&fields, "unsettled_amount").and_then(Fen::from_yuan);
    left.ok_or_else(|| CallError::unknown("the answer is incomplete"))
}

/// Says who may be given a share, or no longer.
pub(super) async fn change_receiver(
    clients: &ProviderClients,
    node: &AlipayNode,
    request: &ReceiverRequest<'_>,
    add: bool,
) -> Result<(), CallError> {
    let refused = |code: &str, message: &str| {
        CallError::Refused(Refusal { code: code.to_owned(), message: message.to_owned(), meaning: Meaning::No })
    };
    if request.sub_mchid.is_some() {
        return Err(refused("sub_mchid", "is WeChat Pay's; Alipay has app_auth_token of the node"));
    }
    let mut entity = object([("type", request.kind.into()), ("account", request.account.into())]);
    if add {
        let memo = request.custom_relation.or(request.relation_type);
        for (name, text) in [("name", request.name), ("memo", memo)] {
            if let Some(text) = text {
                entity.insert(name.to_owned(), text.into());
            }
        }
    }
    let number = hex::encode(crypto::random::<16>());
    let biz = object([("receiver_list", json!([entity])), ("out_request_no", number.into())]);
    let method = if add { BIND } else { UNBIND };
    let fields = Call::new(method, biz).send(clients, node, request.now).await?;
    match word(&fields, "result_code") {
        Some("SUCCESS") => Ok(()),
        Some("FAIL") => Err(refused("FAIL", "Alipay did not change who may be given a share")),
        Some(_) | None => Err(CallError::unknown("the answer is incomplete")),
    }
}
