//! The providers' books: trades, refunds, and what falls due. No wire format here.

use crate::bills::Bills;
use crate::callbacks::Outbox;
use crate::faults::Rules;
use crate::keys::Merchant;
use crate::transfers::{Transfer, TransferOutcome};
use crate::{LoggedRequest, ids};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// A payment provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// WeChat Pay, APIv2 and APIv3.
    Wxpay,
    /// Alipay, gateway v2.
    Alipay,
    /// Apple.
    Appleiap,
    /// VksPay and epay.
    Vkspay,
    /// WeChat's virtual payment.
    WxpayVirtual,
    /// Douyin.
    Douyin,
    /// Huawei.
    Huawei,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Wxpay, Self::Alipay, Self::Appleiap, Self::Vkspay, Self::WxpayVirtual, Self::Douyin, Self::Huawei];

    /// VK-Pay's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wxpay => "wxpay",
            Self::Alipay => "alipay",
            Self::Appleiap => "appleiap",
            Self::Vkspay => "vkspay",
            Self::WxpayVirtual => "wxpay-virtual",
            Self::Douyin => "douyin",
            Self::Huawei => "huawei",
        }
    }

    /// The provider of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }
}

/// In which of its protocols a trade was created, and so its callbacks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// WeChat APIv3, callbacks signed with the WeChat Pay public key (the request named it in `Wechatpay-Serial`).
    V3,
    /// WeChat APIv3, callbacks signed with the platform certificate.
    V3Cert,
    /// WeChat APIv2, XML signed with MD5.
    V2Md5,
    /// WeChat APIv2, XML signed with HMAC-SHA256.
    V2Hmac,
    /// Alipay, key mode.
    Key,
    /// Alipay, certificate mode.
    Cert,
    /// Apple.
    Apple,
    /// VksPay.
    Vkspay,
    /// epay v1, MD5.
    EpayMd5,
    /// epay v2, RSA.
    EpayRsa,
    /// Virtual payment, callbacks in plain mode.
    VirtualPlain,
    /// Virtual payment, callbacks in safe mode.
    VirtualSafe,
    /// Douyin ecpay.
    Ecpay,
    /// Douyin's trade system.
    TradeSystem,
    /// Douyin's open product.
    Douyinpay,
    /// Huawei Payment Kit.
    Huawei,
    /// Huawei IAP Kit.
    HuaweiIap,
}

/// States of a trade, WeChat's words; [`Trade::alipay_status`] gives Alipay's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TradeState {
    /// Alipay: the number is known, but nobody has scanned it, so no trade exists yet.
    Unseen,
    /// Waiting for the payer.
    NotPay,
    /// Pay code: the payer is asked for the password.
    UserPaying,
    /// Paid.
    Success,
    /// Paid and refunded, in part or in whole.
    Refund,
    /// Closed unpaid.
    Closed,
    /// Pay code: reversed.
    Revoked,
    /// Pay code: failed.
    PayError,
}

impl TradeState {
    /// The word on WeChat's wire.
    pub fn wxpay(self) -> &'static str {
        match self {
            Self::Unseen | Self::NotPay => "NOTPAY",
            Self::UserPaying => "USERPAYING",
            Self::Success => "SUCCESS",
            Self::Refund => "REFUND",
            Self::Closed => "CLOSED",
            Self::Revoked => "REVOKED",
            Self::PayError => "PAYERROR",
        }
    }
}

/// States of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RefundState {
    /// Accepted, not settled.
    Processing,
    /// The payer has the money.
    Success,
    /// Failed for good; a new number is needed.
    Closed,
    /// The payer's account refused; the money is with the merchant.
    Abnormal,
}

impl RefundState {
    /// The word on WeChat's v3 wire.
    pub fn wxpay(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Closed => "CLOSED",
            Self::Abnormal => "ABNORMAL",
        }
    }

    /// The word on WeChat's v2 wire.
    pub fn wxpay_v2(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Closed => "REFUNDCLOSE",
            Self::Abnormal => "CHANGE",
        }
    }
}

/// How [`crate::Sandbox::settle_refund`] ends a held refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundOutcome {
    /// Done.
    Success,
    /// Failed; a new number is needed.
    Closed,
    /// The payer's account refused.
    Abnormal,
}

