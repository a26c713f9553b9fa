//! `douyin.mp-toutiao`: Douyin's three products (`docs/protocols/vkpay.md#other-nodes`, `docs/protocols/douyin.md`).

use crate::wxpay::{Api, Scheme, WxpayNode, read_v3};
use config::Reader;
use crypto::rsa::{PrivateKey, PublicKey};
use domain::Secret;

/// The nodes of the section, by VK-Pay's names.
pub(super) const NODES: [&str; 1] = ["mp-toutiao"];

/// Keys that are known and ignored, or belong to another kind of node.
pub(super) const IGNORED: &[&str] = &[
    "salt",
    "token",
    "keyVersion",
    "skuType",
    "tagGroupId",
    "orderEntrySchema",
    "platformPublicKeyContent",
    "platformPublicKeyPath",
    "appPrivateKeyContent",
    "appPrivateKeyPath",
    "appCertContent",
    "appCertPath",
    "v3Key",
    "wxpayPublicKeyContent",
    "wxpayPublicKeyPath",
    "wxpayPublicKeyId",
];

/// uni-pay has no such section.
pub(super) const ALIASES: [(&str, &str); 0] = [];

/// The open product of Douyin Pay, which looks like WeChat Pay's APIv3.
pub static DOUYIN_PAY: Scheme = Scheme {
    name: "DouyinPay-RSA",
    headers: [
        "douyinpay-signature",
        "douyinpay-timestamp",
        "douyinpay-nonce",
        "douyinpay-serial",
        "douyinpay-signature-type",
    ],
    host: "https://api.douyinpay.com",
    transactions: "/v1/trade/transactions",
    partner_transactions: "/v1/trade/partner/transactions",
    refunds: "/v1/trade/refund/domestic/refunds",
    certificates: "/v1/trade/certificates",
    app_package: "Sign=DYPay",
};

/// One application of Douyin.
pub struct DouyinNode {
    /// The application.
    pub app_id: String,
    /// The application's secret, for login codes and the trade system's tokens.
    pub secret: Option<Secret>,
    /// The merchant number.
    pub mch_id: Option<String>,
    /// Whether Douyin's sandbox is used.
    pub sandbox: bool,
    /// Another host than Douyin's.
    pub api_base: Option<String>,
    /// The product with its keys.
    pub product: DouyinProduct,
}

/// Which of the products, with its keys.
pub enum DouyinProduct {
    /// ecpay, 担保支付.
    Ecpay(Ecpay),
    /// The trade system, 通用交易系统.
    Trade(Box<Trade>),
    /// The open product.
    Douyinpay(Box<DouyinPay>),
}

/// Keys of ecpay.
pub struct Ecpay {
    /// Signs requests.
    pub salt: Secret,
    /// Signs callbacks.
    pub token: Secret,
}

/// Keys of the trade system.
pub struct Trade {
    /// Signs orders.
    pub private_key: PrivateKey,
    /// The version of that key in the console.
    pub key_version: String,
    /// Verifies callbacks.
    pub platform_key: PublicKey,
    /// `type` of what is sold.
    pub sku_type: u64,
    /// The group of labels, where the type has one.
    pub tag_group_id: Option<String>,
    /// The page that an order leads to: path, and its parameters as JSON text.
    pub entry: (String, String),
}

/// The open product: the same keys for each way to pay.
pub struct DouyinPay {
    /// Mini program and web view.
    pub jsapi: WxpayNode,
    /// App.
    pub app: WxpayNode,
    /// QR code.
    pub native: WxpayNode,
    /// Phone browsers.
    pub mweb: WxpayNode,
}

impl DouyinNode {
    pub(crate) fn read(_name: &str, node: &Reader<'_>) -> Option<Self> {
        let app_id = node.required("appId");
        let mch_id = node.text("mchId");
        let secret = node.secret("secret");
        let sandbox = node.flag("sandbox").unwrap_or(false);
        let api_base = node.api_base();
        let product = match node.choice("product", &["ecpay", "trade", "douyinpay"]).as_deref() {
            Some("trade") => {
                if secret.is_none() && !node.has("secret") {
                    node.fault("secret", "is missing");
                }
                read_trade(node).map(|trade| DouyinProduct::Trade(Box::new(trade)))
            }
            Some("douyinpay") => read_douyinpay(node, app_id.as_deref(), api_base.as_ref())
                .map(|pay| DouyinProduct::Douyinpay(Box::new(pay))),
            _ => {
                let (salt, token) = (node.required_secret("salt", None), node.required_secret("token", None));
                salt.zip(token).map(|(salt, token)| DouyinProduct::Ecpay(Ecpay { salt, token }))
            }
        };
        Some(Self { app_id: app_id?, secret, mch_id, sandbox, api_base, product: product? })
    }

    /// Whether the product has a close.
    pub const fn can_close(&self) -> bool {
        matches!(self.product, DouyinProduct::Douyinpay(_))
    }
}

fn read_trade(node: &Reader<'_>) -> Option<Trade> {
    let (private, public) = (node.needed("appPrivateKey"), node.needed("platformPublicKey"));
    let private_key = private.and_then(|m| node.private_key(&m));
    let platform_key = public
        .and_then(|m| node.providers_key(&m, private_key.as_ref(), "Douyin's public key (平台公钥, not 应用公钥)"));
    let entry = node.object("orderEntrySchema");
    let path = entry.as_ref().and_then(|entry| entry.text("path"));
    let params = match entry.as_ref().and_then(|entry| entry.raw("params")) {
        None => "{}".to_owned(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    Some(Trade {
        private_key: private_key?,
        platform_key: platform_key?,
        key_version: node.text("keyVersion").unwrap_or_else(|| "1".to_owned()),
        sku_type: node.integer("skuType", 1..=9_999).unwrap_or(301),
        tag_group_id: node.text("tagGroupId"),
        entry: (path.unwrap_or_else(|| "pages/index/index".to_owned()), params),
    })
}

fn read_douyinpay(node: &Reader<'_>, app_id: Option<&str>, api_base: Option<&String>) -> Option<DouyinPay> {
    let mch_id = node.required("mchId");
    let v3 = read_v3(node, &DOUYIN_PAY);
    let (mch_id, v3) = (mch_id?, v3?);
    let way = |name: &str| WxpayNode {
        name: name.to_owned(),
        app_id: app_id.unwrap_or_default().to_owned(),
        secret: None,
        mch_id: mch_id.clone(),
        api: Api::V3(v3.clone()),
        api_base: api_base.cloned(),
        h5_info: None,
        transfer: config::TransferDefaults::default(),
        shipping: None,
        token: None,
        push_key: None,
        complaints: false,
    };
    Some(DouyinPay { jsapi: way("mp-weixin"), app: way("app-plus"), native: way("h5"), mweb: way("mweb") })
}
