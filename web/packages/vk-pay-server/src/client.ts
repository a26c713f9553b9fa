import { ACTIONS, type Action, type Data, type FunctionName } from './actions.js';
import { checkFen } from './amounts.js';
import { NO_REPLY, VkPayError } from './error.js';
import type * as t from './types.js';

export interface VkPayOptions {
  /** The address before `/create-payment` and the others: https, or http to this machine. */
  baseUrl?: string;
  /** The address of a function by its name; goes before `baseUrl`. On AWS each function has one of its own. */
  urls?: Partial<Record<FunctionName, string>>;
  /** The secret, one of `auth.keys`; or a function that gives it for each request. Never put it into a page. */
  key: string | (() => string | Promise<string>);
  /**
   * ms until one request without a reply is given up. Default 30000; waiting by `await_notify` comes on top. The
   * functions wait for a provider themselves, so less turns their clear answers into unclear ones.
   */
  timeoutMs?: number;
  /** How often a request without a reply, or with a 5xx, is sent again where that is safe. Default 2. */
  retries?: number;
  /** The language of messages. Default `zh`. */
  language?: 'zh' | 'en';
  /** Instead of the global `fetch`: for a proxy, or a network of your own. */
  fetch?: typeof globalThis.fetch;
}

export interface CallOptions {
  /** Ends the call. A request that was sent may take effect all the same. */
  signal?: AbortSignal;
  /** Instead of the client's. */
  timeoutMs?: number;
  /** Instead of the client's. */
  retries?: number;
}

/** A reply's fields, and the id under which the functions' log has the request. */
export type Reply<T> = T & { request_id: string };

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_RETRIES = 2;
/** The pause before the first repetition; each further one is twice as long, less up to a half by chance. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;
/** What `queryPayment` waits for at most when `await_max_time` is left out, seconds. */
const DEFAULT_WAIT = 20;
const LEAST_TRANSFER_FEN = 10;
/** Codes that may be another one when the same request comes later. */
const PASSING = new Set([500, 503, 2004, 2013, 2022, 5040]);
/** Codes of a 5xx after which nothing has happened. */
const WITHOUT_EFFECT = new Set([101, 503, 5020]);

/**
 * The functions, called by the merchant's own server. Whatever becomes of a call, it rejects with a {@link VkPayError};
 * a call that cannot be meant (options, data that is no JSON) is a `TypeError`. Amounts are integers of fen (1/100
 * yuan), times Unix ms.
 */
export class VkPay {
  readonly #address: (name: FunctionName) => string;
  readonly #key: VkPayOptions['key'];
  readonly #language: 'zh' | 'en';
  readonly #timeoutMs: number;
  readonly #retries: number;
  readonly #fetch: typeof globalThis.fetch;

  /** @throws `TypeError` for an option that cannot be meant: an address in clear over a network, a blank key. */
  constructor(options: VkPayOptions) {
    const { baseUrl, urls = {}, key } = options;
    if (typeof key === 'string' ? !isKey(key) : typeof key !== 'function') throw new TypeError('key: a secret is needed');
    if (baseUrl !== undefined) checkUrl('baseUrl', baseUrl);
    for (const [name, url] of Object.entries(urls)) checkUrl(`urls.${name}`, url);
    const base = baseUrl?.replace(/\/+$/, '');
    this.#address = (name) => {
      const url = urls[name] ?? (base === undefined ? undefined : `${base}/${name}`);
      if (url === undefined) throw new VkPayError({ code: 404, message: `no address of ${name}: set urls or baseUrl` });
      return url;
    };
    this.#key = key;
    this.#language = options.language ?? 'zh';
    this.#timeoutMs = count('timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS, 1);
    this.#retries = count('retries', options.retries ?? DEFAULT_RETRIES, 0);
    // As it is at the time of the call, and not bound to this object.
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /**
   * Creates an order, or answers it again: `out_trade_no` is the idempotency key. Sent again without a reply, unless
   * it brings a login code (`code`).
   *
   * Common errors: 2010 the number has another content; 2011 it is paid; 2012 it is closed; 3001 the provider
   * refused; 5040 nobody knows, send the same again.
   */
  async createPayment(data: t.CreatePaymentRequest, options?: CallOptions): Promise<Reply<t.CreatePaymentReply>> {
    // Of virtual payment the functions compute it.
    if (data.total_fee !== undefined || data.provider !== 'wxpay-virtual') checkFen('total_fee', data.total_fee, 1003);
    return this.#call('pay/createPayment', data, options);
  }