/// A refund in the books. Amounts are fen, times unix ms.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the providers' own")]
pub struct Refund {
    pub provider: Provider,
    pub merchant: String,
    /// The trade's out_trade_no.
    pub number: String,
    pub out_refund_no: String,
    pub refund_id: String,
    pub amount: u64,
    pub total: u64,
    pub state: RefundState,
    pub reason: Option<String>,
    pub notify_url: Option<String>,
    pub created: i64,
    pub settled: Option<i64>,
    /// In which protocol it was asked for.
    pub wire: Wire,
}

/// A trade in the books. Amounts are fen, times unix ms.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the providers' own")]
pub struct Trade {
    pub provider: Provider,
    /// mchid, or Alipay's app id.
    pub merchant: String,
    pub sub_merchant: Option<String>,
    pub sub_appid: Option<String>,
    pub appid: String,
    /// jsapi, native, h5, app, codepay; precreate, create, pay, app, wap, page.
    pub product: String,
    pub wire: Wire,
    /// out_trade_no.
    pub number: String,
    pub total: u64,
    /// What the payer paid, if not `total` (only by a test's wish).
    pub paid_amount: Option<u64>,
    pub state: TradeState,
    pub transaction_id: Option<String>,
    pub prepay_id: Option<String>,
    pub code_url: Option<String>,
    pub notify_url: Option<String>,
    pub subject: String,
    pub attach: Option<String>,
    pub payer: Option<String>,
    pub created: i64,
    pub expires: i64,
    pub paid: Option<i64>,
    pub closed: Option<i64>,
    pub refunds: Vec<Refund>,
    /// The parameters of the request, for comparison with a repetition.
    pub request: serde_json::Value,
}

impl Trade {
    /// A trade that waits for its payer, with nothing but what every trade has.
    pub(crate) fn begin(
        provider: Provider,
        wire: Wire,
        merchant: &str,
        number: &str,
        total: u64,
        notify_url: Option<String>,
        now: i64,
    ) -> Self {
        Self {
            provider,
            merchant: merchant.to_owned(),
            sub_merchant: None,
            sub_appid: None,
            appid: merchant.to_owned(),
            product: String::new(),
            wire,
            number: number.to_owned(),
            total,
            paid_amount: None,
            state: TradeState::NotPay,
            transaction_id: None,
            prepay_id: None,
            code_url: None,
            notify_url,
            subject: String::new(),
            attach: None,
            payer: None,
            created: now,
            expires: now.saturating_add(7_200_000),
            paid: None,
            closed: None,
            refunds: Vec::new(),
            request: serde_json::Value::Null,
        }
    }

    /// What was paid, or is to be paid.
    pub fn amount(&self) -> u64 {
        self.paid_amount.unwrap_or(self.total)
    }

    /// Refunded or about to be, in fen.
    pub fn refunded(&self) -> u64 {
        let live = self.refunds.iter().filter(|r| r.state != RefundState::Closed);
        live.map(|r| r.amount).sum()
    }

    /// Refunded and settled, in fen.
    pub fn returned(&self) -> u64 {
        let done = self.refunds.iter().filter(|r| r.state == RefundState::Success);
        done.map(|r| r.amount).sum()
    }

    /// Alipay's `trade_status` (alipay.md 2.3).
    pub fn alipay_status(&self) -> &'static str {
        match self.state {
            TradeState::Unseen | TradeState::NotPay | TradeState::UserPaying => "WAIT_BUYER_PAY",
            TradeState::Success => "TRADE_SUCCESS",
            TradeState::Refund if self.returned() < self.amount() => "TRADE_SUCCESS",
            _ => "TRADE_CLOSED",
        }
    }

    /// WeChat's `trade_type`.
    pub fn trade_type(&self) -> &'static str {
        match self.product.as_str() {
            "native" => "NATIVE",
            "app" => "APP",
            "h5" => "MWEB",
            "codepay" => "MICROPAY",
            _ => "JSAPI",
        }
    }

    /// True while the payer may pay.
    pub fn payable(&self) -> bool {
        matches!(self.state, TradeState::Unseen | TradeState::NotPay | TradeState::UserPaying)
    }
}

/// What is wanted of a refund.
pub(crate) struct RefundWish {
    pub(crate) number: String,
    pub(crate) id: String,
    pub(crate) amount: u64,
    pub(crate) notify_url: Option<String>,
    /// When it settles by itself; `None` is by hand.
    pub(crate) settles: Option<i64>,
}

/// Something that happens by itself at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A refund settles: trade, refund.
    Refund(usize, usize),
    /// A payer types the password: trade.
    Pay(usize),
    /// A transfer that is being taken back is: transfer.
    Cancel(usize),
}

