'use strict';
/** `db`, `_` and `vk.baseDao`: what handlers read and write, what they are told, and what is refused. */

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Shop, order } = require('./kit');

const row = { _id: 'a', n: 5, text: 'x', list: ['p', 'q'], deep: { k: 1, l: { m: 2 } }, no: 'N1', empty: {} };

/** Runs a piece of a handler in both shapes' tools; gives what it returned and the shop. */
async function within(work, { rows = [row], event = order('test'), ...options } = {}) {
  const shop = new Shop(options).put('things', ...rows);
  let returned;
  const answer = await shop.deliver(
    {
      async main({ data, util }) {
        returned = await work({ ...util, things: util.db.collection('things'), data, shop });
        return { code: 0 };
      },
    },
    event,
  );
  return { answer, returned, shop, row: shop.row('things', 'a') };
}

/** What a piece of a handler fails with. */
async function refused(work, expected, options) {
  const { answer, shop } = await within(work, options);
  assert.equal(answer.code, 1, JSON.stringify(answer));
  assert.match(answer.msg, expected);
  assert.deepEqual(shop.rows('js-deliveries'), []);
}

const UPDATES = {
  'inc': [(_) => ({ n: _.inc(2) }), { n: 7 }],
  'inc of what is not there': [(_) => ({ m: _.inc(2) }), { m: 2 }],
  'inc below': [(_) => ({ n: _.inc(-0.5) }), { n: 4.5 }],
  'mul': [(_) => ({ n: _.mul(3) }), { n: 15 }],
  'max, min': [(_) => ({ n: _.max(9), m: _.min(1) }), { n: 9, m: 1 }],
  'set of an object': [(_) => ({ deep: _.set({ z: 1 }) }), { deep: { z: 1 } }],
  'an object changes what it names': [() => ({ deep: { l: { m: 3 } } }), { deep: { k: 1, l: { m: 3 } } }],
  'a path': [(_) => ({ 'deep.l.m': _.inc(1), 'deep.x.y': 1, 'list.1': 'r' }), { deep: { k: 1, l: { m: 3 }, x: { y: 1 } }, list: ['p', 'r'] }],
  'remove': [(_) => ({ text: _.remove(), 'deep.k': _.remove() }), { text: undefined, deep: { l: { m: 2 } } }],
  'push and unshift': [(_) => ({ list: _.push('r'), other: _.unshift(['a', 'b']) }), { list: ['p', 'q', 'r'], other: ['a', 'b'] }],
  'push and unshift of several': [(_) => ({ list: _.push('r', 's'), other: _.unshift('a', 'b') }), { list: ['p', 'q', 'r', 's'], other: ['a', 'b'] }],
  'pop': [(_) => ({ list: _.pop() }), { list: ['p'] }],
  'shift': [(_) => ({ list: _.shift() }), { list: ['q'] }],
  'addToSet': [(_) => ({ list: _.addToSet('p'), text: 'y' }), { text: 'y' }],
  'pull': [(_) => ({ list: _.pull(_.in(['p'])) }), { list: ['q'] }],
  'dates are moments': [() => ({ at: new Date(1700000000000) }), { at: 1700000000000 }],
  'undefined is left out': [() => ({ n: undefined, text: 'y' }), { text: 'y' }],
  'false, 0, empty and null are values': [() => ({ n: 0, text: '', f: false, z: null, list: [], deep: {} }), { n: 0, text: '', f: false, z: null, list: [], deep: {} }],
};

for (const [name, [data, changed]] of Object.entries(UPDATES)) {
  test(`update: ${name}`, async () => {
    const { answer, returned, row: after } = await within(({ things, _ }) => things.doc('a').update(data(_)));
    assert.deepEqual(answer, { code: 0, msg: 'ok' });
    assert.equal(returned.updated, 1);
    const expected = Object.fromEntries(Object.entries({ ...row, ...changed }).filter(([, value]) => value !== undefined));
    assert.deepEqual(after, expected);
  });
}

