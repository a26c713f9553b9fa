import { messageOf, noReply } from './reply.js';
import {
  PayError, type Action, type CallOptions, type Post, type PostResponse, type Reply, type Transport,
  type TransportOptions,
} from './types.js';

/** The function that serves an action. */
const FUNCTIONS: Record<string, string> = {
  createPayment: 'create-payment',
  closePayment: 'create-payment',
  queryPayment: 'query-payment',
  queryOrders: 'query-payment',
  queryIncidents: 'query-payment',
  queryComplaints: 'query-payment',
  rerunHandler: 'query-payment',
  'appleiap/verifyReceipt': 'query-payment',
  'huaweiiap/verifyPurchase': 'query-payment',
  methods: 'query-payment',
  refund: 'refund',
  queryRefund: 'refund',
  resolveIncident: 'refund',
  uploadShipping: 'refund',
  queryShipping: 'refund',
  confirmReceive: 'refund',
  answerComplaint: 'refund',
  completeComplaint: 'refund',
  refundComplaint: 'refund',
  subscribeComplaints: 'refund',
  applyAbnormalRefund: 'refund',
  addReceiver: 'refund',
  deleteReceiver: 'refund',
  profitShare: 'refund',
  unfreezeShare: 'refund',
  returnShare: 'refund',
  queryShare: 'refund',
  transfer: 'transfer',
  queryTransfer: 'transfer',
  cancelTransfer: 'transfer',
  transferReceipt: 'transfer',
  createUserConfirmAuthorization: 'transfer',
  queryUserConfirmAuthorization: 'transfer',
  closeUserConfirmAuthorization: 'transfer',
  request: 'transfer',
  queryBalance: 'transfer',
  queryAccountBalance: 'transfer',
  'wxpayVirtual/queryUserBalance': 'transfer',
  'wxpayVirtual/currencyPay': 'transfer',
  'wxpayVirtual/cancelCurrencyPay': 'transfer',
  'wxpayVirtual/presentCurrency': 'transfer',
  code2Session: 'login',
  code2SessionWeixin: 'login',
  code2SessionWeixinH5: 'login',
  code2SessionAlipay: 'login',
  code2SessionDouyin: 'login',
};
const KNOWN: Record<string, string> = globalThis.VK_PAY_ELEMENT
  ? { createPayment: 'create-payment', queryPayment: 'query-payment', methods: 'query-payment' }
  : FUNCTIONS;
const MOST_FEN = 1e10;
const AMOUNTS: [string, number][] = [['total_fee', 1003], ['transfer_amount', 1007], ['refund_fee', 1031]];

interface Call {
  action: string;
  actionKey: string;
  dataKey: string;
}

function readAction(action: Action): Call {
  const named = typeof action === 'string' ? { action } : action;
  return {
    action: named.action ?? named.name ?? '',
    actionKey: named.actionKey ?? 'action',
    dataKey: named.dataKey ?? 'data',
  };
}

/** True for what the server takes as fen: an integer from 1, or its canonical decimal text. */
export function isFen(value: unknown): boolean {
  return typeof value === 'string'
    ? /^[1-9]\d{0,10}$/.test(value) && Number(value) <= MOST_FEN
    : typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MOST_FEN;
}

function prepare(action: string, data: object): object {
  const fields: Record<string, unknown> = { ...data };
  // A form that was not filled in means all that is left, and the server reads only absence so.
  if (/(^|\/)refund$/.test(action) && fields.refund_fee === '') delete fields.refund_fee;
  for (const [name, code] of AMOUNTS) {
    if (fields[name] !== undefined && !isFen(fields[name])) {
      throw new PayError(code, `${name}: ${String(fields[name])}`);
    }
  }
  return fields;
}

