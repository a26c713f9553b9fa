const TEXTS = {
  pay: ['立即支付', 'Pay now'],
  wxpay: ['微信支付', 'WeChat Pay'],
  alipay: ['支付宝', 'Alipay'],
  vkspay: ['微信或支付宝', 'WeChat or Alipay'],
  scan: ['请用%扫码', 'Scan with %'],
  go: ['请在打开的应用里支付', 'Pay in the app that opened'],
  code: ['支付二维码', 'Payment QR code'],
  waitHint: ['等待支付…', 'Waiting for payment…'],
  ask: ['请稍候…', 'One moment…'],
  success: ['支付成功', 'Paid'],
  cancel: ['已取消支付', 'Payment cancelled'],
  cancelHint: ['订单仍然有效', 'The order still stands'],
  fail: ['支付失败', 'Payment failed'],
  ended: ['订单已结束', 'This order has ended'],
  endedHint: ['如果已付款，请联系商家', 'If you have paid, contact the shop'],
  pending: ['还没有收到支付结果', 'No result yet'],
  pendingHint: ['如果已付款，请勿重复支付', 'If you have paid, do not pay again'],
  unknownHint: ['可以放心重试', 'It is safe to try again'],
  offline: ['网络已断开', 'No network'],
  left: ['剩余', 'Time left'],
  number: ['订单号', 'Order'],
  copy: ['复制', 'Copy'],
  open: ['打开钱包', 'Open wallet'],
  paid: ['我已支付', 'I have paid'],
  again: ['重试', 'Try again'],
  change: ['其他支付方式', 'Pay another way'],
  close: ['关闭', 'Close'],
};

export type Texts = Record<keyof typeof TEXTS, string>;

export const textsOf = (lang: string): Texts =>
  Object.fromEntries(Object.entries(TEXTS).map(([name, text]) => [name, text[/^zh/i.test(lang) ? 0 : 1]])) as Texts;
