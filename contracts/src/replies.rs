//! What each action answers: the result fields, and the codes that go with HTTP 200.

use domain::action::{Action, Payments, Queries, Refunds, Transfers};
use domain::{Code, Provider};
use serde_json::{Map, Value, json};

/// The schema of an action's result, and the codes of its replies with HTTP 200.
pub(crate) fn result(action: Action) -> (Value, Vec<i64>) {
    let ok = vec![Code::OK.number];
    match action {
        Action::Payments(Payments::Create) => (created(), ok),
        Action::Payments(Payments::Close) => (object(&[NUMBER, STATE, STATUS], &[]), ok),
        Action::Queries(Queries::Payment) => (payment(), vec![Code::OK.number, Code::NOT_PAID.number]),
        Action::Queries(Queries::VerifyReceipt | Queries::VerifyPurchase | Queries::RerunHandler) => (payment(), ok),
        Action::Queries(Queries::Orders) => (page(&object(&[NUMBER, STATE, STATUS, TOTAL], &[])), ok),
        Action::Queries(Queries::Incidents) => (page(&incident()), ok),
        Action::Queries(Queries::Methods) => (methods(), ok),
        Action::Queries(Queries::Complaints) => (complaints(), ok),
        Action::Refunds(Refunds::AnswerComplaint | Refunds::CompleteComplaint) => (complained(), ok),
        Action::Refunds(Refunds::RefundComplaint) => (refund_of_complaint(), ok),
        Action::Refunds(Refunds::SubscribeComplaints) => (subscribed(), ok),
        Action::Refunds(Refunds::Refund | Refunds::ApplyAbnormal) => (refund(), ok),
        Action::Refunds(Refunds::Query) => (refunds(), vec![Code::OK.number, Code::NOT_REFUNDED.number]),
        Action::Refunds(Refunds::ResolveIncident) => (resolved(), ok),
        Action::Refunds(Refunds::UploadShipping | Refunds::ConfirmReceive) => (shipping(&[]), ok),
        Action::Refunds(Refunds::QueryShipping) => (shipping(&[("platform", Holds::Object)]), ok),
        Action::Refunds(Refunds::AddReceiver | Refunds::DeleteReceiver) => {
            (object(&[("type", TEXT), ("account", TEXT)], &[]), ok)
        }
        Action::Refunds(Refunds::ProfitShare | Refunds::UnfreezeShare) => (share(), ok),
        Action::Refunds(Refunds::ReturnShare) => (share_return(), ok),
        Action::Refunds(Refunds::QueryShare) => (shares(), ok),
        Action::Transfers(Transfers::Transfer | Transfers::Query | Transfers::Cancel) => (transfer(), ok),
        Action::Transfers(Transfers::Receipt) => (receipt(), ok),
        Action::Transfers(Transfers::Authorize | Transfers::QueryAuthorization | Transfers::CloseAuthorization) => {
            (authorization(), ok)
        }
        Action::Transfers(Transfers::Request) => (requested(), ok),
        Action::Transfers(Transfers::QueryBalance | Transfers::QueryAccountBalance) => (account_balance(), ok),
        Action::Transfers(Transfers::Balance) => {
            (object(&[], &[("balance", INTEGER), ("presentBalance", INTEGER)]), ok)
        }
        Action::Transfers(Transfers::CurrencyPay | Transfers::PresentCurrency) => {
            (object(&[("outTradeNo", TEXT)], &[("balance", INTEGER), ("usedPresentAmount", INTEGER)]), ok)
        }
        Action::Transfers(Transfers::CancelCurrencyPay) => (object(&[("outRefundNo", TEXT)], &[]), ok),
        Action::Logins(_) => (object(&[("openid", TEXT)], &[("unionid", TEXT)]), ok),
    }
}

/// What a field of a reply holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    TextOrNull,
    Integer,
    IntegerOrNull,
    Flag,
    Object,
    ObjectOrNull,
    Any,
    State,
    Status,
    Provider,
    RefundState,
    IncidentStatus,
    TimeEnd,
}

const TEXT: Holds = Holds::Text;
const INTEGER: Holds = Holds::Integer;
const NUMBER: (&str, Holds) = ("out_trade_no", TEXT);
const STATE: (&str, Holds) = ("trade_state", Holds::State);
const STATUS: (&str, Holds) = ("status", Holds::Status);
const TOTAL: (&str, Holds) = ("total_fee", INTEGER);
const REFUNDED: (&str, Holds) = ("refund_fee", INTEGER);

