import { createDecipheriv, createHash, timingSafeEqual } from 'node:crypto';
import { isFen } from './amounts.js';
import { VkPayError } from './error.js';
import type { OrderColumns } from './types.js';

/** How a delivery shows that it is genuine, as `handlers.<type>.http` of the configuration has it. */
export type DeliveryOptions =
  | {
    /** `http.key`. Several while you change it: any of them passes. */
    key: string | readonly string[];
  }
  | {
    /** `notifyKey`, for `http.encrypt`. Several while you change it. */
    notifyKey: string | readonly string[];
    /** The mode of `encrypt`; `true` there means `aes192`, the default. */
    encrypt?: 'aes192' | 'aes-256-ecb';
  };

/** The request's headers: `IncomingMessage.headers` of `node:http`, or a `Headers`. */
export type DeliveryHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * A paid order, with the keys of its `custom` merged in at the top. A column always wins over a key of the same name,
 * and a `custom` key that is named as a column is in `custom` only.
 */
export type DeliveredOrder = OrderColumns & Record<string, unknown>;

export interface Delivery {
  order: DeliveredOrder;
  /** The same at each delivery of the order, and of no other: do the order's work once for it. */
  idempotencyKey: string;
}

const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest();
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const malformed = (what: string) => new VkPayError({ code: 400, status: 400, message: `not a delivery: ${what}` });
const refused = (what: string) => new VkPayError({ code: 403, status: 403, message: what });

/**
 * Verifies and reads an order that was handed over by HTTP.
 *
 * It compares the key in constant time, or opens what is encrypted, and holds `Idempotency-Key` against the order's
 * number. Deliveries carry no time: they come again for 24 hours, and what makes an old one harmless is that you do
 * each `idempotencyKey` once. Encryption does not prove who sent the order; with it, look the order up by
 * `queryPayment` before you give away anything dear.
 *
 * @param body the bytes as they came. Take no more than you are ready to parse: 64 KiB is plenty.
 * @throws {@link VkPayError} with the status to answer: 400 for what is no delivery, 403 for one that is not genuine.
 */
export function openDelivery(body: Uint8Array, headers: DeliveryHeaders, options: DeliveryOptions): Delivery {
  const order = 'key' in options ? byKey(body, options.key) : unsealed(body, options);
  if (typeof order.out_trade_no !== 'string' || !isFen(order.total_fee)
    || (order.trade_state !== 'SUCCESS' && order.trade_state !== 'REFUND')) {
    throw 'key' in options ? malformed('no paid order') : refused('cannot be opened');
  }
  const idempotencyKey = sha256(order.out_trade_no).toString('hex');
  if (header(headers, 'idempotency-key') !== idempotencyKey) throw refused('Idempotency-Key is not the order\'s');
  return { order: order as DeliveredOrder, idempotencyKey };
}

function header(headers: DeliveryHeaders, name: string): unknown {
  if (typeof headers.get === 'function') return headers.get(name);
  const found = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
  return found.length === 1 ? found[0]?.[1] : undefined;
}

/** An array even of one; empty secrets are no secrets. */
function listed(name: string, secrets: string | readonly string[]): readonly string[] {
  const all = typeof secrets === 'string' ? [secrets] : secrets;
  if (all.length === 0 || all.some((secret) => typeof secret !== 'string' || secret === '')) {
    throw new TypeError(`${name}: a secret, or several`);
  }
  return all;
}

function parsed(body: Uint8Array): Record<string, unknown> {
  let found: unknown;
  try {
    found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw malformed('no JSON');
  }
  if (!isObject(found)) throw malformed('no object');
  return found;
}

function byKey(body: Uint8Array, keys: string | readonly string[]): Record<string, unknown> {
  const all = listed('key', keys);
  const { key, ...order } = parsed(body);
  // Digests are of one length, and every key is compared, so the time tells nothing.
  const given = sha256(typeof key === 'string' ? key : '');
  let same = false;
  for (const secret of all) same = timingSafeEqual(given, sha256(secret)) || same;
  if (!same) throw refused('wrong key');
  return order;
}

function unsealed(body: Uint8Array, options: Extract<DeliveryOptions, { notifyKey: unknown }>): Record<string, unknown> {
  const all = listed('notifyKey', options.notifyKey);
  const mode = options.encrypt ?? 'aes192';
  if (mode === 'aes-256-ecb' && all.some((secret) => Buffer.byteLength(secret) < 32)) {
    throw new TypeError('notifyKey: at least 32 bytes');
  }
  const { encrypted } = parsed(body);
  if (typeof encrypted !== 'string') throw malformed('nothing encrypted');
  for (const secret of all) {
    try {
      const order: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(opened(mode, encrypted, secret)));
      if (isObject(order)) return order;
    } catch {
      // Whatever is wrong is the same to the sender: who could tell bad padding from bad JSON could decrypt with us.
    }
  }
  throw refused('cannot be opened');
}

/** VK-Pay's two modes. */
function opened(mode: 'aes192' | 'aes-256-ecb', text: string, secret: string): Buffer {
  if (mode === 'aes-256-ecb') {
    const cipher = createDecipheriv('aes-256-ecb', Buffer.from(secret).subarray(0, 32), null);
    return Buffer.concat([cipher.update(text, 'base64'), cipher.final()]);
  }
  const { key, iv } = bytesToKey(secret);
  const cipher = createDecipheriv('aes-192-cbc', key, iv);
  return Buffer.concat([cipher.update(text, 'hex'), cipher.final()]);
}

/** OpenSSL's EVP_BytesToKey with MD5, one round and no salt: 24 bytes of key, then 16 of IV. */
function bytesToKey(secret: string): { key: Buffer; iv: Buffer } {
  let bytes = Buffer.alloc(0);
  let last = Buffer.alloc(0);
  while (bytes.length < 40) {
    last = createHash('md5').update(last).update(secret).digest();
    bytes = Buffer.concat([bytes, last]);
  }
  return { key: bytes.subarray(0, 24), iv: bytes.subarray(24, 40) };
}
