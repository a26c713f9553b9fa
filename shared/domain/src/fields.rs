//! The fields that each action reads from `data`. What is not in the table of an action is not read by it, and
//! `docs/openapi.json` is made of it.

use super::action::{Action, Logins, Payments, Queries, Refunds, Transfers};
use super::field::Shape::{Checked, Choice, Fen, Flag, Integer, Lenient, Number, Object, Refused, Text};
use super::field::{Field, Shape};
use super::{Code, IDENTITY_TYPES, RECEIVER_TYPES, RELATION_TYPES};

/// Who is asked for the money.
pub const PROVIDER: Field = Field::new("provider", Shape::Provider).code(Code::PROVIDER);
/// The merchant.
pub const PID: Field = Field::new("pid", Text(64));
/// The client's platform.
pub const VK_PLATFORM: Field = Field::new("vk_platform", Text(32));
/// The same by its older name.
pub const PLATFORM: Field = Field::new("platform", Text(32));
/// The client's application.
pub const VK_APPID: Field = Field::new("vk_appid", Text(64));
/// The payer's address, where a server calls for them.
pub const CLIENT_IP: Field = Field::new("client_ip", Checked("one IP address, the payer's"));
/// The payer's browser, where a server calls for them.
pub const CLIENT_UA: Field = Field::new("client_ua", Lenient("the payer's User-Agent"));

/// An order's number.
pub const OUT_TRADE_NO: Field = Field::new("out_trade_no", Number).code(Code::OUT_TRADE_NO);
/// An order's amount.
pub const TOTAL_FEE: Field = Field::new("total_fee", Fen).code(Code::TOTAL_FEE);
/// What the payer sees.
pub const SUBJECT: Field = Field::new("subject", Text(256)).code(Code::SUBJECT);
/// An order's type.
pub const TYPE: Field = Field::new("type", Text(64)).code(Code::TYPE);
/// Data for the handler.
pub const CUSTOM: Field = Field::new("custom", Object).code(Code::TYPE);
/// The payer in the merchant's books.
pub const USER_ID: Field = Field::new("user_id", Text(128));
/// Their name there.
pub const NICKNAME: Field = Field::new("nickname", Text(128));
/// The payer at the provider.
pub const OPENID: Field = Field::new("openid", Text(128)).code(Code::OPENID);
/// Whether a QR code is wanted.
pub const NEED_QRCODE: Field = Field::new("needQRcode", Lenient("true, false or \"image\""));
/// Whether the client is a desktop.
pub const IS_PC: Field = Field::new("isPC", Flag);
/// Whether Alipay's QR product stands in for its app product.
pub const APP_TO_QR: Field = Field::new("alipayAppPayToH5Pay", Flag);
/// A pay code.
pub const AUTH_CODE: Field = Field::new("auth_code", Text(64));
/// The shop of a pay code.
pub const STORE_ID: Field = Field::new("store_id", Text(32));
/// When an order ends.
pub const TIME_EXPIRE: Field =
    Field::new("time_expire", Integer { least: 1, most: 9_999_999_999_999, unit: Some(MILLISECONDS) });
/// Where the payer comes back to.
pub const RETURN_URL: Field = Field::new("return_url", Text(512)).code(Code::RETURN_URL);
/// Further parameters for the provider.
pub const OTHER: Field = Field::new("other", Object);
/// Partner mode: the sub-merchant.
pub const SUB_MCHID: Field = Field::new("sub_mchid", Text(32));
/// Partner mode: its application.
pub const SUB_APPID: Field = Field::new("sub_appid", Text(32));
/// What is bought in a store.
pub const PRODUCT_ID: Field =
    Field::new("product_id", Checked("a product that is configured, 1 to 255 characters")).code(Code::PRODUCT);
