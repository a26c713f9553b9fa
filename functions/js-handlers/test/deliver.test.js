'use strict';
/** What a delivery does with handlers that fail, and with those that others are faster than. */

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { setTimeout: pause } = require('node:timers/promises');
const { baseDao } = require('../src/basedao');
const { ROUNDS } = require('../src/deliver');
const { Refused } = require('../src/dynamodb');
const { Shop, dropped, order } = require('./kit');

const credit = (by = 100) => async (obj, { db, _ }) => {
  const res = await db.collection('uni-id-users').doc('u1').update({ balance: _.inc(by) });
  return Boolean(res.updated);
};
const opened = (options) => new Shop(options).put('uni-id-users', { _id: 'u1', balance: 5 });
const balance = (shop) => shop.row('uni-id-users', 'u1').balance;
const untouched = (shop) => {
  assert.equal(balance(shop), 5);
  assert.deepEqual(shop.rows('js-deliveries'), []);
};

const FAILURES = {
  'returns false': [() => false, /returned false/],
  'returns nothing': [() => undefined, /returned undefined; it must return true or { code: 0 }/],
  'returns a code': [() => ({ code: 7, msg: '库存不足' }), /^库存不足$/],
  'returns a code without a word': [() => ({ code: '0' }), /returned code "0"/],
  'throws': [() => { throw new Error('no luck'); }, /^no luck$/],
  'throws a text': [() => { throw 'no luck'; }, /^no luck$/], // eslint-disable-line no-throw-literal
  'rejects': [() => Promise.reject(new Error('late luck')), /^late luck$/],
};

for (const [name, [end, message]] of Object.entries(FAILURES)) {
  test(`a handler that ${name} writes nothing, and says why`, async () => {
    const shop = opened();
    const answer = await shop.deliver(async (obj, tools) => {
      await credit()(obj, tools);
      return end();
    });
    assert.notEqual(answer.code, 0);
    assert.match(answer.msg, message);
    untouched(shop);
    assert.equal(shop.logged.length, 1);
    assert.equal(shop.logged[0].out_trade_no, 'T1');
  });
}

test('a success whose update found no row is in the log by its table', async () => {
  const shop = opened();
  const answer = await shop.deliver(async (obj, { db, _ }) => {
    await db.collection('uni-id-users').doc('nobody').update({ balance: _.inc(5) });
    return true;
  });
  assert.equal(answer.code, 0);
  assert.deepEqual(shop.logged, [{ out_trade_no: 'T1', type: 'test', message: 'delivered, but an update found no row', tables: ['uni-id-users'] }]);
});

test('a handler\'s own code and message are the answer', async () => {
  assert.deepEqual(await opened().deliver(async () => ({ code: 7, msg: 'x'.repeat(300) })), { code: 7, msg: 'x'.repeat(200) });
});

test('a message is text that the caller can read, also where it is cut or broken', async () => {
  for (const code of [0, 7]) {
    const shop = opened();
    for (const msg of [`${'x'.repeat(199)}😀`, 'half \ud83d']) {
      const answer = await shop.deliver(async () => ({ code, msg }), order('test', {}, { out_trade_no: msg.slice(0, 4) }));
      assert.equal(answer.code, code);
      assert.ok(answer.msg.isWellFormed(), JSON.stringify(answer.msg));
    }
    for (const mark of shop.rows('js-deliveries')) assert.ok(mark.msg.isWellFormed());
  }
});

test('a delivery again gets the answer of the first, and does not run the handler', async () => {
  const shop = opened();
  let runs = 0;
  const handler = async (obj, tools) => {
    runs += 1;
    await credit()(obj, tools);
    return { code: 0, msg: `run ${runs}` };
  };
  assert.deepEqual(await shop.deliver(handler), { code: 0, msg: 'run 1' });
  assert.deepEqual(await shop.deliver(handler), { code: 0, msg: 'run 1' });
  assert.equal(runs, 1);
  assert.equal(balance(shop), 105);
});

