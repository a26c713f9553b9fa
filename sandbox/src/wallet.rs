//! The payer: scans, opens, types the password.

use crate::callbacks::{CallbackKind, Notice, SignedRequest, as_paid, event_id};
use crate::ledger::{Provider, State};
use crate::{Sandbox, alipay, apple, douyin, huawei, virtual_pay, vkspay};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a payer pays.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Pay {
    /// Needed if both providers know the number and both trades can be paid; else the newest payable one is meant.
    pub provider: Option<Provider>,
    /// mchid, app id or the id given to [`crate::MerchantKeys::generate`].
    pub merchant: Option<String>,
    /// A wrong amount in fen, which then stands in callbacks and answers.
    pub amount: Option<u64>,
    /// The payer's openid or user id.
    pub payer: Option<String>,
    /// Whether the callback is queued.
    pub notify: bool,
    /// Pays even what is closed or expired, as a payment does that was under way when the close came.
    pub force: bool,
}

impl Default for Pay {
    fn default() -> Self {
        Self { provider: None, merchant: None, amount: None, payer: None, notify: true, force: false }
    }
}

/// A payment done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Paid {
    pub provider: Provider,
    pub number: String,
    pub transaction_id: String,
    pub amount: u64,
    /// Unix ms.
    pub paid: i64,
    /// Its callback in the outbox.
    pub delivery: Option<u64>,
}

/// A payment done through the client's SDK.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientPaid {
    /// The payment.
    pub paid: Paid,
    /// What the SDK hands back: for Apple and Huawei's IAP Kit the proof that the client brings to the server.
    pub result: Value,
}

