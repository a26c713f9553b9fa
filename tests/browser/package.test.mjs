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

let site, files, folder, stack, browser;

const keyOf = ({ output }) => output.match(/Bearer (demo-[0-9a-f]+)/)[1];

// The element as it is and with one more line end, each by the hash of what it should be.
async function filesWithHash() {
  folder = await mkdtemp(path.join(tmpdir(), "vk-pay-hash-"));
  const hashes = JSON.parse(readFileSync(path.join(root, "web/dist/integrity.json"), "utf8"));
  const element = readFileSync(path.join(root, "web/dist/vk-pay-button.js"), "utf8");
  for (const [name, text] of [["right", element], ["changed", `${element}\n`]]) {
    await writeFile(path.join(folder, `${name}.js`), text);
    await writeFile(path.join(folder, `${name}.html`), `<!doctype html><script src="/${name}.js" integrity="${hashes["vk-pay-button.js"]}"></script><vk-pay-button></vk-pay-button>`);
  }
  return startSite(folder);
}

async function payInWallet(no) {
  const wallet = await (await openContext(browser, stack)).newPage();
  await wallet.goto(`/sandbox/cashier/${no}`);
  await wallet.click("[data-testid=wallet-pay]");
}

before(async () => {
  assert.ok(existsSync(path.join(built, "index.html")), "not built: web/check.sh, or npm run test:package in web/packages/vk-pay-client");
  site = await startSite(built);
  files = await filesWithHash();
  stack = await startStack({ extra: ["--cors-origin", site.base, "--cors-origin", files.base] });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  const code = await stack?.stop();
  await site?.stop();
  await files?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
  killStacks();
  assert.equal(code, 0);
});

test("the element of the installed package shows a code, which is paid", async () => {
  const context = await openContext(browser, site);
  const page = await context.newPage();
  const key = keyOf(stack);
  const no = `PACK${Date.now()}`;
  await page.goto(`/?${new URLSearchParams({ base: stack.base, key, no })}`);
  assert.equal(await page.getAttribute("html", "data-code"), "data:image/png;base64,");
  await page.click("#button");
  await page.waitForSelector("#button dialog[data-state=wait] [data-testid=qrcode]");
  await payInWallet(no);
  await page.getByText("paid", { exact: true }).waitFor();
  assert.deepEqual(context.faults, []);
});

test("a browser runs the one-file element by its hash, and pays by it; a changed one it does not run", async () => {
  const page = await (await openContext(browser, files)).newPage();
  const defined = async (name) => {
    await page.goto(`/${name}.html`);
    return page.evaluate(() => Boolean(customElements.get("vk-pay-button")));
  };
  assert.equal(await defined("changed"), false);
  assert.equal(await defined("right"), true);
  const no = `HASH${Date.now()}`;
  await page.evaluate(({ base, key, no }) => {
    const button = document.querySelector("vk-pay-button");
    button.setAttribute("base-url", base);
    button.headers = () => ({ authorization: `Bearer ${key}` });
    button.order = { out_trade_no: no, total_fee: 3000, subject: "Gold membership", type: "custom", provider: "wxpay" };
  }, { base: stack.base, key: keyOf(stack), no });
  await page.click("vk-pay-button");
  await page.waitForSelector("dialog[data-state=wait] [data-testid=qrcode]");
  await payInWallet(no);
  await page.waitForSelector("dialog[data-state=success]");
});
