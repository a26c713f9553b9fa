//! The payer's session key: kept sealed in the table under app and openid, and never handed out.

use crate::Login;
use crate::common::wechat_login::{App, session_name};
use crate::virtual_pay::VirtualNode;
use crate::{CallError, ProviderClients};
use domain::{Code, Failure, Secret, TokenStoreError, UnixMs};

/// The live session key of a payer.
pub(super) async fn live(
    clients: &ProviderClients,
    node: &VirtualNode,
    openid: &str,
    now: UnixMs,
) -> Result<Option<Secret>, TokenStoreError> {
    clients.tokens.get(&session_name(&node.app_id, openid), &node.secret, now).await
}

/// The payer of a request: from a fresh login code, else the one that is named, with a live session.
pub(crate) async fn payer(
    clients: &ProviderClients,
    node: &VirtualNode,
    openid: Option<&str>,
    code: Option<&str>,
    now: UnixMs,
) -> Result<String, Failure> {
    let openid = match code {
        Some(code) => {
            match app(node).session(clients, code, node.session_ttl, now).await.map_err(CallError::for_client)? {
                Login { openid: own, .. } if openid.is_none_or(|named| named == own) => own,
                _ => return Err(Failure::new(Code::OPENID).says("openid is another payer's than code")),
            }
        }
        None => openid.ok_or(Code::OPENID)?.to_owned(),
    };
    match live(clients, node, &openid, now).await {
        Ok(Some(_)) => Ok(openid),
        Ok(None) => Err(Code::SESSION.into()),
        Err(error) => Err(Failure::new(Code::INTERNAL).private(error.to_string())),
    }
}

/// The mini program of a node.
pub(super) fn app(node: &VirtualNode) -> App<'_> {
    App { base: node.api_base.as_ref(), app_id: &node.app_id, secret: &node.secret }
}
