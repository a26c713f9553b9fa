//! `pay/code2Session`: a login code for the payer's id at the provider.

use super::{Context, Fields};
use config::DEFAULT_MERCHANT;
use domain::{Code, Failure, Provider};
use providers::CallError;
use providers::{Login, exchange};

/// Exchanges the login code of a request. `fixed` names provider and platform where the action does.
///
/// # Errors
/// 400 for a missing code or a provider that is not configured, 422 when the provider refuses the code, 504
/// when it does not answer.
pub async fn login(cx: &Context<'_>, fields: &Fields<'_>, fixed: Option<(Provider, &str)>) -> Result<Login, Failure> {
    let code = fields.text("code", 512)?.ok_or(Code::LOGIN_CODE)?;
    let named = fields.text("vk_platform", 32)?.or(fields.text("platform", 32)?).unwrap_or_default();
    let (provider, platform) = match fixed {
        Some(fixed) => fixed,
        None => (fields.provider()?.ok_or(Code::PROVIDER)?, named),
    };
    let merchant = cx
        .merchant(fields.text("pid", 64)?.unwrap_or(DEFAULT_MERCHANT))
        .await?
        .ok_or_else(|| Failure::new(Code::FIELD).says("pid"))?;
    let login = exchange(cx.clients, &merchant, provider, platform, code, cx.now()).await;
    login
        .ok_or_else(|| Failure::new(Code::PLATFORM).says(format!("{provider} {platform}")))?
        .map_err(CallError::for_client)
}
