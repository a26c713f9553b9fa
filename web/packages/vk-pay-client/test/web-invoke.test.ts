// @vitest-environment happy-dom
import { describe, expect, test, vi } from 'vitest';
import { clientFields, detectEnv, openWay, withOrder } from '../src/env.js';
import { browserPage, type Page, type WeixinBridge } from '../src/page.js';
import type { CreateReply } from '../src/types.js';
import { webInvoke } from '../src/web/invoke.js';
import { created } from './helpers.js';

const PC = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0.0.0';
const PHONE = 'Mozilla/5.0 (Linux; Android 14; Pixel) Chrome/130.0.0.0 Mobile Safari/537.36';
const WECHAT = `${PHONE} MicroMessenger/8.0.50`;
const ALIPAY = `${PHONE} AlipayClient/10.6`;

function at(userAgent: string, told?: string): { pay(reply: Partial<CreateReply>): Promise<unknown>; opened: string[]; submitted: string[]; asked: unknown[] } {
  const opened: string[] = [];
  const submitted: string[] = [];
  const asked: unknown[] = [];
  const bridge: WeixinBridge = { invoke: (name, info, done) => {
    asked.push([name, info]);
    done({ err_msg: `get_brand_wcpay_request:${told}` });
  } };
  const page: Page = {
    url: () => 'https://shop.example/pay?tab=1',
    open: (url) => void opened.push(url),
    submit: (html) => void submitted.push(html),
    bridge: async () => bridge,
  };
  const invoke = webInvoke(page, detectEnv('h5', userAgent));
  return { pay: (reply) => invoke(created('T0000001', reply)), opened, submitted, asked };
}

describe('inside WeChat', () => {
  const reply = { pay_type: 'wxpay_h5-weixin', orderInfo: { appId: 'wx', timeStamp: '1', nonceStr: 'n', package: 'p', signType: 'RSA', paySign: 's' } };

  test.each([['ok', 'ok'], ['cancel', 'cancel'], ['fail', 'fail'], ['fail_no permission to execute', 'fail']])('%s is %s', async (word, result) => {
    const { pay, asked } = at(WECHAT, word);
    expect(await pay(reply)).toMatchObject({ result });
    expect(asked).toEqual([['getBrandWCPayRequest', reply.orderInfo]]);
  });

  test('a code of Alipay is a plain link, there and inside Alipay', async () => {
    for (const agent of [WECHAT, ALIPAY]) {
      const { pay, opened } = at(agent);
      await pay({ provider: 'alipay', pay_type: 'alipay_h5', orderInfo: { codeUrl: 'https://qr.alipay.com/x' } });
      expect(opened).toEqual(['https://qr.alipay.com/x']);
    }
  });
});

describe('inside Alipay', () => {
  test.each([
    ['9000', 'ok'], ['8000', 'unknown'], ['6004', 'unknown'], ['6001', 'cancel'], ['4000', 'fail'], ['6002', 'fail'], [9000, 'ok'],
  ])('what its bridge says of a trade for its user: %s is %s', async (resultCode, result) => {
    const asked: unknown[] = [];
    const page: Page = {
      url: () => '', open() {}, submit() {}, bridge: () => Promise.reject(new Error()),
      alipayBridge: async () => ({ call: (name, parameters, done) => {
        asked.push([name, parameters]);
        done({ resultCode });
      } }),
    };
    const invoke = webInvoke(page, detectEnv('h5', ALIPAY));
    const reply = created('T0000001', { provider: 'alipay', pay_type: 'alipay_mp-alipay', orderInfo: '2026113022001' });
    expect(await invoke(reply)).toMatchObject({ result });
    expect(asked).toEqual([['tradePay', { tradeNO: '2026113022001' }]]);
  });
});

describe('a cashier page', () => {
  test.each(['mwebUrl', 'mweb_url', 'h5Url'])('of WeChat Pay in %s is opened, and told where to come back to', async (name) => {
    const { pay, opened } = at(PHONE);
    expect(await pay({ pay_type: 'wxpay_mweb', orderInfo: { [name]: 'https://wx.tenpay.com/cgi-bin/x?prepay_id=1' } })).toMatchObject({ result: 'redirect' });
    const back = encodeURIComponent('https://shop.example/pay?tab=1&return=1&out_trade_no=T0000001');
    expect(opened).toEqual([`https://wx.tenpay.com/cgi-bin/x?prepay_id=1&redirect_url=${back}`]);
  });

  test('that knows already where to come back to is left as it is', async () => {
    const { pay, opened } = at(PHONE);
    const url = 'https://wx.tenpay.com/x?prepay_id=1&redirect_url=https%3A%2F%2Fshop.example%2F';
    await pay({ pay_type: 'wxpay_mweb', orderInfo: { mwebUrl: url } });
    expect(opened).toEqual([url]);
  });

  test('of Alipay is opened as it was signed', async () => {
    const { pay, opened } = at(PC);
    await pay({ provider: 'alipay', pay_type: 'alipay_pc', orderInfo: { payUrl: 'https://openapi.alipay.com/gateway.do?sign=s', mwebUrl: 'https://openapi.alipay.com/gateway.do?sign=s' } });
    expect(opened).toEqual(['https://openapi.alipay.com/gateway.do?sign=s']);
  });

  test('that is a form is sent', async () => {
    const { pay, submitted } = at(PC);
    const form = '<form action="https://openapi.alipay.com/gateway.do"></form>';
    await pay({ provider: 'alipay', orderInfo: form });
    await pay({ provider: 'alipay', orderInfo: { form } });
    expect(submitted).toEqual([form, form]);
  });
});

