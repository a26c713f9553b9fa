/** WeChat's bridge into its own browser. */
export interface WeixinBridge {
  invoke(name: string, parameters: unknown, done: (told: { err_msg?: string }) => void): void;
}

/** What paying in a browser needs of its window; a test and an app pass their own. */
export interface Page {
  url(): string;
  open(url: string): void;
  /** Sends the first form of a cashier's HTML. */
  submit(html: string): void;
  bridge(): Promise<WeixinBridge>;
}

const BRIDGE_WAIT = 10_000;

/** An address may come from a server, a script may not. */
export const isAddress = (url: string): boolean => /^(https?|alipays?|weixin):/i.test(url);

/** A browser's window as a {@link Page}. */
export function browserPage(window: Window): Page {
  const own = window as Window & { WeixinJSBridge?: WeixinBridge; DOMParser?: typeof DOMParser };
  const { document } = window;
  return {
    url: () => window.location.href,
    open(url) {
      if (!isAddress(url)) throw new Error(`not an address to open: ${url.slice(0, 40)}`);
      window.location.href = url;
    },
    submit(html) {
      const form = new (own.DOMParser ?? DOMParser)().parseFromString(html, 'text/html').forms[0];
      if (!form || !/^https?:/i.test(form.action)) throw new Error('no form to send');
      document.body.append(document.importNode(form, true));
      (document.body.lastElementChild as HTMLFormElement).submit();
    },
    bridge: () => new Promise((found, failed) => {
      if (own.WeixinJSBridge) return found(own.WeixinJSBridge);
      const timer = setTimeout(() => failed(new Error('WeixinJSBridge is not ready')), BRIDGE_WAIT);
      document.addEventListener('WeixinJSBridgeReady', () => {
        clearTimeout(timer);
        if (own.WeixinJSBridge) found(own.WeixinJSBridge);
      }, { once: true });
    }),
  };
}
