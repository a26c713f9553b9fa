//! `wxpay.<node>`: WeChat Pay merchants, APIv3 and APIv2 (`docs/protocols/vkpay.md#wechat-pay-nodes`).

use crate::common::wechat_push::{self, PushKey};
use config::Material;
use config::Reader;
use config::TransferDefaults;
use config::shipping_mode;
use crypto::cert::Certificate;
use crypto::rsa::{PrivateKey, PublicKey};
use domain::{Secret, ShippingMode};
use serde_json::json;
use std::sync::Arc;

/// The nodes of the section, by VK-Pay's names; each is one product of WeChat Pay.
pub(super) const NODES: [&str; 7] = ["mp-weixin", "app-plus", "h5", "h5-weixin", "mweb", "codepay", "transfer"];

/// The node of mini programs.
pub(super) const MINI_PROGRAM: &str = "mp-weixin";

/// Keys that are known and ignored, or belong to another kind of node.
pub(super) const IGNORED: &[&str] = &[
    "sceneInfo",
    "pfx",
    "pfxPath",
    "pfxContent",
    "key",
    "v3Key",
    "appCertPath",
    "appCertContent",
    "appPrivateKeyPath",
    "appPrivateKeyContent",
    "wxpayPublicKeyPath",
    "wxpayPublicKeyContent",
    "wxpayPublicKeyId",
    "wxpayPublicCertSn",
    "wxpayPublicCertContent",
    "wxpayPublicCertPath",
    "signType",
    "transferSceneId",
    "transferSceneReportInfos",
    "userRecvPerception",
    "dailyLimit",
    "dailyLimitPerPayee",
    "shipping",
    "token",
    "encodingAESKey",
    "complaints",
];

/// uni-pay's names for the same nodes.
pub(super) const ALIASES: [(&str, &str); 4] =
    [("mp", "mp-weixin"), ("app", "app-plus"), ("native", "h5"), ("jsapi", "h5-weixin")];

/// One merchant configuration of WeChat Pay.
#[derive(Clone)]
pub struct WxpayNode {
    /// The node's name, one of [`NODES`].
    pub name: String,
    /// The app that the merchant number is bound to; in partner mode the service provider's.
    pub app_id: String,
    /// The app's secret, for turning login codes into openids.
    pub secret: Option<Secret>,
    /// The merchant number; in partner mode the service provider's.
    pub mch_id: String,
    /// The keys of the API version in use.
    pub api: Api,
    /// Another host than WeChat Pay's, without trailing slash.
    pub api_base: Option<String>,
    /// `mweb` only: where the payment is asked for.
    pub h5_info: Option<H5Info>,
    /// `transfer` only: its scene and limits.
    pub transfer: TransferDefaults,
    /// `mp-weixin` only: who reports the shipping of what is paid there.
    pub shipping: Option<ShippingMode>,
    /// `mp-weixin` only: the token of message push; without it no push is taken.
    pub token: Option<Secret>,
    /// `mp-weixin` only: the key of safe mode; with it only safe mode is taken.
    pub push_key: Option<PushKey>,
    /// Whether complaints of its merchant number are looked for.
    pub complaints: bool,
}

/// The API version of a node with its keys.
#[derive(Clone)]
pub enum Api {
    /// APIv3.
    V3(V3),
    /// APIv2.
    V2(V2),
}

