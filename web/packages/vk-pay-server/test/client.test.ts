import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { NO_REPLY, VkPay, VkPayError, type CreatePaymentRequest, type VkPayOptions } from 'paybundle-server';
import { failure, reply, startServer } from './server.js';

const KEY = 'a-secret-of-the-shop';
const ORDER: CreatePaymentRequest = {
  provider: 'wxpay', out_trade_no: 'T20260101001', total_fee: 100, subject: '充值', type: 'recharge', needQRcode: true,
};

let server: Awaited<ReturnType<typeof startServer>>;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

const client = (options: Partial<VkPayOptions> = {}) => new VkPay({ baseUrl: server.base, key: KEY, retries: 0, ...options });

async function refused(call: Promise<unknown>): Promise<VkPayError> {
  const error = await call.then(() => assert.fail('it was answered'), (error: unknown) => error);
  assert.ok(error instanceof VkPayError, String(error));
  return error;
}

describe('a request', () => {
  test('goes to its function with the key as Bearer, and the action in the dialect without codes for states', async () => {
    server.answers({ body: reply({ pay_type: 'wxpay_h5', orderInfo: { codeUrl: 'weixin://1' }, trade_state: 'NOTPAY' }) });
    const made = await client().createPayment(ORDER);
    assert.equal(made.request_id, 'req-1');
    assert.ok(made.pay_type === 'wxpay_h5' && made.orderInfo.codeUrl === 'weixin://1');
    assert.ok(!('code' in made) && !('data' in made));
    const [asked] = server.asked;
    assert.equal(asked?.path, '/create-payment');
    assert.equal(asked?.headers.authorization, `Bearer ${KEY}`);
    assert.equal(asked?.headers['accept-language'], 'zh');
    assert.match(asked?.headers['content-type'] ?? '', /^application\/json/);
    assert.deepEqual(asked?.body, { url: 'pay/createPayment', data: ORDER });
  });

  test('of each action goes to the function that serves it', async () => {
    const pay = client();
    const out_trade_no = 'T20260101001', out_bill_no = 'B1', openid = 'o', out_refund_no = 'R20260101', out_authorization_no = 'A0001';
    const calls: [Promise<unknown>, string][] = [];
    server.answers({ body: reply({}) });
    calls.push(
      [pay.closePayment({ out_trade_no }), '/create-payment pay/closePayment'],
      [pay.queryPayment({ out_trade_no }), '/query-payment pay/queryPayment'],
      [pay.queryOrders({ user_id: 'u' }), '/query-payment pay/queryOrders'],
      [pay.queryIncidents(), '/query-payment pay/queryIncidents'],
      [pay.methods({ vk_platform: 'h5' }), '/query-payment pay/methods'],
      [pay.rerunHandler({ out_trade_no }), '/query-payment pay/rerunHandler'],
      [pay.verifyReceipt({ out_trade_no, signed_transaction: 's' }), '/query-payment pay/appleiap/verifyReceipt'],
      [pay.verifyPurchase({ out_trade_no, signed_transaction: 's' }), '/query-payment pay/huaweiiap/verifyPurchase'],
      [pay.refund({ out_trade_no, refund_fee: 1 }), '/refund pay/refund'],
      [pay.queryRefund({ out_trade_no }), '/refund pay/queryRefund'],
      [pay.resolveIncident({ incident_id: 'i', action: 'close' }), '/refund pay/resolveIncident'],
      [pay.uploadShipping({ out_trade_no, logistics_type: 3 }), '/refund pay/uploadShipping'],
      [pay.queryShipping({ out_trade_no }), '/refund pay/queryShipping'],
      [pay.confirmReceive({ out_trade_no }), '/refund pay/confirmReceive'],
      [pay.addReceiver({ provider: 'wxpay', type: 'MERCHANT_ID', account: 'm', name: 'n' }), '/refund pay/addReceiver'],
      [pay.deleteReceiver({ provider: 'wxpay', type: 'MERCHANT_ID', account: 'm' }), '/refund pay/deleteReceiver'],
      [
        pay.profitShare({ out_trade_no, out_order_no: 's', receivers: [{ account: 'm', amount: 1 }] }),
        '/refund pay/profitShare',
      ],
      [pay.unfreezeShare({ out_trade_no, out_order_no: 's' }), '/refund pay/unfreezeShare'],
      [
        pay.returnShare({ out_trade_no, out_order_no: 's', out_return_no: 'r', return_mchid: 'm', amount: 1 }),
        '/refund pay/returnShare',
      ],
      [pay.queryShare({ out_trade_no }), '/refund pay/queryShare'],
      [pay.transfer({ provider: 'wxpay', out_bill_no, openid, transfer_amount: 10, transfer_remark: 'r' }), '/transfer pay/transfer'],
      [pay.queryTransfer({ out_bill_no }), '/transfer pay/queryTransfer'],
      [pay.cancelTransfer({ out_bill_no }), '/transfer pay/cancelTransfer'],
      [pay.transferReceipt({ out_bill_no }), '/transfer pay/transferReceipt'],
      [pay.createUserConfirmAuthorization({ provider: 'wxpay', out_authorization_no, openid, user_display_name: 'u' }), '/transfer pay/createUserConfirmAuthorization'],
      [pay.queryUserConfirmAuthorization({ out_authorization_no }), '/transfer pay/queryUserConfirmAuthorization'],
      [pay.closeUserConfirmAuthorization({ out_authorization_no }), '/transfer pay/closeUserConfirmAuthorization'],
      [pay.queryUserBalance({ openid }), '/transfer pay/wxpayVirtual/queryUserBalance'],
      [pay.currencyPay({ openid, out_trade_no, amount: 1 }), '/transfer pay/wxpayVirtual/currencyPay'],
      [pay.cancelCurrencyPay({ openid, out_trade_no, out_refund_no, amount: 1 }), '/transfer pay/wxpayVirtual/cancelCurrencyPay'],
      [pay.presentCurrency({ openid, out_trade_no, amount: 1 }), '/transfer pay/wxpayVirtual/presentCurrency'],
      [pay.code2Session({ provider: 'wxpay', code: 'c' }), '/login pay/code2Session'],
    );
    await Promise.all(calls.map(([call]) => call));
    assert.deepEqual(server.asked.map(({ path, body }) => `${path} ${body.url}`).sort(), calls.map(([, where]) => where).sort());
  });

  test('finds a function by its own address first', async () => {
    server.answers({ body: reply({}) });
    await client({ urls: { refund: `${server.base}/own/?a=1` } }).refund({ out_trade_no: 'T1', refund_fee: 1 });
    assert.equal(server.asked[0]?.path, '/own/?a=1');
    const error = await refused(new VkPay({ key: KEY, urls: { refund: server.base } }).queryPayment({ out_trade_no: 'T1' }));
    assert.deepEqual([error.code, error.status], [404, 0]);
  });

  test('asks for the key anew, so that it can be changed', async () => {
    let key = 'first-key-0123456';
    const pay = client({ key: async () => key });
    server.answers({ body: reply({}) });
    await pay.queryPayment({ out_trade_no: 'T1' });
    key = 'second-key-012345';
    await pay.queryPayment({ out_trade_no: 'T1' });
    assert.deepEqual(server.asked.map((one) => one.headers.authorization), ['Bearer first-key-0123456', 'Bearer second-key-012345']);
  });

  test('never carries the key over a network in clear, nor shows it', () => {
    for (const baseUrl of ['http://pay.example', 'ftp://pay.example', 'pay.example', 'https://u:p@pay.example', 'http://127.0.0.1.evil.example']) {
      assert.throws(() => new VkPay({ baseUrl, key: KEY }), TypeError, baseUrl);
    }
    for (const key of ['', ' ', ' begins blank', 'ends blank ', 'ключ', 'line\r\nx: y']) {
      assert.throws(() => new VkPay({ baseUrl: server.base, key }), TypeError);
    }
    assert.ok(!inspect(client(), { showHidden: true, depth: 9 }).includes(KEY));
  });
});

