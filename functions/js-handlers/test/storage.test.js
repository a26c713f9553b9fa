'use strict';
/**
 * What a delivery asks of its tables, of the tables in memory and of a DynamoDB, if `PAY_TEST_DYNAMODB` has the
 * address of one: an embedded engine, DynamoDB Local, moto.
 */

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const { test } = require('node:test');
const { setTimeout: pause } = require('node:timers/promises');
const { deliver } = require('../src/deliver');
const { DynamoDb, Refused, memberOf } = require('../src/dynamodb');
const { folder, order } = require('./kit');
const { Memory } = require('./memory');

const ENDPOINT = process.env.PAY_TEST_DYNAMODB;
const options = { endpoint: ENDPOINT, region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
const INDEX = { name: 'by-no', hash: 'no', type: 'S' };

async function inMemory(tables) {
  return new Memory({ tables, indexes: { [tables[0]]: [INDEX] }, page: 10 });
}

async function inDynamoDb(tables) {
  const { CreateTableCommand, DynamoDBClient } = require('@aws-sdk/client-dynamodb');
  const client = new DynamoDBClient(options);
  for (const [n, TableName] of tables.entries()) {
    const no = n === 0;
    await client.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: '_id', AttributeType: 'S' }, ...(no ? [{ AttributeName: 'no', AttributeType: 'S' }] : [])],
        KeySchema: [{ AttributeName: '_id', KeyType: 'HASH' }],
        ...(no && {
          GlobalSecondaryIndexes: [
            { IndexName: 'by-no', KeySchema: [{ AttributeName: 'no', KeyType: 'HASH' }], Projection: { ProjectionType: 'KEYS_ONLY' } },
          ],
        }),
      }),
    );
  }
  return new DynamoDb(options);
}

const engines = { 'in memory': inMemory, ...(ENDPOINT && { DynamoDB: inDynamoDb }) };
const absent = [{ name: '_id', op: 'absent' }];
const exists = [{ name: '_id', op: 'exists' }];
const N = (n) => ({ N: String(n) });
const S = (text) => ({ S: text });

