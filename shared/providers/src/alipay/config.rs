//! `alipay.<node>`: Alipay applications in key mode and certificate mode (`docs/protocols/vkpay.md#alipay-nodes`).

use config::Material;
use config::Reader;
use config::TransferDefaults;
use crypto::cert;
use crypto::rsa::{PrivateKey, PublicKey};
use domain::Secret;

/// The nodes of the section: VK-Pay's, and `pc` and `wap` for page and wap pay, which VK-Pay lacks.
pub(super) const NODES: [&str; 7] = ["mp-alipay", "app-plus", "h5", "codepay", "pc", "wap", "transfer"];

/// Keys that are known and ignored, or belong to another kind of node.
pub(super) const IGNORED: &[&str] = &[
    "mchId",
    "keyType",
    "signType",
    "gateway",
    "alipayPublicKey",
    "alipayPublicKeyPath",
    "alipayPublicKeyContent",
    "transferSceneName",
    "transferSceneReportInfos",
    "userRecvPerception",
    "dailyLimit",
    "dailyLimitPerPayee",
];

/// uni-pay's names for the same nodes.
pub(super) const ALIASES: [(&str, &str); 3] = [("mp", "mp-alipay"), ("app", "app-plus"), ("native", "h5")];

/// One application of Alipay.
pub struct AlipayNode {
    /// The node's name, one of [`NODES`].
    pub name: String,
    /// The application's id.
    pub app_id: String,
    /// The application's private key.
    pub private_key: PrivateKey,
    /// What verifies Alipay's signatures: its key, or the key of its certificate.
    pub alipay_key: PublicKey,
    /// Set in certificate mode.
    pub certificates: Option<CertificateMode>,
    /// Alipay's sandbox instead of its production gateway.
    pub sandbox: bool,
    /// Another gateway: the whole URL.
    pub api_base: Option<String>,
    /// The key of content encryption (16 bytes), when it is switched on.
    pub encrypt_key: Option<EncryptKey>,
    /// The receiving account (2088…); compared with callbacks when it is set.
    pub seller_id: Option<String>,
    /// The token by which an ISV acts for this merchant.
    pub app_auth_token: Option<Secret>,
    /// `transfer` only: its scene and limits.
    pub transfer: TransferDefaults,
    /// Whether complaints of its application are looked for.
    pub complaints: bool,
}

/// Serial numbers of certificate mode, Alipay's own kind.
pub struct CertificateMode {
    /// `app_cert_sn`.
    pub app_cert_sn: String,
    /// `alipay_root_cert_sn`.
    pub root_cert_sn: String,
    /// The serial number of Alipay's certificate; its answers name it.
    pub alipay_cert_sn: String,
}

/// AES-128 key of Alipay's content encryption. It cannot be printed.
pub struct EncryptKey([u8; 16]);

