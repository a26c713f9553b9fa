const ZH = {
  pay: '立即支付',
  scan: '请用手机扫码支付',
  go: '请在打开的应用里支付',
  code: '支付二维码',
  waiting: '等待支付…',
  asking: '正在确认…',
  success: '支付成功',
  fail: '支付失败',
  cancel: '已取消支付',
  pending: '还没有收到支付结果',
  open: '打开钱包支付',
  paid: '我已支付',
  close: '取消',
};

export type Texts = Record<keyof typeof ZH, string>;

const EN: Texts = {
  pay: 'Pay now',
  scan: 'Scan to pay with your phone',
  go: 'Pay in the app that opened',
  code: 'Payment QR code',
  waiting: 'Waiting for payment…',
  asking: 'Confirming…',
  success: 'Paid',
  fail: 'Payment failed',
  cancel: 'Payment cancelled',
  pending: 'No result yet',
  open: 'Open wallet',
  paid: 'I have paid',
  close: 'Cancel',
};

export const textsOf = (lang: string): Texts => (/^zh/i.test(lang) ? ZH : EN);