impl Holds {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::TextOrNull => json!({ "type": ["string", "null"] }),
            Self::Integer => json!({ "type": "integer" }),
            Self::IntegerOrNull => json!({ "type": ["integer", "null"] }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Object => json!({ "type": "object" }),
            Self::ObjectOrNull => json!({ "type": ["object", "null"] }),
            Self::Any => json!({}),
            Self::State => json!({ "type": "string", "enum": ["NOTPAY", "SUCCESS", "REFUND", "CLOSED"] }),
            Self::Status => json!({
                "type": "integer", "enum": [-1, 0, 1, 2, 3],
                "description": "-1 closed, 0 not paid, 1 paid, 2 refunded in part, 3 refunded",
            }),
            Self::Provider => json!({ "type": "string", "enum": Provider::ALL.map(Provider::name) }),
            Self::RefundState => json!({ "type": "string", "enum": ["PROCESSING", "SUCCESS", "CLOSED", "REFUSED"] }),
            Self::IncidentStatus => json!({ "type": "string", "enum": ["open", "resolved"] }),
            Self::TimeEnd => {
                json!({ "type": "string", "pattern": "^[0-9]{14}$", "description": "yyyyMMddHHmmss, Beijing time" })
            }
        }
    }
}

/// An object with these fields, and perhaps those.
fn object(needed: &[(&str, Holds)], optional: &[(&str, Holds)]) -> Value {
    let fields = needed.iter().chain(optional).map(|(name, holds)| ((*name).to_owned(), holds.schema()));
    let properties: Map<String, Value> = fields.collect();
    let required: Vec<&str> = needed.iter().map(|(name, _)| *name).collect();
    match required.is_empty() {
        true => json!({ "type": "object", "properties": properties }),
        false => json!({ "type": "object", "properties": properties, "required": required }),
    }
}

fn page(row: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "list": { "type": "array", "items": row, "description": "Newest first." },
            "cursor": { "type": "string", "description": "Where the next page begins, when there may be one." },
        },
        "required": ["list"],
    })
}

/// How the shipping of an order stands, and what more its platform says.
fn shipping(more: &[(&str, Holds)]) -> Value {
    object(&[NUMBER, ("transaction_id", Holds::TextOrNull), ("shipping", Holds::ObjectOrNull)], more)
}

/// A complaint.
fn complaint() -> Value {
    let mut schema = object(
        &[
            ("complaint_id", TEXT),
            ("provider", Holds::Provider),
            ("merchant", TEXT),
            ("provider_state", TEXT),
            ("awaits_reply", Holds::Flag),
            ("complained_at", INTEGER),
            ("deadline", Holds::IntegerOrNull),
            ("times", INTEGER),
            ("problem_type", Holds::TextOrNull),
            ("description", Holds::TextOrNull),
            ("detail", Holds::TextOrNull),
            ("phone", Holds::TextOrNull),
            ("amount", INTEGER),
            ("apply_refund_fee", Holds::IntegerOrNull),
            ("refunded", Holds::Flag),
            ("out_trade_no", Holds::TextOrNull),
            ("incident_id", TEXT),
            ("out_refund_no", Holds::TextOrNull),
            ("create_date", INTEGER),
            ("update_date", INTEGER),
        ],
        &[],
    );
    schema["properties"]["state"] = json!({ "type": "string", "enum": ["pending", "processing", "processed"] });
    for name in ["tags", "media"] {
        schema["properties"][name] = json!({ "type": "array", "items": { "type": "string" } });
    }
    let order = object(
        &[],
        &[("number", Holds::TextOrNull), ("transaction_id", Holds::TextOrNull), ("amount", Holds::IntegerOrNull)],
    );
    schema["properties"]["orders"] = json!({ "type": "array", "items": order });
    schema
}

fn complained() -> Value {
    json!({ "type": "object", "properties": { "complaint": complaint() }, "required": ["complaint"] })
}

fn complaints() -> Value {
    let mut schema = page(&complaint());
    let line =
        object(&[("at", Holds::IntegerOrNull), ("operator", TEXT), ("type", TEXT), ("text", Holds::TextOrNull)], &[]);
    schema["properties"]["history"] =
        json!({ "type": "array", "items": line, "description": "What was said, where complaint_id names one." });
    schema
}

