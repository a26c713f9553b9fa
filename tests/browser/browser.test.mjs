import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { killStacks, openContext, raw, results, startBrowser, startStack } from "./stack.mjs";
import { ALL, balance, becomes, createOrder, payInWallet, refund, sendCallback, settled, state, waysOf } from "./steps.mjs";

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

describe("every way to pay", () => {
  for (const [pid, ways] of Object.entries(waysOf)) {
    for (const way of ways) {
      test(`${pid} ${way}: created, paid, credited once, refunded twice in part, not a third time`, async () => {
        const before = await balance(page);
        const no = await createOrder(page, { way, pid: pid === "default" ? "" : pid });
        assert.equal(await state(page), "NOTPAY");
        await page.waitForSelector('[data-testid=timeline] [data-event="created"]');
        await payInWallet(page, no);
        // A pay code is asked about; no callback is promised for it.
        if (way === "wxpay_codepay" && (await state(page)) === "NOTPAY") await page.click("[data-testid=query]");
        await becomes(page, "SUCCESS");
        await page.waitForSelector('[data-testid=timeline] [data-event="paid"]');
        await page.waitForSelector("[data-testid=delivered]");
        assert.equal(await balance(page), before + 100);
        await page.goto(`/orders/${no}`);
        if (way === "appleiap_app-plus") {
          // Only the store itself refunds.
          assert.equal(await refund(page, "0.30"), 422);
          return;
        }
        assert.equal(await refund(page, "0.30"), 200);
        assert.equal(await refund(page, "0.50"), 200);
        assert.equal(await refund(page, "0.30"), 409);
        await settled(page, no, 2);
        assert.equal(await page.getAttribute("[data-testid=refundable]", "data-fen"), "20");
        await becomes(page, "REFUND");
        assert.equal(await page.locator("[data-testid=incident]").count(), 0);
      });
    }
  }
});

