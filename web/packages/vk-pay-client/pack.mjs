// Builds lib, which is what is published: the modules with their declarations for import and require, and the committed
// one-file elements with their hashes. A folder's package.json says what its .js files are.
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const lib = (...parts) => path.join(here, 'lib', ...parts);
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const builds = {
  esm: { type: 'module', options: [] },
  cjs: { type: 'commonjs', options: ['--module', 'CommonJS', '--moduleResolution', 'Node10', '--verbatimModuleSyntax', 'false', '--outDir', 'lib/cjs'] },
};

rmSync(lib(), { recursive: true, force: true });
for (const [name, { type, options }] of Object.entries(builds)) {
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.lib.json', ...options], { cwd: here, stdio: 'inherit' });
  writeFileSync(lib(name, 'package.json'), `${JSON.stringify({ type })}\n`);
}
for (const name of ['vk-pay-button.js', 'vk-cashier.js', 'integrity.json']) copyFileSync(path.join(here, '../../dist', name), lib(name));
