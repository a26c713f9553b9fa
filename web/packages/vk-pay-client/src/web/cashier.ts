import { detectEnv } from '../env.js';
import { field } from '../reply.js';
import type { PayOutcome, Reply } from '../types.js';
import type { VkPayButton } from './button.js';
import { markOf, nameOf, yuan } from './sheet.js';
import { textsOf, type Texts } from './texts.js';

/** A way to pay, as `pay/methods` tells it. */
interface Method {
  provider: string;
  vk_platform: string;
  needs_openid?: boolean;
}

/** What the button inside has from the cashier. */
const PASSED = ['base-url', 'urls', 'envelope', 'action', 'polling-time', 'await-notify', 'wallet-url', 'resume', 'disabled', 'lang'];
const CHOICE = 'vk-pay-choice';
const KEPT = 'vk-pay-methods';
const CHOOSE = ['选择支付方式', 'How would you like to pay?'];
const NONE = ['暂无可用的支付方式', 'No payment method is available right now'];

const STYLE = `
:host{display:block;--c:var(--vk-pay-color,#07863f);--t:#16191d;--m:#59616b;--l:#d5dae0;--s:#fff;color:var(--t);font:15px/1.5 system-ui,sans-serif}
:host([hidden]),[hidden]{display:none!important}
section{box-sizing:border-box;max-width:480px;border:1px solid var(--l);border-radius:20px;padding:20px;background:var(--s)}
b{display:block;font-size:32px;line-height:1.2}
p,legend{margin:0;padding:0;color:var(--m);overflow-wrap:anywhere}
fieldset{border:0;margin:16px 0;padding:0;min-width:0}
label{display:flex;align-items:center;gap:12px;min-height:56px;margin-top:8px;padding:0 16px;border:1px solid var(--l);border-radius:14px;cursor:pointer}
label:has(:checked){border-color:var(--c);box-shadow:inset 0 0 0 1px var(--c)}
label:has(:focus-visible){outline:3px solid var(--c);outline-offset:2px}
input{order:1;margin:0 0 0 auto;width:20px;height:20px;accent-color:var(--c);outline:0}
svg{width:32px;flex:none;padding:6px;border-radius:10px;background:var(--c);fill:none;stroke:#fff;stroke-width:2;forced-color-adjust:none;box-sizing:border-box}
.wxpay svg{background:#07863f}
.alipay svg{background:#1268e0}
vk-pay-button{display:block}
[data-testid=methods-again]{font:inherit;min-height:44px;padding:8px 20px;border:1px solid var(--m);border-radius:10px;background:0 0;color:inherit}
@media (prefers-color-scheme:dark){:host{--t:#f1f3f5;--m:#b0b8c1;--l:#49515b;--s:#1c1f24}label:has(:checked){border-color:#fff;box-shadow:inset 0 0 0 1px #fff}label:has(:focus-visible){outline-color:#fff}}
@media (prefers-contrast:more){:host{--m:var(--t);--l:var(--t)}}`;

const PARTS = '<section><b></b><p></p><fieldset><legend></legend></fieldset><p role="status"></p>'
  + '<button type="button" data-testid="methods-again" hidden></button><vk-pay-button></vk-pay-button></section>';

/** Reads or writes what this browser keeps; a browser that keeps nothing is no fault. */
function kept(storage: () => Storage, name: string, value?: string): string | null {
  try {
    if (value !== undefined) storage().setItem(name, value);
    return storage().getItem(name);
  } catch {
    return null;
  }
}

/**
 * `<vk-cashier>`: pays one order by one of the wallets that the server says are there for this client. The attributes
 * and events of `<vk-pay-button>`, without `provider`. Needs that element's file too.
 */
export class VkCashier extends HTMLElement {
  static readonly observedAttributes = [...PASSED, 'order'];

  /** Further headers of every request, a credential for example. */
  headers?: () => Record<string, string>;

  private given: Record<string, unknown> | undefined;
  private texts: Texts = textsOf('');
  private methods: Method[] = [];
  private asked = false;
  private button: VkPayButton | undefined;

  /** What is sold: the attribute's JSON, unless the page has set it. */
  get order(): Record<string, unknown> {
    try {
      return this.given ?? JSON.parse(this.getAttribute('order') ?? '{}') as Record<string, unknown>;
    } catch {
      return {};
    }
  }

  set order(order: Record<string, unknown> | undefined) {
    this.given = order;
    this.show();
  }

  async connectedCallback(): Promise<void> {
    await customElements.whenDefined('vk-pay-button');
    if (!this.isConnected || this.button) return;
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.innerHTML = PARTS;
    this.button = this.find<VkPayButton>('vk-pay-button');
    this.button.headers = () => this.headers?.() ?? {};
    this.find('[data-testid=methods-again]').onclick = () => void this.ask();
    this.attributeChangedCallback();
    await this.ask();
  }