for (const [engine, open] of Object.entries(engines)) {
  const opened = async () => {
    const prefix = `t${crypto.randomBytes(6).toString('hex')}-`;
    const [t, u] = [`${prefix}t`, `${prefix}u`];
    const storage = await open([t, u]);
    const put = (table, item, conditions = absent) => ({ type: 'put', table, id: item._id.S, item, conditions });
    return { storage, t, u, put, prefix };
  };
  const reasons = async (promise) => {
    const error = await promise.then(() => assert.fail('it was committed'), (error) => error);
    assert.ok(error instanceof Refused, String(error));
    return error.reasons;
  };

  test(`${engine}: a transaction is all or nothing, and says which condition was refused`, async () => {
    const { storage, t, u, put } = await opened();
    await storage.transact([put(t, { _id: S('a'), n: N(1) })]);
    const again = [put(u, { _id: S('b') }), put(t, { _id: S('a'), n: N(2) })];
    assert.deepEqual(await reasons(storage.transact(again)), ['None', 'ConditionalCheckFailed']);
    assert.equal(await storage.get(u, 'b'), undefined);
    assert.deepEqual(await storage.get(t, 'a'), { _id: S('a'), n: N(1) });
  });

  test(`${engine}: an update adds, sets and removes, of rows that are there`, async () => {
    const { storage, t, put } = await opened();
    await storage.transact([put(t, { _id: S('a'), n: N(1), gone: S('x') })]);
    const change = (id) => ({
      type: 'update', table: t, id, set: { s: { M: { k: { L: [N(1)] } } } }, remove: ['gone'], add: { n: N(2), m: N(-0.5) }, conditions: exists,
    });
    await storage.transact([change('a')]);
    assert.deepEqual(await storage.get(t, 'a'), { _id: S('a'), n: N(3), m: N(-0.5), s: { M: { k: { L: [N(1)] } } } });
    assert.deepEqual(await reasons(storage.transact([change('b')])), ['ConditionalCheckFailed']);
    assert.equal(await storage.get(t, 'b'), undefined);
    await storage.transact([{ type: 'delete', table: t, id: 'a', conditions: exists }]);
    assert.equal(await storage.get(t, 'a'), undefined);
  });

  test(`${engine}: conditions are looked at as they are then`, async () => {
    const { storage, t, put } = await opened();
    await storage.transact([put(t, { _id: S('a'), n: N(5), s: S('m'), l: { L: [N(1), { M: { k: S('v') } }] }, f: { BOOL: false }, z: { NULL: true } })]);
    const holds = async (...conditions) => {
      const write = { type: 'update', table: t, id: 'a', set: { touched: N(1) }, remove: [], add: {}, conditions: [...exists, ...conditions] };
      return await storage.transact([write]).then(() => true, (error) => (error instanceof Refused ? false : assert.fail(error)));
    };
    for (const [name, op, value, expected] of [
      ['n', 'eq', N('5.0'), true], ['n', 'eq', N(6), false], ['n', 'ne', N(5), false], ['n', 'gte', N(5), true], ['n', 'gt', N(5), false],
      ['n', 'lte', N(5), true], ['n', 'lt', N(10), true], ['n', 'lt', S('9'), false], ['s', 'gt', S('l'), true], ['none', 'gt', N(0), false], ['none', 'ne', N(0), true],
      ['none', 'absent', undefined, true], ['n', 'absent', undefined, false], ['l', 'eq', { L: [N(1), { M: { k: S('v') } }] }, true],
      ['l', 'eq', { L: [N(1)] }, false], ['f', 'eq', { BOOL: false }, true], ['z', 'eq', { NULL: true }, true], ['none', 'eq', { NULL: true }, false],
    ]) {
      assert.equal(await holds({ name, op, value }), expected, `${name} ${op} ${JSON.stringify(value)}`);
    }
    assert.equal(await holds({ name: 'n', op: 'eq', value: N(5) }, { name: 's', op: 'eq', value: S('x') }), false);
  });

  test(`${engine}: an addition to what is no number is an error, not a refusal to be tried again`, async () => {
    const { storage, t, put } = await opened();
    await storage.transact([put(t, { _id: S('a'), n: S('text') })]);
    const write = { type: 'update', table: t, id: 'a', set: {}, remove: [], add: { n: N(1) }, conditions: exists };
    const error = await storage.transact([write]).then(() => assert.fail('committed'), (error) => error);
    assert.ok(error.name === 'ValidationException' || error.reasons.includes('ValidationError'), String(error));
  });

  test(`${engine}: rows are found by an index, and by reading all pages`, async () => {
    const { storage, t, put } = await opened();
    await storage.transact(Array.from({ length: 25 }, (_, n) => put(t, { _id: S(`a${n}`), no: S(n % 2 ? 'odd' : 'even') })));
    const [index] = await storage.indexes(t);
    assert.deepEqual(index, INDEX);
    for (const [read, length] of [[(start) => storage.query(t, index, S('odd'), start), 12], [(start) => storage.scan(t, start), 25]]) {
      const found = [];
      for (let start; ; ) {
        const page = await read(start);
        found.push(...page.items);
        if (!page.next) break;
        start = page.next;
      }
      assert.equal(found.length, length);
    }
  });

  test(`${engine}: a table that is not there says so`, async () => {
    const { storage, t } = await opened();
    await assert.rejects(storage.get(`${t}-none`, 'a'), /the table .* does not exist/);
    await assert.rejects(storage.transact([{ type: 'put', table: `${t}-none`, id: 'a', item: { _id: S('a') }, conditions: absent }]), /the table .* does not exist/);
  });

  test(`${engine}: orders at the same moment, each many times, are each credited once`, async () => {
    const prefix = `t${crypto.randomBytes(6).toString('hex')}-`;
    const storage = await open(['uni-id-users', 'recharge_logs', 'js-deliveries'].map((name) => prefix + name));
    await storage.transact([{ type: 'put', table: `${prefix}uni-id-users`, id: 'u1', item: { _id: S('u1'), balance: N(5) }, conditions: absent }]);
    const handlers = folder('callback-frontend');
    const log = { error: () => {} };
    const send = (no) =>
      deliver(order('recharge', { user_id: 'u1', recharge_balance: 100 }, { out_trade_no: no }), {
        handlers, storage, prefix, marks: `${prefix}js-deliveries`, timeLeft: () => 10_000, log,
      });
    const numbers = ['A', 'B', 'C', 'A', 'B', 'C', 'A', 'B', 'C'];
    let answers = await Promise.all(numbers.map(send));
    // Under this much contention some may be told to come again; that is what the schedule is for.
    for (let n = 0; n < 5 && answers.some(({ code }) => code !== 0); n += 1) answers = await Promise.all(numbers.map(send));
    assert.deepEqual(answers.map(({ code }) => code), numbers.map(() => 0));
    assert.deepEqual((await storage.get(`${prefix}uni-id-users`, 'u1')).balance, N(305));
    assert.equal((await storage.scan(`${prefix}recharge_logs`)).items.length, 3);
  });
}

