//! Refunds and incidents: `pay/refund`, `pay/queryRefund`, `pay/applyAbnormalRefund`, `pay/resolveIncident`; shipping:
//! `pay/uploadShipping`, `pay/queryShipping`, `pay/confirmReceive`; complaints: `pay/answerComplaint`,
//! `pay/completeComplaint`, `pay/refundComplaint`, `pay/subscribeComplaints`; profit sharing: `pay/addReceiver`,
//! `pay/deleteReceiver`, `pay/profitShare`, `pay/unfreezeShare`, `pay/returnShare`, `pay/queryShare`.

use serde_json::{Map, Value, json};
use shared::api::{self, Call, Dialect, Reply, Request, Response};
use shared::app::App;
use shared::domain::fields::OUT_REFUND_NO;
use shared::domain::{Code, ComplaintRecord, Failure, Order, Shipping, action::Refunds};
use shared::payments::{
    RefundInput, answer_complaint, apply_abnormal_refund, change_receiver, complete_complaint, confirm_receive,
    profit_share, query_refund, query_share, query_shipping, refund, refund_complaint, resolve_incident, return_share,
    subscribe_complaints, unfreeze_share, upload_shipping,
};
use shared::providers::ShippingStanding;

/// Serves one request.
pub async fn handle(app: &App, request: Request) -> Response {
    api::serve(app, request, async |action, call: Call| match action {
        Refunds::Refund => make(app, &call).await,
        Refunds::Query => query(app, &call).await,
        Refunds::ResolveIncident => resolve(app, &call).await,
        Refunds::UploadShipping => upload(app, &call).await,
        Refunds::QueryShipping => shipped(app, &call).await,
        Refunds::ConfirmReceive => received(app, &call).await,
        Refunds::AnswerComplaint => answer(app, &call).await,
        Refunds::CompleteComplaint => complete(app, &call).await,
        Refunds::RefundComplaint => refund_of_complaint(app, &call).await,
        Refunds::SubscribeComplaints => subscribe(app, &call).await,
        Refunds::ApplyAbnormal => mend(app, &call).await,
        Refunds::AddReceiver => receiver(app, &call, true).await,
        Refunds::DeleteReceiver => receiver(app, &call, false).await,
        Refunds::ProfitShare => share(app, &call).await,
        Refunds::UnfreezeShare => unfreeze(app, &call).await,
        Refunds::ReturnShare => give_back(app, &call).await,
        Refunds::QueryShare => shares(app, &call).await,
    })
    .await
}

async fn make(app: &App, call: &Call) -> Result<Reply, Failure> {
    let input = RefundInput::read(&call.fields())?;
    let (order, made) = refund(&app.context(call.config.clone()), &call.caller, &input).await?;
    Ok(Reply::ok(api::refund_result(&order, &made)))
}

