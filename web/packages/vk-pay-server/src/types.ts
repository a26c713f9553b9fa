/** Requests and replies by the names that they have on the wire. Amounts are integers of fen, times are Unix ms. */

/** What JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export type JsonObject = { readonly [name: string]: Json };

export type Provider = 'wxpay' | 'alipay' | 'appleiap' | 'vkspay' | 'wxpay-virtual' | 'douyin' | 'huawei';

/** How an order stands: not paid, paid, refunded in part or whole, ended unpaid. */
export type TradeState = 'NOTPAY' | 'SUCCESS' | 'REFUND' | 'CLOSED';

/** The same as VK-Pay's integer: -1 closed, 0 not paid, 1 paid, 2 refunded in part, 3 refunded whole. */
export type Status = -1 | 0 | 1 | 2 | 3;

export interface OrderState {
  out_trade_no: string;
  trade_state: TradeState;
  status: Status;
}

// Orders

interface OrderFields {
  /** Your number, the idempotency key. 6 to 32 letters, digits and `_` fit every provider. */
  out_trade_no: string;
  /** What the payer sees. */
  subject: string;
  /** Names the handler that runs when it is paid. */
  type: string;
  /** Data for the handler, at most 16 kB. Not sent to the provider. */
  custom?: JsonObject;
  /** The payer in your own books. */
  user_id?: string;
  nickname?: string;
  /** The payer at the provider: mini programs and official accounts need it. */
  openid?: string;
  /** The client: `mp-weixin`, `h5`, `pc`, `app-plus`, … It chooses the product. */
  vk_platform?: string;
  vk_appid?: string;
  /** The payer's one address, not yours. `wxpay_mweb` sends it on. */
  client_ip?: string;
  /** The payer's `User-Agent`. It chooses between WeChat's page, a phone's and a desktop's. */
  client_ua?: string;
  /** A QR code, whatever the client is; `"image"` also answers a PNG. */
  needQRcode?: boolean | 'image';
  /** Alipay's QR product instead of its app product. */
  alipayAppPayToH5Pay?: boolean;
  /** The payer's code that your till has scanned. */
  auth_code?: string;
  /** The shop, for WeChat Pay v3's pay codes. */
  store_id?: string;
  /** When it ends unpaid, Unix ms. Default: `policy.orderExpireMinutes` from now. */
  time_expire?: number;
  /** Where the payer's browser comes back to: https, or http to a loopback address. */
  return_url?: string;
  /** Further parameters for the provider, by its own names. */
  other?: JsonObject;
  /** The merchant. */
  pid?: string;
  sub_mchid?: string;
  sub_appid?: string;
  /** What is bought at Apple or Huawei. */
  product_id?: string;
  quantity?: number;
  /** A fresh login code instead of `openid`, for `wxpay-virtual`. Counts once. */
  code?: string;
  /** Huawei. */
  biz_type?: string;
  /** VksPay. */
  provider_pay_method?: 'wxpay' | 'alipay' | 'auto';
  /** A signed quote, where `requireQuote` wants one. */
  quote?: string;
}

/** Coins (`short_series_coin`) or goods (`short_series_goods`) of WeChat's virtual payment. */
export interface VirtualGoods {
  mode: 'short_series_coin' | 'short_series_goods';
  buy_quantity: number;
  product_id?: string;
  /** Of one, fen. */
  goods_price?: number;
}

export type CreatePaymentRequest = OrderFields & (
  | {
    provider: Exclude<Provider, 'wxpay-virtual'>;
    /** What is to be paid, fen. */
    total_fee: number;
  }
  | {
    provider: 'wxpay-virtual';
    wxpay_virtual: VirtualGoods;
    /** Computed from `wxpay_virtual` when left out, fen. */
    total_fee?: number;
  });

interface CodeUrl {
  /** Make a QR code of it. */
  codeUrl: string;
}

interface PayUrl {
  /** Open it in the payer's browser. */
  payUrl: string;
  mwebUrl: string;
}

