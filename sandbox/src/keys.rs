//! A merchant's key material at both providers, made up on the spot, and the configuration that goes with it.

use crate::crypto::{self, ALNUM, DIGITS, RsaKey, b64, md5_hex, pem, random, random_text};
use crate::{apple, douyin, huawei, virtual_pay, vkspay};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256,
    SerialNumber,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Everything that both sides know of one merchant: its own keys and the providers' keys that answer it.
///
/// Key material is PEM (WeChat) or bare base64 (Alipay), as the consoles hand it out. It is throwaway: keep it in a
/// file if a sandbox shall outlive its process, never anywhere else.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the providers' own")]
pub struct MerchantKeys {
    pub id: String,
    pub mchid: String,
    pub sub_mchid: String,
    pub sub_appid: String,
    /// App id of the mini program, bound to `mchid`; likewise of the app and of the official account.
    pub mp_appid: String,
    pub app_appid: String,
    pub web_appid: String,
    pub v3_key: String,
    pub v2_key: String,
    pub merchant_serial: String,
    pub merchant_cert: String,
    pub merchant_key: String,
    pub wxpay_public_key_id: String,
    pub wxpay_public_key: String,
    pub wxpay_key: String,
    pub platform_serial: String,
    pub platform_cert: String,
    pub platform_key: String,
    /// Alipay application id, and the seller's user id (2088…).
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
    pub apple: apple::Keys,
    pub vkspay: vkspay::Keys,
    pub virtual_pay: virtual_pay::Keys,
    pub douyin: douyin::Keys,
    pub huawei: huawei::Keys,
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
    /// carry [`MerchantKeys::sub_mchid`], the only sub-merchant that is served.
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

struct Authority {
    cert: String,
    issuer: Issuer<'static, KeyPair>,
    name: &'static [(Part, &'static str)],
}

#[derive(Clone, Copy)]
enum Part {
    C,
    O,
    Ou,
    Cn,
}

const WECHAT_CA: &[(Part, &str)] =
    &[(Part::C, "CN"), (Part::O, "Tenpay.com"), (Part::Ou, "Tenpay.com CA Center"), (Part::Cn, "Tenpay.com Root CA")];
const ALIPAY_CA: &[(Part, &str)] = &[
    (Part::C, "CN"),
    (Part::O, "Ant Financial"),
    (Part::Ou, "Certification Authority"),
    (Part::Cn, "Ant Financial Certification Authority R1"),
];

fn rcgen_key(key: &RsaKey) -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(&key.pkcs8().as_slice().into(), &PKCS_RSA_SHA256)
        .expect("rcgen takes an aws-lc key")
}

fn params(name: &[(Part, &str)], serial: Vec<u8>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut dn = DistinguishedName::new();
    for (part, value) in name {
        let part = match part {
            Part::C => DnType::CountryName,
            Part::O => DnType::OrganizationName,
            Part::Ou => DnType::OrganizationalUnitName,
            Part::Cn => DnType::CommonName,
        };
        dn.push(part, *value);
    }
    params.distinguished_name = dn;
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2050, 1, 1);
    params
}

/// RFC 2253 order, most specific first, as Alipay's serial-number algorithm wants it.
fn rfc2253(name: &[(Part, &str)]) -> String {
    let parts: Vec<String> = name
        .iter()
        .rev()
        .map(|(part, value)| {
            let key = match part {
                Part::C => "C",
                Part::O => "O",
                Part::Ou => "OU",
                Part::Cn => "CN",
            };
            format!("{key}={value}")
        })
        .collect();
    parts.join(",")
}

/// Alipay's certificate SN: `md5(issuerDN + decimal serial)` (alipay.md 1.5).
fn alipay_sn(issuer: &str, serial: u128) -> String {
    md5_hex(format!("{issuer}{serial}").as_bytes())
}

/// A positive serial of 16 bytes.
fn serial16() -> u128 {
    u128::from_be_bytes(random()) >> 2 | 1 << 124
}

impl Authority {
    fn new(name: &'static [(Part, &'static str)], key: &RsaKey, serial: u128) -> Self {
        let mut params = params(name, serial.to_be_bytes().to_vec());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = rcgen_key(key);
        let cert = params.self_signed(&key).expect("a self-signed certificate").pem();
        Self { cert, issuer: Issuer::new(params, key), name }
    }

    fn issue(&self, subject: &[(Part, &str)], key: &RsaKey, serial: Vec<u8>) -> String {
        params(subject, serial).signed_by(&rcgen_key(key), &self.issuer).expect("an issued certificate").pem()
    }
}

