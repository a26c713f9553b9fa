//! The payer: scans, opens, types the password.

use crate::desks;
use crate::provider::Provider;
use crate::sandbox::Sandbox;
use crate::state::State;
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
    /// What the SDK hands back: for app stores the proof that the client brings to the server.
    pub result: Value,
}

impl Sandbox {
    /// Scans and pays the trade with this out_trade_no.
    ///
    /// # Errors
    /// Why it cannot be paid.
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

    /// Opens what a wallet opens: an app's order string, or the URL of a page. From then on the trade exists and can be
    /// paid. Answers its out_trade_no.
    ///
    /// # Errors
    /// The provider's complaint.
    pub fn open_order_string(&self, order: &str) -> Result<String, String> {
        self.opened(order).map(|(_, number)| number)
    }

    /// [`Self::open_order_string`] and [`Self::pay`] in one.
    ///
    /// # Errors
    /// As either of them.
    pub async fn pay_order_string(&self, order: &str) -> Result<Paid, String> {
        let (provider, number) = self.opened(order)?;
        self.pay(&number, Pay { provider: Some(provider), ..Pay::default() }).await
    }

    fn opened(&self, order: &str) -> Result<(Provider, String), String> {
        let open = |provider| Some((provider, desks::of(provider).open_text(self, order)?));
        let (provider, number) = Provider::ALL.into_iter().find_map(open).ok_or("no wallet opens this")?;
        Ok((provider, number?))
    }

    /// What the client's SDK does with `orderInfo`: the provider checks it, the payer pays, and the SDK hands something
    /// back. For providers whose trade begins on the client.
    ///
    /// # Errors
    /// What the provider has against it.
    pub async fn client_pay(&self, provider: Provider, order_info: &Value, how: Pay) -> Result<ClientPaid, String> {
        let sdk = desks::of(provider).sdk().ok_or("these are paid by their number")?;
        let number = sdk.open(self, order_info, how.merchant.as_deref())?;
        let paid = self.pay(&number, Pay { provider: Some(provider), merchant: None, ..how }).await?;
        let trade = self.trade_at(provider, &number).ok_or("the trade is gone")?;
        let result = sdk.result(self, &trade);
        Ok(ClientPaid { paid, result })
    }

    /// The payer scans the QR code and leaves it at that; the trade exists now, unpaid.
    ///
    /// # Errors
    /// That there is no such trade.
    pub fn scan(&self, number: &str) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        let at = pick(&mut state, number, &Pay::default(), now)?;
        state.scan(at, now);
        Ok(())
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
            let id = state.merchant(trade.provider, &trade.merchant).map(|m| m.id.clone());
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
