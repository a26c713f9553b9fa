import { encode } from 'uqr';

const SCALE = 8;
const BLOCK = 4096;
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The modules of a QR code, true is dark, with its quiet zone. */
export function qrModules(text: string): boolean[][] {
  return encode(text, { ecc: 'M', border: 4 }).data;
}

/** A QR code as the data URL of a PNG: a picture that every platform shows and can save. */
export function qrPng(text: string): string {
  const modules = qrModules(text);
  const width = modules.length * SCALE;
  const rows: number[] = [];
  for (const line of modules) {
    const row = [0];
    // SCALE is one byte of pixels; a set bit is white.
    for (const dark of line) row.push(dark ? 0 : 255);
    for (let copy = 0; copy < SCALE; copy++) rows.push(...row);
  }
  const bytes = [
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a,
    ...chunk('IHDR', [...big(width), ...big(width), 1, 0, 0, 0, 0]),
    ...chunk('IDAT', stored(rows)),
    ...chunk('IEND', []),
  ];
  return `data:image/png;base64,${base64(bytes)}`;
}

function big(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function chunk(name: string, content: number[]): number[] {
  const body = [...name].map((letter) => letter.charCodeAt(0)).concat(content);
  let crc = -1;
  for (const byte of body) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return [...big(content.length), ...body, ...big(~crc)];
}

/** A zlib stream of stored blocks. */
function stored(content: number[]): number[] {
  const out = [0x78, 0x01];
  // Small blocks, because some engines take few arguments for one call.
  for (let at = 0; at < content.length; at += BLOCK) {
    const block = content.slice(at, at + BLOCK);
    const size = block.length;
    out.push(at + size < content.length ? 0 : 1, size & 255, size >>> 8, ~size & 255, (~size >>> 8) & 255, ...block);
  }
  let a = 1;
  let b = 0;
  for (const byte of content) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return [...out, b >>> 8, b & 255, a >>> 8, a & 255];
}

function base64(bytes: number[]): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let digit = 0; digit < 4; digit++) {
      text += at + digit > bytes.length ? '=' : BASE64[(group >>> (18 - 6 * digit)) & 63];
    }
  }
  return text;
}