fn refund_of_complaint() -> Value {
    let mut schema = refund();
    schema["properties"]["complaint"] = complaint();
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(json!("complaint"));
    }
    schema
}

fn subscribed() -> Value {
    let mut schema = object(&[("url", TEXT)], &[]);
    schema["properties"]["accounts"] = json!({ "type": "array", "items": { "type": "string" } });
    schema
}

/// A share of an order among receivers, or the end of its sharing.
fn share() -> Value {
    let mut share = object(
        &[
            NUMBER,
            ("out_order_no", TEXT),
            ("order_id", Holds::TextOrNull),
            ("amount", INTEGER),
            ("unfreeze_unsplit", Holds::Flag),
            ("reason", Holds::TextOrNull),
            ("create_date", INTEGER),
            ("end_date", Holds::IntegerOrNull),
        ],
        &[],
    );
    let receiver = json!({
        "type": "object",
        "properties": {
            "type": { "type": "string" },
            "account": { "type": "string" },
            "amount": { "type": "integer" },
            "description": { "type": "string" },
            "result": { "type": "string", "enum": ["PENDING", "SUCCESS", "CLOSED"] },
            "fail_reason": { "type": "string" },
            "detail_id": { "type": "string" },
            "returned": { "type": "integer" },
            "returning": { "type": "integer" },
        },
        "required": ["type", "account", "amount", "result", "returned", "returning"],
    });
    share["properties"]["receivers"] = json!({ "type": "array", "items": receiver });
    share["properties"]["state"] =
        json!({ "type": "string", "enum": ["UNKNOWN", "PROCESSING", "FINISHED", "REFUSED"] });
    share
}

/// A return of a share.
fn share_return() -> Value {
    let mut made = object(
        &[
            NUMBER,
            ("out_order_no", TEXT),
            ("out_return_no", TEXT),
            ("return_id", Holds::TextOrNull),
            ("return_mchid", TEXT),
            ("amount", INTEGER),
            ("fail_reason", Holds::TextOrNull),
            ("out_refund_no", Holds::TextOrNull),
            ("create_date", INTEGER),
            ("end_date", Holds::IntegerOrNull),
        ],
        &[],
    );
    made["properties"]["state"] =
        json!({ "type": "string", "enum": ["UNKNOWN", "PROCESSING", "SUCCESS", "FAILED", "REFUSED"] });
    made
}

/// What is shared of an order.
fn shares() -> Value {
    let mut shares = object(
        &[
            NUMBER,
            ("transaction_id", Holds::TextOrNull),
            ("sharing", Holds::Object),
            ("unshared", INTEGER),
            ("unsplit_amount", Holds::IntegerOrNull),
        ],
        &[],
    );
    shares["properties"]["shares"] = json!({ "type": "array", "items": share() });
    shares["properties"]["returns"] = json!({ "type": "array", "items": share_return() });
    shares
}

fn created() -> Value {
    object(
        &[
            ("provider", Holds::Provider),
            ("pay_type", TEXT),
            NUMBER,
            TOTAL,
            ("subject", TEXT),
            ("platform", Holds::TextOrNull),
            ("orderInfo", Holds::Any),
            ("needQRcode", Holds::Flag),
            ("time_expire", INTEGER),
            STATE,
            STATUS,
        ],
        &[("qrcodeImage", TEXT)],
    )
}

fn payment() -> Value {
    object(
        &[("orderPaid", Holds::Flag), NUMBER, STATUS, STATE, TOTAL, REFUNDED],
        &[
            ("user_order_success", Holds::Flag),
            ("user_order_reason", TEXT),
            ("transaction_id", TEXT),
            ("provider", Holds::Provider),
            ("pay_type", TEXT),
            ("type", TEXT),
            ("subject", TEXT),
            ("time_expire", INTEGER),
            ("pay_date", INTEGER),
            ("time_end", Holds::TimeEnd),
            ("payOrder", Holds::Object),
            ("next_poll_ms", INTEGER),
        ],
    )
}

fn methods() -> Value {
    let row = object(
        &[("provider", Holds::Provider), ("pay_type", TEXT), ("vk_platform", TEXT), ("needs_openid", Holds::Flag)],
        &[],
    );
    json!({
        "type": "object",
        "properties": {
            "methods": { "type": "array", "items": row, "description": "At most one for each provider." },
            "cache_ms": { "type": "integer", "description": "How long a client may keep this." },
        },
        "required": ["methods", "cache_ms"],
    })
}