/// How many of it.
pub const QUANTITY: Field = Field::new("quantity", Integer { least: 1, most: 9_999, unit: None }).code(Code::PRODUCT);
/// What virtual payment sells.
pub const WXPAY_VIRTUAL: Field = Field::new("wxpay_virtual", Object).code(Code::VIRTUAL);
/// A login code.
pub const CODE: Field = Field::new("code", Text(512));
/// Huawei's kind of business.
pub const BIZ_TYPE: Field = Field::new("biz_type", Checked("1 to 16 digits"));
/// How a payer of VksPay pays.
pub const PROVIDER_PAY_METHOD: Field = Field::new("provider_pay_method", Choice(&["wxpay", "alipay", "auto"]));
/// A signed quote.
pub const QUOTE: Field =
    Field::new("quote", Checked("a JWT that the merchant's server has signed")).code(Code::FORBIDDEN);

/// The provider's number of a payment.
pub const TRANSACTION_ID: Field = Field::new("transaction_id", Text(64)).code(Code::OUT_TRADE_NO);
/// Whether to wait for the handler.
pub const AWAIT_NOTIFY: Field = Field::new("await_notify", Flag);
/// For how long.
pub const AWAIT_MAX_TIME: Field = Field::new("await_max_time", Integer { least: 5, most: 40, unit: Some("seconds") });
/// Whether the order is answered too.
pub const PAY_ORDER_INFO: Field = Field::new("pay_order_info", Flag);
/// How an order stands.
pub const ORDER_STATUS: Field =
    Field::new("status", Checked("one of NOTPAY, SUCCESS, REFUND, CLOSED, or an integer from -1 to 3"));
/// The type of orders that are wanted.
pub const WANTED_TYPE: Field = Field::new("type", Text(64));
const DAY_SHAPE: Shape = Checked("a day in Asia/Shanghai, YYYY-MM-DD");
/// The day on which orders were paid.
pub const DAY: Field = Field::new("day", DAY_SHAPE);
/// The first of several days.
pub const FROM: Field = Field::new("from", DAY_SHAPE);
/// The last of them.
pub const TO: Field = Field::new("to", DAY_SHAPE);
/// The merchant in the configuration whose orders are wanted.
pub const MERCHANT: Field = Field::new("merchant", Text(64));
/// How the orders that are wanted stand.
pub const TRADE_STATE: Field = Field::new("trade_state", Choice(&["NOTPAY", "SUCCESS", "REFUND", "CLOSED"]));
/// How many rows a page has.
pub const PAGE_SIZE: Field = Field::new("pageSize", Integer { least: 1, most: 100, unit: Some("rows") });
/// Where the next page begins.
pub const CURSOR: Field = Field::new("cursor", Text(1024));
/// How an incident stands.
pub const INCIDENT_STATUS: Field = Field::new("status", Choice(&["open", "resolved"]));
/// What kind of incident.
pub const INCIDENT: Field = Field::new("incident", Text(32));
/// An incident's id.
pub const INCIDENT_ID: Field = Field::new("incident_id", Text(64));
/// What is decided about it.
pub const INCIDENT_ACTION: Field = Field::new("action", Choice(&["accept", "refund", "close"]));
/// Why.
pub const NOTE: Field = Field::new("note", Text(200));

const PROOF: Shape = Lenient("a text from the store");
/// A transaction that Apple or Huawei has signed.
pub const SIGNED_TRANSACTION: Field = Field::new("signed_transaction", PROOF).code(Code::RECEIPT);
/// The same by its other name.
pub const SIGNED_TRANSACTION_CAMEL: Field = Field::new("signedTransaction", PROOF).code(Code::RECEIPT);
/// The number of a purchase at Huawei.
pub const PURCHASE_ORDER_ID: Field = Field::new("purchase_order_id", PROOF).code(Code::RECEIPT);
/// Its token.
pub const PURCHASE_TOKEN: Field = Field::new("purchase_token", PROOF).code(Code::RECEIPT);
/// Apple's receipt.
pub const TRANSACTION_RECEIPT: Field = Field::new("transaction_receipt", PROOF).code(Code::RECEIPT);
/// Which transaction of it.
pub const TRANSACTION_IDENTIFIER: Field = Field::new("transaction_identifier", PROOF).code(Code::TRANSACTION);

