'use strict';
/** VK-Pay's two ways to encrypt with `notifyKey` (docs/protocols/vkpay.md#aes). */

const crypto = require('node:crypto');

/** Key and IV as Node's former `createCipher('aes192', key)` made them: EVP_BytesToKey, MD5, no salt. */
function derived(key) {
  let bytes = Buffer.alloc(0);
  let last = Buffer.alloc(0);
  while (bytes.length < 40) {
    last = crypto.createHash('md5').update(last).update(key).digest();
    bytes = Buffer.concat([bytes, last]);
  }
  return [bytes.subarray(0, 24), bytes.subarray(24, 40)];
}

const MODES = {
  aes192: { cipher: 'aes-192-cbc', encoding: 'hex', keys: derived },
  'aes-256-ecb': { cipher: 'aes-256-ecb', encoding: 'base64', keys: (key) => [Buffer.from(key.slice(0, 32)), null] },
};

/** `vkPay.crypto.aes`, with a key for those who name none. */
function aes(defaultKey) {
  const chosen = (mode, key) => {
    if (!Object.hasOwn(MODES, mode)) throw new Error(`aes: mode ${mode} is neither aes192 nor aes-256-ecb`);
    const text = key ?? defaultKey();
    if (typeof text !== 'string' || text.length < 32) throw new Error('aes: needs notifyKey, at least 32 characters: PAY_NOTIFY_KEY');
    return { ...MODES[mode], keys: MODES[mode].keys(text) };
  };
  return {
    encrypt({ data, key, mode = 'aes192' }) {
      const { cipher, encoding, keys } = chosen(mode, key);
      const text = typeof data === 'string' ? data : JSON.stringify(data);
      const sealing = crypto.createCipheriv(cipher, ...keys);
      return sealing.update(text, 'utf8', encoding) + sealing.final(encoding);
    },
    decrypt({ data, key, mode = /^([0-9a-f]{32})+$/.test(data) ? 'aes192' : 'aes-256-ecb' }) {
      const { cipher, encoding, keys } = chosen(mode, key);
      let text;
      try {
        const opening = crypto.createDecipheriv(cipher, ...keys);
        text = opening.update(data, encoding, 'utf8') + opening.final('utf8');
      } catch {
        throw new Error('解密失败');
      }
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    },
  };
}

module.exports = { aes };
