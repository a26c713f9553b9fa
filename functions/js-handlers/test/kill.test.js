'use strict';
/** Processes that are killed while they deliver, against a DynamoDB at `PAY_TEST_DYNAMODB`. */

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const crypto = require('node:crypto');
const path = require('node:path');
const { test } = require('node:test');
const { setTimeout: pause } = require('node:timers/promises');
const { FIXTURES, order } = require('./kit');

const ENDPOINT = process.env.PAY_TEST_DYNAMODB;
const ROUNDS = 30;
const SCRIPT = `
  const { start } = require('./src/index');
  const { serve } = require('./src/serve');
  serve(0, start(process.env, process.argv[1])).then((server) => console.log(server.address().port));`;

async function started(prefix) {
  const child = spawn(process.execPath, ['-e', SCRIPT, path.join(FIXTURES, 'callback-frontend')], {
    cwd: path.join(__dirname, '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env, AWS_ENDPOINT_URL_DYNAMODB: ENDPOINT, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local',
      PAY_TABLE_PREFIX: prefix,
    },
  });
  const port = await new Promise((resolve) => child.stdout.once('data', (data) => resolve(String(data).trim())));
  const url = `http://127.0.0.1:${port}/2015-03-31/functions/js-handlers/invocations`;
  return {
    child,
    deliver: async (event) => (await fetch(url, { method: 'POST', body: JSON.stringify(event) })).json(),
  };
}

test('killed at any moment and delivered again by another process, credited once', { skip: !ENDPOINT && 'needs PAY_TEST_DYNAMODB' }, async (t) => {
  const { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand, ScanCommand } = require('@aws-sdk/client-dynamodb');
  const client = new DynamoDBClient({ endpoint: ENDPOINT, region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  const prefix = `k${crypto.randomBytes(6).toString('hex')}-`;
  for (const name of ['uni-id-users', 'recharge_logs', 'js-deliveries']) {
    await client.send(
      new CreateTableCommand({
        TableName: prefix + name, BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: '_id', AttributeType: 'S' }], KeySchema: [{ AttributeName: '_id', KeyType: 'HASH' }],
      }),
    );
  }
  await client.send(new PutItemCommand({ TableName: `${prefix}uni-id-users`, Item: { _id: { S: 'u1' }, balance: { N: '0' } } }));
  const ids = Array.from({ length: ROUNDS }, (_, n) => `K${n}`);
  const event = (no) => order('recharge', { user_id: 'u1', recharge_balance: 100 }, { out_trade_no: no });
  const credited = async () => {
    const input = { TableName: `${prefix}uni-id-users`, Key: { _id: { S: 'u1' } }, ConsistentRead: true };
    return Number((await client.send(new GetItemCommand(input))).Item.balance.N);
  };
  let survived = 0;
  let next = started(prefix);
  for (const [n, no] of ids.entries()) {
    const { child, deliver } = await next;
    // Its connections are there, and how long a delivery takes is known.
    await deliver(event(`warm${n}`));
    const before = performance.now();
    await deliver(event(`timed${n}`));
    const lasts = performance.now() - before;
    const answered = deliver(event(no)).then(({ code }) => code, () => undefined);
    await pause((1.5 * lasts * n) / ROUNDS);
    child.kill('SIGKILL');
    if ((await answered) === 0) survived += 1;
    next = started(prefix);
  }
  const committed = (await credited()) / 100 - 2 * ROUNDS;
  const { child, deliver } = await next;
  for (const no of ids) assert.equal((await deliver(event(no))).code, 0, no);
  child.kill('SIGKILL');
  assert.equal(await credited(), 100 * 3 * ROUNDS);
  const logs = await client.send(new ScanCommand({ TableName: `${prefix}recharge_logs` }));
  assert.equal(logs.Items.length, 3 * ROUNDS);
  t.diagnostic(`${survived} of ${ROUNDS} were answered, ${committed} committed`);
  assert.ok(survived > 0 && survived < ROUNDS, `${survived} of ${ROUNDS} were answered`);
});
