import type { Env, Platform } from './types.js';

const MOST_URL = 512;
/** What the server sends a payer back to. */
const RETURNS = /^(https:|http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])[:/])/i;

/** Reads a browser's `User-Agent`; other platforms are what they are called. */
export function detectEnv(platform: Platform, userAgent = '', touchPoints = 0, returnUrl?: string): Env {
  const web = globalThis.VK_PAY_ELEMENT || platform === 'h5';
  // An iPad calls itself a Macintosh; HarmonyOS tells its computers apart by "PC;".
  const isPhone = !web || (/android|ipod|ipad|mobile|phone|tablet|harmony/i.test(userAgent) && !/\(PC;/i.test(userAgent))
    || (/macintosh/i.test(userAgent) && touchPoints > 1);
  const inWeChat = web && /micromessenger/i.test(userAgent);
  return {
    platform,
    isPhone,
    isPC: !isPhone && !inWeChat,
    inWeChat,
    inAlipay: web && /alipayclient/i.test(userAgent),
    ...(returnUrl ? { returnUrl } : {}),
  };
}

/** What the server has to know of the client, under what the order says itself. */
export function clientFields(env: Env, order: Record<string, unknown>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  if (!order.vk_platform && !order.platform) {
    fields.vk_platform = env.platform;
    if (env.isPC) fields.isPC = true;
  }
  const back = (globalThis.VK_PAY_ELEMENT || env.platform === 'h5') && env.returnUrl ? withOrder(env.returnUrl, String(order.out_trade_no)) : '';
  if (RETURNS.test(back) && back.length <= MOST_URL) fields.return_url = back;
  return fields;
}

/** How a code's text is best used: shown, opened in Alipay's app, or followed inside the wallet. */
export function openWay(env: Env, provider: string, method?: string): 'qrcode' | 'scheme' | 'link' {
  if ((!globalThis.VK_PAY_ELEMENT && env.platform !== 'h5') || !/^(alipay|vkspay)$/.test(provider)) return 'qrcode';
  if (env.inWeChat || env.inAlipay) return 'link';
  return env.isPhone && method !== 'wxpay' ? 'scheme' : 'qrcode';
}

export function alipayScheme(codeUrl: string): string {
  return `alipays://platformapi/startapp?saId=10000007&qrcode=${encodeURIComponent(codeUrl)}`;
}

/** The address a cashier page returns to: `url` with the order's number, where its router reads it. */
export function withOrder(url: string, outTradeNo: string): string {
  const [page = '', hash] = url.split(/#(.*)/);
  const added = `return=1&out_trade_no=${encodeURIComponent(outTradeNo)}`;
  if (hash?.[0] === '/') return `${page}#${append(hash, added)}`;
  return append(page, added) + (hash === undefined ? '' : `#${hash}`);
}

function append(path: string, added: string): string {
  const [name, query = ''] = path.split(/\?(.*)/);
  const kept = query.split('&').filter((pair) => pair && !/^(return|out_trade_no)=/.test(pair));
  return `${name}?${[...kept, added].join('&')}`;
}
