// What the component that people move from does wrong, one by one.
import { describe, expect, test } from 'vitest';
import { alipayScheme, detectEnv } from '../src/env.js';
import type { WeixinBridge } from '../src/page.js';
import { PayError, type InvokeResult } from '../src/types.js';
import { uniInvoke } from '../src/uni/invoke.js';
import { webInvoke } from '../src/web/invoke.js';
import { bench, Clock, created, order, PAID, UNPAID } from './helpers.js';

const qr: InvokeResult = { result: 'qrcode', codeUrl: 'weixin://T' };

describe('1: two on one page', () => {
  test('each asks for its own order until it is paid, whatever the other does', async () => {
    const clock = new Clock();
    const options = { polling: true };
    const first = bench({ clock, options, told: qr, replies: [UNPAID, UNPAID, UNPAID, UNPAID, PAID] });
    const second = bench({ clock, options, told: qr, replies: [UNPAID, PAID] });
    const paid = first.controller.pay('pay/createPayment', order('FIRST001'));
    await clock.pass(500);
    const other = second.controller.pay('pay/createPayment', order('SECOND01'));
    await clock.pass(4000);
    expect(await other).toMatchObject({ type: 'success' });
    second.controller.stop();
    await clock.pass(4000);
    expect(await paid).toMatchObject({ type: 'success' });
    expect(first.queries().every(({ data }) => data.out_trade_no === 'FIRST001')).toBe(true);
    expect(second.queries()).toHaveLength(2);
  });

  test('each has its own openid', async () => {
    const asFor = (openid: string) => bench({ deps: { openid: async () => openid } });
    const [first, second] = [asFor('one'), asFor('two')];
    const runs = [first.controller.pay('pay/createPayment', order()), second.controller.pay('pay/createPayment', order())];
    await first.clock.pass(1000);
    await second.clock.pass(1000);
    await Promise.all(runs);
    expect(first.asked[0]!.data.openid).toBe('one');
    expect(second.asked[0]!.data.openid).toBe('two');
  });
});