describe('amounts', () => {
  test('are integers of fen, or nothing is sent', async () => {
    server.answers({ body: reply({}) });
    const pay = client();
    const bad: unknown[] = [0, -1, 1.5, NaN, Infinity, 1e10 + 1, 2 ** 53, '100', 100n, null, undefined, true];
    for (const amount of bad) {
      const fen = amount as number;
      const calls: [Promise<unknown>, number][] = [
        [pay.createPayment({ ...ORDER, total_fee: fen }), 1003],
        [pay.refund({ out_trade_no: 'T1', refund_fee: fen }), 1031],
        [pay.transfer({ provider: 'wxpay', out_bill_no: 'B1', openid: 'o', transfer_amount: fen, transfer_remark: 'r' }), 1007],
        [pay.currencyPay({ openid: 'o', out_trade_no: 'COINS_001', amount: fen }), 1030],
      ];
      for (const [call, code] of calls) {
        const error = await refused(call);
        assert.deepEqual([error.code, error.status, error.retryable, error.outcomeUnknown], [code, 0, false, false], String(amount));
      }
    }
    const small = pay.transfer({ provider: 'wxpay', out_bill_no: 'B1', openid: 'o', transfer_amount: 9, transfer_remark: 'r' });
    assert.equal((await refused(small)).code, 1008);
    assert.equal(server.asked.length, 0);
    await pay.createPayment({ ...ORDER, total_fee: 1e10 });
    assert.equal(server.asked[0]?.body.data.total_fee, 1e10);
  });

  test('a refund of all has to be asked for', async () => {
    server.answers({ body: reply({}) });
    await client().refund({ out_trade_no: 'T1', refund_fee: 'all' });
    assert.deepEqual(server.asked[0]?.body.data, { out_trade_no: 'T1' });
  });

  test('of virtual payment may be left to the functions', async () => {
    server.answers({ body: reply({}) });
    const { total_fee: _, ...order } = ORDER;
    await client().createPayment({ ...order, provider: 'wxpay-virtual', wxpay_virtual: { mode: 'short_series_coin', buy_quantity: 10 } });
    assert.ok(!('total_fee' in (server.asked[0]?.body.data ?? {})));
  });
});

