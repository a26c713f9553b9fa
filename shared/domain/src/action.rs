//! What can be asked of the bundle, and who may ask: one table.
//!
//! An action belongs to the enum of its function, so that a function's match on it is exhaustive: one that is added
//! here without an arm there does not compile, and neither does one without a rule.

use crate::Provider;

/// Who may call an action, where `auth` of the configuration lets a caller in at all (`docs/security.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A payer for what is his own; `auth` may open it to anybody.
    Payer,
    /// A user for what is his own; never anybody.
    User,
    /// The merchant: its systems, and users with the admin role; never anybody.
    Merchant,
    /// The merchant, and only where `auth` names the action: `auth.default` does not open it.
    Named,
}

impl Access {
    /// Whether `auth` may open it to anybody.
    pub const fn may_be_open(self) -> bool {
        matches!(self, Self::Payer)
    }

    /// Whether a user needs the admin role.
    pub const fn needs_admin(self) -> bool {
        match self {
            Self::Payer | Self::User => false,
            Self::Merchant | Self::Named => true,
        }
    }

    /// Whether `auth.default` rules it where `auth` does not name it.
    pub const fn by_default(self) -> bool {
        match self {
            Self::Payer | Self::User | Self::Merchant => true,
            Self::Named => false,
        }
    }
}

/// The actions of one function.
pub trait Actions: Copy + Into<Action> + 'static {
    /// All of them; the first is meant where a request names none.
    const ALL: &'static [Self];
}

