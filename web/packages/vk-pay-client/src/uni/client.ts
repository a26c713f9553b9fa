import { detectEnv } from '../env.js';
import { field, messageOf } from '../reply.js';
import { PayError, type Env, type Platform, type Post, type Transport } from '../types.js';
import { callUni, type Uni } from './api.js';

/** POSTs by `uni.request`. */
export function uniPost(uni: Uni): Post {
  return ({ url, body, headers, timeout }) => new Promise((done, failed) => {
    uni.request({
      url,
      method: 'POST',
      data: body,
      header: headers,
      timeout,
      // Texts are parsed by the transport, which knows what a broken one means.
      dataType: 'text',
      success: ({ statusCode, data, header }) => {
        const found = Object.entries((header ?? {}) as Record<string, unknown>);
        done({
          status: Number(statusCode),
          body: data,
          header: (name) => found.find(([key]) => key.toLowerCase() === name)?.[1] as string | undefined,
        });
      },
      fail: (told) => failed(new PayError(-1, messageOf(told))),
    });
  });
}

/** The platform by uni-app's compile-time name, and what its browser is. */
export function uniEnv(platform: string, browser?: { userAgent?: string; maxTouchPoints?: number }, returnUrl?: string): Env {
  const known = ({ app: 'app-plus', web: 'h5' } as Record<string, Platform>)[platform] ?? platform;
  return detectEnv(known, browser?.userAgent, browser?.maxTouchPoints, returnUrl);
}

const LOGIN: Record<string, string> = {
  'mp-weixin wxpay': 'wxpay',
  'mp-weixin wxpay-virtual': 'wxpay-virtual',
  'mp-alipay alipay': 'alipay',
  'mp-toutiao douyin': 'douyin',
};

/** The payer's openid by the platform's login, for the orders that need one. Each instance remembers its own. */
export function uniOpenid(uni: Uni, platform: Platform, transport: Transport): (data: { provider?: unknown }) => Promise<string | undefined> {
  const found = new Map<string, string>();
  return async (data) => {
    const provider = LOGIN[`${platform} ${String(data.provider)}`];
    if (!provider) return undefined;
    const known = found.get(provider);
    if (known) return known;
    const { ok, told } = await callUni(uni.login?.bind(uni), provider === 'alipay' ? { scopes: 'auth_base' } : {});
    const code = told.code ?? told.authCode;
    if (!ok || !code) throw new PayError(1013, messageOf(told));
    const reply = await transport('pay/code2Session', { provider, code, vk_platform: platform });
    const openid = field(reply, 'openid');
    if (reply.code !== 0 || typeof openid !== 'string') throw new PayError(reply.code || 1006, reply.msg);
    // Virtual payment needs a live session too, so it logs in each time.
    if (provider !== 'wxpay-virtual') found.set(provider, openid);
    return openid;
  };
}