describe('an error', () => {
  test('has code, message, status, request id and the fields of the reply', async () => {
    server.answers(failure(3002, 422, { status: 'REFUSED' }));
    const error = await refused(client().refund({ out_trade_no: 'T1', refund_fee: 1, out_refund_no: 'R1' }));
    assert.deepEqual(
      [error.name, error.code, error.message, error.status, error.requestId, error.retryable, error.outcomeUnknown, error.data],
      ['VkPayError', 3002, 'text of 3002', 422, 'req-2', false, false, { status: 'REFUSED' }],
    );
  });

  test('names the field that is at fault', async () => {
    server.answers(failure(1003, 400, { field: 'total_fee' }));
    const error = await refused(client().refund({ out_trade_no: 'T1', refund_fee: 1, total_fee: 2 }));
    assert.equal(error.field, 'total_fee');
  });

  test('without a reply of the functions has the code of none', async () => {
    const cases = [
      { answer: { status: 502, body: '<html>' }, retryable: true, outcomeUnknown: true },
      { answer: { status: 502, body: { message: 'Internal server error' } }, retryable: true, outcomeUnknown: true },
      { answer: { status: 429, body: { Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' } }, retryable: true, outcomeUnknown: false },
      { answer: { status: 403, body: { Message: 'Forbidden' } }, retryable: false, outcomeUnknown: false },
      { answer: { status: 200, body: 'null' }, retryable: false, outcomeUnknown: true },
      { answer: { status: 202, body: reply({}) }, retryable: false, outcomeUnknown: true },
      { answer: { status: 307, headers: { location: '/elsewhere' } }, retryable: false, outcomeUnknown: false },
    ];
    for (const { answer, ...expected } of cases) {
      server.answers(answer);
      const { code, status, retryable, outcomeUnknown } = await refused(client().queryPayment({ out_trade_no: 'T1' }));
      assert.deepEqual({ code, status, retryable, outcomeUnknown }, { code: NO_REPLY, status: answer.status, ...expected });
      assert.equal(server.asked.length, 1);
    }
  });

  test('of a reply that does not come has its cause, and nobody knows the outcome', async () => {
    server.answers({ hang: true });
    const late = await refused(client({ timeoutMs: 50 }).refund({ out_trade_no: 'T1', refund_fee: 1 }));
    assert.deepEqual([late.code, late.status, late.outcomeUnknown, late.retryable], [NO_REPLY, 0, true, false]);
    assert.equal((late.cause as Error).name, 'TimeoutError');
    server.answers({ drop: true });
    const dropped = await refused(client().refund({ out_trade_no: 'T1', refund_fee: 1, out_refund_no: 'R1' }));
    assert.deepEqual([dropped.code, dropped.outcomeUnknown, dropped.retryable], [NO_REPLY, true, true]);
  });

  test('says which codes are worth another try', async () => {
    const cases: [number, number, boolean, boolean][] = [
      [2013, 409, true, false], [2004, 409, true, false], [2022, 409, true, false], [2010, 409, false, false],
      [401, 401, false, false], [3001, 422, false, false], [101, 500, false, false], [500, 500, true, true],
      [503, 503, true, false], [5020, 502, false, false], [5040, 504, true, true],
    ];
    for (const [code, status, retryable, unknown] of cases) {
      server.answers(failure(code, status));
      const error = await refused(client().createPayment(ORDER));
      assert.deepEqual([error.code, error.retryable, error.outcomeUnknown], [code, retryable, unknown]);
    }
  });
});

describe('a repetition', () => {
  const retries = { retries: 2 };

  test('sends the same bytes, later each time, and gives the reply that comes', async (context) => {
    // The shortest pauses: half of 500 ms and of 1000 ms.
    context.mock.method(Math, 'random', () => 1);
    server.answers(failure(5040, 504), { drop: true }, { body: reply({ out_trade_no: 'T1' }) });
    const began = Date.now();
    await client(retries).createPayment(ORDER);
    assert.ok(Date.now() - began >= 750 - 20);
    assert.equal(server.asked.length, 3);
    assert.deepEqual(server.asked[2]?.body, server.asked[0]?.body);
  });

  test('ends, with what was said last', async () => {
    server.answers(failure(500, 500), failure(5040, 504));
    const error = await refused(client().createPayment(ORDER, { retries: 1 }));
    assert.deepEqual([server.asked.length, error.code, error.retryable], [2, 5040, true]);
  });

  test('is never made of a 4xx, nor of what a repetition would do twice', async () => {
    const pay = client(retries);
    const once: [() => Promise<unknown>, ReturnType<typeof failure>][] = [
      [() => pay.createPayment(ORDER), failure(2013, 409)],
      [() => pay.createPayment(ORDER), failure(5020, 502)],
      [() => pay.createPayment({ ...ORDER, code: 'login' }), failure(5040, 504)],
      [() => pay.queryPayment({ out_trade_no: 'T1' }), { status: 429, body: {} }],
      [() => pay.refund({ out_trade_no: 'T1', refund_fee: 1 }), failure(5040, 504)],
      [() => pay.refund({ out_trade_no: 'T1', refund_fee: 'all' }), failure(5040, 504)],
      [() => pay.refund({ out_trade_no: 'T1', refund_fee: 1 }), { status: 502, body: '<html>' }],
      [() => pay.refund({ out_trade_no: 'T1', refund_fee: 1 }), { drop: true }],
      [() => pay.rerunHandler({ out_trade_no: 'T1' }), failure(500, 500)],
      [() => pay.resolveIncident({ incident_id: 'i', action: 'refund' }), failure(5040, 504)],
      [() => pay.cancelTransfer({ out_bill_no: 'B1' }), failure(5040, 504)],
      [() => pay.code2Session({ provider: 'wxpay', code: 'c' }), failure(5040, 504)],
    ];
    for (const [call, answer] of once) {
      server.answers(answer);
      await refused(call());
      assert.equal(server.asked.length, 1, server.asked[0]?.body.url);
    }
  });

  test('is made of a refund and a transfer under a number of the caller\'s', async () => {
    const pay = client({ retries: 1 });
    server.answers({ status: 502, body: '' }, { body: reply({}) });
    await pay.refund({ out_trade_no: 'T1', refund_fee: 'all', out_refund_no: 'R1' });
    assert.equal(server.asked.length, 2);
    server.answers(failure(5040, 504), { body: reply({}) });
    await pay.transfer({ provider: 'wxpay', out_bill_no: 'B1', openid: 'o', transfer_amount: 10, transfer_remark: 'r' });
    assert.equal(server.asked.length, 2);
  });

  test('ends with the signal, in a pause and in a request', async () => {
    const ended = new AbortController();
    server.answers(failure(5040, 504));
    const began = Date.now();
    const paused = refused(client(retries).createPayment(ORDER, { signal: ended.signal }));
    setTimeout(() => ended.abort(new Error('no patience')), 100);
    assert.equal((await paused).code, 5040);
    assert.equal(server.asked.length, 1);
    assert.ok(Date.now() - began < 240, 'the shortest pause');
    const before = await refused(client().createPayment(ORDER, { signal: ended.signal }));
    assert.deepEqual([before.code, before.outcomeUnknown, server.asked.length], [NO_REPLY, false, 1]);
    server.answers({ hang: true });
    const during = await refused(client(retries).createPayment(ORDER, { signal: AbortSignal.timeout(50) }));
    assert.deepEqual([during.code, during.outcomeUnknown, server.asked.length], [NO_REPLY, true, 1]);
  });

  test('leaves nothing behind on a signal that lives longer', async () => {
    const { signal } = new AbortController();
    server.answers(failure(5040, 504), { body: reply({}) });
    await client(retries).createPayment(ORDER, { signal });
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  test('waits for an answer as long as the function may wait for the handler', async () => {
    server.answers({ hang: true });
    const asked = Date.now();
    const waiting = client({ timeoutMs: 20 }).queryPayment({ out_trade_no: 'T1', await_notify: true, await_max_time: 5 }, { signal: AbortSignal.timeout(300) });
    await refused(waiting);
    assert.ok(Date.now() - asked > 250);
    const began = Date.now();
    await refused(client({ timeoutMs: 20 }).queryPayment({ out_trade_no: 'T1' }));
    assert.ok(Date.now() - began < 250);
  });
});