test('a thousand rows that an index has are read, although each reading takes its time', async () => {
  let most = 0;
  let running = 0;
  const rows = Array.from({ length: 1000 }, (_, n) => ({ _id: S(`r${n}`), no: S('N1') }));
  const storage = {
    indexes: async () => [INDEX],
    query: async () => ({ items: rows.map(({ _id }) => ({ _id })) }),
    async get(table, id) {
      most = Math.max(most, (running += 1));
      await pause(1);
      running -= 1;
      return rows.find(({ _id }) => _id.S === id);
    },
    transact: async () => {},
  };
  let found;
  const handlers = () => () => async (obj, { db }) => Boolean((found = await db.collection('t').where({ no: 'N1' }).count()));
  const answer = await deliver(order('test'), { handlers, storage, marks: 'm', timeLeft: () => 10_000 });
  assert.deepEqual([answer.code, found.total], [0, 1000]);
  // The client has fifty connections; who waits for one longer than half a second has failed.
  assert.ok(most <= 50, `${most} at the same time`);
});

test('an index that is added is found by an instance that has asked before', async (t) => {
  const index = (IndexName, ...keys) => ({
    IndexName, IndexStatus: 'ACTIVE', KeySchema: keys.map((AttributeName, n) => ({ AttributeName, KeyType: n === 0 ? 'HASH' : 'RANGE' })),
  });
  const all = [index('by-no', 'no'), index('by-no-k', 'no', 'k')];
  const AttributeDefinitions = [{ AttributeName: '_id', AttributeType: 'S' }, { AttributeName: 'no', AttributeType: 'S' }, { AttributeName: 'k', AttributeType: 'N' }];
  let asked = 0;
  const server = http.createServer((request, response) => {
    asked += 1;
    response.end(JSON.stringify({ Table: { AttributeDefinitions, GlobalSecondaryIndexes: all.slice(0, asked) } }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  try {
    const storage = new DynamoDb({ ...options, endpoint: `http://127.0.0.1:${server.address().port}` });
    for (let n = 0; n < 2; n += 1) assert.deepEqual(await storage.indexes('t'), [INDEX]);
    t.mock.timers.tick(60_001);
    assert.deepEqual(await storage.indexes('t'), [INDEX, { name: 'by-no-k', hash: 'no', type: 'S', range: 'k' }]);
    assert.equal(asked, 2);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a right to an index that is missing is said by the index\'s name', async () => {
  const server = http.createServer((request, response) => {
    response.writeHead(400).end(JSON.stringify({ __type: 'com.amazon.coral.service#AccessDeniedException', message: 'arn:aws:sts::123456789012' }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const storage = new DynamoDb({ ...options, endpoint: `http://127.0.0.1:${server.address().port}` });
  try {
    await assert.rejects(storage.query('goods', INDEX, S('n')), { message: /^this function has no right to the table goods\/index\/by-no; give its ARN/ });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a DynamoDB that does not answer is not waited for', async () => {
  const silent = http.createServer(() => {});
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${silent.address().port}`;
  const storage = new DynamoDb({ ...options, endpoint, maxAttempts: 1 });
  const started = performance.now();
  try {
    const writes = [{ type: 'delete', table: 't', id: 'a', conditions: exists }];
    const waited = pause(4000, 'waits', { ref: false });
    for (const call of [storage.get('t', 'a'), storage.transact(writes)]) {
      assert.equal(await Promise.race([call.catch((error) => error.name), waited]), 'TimeoutError');
    }
    assert.ok(performance.now() - started < 3900);
  } finally {
    silent.closeAllConnections();
    silent.close();
  }
});

test('a write is an expression with placeholders for every name and value', () => {
  const write = {
    type: 'update', table: 't', id: 'a', set: { 'a b': S('1') }, remove: ['c'], add: { size: N(1) },
    conditions: [{ name: '_id', op: 'exists' }, { name: 'size', op: 'gte', value: N(5) }],
  };
  assert.deepEqual(memberOf(write), {
    Update: {
      TableName: 't',
      Key: { _id: S('a') },
      UpdateExpression: 'SET #2 = :1 REMOVE #3 ADD #1 :2',
      ConditionExpression: 'attribute_exists(#0) AND #1 >= :0',
      ExpressionAttributeNames: { '#0': '_id', '#1': 'size', '#2': 'a b', '#3': 'c' },
      ExpressionAttributeValues: { ':0': N(5), ':1': S('1'), ':2': N(1) },
    },
  });
});