/// A refund's number.
pub const OUT_REFUND_NO: Field = Field::new("out_refund_no", Number);
/// Its amount.
pub const REFUND_FEE: Field = Field::new("refund_fee", Fen).code(Code::REFUND_FEE);
/// The reply's spelling of it, which would else mean that no amount is named: all of it.
pub const REFUND_FEE_CAMEL: Field =
    Field::new("refundFee", Refused("the amount is named refund_fee")).code(Code::REFUND_FEE);
/// Why.
pub const REFUND_DESC: Field = Field::new("refund_desc", Text(80));

/// Where a refund goes that the payer's account did not take.
pub const REFUND_CARD: Field = Field::new("type", Choice(&["USER_BANK_CARD", "MERCHANT_BANK_CARD"]));
/// The payer's bank, by WeChat Pay's word.
pub const BANK_TYPE: Field = Field::new("bank_type", Text(16));
/// The number of the payer's card.
pub const BANK_ACCOUNT: Field = Field::new("bank_account", Text(32));
/// Who holds it.
pub const CARD_HOLDER: Field = Field::new("real_name", Text(64));

/// How what was paid for reaches the payer: 1 express, 2 within the city, 3 virtual, 4 pick-up.
pub const LOGISTICS_TYPE: Field = Field::new("logistics_type", Integer { least: 1, most: 4, unit: None });
/// Whether it goes as one parcel (1) or several (2).
pub const DELIVERY_MODE: Field = Field::new("delivery_mode", Integer { least: 1, most: 2, unit: None });
/// Whether several parcels are all of them.
pub const IS_ALL_DELIVERED: Field = Field::new("is_all_delivered", Checked("true or false"));
/// The parcels.
pub const SHIPPING_LIST: Field = Field::new("shipping_list", Checked("a list of 1 to 15 parcels"));
/// When the carrier has handed it over.
pub const RECEIVED_TIME: Field =
    Field::new("received_time", Integer { least: 1, most: 9_999_999_999_999, unit: Some(MILLISECONDS) });

/// A complaint, by the provider's id of it.
pub const COMPLAINT_ID: Field = Field::new("complaint_id", Text(64));
/// How complaints stand that are wanted.
pub const COMPLAINT_STATE: Field = Field::new("state", Choice(&["pending", "processing", "processed"]));
/// What the payer is answered; Alipay's `remark`.
pub const RESPONSE_CONTENT: Field = Field::new("response_content", Text(500));
/// Pictures of the answer, by the provider's ids of them.
pub const RESPONSE_IMAGES: Field = Field::new(
    "response_images",
    Checked("a list of 1 to 4 ids of pictures that were uploaded at the provider, texts of at most 256 characters"),
);
/// How the merchant has dealt with a complaint, in Alipay's words.
pub const PROCESS_CODE: Field = Field::new(
    "process_code",
    Choice(&["CONSENSUS_WITH_CLIENT", "RECTIFICATION_NO_REFUND", "REFUND", "SUBMIT_PROOF_NOT_CONTACTED", "ORTHER"]),
);

/// A share's number; of the end of sharing too.
pub const OUT_ORDER_NO: Field =
    Field::new("out_order_no", Checked("a text of 1 to 64 letters, digits and _ - | * @")).code(Code::SHARE_NUMBER);
/// The number of a return.
pub const OUT_RETURN_NO: Field =
    Field::new("out_return_no", Checked("a text of 1 to 64 letters, digits and _ - | * @")).code(Code::SHARE_NUMBER);
