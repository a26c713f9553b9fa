import { describe, expect, test } from 'vitest';
import { buyApple, restorePurchases } from '../src/uni/iap.js';
import type { Reply } from '../src/types.js';
import type { Uni } from '../src/uni/api.js';
import { created, PAID } from './helpers.js';

interface Transaction {
  transactionIdentifier?: string;
  transactionReceipt?: string;
  transactionState?: string;
  payment?: { productid?: string; username?: string };
  errMsg?: string;
}

/** A phone: its storage outlives the app, and its store brings what was not finished. */
class Phone {
  readonly storage = new Map<string, unknown>();
  readonly calls: string[] = [];
  open: Transaction[] = [];
  next: { ok: boolean; told: Transaction & { errCode?: number } } = { ok: true, told: {} };
  products = true;

  readonly uni = {
    request() {},
    getStorageSync: (key: string) => this.storage.get(key),
    // Storage keeps copies, not objects.
    setStorageSync: (key: string, value: unknown) => void this.storage.set(key, JSON.parse(JSON.stringify(value))),
    getProvider: ({ success }: { success(told: object): void }) => success({ providers: [{ id: 'wxpay' }, {
      id: 'appleiap',
      requestProduct: (ids: string[], done: (list: unknown) => void, failed: (told: object) => void) => {
        this.calls.push(`requestProduct ${ids.join()}`);
        if (this.products) done([]);
        else failed({ errMsg: 'no such product' });
      },
      finishTransaction: (transaction: Transaction, done: () => void) => {
        this.calls.push(`finish ${transaction.transactionIdentifier}`);
        this.open = this.open.filter(({ transactionIdentifier }) => transactionIdentifier !== transaction.transactionIdentifier);
        done();
      },
      restoreCompletedTransactions: (_options: object, done: (list: Transaction[]) => void) => done([...this.open]),
    }] }),
    requestPayment: ({ success, fail, orderInfo }: { success(told: object): void; fail(told: object): void; orderInfo: object }) => {
      this.calls.push(`pay ${JSON.stringify(orderInfo)}`);
      const { ok, told } = this.next;
      if (ok) this.open.push(told);
      (ok ? success : fail)(told);
    },
  } as unknown as Uni;
}

const tx = (id: string, more: Partial<Transaction> = {}): Transaction => ({
  transactionIdentifier: id, transactionReceipt: `receipt ${id}`, transactionState: '1',
  payment: { productid: 'coins_60', username: `token ${id}` }, ...more,
});

const reply = (outTradeNo: string, token: string, productid = 'coins_60') => created(outTradeNo, {
  provider: 'appleiap', pay_type: 'appleiap_app-plus',
  orderInfo: { productid, quantity: 1, username: token, appAccountToken: token, manualFinishTransaction: true },
});

function server(answer: (data: Record<string, unknown>) => Reply | Error): { transport: (action: unknown, data: object) => Promise<Reply>; proofs: unknown[] } {
  const proofs: unknown[] = [];
  return { proofs, transport: async (action, data) => {
    proofs.push([action, data]);
    const found = answer(data as Record<string, unknown>);
    if (found instanceof Error) throw found;
    return found;
  } };
}

describe('buying', () => {
  test('loads the product, pays with the token of the order, and leaves the transaction open', async () => {
    const phone = new Phone();
    phone.next = { ok: true, told: tx('1') };
    const bought = await buyApple(phone.uni, reply('T0000001', 'token 1'));
    expect(phone.calls).toEqual([
      'requestProduct coins_60',
      'pay {"productid":"coins_60","quantity":1,"username":"token 1","appAccountToken":"token 1","manualFinishTransaction":true}',
    ]);
    expect(bought).toMatchObject({ result: 'purchase', action: 'pay/appleiap/verifyReceipt', data: {
      out_trade_no: 'T0000001', transaction_receipt: 'receipt 1', transaction_identifier: '1',
    } });
    if (bought.result === 'purchase') await bought.finish();
    expect(phone.calls.at(-1)).toBe('finish 1');
    expect(phone.storage.get('vk-pay-appleiap')).toEqual([]);
  });

  test.each([[{ errCode: 2 }, 'cancel'], [{ errMsg: 'requestPayment:fail canceled' }, 'cancel'], [{ errCode: 0, errMsg: 'unknown' }, 'fail']])(
    '%o is %s', async (told, result) => {
      const phone = new Phone();
      phone.next = { ok: false, told };
      expect(await buyApple(phone.uni, reply('T', 'token'))).toMatchObject({ result });
      // Only what was cancelled for certain is forgotten: another failure may hide a purchase.
      expect(phone.storage.get('vk-pay-appleiap')).toHaveLength(result === 'cancel' ? 0 : 1);
    },
  );

  test('a product that the store does not have, or an app without the store, is a failure', async () => {
    const phone = new Phone();
    phone.products = false;
    expect(await buyApple(phone.uni, reply('T', 'token'))).toMatchObject({ result: 'fail', msg: 'no such product' });
    expect(await buyApple({ request() {} }, reply('T', 'token'))).toMatchObject({ result: 'fail' });
  });
});

