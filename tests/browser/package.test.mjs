// A page that Vite built of the packed client, on an origin of its own, against the stack; and the one-file element with
// its hash.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startSite } from "./site.mjs";
import { killStacks, openContext, startBrowser, startStack } from "./stack.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const built = path.join(root, "web/packages/vk-pay-client/page");

let site, stack, browser;

before(async () => {
  assert.ok(existsSync(path.join(built, "index.html")), "not built: web/check.sh, or npm run test:package in web/packages/vk-pay-client");
  site = await startSite(built);
  stack = await startStack({ extra: ["--cors-origin", site.base] });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  const code = await stack?.stop();
  await site?.stop();
  killStacks();
  assert.equal(code, 0);
});

test("the element of the installed package shows a code, which is paid", async () => {
  const context = await openContext(browser, site);
  const page = await context.newPage();
  const key = stack.output.match(/Bearer (demo-[0-9a-f]+)/)[1];
  const no = `PACK${Date.now()}`;
  await page.goto(`/?${new URLSearchParams({ base: stack.base, key, no })}`);
  assert.equal(await page.getAttribute("html", "data-code"), "data:image/png;base64,");
  await page.click("#button");
  await page.waitForSelector("#button dialog[data-state=wait] [data-testid=qrcode]");
  const wallet = await (await openContext(browser, stack)).newPage();
  await wallet.goto(`/sandbox/cashier/${no}`);
  await wallet.click("[data-testid=wallet-pay]");
  await page.getByText("paid", { exact: true }).waitFor();
  assert.deepEqual(context.faults, []);
});

test("a browser runs the one-file element by its hash, and no changed one", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "vk-pay-hash-"));
  const hashes = JSON.parse(readFileSync(path.join(root, "web/dist/integrity.json"), "utf8"));
  const element = readFileSync(path.join(root, "web/dist/vk-pay-button.js"), "utf8");
  await writeFile(path.join(folder, "right.js"), element);
  await writeFile(path.join(folder, "changed.js"), `${element}\n`);
  for (const name of ["right", "changed"]) {
    await writeFile(path.join(folder, `${name}.html`), `<!doctype html><script src="/${name}.js" integrity="${hashes["vk-pay-button.js"]}"></script><vk-pay-button></vk-pay-button>`);
  }
  const own = await startSite(folder);
  const page = await (await openContext(browser, own)).newPage();
  const defined = async (name) => {
    await page.goto(`/${name}.html`);
    return page.evaluate(() => Boolean(customElements.get("vk-pay-button")));
  };
  assert.deepEqual([await defined("right"), await defined("changed")], [true, false]);
  await own.stop();
  await rm(folder, { recursive: true, force: true });
});