/// Who gets what.
pub const RECEIVERS: Field = Field::new("receivers", Checked("a list of 1 to 50 receivers"));
/// Whether what is left goes to the merchant, so that nothing more is shared.
pub const UNFREEZE_UNSPLIT: Field = Field::new("unfreeze_unsplit", Checked("true or false"));
/// Who returns what it got.
pub const RETURN_MCHID: Field = Field::new("return_mchid", Text(64));
/// What it returns.
pub const RETURN_AMOUNT: Field = Field::new("amount", Fen);
/// Why.
pub const SHARE_DESCRIPTION: Field = Field::new("description", Text(80));
/// What kind of receiver.
pub const RECEIVER_TYPE: Field = Field::new("type", Choice(&RECEIVER_TYPES));
/// A receiver's account.
pub const RECEIVER_ACCOUNT: Field = Field::new("account", Text(64));
/// A receiver's name, which is sent encrypted and kept nowhere.
pub const RECEIVER_NAME: Field = Field::new("name", Text(64));
/// What a receiver is to the merchant.
pub const RELATION_TYPE: Field = Field::new("relation_type", Choice(&RELATION_TYPES));
/// The same in the merchant's words.
pub const CUSTOM_RELATION: Field = Field::new("custom_relation", Text(10));

/// A transfer's number.
pub const OUT_BILL_NO: Field = Field::new("out_bill_no", Number).code(Code::OUT_TRADE_NO);
/// The provider's number of it.
pub const TRANSFER_BILL_NO: Field = Field::new("transfer_bill_no", Text(64));
/// Its amount.
pub const TRANSFER_AMOUNT: Field = Field::new("transfer_amount", Fen).code(Code::TRANSFER_AMOUNT);
/// The same by its older name.
pub const MONEY: Field = Field::new("money", Fen).code(Code::TRANSFER_AMOUNT);
/// The number of a payee's authorisation.
pub const OUT_AUTHORIZATION_NO: Field = Field::new("out_authorization_no", Number);
/// The provider's number of it.
pub const AUTHORIZATION_ID: Field = Field::new("authorization_id", Text(64));
/// How a payee's account with the merchant is shown to them.
pub const USER_DISPLAY_NAME: Field = Field::new("user_display_name", Text(32));
/// Who gets a transfer of WeChat Pay's.
pub const PAYEE_OPENID: Field = Field::new("openid", Text(128)).code(Code::TRANSFER_OPENID);
/// Of which application the openid is.
pub const APPID: Field = Field::new("appid", Text(32));
/// The scene.
pub const TRANSFER_SCENE_ID: Field =
    Field::new("transfer_scene_id", Checked("a scene of the merchant's, a text of 1 to 36 characters or an integer"));
/// Its lines.
pub const REPORT_INFOS: Field = Field::new(
    "transfer_scene_report_infos",
    Checked("a list of 1 to 16 {info_type, info_content}, texts of at most 15 and 32 characters"),
);
/// What the payee is told that it is.
pub const USER_RECV_PERCEPTION: Field = Field::new("user_recv_perception", Text(64));
/// What it is for; WeChat Pay takes 32 characters of it.
pub const TRANSFER_REMARK: Field = Field::new("transfer_remark", Text(200));
/// The same by its older name.
pub const DESC: Field = Field::new("desc", Text(200));
/// The payee's real name.
pub const USER_NAME: Field = Field::new("user_name", Text(64)).code(Code::PAYEE_NAME);
/// The same by its older name.
pub const RE_USER_NAME: Field = Field::new("re_user_name", Text(64)).code(Code::PAYEE_NAME);
/// Who gets a transfer of Alipay's.
pub const PAYEE_INFO: Field = Field::new("payee_info", Object).code(Code::PAYEE);
/// Their account, by its older name.
pub const PAYEE_ACCOUNT: Field = Field::new("payee_account", Text(128)).code(Code::PAYEE);
/// Their name, by its older name.
pub const PAYEE_REAL_NAME: Field = Field::new("payee_real_name", Text(64)).code(Code::PAYEE_NAME);
/// What Alipay shows.
pub const ORDER_TITLE: Field = Field::new("order_title", Text(128));
/// Alipay's scene.
pub const TRANSFER_SCENE_NAME: Field = Field::new("transfer_scene_name", Text(64));
/// The account in `payee_info`.
pub const IDENTITY: Field = Field::new("identity", Text(128)).code(Code::PAYEE);
/// What kind of account it is.
pub const IDENTITY_TYPE: Field = Field::new("identity_type", Choice(&IDENTITY_TYPES)).code(Code::PAYEE);
/// The name in `payee_info`.
pub const IDENTITY_NAME: Field = Field::new("name", Text(64)).code(Code::PAYEE_NAME);
const PAPERS: Shape = Refused("a payee's papers are not checked here; leave it out");
/// A check that is not made must not be believed to be.
pub const CERT_TYPE: Field = Field::new("cert_type", PAPERS);
/// The same.
pub const CERT_NO: Field = Field::new("cert_no", PAPERS);