test('a handler that fails because another delivery was faster is no failure', async () => {
  const shop = opened();
  let inner;
  const handler = async (obj, tools) => {
    if (inner === undefined) {
      inner = null;
      inner = await shop.deliver(credit());
    }
    return false;
  };
  assert.deepEqual(await shop.deliver(handler), { code: 0, msg: 'ok' });
  assert.equal(balance(shop), 105);
});

test('a handler that has not finished in time fails, and writes nothing afterwards', async () => {
  const shop = opened();
  let afterwards;
  const until = Date.now() + 1600;
  const answer = await shop.deliver(
    async (obj, tools) => {
      await credit()(obj, tools);
      await pause(300);
      afterwards = await credit()(obj, tools).catch((error) => error.message);
      return true;
    },
    order('test'),
    { timeLeft: () => until - Date.now() },
  );
  assert.match(answer.msg, /has not finished within \d+ ms/);
  await pause(400);
  assert.match(afterwards, /has ended already/);
  untouched(shop);
});

test('a handler that waits for nothing that could come is told of the time, too', () => {
  const script = `
    const { Shop, order } = require('./test/kit');
    new Shop().deliver(() => new Promise(() => {}), order('test'), { timeLeft: () => 1600 }).then(({ msg }) => console.log(msg));`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], { cwd: path.join(__dirname, '..'), encoding: 'utf8' });
  assert.match(stdout, /has not finished within 100 ms/);
});

test('a call that is not awaited fails the delivery by its name', async () => {
  const shop = opened({});
  const slow = { ...faced(shop.storage), get: async (table, id) => (table === 'uni-id-users' ? (await pause(50), shop.storage.get(table, id)) : shop.storage.get(table, id)) };
  const answer = await shop.deliver(
    async (obj, tools) => {
      credit()(obj, tools).catch(() => {});
      return true;
    },
    order('test'),
    { storage: slow },
  );
  assert.match(answer.msg, /without waiting for uni-id-users\.doc\(\)\.update/);
  await pause(80);
  untouched(shop);
});

test('a call that is under way when its transaction is rolled back is rolled back with it', async () => {
  const shop = opened();
  const slow = { ...faced(shop.storage), get: async (table, id) => (await pause(20), shop.storage.get(table, id)) };
  const handler = async (obj, { db, _ }) => {
    const transaction = await db.startTransaction();
    await Promise.all([
      transaction.collection('uni-id-users').doc('u1').update({ balance: _.inc(100) }),
      Promise.reject(new Error('no stock')),
    ]).catch(() => transaction.rollback());
    await pause(50);
    return { code: 0 };
  };
  assert.equal((await shop.deliver(handler, order('test'), { storage: slow })).code, 0);
  assert.equal(balance(shop), 5);
});

test('a write beside a transaction that is rolled back is not lost without a word', async () => {
  const handler = (returned, end) => async (obj, { db, _ }) => {
    const transaction = await db.startTransaction();
    await transaction.collection('things').add({ _id: 'a' });
    await db.collection('uni-id-users').doc('u1').get();
    await baseDao.updateById({ dbName: 'uni-id-users', id: 'u1', dataJson: { balance: _.inc(100) } });
    await transaction[end]();
    return returned;
  };
  const shop = opened();
  const { msg } = await shop.deliver(handler(true, 'rollback'));
  assert.match(msg, /the handler wrote vk\.baseDao\.updateById beside a transaction, which it rolled back/);
  untouched(shop);
  assert.equal((await shop.deliver(handler({ code: 7, msg: 'no stock' }, 'rollback'))).msg, 'no stock');
  assert.equal((await shop.deliver(handler(true, 'commit'))).code, 0);
  assert.equal(balance(shop), 105);
});

test('a write after the return is refused', async () => {
  const shop = opened();
  let late;
  const answer = await shop.deliver(async (obj, tools) => {
    late = pause(30).then(() => credit()(obj, tools)).catch((error) => error.message);
    return true;
  });
  assert.equal(answer.code, 0);
  assert.match(await late, /the handler has returned already; await each call/);
  assert.equal(balance(shop), 5);
});

