//! Controls that several forms share, and how their fields become requests.

use super::text::{Lang, compact};
use super::view::Console;
use super::ways;
use crate::demo;
use crate::guard::Form;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use shared::domain::{Fen, Provider, UnixMs};

/// The handler types in Rust.
pub(super) const KINDS: [&str; 4] = ["recharge", "goods", "vip", "custom"];

/// The types that a form offers: those in Rust, and those that the configuration forwards.
pub(super) async fn kinds(console: &Console) -> Vec<String> {
    let config = console.app.config().await;
    let mut forwarded: Vec<String> = config.handlers.keys().cloned().collect();
    forwarded.sort();
    KINDS.iter().map(|kind| (*kind).to_owned()).chain(forwarded).collect()
}

/// The choice among all ways to pay.
pub(super) fn ways_select(lang: Lang, chosen: &str) -> Markup {
    html! {
        select name="pay_type" {
            @for provider in Provider::ALL {
                optgroup label=(ways::provider_name(lang, provider)) {
                    @for way in ways::face(provider).ways {
                        option value=(way.id) selected[way.id == chosen] {
                            (ways::provider_name(lang, provider)) " · " (way.label(lang))
                        }
                    }
                }
            }
        }
    }
}

/// The choice among the demo's merchants, or a free field.
pub(super) fn merchant_select(lang: Lang, demo: bool) -> Markup {
    html! {
        @if demo {
            select name="pid" {
                option value="" { (lang.t("default · 微信 v3 公钥 / 支付宝密钥 / VksPay / ecpay", "default · WeChat v3 public key / Alipay keys / VksPay / ecpay")) }
                option value=(demo::V2) { (lang.t("v2 · 微信 APIv2 / epay MD5 / 明文推送", "v2 · WeChat APIv2 / epay MD5 / plain push")) }
                option value=(demo::CERT) { (lang.t("cert · 微信平台证书 / 支付宝证书 / epay RSA / 抖音交易系统", "cert · WeChat and Alipay certificates / epay RSA / Douyin trade system")) }
            }
        } @else {
            input name="pid" placeholder="default" autocomplete="off" spellcheck="false";
        }
    }
}

/// A new number: readable, and unlike any before.
pub(super) fn new_number(now: UnixMs) -> String {
    format!("VK{}{}", compact(now), hex::encode(shared::crypto::random::<3>()))
}

/// An amount as it was typed: yuan become fen; what is no amount goes on as it is, for the API to refuse.
pub(super) fn amount(form: &Form, name: &str) -> Option<Value> {
    let text = form.filled(name)?;
    if form.get("unit") == "fen" {
        return Some(text.parse::<u64>().map_or_else(|_| json!(text), |fen| json!(fen)));
    }
    Some(Fen::from_yuan(text).map_or_else(|| json!(text), |fen| json!(fen)))
}

/// What `custom` is for a type when nothing was typed.
pub(super) fn custom_of(kind: &str) -> Map<String, Value> {
    let value = match kind {
        "goods" => json!({ "goods_id": demo::GOODS, "quantity": 1 }),
        "vip" => json!({ "vip_type": "gold", "vip_days": 30 }),
        _ => json!({}),
    };
    value.as_object().cloned().unwrap_or_default()
}

/// The data of a `createPayment` out of the console's form.
///
/// # Errors
/// A sentence, when `custom` is no JSON object.
pub(super) fn create_data(form: &Form, lang: Lang, now: UnixMs) -> Result<Map<String, Value>, String> {
    let kind = form.filled("type").unwrap_or("recharge");
    let custom = match form.filled("custom") {
        None => custom_of(kind),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(map)) => map,
            _ => return Err(lang.t("custom 不是 JSON 对象", "custom is not a JSON object").to_owned()),
        },
    };
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("out_trade_no", json!(form.filled("out_trade_no").map_or_else(|| new_number(now), str::to_owned)));
    put("total_fee", amount(form, "amount").unwrap_or(Value::Null));
    put(
        "subject",
        json!(form.filled("subject").unwrap_or(match kind {
            "goods" => lang.t("明前龙井 50 g", "Longjing tea, 50 g"),
            "vip" => lang.t("黄金会员 30 天", "Gold membership, 30 days"),
            "recharge" => lang.t("余额充值", "Balance recharge"),
            _ => lang.t("自定义订单", "Custom order"),
        })),
    );
    put("type", json!(kind));
    if let Some(user) = form.filled("user_id") {
        put("user_id", json!(user));
    }
    put("custom", Value::Object(custom));
    if let Some(pid) = form.filled("pid") {
        put("pid", json!(pid));
    }
    ways::fill(form.get("pay_type"), &mut data, form.filled("auth_code"));
    Ok(data)
}
