// Against `cargo run`'s binary, when VK_PAY_LOCAL names it: real replies, real deliveries.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { VkPay, VkPayError, openDelivery, signQuote, type CreatePaymentRequest, type Delivery, type DeliveryOptions } from 'paybundle-server';
import { startStack } from './stack.js';

const binary = process.env.VK_PAY_LOCAL;
const KEY = 'a-key-that-was-made-for-this-test';
const NOTIFY_KEY = 'kJ8mN2pQ5rT7vX9zB4dF6gH1sL3wY0aC';

/** How each type of order is handed over, and how the receiver verifies it. */
const TYPES: Record<string, { http: object; verify: DeliveryOptions }> = {
  course: { http: { key: KEY }, verify: { key: KEY } },
  sealed: { http: { encrypt: true }, verify: { notifyKey: NOTIFY_KEY } },
  'sealed-ecb': { http: { encrypt: 'aes-256-ecb' }, verify: { notifyKey: NOTIFY_KEY, encrypt: 'aes-256-ecb' } },
  strict: { http: { key: KEY }, verify: { key: 'another-key' } },
};

describe('against the local stack', { skip: binary ? false : 'VK_PAY_LOCAL names no binary' }, () => {
  let stack: Awaited<ReturnType<typeof startStack>>;
  let pay: VkPay;
  let receiver: http.Server;
  const delivered: Delivery[] = [];
  const refused: VkPayError[] = [];
  let failures = 0;

  before(async () => {
    receiver = http.createServer(async (request, response) => {
      const answer = (status: number, code: number, msg: string) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code, msg }));
      };
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        const { verify } = TYPES[request.url?.slice(1) ?? ''] ?? assert.fail(request.url);
        const delivery = openDelivery(Buffer.concat(chunks), request.headers, verify);
        delivered.push(delivery);
        if (failures-- > 0) answer(500, 1, 'told to fail');
        else answer(200, 0, 'ok');
      } catch (error) {
        if (!(error instanceof VkPayError)) throw error;
        refused.push(error);
        answer(error.status, error.code, error.message);
      }
    });
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const { port } = receiver.address() as AddressInfo;
    stack = await startStack(binary ?? '', (config) => {
      config.notifyKey = NOTIFY_KEY;
      for (const [type, { http }] of Object.entries(TYPES)) {
        config.handlers[type] = { http: { url: `http://127.0.0.1:${port}/${type}`, ...http } };
      }
    });
    pay = new VkPay({ baseUrl: stack.base, key: stack.key, language: 'en' });
  });

  after(async () => {
    await stack?.stop();
    receiver?.closeAllConnections();
    receiver?.close();
  });

  const order = (out_trade_no: string, type: string): CreatePaymentRequest => ({
    provider: 'wxpay', out_trade_no, total_fee: 100, subject: 'A course', type, user_id: 'u1', needQRcode: true,
    custom: { course_id: 'c1', total_fee: 1 },
  });
  const code = (number: number) => (error: unknown) => error instanceof VkPayError && error.code === number;
  async function until<T>(look: () => T | Promise<T>, done: (found: T) => boolean): Promise<T> {
    for (const end = Date.now() + 30_000; ;) {
      const found = await look();
      if (done(found)) return found;
      assert.ok(Date.now() < end, `still ${JSON.stringify(found)}`);
      await new Promise((go) => setTimeout(go, 200));
    }
  }
  const deliveryOf = (number: string) => delivered.filter(({ order }) => order.out_trade_no === number);

  test('an order is created once, paid, delivered, and refunded in part and whole', async () => {
    const out_trade_no = 'SERVER_0001';
    const made = await pay.createPayment(order(out_trade_no, 'course'));
    assert.ok(made.pay_type === 'wxpay_h5' && made.orderInfo.codeUrl.startsWith('weixin://'));
    assert.deepEqual([made.trade_state, made.status, made.total_fee], ['NOTPAY', 0, 100]);
    const again = await pay.createPayment(order(out_trade_no, 'course'));
    assert.deepEqual(again.orderInfo, made.orderInfo);
    await assert.rejects(pay.createPayment({ ...order(out_trade_no, 'course'), total_fee: 101 }), code(2010));

    const unpaid = await pay.queryPayment({ out_trade_no });
    assert.deepEqual([unpaid.orderPaid, unpaid.trade_state, unpaid.next_poll_ms], [false, 'NOTPAY', 1500]);
    assert.deepEqual((await pay.queryRefund({ out_trade_no })).refunds, []);

    await stack.pay(out_trade_no);
    const paid = await pay.queryPayment({ out_trade_no, await_notify: true, pay_order_info: true });
    assert.deepEqual([paid.orderPaid, paid.user_order_success, paid.payOrder?.custom.course_id], [true, true, 'c1']);
    const [delivery, ...more] = deliveryOf(out_trade_no);
    assert.equal(more.length, 0);
    assert.deepEqual([delivery?.order.course_id, delivery?.order.total_fee, delivery?.order.user_id], ['c1', 100, 'u1']);
    assert.ok(!('key' in (delivery?.order ?? {})));

    const part = await pay.refund({ out_trade_no, refund_fee: 30, out_refund_no: 'SERVER_R1', refund_desc: 'changed mind' });
    assert.deepEqual([part.out_refund_no, part.refund_fee], ['SERVER_R1', 30]);
    const same = await pay.refund({ out_trade_no, refund_fee: 30, out_refund_no: 'SERVER_R1' });
    assert.equal(same.refund_id, part.refund_id);
    await assert.rejects(pay.refund({ out_trade_no, refund_fee: 31, out_refund_no: 'SERVER_R1' }), code(2015));
    await assert.rejects(pay.refund({ out_trade_no, refund_fee: 71, out_refund_no: 'SERVER_R2' }), code(2014));
    const rest = await pay.refund({ out_trade_no, refund_fee: 'all', out_refund_no: 'SERVER_R2' });
    assert.equal(rest.refund_fee, 70);
    // Without an amount the number still names the same refund.
    assert.equal((await pay.refund({ out_trade_no, refund_fee: 'all', out_refund_no: 'SERVER_R2' })).refund_fee, 70);
    // WeChat Pay begins a refund, and its callback or the next query ends it.
    const refunds = await until(() => pay.queryRefund({ out_trade_no }), (found) => found.refund_reserved === 0);
    assert.deepEqual(refunds.refunds.map(({ refund_fee, status }) => [refund_fee, status]).sort(), [[30, 'SUCCESS'], [70, 'SUCCESS']]);
    assert.deepEqual([refunds.trade_state, refunds.status, refunds.refund_fee], ['REFUND', 3, 100]);

    const listed = await pay.queryOrders({ user_id: 'u1', pageSize: 1 });
    assert.equal(listed.list[0]?.out_trade_no, out_trade_no);
  });

  for (const type of ['sealed', 'sealed-ecb']) {
    test(`an order of type ${type} is opened`, async () => {
      const out_trade_no = `SERVER_${type.toUpperCase().replace('-', '_')}`;
      await pay.createPayment(order(out_trade_no, type));
      await stack.pay(out_trade_no);
      const paid = await pay.queryPayment({ out_trade_no, await_notify: true });
      assert.equal(paid.user_order_success, true, paid.user_order_reason);
      assert.equal(deliveryOf(out_trade_no)[0]?.order.course_id, 'c1');
    });
  }

  test('what is not taken comes again under the same Idempotency-Key', async () => {
    failures = 1;
    const out_trade_no = 'SERVER_0002';
    await pay.createPayment(order(out_trade_no, 'course'));
    await stack.pay(out_trade_no);
    const [first, second] = await until(() => deliveryOf(out_trade_no), (found) => found.length > 1);
    assert.ok(first && second);
    assert.equal(second.idempotencyKey, first.idempotencyKey);
    const paid = await pay.queryPayment({ out_trade_no, await_notify: true });
    assert.equal(paid.user_order_success, true, paid.user_order_reason);
    await assert.rejects(pay.rerunHandler({ out_trade_no }), code(2016));
  });

  test('a delivery with another key is refused, and the order says why', async () => {
    const out_trade_no = 'SERVER_0003';
    await pay.createPayment(order(out_trade_no, 'strict'));
    await stack.pay(out_trade_no);
    await until(() => refused, (found) => found.length > 0);
    assert.deepEqual(refused.map(({ status, message }) => [status, message])[0], [403, 'wrong key']);
    const rerun = await pay.rerunHandler({ out_trade_no });
    assert.deepEqual([rerun.user_order_success, /403/.test(rerun.user_order_reason ?? '')], [false, true]);
    const incidents = await pay.queryIncidents({ status: 'open', out_trade_no });
    assert.deepEqual(incidents.list.map(({ incident }) => incident), ['undelivered']);
    const resolved = await pay.resolveIncident({ incident_id: incidents.list[0]?.incident_id ?? '', action: 'close', note: 'seen' });
    assert.equal(resolved.status, 'resolved');
  });

  test('a quote fixes what a page without a key may order', async () => {
    const claims = { out_trade_no: 'SERVER_0004', total_fee: 300, type: 'course', custom: { course_id: 'c2' } };
    const quote = signQuote(claims, { secret: stack.quoteSecret });
    const create = async (data: object) => {
      const body = JSON.stringify({ url: 'pay/createPayment', data: { provider: 'wxpay', subject: 's', needQRcode: true, ...data } });
      return (await (await fetch(`${stack.base}/create-payment`, { method: 'POST', body })).json()) as Record<string, unknown>;
    };
    assert.equal((await create({ ...claims, total_fee: 1, quote })).code, 403);
    assert.equal((await create({ quote: `${quote.slice(0, -2)}AA`, ...claims })).code, 403);
    const made = await create({ out_trade_no: claims.out_trade_no, quote });
    assert.deepEqual([made.code, made.total_fee], [0, 300]);
    const known = await pay.queryPayment({ out_trade_no: claims.out_trade_no, pay_order_info: true });
    assert.deepEqual(known.payOrder?.custom, claims.custom);
    const closed = await pay.closePayment({ out_trade_no: claims.out_trade_no });
    assert.equal(closed.trade_state, 'CLOSED');
    await pay.closePayment({ out_trade_no: claims.out_trade_no });
    await assert.rejects(pay.createPayment({ provider: 'wxpay', subject: 's', needQRcode: true, ...claims }), code(2012));
  });

  test('a transfer is made once, and queried', async () => {
    const transfer = { provider: 'wxpay', out_bill_no: 'SERVERB1', openid: 'o_demo_user', transfer_amount: 30, transfer_remark: 'prize' } as const;
    const made = await pay.transfer(transfer);
    assert.equal(made.transfer_amount, 30);
    const again = await pay.transfer(transfer);
    assert.equal(again.transfer_bill_no, made.transfer_bill_no);
    await assert.rejects(pay.transfer({ ...transfer, transfer_amount: 31 }), code(2030));
    const found = await pay.queryTransfer({ provider: 'wxpay', out_bill_no: transfer.out_bill_no });
    assert.equal(found.out_bill_no, transfer.out_bill_no);
    const cancelled = await pay.cancelTransfer({ provider: 'wxpay', out_bill_no: transfer.out_bill_no });
    assert.ok(['CANCELING', 'CANCELLED'].includes(cancelled.state));
  });

  test('a wrong key is 401, an order that is not there 404', async () => {
    await assert.rejects(new VkPay({ baseUrl: stack.base, key: 'not-the-key-of-the-demo' }).queryPayment({ out_trade_no: 'SERVER_0001' }), code(401));
    const error = await pay.queryPayment({ out_trade_no: 'NOT_THERE' }).then(() => assert.fail(), (error: VkPayError) => error);
    assert.deepEqual([error.code, error.status], [2001, 404]);
    assert.ok(error.requestId);
  });
});
