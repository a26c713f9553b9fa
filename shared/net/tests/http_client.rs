//! The client that speaks to providers, against servers that behave badly: nobody else's certificate, no redirects,
//! no endless answers.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a test fails by unwrapping, reads from top to bottom, and is seen by nobody"
)]

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::Method;
use net::egress::{EgressError, Receivers};
use net::provider_http::{Http, HttpError, Request};
use rcgen::{CertificateParams, KeyPair};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

fn request(url: &str) -> Request<'_> {
    Request { method: Method::POST, url, headers: Vec::new(), body: b"{}".to_vec(), identity: None }
}

/// A TLS server under a certificate that nobody has issued, which counts the requests that it gets to read.
async fn self_signed() -> (u16, Arc<AtomicUsize>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let read = Arc::new(AtomicUsize::new(0));
    let count = read.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 1024];
            if tls.read(&mut head).await.is_ok_and(|n| n > 0) {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"code\":0}").await;
            }
        }
    });
    (port, read)
}

#[tokio::test]
async fn a_server_under_a_certificate_that_nobody_issued_gets_nothing() {
    let (port, read) = self_signed().await;
    let url = format!("https://localhost:{port}/v3/pay");
    let sent = Http::default().send(request(&url)).await;
    assert_eq!(sent.map(|answer| answer.status), Err(HttpError::Connect("localhost".to_owned())));
    let url = format!("https://127.0.0.1:{port}/receiver");
    let sent = Receivers::default().post(&url, true, &[], Vec::new(), Duration::from_secs(2)).await;
    assert_eq!(sent, Err(EgressError::Connect));
    assert_eq!(read.load(Ordering::SeqCst), 0, "no byte of a request was handed out");
}

/// A plain server: `/away` sends elsewhere, `/large` answers more than a megabyte, `/full` exactly one.
async fn plain() -> (String, Arc<AtomicUsize>) {
    let elsewhere = Arc::new(AtomicUsize::new(0));
    let count = elsewhere.clone();
    let router = Router::new()
        .route("/away", post(|| async { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]) }))
        .route("/gone", post(|| async { (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response() }))
        .route("/large", post(|| async { "x".repeat((1 << 20) + 1) }))
        .route("/full", post(|| async { "x".repeat(1 << 20) }))
        .route(
            "/elsewhere",
            get({
                let count = count.clone();
                move || async move { count.fetch_add(1, Ordering::SeqCst).to_string() }
            })
            .post(move || async move { count.fetch_add(1, Ordering::SeqCst).to_string() }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    (base, elsewhere)
}

#[tokio::test]
async fn a_provider_that_sends_elsewhere_is_not_followed() {
    let (base, elsewhere) = plain().await;
    let http = Http::default();
    for (path, status) in [("/away", 307), ("/gone", 302)] {
        assert_eq!(http.send(request(&format!("{base}{path}"))).await.expect("an answer").status, status);
    }
    assert_eq!(elsewhere.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_of_more_than_a_megabyte_is_none() {
    let (base, _) = plain().await;
    let http = Http::default();
    assert_eq!(http.send(request(&format!("{base}/full"))).await.expect("an answer").body.len(), 1 << 20);
    let large = http.send(request(&format!("{base}/large"))).await;
    assert_eq!(large.map(|answer| answer.status), Err(HttpError::TooLarge("127.0.0.1".to_owned())));
}