/** With what the function does about rejections that nobody waits for. */
async function watched(shop, work) {
  const { rejected } = require('../src/index');
  const before = process.listeners('unhandledRejection');
  const listen = rejected(shop.running);
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', listen);
  try {
    await work();
  } finally {
    process.removeListener('unhandledRejection', listen);
    before.forEach((listener) => process.on('unhandledRejection', listener));
  }
}

test('a rejection that nobody waits for fails the delivery', async () => {
  const shop = opened();
  await watched(shop, async () => {
    const answer = await shop.deliver(async (obj, { db, _ }) => {
      await db.collection('uni-id-users').doc('u1').update({ balance: _.inc(1) });
      db.collection('uni-id-users').doc('u1').update({ balance: _.inc(NaN) });
      return true;
    });
    assert.match(answer.msg, /NaN/);
    untouched(shop);
  });
});

test('a rejection that comes when its delivery is over fails none of the others', async () => {
  const shop = opened();
  await watched(shop, async () => {
    const careless = async () => {
      setTimeout(() => Promise.reject(new Error('late')), 20);
      return true;
    };
    const first = await shop.deliver(careless, order('test', {}, { out_trade_no: 'A' }));
    const second = await shop.deliver(
      async (obj, tools) => {
        await pause(60);
        return await credit()(obj, tools);
      },
      order('test', {}, { out_trade_no: 'B' }),
    );
    assert.deepEqual([first.code, second.code], [0, 0], second.msg);
    assert.equal(balance(shop), 105);
  });
});

const faced = (storage) =>
  Object.fromEntries(['get', 'indexes', 'query', 'scan', 'transact'].map((name) => [name, (...args) => storage[name](...args)]));

test('a row that was read, and changed by somebody else meanwhile, lets the handler run again', async () => {
  const shop = opened();
  let runs = 0;
  const handler = async (obj, { db }) => {
    runs += 1;
    const { data: [user] } = await db.collection('uni-id-users').doc('u1').get();
    if (runs === 1) shop.put('uni-id-users', { _id: 'u1', balance: 50 });
    await db.collection('uni-id-users').doc('u1').update({ balance: user.balance + 100 });
    return true;
  };
  assert.equal((await shop.deliver(handler)).code, 0);
  assert.equal(runs, 2);
  assert.equal(balance(shop), 150);
});