interface BridgePayment {
  appId: string;
  timeStamp: string;
  nonceStr: string;
  package: string;
  signType: string;
  paySign: string;
}

/** `orderInfo` by `pay_type`: what the payer's client takes. */
export interface OrderInfo {
  'wxpay_mp-weixin': BridgePayment;
  'wxpay_h5-weixin': BridgePayment;
  'wxpay_app-plus': {
    appid: string; partnerid: string; prepayid: string; package: string; noncestr: string; timestamp: string; sign: string;
  };
  wxpay_h5: CodeUrl;
  /** Open it; it has `return_url` already. */
  wxpay_mweb: { mwebUrl: string; mweb_url: string };
  wxpay_codepay: { paid?: true; paying?: true };
  /** The trade number, for `my.tradePay`. */
  'alipay_mp-alipay': string;
  /** The order string of Alipay's SDK. */
  'alipay_app-plus': string;
  /** An address instead of a code with `other.method`. */
  alipay_h5: CodeUrl | PayUrl;
  alipay_pc: PayUrl;
  alipay_wap: PayUrl;
  /** Empty: look at `trade_state`. */
  alipay_codepay: object;
  'appleiap_app-plus': {
    productid: string; quantity: number; username: string; appAccountToken: string; manualFinishTransaction: boolean;
  };
  vkspay_h5: CodeUrl;
  'vkspay_h5-weixin': CodeUrl;
  vkspay_mweb: CodeUrl;
  'vkspay_mp-weixin': CodeUrl;
  'vkspay_mp-alipay': CodeUrl;
  'vkspay_app-plus': CodeUrl;
  'wxpay-virtual_mp-weixin': { mode: string; signData: string; paySig: string; signature: string };
  /** By product: for `tt.pay` or `tt.requestOrder`. */
  'douyin_mp-toutiao': Record<string, unknown>;
  /** `orderStr`; an object for IAP Kit. */
  'huawei_mp-harmony': string | { productId: string; quantity: number; developerPayload: string };
  'huawei_app-harmony': string | { productId: string; quantity: number; developerPayload: string };
}

export type PayType = keyof OrderInfo;

interface CreatedOrder<P extends PayType> extends OrderState {
  provider: Provider;
  pay_type: P;
  /** Fen. */
  total_fee: number;
  subject: string;
  platform: string;
  /** Hand it to the payer's client as it is. */
  orderInfo: OrderInfo[P];
  needQRcode: boolean;
  /** A PNG as a data URL, for `needQRcode: "image"`. */
  qrcodeImage?: string;
  /** Unix ms. */
  time_expire: number;
}

/** Compare `pay_type`, and `orderInfo` has its shape. A pay code may be paid at once: look at `trade_state`. */
export type CreatePaymentReply = { [P in PayType]: CreatedOrder<P> }[PayType];

export type QueryPaymentRequest = ({ out_trade_no: string } | { transaction_id: string; provider?: Provider }) & {
  /** Wait until the handler has finished. */
  await_notify?: boolean;
  /** How long, seconds: 5 to 40. Default 20. */
  await_max_time?: number;
  /** Also answer the order, as `payOrder`. */
  pay_order_info?: boolean;
};

export interface QueryPaymentReply extends OrderState {
  orderPaid: boolean;
  /** Absent until the handler has run. */
  user_order_success?: boolean;
  /** Why it did not do its work. */
  user_order_reason?: string;
  transaction_id?: string;
  /** Fen. */
  total_fee: number;
  /** What was refunded, fen. */
  refund_fee: number;
  provider: Provider;
  pay_type: string;
  type: string;
  subject: string;
  /** Unix ms. */
  time_expire: number;
  /** Unix ms. */
  pay_date?: number;
  /** `yyyyMMddHHmmss`, Beijing time. */
  time_end?: string;
  /** When to ask again about an unpaid order, ms from now. */
  next_poll_ms?: number;
  payOrder?: OrderColumns;
}

