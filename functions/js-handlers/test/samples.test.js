'use strict';
/** The handler files of VK-Pay's documents, byte for byte: delivered twice, at once, and by processes that die. */

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { FIXTURES, Shop, dying, folder, install, order } = require('./kit');

const KEY = '12345678901234561234567890123456';
const calls = [];
const requests = [];
let routed = { code: 0 };
let answered = { code: 0 };

install({
  notifyKey: KEY,
  functions: new Map([['router', 'shop-router']]),
  async invoke(target, payload) {
    calls.push({ target, payload });
    return { payload: routed, requestId: 'r1' };
  },
});

globalThis.fetch = async (url, options) => {
  requests.push({ url: String(url), headers: Object.fromEntries(options.headers), method: options.method, body: JSON.parse(options.body) });
  return new Response(JSON.stringify(answered), { status: 200 });
};

const user = () => ({ _id: 'u1', balance: 5, nickname: 'n' });

/** Each sample: an order, the shop before, and what the shop must be afterwards. */
const SAMPLES = [
  {
    name: 'callback-frontend/recharge',
    custom: { user_id: 'u1', recharge_balance: 100 },
    before: (shop) => shop.put('uni-id-users', user()),
    after(shop) {
      assert.deepEqual(shop.row('uni-id-users', 'u1'), { _id: 'u1', balance: 105, nickname: 'n' });
      const logs = shop.rows('recharge_logs');
      assert.equal(logs.length, 1);
      assert.deepEqual({ user_id: logs[0].user_id, amount: logs[0].amount, no: logs[0].out_trade_no }, { user_id: 'u1', amount: 100, no: 'T1' });
    },
    msg: '充值成功',
  },
  {
    name: 'callback-frontend/goods',
    custom: { user_id: 'u1', goods_id: 'g1', quantity: 2 },
    before: (shop) => shop.put('goods', { _id: 'g1', stock: 10, sales: 1 }),
    after(shop) {
      assert.deepEqual(shop.row('goods', 'g1'), { _id: 'g1', stock: 8, sales: 3 });
      assert.deepEqual(shop.rows('goods_orders').map((row) => [row.goods_id, row.quantity, row.status]), [['g1', 2, 'paid']]);
    },
    msg: '商品订单处理成功',
  },
  {
    name: 'callback-frontend/vip',
    custom: { user_id: 'u1', vip_type: 'year', vip_days: 365 },
    before: (shop) => shop.put('uni-id-users', user()),
    after(shop) {
      const row = shop.row('uni-id-users', 'u1');
      assert.equal(row.is_vip, true);
      assert.ok(Math.abs(row.vip_expire_date - Date.now() - 365 * 86_400_000) < 7_200_000);
      assert.equal(shop.rows('vip_purchase_logs').length, 1);
    },
    msg: '会员订单处理成功',
  },
  { name: 'pay-notify/goods', custom: {}, before() {}, after() {}, msg: 'ok' },
  ...['recharge', 'way-1'].map((name) => ({
    name: `pay-notify/${name}`,
    custom: { user_id: 'u1', recharge_balance: 100 },
    before: (shop) => shop.put('uni-id-users', user()),
    after: (shop) => assert.equal(shop.row('uni-id-users', 'u1').balance, 105),
    msg: 'ok',
  })),
  { name: 'pay-notify/vip', custom: {}, before() {}, after() {}, msg: 'ok' },
  { name: 'pay-notify/way-2', custom: { course: 'c1' }, before() {}, after() {}, msg: 'ok' },
  { name: 'pay-notify/way-3', custom: { course: 'c1' }, before() {}, after() {}, msg: 'ok' },
];

const delivery = ({ name, custom }) => order(path.basename(name), custom);
const handlersOf = ({ name }) => folder(path.dirname(name));

test('the samples are those of the documents, byte for byte', () => {
  const sums = JSON.parse(fs.readFileSync(path.join(FIXTURES, 'sha256.json')));
  for (const [file, sum] of Object.entries(sums)) {
    assert.equal(crypto.createHash('sha256').update(fs.readFileSync(path.join(FIXTURES, file))).digest('hex'), sum, file);
  }
  assert.deepEqual(Object.keys(sums).sort(), SAMPLES.map(({ name }) => `${name}.js`).sort());
});

