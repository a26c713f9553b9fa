// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VkPayButton } from '../src/web/button.js';
import { VkCashier } from '../src/web/cashier.js';
import { created, PAID, UNPAID } from './helpers.js';

customElements.define('vk-pay-button', VkPayButton);
customElements.define('vk-cashier', VkCashier);

const WXPAY = { provider: 'wxpay', pay_type: 'wxpay_h5', vk_platform: 'h5', needs_openid: false };
const ALIPAY = { provider: 'alipay', pay_type: 'alipay_wap', vk_platform: 'wap', needs_openid: false };

let methods: object[] | Error;
let sent: { action: string; data: Record<string, unknown> }[];
let told: string[];
let paid: boolean;

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const asked = (action: string): Record<string, unknown>[] => sent.filter((one) => one.action === action).map(({ data }) => data);

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  sessionStorage.clear();
  methods = [WXPAY, ALIPAY];
  sent = [];
  told = [];
  paid = false;
  vi.stubGlobal('fetch', async (_url: string, { body }: { body: string }) => {
    const request = JSON.parse(body) as (typeof sent)[0];
    sent.push(request);
    if (request.action === 'pay/methods') {
      if (methods instanceof Error) throw methods;
      return new Response(JSON.stringify({ code: 0, msg: '', methods, cache_ms: 300_000 }));
    }
    const number = String(request.data.out_trade_no);
    const reply = request.action === 'pay/createPayment'
      ? created(number, { provider: request.data.provider as string, total_fee: 1234, qrcodeImage: 'data:image/png;base64,iVBORw0KGgo=' })
      : paid ? PAID : UNPAID;
    return new Response(JSON.stringify(reply));
  });
});

afterEach(() => {
  document.body.innerHTML = '';
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function cashier(order: object = {}): Promise<VkCashier & { inner(selector: string): HTMLElement }> {
  const element = document.createElement('vk-cashier') as VkCashier;
  for (const [name, value] of Object.entries({ 'base-url': 'https://pay.example', lang: 'en' })) element.setAttribute(name, value);
  element.order = { out_trade_no: 'ORDER_1', total_fee: 1234, subject: 'Tea', type: 'goods', ...order };
  for (const name of ['create', 'success', 'fail', 'cancel', 'pending']) {
    element.addEventListener(name, (event) => told.push(`${(event.currentTarget as Element).tagName} ${name}`));
  }
  document.body.append(element);
  await pass(10);
  return Object.assign(element, { inner: (selector: string) => element.shadowRoot!.querySelector<HTMLElement>(selector)! });
}

const listed = (element: VkCashier): string[] =>
  [...element.shadowRoot!.querySelectorAll<HTMLInputElement>('input')].map((input) => input.value + (input.checked ? '*' : ''));

function pick(element: VkCashier, provider: string): void {
  element.shadowRoot!.querySelector<HTMLInputElement>(`input[value=${provider}]`)!.click();
}

describe('<vk-cashier>', () => {
  test('lists the wallets that the server names, with the amount and the subject', async () => {
    const element = await cashier();
    expect(listed(element)).toEqual(['wxpay*', 'alipay']);
    expect(element.shadowRoot!.textContent).toContain('¥12.34');
    expect(element.shadowRoot!.textContent).toContain('Tea');
    expect(element.shadowRoot!.textContent).toContain('WeChat Pay');
    expect(asked('pay/methods')).toEqual([{ vk_platform: 'h5', isPC: true }]);
  });

  test('pays one order by the wallet that is chosen, as the server wants it, and tells the events as its own', async () => {
    const element = await cashier();
    pick(element, 'alipay');
    void element.pay();
    await pass(100);
    expect(asked('pay/createPayment')[0]).toMatchObject({ out_trade_no: 'ORDER_1', provider: 'alipay', vk_platform: 'wap' });
    paid = true;
    await pass(2000);
    expect(told).toEqual(['VK-CASHIER create', 'VK-CASHIER success']);
  });

  test('another wallet is the same order again, and what was begun asks no more', async () => {
    const element = await cashier();
    void element.pay();
    await pass(100);
    const button = element.inner('vk-pay-button') as VkPayButton;
    button.shadowRoot!.querySelector<HTMLElement>('[data-testid=change]')!.click();
    expect(button.shadowRoot!.querySelector('dialog')!.hasAttribute('open')).toBe(false);
    const before = sent.length;
    await pass(5000);
    expect(sent).toHaveLength(before);
    pick(element, 'alipay');
    void element.pay();
    await pass(100);
    expect(asked('pay/createPayment').map(({ out_trade_no, provider }) => [out_trade_no, provider]))
      .toEqual([['ORDER_1', 'wxpay'], ['ORDER_1', 'alipay']]);
  });

  test('remembers the last choice, and what the server said until it is too old', async () => {
    pick(await cashier(), 'alipay');
    document.body.innerHTML = '';
    expect(listed(await cashier())).toEqual(['wxpay', 'alipay*']);
    expect(asked('pay/methods')).toHaveLength(1);
    await pass(300_000);
    document.body.innerHTML = '';
    methods = [WXPAY];
    expect(listed(await cashier())).toEqual(['wxpay*']);
    expect(asked('pay/methods')).toHaveLength(2);
  });

  test('one wallet leaves nothing to change to', async () => {
    methods = [WXPAY];
    const element = await cashier();
    void element.pay();
    await pass(100);
    expect(element.inner('vk-pay-button').shadowRoot!.querySelector<HTMLElement>('[data-testid=change]')!.hidden).toBe(true);
  });

  test('leaves out what needs a payer whom the order does not name', async () => {
    methods = [{ ...WXPAY, needs_openid: true }, ALIPAY];
    expect(listed(await cashier())).toEqual(['alipay*']);
    document.body.innerHTML = '';
    expect(listed(await cashier({ openid: 'o1' }))).toEqual(['wxpay', 'alipay*'].map((name) => name.replace('alipay*', 'alipay').replace('wxpay', 'wxpay*')));
  });

  test('without an answer it says so, and asks again when it is told to', async () => {
    methods = new TypeError('Failed to fetch');
    const element = await cashier();
    expect(element.inner('[role=status]').textContent).toBe('No payment method is available right now');
    expect(element.inner('vk-pay-button').hidden).toBe(true);
    expect((await element.pay()).type).toBe('stopped');
    methods = [WXPAY];
    element.inner('[data-testid=methods-again]').click();
    await pass(10);
    expect(listed(element)).toEqual(['wxpay*']);
    expect(element.inner('vk-pay-button').hidden).toBe(false);
  });

  test('a browser that keeps nothing is no fault', async () => {
    vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => { throw new Error('denied'); });
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => { throw new Error('denied'); });
    const element = await cashier();
    pick(element, 'alipay');
    expect(listed(element)).toEqual(['wxpay', 'alipay*']);
  });
});
