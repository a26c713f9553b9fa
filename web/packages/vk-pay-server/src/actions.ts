/** The data of a request, as far as it decides whether a repetition is safe. */
export type Data = Readonly<Record<string, unknown>>;

export type FunctionName = 'create-payment' | 'query-payment' | 'refund' | 'transfer' | 'login';

interface Rule {
  function: FunctionName;
  /** Whether the API promises that the same request again is the same thing, and its answer the same. */
  repeats: (data: Data) => boolean;
}

const always = () => true;
const never = () => false;

/** Which function serves an action, and what sending it again does. */
export const ACTIONS = {
  // The same number is the same order. A login code is spent by its first use.
  'pay/createPayment': { function: 'create-payment', repeats: (data) => data.code === undefined },
  'pay/closePayment': { function: 'create-payment', repeats: always },
  'pay/queryPayment': { function: 'query-payment', repeats: always },
  'pay/queryOrders': { function: 'query-payment', repeats: always },
  'pay/queryIncidents': { function: 'query-payment', repeats: always },
  'pay/queryComplaints': { function: 'query-payment', repeats: always },
  // Each call is one more delivery.
  'pay/rerunHandler': { function: 'query-payment', repeats: never },
  'pay/appleiap/verifyReceipt': { function: 'query-payment', repeats: always },
  'pay/huaweiiap/verifyPurchase': { function: 'query-payment', repeats: always },
  'pay/methods': { function: 'query-payment', repeats: always },
  // Without a number of the caller's, each call is another refund.
  'pay/refund': { function: 'refund', repeats: (data) => data.out_refund_no !== undefined },
  'pay/queryRefund': { function: 'refund', repeats: always },
  // What has ended is refused the second time, and a success would look like a failure.
  'pay/resolveIncident': { function: 'refund', repeats: never },
  // The same report is done once; another one is a correction, of which there is one.
  'pay/uploadShipping': { function: 'refund', repeats: always },
  'pay/queryShipping': { function: 'refund', repeats: always },
  'pay/confirmReceive': { function: 'refund', repeats: always },
  // The same answer is sent once, an end stays an end, and a complaint has one refund.
  'pay/answerComplaint': { function: 'refund', repeats: always },
  'pay/completeComplaint': { function: 'refund', repeats: always },
  'pay/refundComplaint': { function: 'refund', repeats: always },
  'pay/subscribeComplaints': { function: 'refund', repeats: always },
  // The provider is asked first, and pays one refund once.
  'pay/applyAbnormalRefund': { function: 'refund', repeats: always },
  'pay/addReceiver': { function: 'refund', repeats: always },
  'pay/deleteReceiver': { function: 'refund', repeats: always },
  // A number is one share, or one return, however often it is asked for.
  'pay/profitShare': { function: 'refund', repeats: always },
  'pay/unfreezeShare': { function: 'refund', repeats: always },
  'pay/returnShare': { function: 'refund', repeats: always },
  'pay/queryShare': { function: 'refund', repeats: always },
  'pay/transfer': { function: 'transfer', repeats: always },
  'pay/queryTransfer': { function: 'transfer', repeats: always },
  'pay/cancelTransfer': { function: 'transfer', repeats: never },
  'pay/transferReceipt': { function: 'transfer', repeats: always },
  'pay/createUserConfirmAuthorization': { function: 'transfer', repeats: always },
  'pay/queryUserConfirmAuthorization': { function: 'transfer', repeats: always },
  'pay/closeUserConfirmAuthorization': { function: 'transfer', repeats: always },
  // Whether a call may come twice only the provider knows.
  'pay/request': { function: 'transfer', repeats: (data) => data.method === 'GET' },
  'pay/queryBalance': { function: 'transfer', repeats: always },
  'pay/wxpayVirtual/queryUserBalance': { function: 'transfer', repeats: always },
  'pay/wxpayVirtual/currencyPay': { function: 'transfer', repeats: always },
  'pay/wxpayVirtual/cancelCurrencyPay': { function: 'transfer', repeats: always },
  'pay/wxpayVirtual/presentCurrency': { function: 'transfer', repeats: always },
  'pay/code2Session': { function: 'login', repeats: never },
} satisfies Record<string, Rule>;

export type Action = keyof typeof ACTIONS;