/** What a handler does with u1, what somebody else makes of u1 meanwhile, and what must come of it. */
const meanwhile = {
  'a field that was read, when another one is written': [
    async (users, { _ }) => {
      const { data: [user] } = await users.doc('u1').get();
      await users.doc('u1').update({ balance: _.inc(user.level === 1 ? 100 : 200) });
    },
    { level: 2 },
    { balance: 205, level: 2 },
  ],
  'a field that was seen not to be there': [
    async (users) => {
      const { data: [user] } = await users.doc('u1').get();
      await users.doc('u1').update({ flag: user.flag ? 'both' : 'ours' });
    },
    { flag: 'theirs' },
    { flag: 'both' },
  ],
  'a field that was seen not to be there, when the row is replaced': [
    async (users) => {
      const { data: [{ _id, ...user }] } = await users.doc('u1').get();
      await users.doc('u1').set({ ...user, flag: user.flag ? 'both' : 'ours' });
    },
    { flag: 'theirs' },
    { flag: 'both' },
  ],
  'an array that is appended to': [(users, { _ }) => users.doc('u1').update({ log: _.push('ours') }), { log: ['theirs'] }, { log: ['theirs', 'ours'] }],
  'a number within an object': [(users, { _ }) => users.doc('u1').update({ 'deep.n': _.inc(1) }), { deep: { n: 10 } }, { deep: { n: 11 } }],
  'what updateAndReturn gave': [
    async (users, { _ }) => {
      const { doc } = await users.doc('u1').updateAndReturn({ balance: _.inc(1) });
      await users.doc('u1').update({ last: doc.level });
    },
    { level: 2 },
    { balance: 6, level: 2, last: 2 },
  ],
  'what an update was told to have changed': [
    async (users, { _ }) => {
      const { updated } = await users.doc('u1').update({ flag: true });
      await users.doc('u1').update({ balance: _.inc(updated ? 100 : 1) });
    },
    { flag: true },
    { balance: 6, flag: true },
  ],
  'what an update was told to be like that already': [
    async (users, { _ }) => {
      const { updated } = await users.doc('u1').update({ level: 1 });
      await users.doc('u1').update({ balance: _.inc(updated ? 1 : 100) });
    },
    { level: 2 },
    { balance: 6, level: 1 },
  ],
  'what an update was told in a transaction that was rolled back': [
    async (users, { db, _ }) => {
      const transaction = await db.startTransaction();
      const { updated } = await transaction.collection('uni-id-users').doc('u1').update({ flag: true });
      await transaction.rollback();
      await users.doc('u1').update({ balance: _.inc(updated ? 100 : 1) });
    },
    { flag: true },
    { balance: 6, flag: true },
  ],
  'what a count told of it': [
    async (users, { _ }) => {
      const { total } = await users.where({ _id: 'u1', level: 1 }).count();
      await users.doc('u1').update({ balance: _.inc(total ? 100 : 1) });
    },
    { level: 2 },
    { balance: 6, level: 2 },
  ],
  'that a filter did not find it': [
    async (users, { _ }) => {
      const { data } = await users.where({ _id: 'u1', flag: true }).get();
      await users.doc('u1').update({ balance: _.inc(data.length ? 1 : 100) });
    },
    { flag: true },
    { balance: 6, flag: true },
  ],
  'that an update did not find it': [
    async (users, { _ }) => {
      const { updated } = await users.where({ flag: true }).update({ balance: _.inc(1) });
      if (!updated) await users.doc('u1').update({ balance: _.inc(100) });
    },
    { flag: true },
    { balance: 6, flag: true },
  ],
  'what was summed up of it': [
    async (users) => {
      const sum = await baseDao.sum({ dbName: 'uni-id-users', whereJson: { _id: 'u1' }, fieldName: 'balance' });
      await users.doc('u1').update({ balance: sum + 100 });
    },
    { balance: 50 },
    { balance: 150 },
  ],
  'what was read in a transaction that was rolled back': [
    async (users, { db, _ }) => {
      const transaction = await db.startTransaction();
      const { data } = await transaction.collection('uni-id-users').doc('u1').get();
      await transaction.rollback();
      await users.doc('u1').update({ balance: _.inc(data.level) });
    },
    { level: 2 },
    { balance: 7, level: 2 },
  ],
};

for (const [name, [work, theirs, expected]] of Object.entries(meanwhile)) {
  test(`changed by somebody else: ${name}`, async () => {
    const before = { _id: 'u1', balance: 5, level: 1 };
    const shop = new Shop().put('uni-id-users', before);
    let runs = 0;
    const handler = async (obj, { db, _ }) => {
      runs += 1;
      await work(db.collection('uni-id-users'), { db, _ });
      if (runs === 1) shop.put('uni-id-users', { ...before, ...theirs });
      return true;
    };
    assert.equal((await shop.deliver(handler)).code, 0);
    assert.equal(runs, 2);
    assert.deepEqual(shop.row('uni-id-users', 'u1'), { ...before, ...expected });
  });
}

test('a handler that runs again gets the order as it was', async () => {
  const shop = opened();
  let runs = 0;
  const handler = async ({ data }, { db, _ }) => {
    runs += 1;
    data.custom.times = (data.custom.times ?? 0) + 1;
    await db.collection('uni-id-users').doc('u1').get();
    if (runs === 1) shop.put('uni-id-users', { _id: 'u1', balance: 6 });
    await db.collection('uni-id-users').doc('u1').update({ balance: _.inc(data.custom.times) });
    return true;
  };
  assert.equal((await shop.deliver(handler)).code, 0);
  assert.equal(balance(shop), 7);
});

