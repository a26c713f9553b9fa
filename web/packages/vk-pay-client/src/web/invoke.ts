import { alipayScheme, openWay, withOrder } from '../env.js';
import { messageOf } from '../reply.js';
import type { Page } from '../page.js';
import type { CreateReply, Env, Invoke, InvokeResult } from '../types.js';

type Info = Record<string, string | undefined>;

/** Pays in a browser: WeChat's bridge, a cashier page, a wallet's app, or a code to scan. */
export function webInvoke(page: Page, env: Env): Invoke {
  return async (created) => {
    const { orderInfo } = created;
    const info = (orderInfo && typeof orderInfo === 'object' ? orderInfo : {}) as Info;
    const form = typeof orderInfo === 'string' ? orderInfo : info.form;
    try {
      if (info.paySign && created.provider === 'wxpay') return await askBridge(page, info);
      if (created.pay_type === 'alipay_mp-alipay') return await askAlipay(page, String(orderInfo));
      if (form && /<form/i.test(form)) {
        page.submit(form);
        return { result: 'redirect', url: page.url() };
      }
      const cashier = info.mwebUrl ?? info.mweb_url ?? info.h5Url ?? info.payUrl;
      if (cashier) return open(page, created.pay_type === 'wxpay_mweb' ? withReturn(cashier, page, env, created) : cashier);
      const codeUrl = info.codeUrl ?? info.code_url;
      if (!codeUrl) return { result: 'fail', msg: `${created.pay_type}: not payable in a browser` };
      // VksPay's link is for more than one wallet, so its payer chooses.
      const way = created.provider === 'alipay' ? openWay(env, 'alipay') : 'qrcode';
      if (way === 'qrcode') return { result: 'qrcode', codeUrl };
      return open(page, way === 'scheme' ? alipayScheme(codeUrl) : codeUrl);
    } catch (error) {
      return { result: 'fail', msg: messageOf(error) };
    }
  };
}

function open(page: Page, url: string): InvokeResult {
  page.open(url);
  return { result: 'redirect', url };
}

function withReturn(url: string, page: Page, env: Env, { out_trade_no }: CreateReply): string {
  if (/[?&]redirect_url=/.test(url)) return url;
  const back = withOrder(env.returnUrl ?? page.url(), out_trade_no);
  return `${url}${url.includes('?') ? '&' : '?'}redirect_url=${encodeURIComponent(back)}`;
}

const TRADE_PAY: Record<string, 'ok' | 'unknown' | 'cancel'> = { 9000: 'ok', 8000: 'unknown', 6004: 'unknown', 6001: 'cancel' };

/** A page in Alipay pays a trade that was made for its user. */
async function askAlipay(page: Page, tradeNO: string): Promise<InvokeResult> {
  const bridge = await page.alipayBridge!();
  return new Promise((done) => {
    bridge.call('tradePay', { tradeNO }, (raw) => {
      const code = String(raw.resultCode);
      done({ result: TRADE_PAY[code] ?? 'fail', msg: raw.memo || code, raw });
    });
  });
}

async function askBridge(page: Page, info: Info): Promise<InvokeResult> {
  const bridge = await page.bridge();
  return new Promise((done) => {
    bridge.invoke('getBrandWCPayRequest', info, (raw) => {
      const msg = String(raw.err_msg);
      if (/:ok$/.test(msg)) done({ result: 'ok', raw });
      else if (/:cancel$/.test(msg)) done({ result: 'cancel', raw });
      else done({ result: 'fail', msg, raw });
    });
  });
}
