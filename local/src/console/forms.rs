//! Controls that several forms share, and how their fields become requests.

use super::text::{Lang, compact};
use super::view::Console;
use super::ways;
use crate::demo;
use crate::guard::Form;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use shared::config::DEFAULT_MERCHANT;
use shared::domain::{Fen, Provider, UnixMs};
use shared::providers::Config;
use std::collections::BTreeSet;

/// How many merchants a form offers.
const MOST_MERCHANTS: usize = 50;

/// The handler types in Rust.
pub(super) const KINDS: [&str; 4] = ["recharge", "goods", "vip", "custom"];

/// The types that a form offers: those in Rust, and those that the configuration forwards.
pub(super) async fn kinds(console: &Console) -> Vec<String> {
    match console.config().await {
        Some(config) => kinds_of(&config),
        None => KINDS.map(str::to_owned).to_vec(),
    }
}

/// The types in Rust, and those that a configuration forwards.
pub fn kinds_of(config: &Config) -> Vec<String> {
    let mut forwarded: Vec<String> = config.handlers.keys().cloned().collect();
    forwarded.retain(|kind| !KINDS.contains(&kind.as_str()));
    forwarded.sort();
    KINDS.iter().map(|kind| (*kind).to_owned()).chain(forwarded).collect()
}

/// A list to choose from, with its title.
pub(super) fn choice(name: &str, title: &str, chosen: &str, options: &[(String, String)]) -> Markup {
    html! {
        label { span { (title) }
            select name=(name) {
                @for (value, title) in options { option value=(value) selected[value == chosen] { (title) } }
            }
        }
    }
}

/// What the configuration lets a form offer.
pub(super) struct Offer {
    /// The merchants.
    pub merchants: Vec<String>,
    /// Nodes of any of them, by provider.
    nodes: BTreeSet<(Provider, String)>,
}

impl Offer {
    /// What is configured now. Merchants with documents of their own are read for it.
    pub(super) async fn of(console: &Console) -> Self {
        let mut offer = Self { merchants: Vec::new(), nodes: BTreeSet::new() };
        let Some(local) = &console.local else { return offer };
        let config = local.app.config().await;
        let context = local.app.context(config.clone());
        for id in config.merchant_ids().into_iter().take(MOST_MERCHANTS) {
            let Ok(Some(merchant)) = context.merchant(id).await else { continue };
            for provider in merchant.providers() {
                offer.nodes.extend(merchant.nodes(provider).into_iter().map(|node| (provider, node.to_owned())));
            }
            offer.merchants.push(id.to_owned());
        }
        offer
    }

    /// Whether a way to pay has a node.
    pub(super) fn has(&self, provider: Provider, way: &ways::Way) -> bool {
        let node = way.id.split_once('_').map_or("", |(_, node)| node);
        self.nodes.iter().any(|(own, name)| *own == provider && (name.is_empty() || name == node))
    }

    /// The providers that have a node.
    pub(super) fn has_provider(&self, provider: Provider) -> bool {
        self.nodes.iter().any(|(own, _)| *own == provider)
    }
}

/// The choice among the ways to pay that are configured.
pub(super) fn ways_select(lang: Lang, offer: &Offer, chosen: &str) -> Markup {
    html! {
        select name="pay_type" {
            @for provider in Provider::ALL.into_iter().filter(|provider| offer.has_provider(*provider)) {
                optgroup label=(ways::provider_name(lang, provider)) {
                    @for way in ways::face(provider).ways.iter().filter(|way| offer.has(provider, way)) {
                        option value=(way.id) selected[way.id == chosen] {
                            (ways::provider_name(lang, provider)) " · " (way.label(lang))
                        }
                    }
                }
            }
        }
    }
}

/// The choice among the merchants that are configured.
pub(super) fn merchant_select(lang: Lang, demo: bool, offer: &Offer, chosen: &str) -> Markup {
    let title = |id: &str| match id {
        "default" if demo => lang
            .t(
                "default · 微信 v3 公钥 / 支付宝密钥 / VksPay / ecpay",
                "default · WeChat v3 public key / Alipay keys / VksPay / ecpay",
            )
            .to_owned(),
        demo::V2 if demo => {
            lang.t("v2 · 微信 APIv2 / epay MD5 / 明文推送", "v2 · WeChat APIv2 / epay MD5 / plain push").to_owned()
        }
        demo::CERT if demo => lang
            .t(
                "cert · 微信平台证书 / 支付宝证书 / epay RSA / 抖音交易系统",
                "cert · WeChat and Alipay certificates / epay RSA / Douyin trade system",
            )
            .to_owned(),
        id => id.to_owned(),
    };
    // The merchant of the top level is the one that is meant where none is named, and stands first.
    let mut ids: Vec<&str> = offer.merchants.iter().map(String::as_str).collect();
    ids.sort_by_key(|id| (*id != DEFAULT_MERCHANT, *id != demo::V2));
    html! {
        select name="pid" {
            @for id in ids {
                @let value = if id == DEFAULT_MERCHANT { "" } else { id };
                option value=(value) selected[value == chosen] { (title(id)) }
            }
        }
    }
}

/// A new number: readable, and unlike any before.
pub(super) fn new_number(now: UnixMs) -> String {
    format!("VK{}{}", compact(now), hex::encode(shared::crypto::random::<3>()))
}

/// An amount as it was typed, in the unit that was chosen.
///
/// # Errors
/// A sentence in that unit.
fn amount(form: &Form, name: &str, lang: Lang) -> Result<Fen, String> {
    let text = form.get(name);
    let (read, zh, en) = match form.get("unit") {
        "fen" => (
            text.parse().ok().map(Fen),
            "金额须为整数分，1 到 10000000000",
            "the amount in fen must be a whole number from 1 to 10000000000",
        ),
        _ => (
            Fen::from_yuan(text),
            "金额须以元填写，最多两位小数，0.01 到 100000000.00",
            "the amount in yuan has at most two decimals and is from 0.01 to 100000000.00",
        ),
    };
    read.filter(|fen| (Fen(1)..=Fen::MAX).contains(fen)).ok_or_else(|| lang.t(zh, en).to_owned())
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
/// A sentence, when the amount is none, or `custom` no JSON object.
pub(super) fn create_data(form: &Form, lang: Lang, now: UnixMs) -> Result<Map<String, Value>, String> {
    let kind = form.filled("type").unwrap_or("recharge");
    let fee = amount(form, "amount", lang)?;
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
    put("total_fee", json!(fee));
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
