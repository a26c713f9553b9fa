//! The table of reply codes: number, HTTP status, and the text in both languages.
//!
//! VK-Pay's own codes keep their numbers and meaning (`docs/protocols/vkpay.md#codes`); the others are ours.
//! `docs/codes.md` is this table.

/// A reply code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The number in `code`.
    pub number: i64,
    /// The HTTP status that goes with it.
    pub status: u16,
    /// The text in Chinese.
    pub zh: &'static str,
    /// The text in English.
    pub en: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $status:literal, $zh:literal, $en:literal $(, $field:literal)?;)*) => {
        impl Code {
            $(
                $(#[$doc])*
                pub const $name: Self =
                    Self { number: $number, status: $status, zh: $zh, en: $en };
            )*

            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The field of the request that is at fault where nothing else is said; none where it is not about one field.
            pub const fn field(self) -> Option<&'static str> {
                match self.number {
                    $($number => codes!(@field $($field)?),)*
                    _ => None,
                }
            }
        }
    };
    (@field) => { None };
    (@field $field:literal) => { Some($field) };
}

codes! {
    /// Success.
    OK = 0, 200, "成功", "success";
    /// VK-Pay: no callback URL is configured.
    NOTIFY_URL = 101, 500, "未配置回调地址 notifyUrl", "no callback URL (notifyUrl) is configured";
    /// The body is no request.
    BAD_REQUEST = 400, 400, "请求格式错误", "the request is malformed";
    /// No credential, or a bad one.
    UNAUTHENTICATED = 401, 401, "未提供有效的身份凭证", "a valid credential is needed";
    /// A good credential that may not do this.
    FORBIDDEN = 403, 403, "没有权限", "not allowed";
    /// No such action here.
    UNKNOWN_ACTION = 404, 404, "接口不存在", "there is no such action";
    /// Not a POST.
    METHOD = 405, 405, "仅支持 POST", "only POST is served";
    /// A fault of ours.
    INTERNAL = 500, 500, "服务异常，请稍后再试", "something went wrong on our side";
    /// What the request is checked against cannot be reached.
    UNAVAILABLE = 503, 503, "服务暂不可用", "temporarily unavailable";
    /// VK-Pay: `out_trade_no`.
    OUT_TRADE_NO = 1001, 400, "out_trade_no 不能为空或格式错误", "out_trade_no is missing or malformed", "out_trade_no";
    /// VK-Pay: `type`.
    TYPE = 1002, 400, "type 或 custom 错误", "type or custom is not acceptable", "type";
    /// VK-Pay: `total_fee`.
    TOTAL_FEE = 1003, 400, "total_fee 必须为正整数，单位分（1 元为 100）", "total_fee must be a positive integer in fen (100 for 1.00 yuan)", "total_fee";
    /// VK-Pay: `subject`.
    SUBJECT = 1004, 400, "subject 不能为空或格式错误", "subject is missing or malformed", "subject";
    /// VK-Pay: `provider`.
    PROVIDER = 1005, 400, "provider 错误或未配置", "provider is unknown or not configured", "provider";
    /// VK-Pay: `openid`.
    OPENID = 1006, 400, "openid 不能为空", "openid is missing", "openid";
    /// VK-Pay: the amount of a transfer.
    TRANSFER_AMOUNT = 1007, 400, "transfer_amount 必须为正整数，单位分（1 元为 100）", "transfer_amount must be a positive integer in fen (100 for 1.00 yuan)", "transfer_amount";
    /// VK-Pay: it is too small.
    TRANSFER_TOO_SMALL = 1008, 400, "transfer_amount 不能小于 10 分", "transfer_amount must be at least 10 fen", "transfer_amount";
    /// VK-Pay: who gets a transfer.
    PAYEE = 1009, 400, "收款账号不能为空或格式错误", "the payee's account is missing or malformed", "payee_info.identity";
    /// VK-Pay: their real name.
    PAYEE_NAME = 1010, 400, "收款人真实姓名不能为空或格式错误", "the payee's real name is missing or malformed", "user_name";
    /// VK-Pay: `platform`.
    PLATFORM = 1011, 400, "platform 错误或未配置", "platform is unknown or not configured", "vk_platform";
    /// VK-Pay: who gets a transfer of WeChat Pay's.
    TRANSFER_OPENID = 1012, 400, "收款人 openid 不能为空或格式错误", "the payee's openid is missing or malformed", "openid";
    /// VK-Pay: the login code.
    LOGIN_CODE = 1013, 400, "code 不能为空", "code is missing", "code";
    /// VK-Pay: the receipt of an in-app purchase.
    RECEIPT = 1014, 400, "transaction_receipt 不能为空", "transaction_receipt is missing", "transaction_receipt";
    /// VK-Pay: the transaction of an in-app purchase.
    TRANSACTION = 1015, 400, "transaction_identifier 不能为空", "transaction_identifier is missing", "transaction_identifier";
    /// VK-Pay: the in-app purchase was not verified.
    PURCHASE = 1016, 422, "内购验证失败", "the in-app purchase was not verified";
    /// VK-Pay: `wxpay_virtual`.
    VIRTUAL = 1017, 400, "wxpay_virtual 不能为空", "wxpay_virtual is missing", "wxpay_virtual";
    /// VK-Pay: `wxpay_virtual.buy_quantity`.
    BUY_QUANTITY = 1018, 400, "wxpay_virtual.buy_quantity 必须为正整数且金额可整除", "wxpay_virtual.buy_quantity must be a positive integer whose price is whole fen", "wxpay_virtual.buy_quantity";
    /// VK-Pay: `wxpay_virtual.mode`.
    VIRTUAL_MODE = 1019, 400, "wxpay_virtual.mode 错误", "wxpay_virtual.mode is unknown", "wxpay_virtual.mode";
    /// The product of an in-app purchase.
    PRODUCT = 1020, 400, "商品不存在或与 total_fee 不一致", "the product is unknown or does not fit total_fee", "product_id";
    /// No session at the provider for this payer.
    SESSION = 1021, 409, "登录态已失效，请重新登录", "no live session for this openid, log in again";
    /// `return_url`.
    RETURN_URL = 1022, 400, "return_url 必须是 https 地址（本机可用 http）", "return_url must be https, or http to a loopback address", "return_url";
    /// Another field.
    FIELD = 1030, 400, "参数错误", "a field is malformed";
    /// `refund_fee`.
    REFUND_FEE = 1031, 400, "refund_fee 必须为正整数，单位分（1 元为 100），全额退款请不要传", "refund_fee must be a positive integer in fen (100 for 1.00 yuan); leave it out to refund all", "refund_fee";
    /// The number of a share or a return.
    SHARE_NUMBER = 1032, 400, "分账单号或回退单号错误", "the number of the share or return is missing or malformed", "out_order_no";
    /// VK-Pay: no such order.
    NO_ORDER = 2001, 404, "订单不存在", "there is no such order";
    /// VK-Pay: not paid. `queryPayment` answers it with HTTP 200, because it is a state, not a failure.
    NOT_PAID = 2002, 409, "订单未支付", "the order is not paid";
    /// VK-Pay: not refunded.
    NOT_REFUNDED = 2003, 404, "订单未退款", "there is no such refund";
    /// VK-Pay: the provider wants a pause.
    TOO_SOON = 2004, 409, "暂时不能退款，请稍后再试", "it cannot be refunded yet, try again in a minute";
    /// The provider has no such call.
    UNSUPPORTED = 2005, 422, "该支付渠道不支持此操作", "this provider cannot do that";
    /// A right transaction, but not of this order.
    OTHER_ORDER = 2006, 409, "该交易属于其他订单", "the transaction belongs to another order";
    /// The number has another content.
    ORDER_DIFFERS = 2010, 409, "订单号已存在且内容不一致", "the number belongs to an order with another content";
    /// The order is paid.
    ALREADY_PAID = 2011, 409, "订单已支付", "the order is paid already";
    /// The order is closed or expired.
    ORDER_CLOSED = 2012, 409, "订单已关闭", "the order is closed";
    /// The order is being changed by somebody else.
    BUSY = 2013, 409, "订单正在处理，请重试", "the order is being changed, try again";
    /// More than what is left.
    REFUND_EXCEEDS = 2014, 409, "退款金额超过可退金额", "more than what is left to refund";
    /// The refund number has another content.
    REFUND_DIFFERS = 2015, 409, "退款单号已存在且内容不一致", "the number belongs to another refund";
    /// The handler has done its work.
    ALREADY_HANDLED = 2016, 409, "订单已处理", "the order is handled already";
    /// No such incident.
    NO_INCIDENT = 2017, 404, "异常不存在", "there is no such incident";
    /// It is done with.
    INCIDENT_RESOLVED = 2018, 409, "异常已处理", "the incident is resolved already";
    /// It cannot be resolved so.
    INCIDENT_ACTION = 2019, 409, "该异常不能这样处理", "the incident cannot be resolved so";
    /// As many attempts as an order may have.
    TOO_MANY_ATTEMPTS = 2020, 409, "该订单的支付尝试次数已达上限，请新建订单", "the order has as many attempts as it may; create another order";
    /// As many refunds as an order may have.
    TOO_MANY_REFUNDS = 2021, 409, "该订单的退款次数已达上限", "the order has as many refunds as it may";
    /// The payer is paying at this moment.
    PAYING = 2022, 409, "用户正在支付，暂不能关闭，请稍后查询", "the payer is paying right now, so it cannot be closed; query again shortly";
    /// The refund is not one that the payer's account did not take.
    REFUND_NOT_STUCK = 2023, 409, "退款不在异常状态，不能发起异常退款", "the refund is not stuck, so it cannot be sent to a card";
    /// The number has another content.
    TRANSFER_DIFFERS = 2030, 409, "转账单号已存在且内容不一致", "the number belongs to a transfer with another content";
    /// It has ended.
    TRANSFER_ENDED = 2031, 409, "转账已结束，不能撤销", "the transfer has ended and cannot be cancelled";
    /// No room in the day's limits.
    TRANSFER_LIMIT = 2032, 403, "超过每日转账限额", "over the daily limit of transfers";
    /// The number has another content.
    AUTHORIZATION_DIFFERS = 2033, 409, "授权单号已存在且内容不一致", "the number belongs to an authorisation with another content";
    /// The payee has not given it, or it was closed.
    AUTHORIZATION_STATE = 2034, 409, "免确认收款授权未生效或已关闭", "the payee's authorisation is not in effect, or was closed";
    /// There can be no receipt of it.
    NO_RECEIPT = 2035, 409, "该转账没有电子回单", "there is no receipt of this transfer";
    /// What was reported was corrected already.
    SHIPPING_CORRECTED = 2040, 409, "发货信息已更正过一次，不能再次更正", "the shipping was corrected once already; the platform takes no further correction";
    /// It cannot be shipped, or received, as it stands.
    SHIPPING_STATE = 2041, 409, "订单当前状态不允许此发货操作", "the order's shipping does not allow this now";
    /// The platform does not have the payment yet.
    SHIPPING_NOT_YET = 2042, 409, "微信尚未收录该支付单，请一分钟后再试", "the platform does not have the payment yet, try again in a minute";
    /// No such complaint.
    NO_COMPLAINT = 2060, 404, "投诉单不存在", "there is no such complaint";
    /// It is done with, or stands otherwise than this needs.
    COMPLAINT_STATE = 2061, 409, "投诉单当前状态不允许此操作", "the complaint does not allow this now";
    /// The number has another content.
    SHARE_DIFFERS = 2050, 409, "分账单号或回退单号已存在且内容不一致", "the number belongs to another share or return";
    /// More than what is left.
    SHARE_EXCEEDS = 2051, 409, "分账金额超过可分金额", "more than what is left to share";
    /// The provider was not told that it may be shared, or sharing has ended.
    SHARE_STATE = 2052, 409, "订单当前状态不允许分账", "the order cannot be shared now";
    /// As many shares as an order may have.
    TOO_MANY_SHARES = 2053, 409, "该订单的分账次数已达上限", "the order has as many shares as it may";
    /// No such share.
    NO_SHARE = 2054, 404, "分账单不存在", "there is no such share";
    /// More than what the receiver has, or nothing that can be returned.
    RETURN_EXCEEDS = 2055, 409, "回退金额超过可回退金额", "more than what the receiver can return";
    /// A refund needs what receivers have, and not so much of it can be returned.
    REFUND_SHARED = 2056, 409, "退款金额中已有部分分账且不能回退", "part of the amount is shared and cannot be returned";
    /// VK-Pay: the provider gave no pay parameters.
    PROVIDER_REFUSED = 3001, 422, "支付渠道拒绝了请求", "the provider refused";
    /// The provider refused the refund.
    REFUND_REFUSED = 3002, 422, "支付渠道拒绝退款", "the provider refused the refund";
    /// The provider made no bill, or will not do what was asked of it.
    TRANSFER_REFUSED = 3003, 422, "支付渠道拒绝转账", "the provider refused the transfer";
    /// It ended without the payee having the money.
    TRANSFER_FAILED = 3004, 422, "转账未成功，请更换单号重试", "the transfer did not succeed, take a new number";
    /// The platform refused what was reported.
    SHIPPING_REFUSED = 3005, 422, "平台拒绝了发货信息", "the platform refused the shipping information";
    /// The provider takes no transfers from the address that the request came from; nothing was sent.
    CALLER_ADDRESS = 3013, 422, "支付渠道不接受本服务出口 IP 的请求，请在商户平台登记", "the provider takes no transfers from this service's address; register it with the provider";
    /// The provider refused what was to be done about a complaint.
    COMPLAINT_REFUSED = 3010, 422, "支付渠道拒绝了投诉处理", "the provider refused what was to be done about the complaint";
    /// The provider refused the share, the receiver or the return.
    SHARE_REFUSED = 3006, 422, "支付渠道拒绝了分账请求", "the provider refused the profit sharing";
    /// A share was not returned, and so the refund that needs it was not made.
    SHARE_NOT_RETURNED = 3007, 422, "分账回退失败，未退款", "a share was not returned, so nothing was refunded";
    /// The provider does not accept the set-up.
    PROVIDER_SETUP = 5020, 502, "支付渠道配置有误，请联系商户", "the provider does not accept the merchant's set-up";
    /// The outcome is not known.
    OUTCOME_UNKNOWN = 5040, 504, "支付渠道未返回明确结果，请稍后查询", "the provider has not given a clear result, query later";
}

/// Why a request failed: the public code with its public detail, and what only the log may see.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The code.
    pub code: Code,
    /// A public addition: the field's name, the provider's own words.
    pub says: Option<String>,
    /// The field of the request that is at fault.
    pub field: Option<Box<str>>,
    /// For the log.
    pub private: Option<String>,
    /// Result fields that go with it.
    pub data: Option<Box<serde_json::Map<String, serde_json::Value>>>,
}

impl Failure {
    /// A failure of that code.
    pub fn new(code: Code) -> Self {
        Self { code, says: None, field: code.field().map(Box::from), private: None, data: None }
    }

    /// Adds a public detail.
    #[must_use]
    pub fn says(mut self, says: impl Into<String>) -> Self {
        self.says = Some(says.into());
        self
    }

    /// Names the field of the request that is at fault.
    #[must_use]
    pub fn at(mut self, field: impl Into<Box<str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Adds a detail for the log.
    #[must_use]
    pub fn private(mut self, detail: impl Into<String>) -> Self {
        self.private = Some(detail.into());
        self
    }

    /// Adds a result field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.data.get_or_insert_default().insert(name.to_owned(), value.into());
        self
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}
