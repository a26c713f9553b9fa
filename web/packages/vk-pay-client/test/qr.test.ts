import jsQR from 'jsqr';
import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { qrPng } from '../src/qr.js';

function decode(url: string): { text: string | undefined; width: number } {
  const { data, width, height } = PNG.sync.read(Buffer.from(url.replace('data:image/png;base64,', ''), 'base64'));
  return { text: jsQR(new Uint8ClampedArray(data), width, height)?.data, width };
}

describe('a QR code as a PNG', () => {
  test.each([
    'weixin://wxpay/bizpayurl?pr=2SnCzw8zz',
    'https://qr.alipay.com/bax7kba6vxeqpdc55rrm8nn?t=1&x=中文订单',
    'https://pay.example/'.padEnd(700, 'long'),
    '0123456789',
  ])('of %s is read as it was written', (text) => {
    expect(decode(qrPng(text)).text).toBe(text);
  });

  test('has its quiet zone, and pixels enough to scan', () => {
    const { data, width } = PNG.sync.read(Buffer.from(qrPng('weixin://x').split(',')[1]!, 'base64'));
    expect(width).toBeGreaterThan(200);
    const border = [0, 1, 2, 3].flatMap((module) => [data[(module * 8 * width + 40) * 4], data[(40 * width + module * 8) * 4]]);
    expect(new Set(border)).toEqual(new Set([255]));
  });
});
