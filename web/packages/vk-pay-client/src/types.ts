/** Where the page runs, by uni-app's names. `h5` is any browser. */
export type Platform =
  | 'h5' | 'app-plus' | 'app-harmony' | 'mp-weixin' | 'mp-alipay' | 'mp-toutiao' | 'mp-harmony' | (string & {});

/** What every function answers: flat, and the same again under `data`. */
export interface Reply {
  code: number;
  msg: string;
  out_trade_no?: string;
  /** The field of the request that is at fault, where one is. */
  field?: string;
  data?: Record<string, unknown>;
  /** ms the server wants to be left alone for, from `Retry-After`. */
  retry_after_ms?: number;
  [field: string]: unknown;
}

/** What `pay/createPayment` answers. */
export interface CreateReply extends Reply {
  provider: string;
  pay_type: string;
  out_trade_no: string;
  orderInfo: unknown;
  qrcodeImage?: string;
}

/** An action by its name, or VK's description of a cloud function. */
export type Action = string | {
  name?: string;
  action?: string;
  actionKey?: string;
  dataKey?: string;
};

/** Sends one request. Rejects with a {@link PayError} when nothing was answered or nothing was sent. */
export type Transport = (action: Action, data: object) => Promise<Reply>;

export interface TransportOptions {
  /** `path`: the address before `/create-payment`; `envelope`: the one address of all actions. */
  baseUrl?: string;
  /** One address per action (`pay/refund`) or function (`refund`); before `baseUrl`. */
  urls?: Record<string, string>;
  style?: 'path' | 'envelope';
  headers?: () => Record<string, string>;
  /** ms for one request, 15000 when left out; a waiting `await_notify` has its waiting time on top. */
  timeout?: number;
}

export interface PostRequest {
  url: string;
  body: string;
  headers: Record<string, string>;
  timeout: number;
}

export interface PostResponse {
  status: number;
  /** The body: text, or what it parses to. */
  body: unknown;
  /** Reads a header, whatever its case. */
  header(name: string): string | null | undefined;
}

/** The platform's way to POST: rejects when there is no answer. */
export type Post = (request: PostRequest) => Promise<PostResponse>;

export interface CallOptions {
  /** `pay/refund`: asked in the `url` dialect (an unpaid order is `code` 0 with `trade_state`). */
  url?: string;
  /** The same in VK's `action` dialect (an unpaid order is `code` 2002). */
  action?: Action;
  /** uniCloud's shape: `{name: 'vk-pay', data: {action: 'pay/refund', data: {…}}}`. */
  name?: string;
  data?: object;
  /** Called with a reply of code 0. */
  success?(reply: Reply): void;
  /** Called with any other reply, and with `code` -1 when there is none. */
  fail?(reply: Reply): void;
  complete?(reply: Reply): void;
}

/** What a payment runs in. */
export interface Env {
  platform: Platform;
  /** A desktop browser: QR codes are shown instead of apps opened. */
  isPC: boolean;
  isPhone: boolean;
  inWeChat: boolean;
  inAlipay: boolean;
  /** Where a browser comes back to from a cashier page, without the order's number. */
  returnUrl?: string;
}

/** What the platform's cashier said. Only the server says that an order is paid. */
export type InvokeResult =
  | { result: 'ok'; raw?: unknown }
  | { result: 'cancel'; raw?: unknown }
  | { result: 'fail'; msg: string; code?: number | string; raw?: unknown }
  /** The server has to tell. `otherwise` is how it ends when the server has not heard of a payment soon. */
  | { result: 'unknown'; otherwise?: 'cancel' | 'fail'; msg?: string; raw?: unknown }
  | { result: 'qrcode'; codeUrl: string }
  /** The page was sent to `url`, and perhaps left. */
  | { result: 'redirect'; url: string }
  /** A purchase of StoreKit: the server verifies it by `action`, only then is it finished. */
  | { result: 'purchase'; action: string; data: object; finish(): Promise<void>; raw?: unknown };

export type Invoke = (reply: CreateReply) => Promise<InvokeResult>;

export type PayStatus = 0 | 1 | 2;

export interface PayFailure {
  /** `create`: no order; `request`: the cashier failed; `result`: the order ended unpaid. */
  failType: 'create' | 'request' | 'result';
  code: number;
  msg: string;
  out_trade_no?: string;
  [field: string]: unknown;
}