describe('restoring', () => {
  async function buyAndCrash(phone: Phone, outTradeNo: string, transaction: Transaction, token: string): Promise<void> {
    phone.next = { ok: true, told: transaction };
    await buyApple(phone.uni, reply(outTradeNo, token, transaction.payment?.productid));
  }

  test('finishes what the server verifies, and only that', async () => {
    const phone = new Phone();
    await buyAndCrash(phone, 'T0000001', tx('1'), 'token 1');
    await buyAndCrash(phone, 'T0000002', tx('2'), 'token 2');
    const { transport, proofs } = server(({ out_trade_no }) => (out_trade_no === 'T0000001' ? PAID : new Error('offline')));
    expect(await restorePurchases(phone.uni, transport)).toMatchObject([
      { transaction: '1', out_trade_no: 'T0000001', paid: true, finished: true },
      { transaction: '2', out_trade_no: 'T0000002', paid: false, finished: false, reply: { code: -1 } },
    ]);
    expect(proofs[0]).toEqual(['pay/appleiap/verifyReceipt', { out_trade_no: 'T0000001', transaction_receipt: 'receipt 1', transaction_identifier: '1' }]);
    expect(phone.calls.filter((call) => call.startsWith('finish'))).toEqual(['finish 1']);
    expect(await restorePurchases(phone.uni, server(() => PAID).transport)).toMatchObject([{ transaction: '2', finished: true }]);
    expect(await restorePurchases(phone.uni, server(() => PAID).transport)).toEqual([]);
  });

  test('knows the order by the transaction where the store has lost the username', async () => {
    const phone = new Phone();
    await buyAndCrash(phone, 'T0000001', tx('1'), 'token 1');
    await buyAndCrash(phone, 'T0000002', tx('2'), 'token 2');
    phone.open = phone.open.map(({ payment: _payment, ...rest }) => rest);
    const restored = await restorePurchases(phone.uni, server(() => PAID).transport);
    expect(restored.map(({ out_trade_no }) => out_trade_no)).toEqual(['T0000001', 'T0000002']);
  });

  test('knows it by the username, else by the product alone, where the app ended inside the purchase', async () => {
    const phone = new Phone();
    const uni = phone.uni as { requestPayment: unknown };
    const pay = uni.requestPayment;
    uni.requestPayment = () => {};
    void buyApple(phone.uni, reply('T0000001', 'token 1'));
    void buyApple(phone.uni, reply('T0000002', 'token 2', 'vip'));
    await new Promise((done) => setTimeout(done));
    uni.requestPayment = pay;
    phone.open = [tx('1'), tx('2', { payment: { productid: 'vip' } })];
    const restored = await restorePurchases(phone.uni, server(() => PAID).transport);
    expect(restored.map(({ out_trade_no }) => out_trade_no)).toEqual(['T0000001', 'T0000002']);
  });

  test('leaves alone what nothing ties to an order, and what has not been paid', async () => {
    const phone = new Phone();
    phone.open = [tx('9', { payment: { productid: 'other' } }), tx('8', { transactionState: '0' }), tx('7', { transactionState: '2' })];
    const { transport, proofs } = server(() => PAID);
    expect(await restorePurchases(phone.uni, transport)).toEqual([{ transaction: '9', paid: false, finished: false }]);
    expect(proofs).toHaveLength(0);
    expect(phone.calls).toEqual(['finish 7']);
  });

  test('does not finish what the server says is another order\'s', async () => {
    const phone = new Phone();
    await buyAndCrash(phone, 'T0000001', tx('1'), 'token 1');
    const restored = await restorePurchases(phone.uni, server(() => ({ code: 2006, msg: '该交易属于其他订单' })).transport);
    expect(restored).toMatchObject([{ finished: false, reply: { code: 2006 } }]);
    expect(phone.open).toHaveLength(1);
  });
});