impl EncryptKey {
    /// The key itself, at the point where it is spent.
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

impl AlipayNode {
    pub(crate) fn read(name: &str, node: &Reader<'_>) -> Option<Self> {
        let app_id = node.required("appId");
        let private = node.needed_key("privateKey");
        let private_key = private.as_ref().and_then(|m| node.private_key(m));
        let api_base = node.api_base();
        if api_base.as_deref().is_some_and(|base| base.matches('/').count() == 2) {
            node.remark("apiBase", "has no path; here the whole URL of the gateway belongs, with /gateway.do");
        }
        let sandbox = node.flag("sandbox").unwrap_or(false);
        let seller_id = node.text("sellerId");
        let app_auth_token = node.secret("appAuthToken");
        let complaints = node.flag("complaints").unwrap_or(false);
        let encrypt_key = read_encrypt_key(node);
        let transfer = match name {
            "transfer" => TransferDefaults::read(node, "transferSceneName"),
            _ => TransferDefaults::default(),
        };
        let own = private_key.as_ref().zip(private.as_ref());
        let (alipay_key, certificates) = match Certificates::read(node) {
            Some(given) => {
                let (key, mode) = read_certificates(node, given, own, sandbox)?;
                (Some(key), Some(mode))
            }
            None => (read_alipay_key(node, own.map(|(key, _)| key)), None),
        };
        if name == "transfer" && certificates.is_none() {
            node.remark(
                "appCertContent",
                "is missing: Alipay serves transfers in certificate mode only, and each is refused until the three \
                 certificates are here",
            );
        }
        Some(Self {
            name: name.to_owned(),
            app_id: app_id?,
            private_key: private_key?,
            alipay_key: alipay_key?,
            certificates,
            sandbox,
            api_base,
            encrypt_key,
            seller_id,
            app_auth_token,
            transfer,
            complaints,
        })
    }
}

fn read_encrypt_key(node: &Reader<'_>) -> Option<EncryptKey> {
    let secret: Secret = node.secret("encryptKey")?;
    let bytes = crypto::from_base64(secret.expose()).ok().and_then(|b| b.try_into().ok());
    if bytes.is_none() {
        node.fault("encryptKey", "must be 16 bytes in base64");
    }
    bytes.map(EncryptKey)
}

/// Alipay's public key of key mode.
fn read_alipay_key(node: &Reader<'_>, own: Option<&PrivateKey>) -> Option<PublicKey> {
    let material = node.needed_key("alipayPublicKey")?;
    node.providers_key(&material, own, "Alipay's public key (支付宝公钥, not 应用公钥)")
}

const STEMS: [&str; 3] = ["appCert", "alipayPublicCert", "alipayRootCert"];

/// What the node has of certificate mode.
struct Certificates([Option<Material<Secret>>; 3]);

impl Certificates {
    /// `None` in key mode: when no certificate is there. An empty file is none, as VK-Pay's sample keeps them.
    fn read(node: &Reader<'_>) -> Option<Self> {
        let found = STEMS.map(|stem| node.material(stem));
        let key_mode = ["alipayPublicKey", "alipayPublicKeyContent", "alipayPublicKeyPath"];
        let unread = STEMS.iter().any(|stem| node.material_faulted(stem)) && !key_mode.iter().any(|key| node.has(key));
        (unread || found.iter().any(Option::is_some)).then_some(Self(found))
    }
}

fn read_certificates(
    node: &Reader<'_>,
    Certificates(given): Certificates,
    own: Option<(&PrivateKey, &Material<Secret>)>,
    sandbox: bool,
) -> Option<(PublicKey, CertificateMode)> {
    for (found, stem) in given.iter().zip(STEMS) {
        if found.is_none() {
            node.missing(&format!("{stem}Content"), stem, "is missing");
        }
    }
    let [app, alipay, root] = given;
    let app_certificate = app.as_ref().and_then(|m| node.own_certificate(m, own));
    let alipay_certificate = alipay.as_ref().and_then(|m| node.certificate(m));
    for (material, certificate) in [(&app, &app_certificate), (&alipay, &alipay_certificate)] {
        if let (Some(material), Some(certificate)) = (material, certificate) {
            node.check_dates(material, certificate, sandbox);
        }
    }
    let root_cert_sn = root.as_ref().and_then(|m| read_root(node, m, sandbox));
    let alipay = alipay?;
    let key =
        node.providers_key(&alipay, own.map(|(key, _)| key), "Alipay's certificate (alipayCertPublicKey_RSA2.crt)")?;
    let mode = CertificateMode {
        app_cert_sn: app_certificate?.alipay_sn(),
        root_cert_sn: root_cert_sn?,
        alipay_cert_sn: alipay_certificate?.alipay_sn(),
    };
    Some((key, mode))
}

/// The serial numbers of Alipay's roots (`alipayRootCert.crt`). Of several roots one may have ended.
fn read_root(node: &Reader<'_>, material: &Material<Secret>, sandbox: bool) -> Option<String> {
    let found = cert::alipay_roots(material.value.expose());
    if found.is_empty() {
        node.fault(&material.key, "holds no RSA root certificate");
        return None;
    }
    let last = found.iter().filter(|certificate| certificate.is_root()).max_by_key(|root| root.validity().1);
    let Some(last) = last else {
        node.fault(&material.key, "holds no root certificate; Alipay's roots (alipayRootCert.crt) belong here");
        return None;
    };
    node.check_dates(material, last, sandbox);
    Some(cert::joined_sn(&found))
}