/** A success that no server has confirmed is marked so. */
export type PaySuccess = Reply & { clientOnly?: true };

export interface PayEvents {
  /** 0 waits, 1 is paying, 2 is paid. After `pending` it stays 1, and so do the codes. */
  status?(status: PayStatus): void;
  codeUrl?(codeUrl: string): void;
  qrcodeImage?(image: string): void;
  create?(reply: CreateReply): void;
  success?(reply: PaySuccess): void;
  fail?(failure: PayFailure): void;
  cancel?(reply: Reply): void;
  userPaying?(reply: Reply): void;
  /** Asking has ended without a result; the order may still be paid. */
  pending?(reply: Reply): void;
}

/** Callbacks of one call, beside the events. */
export interface PayHooks {
  /** `false` ends the run before the cashier is opened. */
  create?(reply: CreateReply): boolean | void;
  success?(reply: PaySuccess): void;
  fail?(failure: PayFailure): void;
  cancel?(reply: Reply): void;
  userPaying?(reply: Reply): void;
  pending?(reply: Reply): void;
  complete?(outcome: PayOutcome): void;
}

export type PayOutcome =
  | { type: 'success'; reply: PaySuccess }
  | { type: 'fail'; reply: PayFailure }
  | { type: 'cancel'; reply: Reply }
  | { type: 'pending'; reply: Reply }
  /** A code is shown or the page was sent away, and `polling` is off. */
  | { type: 'waiting'; reply: Reply }
  /** Ended by `stop()`, another `pay()` or a `create` hook that answered false. */
  | { type: 'stopped' };

export interface PayOptions {
  /** Ask while a code is shown. Default false. */
  polling?: boolean;
  /** ms between the first twenty questions. Default 1500. */
  pollingTime?: number;
  /** Default 120; three minutes end the asking too. */
  maxPolls?: number;
  /** Wait for the handler before `success`. Default false. */
  awaitNotify?: boolean;
  /** Have the order in the reply. Default true. With both off, `success` is the cashier's word alone. */
  payOrderInfo?: boolean;
  /** Default `pay/queryPayment`. */
  queryAction?: Action;
}

export interface PayDeps {
  transport: Transport;
  invoke: Invoke;
  env: Env;
  /** The payer's openid, where the platform needs one and the order has none. */
  openid?(data: Record<string, unknown>): Promise<string | undefined>;
  /** False while nobody sees the page: nothing is asked then. */
  visible?(): boolean;
  sleep?(ms: number): Promise<void>;
  now?(): number;
}

/** How an order stands, from either dialect. */
export type OrderState = 'paid' | 'unpaid' | 'closed' | 'missing' | 'unknown';

export interface QueryResult {
  state: OrderState;
  paid: boolean;
  /** The server's reply, or `code` -1 when there is none. */
  reply: Reply;
}

export interface PayController {
  /** 0 waits, 1 is paying, 2 is paid. */
  readonly status: PayStatus;
  /** Creates, pays, asks. Ends the run before it. Never rejects. */
  pay(action: Action, data: object, hooks?: PayHooks): Promise<PayOutcome>;
  /** Asks about an order that was created before, with the events of `pay`: after a redirect, or on "I have paid". */
  resume(data: { out_trade_no: string }, hooks?: PayHooks): Promise<PayOutcome>;
  /** Asks once, without events. Never rejects. */
  query(data: { out_trade_no?: string; transaction_id?: string; [field: string]: unknown }): Promise<QueryResult>;
  /** Ends the run, also for an unmount; no event comes after it. */
  stop(): void;
  /** Changes options for the next question on. */
  set(options: PayOptions): void;
}

/** A request that was not sent (`code` as the server's) or not answered (`code` -1). */
export class PayError extends Error {
  readonly code: number;

  constructor(code: number, msg: string) {
    super(msg);
    this.name = 'PayError';
    this.code = code;
  }
}

declare global {
  /**
   * True in the one-file element (`build.mjs` puts it in as a constant): it calls the functions for payers by their
   * plain names, and needs no stores and no pay codes.
   */
  var VK_PAY_ELEMENT: boolean | undefined;
}