/** An order as the table has it, by VK-Pay's column names. */
export interface OrderColumns extends OrderState {
  provider: Provider;
  pay_type: string;
  platform: string;
  uni_platform: string;
  type: string;
  /** Fen, as all that follow. */
  total_fee: number;
  refund_fee: number;
  /** Reserved for refunds whose end is not known yet. */
  refund_reserved: number;
  currency: string;
  refund_num: number;
  refund_list: Record<string, unknown>[];
  user_id?: string;
  nickname?: string;
  openid?: string;
  client_ip?: string;
  appid?: string;
  provider_appid: string;
  mch_id?: string;
  merchant: string;
  pid?: string;
  /** The `subject`. */
  description: string;
  custom: Record<string, unknown>;
  /** Unix ms, as all dates. */
  create_date: number;
  time_expire: number;
  pay_date?: number;
  notify_date?: number;
  cancel_date?: number;
  /** 0 found by asking, 1 by a callback. */
  notify_mode?: 0 | 1;
  /** The provider's verified words on the payment, reduced. */
  notify_info?: Record<string, unknown>;
  transaction_id?: string;
  user_order_success?: boolean;
  user_order_reason?: string;
  /** Of orders that are paid in a WeChat mini program. */
  shipping?: Shipping;
}

export interface QueryOrdersRequest {
  user_id: string;
  status?: TradeState | Status;
  type?: string;
  /** 1 to 100, default 20. */
  pageSize?: number;
  /** Of the page before. */
  cursor?: string;
}

export interface Page<T> {
  list: T[];
  /** There when there may be more. */
  cursor?: string;
}

// Refunds

export interface RefundRequest {
  out_trade_no: string;
  /** Fen; `"all"` is all that is left. There is no default: an amount that got lost must not refund everything. */
  refund_fee: number | 'all';
  /** Your number, the idempotency key. Give it: without it, a call whose reply was lost cannot be sent again. */
  out_refund_no?: string;
  /** Checked against the order, fen. */
  total_fee?: number;
  /** At most 80 characters. */
  refund_desc?: string;
}

/** Of a reply, `PROCESSING` (the provider has it) or `SUCCESS` (the money went back); the others come as errors. */
export type RefundStatus = 'PROCESSING' | 'SUCCESS' | 'CLOSED' | 'REFUSED';

export interface RefundReply {
  out_trade_no: string;
  out_refund_no: string;
  /** The provider's number. */
  refund_id?: string | null;
  /** Fen. */
  refund_fee: number;
  /** What of it goes back in money and not as a coupon, fen. */
  cashRefundFee: number;
  status: RefundStatus;
  reason?: string | null;
}

export interface AbnormalRefundRequest {
  out_trade_no: string;
  out_refund_no: string;
  /** To the payer's card, which the three that follow name; or to the merchant's own account. */
  type: 'USER_BANK_CARD' | 'MERCHANT_BANK_CARD';
  /** The bank by WeChat Pay's word: `ICBC_DEBIT` … */
  bank_type?: string;
  bank_account?: string;
  real_name?: string;
}

export interface QueryRefundRequest {
  out_trade_no: string;
  out_refund_no?: string;
}

export interface RefundItem {
  out_refund_no: string;
  refund_id?: string | null;
  /** Fen. */
  refund_fee: number;
  refund_desc: string;
  status: RefundStatus;
  /** What the provider last said when it was not a success. `ABNORMAL`: it got stuck. */
  reason?: string | null;
  /** Unix ms. */
  refund_date?: number | null;
  create_date: number;
}

export interface QueryRefundReply extends OrderState {
  refunds: RefundItem[];
  /** Fen, as the two that follow. */
  total_fee: number;
  refund_fee: number;
  refund_reserved: number;
  queryResult: RefundItem | null;
  orderInfo: OrderColumns;
}

// Requests and balances