test('many changes of one row are one write, whatever their order', async () => {
  const { answer, row: after, shop } = await within(async ({ things, _ }) => {
    await Promise.all([things.doc('a').update({ n: _.inc(1) }), things.doc('a').update({ n: _.inc(2), m: _.inc(1) })]);
    await things.doc('a').update({ text: 'y' });
    await things.doc('a').update({ n: _.inc(1), text: _.remove() });
    await things.doc('a').update({ n: 20 });
    await things.doc('a').update({ n: _.inc(1) });
    const { id } = await things.add({ n: 1 });
    await things.doc(id).update({ n: _.inc(1), deep: { k: 1 } });
    await things.add({ _id: 'gone' });
    await things.doc('gone').remove();
    return id;
  });
  assert.equal(answer.code, 0);
  const { text, ...rest } = row;
  assert.deepEqual(after, { ...rest, n: 21, m: 1 });
  assert.equal(text, 'x');
  assert.deepEqual(shop.rows('things').length, 2);
  assert.deepEqual(shop.rows('things').map(({ n }) => n), [21, 2]);
});

test('calls that run at the same time lose nothing of each other', async () => {
  const { answer, returned, row: after } = await within(async ({ things, vk, _ }) => {
    const dbName = 'things';
    await things.doc('a').get();
    const sums = await Promise.all([
      ...Array.from({ length: 5 }, () => things.doc('a').update({ n: _.inc(1) })),
      ...Array.from({ length: 5 }, () => things.where({ n: _.gte(0) }).update({ n: _.inc(1) })),
      ...Array.from({ length: 5 }, () => vk.baseDao.updateAndReturn({ dbName, whereJson: { _id: 'a' }, dataJson: { n: _.inc(1) } })),
      ...Array.from({ length: 5 }, () => things.doc('a').get()),
      ...Array.from({ length: 5 }, (_unused, n) => things.doc('a').update({ [`f${n}`]: n })),
    ]);
    const ids = await Promise.all(Array.from({ length: 4 }, () => things.add({ _id: 'b' }).then(() => 1, () => 0)));
    const gone = await Promise.all(Array.from({ length: 4 }, () => things.doc('b').remove().then(({ deleted }) => deleted)));
    return [sums.slice(10, 15).map(({ n }) => n), ids.reduce((a, b) => a + b), gone.reduce((a, b) => a + b)];
  });
  assert.equal(answer.code, 0, answer.msg);
  assert.equal(after.n, 20);
  assert.deepEqual([after.f0, after.f1, after.f2, after.f3, after.f4], [0, 1, 2, 3, 4]);
  // Each addition is seen by the one who made it.
  assert.equal(new Set(returned[0]).size, 5);
  assert.deepEqual(returned.slice(1), [1, 1]);
});

test('what a handler passes is taken as it is then, although it changes it before the call has ended', async () => {
  const rows = ['a', 'b', 'c'].map((_id) => ({ _id, n: 0 }));
  const { answer, shop } = await within(
    async ({ things, vk, _ }) => {
      const [whereJson, list, whole, ids, calls] = [{}, [], {}, [], []];
      for (const [n, { _id }] of rows.entries()) {
        whereJson._id = _id;
        calls.push(vk.baseDao.update({ dbName: 'things', whereJson, dataJson: { n: _.inc(n + 1) } }));
        calls.push(things.where(whereJson).update({ m: _.inc(n + 1) }));
        list.push(_id);
        calls.push(things.doc(_id).update({ list }));
        ids.splice(0, 1, _id);
        calls.push(things.where({ _id: _.in(ids) }).update({ k: n }));
        whole.n = n;
        calls.push(things.doc(`w${_id}`).set(whole));
      }
      await Promise.all(calls);
    },
    { rows },
  );
  assert.equal(answer.code, 0, answer.msg);
  assert.deepEqual(
    rows.map(({ _id }) => [shop.row('things', _id), shop.row('things', `w${_id}`)]),
    rows.map(({ _id }, n) => [
      { _id, n: n + 1, m: n + 1, list: ['a', 'b', 'c'].slice(0, n + 1), k: n },
      { _id: `w${_id}`, n },
    ]),
  );
});

