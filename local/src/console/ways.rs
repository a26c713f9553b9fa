//! The providers as the console shows them, and the ways to pay: what a client of each kind sends to `createPayment`.

use super::text::Lang;
use Needs::{Code, Coins, Nothing, Payer, Product, Qr};
use serde_json::{Map, Value, json};
use shared::domain::Provider;
use shared::domain::action::Queries;

/// A provider as the console shows it.
pub(super) struct Face {
    zh: &'static str,
    en: &'static str,
    /// The ways to pay there.
    pub ways: &'static [Way],
    /// The payer's wallet opens a text: an order string, or a page's URL.
    pub carries_text: bool,
    /// What the app brings to the server after a purchase, if it does.
    pub proof: Option<Proof>,
}

/// A proof of purchase.
pub(super) struct Proof {
    /// Takes it.
    pub action: Queries,
    /// Its fields, and what they are in the SDK's result.
    pub fields: &'static [(&'static str, &'static str)],
}

/// One way to pay.
pub(super) struct Way {
    /// `wxpay_h5` …: the order's `pay_type`.
    pub id: &'static str,
    zh: &'static str,
    en: &'static str,
    platform: &'static str,
    needs: Needs,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// The payer's id at the provider.
    Payer(&'static str),
    /// That a QR code is wanted.
    Qr,
    /// The payer's pay code; of the simulated payers, this code's owner confirms in the wallet.
    Code(&'static str),
    /// A product of an app store.
    Product,
    /// A fresh login code and a number of coins.
    Coins,
}

const fn way(id: &'static str, platform: &'static str, needs: Needs, zh: &'static str, en: &'static str) -> Way {
    Way { id, zh, en, platform, needs }
}

const WXPAY: Face = Face {
    zh: "微信支付",
    en: "WeChat Pay",
    ways: &[
        way("wxpay_h5", "h5", Qr, "扫码 Native", "QR code (Native)"),
        way("wxpay_mp-weixin", "mp-weixin", Payer("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"), "小程序", "Mini program"),
        way(
            "wxpay_h5-weixin",
            "h5-weixin",
            Payer("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"),
            "公众号 JSAPI",
            "Official account (JSAPI)",
        ),
        way("wxpay_app-plus", "app-plus", Nothing, "App", "App"),
        way("wxpay_mweb", "mweb", Nothing, "手机浏览器 H5", "Mobile browser (H5)"),
        way("wxpay_codepay", "", Code("134567890123456787"), "付款码", "Pay code"),
    ],
    carries_text: false,
    proof: None,
};

const ALIPAY: Face = Face {
    zh: "支付宝",
    en: "Alipay",
    ways: &[
        way("alipay_h5", "h5", Qr, "扫码 预创建", "QR code (precreate)"),
        way("alipay_mp-alipay", "mp-alipay", Payer("2088102146225135"), "小程序", "Mini program"),
        way("alipay_app-plus", "app-plus", Nothing, "App", "App"),
        way("alipay_pc", "pc", Nothing, "电脑网站", "Desktop page"),
        way("alipay_wap", "wap", Nothing, "手机网站", "Mobile page (wap)"),
        way("alipay_codepay", "", Code("284567890123456787"), "付款码", "Pay code"),
    ],
    carries_text: true,
    proof: None,
};

const APPLEIAP: Face = Face {
    zh: "苹果内购",
    en: "Apple in-app purchase",
    ways: &[way("appleiap_app-plus", "app-plus", Product, "App 内购", "App Store")],
    carries_text: false,
    proof: Some(Proof {
        action: Queries::VerifyReceipt,
        fields: &[("transaction_receipt", "transactionReceipt"), ("transaction_identifier", "transactionIdentifier")],
    }),
};

const VKSPAY: Face = Face {
    zh: "VksPay",
    en: "VksPay",
    ways: &[
        way("vkspay_h5", "h5", Qr, "扫码", "QR code"),
        way("vkspay_h5-weixin", "h5-weixin", Nothing, "公众号", "Official account"),
        way("vkspay_mweb", "mweb", Nothing, "手机浏览器", "Mobile browser"),
        way("vkspay_mp-weixin", "mp-weixin", Nothing, "微信小程序", "WeChat mini program"),
        way("vkspay_mp-alipay", "mp-alipay", Nothing, "支付宝小程序", "Alipay mini program"),
        way("vkspay_app-plus", "app-plus", Nothing, "App", "App"),
    ],
    carries_text: false,
    proof: None,
};

const WXPAY_VIRTUAL: Face = Face {
    zh: "微信虚拟支付",
    en: "WeChat virtual payment",
    ways: &[way("wxpay-virtual_mp-weixin", "mp-weixin", Coins, "小程序代币", "Mini program, coins")],
    carries_text: false,
    proof: None,
};

const DOUYIN: Face = Face {
    zh: "抖音支付",
    en: "Douyin Pay",
    ways: &[way("douyin_mp-toutiao", "mp-toutiao", Nothing, "小程序", "Mini program")],
    carries_text: false,
    proof: None,
};

const HUAWEI: Face = Face {
    zh: "华为支付",
    en: "Huawei Pay",
    ways: &[
        way("huawei_mp-harmony", "mp-harmony", Nothing, "元服务", "Atomic service"),
        way("huawei_app-harmony", "app-harmony", Nothing, "鸿蒙 App", "HarmonyOS app"),
    ],
    carries_text: false,
    proof: None,
};

/// A provider as the console shows it.
pub(super) const fn face(provider: Provider) -> &'static Face {
    match provider {
        Provider::Wxpay => &WXPAY,
        Provider::Alipay => &ALIPAY,
        Provider::Appleiap => &APPLEIAP,
        Provider::Vkspay => &VKSPAY,
        Provider::WxpayVirtual => &WXPAY_VIRTUAL,
        Provider::Douyin => &DOUYIN,
        Provider::Huawei => &HUAWEI,
    }
}

/// All ways, the providers' in their order.
fn all() -> impl Iterator<Item = (Provider, &'static Way)> {
    Provider::ALL.into_iter().flat_map(|provider| face(provider).ways.iter().map(move |way| (provider, way)))
}

/// Those that pay by a QR code on a page.
pub(super) fn by_qr_code() -> impl Iterator<Item = Provider> {
    Provider::ALL.into_iter().filter(|provider| face(*provider).ways.iter().any(|way| way.needs == Qr))
}

/// Adds what a client of the way with this `pay_type` sends, if there is such a way. `code` is the payer's pay code
/// where one was typed.
pub(super) fn fill(pay_type: &str, data: &mut Map<String, Value>, code: Option<&str>) {
    let Some((provider, way)) = all().find(|(_, way)| way.id == pay_type) else { return };
    let coins = data.get("total_fee").cloned().unwrap_or(json!(100));
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("provider", json!(provider));
    if !way.platform.is_empty() {
        put("platform", json!(way.platform));
    }
    match way.needs {
        Nothing => {}
        Product => drop(put("product_id", json!("demo.product"))),
        Coins => {
            put("code", json!("demo-login"));
            put("wxpay_virtual", json!({ "mode": "short_series_coin", "buy_quantity": coins }));
        }
        Qr => drop(put("needQRcode", json!(true))),
        Payer(id) => drop(put("openid", json!(id))),
        Code(usual) => drop(put("auth_code", json!(code.unwrap_or(usual)))),
    }
}

/// The simulated payer's id at the provider of the way with this `pay_type`.
pub(super) fn payer(pay_type: &str) -> Option<&'static str> {
    all().find(|(_, way)| way.id == pay_type).and_then(|(_, way)| match way.needs {
        Payer(id) => Some(id),
        _ => None,
    })
}

/// The provider at the sandbox.
pub(super) fn at_sandbox(provider: Provider) -> sandbox::Provider {
    sandbox::Provider::parse(provider.name()).expect("the sandbox has every provider")
}

/// A provider's name.
pub(super) const fn provider_name(lang: Lang, provider: Provider) -> &'static str {
    let face = face(provider);
    lang.t(face.zh, face.en)
}

/// A `pay_type` in words.
pub(super) fn name(lang: Lang, pay_type: &str) -> String {
    all().find(|(_, way)| way.id == pay_type).map_or_else(
        || pay_type.to_owned(),
        |(provider, way)| format!("{} · {}", provider_name(lang, provider), way.label(lang)),
    )
}

impl Way {
    /// The product's name.
    pub(super) const fn label(&self, lang: Lang) -> &'static str {
        lang.t(self.zh, self.en)
    }
}
