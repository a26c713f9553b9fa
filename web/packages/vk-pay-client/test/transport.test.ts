import { describe, expect, test, vi } from 'vitest';
import { callFunction, httpTransport, isFen, setup } from '../src/transport.js';
import { PayError, type Post, type PostRequest, type TransportOptions } from '../src/types.js';
import { uniPost } from '../src/uni/client.js';

function server(body: unknown = { code: 0, msg: '成功' }, status = 200, headers: Record<string, string> = {}): { sent: PostRequest[]; post: Post } {
  const sent: PostRequest[] = [];
  return {
    sent,
    post: async (request) => {
      sent.push(request);
      return { status, body: typeof body === 'string' ? body : JSON.stringify(body), header: (name) => headers[name] };
    },
  };
}

async function send(options: TransportOptions, action: Parameters<ReturnType<typeof httpTransport>>[0], data: object = {}): Promise<{ url: string; body: unknown }> {
  const { sent, post } = server();
  await httpTransport(options, post)(action, data);
  return { url: sent[0]!.url, body: JSON.parse(sent[0]!.body) };
}

describe('the address', () => {
  test.each([
    ['pay/createPayment', 'create-payment'], ['pay/closePayment', 'create-payment'], ['createPayment', 'create-payment'],
    ['pay/queryPayment', 'query-payment'], ['pay/queryOrders', 'query-payment'], ['pay/appleiap/verifyReceipt', 'query-payment'],
    ['pay/huaweiiap/verifyPurchase', 'query-payment'], ['pay/refund', 'refund'], ['pay/queryRefund', 'refund'],
    ['pay/code2Session', 'login'], ['pay/transfer', 'transfer'], ['pay/wxpayVirtual/queryUserBalance', 'transfer'],
  ])('of %s is that of the function %s', async (action, name) => {
    expect((await send({ baseUrl: 'https://pay.example/' }, action)).url).toBe(`https://pay.example/${name}`);
  });

  test('may be given for one action or one function', async () => {
    const urls = { 'pay/queryRefund': 'https://q.example/', refund: 'https://r.example/', 'create-payment': 'https://c.example/' };
    expect((await send({ urls }, 'pay/queryRefund')).url).toBe('https://q.example/');
    expect((await send({ urls }, 'pay/refund')).url).toBe('https://r.example/');
    expect((await send({ urls }, 'pay/createPayment')).url).toBe('https://c.example/');
  });

  test('that nobody knows is told before anything is sent', async () => {
    const { sent, post } = server();
    await expect(httpTransport({ baseUrl: 'https://pay.example' }, post)('pay/other', {})).rejects.toMatchObject({ code: 404 });
    expect(sent).toHaveLength(0);
  });
});

