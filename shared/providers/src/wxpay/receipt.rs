//! Receipts (电子回单) of merchant transfers (`docs/protocols/merchant-operations.md#transfers-without-confirmation`).
//!
//! The answer that names the file is signed and has the file's SHA-256; the file itself is not signed, so the hash is what
//! makes it WeChat Pay's.

use super::failure::ours;
use super::signing;
use super::transfer::says_unknown;
use super::transport::{self, Ask, USER_AGENT, call};
use crate::bill::file_url;
use crate::common::url::segment;
use crate::wxpay::{V3, WxpayNode};
use crate::{CallError, ProviderClients, Receipt, TransferRequest};
use crypto::hash;
use http::Method;
use net::provider_http::Request;
use serde_json::{Value, json};

const RECEIPTS: &str = "/v3/fund-app/mch-transfer/elecsign/out-bill-no";
/// The most that a receipt may have, bytes: what a reply of a function can carry in base64.
const MOST: usize = 4 << 20;

/// The receipt of a transfer; it is asked for, where it was not yet.
pub(super) async fn receipt(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &TransferRequest<'_>,
) -> Result<Receipt, CallError> {
    let number = &request.transfer.out_bill_no;
    let target = format!("{RECEIPTS}/{}", segment(number));
    match call(clients, node, v3, Ask::get(&target), request.now).await {
        Ok(answer) => read(clients, node, v3, request, &answer).await,
        Err(CallError::Refused(refusal)) if says_unknown(&refusal.code) => {
            let body = json!({ "out_bill_no": number });
            let answer = call(clients, node, v3, Ask::json(RECEIPTS, &body), request.now).await?;
            read(clients, node, v3, request, &answer).await
        }
        Err(error) => Err(error),
    }
}

async fn read(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &TransferRequest<'_>,
    answer: &Value,
) -> Result<Receipt, CallError> {
    let text = |key: &str| answer.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    match text("state") {
        Some("FINISHED") => {}
        Some("FAILED") => return Ok(Receipt::Failed),
        Some("GENERATING") => return Ok(Receipt::Generating),
        _ => return Err(CallError::unknown("the answer has no state that is known")),
    }
    // An application for one that is made already is answered without its file.
    let (Some(kind), Some(wanted), Some(url)) = (text("hash_type"), text("hash_value"), text("download_url")) else {
        return Ok(Receipt::Generating);
    };
    if kind != "SHA256" {
        return Err(CallError::unknown("the file's hash is of a kind that is not known"));
    }
    let file = download(clients, node, v3, url, request).await?;
    let sha256 = hash::sha256_hex(&file);
    if !hash::same(&sha256, &wanted.to_ascii_lowercase()) {
        return Err(CallError::unknown("the file is not the one whose hash was signed"));
    }
    Ok(Receipt::Finished { file, sha256 })
}

async fn download(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    url: &str,
    request: &TransferRequest<'_>,
) -> Result<Vec<u8>, CallError> {
    let gateway = node.api_base.as_deref().unwrap_or(v3.scheme.host);
    let url = file_url(url, gateway).map_err(CallError::unknown)?;
    let line = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let (timestamp, nonce) = (request.now.secs(), crypto::nonce());
    let message = signing::request_message("GET", &line, timestamp, &nonce, b"");
    let signature = v3.private_key.sign(&message).map_err(|_| ours("SIGN", "the request cannot be signed"))?;
    let authorization =
        signing::authorization_of(v3.scheme, &node.mch_id, &v3.serial_no, timestamp, &nonce, &signature);
    let asked = Request {
        method: Method::GET,
        url: url.as_str(),
        headers: vec![
            ("accept", "*/*".to_owned()),
            ("user-agent", USER_AGENT.to_owned()),
            ("authorization", authorization),
        ],
        body: Vec::new(),
        identity: None,
    };
    let mut download = clients.http.download(asked, MOST).await.map_err(|e| transport::not_sent(&e))?;
    if download.status != 200 {
        return Err(CallError::unknown(format!("the file: HTTP {}", download.status)));
    }
    let mut file = Vec::new();
    while let Some(piece) = download.piece().await.map_err(|e| transport::not_sent(&e))? {
        file.extend(piece);
    }
    Ok(file)
}
