//! What each operation of APIv2 does, once its signature was found right (wechat.md 5.2).

use super::Account;
use super::objects::{refund_word_v2, trade_type};
use super::refunds::{self, No, Wanted};
use super::v2::{Bad, Reply, business, order_fields};
use super::xml::Fields;
use super::{orders, rules};
use crate::faults::Misbehaviour;
use crate::ids;
use crate::ledger::{RefundState, Trade, TradeState};
use crate::provider::{Provider, Wire};
use crate::sandbox::Sandbox;
use crate::state::State;
use serde_json::json;

/// The longest time from creation to expiry of an order that names none.
const LIFE_MS: i64 = 2 * 3600 * 1000;

/// A verified request.
pub(crate) struct Cx<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) merchant: &'a Account,
    pub(crate) fields: &'a Fields,
    pub(crate) hmac: bool,
    pub(crate) fault: Option<Misbehaviour>,
}

impl Cx<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str, longest: usize) -> Result<Option<String>, Bad> {
        match self.get(name) {
            Some(value) if value.chars().count() > longest => {
                Err(business("PARAM_ERROR", &format!("{name}超过{longest}")))
            }
            value => Ok(value.map(str::to_owned)),
        }
    }

    fn amount(&self, name: &str) -> Result<u64, Bad> {
        let value = self.get(name).unwrap_or_default();
        let plain = !value.starts_with('0') && value.bytes().all(|b| b.is_ascii_digit());
        let parsed = value.parse().ok().filter(|_| plain);
        parsed.ok_or_else(|| business("PARAM_ERROR", &format!("{name}应为正整数")))
    }

    fn mchid(&self) -> &str {
        &self.merchant.keys.mchid
    }

    fn wire(&self) -> Wire {
        if self.hmac { Wire::V2_HMAC } else { Wire::V2_MD5 }
    }

    /// What a creation wants, if its fields are right: the product, where callbacks go, when it ends.
    fn checked(&self, micropay: bool, now: i64) -> Result<(&'static str, Option<String>, i64), Bad> {
        let number = self.get("out_trade_no").unwrap_or_default();
        let good = number.len() <= 32 && number.chars().all(|c| c.is_ascii_alphanumeric() || "_-|*@".contains(c));
        if !good {
            return Err(business("PARAM_ERROR", "out_trade_no格式错误"));
        }
        let product = if micropay {
            "codepay"
        } else {
            match self.get("trade_type") {
                Some("JSAPI") if self.get("openid").is_some() => "jsapi",
                Some("JSAPI") => return Err(Bad::Protocol("JSAPI支付必须传openid".to_owned())),
                Some("NATIVE") => "native",
                Some("APP") => "app",
                Some("MWEB") => "h5",
                _ => return Err(business("PARAM_ERROR", "trade_type错误")),
            }
        };
        if product == "native" && self.get("product_id").is_none() {
            return Err(business("LACK_PARAMS", "NATIVE支付必须传product_id"));
        }
        if product == "h5" && !self.get("scene_info").is_some_and(|scene| scene.contains("h5_info")) {
            return Err(business("LACK_PARAMS", "MWEB支付必须传scene_info"));
        }
        let notify_url = self.text("notify_url", 256)?;
        if !micropay && !notify_url.as_deref().is_some_and(rules::notify_url) {
            return Err(business("PARAM_ERROR", "notify_url格式错误"));
        }
        if self.get("spbill_create_ip").is_none_or(|ip| ip.parse::<std::net::IpAddr>().is_err()) {
            return Err(business("PARAM_ERROR", "spbill_create_ip格式错误"));
        }
        if self.get("fee_type").is_some_and(|kind| kind != "CNY") {
            return Err(business("PARAM_ERROR", "fee_type错误"));
        }
        let expires = match self.get("time_expire") {
            None => now + LIFE_MS,
            Some(text) => ids::from_compact(text)
                .filter(|expires| *expires > now)
                .ok_or_else(|| business("PARAM_ERROR", "time_expire时间过短"))?,
        };
        Ok((product, notify_url, expires))
    }

    pub(crate) fn create(&self, micropay: bool) -> Reply {
        let now = self.sandbox.now();
        let number = self.get("out_trade_no").unwrap_or_default();
        let (product, notify_url, expires) = self.checked(micropay, now)?;
        let mut request = json!(self.fields);
        for volatile in ["nonce_str", "sign", "sign_type"] {
            let _ = request.as_object_mut().and_then(|map| map.remove(volatile));
        }
        let (total, body, attach) = (self.amount("total_fee")?, self.text("body", 128)?, self.text("attach", 127)?);
        let mut state = self.sandbox.state();
        let at = if let Some(at) = state.find(Provider::Wxpay, self.mchid(), number) {
            let trade = state.current(at, now);
            match trade.state {
                TradeState::Success | TradeState::Refund => {
                    return Err(business("ORDERPAID", "该订单已支付"));
                }
                _ if trade.request != request => {
                    return Err(business("OUT_TRADE_NO_USED", "商户订单号重复"));
                }
                TradeState::NotPay => {}
                TradeState::UserPaying => {
                    return Err(business("USERPAYING", "需要用户输入支付密码"));
                }
                _ => return Err(business("ORDERCLOSED", "该订单已关闭")),
            }
            trade.prepay_id = Some(ids::prepay_id(now));
            at
        } else {
            state.add(Trade {
                provider: Provider::Wxpay,
                merchant: self.mchid().to_owned(),
                sub_merchant: self.get("sub_mch_id").map(str::to_owned),
                sub_appid: self.get("sub_appid").map(str::to_owned),
                appid: self.fields["appid"].clone(),
                product: product.to_owned(),
                wire: self.wire(),
                number: number.to_owned(),
                total,
                paid_amount: None,
                state: TradeState::NotPay,
                transaction_id: None,
                prepay_id: Some(ids::prepay_id(now)),
                code_url: (product == "native").then(ids::code_url),
                notify_url,
                subject: body.unwrap_or_default(),
                attach,
                payer: self.get("openid").map(str::to_owned),
                created: now,
                expires,
                paid: None,
                closed: None,
                refunds: Vec::new(),
                sharing: None,
                shipment: self.merchant.keeps(product, &self.fields["appid"]),
                request,
            })
        };
        if micropay { self.code_paid(&mut state, at, now) } else { Ok(handed_out(&state.trades[at])) }
    }

    fn code_paid(&self, state: &mut State, at: usize, now: i64) -> Reply {
        let code = self.get("auth_code").unwrap_or_default();
        if code.len() != 18 || !(10..=15).any(|head: u32| code.starts_with(&head.to_string())) {
            state.trades[at].state = TradeState::PayError;
            return Err(business("AUTH_CODE_INVALID", "请扫描微信支付被扫条码/二维码"));
        }
        orders::micropay(state, at, code, now, self.sandbox.scaled_ms(5))
            .map_err(|(code, text)| business(code, text))?;
        let trade = &state.trades[at];
        if trade.state == TradeState::UserPaying {
            return Err(business("USERPAYING", "需要用户输入支付密码"));
        }
        let mut fields = Fields::new();
        order_fields(trade, &mut |name, value| {
            fields.insert(name.to_owned(), value.to_owned());
        });
        Ok(fields)
    }

    /// The trade that `transaction_id` or `out_trade_no` names.
    fn find(&self, state: &State) -> Option<usize> {
        match (self.get("transaction_id"), self.get("out_trade_no")) {
            (Some(id), _) => state.find_transaction(self.mchid(), id),
            (None, number) => state.find(Provider::Wxpay, self.mchid(), number?),
        }
    }

    pub(crate) fn query(&self) -> Reply {
        let mut state = self.sandbox.state();
        let at = self.find(&state).ok_or_else(|| business("ORDERNOTEXIST", "订单不存在"))?;
        let trade = state.current(at, self.sandbox.now());
        let mut fields = Fields::new();
        let mut set = |name: &str, value: &str| {
            fields.insert(name.to_owned(), value.to_owned());
        };
        set("trade_state", trade.state.name());
        set("trade_state_desc", trade.state.name());
        order_fields(trade, &mut set);
        Ok(fields)
    }

    pub(crate) fn close(&self) -> Reply {
        let now = self.sandbox.now();
        let mut state = self.sandbox.state();
        let at = self.find(&state).ok_or_else(|| business("ORDERNOTEXIST", "订单不存在"))?;
        let trade = state.current(at, now);
        match trade.state {
            TradeState::Success | TradeState::Refund => Err(business("ORDERPAID", "该订单已支付")),
            TradeState::Closed => Err(business("ORDERCLOSED", "该订单已关闭")),
            _ => {
                trade.state = TradeState::Closed;
                trade.closed = Some(now);
                Ok(Fields::new())
            }
        }
    }

    pub(crate) fn refund(&self) -> Reply {
        let (amount, total) = (self.amount("refund_fee")?, self.amount("total_fee")?);
        let notify_url = self.text("notify_url", 256)?;
        if notify_url.as_deref().is_some_and(|url| !rules::notify_url(url)) {
            return Err(business("PARAM_ERROR", "notify_url格式错误"));
        }
        let out_refund_no = self.text("out_refund_no", 64)?.unwrap_or_default();
        if !out_refund_no.chars().all(|c| c.is_ascii_alphanumeric() || "_-|*@".contains(c)) || amount > total {
            return Err(business("PARAM_ERROR", "参数错误"));
        }
        let reason = self.text("refund_desc", 80)?;
        let wanted = Wanted { out_refund_no, amount, total, reason, notify_url, wire: self.wire() };
        let now = self.sandbox.now();
        let held = self.fault == Some(Misbehaviour::HoldRefund);
        let settles = (!held).then(|| now + self.sandbox.scaled_ms(refunds::SETTLE_SECONDS));
        let mut state = self.sandbox.state();
        let at = self.find(&state);
        let (t, r) = refunds::enter(&mut state, self.mchid(), at, wanted, now, settles).map_err(|no| match no {
            No::Missing => business("ORDERNOTEXIST", "订单号不存在"),
            No::Mismatch => business("ERROR", "订单金额或退款金额与之前请求不一致，请核实后再试"),
            No::WrongTotal => business("ERROR", "订单金额不一致"),
            No::TooMuch => business("ERROR", "累计退款金额大于支付金额"),
            No::TooMany => business("ERROR", "订单退款次数超过50次"),
            No::TooLate => business("TRADE_OVERDUE", "订单已经超过退款期限"),
        })?;
        let trade = &state.trades[t];
        let refund = &trade.refunds[r];
        let mut fields = Fields::new();
        for (name, value) in [
            ("transaction_id", trade.transaction_id.clone().unwrap_or_default()),
            ("out_trade_no", trade.number.clone()),
            ("out_refund_no", refund.out_refund_no.clone()),
            ("refund_id", refund.refund_id.clone()),
            ("refund_fee", refund.amount.to_string()),
            ("total_fee", refund.total.to_string()),
            ("cash_fee", refund.total.to_string()),
        ] {
            fields.insert(name.to_owned(), value);
        }
        Ok(fields)
    }

    pub(crate) fn refund_query(&self) -> Reply {
        let state = self.sandbox.state();
        let missing = || business("REFUNDNOTEXIST", "退款订单查询失败");
        let by_refund = |(t, r): (usize, usize)| (t, vec![r]);
        let (t, found) = if let Some(id) = self.get("refund_id") {
            let mine = |trade: &Trade| trade.provider == Provider::Wxpay && trade.merchant == self.mchid();
            let all = state.trades.iter().enumerate().filter(|(_, trade)| mine(trade));
            let mut hits =
                all.filter_map(|(t, trade)| Some((t, trade.refunds.iter().position(|r| r.refund_id == id)?)));
            hits.next().map(by_refund)
        } else if let Some(number) = self.get("out_refund_no") {
            state.find_refund(Provider::Wxpay, self.mchid(), number).map(by_refund)
        } else {
            self.find(&state).map(|t| (t, (0..state.trades[t].refunds.len()).collect()))
        }
        .filter(|(_, found)| !found.is_empty())
        .ok_or_else(missing)?;
        let offset: usize =
            self.get("offset").map_or(Ok(0), str::parse).map_err(|_| business("PARAM_ERROR", "offset"))?;
        let trade = &state.trades[t];
        let mut fields = Fields::new();
        let mut set = |name: String, value: String| {
            fields.insert(name, value);
        };
        set("transaction_id".into(), trade.transaction_id.clone().unwrap_or_default());
        set("out_trade_no".into(), trade.number.clone());
        set("total_fee".into(), trade.amount().to_string());
        set("total_refund_count".into(), found.len().to_string());
        let page: Vec<usize> = found.into_iter().skip(offset).take(10).collect();
        set("refund_count".into(), page.len().to_string());
        for (n, r) in page.into_iter().enumerate() {
            let refund = &trade.refunds[r];
            set(format!("out_refund_no_{n}"), refund.out_refund_no.clone());
            set(format!("refund_id_{n}"), refund.refund_id.clone());
            set(format!("refund_channel_{n}"), "ORIGINAL".into());
            set(format!("refund_fee_{n}"), refund.amount.to_string());
            set(format!("refund_status_{n}"), refund_word_v2(refund.state).into());
            set(format!("refund_recv_accout_{n}"), "支付用户零钱".into());
            if let (RefundState::Success, Some(settled)) = (refund.state, refund.settled) {
                set(format!("refund_success_time_{n}"), ids::spaced(settled));
            }
        }
        Ok(fields)
    }

    pub(crate) fn reverse(&self) -> Reply {
        let now = self.sandbox.now();
        let mut state = self.sandbox.state();
        let at = self.find(&state).ok_or_else(|| business("ORDERNOTEXIST", "订单不存在"))?;
        let trade = state.current(at, now);
        if trade.product != "codepay" {
            return Err(business("TRADE_STATE_ERROR", "仅付款码订单可撤销"));
        }
        trade.state = TradeState::Revoked;
        trade.closed = Some(now);
        Ok([("recall".to_owned(), "N".to_owned())].into())
    }
}

fn handed_out(trade: &Trade) -> Fields {
    let prepay_id = trade.prepay_id.clone().unwrap_or_default();
    let mut fields = Fields::new();
    fields.insert("trade_type".to_owned(), trade_type(&trade.product).to_owned());
    match trade.product.as_str() {
        "native" => {
            fields.insert("code_url".to_owned(), trade.code_url.clone().unwrap_or_default());
        }
        "h5" => {
            fields.insert("mweb_url".to_owned(), ids::h5_url(&prepay_id));
        }
        _ => {}
    }
    fields.insert("prepay_id".to_owned(), prepay_id);
    fields
}