  /**
   * Closes an order at every provider that may still take the money, then here. A closed one closes again with success.
   *
   * Common errors: 2011 it turned out to be paid, and was credited; 2022 the payer is paying right now.
   */
  closePayment(data: { out_trade_no: string }, options?: CallOptions): Promise<Reply<t.OrderState>> {
    return this.#call('pay/closePayment', data, options);
  }

  /** How an order stands. An unpaid one is no error: look at `orderPaid` or `trade_state`. 2001: there is no such order. */
  queryPayment(data: t.QueryPaymentRequest, options?: CallOptions): Promise<Reply<t.QueryPaymentReply>> {
    return this.#call('pay/queryPayment', data, options);
  }

  /** By which wallets a client of this platform can pay. */
  methods(data: t.MethodsRequest = {}, options?: CallOptions): Promise<Reply<t.MethodsReply>> {
    return this.#call('pay/methods', data, options);
  }

  /** A user's orders, newest first. */
  queryOrders(data: t.QueryOrdersRequest, options?: CallOptions): Promise<Reply<t.Page<t.OrderColumns>>> {
    return this.#call('pay/queryOrders', data, options);
  }

  /** Money that fits no order, and orders that were not delivered; newest first. */
  queryIncidents(data: t.QueryIncidentsRequest = {}, options?: CallOptions): Promise<Reply<t.Page<t.Incident>>> {
    return this.#call('pay/queryIncidents', data, options);
  }

  /** Decides an incident. 2018: it is resolved already; 2019: that cannot be done with it. Never sent again by itself. */
  resolveIncident(data: t.ResolveIncidentRequest, options?: CallOptions): Promise<Reply<t.ResolveIncidentReply>> {
    return this.#call('pay/resolveIncident', data, options);
  }

  /**
   * Reports the shipping of an order that was paid in a WeChat mini program, or corrects it once. 2040: it was corrected
   * already; 2042: WeChat does not have the payment yet.
   */
  uploadShipping(data: t.UploadShippingRequest, options?: CallOptions): Promise<Reply<t.ShippingReply>> {
    return this.#call('pay/uploadShipping', data, options);
  }

  /** Complaints of payers, newest first; with `complaint_id` that one, asked for at its provider, with what was said. */
  queryComplaints(data: t.QueryComplaintsRequest = {}, options?: CallOptions): Promise<Reply<t.QueryComplaintsReply>> {
    return this.#call('pay/queryComplaints', data, options);
  }

  /** Answers a payer who complains. The same answer is sent once. 2061: the complaint is done with. */
  answerComplaint(data: t.AnswerComplaintRequest, options?: CallOptions): Promise<Reply<t.ComplaintReply>> {
    return this.#call('pay/answerComplaint', data, options);
  }

  /** Tells the provider that a complaint is done with. */
  completeComplaint(data: t.CompleteComplaintRequest, options?: CallOptions): Promise<Reply<t.ComplaintReply>> {
    return this.#call('pay/completeComplaint', data, options);
  }

  /** Refunds the order that is complained of, once, and completes the complaint when the money is back. */
  refundComplaint(data: t.RefundComplaintRequest, options?: CallOptions): Promise<Reply<t.RefundReply & t.ComplaintReply>> {
    return this.#call('pay/refundComplaint', data, options);
  }

  /** Has WeChat Pay send notices of complaints. */
  subscribeComplaints(
    data: { provider: t.Provider; pid?: string },
    options?: CallOptions,
  ): Promise<Reply<{ url: string; accounts: string[] }>> {
    return this.#call('pay/subscribeComplaints', data, options);
  }

  /** How the shipping of an order stands. */
  queryShipping(data: { out_trade_no: string }, options?: CallOptions): Promise<Reply<t.QueryShippingReply>> {
    return this.#call('pay/queryShipping', data, options);
  }

  /** Has the payer asked to confirm that an express parcel has come, once. */
  confirmReceive(data: t.ConfirmReceiveRequest, options?: CallOptions): Promise<Reply<t.ShippingReply>> {
    return this.#call('pay/confirmReceive', data, options);
  }

  /** Tells the provider who may be given a share. Twice is once. */
  addReceiver(data: t.ReceiverRequest, options?: CallOptions): Promise<Reply<t.ReceiverReply>> {
    return this.#call('pay/addReceiver', data, options);
  }

  /** The same undone. */
  deleteReceiver(data: t.ReceiverRequest, options?: CallOptions): Promise<Reply<t.ReceiverReply>> {
    return this.#call('pay/deleteReceiver', data, options);
  }