impl MerchantKeys {
    /// Makes all keys and certificates. `id` names the merchant in the sandbox; ten digits are taken as the mchid itself.
    pub fn generate(id: &str) -> Self {
        let mut keys: Vec<RsaKey> = std::thread::scope(|scope| {
            let halves: Vec<_> =
                (0..2).map(|_| scope.spawn(|| [RsaKey::generate(), RsaKey::generate(), RsaKey::generate()])).collect();
            halves.into_iter().flat_map(|half| half.join().expect("a key generator thread")).collect()
        });
        let mut next = || keys.pop().expect("six keys were made");
        let (root, merchant, wxpay, platform, app, alipay) = (next(), next(), next(), next(), next(), next());
        let mchid = if id.len() == 10 && id.bytes().all(|b| b.is_ascii_digit()) {
            id.to_owned()
        } else {
            format!("19{}", random_text(8, DIGITS))
        };
        let wx_ca = Authority::new(WECHAT_CA, &root, serial16());
        let root_serial = serial16();
        let ali_ca = Authority::new(ALIPAY_CA, &root, root_serial);
        let wx_serial = || {
            let mut serial: [u8; 20] = random();
            serial[0] = serial[0] & 0x3f | 0x40;
            (serial.to_vec(), hex::encode_upper(serial))
        };
        let (merchant_serial, merchant_hex) = wx_serial();
        let (platform_serial, platform_hex) = wx_serial();
        let (app_serial, alipay_serial) = (serial16(), serial16());
        let wx_name = [(Part::C, "CN"), (Part::O, "微信商户系统"), (Part::Cn, mchid.as_str())];
        let app_id = format!("2021{}", random_text(12, DIGITS));
        let app_name = [(Part::C, "CN"), (Part::O, "sandbox"), (Part::Cn, app_id.as_str())];
        let alipay_name = [(Part::C, "CN"), (Part::O, "Ant Financial"), (Part::Cn, "支付宝(中国)网络技术有限公司")];
        let appid = || format!("wx{}", hex::encode(random::<8>()));
        Self {
            id: id.to_owned(),
            sub_mchid: format!("16{}", random_text(8, DIGITS)),
            sub_appid: appid(),
            mp_appid: appid(),
            app_appid: appid(),
            web_appid: appid(),
            v3_key: random_text(32, ALNUM),
            v2_key: random_text(32, ALNUM),
            merchant_cert: wx_ca.issue(&wx_name, &merchant, merchant_serial),
            merchant_serial: merchant_hex,
            merchant_key: pem("PRIVATE KEY", &merchant.pkcs8()),
            wxpay_public_key_id: format!("PUB_KEY_ID_0{mchid}2024101100{}", random_text(12, DIGITS)),
            wxpay_public_key: pem("PUBLIC KEY", &wxpay.spki()),
            wxpay_key: pem("PRIVATE KEY", &wxpay.pkcs8()),
            platform_cert: wx_ca.issue(
                &[(Part::C, "CN"), (Part::O, "Tenpay.com"), (Part::Cn, "Tenpay.com sign")],
                &platform,
                platform_serial,
            ),
            platform_serial: platform_hex,
            platform_key: pem("PRIVATE KEY", &platform.pkcs8()),
            mchid: mchid.clone(),
            seller_id: format!("2088{}", random_text(12, DIGITS)),
            app_private_key: b64(&app.pkcs8()),
            app_public_key: b64(&app.spki()),
            alipay_private_key: b64(&alipay.pkcs8()),
            alipay_public_key: b64(&alipay.spki()),
            app_cert: ali_ca.issue(&app_name, &app, app_serial.to_be_bytes().to_vec()),
            alipay_cert: ali_ca.issue(&alipay_name, &alipay, alipay_serial.to_be_bytes().to_vec()),
            app_cert_sn: alipay_sn(&rfc2253(ali_ca.name), app_serial),
            alipay_cert_sn: alipay_sn(&rfc2253(ali_ca.name), alipay_serial),
            alipay_root_cert_sn: alipay_sn(&rfc2253(ALIPAY_CA), root_serial),
            alipay_root_cert: ali_ca.cert,
            app_id: app_id.clone(),
            encrypt_key: b64(&random::<16>()),
            apple: apple::Keys::generate(&app, &alipay),
            vkspay: vkspay::Keys::generate(&app, &alipay),
            virtual_pay: virtual_pay::Keys::generate(&app, &alipay),
            douyin: douyin::Keys::generate(&app, &alipay),
            huawei: huawei::Keys::generate(&app, &alipay),
        }
    }

    /// The default configuration: APIv3 with the WeChat Pay public key, Alipay in key mode.
    pub fn config(&self, base_url: &str) -> Value {
        self.config_with(base_url, Mode::default())
    }

