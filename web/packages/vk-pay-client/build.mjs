// Builds the committed bundles; --check proves that they are what the source builds to; --sizes prints sizes.
import { build } from 'esbuild';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = path.dirname(fileURLToPath(import.meta.url));
const web = path.resolve(here, '../..');
const note = (what, more = '') => ({ js: `/* ${what} Source: web/packages/vk-pay-client; do not edit.${more} */` });
const MOST = { 'dist/vk-pay-button.js': 9 * 1024, 'dist/vk-cashier.js': 4 * 1024 };

// What only the element's own code reads or writes gets short names, to stay below its limit.
const privates = [...readFileSync(path.join(here, 'src/web/button.ts'), 'utf8').matchAll(/^  private (?:(?:readonly|get|set|async) )*(\w+)/gm)].map(([, name]) => name);
const internal = ['pollingTime', 'maxPolls', 'awaitNotify', 'payOrderInfo', 'queryAction', 'outTradeNo', 'inWeChat', 'inAlipay', 'isPhone', 'returnUrl', 'otherwise', 'hooks', 'stopped', 'polling', 'visible', 'fill', 'say', 'offline', 'baseUrl', 'actionKey', 'dataKey', 'alipayBridge'];
const short = new RegExp(`^(${[...new Set([...privates, ...internal])].join('|')})$`);

const bundles = [
  {
    // Mini-programs run old engines, and the project that imports it minifies.
    file: 'uni_modules/vk-uni-pay/js_sdk/vk-pay-core.js',
    options: { entryPoints: ['src/core.ts'], format: 'esm', target: 'es2017', define: { 'globalThis.VK_PAY_ELEMENT': 'false' }, banner: note('VK-Pay client for uni-app.', ' Contains uqr 0.1.3, MIT, (c) Anthony Fu, Project Nayuki.') },
  },
  {
    file: 'dist/vk-pay-button.js',
    options: { entryPoints: ['src/web/define.ts'], format: 'iife', target: 'es2020', minify: true, define: { 'globalThis.VK_PAY_ELEMENT': 'true' }, mangleProps: short, banner: { js: '/* Built from web/packages/vk-pay-client */' } },
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
  return outputFiles[0].text;
}

const size = (text) => `${text.length} bytes, ${gzipSync(text, { level: 9 }).length} gzipped`;

let wrong = 0;
for (const { file, options } of bundles) {
  const target = path.join(web, file);
  const text = await built(options);
  if (process.argv.includes('--sizes')) {
    console.log(`${file}: ${size(text)}`);
  } else if (process.argv.includes('--check')) {
    const same = existsSync(target) && readFileSync(target, 'utf8') === text;
    console.log(`${file}: ${same ? 'is' : 'IS NOT'} what its source builds to`);
    if (!same) wrong += 1;
  } else {
    await mkdir(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
    console.log(`${file}: ${size(text)}`);
  }
  const bytes = gzipSync(text, { level: 9 }).length;
  if (bytes >= (MOST[file] ?? Infinity)) {
    console.error(`${file}: ${bytes} bytes gzipped, at most ${MOST[file]}`);
    wrong += 1;
  }
}
if (process.argv.includes('--sizes')) {
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
