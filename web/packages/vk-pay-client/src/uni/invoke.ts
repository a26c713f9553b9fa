import { alipayScheme, detectEnv } from '../env.js';
import { messageOf } from '../reply.js';
import type { Page } from '../page.js';
import { webInvoke } from '../web/invoke.js';
import type { CreateReply, Env, Invoke, InvokeResult, Platform } from '../types.js';
import { callUni, type Callbacks, type Told, type Uni } from './api.js';
import { buyApple } from './iap.js';

type Ending = Exclude<InvokeResult['result'], 'qrcode' | 'redirect' | 'purchase'>;

/** Pays by the platform's own call. A browser needs its page, and so does an app that opens Alipay's. */
export function uniInvoke(uni: Uni, platform: Platform, page?: Page | Pick<Page, 'open'>, env: Env = detectEnv(platform)): Invoke {
  if (platform === 'h5') {
    if (!page || !('bridge' in page)) throw new Error('uniInvoke on h5 needs browserPage(window)');
    return webInvoke(page, env);
  }
  return async (created) => {
    const { orderInfo, provider } = created;
    const info = (orderInfo && typeof orderInfo === 'object' ? orderInfo : {}) as Record<string, unknown>;
    const codeUrl = info.codeUrl ?? info.code_url;
    if (typeof codeUrl === 'string') {
      if (!page || platform !== 'app-plus' || provider !== 'alipay') return { result: 'qrcode', codeUrl };
      try {
        page.open(alipayScheme(codeUrl));
        return { result: 'redirect', url: alipayScheme(codeUrl) };
      } catch {
        return { result: 'qrcode', codeUrl };
      }
    }
    const pay = (options: object): ReturnType<typeof callUni> => callUni(bound(uni, 'requestPayment'), options);
    switch (`${platform} ${provider}`) {
      case 'mp-weixin wxpay-virtual':
        return virtual(await callUni(bound(uni, 'requestVirtualPayment'), info));
      case 'mp-weixin wxpay':
        return plain(await pay({ provider, ...info }));
      case 'mp-alipay alipay':
        return tradePay(await pay({ provider, orderInfo }));
      case 'mp-toutiao douyin':
        return info.byteAuthorization ? tradeOrder(uni, info) : cashier(await pay({ provider: 'toutiao', service: 5, orderInfo }));
      case 'mp-harmony huawei':
      case 'app-harmony huawei':
        return typeof orderInfo === 'string' ? huawei(await pay({ provider, orderInfo })) : unsupported(platform, created);
      case 'app-plus appleiap':
        return buyApple(uni, created);
      case 'app-plus alipay':
      case 'app-harmony alipay':
        return doubtful(await pay({ provider, orderInfo }), (told) => cancelled(told) || Number(codeOf(told)) === 62001);
      case 'app-plus wxpay':
      case 'app-harmony wxpay':
        return plain(await pay({ provider, orderInfo }));
    }
    return unsupported(platform, created);
  };
}

function bound(uni: Uni, name: 'requestPayment' | 'requestVirtualPayment' | 'requestOrder' | 'getOrderPayment'): ((options: Callbacks) => unknown) | undefined {
  return uni[name]?.bind(uni);
}

function unsupported(platform: Platform, { provider, pay_type }: CreateReply): InvokeResult {
  return { result: 'fail', msg: `${pay_type || provider}: not payable on ${platform}` };
}

function codeOf(told: Told): number | string | undefined {
  return told.errCode ?? told.errNo as Told['errCode'] ?? told.code;
}

function cancelled(told: Told): boolean {
  return /cancel|取消/i.test(String(told.errMsg ?? ''));
}

function failed(told: Told): InvokeResult {
  const code = codeOf(told);
  return { result: 'fail', msg: messageOf(told), raw: told, ...(code === undefined ? {} : { code }) };
}

type Answer = Awaited<ReturnType<typeof callUni>>;

function plain({ ok, told }: Answer): InvokeResult {
  if (ok) return { result: 'ok', raw: told };
  return cancelled(told) ? { result: 'cancel', raw: told } : failed(told);
}

/** Where a failure may hide a payment, the server is asked before it is called one. */
function doubtful({ ok, told }: Answer, isCancel = cancelled): InvokeResult {
  if (ok) return { result: 'ok', raw: told };
  if (isCancel(told)) return { result: 'cancel', raw: told };
  return { result: 'unknown', otherwise: 'fail', msg: messageOf(told), raw: told };
}

function virtual(answer: Answer): InvokeResult {
  return !answer.ok && Number(codeOf(answer.told)) === -2 ? { result: 'cancel', raw: answer.told } : plain(answer);
}

function byCode(codes: Record<string, Ending>, code: unknown, raw: Told): InvokeResult {
  const result = codes[String(code)];
  const msg = `${messageOf(raw.memo ?? raw)} (${String(code)})`;
  if (result === 'fail') return { result, msg, code: String(code), raw };
  if (result) return { result, raw };
  return { result: 'unknown', otherwise: 'fail', msg, raw };
}

const TRADE_PAY: Record<string, Ending> = { 9000: 'ok', 8000: 'unknown', 6004: 'unknown', 6001: 'cancel', 4000: 'fail' };

/** Alipay calls success whatever came of it. */
function tradePay({ ok, told }: Answer): InvokeResult {
  if (told.resultCode === undefined) return doubtful({ ok: false, told: ok ? { errMsg: 'no resultCode' } : told });
  return byCode(TRADE_PAY, told.resultCode, told);
}

const CASHIER: Record<string, Ending> = { 0: 'ok', 2: 'fail', 4: 'cancel', 9: 'unknown' };

/** Douyin calls success when its cashier opened. 1 is too late, 3 closed: nobody says what was before it. */
function cashier(answer: Answer): InvokeResult {
  const { ok, told } = answer;
  if (!ok) return plain(answer);
  if (Number(told.code) === 3) return { result: 'unknown', otherwise: 'cancel', raw: told };
  return byCode(CASHIER, told.code, told);
}

/** Douyin's trade system: the order is placed by the client, then paid. */
async function tradeOrder(uni: Uni, info: Record<string, unknown>): Promise<InvokeResult> {
  const placed = await callUni(bound(uni, 'requestOrder'), { data: info.data, byteAuthorization: info.byteAuthorization });
  if (!placed.ok) return plain(placed);
  return doubtful(await callUni(bound(uni, 'getOrderPayment'), { orderId: placed.told.orderId }));
}

function huawei(answer: Answer): InvokeResult {
  if (!answer.ok && Number(codeOf(answer.told)) === 50000101) return { result: 'unknown', otherwise: 'cancel', raw: answer.told };
  return doubtful(answer);
}
