//! Calls of a provider that have no action of their own: what the configuration may allow of them, and what it never may
//! (`docs/requests.md`).
//!
//! What moves money must go through the ledger, so it is refused here whatever the configuration says. A target is
//! compared in one spelling only: what could be read in another way is refused before it is compared.

use config::Reader;
use domain::Provider;
use http::Method;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One call, as its caller names it, in the one spelling that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawTarget {
    /// A path of WeChat Pay's APIv3.
    Path {
        /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
        method: Method,
        /// From `/v3/` on, without a query.
        path: String,
    },
    /// A method of Alipay's gateway, or of `/xpay/` of virtual payment.
    Named(String),
}

/// One call.
pub struct RawRequest<'a> {
    /// Which.
    pub target: RawTarget,
    /// Its query or body, `biz_content` at Alipay.
    pub data: &'a Map<String, Value>,
}

/// What became of one.
#[derive(Debug)]
pub struct RawOutcome {
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The provider's number of the request (`Request-ID`, `trace_id`), where it gives one.
    pub request_id: Option<String>,
    /// The verified answer.
    pub answer: Result<Value, crate::CallError>,
}

impl RawOutcome {
    /// A call that was not made.
    pub fn not_made(error: crate::CallError) -> Self {
        Self { status: None, request_id: None, answer: Err(error) }
    }
}

/// The longest path or name, bytes.
const LONGEST: usize = 256;

impl RawTarget {
    /// Reads a target; `path` is what WeChat Pay has beside the verb.
    ///
    /// # Errors
    /// Which field is at fault, and what it must be.
    pub fn read(provider: Provider, method: &str, path: Option<&str>) -> Result<Self, (&'static str, &'static str)> {
        match provider {
            Provider::Wxpay => {
                let method = verb(method).ok_or(("method", "must be GET, POST, PUT, PATCH or DELETE"))?;
                let path = path.filter(|path| is_plain_path(path));
                let path = path.ok_or(("path", "must begin with /v3/ and hold letters, digits and - _ . ~ * | @ : only, no query, no escapes, no empty or dotted parts"))?;
                Ok(Self::Path { method, path: path.to_owned() })
            }
            Provider::Alipay | Provider::WxpayVirtual => {
                if path.is_some() {
                    return Err(("path", "belongs to wxpay only; the call is named by method"));
                }
                let is_name = if provider == Provider::Alipay { is_dotted } else { is_word };
                match is_name(method) {
                    true => Ok(Self::Named(method.to_owned())),
                    false if provider == Provider::Alipay => {
                        Err(("method", "must be a method such as alipay.trade.query"))
                    }
                    false => Err(("method", "must be a call below /xpay/, such as query_order")),
                }
            }
            Provider::Appleiap | Provider::Vkspay | Provider::Douyin | Provider::Huawei => {
                Err(("provider", "has no requests of this kind: wxpay, alipay and wxpay-virtual have"))
            }
        }
    }

    /// As a person reads it, and as the allow-list has it.
    pub fn text(&self) -> String {
        match self {
            Self::Path { method, path } => format!("{method} {path}"),
            Self::Named(name) => name.clone(),
        }
    }

    /// Whether this moves money, or makes what moves it: then it is never made here.
    pub fn moves_money(&self, provider: Provider) -> bool {
        match (self, provider) {
            (Self::Path { method, path }, _) => *method != Method::GET && path.split('/').any(is_money_part),
            (Self::Named(name), Provider::Alipay) => alipay_moves_money(name),
            (Self::Named(name), _) => !name.starts_with("query_"),
        }
    }
}

fn verb(text: &str) -> Option<Method> {
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE].into_iter().find(|verb| verb == text)
}

/// One spelling only: no escapes, no parts that a server could take away, nothing but ASCII.
fn is_plain_path(path: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.bytes().all(|b| b == b'.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~*|@:".contains(&b))
    };
    path.len() <= LONGEST && path.strip_prefix("/v3/").is_some_and(|rest| rest.split('/').all(part))
}

fn is_dotted(name: &str) -> bool {
    name.len() <= LONGEST && name.contains('.') && name.split('.').all(is_word)
}

