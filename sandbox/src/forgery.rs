//! Callbacks as an attacker, or the provider's own probe, would send them: the ways in which one is spoilt.

use crate::crypto;
use serde::{Deserialize, Serialize};

/// Defines the forgeries, and the list of all.
macro_rules! forgeries {
    ($( $(#[$doc:meta])* $forgery:ident, )+) => {
        /// How a genuine callback is spoilt.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Forgery {
            $( $(#[$doc])* $forgery, )+
        }

        impl Forgery {
            /// Every one.
            pub const ALL: [Self; [$( stringify!($forgery) ),+].len()] = [$( Self::$forgery ),+];
        }
    };
}

forgeries! {
    /// A signature of the right shape that fits nothing. (`req_info` of an APIv2 refund: broken ciphertext.)
    BadSignature,
    /// Signed with a key that belongs to nobody, under the right serial.
    OtherKey,
    /// Another amount inside, under the old signature.
    AlteredAmount,
    /// No signature at all.
    NoSignature,
    /// An empty signature.
    EmptySignature,
    /// Rightly signed, ten minutes ago. Only where the receiver is told to look at the time: WeChat Pay v3, epay RSA.
    OldTimestamp,
    /// v3: WeChat Pay's own probe, `WECHATPAY/SIGNTEST/…` (wechat.md 1.4); elsewhere a bad signature.
    SignTest,
    /// v3: signed with a stranger's key under a serial that nobody knows; Alipay: an unknown `alipay_cert_sn`.
    UnknownSerial,
    /// v3: another `Wechatpay-Signature-Type`; Alipay: `sign_type` RSA, which is SHA-1; v2: another key. Not for plain
    /// pushes of virtual payment, which have nothing to fall back from.
    Downgrade,
}

/// A signature with its first byte changed.
pub(crate) fn spoil(signature: &str) -> String {
    let mut bytes = crypto::unb64(signature).unwrap_or_default();
    if let Some(byte) = bytes.get_mut(7) {
        *byte ^= 1;
    }
    crypto::b64(&bytes)
}
