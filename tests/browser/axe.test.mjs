// axe finds nothing on any page of the console, the shop, the sheet and the uni-app demo, light and dark.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import { startSite } from "./site.mjs";
import { killStacks, openContext, startBrowser, startStack } from "./stack.mjs";
import { createOrder, payInWallet } from "./steps.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const built = path.join(root, "web/demo-uniapp/dist/build/h5");

let stack, site, browser, paid, open;

before(async () => {
  site = existsSync(path.join(built, "index.html")) ? await startSite(built) : undefined;
  stack = await startStack({ extra: site ? ["--cors-origin", site.base] : [] });
  browser = await startBrowser();
  const context = await openContext(browser, stack);
  const page = await context.newPage();
  paid = await createOrder(page, { way: "wxpay_h5" });
  await payInWallet(page, paid);
  open = await createOrder(page, { way: "alipay_h5" });
  await context.close();
});

after(async () => {
  await browser?.close();
  const code = await stack?.stop();
  await site?.stop();
  killStacks();
  assert.equal(code, 0);
});

// What axe finds on a page as it stands, a line for each element. uni-app's runtime keeps its toasts in an element of
// its own beside the page.
async function faults(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run({ exclude: ["#u-a-t"] }, { resultTypes: ["violations"] }));
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id} (${help}): ${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`));
}

const LOOKS = [[375, 700, "light"], [375, 700, "dark"], [1280, 800, "light"], [1280, 800, "dark"]];

describe("axe finds nothing", () => {
  for (const [width, height, colorScheme] of LOOKS) {
    test(`on the console, ${width} px, ${colorScheme}`, async () => {
      const context = await openContext(browser, stack, { viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
      const page = await context.newPage();
      const pages = [
        "/", "/orders", `/orders/${paid}`, `/orders/${open}`, "/incidents", "/transfers", "/bills", "/developers",
        `/developers?order=${paid}`, "/tables", "/tables/uni-id-users", "/sandbox", `/sandbox/cashier/${open}`,
        `/sandbox/cashier/${paid}`, "/demo", "/nothing-here",
      ];
      const found = [];
      for (const url of pages) {
        await page.goto(url);
        found.push(...(await faults(page)).map((fault) => `${url}: ${fault}`));
      }
      assert.deepEqual(found, []);
      await context.close();
    });

    test(`on the sheet and the cashier, ${width} px, ${colorScheme}`, async () => {
      const context = await openContext(browser, stack, { viewport: { width, height }, colorScheme, locale: "en", reducedMotion: "reduce" });
      const page = await context.newPage();
      await page.goto("/demo");
      await page.locator("[data-testid=cashier] label").nth(1).waitFor();
      const found = await faults(page);
      const no = JSON.parse(await page.getAttribute("[data-testid=buy-goods]", "order")).out_trade_no;
      await page.click("[data-testid=buy-goods]");
      await page.waitForSelector("[data-testid=buy-goods] [data-testid=qrcode]");
      const sheet = page.locator("[data-testid=buy-goods] dialog");
      for (const state of ["ask", "wait", "pending", "unknown", "cancel", "fail", "ended", "success"]) {
        // What a state looks like is the sheet's; how it comes to it, tests/browser/sheet.test.mjs.
        await sheet.evaluate((dialog, state) => { dialog.dataset.state = state; }, state);
        found.push(...(await faults(page)).map((fault) => `${state}: ${fault}`));
      }
      const wallet = await context.newPage();
      await wallet.goto(`/sandbox/cashier/${no}?from=shop`);
      found.push(...await faults(wallet));
      assert.deepEqual(found, []);
      await context.close();
    });

    test(`on the uni-app demo, ${width} px, ${colorScheme}`, { skip: !site && !existsSync(built) && "not built" }, async () => {
      const context = await openContext(browser, site, { viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
      const page = await context.newPage();
      const key = stack.output.match(/Bearer (demo-[0-9a-f]+)/)[1];
      await page.goto("/");
      await page.fill("[data-testid=address] input", stack.base);
      await page.fill("[data-testid=key] input", key);
      await page.locator("[data-testid=key] input").blur();
      // VK-Pay's own sample pages are shown unchanged, whatever axe says of them.
      const found = [];
      for (const url of ["/", "/pages/providers/providers", "/pages/status/status", "/pages/cashier/cashier"]) {
        await page.goto("about:blank");
        await page.goto(`/#${url}`);
        await page.waitForTimeout(300);
        found.push(...(await faults(page)).map((fault) => `${url}: ${fault}`));
      }
      await page.goto("about:blank");
      await page.goto("/#/pages/providers/providers");
      const refused = (route) => (route.request().postData()?.includes('"pay/createPayment"')
        ? route.fulfill({ json: { code: 2013, msg: "no answer" }, headers: { "access-control-allow-origin": site.base } })
        : route.continue());
      await page.route(`${stack.base}/**`, refused);
      await page.click("[data-testid=pay]");
      await page.waitForSelector("[data-testid=qrcode-popup][data-state=unknown]");
      found.push(...(await faults(page)).map((fault) => `the popup without an order: ${fault}`));
      await page.unroute(`${stack.base}/**`, refused);
      await page.click("[data-testid=qrcode-again]");
      await page.waitForSelector("[data-testid=qrcode-popup][data-state=wait] [data-testid=qrcode]");
      found.push(...(await faults(page)).map((fault) => `the popup: ${fault}`));
      assert.deepEqual(found, []);
      await context.close();
    });
  }
});