/// A node of the merchant's section.
pub const NODE: Field = Field::new("node", Text(32));
/// What is asked: a verb of WeChat Pay's APIv3, a method of Alipay's, a call below `/xpay/`.
pub const REQUEST_METHOD: Field = Field::new("method", Text(256));
/// WeChat Pay's path.
pub const REQUEST_PATH: Field = Field::new("path", Text(256));
/// The same by VK-Pay's name.
pub const REQUEST_ACTION: Field = Field::new("action", Text(256));
/// What is sent.
pub const REQUEST_DATA: Field = Field::new("data", Object);
/// Which of WeChat Pay's accounts.
pub const ACCOUNT_TYPE: Field = Field::new("account_type", Choice(&["BASIC", "OPERATION", "FEES"]));
/// The day at whose end.
pub const BALANCE_DATE: Field = Field::new("date", DAY_SHAPE);

/// A payer's address.
pub const USER_IP: Field = Field::new("user_ip", Text(64));
/// The same by VK-Pay's name.
pub const USER_IP_CAMEL: Field = Field::new("userIp", Text(64));
/// How many coins.
pub const COINS: Field = Field::new("amount", Integer { least: 1, most: 10_000_000_000, unit: Some("coins") });
/// What they are for.
pub const PAYITEM: Field = Field::new("payitem", Text(4096));
/// A remark on it.
pub const REMARK: Field = Field::new("remark", Text(256));
const COIN_NUMBER: Shape = Checked("a text of 8 to 32 letters, digits, _ and -");
/// The number of a payment in coins.
pub const COIN_TRADE_NO: Field = Field::new("out_trade_no", COIN_NUMBER).code(Code::OUT_TRADE_NO);
/// The same by VK-Pay's name.
pub const COIN_TRADE_NO_CAMEL: Field = Field::new("outTradeNo", COIN_NUMBER).code(Code::OUT_TRADE_NO);
/// The number of its cancellation.
pub const COIN_REFUND_NO: Field = Field::new("out_refund_no", COIN_NUMBER).code(Code::OUT_TRADE_NO);
/// The same by VK-Pay's name.
pub const COIN_REFUND_NO_CAMEL: Field = Field::new("outRefundNo", COIN_NUMBER).code(Code::OUT_TRADE_NO);
/// The code of a login.
pub const LOGIN_CODE: Field = Field::new("code", Text(512)).code(Code::LOGIN_CODE);

const MILLISECONDS: &str = "Unix ms (milliseconds), not a date and not seconds";

