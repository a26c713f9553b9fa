//! APIv2 refunds show the merchant's certificate in the TLS handshake: the real binaries against a gateway that
//! asks for it, as WeChat Pay does below `/secapi`.

use crate::world::{KEY, TABLE, World};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sandbox::{Mode, Pay};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tests::binaries::binaries;
use tests::function_url::FunctionUrl;
use tests::runtime_api::{Emulator, Function};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{self, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

/// Takes exactly one client certificate, or none.
#[derive(Debug)]
struct Only(CertificateDer<'static>, Arc<rustls::crypto::CryptoProvider>);

impl ClientCertVerifier for Only {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match *certificate == self.0 {
            true => Ok(ClientCertVerified::assertion()),
            false => Err(rustls::Error::General("another merchant".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.1.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.1.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.signature_verification_algorithms.supported_schemes()
    }
}

/// Every request's path with whether the handshake showed the certificate.
type Seen = Arc<Mutex<Vec<(String, bool)>>>;

/// A TLS gateway in front of the sandbox. `/secapi` without the certificate is refused.
async fn gateway(sandbox: String, merchant: &str) -> (String, String, Seen) {
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(params, authority);
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let merchant = CertificateDer::from_pem_slice(merchant.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(Only(merchant, provider)))
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let seen = Seen::default();
    let log = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, sandbox, log) = (acceptor.clone(), sandbox.clone(), log.clone());
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(stream).await else { return };
                let shown = tls.get_ref().1.peer_certificates().is_some_and(|chain| !chain.is_empty());
                let mut head = vec![0; 65_536];
                let n = tls.read(&mut head).await.unwrap_or(0);
                let path = String::from_utf8_lossy(&head[..n]).split(' ').nth(1).unwrap_or_default().to_owned();
                log.lock().unwrap().push((path.clone(), shown));
                if path.starts_with("/secapi") && !shown {
                    let _ = tls.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
                    return;
                }
                let mut inside = TcpStream::connect(sandbox).await.unwrap();
                inside.write_all(&head[..n]).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut tls, &mut inside).await;
            });
        }
    });
    (url, root.pem(), seen)
}

struct Running {
    urls: Vec<FunctionUrl>,
    _processes: Vec<Function>,
}

async fn functions(world: &World, root: &str, names: &[&str]) -> Running {
    let folder = tempfile::tempdir().unwrap().keep();
    let root_file = folder.join("root.pem");
    std::fs::write(&root_file, root).unwrap();
    let config = world.config.to_string();
    let envs = [
        ("PAY_CONFIG", config.as_str()),
        ("PAY_TABLE", TABLE),
        ("AWS_ENDPOINT_URL_DYNAMODB", world.dynamodb.as_str()),
        ("SSL_CERT_FILE", root_file.to_str().unwrap()),
    ];
    let mut running = Running { urls: Vec::new(), _processes: Vec::new() };
    for name in names {
        let emulator = Emulator::start().await;
        running._processes.push(emulator.spawn(binaries().path(name), &envs).await);
        running.urls.push(FunctionUrl::start(&emulator).await);
    }
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apiv2_refund_shows_the_merchants_certificate_and_nothing_else_does() {
    tokio::task::spawn_blocking(binaries).await.unwrap();
    let mode = Mode { wxpay_version: 2, ..Mode::default() };
    let mut world = World::without_functions(mode, "http://127.0.0.1:9/notify", |_| {}).await;
    let inside = world.config["wxpay"]["h5"]["apiBase"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let (url, root, seen) = gateway(inside, &world.keys.wechat.merchant_cert).await;
    for node in world.config["wxpay"].as_object_mut().unwrap().values_mut() {
        node["apiBase"] = json!(url);
    }
    let running = functions(&world, &root, &["create-payment", "query-payment", "refund"]).await;
    let call = async |i: usize, body: Value| world.post(running.urls[i].base(), body, Some(KEY)).await;
    let order = json!({
        "provider": "wxpay", "out_trade_no": "MTLS_1", "total_fee": 100, "subject": "测试", "type": "custom",
        "vk_platform": "h5",
    });
    let (status, made) = call(0, order).await;
    assert_eq!(status, 200, "{made}");
    world.sandbox.pay("MTLS_1", Pay { notify: false, ..Pay::default() }).await.expect("paid");
    let (_, paid) = call(1, json!({ "out_trade_no": "MTLS_1" })).await;
    assert_eq!(paid["trade_state"], "SUCCESS", "{paid}");
    let (status, refund) = call(2, json!({ "out_trade_no": "MTLS_1", "refund_fee": 60 })).await;
    assert_eq!(status, 200, "{refund}");
    assert_eq!(world.sandbox.refunds().len(), 1);
    let seen = seen.lock().unwrap();
    assert!(seen.iter().any(|(path, _)| path == "/secapi/pay/refund"), "{seen:?}");
    assert!(seen.iter().all(|(path, shown)| path.starts_with("/secapi") == *shown), "{seen:?}");
}