for (const sample of SAMPLES) {
  const event = delivery(sample);
  const handlers = handlersOf(sample);
  const once = (shop) => {
    sample.after(shop);
    assert.deepEqual(shop.rows('js-deliveries').map((row) => [row._id, row.type, row.msg]), [['T1', event.type, sample.msg]]);
  };
  const opened = () => {
    const shop = new Shop();
    sample.before(shop);
    return shop;
  };

  test(`${sample.name}: delivered twice, credited once, with the same answer`, async () => {
    const shop = opened();
    for (let n = 0; n < 2; n += 1) {
      assert.deepEqual(await shop.deliver(handlers, event), { code: 0, msg: sample.msg });
      once(shop);
    }
  });

  test(`${sample.name}: delivered eight times at the same moment, credited once`, async () => {
    const shop = opened();
    const answers = await Promise.all(Array.from({ length: 8 }, () => shop.deliver(handlers, event)));
    for (const answer of answers) assert.deepEqual(answer, { code: 0, msg: sample.msg });
    once(shop);
  });

  test(`${sample.name}: killed at any call to the tables and delivered again, credited once`, async () => {
    let killed = 0;
    for (const after of [false, true]) {
      for (let n = 1; ; n += 1) {
        const shop = opened();
        const process = dying(shop.storage, n, after);
        const answer = await Promise.race([shop.deliver(handlers, event, { storage: process.storage }), process.end]);
        if (!process.died) {
          assert.equal(answer.code, 0);
          break;
        }
        killed += 1;
        assert.deepEqual(await shop.deliver(handlers, event), { code: 0, msg: sample.msg }, `at call ${n}`);
        once(shop);
      }
    }
    assert.ok(killed >= 4, `${killed} deaths`);
  });
}

test('a user who does not exist is not credited, and the delivery fails until there is one', async () => {
  const shop = new Shop();
  const event = order('recharge', { user_id: 'u1', recharge_balance: 100 });
  assert.deepEqual(await shop.deliver(folder('pay-notify'), event), { code: 1, msg: 'the handler returned false' });
  assert.deepEqual(shop.rows('js-deliveries'), []);
  shop.put('uni-id-users', user());
  assert.equal((await shop.deliver(folder('pay-notify'), event)).code, 0);
  assert.equal(shop.row('uni-id-users', 'u1').balance, 105);
});

test('way two: another function gets what it can decrypt, and its refusal is a failed delivery', async () => {
  const shop = new Shop();
  calls.length = 0;
  routed = { code: 1, msg: 'not now' };
  const event = order('way-2', { course: 'c1' });
  assert.equal((await shop.deliver(folder('pay-notify'), event)).code, 1);
  routed = { code: 0 };
  assert.equal((await shop.deliver(folder('pay-notify'), event)).code, 0);
  await shop.deliver(folder('pay-notify'), event);
  assert.equal(calls.length, 2);
  const [{ target, payload }, again] = calls;
  assert.equal(target, 'shop-router');
  assert.equal(payload.$url, 'template/test/pub/http');
  assert.equal(payload.idempotency_key, again.payload.idempotency_key);
  const { crypto: ours } = require('../src/framework');
  assert.equal(ours.aes.decrypt({ data: payload.data.encryptedData }).course, 'c1');
});

test('way three: a server gets the order with the same Idempotency-Key each time', async () => {
  const shop = new Shop();
  requests.length = 0;
  answered = { code: 500 };
  const event = order('way-3', { course: 'c1' });
  assert.equal((await shop.deliver(folder('pay-notify'), event)).code, 1);
  answered = { code: 0 };
  assert.equal((await shop.deliver(folder('pay-notify'), event)).code, 0);
  await shop.deliver(folder('pay-notify'), event);
  assert.equal(requests.length, 2);
  const [first, second] = requests;
  assert.equal(first.url, 'https://xxxx.com/xxx');
  assert.equal(first.method, 'POST');
  assert.equal(first.body.key, '与你后端约定的口令');
  assert.equal(first.body.course, 'c1');
  assert.match(first.headers['idempotency-key'], /^[0-9a-f]{64}$/);
  assert.equal(first.headers['idempotency-key'], second.headers['idempotency-key']);
});