function address({ urls = {}, baseUrl, style }: TransportOptions, action: string): string {
  if (style === 'envelope' && baseUrl) return baseUrl;
  const short = action.replace(/^pay\//, '');
  const name = KNOWN[short] ?? '';
  const own = urls[action] ?? urls[short] ?? urls[name];
  if (own) return own;
  if (!name || baseUrl === undefined) throw new PayError(404, `${action}: no address`);
  return `${baseUrl.replace(/\/+$/, '')}/${name}`;
}

/** A transport over HTTP, to the bundle's functions or to VK's one address. */
export function httpTransport(options: TransportOptions, post: Post): Transport {
  return async (action, data) => {
    const call: Call = globalThis.VK_PAY_ELEMENT ? { action: action as string, actionKey: '', dataKey: '' } : readAction(action);
    const fields = (globalThis.VK_PAY_ELEMENT ? data : prepare(call.action, data)) as { await_notify?: unknown; await_max_time?: unknown };
    const url = address(options, call.action);
    // The functions read these names only; VK's address is configured by its owner.
    const plain = options.style !== 'envelope';
    const actionKey = globalThis.VK_PAY_ELEMENT ? 'action' : plain && !/^(action|\$?url)$/.test(call.actionKey) ? 'action' : call.actionKey;
    const waits = fields.await_notify ? Number(fields.await_max_time ?? 20) * 1000 : 0;
    let response: PostResponse;
    try {
      response = await post({
        url,
        body: JSON.stringify({ [actionKey]: call.action, [globalThis.VK_PAY_ELEMENT || plain ? 'data' : call.dataKey]: fields }),
        headers: { 'content-type': 'application/json', ...options.headers?.() },
        timeout: (options.timeout ?? 15000) + waits,
      });
    } catch (error) {
      throw new PayError(-1, messageOf(error));
    }
    return readResponse(response);
  };
}

function readResponse({ status, body, header }: PostResponse): Reply {
  let found: unknown = body;
  if (globalThis.VK_PAY_ELEMENT || typeof body === 'string') {
    try {
      found = JSON.parse(body as string);
    } catch {
      found = null;
    }
  }
  const fields = (found && typeof found === 'object' ? found : {}) as Partial<Reply>;
  const reply: Reply = { ...fields, code: fields.code ?? (status < 400 ? -1 : status), msg: fields.msg ?? `HTTP ${status}` };
  const after = header('retry-after');
  const wait = after ? (globalThis.VK_PAY_ELEMENT || /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now()) : 0;
  if (wait > 0) reply.retry_after_ms = wait;
  return reply;
}

let chosen: Transport | undefined;

/** Fixes where `callFunction` and `defaultTransport` send to. */
export function setup(options: TransportOptions & { post: Post }): void {
  chosen = httpTransport(options, options.post);
}

/** The transport of `setup`. */
export function defaultTransport(): Transport {
  if (!chosen) throw new PayError(-1, 'setup({ baseUrl }) has not been called');
  return chosen;
}

function readCall({ url, action, name, data = {} }: CallOptions): [Action, object] {
  if (url) return [{ action: url, actionKey: 'url' }, data];
  if (action) return [action, data];
  const event = data as Record<string, unknown>;
  const actionKey = ['action', '$url', 'url'].find((key) => typeof event[key] === 'string');
  if (!actionKey) return [name ?? '', data];
  return [{ action: String(event[actionKey]), actionKey }, (event.data ?? {}) as object];
}

/**
 * One call, by callbacks or by a promise. The promise gives every reply of the server, whatever its code. Without
 * a reply it gives one of the client's own when there are callbacks for it, and is rejected when there are none.
 */
export async function callFunction(options: CallOptions): Promise<Reply> {
  let reply: Reply;
  try {
    reply = await defaultTransport()(...readCall(options));
  } catch (error) {
    if (!options.fail && !options.complete) throw error;
    reply = noReply(error);
  }
  if (reply.code === 0) options.success?.(reply);
  else options.fail?.(reply);
  options.complete?.(reply);
  return reply;
}