describe('2: an end without a word', () => {
  test('three minutes without a result end as pending, and the code stays', async () => {
    const { clock, controller, log, names, queries } = bench({ options: { polling: true }, told: qr, replies: [UNPAID] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(170_000);
    expect(names()).not.toContain('pending');
    await clock.pass(20_000);
    expect(await outcome).toMatchObject({ type: 'pending', reply: { out_trade_no: 'T0000001', trade_state: 'NOTPAY' } });
    expect(log.at(-1)![0]).toBe('pending');
    expect(log.filter(([name]) => name === 'codeUrl')).toEqual([['codeUrl', 'weixin://T']]);
    expect(controller.status).toBe(1);
    const before = queries().length;
    await clock.pass(600_000);
    expect(queries()).toHaveLength(before);
  });

  test('so does a number of questions that the page has set', async () => {
    const { clock, controller, queries } = bench({ options: { polling: true, maxPolls: 3 }, told: qr, replies: [UNPAID] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(10_000);
    expect(await outcome).toMatchObject({ type: 'pending' });
    expect(queries()).toHaveLength(3);
  });
});

describe('3: Alipay in its mini-program', () => {
  const cases: [string, string][] = [
    ['6001', 'cancel'], ['4000', 'fail'], ['9000', 'success'], ['8000', 'success'], ['6004', 'success'],
  ];
  test.each(cases)('resultCode %s ends in the event %s, and not in silence', async (resultCode, event) => {
    const uni = { request() {}, requestPayment: (o: { success?(told: object): void }) => o.success?.({ resultCode }) };
    const { clock, controller, names } = bench({
      create: { provider: 'alipay', pay_type: 'alipay_mp-alipay', orderInfo: '2026' },
      told: uniInvoke(uni, 'mp-alipay'),
    });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(2000);
    expect((await outcome).type).toBe(event);
    expect(names().filter((name) => ['success', 'fail', 'cancel', 'pending'].includes(name))).toEqual([event]);
    expect(controller.status).toBe(event === 'success' ? 2 : 0);
  });

  test('a code that nobody knows is a failure only after the server knows of no payment', async () => {
    const uni = { request() {}, requestPayment: (o: { success?(told: object): void }) => o.success?.({ resultCode: '6002' }) };
    const { clock, controller, queries } = bench({
      create: { provider: 'alipay', orderInfo: '2026' }, told: uniInvoke(uni, 'mp-alipay'), replies: [UNPAID],
    });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(20_000);
    expect(await outcome).toMatchObject({ type: 'fail', reply: { failType: 'request' } });
    expect(queries().length).toBeGreaterThan(1);
  });
});

describe('4: success by the cashier alone', () => {
  test('is given only with both options off, and marked', async () => {
    const { controller, queries } = bench({ options: { awaitNotify: false, payOrderInfo: false } });
    expect(await controller.pay('pay/createPayment', order())).toMatchObject({ type: 'success', reply: { clientOnly: true } });
    expect(queries()).toHaveLength(0);
  });

  test('is never given otherwise: the server is asked', async () => {
    const { clock, controller, names } = bench({ replies: [UNPAID] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(200_000);
    expect((await outcome).type).toBe('pending');
    expect(names()).not.toContain('success');
  });

  test('a confirmed one has no mark', async () => {
    const { clock, controller } = bench();
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(1000);
    expect((await outcome as { reply: object }).reply).not.toHaveProperty('clientOnly');
  });
});

test('5: an openid that cannot be had is a failure with its reason', async () => {
  const { controller, log, asked } = bench({ deps: { openid: async () => { throw new PayError(1013, 'login:fail'); } } });
  expect(await controller.pay('pay/createPayment', order())).toMatchObject({ type: 'fail' });
  expect(log.at(-1)).toMatchObject(['fail', { failType: 'create', code: 1013, msg: 'login:fail' }]);
  expect(asked).toHaveLength(0);
});

describe("6: WeChat's bridge", () => {
  test.each([['cancel', 'cancel'], ['fail', 'fail']])('%s is told by the events as well, and ends the status', async (word, event) => {
    const bridge: WeixinBridge = { invoke: (_name, _info, done) => done({ err_msg: `get_brand_wcpay_request:${word}` }) };
    const page = { url: () => 'https://shop.example/', open() {}, submit() {}, bridge: async () => bridge };
    const { controller, log } = bench({
      create: { pay_type: 'wxpay_h5-weixin', orderInfo: { paySign: 'x' } },
      told: webInvoke(page, detectEnv('h5', 'MicroMessenger')),
    });
    await controller.pay('pay/createPayment', order());
    expect(log.filter(([name]) => name === 'status')).toEqual([['status', 1], ['status', 0]]);
    expect(log.at(-1)![0]).toBe(event);
  });
});

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36', true],
  ['Mozilla/5.0 (X11; Linux aarch64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36', true],
  ['Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36', false],
])('7: %s is a computer: %s', (userAgent, isPC) => {
  expect(detectEnv('h5', userAgent).isPC).toBe(isPC);
});

test("8: the text of a code is encoded in Alipay's scheme", async () => {
  const codeUrl = 'https://qr.alipay.com/bax?t=1&x=付';
  expect(alipayScheme(codeUrl)).toBe(`alipays://platformapi/startapp?saId=10000007&qrcode=${encodeURIComponent(codeUrl)}`);
  const opened: string[] = [];
  const page = { url: () => '', open: (url: string) => void opened.push(url), submit() {}, bridge: () => Promise.reject(new Error()) };
  const phone = detectEnv('h5', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Mobile');
  await webInvoke(page, phone)(created('T', { provider: 'alipay', pay_type: 'alipay_h5', orderInfo: { codeUrl } }));
  expect(opened).toEqual([alipayScheme(codeUrl)]);
});

describe('9: always as often', () => {
  test('twenty questions come every 1.5 s, then one every 3 s', async () => {
    const { clock, controller, queries } = bench({ options: { polling: true }, told: qr, replies: [UNPAID] });
    void controller.pay('pay/createPayment', order());
    await clock.pass(200_000);
    const pauses = queries().slice(1).map(({ at }, index) => at - queries()[index]!.at);
    expect(pauses.slice(0, 19)).toEqual(Array(19).fill(1500));
    expect(new Set(pauses.slice(19))).toEqual(new Set([3000]));
    expect(queries().length).toBeLessThanOrEqual(70);
  });

  test.each([
    ['next_poll_ms', { next_poll_ms: 5000 }, 5000],
    ['next_poll_ms under data', { data: { next_poll_ms: 4000 } }, 4000],
    ['Retry-After', { retry_after_ms: 10_000 }, 10_000],
    ['next_poll_ms before Retry-After, which is rounded', { next_poll_ms: 1500, retry_after_ms: 2000 }, 1500],
  ])('the server says when: %s', async (_name, fields, pause) => {
    const { clock, controller, queries } = bench({ options: { polling: true }, told: qr, replies: [{ ...UNPAID, ...fields }] });
    void controller.pay('pay/createPayment', order());
    await clock.pass(60_000);
    expect(queries()[1]!.at - queries()[0]!.at).toBe(pause);
  });

  test('too many requests are a reason to wait as long as it says, not to end', async () => {
    const busy = { code: 429, msg: 'Rate Exceeded', retry_after_ms: 7000 };
    const { clock, controller, queries } = bench({ options: { polling: true }, told: qr, replies: [busy, PAID] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(20_000);
    expect((await outcome).type).toBe('success');
    expect(queries()[1]!.at - queries()[0]!.at).toBe(7000);
  });
});
