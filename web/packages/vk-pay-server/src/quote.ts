import { createHmac } from 'node:crypto';
import { checkFen } from './amounts.js';
import type { JsonObject, Provider, VirtualGoods } from './types.js';

/** What a quote fixes. The request may leave it out, and is refused (403) where it says otherwise. */
export interface QuoteClaims {
  /** The order's number. */
  out_trade_no: string;
  /** The price, fen. */
  total_fee: number;
  /** The order's type: which handler delivers it. */
  type: string;
  /** The handler's data. Must be there; `{}` says that there is none. */
  custom: JsonObject;
  provider?: Provider;
  /** Who is paid. */
  pid?: string;
  sub_mchid?: string;
  sub_appid?: string;
  /** Further parameters for the provider. */
  other?: JsonObject;
  /** What a store sells, for Apple and Huawei's IAP Kit. */
  product_id?: string;
  quantity?: number;
  /** Coins or goods of WeChat's virtual payment. */
  wxpay_virtual?: VirtualGoods;
}

export interface QuoteOptions {
  /** `auth.quote.hs256` of the configuration, at least 16 bytes. */
  secret: string;
  /** How long the quote counts from now, seconds. Default 600. The functions grant no leeway. */
  expiresInSeconds?: number;
}

const NEEDED = ['out_trade_no', 'total_fee', 'type', 'custom'] as const;
const KNOWN = new Set<string>([
  ...NEEDED, 'provider', 'pid', 'sub_mchid', 'sub_appid', 'other', 'product_id', 'quantity', 'wxpay_virtual',
]);
const SHORTEST_SECRET = 16;
const DEFAULT_SECONDS = 600;

const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

/**
 * Signs what is sold, for a page that creates its order itself: the page sends the text as `data.quote`. It is a JSON
 * Web Token, HS256.
 *
 * @throws {@link VkPayError} 1003 for a `total_fee` that is no amount; `TypeError` for a claim that is missing, or one
 * that a quote cannot fix, which would be signed and bind nothing.
 */
export function signQuote(claims: QuoteClaims, options: QuoteOptions): string {
  const { secret, expiresInSeconds = DEFAULT_SECONDS } = options;
  if (Buffer.byteLength(secret) < SHORTEST_SECRET) throw new TypeError(`secret: at least ${SHORTEST_SECRET} bytes`);
  if (!Number.isSafeInteger(expiresInSeconds) || expiresInSeconds < 1) {
    throw new TypeError('expiresInSeconds: a positive integer');
  }
  for (const name of NEEDED) {
    if (claims[name] === undefined || claims[name] === null) throw new TypeError(`${name}: a quote needs it`);
  }
  for (const name of Object.keys(claims)) {
    if (!KNOWN.has(name)) throw new TypeError(`${name}: a quote cannot fix it`);
  }
  checkFen('total_fee', claims.total_fee, 1003);
  const exp = Math.floor(Date.now() / 1000) + expiresInSeconds;
  const signed = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded({ ...claims, exp })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