  attributeChangedCallback(): void {
    const { button } = this;
    if (!button) return;
    for (const name of PASSED) {
      const value = this.getAttribute(name);
      if (value === null) button.removeAttribute(name);
      else button.setAttribute(name, value);
    }
    this.show();
  }

  /** Pays by the wallet that is chosen; never rejects. */
  async pay(): Promise<PayOutcome> {
    return this.button && this.chosen ? this.button.pay() : { type: 'stopped' };
  }

  /** Asks about an order that was created before. */
  async resume(outTradeNo: string): Promise<PayOutcome> {
    return this.button ? this.button.resume(outTradeNo) : { type: 'stopped' };
  }

  private find<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.shadowRoot!.querySelector<T>(selector)!;
  }

  private get inputs(): NodeListOf<HTMLInputElement> {
    return this.shadowRoot!.querySelectorAll('input');
  }

  private get chosen(): Method | undefined {
    const { inputs } = this;
    return this.methods.find((_, at) => inputs[at]?.checked);
  }

  private word([zh, en]: string[]): string {
    return this.texts.pay === '立即支付' ? zh! : en!;
  }

  /** Asks the server by which wallets this client can pay, or remembers what it said. */
  private async ask(): Promise<void> {
    const { isPC } = detectEnv('h5', navigator.userAgent, navigator.maxTouchPoints);
    const place = `${KEPT} ${this.getAttribute('base-url') ?? ''} ${this.getAttribute('urls') ?? ''} ${navigator.userAgent}`;
    const session = (): Storage => sessionStorage;
    const before = JSON.parse(kept(session, place) ?? '{}') as { until?: number; methods?: Method[] };
    if (before.methods && Number(before.until) > Date.now()) return this.list(before.methods);
    const request = { vk_platform: 'h5', ...(isPC ? { isPC } : {}) };
    const reply: Reply | undefined = await this.button!.transport('pay/methods', request).catch(() => undefined);
    const methods = reply && field(reply, 'methods') as Method[] | undefined;
    if (reply && methods?.length) kept(session, place, JSON.stringify({ methods, until: Date.now() + Number(field(reply, 'cache_ms')) }));
    this.list(methods ?? []);
  }

  private list(methods: Method[]): void {
    const { openid, provider } = this.order;
    this.asked = true;
    this.methods = methods.filter((method) => openid || !method.needs_openid);
    const wished = [kept(() => localStorage, CHOICE), provider];
    const first = this.methods.find((method) => wished.includes(method.provider)) ?? this.methods[0];
    const place = this.find('fieldset');
    place.querySelectorAll('label').forEach((label) => label.remove());
    for (const method of this.methods) {
      const label = document.createElement('label');
      label.className = method.provider;
      label.innerHTML = '<input type="radio" name="wallet"><svg viewBox="0 0 24 24" aria-hidden="true"><path/></svg><span></span>';
      const input = label.querySelector('input')!;
      input.value = method.provider;
      input.checked = method === first;
      input.onchange = () => this.choose();
      label.querySelector('path')!.setAttribute('d', markOf(method.provider));
      place.append(label);
    }
    const many = this.methods.length > 1;
    this.button!.change = many ? () => [...this.inputs].find((input) => input.checked)?.focus() : undefined;
    this.show();
    this.choose(false);
  }

  private choose(remember = true): void {
    const { button, chosen } = this;
    if (!button || !chosen) return;
    if (remember) kept(() => localStorage, CHOICE, chosen.provider);
    button.setAttribute('provider', chosen.provider);
    button.order = { ...this.order, ...(chosen.vk_platform === 'h5' ? {} : { vk_platform: chosen.vk_platform }) };
  }

  private show(): void {
    if (!this.button) return;
    const { order, methods, asked } = this;
    this.texts = textsOf(this.closest<HTMLElement>('[lang]')?.lang || document.documentElement.lang || navigator.language);
    this.find('b').textContent = yuan(order.total_fee);
    this.find('p').textContent = String(order.subject ?? '');
    this.find('legend').textContent = this.word(CHOOSE);
    this.shadowRoot!.querySelectorAll('label').forEach((label) => {
      label.querySelector('span')!.textContent = nameOf(this.texts, label.className);
    });
    const again = this.find('[data-testid=methods-again]');
    again.textContent = this.texts.again;
    again.hidden = !asked || methods.length > 0;
    this.find('fieldset').hidden = methods.length === 0;
    this.find('[role=status]').textContent = methods.length ? '' : this.word(asked ? NONE : [this.texts.ask, this.texts.ask]);
    this.button.hidden = methods.length === 0;
    this.choose(false);
  }
}
