//! Why a host gives no answer: its name, the way to it, or its certificate.

use super::codes::Code;
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use shared::net::tls;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long each step may take.
const STEP: Duration = Duration::from_millis(900);

/// The code of what stands in the way, and words about it; nothing where a connection can be made.
pub(super) async fn obstacle(url: &str) -> Option<(Code, String)> {
    let Ok(url) = reqwest::Url::parse(url) else { return Some((Code::HostUnknown, String::new())) };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = addresses(&host, port).await;
    let Some(first) = addresses.first() else { return Some((Code::HostUnknown, host)) };
    let stream = match tokio::time::timeout(STEP, TcpStream::connect(first)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Some((Code::HostUnreachable, format!("{first}: {}", error.kind()))),
        Err(_) => return Some((Code::HostUnreachable, format!("{first}: timed out"))),
    };
    if url.scheme() != "https" {
        return None;
    }
    let Ok(name) = ServerName::try_from(host) else { return Some((Code::TlsFailed, String::new())) };
    let connector = TlsConnector::from(Arc::new(tls::config().clone()));
    match tokio::time::timeout(STEP, connector.connect(name, stream)).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some((of_tls(&error), error.to_string())),
        Err(_) => Some((Code::TlsFailed, "timed out".to_owned())),
    }
}

/// The addresses of a host; none where its name cannot be resolved in time.
pub(super) async fn addresses(host: &str, port: u16) -> Vec<SocketAddr> {
    match tokio::time::timeout(STEP, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

fn of_tls(error: &std::io::Error) -> Code {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(why)) = inner else { return Code::TlsFailed };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Code::TlsExpired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Code::TlsWrongHost,
        _ => Code::TlsUntrusted,
    }
}
