import { describe, expect, test } from 'vitest';
import { alipayScheme } from '../src/env.js';
import { httpTransport } from '../src/transport.js';
import { uniEnv, uniOpenid } from '../src/uni/client.js';
import { uniInvoke } from '../src/uni/invoke.js';
import type { CreateReply, Reply } from '../src/types.js';
import { created } from './helpers.js';

type Told = Record<string, unknown>;

interface Api {
  uni: Parameters<typeof uniInvoke>[0];
  calls: [string, Told][];
}

/** A `uni` whose calls answer as told: by success, or by fail when there is an errMsg that says so. */
function platform(answers: Record<string, { ok: boolean; told: Told }>): Api {
  const calls: [string, Told][] = [];
  const uni: Record<string, unknown> = { request() {} };
  for (const [name, { ok, told }] of Object.entries(answers)) {
    uni[name] = ({ success, fail, ...options }: { success(told: Told): void; fail(told: Told): void } & Told) => {
      calls.push([name, options]);
      (ok ? success : fail)(told);
      // A promise here would be the wrong style: some platforms have none.
      return undefined;
    };
  }
  return { uni: uni as unknown as Api['uni'], calls };
}

const succeed = (told: Told = {}) => ({ requestPayment: { ok: true, told } });
const fail = (told: Told) => ({ requestPayment: { ok: false, told } });

describe('WeChat mini-program', () => {
  const info = { appId: 'wx1', timeStamp: '1', nonceStr: 'n', package: 'prepay_id=1', signType: 'RSA', paySign: 's' };
  const reply = created('T', { pay_type: 'wxpay_mp-weixin', orderInfo: info });

  test('gets exactly what the server signed, at the top level', async () => {
    const { uni, calls } = platform(succeed());
    expect(await uniInvoke(uni, 'mp-weixin')(reply)).toMatchObject({ result: 'ok' });
    expect(calls).toEqual([['requestPayment', { provider: 'wxpay', ...info }]]);
  });

  test.each([
    ['requestPayment:fail cancel', 'cancel'],
    ['requestPayment:fail jsapi has no permission', 'fail'],
  ])('%s is %s', async (errMsg, result) => {
    expect(await uniInvoke(platform(fail({ errMsg })).uni, 'mp-weixin')(reply)).toMatchObject({ result });
  });

  test('shows the code of another wallet', async () => {
    const { uni } = platform({});
    expect(await uniInvoke(uni, 'mp-weixin')(created('T', { provider: 'vkspay', orderInfo: { codeUrl: 'https://q' } })))
      .toEqual({ result: 'qrcode', codeUrl: 'https://q' });
  });
});

describe('WeChat virtual payment', () => {
  // As a server writes it: spaces, order and escapes belong to the signature.
  const signData = '{"offerId": "1","buyQuantity":1,  "name":"\\u91d1\\u5e01","env":0}';
  const reply = created('T', {
    provider: 'wxpay-virtual', pay_type: 'wxpay-virtual_mp-weixin',
    orderInfo: { mode: 'short_series_coin', signData, paySig: 'p', signature: 's' },
  });

  test('gets signData byte for byte, by callbacks', async () => {
    const { uni, calls } = platform({ requestVirtualPayment: { ok: true, told: {} } });
    expect(await uniInvoke(uni, 'mp-weixin')(reply)).toMatchObject({ result: 'ok' });
    expect(calls[0]![1]).toEqual({ mode: 'short_series_coin', signData, paySig: 'p', signature: 's' });
    expect(calls[0]![1].signData).toBe(signData);
  });

  test.each([
    [-2, 'cancel'], [-1, 'fail'], [-4, 'fail'], [-15005, 'fail'], [-15006, 'fail'],
  ])('errCode %d is %s', async (errCode, result) => {
    const { uni } = platform({ requestVirtualPayment: { ok: false, told: { errCode, errMsg: 'requestVirtualPayment:fail' } } });
    expect(await uniInvoke(uni, 'mp-weixin')(reply)).toMatchObject(result === 'fail' ? { result, code: errCode } : { result });
  });

  test('of a base library without it fails with a reason', async () => {
    expect(await uniInvoke(platform({}).uni, 'mp-weixin')(reply)).toMatchObject({ result: 'fail', msg: 'not supported on this platform' });
  });
});

