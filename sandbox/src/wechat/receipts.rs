//! Receipts of transfers: pages 4012716452 and 4012716436 of WeChat Pay.

use super::v3::{Cx, Refusal, Reply};
use crate::bills::Offered;
use crate::crypto;
use crate::faults::Misbehaviour;
use crate::ids;
use crate::provider::Provider;
use crate::transfers::{Transfer, TransferState};
use serde_json::{Value, json};

/// How long one is in the making, s.
const MADE_AFTER: u64 = 1;

fn find(cx: &Cx<'_>, transfers: &[Transfer], number: &str) -> Option<usize> {
    transfers.iter().position(|t| t.provider == Provider::Wxpay && t.merchant == cx.mchid() && t.number == number)
}

/// One is asked for.
pub(crate) fn apply(cx: &Cx<'_>) -> Reply {
    let body: Value = serde_json::from_slice(&cx.inbound.body).unwrap_or_default();
    let number = body["out_bill_no"].as_str().unwrap_or_default();
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let at = find(cx, &state.transfers, number);
    let at = at.ok_or_else(|| Refusal::new(404, "NOT_FOUND", "记录不存在", 268_512_771))?;
    let transfer = &mut state.transfers[at];
    if transfer.state != TransferState::Success || transfer.name.is_none() {
        return Err(Refusal::new(400, "INVALID_REQUEST", "单据不满足申请电子回单的条件", 268_435_461));
    }
    let asked = *transfer.receipt.get_or_insert(now);
    Ok(Some(json!({ "state": "GENERATING", "create_time": ids::rfc3339(asked) })))
}

/// How one stands, and where its file is.
pub(crate) fn query(cx: &Cx<'_>, number: &str) -> Reply {
    let now = cx.sandbox.now();
    let made_after = cx.sandbox.scaled_ms(MADE_AFTER);
    let mut state = cx.sandbox.state();
    let found = find(cx, &state.transfers, number).and_then(|at| state.transfers[at].receipt);
    let asked = found.ok_or_else(|| Refusal::new(404, "NOT_FOUND", "回单申请记录不存在", 268_512_771))?;
    let times = json!({ "create_time": ids::rfc3339(asked), "update_time": ids::rfc3339(now) });
    let mut answer = times;
    if now < asked + made_after {
        answer["state"] = json!("GENERATING");
        return Ok(Some(answer));
    }
    let bytes = format!("%PDF-1.4\n% receipt of {number}\n%%EOF\n").into_bytes();
    let hash = match cx.fault {
        Some(Misbehaviour::Contradict) => crypto::sha256_hex(b"another file"),
        _ => crypto::sha256_hex(&bytes),
    };
    let token = state.bills.offer(Offered { merchant: cx.mchid().to_owned(), until: now + 600_000, bytes });
    let host = cx.inbound.header("host").unwrap_or_default();
    answer["state"] = json!("FINISHED");
    answer["hash_type"] = json!("SHA256");
    answer["hash_value"] = json!(hash);
    answer["download_url"] = json!(format!("http://{host}/v3/billdownload/file?token={token}"));
    Ok(Some(answer))
}
