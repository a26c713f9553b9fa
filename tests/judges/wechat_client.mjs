// npm wechatpay-axios-plugin as an APIv2 and APIv3 client of the sandbox, npm tenpay as the receiver of its APIv2
// callbacks. Reads {keys, base} from standard input; says what was confirmed; fails at the first doubt.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import tenpay from 'tenpay';
import plugin from 'wechatpay-axios-plugin';

const { keys, base } = JSON.parse(readFileSync(0, 'utf8'));
const { Wechatpay, Formatter } = plugin;
const notify_url = 'http://127.0.0.1:9/none';

// Without the connections and certificates that these errors carry.
process.on('uncaughtException', (fault) => {
  console.error(fault.stack);
  process.exit(1);
});

async function control(path, wish) {
  const answer = await fetch(`${base}/sandbox/api/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(wish),
  });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

const callback = async (number, kind, forgery) =>
  (await control('callback', { number, kind, forgery, build_only: true })).request;

const client = new Wechatpay({
  baseURL: base, mchid: keys.mchid, serial: keys.merchant_serial, privateKey: keys.merchant_key, secret: keys.v2_key,
  certs: { [keys.wxpay_public_key_id]: keys.wxpay_public_key, [keys.platform_serial]: keys.platform_cert },
  merchant: { cert: keys.merchant_cert, key: keys.merchant_key },
});

const made = await client.v3.pay.transactions.native.post({
  mchid: keys.mchid, appid: keys.mp_appid, out_trade_no: 'AXIOS_V3_1', description: '测试 a+b', notify_url,
  amount: { total: 100 },
});
assert.ok(made.data.code_url);
await control('pay', { number: 'AXIOS_V3_1', notify: false });
const found = await client.v3.pay.transactions.outTradeNo['{out_trade_no}'].get({
  out_trade_no: 'AXIOS_V3_1', params: { mchid: keys.mchid },
});
assert.equal(found.data.trade_state, 'SUCCESS');
console.log('APIv3: create and query');

const who = { appid: keys.mp_appid, mch_id: keys.mchid };
const receiver = new tenpay({ appid: keys.mp_appid, mchid: keys.mchid, partnerKey: keys.v2_key });
for (const sign_type of ['MD5', 'HMAC-SHA256']) {
  const out_trade_no = `AXIOS_V2_${sign_type.slice(0, 4)}`;
  const call = async (path, fields) => {
    const request = { ...who, nonce_str: Formatter.nonce(), sign_type, ...fields };
    return (await path.post(request)).data;
  };
  const order = await call(client.v2.pay.unifiedorder, {
    body: '测试 a+b', out_trade_no, total_fee: 100, spbill_create_ip: '127.0.0.1', notify_url, trade_type: 'NATIVE',
    product_id: '1',
  });
  assert.ok(order.code_url);
  await control('pay', { number: out_trade_no, notify: false });
  const asked = await call(client.v2.pay.orderquery, { out_trade_no });
  assert.equal(asked.trade_state, 'SUCCESS');
  const refunded = await call(client.v2.secapi.pay.refund, {
    transaction_id: asked.transaction_id, out_refund_no: `R_${out_trade_no}`, total_fee: 100, refund_fee: 30, notify_url,
  });
  assert.equal(refunded.refund_fee, '30');
  assert.equal((await call(client.v2.pay.refundquery, { out_trade_no })).refund_fee_0, '30');
  console.log(`APIv2 ${sign_type}: create, query, refund and refund query`);

  const payment = await callback(out_trade_no, 'payment');
  const told = await receiver._parse(payment.body, 'middleware_pay', sign_type);
  assert.deepEqual([told.total_fee, told.out_trade_no], ['100', out_trade_no]);
  for (const forgery of ['bad_signature', 'other_key', 'altered_amount', 'no_signature']) {
    const forged = await callback(out_trade_no, 'payment', forgery);
    await assert.rejects(receiver._parse(forged.body, 'middleware_pay', sign_type), forgery);
  }
  const refund = await receiver._parse((await callback(out_trade_no, 'refund')).body, 'middleware_refund');
  assert.deepEqual([refund.req_info.refund_fee, refund.req_info.out_trade_no], ['30', out_trade_no]);
  const forged = await callback(out_trade_no, 'refund', 'other_key');
  await assert.rejects(receiver._parse(forged.body, 'middleware_refund'), 'a refund under another key');
  console.log(`APIv2 ${sign_type}: callbacks`);
}
