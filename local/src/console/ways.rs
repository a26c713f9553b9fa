//! The ways to pay: what a client of each kind sends to `createPayment`.

use super::text::Lang;
use serde_json::{Map, Value, json};
use shared::domain::Provider;

/// One way to pay.
pub struct Way {
    /// `wxpay_h5` …: the order's `pay_type`.
    pub id: &'static str,
    /// The provider.
    pub provider: Provider,
    zh: &'static str,
    en: &'static str,
    platform: &'static str,
    needs: Needs,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// The payer's id at the provider.
    Payer,
    /// That a QR code is wanted.
    Qr,
    /// The payer's pay code.
    Code,
    /// A product of an app store.
    Product,
    /// A fresh login code and a number of coins.
    Coins,
}

const fn way(
    id: &'static str,
    provider: Provider,
    platform: &'static str,
    needs: Needs,
    zh: &'static str,
    en: &'static str,
) -> Way {
    Way { id, provider, zh, en, platform, needs }
}

/// Those whose payment begins in the client's SDK, which takes `orderInfo`.
pub const fn begins_at_client(provider: Provider) -> bool {
    !matches!(provider, Provider::Wxpay | Provider::Alipay)
}

/// All ways, WeChat Pay first.
pub const WAYS: [Way; 23] = [
    way("wxpay_h5", Provider::Wxpay, "h5", Needs::Qr, "扫码 Native", "QR code (Native)"),
    way("wxpay_mp-weixin", Provider::Wxpay, "mp-weixin", Needs::Payer, "小程序", "Mini program"),
    way("wxpay_h5-weixin", Provider::Wxpay, "h5-weixin", Needs::Payer, "公众号 JSAPI", "Official account (JSAPI)"),
    way("wxpay_app-plus", Provider::Wxpay, "app-plus", Needs::Nothing, "App", "App"),
    way("wxpay_mweb", Provider::Wxpay, "mweb", Needs::Nothing, "手机浏览器 H5", "Mobile browser (H5)"),
    way("wxpay_codepay", Provider::Wxpay, "", Needs::Code, "付款码", "Pay code"),
    way("alipay_h5", Provider::Alipay, "h5", Needs::Qr, "扫码 预创建", "QR code (precreate)"),
    way("alipay_mp-alipay", Provider::Alipay, "mp-alipay", Needs::Payer, "小程序", "Mini program"),
    way("alipay_app-plus", Provider::Alipay, "app-plus", Needs::Nothing, "App", "App"),
    way("alipay_pc", Provider::Alipay, "pc", Needs::Nothing, "电脑网站", "Desktop page"),
    way("alipay_wap", Provider::Alipay, "wap", Needs::Nothing, "手机网站", "Mobile page (wap)"),
    way("alipay_codepay", Provider::Alipay, "", Needs::Code, "付款码", "Pay code"),
    way("appleiap_app-plus", Provider::Appleiap, "app-plus", Needs::Product, "App 内购", "App Store"),
    way("vkspay_h5", Provider::Vkspay, "h5", Needs::Qr, "扫码", "QR code"),
    way("vkspay_h5-weixin", Provider::Vkspay, "h5-weixin", Needs::Nothing, "公众号", "Official account"),
    way("vkspay_mweb", Provider::Vkspay, "mweb", Needs::Nothing, "手机浏览器", "Mobile browser"),
    way("vkspay_mp-weixin", Provider::Vkspay, "mp-weixin", Needs::Nothing, "微信小程序", "WeChat mini program"),
    way("vkspay_mp-alipay", Provider::Vkspay, "mp-alipay", Needs::Nothing, "支付宝小程序", "Alipay mini program"),
    way("vkspay_app-plus", Provider::Vkspay, "app-plus", Needs::Nothing, "App", "App"),
    way(
        "wxpay-virtual_mp-weixin",
        Provider::WxpayVirtual,
        "mp-weixin",
        Needs::Coins,
        "小程序代币",
        "Mini program, coins",
    ),
    way("douyin_mp-toutiao", Provider::Douyin, "mp-toutiao", Needs::Nothing, "小程序", "Mini program"),
    way("huawei_mp-harmony", Provider::Huawei, "mp-harmony", Needs::Nothing, "元服务", "Atomic service"),
    way("huawei_app-harmony", Provider::Huawei, "app-harmony", Needs::Nothing, "鸿蒙 App", "HarmonyOS app"),
];

/// The way of that `pay_type`.
pub fn find(id: &str) -> Option<&'static Way> {
    WAYS.iter().find(|way| way.id == id)
}

/// The provider at the sandbox.
pub fn at_sandbox(provider: Provider) -> sandbox::Provider {
    sandbox::Provider::parse(provider.name()).expect("the sandbox has every provider")
}

/// A provider's name.
pub fn provider_name(lang: Lang, provider: Provider) -> &'static str {
    match provider {
        Provider::Wxpay => lang.t("微信支付", "WeChat Pay"),
        Provider::Alipay => lang.t("支付宝", "Alipay"),
        Provider::Appleiap => lang.t("苹果内购", "Apple in-app purchase"),
        Provider::Vkspay => "VksPay",
        Provider::WxpayVirtual => lang.t("微信虚拟支付", "WeChat virtual payment"),
        Provider::Douyin => lang.t("抖音支付", "Douyin Pay"),
        Provider::Huawei => lang.t("华为支付", "Huawei Pay"),
    }
}

/// A `pay_type` in words.
pub fn name(lang: Lang, pay_type: &str) -> String {
    find(pay_type).map_or_else(
        || pay_type.to_owned(),
        |way| format!("{} · {}", provider_name(lang, way.provider), way.label(lang)),
    )
}

impl Way {
    /// The product's name.
    pub const fn label(&self, lang: Lang) -> &'static str {
        lang.t(self.zh, self.en)
    }

    /// Adds what a client of this kind sends. `code` is the payer's pay code where one was typed.
    pub fn fill(&self, data: &mut Map<String, Value>, code: Option<&str>) {
        let coins = data.get("total_fee").cloned().unwrap_or(json!(100));
        let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
        put("provider", json!(self.provider));
        if !self.platform.is_empty() {
            put("platform", json!(self.platform));
        }
        match (self.needs, self.provider) {
            (Needs::Nothing, _) => {}
            (Needs::Product, _) => drop(put("product_id", json!("demo.product"))),
            (Needs::Coins, _) => {
                put("code", json!("demo-login"));
                put("wxpay_virtual", json!({ "mode": "short_series_coin", "buy_quantity": coins }));
            }
            (Needs::Qr, _) => drop(put("needQRcode", json!(true))),
            (Needs::Payer, Provider::Alipay) => drop(put("openid", json!("2088102146225135"))),
            (Needs::Payer, _) => drop(put("openid", json!("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"))),
            // The simulated payers: this code's owner confirms in the wallet.
            (Needs::Code, Provider::Alipay) => drop(put("auth_code", json!(code.unwrap_or("284567890123456787")))),
            (Needs::Code, _) => drop(put("auth_code", json!(code.unwrap_or("134567890123456787")))),
        }
    }
}