describe("what a deliverer must withstand", () => {
  for (const [way, pid, signsTime] of [["wxpay_h5", "", true], ["wxpay_h5", "v2", false], ["alipay_h5", "", false], ["alipay_h5", "cert", false]]) {
    test(`${way} ${pid || "default"}: forged callbacks are refused, repeated ones credit nothing`, async () => {
      const before = await balance(page);
      const no = await createOrder(page, { way, pid });
      await payInWallet(page, no);
      await becomes(page, "SUCCESS");
      await page.goto(`/orders/${no}`);
      for (const kind of ["bad", "altered", "unsigned", "stranger", "probe"]) {
        const status = await sendCallback(page, kind);
        assert.ok(status >= 400 && status < 500, `${kind}: ${status}`);
      }
      for (const kind of ["again", "duplicate"]) assert.ok((await sendCallback(page, kind)) < 300, kind);
      // An old one can only be told where the time is signed; elsewhere it is not offered.
      if (signsTime) assert.equal(Math.floor((await sendCallback(page, "late")) / 100), 4);
      else assert.equal(await page.locator("[data-testid=callback-late]").count(), 0);
      await page.waitForSelector('[data-testid=timeline] [data-event="callback-refused"]');
      assert.equal(await state(page), "SUCCESS");
      assert.equal(await balance(page), before + 100);
    });
  }

  test("a lost callback: forged ones do not pay the order, asking the provider does", async () => {
    // Nothing else may ask meanwhile.
    const still = await startStack({ extra: ["--schedule", "0"] });
    const own = await openContext(browser, still);
    const page = await own.newPage();
    const no = await createOrder(page, { way: "wxpay_h5" });
    await payInWallet(page, no, "lost");
    assert.equal(await state(page), "NOTPAY");
    for (const kind of ["bad", "altered", "unsigned", "stranger"]) assert.ok((await sendCallback(page, kind)) >= 400, kind);
    assert.equal(await state(page), "NOTPAY");
    await page.click("[data-testid=query]");
    await becomes(page, "SUCCESS");
    await own.close();
    assert.equal(await still.stop(), 0);
  });

  test("a lost callback is found by the schedule", async () => {
    const soon = await startStack({ extra: ["--schedule", "1"] });
    const own = await openContext(browser, soon);
    const page = await own.newPage();
    const no = await createOrder(page, { way: "alipay_h5" });
    await payInWallet(page, no, "lost");
    // The schedule may have been before the page.
    await becomes(page, "SUCCESS");
    await page.waitForSelector("[data-testid=delivered]");
    await own.close();
    assert.equal(await soon.stop(), 0);
  });

  test("a wrong amount is an incident and never credits", async () => {
    const before = await balance(page);
    const no = await createOrder(page, { way: "wxpay_h5" });
    await payInWallet(page, no, "wrong");
    await page.waitForSelector("[data-testid=incident]");
    assert.equal(await state(page), "NOTPAY");
    assert.equal(await balance(page), before);
  });

  test("three callbacks for one payment credit once", async () => {
    const before = await balance(page);
    const no = await createOrder(page, { way: "alipay_h5" });
    await payInWallet(page, no, "duplicate");
    await becomes(page, "SUCCESS");
    await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=timeline] [data-event="callback"]')].reduce((sum, line) => sum + Number(line.dataset.times), 0) >= 3);
    assert.equal(await balance(page), before + 100);
  });

  test("a closed order takes no payment; a late one is an incident", async () => {
    const no = await createOrder(page, { way: "wxpay_h5" });
    await page.click("[data-testid=close]");
    await becomes(page, "CLOSED");
    await page.goto(`/sandbox/cashier/${no}`);
    await page.click("[data-testid=wallet-late]");
    await page.waitForSelector("[data-testid=wallet-paid]");
    await page.goto(`/orders/${no}`);
    await page.waitForSelector("[data-testid=incident]");
    assert.equal(await state(page), "CLOSED");
  });

  test("goods that are out of stock leave the payment and say why", async () => {
    const custom = '{"goods_id":"no-such-goods","quantity":1}';
    const no = await createOrder(page, { way: "alipay_h5", type: "goods", fields: { custom } });
    await payInWallet(page, no);
    await becomes(page, "SUCCESS");
    await page.waitForSelector("[data-testid=undelivered]");
  });

  test("an amount that is none is refused by the API and shown", async () => {
    await page.goto("/");
    await page.fill('[data-testid=create] [name="amount"]', "1.005");
    await page.click("[data-testid=create-order]");
    assert.equal(await page.getAttribute("[data-testid=notice]", "data-status"), "400");
  });
});

describe("without script", () => {
  test("an order is created, paid and refunded by plain forms", async () => {
    const plain = await openContext(browser, stack, { javaScriptEnabled: false });
    const page = await plain.newPage();
    const no = await createOrder(page, { way: "wxpay_mp-weixin" });
    await payInWallet(page, no);
    for (let tries = 0; tries < 40 && (await state(page)) !== "SUCCESS"; tries++) {
      await new Promise((done) => setTimeout(done, 100));
      await page.goto(`/orders/${no}`);
    }
    assert.equal(await refund(page, ""), 400, "an empty amount is none");
    assert.equal(await refund(page, ALL), 200);
    await plain.close();
  });
});