describe('the envelope', () => {
  const named = { name: 'vk-pay', action: 'pay/createPayment', actionKey: '$do', dataKey: 'params' };

  test("of VK's one address has the names that the page gives", async () => {
    expect(await send({ baseUrl: 'https://vk.example/http/vk-pay', style: 'envelope' }, named, { provider: 'wxpay' })).toEqual({
      url: 'https://vk.example/http/vk-pay', body: { $do: 'pay/createPayment', params: { provider: 'wxpay' } },
    });
  });

  test('of a function has the names that it reads', async () => {
    expect((await send({ baseUrl: '' }, named, { provider: 'wxpay' })).body).toEqual({ action: 'pay/createPayment', data: { provider: 'wxpay' } });
    expect((await send({ baseUrl: '' }, { action: 'pay/refund', actionKey: 'url' })).body).toEqual({ url: 'pay/refund', data: {} });
  });

  test('has the headers of the page, asked for anew each time', async () => {
    const { sent, post } = server();
    let token = 'one';
    const transport = httpTransport({ baseUrl: '', headers: () => ({ authorization: `Bearer ${token}` }) }, post);
    await transport('pay/queryPayment', {});
    token = 'two';
    await transport('pay/queryPayment', {});
    expect(sent.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two']);
    expect(sent[0]!.headers['content-type']).toBe('application/json');
  });

  test('waits longer for a server that waits', async () => {
    const { sent, post } = server();
    const transport = httpTransport({ baseUrl: '', timeout: 5000 }, post);
    await transport('pay/queryPayment', {});
    await transport('pay/queryPayment', { await_notify: true });
    await transport('pay/queryPayment', { await_notify: true, await_max_time: 40 });
    expect(sent.map(({ timeout }) => timeout)).toEqual([5000, 25_000, 45_000]);
  });
});

describe('amounts', () => {
  test.each([1, 100, 10_000_000_000, '1', '100'])('%j is fen', (value) => {
    expect(isFen(value)).toBe(true);
  });

  test.each([0, -1, 1.5, 1e11, NaN, Infinity, '', '0', '01', '1.0', '1e3', ' 1', '10000000001', null, true, {}])('%j is not', (value) => {
    expect(isFen(value)).toBe(false);
  });

  test.each([
    ['pay/createPayment', { total_fee: 1.5 }, 1003], ['pay/createPayment', { total_fee: '' }, 1003],
    ['pay/refund', { refund_fee: 0 }, 1031], ['pay/transfer', { transfer_amount: '9.9' }, 1007],
  ])('%s of %j is not sent', async (action, data, code) => {
    const { sent, post } = server();
    await expect(httpTransport({ baseUrl: '' }, post)(action, data)).rejects.toMatchObject({ code });
    expect(sent).toHaveLength(0);
  });

  test('a refund form that was not filled in sends no refund_fee, which means all that is left', async () => {
    expect((await send({ baseUrl: '' }, 'pay/refund', { out_trade_no: 'T', refund_fee: '' })).body)
      .toEqual({ action: 'pay/refund', data: { out_trade_no: 'T' } });
    expect((await send({ baseUrl: '' }, 'pay/refund', { out_trade_no: 'T', refund_fee: '30' })).body)
      .toEqual({ action: 'pay/refund', data: { out_trade_no: 'T', refund_fee: '30' } });
  });
});

describe('the reply', () => {
  const reply = (body: unknown, status: number, headers = {}) => httpTransport({ baseUrl: '' }, server(body, status, headers).post)('pay/queryPayment', {});

  test('is what the server says, whatever its status', async () => {
    expect(await reply({ code: 2012, msg: '订单已关闭' }, 409)).toEqual({ code: 2012, msg: '订单已关闭' });
  });

  test('that is none of ours has the status for a code', async () => {
    expect(await reply('<html>Bad Gateway</html>', 502)).toEqual({ code: 502, msg: 'HTTP 502' });
    expect(await reply({ Message: 'Rate Exceeded.' }, 429, { 'retry-after': '3' })).toMatchObject({ code: 429, retry_after_ms: 3000 });
    expect((await reply('hello', 200)).code).toBe(-1);
  });

  test('reads a Retry-After that is a date', async () => {
    const date = new Date(Date.now() + 60_000).toUTCString();
    expect((await reply({ code: 503, msg: '' }, 503, { 'retry-after': date })).retry_after_ms).toBeGreaterThan(50_000);
  });

  test('that does not come is a PayError with code -1', async () => {
    const transport = httpTransport({ baseUrl: '' }, () => Promise.reject({ errMsg: 'request:fail timeout' }));
    await expect(transport('pay/queryPayment', {})).rejects.toEqual(new PayError(-1, 'request:fail timeout'));
  });
});

describe('callFunction', () => {
  test('speaks the url dialect for url, and the action dialect for the rest', async () => {
    const { sent, post } = server();
    setup({ baseUrl: 'https://pay.example', post });
    await callFunction({ url: 'pay/queryPayment', data: { out_trade_no: 'T' } });
    await callFunction({ action: 'pay/queryPayment', data: { out_trade_no: 'T' } });
    await callFunction({ name: 'vk-pay', data: { action: 'pay/refund', data: { out_trade_no: 'T', refund_fee: '' } } });
    await callFunction({ name: 'vk-pay', data: { $url: 'pay/queryRefund', data: { out_trade_no: 'T' } } });
    await callFunction({ name: 'createPayment', data: { provider: 'wxpay' } });
    expect(sent.map(({ url, body }) => [url.slice('https://pay.example/'.length), JSON.parse(body)])).toEqual([
      ['query-payment', { url: 'pay/queryPayment', data: { out_trade_no: 'T' } }],
      ['query-payment', { action: 'pay/queryPayment', data: { out_trade_no: 'T' } }],
      ['refund', { action: 'pay/refund', data: { out_trade_no: 'T' } }],
      ['refund', { $url: 'pay/queryRefund', data: { out_trade_no: 'T' } }],
      ['create-payment', { action: 'createPayment', data: { provider: 'wxpay' } }],
    ]);
  });

  test('calls back by the code, and gives every reply', async () => {
    const calls: string[] = [];
    const hooks = { success: () => calls.push('success'), fail: () => calls.push('fail'), complete: () => calls.push('complete') };
    setup({ baseUrl: '', post: server({ code: 0, msg: '' }).post });
    await callFunction({ url: 'pay/queryPayment', ...hooks });
    setup({ baseUrl: '', post: server({ code: 2001, msg: '' }, 404).post });
    expect(await callFunction({ url: 'pay/queryPayment', ...hooks })).toMatchObject({ code: 2001 });
    expect(calls).toEqual(['success', 'complete', 'fail', 'complete']);
  });

  test('without a network fails the callbacks, or the promise where there are none', async () => {
    setup({ baseUrl: '', post: () => Promise.reject(new Error('offline')) });
    const fail = vi.fn();
    expect(await callFunction({ url: 'pay/queryPayment', fail })).toEqual({ code: -1, msg: 'offline' });
    expect(fail).toHaveBeenCalledWith({ code: -1, msg: 'offline' });
    await expect(callFunction({ url: 'pay/queryPayment' })).rejects.toMatchObject({ code: -1 });
  });
});

test('uni.request carries it, and its headers are read whatever their case', async () => {
  const seen: object[] = [];
  const post = uniPost({ request: ({ success, ...options }) => {
    seen.push(options);
    success?.({ statusCode: 429, data: { code: 429, msg: 'busy' }, header: { 'Retry-After': '2' } });
  } });
  const reply = await httpTransport({ baseUrl: 'https://pay.example' }, post)('pay/queryPayment', { out_trade_no: 'T' });
  expect(reply).toEqual({ code: 429, msg: 'busy', retry_after_ms: 2000 });
  expect(seen[0]).toMatchObject({ method: 'POST', data: '{"action":"pay/queryPayment","data":{"out_trade_no":"T"}}', timeout: 15_000 });
  const lost = uniPost({ request: ({ fail }) => fail?.({ errMsg: 'request:fail abort' }) });
  await expect(lost({ url: '', body: '', headers: {}, timeout: 1 })).rejects.toMatchObject({ code: -1, message: 'request:fail abort' });
});
