// A refund by hand: what is typed is what is refunded, after a page that names it.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { killStacks, openContext, raw, results, startBrowser, startStack } from "./stack.mjs";
import { ALL, becomes, createOrder, payInWallet, refund, settled } from "./steps.mjs";

let stack, browser, context, page;

before(async () => {
  stack = await startStack();
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

async function paid(page, amount = "1.00") {
  const no = await createOrder(page, { way: "wxpay_h5", amount });
  await payInWallet(page, no);
  await page.goto(`/orders/${no}`);
  await becomes(page, "SUCCESS");
  await page.waitForSelector("[data-testid=refund-form]");
  return no;
}

// Calls a function as the shop's server does, while the page stands open.
async function call(action, data) {
  const { auth } = JSON.parse(await readFile(path.join(stack.dir, "config.json"), "utf8"));
  const answer = await fetch(`${stack.base}/refund`, {
    method: "POST",
    headers: { authorization: `Bearer ${auth.keys.demo}`, "content-type": "application/json" },
    body: JSON.stringify({ url: `pay/${action}`, data }),
  });
  return answer.json();
}

const refunds = async (no) => (await call("queryRefund", { out_trade_no: no })).refunds.map((one) => one.refund_fee).sort();
const status = async (page) => Number(await page.getAttribute("[data-testid=notice]", "data-status"));
const amount = '[data-testid=refund-form] [name="amount"]';

describe("D3: a page that refreshes under a form", () => {
  test("what was typed stays while another refund settles, and is what is confirmed and refunded", async () => {
    const no = await paid(page);
    await page.fill(amount, "0.40");
    await page.fill('[data-testid=refund-form] [name="refund_desc"]', "too much tea");
    const other = await call("refund", { out_trade_no: no, out_refund_no: "OTHER1", refund_fee: 10 });
    assert.equal(other.code, 0);
    // The list beside the form goes on showing how it is.
    await page.waitForSelector('[data-testid=refund-item][data-state="SUCCESS"]');
    await page.waitForSelector('[data-testid=refundable][data-fen="90"]');
    await page.waitForSelector("[data-testid=refunding][data-held]");
    assert.equal(await page.inputValue(amount), "0.40");
    // Without the focus too.
    await page.evaluate(() => document.activeElement.blur());
    await page.waitForTimeout(2_500);
    assert.equal(await page.inputValue(amount), "0.40");

    await page.click("[data-testid=refund]");
    const shown = page.locator("[data-testid=confirm-refund]");
    await shown.waitFor();
    assert.deepEqual(
      await Promise.all(["fen", "order", "left"].map((name) => shown.getAttribute(`data-${name}`))), ["40", no, "90"]);
    const text = await shown.innerText();
    for (const word of [no, "0.40", "0.90", "0.50", "too much tea"]) assert.ok(text.includes(word), word);
    await page.reload();
    assert.deepEqual(await refunds(no), [10], "a page that was only looked at refunds nothing");
    await mkdir(results, { recursive: true });
    await page.screenshot({ path: path.join(results, "refund-confirm.png"), fullPage: true });

    const confirmation = page.url();
    await page.click("[data-testid=confirm]");
    assert.equal(await status(page), 200);
    assert.deepEqual(await refunds(no), [10, 40]);
    assert.equal((await page.goto(confirmation)).status(), 410);
    await settled(page, no, 2);
  });

  test("a part without a form in use goes on refreshing, and a held one goes on when the form is emptied", async () => {
    const no = await paid(page);
    await page.fill(amount, "0.40");
    await call("refund", { out_trade_no: no, out_refund_no: "OTHER2", refund_fee: 30 });
    await page.waitForSelector("[data-testid=refunding][data-held]");
    await page.fill(amount, "");
    await page.evaluate(() => document.activeElement.blur());
    await page.waitForSelector("[data-testid=refunding]:not([data-held])");
    assert.match(await page.innerText("[data-testid=refund-all]"), /0\.70/);
  });

  test("a way to pay that was chosen stays chosen while the page refreshes", async () => {
    const no = await createOrder(page, { way: "wxpay_h5" });
    await page.goto(`/orders/${no}`);
    await page.click("[data-testid=pay] details.more > summary");
    await page.selectOption('[data-testid=pay] [name="pay_type"]', "alipay_h5");
    await page.evaluate(() => document.activeElement.blur());
    await page.waitForTimeout(2_500);
    assert.equal(await page.inputValue('[data-testid=pay] [name="pay_type"]'), "alipay_h5");
  });
});

describe("what is no amount", () => {
  test("an empty one, zero, a text, too much, and both ways at once are errors, and nothing is refunded", async () => {
    const no = await paid(page);
    for (const [text, wanted] of [["", 400], ["0", 400], ["0.00", 400], ["-1", 400], ["1.005", 400], ["all", 400], ["1.01", 409]]) {
      assert.equal(await refund(page, text), wanted, JSON.stringify(text));
      assert.equal(await page.inputValue(amount), text, "what was typed stands there again");
    }
    await page.fill(amount, "0.10");
    await page.click("[data-testid=refund-all]");
    assert.equal(await status(page), 400);
    assert.deepEqual(await refunds(no), []);
    await page.fill(amount, "");
    assert.equal(await refund(page, ALL), 200);
    assert.deepEqual(await refunds(no), [100]);
  });
});

describe("a confirmation", () => {
  test("counts once, for one order, and is shown anew when something else was refunded since", async () => {
    const no = await paid(page);
    await page.fill(amount, "0.20");
    await page.click("[data-testid=refund]");
    await page.waitForSelector("[data-testid=confirm-refund]");
    const target = new URL(page.url()).pathname;
    const token = await page.getAttribute('form [name="_token"]', "value");
    const { host } = new URL(stack.base);
    const headers = { host, "content-type": "application/x-www-form-urlencoded" };
    const post = (path, body) => raw(stack.base, { method: "POST", path, headers, body });
    assert.equal((await post(target, "")).status, 403, "without the form's token");
    await post(target.replace(no, "OTHER"), `_token=${token}`);
    assert.deepEqual(await refunds(no), []);
    await call("refund", { out_trade_no: no, out_refund_no: "OTHER3", refund_fee: 50 });
    await page.click("[data-testid=confirm]");
    const anew = page.locator("[data-testid=confirm-refund]");
    assert.equal(await anew.getAttribute("data-left"), "50");
    assert.deepEqual(await refunds(no), [50]);
    const second = new URL(page.url()).pathname;
    const answers = await Promise.all([1, 2, 3].map(() => post(second, `_token=${token}`)));
    assert.ok(answers.every((answer) => answer.status === 303));
    assert.deepEqual(await refunds(no), [20, 50], "three clicks, one refund");
  });

  test("works without script", async () => {
    const plain = await openContext(browser, stack, { javaScriptEnabled: false });
    const own = await plain.newPage();
    const no = await createOrder(own, { way: "alipay_h5" });
    await payInWallet(own, no);
    for (let tries = 0; tries < 40 && (await own.locator("[data-testid=refund-form]").count()) === 0; tries++) {
      await new Promise((done) => setTimeout(done, 100));
      await own.goto(`/orders/${no}`);
    }
    await own.click("[data-testid=refund-all]");
    assert.equal(await own.getAttribute("[data-testid=confirm-refund]", "data-fen"), "100");
    await own.click("[data-testid=cancel]");
    assert.deepEqual(await refunds(no), []);
    assert.equal(await refund(own, "0.35"), 200);
    assert.deepEqual(await refunds(no), [35]);
    await plain.close();
  });
});

test("no policy was broken and no page is too wide", async () => {
  const narrow = await openContext(browser, stack, { viewport: { width: 375, height: 812 }, colorScheme: "dark" });
  const own = await narrow.newPage();
  await paid(own, "25.80");
  await own.fill(amount, "12.30");
  await own.screenshot({ path: path.join(results, "refund-form-375.png"), fullPage: true });
  await own.click("[data-testid=refund]");
  await own.waitForSelector("[data-testid=confirm-refund]");
  await own.screenshot({ path: path.join(results, "refund-confirm-375.png"), fullPage: true });
  assert.ok((await own.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
  assert.deepEqual([...narrow.faults, ...context.faults], []);
  await narrow.close();
});
