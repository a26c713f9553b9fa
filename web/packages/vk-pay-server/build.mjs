// Builds dist/esm and dist/cjs, each with its declarations. A folder's package.json says what its .js files are.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const builds = {
  esm: { type: 'module', options: [] },
  cjs: { type: 'commonjs', options: ['--module', 'CommonJS', '--moduleResolution', 'Node10', '--outDir', 'dist/cjs'] },
};

rmSync(path.join(here, 'dist'), { recursive: true, force: true });
for (const [name, { type, options }] of Object.entries(builds)) {
  execFileSync(process.execPath, [tsc, '-p', '.', ...options], { cwd: here, stdio: 'inherit' });
  writeFileSync(path.join(here, 'dist', name, 'package.json'), `${JSON.stringify({ type })}\n`);
}
