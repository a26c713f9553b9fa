// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VkPayButton } from '../src/web/button.js';
import type { Reply } from '../src/types.js';
import { created, PAID, UNPAID } from './helpers.js';

customElements.define('vk-pay-button', VkPayButton);

const IMAGE = 'data:image/png;base64,iVBORw0KGgo=';

interface Sent {
  url: string;
  body: { action: string; data: Record<string, unknown> };
  headers: Record<string, string>;
}

let sent: Sent[];
/** What the order of a number answers to a query; unpaid when nothing is said. */
let orders: Map<string, Reply | Error>;
let create: Partial<Reply>;
let told: [string, string, Record<string, unknown>][];

const queries = (): Sent[] => sent.filter(({ body }) => body.action === 'pay/queryPayment');
const names = (): string[] => told.map(([id, name]) => `${id} ${name}`);
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  orders = new Map();
  create = {};
  told = [];
  vi.stubGlobal('fetch', async (url: string, { body, headers }: { body: string; headers: Record<string, string> }) => {
    const request = { url, body: JSON.parse(body) as Sent['body'], headers };
    sent.push(request);
    const number = String(request.body.data.out_trade_no);
    const reply = request.body.action === 'pay/createPayment'
      ? created(number, { total_fee: 1234, qrcodeImage: IMAGE, ...create } as never)
      : orders.get(number) ?? UNPAID;
    if (reply instanceof Error) throw reply;
    return new Response(JSON.stringify(reply));
  });
});