describe('a code', () => {
  test.each([
    ['wxpay', PC], ['wxpay', PHONE], ['alipay', PC], ['vkspay', PC], ['vkspay', PHONE],
  ])('of %s is shown on %s', async (provider, agent) => {
    const { pay, opened } = at(agent);
    expect(await pay({ provider, orderInfo: { codeUrl: 'https://code' } })).toEqual({ result: 'qrcode', codeUrl: 'https://code' });
    expect(opened).toEqual([]);
  });

  test('of Alipay opens its app on a phone, encoded', async () => {
    const { pay, opened } = at(PHONE);
    const codeUrl = 'https://qr.alipay.com/x?a=1&b=2';
    await pay({ provider: 'alipay', orderInfo: { codeUrl } });
    expect(opened).toEqual([`alipays://platformapi/startapp?saId=10000007&qrcode=${encodeURIComponent(codeUrl)}`]);
  });

  test('is used by how its text may be: shown, opened, followed', () => {
    const way = (agent: string, provider: string, method?: string) => openWay(detectEnv('h5', agent), provider, method);
    expect([way(PC, 'vkspay'), way(PHONE, 'vkspay'), way(PHONE, 'vkspay', 'wxpay'), way(WECHAT, 'vkspay'), way(ALIPAY, 'alipay'), way(WECHAT, 'wxpay')])
      .toEqual(['qrcode', 'scheme', 'qrcode', 'link', 'link', 'qrcode']);
    expect(openWay(detectEnv('mp-weixin'), 'vkspay')).toBe('qrcode');
  });
});

test('what a browser cannot pay is told', async () => {
  const douyin = at(WECHAT, 'ok');
  expect(await douyin.pay({ provider: 'douyin', pay_type: 'douyin_mp-toutiao', orderInfo: { paySign: 's' } })).toMatchObject({ result: 'fail' });
  expect(douyin.asked).toEqual([]);
  expect(await at(PC).pay({ pay_type: 'huawei_app-harmony', orderInfo: 'x' })).toEqual({ result: 'fail', msg: 'huawei_app-harmony: not payable in a browser' });
});

describe('the client', () => {
  test.each([
    [PC, 0, 'PC'], ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Safari', 0, 'PC'], ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Safari', 5, 'phone'],
    ['Mozilla/5.0 (Phone; OpenHarmony 5.0)', 0, 'phone'], ['Mozilla/5.0 (PC; OpenHarmony 5.0) ArkWeb', 0, 'PC'], [PHONE, 5, 'phone'],
  ])('%s with %d touch points is a %s', (agent, points, kind) => {
    expect(detectEnv('h5', agent, points)).toMatchObject({ isPC: kind === 'PC', isPhone: kind === 'phone' });
  });

  test('inside WeChat of a computer pays there, not by a code', () => {
    expect(detectEnv('h5', `${PC} MicroMessenger/7.0 WindowsWechat`)).toMatchObject({ isPC: false, inWeChat: true });
  });

  test.each([
    ['https://shop.example/a', 'https://shop.example/a?return=1&out_trade_no=T%2F1'],
    ['https://shop.example/a?x=1&return=1&out_trade_no=old#top', 'https://shop.example/a?x=1&return=1&out_trade_no=T%2F1#top'],
    ['https://shop.example/#/pages/pay', 'https://shop.example/#/pages/pay?return=1&out_trade_no=T%2F1'],
    ['https://shop.example/?v=2#/pages/pay?out_trade_no=old&y=2', 'https://shop.example/?v=2#/pages/pay?y=2&return=1&out_trade_no=T%2F1'],
  ])('comes back to %s with the number where its router reads it', (url, back) => {
    expect(withOrder(url, 'T/1')).toBe(back);
  });

  test.each([
    ['https://shop.example/', true], ['http://127.0.0.1:8080/', true], ['http://localhost:5173/', true],
    ['http://192.168.1.2/', false], ['http://localhost.example/', false], [`https://shop.example/${'x'.repeat(500)}`, false],
  ])('is sent back to %s: %s', (returnUrl, sent) => {
    const fields = clientFields({ ...detectEnv('h5', PC), returnUrl }, { out_trade_no: 'T' });
    expect('return_url' in fields).toBe(sent);
  });
});

