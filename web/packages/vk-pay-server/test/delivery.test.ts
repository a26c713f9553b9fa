import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { VkPayError, openDelivery, type DeliveryHeaders, type DeliveryOptions } from 'paybundle-server';

const KEY = 'the-shops-own-key';
const COLUMNS = {
  out_trade_no: 'FWD_001', total_fee: 100, refund_fee: 0, trade_state: 'SUCCESS', status: 1, type: 'course', provider: 'wxpay',
  custom: { course_id: 'c1', total_fee: 1 }, course_id: 'c1',
};
/** SHA-256 of the number, as the sender makes it; by coreutils' sha256sum. */
const ID = 'c08a8b64495d2c595aacffda36926460533670de25fb446c26fba84e562e297c';
const HEADERS = { 'content-type': 'application/json; charset=utf-8', 'idempotency-key': ID };
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

function refusal(body: unknown, options: DeliveryOptions = { key: KEY }, headers: DeliveryHeaders = HEADERS): [number, number] {
  try {
    openDelivery(bytes(body), headers, options);
  } catch (error) {
    assert.ok(error instanceof VkPayError, String(error));
    assert.ok(![KEY, NOTIFY_KEY].some((secret) => error.message.includes(secret)));
    return [error.code, error.status];
  }
  return assert.fail('it was taken');
}

describe('with a key', () => {
  const sent = { ...COLUMNS, key: KEY };

  test('the order is read, and its key is not handed on', () => {
    const { order, idempotencyKey } = openDelivery(bytes(sent), HEADERS, { key: KEY });
    assert.deepEqual(order, COLUMNS);
    assert.equal(idempotencyKey, ID);
    assert.equal(order.course_id, 'c1');
  });

  test('headers are read as node:http, fetch and others have them', () => {
    for (const headers of [HEADERS, new Headers(HEADERS), { 'Idempotency-Key': ID }]) {
      assert.equal(openDelivery(bytes(sent), headers, { key: KEY }).idempotencyKey, ID);
    }
  });

  test('any of several keys passes, and no other', () => {
    assert.ok(openDelivery(bytes(sent), HEADERS, { key: ['the-key-to-come', KEY] }));
    assert.deepEqual(refusal(sent, { key: ['the-key-to-come'] }), [403, 403]);
    for (const key of [undefined, null, '', 'wrong', `${KEY} `, [KEY], { length: 1 }, 0]) {
      assert.deepEqual(refusal({ ...COLUMNS, key }), [403, 403]);
    }
    for (const key of ['', [], [KEY, '']]) {
      assert.throws(() => openDelivery(bytes(sent), HEADERS, { key }), TypeError);
    }
  });

  test('an Idempotency-Key that is not the order\'s is refused', () => {
    const other = createHash('sha256').update('FWD_002').digest('hex');
    for (const headers of [{}, { 'idempotency-key': other }, { 'idempotency-key': '' }, { 'idempotency-key': [ID, ID] },
      { 'idempotency-key': `${ID}, ${ID}` }, { 'idempotency-key': ID, 'Idempotency-Key': other }]) {
      assert.deepEqual(refusal(sent, { key: KEY }, headers), [403, 403]);
    }
  });

  test('what is no paid order is malformed', () => {
    for (const body of ['', '{', '[]', 'null', '"text"']) assert.deepEqual(refusal(body), [400, 400], body);
    const noUtf8 = bytes({ ...sent, nickname: '?' });
    noUtf8[noUtf8.indexOf(0x3f)] = 0xff;
    assert.throws(() => openDelivery(noUtf8, HEADERS, { key: KEY }), { code: 400 });
    for (const change of [{ out_trade_no: 1 }, { total_fee: '100' }, { total_fee: 0.5 }, { trade_state: 'NOTPAY' }, { trade_state: undefined }]) {
      assert.deepEqual(refusal({ ...sent, ...change }), [400, 400]);
    }
    assert.ok(openDelivery(bytes({ ...sent, trade_state: 'REFUND', status: 2 }), HEADERS, { key: KEY }));
  });
});

const NOTIFY_KEY = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_';