test('reads see the handler\'s own writes', async () => {
  const { returned } = await within(async ({ things, _, vk }) => {
    await things.doc('a').update({ n: _.inc(1) });
    await things.add({ _id: 'b', n: 9, no: 'N1' });
    const { data } = await things.where({ n: _.gte(6) }).orderBy('n', 'desc').get();
    await things.doc('a').remove();
    const again = await vk.baseDao.count({ dbName: 'things', whereJson: { no: 'N1' } });
    const gone = await things.doc('a').get();
    return [data.map((one) => [one._id, one.n]), again, gone.data];
  });
  assert.deepEqual(returned, [[['b', 9], ['a', 6]], 1, []]);
});

test('what a handler gets is its own: changing it changes nothing', async () => {
  const { returned } = await within(async ({ things }) => {
    const { data: [one] } = await things.doc('a').get();
    one.deep.k = 99;
    one.list.push('z');
    return (await things.doc('a').get()).data[0];
  });
  assert.deepEqual(returned, row);
});

test('updated is what uniCloud counts', async () => {
  const { returned } = await within(async ({ things, _ }) => [
    (await things.doc('none').update({ n: 1 })).updated,
    (await things.doc('a').update({ n: 5, text: 'x' })).updated,
    (await things.where({ no: 'N2' }).update({ n: 1 })).updated,
    (await things.where({ no: 'N1' }).update({ n: _.inc(1) })).updated,
    (await things.doc('a').set({ n: 1 })).updated,
    (await things.doc('new').set({ n: 1 })).upsertedId,
    (await things.doc('a').remove()).deleted,
    (await things.doc('a').remove()).deleted,
  ]);
  assert.deepEqual(returned, [0, 0, 0, 1, 1, 'new', 1, 0]);
});

const FILTERS = [
  [{ n: 5 }, true], [{ n: '5' }, false], [{ list: 'p' }, true], [{ 'deep.l.m': 2 }, true], [{ deep: { k: 1 } }, true], [{ none: null }, true],
  [{ text: /^X$/i }, true], [(_) => ({ n: _.gt(4).and(_.lt(6)) }), true], [(_) => ({ n: _.gt(4).lt(5) }), false], [(_) => ({ n: _.eq(1).or(_.eq(5)) }), true],
  [(_) => ({ n: _.in([1, 5]), text: _.nin(['y']) }), true], [(_) => ({ none: _.exists(false), n: _.exists(true) }), true], [(_) => ({ n: _.neq(5) }), false],
  [(_) => _.or({ n: 1 }, { text: 'x' }), true], [(_) => _.and([{ n: 5 }, { text: 'y' }]), false], [(_) => ({ list: _.size(2), n: _.not(_.eq(5)) }), false],
  [(_) => ({ list: _.all(['q', 'p']) }), true], [(_) => ({ text: _.gt(1) }), false], [(_) => ({ _id: _.in(['a', 'b']), n: 5 }), true], [{ _id: 'b' }, false],
  [{ text: {} }, false], [{ none: {} }, false], [{ text: { k: null } }, false], [{ none: { k: null } }, false], [{ deep: { l: {} } }, false],
  [{ empty: {} }, true], [{ deep: { none: null } }, true], [{ 'text.k': null }, true],
];

test('filters mean what MongoDB means by them', async () => {
  for (const [filter, found] of FILTERS) {
    const { answer, returned } = await within(async ({ things, _ }) => {
      const where = typeof filter === 'function' ? filter(_) : filter;
      return [(await things.where(where).count()).total, (await things.where(where).update({ touched: 1 })).updated];
    });
    assert.equal(answer.code, 0, `${filter}: ${answer.msg}`);
    assert.deepEqual(returned, found ? [1, 1] : [0, 0], String(filter) + JSON.stringify(filter));
  }
});

test('a query without _id uses an index, else reads a few pages, and then says what to do', async () => {
  const rows = Array.from({ length: 60 }, (_, n) => ({ _id: `r${n}`, no: `N${n % 2}`, k: n }));
  const indexes = { things: [{ name: 'by-no', hash: 'no', type: 'S' }] };
  const count = (where) => ({ things }) => things.where(where).count();
  assert.equal((await within(count({ no: 'N1', k: 1 }), { rows, indexes, page: 10 })).returned.total, 1);
  assert.equal((await within(count({ no: 'N1' }), { rows, indexes, page: 10 })).returned.total, 30);
  assert.equal((await within(count({ k: 1 }), { rows, page: 15 })).returned.total, 1);
  await refused(count({ k: 1 }), /things: a query without _id read 4 MB and the table has more\. Ask by _id, or give the table a global/, { rows, page: 10 });
  // What is no key of the index is not asked of it.
  await refused(count({ no: 1 }), /without _id read 4 MB/, { rows, indexes, page: 10 });
});

