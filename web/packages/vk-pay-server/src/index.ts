export { VkPay, type CallOptions, type Reply, type VkPayOptions } from './client.js';
export { openDelivery, type Delivery, type DeliveryHeaders, type DeliveryOptions, type DeliveredOrder } from './delivery.js';
export { NO_REPLY, VkPayError } from './error.js';
export { MAX_FEN, isFen } from './amounts.js';
export { signQuote, type QuoteClaims, type QuoteOptions } from './quote.js';
export type { FunctionName } from './actions.js';
export type * from './types.js';
