'use strict';
/** `uniCloud.httpclient.request` against a server, `vkPay.crypto.aes` against published vectors, and the function as Lambda calls it. */

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, test } = require('node:test');
const { aes } = require('../src/aes');
const { install } = require('../src/framework');
const { functionsOf, invoker } = require('../src/index');
const { serve } = require('../src/serve');
const { Shop, order } = require('./kit');

let server;
let base;
const seen = [];

before(async () => {
  server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ method: request.method, url: request.url, headers: request.headers, body });
    if (request.url === '/slow') return setTimeout(() => response.end('{}'), 1000).unref();
    if (request.url === '/moved') return response.writeHead(302, { location: '/elsewhere' }).end();
    if (request.url === '/text') return response.end('not json');
    return response.writeHead(request.url === '/broken' ? 500 : 200).end(JSON.stringify({ code: 0, 名: '值' }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${server.address().port}`;
  install({});
});
after(() => server.closeAllConnections() ?? server.close());

/** What a handler gets of a request. */
async function requested(...requests) {
  seen.length = 0;
  const got = [];
  const answer = await new Shop().deliver(async () => {
    for (const [path, options] of requests) got.push(await globalThis.uniCloud.httpclient.request(base + path, options));
    return true;
  });
  return { answer, got };
}

test('a request is what urllib made of its options', async () => {
  const { answer, got } = await requested(
    ['/json', { method: 'POST', data: { a: 1, b: undefined, c: { d: 1 } }, contentType: 'json', dataType: 'json', headers: { 'X-A': 'b' } }],
    ['/form', { method: 'POST', data: { a: 1, b: '支付' }, dataType: 'text' }],
    ['/get?x=1', { data: { a: 1 } }],
    ['/broken', { dataType: 'json', auth: 'u:p' }],
    ['/moved', {}],
  );
  assert.equal(answer.code, 0, answer.msg);
  const [json, form, get, broken, moved] = seen;
  assert.deepEqual([json.method, json.headers['content-type'], json.headers['x-a'], json.body], ['POST', 'application/json', 'b', '{"a":1,"c":{"d":1}}']);
  assert.deepEqual([form.headers['content-type'], form.body], ['application/x-www-form-urlencoded', 'a=1&b=%E6%94%AF%E4%BB%98']);
  assert.deepEqual([get.method, get.url, get.body], ['GET', '/get?x=1&a=1', '']);
  assert.equal(broken.headers.authorization, 'Basic dTpw');
  assert.equal(moved.url, '/moved');
  assert.deepEqual(got.map(({ status }) => status), [200, 200, 200, 500, 302]);
  assert.deepEqual(got[0].data, { code: 0, 名: '值' });
  assert.equal(typeof got[1].data, 'string');
  assert.ok(Buffer.isBuffer(got[2].data));
});

test('a password in an address is sent, and not said', async () => {
  seen.length = 0;
  const answer = await new Shop().deliver(async () => {
    const { status } = await globalThis.uniCloud.httpclient.request(`${base.replace('://', '://me:p%40ss@')}/json`, { dataType: 'json' });
    return status === 200;
  });
  assert.deepEqual(answer, { code: 0, msg: 'ok' });
  assert.equal(seen[0].headers.authorization, `Basic ${Buffer.from('me:p@ss').toString('base64')}`);
});

test('each request has a key that is its own, and the same at each delivery', async () => {
  const post = { method: 'POST', data: { at: Math.random() }, contentType: 'json' };
  const all = [['/a', post], ['/a', post], ['/b', post], ['/c', { ...post, headers: { 'Idempotency-Key': 'mine' } }]];
  await requested(...all);
  const first = seen.map(({ headers }) => headers['idempotency-key']);
  await requested(...[...all].reverse());
  const second = seen.map(({ headers }) => headers['idempotency-key']).reverse();
  assert.equal(new Set(first).size, 4);
  assert.equal(first[3], 'mine');
  assert.deepEqual(new Set(second), new Set(first));
  assert.equal(second[2], first[2]);
});

test('what takes too long, is no JSON or is not known is an error of the handler', async () => {
  assert.match((await requested(['/slow', { timeout: 50 }])).answer.msg, /timeout/);
  assert.match((await requested(['/text', { dataType: 'json' }])).answer.msg, /\(HTTP 200\) is no JSON/);
  assert.match((await requested(['/text', { stream: {} }])).answer.msg, /stream is not supported/);
});

test('a request that nobody waits for fails the delivery, and ends', async () => {
  const answer = await new Shop().deliver(async () => {
    globalThis.uniCloud.httpclient.request(`${base}/slow`).catch(() => {});
    return true;
  });
  assert.match(answer.msg, /without waiting for uniCloud\.httpclient\.request/);
});

test('uniCloud outside of a delivery says so', async () => {
  await assert.rejects(async () => globalThis.uniCloud.database().collection('t').doc('a').get(), /there is no delivery/);
});

test('both of VK-Pay\'s ways to encrypt, against the vectors of docs/protocols/vkpay.md', () => {
  const V1 = '12345678901234561234567890123456';
  const V2 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_';
  for (const [key, data, aes192, ecb] of [
    [V1, { a: 1, b: '2' }, 'f0d4d593f647eefb4823d1fed5f8494a', 'es2aF7DWr169X4fvMnlKNg=='],
    [V2, { out_trade_no: 'T001', total_fee: 1 }, 'ae3a785e59ec292b91c5eb4e238255b6ded5006f46da7927c6852297e75e774cbacdf444c0acf128f83d688abaf7d3f6', 'dbAav9Rg/5pzk7fRqt5wHzEg46jL7HgkzQ8F2HzWugP+nOGvOFeW4DPqaJRTTcUx'],
    [V1, { name: '支付' }, '16961e97bbc1b722d98eb39b3081c4ecb93d5429102a35ba595c84b4beb28855', 'nbea4QpEZVS/pom4jGFvX+phS26AGFATA6UUdI3SqVQ='],
  ]) {
    const { encrypt, decrypt } = aes(() => key);
    assert.equal(encrypt({ data }), aes192);
    assert.equal(encrypt({ data, mode: 'aes-256-ecb' }), ecb);
    for (const sealed of [aes192, ecb]) assert.deepEqual(decrypt({ data: sealed }), data);
    assert.throws(() => decrypt({ data: aes192, key: [...key].reverse().join('') }), /解密失败/);
  }
  assert.throws(() => aes(() => undefined).encrypt({ data: 1 }), /PAY_NOTIFY_KEY/);
});

test('a delivery that is encrypted is opened', async () => {
  install({ notifyKey: '12345678901234561234567890123456' });
  const encrypted = aes(() => '12345678901234561234567890123456').encrypt({ data: order('test') });
  let data;
  const answer = await new Shop().deliver(async (obj) => Boolean((data = obj.data)), { encrypted, idempotency_key: 'k' });
  assert.deepEqual(answer, { code: 0, msg: 'ok' });
  assert.equal(data.out_trade_no, 'T1');
});

test('another function is called by Lambda\'s API, and what it fails with is the handler\'s', async () => {
  const called = [];
  const lambda = await serve(0, async (event) => {
    called.push(event);
    if (event.fails) throw new Error('it does');
    return { code: 0, got: event.data };
  });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${lambda.address().port}`, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local',
  });
  install({ functions: new Map([['router', 'shop-router']]), invoke: invoker() });
  try {
    let got;
    const handler = async () => {
      got = [await globalThis.uniCloud.callFunction({ name: 'router', data: { data: 1 } }), await globalThis.vk.callFunction({ url: 'a/b', data: { x: 1 } })];
      return true;
    };
    assert.deepEqual(await new Shop().deliver(handler), { code: 0, msg: 'ok' });
    assert.deepEqual(got[0].result, { code: 0, got: 1 });
    assert.deepEqual(got[1], { code: 0, got: { x: 1 } });
    assert.equal(called[1].$url, 'a/b');
    assert.notEqual(called[0].idempotency_key, called[1].idempotency_key);
    const failed = async (call) => (await new Shop().deliver(async () => Boolean(await globalThis.uniCloud.callFunction(call)))).msg;
    assert.match(await failed({ name: 'router', data: { fails: true } }), /router failed: Unhandled: it does/);
    assert.match(await failed({ name: 'none' }), /"none" in PAY_CALL_FUNCTIONS/);
  } finally {
    lambda.closeAllConnections();
    lambda.close();
  }
});