export interface ProviderRequest {
  provider: 'wxpay' | 'alipay' | 'wxpay-virtual';
  /** A verb of WeChat Pay's APIv3, a method of Alipay's, a call below `/xpay/`. */
  method: string;
  /** WeChat Pay: from `/v3/` on, without a query. */
  path?: string;
  data?: Record<string, unknown>;
  node?: string;
  pid?: string;
}

export interface ProviderReply {
  provider: string;
  record_id: string;
  provider_request_id: string | null;
  http_status: number | null;
  result: unknown;
}

export interface BalanceRequest {
  provider: 'wxpay' | 'alipay';
  account_type?: 'BASIC' | 'OPERATION' | 'FEES';
  /** The balance at the end of this day, `YYYY-MM-DD`. */
  date?: string;
  node?: string;
  pid?: string;
}

export interface BalanceReply {
  provider: string;
  merchant: string;
  /** Fen, as the two that follow. */
  available_amount: number;
  pending_amount: number | null;
  total_amount: number | null;
  /** Yuan, by VK-Pay's name. */
  availableAmount: string;
}

// Transfers

/** A line of what a transfer is for, as its scene wants it. */
export interface ReportInfo {
  info_type: string;
  info_content: string;
}

interface TransferFields {
  /** Your number, the idempotency key: 1 to 32 letters and digits fit both providers. */
  out_bill_no: string;
  /** At least 10, fen. */
  transfer_amount: number;
  /** What the payee reads. */
  transfer_remark: string;
  transfer_scene_report_infos?: readonly ReportInfo[];
  appid?: string;
  /** The merchant. */
  pid?: string;
}

export type TransferRequest = TransferFields & (
  | {
    provider: 'wxpay';
    openid: string;
    out_authorization_no?: undefined;
    authorization_id?: undefined;
    /** The real name, needed from 2000 yuan on. */
    user_name?: string;
    transfer_scene_id?: string;
    user_recv_perception?: string;
  }
  | {
    provider: 'wxpay';
    /** The payee's authorisation, so that they confirm nothing: by one of its two numbers. */
    out_authorization_no?: string;
    authorization_id?: string;
    user_name?: string;
    transfer_scene_id?: string;
    user_recv_perception?: string;
  }
  | {
    provider: 'alipay';
    payee_info: { identity_type?: 'ALIPAY_USER_ID' | 'ALIPAY_LOGON_ID'; identity: string; name?: string };
    order_title?: string;
    transfer_scene_name?: string;
  });

export interface TransferNumber {
  provider?: 'wxpay' | 'alipay';
  out_bill_no: string;
  pid?: string;
}

export type TransferState =
  | 'PROCESSING' | 'WAIT_USER_CONFIRM' | 'CANCELING' | 'SUCCESS' | 'UNKNOWN' | 'REFUSED' | 'FAIL' | 'CANCELLED' | 'RETURNED';

export interface TransferReply {
  provider: 'wxpay' | 'alipay';
  out_bill_no: string;
  /** The provider's number. */
  transfer_bill_no?: string | null;
  /** Fen. */
  transfer_amount: number;
  state: TransferState;
  /** The provider's own word. */
  provider_state?: string | null;
  fail_reason?: string;
  /** The payee's authorisation that it was made under. */
  out_authorization_no?: string;
  /** While the payee must confirm: for `wx.requestMerchantTransfer`. */
  options?: { mchId: string; appId: string; package: string };
  /** The provider's answer without the payee. */
  result?: unknown;
}

export interface TransferReceipt {
  provider: 'wxpay';
  out_bill_no: string;
  transfer_bill_no?: string | null;
  state: 'GENERATING' | 'FINISHED' | 'FAILED';
  content_type?: 'application/pdf';
  /** The PDF in base64. */
  file?: string;
  /** Its SHA-256, which WeChat Pay has signed. */
  sha256?: string;
}

