import type { Texts } from './texts.js';

/** What the dialog shows of one payment. */
export interface Shown {
  fee: unknown;
  /** A picture of the code. */
  image?: string | undefined;
  /** Where the payer may go on. */
  link?: string | undefined;
}

/** The dialog of a button: the code, what is known of the payment, and the ways out. It is there while it is open. */
export class QrcodeDialog {
  readonly dialog = document.createElement('dialog');

  /** `leave` is called when the payer ends it, `ask` when the payer says that it is paid. */
  constructor(private readonly leave: () => void, private readonly ask: () => void) {
    const { dialog } = this;
    dialog.setAttribute('part', 'dialog');
    dialog.setAttribute('aria-labelledby', 't');
    dialog.innerHTML = '<h2 id="t"></h2><b></b><img data-testid="qrcode"><p role="status"></p><div>'
      + '<a data-testid="open-wallet" target="_blank" rel="noopener"></a>'
      + '<button type="button" data-testid="paid"></button><button type="button" class="plain" data-testid="close"></button></div>';
    dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      this.leave();
    });
    this.find('[data-testid=close]').onclick = () => this.leave();
    this.find('[data-testid=paid]').onclick = () => this.ask();
  }

  private find<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.dialog.querySelector<T>(selector)!;
  }

  open(root: ShadowRoot, texts: Texts, { fee, image, link }: Shown): void {
    const picture = this.find<HTMLImageElement>('img');
    const way = this.find<HTMLAnchorElement>('a');
    this.find('h2').textContent = image ? texts.scan : texts.go;
    this.find('b').textContent = Number(fee) > 0 ? `¥${(Number(fee) / 100).toFixed(2)}` : '';
    picture.hidden = !image;
    picture.alt = texts.code;
    if (image) picture.src = image;
    way.hidden = !link;
    way.textContent = texts.open;
    if (link) way.href = link;
    this.find('[data-testid=paid]').textContent = texts.paid;
    this.find('[data-testid=close]').textContent = texts.close;
    this.say(texts.waiting);
    if (this.dialog.open) return;
    root.append(this.dialog);
    this.dialog.showModal();
  }

  /** Tells how it stands; `asks` offers to look again. */
  say(text: string, asks = false): void {
    this.find('p').textContent = text;
    this.find('[data-testid=paid]').hidden = !asks;
  }

  close(): void {
    this.dialog.close();
    this.dialog.remove();
  }
}
