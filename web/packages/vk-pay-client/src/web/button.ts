import { createPayController } from '../controller.js';
import { alipayScheme, detectEnv, openWay } from '../env.js';
import { endOf, isPassing } from '../reply.js';
import { browserPage, isAddress } from '../page.js';
import { httpTransport } from '../transport.js';
import type { CreateReply, Env, InvokeResult, PayFailure, PayOutcome, Reply, Transport } from '../types.js';
import { webInvoke } from './invoke.js';
import { fetchPost } from './post.js';
import { createSheet, type Doings, type SheetState } from './sheet.js';
import { STYLE } from './style.js';
import { textsOf, type Texts } from './texts.js';

type EventName = 'create' | 'success' | 'fail' | 'cancel' | 'pending';

/** ms that the sheet stays to say that it is paid. */
const TOLD = 1600;

/**
 * `<vk-pay-button>`: pays one order at a time. Attributes `base-url` (or `urls`, or `envelope` beside it), `order`,
 * `provider`, `action`, `polling-time`, `await-notify`, `wallet-url`, `resume`, `disabled`, `lang`.
 */
export class VkPayButton extends HTMLElement {
  static readonly observedAttributes = ['disabled', 'lang'];

  /** Draws a code that comes without a picture. The one-file build has none: it asks the server for the picture. */
  static qrcode?: (text: string) => string;

  /** Further headers of every request, a credential for example. */
  headers?: () => Record<string, string>;

  private given: Record<string, unknown> | undefined;
  private words: Texts = textsOf('');
  /** The order that may still be paid by what was begun. */
  private unpaid: string | undefined;
  /** Whether there was a sign that it is paid: a wallet or the payer has said so, or the payer came back. */
  private doubt = false;
  private wallet = '';
  /** Counts what was begun, so that what comes late from before does nothing. */
  private turn = 0;
  private readonly main = document.createElement('button');
  private readonly caption = document.createElement('slot');
  private readonly doings: Doings = {
    close: () => void this.leave(),
    paid: () => void this.resume(),
    again: () => void this.pay(),
  };
  private readonly sheet = createSheet(this.doings);
  private readonly page = browserPage(window);
  private readonly env: Env = {
    ...detectEnv('h5', navigator.userAgent, navigator.maxTouchPoints),
    get returnUrl() { return location.href; },
  };

  /** Sends a request as the element does: its addresses, its headers. */
  readonly transport: Transport = async (action, data) => {
    const send = httpTransport({
      baseUrl: this.getAttribute('base-url') ?? '',
      urls: this.parsed('urls') ?? {},
      style: this.hasAttribute('envelope') ? 'envelope' : 'path',
      headers: () => ({ 'accept-language': this.language, ...this.headers?.() }),
    }, fetchPost);
    try {
      const reply = await send(action, data);
      this.sheet.offline(false);
      return reply;
    } catch (error) {
      this.sheet.offline((error as Reply).code === -1);
      throw error;
    }
  };

