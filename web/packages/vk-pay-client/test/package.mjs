// What is published, as a stranger's project gets it: a page built by Vite, and types as the two resolvers read them.
// The page stays in `page`: tests/browser/package.test.mjs opens it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { devDependencies, overrides } = JSON.parse(readFileSync(path.join(here, 'package.json'), 'utf8'));

let folder;
let packed;
const file = (...parts) => path.join(folder, ...parts);
const run = (command, ...args) => {
  try {
    return execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}${error.stderr}`);
  }
};
before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'paybundle-page-'));
  // Without its scripts: lib is what a build has just made.
  const told = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: here, encoding: 'utf8' });
  [packed] = JSON.parse(told);
  const { typescript, vite } = devDependencies;
  writeFileSync(file('package.json'), JSON.stringify({ private: true, type: 'module', devDependencies: { typescript, vite }, overrides }));
  run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', file(packed.filename));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('nothing is published but what is needed to use it', () => {
  const paths = packed.files.map((one) => one.path);
  const needed = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'lib/vk-pay-button.js', 'lib/vk-cashier.js', 'lib/integrity.json'];
  for (const name of needed) assert.ok(paths.includes(name), name);
  assert.deepEqual(paths.filter((name) => /test|^src|node_modules|\.tgz$|\.map$/.test(name)), []);
});

test('no link of what is published leads to a place outside of it', () => {
  for (const name of packed.files.map((one) => one.path).filter((one) => one.endsWith('.md'))) {
    const text = readFileSync(file('node_modules/paybundle-client', name), 'utf8');
    assert.deepEqual(text.match(/\]\((?!https:|#)[^)]*\)/g) ?? [], [], name);
  }
});

test('every file that exports names is in the package', () => {
  const { exports, main, module, types, unpkg, typesVersions } = JSON.parse(readFileSync(file('node_modules/paybundle-client/package.json'), 'utf8'));
  const named = [];
  const collect = (value) => (typeof value === 'string' ? named.push(value) : Object.values(value).forEach(collect));
  [exports, main, module, types, unpkg, typesVersions].forEach(collect);
  for (const name of named) readFileSync(file('node_modules/paybundle-client', name));
});

test('the one-file elements have the hashes that are told, in the package and in the docs', () => {
  const hashes = JSON.parse(readFileSync(file('node_modules/paybundle-client/lib/integrity.json'), 'utf8'));
  assert.deepEqual(Object.keys(hashes), ['vk-pay-button.js', 'vk-cashier.js']);
  for (const [name, hash] of Object.entries(hashes)) {
    const bytes = readFileSync(file('node_modules/paybundle-client/lib', name));
    assert.equal(`sha384-${createHash('sha384').update(bytes).digest('base64')}`, hash);
    for (const page of ['pay-button.md', 'pay-button.zh-CN.md']) {
      assert.ok(readFileSync(path.resolve(here, '../../../docs', page), 'utf8').includes(`${name}" integrity="${hash}"`), `${page}, ${name}`);
    }
  }
});

for (const [name, code] of Object.entries({
  'node.mjs': "import { createPayController, httpTransport } from 'paybundle-client'; import { uniInvoke } from 'paybundle-client/uni';",
  'node.cjs': "const { createPayController, httpTransport } = require('paybundle-client'); const { uniInvoke } = require('paybundle-client/uni');",
})) {
  test(`${name} pays`, () => {
    writeFileSync(file(name), `${code}
const order = { code: 0, out_trade_no: 'T1', pay_type: 'wxpay_mp-weixin', provider: 'wxpay', orderInfo: { paySign: 's' } };
const post = async (url) => ({ status: 200, headers: {}, body: url.endsWith('create-payment') ? order : { code: 0, trade_state: 'SUCCESS', orderPaid: true } });
const env = { platform: 'mp-weixin', isPhone: true, isPC: false, inWeChat: false, inAlipay: false };
const invoke = uniInvoke({ requestPayment: ({ success }) => success({}) }, 'mp-weixin', undefined, env);
const transport = async (action) => (await post(action === 'pay/createPayment' ? 'create-payment' : '')).body;
if (typeof httpTransport !== 'function') throw new Error('no transport');
createPayController({ transport, invoke, env }).pay('pay/createPayment', { out_trade_no: 'T1', total_fee: 1 }).then(({ type }) => console.log(type));
`);
    assert.equal(run(process.execPath, name), 'success\n');
  });
}

const typed = `import 'paybundle-client/element';
import 'paybundle-client/cashier';
import { createPayController, detectEnv, httpTransport, type PayOutcome } from 'paybundle-client';
import { uniPost } from 'paybundle-client/uni';
import { VkPayButton, browserPage, fetchPost, webInvoke } from 'paybundle-client/web';
const env = detectEnv('h5', navigator.userAgent);
const transport = httpTransport({ baseUrl: 'https://pay.example' }, fetchPost);
const controller = createPayController({ transport, invoke: webInvoke(browserPage(window), env), env }, { polling: true });
const button = document.querySelector('vk-pay-button');
if (button) button.order = { out_trade_no: 'T1', total_fee: 1 };
export const made: VkPayButton | null = button;
export const paid: Promise<PayOutcome> = controller.pay('pay/createPayment', { out_trade_no: 'T1', total_fee: 1 });
// @ts-expect-error it has no such method
void button?.refund();
void document.createElement('vk-cashier').pay();
export { uniPost };
`;
for (const [name, options] of Object.entries({
  'bundler.ts': ['--module', 'ESNext', '--moduleResolution', 'Bundler'],
  'node16.mts': ['--module', 'Node16', '--moduleResolution', 'Node16'],
  'node16.cts': ['--module', 'Node16', '--moduleResolution', 'Node16'],
  'older.ts': ['--module', 'CommonJS', '--moduleResolution', 'Node10'],
})) {
  test(`${name} compiles strictly by ${options.at(-1)}`, () => {
    writeFileSync(file(name), typed);
    run(process.execPath, 'node_modules/typescript/bin/tsc', '--noEmit', '--strict', '--skipDefaultLibCheck', '--target', 'ES2022', ...options, name);
  });
}

test('a page of Vite that imports the elements is built', () => {
  mkdirSync(file('src'));
  writeFileSync(file('index.html'), `<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<vk-pay-button id="button" provider="wxpay">Pay ¥30</vk-pay-button>
<p id="result" role="status"></p>
<script type="module" src="/src/main.ts"></script></html>
`);
  writeFileSync(file('src/main.ts'), `import 'paybundle-client/element';
import { qrPng } from 'paybundle-client';
const asked = new URLSearchParams(location.search);
const button = document.querySelector('vk-pay-button')!;
button.setAttribute('base-url', asked.get('base') ?? '');
button.headers = () => ({ authorization: \`Bearer \${asked.get('key')}\` });
button.order = { out_trade_no: asked.get('no'), total_fee: 3000, subject: 'Gold membership', type: 'custom' };
button.addEventListener('success', () => { document.querySelector('#result')!.textContent = 'paid'; });
document.documentElement.dataset.code = qrPng('https://pay.example').slice(0, 22);
`);
  run(process.execPath, 'node_modules/vite/bin/vite.js', 'build', '--logLevel', 'error');
  rmSync(path.join(here, 'page'), { recursive: true, force: true });
  cpSync(file('dist'), path.join(here, 'page'), { recursive: true });
});
