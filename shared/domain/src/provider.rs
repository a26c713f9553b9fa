//! The providers, by their names.

use serde::{Deserialize, Serialize};

/// The seven providers, by VK-Pay's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// WeChat Pay.
    Wxpay,
    /// Alipay.
    Alipay,
    /// Apple in-app purchase.
    Appleiap,
    /// VksPay and the epay family: personal collection.
    Vkspay,
    /// WeChat's virtual payment of mini programs.
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

    /// VK-Pay's name of the provider.
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
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    /// Whether a refund number is unique for one payment only, and not for the whole merchant: Alipay's
    /// `out_request_no` is, so two payments may each have a refund `1`.
    pub const fn numbers_refunds_by_payment(self) -> bool {
        match self {
            Self::Alipay => true,
            Self::Wxpay | Self::Appleiap | Self::Vkspay | Self::WxpayVirtual | Self::Douyin | Self::Huawei => false,
        }
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
