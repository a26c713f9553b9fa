import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { VkPayError, signQuote, type QuoteClaims } from 'paybundle-server';

const SECRET = 'a-secret-for-quotes-only';
const CLAIMS: QuoteClaims = { out_trade_no: 'T20260101001', total_fee: 3000, type: 'vip', custom: { vip_type: '黄金', vip_days: 30 } };

test('a quote is a JSON Web Token of HS256 that fixes number, price, type and content until it ends', (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: 1_767_225_600_999 });
  const [header = '', claims = '', signature, ...rest] = signQuote(CLAIMS, { secret: SECRET, expiresInSeconds: 60 }).split('.');
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  assert.deepEqual(read(header), { alg: 'HS256', typ: 'JWT' });
  assert.deepEqual(read(claims), { ...CLAIMS, exp: 1_767_225_660 });
  assert.equal(signature, createHmac('sha256', SECRET).update(`${header}.${claims}`).digest('base64url'));
  assert.equal(rest.length, 0);
  // Made by Python: hmac, hashlib, base64.
  assert.equal(signature, 'MTssFUPU6MGQ1whSmCU_xGpcvhF42pWSkMDRti42DBE');
});

test('what a quote needs, cannot fix, or is no amount is refused before it is signed', () => {
  const sign = (claims: object, options = { secret: SECRET }) => () => signQuote({ ...CLAIMS, ...claims }, options);
  for (const name of ['out_trade_no', 'total_fee', 'type', 'custom']) {
    assert.throws(sign({ [name]: undefined }), TypeError, name);
  }
  // Signed, it would look as if it bound the buyer.
  assert.throws(sign({ user_id: 'u1' }), /user_id: a quote cannot fix it/);
  for (const total_fee of [0, 1.5, '3000', 1e11]) {
    assert.throws(sign({ total_fee }), (error) => error instanceof VkPayError && error.code === 1003);
  }
  assert.throws(sign({}, { secret: 'short' }), TypeError);
  assert.throws(() => signQuote(CLAIMS, { secret: SECRET, expiresInSeconds: 0.5 }), TypeError);
  assert.ok(sign({ pid: 'branch-1', product_id: 'p', quantity: 2, wxpay_virtual: { mode: 'short_series_coin', buy_quantity: 1 } })());
});