test('an addition to a row that was not read takes no notice of others', async () => {
  const shop = opened();
  let runs = 0;
  const handler = async (obj, tools) => {
    runs += 1;
    const done = await credit()(obj, tools);
    shop.put('uni-id-users', { _id: 'u1', balance: 50 });
    return done;
  };
  assert.equal((await shop.deliver(handler)).code, 0);
  assert.equal(runs, 1);
  assert.equal(balance(shop), 150);
});

test('a handler that is never fast enough fails after some runs', async () => {
  const shop = opened();
  let runs = 0;
  const handler = async (obj, { db }) => {
    runs += 1;
    const { data: [user] } = await db.collection('uni-id-users').doc('u1').get();
    shop.put('uni-id-users', { _id: 'u1', balance: user.balance + 1 });
    await db.collection('uni-id-users').doc('u1').update({ balance: 0 });
    return true;
  };
  const answer = await shop.deliver(handler);
  assert.match(answer.msg, /changed by others each time/);
  assert.equal(runs, ROUNDS);
});

test('a row that vanishes before the commit is not made up', async () => {
  const shop = opened();
  const handler = async (obj, tools) => {
    const done = await credit()(obj, tools);
    shop.storage.tables.get('uni-id-users').delete('u1');
    return done;
  };
  assert.deepEqual(await shop.deliver(handler), { code: 1, msg: 'the handler returned false' });
  assert.deepEqual(shop.rows('uni-id-users'), []);
});

test('stock that a filter asks for is asked for again when it is taken', async () => {
  const shop = new Shop().put('goods', { _id: 'g1', stock: 3 });
  const take = async (obj, { db, _ }) => {
    const { updated } = await db.collection('goods').where({ _id: 'g1', stock: _.gte(2) }).update({ stock: _.inc(-2) });
    return updated === 1;
  };
  const answers = await Promise.all(['A', 'B'].map((no) => shop.deliver(take, order('test', {}, { out_trade_no: no }))));
  assert.deepEqual(answers.map(({ code }) => code).sort(), [0, 1]);
  assert.equal(shop.row('goods', 'g1').stock, 1);
});

test('of two that change a row to the same at the same moment, one is told that it has', async () => {
  const shop = opened();
  const bonus = async (obj, { db, _ }) => {
    const users = db.collection('uni-id-users');
    const { updated } = await users.doc('u1').update({ had_bonus: true });
    if (updated) await users.doc('u1').update({ balance: _.inc(100) });
    return true;
  };
  const answers = await Promise.all(['A', 'B'].map((no) => shop.deliver(bonus, order('test', {}, { out_trade_no: no }))));
  assert.deepEqual(answers.map(({ code }) => code), [0, 0]);
  assert.equal(balance(shop), 105);
});

test('a condition that is asked in a loop is one condition', async () => {
  const shop = opened();
  let conditions;
  const storage = { ...faced(shop.storage), transact: (writes) => ((conditions = writes[1].conditions.length), shop.storage.transact(writes)) };
  const handler = async (obj, { db, _ }) => {
    const users = db.collection('uni-id-users');
    for (let n = 0; n < 200; n += 1) await users.where({ _id: 'u1', level: _.neq('gone') }).count();
    for (let n = 0; n < 200; n += 1) await users.where({ _id: 'u1', balance: _.gte(5) }).count();
    await users.doc('u1').update({ log: 'x' });
    return true;
  };
  assert.equal((await shop.deliver(handler, order('test'), { storage })).code, 0);
  assert.ok(conditions <= 4, `${conditions} conditions`);
});

test('what others add to a row that was read and is replaced is not lost', async () => {
  const shop = new Shop().put('uni-id-users', { _id: 'u1', balance: 5, old: true });
  const handler = async (obj, { db }) => {
    const { data: [user] } = await db.collection('uni-id-users').doc('u1').get();
    await db.collection('uni-id-users').doc('u1').set({ balance: user.balance + 100 });
    shop.put('uni-id-users', { _id: 'u1', balance: 5, old: true, coupons: 3 });
    return true;
  };
  assert.equal((await shop.deliver(handler)).code, 0);
  assert.deepEqual(shop.row('uni-id-users', 'u1'), { _id: 'u1', balance: 105, coupons: 3 });
});