describe('Alipay mini-program', () => {
  const reply = created('T', { provider: 'alipay', pay_type: 'alipay_mp-alipay', orderInfo: '2026112122001' });

  test('gets the trade number', async () => {
    const { uni, calls } = platform(succeed({ resultCode: '9000' }));
    await uniInvoke(uni, 'mp-alipay')(reply);
    expect(calls).toEqual([['requestPayment', { provider: 'alipay', orderInfo: '2026112122001' }]]);
  });

  test.each([
    ['9000', { result: 'ok' }], ['8000', { result: 'unknown' }], ['6004', { result: 'unknown' }],
    ['6001', { result: 'cancel' }], ['4000', { result: 'fail' }], ['6002', { result: 'unknown', otherwise: 'fail' }],
  ])('resultCode %s is %o, by success and by fail alike', async (resultCode, result) => {
    expect(await uniInvoke(platform(succeed({ resultCode })).uni, 'mp-alipay')(reply)).toMatchObject(result);
    expect(await uniInvoke(platform(fail({ resultCode })).uni, 'mp-alipay')(reply)).toMatchObject(result);
  });

  test('a number is read like its text, and an answer without one proves nothing', async () => {
    expect(await uniInvoke(platform(succeed({ resultCode: 9000 })).uni, 'mp-alipay')(reply)).toMatchObject({ result: 'ok' });
    expect(await uniInvoke(platform(succeed()).uni, 'mp-alipay')(reply)).toMatchObject({ result: 'unknown' });
  });
});

describe('Douyin mini-program', () => {
  const ecpay = created('T', { provider: 'douyin', pay_type: 'douyin_mp-toutiao', orderInfo: { order_id: '7', order_token: 't' } });

  test('opens the cashier of the guaranteed payment', async () => {
    const { uni, calls } = platform(succeed({ code: 0 }));
    expect(await uniInvoke(uni, 'mp-toutiao')(ecpay)).toMatchObject({ result: 'ok' });
    expect(calls[0]![1]).toEqual({ provider: 'toutiao', service: 5, orderInfo: { order_id: '7', order_token: 't' } });
  });

  test.each([
    [0, { result: 'ok' }], [1, { result: 'unknown', otherwise: 'fail' }], [2, { result: 'fail' }],
    [3, { result: 'unknown', otherwise: 'cancel' }], [4, { result: 'cancel' }], [9, { result: 'unknown' }],
  ])('code %d is %o, though every one is a success', async (code, result) => {
    const told = await uniInvoke(platform(succeed({ code })).uni, 'mp-toutiao')(ecpay);
    expect(told).toMatchObject(result);
    if (code === 9) expect(told).not.toHaveProperty('otherwise');
  });

  test('of the trade system places the order as signed, then pays it', async () => {
    const data = '{"skuList":[{"skuId": "1"}]}';
    const trade = created('T', { provider: 'douyin', orderInfo: { data, byteAuthorization: 'SHA256-RSA2048 x' } });
    const { uni, calls } = platform({ requestOrder: { ok: true, told: { orderId: 'motb1' } }, getOrderPayment: { ok: true, told: {} } });
    expect(await uniInvoke(uni, 'mp-toutiao')(trade)).toMatchObject({ result: 'ok' });
    expect(calls).toEqual([['requestOrder', { data, byteAuthorization: 'SHA256-RSA2048 x' }], ['getOrderPayment', { orderId: 'motb1' }]]);
    const refused = platform({ requestOrder: { ok: false, told: { errNo: 11004, errMsg: 'requestOrder:fail 签名' } } });
    expect(await uniInvoke(refused.uni, 'mp-toutiao')(trade)).toMatchObject({ result: 'fail', code: 11004 });
    const failed = platform({ requestOrder: { ok: true, told: { orderId: 'm' } }, getOrderPayment: { ok: false, told: { errNo: 9, errMsg: 'getOrderPayment:fail' } } });
    expect(await uniInvoke(failed.uni, 'mp-toutiao')(trade)).toMatchObject({ result: 'unknown', otherwise: 'fail' });
  });
});

describe.each(['mp-harmony', 'app-harmony'])('Huawei on %s', (name) => {
  const orderStr = '{"app_id":"1","sign":"s"}';
  const reply = created('T', { provider: 'huawei', pay_type: `huawei_${name}`, orderInfo: orderStr });

  test('gets the text as it is', async () => {
    const { uni, calls } = platform(succeed());
    expect(await uniInvoke(uni, name)(reply)).toMatchObject({ result: 'ok' });
    expect(calls).toEqual([['requestPayment', { provider: 'huawei', orderInfo: orderStr }]]);
  });

  test.each([
    [{ errCode: 50000101, errMsg: 'requestPayment:fail' }, { result: 'unknown', otherwise: 'cancel' }],
    [{ errCode: 1, errMsg: 'requestPayment:fail' }, { result: 'unknown', otherwise: 'fail' }],
  ])('%o is for the server to tell', async (told, result) => {
    expect(await uniInvoke(platform(fail(told)).uni, name)(reply)).toMatchObject(result);
  });

  test('has no call for its in-app purchases', async () => {
    const { uni, calls } = platform(succeed());
    expect(await uniInvoke(uni, name)({ ...reply, orderInfo: { productId: 'p' } })).toMatchObject({ result: 'fail' });
    expect(calls).toHaveLength(0);
  });
});