impl Sandbox {
    /// Scans and pays the trade with this out_trade_no.
    pub async fn pay(&self, number: &str, how: Pay) -> Result<Paid, String> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let at = pick(&mut state, number, &how, now)?;
        if how.force {
            state.reopen(at, now);
        }
        state.paid(at, how.amount, how.payer, now)?;
        let state = &mut *state;
        let trade = &state.trades[at];
        let delivery = if how.notify { state.outbox.payment(trade, now) } else { None };
        Ok(Paid {
            provider: trade.provider,
            number: trade.number.clone(),
            transaction_id: trade.transaction_id.clone().unwrap_or_default(),
            amount: trade.amount(),
            paid: now,
            delivery,
        })
    }

    /// Opens an Alipay app order string, or the URL of a page or wap payment: from then on the trade exists and can be
    /// paid. Answers its out_trade_no, or the gateway's complaint.
    pub fn open_order_string(&self, order: &str) -> Result<String, String> {
        alipay::open(self, order)
    }

    /// [`Self::open_order_string`] and [`Self::pay`] in one.
    pub async fn pay_order_string(&self, order: &str) -> Result<Paid, String> {
        let number = self.open_order_string(order)?;
        self.pay(&number, Pay { provider: Some(Provider::Alipay), ..Pay::default() }).await
    }

    /// What the client's SDK does with `orderInfo`: the provider checks it, the payer pays, and the SDK hands something
    /// back. For providers whose trade begins on the client, and for all others alike.
    ///
    /// # Errors
    /// What the provider has against it.
    pub async fn client_pay(&self, provider: Provider, order_info: &Value, how: Pay) -> Result<ClientPaid, String> {
        let open = match provider {
            Provider::Wxpay | Provider::Alipay => return Err("these are paid by their number".to_owned()),
            Provider::Appleiap => apple::open,
            Provider::Vkspay => vkspay::open,
            Provider::WxpayVirtual => virtual_pay::open,
            Provider::Douyin => douyin::open,
            Provider::Huawei => huawei::open,
        };
        let number = open(self, order_info, how.merchant.as_deref())?;
        let paid = self.pay(&number, Pay { provider: Some(provider), merchant: None, ..how }).await?;
        let trade = self.trade_at(provider, &number).ok_or("the trade is gone")?;
        let result = match provider {
            Provider::Wxpay | Provider::Alipay => Value::Null,
            Provider::Appleiap => apple::client_result(self, &trade),
            Provider::Vkspay => vkspay::client_result(self, &trade),
            Provider::WxpayVirtual => virtual_pay::client_result(self, &trade),
            Provider::Douyin => douyin::client_result(self, &trade),
            Provider::Huawei => huawei::client_result(self, &trade),
        };
        Ok(ClientPaid { paid, result })
    }

    /// Alipay: the payer scans the QR code and leaves it at that; the trade exists now, unpaid.
    pub fn scan(&self, number: &str) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        let at = pick(&mut state, number, &Pay::default(), now)?;
        state.scan(at, now);
        Ok(())
    }

    /// The genuine callback of a paid trade (`number` is its out_trade_no), of an ended transfer, or of a settled refund (`number` is its
    /// out_refund_no, or the out_trade_no for the latest), freshly signed and not sent.
    ///
    /// # Panics
    /// If there is no such payment or refund; [`Self::try_build_callback`] says so instead.
    pub fn build_callback(&self, number: &str, kind: CallbackKind) -> SignedRequest {
        self.try_build_callback(number, kind).expect("a paid trade or a refund with this number")
    }

    /// Says what number the payment of an unpaid trade will have, as of a provider that gives one number to two
    /// payments.
    ///
    /// # Errors
    /// When there is no such trade.
    pub fn number_payment(&self, number: &str, transaction_id: &str) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        let at = state.trades.iter().rposition(|trade| trade.number == number && trade.paid.is_none());
        let at = at.ok_or_else(|| format!("no unpaid trade {number}"))?;
        state.scan(at, now);
        state.trades[at].transaction_id = Some(transaction_id.to_owned());
        Ok(())
    }

    /// [`Self::build_callback`] without the panic.
    pub fn try_build_callback(&self, number: &str, kind: CallbackKind) -> Result<SignedRequest, String> {
        self.callback_of(None, number, kind)
    }

    /// The same at one provider, where several know the number.
    pub fn callback_of(
        &self,
        provider: Option<crate::Provider>,
        number: &str,
        kind: CallbackKind,
    ) -> Result<SignedRequest, String> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let (at, refund) = match kind {
            CallbackKind::Transfer => {
                let transfer = state.transfers.iter().rev().find(|t| t.number == number && t.ended.is_some());
                let told = transfer.ok_or("no such transfer that has ended")?.told();
                let merchant = state.merchant(told.provider, &told.merchant).ok_or("the merchant is gone")?;
                let notice = Notice {
                    trade: &told,
                    refund: None,
                    event_id: &event_id(told.provider, now),
                    created: now,
                    url: told.notify_url.as_deref().ok_or("no notify_url was given")?,
                };
                return Ok(notice.sign(&merchant, now));
            }
            CallbackKind::Payment => {
                let mut all = state.all(number).iter().rev().copied();
                let meant = |at: &usize| {
                    let trade = &state.trades[*at];
                    trade.paid.is_some() && provider.is_none_or(|provider| provider == trade.provider)
                };
                (all.find(meant).ok_or("no such paid trade")?, None)
            }
            CallbackKind::Refund => {
                let by_refund = state.all_refunds(number).last().copied();
                let by_trade = || {
                    let all = state.all(number).iter().rev();
                    all.copied().find_map(|t| Some((t, state.trades[t].refunds.len().checked_sub(1)?)))
                };
                let (t, r) = by_refund.or_else(by_trade).ok_or("no such refund")?;
                (t, Some(r))
            }
        };
        told_of(&state, at, refund, now)
    }

    /// The genuine callback of one refund of a trade of Alipay's, by its place among the trade's refunds: numbers are
    /// a trade's there, and a refund of the console may have none.
    ///
    /// # Errors
    /// When there is no such refund.
    pub fn callback_of_refund(&self, number: &str, place: usize) -> Result<SignedRequest, String> {
        let now = self.now();
        let state = self.state();
        let own = |at: &usize| {
            let trade = &state.trades[*at];
            trade.provider == crate::Provider::Alipay && place < trade.refunds.len()
        };
        let at = state.all(number).iter().copied().find(own).ok_or("no such refund")?;
        told_of(&state, at, Some(place), now)
    }
}

/// A callback of a trade or of its refund, freshly signed.
fn told_of(state: &State, at: usize, refund: Option<usize>, now: i64) -> Result<SignedRequest, String> {
    let trade = &state.trades[at];
    let merchant = state.merchant(trade.provider, &trade.merchant).ok_or("the merchant is gone")?;
    let url = refund.map_or(&trade.notify_url, |r| &trade.refunds[r].notify_url);
    let told = if refund.is_some() { trade.clone() } else { as_paid(trade) };
    let notice = Notice {
        trade: &told,
        refund,
        event_id: &event_id(trade.provider, now),
        created: now,
        url: url.as_deref().ok_or("no notify_url was given")?,
    };
    Ok(notice.sign(&merchant, now))
}

/// The trade that is meant: the newest that fits, payable ones first.
fn pick(state: &mut State, number: &str, how: &Pay, now: i64) -> Result<usize, String> {
    let mut found = None;
    for at in state.all(number).to_vec() {
        let trade = &state.trades[at];
        if how.provider.is_some_and(|provider| provider != trade.provider) {
            continue;
        }
        if let Some(wanted) = &how.merchant {
            let id = state.merchant(trade.provider, &trade.merchant).map(|m| m.keys.id.clone());
            if *wanted != trade.merchant && id.as_ref() != Some(wanted) {
                continue;
            }
        }
        let payable = state.current(at, now).payable();
        if payable || !matches!(found, Some((_, true))) {
            found = Some((at, payable));
        }
    }
    found.map(|(at, _)| at).ok_or_else(|| format!("no trade {number}"))
}
