//! A merchant's keys with Alipay, and the configuration that goes with them.

use crate::common::authority::{Authority, Part, rfc2253, serial16};
use crate::crypto::{DIGITS, RsaKey, b64, der, md5_hex, random, random_text};
use crate::merchant::{ProviderKeys, Seed};
use crate::provider::Mode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const AUTHORITY: &[(Part, &str)] = &[
    (Part::C, "CN"),
    (Part::O, "Ant Financial"),
    (Part::Ou, "Certification Authority"),
    (Part::Cn, "Ant Financial Certification Authority R1"),
];

/// What both sides know of an application here. Key material is bare base64; certificates are PEM.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Keys {
    /// The application's id, and the seller's user id (2088…).
    pub app_id: String,
    pub seller_id: String,
    pub app_private_key: String,
    pub app_public_key: String,
    pub alipay_private_key: String,
    pub alipay_public_key: String,
    pub app_cert: String,
    pub alipay_cert: String,
    pub alipay_root_cert: String,
    pub app_cert_sn: String,
    pub alipay_cert_sn: String,
    pub alipay_root_cert_sn: String,
    /// base64 of the AES-128 key of content encryption.
    pub encrypt_key: String,
}

/// The same, ready for use.
pub(crate) struct Account {
    pub(crate) keys: Keys,
    /// SPKI of the application's key.
    pub(crate) app_spki: Vec<u8>,
    pub(crate) alipay: RsaKey,
}

/// A certificate's SN: `md5(issuerDN + decimal serial)` (alipay.md 1.5).
fn sn(issuer: &str, serial: u128) -> String {
    md5_hex(format!("{issuer}{serial}").as_bytes())
}

impl ProviderKeys for Keys {
    type Opened = Account;

    fn generate(seed: &Seed<'_>) -> Self {
        let (app, alipay) = (&seed.ours, &seed.theirs);
        let (root_serial, app_serial, alipay_serial) = (serial16(), serial16(), serial16());
        let authority = Authority::new(AUTHORITY, &seed.authority, root_serial);
        let issuer = rfc2253(AUTHORITY);
        let app_id = format!("2021{}", random_text(12, DIGITS));
        let name = [(Part::C, "CN"), (Part::O, "sandbox"), (Part::Cn, app_id.as_str())];
        let alipay_name = [(Part::C, "CN"), (Part::O, "Ant Financial"), (Part::Cn, "支付宝(中国)网络技术有限公司")];
        Self {
            seller_id: format!("2088{}", random_text(12, DIGITS)),
            app_private_key: b64(&app.pkcs8()),
            app_public_key: b64(&app.spki()),
            alipay_private_key: b64(&alipay.pkcs8()),
            alipay_public_key: b64(&alipay.spki()),
            app_cert: authority.issue(&name, app, app_serial.to_be_bytes().to_vec()),
            alipay_cert: authority.issue(&alipay_name, alipay, alipay_serial.to_be_bytes().to_vec()),
            app_cert_sn: sn(&issuer, app_serial),
            alipay_cert_sn: sn(&issuer, alipay_serial),
            alipay_root_cert_sn: sn(&issuer, root_serial),
            alipay_root_cert: authority.cert,
            app_id,
            encrypt_key: b64(&random::<16>()),
        }
    }

    fn id(&self) -> &str {
        &self.app_id
    }

    fn open(&self) -> Option<Account> {
        Some(Account {
            app_spki: der(&self.app_public_key)?,
            alipay: RsaKey::from_text(&self.alipay_private_key)?,
            keys: self.clone(),
        })
    }

    fn config(&self, base: &str, mode: Mode) -> Value {
        let node = self.node(base, mode);
        json!({
            "mp-alipay": node, "app-plus": node, "h5": node, "codepay": node, "pc": node, "wap": node,
            // Transfers need certificate mode.
            "transfer": self.node(base, Mode { alipay_cert: true, ..mode }),
        })
    }
}

impl Keys {
    fn node(&self, base: &str, mode: Mode) -> Value {
        let mut node = json!({
            "appId": self.app_id,
            "privateKey": self.app_private_key,
            "apiBase": format!("{base}/gateway.do"),
        });
        if mode.alipay_cert {
            node["appCertContent"] = json!(self.app_cert);
            node["alipayPublicCertContent"] = json!(self.alipay_cert);
            node["alipayRootCertContent"] = json!(self.alipay_root_cert);
        } else {
            node["alipayPublicKey"] = json!(self.alipay_public_key);
        }
        if mode.alipay_aes {
            node["encryptKey"] = json!(self.encrypt_key);
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of alipay-sdk-nodejs-all and yansongda/pay.
    #[test]
    fn published_certificates_have_their_published_numbers() {
        let class_1 =
            "CN=Ant Financial Certification Authority Class 1 R1,OU=Certification Authority,O=Ant Financial,C=CN";
        let number = sn(class_1, 42_701_552_708_448_241_360_226_107_228_231_049_510);
        assert_eq!(number, "866efef280dec9137a87d047ac446315");
        let class_2 = "CN=Ant Financial Certification Authority Class 2 R1 test,OU=Certification Authority test,O=Ant Financial test,C=CN";
        let number = sn(class_2, 42_717_148_566_940_702_771_351_790_021_258_524_976);
        assert_eq!(number, "e90dd23a37c5c7b616e003970817ff82");
        assert_eq!(rfc2253(&[(Part::C, "CN"), (Part::O, "Ant"), (Part::Cn, "R1")]), "CN=R1,O=Ant,C=CN");
    }
}