const CREATE: &[Field] = &[
    PROVIDER.needed(),
    OUT_TRADE_NO.needed(),
    TOTAL_FEE,
    SUBJECT.needed(),
    TYPE.needed(),
    CUSTOM,
    USER_ID,
    NICKNAME,
    OPENID,
    VK_PLATFORM,
    PLATFORM,
    VK_APPID,
    CLIENT_IP,
    CLIENT_UA,
    NEED_QRCODE,
    IS_PC,
    APP_TO_QR,
    AUTH_CODE,
    STORE_ID,
    TIME_EXPIRE,
    RETURN_URL,
    OTHER,
    PID,
    SUB_MCHID,
    SUB_APPID,
    PRODUCT_ID,
    QUANTITY,
    WXPAY_VIRTUAL,
    CODE,
    BIZ_TYPE,
    PROVIDER_PAY_METHOD,
    QUOTE,
];
const ORDER: &[Field] = &[OUT_TRADE_NO.needed()];
const QUERY: &[Field] = &[OUT_TRADE_NO, TRANSACTION_ID, PROVIDER, AWAIT_NOTIFY, AWAIT_MAX_TIME, PAY_ORDER_INFO];
const ORDERS: &[Field] =
    &[USER_ID, DAY, FROM, TO, PROVIDER, MERCHANT, TRADE_STATE, ORDER_STATUS, WANTED_TYPE, PAGE_SIZE, CURSOR];
const INCIDENTS: &[Field] = &[INCIDENT_STATUS, INCIDENT, OUT_TRADE_NO, PAGE_SIZE, CURSOR];
const VERIFY: &[Field] = &[
    OUT_TRADE_NO.needed(),
    SIGNED_TRANSACTION,
    SIGNED_TRANSACTION_CAMEL,
    PURCHASE_ORDER_ID,
    PURCHASE_TOKEN,
    TRANSACTION_RECEIPT,
    TRANSACTION_IDENTIFIER,
];
const METHODS: &[Field] = &[VK_PLATFORM, PLATFORM, IS_PC, PID, CLIENT_IP, CLIENT_UA];
const REFUND: &[Field] = &[OUT_TRADE_NO.needed(), OUT_REFUND_NO, REFUND_FEE, TOTAL_FEE, REFUND_DESC, REFUND_FEE_CAMEL];
const QUERY_REFUND: &[Field] = &[OUT_TRADE_NO.needed(), OUT_REFUND_NO];
const ABNORMAL_REFUND: &[Field] =
    &[OUT_TRADE_NO.needed(), OUT_REFUND_NO.needed(), REFUND_CARD.needed(), BANK_TYPE, BANK_ACCOUNT, CARD_HOLDER];
const RESOLVE: &[Field] = &[INCIDENT_ID.needed(), INCIDENT_ACTION.needed(), NOTE];
const UPLOAD_SHIPPING: &[Field] =
    &[OUT_TRADE_NO.needed(), LOGISTICS_TYPE, DELIVERY_MODE, IS_ALL_DELIVERED, SHIPPING_LIST];
const CONFIRM_RECEIVE: &[Field] = &[OUT_TRADE_NO.needed(), RECEIVED_TIME];
const COMPLAINTS: &[Field] = &[COMPLAINT_ID, PROVIDER, PID, COMPLAINT_STATE, OUT_TRADE_NO, PAGE_SIZE, CURSOR];
const ANSWER_COMPLAINT: &[Field] =
    &[PROVIDER.needed(), COMPLAINT_ID.needed(), RESPONSE_CONTENT.needed(), RESPONSE_IMAGES, PID];
const COMPLETE_COMPLAINT: &[Field] = &[PROVIDER.needed(), COMPLAINT_ID.needed(), RESPONSE_CONTENT, PROCESS_CODE, PID];
const REFUND_COMPLAINT: &[Field] =
    &[PROVIDER.needed(), COMPLAINT_ID.needed(), OUT_TRADE_NO, REFUND_FEE, REFUND_DESC, PID];
