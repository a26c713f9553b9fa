//! What a payer complains of at the provider, on its incident: answered, refunded, ended. What moves money is confirmed
//! first.

use super::layout;
use super::text::{Lang, ago, money};
use super::view::{Console, Posted, View, back_to, segment};
use crate::guard::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use shared::domain::action::Refunds;
use shared::domain::{Fen, UnixMs};
use std::sync::Arc;

/// How Alipay may be told that a complaint is ended.
const PROCESS_CODES: [(&str, &str, &str); 5] = [
    ("CONSENSUS_WITH_CLIENT", "已与用户协商一致", "agreed with the payer"),
    ("RECTIFICATION_NO_REFUND", "已整改，未退款", "put right, without a refund"),
    ("REFUND", "已退款", "refunded"),
    ("SUBMIT_PROOF_NOT_CONTACTED", "提交凭证，未联系上用户", "proof given, payer not reached"),
    ("ORTHER", "其他", "other"),
];

fn said(incident: &Map<String, Value>) -> &Value {
    incident.get("actual").unwrap_or(&Value::Null)
}

fn text<'a>(incident: &'a Map<String, Value>, name: &str) -> &'a str {
    incident.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What the payer says, and until when an answer is due.
pub(super) fn facts(console: &Console, lang: Lang, incident: &Map<String, Value>) -> Markup {
    let said = said(incident);
    let words = |name: &str| said[name].as_str();
    let fen = |name: &str| said[name].as_u64().map(Fen).filter(|fen| *fen > Fen::ZERO);
    let titles = [
        ("detail", lang.t("用户说", "The payer says")),
        ("description", lang.t("投诉类型", "About")),
        ("problem_type", lang.t("问题类型", "Kind")),
        ("phone", lang.t("电话", "Telephone")),
        ("state", lang.t("投诉状态", "State")),
        ("complaint_id", lang.t("投诉单号", "Complaint")),
    ];
    html! {
        @for (name, title) in titles {
            @if let Some(value) = words(name) { div.wide { dt { (title) } dd { (value) } } }
        }
        @if let Some(fen) = fen("amount") { div { dt { (lang.t("投诉金额", "Amount")) } dd { (money(fen)) } } }
        @if let Some(fen) = fen("apply_refund_fee") { div { dt { (lang.t("要求退款", "Wants back")) } dd { (money(fen)) } } }
        @if said["times"].as_u64().is_some_and(|times| times > 1) { div { dt { (lang.t("投诉次数", "Times")) } dd { (said["times"].as_u64().unwrap_or_default()) } } }
        @if let Some(at) = said["deadline"].as_i64() { div { dt { (lang.t("最晚处理", "Due")) } dd { (due(console, lang, UnixMs::new(at))) } } }
        @if said["awaits_reply"] == true { div { dt { (lang.t("用户等待回复", "The payer waits")) } dd { (lang.t("是", "yes")) } } }
    }
}

/// How long there is, or since when it is late.
fn due(console: &Console, lang: Lang, at: UnixMs) -> Markup {
    let now = console.now();
    if at <= now {
        return html! { strong { (lang.t("已超时 ", "late since ")) (ago(lang, at, now)) } };
    }
    let minutes = at.since(now).as_secs() / 60;
    let left = match minutes {
        0..60 => format!("{minutes} {}", lang.t("分钟内", "min left")),
        60..2880 => format!("{} {}", minutes / 60, lang.t("小时内", "h left")),
        _ => format!("{} {}", minutes / 1440, lang.t("天内", "days left")),
    };
    html! { (left) " (" (ago(lang, at, now)) ")" }
}

/// What can be done about an open one.
pub(super) fn forms(console: &Console, lang: Lang, incident: &Map<String, Value>) -> Markup {
    let path = format!("/incidents/{}/complaint", segment(text(incident, "incident_id")));
    let alipay = text(incident, "provider") == "alipay";
    html! {
        form.resolve method="post" action=(path) data-testid="complaint-form" {
            (layout::token(console))
            (named(incident))
            textarea name="response_content" rows="2" maxlength="500" placeholder=(lang.t("回复用户", "Answer the payer")) aria-label=(lang.t("回复用户", "Answer the payer")) {}
            @if alipay {
                select name="process_code" aria-label=(lang.t("处理方式", "Resolution")) {
                    @for (code, zh, en) in PROCESS_CODES { option value=(code) { (lang.t(zh, en)) } }
                }
            }
            button type="submit" name="what" value="answer" data-testid="complaint-answer" { (lang.t("回复", "Answer")) }
            button type="submit" name="what" value="complete" data-testid="complaint-complete" { (lang.t("处理完成…", "Complete…")) }
            button type="submit" name="what" value="refund" data-testid="complaint-refund" { (lang.t("退款并完成…", "Refund and end it…")) }
        }
    }
}