export interface AuthorizationRequest {
  provider: 'wxpay';
  /** Your number: 5 to 32 letters, digits, `_` and `-`. Keep it, transfers name it. */
  out_authorization_no: string;
  openid: string;
  /** How the payee's account with you is shown to them, at most 32 characters. */
  user_display_name: string;
  transfer_scene_id?: string;
  user_recv_perception?: string;
  appid?: string;
  /** The merchant. */
  pid?: string;
}

export interface AuthorizationNumber {
  provider?: 'wxpay';
  out_authorization_no?: string;
  /** WeChat Pay's number, instead of yours. */
  authorization_id?: string;
  pid?: string;
}

export interface AuthorizationReply {
  provider: 'wxpay';
  out_authorization_no: string;
  /** WeChat Pay's number, once it was given. */
  authorization_id?: string | null;
  state: 'UNKNOWN' | 'WAIT_USER_CONFIRM' | 'TAKING_EFFECT' | 'CLOSED' | 'REFUSED';
  provider_state?: string | null;
  authorize_time?: string;
  close_reason?: string;
  fail_reason?: string;
  /** While the payee must give it: for `wx.requestMerchantTransfer`. */
  options?: { mchId: string; appId: string; package: string };
  result?: unknown;
}

// Incidents

export interface QueryIncidentsRequest {
  status?: 'open' | 'resolved';
  /** A name: `late_payment`, `undelivered`, … */
  incident?: string;
  out_trade_no?: string;
  /** 1 to 100, default 20. */
  pageSize?: number;
  cursor?: string;
}

export interface Incident {
  incident_id: string;
  incident: string;
  status: 'open' | 'resolved';
  provider: Provider;
  merchant: string;
  out_trade_no?: string;
  out_bill_no?: string;
  transaction_id?: string;
  expected?: unknown;
  actual?: unknown;
  action?: 'accept' | 'refund' | 'close';
  out_refund_no?: string;
  /** What else was told of the same payment. */
  said?: Record<string, unknown>[];
  /** What of it was refunded in the provider's console, fen. */
  returned_fee?: number;
  /** Unix ms. */
  create_date: number;
  resolve_date?: number;
  resolved_by?: string;
  note?: string;
}

export interface ResolveIncidentRequest {
  incident_id: string;
  /** Credit the payment, send it back, or only note it. */
  action: 'accept' | 'refund' | 'close';
  /** At most 200 characters. */
  note?: string;
}

export interface ResolveIncidentReply {
  incident_id: string;
  incident: string;
  status: 'open' | 'resolved';
  action?: 'accept' | 'refund' | 'close';
  out_trade_no?: string;
  out_refund_no?: string;
  /** Fen. */
  refund_fee?: number;
  refund_status?: RefundStatus;
}

// Profit sharing

export type ReceiverType = 'MERCHANT_ID' | 'PERSONAL_OPENID' | 'PERSONAL_SUB_OPENID' | 'userId' | 'openId';

export interface ReceiverRequest {
  provider: Provider;
  pid?: string;
  sub_mchid?: string;
  appid?: string;
  type: ReceiverType;
  account: string;
  /** Needed of a merchant: its full name. It is sent encrypted. */
  name?: string;
  relation_type?: string;
  /** Needed with `relation_type` `CUSTOM`. */
  custom_relation?: string;
}

export interface ReceiverReply {
  type: ReceiverType;
  account: string;
}

export interface ProfitShareRequest {
  out_trade_no: string;
  out_order_no: string;
  /** Amounts in fen. */
  receivers: readonly { type?: ReceiverType; account: string; amount: number; description?: string }[];
  /** Whether the rest is the merchant's then, so that nothing more is shared. */
  unfreeze_unsplit?: boolean;
}

export interface UnfreezeShareRequest {
  out_trade_no: string;
  out_order_no: string;
  description?: string;
}

export interface ReturnShareRequest {
  out_trade_no: string;
  out_order_no: string;
  out_return_no: string;
  return_mchid: string;
  /** Fen. */
  amount: number;
  description?: string;
}