/// All that the sandbox remembers.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) merchants: Vec<Arc<Merchant>>,
    pub(crate) trades: Vec<Trade>,
    pub(crate) transfers: Vec<Transfer>,
    by_key: HashMap<(Provider, String, String), usize>,
    by_number: HashMap<String, Vec<usize>>,
    by_transaction: HashMap<String, usize>,
    by_refund: HashMap<String, Vec<(usize, usize)>>,
    due: BTreeSet<(i64, Due)>,
    pub(crate) outbox: Outbox,
    pub(crate) rules: Rules,
    pub(crate) bills: Bills,
    pub(crate) log: VecDeque<LoggedRequest>,
    /// Where merchants have their callbacks, as they typed it into the providers' consoles.
    pub(crate) consoles: HashMap<String, (String, String)>,
    /// Who has logged in: application and openid.
    pub(crate) logins: BTreeSet<(String, String)>,
    /// Merchants, by their id in the sandbox, whose message push is in plain mode.
    pub(crate) plain_pushes: BTreeSet<String>,
}

impl State {
    /// The URL that a merchant typed into a provider's console.
    pub(crate) fn console_url(&self, merchant: &Merchant, provider: Provider) -> Option<String> {
        let (base, id) = self.consoles.get(&merchant.keys.id)?;
        Some(format!("{base}/pay-notify/{}/{id}", provider.name()))
    }

    /// The merchant that is meant: by its id in the sandbox, else the first one.
    pub(crate) fn merchant_named(&self, id: Option<&str>) -> Option<Arc<Merchant>> {
        self.merchants.iter().find(|m| id.is_none_or(|id| m.keys.id == id)).cloned()
    }

    pub(crate) fn merchant(&self, provider: Provider, id: &str) -> Option<Arc<Merchant>> {
        self.merchants
            .iter()
            .find(|m| match provider {
                Provider::Wxpay => m.keys.mchid == id,
                Provider::Alipay => m.keys.app_id == id,
                Provider::Appleiap => m.keys.apple.id == id,
                Provider::Vkspay => m.keys.vkspay.id == id,
                Provider::WxpayVirtual => m.keys.virtual_pay.id == id,
                Provider::Douyin => m.keys.douyin.id == id,
                Provider::Huawei => m.keys.huawei.id == id,
            })
            .cloned()
    }

    /// Puts a trade into the books; its number must be new for its merchant.
    pub(crate) fn add(&mut self, trade: Trade) -> usize {
        let at = self.trades.len();
        self.by_key.insert((trade.provider, trade.merchant.clone(), trade.number.clone()), at);
        self.by_number.entry(trade.number.clone()).or_default().push(at);
        if let Some(id) = &trade.transaction_id {
            self.by_transaction.insert(id.clone(), at);
        }
        self.trades.push(trade);
        at
    }

    pub(crate) fn find(&self, provider: Provider, merchant: &str, number: &str) -> Option<usize> {
        self.by_key.get(&(provider, merchant.to_owned(), number.to_owned())).copied()
    }

    pub(crate) fn find_transaction(&self, merchant: &str, id: &str) -> Option<usize> {
        let at = *self.by_transaction.get(id)?;
        (self.trades[at].merchant == merchant).then_some(at)
    }

    /// All trades with this number, whoever's.
    pub(crate) fn all(&self, number: &str) -> &[usize] {
        self.by_number.get(number).map_or(&[], Vec::as_slice)
    }