describe("other web pages", () => {
  const form = { "content-type": "application/x-www-form-urlencoded" };

  test("another host name is refused, for pages and functions", async () => {
    for (const host of ["evil.example", "127.0.0.1", "127.0.0.1:1", `evil.example:${new URL(stack.base).port}`]) {
      for (const target of ["/", "/demo", "/assets/console.css", "/sandbox/cashier/x", "/create-payment"]) {
        assert.equal((await raw(stack.base, { path: target, headers: { host } })).status, 403, `${host}${target}`);
      }
    }
  });

  test("a form without the token, with a wrong one, or from another origin changes nothing", async () => {
    const text = await (await fetch(`${stack.base}/`)).text();
    const token = text.match(/name="_token" value="([0-9a-f]+)"/)[1];
    const { host } = new URL(stack.base);
    const post = (headers, body) => raw(stack.base, { method: "POST", path: "/orders", headers: { host, ...form, ...headers }, body });
    const fields = "pay_type=wxpay_h5&amount=1.00&unit=yuan&type=custom";
    assert.equal((await post({}, fields)).status, 403);
    assert.equal((await post({}, `${fields}&_token=${"0".repeat(48)}`)).status, 403);
    for (const origin of ["http://evil.example", "null", "https://" + host]) {
      assert.equal((await post({ origin }, `${fields}&_token=${token}`)).status, 403, origin);
    }
    assert.equal((await post({ "sec-fetch-site": "cross-site" }, `${fields}&_token=${token}`)).status, 403);
    assert.equal((await post({ origin: stack.base, "sec-fetch-site": "same-origin" }, `${fields}&_token=${token}`)).status, 303);
    for (const target of ["/sandbox/misbehave", "/sandbox/behave", "/orders/x/refund", "/sandbox/cashier/x"]) {
      const answer = await raw(stack.base, { method: "POST", path: target, headers: { host, ...form }, body: "how=pay" });
      assert.equal(answer.status, 403, target);
    }
  });

  test("pages carry a strict policy, functions no CORS", async () => {
    const { headers } = await raw(stack.base, { headers: { host: new URL(stack.base).host } });
    assert.match(headers["content-security-policy"], /default-src 'none'.*frame-ancestors 'none'/);
    assert.doesNotMatch(headers["content-security-policy"], /unsafe|\*/);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["cache-control"], "no-store");
    const answer = await fetch(`${stack.base}/query-payment`, { method: "POST", headers: { origin: "http://evil.example" }, body: "{}" });
    assert.equal(answer.headers.get("access-control-allow-origin"), null);
  });

  test("what an order says is text, never markup", async () => {
    const subject = "<img src=x onerror=alert(1)>";
    const no = await createOrder(page, { way: "wxpay_h5", fields: { subject } });
    await page.goto(`/orders/${no}`);
    assert.ok((await page.innerText("[data-testid=head]")).includes(subject));
    assert.equal(await page.locator("main img").count(), 0);
  });

  test("the demo's files are the owner's alone", async () => {
    for (const name of ["demo-merchant.json", "config.json"]) {
      assert.equal((await stat(path.join(stack.dir, name))).mode & 0o777, 0o600, name);
    }
  });

  test("the curl line that is printed works", async () => {
    const line = stack.output.split("\n").find((text) => text.trim().startsWith("curl "));
    const { stdout } = await promisify(execFile)("sh", ["-c", line]);
    assert.equal(JSON.parse(stdout).code, 0, stdout);
  });
});