async fn mend(app: &App, call: &Call) -> Result<Reply, Failure> {
    let (order, refund) =
        apply_abnormal_refund(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    Ok(Reply::ok(api::refund_result(&order, &refund)))
}

async fn resolve(app: &App, call: &Call) -> Result<Reply, Failure> {
    let (recorded, refund) = resolve_incident(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("incident_id", json!(recorded.incident_id));
    put("incident", json!(recorded.incident.incident));
    put("status", json!(recorded.status));
    put("action", json!(recorded.action));
    put("out_trade_no", json!(recorded.incident.out_trade_no));
    if let Some(refund) = refund {
        put("out_refund_no", json!(refund.out_refund_no));
        put("refund_fee", json!(refund.refund_fee));
        put("refund_status", json!(refund.state));
    }
    Ok(Reply::ok(fields))
}

/// What the three actions of shipping answer; `there` is what the platform says.
fn shipping(order: &Order, there: Option<&ShippingStanding>) -> Reply {
    let mut fields = Map::new();
    fields.insert("out_trade_no".to_owned(), json!(order.out_trade_no));
    fields.insert("transaction_id".to_owned(), json!(order.transaction_id));
    fields.insert("shipping".to_owned(), order.shipping.as_ref().map_or(Value::Null, Shipping::shown));
    if let Some(there) = there {
        let words = json!({
            "order_state": there.number,
            "finish_shipping_count": there.finished,
            "in_complaint": there.in_complaint,
        });
        fields.insert("platform".to_owned(), words);
    }
    Reply::ok(fields)
}

async fn upload(app: &App, call: &Call) -> Result<Reply, Failure> {
    let order = upload_shipping(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    Ok(shipping(&order, None))
}

async fn shipped(app: &App, call: &Call) -> Result<Reply, Failure> {
    let (order, there) = query_shipping(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    Ok(shipping(&order, there.as_ref()))
}

async fn received(app: &App, call: &Call) -> Result<Reply, Failure> {
    let order = confirm_receive(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    Ok(shipping(&order, None))
}

/// What the actions of a complaint answer.
fn complaint(record: &ComplaintRecord) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("complaint".to_owned(), record.shown());
    fields
}

async fn answer(app: &App, call: &Call) -> Result<Reply, Failure> {
    let record = answer_complaint(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    Ok(Reply::ok(complaint(&record)))
}

async fn complete(app: &App, call: &Call) -> Result<Reply, Failure> {
    let record = complete_complaint(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    Ok(Reply::ok(complaint(&record)))
}

async fn refund_of_complaint(app: &App, call: &Call) -> Result<Reply, Failure> {
    let done = refund_complaint(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    let mut fields = api::refund_result(&done.order, &done.refund);
    fields.extend(complaint(&done.record));
    Ok(Reply::ok(fields))
}

async fn subscribe(app: &App, call: &Call) -> Result<Reply, Failure> {
    let subscribed = subscribe_complaints(&app.context(call.config.clone()), &call.fields()).await?;
    let mut fields = Map::new();
    fields.insert("url".to_owned(), json!(subscribed.url));
    fields.insert("accounts".to_owned(), json!(subscribed.accounts));
    Ok(Reply::ok(fields))
}

async fn receiver(app: &App, call: &Call, add: bool) -> Result<Reply, Failure> {
    let fields = call.fields();
    let (kind, account) = change_receiver(&app.context(call.config.clone()), &fields, add).await?;
    let mut reply = Map::new();
    reply.insert("type".to_owned(), json!(kind));
    reply.insert("account".to_owned(), json!(account));
    Ok(Reply::ok(reply))
}

async fn share(app: &App, call: &Call) -> Result<Reply, Failure> {
    let made = profit_share(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    Ok(Reply::ok(api::share_fields(&made)))
}

async fn unfreeze(app: &App, call: &Call) -> Result<Reply, Failure> {
    let made = unfreeze_share(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    Ok(Reply::ok(api::share_fields(&made)))
}

async fn give_back(app: &App, call: &Call) -> Result<Reply, Failure> {
    let made = return_share(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    Ok(Reply::ok(api::return_fields(&made)))
}

async fn shares(app: &App, call: &Call) -> Result<Reply, Failure> {
    let shared = query_share(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    let sharing = shared.order.sharing.unwrap_or_default();
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("out_trade_no", json!(shared.order.out_trade_no));
    put("transaction_id", json!(shared.order.transaction_id));
    put("sharing", json!(sharing));
    put("unshared", json!(shared.order.unshared()));
    put("unsplit_amount", json!(shared.unsplit));
    put("shares", shared.shares.iter().map(|share| Value::Object(api::share_fields(share))).collect());
    put("returns", shared.returns.iter().map(|made| Value::Object(api::return_fields(made))).collect());
    Ok(Reply::ok(fields))
}

async fn query(app: &App, call: &Call) -> Result<Reply, Failure> {
    let (order, refunds) = query_refund(&app.context(call.config.clone()), &call.caller, &call.fields()).await?;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    let list: Vec<Value> = refunds
        .iter()
        .map(|r| {
            json!({
                "out_refund_no": r.out_refund_no,
                "refund_id": r.refund_id,
                "refund_fee": r.refund_fee,
                "cash_refund_fee": r.cash_refund_fee.unwrap_or(r.refund_fee),
                "refund_desc": r.refund_desc,
                "status": r.state,
                "reason": r.reason,
                "refund_date": r.refund_date,
                "create_date": r.create_date,
            })
        })
        .collect();
    put("out_trade_no", json!(order.out_trade_no));
    put("total_fee", json!(order.total_fee));
    put("refund_fee", json!(order.refund_fee));
    put("refund_reserved", json!(order.refund_reserved));
    put("trade_state", json!(order.trade_state));
    put("status", json!(order.status));
    put("refunds", json!(list));
    put("queryResult", json!(refunds.last().map(|_| &list[list.len() - 1])));
    put("orderInfo", Value::Object(api::order_columns(&order, &call.caller)));
    if !refunds.is_empty() {
        return Ok(Reply::ok(fields));
    }
    match (call.fields().has(&OUT_REFUND_NO), call.dialect) {
        (true, _) => Err(Code::NOT_REFUNDED.into()),
        (false, Dialect::Action) => Ok(Reply::state(Code::NOT_REFUNDED, fields)),
        (false, Dialect::Url) => Ok(Reply::ok(fields)),
    }
}