describe('encrypted', () => {
  // docs/protocols/vkpay.md#aes: key, text, aes192, aes-256-ecb. None is a paid order, so each opens and is refused for that.
  const vectors = [
    ['12345678901234561234567890123456', 'f0d4d593f647eefb4823d1fed5f8494a', 'es2aF7DWr169X4fvMnlKNg=='],
    [NOTIFY_KEY, 'ae3a785e59ec292b91c5eb4e238255b6ded5006f46da7927c6852297e75e774cbacdf444c0acf128f83d688abaf7d3f6',
      'dbAav9Rg/5pzk7fRqt5wHzEg46jL7HgkzQ8F2HzWugP+nOGvOFeW4DPqaJRTTcUx'],
  ] as const;

  // The sender's side, with OpenSSL's key of the vectors' second pass phrase: openssl enc -aes-192-cbc -md md5 -nosalt -P.
  const derived = { key: '85F912A67B54C215A8249E900DA52E30A4A2B9541D5786CE', iv: '31A8FA28821D788F74DB0BB2F352F36E' };
  const seal = {
    aes192(text: string) {
      const cipher = createCipheriv('aes-192-cbc', Buffer.from(derived.key, 'hex'), Buffer.from(derived.iv, 'hex'));
      return cipher.update(text, 'utf8', 'hex') + cipher.final('hex');
    },
    'aes-256-ecb'(text: string) {
      const cipher = createCipheriv('aes-256-ecb', NOTIFY_KEY.slice(0, 32), null);
      return cipher.update(text, 'utf8', 'base64') + cipher.final('base64');
    },
  };

  test('the sender\'s side of this test seals as the published vectors', () => {
    const text = '{"out_trade_no":"T001","total_fee":1}';
    assert.deepEqual([seal.aes192(text), seal['aes-256-ecb'](text)], vectors[1].slice(1));
  });

  for (const encrypt of ['aes192', 'aes-256-ecb'] as const) {
    const options: DeliveryOptions = { notifyKey: NOTIFY_KEY, encrypt };

    test(`${encrypt}: the order is opened and read`, () => {
      const sealed = bytes({ encrypted: seal[encrypt](JSON.stringify({ ...COLUMNS, nickname: '张三' })) });
      assert.equal(openDelivery(sealed, HEADERS, options).order.nickname, '张三');
      const rotated = { notifyKey: ['another-key-of-32-characters-here', NOTIFY_KEY], encrypt };
      assert.equal(openDelivery(sealed, HEADERS, rotated).idempotencyKey, ID);
    });

    test(`${encrypt}: whatever is wrong inside is one refusal, so that nobody can decrypt by asking`, () => {
      const said = new Set<string>();
      const sealed = seal[encrypt](JSON.stringify(COLUMNS));
      const wrong = [
        seal[encrypt]('no JSON'), seal[encrypt]('[]'), seal[encrypt](JSON.stringify({ ...COLUMNS, trade_state: 'NOTPAY' })),
        vectors[1][encrypt === 'aes192' ? 1 : 2], vectors[0][encrypt === 'aes192' ? 1 : 2],
        sealed.slice(0, -8), `${sealed.slice(0, -4)}AAAA`, '', 'zz',
      ];
      for (const encrypted of wrong) {
        assert.throws(() => openDelivery(bytes({ encrypted }), HEADERS, options), (error) => {
          assert.ok(error instanceof VkPayError && error.status === 403);
          said.add(error.message);
          return true;
        });
      }
      assert.deepEqual([...said], ['cannot be opened']);
      assert.deepEqual(refusal({ encrypted: sealed }, { ...options, notifyKey: `x${NOTIFY_KEY}` }), [403, 403]);
    });
  }

  test('an order in clear is not taken for an encrypted one, and the other way round', () => {
    assert.deepEqual(refusal({ ...COLUMNS, key: NOTIFY_KEY }, { notifyKey: NOTIFY_KEY }), [400, 400]);
    assert.deepEqual(refusal({ encrypted: seal.aes192(JSON.stringify(COLUMNS)) }), [403, 403]);
  });

  test('a sealed order that was copied counts under its own number only', () => {
    const encrypted = seal.aes192(JSON.stringify(COLUMNS));
    assert.deepEqual(refusal({ encrypted }, { notifyKey: NOTIFY_KEY }, { 'idempotency-key': 'ab'.repeat(32) }), [403, 403]);
  });

  test('a key that is too short for the mode is the receiver\'s own fault', () => {
    assert.throws(() => openDelivery(bytes({ encrypted: '' }), HEADERS, { notifyKey: 'short', encrypt: 'aes-256-ecb' }), TypeError);
  });
});