const SUBSCRIBE_COMPLAINTS: &[Field] = &[PROVIDER.needed(), PID];
const RECEIVER: &[Field] = &[
    PROVIDER.needed(),
    PID,
    SUB_MCHID,
    RECEIVER_TYPE.needed(),
    RECEIVER_ACCOUNT.needed(),
    RECEIVER_NAME,
    APPID,
    RELATION_TYPE,
    CUSTOM_RELATION,
];
const NO_RECEIVER: &[Field] =
    &[PROVIDER.needed(), PID, SUB_MCHID, RECEIVER_TYPE.needed(), RECEIVER_ACCOUNT.needed(), APPID];
const SHARE: &[Field] = &[OUT_TRADE_NO.needed(), OUT_ORDER_NO.needed(), RECEIVERS.needed(), UNFREEZE_UNSPLIT];
const UNFREEZE: &[Field] = &[OUT_TRADE_NO.needed(), OUT_ORDER_NO.needed(), SHARE_DESCRIPTION];
const RETURN: &[Field] = &[
    OUT_TRADE_NO.needed(),
    OUT_ORDER_NO.needed(),
    OUT_RETURN_NO.needed(),
    RETURN_MCHID.needed(),
    RETURN_AMOUNT.needed(),
    SHARE_DESCRIPTION,
];
const QUERY_SHARE: &[Field] = &[OUT_TRADE_NO.needed(), OUT_ORDER_NO];
const TRANSFER: &[Field] = &[
    PROVIDER.needed(),
    OUT_BILL_NO,
    OUT_TRADE_NO,
    TRANSFER_AMOUNT,
    MONEY,
    PID,
    PAYEE_OPENID,
    APPID,
    USER_NAME,
    RE_USER_NAME,
    TRANSFER_REMARK,
    DESC,
    TRANSFER_SCENE_ID,
    REPORT_INFOS,
    USER_RECV_PERCEPTION,
    PAYEE_INFO,
    PAYEE_ACCOUNT,
    PAYEE_REAL_NAME,
    ORDER_TITLE,
    TRANSFER_SCENE_NAME,
    AUTHORIZATION_ID,
    OUT_AUTHORIZATION_NO,
];
/// What `payee_info` holds.
pub const PAYEE: &[Field] = &[IDENTITY, IDENTITY_TYPE, IDENTITY_NAME, CERT_TYPE, CERT_NO];
const ONE_TRANSFER: &[Field] = &[OUT_BILL_NO, OUT_TRADE_NO, TRANSFER_BILL_NO, PROVIDER, PID];
const AUTHORIZE: &[Field] = &[
    PROVIDER.needed(),
    OUT_AUTHORIZATION_NO.needed(),
    PAYEE_OPENID.needed(),
    USER_DISPLAY_NAME.needed(),
    PID,
    APPID,
    TRANSFER_SCENE_ID,
    USER_RECV_PERCEPTION,
];
const ONE_AUTHORIZATION: &[Field] = &[OUT_AUTHORIZATION_NO, AUTHORIZATION_ID, PROVIDER, PID];
const REQUEST: &[Field] =
    &[PROVIDER.needed(), REQUEST_METHOD.needed(), REQUEST_PATH, REQUEST_ACTION, REQUEST_DATA, NODE, PID];
const ACCOUNT_BALANCE: &[Field] = &[PROVIDER.needed(), ACCOUNT_TYPE, BALANCE_DATE, NODE, PID, PLATFORM];
const BALANCE: &[Field] = &[OPENID.needed(), PID, USER_IP, USER_IP_CAMEL, CLIENT_IP, CLIENT_UA, PAYITEM, REMARK];
const COIN: &[Field] = &[
    OPENID.needed(),
    COINS.needed(),
    COIN_TRADE_NO,
    COIN_TRADE_NO_CAMEL,
    PID,
    USER_IP,
    USER_IP_CAMEL,
    CLIENT_IP,
    CLIENT_UA,
    PAYITEM,
    REMARK,
];
const CANCEL_COIN: &[Field] = &[
    OPENID.needed(),
    COINS.needed(),
    COIN_TRADE_NO,
    COIN_TRADE_NO_CAMEL,
    COIN_REFUND_NO,
    COIN_REFUND_NO_CAMEL,
    PID,
    USER_IP,
    USER_IP_CAMEL,
    CLIENT_IP,
    CLIENT_UA,
    PAYITEM,
    REMARK,
];
const LOGIN: &[Field] = &[PROVIDER.needed(), LOGIN_CODE.needed(), VK_PLATFORM, PLATFORM, PID];
const LOGIN_AT: &[Field] = &[LOGIN_CODE.needed(), VK_PLATFORM, PLATFORM, PID];