  /**
   * Shares what was paid for an order among receivers. The same number again is the same share. 2051: not so much is left;
   * 2052: the order was not made to be shared, or its sharing has ended; 5040: repeat it unchanged.
   */
  profitShare(data: t.ProfitShareRequest, options?: CallOptions): Promise<Reply<t.Share>> {
    return this.#call('pay/profitShare', data, options);
  }

  /** Ends the sharing of an order: the rest is the merchant's. */
  unfreezeShare(data: t.UnfreezeShareRequest, options?: CallOptions): Promise<Reply<t.Share>> {
    return this.#call('pay/unfreezeShare', data, options);
  }

  /** Takes back what a merchant got by a share. 2055: more than it can return. */
  returnShare(data: t.ReturnShareRequest, options?: CallOptions): Promise<Reply<t.ShareReturn>> {
    return this.#call('pay/returnShare', data, options);
  }

  /** How the shares and returns of an order stand. */
  queryShare(
    data: { out_trade_no: string; out_order_no?: string },
    options?: CallOptions,
  ): Promise<Reply<t.QueryShareReply>> {
    return this.#call('pay/queryShare', data, options);
  }

  /**
   * Delivers a paid order once more, when it is not delivered yet; look at `user_order_success`. 2016: it is delivered.
   * Never sent again by itself.
   */
  rerunHandler(data: { out_trade_no: string }, options?: CallOptions): Promise<Reply<t.QueryPaymentReply>> {
    return this.#call('pay/rerunHandler', data, options);
  }

  /** Takes the proof of a purchase in Apple's store and credits the order. Once is enough; again is the same success. */
  verifyReceipt(data: t.VerifyReceiptRequest, options?: CallOptions): Promise<Reply<t.QueryPaymentReply>> {
    return this.#call('pay/appleiap/verifyReceipt', data, options);
  }

  /** The same for Huawei's store. */
  verifyPurchase(data: t.VerifyPurchaseRequest, options?: CallOptions): Promise<Reply<t.QueryPaymentReply>> {
    return this.#call('pay/huaweiiap/verifyPurchase', data, options);
  }

  /**
   * Refunds an order, in part or whole. `out_refund_no` is the idempotency key: with it the request is sent again where
   * there is no reply, without it never, because each request would then be another refund.
   *
   * Common errors: 2014 more than what is left; 2015 the number belongs to another refund; 3002 the provider refused
   * (`data.status`); 5040 nobody knows, send the same number again and never another.
   */
  async refund(data: t.RefundRequest, options?: CallOptions): Promise<Reply<t.RefundReply>> {
    const { refund_fee, ...fields } = data;
    if (refund_fee !== 'all') checkFen('refund_fee', refund_fee, 1031);
    if (data.total_fee !== undefined) checkFen('total_fee', data.total_fee, 1003);
    return this.#call('pay/refund', refund_fee === 'all' ? fields : { ...fields, refund_fee }, options);
  }

  /** How an order's refunds stand; unfinished ones are asked about at the provider. None is an empty list. */
  queryRefund(data: t.QueryRefundRequest, options?: CallOptions): Promise<Reply<t.QueryRefundReply>> {
    return this.#call('pay/queryRefund', data, options);
  }

  /**
   * Has a refund that the payer's account did not take paid to a bank card, WeChat Pay's APIv3 only. 2023: it is not stuck.
   * The same request again is safe.
   */
  applyAbnormalRefund(data: t.AbnormalRefundRequest, options?: CallOptions): Promise<Reply<t.RefundReply>> {
    return this.#call('pay/applyAbnormalRefund', data, options);
  }

  /**
   * Pays out. `out_bill_no` is the idempotency key: after 5040 or no reply send the same call again or query, and never
   * take another number, which would pay twice.
   *
   * Common errors: 2030 the number has another content; 2032 over the day's limit; 3003 the provider made no bill;
   * 3004 it ended without success, take a new number; 2034 the payee's authorisation is not in effect; 3013 the address
   * of the function is not on WeChat Pay's list, nothing was sent.
   */
  async transfer(data: t.TransferRequest, options?: CallOptions): Promise<Reply<t.TransferReply>> {
    checkFen('transfer_amount', data.transfer_amount, 1007);
    if (data.transfer_amount < LEAST_TRANSFER_FEN) {
      throw new VkPayError({ code: 1008, message: `transfer_amount must be at least ${LEAST_TRANSFER_FEN} fen` });
    }
    return this.#call('pay/transfer', data, options);
  }