describe("a browser's page", () => {
  test.each(['javascript:alert(1)', 'data:text/html,x', ' javascript:1', 'file:///etc/passwd'])('does not open %s', (url) => {
    expect(() => browserPage(window as never).open(url)).toThrow('not an address to open');
  });

  test('gives the bridge when WeChat says that it is ready', async () => {
    const found = browserPage(window as never).bridge();
    const bridge = { invoke() {} };
    (window as unknown as { WeixinJSBridge: unknown }).WeixinJSBridge = bridge;
    document.dispatchEvent(new Event('WeixinJSBridgeReady'));
    expect(await found).toBe(bridge);
    expect(await browserPage(window as never).bridge()).toBe(bridge);
    delete (window as unknown as { WeixinJSBridge?: unknown }).WeixinJSBridge;
  });

  test('without the bridge fails in time', async () => {
    vi.useFakeTimers();
    const found = expect(browserPage(window as never).bridge()).rejects.toThrow('not ready');
    await vi.advanceTimersByTimeAsync(10_000);
    await found;
    vi.useRealTimers();
  });

  describe('sends the form of a cashier', () => {
    const submit = vi.spyOn(HTMLFormElement.prototype, 'submit').mockImplementation(() => {});
    const page = browserPage(window as never);
    const sent = (html: string): HTMLFormElement => {
      document.body.replaceChildren();
      submit.mockClear();
      page.submit(html);
      expect(submit).toHaveBeenCalledOnce();
      return document.body.lastElementChild as HTMLFormElement;
    };

    test('as Alipay writes it, and none of its scripts', () => {
      const form = sent(`<form name="punchout_form" method="post" action="https://openapi.alipay.com/gateway.do?charset=UTF-8&amp;method=alipay.trade.page.pay">
        <input type="hidden" name="biz_content" value="{&quot;a&quot;:1}"><input type="submit" value="pay" style="display:none"></form>
        <script>window.ran = true; document.forms[0].submit();</script>`);
      expect(form.getAttribute('action')).toBe('https://openapi.alipay.com/gateway.do?charset=UTF-8&method=alipay.trade.page.pay');
      expect(form.getAttribute('method')).toBe('post');
      expect([...form.querySelectorAll('input')].map((input) => [input.type, input.name, input.value])).toEqual([['hidden', 'biz_content', '{"a":1}']]);
      expect((window as unknown as { ran?: boolean }).ran).toBeUndefined();
    });

    test('without anything else of its markup', () => {
      const form = sent(`<body onload="window.ran = true"><style>*{}</style><form action="https://pay.example/x" id="f" name="n" target="top" onsubmit="window.ran = true" onfocus="1" autofocus>
        <img src="x" onerror="window.ran = true"><iframe srcdoc="<script>parent.ran = true</script>"></iframe><svg onload="window.ran = true"></svg>
        <input name="a" value="1" autofocus onfocus="window.ran = true" form="other" formaction="javascript:window.ran=true"><button formaction="javascript:1" name="b">b</button>
        <input type="image" src="javascript:1" onerror="1" name="c"></form></body>`);
      expect(form.outerHTML).toBe('<form action="https://pay.example/x" method="get" accept-charset="utf-8"><input type="hidden" name="a" value="1"></form>');
      expect(document.body.childElementCount).toBe(1);
      expect((window as unknown as { ran?: boolean }).ran).toBeUndefined();
    });

    test('also when its fields are called as the form\'s own members', () => {
      const form = sent('<form action="http://127.0.0.1:8080/x" method="POST"><input name="submit" value="1"><input name="action" value="2"><input name="method" value="3"></form>');
      expect([form.getAttribute('action'), form.getAttribute('method')]).toEqual(['http://127.0.0.1:8080/x', 'POST']);
      expect([...form.querySelectorAll('input')].map((input) => input.name)).toEqual(['submit', 'action', 'method']);
    });

    test.each([
      '<form action="javascript:alert(1)"></form>',
      '<form action=" javascript:alert(1)"></form>',
      '<form action="data:text/html,x"></form>',
      '<form action="http://pay.example/x"></form>',
      '<form action="http://127.0.0.1.evil.example/x"></form>',
      '<form action="http://127.0.0.1@evil.example/x"></form>',
      '<form action="https://shop@evil.example/x"></form>',
      '<form action="/x"></form>',
      '<base href="https://evil.example/"><form action="x"></form>',
      '<form></form>',
      '<form action="https://pay.example/x" method="dialog"></form>',
      '<form action="https://pay.example/x"></form><form action="https://pay.example/y"></form>',
      '<form action="https://pay.example/x"><input type="password" name="p"></form>',
      '<form action="https://pay.example/x"><input type="file" name="p"></form>',
      '<form action="https://pay.example/x"><textarea name="p"></textarea></form>',
      '<form action="https://pay.example/x"><select name="p"></select></form>',
    ])('and not %s', (html) => {
      document.body.replaceChildren();
      submit.mockClear();
      expect(() => page.submit(html)).toThrow('no form to send');
      expect(submit).not.toHaveBeenCalled();
      expect(document.body.childElementCount).toBe(0);
    });
  });
});
