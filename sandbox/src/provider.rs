//! Who there is: the providers by name, the protocols that a trade may speak, and the variants that a merchant may choose.

use serde::{Deserialize, Serialize};

/// Defines the providers. A row: the variant, and VK-Pay's name for it.
macro_rules! providers {
    ($( $(#[$doc:meta])* $variant:ident = $name:literal, )+) => {
        /// A payment provider.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Provider {
            $( $(#[$doc])* #[serde(rename = $name)] $variant, )+
        }

        impl Provider {
            /// All of them.
            pub const ALL: [Self; [$( $name ),+].len()] = [$( Self::$variant ),+];

            /// VK-Pay's name.
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $name, )+
                }
            }
        }
    };
}

providers! {
    /// WeChat Pay, APIv2 and APIv3.
    Wxpay = "wxpay",
    /// Alipay, gateway v2.
    Alipay = "alipay",
    /// Apple.
    Appleiap = "appleiap",
    /// VksPay and epay.
    Vkspay = "vkspay",
    /// WeChat's virtual payment.
    WxpayVirtual = "wxpay-virtual",
    /// Douyin.
    Douyin = "douyin",
    /// Huawei.
    Huawei = "huawei",
}

impl Provider {
    /// The provider of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }
}

/// In which of its provider's protocols a trade was created, and so its callbacks are written. Each provider's folder
/// names its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Wire(&'static str);

impl Wire {
    /// A protocol by its name, which is what the control endpoints say.
    pub(crate) const fn named(name: &'static str) -> Self {
        Self(name)
    }
}

/// Which protocol the section `vkspay` speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Epay {
    /// VksPay's own.
    #[default]
    No,
    /// epay v1.
    Md5,
    /// epay v2.
    Rsa,
}

/// Which of Douyin's products a configuration uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DouyinProduct {
    /// ecpay.
    #[default]
    Ecpay,
    /// The trade system.
    Trade,
    /// The open product.
    Douyinpay,
}

/// Which of the providers' variants a configuration shall use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mode {
    /// 2 or 3.
    pub wxpay_version: u8,
    /// WeChat Pay public key; else platform certificates, fetched by the client from `/v3/certificates`.
    pub wxpay_public_key: bool,
    /// Certificate mode; else key mode.
    pub alipay_cert: bool,
    /// AES content encryption.
    pub alipay_aes: bool,
    /// APIv2 signs with HMAC-SHA256; else MD5.
    pub v2_hmac: bool,
    /// The merchant is a service provider. VK-Pay's nodes say nothing of that, so the configuration is the same; requests
    /// carry its `sub_mchid`, the only sub-merchant that is served.
    pub partner: bool,
    /// The protocol of `vkspay`.
    pub epay: Epay,
    /// Virtual payment: callbacks in plain mode; else in safe mode.
    pub virtual_plain: bool,
    /// Douyin's product.
    pub douyin: DouyinProduct,
}

impl Default for Mode {
    fn default() -> Self {
        Self {
            wxpay_version: 3,
            wxpay_public_key: true,
            alipay_cert: false,
            alipay_aes: false,
            v2_hmac: false,
            partner: false,
            epay: Epay::No,
            virtual_plain: false,
            douyin: DouyinProduct::Ecpay,
        }
    }
}