  /** How a transfer stands; every state is a reply. 2001: its number was never seen. */
  queryTransfer(data: t.TransferNumber, options?: CallOptions): Promise<Reply<t.TransferReply>> {
    return this.#call('pay/queryTransfer', data, options);
  }

  /** Takes back what the payee has not confirmed, WeChat Pay only. 2031: it has ended. Never sent again by itself. */
  cancelTransfer(data: t.TransferNumber, options?: CallOptions): Promise<Reply<t.TransferReply>> {
    return this.#call('pay/cancelTransfer', data, options);
  }

  /**
   * The receipt of a transfer that succeeded and was sent with its payee's name, WeChat Pay only. The first call asks for
   * it; once `state` is `FINISHED`, `file` is a PDF in base64. 2035: it has none.
   */
  transferReceipt(data: t.TransferNumber, options?: CallOptions): Promise<Reply<t.TransferReceipt>> {
    return this.#call('pay/transferReceipt', data, options);
  }

  /**
   * Asks a payee to take transfers without confirming each, WeChat Pay only. `options` is what their client takes. The
   * same number again is the same authorisation. 2033: it has another content; 2034: it is closed, take a new number.
   */
  createUserConfirmAuthorization(
    data: t.AuthorizationRequest, options?: CallOptions,
  ): Promise<Reply<t.AuthorizationReply>> {
    return this.#call('pay/createUserConfirmAuthorization', data, options);
  }

  /** How an authorisation stands; every state is a reply. */
  queryUserConfirmAuthorization(
    data: t.AuthorizationNumber, options?: CallOptions,
  ): Promise<Reply<t.AuthorizationReply>> {
    return this.#call('pay/queryUserConfirmAuthorization', data, options);
  }

  /** Ends an authorisation; one that is closed already is the same success. */
  closeUserConfirmAuthorization(
    data: t.AuthorizationNumber, options?: CallOptions,
  ): Promise<Reply<t.AuthorizationReply>> {
    return this.#call('pay/closeUserConfirmAuthorization', data, options);
  }

  /**
   * Makes a provider's call that has no action of its own; `auth` must name `request`, and the configuration allow it.
   * Only a GET is sent again by itself.
   */
  request(data: t.ProviderRequest, options?: CallOptions): Promise<Reply<t.ProviderReply>> {
    return this.#call('pay/request', data, options);
  }

  /** What the merchant has at a provider: WeChat Pay (APIv3), Alipay. */
  queryBalance(data: t.BalanceRequest, options?: CallOptions): Promise<Reply<t.BalanceReply>> {
    return this.#call('pay/queryBalance', data, options);
  }

  /** The payer's id at the provider, for a login code of a client. A code counts once: never sent again by itself. */
  code2Session(data: t.Code2SessionRequest, options?: CallOptions): Promise<Reply<t.Code2SessionReply>> {
    return this.#call('pay/code2Session', data, options);
  }

  /** A payer's coins of WeChat's virtual payment. `auth` must name this and the three that follow. */
  queryUserBalance(data: t.CoinOwner, options?: CallOptions): Promise<Reply<t.CoinBalance>> {
    return this.#call('pay/wxpayVirtual/queryUserBalance', data, options);
  }

  /** Takes coins. The same `out_trade_no` again is the same movement. */
  async currencyPay(data: t.CurrencyPayRequest, options?: CallOptions): Promise<Reply<t.CoinMovement>> {
    checkCoins(data.amount);
    return this.#call('pay/wxpayVirtual/currencyPay', data, options);
  }

  /** Gives back coins that were taken. The same `out_refund_no` again is the same movement. */
  async cancelCurrencyPay(data: t.CancelCurrencyPayRequest, options?: CallOptions): Promise<Reply<t.CoinMovement>> {
    checkCoins(data.amount);
    return this.#call('pay/wxpayVirtual/cancelCurrencyPay', data, options);
  }

  /** Gives coins away. The same `out_trade_no` again is the same movement. */
  async presentCurrency(data: t.PresentCurrencyRequest, options?: CallOptions): Promise<Reply<t.CoinMovement>> {
    checkCoins(data.amount);
    return this.#call('pay/wxpayVirtual/presentCurrency', data, options);
  }

