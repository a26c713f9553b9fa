// Builds the committed bundles, and puts the hashes of the elements into dist/integrity.json and docs/pay-button.md; --check
// proves that all of it is what the source builds to; --sizes prints sizes.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { minify } from 'terser';

const here = path.dirname(fileURLToPath(import.meta.url));
const web = path.resolve(here, '../..');
const note = (what, more = '') => ({ js: `/* ${what} Source: web/packages/vk-pay-client; do not edit.${more} */` });
const MOST = { 'dist/vk-pay-button.js': 9 * 1024, 'dist/vk-cashier.js': 4 * 1024 };

// What only the element's own code reads or writes gets short names, to stay below its limit.
const privates = [...readFileSync(path.join(here, 'src/web/button.ts'), 'utf8').matchAll(/^  private (?:(?:readonly|get|set|async) )*(\w+)/gm)].map(([, name]) => name);
const internal = ['pollingTime', 'maxPolls', 'awaitNotify', 'payOrderInfo', 'queryAction', 'outTradeNo', 'inWeChat', 'inAlipay', 'isPhone', 'returnUrl', 'otherwise', 'hooks', 'stopped', 'polling', 'visible', 'fill', 'say', 'offline', 'baseUrl', 'actionKey', 'dataKey', 'bridge', 'alipayBridge', 'dialog', 'urls', 'ends', 'first', 'most', 'header', 'timeout', 'query'];
const short = new RegExp(`^(${[...new Set([...privates, ...internal])].join('|')})$`);

// The style's lines are for those who write it.
const style = {
  name: 'style',
  setup: (run) => run.onLoad({ filter: /web.style\.ts$/ }, ({ path: file }) => ({ contents: readFileSync(file, 'utf8').replace(/\n/g, ''), loader: 'ts' })),
};

const bundles = [
  {
    // Mini-programs run old engines, and the project that imports it minifies.
    file: 'uni_modules/paybundle-cashier/js_sdk/vk-pay-core.js',
    options: { entryPoints: ['src/core.ts'], format: 'esm', target: 'es2017', define: { 'globalThis.VK_PAY_ELEMENT': 'false' }, banner: note('VK-Pay client for uni-app.', ' Contains uqr 0.1.3, MIT, (c) Anthony Fu, Project Nayuki.') },
  },
  {
    file: 'dist/vk-pay-button.js',
    options: { entryPoints: ['src/web/define.ts'], format: 'iife', target: 'es2020', minify: true, plugins: [style], define: { 'globalThis.VK_PAY_ELEMENT': 'true' }, mangleProps: short, banner: { js: '/* Built from web/packages/vk-pay-client */' } },
  },
  {
    // Loaded by the pages that have a cashier, beside the button's file.
    file: 'dist/vk-cashier.js',
    options: { entryPoints: ['src/web/define-cashier.ts'], format: 'iife', target: 'es2020', minify: true, define: { 'globalThis.VK_PAY_ELEMENT': 'true' }, banner: { js: '/* Built from web/packages/vk-pay-client */' } },
  },
];

async function built(options) {
  const { outputFiles } = await build({
    absWorkingDir: here, bundle: true, write: false, charset: 'utf8', legalComments: 'none', logLevel: 'warning', ...options,
  });
  const { text } = outputFiles[0];
  if (options.format !== 'iife') return text;
  // esbuild keeps what nobody calls inside of a function.
  const { code } = await minify(text, { ecma: 2020, compress: { passes: 2 }, format: { comments: /^ Built from/ } });
  return `${code}\n`;
}

const pages = ['pay-button.md', 'pay-button.zh-CN.md'].map((name) => path.resolve(web, '../docs', name));
const hashOf = (text) => `sha384-${createHash('sha384').update(text).digest('base64')}`;

const size = (text) => `${text.length} bytes, ${gzipSync(text, { level: 9 }).length} gzipped`;

const check = process.argv.includes('--check');
const sizes = process.argv.includes('--sizes');
let wrong = 0;

async function put(target, text, more = '') {
  const name = path.relative(path.dirname(web), target);
  if (check) {
    const same = existsSync(target) && readFileSync(target, 'utf8') === text;
    console.log(`${name}: ${same ? 'is' : 'IS NOT'} what its source builds to`);
    if (!same) wrong += 1;
    return;
  }
  if (!sizes) {
    await mkdir(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  console.log(`${name}${more}`);
}

const hashes = {};
for (const { file, options } of bundles) {
  const text = await built(options);
  await put(path.join(web, file), text, `: ${size(text)}`);
  if (file.startsWith('dist/')) hashes[path.basename(file)] = hashOf(text);
  const bytes = gzipSync(text, { level: 9 }).length;
  if (bytes >= (MOST[file] ?? Infinity)) {
    console.error(`${file}: ${bytes} bytes gzipped, at most ${MOST[file]}`);
    wrong += 1;
  }
}
if (!sizes) {
  await put(path.join(web, 'dist/integrity.json'), `${JSON.stringify(hashes, null, 2)}\n`);
  for (const page of pages) {
    const text = readFileSync(page, 'utf8');
    for (const name of Object.keys(hashes)) {
      if (!new RegExp(`${name}" integrity="`).test(text)) throw new Error(`${page} has no integrity of ${name}`);
    }
    await put(page, text.replace(/([\w-]+\.js)" integrity="[^"]*"/g, (whole, name) => (hashes[name] ? `${name}" integrity="${hashes[name]}"` : whole)));
  }
}
if (sizes) {
  const parts = {
    'controller and transports': "export * from './controller'; export * from './transport'",
    'uni-app adapter with StoreKit': "export * from './uni/index'",
    'QR code as PNG': "export * from './qr'",
    'browser adapter': "export * from './web/invoke'; export * from './page'",
  };
  for (const [name, contents] of Object.entries(parts)) {
    const text = await built({ stdin: { contents, resolveDir: path.join(here, 'src'), loader: 'ts' }, format: 'esm', target: 'es2017', minify: true });
    console.log(`  ${name}, minified: ${size(text)}`);
  }
}
process.exitCode = wrong ? 1 : 0;
