import { describe, expect, test, vi } from 'vitest';
import { detectEnv } from '../src/env.js';
import { PayError, type InvokeResult, type Reply } from '../src/types.js';
import { bench, created, order, PAID, settle, UNPAID } from './helpers.js';

const qr: InvokeResult = { result: 'qrcode', codeUrl: 'weixin://T' };
const polling = { polling: true };

describe('a payment', () => {
  test('creates, shows the code, asks, and tells in this order', async () => {
    const { clock, controller, names } = bench({ options: polling, told: qr, create: { qrcodeImage: 'data:image/png;base64,x' }, replies: [UNPAID, PAID] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(5000);
    expect((await outcome).type).toBe('success');
    expect(names()).toEqual(['create', 'status', 'codeUrl', 'qrcodeImage', 'status', 'codeUrl', 'qrcodeImage', 'success']);
    expect(controller.status).toBe(2);
  });

  test("tells the server of the client, and keeps the order's own words", async () => {
    const env = { ...detectEnv('h5', 'X11; Linux x86_64'), returnUrl: 'https://shop.example/#/pages/pay?tab=1' };
    const first = bench({ deps: { env } });
    void first.controller.pay('pay/createPayment', { ...order(), openid: '' });
    await settle();
    expect(first.asked[0]!.data).toMatchObject({
      vk_platform: 'h5', isPC: true, return_url: 'https://shop.example/#/pages/pay?tab=1&return=1&out_trade_no=T0000001',
    });
    expect(first.asked[0]!.data).not.toHaveProperty('openid');
    const second = bench({ deps: { env } });
    void second.controller.pay('pay/createPayment', { ...order(), vk_platform: 'pc', return_url: 'https://shop.example/done' });
    await settle();
    expect(second.asked[0]!.data).toMatchObject({ vk_platform: 'pc', return_url: 'https://shop.example/done' });
    expect(second.asked[0]!.data).not.toHaveProperty('isPC');
  });

  test('reads a reply that has its fields under data only', async () => {
    const seen: unknown[] = [];
    const { clock, controller } = bench({
      replies: [{ code: 0, msg: '', data: { trade_state: 'SUCCESS', payOrder: {} } }],
      deps: { invoke: async (reply) => { seen.push(reply.orderInfo); return { result: 'ok' }; } },
      create: { orderInfo: undefined, data: { orderInfo: { paySign: 'x' } } },
    });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(1000);
    expect((await outcome).type).toBe('success');
    expect(seen).toEqual([{ paySign: 'x' }]);
  });

  test('without polling waits for the page, and says so to its caller alone', async () => {
    const { clock, controller, queries, names } = bench({ told: qr });
    expect((await controller.pay('pay/createPayment', order())).type).toBe('waiting');
    await clock.pass(60_000);
    expect(queries()).toHaveLength(0);
    expect(controller.status).toBe(1);
    expect(names()).toContain('codeUrl');
  });

  test("a cashier's ok is asked after even without polling", async () => {
    const { clock, controller, queries } = bench({ replies: [UNPAID, UNPAID, PAID] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(10_000);
    expect((await outcome).type).toBe('success');
    expect(queries()).toHaveLength(3);
  });

  test('by a pay code is paid by its creation, or watched until it is', async () => {
    const code = { provider: 'wxpay', pay_type: 'wxpay_codepay' };
    const at_once = bench({ create: { ...code, orderInfo: { paid: true }, trade_state: 'SUCCESS', payOrder: {} } });
    expect((await at_once.controller.pay('pay/createPayment', order())).type).toBe('success');
    const later = bench({ create: { ...code, orderInfo: { paying: true } }, replies: [UNPAID, PAID] });
    const outcome = later.controller.pay('pay/createPayment', order());
    await later.clock.pass(5000);
    expect((await outcome).type).toBe('success');
    expect(later.names()).toContain('userPaying');
  });

  test('that is paid already ends in success when the server says so', async () => {
    const { clock, controller, queries } = bench({ deps: {
      transport: async (action) => (action === 'pay/createPayment' ? { code: 2011, msg: '订单已支付' } : PAID),
    } });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(1000);
    expect((await outcome).type).toBe('success');
    expect(queries()).toHaveLength(0);
  });
});

describe('await notify', () => {
  const options = { ...polling, awaitNotify: true };

  test('asks once more when it is paid, and waits there for the handler', async () => {
    const { clock, controller, queries } = bench({ options, told: qr, replies: [UNPAID, PAID, { ...PAID, user_order_success: true }] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(5000);
    expect(await outcome).toMatchObject({ type: 'success', reply: { user_order_success: true } });
    expect(queries().map(({ data }) => data.await_notify)).toEqual([false, false, true]);
  });

  test("is not left out for a cashier's ok", async () => {
    const { clock, controller, queries } = bench({ options: { awaitNotify: true, payOrderInfo: false }, replies: [PAID, { ...PAID, user_order_success: true }] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(5000);
    expect(await outcome).toMatchObject({ reply: { user_order_success: true } });
    expect(queries()).toHaveLength(2);
  });

  test('that fails is a success all the same', async () => {
    const { clock, controller } = bench({ options, told: qr, replies: [PAID, new PayError(-1, 'offline')] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(5000);
    expect((await outcome).type).toBe('success');
  });

  test('is not asked for again when the handler has finished already', async () => {
    const { clock, controller, queries } = bench({ options, told: qr, replies: [{ ...PAID, user_order_success: false }] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(5000);
    expect(await outcome).toMatchObject({ type: 'success', reply: { user_order_success: false } });
    expect(queries()).toHaveLength(1);
  });
});

describe('an end that is no success', () => {
  const endings: [string, Reply, number][] = [
    ['closed, in the one dialect', { code: 2002, msg: '订单未支付', trade_state: 'CLOSED', status: -1 }, 2012],
    ['closed, in the other', { code: 0, msg: '成功', data: { trade_state: 'CLOSED' } }, 2012],
    ["closed, by VK's integer alone", { code: 2002, msg: '', status: -1 }, 2012],
    ['an order that there is not', { code: 2001, msg: '订单不存在' }, 2001],
  ];
  test.each(endings)('%s', async (_name, reply, code) => {
    const { clock, controller, log } = bench({ options: polling, told: qr, replies: [UNPAID, reply] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(5000);
    expect(await outcome).toMatchObject({ type: 'fail', reply: { failType: 'result', code, out_trade_no: 'T0000001' } });
    expect(log.slice(-4).map(([name, value]) => [name, name === 'fail' ? '' : value])).toEqual([
      ['status', 0], ['codeUrl', ''], ['qrcodeImage', ''], ['fail', ''],
    ]);
  });

  test('an order whose time is over, when the server has not closed it yet', async () => {
    const scene = bench({ options: polling, told: qr, replies: [UNPAID] });
    const { clock, controller } = bench({ clock: scene.clock, options: polling, told: qr, replies: [UNPAID], create: { time_expire: scene.clock.time + 60_000 } });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(70_000);
    expect(await outcome).toMatchObject({ type: 'fail', reply: { failType: 'result', code: 2012 } });
  });

  test('a device whose clock is wrong ends no order', async () => {
    const { clock, controller } = bench({ options: polling, told: qr, replies: [UNPAID, UNPAID, PAID], create: { time_expire: 1_700_000_000_000 } });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(10_000);
    expect((await outcome).type).toBe('success');
  });

  test('a creation that the server refuses, or that does not reach it', async () => {
    const refused = bench({ deps: { transport: async () => ({ code: 1003, msg: 'total_fee' }) } });
    expect(await refused.controller.pay('pay/createPayment', order())).toMatchObject({ type: 'fail', reply: { failType: 'create', code: 1003 } });
    const lost = bench({ deps: { transport: () => Promise.reject(new PayError(-1, 'offline')) } });
    expect(await lost.controller.pay('pay/createPayment', order())).toMatchObject({ type: 'fail', reply: { failType: 'create', code: -1, msg: 'offline' } });
  });

  test('a cashier that throws', async () => {
    const { controller } = bench({ told: () => Promise.reject(new Error('no such API')) });
    expect(await controller.pay('pay/createPayment', order())).toMatchObject({ type: 'fail', reply: { failType: 'request', msg: 'no such API' } });
  });

  test('a doubtful word is what it seems only when the server has heard of no payment', async () => {
    const doubt: InvokeResult = { result: 'unknown', otherwise: 'cancel' };
    const unpaid = bench({ told: doubt, replies: [UNPAID] });
    const cancelled = unpaid.controller.pay('pay/createPayment', order());
    await unpaid.clock.pass(20_000);
    expect((await cancelled).type).toBe('cancel');
    const late = bench({ told: doubt, replies: [UNPAID, UNPAID, PAID] });
    const paid = late.controller.pay('pay/createPayment', order());
    await late.clock.pass(20_000);
    expect((await paid).type).toBe('success');
    const silent = bench({ told: doubt, replies: [new PayError(-1, 'offline')] });
    const pending = silent.controller.pay('pay/createPayment', order());
    await silent.clock.pass(20_000);
    expect((await pending).type).toBe('pending');
  });
});

describe('a lost network', () => {
  test('is outlived while asking', async () => {
    const lost = new PayError(-1, 'offline');
    const { clock, controller } = bench({ options: polling, told: qr, replies: [lost, lost, { code: 502, msg: 'HTTP 502' }, PAID] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(10_000);
    expect((await outcome).type).toBe('success');
  });

  test('that stays ends as pending, not as a failure', async () => {
    const { clock, controller } = bench({ options: polling, told: qr, replies: [new PayError(-1, 'offline')] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(200_000);
    expect(await outcome).toMatchObject({ type: 'pending', reply: { code: -1, msg: 'offline', out_trade_no: 'T0000001' } });
  });

  test('a server that refuses to tell is not asked again, and says nothing of the money', async () => {
    const { clock, controller, queries } = bench({ options: polling, told: qr, replies: [UNPAID, { code: 401, msg: '未提供有效的身份凭证' }] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(60_000);
    expect(await outcome).toMatchObject({ type: 'pending', reply: { code: 401 } });
    expect(queries()).toHaveLength(2);
  });
});

describe('what ends a run', () => {
  test('stop: no event comes after it, and nothing is asked', async () => {
    const { clock, controller, names, queries } = bench({ options: polling, told: qr, replies: [UNPAID, UNPAID, PAID] });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(2000);
    controller.stop();
    expect((await outcome).type).toBe('stopped');
    const told = names().length;
    await clock.pass(60_000);
    expect(names()).toHaveLength(told);
    expect(queries()).toHaveLength(1);
    expect(controller.status).toBe(0);
  });

  test('stop in the moment in which the answer comes: either all is told, or nothing', async () => {
    for (let moments = 0; moments < 20; moments++) {
      const scene = bench({ deps: { transport: async (action) => {
        if (action === 'pay/createPayment') return created('T0000001');
        let later = Promise.resolve();
        for (let moment = 0; moment < moments; moment++) later = later.then(() => {});
        void later.then(() => {
          scene.controller.stop();
          scene.log.push(['stopped', '']);
        });
        return PAID;
      } } });
      void scene.controller.pay('pay/createPayment', order());
      await scene.clock.pass(1000);
      expect(scene.log.at(-1)![0]).toBe('stopped');
    }
  });

  test('another pay: the answer of the one before comes to nothing', async () => {
    const answers: ((reply: Reply) => void)[] = [];
    const { clock, controller, log } = bench({ deps: { transport: async (action, data) => {
      if (action !== 'pay/createPayment') return PAID;
      return new Promise<Reply>((done) => answers.push(() => done(created((data as { out_trade_no: string }).out_trade_no))));
    } } });
    const first = controller.pay('pay/createPayment', order('FIRST001'));
    await settle();
    const second = controller.pay('pay/createPayment', order('SECOND01'));
    await settle();
    answers[0]!(PAID);
    answers[1]!(PAID);
    await clock.pass(1000);
    expect((await first).type).toBe('stopped');
    expect(await second).toMatchObject({ type: 'success', reply: { out_trade_no: 'SECOND01' } });
    expect(log.filter(([name]) => name === 'create')).toHaveLength(1);
  });

  test('a create hook that answers false: no cashier is opened', async () => {
    const invoke = vi.fn();
    const complete = vi.fn();
    const { controller } = bench({ told: invoke });
    expect((await controller.pay('pay/createPayment', order(), { create: () => false, complete })).type).toBe('stopped');
    expect(invoke).not.toHaveBeenCalled();
    expect(complete).toHaveBeenCalledOnce();
    expect(controller.status).toBe(0);
  });

  test('a listener that throws does not', async () => {
    const reported: unknown[] = [];
    const report = (error: unknown): void => void reported.push(error);
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', report);
    const { clock, controller } = bench();
    const outcome = controller.pay('pay/createPayment', order(), { create: () => { throw new Error('a page is wrong'); } });
    await clock.pass(1000);
    expect((await outcome).type).toBe('success');
    await new Promise((done) => setTimeout(done, 5));
    expect(reported).toMatchObject([{ message: 'a page is wrong' }]);
    process.removeAllListeners('uncaughtException');
    others.forEach((listener) => process.on('uncaughtException', listener));
  });
});

test('nothing is asked while nobody sees the page, and the time does not count', async () => {
  let seen = true;
  const { clock, controller, queries } = bench({ options: polling, told: qr, replies: [UNPAID, UNPAID, PAID], deps: { visible: () => seen } });
  const outcome = controller.pay('pay/createPayment', order());
  await clock.pass(2000);
  seen = false;
  const before = queries().length;
  await clock.pass(1_000_000);
  expect(queries()).toHaveLength(before);
  seen = true;
  await clock.pass(5000);
  expect((await outcome).type).toBe('success');
});

describe('an order that was created before', () => {
  test('is asked about at once, with the events of a payment', async () => {
    const { clock, controller, names, queries } = bench({ replies: [PAID] });
    const outcome = controller.resume({ out_trade_no: 'T0000001' });
    await clock.pass(0);
    expect(await outcome).toMatchObject({ type: 'success' });
    expect(queries()[0]!.data.out_trade_no).toBe('T0000001');
    expect(names()).toEqual(['status', 'status', 'success']);
  });

  test('is pending when it stays unpaid', async () => {
    const { clock, controller } = bench({ replies: [UNPAID] });
    const outcome = controller.resume({ out_trade_no: 'T0000001' });
    await clock.pass(30_000);
    expect((await outcome).type).toBe('pending');
  });

  test('keeps its code when the payer asks again', async () => {
    const { clock, controller, log } = bench({ options: { polling: true, maxPolls: 1 }, told: qr, replies: [UNPAID, UNPAID, PAID] });
    void controller.pay('pay/createPayment', order());
    await clock.pass(5000);
    const outcome = controller.resume({ out_trade_no: 'T0000001' });
    await clock.pass(0);
    expect(log.filter(([name]) => name === 'codeUrl')).toEqual([['codeUrl', 'weixin://T']]);
    await clock.pass(5000);
    expect((await outcome).type).toBe('success');
    expect(log.at(-2)).toEqual(['qrcodeImage', '']);
  });
});

describe('query', () => {
  const cases: [Reply | Error, string][] = [
    [PAID, 'paid'], [{ code: 0, msg: '', trade_state: 'REFUND', status: 3 }, 'paid'], [{ code: 0, msg: '', orderPaid: true }, 'paid'],
    [UNPAID, 'unpaid'], [{ code: 0, msg: '', data: { trade_state: 'NOTPAY' } }, 'unpaid'], [{ code: 2002, msg: '' }, 'unpaid'],
    [{ code: 2001, msg: '' }, 'missing'], [{ code: 0, msg: 'ok' }, 'unknown'], [new PayError(-1, 'offline'), 'unknown'],
  ];
  test.each(cases)('reads %o as %s, without events', async (reply, state) => {
    const { controller, names } = bench({ replies: [reply] });
    expect(await controller.query({ out_trade_no: 'T' })).toMatchObject({ state, paid: state === 'paid' });
    expect(names()).toEqual([]);
  });
});

describe('a purchase of a store', () => {
  const bought = (finish: () => Promise<void>): InvokeResult => ({
    result: 'purchase', action: 'pay/appleiap/verifyReceipt', data: { out_trade_no: 'T0000001', transaction_identifier: 'tx' }, finish,
  });

  test('is finished after the server has verified it, and not before', async () => {
    const finish = vi.fn(async () => {});
    let verify: (reply: Reply) => void = () => {};
    const { clock, controller } = bench({ told: bought(finish), options: { payOrderInfo: false }, other: () => new Promise((done) => { verify = done; }) });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(1000);
    expect(finish).not.toHaveBeenCalled();
    verify(PAID);
    expect(await outcome).toMatchObject({ type: 'success' });
    expect(finish).toHaveBeenCalledOnce();
  });

  test('that the server refuses stays open, and is a failure', async () => {
    const finish = vi.fn(async () => {});
    const { controller } = bench({ told: bought(finish), other: async () => ({ code: 1016, msg: '内购验证失败' }) });
    expect(await controller.pay('pay/createPayment', order())).toMatchObject({ type: 'fail', reply: { failType: 'result', code: 1016 } });
    expect(finish).not.toHaveBeenCalled();
  });

  test('that does not reach the server is tried again, then pending', async () => {
    const finish = vi.fn(async () => {});
    const { clock, controller, asked } = bench({ told: bought(finish), other: () => Promise.reject(new PayError(-1, 'offline')) });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(60_000);
    expect((await outcome).type).toBe('pending');
    expect(asked.filter(({ action }) => action === 'pay/appleiap/verifyReceipt').length).toBeGreaterThan(1);
    expect(finish).not.toHaveBeenCalled();
  });

  test('is verified although the page has gone on', async () => {
    const finish = vi.fn(async () => {});
    let buy: (result: InvokeResult) => void = () => {};
    const { clock, controller } = bench({ told: () => new Promise((done) => { buy = done; }), other: async () => PAID });
    const outcome = controller.pay('pay/createPayment', order());
    await clock.pass(100);
    controller.stop();
    buy(bought(finish));
    await clock.pass(1000);
    expect((await outcome).type).toBe('stopped');
    expect(finish).toHaveBeenCalledOnce();
  });
});