describe("started again", () => {
  test("orders and keys are kept; a trade that the sandbox forgot is said to be gone", async () => {
    const first = await startStack();
    let context = await openContext(browser, first);
    let page = await context.newPage();
    const paid = await createOrder(page, { way: "wxpay_h5" });
    await payInWallet(page, paid);
    await becomes(page, "SUCCESS");
    const open = await createOrder(page, { way: "wxpay_h5" });
    await context.close();
    assert.equal(await first.stop({ keep: true }), 0);

    const second = await startStack({ dir: first.dir });
    context = await openContext(browser, second);
    page = await context.newPage();
    assert.equal(await balance(page), 100);
    await page.goto(`/sandbox/cashier/${open}`);
    assert.equal(await page.locator("[data-testid=wallet-pay]").count(), 0);
    await page.goto(`/orders/${open}`);
    assert.equal(await page.locator("[data-testid=open-wallet]").count(), 0);
    await page.click("details.more > summary");
    await page.selectOption('details.more [name="pay_type"]', "alipay_h5");
    await page.click("details.more form button");
    await payInWallet(page, open);
    // The order's callbacks go to the port that it was created on.
    await page.click("[data-testid=query]");
    await becomes(page, "SUCCESS");
    await page.goto(`/orders/${paid}`);
    assert.equal(await state(page), "SUCCESS");
    assert.ok([404, 422, 409].includes(await refund(page, "1.00")), "the sandbox has nothing to refund");
    await context.close();
    assert.equal(await second.stop(), 0);
  });

  test("a configuration of one's own runs without a sandbox; a faulty one does not start", async () => {
    const own = path.join(stack.dir, "own.json");
    const config = JSON.parse(await readFile(path.join(stack.dir, "config.json"), "utf8"));
    await writeFile(own, JSON.stringify(config));
    const real = await startStack({ extra: ["--config", own, "--cors-origin", "http://localhost:5173"] });
    const context = await openContext(browser, real);
    const page = await context.newPage();
    for (const url of ["/", "/demo", "/tables/goods", "/sandbox"]) assert.equal((await page.goto(url)).status(), 200, url);
    for (const url of ["/", "/incidents", "/tables/goods", "/sandbox"]) {
      await page.goto(url);
      await page.waitForSelector("[data-testid=real-money]");
    }
    await mkdir(results, { recursive: true });
    await page.goto("/");
    await page.screenshot({ path: path.join(results, "console-real.png") });
    assert.equal((await page.goto("/sandbox/cashier/x")).status(), 404);
    assert.equal(await page.locator("[data-testid=wallet-pay]").count(), 0);
    const preflight = { "access-control-request-method": "POST" };
    const allowed = await fetch(`${real.base}/create-payment`, { method: "OPTIONS", headers: { ...preflight, origin: "http://localhost:5173" } });
    assert.equal(allowed.headers.get("access-control-allow-origin"), "http://localhost:5173");
    const other = await fetch(`${real.base}/create-payment`, { method: "OPTIONS", headers: { ...preflight, origin: "http://evil.example" } });
    assert.equal(other.headers.get("access-control-allow-origin"), null);
    assert.equal((await fetch(`${real.base}/`, { headers: { origin: "http://localhost:5173" } })).headers.get("access-control-allow-origin"), null);
    await context.close();
    assert.equal(await real.stop(), 0);
    await writeFile(own, JSON.stringify({ ...config, auth: { ...config.auth, refund: "none" } }));
    await assert.rejects(startStack({ extra: ["--config", own] }), /auth\.refund: must not be none/);
  });
});

describe("how it looks", () => {
  for (const width of [375, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${width} px, ${colorScheme}: nothing runs out of the page`, async () => {
        await mkdir(results, { recursive: true });
        const viewport = { width, height: width === 375 ? 812 : 860 };
        const looks = await openContext(browser, stack, { viewport, colorScheme });
        const page = await looks.newPage();
        const shoot = async (name, url) => {
          if (url) await page.goto(url);
          await page.screenshot({ path: path.join(results, `${name}-${width}-${colorScheme}.png`), fullPage: true });
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${name}: ${over} px too wide`);
        };
        const paid = await createOrder(page, { way: "wxpay_h5", amount: "25.80" });
        await shoot("order-unpaid", `/orders/${paid}`);
        await shoot("wallet-wxpay", `/sandbox/cashier/${paid}`);
        await payInWallet(page, paid);
        await becomes(page, "SUCCESS");
        await page.goto(`/orders/${paid}`);
        await refund(page, "5.00");
        await settled(page, paid, 1);
        await sendCallback(page, "altered");
        await sendCallback(page, "duplicate");
        await shoot("order-paid");
        const open = await createOrder(page, { way: "alipay_pc", amount: "128.00" });
        await shoot("wallet-alipay", `/sandbox/cashier/${open}`);
        await shoot("console", "/");
        await shoot("shop", "/demo");
        await page.click("[data-testid=buy-goods]");
        await page.waitForSelector("[data-testid=qrcode]");
        await shoot("checkout");
        await shoot("tables", "/tables/recharge_logs");
        await shoot("tables-orders", "/tables/vk-pay-orders");
        await shoot("sandbox", "/sandbox");
        await shoot("console-en", "/?lang=en");
        await shoot("order-paid-en", `/orders/${paid}`);
        assert.deepEqual(looks.faults, []);
        await looks.close();
      });
    }
  }
});

test("no page asked anything of anybody else, and no policy was broken", async () => {
  assert.ok(context.seen.length > 100);
  assert.deepEqual(context.seen.filter((url) => !url.startsWith(`${stack.base}/`) && !url.startsWith("data:")), []);
  assert.deepEqual(context.faults, []);
  const htmx = await readFile(new URL("../../local/assets/htmx.min.js", import.meta.url), "utf8");
  assert.match(htmx, /version:"2\.0\.11"/);
});