export interface ShareReceiver {
  type: ReceiverType;
  account: string;
  amount: number;
  description: string;
  result: 'PENDING' | 'SUCCESS' | 'CLOSED';
  fail_reason?: string;
  detail_id?: string;
  returned: number;
  returning: number;
}

export interface Share {
  out_trade_no: string;
  out_order_no: string;
  order_id: string | null;
  state: 'UNKNOWN' | 'PROCESSING' | 'FINISHED' | 'REFUSED';
  amount: number;
  unfreeze_unsplit: boolean;
  receivers: ShareReceiver[];
  reason: string | null;
  create_date: number;
  end_date: number | null;
}

export interface ShareReturn {
  out_trade_no: string;
  out_order_no: string;
  out_return_no: string;
  return_id: string | null;
  return_mchid: string;
  amount: number;
  state: 'UNKNOWN' | 'PROCESSING' | 'SUCCESS' | 'FAILED' | 'REFUSED';
  fail_reason: string | null;
  /** The refund that waits for it. */
  out_refund_no: string | null;
  create_date: number;
  end_date: number | null;
}

export interface QueryShareReply {
  out_trade_no: string;
  transaction_id: string | null;
  /** Sums in fen. */
  sharing: { reserved: number; shared: number; returning: number; ended: boolean; num: number };
  /** What may still be shared. */
  unshared: number;
  /** What the provider keeps to be shared, where it was asked. */
  unsplit_amount: number | null;
  shares: Share[];
  returns: ShareReturn[];
}

// Shipping

/** 1 express, 2 same city, 3 virtual, 4 pick-up. */
export type LogisticsType = 1 | 2 | 3 | 4;

export interface Parcel {
  /** Needed for express, as `express_company` is: WeChat's code of the carrier. */
  tracking_no?: string;
  express_company?: string;
  /** At most 120 characters; the order's subject, if it is left out. */
  item_desc?: string;
  /** Masked but for the last four digits, as `189****1234`; needed for `SF`. */
  contact?: { consignor_contact?: string; receiver_contact?: string };
}

export interface UploadShippingRequest {
  out_trade_no: string;
  /** May be left out for orders that report themselves. */
  logistics_type?: LogisticsType;
  /** 2: several parcels, reported one by one. */
  delivery_mode?: 1 | 2;
  /** Needed with `delivery_mode` 2. */
  is_all_delivered?: boolean;
  shipping_list?: readonly Parcel[];
}

export interface ConfirmReceiveRequest {
  out_trade_no: string;
  /** Unix ms, not before the shipping. */
  received_time?: number;
}

export interface Shipping {
  state: 'due' | 'part' | 'reported' | 'corrected' | 'received' | 'settled' | 'refunded';
  mode: 'virtual' | 'pick-up' | 'manual';
  /** Unix ms, as all times here. */
  at: number;
  /** 48 hours after the payment. */
  deadline: number;
  logistics_type?: LogisticsType;
  reported_at?: number;
  reminded_at?: number;
}

export interface ShippingReply {
  out_trade_no: string;
  transaction_id: string;
  /** Null while nothing was ever to be reported. */
  shipping: Shipping | null;
}

export interface QueryShippingReply extends ShippingReply {
  /** The platform's own words, when it was asked. */
  platform?: { order_state: number; finish_shipping_count: number; in_complaint: boolean };
}

// Ways to pay

export interface MethodsRequest {
  vk_platform?: string;
  isPC?: boolean;
  pid?: string;
  client_ua?: string;
}

export interface MethodsReply {
  /** At most one for each provider. */
  methods: { provider: Provider; pay_type: string; vk_platform: string; needs_openid: boolean }[];
  /** How long a client may keep this, ms. */
  cache_ms: number;
}

// Complaints

export type ComplaintState = 'pending' | 'processing' | 'processed';

