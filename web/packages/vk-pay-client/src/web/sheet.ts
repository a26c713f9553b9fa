import type { Texts } from './texts.js';

/** How a payment stands, as the payer sees it. */
export type SheetState = 'ask' | 'wait' | 'success' | 'cancel' | 'fail' | 'ended' | 'pending' | 'unknown';

/** What the sheet shows of one payment. */
export interface Shown {
  provider?: unknown;
  /** Fen. */
  total_fee?: unknown;
  subject?: unknown;
  out_trade_no?: unknown;
  /** When the order ends, ms. */
  time_expire?: unknown;
  /** A picture of the code. */
  image?: unknown;
  /** Where the payer may go on. */
  link?: string;
}

/** What the payer does on the sheet. */
export interface Doings {
  /** Ends it. */
  close(): void;
  /** Says that it is paid. */
  paid(): void;
  again(): void;
  /** Chooses another wallet, where there is one. */
  change?: (() => void) | undefined;
}

/** What is paid, the code, how the payment stands, and what can be done. Closed, it is empty. */
export interface Sheet {
  dialog: HTMLDialogElement;
  /** Opens it, with nothing known but these. */
  open(texts: Texts, shown: Shown): void;
  /** Shows more of the payment, once it is known. */
  fill(more: Shown): void;
  /** Tells how it stands, and `hint` in place of the state's own advice. */
  say(state: SheetState, hint?: string): void;
  /** Tells that the network is gone, or back. */
  offline(gone: boolean): void;
  close(): void;
}

/** The wallets' marks, drawn for this sheet; the last is everybody's. */
const MARKS: Record<string, string> = {
  wxpay: 'M4 5h16v11h-8l-4 4v-4H4zM9 10l2 2 4-4',
  alipay: 'M7 4l5 7 5-7M12 11v9M8 13h8M8 16h8',
  '': 'M4 8h16v11H4V7l11-3v4M15 13h2',
};

/** What can be shown or not, and what of it each state offers, by its place here. */
const PLACES = ['img', 'a', '.paid', '.again', '.change'];
const OFFERS: Partial<Record<SheetState, string>> = {
  wait: '0124', ask: '0124', cancel: '34', fail: '34', ended: '3', pending: '0124', unknown: '3',
};

const button = (name: string, kind = 'plain', text = ''): string =>
  `<button type="button" data-testid="${name}" class="${name} ${kind}">${text}</button>`;

const PARTS = `<header><svg viewBox="0 0 24 24" aria-hidden="true"><path/></svg><h2 id="t"></h2>${button('close', 'x', '×')}</header>`
  + '<b></b><div></div><img><i aria-hidden="true"></i><p role="status"><strong></strong><span></span></p>'
  + '<time></time><a data-testid="open-wallet" target="_blank" rel="noopener"></a>'
  + button('paid') + button('again', '') + button('change') + button('copy', 'no');

/** ms in a day; an end that is further away is not counted down to. */
const DAY = 86_400_000;

/** The path of a wallet's mark. */
export const markOf = (provider: unknown): string => MARKS[provider as string] ?? MARKS['']!;

export const nameOf = (texts: Texts, provider: unknown): string => texts[provider as 'wxpay'] ?? String(provider);

/** Fen as the payer reads it; nothing for what is no amount. */
export const yuan = (fee: unknown): string => (Number(fee) > 0 ? `¥${(Number(fee) / 100).toFixed(2)}` : '');

/** The sheet of a button. */
export function createSheet(doings: Doings): Sheet {
  const dialog = document.createElement('dialog');
  let texts: Texts;
  let shown: Shown = {};
  let state: SheetState = 'ask';
  let hint: string | undefined;
  let clock = 0;

  const find = <T extends Element = HTMLElement>(selector: string): T => dialog.querySelector<T>(selector)!;
  const write = (selector: string, text: unknown): void => { find(selector).textContent = String(text ?? ''); };

  const numbered = (): string => `${texts.number} ${String(shown.out_trade_no)}`;

  function close(): void {
    clearInterval(clock);
    dialog.close();
    dialog.textContent = '';
  }

  function fill(more: Shown): void {
    if (!dialog.firstChild) return;
    for (const name in more) if (more[name as 'subject']) shown[name as 'subject'] = more[name as 'subject'];
    const { provider, image, link } = shown;
    const picture = find<HTMLImageElement>('img');
    const way = find<HTMLAnchorElement>('a');
    dialog.dataset.provider = String(provider);
    find('path').setAttribute('d', markOf(provider));
    write('h2', provider ? nameOf(texts, provider) : texts.pay);
    write('b', yuan(shown.total_fee));
    write('div', shown.subject);
    write('.no', `${numbered()} · ${texts.copy}`);
    picture.alt = texts.code;
    if (image) picture.src = image as string;
    if (link) way.href = link;
    // A wallet's app opens over the page, and a blank tab would stay behind it.
    if (/^alipays:/i.test(link ?? '')) way.target = '';
    say(state, hint);
  }

  function say(next: SheetState, advice?: string): void {
    if (!dialog.firstChild) return;
    const { provider, image, link } = shown;
    state = dialog.dataset.state = next;
    hint = advice ?? texts[`${state}Hint` as 'endedHint'];
    // A code is scanned by the app, whose name is shorter.
    write('strong', state !== 'wait' ? texts[state] : image ? texts.scan.replace('%', nameOf(texts, provider).replace(/ ?(Pay|支付)$/, '')) : texts.go);
    write('span', hint);
    find('span').className = '';
    // Nobody has paid what is only being made.
    const has = [image, link, image || link || state !== 'ask', 1, doings.change];
    PLACES.forEach((place, at) => { find(place).hidden = !has[at] || !OFFERS[state]?.includes(String(at)); });
    const picture = find('img');
    picture.dataset.testid = picture.hidden ? '' : 'qrcode';
    count();
  }

  function count(): void {
    const left = Number(shown.time_expire) - Date.now();
    write('time', left > 0 && left < DAY && OFFERS[state]?.includes('0')
      ? `${texts.left} ${new Date(left).toISOString().slice(11, 19).replace(/^00:/, '')}` : '');
  }

  dialog.setAttribute('part', 'dialog');
  dialog.setAttribute('aria-labelledby', 't');
  dialog.oncancel = (event) => {
    event.preventDefault();
    doings.close();
  };
  return {
    dialog,
    fill,
    say,
    close,
    open(words, told) {
      close();
      texts = words;
      shown = {};
      state = 'ask';
      hint = undefined;
      dialog.innerHTML = PARTS;
      write('a', texts.open);
      for (const name of ['paid', 'again', 'change', 'close'] as const) {
        const place = find(`.${name}`);
        if (name === 'close') place.setAttribute('aria-label', texts.close);
        else place.textContent = texts[name];
        place.onclick = () => doings[name]?.();
      }
      find('.no').onclick = () => {
        void navigator.clipboard?.writeText(String(shown.out_trade_no)).then(() => write('.no', `✓ ${numbered()}`));
      };
      fill(told);
      dialog.showModal();
      clock = window.setInterval(count, 1000);
    },
    offline(gone) {
      if (!dialog.firstChild) return;
      write('span', gone ? texts.offline : hint);
      find('span').className = gone ? 'off' : '';
    },
  };
}