/// Defines the actions of the functions. A row: the variant, the action's name without `pay/`, who may call it, and the
/// names in `auth` that rule it, the first that is there.
macro_rules! actions {
    ($(
        $(#[$doc:meta])*
        $set:ident of $function:literal {
            $( $(#[$action_doc:meta])* $action:ident = $name:literal, $access:ident, [$($key:literal),+]; )+
        }
    )+) => {
        /// An action of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $( $(#[$doc])* $set($set), )+
        }

        impl Action {
            /// All actions.
            pub const ALL: &'static [Self] = &[ $( $( Self::$set($set::$action), )+ )+ ];

            /// Its name on the wire, with `pay/`.
            pub const fn name(self) -> &'static str {
                match self {
                    $( $( Self::$set($set::$action) => concat!("pay/", $name), )+ )+
                }
            }

            /// The function that serves it, by the name of its package.
            pub const fn function(self) -> &'static str {
                match self {
                    $( Self::$set(_) => $function, )+
                }
            }

            /// Who may call it.
            pub const fn access(self) -> Access {
                match self {
                    $( $( Self::$set($set::$action) => Access::$access, )+ )+
                }
            }

            /// The names in `auth` that rule it: the first that is there, else `auth.default` where that may.
            pub const fn auth_keys(self) -> &'static [&'static str] {
                match self {
                    $( $( Self::$set($set::$action) => &[$($key),+], )+ )+
                }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub enum $set {
                $( $(#[$action_doc])* $action, )+
            }

            impl Actions for $set {
                const ALL: &'static [Self] = &[ $( Self::$action, )+ ];
            }

            impl From<$set> for Action {
                fn from(action: $set) -> Self {
                    Self::$set(action)
                }
            }
        )+
    };
}

actions! {
    /// Orders that are to be paid.
    Payments of "create-payment" {
        /// Creates an order, or answers it again.
        Create = "createPayment", Payer, ["createPayment"];
        /// Closes an order.
        Close = "closePayment", Payer, ["closePayment"];
    }
    /// How something stands.
    Queries of "query-payment" {
        /// One order.
        Payment = "queryPayment", Payer, ["queryPayment"];
        /// A user's orders.
        Orders = "queryOrders", User, ["queryOrders"];
        /// Incidents.
        Incidents = "queryIncidents", Merchant, ["queryIncidents"];
        /// Complaints of payers, or one of them with what was said.
        Complaints = "queryComplaints", Merchant, ["queryComplaints"];
        /// Delivers an order again.
        RerunHandler = "rerunHandler", Merchant, ["rerunHandler"];
        /// Takes the proof of a purchase in Apple's store.
        VerifyReceipt = "appleiap/verifyReceipt", Payer, ["appleiap/verifyReceipt", "verifyReceipt", "createPayment"];
        /// Takes the proof of a purchase in Huawei's store.
        VerifyPurchase =
            "huaweiiap/verifyPurchase", Payer, ["huaweiiap/verifyPurchase", "verifyPurchase", "createPayment"];
        /// By which wallets this client can pay.
        Methods = "methods", Payer, ["methods", "createPayment"];
    }
    /// Money that goes back, and what is reported so that the rest is paid out.
    Refunds of "refund" {
        /// Refunds an order.
        Refund = "refund", Merchant, ["refund"];
        /// How refunds stand.
        Query = "queryRefund", Merchant, ["queryRefund"];
        /// Decides an incident.
        ResolveIncident = "resolveIncident", Merchant, ["resolveIncident"];
        /// Reports the shipping of an order, or corrects it once.
        UploadShipping = "uploadShipping", Merchant, ["uploadShipping"];
        /// How the shipping of an order stands.
        QueryShipping = "queryShipping", Merchant, ["queryShipping"];
        /// Asks the payer to confirm that the goods have come.
        ConfirmReceive = "confirmReceive", Merchant, ["confirmReceive"];
        /// Answers a payer who complains.
        AnswerComplaint = "answerComplaint", Merchant, ["answerComplaint"];
        /// Tells the provider that a complaint is done with.
        CompleteComplaint = "completeComplaint", Merchant, ["completeComplaint"];
        /// Refunds an order that is complained of, and then completes the complaint.
        RefundComplaint = "refundComplaint", Merchant, ["refundComplaint"];
        /// Has the provider send notices of complaints.
        SubscribeComplaints = "subscribeComplaints", Merchant, ["subscribeComplaints"];
        /// Has a refund that the payer's account did not take paid to a bank card.
        ApplyAbnormal = "applyAbnormalRefund", Merchant, ["applyAbnormalRefund"];
        /// Tells the provider who may be given a share.
        AddReceiver = "addReceiver", Merchant, ["addReceiver", "profitShare"];
        /// The same undone.
        DeleteReceiver = "deleteReceiver", Merchant, ["deleteReceiver", "profitShare"];
        /// Shares what was paid for an order among receivers.
        ProfitShare = "profitShare", Merchant, ["profitShare"];
        /// Ends the sharing of an order: the rest is the merchant's.
        UnfreezeShare = "unfreezeShare", Merchant, ["unfreezeShare", "profitShare"];
        /// Takes back what a receiver got.
        ReturnShare = "returnShare", Merchant, ["returnShare", "profitShare"];
        /// How the shares and returns of an order stand.
        QueryShare = "queryShare", Merchant, ["queryShare", "profitShare"];
    }
    /// Money that is paid out, and coins of virtual payment.
    Transfers of "transfer" {
        /// Pays out.
        Transfer = "transfer", Merchant, ["transfer"];
        /// How a transfer stands.
        Query = "queryTransfer", Merchant, ["queryTransfer"];
        /// Takes a transfer back.
        Cancel = "cancelTransfer", Merchant, ["cancelTransfer"];
        /// The receipt of a transfer.
        Receipt = "transferReceipt", Merchant, ["transferReceipt", "queryTransfer"];
        /// Asks a payee to take transfers without confirming each.
        Authorize = "createUserConfirmAuthorization", Merchant, ["createUserConfirmAuthorization", "transfer"];
        /// How such an authorisation stands.
        QueryAuthorization =
            "queryUserConfirmAuthorization", Merchant, ["queryUserConfirmAuthorization", "queryTransfer"];
        /// Ends it.
        CloseAuthorization = "closeUserConfirmAuthorization", Merchant, ["closeUserConfirmAuthorization", "transfer"];
        /// A provider's call that has no action of its own, where `request` of the configuration allows it. It stands
        /// here because this is the function that may have a fixed address, which providers ask for.
        Request = "request", Named, ["request"];
        /// What the merchant has at a provider.
        QueryBalance = "queryBalance", Merchant, ["queryBalance"];
        /// The same by VK-Pay's name.
        QueryAccountBalance = "queryAccountBalance", Merchant, ["queryAccountBalance", "queryBalance"];
        /// A payer's coins.
        Balance = "wxpayVirtual/queryUserBalance", Named, ["wxpayVirtual/queryUserBalance", "wxpayVirtual"];
        /// Takes coins.
        CurrencyPay = "wxpayVirtual/currencyPay", Named, ["wxpayVirtual/currencyPay", "wxpayVirtual"];
        /// Gives them back.
        CancelCurrencyPay =
            "wxpayVirtual/cancelCurrencyPay", Named, ["wxpayVirtual/cancelCurrencyPay", "wxpayVirtual"];
        /// Gives coins away.
        PresentCurrency = "wxpayVirtual/presentCurrency", Named, ["wxpayVirtual/presentCurrency", "wxpayVirtual"];
    }
    /// A login code for the payer's id.
    Logins of "login" {
        /// Of the provider that the request names.
        Any = "code2Session", Payer, ["code2Session"];
        /// VK-Pay's name for WeChat's mini program.
        Weixin = "code2SessionWeixin", Payer, ["code2Session"];
        /// VK-Pay's name for WeChat's pages.
        WeixinH5 = "code2SessionWeixinH5", Payer, ["code2Session"];
        /// VK-Pay's name for Alipay.
        Alipay = "code2SessionAlipay", Payer, ["code2Session"];
        /// VK-Pay's name for Douyin.
        Douyin = "code2SessionDouyin", Payer, ["code2Session"];
    }
}

impl Queries {
    /// Whose store's proof of a purchase it takes.
    pub const fn store(self) -> Option<Provider> {
        match self {
            Self::VerifyReceipt => Some(Provider::Appleiap),
            Self::VerifyPurchase => Some(Provider::Huawei),
            Self::Payment | Self::Orders | Self::Incidents | Self::Complaints | Self::RerunHandler | Self::Methods => {
                None
            }
        }
    }
}

impl Action {
    /// The action of a name, with or without `pay/`, with or without a slash before it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.is_named(name))
    }

    /// Whether a request names this action so.
    pub fn is_named(self, name: &str) -> bool {
        let name = name.trim_start_matches('/');
        self.name() == name || self.short_name() == name
    }

    /// Its name without `pay/`.
    pub fn short_name(self) -> &'static str {
        self.name().strip_prefix("pay/").unwrap_or(self.name())
    }
}