export interface Complaint {
  complaint_id: string;
  provider: Provider;
  merchant: string;
  state: ComplaintState;
  /** The provider's own word. */
  provider_state: string;
  /** The payer has written, and nobody has answered. */
  awaits_reply: boolean;
  complained_at: number;
  /** Until when the next step is due. */
  deadline: number | null;
  times: number;
  problem_type: string | null;
  description: string | null;
  detail: string | null;
  /** Masked. */
  phone: string | null;
  tags: string[];
  /** Fen. */
  amount: number;
  apply_refund_fee: number | null;
  refunded: boolean;
  media: string[];
  out_trade_no: string | null;
  orders: { number: string | null; transaction_id: string | null; amount: number | null }[];
  incident_id: string;
  out_refund_no: string | null;
  create_date: number;
  update_date: number;
}

export interface QueryComplaintsRequest {
  provider?: Provider;
  pid?: string;
  complaint_id?: string;
  state?: ComplaintState;
  out_trade_no?: string;
  pageSize?: number;
  cursor?: string;
}

export interface QueryComplaintsReply extends Page<Complaint> {
  /** What was said, where `complaint_id` names one. */
  history?: { at: number | null; operator: string; type: string; text: string | null }[];
}

export interface AnswerComplaintRequest {
  provider: Provider;
  pid?: string;
  complaint_id: string;
  response_content: string;
  response_images?: readonly string[];
}

export interface CompleteComplaintRequest {
  provider: Provider;
  pid?: string;
  complaint_id: string;
  /** Alipay's remark. */
  response_content?: string;
  /** Needed by Alipay. */
  process_code?: 'CONSENSUS_WITH_CLIENT' | 'RECTIFICATION_NO_REFUND' | 'REFUND' | 'SUBMIT_PROOF_NOT_CONTACTED' | 'ORTHER';
}

export interface RefundComplaintRequest {
  provider: Provider;
  pid?: string;
  complaint_id: string;
  out_trade_no?: string;
  refund_fee?: number;
  refund_desc?: string;
}

export interface ComplaintReply {
  complaint: Complaint;
}

// Proofs of purchases, logins, coins

/** One of the proofs; the first that is there counts. */
export type VerifyReceiptRequest = { out_trade_no: string } & (
  | { signed_transaction: string }
  | { transaction_receipt: string; transaction_identifier: string }
  | { transaction_identifier: string });

export type VerifyPurchaseRequest = { out_trade_no: string } & (
  | { signed_transaction: string }
  | { purchase_order_id: string; purchase_token: string });

export interface Code2SessionRequest {
  provider: 'wxpay' | 'wxpay-virtual' | 'alipay' | 'douyin';
  code: string;
  /** `h5`: WeChat's official account instead of the mini program. */
  vk_platform?: string;
  pid?: string;
}

export interface Code2SessionReply {
  openid: string;
  unionid?: string;
}

export interface CoinOwner {
  openid: string;
  /** The payer's address; else the connection's. */
  user_ip?: string;
  pid?: string;
}

export interface CurrencyPayRequest extends CoinOwner {
  /** Your number: 8 to 32 letters, digits, `_`, `-`. */
  out_trade_no: string;
  /** Coins. */
  amount: number;
  payitem?: string;
  remark?: string;
}

export interface CancelCurrencyPayRequest extends CoinOwner {
  /** Your number of the movement that is taken back. */
  out_trade_no: string;
  /** Your number of taking it back. */
  out_refund_no: string;
  /** Coins. */
  amount: number;
}

export interface PresentCurrencyRequest extends CoinOwner {
  /** Your number: 8 to 32 letters, digits, `_`, `-`. */
  out_trade_no: string;
  /** Coins. */
  amount: number;
}

/** Coins. */
export interface CoinBalance {
  balance?: number;
  presentBalance?: number;
  sumSave?: number;
  sumPresent?: number;
  sumBalance?: number;
  sumCost?: number;
  firstSaveFlag?: unknown;
}

/** Coins. */
export interface CoinMovement {
  outTradeNo?: string;
  outRefundNo?: string;
  balance?: number;
  presentBalance?: number;
  usedPresentAmount?: number;
}
