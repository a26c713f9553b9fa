//! `pay/code2Session`: a login code for the payer's id at the provider.

use super::{Context, Fields};
use config::DEFAULT_MERCHANT;
use domain::{Code, Failure, Provider, fields as f};
use providers::CallError;
use providers::{Login, exchange};

/// Exchanges the login code of a request. `fixed` names provider and platform where the action does.
///
/// # Errors
/// 400 for a missing code or a provider that is not configured, 422 when the provider refuses the code, 504
/// when it does not answer.
pub async fn login(cx: &Context<'_>, fields: &Fields<'_>, fixed: Option<(Provider, &str)>) -> Result<Login, Failure> {
    let code = fields.needed_text(&f::LOGIN_CODE)?;
    let named = fields.text(&f::VK_PLATFORM)?.or(fields.text(&f::PLATFORM)?).unwrap_or_default();
    let (provider, platform) = match fixed {
        Some(fixed) => fixed,
        None => (fields.needed_provider()?, named),
    };
    let merchant = cx
        .merchant(fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT))
        .await?
        .ok_or_else(|| f::PID.wrong("names no merchant of the configuration"))?;
    let login = exchange(cx.clients, &merchant, provider, platform, code, cx.now()).await;
    login
        .ok_or_else(|| Failure::new(Code::PLATFORM).says(format!("{provider} {platform}")))?
        .map_err(CallError::for_client)
}