    /// All refunds with this number, whoever's.
    pub(crate) fn all_refunds(&self, number: &str) -> &[(usize, usize)] {
        self.by_refund.get(number).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn find_refund(&self, provider: Provider, merchant: &str, number: &str) -> Option<(usize, usize)> {
        self.all_refunds(number).iter().copied().find(|(t, _)| {
            let trade = &self.trades[*t];
            trade.provider == provider && trade.merchant == merchant
        })
    }

    /// Lets everything happen that was due by `now`.
    pub(crate) fn tick(&mut self, now: i64) {
        while let Some(&(at, what)) = self.due.first().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, what));
            match what {
                Due::Refund(t, r) => self.settle(t, r, RefundOutcome::Success, now),
                Due::Pay(t) if self.trades[t].payable() => {
                    let _ = self.paid(t, None, None, now);
                    self.outbox.payment(&self.trades[t], now);
                }
                Due::Pay(_) => {}
                Due::Cancel(t) => drop(self.settle_transfer(t, &TransferOutcome::Cancelled, now)),
            }
        }
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        let mine = self.due.first().map(|(at, _)| *at);
        [mine, self.outbox.next_due()].into_iter().flatten().min()
    }

    pub(crate) fn schedule(&mut self, at: i64, what: Due) {
        self.due.insert((at, what));
    }

    /// A trade as of `now`: expired ones are closed.
    pub(crate) fn current(&mut self, at: usize, now: i64) -> &mut Trade {
        let trade = &mut self.trades[at];
        if trade.payable() && now >= trade.expires {
            trade.state = TradeState::Closed;
            trade.closed = Some(trade.expires);
        }
        trade
    }

    /// Alipay: the payer scans, and the trade comes to be.
    pub(crate) fn scan(&mut self, at: usize, now: i64) {
        let trade = self.current(at, now);
        if trade.state == TradeState::Unseen {
            trade.state = TradeState::NotPay;
            trade.created = now;
            let id = ids::trade_no(now);
            trade.transaction_id = Some(id.clone());
            self.by_transaction.insert(id, at);
        }
    }

    /// Takes a close back, if nobody has paid.
    pub(crate) fn reopen(&mut self, at: usize, now: i64) {
        let trade = self.current(at, now);
        if trade.state == TradeState::Closed && trade.paid.is_none() {
            trade.state = if trade.transaction_id.is_none() && trade.provider == Provider::Alipay {
                TradeState::Unseen
            } else {
                TradeState::NotPay
            };
            trade.closed = None;
            trade.expires = trade.expires.max(now + 1);
        }
    }

    /// The payer pays.
    pub(crate) fn paid(
        &mut self,
        at: usize,
        amount: Option<u64>,
        payer: Option<String>,
        now: i64,
    ) -> Result<(), String> {
        self.scan(at, now);
        let trade = self.current(at, now);
        if !trade.payable() {
            return Err(format!("{}: the trade is {}", trade.number, trade.state.wxpay()));
        }
        trade.state = TradeState::Success;
        trade.paid = Some(now);
        trade.paid_amount = amount.filter(|amount| *amount != trade.total);
        if let Some(payer) = payer {
            trade.payer = Some(payer);
        }
        let provider = trade.provider;
        trade.payer.get_or_insert_with(|| match provider {
            Provider::Alipay => "2088102146225135".to_owned(),
            _ => ids::openid(),
        });
        let id = trade.transaction_id.get_or_insert_with(|| ids::transaction_id(now)).clone();
        self.by_transaction.insert(id, at);
        Ok(())
    }

    /// Enters a refund of a trade under the trade's own wire.
    pub(crate) fn refund_of(&mut self, at: usize, wish: RefundWish, now: i64) -> usize {
        let trade = &self.trades[at];
        let refund = Refund {
            provider: trade.provider,
            merchant: trade.merchant.clone(),
            number: trade.number.clone(),
            out_refund_no: wish.number,
            refund_id: wish.id,
            amount: wish.amount,
            total: trade.amount(),
            state: RefundState::Processing,
            reason: None,
            notify_url: wish.notify_url,
            created: now,
            settled: None,
            wire: trade.wire,
        };
        self.refund(at, refund, wish.settles)
    }

    /// Enters a refund, in PROCESSING; it settles at `settles`, or by hand if that is `None`.
    pub(crate) fn refund(&mut self, at: usize, refund: Refund, settles: Option<i64>) -> usize {
        let trade = &mut self.trades[at];
        let r = trade.refunds.len();
        trade.state = TradeState::Refund;
        self.by_refund.entry(refund.out_refund_no.clone()).or_default().push((at, r));
        trade.refunds.push(refund);
        if let Some(settles) = settles {
            self.schedule(settles, Due::Refund(at, r));
        }
        r
    }

    /// Ends a refund and queues its callback. A settled one stays as it is.
    pub(crate) fn settle(&mut self, at: usize, r: usize, outcome: RefundOutcome, now: i64) {
        let trade = &mut self.trades[at];
        let refund = &mut trade.refunds[r];
        if refund.state != RefundState::Processing {
            return;
        }
        refund.state = match outcome {
            RefundOutcome::Success => RefundState::Success,
            RefundOutcome::Closed => RefundState::Closed,
            RefundOutcome::Abnormal => RefundState::Abnormal,
        };
        refund.settled = Some(now);
        if trade.refunds.iter().all(|r| r.state == RefundState::Closed) {
            trade.state = TradeState::Success;
        }
        // Alipay tells of money that moved, and of nothing else.
        if trade.provider != Provider::Alipay || outcome == RefundOutcome::Success {
            self.outbox.refund(r, &self.trades[at], now);
        }
    }
}