test('an index with a sort key is asked only for rows that have it', async () => {
  const rows = Array.from({ length: 60 }, (_, n) => ({ _id: `r${n}`, no: 'N1', ...(n % 2 && { k: n }) }));
  const indexes = { things: [{ name: 'by-no-k', hash: 'no', type: 'S', range: 'k' }] };
  const asked = [];
  const storage = {
    ...Object.fromEntries(['get', 'indexes', 'scan', 'transact'].map((name) => [name, (shop, ...args) => shop.storage[name](...args)])),
    async query(shop, ...args) {
      asked.push(args[1].name);
      const page = await shop.storage.query(...args);
      return { ...page, items: page.items.filter(({ _id }) => shop.row('things', _id.S).k !== undefined) };
    },
  };
  const total = async (filter) => {
    const shop = new Shop({ indexes, page: 20 }).put('things', ...rows);
    let found;
    const faced = Object.fromEntries(Object.entries(storage).map(([name, call]) => [name, (...args) => call(shop, ...args)]));
    const handler = async (obj, { db, _ }) => Boolean((found = await db.collection('things').where(filter(_)).count()));
    assert.deepEqual(await shop.deliver(handler, order('test'), { storage: faced }), { code: 0, msg: 'ok' });
    return found.total;
  };
  assert.equal(await total(() => ({ no: 'N1' })), 60);
  assert.equal(await total((_) => ({ no: 'N1', k: _.neq(1) })), 59);
  assert.deepEqual(asked, []);
  assert.equal(await total((_) => ({ no: 'N1', k: _.gte(31) })), 15);
  assert.equal(await total((_) => ({ no: 'N1', k: _.gte(new Date(31)) })), 15);
  assert.equal(asked.length, 6);
});

test('a value that no index can have is not asked of one', async () => {
  const indexes = { things: [{ name: 'by-n', hash: 'n', type: 'N' }] };
  for (const n of [true, null, [5]]) {
    const { answer, shop } = await within(
      async ({ things, shop: { storage } }) => {
        storage.query = () => assert.fail('DynamoDB refuses a key of another type');
        return await things.where({ n }).count();
      },
      { indexes },
    );
    assert.equal(answer.code, 0, answer.msg);
    assert.equal(shop.rows('js-deliveries').length, 1);
  }
});

test('order, limit, skip and fields', async () => {
  const rows = Array.from({ length: 150 }, (_, n) => ({ _id: `r${n}`, n, deep: { k: n } }));
  const { returned } = await within(
    async ({ things }) => [
      (await things.get()).data.length,
      (await things.limit(1000).get()).data.length,
      (await things.orderBy('deep.k', 'desc').skip(1).limit(2).field({ n: true }).get()).data,
      (await things.orderBy('n').limit(1).field({ deep: false }).get()).data,
    ],
    { rows, page: 50 },
  );
  assert.deepEqual(returned, [100, 150, [{ _id: 'r148', n: 148 }, { _id: 'r147', n: 147 }], [{ _id: 'r0', n: 0 }]]);
});

