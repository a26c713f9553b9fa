//! `pay/queryPayment`, `pay/queryOrders`, `pay/queryIncidents`, `pay/queryComplaints`, `pay/rerunHandler`, `pay/methods`, and the proofs of
//! in-app purchases.

use serde_json::{Map, Value, json};
use shared::api::{self, Call, Dialect, Reply, Request, Response};
use shared::app::App;
use shared::domain::{Code, ComplaintLine, ComplaintRecord, Failure, action::Queries, fields};
use shared::payments::{
    Complaints, QueryInput, methods, next_poll, query_complaints, query_incidents, query_orders, query_payment,
    rerun_handler, verify_purchase,
};

/// How long a client may keep what `pay/methods` told, ms: a configuration changes rarely, and its documents are read
/// anew after as long.
const METHODS_KEPT: u64 = 300_000;

/// Serves one request.
pub async fn handle(app: &App, request: Request) -> Response {
    api::serve(app, request, async |action, call: Call| match action {
        Queries::Payment => payment(app, &call).await,
        Queries::Orders => orders(app, &call).await,
        Queries::Incidents => incidents(app, &call).await,
        Queries::Complaints => complaints(app, &call).await,
        Queries::RerunHandler => rerun(app, &call).await,
        Queries::Methods => ways(app, &call).await,
        Queries::VerifyReceipt | Queries::VerifyPurchase => purchase(app, &call, action).await,
    })
    .await
}

async fn payment(app: &App, call: &Call) -> Result<Reply, Failure> {
    let data = call.fields();
    let order = query_payment(&app.context(call.config.clone()), &call.caller, &QueryInput::read(&data)?).await?;
    let mut result = api::payment_result(&order, &call.caller);
    if data.flag(&fields::PAY_ORDER_INFO) {
        result.insert("payOrder".to_owned(), Value::Object(api::order_columns(&order, &call.caller)));
    }
    let pause = next_poll(&order, (app.clock)());
    if let Some(pause) = pause {
        result.insert("next_poll_ms".to_owned(), json!(pause.as_millis()));
    }
    // An unpaid order is a state; VK-Pay's own dialect has a code for it.
    let reply = match call.dialect {
        Dialect::Action if !order.trade_state.is_paid() => Reply::state(Code::NOT_PAID, result),
        Dialect::Action | Dialect::Url => Reply::ok(result),
    };
    Ok(match pause {
        Some(pause) => reply.again_after(pause),
        None => reply,
    })
}

async fn purchase(app: &App, call: &Call, action: Queries) -> Result<Reply, Failure> {
    let provider = action.store().ok_or(Code::PROVIDER)?;
    let context = app.context(call.config.clone());
    let order = verify_purchase(&context, &call.caller, &call.fields(), provider).await?;
    Ok(Reply::ok(api::payment_result(&order, &call.caller)))
}

async fn orders(app: &App, call: &Call) -> Result<Reply, Failure> {
    let (orders, cursor) = query_orders(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    let list: Vec<Value> = orders.iter().map(|o| Value::Object(api::order_columns(o, &call.caller))).collect();
    let mut fields = Map::new();
    fields.insert("list".to_owned(), json!(list));
    if let Some(cursor) = cursor {
        fields.insert("cursor".to_owned(), json!(cursor));
    }
    Ok(Reply::ok(fields))
}

async fn incidents(app: &App, call: &Call) -> Result<Reply, Failure> {
    let (list, cursor) = query_incidents(&app.context(call.config.clone()), &call.fields()).await?;
    let mut fields = Map::new();
    fields.insert("list".to_owned(), json!(list));
    if let Some(cursor) = cursor {
        fields.insert("cursor".to_owned(), json!(cursor));
    }
    Ok(Reply::ok(fields))
}

async fn complaints(app: &App, call: &Call) -> Result<Reply, Failure> {
    let found = query_complaints(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    let mut fields = Map::new();
    match found {
        Complaints::Page(list, cursor) => {
            fields.insert("list".to_owned(), list.iter().map(ComplaintRecord::shown).collect());
            if let Some(cursor) = cursor {
                fields.insert("cursor".to_owned(), json!(cursor));
            }
        }
        Complaints::One(record, lines) => {
            fields.insert("list".to_owned(), json!([record.shown()]));
            fields.insert("history".to_owned(), lines.iter().map(ComplaintLine::shown).collect());
        }
    }
    Ok(Reply::ok(fields))
}

async fn rerun(app: &App, call: &Call) -> Result<Reply, Failure> {
    let order = rerun_handler(&app.context(call.config.clone()), &call.caller, call.fields().out_trade_no()?).await?;
    Ok(Reply::ok(api::payment_result(&order, &call.caller)))
}

async fn ways(app: &App, call: &Call) -> Result<Reply, Failure> {
    let environment = call.environment()?;
    let context = app.context(call.config.clone());
    let ways = methods(&context, &call.caller, &call.fields(), &environment.user_agent).await?;
    let list: Vec<Value> = ways
        .iter()
        .map(|way| {
            json!({
                "provider": way.provider,
                "pay_type": way.pay_type,
                "vk_platform": way.platform,
                "needs_openid": way.needs_openid,
            })
        })
        .collect();
    Ok(Reply::ok(Map::from_iter([("methods".to_owned(), json!(list)), ("cache_ms".to_owned(), json!(METHODS_KEPT))])))
}