test('an order that is passed on to functions has a key of its own in each call, unless the file names one', async () => {
  const keys = [];
  install({ functions: new Map([['router', 'shop-router']]), invoke: async (target, payload) => (keys.push(payload.idempotency_key), { payload: null }) });
  const { callFunction } = globalThis.uniCloud;
  const answer = await new Shop().deliver(async ({ data }) => {
    for (const url of ['points', 'mail']) await callFunction({ name: 'router', data: { $url: url, ...data } });
    await callFunction({ name: 'router', data: { ...data, idempotency_key: 'mine' } });
    return !keys.includes(data.idempotency_key);
  });
  assert.equal(answer.code, 0, answer.msg);
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[2], 'mine');
});

test('a function that may not be called is said without the names of the account', async () => {
  const denied = Object.assign(new Error('User: arn:aws:sts::123456789012:assumed-role/x is not authorized'), { name: 'AccessDeniedException' });
  install({ functions: new Map([['router', 'shop-router']]), invoke: () => Promise.reject(denied) });
  const { msg } = await new Shop().deliver(() => globalThis.uniCloud.callFunction({ name: 'router' }));
  assert.equal(msg, 'uniCloud.callFunction: no right to call router; give its ARN to the stack, parameter CallFunctionArns');
});

test('the names of other functions are read strictly', () => {
  assert.deepEqual([...functionsOf('router=shop-router, mail = arn:aws:lambda:eu-west-1:1:function:mail')], [
    ['router', 'shop-router'],
    ['mail', 'arn:aws:lambda:eu-west-1:1:function:mail'],
  ]);
  assert.throws(() => functionsOf('router'), /router is not name=function/);
});

test('on this machine the function is behind Lambda\'s Invoke API', async () => {
  const local = await serve(0, async (event, context) => {
    if (event.fails) throw new Error('it does');
    return { event, left: context.getRemainingTimeInMillis() > 1000 };
  });
  const at = `http://127.0.0.1:${local.address().port}/2015-03-31/functions/js-handlers/invocations`;
  const post = (url, body) => fetch(url, { method: 'POST', body: JSON.stringify(body) });
  try {
    assert.deepEqual(await (await post(at, { a: 1 })).json(), { event: { a: 1 }, left: true });
    const failed = await post(at, { fails: true });
    assert.equal(failed.headers.get('x-amz-function-error'), 'Unhandled');
    assert.equal((await post(at.replace('invocations', 'x'), {})).status, 404);
  } finally {
    local.closeAllConnections();
    local.close();
  }
});