test('vk.baseDao does what VK documents', async () => {
  const dbName = 'things';
  const { answer, returned, shop } = await within(async ({ vk }) => {
    const { baseDao } = vk;
    const _ = vk.db.command;
    const id = await baseDao.add({ dbName, dataJson: { n: 1 } });
    const ids = await baseDao.adds({ dbName, dataJson: [{ n: 2 }, { n: 3 }], cancelAddTime: true });
    return {
      id,
      ids,
      found: (await baseDao.findById({ dbName, id })).n,
      fields: await baseDao.findById({ dbName, id: 'a', fieldJson: { n: true } }),
      none: await baseDao.findById({ dbName, id: 'none' }),
      where: (await baseDao.findByWhereJson({ dbName, whereJson: { n: _.gte(2) }, sortArr: [{ name: 'n', type: 'desc' }] }))._id,
      nowhere: await baseDao.findByWhereJson({ dbName, whereJson: { n: 99 } }),
      updated: await baseDao.update({ dbName, whereJson: { n: _.in([2, 3]) }, dataJson: { _id: 'ignored', n: _.inc(10) } }),
      byId: await baseDao.updateById({ dbName, id: 'a', dataJson: { n: _.inc(1) } }),
      byIdNone: await baseDao.updateById({ dbName, id: 'none', dataJson: { n: _.inc(1) } }),
      data: (await baseDao.updateById({ dbName, id: 'a', dataJson: { n: _.inc(1) }, getUpdateData: true })).n,
      returned: (await baseDao.updateAndReturn({ dbName, whereJson: { _id: 'a' }, dataJson: { n: _.inc(1) } })).n,
      returnedNone: await baseDao.updateAndReturn({ dbName, whereJson: { _id: 'none' }, dataJson: { n: 1 } }),
      added: await baseDao.setById({ dbName, dataJson: { _id: 's', n: 100 } }),
      set: await baseDao.setById({ dbName, dataJson: { _id: 's', n: 50 } }),
      page: await baseDao.select({ dbName, whereJson: {}, sortArr: [{ name: 'n', type: 'asc' }], pageIndex: 2, pageSize: 2, getCount: true, fieldJson: { n: true } }),
      sum: await baseDao.sum({ dbName, fieldName: 'n', whereJson: { n: _.gte(12) } }),
      max: await baseDao.max({ dbName, fieldName: 'n' }),
      min: await baseDao.min({ dbName, fieldName: 'n' }),
      count: await baseDao.count({ dbName }),
      deleted: await baseDao.deleteById({ dbName, id }),
      del: await baseDao.del({ dbName, whereJson: { n: _.gte(13) } }),
    };
  });
  assert.equal(answer.code, 0, answer.msg);
  const { id, ids, page, ...rest } = returned;
  assert.match(id, /^[0-9a-f]{24}$/);
  assert.equal(new Set([id, ...ids]).size, 3);
  assert.deepEqual(page.rows.map(({ n }) => n), [12, 13]);
  assert.deepEqual([page.total, page.hasMore, page.pagination], [5, true, { pageIndex: 2, pageSize: 2 }]);
  assert.deepEqual(rest, {
    found: 1, fields: { _id: 'a', n: 5 }, none: null, where: 'a', nowhere: null, updated: 2, byId: 1, byIdNone: 0, data: 7, returned: 8,
    returnedNone: null, added: { type: 'add', id: 's' }, set: { type: 'update' }, sum: 75, max: 50, min: 1, count: 5, deleted: 1, del: 2,
  });
  assert.deepEqual(shop.rows('things').map(({ n }) => n).sort((a, b) => a - b), [8, 12]);
  const kept = shop.rows('things').find((one) => one._id === ids[0]);
  assert.equal(kept._add_time, undefined);
});

