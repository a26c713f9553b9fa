// What an operator sees and does: incidents, and orders that are handed to a receiver.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { killStacks, openContext, raw, results, startBrowser, startStack } from "./stack.mjs";
import { becomes, createOrder, payInWallet, state } from "./steps.mjs";

let stack, browser, context, page;

before(async () => {
  stack = await startStack({ extra: ["--schedule", "1"] });
  browser = await startBrowser();
  context = await openContext(browser, stack);
  page = await context.newPage();
});

after(async () => {
  await browser?.close();
  const code = await stack?.stop();
  killStacks();
  assert.equal(code, 0, "SIGTERM ends it gracefully");
});

const incidentOf = (no) => `[data-testid=incident-item][data-order="${no}"]`;
const task = (fields) => `[data-testid=task]${Object.entries(fields).map(([name, value]) => `[data-${name}="${value}"]`).join("")}`;

async function switchReceiver(page, fails) {
  await page.goto("/sandbox");
  const before = await page.getAttribute("[data-testid=receiver]", "data-fails");
  if (before !== String(fails)) await page.click("[data-testid=receiver-switch]");
  assert.equal(await page.getAttribute("[data-testid=receiver]", "data-fails"), String(fails));
}

async function payLate(page, way) {
  const no = await createOrder(page, { way });
  await page.click("[data-testid=close]");
  await becomes(page, "CLOSED");
  await page.goto(`/sandbox/cashier/${no}`);
  await page.click("[data-testid=wallet-late]");
  await page.waitForSelector("[data-testid=wallet-paid]");
  return no;
}

async function resolve(page, no, action, note) {
  await page.goto("/incidents");
  const item = page.locator(incidentOf(no));
  if (note) await item.locator("[name=note]").fill(note);
  await item.locator(`[data-testid=resolve-${action}]`).click();
  if (action !== "close") {
    await page.waitForSelector(`[data-testid=confirm-incident][data-action=${action}]`);
    await page.reload();
    await page.click("[data-testid=confirm]");
  }
  return Number(await page.getAttribute("[data-testid=notice]", "data-status"));
}

describe("incidents", () => {
  test("a late payment goes back by itself, and the incident ends with its refund", async () => {
    const no = await payLate(page, "wxpay_h5");
    await page.goto(`/orders/${no}`);
    await page.waitForSelector("[data-testid=incident]");
    await page.waitForSelector(task({ task: `refund#${no}X1`, state: "done" }));
    await page.waitForSelector('[data-testid=refund-item][data-state="SUCCESS"]');
    assert.equal(await state(page), "CLOSED");
    await page.goto("/incidents?status=resolved");
    await page.waitForSelector(`${incidentOf(no)}[data-action=refund]`);
    assert.equal(await page.locator(`${incidentOf(no)} form`).count(), 0, "nothing is left to decide");
  });

  test("a wrong amount waits for somebody: it is found from the order, closed with a note, and credits nothing", async () => {
    const no = await createOrder(page, { way: "wxpay_h5" });
    await payInWallet(page, no, "wrong");
    await page.waitForSelector("[data-testid=incident]");
    await page.click("[data-testid=incident] > a");
    await page.waitForSelector(`${incidentOf(no)} [data-testid=resolve-close]`);
    assert.equal(await page.locator(`${incidentOf(no)} [data-testid=resolve-accept]`).count(), 0);
    assert.equal(await resolve(page, no, "close", "<b>agreed by phone</b>"), 200);
    assert.ok(new URL(page.url()).search.includes("status=resolved"));
    assert.ok((await page.innerText(incidentOf(no))).includes("<b>agreed by phone</b>"));
    await page.goto(`/orders/${no}`);
    await page.waitForSelector('[data-testid=timeline] [data-event="incident resolved"]');
    assert.equal(await state(page), "NOTPAY");
  });

  test("a wrong amount is sent back by a button, without script too", async () => {
    const plain = await openContext(browser, stack, { javaScriptEnabled: false });
    const own = await plain.newPage();
    const no = await createOrder(own, { way: "alipay_h5" });
    await payInWallet(own, no, "wrong");
    for (let tries = 0; tries < 40; tries++) {
      await own.goto("/incidents");
      if ((await own.locator(incidentOf(no)).count()) > 0) break;
      await new Promise((done) => setTimeout(done, 100));
    }
    assert.equal(await resolve(own, no, "refund"), 200);
    await plain.close();
    await page.goto(`/orders/${no}`);
    await page.waitForSelector('[data-testid=refund-item][data-state="SUCCESS"]');
  });

  test("a form without the token decides nothing", async () => {
    const { host } = new URL(stack.base);
    const headers = { host, "content-type": "application/x-www-form-urlencoded" };
    for (const target of ["/incidents/0", "/orders/x/rerun", "/sandbox/receiver", "/sandbox/tomorrow"]) {
      assert.equal((await raw(stack.base, { method: "POST", path: target, headers, body: "action=close" })).status, 403, target);
    }
    const stranger = { host, "content-type": "application/json" };
    const answer = await raw(stack.base, { method: "POST", path: "/demo/receiver", headers: stranger, body: '{"out_trade_no":"x"}' });
    assert.equal(answer.status, 403, "the receiver wants its key");
  });
});

