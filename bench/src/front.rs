//! What the functions of the comparison talk to: a table that answers at once, and TLS in front of it.

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A DynamoDB that gives these items for ever, takes every write, and says so at once: its own speed is not measured,
/// and the hundredth payment of an order is like the first.
///
/// # Panics
/// When loopback has no port.
pub(crate) async fn table(items: Vec<Value>) -> String {
    let items: Arc<HashMap<String, Value>> = Arc::new(items.into_iter().map(|item| (key(&item), item)).collect());
    let answer = async move |headers: HeaderMap, body: Bytes| {
        let reads = headers.get("x-amz-target").is_some_and(|target| target.as_bytes().ends_with(b".GetItem"));
        let request: Value = serde_json::from_slice(&body).unwrap_or_default();
        let found = items.get(&key(&request["Key"])).filter(|_| reads);
        let answer = found.map_or_else(|| json!({}), |item| json!({ "Item": item }));
        ([(CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("the port");
    tokio::spawn(axum::serve(listener, Router::new().route("/", post(answer))).into_future());
    format!("http://{address}")
}

fn key(item: &Value) -> String {
    format!("{}|{}", item["pk"]["S"].as_str().unwrap_or_default(), item["sk"]["S"].as_str().unwrap_or_default())
}

/// An authority of the bench's own, for `localhost`.
pub(crate) struct Authority {
    acceptor: TlsAcceptor,
    /// Its certificate, as a PEM file.
    pub file: PathBuf,
}

impl Authority {
    /// An authority, its certificate in this folder.
    ///
    /// # Panics
    /// When keys cannot be made or the file not be written.
    pub(crate) fn new(folder: &std::path::Path) -> Self {
        let authority = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate that has its issuer's name for self-signed.
        params.distinguished_name.push(DnType::CommonName, "bench");
        let root = params.self_signed(&authority).expect("a root");
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let leaf = leaf.signed_by(&key, &Issuer::new(params, authority)).expect("a certificate");
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
            .expect("a certificate and its key");
        let file = folder.join("authority.pem");
        std::fs::write(&file, root.pem()).expect("the folder can be written");
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), file }
    }

    /// TLS in front of a plain server on loopback; its URL.
    ///
    /// # Panics
    /// When loopback has no port.
    pub(crate) async fn front(&self, plain: &str) -> String {
        let inside = plain.trim_start_matches("http://").to_owned();
        let acceptor = self.acceptor.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let port = listener.local_addr().expect("the port").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, inside) = (acceptor.clone(), inside.clone());
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let Ok(mut tls) = acceptor.accept(stream).await else { return };
                    let Ok(mut plain) = TcpStream::connect(inside).await else { return };
                    let _ = plain.set_nodelay(true);
                    let _ = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
                });
            }
        });
        format!("https://localhost:{port}")
    }
}