test('an added row has VK\'s time, and the same _id whenever the order is delivered', async () => {
  const add = ({ vk }) => vk.baseDao.add({ dbName: 'things', dataJson: { n: 1 } });
  const [first, second] = [await within(add, { rows: [] }), await within(add, { rows: [] })];
  assert.equal(first.returned, second.returned);
  const [one] = first.shop.rows('things');
  assert.ok(Date.now() - one._add_time < 5000);
  assert.match(one._add_time_str, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
});

test('a transaction of the handler keeps what it commits, and forgets what it rolls back', async () => {
  const { answer, row: after, returned } = await within(async ({ vk, db, _, things }) => {
    await things.doc('a').update({ text: 'before' });
    const first = await vk.baseDao.startTransaction();
    await vk.baseDao.updateById({ db: first, dbName: 'things', id: 'a', dataJson: { n: _.inc(100) } });
    await first.collection('things').add({ _id: 'b' });
    const back = await vk.baseDao.rollbackTransaction({ db: first, err: { code: -7, msg: '余额不足' } });
    const second = await db.startTransaction();
    const { data } = await second.collection('things').doc('a').get();
    await second.collection('things').doc('a').update({ n: _.inc(1) });
    await second.commit();
    const third = await db.runTransaction(async (transaction) => {
      await transaction.collection('things').doc('a').update({ m: 1 });
      await transaction.rollback(-100);
    }).catch((reason) => reason);
    const fourth = await db.runTransaction(async (transaction) => (await transaction.collection('things').doc('a').update({ k: 1 })).updated);
    return [back, data.n, third, fourth];
  });
  assert.equal(answer.code, 0, answer.msg);
  assert.deepEqual(returned, [{ code: -7, msg: '余额不足' }, 5, -100, 1]);
  assert.deepEqual(after, { ...row, text: 'before', n: 6, k: 1 });
});

const REFUSALS = {
  'an amount that is NaN': [({ things, _ }) => things.doc('a').update({ n: _.inc(Number('x')) }), /things\.n: NaN/],
  'an amount that is a text': [({ things, _ }) => things.doc('a').update({ n: _.inc('100') }), /things\.n: the amount is not a number, but a value of type string/],
  'an amount that is not there': [({ things, _, data }) => things.doc('a').update({ n: _.inc(data.none) }), /amount is not a number/],
  'an amount to a text': [({ things, _ }) => things.doc('a').update({ text: _.inc(1) }), /the row has no number there/],
  'an amount to null': [async ({ things, _ }) => {
    await things.doc('a').update({ z: null });
    await things.doc('a').update({ z: _.inc(1) });
  }, /things\.z: the row has no number there, but null/],
  'an amount to a null that the table has': [async ({ things, shop, _ }) => {
    shop.put('things', { _id: 'b', n: null });
    await things.doc('b').update({ n: _.inc(1) });
  }, /things\.n: the row has no number there, but null/],
  'more than numbers hold': [({ things, _ }) => things.doc('a').update({ n: _.inc(2 ** 53) }), /2\^53/],
  'nothing in an array': [({ things, _ }) => things.doc('a').update({ list: _.push(undefined) }), /undefined cannot be stored/],
  'NaN in a row': [({ things }) => things.add({ n: NaN }), /NaN is not a number/],
  'a date that is none': [({ things }) => things.add({ at: new Date('x') }), /NaN/],
  'an _id that is an object': [({ things }) => things.doc({ $ne: '' }).update({ n: 1 }), /_id must be a text/],
  'an _id that is not there': [({ things }) => things.doc(undefined).update({ n: 1 }), /_id must be a text.*undefined/],
  'an id that is not there': [({ vk }) => vk.baseDao.updateById({ dbName: 'things', dataJson: { n: 1 } }), /_id must be a text/],
  'a where that is not there': [({ vk }) => vk.baseDao.update({ dbName: 'things', dataJson: { n: 1 } }), /needs whereJson/],
  'an update of everything': [({ things }) => things.update({ n: 1 }), /needs where/],
  'undefined in a filter': [({ things, data }) => things.where({ no: data.none }).update({ n: 1 }), /undefined in a condition/],
  'undefined in a command': [({ things, _, data }) => things.where({ n: _.gte(data.none) }).get(), /undefined in a condition/],
  'an operator in a filter': [({ things }) => things.where({ no: { $ne: '' } }).get(), /\$ne/],
  'an operator in a row': [({ things }) => things.add({ a: { $inc: 1 } }), /\$inc/],
  'a prototype in a path': [({ things }) => things.doc('a').update({ 'deep.__proto__.x': 1 }), /__proto__/],
  'a changed _id': [({ things }) => things.doc('a').update({ _id: 'b' }), /_id cannot change/],
  'rows within rows': [({ things }) => things.add([[{ n: 1 }]]), /what is added is not an object/],
  'a duplicate': [({ things }) => things.add({ _id: 'a' }), /duplicate key/],
  'another kind of thing in a row': [({ things }) => things.add({ f: () => 1 }), /function cannot be stored/],
  'a map in a row': [({ things }) => things.add({ m: new Map() }), /Map cannot be stored/],
  'a command in a row that is added': [({ things, _ }) => things.add({ n: _.inc(1) }), /Command cannot be stored/],
  'a table by its ARN': [({ db }) => db.collection('arn:aws:dynamodb:eu-west-1:1:table/x').get(), /not a table's name/],
  'a table by a path': [({ db }) => db.collection('../x').get(), /not a table's name/],
  'the table of marks': [({ db }) => db.collection('js-deliveries').get(), /not a business table/],
  'the table of orders': [({ vk }) => vk.baseDao.select({ dbName: 'vk-pay-orders' }), /not a business table; the order is what the handler gets/],
  'a table that is not there': [({ db }) => db.collection('none').doc('a').get(), /does not exist/],
  'a method that is not there': [({ vk }) => vk.baseDao.treeSelect({}), /vk\.baseDao\.treeSelect is not supported here; read the rows with/],
  'a join': [({ vk }) => vk.baseDao.selects({ dbName: 'things', foreignDB: [] }), /foreignDB is not supported/],
  'what a page\'s table asks for': [
    ({ vk }) => vk.baseDao.getTableData({ dbName: 'things', data: { pageSize: 500, formData: { no: 'N2' } } }),
    /getTableData: data .* is not supported here; pass pageIndex/,
  ],
  'some of the rows that are changed': [({ things }) => things.where({ n: 5 }).limit(1).update({ n: 6 }), /things\.update: orderBy, skip and limit are not supported/],
  'the first of the rows that is changed': [
    ({ things }) => things.where({ n: 5 }).orderBy('no').limit(1).updateAndReturn({ n: 6 }),
    /things\.updateAndReturn: orderBy/,
  ],
  'some of the rows that are removed': [({ things }) => things.where({ n: 5 }).skip(1).remove(), /things\.remove: orderBy/],
  'a row by its id and a filter': [({ things }) => things.where({ n: 6 }).doc('a').update({ n: 7 }), /things\.doc: not after where/],
  'an aggregate': [({ things }) => things.aggregate(), /things\.aggregate\(\) is not supported here/],
  'a command that is not there': [({ _ }) => _.geoNear({}), /db\.command\.geoNear is not supported/],
  'a helper that is not there': [({ vk }) => vk.pubfn.timeFormat(1), /vk\.pubfn is not supported here; put what you need/],
  'a tool that is named and used': [({ uniID }) => uniID.checkToken(), /util\.uniID is not supported/],
  'another database': [({ vk }) => vk.baseDao.count({ dbName: 'things', db: {} }), /another database/],
  'two transactions at once': [async ({ db }) => [await db.startTransaction(), await db.startTransaction()], /another transaction .* still open/],
  'a transaction that is left open': [({ db }) => db.startTransaction(), /neither committed nor rolled back/],
  'a transaction that has ended': [async ({ db }) => {
    const transaction = await db.startTransaction();
    await transaction.commit();
    await transaction.collection('things').doc('a').get();
  }, /has been committed/],
};

for (const [name, [work, expected]] of Object.entries(REFUSALS)) {
  test(`refused: ${name}`, () => refused(work, expected));
}

test('a number that JavaScript cannot count exactly is not read as another', async () => {
  const shop = new Shop();
  shop.storage.tables.get('things').set('big', { _id: { S: 'big' }, n: { N: '9007199254740993' } });
  const answer = await shop.deliver(async (obj, { db }) => Boolean((await db.collection('things').doc('big').get()).data));
  assert.match(answer.msg, /big\.n: .*2\^53/);
});

test('what a payer sends makes no prototype and no command', async () => {
  const custom = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"a":{"__proto__":{"admin":true}},"goods":{"$inc":5}}');
  const { answer, returned } = await within(
    async ({ data }) => {
      const merged = Object.assign({}, data, data.a);
      return [merged.admin, Object.hasOwn(data, '__proto__'), Object.hasOwn(data, 'constructor'), Object.hasOwn(data.custom, '__proto__'), {}.admin, data.goods];
    },
    { event: order('test', custom) },
  );
  assert.equal(answer.code, 0);
  assert.deepEqual(returned, [undefined, false, false, false, undefined, { $inc: 5 }]);
});
