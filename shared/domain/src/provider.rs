//! The providers, by their names, and what the ledger has to know of each.

use serde::{Deserialize, Serialize};

/// What names one payment at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentName {
    /// The provider's number of it.
    Transaction,
    /// The same, which counts within one merchant (one site) only.
    MerchantTransaction,
    /// Our number, which is paid once there: such a payment has two numbers of theirs.
    MerchantNumber,
}

/// Who sells, where it is an app store: it takes back by itself what it sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sale {
    /// The merchant.
    Merchant,
    /// A store, always.
    Store,
    /// A store, if the payment names a product; else the merchant.
    StoreIfProduct,
}

/// What the ledger has to know of a provider; everything else is its driver's.
struct Facts {
    name: &'static str,
    payment: PaymentName,
    sale: Sale,
    /// Whether a purchase may be told under another number than the one that it was first bought under.
    restores: bool,
    /// Whether a refund number is unique for one payment only, and not for the whole merchant.
    refund_numbers_of_a_payment: bool,
    /// Whether shares, and returns of them, have their numbers from the same series as refunds.
    shares_numbered_as_refunds: bool,
}

/// The usual: the merchant sells, and numbers are the merchant's.
const USUAL: Facts = Facts {
    name: "",
    payment: PaymentName::Transaction,
    sale: Sale::Merchant,
    restores: false,
    refund_numbers_of_a_payment: false,
    shares_numbered_as_refunds: false,
};

macro_rules! providers {
    ($($(#[$doc:meta])* $variant:ident = $facts:expr;)*) => {
        /// The providers, by VK-Pay's names. As orders store it, a variant is written in kebab case, which is its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Provider {
            $($(#[$doc])* $variant,)*
        }

        impl Provider {
            /// All of them.
            pub const ALL: [Self; [$(stringify!($variant)),*].len()] = [$(Self::$variant),*];

            const fn facts(self) -> Facts {
                match self {
                    $(Self::$variant => $facts,)*
                }
            }
        }
    };
}

providers! {
    /// WeChat Pay.
    Wxpay = Facts { name: "wxpay", ..USUAL };
    /// Alipay. Two payments may each have a refund `1` (`out_request_no`); a return of a share is a refund there.
    Alipay = Facts {
        name: "alipay", refund_numbers_of_a_payment: true, shares_numbered_as_refunds: true, ..USUAL
    };
    /// Apple in-app purchase.
    Appleiap = Facts { name: "appleiap", sale: Sale::Store, restores: true, ..USUAL };
    /// VksPay and the epay family: personal collection.
    Vkspay = Facts { name: "vkspay", payment: PaymentName::MerchantTransaction, ..USUAL };
    /// WeChat's virtual payment of mini programs. A payment has WeChat Pay's number, and the store's.
    WxpayVirtual = Facts { name: "wxpay-virtual", payment: PaymentName::MerchantNumber, ..USUAL };
    /// Douyin.
    Douyin = Facts { name: "douyin", ..USUAL };
    /// Huawei.
    Huawei = Facts { name: "huawei", sale: Sale::StoreIfProduct, ..USUAL };
}

impl Provider {
    /// VK-Pay's name of the provider.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The provider of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    /// Whether a refund number is unique for one payment only, and not for the whole merchant.
    pub const fn numbers_refunds_by_payment(self) -> bool {
        self.facts().refund_numbers_of_a_payment
    }

    /// Whether shares, and returns of them, have their numbers from the same series as refunds: a refund under the number of
    /// a return would be told that it is done.
    pub const fn numbers_shares_as_refunds(self) -> bool {
        self.facts().shares_numbered_as_refunds
    }

    /// What names one payment there.
    pub const fn payment_name(self) -> PaymentName {
        self.facts().payment
    }

    /// Whether a payment has two numbers there.
    pub const fn gives_two_numbers(self) -> bool {
        matches!(self.facts().payment, PaymentName::MerchantNumber)
    }

    /// Who sells.
    pub const fn sale(self) -> Sale {
        self.facts().sale
    }

    /// Whether a purchase may be told under another number than the one that it was first bought under.
    pub const fn restores(self) -> bool {
        self.facts().restores
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Provider;

    #[test]
    fn a_provider_is_stored_by_its_name() {
        for provider in Provider::ALL {
            assert_eq!(serde_json::to_value(provider).ok(), Some(provider.name().into()), "{provider}");
        }
    }
}
