import type { Texts } from './texts.js';

/** What the dialog shows of one payment. */
export interface Shown {
  fee: unknown;
  /** A picture of the code. */
  image?: string | undefined;
  /** Where the payer may go on. */
  link?: string | undefined;
}

const PARTS = '<h2 id="t"></h2><b></b><img data-testid="qrcode"><p role="status"></p><div>'
  + '<a data-testid="open-wallet" target="_blank" rel="noopener"></a>'
  + '<button type="button" data-testid="paid"></button><button type="button" class="plain" data-testid="close"></button></div>';

/** The dialog of a button: the code, what is known of the payment, and the ways out. Closed, it is empty. */
export class QrcodeDialog {
  readonly dialog = document.createElement('dialog');

  /** `leave` is called when the payer ends it, `ask` when the payer says that it is paid. */
  constructor(private readonly leave: () => void, private readonly ask: () => void) {
    this.dialog.setAttribute('part', 'dialog');
    this.dialog.setAttribute('aria-labelledby', 't');
    this.dialog.oncancel = (event) => {
      event.preventDefault();
      this.leave();
    };
  }

  private find<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.dialog.querySelector<T>(selector)!;
  }

  open(texts: Texts, { fee, image, link }: Shown): void {
    this.dialog.innerHTML = PARTS;
    const picture = this.find<HTMLImageElement>('img');
    const way = this.find<HTMLAnchorElement>('a');
    const paid = this.find('[data-testid=paid]');
    const close = this.find('.plain');
    this.find('h2').textContent = image ? texts.scan : texts.go;
    this.find('b').textContent = Number(fee) > 0 ? `¥${(Number(fee) / 100).toFixed(2)}` : '';
    picture.alt = texts.code;
    if (image) picture.src = image;
    else picture.remove();
    way.textContent = texts.open;
    if (link) way.href = link;
    else way.remove();
    // A wallet's app opens over the page, and a blank tab would stay behind it.
    if (/^alipays:/i.test(link ?? '')) way.target = '';
    paid.textContent = texts.paid;
    paid.onclick = () => this.ask();
    close.textContent = texts.close;
    close.onclick = () => this.leave();
    this.say(texts.waiting);
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** Tells how it stands; `asks` offers to look again. */
  say(text: string, asks = false): void {
    if (!this.dialog.firstChild) return;
    this.find('p').textContent = text;
    this.find('[data-testid=paid]').hidden = !asks;
  }

  close(): void {
    this.dialog.close();
    this.dialog.textContent = '';
  }
}
