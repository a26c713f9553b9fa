/** WeChat's bridge into its own browser. */
export interface WeixinBridge {
  invoke(name: string, parameters: unknown, done: (told: { err_msg?: string }) => void): void;
}

/** Alipay's bridge into its own browser. */
export interface AlipayBridge {
  call(name: string, parameters: unknown, done: (told: { resultCode?: unknown; memo?: string }) => void): void;
}

/** What paying in a browser needs of its window; a test and an app pass their own. */
export interface Page {
  url(): string;
  open(url: string): void;
  /** Sends the form of a cashier's HTML. */
  submit(html: string): void;
  bridge(): Promise<WeixinBridge>;
  alipayBridge?(): Promise<AlipayBridge>;
}

const BRIDGE_WAIT = 10_000;

/** An address may come from a server, a script may not. */
export const isAddress = (url: string): boolean => /^(https?|alipays?|weixin):/i.test(url);

/** Where a cashier's form may go: https, or http to a literal loopback address, as the configuration has it. */
const CASHIER = /^(https:\/\/[^/@]+|http:\/\/(127(\.\d+){3}|\[::1\])(:\d+)?)\//;

/**
 * Builds what a cashier's page sends: the address, the method and the hidden fields of its only form. Nothing else of
 * the page is used; one that is not such a form is refused whole.
 */
function cashierForm(page: Document, document: Document): HTMLFormElement {
  const make = (tag: string, attributes: Record<string, string>): HTMLElement => {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]!);
    return element;
  };
  const of = (element: Element | undefined, name: string): string => element?.getAttribute(name) ?? '';
  const [form, other] = page.querySelectorAll('form');
  const written = of(form, 'action');
  const action = /^https?:\/\//i.test(written) ? new URL(written).href : '';
  const method = of(form, 'method') || 'get';
  let right = !other && CASHIER.test(action) && /^(get|post)$/i.test(method);
  const built = make('form', { action, method, 'accept-charset': 'utf-8' }) as HTMLFormElement;
  for (const field of page.querySelectorAll('input[name],select[name],textarea[name]')) {
    const type = of(field, 'type');
    if (/^(submit|button|reset|image)$/i.test(type)) continue;
    right &&= field.tagName === 'INPUT' && /^(hidden|text)?$/i.test(type);
    built.append(make('input', { type: 'hidden', name: of(field, 'name'), value: of(field, 'value') }));
  }
  if (!right) throw new Error('no form to send');
  return built;
}

/** A browser's window as a {@link Page}. */
export function browserPage(window: Window): Page {
  const own = window as Window & { DOMParser?: typeof DOMParser };
  const { document } = window;
  const bridge = <Bridge>(name: string) => (): Promise<Bridge> => new Promise((found, failed) => {
    const look = (): void => {
      const there = (own as unknown as Record<string, Bridge | undefined>)[name];
      if (there) found(there);
    };
    look();
    setTimeout(() => failed(new Error(`${name} is not ready`)), BRIDGE_WAIT);
    document.addEventListener(`${name}Ready`, look, { once: true });
  });
  return {
    url: () => window.location.href,
    open(url) {
      if (!isAddress(url)) throw new Error(`not an address to open: ${url.slice(0, 40)}`);
      window.location.href = url;
    },
    submit(html) {
      const form = cashierForm(new (own.DOMParser ?? DOMParser)().parseFromString(html, 'text/html'), document);
      document.body.append(form);
      // A field may be called submit.
      HTMLFormElement.prototype.submit.call(form);
    },
    bridge: bridge('WeixinJSBridge'),
    alipayBridge: bridge('AlipayJSBridge'),
  };
}