describe('app', () => {
  const wxpay = created('T', { pay_type: 'wxpay_app-plus', orderInfo: { appid: 'wx', sign: 's' } });
  const alipay = created('T', { provider: 'alipay', pay_type: 'alipay_app-plus', orderInfo: 'app_id=1&sign=s' });

  test('hands WeChat Pay an object and Alipay a text', async () => {
    const { uni, calls } = platform(succeed());
    expect(await uniInvoke(uni, 'app-plus')(wxpay)).toMatchObject({ result: 'ok' });
    expect(await uniInvoke(uni, 'app-plus')(alipay)).toMatchObject({ result: 'ok' });
    expect(calls.map(([, options]) => options)).toEqual([
      { provider: 'wxpay', orderInfo: { appid: 'wx', sign: 's' } }, { provider: 'alipay', orderInfo: 'app_id=1&sign=s' },
    ]);
  });

  test.each([
    [wxpay, { errMsg: 'requestPayment:fail cancel' }, { result: 'cancel' }],
    [wxpay, { errMsg: 'requestPayment:fail service not found' }, { result: 'fail' }],
    [alipay, { code: 62001, errMsg: 'requestPayment:fail' }, { result: 'cancel' }],
    [alipay, { code: 62008, errMsg: 'requestPayment:fail network' }, { result: 'unknown', otherwise: 'fail' }],
  ])('%#: a failure is read', async (reply, told, result) => {
    expect(await uniInvoke(platform(fail(told)).uni, 'app-plus')(reply as CreateReply)).toMatchObject(result);
  });

  test("opens Alipay's app for a code where it can, and shows the code where it cannot", async () => {
    const reply = created('T', { provider: 'alipay', pay_type: 'alipay_h5', orderInfo: { codeUrl: 'https://qr.alipay.com/x' } });
    const opened: string[] = [];
    const { uni } = platform({});
    expect(await uniInvoke(uni, 'app-plus', { open: (url) => void opened.push(url) })(reply)).toMatchObject({ result: 'redirect' });
    expect(opened).toEqual([alipayScheme('https://qr.alipay.com/x')]);
    expect(await uniInvoke(uni, 'app-plus')(reply)).toMatchObject({ result: 'qrcode' });
  });
});

test('what a platform cannot pay is told, not tried', async () => {
  const { uni, calls } = platform(succeed());
  expect(await uniInvoke(uni, 'mp-weixin')(created('T', { provider: 'alipay', pay_type: 'alipay_app-plus', orderInfo: 's' })))
    .toEqual({ result: 'fail', msg: 'alipay_app-plus: not payable on mp-weixin' });
  expect(calls).toHaveLength(0);
  expect(() => uniInvoke(uni, 'h5')).toThrow('browserPage');
});

test('platforms are known by the names of the compiler', () => {
  expect(uniEnv('app')).toMatchObject({ platform: 'app-plus', isPC: false });
  expect(uniEnv('web', { userAgent: 'X11; Linux x86_64' })).toMatchObject({ platform: 'h5', isPC: true });
  expect(uniEnv('mp-weixin')).toMatchObject({ platform: 'mp-weixin', isPC: false });
});

describe('openid', () => {
  function login(reply: Reply): { find: ReturnType<typeof uniOpenid>; asked: unknown[] } {
    const asked: unknown[] = [];
    const transport = httpTransport({ baseUrl: '' }, async ({ body }) => {
      asked.push(JSON.parse(body));
      return { status: 200, body: reply, header: () => null };
    });
    return { find: uniOpenid(platform({ login: { ok: true, told: { code: 'c0de' } } }).uni, 'mp-weixin', transport), asked };
  }

  test('is got by a login code, once', async () => {
    const { find, asked } = login({ code: 0, msg: '', openid: 'o1' });
    expect([await find({ provider: 'wxpay' }), await find({ provider: 'wxpay' })]).toEqual(['o1', 'o1']);
    expect(asked).toEqual([{ action: 'pay/code2Session', data: { provider: 'wxpay', code: 'c0de', vk_platform: 'mp-weixin' } }]);
  });

  test('of virtual payment is got each time, because its session must live', async () => {
    const { find, asked } = login({ code: 0, msg: '', openid: 'o1' });
    await find({ provider: 'wxpay-virtual' });
    await find({ provider: 'wxpay-virtual' });
    expect(asked).toHaveLength(2);
  });

  test('is not asked for where there is none', async () => {
    const { find, asked } = login({ code: 0, msg: '', openid: 'o1' });
    expect(await find({ provider: 'vkspay' })).toBeUndefined();
    expect(asked).toHaveLength(0);
  });

  test('that is refused tells why', async () => {
    await expect(login({ code: 3001, msg: 'code been used' }).find({ provider: 'wxpay' })).rejects.toMatchObject({ code: 3001, message: 'code been used' });
  });
});
