// npm alipay-sdk as a client of the sandbox, and as the receiver of its callbacks.
// Reads {keys, base, cert} from standard input; says what was confirmed; fails at the first doubt.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { AlipaySdk } from 'alipay-sdk';

const { keys, base, cert } = JSON.parse(readFileSync(0, 'utf8'));
const notifyUrl = 'http://127.0.0.1:9/none';

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

const sdk = new AlipaySdk({
  appId: keys.app_id, privateKey: keys.app_private_key, keyType: 'PKCS8', gateway: `${base}/gateway.do`,
  ...(cert ? {
    appCertContent: keys.app_cert, alipayPublicCertContent: keys.alipay_cert, alipayRootCertContent: keys.alipay_root_cert,
  } : { alipayPublicKey: keys.alipay_public_key }),
});
const exec = async (method, bizContent, rest = {}) => {
  const answer = await sdk.exec(method, { bizContent, ...rest }, { validateSign: true });
  assert.equal(answer.code, '10000', JSON.stringify(answer));
  return answer;
};

async function checkCallbacks(number, kind) {
  const fields = async (forgery) => {
    const { request } = await control('callback', { number, kind, forgery, build_only: true });
    return Object.fromEntries(new URLSearchParams(request.body));
  };
  const genuine = await fields();
  assert.ok(sdk.checkNotifySignV2(genuine), `${kind}: checkNotifySignV2`);
  // checkNotifySign decodes values once more, so it is asked with raw, as its own documentation advises.
  assert.ok(sdk.checkNotifySign(genuine, true), `${kind}: checkNotifySign`);
  for (const forgery of ['bad_signature', 'other_key', 'altered_amount', 'no_signature', 'empty_signature']) {
    assert.ok(!sdk.checkNotifySignV2(await fields(forgery)), `${kind}: ${forgery}`);
  }
  return genuine;
}

const number = `SDK_${cert ? 'CERT' : 'KEY'}_1`;
const made = await exec('alipay.trade.precreate', {
  out_trade_no: number, total_amount: '1.00', subject: '测试 a+b "c" {d}',
}, { notifyUrl });
assert.ok(made.qrCode);
await control('pay', { number, notify: false });
const found = await exec('alipay.trade.query', { out_trade_no: number });
assert.deepEqual([found.tradeStatus, found.totalAmount], ['TRADE_SUCCESS', '1.00']);
const refunded = await exec('alipay.trade.refund', { out_trade_no: number, refund_amount: '0.3', out_request_no: 'R1' });
assert.equal(refunded.refundFee, '0.30');
const asked = await exec('alipay.trade.fastpay.refund.query', { out_trade_no: number, out_request_no: 'R1' });
assert.equal(asked.refundAmount, '0.30');
console.log('precreate, query, refund and refund query');
assert.equal((await checkCallbacks(number, 'payment')).subject, '测试 a+b "c" {d}');
assert.equal((await checkCallbacks(number, 'refund')).refund_fee, '0.30');
console.log('callbacks');

const order = sdk.sdkExecute('alipay.trade.app.pay', {
  notify_url: notifyUrl, bizContent: { out_trade_no: `${number}_APP`, total_amount: '1.00', subject: '测试' },
});
await control('open', { order, pay: true });
await exec('alipay.trade.query', { out_trade_no: `${number}_APP` });
console.log('order string');

const page = sdk.pageExecute('alipay.trade.page.pay', 'GET', {
  bizContent: {
    out_trade_no: `${number}_PAGE`, total_amount: '1.00', subject: '测试', product_code: 'FAST_INSTANT_TRADE_PAY',
  },
});
await control('open', { order: page });
await exec('alipay.trade.close', { out_trade_no: `${number}_PAGE` });
console.log('page and close');