afterEach(() => {
  document.body.innerHTML = '';
  window.history.replaceState(null, '', '/');
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function button(id = 'a', attributes: Record<string, string> = {}): VkPayButton & { inner(selector: string): HTMLElement } {
  const element = document.createElement('vk-pay-button') as VkPayButton;
  for (const [name, value] of Object.entries({ 'base-url': 'https://pay.example', lang: 'en', id, ...attributes })) element.setAttribute(name, value);
  element.order = { out_trade_no: `ORDER_${id}`, total_fee: 1234, subject: 'Test', type: 'goods' };
  document.body.append(element);
  return Object.assign(element, { inner: (selector: string) => element.shadowRoot!.querySelector<HTMLElement>(selector)! });
}

for (const name of ['create', 'success', 'fail', 'cancel', 'pending']) {
  document.body.addEventListener(name, (event) => told.push([(event.target as Element).id, name, (event as CustomEvent).detail]));
}

describe('<vk-pay-button>', () => {
  test("shows the code, then tells success with the server's reply, through shadow roots", async () => {
    const host = document.createElement('div');
    document.body.append(host);
    const element = button('a', { 'wallet-url': '/sandbox/cashier/{out_trade_no}' });
    host.attachShadow({ mode: 'open' }).append(element);
    element.inner('button').click();
    await pass(100);
    const picture = element.inner('[data-testid=qrcode]') as HTMLImageElement;
    expect(element.inner('dialog').hasAttribute('open')).toBe(true);
    expect([picture.src, picture.alt]).toEqual([IMAGE, 'Payment QR code']);
    expect(element.inner('[data-testid=open-wallet]').getAttribute('href')).toBe('/sandbox/cashier/ORDER_a');
    expect(element.inner('dialog').textContent).toContain('¥12.34');
    orders.set('ORDER_a', PAID);
    await pass(2000);
    expect(names()).toEqual(['a create', 'a success']);
    expect(told[1]![2]).toMatchObject({ ...PAID, out_trade_no: 'ORDER_a' });
    expect(element.inner('dialog').dataset.state).toBe('success');
    expect(element.inner('[data-testid=qrcode]')).toBeNull();
    expect(element.inner('[role=status]').textContent).toBe('Paid');
    await pass(1700);
    expect(element.inner('dialog').hasAttribute('open')).toBe(false);
  });

  test('asks for what a computer needs, as the page says', async () => {
    const element = button('a', { provider: 'alipay', action: 'shop/createPayment', urls: '{"shop/createPayment":"https://shop.example/pay"}', 'await-notify': '', 'polling-time': '700' });
    element.headers = () => ({ authorization: 'Bearer token' });
    void element.pay();
    await pass(100);
    expect(sent[0]).toMatchObject({
      url: 'https://shop.example/pay',
      headers: { authorization: 'Bearer token', 'accept-language': 'en' },
      body: { action: 'shop/createPayment', data: { provider: 'alipay', out_trade_no: 'ORDER_a', total_fee: 1234, needQRcode: 'image', isPC: true } },
    });
  });

  test("speaks to VK's one address", async () => {
    const element = button('a', { 'base-url': 'https://vk.example/http/vk-pay', envelope: '' });
    void element.pay();
    await pass(2000);
    expect(sent.map(({ url, body }) => [url, body.action])).toEqual([
      ['https://vk.example/http/vk-pay', 'pay/createPayment'], ['https://vk.example/http/vk-pay', 'pay/queryPayment'],
    ]);
  });

  test('asks every polling-time, and once more for the handler', async () => {
    const element = button('a', { 'await-notify': '', 'polling-time': '700' });
    void element.pay();
    await pass(2200);
    expect(queries()).toHaveLength(3);
    orders.set('ORDER_a', PAID);
    await pass(700);
    expect(queries().map(({ body }) => body.data.await_notify)).toEqual([false, false, false, false, true]);
    expect(names()).toEqual(['a create', 'a success']);
  });

  test('takes its order from the attribute, and tells what is wrong with it', async () => {
    const element = button();
    element.order = undefined;
    element.setAttribute('order', '{"out_trade_no":"FROM_ATTR","total_fee":1}');
    void element.pay();
    await pass(0);
    expect(sent[0]!.body.data.out_trade_no).toBe('FROM_ATTR');
    element.setAttribute('order', '{');
    await element.pay();
    expect(told.at(-1)).toMatchObject(['a', 'fail', { failType: 'create', msg: 'order: not JSON' }]);
  });

  test('asks the server once more when the payer leaves: cancel, or success after all', async () => {
    const first = button('a');
    void first.pay();
    await pass(100);
    first.inner('[data-testid=close]').click();
    await pass(0);
    expect(names()).toEqual(['a create', 'a cancel']);
    expect(told[1]![2]).toMatchObject({ out_trade_no: 'ORDER_a' });
    const second = button('b');
    void second.pay();
    await pass(100);
    orders.set('ORDER_b', PAID);
    const escape = new Event('cancel', { cancelable: true });
    second.inner('dialog').dispatchEvent(escape);
    expect(escape.defaultPrevented).toBe(true);
    await pass(0);
    expect(names().slice(2)).toEqual(['b create', 'b success']);
  });

  const leave = async (element: ReturnType<typeof button>): Promise<unknown> => {
    element.inner('[data-testid=close]').click();
    await pass(0);
    return told.at(-1);
  };

  test('is not cancelled where nobody can tell whether it is paid: pending', async () => {
    const element = button();
    void element.pay();
    await pass(100);
    orders.set('ORDER_a', new TypeError('Failed to fetch'));
    expect(await leave(element)).toMatchObject(['a', 'pending', { code: -1, out_trade_no: 'ORDER_a' }]);
    expect(element.inner('dialog').hasAttribute('open')).toBe(false);
    expect(element.inner('button').getAttribute('aria-busy')).toBe('false');
  });

  test.each([
    ['unpaid', UNPAID, 'pending'],
    ['paid', PAID, 'success'],
    ['closed', { code: 2002, msg: '', trade_state: 'CLOSED' }, 'cancel'],
    ['not there', { code: 2001, msg: '' }, 'cancel'],
  ])('left after it was pending, and %s then: %s', async (_, reply, name) => {
    const element = button();
    void element.pay();
    await pass(190_000);
    orders.set('ORDER_a', reply);
    await leave(element);
    expect(names()).toEqual(['a create', 'a pending', `a ${name}`]);
    expect(element.inner('dialog').hasAttribute('open')).toBe(false);
    orders.clear();
    void element.pay();
    await pass(100);
    expect(await leave(element)).toMatchObject(['a', 'cancel', {}]);
  });

  test('a payer who says to have paid has not cancelled, nor one who came back from a cashier', async () => {
    const first = button('a');
    void first.pay();
    await pass(100);
    first.inner('[data-testid=paid]').click();
    await pass(100);
    expect(await leave(first)).toMatchObject(['a', 'pending', { out_trade_no: 'ORDER_a' }]);
    const second = button('b');
    void second.resume('ORDER_b');
    await pass(100);
    expect(await leave(second)).toMatchObject(['b', 'pending', { out_trade_no: 'ORDER_b' }]);
  });

  test("WeChat's word that it is paid is a sign too", async () => {
    vi.spyOn(navigator, 'userAgent', 'get').mockReturnValue('Linux; Android 14 Mobile MicroMessenger/8.0');
    (window as unknown as Record<string, object>).WeixinJSBridge = { invoke: (_: string, __: object, done: (told: object) => void) => done({ err_msg: 'get_brand_wcpay_request:ok' }) };
    create = { pay_type: 'wxpay_h5-weixin', orderInfo: { paySign: 's' } };
    const element = button();
    void element.pay();
    await pass(2000);
    expect(await leave(element)).toMatchObject(['a', 'pending', {}]);
    delete (window as unknown as Record<string, object>).WeixinJSBridge;
    vi.restoreAllMocks();
  });

  test('is pending after three minutes, keeps its code, and looks again when it is told to', async () => {
    const element = button();
    void element.pay();
    await pass(190_000);
    expect(names()).toEqual(['a create', 'a pending']);
    expect(element.inner('dialog').hasAttribute('open')).toBe(true);
    orders.set('ORDER_a', PAID);
    element.inner('[data-testid=paid]').click();
    await pass(100);
    expect(names()).toEqual(['a create', 'a pending', 'a success']);
    await pass(1700);
    expect(element.inner('dialog').hasAttribute('open')).toBe(false);
  });

  test('is failed by an order that was closed', async () => {
    const element = button();
    void element.pay();
    orders.set('ORDER_a', { code: 2002, msg: '订单未支付', trade_state: 'CLOSED', status: -1 });
    await pass(3000);
    expect(told.at(-1)).toMatchObject(['a', 'fail', { failType: 'result', trade_state: 'CLOSED', out_trade_no: 'ORDER_a' }]);
  });

  test('outlives a lost network', async () => {
    const element = button();
    void element.pay();
    await pass(100);
    orders.set('ORDER_a', new TypeError('Failed to fetch'));
    await pass(6000);
    expect(names()).toEqual(['a create']);
    orders.set('ORDER_a', PAID);
    await pass(3000);
    expect(names()).toEqual(['a create', 'a success']);
  });

  test('is not disturbed by another one on the page', async () => {
    const [first, second] = [button('a'), button('b')];
    void first.pay();
    await pass(700);
    void second.pay();
    await pass(2000);
    orders.set('ORDER_b', PAID);
    await pass(2000);
    expect(names()).toEqual(['a create', 'b create', 'b success']);
    expect(first.inner('dialog').hasAttribute('open')).toBe(true);
    second.remove();
    orders.set('ORDER_a', PAID);
    await pass(2000);
    expect(names().at(-1)).toBe('a success');
  });

  test('taken off the page asks no more and tells no more', async () => {
    const element = button();
    void element.pay();
    await pass(2000);
    const before = sent.length;
    element.remove();
    orders.set('ORDER_a', PAID);
    await pass(60_000);
    expect(sent).toHaveLength(before);
    expect(names()).toEqual(['a create']);
  });

  test('asks nothing while the page is hidden', async () => {
    const element = button();
    void element.pay();
    await pass(2000);
    const before = queries().length;
    const hidden = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
    await pass(60_000);
    expect(queries()).toHaveLength(before);
    hidden.mockRestore();
    await pass(600);
    expect(queries()).toHaveLength(before + 1);
  });

  test('does not open a code when the page prevents create', async () => {
    const element = button();
    element.addEventListener('create', (event) => event.preventDefault());
    expect(await element.pay()).toEqual({ type: 'stopped' });
    expect(element.inner('dialog').hasAttribute('open')).toBe(false);
    await element.pay();
    expect(names()).toEqual(['a create', 'a create']);
  });

  test('does not begin twice for two clicks', async () => {
    const element = button();
    element.inner('button').click();
    await pass(0);
    element.inner('button').click();
    await pass(100);
    expect(sent.filter(({ body }) => body.action === 'pay/createPayment')).toHaveLength(1);
    expect(element.inner('button').getAttribute('aria-busy')).toBe('true');
  });

  test('pays on when its page calls pay() again', async () => {
    const element = button();
    const first = element.pay();
    await pass(100);
    void element.pay();
    await pass(100);
    expect(await first).toEqual({ type: 'stopped' });
    expect(element.inner('button').getAttribute('aria-busy')).toBe('true');
    expect(element.inner('dialog').hasAttribute('open')).toBe(true);
    orders.set('ORDER_a', PAID);
    await pass(2000);
    expect(names()).toEqual(['a create', 'a create', 'a success']);
  });

  test.each([['https://pay.vks.example/x', true], ['javascript:alert(1)', false]])('inside WeChat gives the link %s: %s', async (codeUrl, given) => {
    vi.spyOn(navigator, 'userAgent', 'get').mockReturnValue('Linux; Android 14 Mobile MicroMessenger/8.0');
    create = { provider: 'vkspay', pay_type: 'vkspay_h5-weixin', qrcodeImage: undefined, orderInfo: { codeUrl } };
    const element = button('a', { provider: 'vkspay' });
    void element.pay();
    await pass(100);
    const href = element.inner('[data-testid=open-wallet]')?.getAttribute('href');
    expect(href ?? undefined).toBe(given ? codeUrl : undefined);
    vi.restoreAllMocks();
  });

  test('disabled does nothing', async () => {
    const element = button('a', { disabled: '' });
    element.inner('button').click();
    await pass(100);
    expect(sent).toHaveLength(0);
    element.removeAttribute('disabled');
    element.inner('button').click();
    await pass(100);
    expect(sent).toHaveLength(1);
  });

  test('after a return asks about the order of the address, where it is told to', async () => {
    window.history.replaceState(null, '', '/shop?return=1&out_trade_no=BACK_1');
    orders.set('BACK_1', PAID);
    button('quiet');
    button('a', { resume: '' });
    await pass(100);
    expect(names()).toEqual(['a success']);
    expect(told[0]![2]).toMatchObject({ out_trade_no: 'BACK_1' });
  });

  test('draws no code by itself, and says so when the server draws none', async () => {
    create = { qrcodeImage: undefined };
    const element = button();
    await element.pay();
    expect(told.at(-1)).toMatchObject(['a', 'fail', { failType: 'request' }]);
    VkPayButton.qrcode = (text) => `data:${text}`;
    void element.pay();
    await pass(100);
    expect((element.inner('[data-testid=qrcode]') as HTMLImageElement).src).toBe('data:weixin://ORDER_a');
    delete VkPayButton.qrcode;
  });

  test('speaks the language of its page', () => {
    const element = button();
    expect(element.inner('button').textContent).toBe('Pay now');
    element.setAttribute('lang', 'zh-CN');
    expect(element.inner('button').textContent).toBe('立即支付');
    element.removeAttribute('lang');
    document.documentElement.lang = 'en';
    element.setAttribute('lang', '');
    expect(element.inner('button').textContent).toBe('Pay now');
    document.documentElement.lang = '';
  });

  test('shows whom, what and how much, and counts down to the end', async () => {
    create = { time_expire: Date.now() + 90_000, subject: 'Tea' };
    const element = button('a', { provider: 'alipay' });
    element.order = { ...element.order, subject: 'Tea for two' };
    void element.pay();
    expect(element.inner('dialog').dataset.state).toBe('ask');
    expect(element.inner('dialog').textContent).toContain('Tea for two');
    await pass(100);
    create = {};
    expect(element.inner('h2').textContent).toBe('WeChat Pay');
    expect(element.inner('time').textContent).toMatch(/^Time left 01:(30|29)$/);
    await pass(30_000);
    expect(element.inner('time').textContent).toMatch(/^Time left (01:00|00:59)$/);
    expect(element.inner('.no').textContent).toContain('ORDER_a');
  });

  test('an order that ended says so, and can be tried again', async () => {
    const element = button();
    void element.pay();
    orders.set('ORDER_a', { code: 2002, msg: '订单未支付', trade_state: 'CLOSED', status: -1 });
    await pass(3000);
    expect(element.inner('dialog').dataset.state).toBe('ended');
    orders.clear();
    element.inner('[data-testid=again]').click();
    await pass(100);
    expect(element.inner('dialog').dataset.state).toBe('wait');
    expect(names()).toEqual(['a create', 'a fail', 'a create']);
  });

  test('a page that prevents an event tells it by itself: the sheet closes', async () => {
    const element = button();
    element.addEventListener('success', (event) => event.preventDefault());
    void element.pay();
    orders.set('ORDER_a', PAID);
    await pass(2000);
    expect(names()).toEqual(['a create', 'a success']);
    expect(element.inner('dialog').hasAttribute('open')).toBe(false);
  });

  test('an outcome that nobody knows is no failure on the sheet, and safe to try again', async () => {
    create = { code: 5040, msg: 'unknown' };
    const element = button();
    await element.pay();
    expect(told.at(-1)).toMatchObject(['a', 'fail', { code: 5040 }]);
    expect(element.inner('dialog').dataset.state).toBe('unknown');
    expect(element.inner('[role=status]').textContent).toContain('safe to try again');
  });

  test('says nothing of the try before while it makes the next', async () => {
    create = { code: 403, msg: 'The quote has expired' };
    const element = button();
    await element.pay();
    expect(element.inner('[role=status]').textContent).toContain('The quote has expired');
    create = {};
    void element.pay();
    expect(element.inner('[role=status]').textContent).toBe('One moment…');
    await pass(100);
    expect(element.inner('[data-testid=paid]').hidden).toBe(false);
  });

  test('keeps \u201cI have paid\u201d where it is while it asks, and has none while the order is made', async () => {
    const element = button();
    void element.pay();
    expect(element.inner('[data-testid=paid]').hidden).toBe(true);
    await pass(100);
    element.inner('[data-testid=paid]').click();
    expect(element.inner('dialog').dataset.state).toBe('ask');
    expect(element.inner('[data-testid=paid]').hidden).toBe(false);
  });

  test('counts hours too', async () => {
    create = { time_expire: Date.now() + 7_200_000 };
    const element = button();
    void element.pay();
    await pass(100);
    expect(element.inner('time').textContent).toMatch(/^Time left (02:00:00|01:59:59)$/);
  });

  test('tells that the network is gone, and that it is back', async () => {
    const element = button();
    void element.pay();
    await pass(100);
    orders.set('ORDER_a', new TypeError('Failed to fetch'));
    await pass(2000);
    expect(element.inner('[role=status]').textContent).toContain('No connection');
    orders.clear();
    await pass(3000);
    expect(element.inner('[role=status]').textContent).not.toContain('No connection');
  });

  test('a payer who leaves before the order is there is a cancel too', async () => {
    const element = button();
    void element.pay();
    element.inner('[data-testid=close]').click();
    await pass(100);
    expect(names()).toEqual(['a cancel']);
    expect(element.inner('dialog').hasAttribute('open')).toBe(false);
  });

  test('offers another wallet where the page has one, and stops what was begun', async () => {
    const element = button();
    let changes = 0;
    element.change = () => { changes += 1; };
    void element.pay();
    await pass(100);
    expect(element.inner('[data-testid=change]').hidden).toBe(false);
    element.inner('[data-testid=change]').click();
    const before = sent.length;
    await pass(10_000);
    expect([changes, sent.length, names()]).toEqual([1, before, ['a create']]);
    element.change = undefined;
    void element.pay();
    await pass(100);
    expect(element.inner('[data-testid=change]').hidden).toBe(true);
  });

  test("on a phone a simulated wallet stands in for the cashier's page", async () => {
    vi.spyOn(navigator, 'userAgent', 'get').mockReturnValue('Linux; Android 14 Mobile');
    create = { pay_type: 'wxpay_mweb', qrcodeImage: undefined, orderInfo: { mwebUrl: 'https://wx.tenpay.com/x' } };
    const gone: string[] = [];
    const element = button('a', { 'wallet-url': '/sandbox/cashier/{out_trade_no}' });
    (element as unknown as { page: { open(url: string): void } }).page.open = (url) => void gone.push(url);
    void element.pay();
    await pass(100);
    expect(gone).toEqual([`${location.origin}/sandbox/cashier/ORDER_a`]);
    vi.restoreAllMocks();
  });
});
