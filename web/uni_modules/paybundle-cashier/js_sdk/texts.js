const texts = {
  pay: ["立即支付", "Pay now"],
  paying: ["支付中…", "Paying…"],
  requesting: ["请求中…", "Requesting…"],
  checking: ["查询中…", "Checking…"],
  scanWxpay: ["请使用微信扫码支付", "Scan with WeChat to pay"],
  scanAlipay: ["请使用支付宝扫码支付", "Scan with Alipay to pay"],
  scanAny: ["请使用微信或支付宝扫码支付", "Scan with WeChat or Alipay to pay"],
  wxpay: ["微信支付", "WeChat Pay"],
  alipay: ["支付宝", "Alipay"],
  anyWallet: ["微信或支付宝", "WeChat or Alipay"],
  douyin: ["抖音支付", "Douyin Pay"],
  huawei: ["华为支付", "Huawei Pay"],
  appleiap: ["App Store", "App Store"],
  choose: ["选择支付方式", "How would you like to pay?"],
  noMethods: ["现在没有可用的支付方式", "No way to pay is available now"],
  offline: ["网络已断开", "No network"],
  left: ["剩余", "Time left"],
  copy: ["复制", "Copy"],
  copied: ["已复制", "Copied"],
  change: ["其他支付方式", "Pay another way"],
  again: ["重试", "Try again"],
  qrcode: ["付款二维码", "Payment QR code"],
  waiting: ["等待支付", "Waiting for payment"],
  orderNo: ["订单号", "Order"],
  open: ["打开付款页面", "Open the payment page"],
  openAlipay: ["打开支付宝付款", "Open Alipay"],
  save: ["保存二维码到相册", "Save the QR code"],
  saved: ["已保存，请在付款应用中从相册识别", "Saved. Choose it in your wallet's scanner"],
  notSaved: ["保存失败", "Could not be saved"],
  havePaid: ["我已完成支付", "I have paid"],
  afresh: ["重新发起支付", "Start again"],
  close: ["关闭", "Close"],
  stillPending: ["暂未收到支付结果，请稍后查询", "No result yet, please look again later"],
  noQrcode: ["此平台请使用 vk-pay-button 或二维码弹窗组件", "Use vk-pay-button or the QR popup on this platform"],
  cancelled: ["支付已取消", "Payment cancelled"],
  success: ["支付成功", "Paid"],
  delivering: ["已支付，正在处理订单", "Paid; the order is being processed"],
  notpay: ["未支付", "Not paid"],
  closed: ["订单已关闭", "The order is closed"],
  refund: ["已退款", "Refunded"],
  missing: ["订单不存在", "No such order"],
  unknown: ["支付状态未知", "Payment state unknown"],
  done: ["完成", "Done"],
  repay: ["重新支付", "Pay again"],
  refresh: ["刷新状态", "Refresh"],
  total: ["金额", "Amount"],
};

export const inEnglish = () => typeof uni.getLocale === "function" && !/^zh/i.test(uni.getLocale());

export const t = (key) => texts[key][inEnglish() ? 1 : 0];

// Fen as the payer reads it.
export const yuan = (fen) => {
  const amount = Number(fen);
  return fen !== "" && Number.isFinite(amount) ? (amount / 100).toFixed(2) : "";
};
