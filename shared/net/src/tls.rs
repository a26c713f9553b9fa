//! TLS of every way out: one configuration for the process, made when the first `https` address is called.
//!
//! The roots are Mozilla's, compiled in (`webpki-roots`): the system's would be read and parsed at each start, which
//! takes longer than everything else that a start does. Who runs behind an authority of its own names its certificates
//! in `SSL_CERT_FILE`; they are added.

use reqwest::{Client, ClientBuilder};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};

/// The variable that names a PEM file of further roots.
const FURTHER_ROOTS: &str = "SSL_CERT_FILE";

/// A client for `http` addresses and one for `https`, each made when it is first needed.
pub struct Clients {
    settings: Box<dyn Fn() -> ClientBuilder + Send + Sync>,
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
}

impl Clients {
    /// Clients with these settings, which say nothing of TLS.
    pub fn new(settings: impl Fn() -> ClientBuilder + Send + Sync + 'static) -> Self {
        Self { settings: Box::new(settings), plain: OnceLock::new(), secure: OnceLock::new() }
    }

    /// The client for a URL. They keep their connections for the process's lifetime.
    ///
    /// # Panics
    /// When the settings cannot be used, which no input changes.
    pub fn of(&self, url: &str) -> &Client {
        let make = |tls: ClientConfig| {
            let client = (self.settings)().tls_backend_preconfigured(tls).build();
            client.expect("a client without a certificate of its own can be built")
        };
        match url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")) {
            true => self.secure.get_or_init(|| make(config().clone())),
            // It verifies nothing, because it trusts nobody.
            false => self.plain.get_or_init(|| make(with_roots(RootCertStore::empty()).with_no_client_auth())),
        }
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clients")
    }
}

/// The configuration of the process. Its copies share their tickets.
pub fn config() -> &'static ClientConfig {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let mut config = with_roots(roots().clone()).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    })
}

/// A configuration that shows a client certificate: its chain and key in one PEM text. `None` when there is no such
/// chain and key in it, or they do not belong together.
pub(crate) fn identified(pem: &str) -> Option<ClientConfig> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    let mut config = with_roots(roots().clone()).with_client_auth_cert(chain, key).ok()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(config)
}

fn with_roots(roots: RootCertStore) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    versions.expect("aws-lc-rs has the suites of TLS 1.2 and 1.3").with_root_certificates(roots)
}

/// Mozilla's roots, and those that the environment adds.
fn roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = std::env::var_os(FURTHER_ROOTS).filter(|file| !file.is_empty()) {
            add_file(&mut roots, file.as_ref());
        }
        roots
    })
}

/// Adds the certificates of a PEM file. What of it cannot be used is logged and left out: calls to those who need it
/// fail, and no others.
fn add_file(roots: &mut RootCertStore, file: &std::path::Path) {
    let name = file.display();
    let certificates = match CertificateDer::pem_file_iter(file) {
        Ok(certificates) => certificates,
        Err(error) => {
            tracing::error!("{FURTHER_ROOTS}: {name} cannot be read: {error}");
            return;
        }
    };
    let (added, unusable) = roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    if added == 0 || unusable > 0 {
        tracing::error!("{FURTHER_ROOTS}: of {name} {added} certificates are used, and {unusable} cannot be");
    }
}