  async #call<T>(action: Action, data: object, options: CallOptions = {}): Promise<Reply<T>> {
    const fields = data as Data;
    const rule = ACTIONS[action];
    const waits = fields.await_notify === true ? Number(fields.await_max_time ?? DEFAULT_WAIT) * 1000 : 0;
    const call = {
      url: this.#address(rule.function),
      // In this dialect an order that is not paid and a list without refunds are successes.
      body: JSON.stringify({ url: action, data: fields }),
      timeoutMs: count('timeoutMs', options.timeoutMs ?? this.#timeoutMs, 1) + waits,
      repeats: rule.repeats(fields),
      signal: options.signal,
    };
    const retries = count('retries', options.retries ?? this.#retries, 0);
    for (let repetition = 0; ; repetition += 1) {
      const found = await this.#send(call);
      if (!(found instanceof VkPayError)) return found as Reply<T>;
      const repeatable = found.retryable && (found.status === 0 || found.status >= 500);
      if (!repeatable || repetition >= retries || call.signal?.aborted) throw found;
      await pause(repetition, call.signal);
      // The reason that the last one gave says more than that the caller has lost patience.
      if (call.signal?.aborted) throw found;
    }
  }

  /** One request. What goes wrong is a result, because it may not be the end. */
  async #send(call: Sent): Promise<object | VkPayError> {
    const { signal, repeats } = call;
    const key = typeof this.#key === 'function' ? await this.#key() : this.#key;
    if (!isKey(key)) throw new TypeError('key: a secret is needed');
    if (signal?.aborted) return new VkPayError({ code: NO_REPLY, message: 'aborted, nothing was sent', cause: signal.reason });
    const ended = new AbortController();
    const abort = () => ended.abort(signal?.reason);
    const timeUp = () => ended.abort(new DOMException(`no reply within ${call.timeoutMs} ms`, 'TimeoutError'));
    const timer = setTimeout(timeUp, call.timeoutMs);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const response = await this.#fetch(call.url, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json; charset=utf-8',
          accept: 'application/json',
          'accept-language': this.#language,
        },
        body: call.body,
        // The functions never redirect, and the key is for them alone.
        redirect: 'manual',
        signal: ended.signal,
      });
      return read(response.status, await response.text(), repeats);
    } catch (cause) {
      const reason: unknown = ended.signal.aborted ? ended.signal.reason : cause;
      const message = `no reply: ${reason instanceof Error ? reason.message : String(reason)}`;
      return new VkPayError({ code: NO_REPLY, message, retryable: repeats, outcomeUnknown: true, cause: reason });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

interface Sent {
  url: string;
  body: string;
  timeoutMs: number;
  repeats: boolean;
  signal: AbortSignal | undefined;
}

/** A reply's fields, or what it says that went wrong. */
function read(status: number, text: string, repeats: boolean): object | VkPayError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const { code, msg, request_id: id, data } = (body ?? {}) as Partial<Record<string, unknown>>;
  const requestId = typeof id === 'string' ? id : undefined;
  const fields = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  if (!Number.isInteger(code) || (code === 0 && status !== 200)) {
    return new VkPayError({
      code: NO_REPLY,
      status,
      message: `HTTP ${status} without a reply of the functions`,
      requestId,
      retryable: repeats && (status >= 500 || status === 429),
      outcomeUnknown: status >= 500 || status < 300,
    });
  }
  if (code === 0) return { ...fields, request_id: requestId ?? '' };
  return new VkPayError({
    code: code as number,
    status,
    message: typeof msg === 'string' ? msg : `code ${String(code)}`,
    requestId,
    field: typeof fields.field === 'string' ? fields.field : undefined,
    retryable: repeats && PASSING.has(code as number),
    outcomeUnknown: status >= 500 && !WITHOUT_EFFECT.has(code as number),
    data: fields,
  });
}

/** Waits before a repetition, shorter by chance so that many clients do not come back at once. Ends with the signal. */
function pause(repetition: number, signal: AbortSignal | undefined): Promise<void> {
  const most = Math.min(FIRST_PAUSE_MS * 2 ** repetition, LONGEST_PAUSE_MS);
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      done();
    };
    const timer = setTimeout(end, most * (1 - Math.random() / 2));
    signal?.addEventListener('abort', end, { once: true });
  });
}

/** What may stand in a header. */
function isKey(key: unknown): key is string {
  return typeof key === 'string' && /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(key);
}

function count(name: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least) throw new TypeError(`${name}: an integer of at least ${least}`);
  return value;
}

function checkUrl(name: string, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const here = url !== undefined && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && here))) {
    throw new TypeError(`${name}: must be https, or http to this machine`);
  }
  if (url.username || url.password) throw new TypeError(`${name}: no user or password in it`);
}

/** Coins are counted as amounts are. */
function checkCoins(amount: unknown): void {
  checkFen('amount', amount, 1030);
}