test('a row that is added to and stamped is not contested', async () => {
  const shop = opened();
  let runs = 0;
  const handler = async (obj, { db, _ }) => {
    runs += 1;
    await db.collection('uni-id-users').doc('u1').update({ stamp: 'now', balance: _.inc(100) });
    shop.put('uni-id-users', { _id: 'u1', balance: 50, stamp: 'now' });
    return true;
  };
  assert.equal((await shop.deliver(handler)).code, 0);
  assert.deepEqual([runs, balance(shop)], [1, 150]);
});

test('what DynamoDB compares otherwise than JavaScript is held as it was', async () => {
  for (const [item, filter] of [
    [{ balance: { N: '100.40000000000000004' } }, () => ({ balance: 100.4 })],
    [{ balance: { N: '100.40000000000000004' } }, (_) => ({ balance: _.lte(100.4) })],
    [{ name: { S: '\u{1F600}' } }, (_) => ({ name: _.lt('\uFFFD') })],
  ]) {
    const shop = new Shop();
    shop.storage.tables.get('uni-id-users').set('u1', { _id: { S: 'u1' }, ...item });
    let sent;
    const storage = { ...faced(shop.storage), transact: (writes) => ((sent = writes[1].conditions), shop.storage.transact(writes)) };
    const handler = async (obj, { db, _ }) =>
      Boolean((await db.collection('uni-id-users').where({ _id: 'u1', ...filter(_) }).update({ flag: true })).updated);
    assert.equal((await shop.deliver(handler, order('test'), { storage })).code, 0);
    const [[name, value]] = Object.entries(item);
    assert.deepEqual(sent.filter((condition) => condition.name === name), [{ name, op: 'eq', value }]);
  }
});

test('a conflict with another transaction is tried again without the handler', async () => {
  const shop = opened({ conflicts: 3 });
  let runs = 0;
  const handler = async (...call) => {
    runs += 1;
    return credit()(...call);
  };
  assert.equal((await shop.deliver(handler)).code, 0);
  assert.equal(runs, 1);
  assert.equal(balance(shop), 105);
});

test('a commit whose answer is lost is found by its mark', async () => {
  const shop = opened();
  let lost = 1;
  const storage = {
    ...faced(shop.storage),
    async transact(writes) {
      await shop.storage.transact(writes);
      if (lost-- > 0) throw Object.assign(new Error('socket hang up'), { name: 'TimeoutError' });
    },
  };
  assert.deepEqual(await shop.deliver(credit(), order('test'), { storage }), { code: 0, msg: 'ok' });
  assert.equal(balance(shop), 105);
});

test('what a transaction cannot take at all is said at once', async () => {
  const shop = opened();
  let calls = 0;
  const storage = {
    ...faced(shop.storage),
    async transact(writes) {
      calls += 1;
      throw new Refused(writes.map((_, n) => (n === 1 ? 'ValidationError' : 'None')), [undefined, 'Item size has exceeded the maximum']);
    },
  };
  assert.match((await shop.deliver(credit(), order('test'), { storage })).msg, /Item size/);
  assert.equal(calls, 1);
});

test('ninety-nine rows are one delivery, a hundred are too many', async () => {
  for (const [rows, code] of [[99, 0], [100, 1]]) {
    const shop = new Shop();
    const answer = await shop.deliver(async (obj, { db }) => {
      for (let n = 0; n < rows; n += 1) await db.collection('things').add({ _id: `r${n}` });
      for (let n = 0; n < rows; n += 1) await db.collection('things').doc(`r${n}`).update({ twice: true });
      return true;
    });
    assert.equal(answer.code, code, answer.msg);
    assert.equal(shop.rows('things').length, code === 0 ? 99 : 0);
    if (code !== 0) assert.match(answer.msg, /changes 100 rows; one delivery can change 99/);
  }
});

