//! Which product of a provider a request means.

use super::Fields;
use config::Merchant;
use domain::{Code, Failure, Provider};

/// The configuration node for a client, as VK-Pay derives it (`docs/protocols/vkpay.md#which-node`).
pub(super) fn node_of(
    provider: Provider,
    platform: &str,
    user_agent: &str,
    has_openid: bool,
    fields: &Fields<'_>,
    merchant: &Merchant,
) -> Result<&'static str, Failure> {
    let wants_qr = fields.flag("isPC")
        || fields.flag("needQRcode")
        || fields.text("needQRcode", 16).ok().flatten() == Some("image");
    let app_to_qr = fields.flag("alipayAppPayToH5Pay") || merchant.alipay_app_pay_to_h5_pay;
    let agent = user_agent.to_ascii_lowercase();
    let in_wechat = agent.contains("micromessenger");
    let on_phone = ["iphone", "android", "mobile", "harmony"].iter().any(|word| agent.contains(word));
    let web = matches!(platform, "h5" | "web" | "");
    let node = match (provider, platform) {
        (Provider::Appleiap, "" | "app-plus" | "app" | "app-ios") => "app-plus",
        (Provider::WxpayVirtual, "" | "mp-weixin") => "mp-weixin",
        (Provider::Douyin, _) => "mp-toutiao",
        (Provider::Huawei, "mp-harmony" | "mp") => "mp-harmony",
        (Provider::Huawei, "app-harmony" | "app") => "app-harmony",
        (Provider::Huawei, "") if merchant.huawei.len() == 1 && merchant.huawei.contains_key("mp-harmony") => {
            "mp-harmony"
        }
        (Provider::Huawei, "") if merchant.huawei.len() == 1 => "app-harmony",
        (Provider::Appleiap | Provider::WxpayVirtual | Provider::Huawei, _) => {
            return Err(Failure::new(Code::PLATFORM).says(platform));
        }
        (Provider::Vkspay, "mp-weixin") if !wants_qr => "mp-weixin",
        (Provider::Vkspay, "mp-alipay") if !wants_qr => "mp-alipay",
        (Provider::Vkspay, "h5-weixin") if !wants_qr => "h5-weixin",
        (Provider::Vkspay, "mweb") if !wants_qr => "mweb",
        (Provider::Vkspay, _) if web && !wants_qr && in_wechat => "h5-weixin",
        (Provider::Vkspay, _) if web && !wants_qr && on_phone => "mweb",
        (Provider::Alipay, "pc") if !wants_qr => "pc",
        (Provider::Alipay, "wap") if !wants_qr => "wap",
        (_, "pc") => "h5",
        _ if wants_qr => "h5",
        (Provider::Wxpay, "") if has_openid => "mp-weixin",
        (Provider::Alipay, "") if has_openid => "mp-alipay",
        (Provider::Wxpay, _) if web && in_wechat => "h5-weixin",
        (Provider::Wxpay, _) if web && on_phone => "mweb",
        (_, _) if web => "h5",
        (Provider::Wxpay, "mp-weixin") => "mp-weixin",
        (Provider::Wxpay, "h5-weixin") => "h5-weixin",
        (Provider::Wxpay, "mweb") => "mweb",
        (Provider::Alipay, "mp-alipay") => "mp-alipay",
        (Provider::Alipay, "app-plus" | "app" | "app-android" | "app-ios" | "app-harmony") if app_to_qr => "h5",
        (_, "app-plus" | "app" | "app-android" | "app-ios" | "app-harmony") => "app-plus",
        _ => return Err(Failure::new(Code::PLATFORM).says(platform)),
    };
    Ok(node)
}
