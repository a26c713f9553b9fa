//! The providers behind one interface.
//!
//! The set is closed, so it is an enum and the compiler lists what the next one must fill in. A provider
//! turns our types into its wire protocol and back. It never sees the store. Every status map defaults to
//! *pending*: only an explicit success or failure moves an order.

#[macro_use]
mod registry;

mod after_sale;
pub mod alipay;
pub mod apple;
pub mod bill;
pub mod common;
mod diagnosis;
pub mod douyin;
mod driver;
pub mod huawei;
mod login;
mod missing_key;
mod notice;
mod payment;
mod payout;
mod purchase;
mod raw_request;
mod refund;
mod refusal;
mod sharing;
mod stands;
mod text;
mod token_cache;
pub mod virtual_pay;
pub mod vkspay;
pub mod wxpay;

use domain::Provider;
use driver::Driver;

providers! { ($)
    Wxpay => wxpay::WxpayNode,
    Alipay => alipay::AlipayNode,
    Appleiap => apple::AppleNode,
    Vkspay => vkspay::VkspayNode,
    WxpayVirtual => virtual_pay::VirtualNode,
    Douyin => douyin::DouyinNode,
    Huawei => huawei::HuaweiNode,
}

// After the list, whose macros it uses.
mod account;
mod complaints;
mod gateway;

pub use account::Account;
pub use after_sale::{ComplaintAnswer, ComplaintEnd, ComplaintPage, ShippingRequest, ShippingStanding};
pub use complaints::ComplaintDesk;
pub use diagnosis::{Diagnosis, Examination, Page, Trouble};
pub use driver::Client;
pub use gateway::{Gateway, ProviderClients, addressee, exchange, read_callback, reply};
pub use login::Login;
pub use notice::{
    Alert, AuthorizationNotice, CallbackError, CallbackRequest, ComplaintNotice, Event, Hint, Notice, ProviderReply,
    RefundNotice, ShippingEvent, ShippingNotice, TransferNotice, Verdict,
};
pub use payment::{Closing, CreateRequest, Created, Goods, GoodsRequest, Standing};
pub use payout::{
    AuthorizationRequest, AuthorizationStanding, Balance, BalanceRequest, Receipt, TransferRequest, TransferStanding,
};
pub use purchase::{Held, Proof, Purchase};
pub use raw_request::{AllowList, RawOutcome, RawRequest, RawTarget};
pub use refund::{ABNORMAL, AbnormalRefund, RefundCard, RefundProgress, RefundRequest, RefundStanding};
pub use refusal::{CallError, Meaning, Refusal, if_known};
pub use sharing::{ReceiverRequest, ReturnRequest, ShareNotice, ShareRequest};
pub use stands::Stands;
pub(crate) use text::kept;
pub use text::{is_dated, is_said, says_no_such_order, text_of};
pub use token_cache::TokenCache;

/// The merchant configuration, with the sections of all providers.
pub type Config = config::Document<Merchant>;
