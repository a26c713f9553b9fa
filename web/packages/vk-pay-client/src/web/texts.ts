const TEXTS = {
  pay: ['立即支付', 'Pay now'],
  wxpay: ['微信支付', 'WeChat Pay'],
  alipay: ['支付宝', 'Alipay'],
  vkspay: ['微信或支付宝', 'WeChat or Alipay'],
  scan: ['请使用%扫码支付', 'Scan with % to pay'],
  go: ['请在打开的应用中完成支付', 'Finish paying in the app that opened'],
  code: ['支付二维码', 'Payment QR code'],
  waitHint: ['等待支付…', 'Waiting for payment…'],
  ask: ['请稍候…', 'One moment…'],
  success: ['支付成功', 'Paid'],
  cancel: ['已取消支付', 'Payment cancelled'],
  cancelHint: ['订单仍然有效，可以继续支付', 'Your order is still open'],
  fail: ['支付失败', 'Payment failed'],
  ended: ['订单已失效', 'This order is no longer valid'],
  endedHint: ['如已付款，请联系商家', 'If you have already paid, contact the shop'],
  pending: ['暂未收到支付结果', 'Payment not confirmed yet'],
  pendingHint: ['如已付款，请勿重复支付', 'If you have already paid, do not pay again'],
  unknown: ['暂未收到响应', 'No response yet'],
  unknownHint: ['可以放心重试，不会重复扣款', "It is safe to try again; you won't pay twice"],
  offline: ['网络异常，请检查网络连接', 'No connection. Check your network'],
  left: ['剩余时间', 'Time left'],
  number: ['订单号', 'Order'],
  copy: ['复制', 'Copy'],
  open: ['打开钱包', 'Open wallet'],
  paid: ['我已完成支付', 'I have paid'],
  again: ['重试', 'Try again'],
  change: ['其他支付方式', 'Pay another way'],
  close: ['关闭', 'Close'],
};

export type Texts = Record<keyof typeof TEXTS, string>;

export const textsOf = (lang: string): Texts =>
  Object.fromEntries(Object.entries(TEXTS).map(([name, text]) => [name, text[/^zh/i.test(lang) ? 0 : 1]])) as Texts;