/// What tells WeChat Pay's APIv3 from its look-alikes (`docs/protocols/douyin.md#open-product`).
#[derive(Debug, PartialEq, Eq)]
pub struct Scheme {
    /// The scheme of `Authorization`, and the value of the header that names the signature's type.
    pub name: &'static str,
    /// Header names: signature, timestamp, nonce, serial, signature type.
    pub headers: [&'static str; 5],
    /// The host.
    pub host: &'static str,
    /// Orders.
    pub transactions: &'static str,
    /// Orders of service providers.
    pub partner_transactions: &'static str,
    /// Refunds.
    pub refunds: &'static str,
    /// Platform certificates.
    pub certificates: &'static str,
    /// `package` of an app's parameters.
    pub app_package: &'static str,
}

/// WeChat Pay itself.
pub static WECHAT_PAY: Scheme = Scheme {
    name: "WECHATPAY2-SHA256-RSA2048",
    headers: [
        "wechatpay-signature",
        "wechatpay-timestamp",
        "wechatpay-nonce",
        "wechatpay-serial",
        "wechatpay-signature-type",
    ],
    host: "https://api.mch.weixin.qq.com",
    transactions: "/v3/pay/transactions",
    partner_transactions: "/v3/pay/partner/transactions",
    refunds: "/v3/refund/domestic/refunds",
    certificates: "/v3/certificates",
    app_package: "Sign=WXPay",
};

/// Keys of APIv3.
#[derive(Clone)]
pub struct V3 {
    /// Whose API it is.
    pub scheme: &'static Scheme,
    /// The APIv3 key: 32 bytes.
    pub key: Secret,
    /// The serial number of the merchant's certificate, upper-case hex.
    pub serial_no: String,
    /// The merchant's private key.
    pub private_key: PrivateKey,
    /// WeChat Pay's public key and its id (`PUB_KEY_ID_…`); without it, platform certificates are used.
    pub public_key: Option<(String, PublicKey)>,
}

/// Keys of APIv2.
#[derive(Clone)]
pub struct V2 {
    /// The APIv2 key: 32 characters.
    pub key: Secret,
    /// `HMAC-SHA256` instead of `MD5`; pinned for requests, answers and callbacks.
    pub hmac: bool,
    /// The client certificate with its private key in PEM, for refunds and reversals.
    pub identity: Option<Arc<Secret>>,
}

/// `sceneInfo.h5_info` of the node `mweb`.
#[derive(Clone)]
pub struct H5Info {
    /// `Wap`, `iOS` or `Android`.
    pub kind: String,
    /// The site's URL.
    pub url: Option<String>,
    /// The site's name.
    pub name: Option<String>,
}

impl WxpayNode {
    pub(crate) fn read(name: &str, node: &Reader<'_>) -> Option<Self> {
        let app_id = node.required("appId");
        let mch_id = node.required("mchId");
        let secret = node.secret("secret");
        let api_base = node.api_base();
        let h5_info = match name {
            "mweb" => read_h5_info(node),
            _ => None,
        };
        let transfer = match name {
            "transfer" => TransferDefaults::read(node, "transferSceneId"),
            _ => TransferDefaults::default(),
        };
        let shipping = if name == MINI_PROGRAM { read_shipping(node, secret.is_some()) } else { None };
        let (token, push_key) = if name == MINI_PROGRAM { wechat_push::read_keys(node) } else { (None, None) };
        let complaints = node.flag("complaints").unwrap_or(false);
        node.asks("version", || {
            let form = json!({ "anyOf": [{ "enum": [3, 2] }, { "type": "string", "pattern": r"^(\s*|\+?0*[23])$" }, { "type": "null" }] });
            config::Kind::Form(form, vec![json!(3), json!(2)])
        });
        let api = match node.raw("version").map(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok())) {
            None | Some(Some(3)) => read_v3(node, &WECHAT_PAY).map(Api::V3),
            Some(Some(2)) => read_v2(node, mch_id.as_deref()).map(Api::V2),
            Some(_) => {
                node.fault("version", "must be 2 or 3");
                None
            }
        };
        if complaints && matches!(api, Some(Api::V2(_))) {
            node.remark("complaints", "is true, and WeChat Pay has complaints in APIv3 only: none are looked for");
        }
        if name == "transfer" && matches!(api, Some(Api::V2(_))) {
            node.remark("version", "is 2, and WeChat Pay serves transfers in APIv3 only: each is refused");
        }
        Some(Self {
            name: name.to_owned(),
            app_id: app_id?,
            secret,
            mch_id: mch_id?,
            api: api?,
            api_base,
            h5_info,
            transfer,
            shipping,
            token,
            push_key,
            complaints,
        })
    }
}

/// Who reports shipping. WeChat takes the report under an access token, which needs the secret.
fn read_shipping(node: &Reader<'_>, has_secret: bool) -> Option<ShippingMode> {
    let mode = shipping_mode(node, "shipping");
    if mode.is_some() && !has_secret && !node.has("secret") {
        node.fault("secret", "is missing, and shipping is reported with it");
    }
    mode
}

fn read_h5_info(node: &Reader<'_>) -> Option<H5Info> {
    let info = node.object("sceneInfo")?.object("h5_info")?;
    Some(H5Info {
        kind: info.choice("type", &["Wap", "iOS", "Android"]).unwrap_or_else(|| "Wap".to_owned()),
        url: info.text("wap_url").or_else(|| info.text("app_url")),
        name: info.text("wap_name").or_else(|| info.text("app_name")),
    })
}