fn incident() -> Value {
    object(
        &[
            ("incident_id", TEXT),
            ("incident", TEXT),
            ("status", Holds::IncidentStatus),
            ("provider", Holds::Provider),
            ("merchant", TEXT),
            ("create_date", INTEGER),
        ],
        &[],
    )
}

fn refund() -> Value {
    object(
        &[
            ("outTradeNo", TEXT),
            ("transactionId", Holds::TextOrNull),
            ("outRefundNo", TEXT),
            ("refundId", Holds::TextOrNull),
            ("refundFee", INTEGER),
            ("cashRefundFee", INTEGER),
            NUMBER,
            ("out_refund_no", TEXT),
            ("refund_id", Holds::TextOrNull),
            REFUNDED,
            ("status", Holds::RefundState),
            ("reason", Holds::TextOrNull),
        ],
        &[],
    )
}

fn refunds() -> Value {
    let mut schema = object(
        &[
            NUMBER,
            TOTAL,
            REFUNDED,
            ("refund_reserved", INTEGER),
            STATE,
            STATUS,
            ("queryResult", Holds::ObjectOrNull),
            ("orderInfo", Holds::Object),
        ],
        &[],
    );
    let row = object(
        &[
            ("out_refund_no", TEXT),
            ("refund_id", Holds::TextOrNull),
            REFUNDED,
            ("cash_refund_fee", INTEGER),
            ("refund_desc", TEXT),
            ("status", Holds::RefundState),
            ("reason", Holds::TextOrNull),
            ("refund_date", Holds::IntegerOrNull),
            ("create_date", INTEGER),
        ],
        &[],
    );
    schema["properties"]["refunds"] = json!({ "type": "array", "items": row });
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(json!("refunds"));
    }
    schema
}

fn resolved() -> Value {
    object(
        &[
            ("incident_id", TEXT),
            ("incident", TEXT),
            ("status", Holds::IncidentStatus),
            ("action", Holds::TextOrNull),
            ("out_trade_no", Holds::TextOrNull),
        ],
        &[("out_refund_no", TEXT), ("refund_fee", INTEGER), ("refund_status", Holds::RefundState)],
    )
}

fn requested() -> Value {
    object(
        &[
            ("provider", Holds::Provider),
            ("record_id", TEXT),
            ("provider_request_id", Holds::TextOrNull),
            ("http_status", Holds::IntegerOrNull),
            ("result", Holds::Any),
        ],
        &[],
    )
}

fn account_balance() -> Value {
    object(
        &[
            ("provider", Holds::Provider),
            ("merchant", TEXT),
            ("available_amount", INTEGER),
            ("pending_amount", Holds::IntegerOrNull),
            ("total_amount", Holds::IntegerOrNull),
            ("availableAmount", TEXT),
        ],
        &[("freezeAmount", TEXT), ("account_type", TEXT), ("date", TEXT)],
    )
}

fn transfer() -> Value {
    object(
        &[
            ("provider", Holds::Provider),
            ("out_bill_no", TEXT),
            NUMBER,
            ("transfer_bill_no", Holds::TextOrNull),
            ("transfer_amount", INTEGER),
            ("money", INTEGER),
            ("state", TEXT),
            ("provider_state", Holds::TextOrNull),
            ("result", Holds::Any),
        ],
        &[("out_authorization_no", TEXT), ("fail_reason", TEXT), ("options", Holds::Object)],
    )
}

fn authorization() -> Value {
    object(
        &[
            ("provider", Holds::Provider),
            ("out_authorization_no", TEXT),
            ("authorization_id", Holds::TextOrNull),
            ("state", TEXT),
            ("provider_state", Holds::TextOrNull),
            ("result", Holds::Any),
        ],
        &[("authorize_time", TEXT), ("close_reason", TEXT), ("fail_reason", TEXT), ("options", Holds::Object)],
    )
}

fn receipt() -> Value {
    object(
        &[
            ("provider", Holds::Provider),
            ("out_bill_no", TEXT),
            ("transfer_bill_no", Holds::TextOrNull),
            ("state", TEXT),
        ],
        &[("content_type", TEXT), ("file", TEXT), ("sha256", TEXT)],
    )
}
