// Puts the examples into docs/your-backend.md and its translation; --check proves that they are there as they are, and
// that both pages have the same headings and the same code.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const pages = ['your-backend.md', 'your-backend.zh-CN.md'].map((name) => path.resolve(here, '../../../../docs', name));
const examples = readdirSync(here).filter((name) => /^backend\./i.test(name)).sort().join();
const check = process.argv.includes('--check');

const filled = (page) => page.replace(/(<!-- (\S+) -->\n+```\w+\n)(?:[^]*?\n)??(```\n)/g, (_, before, file, after) =>
  before + readFileSync(path.join(here, file), 'utf8') + after);
const blocks = (page) => page.match(/^```[^]*?^```$/gm);
const headings = (page) => page.replace(/^```[^]*?^```$/gm, '').match(/^#+ /gm);

const named = (page) => page.match(/(?<=^<!-- )\S+(?= -->\n\n```)/gm).sort().join();

const texts = pages.map((page) => readFileSync(page, 'utf8'));
let wrong = 0;
pages.forEach((page, at) => {
  const text = filled(texts[at]);
  if (named(text) !== examples) {
    console.log(`${path.basename(page)}: HAS ${named(text)}, NOT ${examples}`);
    wrong += 1;
  }
  if (text === texts[at]) return;
  if (!check) writeFileSync(page, text);
  console.log(`${path.basename(page)}: ${check ? 'HAS NOT' : 'has now'} the examples as they are`);
  wrong += check;
});
for (const [what, of] of Object.entries({ 'code blocks': blocks, headings })) {
  const [one, other] = texts.map((text) => of(filled(text)).join('\n'));
  const same = one === other;
  console.log(`${what} of both pages: ${same ? 'the same' : 'NOT THE SAME'}`);
  wrong += !same;
}
process.exitCode = wrong ? 1 : 0;
