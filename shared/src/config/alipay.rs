//! `alipay.<node>`: Alipay applications in key mode and certificate mode (`protocols/vkpay.md` 1.3).

use super::reader::Reader;
use super::transfer::TransferDefaults;
use crate::crypto::cert;
use crate::crypto::rsa::{PrivateKey, PublicKey};
use crate::secret::Secret;

/// The nodes of the section: VK-Pay's, and `pc` and `wap` for page and wap pay, which VK-Pay lacks.
pub const NODES: [&str; 7] = ["mp-alipay", "app-plus", "h5", "codepay", "pc", "wap", "transfer"];

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
    pub(super) fn read(name: &str, node: &Reader<'_>) -> Option<Self> {
        let app_id = node.required("appId");
        let private = node.inline("privateKey").or_else(|| node.material("privateKey"));
        if private.is_none() && !node.has("privateKey") && !node.has("privateKeyPath") {
            node.fault("privateKey", "is missing");
        }
        let private_key = private.as_ref().and_then(|m| node.private_key(m));
        let api_base = node.api_base();
        let sandbox = node.flag("sandbox").unwrap_or(false);
        let seller_id = node.text("sellerId");
        let app_auth_token = node.secret("appAuthToken");
        let encrypt_key = read_encrypt_key(node);
        let transfer = match name {
            "transfer" => TransferDefaults::read(node, "transferSceneName"),
            _ => TransferDefaults::default(),
        };
        let certificate_mode = ["appCert", "alipayRootCert", "alipayPublicCert"]
            .iter()
            .any(|stem| ["Content", "PathContent", "Path"].iter().any(|end| node.has(&format!("{stem}{end}"))));
        let (alipay_key, certificates) = if certificate_mode {
            let (key, mode) = read_certificates(node, private_key.as_ref())?;
            (Some(key), Some(mode))
        } else {
            let material = node.inline("alipayPublicKey").or_else(|| node.material("alipayPublicKey"));
            if material.is_none() && !node.has("alipayPublicKey") {
                node.fault("alipayPublicKey", "is missing");
            }
            (material.and_then(|m| node.public_key(&m)), None)
        };
        node.ignore_unknown(&[
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
        ]);
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
        })
    }
}

fn read_encrypt_key(node: &Reader<'_>) -> Option<EncryptKey> {
    let secret: Secret = node.secret("encryptKey")?;
    let bytes = crate::crypto::from_base64(secret.expose()).ok().and_then(|b| b.try_into().ok());
    if bytes.is_none() {
        node.fault("encryptKey", "must be 16 bytes in base64");
    }
    bytes.map(EncryptKey)
}

fn read_certificates(node: &Reader<'_>, private_key: Option<&PrivateKey>) -> Option<(PublicKey, CertificateMode)> {
    let read = |stem: &str| {
        let material = node.material(stem);
        if material.is_none() && !node.has(&format!("{stem}Path")) {
            node.fault(&format!("{stem}Content"), "is missing");
        }
        material
    };
    let app = read("appCert");
    let alipay = read("alipayPublicCert");
    let root = read("alipayRootCert");
    let app = app?;
    let alipay = alipay?;
    let root = root?;
    let app_certificate = node.certificate(&app);
    let alipay_certificate = node.certificate(&alipay);
    let root_cert_sn = cert::alipay_root_sn(root.value.expose());
    if root_cert_sn.is_empty() {
        node.fault(&root.key, "holds no RSA root certificate");
    }
    if let (Some(private_key), Some(public)) = (private_key, node.public_key(&app))
        && !private_key.belongs_to(&public)
    {
        node.fault("privateKey", format!("does not match {}", app.key));
    }
    let key = node.public_key(&alipay)?;
    let mode = CertificateMode {
        app_cert_sn: app_certificate?.alipay_sn(),
        root_cert_sn,
        alipay_cert_sn: alipay_certificate?.alipay_sn(),
    };
    Some((key, mode))
}