describe("an order that is handed to a receiver", () => {
  test("it is delivered with the callback, once", async () => {
    await switchReceiver(page, false);
    const no = await createOrder(page, { way: "wxpay_h5", type: "notify-me" });
    await payInWallet(page, no);
    await page.waitForSelector("[data-testid=delivered]");
    await page.waitForSelector(task({ task: "handler", state: "done", attempts: 1 }));
    assert.equal(await page.locator("[data-testid=rerun]").count(), 0);
    await page.goto("/sandbox");
    assert.equal(await page.locator(`[data-testid=deliveries] [data-order="${no}"]`).count(), 1);
  });

  test("a receiver that fails is tried again; when it works, the button hands the order over", async () => {
    await switchReceiver(page, true);
    const no = await createOrder(page, { way: "alipay_h5", type: "notify-me" });
    await payInWallet(page, no);
    await becomes(page, "SUCCESS");
    await page.waitForSelector("[data-testid=undelivered]");
    await page.waitForSelector(task({ task: "handler", state: "due", attempts: 2 }));
    await page.click("[data-testid=rerun]");
    assert.equal(await page.getAttribute("[data-testid=notice]", "data-status"), "200");
    await page.waitForSelector("[data-testid=undelivered]");
    await switchReceiver(page, false);
    await page.goto(`/orders/${no}`);
    await page.click("[data-testid=rerun]");
    await page.waitForSelector("[data-testid=delivered]");
    await page.waitForSelector(task({ task: "handler", state: "done" }));
    await page.goto("/sandbox");
    assert.equal(await page.locator(`[data-testid=deliveries] [data-order="${no}"][data-answer=taken]`).count(), 1);
  });

  test("after a day it is given up and is an incident; it can still be run by hand", async () => {
    await switchReceiver(page, true);
    const no = await createOrder(page, { way: "wxpay_h5", type: "notify-me" });
    await payInWallet(page, no);
    await page.waitForSelector(task({ task: "handler", state: "due", attempts: 2 }));
    await page.goto("/sandbox");
    await page.click("[data-testid=tomorrow]");
    assert.equal(await page.getAttribute("[data-testid=notice]", "data-status"), "200");
    await page.goto(`/orders/${no}`);
    await page.waitForSelector(task({ task: "handler", state: "parked" }));
    await page.waitForSelector(task({ task: "alarm", state: "done" }));
    await page.waitForSelector("[data-testid=incident]");
    await switchReceiver(page, false);
    await page.goto(`/orders/${no}`);
    await page.click("[data-testid=rerun]");
    await page.waitForSelector("[data-testid=delivered]");
    // Its incident ends with the delivery.
    await page.goto("/incidents");
    assert.equal(await page.locator(incidentOf(no)).count(), 0);
    await page.goto("/incidents?status=resolved");
    assert.ok(await page.locator(incidentOf(no)).count() > 0);
  });
});

describe("how it looks", () => {
  for (const width of [375, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${width} px, ${colorScheme}: nothing runs out of the page`, async () => {
        await mkdir(results, { recursive: true });
        const looks = await openContext(browser, stack, { viewport: { width, height: 812 }, colorScheme });
        const page = await looks.newPage();
        const no = await createOrder(page, { way: "wxpay_h5" });
        await payInWallet(page, no, "wrong");
        await page.waitForSelector("[data-testid=incident]");
        await switchReceiver(page, true);
        const failing = await createOrder(page, { way: "alipay_h5", type: "notify-me" });
        await payInWallet(page, failing);
        await page.waitForSelector(task({ task: "handler", state: "due", attempts: 2 }));
        for (const [name, url] of Object.entries({
          incidents: "/incidents", "incidents-resolved": "/incidents?status=resolved", "incidents-en": "/incidents?lang=en",
          "order-incident": `/orders/${no}`, "order-forwarded": `/orders/${failing}`, receiver: "/sandbox?lang=zh",
        })) {
          await page.goto(url);
          await page.screenshot({ path: path.join(results, `${name}-${width}-${colorScheme}.png`), fullPage: true });
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${name}: ${over} px too wide`);
        }
        assert.deepEqual(looks.faults, []);
        await looks.close();
      });
    }
  }
});

test("no page asked anything of anybody else, and no policy was broken", () => {
  assert.deepEqual(context.seen.filter((url) => !url.startsWith(`${stack.base}/`) && !url.startsWith("data:")), []);
  assert.deepEqual(context.faults, []);
});
