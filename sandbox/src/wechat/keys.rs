//! A merchant's keys with WeChat Pay, and the configuration that goes with them.

use crate::common::authority::{Authority, Part, serial16};
use crate::common::mini_program::access_token;
use crate::crypto::{ALNUM, DIGITS, RsaKey, pem, random, random_text};
use crate::ledger::Shipment;
use crate::merchant::{ProviderKeys, Seed};
use crate::provider::Mode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const AUTHORITY: &[(Part, &str)] =
    &[(Part::C, "CN"), (Part::O, "Tenpay.com"), (Part::Ou, "Tenpay.com CA Center"), (Part::Cn, "Tenpay.com Root CA")];
/// Of every application here.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What both sides know of a merchant here. Key material is PEM.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Keys {
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
    /// The token of the mini program's message push, and its key of safe mode.
    #[serde(default)]
    pub mp_push_token: String,
    #[serde(default)]
    pub mp_push_key: String,
}

/// The same, ready for use.
pub(crate) struct Account {
    pub(crate) keys: Keys,
    /// SPKI of the merchant's API key.
    pub(crate) merchant_spki: Vec<u8>,
    pub(crate) wxpay: RsaKey,
    pub(crate) platform: RsaKey,
}

impl Account {
    /// The access token of the mini program.
    pub(crate) fn access_token(&self, generation: u64) -> String {
        access_token(&self.keys.mp_appid, SECRET, generation)
    }

    /// The shipping of a trade, whose money is kept if it is paid in the mini program.
    pub(crate) fn keeps(&self, product: &str, appid: &str) -> Option<Shipment> {
        (product == "jsapi" && appid == self.keys.mp_appid).then(Shipment::default)
    }

    pub(crate) fn owns_appid(&self, appid: &str) -> bool {
        self.keys.appids().iter().any(|own| *own == appid)
    }
}

fn serial() -> (Vec<u8>, String) {
    let mut serial: [u8; 20] = random();
    serial[0] = serial[0] & 0x3f | 0x40;
    (serial.to_vec(), hex::encode_upper(serial))
}

impl ProviderKeys for Keys {
    type Opened = Account;

    fn generate(seed: &Seed<'_>) -> Self {
        let [merchant, wxpay, platform] = &seed.more;
        let mchid = if seed.id.len() == 10 && seed.id.bytes().all(|b| b.is_ascii_digit()) {
            seed.id.to_owned()
        } else {
            format!("19{}", random_text(8, DIGITS))
        };
        let authority = Authority::new(AUTHORITY, &seed.authority, serial16());
        let ((merchant_serial, merchant_hex), (platform_serial, platform_hex)) = (serial(), serial());
        let name = [(Part::C, "CN"), (Part::O, "微信商户系统"), (Part::Cn, mchid.as_str())];
        let platform_name = [(Part::C, "CN"), (Part::O, "Tenpay.com"), (Part::Cn, "Tenpay.com sign")];
        let appid = || format!("wx{}", hex::encode(random::<8>()));
        Self {
            sub_mchid: format!("16{}", random_text(8, DIGITS)),
            sub_appid: appid(),
            mp_appid: appid(),
            app_appid: appid(),
            web_appid: appid(),
            v3_key: random_text(32, ALNUM),
            v2_key: random_text(32, ALNUM),
            merchant_cert: authority.issue(&name, merchant, merchant_serial),
            merchant_serial: merchant_hex,
            merchant_key: pem("PRIVATE KEY", &merchant.pkcs8()),
            wxpay_public_key_id: format!("PUB_KEY_ID_0{mchid}2024101100{}", random_text(12, DIGITS)),
            wxpay_public_key: pem("PUBLIC KEY", &wxpay.spki()),
            wxpay_key: pem("PRIVATE KEY", &wxpay.pkcs8()),
            platform_cert: authority.issue(&platform_name, platform, platform_serial),
            platform_serial: platform_hex,
            platform_key: pem("PRIVATE KEY", &platform.pkcs8()),
            mp_push_token: random_text(16, ALNUM),
            mp_push_key: random_text(43, ALNUM),
            mchid,
        }
    }

    fn id(&self) -> &str {
        &self.mchid
    }

    fn apps(&self) -> Vec<(String, String)> {
        self.appids().map(|id| (id.clone(), SECRET.to_owned())).into()
    }

    fn open(&self) -> Option<Account> {
        Some(Account {
            merchant_spki: RsaKey::from_text(&self.merchant_key)?.spki(),
            wxpay: RsaKey::from_text(&self.wxpay_key)?,
            platform: RsaKey::from_text(&self.platform_key)?,
            keys: self.clone(),
        })
    }

    fn config(&self, base: &str, mode: Mode) -> Value {
        let node = |appid: &str| self.node(appid, base, mode);
        let mut mweb = node(&self.web_appid);
        mweb["sceneInfo"] =
            json!({"h5_info": {"type": "Wap", "wap_url": "https://shop.example", "wap_name": "sandbox"}});
        let mut section = json!({
            "mp-weixin": self.mini_program(base, mode),
            "app-plus": node(&self.app_appid),
            "h5": node(&self.mp_appid),
            "h5-weixin": node(&self.web_appid),
            "mweb": mweb,
            "codepay": self.node(&self.mp_appid, base, Mode { wxpay_version: 2, ..mode }),
        });
        // Transfers are APIv3's, and not a service provider's.
        if mode.wxpay_version == 3 && !mode.partner {
            section["transfer"] = self.transfer_node(base, mode);
        }
        section
    }
}

impl Keys {
    fn appids(&self) -> [&String; 3] {
        [&self.mp_appid, &self.app_appid, &self.web_appid]
    }

    fn mini_program(&self, base: &str, mode: Mode) -> Value {
        let mut node = self.node(&self.mp_appid, base, mode);
        // Keys of before had none.
        if !self.mp_push_token.is_empty() {
            node["token"] = json!(self.mp_push_token);
            if !mode.virtual_plain {
                node["encodingAESKey"] = json!(self.mp_push_key);
            }
        }
        node
    }

    fn transfer_node(&self, base: &str, mode: Mode) -> Value {
        let mut node = self.node(&self.mp_appid, base, mode);
        node["transferSceneId"] = json!("1000");
        node["transferSceneReportInfos"] = json!([
            {"info_type": "活动名称", "info_content": "新会员有礼"},
            {"info_type": "奖励说明", "info_content": "注册会员抽奖一等奖"},
        ]);
        node["userRecvPerception"] = json!("现金奖励");
        node
    }

    fn node(&self, appid: &str, base: &str, mode: Mode) -> Value {
        let mut node = json!({
            "appId": appid,
            "secret": SECRET,
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
}