  private readonly controller = createPayController({
    transport: this.transport,
    invoke: (created) => this.cashier(created),
    env: this.env,
    visible: () => document.visibilityState !== 'hidden',
  }, { polling: true });

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    // A page's policy may forbid style elements; old browsers know nothing else.
    if ('adoptedStyleSheets' in root) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
    } else {
      (root as ShadowRoot).append(Object.assign(document.createElement('style'), { textContent: STYLE }));
    }
    this.main.type = 'button';
    this.main.className = 'main';
    this.main.setAttribute('part', 'button');
    this.main.append(this.caption);
    // Not disabled while it pays: focus comes back to it when the dialog closes.
    this.main.onclick = () => {
      if (!this.busy) void this.pay();
    };
    root.append(this.main, this.sheet.dialog);
  }

  /** What is sold: the attribute's JSON, unless the page has set it. */
  get order(): Record<string, unknown> | undefined {
    return this.given ?? this.parsed('order');
  }

  set order(order: Record<string, unknown> | undefined) {
    this.given = order;
  }

  /** Takes the payer to other wallets: the sheet offers it where this is set. */
  set change(change: (() => void) | undefined) {
    this.doings.change = change && (() => {
      this.stop();
      change();
    });
  }

  connectedCallback(): void {
    this.attributeChangedCallback();
    const place = /[?&]out_trade_no=([^&#]+)/.exec(location.href);
    if (this.hasAttribute('resume') && place?.[1]) void this.resume(decodeURIComponent(place[1]));
  }

  disconnectedCallback(): void {
    this.stop();
  }

  /** Ends what was begun, without an event. The order stands. */
  stop(): void {
    this.turn += 1;
    this.controller.stop();
    this.free();
  }

  attributeChangedCallback(): void {
    this.words = textsOf(this.language);
    this.caption.textContent = this.words.pay;
    this.main.disabled = this.hasAttribute('disabled');
  }

  /** Creates the order and pays it; never rejects. A payment that is under way is ended. */
  async pay(): Promise<PayOutcome> {
    if (!this.order) {
      const reply = { failType: 'create' as const, code: 400, msg: 'order: not JSON' };
      this.emit('fail', reply);
      return { type: 'fail', reply };
    }
    const order = { ...this.order };
    const wished = this.getAttribute('provider');
    if (wished && wished !== 'auto') order.provider = wished;
    order.provider ??= this.env.inAlipay ? 'alipay' : 'wxpay';
    // With its user's id, a page in Alipay pays as a mini program there does.
    if (this.env.inAlipay && order.provider === 'alipay' && order.openid) order.vk_platform ??= 'mp-alipay';
    this.wallet = String(order.provider_pay_method);
    // Where the server makes a code anyway, it draws it too; to the server an iPad is a computer.
    const coded = this.env.isPC || /macintosh/i.test(navigator.userAgent);
    if (order.needQRcode || (coded && !order.vk_platform)) order.needQRcode = 'image';
    this.unpaid = String(order.out_trade_no);
    this.doubt = false;
    this.raise({ ...order, time_expire: 0 });
    return this.run((hooks) => this.controller.pay(this.getAttribute('action') ?? 'pay/createPayment', order, hooks));
  }

  /** Asks about an order that was created before, and tells by the same events. */
  async resume(outTradeNo = String(this.unpaid)): Promise<PayOutcome> {
    if (!this.sheet.dialog.open) {
      this.unpaid = outTradeNo;
      this.raise({});
    }
    this.doubt = true;
    this.sheet.say('ask');
    return this.run((hooks) => this.controller.resume({ out_trade_no: outTradeNo }, hooks));
  }

  private raise(shown: object): void {
    this.attributeChangedCallback();
    this.sheet.open(this.words, { ...shown, out_trade_no: this.unpaid });
  }

  private async run(begin: (hooks: { create(reply: CreateReply): boolean }) => Promise<PayOutcome>): Promise<PayOutcome> {
    this.controller.set({
      pollingTime: Number(this.getAttribute('polling-time')) || 1500,
      awaitNotify: this.hasAttribute('await-notify') && this.getAttribute('await-notify') !== 'false',
    });
    const turn = ++this.turn;
    this.busy = true;
    const outcome = await begin({ create: (reply) => this.emit('create', reply) });
    if (turn !== this.turn) return outcome;
    if (outcome.type === 'stopped') this.free();
    else this.end(outcome.type as EventName, outcome.reply);
    return outcome;
  }

  private get busy(): boolean {
    return this.main.getAttribute('aria-busy') === 'true';
  }

  private set busy(busy: boolean) {
    this.main.setAttribute('aria-busy', String(busy));
  }

  /** Tells how it ended: on the sheet, if it is open, unless the page tells it by itself. */
  private end(type: EventName, reply: object): void {
    const { sheet, turn } = this;
    const { code, failType, msg } = reply as PayFailure;
    let state = type as SheetState;
    let hint: string | undefined;
    if (type === 'fail' && failType === 'create' && code > 0 && isPassing(reply as Reply)) state = 'unknown';
    else if (type === 'fail') {
      if (code === 2012) state = 'ended';
      else hint = code === -1 && failType === 'create' ? this.words.offline : msg;
    }
    this.doubt = type === 'pending';
    if (!this.doubt || !sheet.dialog.open) {
      this.busy = false;
      this.unpaid = undefined;
    }
    sheet.fill(reply);
    sheet.say(state, hint);
    const own = !this.emit(type, reply);
    if (turn !== this.turn) return;
    if (own) this.stop();
    else if (type === 'success') setTimeout(() => { if (turn === this.turn) sheet.close(); }, TOLD);
  }

  private free(): void {
    this.busy = false;
    this.unpaid = undefined;
    this.sheet.close();
  }

  private async cashier(created: CreateReply): Promise<InvokeResult> {
    const { page, sheet } = this;
    const wallet = this.getAttribute('wallet-url')?.replace('{out_trade_no}', encodeURIComponent(created.out_trade_no));
    this.unpaid = created.out_trade_no;
    sheet.fill(created);
    // A simulated wallet stands in for every place that a browser would be sent to.
    const leave = (): void => page.open(new URL(wallet!, location.href).href);
    const told = await webInvoke(wallet ? { ...page, open: leave, submit: leave } : page, this.env)(created);
    if (told.result !== 'qrcode' && told.result !== 'redirect') {
      this.doubt = true;
      return told;
    }
    const text = told.result === 'qrcode' ? told.codeUrl : '';
    const way = text && openWay(this.env, created.provider, this.wallet);
    const onward = told.result === 'redirect' ? told.url : way === 'scheme' ? alipayScheme(text) : way === 'link' && isAddress(text) ? text : '';
    const image = text && (created.qrcodeImage || VkPayButton.qrcode?.(text));
    if (!image && !onward) return { result: 'fail', msg: 'the server drew no QR code' };
    sheet.fill({ image, link: wallet || onward });
    sheet.say('wait');
    return told;
  }

  /** The payer ends it; the server has the last word, for the code may have been paid just now. */
  private async leave(): Promise<void> {
    const number = this.unpaid;
    const turn = ++this.turn;
    this.controller.stop();
    this.sheet.close();
    if (!number) return;
    const { state, reply } = await this.controller.query({ out_trade_no: number });
    if (turn === this.turn) this.end(endOf(state, this.doubt), { ...reply, out_trade_no: number });
  }

  private emit(name: EventName, detail: object): boolean {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  private parsed(name: string): Record<string, string> | undefined {
    try {
      return JSON.parse(this.getAttribute(name) ?? '{}') as Record<string, string>;
    } catch {
      return undefined;
    }
  }

  private get language(): string {
    return this.closest<HTMLElement>('[lang]')?.lang || document.documentElement.lang || navigator.language;
  }
}