/// The fields of an action.
pub const fn of(action: Action) -> &'static [Field] {
    match action {
        Action::Payments(Payments::Create) => CREATE,
        Action::Payments(Payments::Close) | Action::Queries(Queries::RerunHandler) => ORDER,
        Action::Queries(Queries::Payment) => QUERY,
        Action::Queries(Queries::Orders) => ORDERS,
        Action::Queries(Queries::Incidents) => INCIDENTS,
        Action::Queries(Queries::Complaints) => COMPLAINTS,
        Action::Queries(Queries::VerifyReceipt | Queries::VerifyPurchase) => VERIFY,
        Action::Queries(Queries::Methods) => METHODS,
        Action::Refunds(Refunds::Refund) => REFUND,
        Action::Refunds(Refunds::Query) => QUERY_REFUND,
        Action::Refunds(Refunds::ResolveIncident) => RESOLVE,
        Action::Refunds(Refunds::UploadShipping) => UPLOAD_SHIPPING,
        Action::Refunds(Refunds::QueryShipping) => ORDER,
        Action::Refunds(Refunds::ConfirmReceive) => CONFIRM_RECEIVE,
        Action::Refunds(Refunds::AnswerComplaint) => ANSWER_COMPLAINT,
        Action::Refunds(Refunds::CompleteComplaint) => COMPLETE_COMPLAINT,
        Action::Refunds(Refunds::RefundComplaint) => REFUND_COMPLAINT,
        Action::Refunds(Refunds::SubscribeComplaints) => SUBSCRIBE_COMPLAINTS,
        Action::Refunds(Refunds::ApplyAbnormal) => ABNORMAL_REFUND,
        Action::Refunds(Refunds::AddReceiver) => RECEIVER,
        Action::Refunds(Refunds::DeleteReceiver) => NO_RECEIVER,
        Action::Refunds(Refunds::ProfitShare) => SHARE,
        Action::Refunds(Refunds::UnfreezeShare) => UNFREEZE,
        Action::Refunds(Refunds::ReturnShare) => RETURN,
        Action::Refunds(Refunds::QueryShare) => QUERY_SHARE,
        Action::Transfers(Transfers::Transfer) => TRANSFER,
        Action::Transfers(Transfers::Query | Transfers::Cancel | Transfers::Receipt) => ONE_TRANSFER,
        Action::Transfers(Transfers::Authorize) => AUTHORIZE,
        Action::Transfers(Transfers::QueryAuthorization | Transfers::CloseAuthorization) => ONE_AUTHORIZATION,
        Action::Transfers(Transfers::Request) => REQUEST,
        Action::Transfers(Transfers::QueryBalance | Transfers::QueryAccountBalance) => ACCOUNT_BALANCE,
        Action::Transfers(Transfers::Balance) => BALANCE,
        Action::Transfers(Transfers::CurrencyPay | Transfers::PresentCurrency) => COIN,
        Action::Transfers(Transfers::CancelCurrencyPay) => CANCEL_COIN,
        Action::Logins(Logins::Any) => LOGIN,
        Action::Logins(Logins::Weixin | Logins::WeixinH5 | Logins::Alipay | Logins::Douyin) => LOGIN_AT,
    }
}