/// Which complaint a form is about.
fn named(incident: &Map<String, Value>) -> Markup {
    html! {
        input type="hidden" name="provider" value=(text(incident, "provider"));
        input type="hidden" name="pid" value=(text(incident, "merchant"));
        input type="hidden" name="complaint_id" value=(said(incident)["complaint_id"].as_str().unwrap_or_default());
        input type="hidden" name="amount" value=(said(incident)["amount"].as_u64().unwrap_or_default());
    }
}

/// What would be done, to be confirmed.
async fn confirmation(console: &Console, view: &View, id: &str, form: &Form) -> Response {
    let lang = view.lang;
    let refunds = form.get("what") == "refund";
    let amount = Fen(form.get("amount").parse().unwrap_or_default());
    let kept = ["provider", "pid", "complaint_id", "amount", "response_content", "process_code", "what"];
    let body = html! {
        section.card.confirm data-testid="confirm-complaint" data-action=(form.get("what")) {
            header.card-head { h1 { (lang.t("确认：", "Confirm: ")) @if refunds { (lang.t("退款并完成投诉", "refund and end the complaint")) } @else { (lang.t("投诉处理完成", "the complaint is completed")) } } }
            @if refunds { div.sum { (money(amount)) } }
            p.verdict data-tone="bad" {
                @if refunds {
                    (lang.t("订单剩余的可退金额会全部原路退回，到账后向渠道确认完成，不能撤回。", "All that is left of the order is refunded to the payer, and then the provider is told that the complaint is completed. This cannot be undone."))
                } @else {
                    (lang.t("会告知渠道投诉已处理完成。用户不满意可以继续投诉。", "The provider is told that the complaint is completed. A dissatisfied payer can complain again."))
                }
            }
            dl.facts { div.wide { dt { (lang.t("投诉单号", "Complaint")) } dd { (form.get("complaint_id")) } } }
            div.actions {
                form method="post" action=(format!("/incidents/{}/complaint", segment(id))) {
                    (layout::token(console))
                    input type="hidden" name="confirmed" value=(id);
                    @for name in kept { input type="hidden" name=(name) value=(form.get(name)); }
                    button.danger type="submit" data-testid="confirm" { (lang.t("确认", "Do it")) }
                }
                a.button href="/incidents" data-testid="cancel" { (lang.t("返回，什么都不做", "Back, without doing anything")) }
            }
        }
    };
    layout::page(console, view, lang.t("确认", "Confirm"), &body).await
}

/// Answers, ends or refunds through the function.
pub(super) async fn act(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    view: View,
    Posted(form): Posted,
) -> Response {
    let what = form.get("what");
    if what != "answer" && form.get("confirmed") != id {
        return confirmation(&console, &view, &id, &form).await;
    }
    let mut data = Map::new();
    let mut put = |name: &str| {
        if let Some(value) = form.filled(name) {
            data.insert(name.to_owned(), json!(value));
        }
    };
    put("provider");
    put("complaint_id");
    if form.get("pid") != "default" {
        put("pid");
    }
    let action = match what {
        "refund" => Refunds::RefundComplaint,
        "complete" => {
            put("response_content");
            put("process_code");
            Refunds::CompleteComplaint
        }
        _ => {
            put("response_content");
            Refunds::AnswerComplaint
        }
    };
    let did = Box::pin(console.call(&view, action, data)).await;
    let over =
        did.response["complaint"]["state"] == "processed" || did.response["data"]["complaint"]["state"] == "processed";
    let status = if over { "resolved" } else { "open" };
    back_to(&format!("/incidents?status={status}&did={}#i-{}", did.id, segment(&id)))
}
