// The committed bundles, run where they run.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';
import { transformSync as transform, type TransformOptions } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { created, PAID } from './helpers.js';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const transformSync = (text: string, options: TransformOptions): string => transform(text, options).code;
const core = read('uni_modules/paybundle-cashier/js_sdk/vk-pay-core.js');
const element = read('dist/vk-pay-button.js');

describe('the bundle for uni-app', () => {
  test('pays in an engine that has neither document, URL, TextEncoder, fetch nor navigator', async () => {
    const script = transformSync(core, { format: 'cjs' });
    const module = { exports: {} as typeof import('../src/core.js') };
    vm.runInNewContext(script, { module, exports: module.exports, setTimeout });
    const { createPayController, httpTransport, qrPng, uniEnv, uniInvoke, uniPost } = module.exports;
    const paid: object[] = [];
    const uni = {
      request: ({ url, success }: { url: string; success?(told: object): void }) => success?.({
        statusCode: 200, header: {},
        data: JSON.stringify(url.endsWith('create-payment') ? created('T', { pay_type: 'wxpay_mp-weixin', orderInfo: { paySign: 's' } }) : PAID),
      }),
      requestPayment: ({ success, fail: _fail, ...options }: { success?(told: object): void; fail?: unknown }) => {
        paid.push(options);
        success?.({});
      },
    };
    const controller = createPayController({
      transport: httpTransport({ baseUrl: 'https://pay.example' }, uniPost(uni)), invoke: uniInvoke(uni, 'mp-weixin'), env: uniEnv('mp-weixin'),
    });
    expect((await controller.pay('pay/createPayment', { out_trade_no: 'T', total_fee: 1 })).type).toBe('success');
    expect(paid).toEqual([{ provider: 'wxpay', paySign: 's' }]);
    expect(qrPng('weixin://x')).toMatch(/^data:image\/png;base64,/);
  });

  test('has no syntax that is newer than ES2017', () => {
    expect(transformSync(core, { target: 'es2017' })).toBe(transformSync(core, {}));
  });
});

describe('the element', () => {
  test('is under 9 KB gzipped, and in one piece', () => {
    expect(gzipSync(element, { level: 9 }).length).toBeLessThan(9 * 1024);
    expect(element).not.toMatch(/\bimport\b/);
  });

  test('names no address to load anything from', () => {
    expect(element.match(/https?:\/\/[^/"'`\s]+/g)).toBeNull();
  });
});