pub(crate) fn read_v3(node: &Reader<'_>, scheme: &'static Scheme) -> Option<V3> {
    let key = node.required_secret("v3Key", Some(32));
    let certificate = node.needed("appCert");
    let private = node.needed("appPrivateKey");
    let private_key = private.as_ref().and_then(|m| node.private_key(m));
    let own = certificate.as_ref().and_then(|m| node.own_certificate(m, private_key.as_ref().zip(private.as_ref())));
    if let (Some(material), Some(own)) = (&certificate, &own) {
        node.check_dates(material, own, false);
    }
    let public_key = read_public_key(node, scheme, private_key.as_ref());
    Some(V3 { scheme, key: key?, serial_no: own?.serial_hex(), private_key: private_key?, public_key })
}

/// WeChat Pay's public key with its id: both or neither.
fn read_public_key(
    node: &Reader<'_>,
    scheme: &'static Scheme,
    own: Option<&PrivateKey>,
) -> Option<(String, PublicKey)> {
    const ID: &str = "wxpayPublicKeyId";
    let (material, id) = (node.material("wxpayPublicKey"), node.text(ID));
    let Some(material) = material else {
        if id.is_some() {
            node.missing(
                "wxpayPublicKeyContent",
                "wxpayPublicKey",
                "is missing; wxpayPublicKeyId is of no use without it",
            );
        }
        return None;
    };
    let belongs = match scheme.host == WECHAT_PAY.host {
        true => "WeChat Pay's public key (微信支付公钥, pub_key.pem of the merchant console)",
        false => "the platform's public key",
    };
    let key = node.providers_key(&material, own, belongs);
    let id = match id {
        Some(id) if !id.starts_with("PUB_KEY_ID_") => {
            node.fault(ID, "must begin with PUB_KEY_ID_");
            None
        }
        Some(id) => Some(id),
        None => node.required(ID),
    };
    Some((id?, key?))
}

fn read_v2(node: &Reader<'_>, mch_id: Option<&str>) -> Option<V2> {
    let key = node.required_secret("key", Some(32));
    let hmac = node.choice("signType", &["MD5", "HMAC-SHA256"]).is_some_and(|t| t == "HMAC-SHA256");
    let identity = read_identity(node, mch_id);
    Some(V2 { key: key?, hmac, identity })
}

/// The client certificate: a PEM pair, or a PKCS#12 archive whose pass phrase is the merchant number.
fn read_identity(node: &Reader<'_>, mch_id: Option<&str>) -> Option<Arc<Secret>> {
    let (certificate, private) = (node.material("appCert"), node.material("appPrivateKey"));
    let archive = node.key_material("pfx");
    match (certificate, private, archive) {
        (Some(certificate), Some(private), _) => {
            let key = node.private_key(&private)?;
            let own = node.own_certificate(&certificate, Some((&key, &private)))?;
            node.check_dates(&certificate, &own, false);
            let mut chain = Certificate::parse_all(certificate.value.expose()).unwrap_or_default();
            // The peer takes the first for the client's own.
            chain.sort_by_key(|other| other.serial_hex() != own.serial_hex());
            let chain = chain.iter().map(Certificate::to_pem).collect::<Result<String, _>>().ok()?;
            Some(Arc::new(Secret::new(format!("{}\n{chain}", *key.to_pkcs8_pem()))))
        }
        (certificate, private, Some(archive)) => {
            remark_on_half(node, certificate.or(private).as_ref(), "pfx is used");
            let Some(identity) = identity_of_pfx(&archive, mch_id?) else {
                node.fault(&archive.key, "is not a PKCS#12 archive that opens with mchId");
                return None;
            };
            if let Ok(own) = Certificate::parse(identity.expose()) {
                node.check_dates(&archive, &own, false);
            }
            Some(Arc::new(identity))
        }
        (certificate, private, None) => {
            remark_on_half(node, certificate.or(private).as_ref(), "refunds and reversals are refused");
            None
        }
    }
}

/// A certificate without its private key, or the other way round.
fn remark_on_half(node: &Reader<'_>, half: Option<&Material<Secret>>, so: &str) {
    if let Some(half) = half {
        node.remark(&half.key, format!("is of no use alone: appCert and appPrivateKey go together; {so}"));
    }
}

fn identity_of_pfx(archive: &Material<Secret>, mch_id: &str) -> Option<Secret> {
    let bytes = crypto::from_base64(archive.value.expose()).ok()?;
    crypto::cert::identity_of_pkcs12(&bytes, mch_id).map(Secret::new)
}
