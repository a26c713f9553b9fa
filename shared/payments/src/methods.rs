//! `pay/methods`: by which wallets a client can pay. It tells what is configured for the kind of client that asks, and
//! nothing of any order, account or key.

use super::{Caller, Context, Fields};
use config::DEFAULT_MERCHANT;
use domain::{Code, Failure, Provider, fields as f};
use providers::{Client, Gateway};

/// One way to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Who is asked for the money.
    pub provider: Provider,
    /// What an order's `pay_type` will be.
    pub pay_type: String,
    /// What `createPayment` is to be sent as `vk_platform`.
    pub platform: String,
    /// Whether the order has to name the payer (`openid`).
    pub needs_openid: bool,
}

/// The ways of the client that asks, in the providers' order, at most one for each provider.
///
/// # Errors
/// [`Code::FORBIDDEN`] for a merchant that the caller may not choose, the field's code for what is malformed.
pub async fn methods(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
    user_agent: &str,
) -> Result<Vec<Method>, Failure> {
    let pid = fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT);
    if pid != DEFAULT_MERCHANT && !caller.trusted && !cx.config.auth.client_may_choose.allows("pid") {
        return Err(Failure::new(Code::FORBIDDEN).at("pid").says("pid"));
    }
    let merchant = cx.merchant(pid).await?.ok_or_else(|| f::PID.wrong("names no merchant of the configuration"))?;
    let platform = fields.text(&f::VK_PLATFORM)?.or(fields.text(&f::PLATFORM)?).unwrap_or("h5");
    let client = Client {
        platform,
        user_agent: user_agent.to_ascii_lowercase(),
        has_openid: false,
        wants_qr: fields.flag(&f::IS_PC),
        app_to_qr: merchant.app_to_qr,
    };
    let offered = Provider::ALL.into_iter().filter_map(|provider| {
        let (_, node, platform) = Gateway::offered(provider, &client, &merchant)?;
        Some(Method {
            provider,
            pay_type: format!("{provider}_{node}"),
            platform: platform.to_owned(),
            needs_openid: Gateway::needs_openid(provider, node),
        })
    });
    Ok(offered.collect())
}