test('an order without a file, an event that is no order, and a file that does not load say so', async () => {
  const shop = new Shop();
  const files = dropped({ 'broken.js': 'module.exports = {', 'empty.js': '', 'recharge.js': 'module.exports = async () => true' });
  assert.match((await shop.deliver(files, order('none'))).msg, /no pay-notify\/none\.js/);
  assert.match((await shop.deliver(files, order('../recharge'))).msg, /no pay-notify/);
  assert.match((await shop.deliver(files, order('__proto__'))).msg, /no pay-notify/);
  assert.match((await shop.deliver(files, order('broken'))).msg, /Unexpected/);
  assert.match((await shop.deliver(files, order('empty'))).msg, /exports neither/);
  assert.match((await shop.deliver(files, { type: 'recharge' })).msg, /out_trade_no and type/);
  assert.match((await shop.deliver(files, null)).msg, /out_trade_no and type/);
  assert.equal((await shop.deliver(files, order('recharge'))).code, 0);
});

test('an event behind $url is the order in it', async () => {
  const shop = opened();
  const event = { $url: 'pay-notify/test', data: order('test'), idempotency_key: 'k' };
  assert.equal((await shop.deliver(credit(), event)).code, 0);
  assert.equal(shop.rows('js-deliveries')[0]._id, 'T1');
});

test('what a payer calls $url, data or encrypted is not taken for the order', async () => {
  const forged = order('test', { user_id: 'thief' }, { out_trade_no: 'T2', total_fee: 1_000_000 });
  for (const custom of [{ $url: 'x', data: forged }, { encrypted: 'f0d4d593f647eefb4823d1fed5f8494a' }]) {
    let seen;
    const shop = new Shop();
    assert.equal((await shop.deliver(async ({ data }) => Boolean((seen = data)), order('test', custom))).code, 0);
    assert.deepEqual([seen.out_trade_no, seen.total_fee, seen.user_id], ['T1', 100, undefined]);
    assert.equal(shop.rows('js-deliveries')[0]._id, 'T1');
  }
});

test('tables that do not answer fail the delivery, even if the handler catches that', async () => {
  const shop = opened();
  let fails = 1;
  const storage = {
    ...faced(shop.storage),
    async get(table, id) {
      if (table === 'uni-id-users' && fails-- > 0) throw new Error('no answer');
      return await shop.storage.get(table, id);
    },
  };
  const handler = async (obj, tools) => {
    await credit()(obj, tools).catch(() => {});
    return { code: 0 };
  };
  assert.deepEqual(await shop.deliver(handler, order('test'), { storage }), { code: 1, msg: 'no answer' });
  untouched(shop);
  assert.equal((await shop.deliver(handler, order('test'), { storage })).code, 0);
  assert.equal(balance(shop), 105);
});

test('the user is that of custom, else the order\'s, as for the built-in handlers', async () => {
  const seen = async (custom, columns) => {
    let user;
    await new Shop().deliver(async ({ data }) => (user = data.user_id) !== null, order('test', custom, columns));
    return user;
  };
  // A delivery has no keys of custom that are columns.
  assert.equal(await seen({ user_id: 'u1' }, { user_id: undefined }), 'u1');
  assert.equal(await seen({ user_id: 'u1' }, { user_id: 'u2' }), 'u1');
  assert.equal(await seen({ user_id: { $ne: '' } }, { user_id: 'u2' }), 'u2');
  assert.equal(await seen({}, { user_id: 'u2' }), 'u2');
});

test('files of handlers may use what uniCloud has without requiring it, at any place', async () => {
  const shop = opened();
  const files = dropped({
    'shared.js': "module.exports = { by: 100, path: require('node:path') };",
    'test.js': `
      const db = uniCloud.database();
      const _ = db.command;
      const vkPay = require("vk-uni-pay");
      const { by } = require("./shared");
      module.exports = async ({ data }) => {
        if (typeof vkPay.crypto.aes.encrypt !== "function" || uniCloud.vk !== vk) return false;
        const res = await db.collection("uni-id-users").doc("u1").update({ balance: _.inc(by) });
        return !!res.updated;
      };`,
  });
  require('./kit').install({});
  assert.deepEqual(await shop.deliver(files), { code: 0, msg: 'ok' });
  assert.equal(balance(shop), 105);
});