fn is_word(word: &str) -> bool {
    let first = word.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    first && word.len() <= 64 && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A part of a path below which something is paid, sent back, shared or paid out, in any case.
fn is_money_part(part: &str) -> bool {
    const WHOLE: [&str; 2] = ["pay", "coupons"];
    const WITHIN: [&str; 17] = [
        "transaction",
        "refund",
        "transfer",
        "withdraw",
        "profitsharing",
        "payscore",
        "papay",
        "deduct",
        "debt",
        "fund-app",
        "redpack",
        "red-packet",
        "subsid",
        "recharge",
        "settlement",
        "stocks",
        "cancel-application",
    ];
    let part = part.to_ascii_lowercase();
    WHOLE.contains(&part.as_str()) || WITHIN.iter().any(|word| part.contains(word))
}

/// Of Alipay's namespaces in which money moves only the questions are left, and of the others what has no such word.
fn alipay_moves_money(name: &str) -> bool {
    const SPACES: [&str; 15] = [
        "alipay.trade.",
        "alipay.fund.",
        "alipay.marketing.",
        "alipay.ebpp.",
        "alipay.pay.",
        "alipay.pcredit.",
        "alipay.acquire.",
        "alipay.user.agreement.",
        "alipay.commerce.",
        "zhima.",
        "mybank.",
        "anttech.",
        "koubei.",
        "alipay.point.",
        "alipay.asset.",
    ];
    const WORDS: [&str; 13] = [
        "pay",
        "refund",
        "trans",
        "withdraw",
        "settle",
        "royalty",
        "deduct",
        "freeze",
        "coupon",
        "voucher",
        "redpacket",
        "deposit",
        "create",
    ];
    let asks = ["query", "batchquery"].contains(&name.rsplit('.').next().unwrap_or_default());
    let within = SPACES.iter().any(|space| name.starts_with(space));
    // The first part is the house: it is called alipay.
    let word = name.split('.').skip(1).any(|part| WORDS.iter().any(|word| part.contains(word)));
    !asks && (within || word)
}

/// What of a provider's calls the configuration allows: whole names, or what they begin with at a part's end.
#[derive(Debug, Clone, Default)]
pub struct AllowList(BTreeMap<Provider, Vec<Entry>>);

#[derive(Debug, Clone)]
struct Entry {
    /// For paths only.
    method: Option<Method>,
    prefix: String,
}

impl Entry {
    fn read(provider: Provider, text: &str) -> Result<Self, String> {
        let (method, prefix) = match (provider, text.split_once(' ')) {
            (Provider::Wxpay, Some((method, prefix))) => (method, prefix),
            (Provider::Wxpay, None) => {
                return Err("must be a verb and a path, such as \"GET /v3/merchant-service/\"".to_owned());
            }
            (_, _) => ("", text),
        };
        // An end at a part's end stands for all below it.
        let (end, name) = match provider {
            Provider::Wxpay => ("/", prefix.strip_suffix('/').unwrap_or(prefix)),
            _ => (".", prefix.strip_suffix('.').unwrap_or(prefix)),
        };
        let whole = match provider {
            Provider::Wxpay if name == "/v3" => return Err("must name more than /v3/".to_owned()),
            Provider::Wxpay => RawTarget::read(provider, method, Some(name)),
            // A namespace has no method yet.
            Provider::Alipay if prefix.ends_with('.') => RawTarget::read(provider, &format!("{name}.query"), None),
            _ => RawTarget::read(provider, name, None),
        };
        let target = whole.map_err(|(field, what)| format!("{field} {what}"))?;
        if target.moves_money(provider) {
            return Err(
                "moves money, which is never allowed here: it has an action of its own, or belongs into the console"
                    .to_owned(),
            );
        }
        let prefix = if prefix.ends_with(end) { format!("{name}{end}") } else { name.to_owned() };
        let method = match target {
            RawTarget::Path { method, .. } => Some(method),
            RawTarget::Named(_) => None,
        };
        Ok(Self { method, prefix })
    }

    fn permits(&self, target: &RawTarget) -> bool {
        let (method, name, end) = match target {
            RawTarget::Path { method, path } => (Some(method), path.as_str(), '/'),
            RawTarget::Named(name) => (None, name.as_str(), '.'),
        };
        let begins = name
            .strip_prefix(&self.prefix)
            .is_some_and(|rest| self.prefix.ends_with(end) || rest.is_empty() || end == '/' && rest.starts_with('/'));
        self.method.as_ref() == method && begins
    }
}

/// The providers that have calls of this kind.
const PROVIDERS: [Provider; 3] = [Provider::Wxpay, Provider::Alipay, Provider::WxpayVirtual];

impl AllowList {
    /// Reads `request` of a merchant: by provider, a list of texts.
    pub(crate) fn read(sections: &Reader<'_>) -> Self {
        let mut list = Self::default();
        let Some(section) = sections.object("request") else { return list };
        for provider in PROVIDERS {
            let mut entries = Vec::new();
            for (n, text) in section.texts(provider.name()).unwrap_or_default().iter().enumerate() {
                match Entry::read(provider, text.trim()) {
                    Ok(entry) => entries.push(entry),
                    Err(what) => section.fault(provider.name(), format!("entry {}: {what}", n + 1)),
                }
            }
            list.0.insert(provider, entries);
        }
        section.refuse_unknown();
        list
    }

    /// Whether a call may be made: it is allowed, and moves no money.
    pub fn permits(&self, provider: Provider, target: &RawTarget) -> bool {
        let entries = self.0.get(&provider).map(Vec::as_slice).unwrap_or_default();
        !target.moves_money(provider) && entries.iter().any(|entry| entry.permits(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Provider::{Alipay, Wxpay, WxpayVirtual};

    fn list(provider: Provider, entries: &[&str]) -> AllowList {
        let entries = entries.iter().map(|text| Entry::read(provider, text).expect("an entry")).collect();
        AllowList(BTreeMap::from([(provider, entries)]))
    }

    fn target(provider: Provider, method: &str, path: Option<&str>) -> RawTarget {
        RawTarget::read(provider, method, path).unwrap_or_else(|fault| panic!("{method} {path:?}: {fault:?}"))
    }

    #[test]
    fn a_prefix_ends_at_a_parts_end_and_counts_for_its_verb_only() {
        let allowed = list(
            Wxpay,
            &["GET /v3/merchant-service/", "GET /v3/certificates", "PUT /v3/merchant-service/complaint-notifications"],
        );
        for (method, path, may) in [
            ("GET", "/v3/merchant-service/complaints-v2", true),
            ("POST", "/v3/merchant-service/complaints-v2", false),
            ("PUT", "/v3/merchant-service/complaint-notifications", true),
            ("GET", "/v3/certificates", true),
            ("GET", "/v3/certificates/x", true),
            ("GET", "/v3/certificatesx", false),
            ("GET", "/v3/merchant-servicex/complaints-v2", false),
            ("GET", "/v3/Merchant-Service/complaints-v2", false),
        ] {
            assert_eq!(allowed.permits(Wxpay, &target(Wxpay, method, Some(path))), may, "{method} {path}");
        }
        let names = list(Alipay, &["alipay.trade.query", "alipay.security.risk."]);
        for (name, may) in [
            ("alipay.trade.query", true),
            ("alipay.trade.querys", false),
            ("alipay.security.risk.complaint.info.query", true),
            ("alipay.security.riskx.query", false),
        ] {
            assert_eq!(names.permits(Alipay, &target(Alipay, name, None)), may, "{name}");
        }
        assert!(
            !AllowList::default().permits(Alipay, &target(Alipay, "alipay.trade.query", None)),
            "nothing by default"
        );
    }

    #[test]
    fn what_a_server_could_read_in_another_way_is_no_path() {
        for path in [
            "/v3/x/../pay/transactions",
            "/v3/x/./y",
            "/v3/x/.../y",
            "/v3//pay",
            "/v3/x/",
            "/v3/",
            "/v3",
            "/V3/x",
            "v3/x",
            "//host/v3/x",
            "https://host/v3/x",
            "/v3/x%2e%2e/pay",
            "/v3/re%66und",
            "/v3/x?y=1",
            "/v3/x#y",
            "/v3/x\\..\\pay",
            "/v3/x;y",
            "/v3/x y",
            "/v3/x\n",
            "/v3/x\0",
            "/v3/ｒefund",
            "/v2/x",
        ] {
            assert!(RawTarget::read(Wxpay, "GET", Some(path)).is_err(), "{path:?}");
        }
        for method in ["get", "HEAD", "CONNECT", "TRACE", "OPTIONS", "GET ", "", "G\u{45}T\r\n"] {
            assert!(RawTarget::read(Wxpay, method, Some("/v3/x")).is_err(), "{method:?}");
        }
        for name in
            ["alipay", "alipay..query", "Alipay.trade.query", "alipay.trade.query ", "alipay.trade.query&x=1", ""]
        {
            assert!(RawTarget::read(Alipay, name, None).is_err(), "{name:?}");
        }
        for name in ["query_order/../refund_order", "query.order", "Query_order", ""] {
            assert!(RawTarget::read(WxpayVirtual, name, None).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_moves_money_is_never_allowed_in_any_case() {
        let refused: [(Provider, &str, Option<&str>); 27] = [
            (Wxpay, "POST", Some("/v3/pay/transactions/jsapi")),
            (Wxpay, "POST", Some("/v3/PAY/TRANSACTIONS/jsapi")),
            (Wxpay, "POST", Some("/v3/pay/partner/transactions/native")),
            (Wxpay, "POST", Some("/v3/pay/transactions/out-trade-no/T1/close")),
            (Wxpay, "POST", Some("/v3/combine-transactions/jsapi")),
            (Wxpay, "POST", Some("/v3/refund/domestic/refunds")),
            (Wxpay, "POST", Some("/v3/Refund/Domestic/Refunds")),
            (Wxpay, "POST", Some("/v3/refund/domestic/refunds/1/apply-abnormal-refund")),
            (Wxpay, "POST", Some("/v3/ecommerce/refunds/apply")),
            (Wxpay, "POST", Some("/v3/fund-app/mch-transfer/transfer-bills")),
            (Wxpay, "POST", Some("/v3/transfer/batches")),
            (Wxpay, "POST", Some("/v3/profitsharing/orders")),
            (Wxpay, "POST", Some("/v3/brand/profitsharing/orders")),
            (Wxpay, "POST", Some("/v3/ecommerce/fund/withdraw")),
            (Wxpay, "POST", Some("/v3/merchant/fund/withdraw")),
            (Wxpay, "POST", Some("/v3/payscore/serviceorder/1/complete")),
            (Wxpay, "POST", Some("/v3/marketing/favor/users/o1/coupons")),
            (Wxpay, "PUT", Some("/v3/apply4sub/sub_merchants/1/modify-settlement")),
            (Alipay, "alipay.trade.refund", None),
            (Alipay, "alipay.trade.create", None),
            (Alipay, "alipay.trade.pay", None),
            (Alipay, "alipay.trade.order.settle", None),
            (Alipay, "alipay.fund.trans.uni.transfer", None),
            (Alipay, "alipay.data.transfer.make", None),
            (WxpayVirtual, "refund_order", None),
            (WxpayVirtual, "currency_pay", None),
            (WxpayVirtual, "present_goods", None),
        ];
        for (provider, method, path) in refused {
            let target = target(provider, method, path);
            assert!(target.moves_money(provider), "{}", target.text());
            assert!(Entry::read(provider, &target.text()).is_err(), "{}", target.text());
        }
        let broad = list(Wxpay, &["POST /v3/marketing/"]);
        assert!(!broad.permits(Wxpay, &target(Wxpay, "POST", Some("/v3/marketing/favor/users/o1/coupons"))));
        for (provider, method, path) in [
            (Wxpay, "GET", Some("/v3/refund/domestic/refunds/R1")),
            (Wxpay, "POST", Some("/v3/merchant-service/complaints-v2/1/response")),
            (Alipay, "alipay.trade.query", None),
            (Alipay, "alipay.trade.order.settle.query", None),
            (Alipay, "alipay.data.dataservice.bill.downloadurl.query", None),
            (WxpayVirtual, "query_order", None),
        ] {
            let target = target(provider, method, path);
            assert!(!target.moves_money(provider), "{}", target.text());
        }
    }
}
