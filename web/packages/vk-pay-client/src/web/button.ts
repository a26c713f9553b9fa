import { createPayController } from '../controller.js';
import { alipayScheme, detectEnv, openWay } from '../env.js';
import { field } from '../reply.js';
import { browserPage, isAddress } from '../page.js';
import { httpTransport } from '../transport.js';
import type { CreateReply, Env, InvokeResult, PayOutcome, Transport } from '../types.js';
import { webInvoke } from './invoke.js';
import { fetchPost } from './post.js';
import { QrcodeDialog } from './qrcode-dialog.js';
import { STYLE } from './style.js';
import { textsOf, type Texts } from './texts.js';

type EventName = 'create' | 'success' | 'fail' | 'cancel' | 'pending';

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
  private texts: Texts = textsOf('');
  private shown: CreateReply | undefined;
  private method = '';
  /** Counts what was begun, so that what comes late from before does nothing. */
  private turn = 0;
  private readonly main = document.createElement('button');
  private readonly label = document.createElement('slot');
  private readonly live = document.createElement('span');
  private readonly popup = new QrcodeDialog(() => void this.leave(), () => void this.resume());
  private readonly page = browserPage(window);
  private readonly env: Env = {
    ...detectEnv('h5', navigator.userAgent, navigator.maxTouchPoints),
    get returnUrl() { return location.href; },
  };

  private readonly transport: Transport = (action, data) => httpTransport({
    baseUrl: this.getAttribute('base-url') ?? '',
    urls: this.json('urls') ?? {},
    style: this.hasAttribute('envelope') ? 'envelope' : 'path',
    headers: () => ({ 'accept-language': this.language, ...this.headers?.() }),
  }, fetchPost)(action, data);

  private readonly controller = createPayController({
    transport: this.transport,
    invoke: (created) => this.invoke(created),
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
    this.main.append(this.label);
    // Not disabled while it pays: focus comes back to it when the dialog closes.
    this.main.onclick = () => {
      if (!this.busy) void this.pay();
    };
    this.live.className = 'live';
    this.live.setAttribute('role', 'status');
    root.append(this.main, this.live, this.popup.dialog);
  }

  /** What is sold: the attribute's JSON, unless the page has set it. */
  get order(): Record<string, unknown> | undefined {
    return this.given ?? this.json('order');
  }

  set order(order: Record<string, unknown> | undefined) {
    this.given = order;
  }

  connectedCallback(): void {
    this.attributeChangedCallback();
    const place = /[?&]out_trade_no=([^&#]+)/.exec(location.href);
    if (this.hasAttribute('resume') && place?.[1]) void this.resume(decodeURIComponent(place[1]));
  }

  disconnectedCallback(): void {
    this.turn += 1;
    this.controller.stop();
    this.free();
  }

  attributeChangedCallback(): void {
    this.texts = textsOf(this.language);
    this.label.textContent = this.texts.pay;
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
    this.method = String(order.provider_pay_method);
    // Where the server makes a code anyway, it draws it too; to the server an iPad is a computer.
    const coded = this.env.isPC || /macintosh/i.test(navigator.userAgent);
    if (order.needQRcode || (coded && !order.vk_platform)) order.needQRcode = 'image';
    return this.run((hooks) => this.controller.pay(this.getAttribute('action') ?? 'pay/createPayment', order, hooks));
  }

  /** Asks about an order that was created before, and tells by the same events. */
  async resume(outTradeNo = String(this.shown?.out_trade_no)): Promise<PayOutcome> {
    this.popup.say(this.texts.asking);
    return this.run((hooks) => this.controller.resume({ out_trade_no: outTradeNo }, hooks));
  }

  private async run(begin: (hooks: { create(reply: CreateReply): boolean }) => Promise<PayOutcome>): Promise<PayOutcome> {
    this.attributeChangedCallback();
    this.controller.set({
      pollingTime: Number(this.getAttribute('polling-time')) || 1500,
      awaitNotify: this.hasAttribute('await-notify') && this.getAttribute('await-notify') !== 'false',
    });
    const turn = ++this.turn;
    this.busy = true;
    this.live.textContent = this.texts.asking;
    const outcome = await begin({ create: (reply) => this.emit('create', reply) });
    if (turn !== this.turn) return outcome;
    if (outcome.type === 'stopped') this.free();
    else this.end(outcome.type as EventName, outcome.reply);
    return outcome;
  }

  private get busy(): boolean {
    return this.main.hasAttribute('aria-busy');
  }

  private set busy(busy: boolean) {
    if (busy) this.main.setAttribute('aria-busy', 'true');
    else this.main.removeAttribute('aria-busy');
  }

  private end(type: EventName, reply: object): void {
    const open = type === 'pending' && this.popup.dialog.open;
    if (open) this.popup.say(this.texts.pending, true);
    else this.free();
    this.live.textContent = this.texts[type as 'success'];
    this.emit(type, reply);
  }

  private free(): void {
    this.busy = false;
    this.shown = undefined;
    this.popup.close();
  }

  private async invoke(created: CreateReply): Promise<InvokeResult> {
    const told = await webInvoke(this.page, this.env)(created);
    if (told.result !== 'qrcode' && told.result !== 'redirect') return told;
    const text = told.result === 'qrcode' ? told.codeUrl : '';
    const way = text && openWay(this.env, created.provider, this.method);
    const wallet = this.getAttribute('wallet-url')?.replace('{out_trade_no}', encodeURIComponent(created.out_trade_no));
    const onward = told.result === 'redirect' ? told.url : way === 'scheme' ? alipayScheme(text) : way === 'link' && isAddress(text) ? text : '';
    const image = text && ((field(created, 'qrcodeImage') as string) || VkPayButton.qrcode?.(text));
    if (!image && !onward) return { result: 'fail', msg: 'the server drew no QR code' };
    this.shown = created;
    this.popup.open(this.texts, { fee: created.total_fee, image, link: wallet || onward });
    return told;
  }

  /** The payer ends it; the server has the last word, for the code may have been paid just now. */
  private async leave(): Promise<void> {
    const turn = ++this.turn;
    const { shown } = this;
    this.controller.stop();
    this.popup.close();
    if (!shown) return;
    const { paid, reply } = await this.controller.query({ out_trade_no: shown.out_trade_no });
    if (turn !== this.turn) return;
    if (paid) this.end('success', reply);
    else this.end('cancel', shown);
  }

  private emit(name: EventName, detail: object): boolean {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: name === 'create' }));
  }

  private json(name: string): Record<string, string> | undefined {
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
