// What is published, as a stranger's project gets it: imported, required, and compiled both ways.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const npm = (folder: string, ...args: string[]) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, encoding: 'utf8' });

let folder: string;
let packed: { filename: string; files: { path: string }[] };

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'paybundle-consumer-'));
  // Without its scripts: these tests run from what a build has just made.
  [packed] = JSON.parse(npm(here, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder)) as [typeof packed];
  writeFileSync(path.join(folder, 'package.json'), '{"private":true}');
  npm(folder, 'install', '--offline', path.join(folder, packed.filename));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const consumer = `
const pay = new VkPay({ baseUrl: 'https://pay.example', key: 'a-secret-of-the-shop' });
export async function sell(body: Uint8Array, headers: Record<string, string>): Promise<string> {
  const made = await pay.createPayment({ provider: 'wxpay', out_trade_no: 'T1', total_fee: 1, subject: 's', type: 't' });
  // @ts-expect-error an amount is a number
  void pay.refund({ out_trade_no: 'T1', refund_fee: '1' });
  // @ts-expect-error all has to be asked for
  void pay.refund({ out_trade_no: 'T1' });
  const { order }: Delivery = openDelivery(body, headers, { key: 'k' });
  const error: unknown = new VkPayError({ code: 2013, message: order.out_trade_no });
  if (error instanceof VkPayError && error.retryable) return String(error.code);
  return made.pay_type === 'wxpay_h5' ? made.orderInfo.codeUrl : signQuote({ out_trade_no: 'T1', total_fee: 1, type: 't', custom: {} }, { secret: 's' });
}
`;

test('nothing is published but what is needed to use it', () => {
  const paths = packed.files.map((file) => file.path);
  for (const name of ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'dist/esm/index.d.ts', 'dist/cjs/index.d.ts', 'dist/cjs/package.json']) {
    assert.ok(paths.includes(name), name);
  }
  assert.deepEqual(paths.filter((name) => /test|src|node_modules|\.tgz$/.test(name)), []);
});

test('no link of what is published leads to a place outside of it', () => {
  for (const name of packed.files.map((file) => file.path).filter((path) => path.endsWith('.md'))) {
    const text = readFileSync(path.join(folder, 'node_modules/paybundle-server', name), 'utf8');
    assert.deepEqual(text.match(/\]\((?!https:|#)[^)]*\)/g) ?? [], [], name);
  }
});

for (const [name, code] of Object.entries({
  'consumer.mjs': "import { VkPay, VkPayError, openDelivery, signQuote } from 'paybundle-server';",
  'consumer.cjs': "const { VkPay, VkPayError, openDelivery, signQuote } = require('paybundle-server');",
})) {
  test(`${name} runs`, () => {
    const check = "console.log([VkPay, VkPayError, openDelivery, signQuote].map((one) => typeof one).join());";
    writeFileSync(path.join(folder, name), `${code}\n${check}\n`);
    assert.equal(execFileSync(process.execPath, [name], { cwd: folder, encoding: 'utf8' }), 'function,function,function,function\n');
  });
}

for (const [name, options] of Object.entries({
  'consumer.mts': ['--module', 'NodeNext'],
  'consumer.cts': ['--module', 'NodeNext'],
  'bundled.ts': ['--module', 'ESNext', '--moduleResolution', 'Bundler'],
  'older.ts': ['--module', 'CommonJS', '--moduleResolution', 'Node10'],
})) {
  test(`${name} compiles by ${options.join(' ')}`, () => {
    writeFileSync(path.join(folder, name), `import { VkPay, VkPayError, openDelivery, signQuote, type Delivery } from 'paybundle-server';\n${consumer}`);
    const types = path.join(here, 'node_modules/@types');
    execFileSync(process.execPath, [tsc, '--noEmit', '--strict', '--target', 'ES2022', '--types', 'node', '--typeRoots', types, ...options, name], {
      cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
    });
  });
}