    /// A configuration fragment `{"wxpay": …, "alipay": …, …}` of all providers, with VK-Pay's keys (vkpay.md section 1).
    pub fn config_with(&self, base_url: &str, mode: Mode) -> Value {
        let base = base_url.trim_end_matches('/');
        let node = |appid: &str| self.wxpay_node(appid, base, mode);
        let mut mweb = node(&self.web_appid);
        mweb["sceneInfo"] =
            json!({"h5_info": {"type": "Wap", "wap_url": "https://shop.example", "wap_name": "sandbox"}});
        let codepay = self.wxpay_node(&self.mp_appid, base, Mode { wxpay_version: 2, ..mode });
        let alipay = self.alipay_node(base, mode);
        let mut config = json!({
            "wxpay": {
                "mp-weixin": node(&self.mp_appid),
                "app-plus": node(&self.app_appid),
                "h5": node(&self.mp_appid),
                "h5-weixin": node(&self.web_appid),
                "mweb": mweb,
                "codepay": codepay,
            },
            "alipay": {
                "mp-alipay": alipay, "app-plus": alipay, "h5": alipay, "codepay": alipay, "pc": alipay, "wap": alipay,
            },
            "appleiap": self.apple.config(base, mode),
            "vkspay": self.vkspay.config(base, mode),
            "wxpay-virtual": self.virtual_pay.config(base, mode),
            "douyin": self.douyin.config(base, mode),
            "huawei": self.huawei.config(base, mode),
        });
        // Transfers are APIv3's, and not a service provider's; Alipay's need certificate mode.
        if mode.wxpay_version == 3 && !mode.partner {
            config["wxpay"]["transfer"] = self.transfer_node(base, mode);
        }
        config["alipay"]["transfer"] = self.alipay_node(base, Mode { alipay_cert: true, ..mode });
        config
    }

    fn transfer_node(&self, base: &str, mode: Mode) -> Value {
        let mut node = self.wxpay_node(&self.mp_appid, base, mode);
        node["transferSceneId"] = json!("1000");
        node["transferSceneReportInfos"] = json!([
            {"info_type": "活动名称", "info_content": "新会员有礼"},
            {"info_type": "奖励说明", "info_content": "注册会员抽奖一等奖"},
        ]);
        node["userRecvPerception"] = json!("现金奖励");
        node
    }

    fn wxpay_node(&self, appid: &str, base: &str, mode: Mode) -> Value {
        let mut node = json!({
            "appId": appid,
            "secret": "0123456789abcdef0123456789abcdef",
            "mchId": self.mchid,
            "version": mode.wxpay_version,
            "appCertContent": self.merchant_cert,
            "appPrivateKeyContent": self.merchant_key,
            "apiBase": base,
        });
        if mode.wxpay_version == 2 {
            node["key"] = json!(self.v2_key);
            node["signType"] = json!(if mode.v2_hmac { "HMAC-SHA256" } else { "MD5" });
            return node;
        }
        node["v3Key"] = json!(self.v3_key);
        if mode.wxpay_public_key {
            node["wxpayPublicKeyContent"] = json!(self.wxpay_public_key);
            node["wxpayPublicKeyId"] = json!(self.wxpay_public_key_id);
        }
        node
    }

    fn alipay_node(&self, base: &str, mode: Mode) -> Value {
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

/// A registered merchant with its keys parsed.
pub(crate) struct Merchant {
    pub(crate) keys: MerchantKeys,
    /// SPKI of the merchant's API key and of its Alipay application key.
    pub(crate) merchant_spki: Vec<u8>,
    pub(crate) app_spki: Vec<u8>,
    pub(crate) wxpay: RsaKey,
    pub(crate) platform: RsaKey,
    pub(crate) alipay: RsaKey,
}

impl Merchant {
    pub(crate) fn new(keys: &MerchantKeys) -> Option<Self> {
        Some(Self {
            merchant_spki: RsaKey::from_text(&keys.merchant_key)?.spki(),
            app_spki: crypto::der(&keys.app_public_key)?,
            wxpay: RsaKey::from_text(&keys.wxpay_key)?,
            platform: RsaKey::from_text(&keys.platform_key)?,
            alipay: RsaKey::from_text(&keys.alipay_private_key)?,
            keys: keys.clone(),
        })
    }

    pub(crate) fn owns_appid(&self, appid: &str) -> bool {
        let keys = &self.keys;
        [&keys.mp_appid, &keys.app_appid, &keys.web_appid].iter().any(|own| *own == appid)
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
        let sn = alipay_sn(class_1, 42_701_552_708_448_241_360_226_107_228_231_049_510);
        assert_eq!(sn, "866efef280dec9137a87d047ac446315");
        let class_2 = "CN=Ant Financial Certification Authority Class 2 R1 test,OU=Certification Authority test,O=Ant Financial test,C=CN";
        let sn = alipay_sn(class_2, 42_717_148_566_940_702_771_351_790_021_258_524_976);
        assert_eq!(sn, "e90dd23a37c5c7b616e003970817ff82");
        assert_eq!(rfc2253(&[(Part::C, "CN"), (Part::O, "Ant"), (Part::Cn, "R1")]), "CN=R1,O=Ant,C=CN");
    }
}
