// The console's pages for whoever looks after a shop: sums, payments, bills, transfers, calls; in both languages, on a phone,
// without script, by keyboard.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { killStacks, openContext, raw, results, startBrowser, startStack } from "./stack.mjs";
import { becomes, createOrder, payInWallet, refund, settled } from "./steps.mjs";

let stack, browser, context, page;
const paid = {};

before(async () => {
  stack = await startStack({ extra: ["--schedule", "1"] });
  browser = await startBrowser();
  context = await openContext(browser, stack);
  page = await context.newPage();
  for (const [name, way, amount, subject] of [
    ["tea", "alipay_h5", "25.80", "Longjing tea, 50 g"], ["formula", "wxpay_h5", "1.00", "=1+1"], ["bike", "wxpay_h5", "128.00", "A bicycle"],
  ]) {
    paid[name] = await createOrder(page, { way, amount, fields: { subject } });
    await payInWallet(page, paid[name]);
    await becomes(page, "SUCCESS");
  }
  await page.goto(`/orders/${paid.bike}`);
  await refund(page, "28.00");
  await settled(page, paid.bike, 1);
  paid.open = await createOrder(page, { way: "wxpay_h5", amount: "3.00", fields: { subject: "Not paid yet" } });
});

after(async () => {
  await browser?.close();
  const code = await stack?.stop();
  killStacks();
  assert.equal(code, 0, "SIGTERM ends it gracefully");
});

const key = async () => JSON.parse(await readFile(path.join(stack.dir, "config.json"), "utf8")).auth.keys.demo;
const listed = (page, part = "orders") => page.locator(`[data-testid=${part}] tbody tr`).evaluateAll((rows) => rows.map((row) => row.dataset.order));

async function call(name, body, { bearer, lang = "en" } = {}) {
  const headers = { "content-type": "application/json", "accept-language": lang };
  if (bearer) headers.authorization = `Bearer ${bearer}`;
  const answer = await fetch(`${stack.base}/${name}`, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

describe("home", () => {
  test("it sums up what was paid and refunded today, by provider, and names what is open", async () => {
    await page.goto("/");
    await page.waitForSelector('[data-testid=totals][data-missing="0"]');
    await page.waitForSelector('[data-testid=totals][data-today="15480"][data-month="15480"]');
    const text = await page.innerText("[data-testid=totals]");
    for (const sum of ["154.80", "28.00"]) assert.ok(text.includes(sum), `${sum}: ${text}`);
    assert.match(await page.innerText("[data-testid=success]"), /75 %[\s\S]*3 \/ 4/);
    assert.match(await page.innerText('[data-testid=by-provider] [data-provider=wxpay]'), /129\.00/);
    assert.equal(await page.getAttribute("[data-testid=oldest-due]", "data-late"), "false");
  });

  test("the picture is told to those who do not see it, and is a table for whoever wants one", async () => {
    await page.goto("/?lang=en");
    assert.equal(await page.getAttribute(".chart svg", "role"), "img");
    assert.match(await page.getAttribute(".chart svg", "aria-label"), /Paid and refunded on each/);
    await page.click(".chart details > summary");
    assert.equal(await page.locator(".chart tbody tr").count(), 30);
    await page.goto("/?lang=zh");
  });
});

describe("payments and orders", () => {
  test("a page lists what was paid in the last days, the newest first", async () => {
    await page.goto("/orders");
    assert.deepEqual(await listed(page), [paid.bike, paid.formula, paid.tea]);
    const row = page.locator(`[data-order="${paid.bike}"]`);
    assert.match(await row.innerText(), /128\.00[\s\S]*28\.00/);
    assert.match(await row.locator("time").getAttribute("title"), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    assert.ok(await row.locator("time").getAttribute("datetime"));
  });

  test("an order is found by its number, its payment's, its refund's, its user and a part of its subject", async () => {
    await page.goto(`/orders/${paid.bike}`);
    const config = JSON.parse(await page.locator("details.card.drawer pre").last().textContent());
    const refundNo = await page.locator("[data-testid=refund-item] code").first().innerText();
    for (const number of [paid.bike, config.transaction_id, refundNo]) {
      await page.goto(`/orders?q=${encodeURIComponent(number)}`);
      assert.deepEqual(await listed(page, "exact"), [paid.bike], number);
    }
    await page.goto("/orders?q=demo-user");
    assert.equal((await listed(page, "exact")).length, 4);
    await page.goto("/orders");
    await page.fill("[name=q]", "BICYCLE");
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=BICYCLE/);
    assert.deepEqual(await listed(page), [paid.bike]);
  });

  test("states, providers and days narrow the list; what is unpaid has a list of its own", async () => {
    for (const [query, expected] of [
      ["state=REFUND", [paid.bike]], ["provider=alipay", [paid.tea]], ["day=2020-01-01", []], ["state=NOTPAY", [paid.open]],
      ["user=demo-user&state=SUCCESS", [paid.formula, paid.tea]],
    ]) {
      await page.goto(`/orders?${query}`);
      assert.deepEqual(await listed(page), expected, query);
    }
  });

  test("what is asked wrongly is said, and what was typed stays", async () => {
    for (const query of ["from=2026-02-02&to=2026-01-01", "day=yesterday", "from=2020-01-01&to=2026-01-01", "state=PAID", "cursor=zzz"]) {
      const answer = await page.goto(`/orders?${query}&q=tea`);
      assert.equal(answer.status(), 400, query);
      await page.waitForSelector("[data-testid=filter-fault]");
      assert.equal(await page.inputValue("[name=q]"), "tea");
    }
  });

  test("the file has yuan and fen, a mark for Excel, and no formula", async () => {
    const answer = await fetch(`${stack.base}/orders.csv`);
    assert.match(answer.headers.get("content-disposition"), /attachment; filename="orders-[-\d]+\.csv"/);
    const bytes = Buffer.from(await answer.arrayBuffer());
    assert.deepEqual([...bytes.subarray(0, 3)], [0xef, 0xbb, 0xbf]);
    const lines = bytes.toString("utf8").trim().split("\r\n");
    assert.equal(lines.length, 4);
    const bike = lines.find((line) => line.startsWith(paid.bike));
    for (const cell of [",128.00,28.00,12800,2800,CNY,", ",REFUND,", ",A bicycle,"]) assert.ok(bike.includes(cell), `${cell}: ${bike}`);
    assert.ok(lines.some((line) => line.includes(`,"'=1+1",`)), "a formula is a text");
    assert.equal((await fetch(`${stack.base}/orders.csv?state=NOTPAY`)).status, 400, "no file can have them");
  });

  test("the language is switched where one is", async () => {
    await page.goto(`/orders?q=tea&provider=alipay`);
    await page.click(".lang");
    assert.equal(new URL(page.url()).searchParams.get("q"), "tea");
    assert.equal(await page.inputValue("[name=q]"), "tea");
    await page.click(".lang");
  });
});

describe("what went wrong with a form", () => {
  test("an amount is explained in the unit that was typed, and the form stands there as it was filled in", async () => {
    await page.goto("/?lang=en");
    await page.selectOption('[data-testid=create] [name="pay_type"]', "alipay_h5");
    await page.fill('[data-testid=create] [name="amount"]', "1.005");
    await page.click("[data-testid=create] details.more > summary");
    await page.fill('[data-testid=create] [name="subject"]', "Half a cent");
    await page.click("[data-testid=create-order]");
    const notice = await page.innerText("[data-testid=notice]");
    assert.match(notice, /in yuan/);
    assert.doesNotMatch(notice, /fen/);
    assert.equal(await page.inputValue('[data-testid=create] [name="amount"]'), "1.005");
    assert.equal(await page.inputValue('[data-testid=create] [name="subject"]'), "Half a cent");
    assert.equal(await page.inputValue('[data-testid=create] [name="pay_type"]'), "alipay_h5");
    await page.goto("/?lang=zh");
  });

  test("what the function refuses is said above the form", async () => {
    await page.goto("/");
    await page.click("[data-testid=create] details.more > summary");
    await page.fill('[data-testid=create] [name="out_trade_no"]', "a/b");
    await page.click("[data-testid=create-order]");
    assert.equal(await page.getAttribute("[data-testid=notice]", "data-status"), "400");
    assert.equal(await page.inputValue('[data-testid=create] [name="out_trade_no"]'), "a/b");
  });

  test("a rule without a right number of times is none, and is not for ever", async () => {
    const token = (await (await fetch(`${stack.base}/sandbox`)).text()).match(/name="_token" value="([0-9a-f]+)"/)[1];
    const { host } = new URL(stack.base);
    const headers = { host, "content-type": "application/x-www-form-urlencoded" };
    const body = `_token=${token}&what=lose&op=notify&times=many`;
    assert.equal((await raw(stack.base, { method: "POST", path: "/sandbox/misbehave", headers, body })).status, 400);
    await page.goto("/sandbox");
    assert.equal(await page.locator("[data-testid=rule]").count(), 0);
  });
});

describe("rules of the sandbox", () => {
  test("every page says that some are in force, until they are used up", async () => {
    await page.goto("/sandbox");
    await page.selectOption('[name="what"]', "system_error");
    await page.selectOption('[name="op"]', "create");
    await page.click("[data-testid=misbehave]");
    assert.equal(await page.locator("[data-testid=rule]").count(), 1);
    for (const url of ["/", "/orders", "/developers"]) {
      await page.goto(url);
      await page.waitForSelector("[data-testid=misbehaving]");
    }
    await call("create-payment", { provider: "wxpay", data: { out_trade_no: `RULE${Date.now()}`, total_fee: 1, subject: "x", type: "custom", needQRcode: true } });
    await page.goto("/sandbox");
    assert.equal(await page.locator("[data-testid=rule]").count(), 0, "it applied once");
    assert.equal(await page.locator("[data-testid=misbehaving]").count(), 0);
  });
});

describe("developers", () => {
  test("calls from anywhere are there, with who called, their bodies masked, and as text to copy", async () => {
    const no = `DEV${Date.now()}`;
    const openid = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";
    await call("create-payment", { action: "pay/createPayment", data: { provider: "wxpay", platform: "mp-weixin", openid, out_trade_no: no, total_fee: 1, subject: "x", type: "custom" } }, { bearer: await key() });
    await call("refund", { action: "pay/refund", data: { out_trade_no: no } });
    await page.goto(`/developers?order=${no}`);
    const calls = page.locator("[data-testid=call]");
    assert.equal(await calls.count(), 2);
    assert.equal(await calls.first().getAttribute("data-caller"), "none");
    assert.equal(await calls.first().getAttribute("data-status"), "401");
    assert.equal(await calls.last().getAttribute("data-caller"), "key");
    const text = await page.locator("main").textContent();
    assert.ok(!text.includes(openid) && text.includes("oUp•••"), "whose payment it is, is masked");
    assert.ok(!text.includes(await key()), "no key is shown");
    assert.match(text, /request_id/);
    await calls.last().locator("summary").first().click();
    await calls.last().locator(".copied summary").first().click();
    assert.match(await calls.last().locator(".copied pre").first().innerText(), /^curl -s "\$BASE\/create-payment" -H "authorization: Bearer \$KEY"/);
    assert.ok(await page.locator("[data-testid=receipt]").count() > 0, "the callbacks stand beside");
  });

  test("requests by name are there in both languages, masked, filtered, and as text to copy", async () => {
    const no = `RAW${Date.now()}`;
    await call("create-payment", { action: "pay/createPayment", data: { provider: "alipay", vk_platform: "h5", out_trade_no: no, total_fee: 1, subject: "x", type: "custom", needQRcode: true } }, { bearer: await key() });
    const method = "alipay.trade.query";
    const made = await call("transfer", { action: "pay/request", data: { provider: "alipay", method, data: { out_trade_no: no, buyer_id: "2088102146225135" } } }, { bearer: await key() });
    const balance = await call("transfer", { action: "pay/request", data: { provider: "wxpay", method: "GET", path: "/v3/merchant/fund/balance/BASIC" } }, { bearer: await key() });
    assert.equal(balance.status, 200, JSON.stringify(balance.body));
    for (const [lang, title, curl] of [["zh", "按名称调用", "复制为 curl"], ["en", "Requests by name", "Copy as curl"]]) {
      await page.goto(`/developers?method=${method}&lang=${lang}`);
      assert.ok((await page.locator("main").innerText()).includes(title), lang);
      const shown = page.locator("[data-testid=request]");
      const own = shown.filter({ has: page.locator(`code:text-is("${made.body.record_id}")`) });
      assert.equal(await own.count(), 1, lang);
      assert.equal(await page.locator(`[data-record="${balance.body.record_id}"]`).count(), 0, "another method");
      await own.locator("summary").first().click();
      const text = await own.textContent();
      assert.ok(text.includes(no) && text.includes("***") && !text.includes("2088102146225135"), "what was sent, with who pays masked");
      const copy = own.locator(".copied summary").first();
      assert.equal((await copy.innerText()).trim(), curl);
      await copy.click();
      const line = await own.locator(".copied pre").first().innerText();
      assert.match(line, /^curl -s "\$BASE\/transfer" -H "authorization: Bearer \$KEY"/);
      assert.ok(line.includes(`"method":"${method}"`) && line.includes(no), line);
    }
    await page.goto("/developers?result=bad&lang=zh");
    assert.equal(await page.locator(`[data-record="${balance.body.record_id}"]`).count(), 0, "it was good");
  });
});

describe("bills and transfers", () => {
  test("a day's bill is compared from here, and its report is there", async () => {
    await page.goto("/bills");
    await page.click("[data-testid=run-bills] button");
    assert.equal(await page.getAttribute("[data-testid=notice]", "data-status"), "200");
    await page.waitForSelector("[data-testid=bill]");
    const before = await page.locator("[data-testid=bill]").count();
    await page.locator("[data-testid=bill] form button").first().click();
    assert.equal(await page.getAttribute("[data-testid=notice]", "data-status"), "200");
    assert.equal(await page.locator("[data-testid=bill]").count(), before, "the same day is the same report");
  });

  test("a transfer is listed, found by its number, and its payee is masked", async () => {
    const no = `TR${Date.now()}`;
    const payee = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";
    const answer = await call("transfer", { action: "pay/transfer", data: {
      provider: "wxpay", out_bill_no: no, transfer_amount: 30, openid: payee, transfer_scene_id: "1000", transfer_remark: "test",
      transfer_scene_report_infos: [{ info_type: "活动名称", info_content: "x" }, { info_type: "奖励说明", info_content: "y" }],
    } }, { bearer: await key() });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    for (const query of ["", `?q=${no}`]) {
      await page.goto(`/transfers${query}`);
      const text = await page.locator("[data-testid=transfers]").textContent();
      assert.ok(text.includes(no) && text.includes("0.30") && !text.includes(payee), query);
    }
    await page.goto("/transfers?q=NOBODY_KNOWS");
    assert.equal(await page.locator("[data-testid=transfer]").count(), 0);
  });
});

describe("a page that nobody changes", () => {
  test("it asks once for all of its parts, ever more seldom, and not at all while it is hidden", async () => {
    const own = await openContext(browser, stack);
    const idle = await own.newPage();
    await idle.goto(`/orders/${paid.tea}`);
    const before = own.seen.length;
    await idle.waitForTimeout(6_000);
    const asked = own.seen.slice(before).filter((url) => !url.includes("/assets/"));
    assert.ok(asked.length >= 2 && asked.length <= 5, `${asked.length} requests in six seconds`);
    assert.ok(asked.every((url) => url.includes(`/orders/${paid.tea}/live?`)), asked.join("\n"));
    await idle.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await idle.waitForTimeout(300);
    const hidden = own.seen.length;
    await idle.waitForTimeout(3_000);
    assert.equal(own.seen.length, hidden);
    await own.close();
  });
});

describe("only what is configured", () => {
  test("with one way and one merchant, forms and shop offer no others", async () => {
    const file = path.join(stack.dir, "one.json");
    const config = JSON.parse(await readFile(path.join(stack.dir, "config.json"), "utf8"));
    const { notifyUrl, auth, wxpay } = config;
    await writeFile(file, JSON.stringify({ notifyUrl, auth, wxpay: { h5: wxpay.h5 } }));
    const one = await startStack({ extra: ["--config", file] });
    const own = await openContext(browser, one);
    const page = await own.newPage();
    await page.goto("/");
    assert.deepEqual(await page.locator('[name="pay_type"] option').evaluateAll((all) => all.map((own) => own.value)), ["wxpay_h5"]);
    assert.equal(await page.locator('[name="pid"] option').count(), 1);
    await page.goto("/demo");
    assert.deepEqual(await page.locator('[name="goods"]').evaluateAll((all) => all.map((own) => own.value)), ["wxpay"]);
    await own.close();
    assert.equal(await one.stop(), 0);
  });
});

describe("without script and by keyboard", () => {
  test("every page can be read and left", async () => {
    const plain = await openContext(browser, stack, { javaScriptEnabled: false });
    const own = await plain.newPage();
    for (const url of ["/", "/orders", "/incidents", "/transfers", "/bills", "/developers", "/tables", "/sandbox"]) {
      assert.equal((await own.goto(url)).status(), 200, url);
      assert.equal(await own.locator("h1, h2").count() > 0, true, url);
      assert.equal(await own.locator('nav[aria-label] a[aria-current="page"]').count() > 0, true, url);
    }
    await own.goto("/orders");
    await own.fill("[name=q]", paid.tea);
    await own.click("[data-testid=filters] button");
    assert.deepEqual(await listed(own, "exact"), [paid.tea]);
    await plain.close();
  });

  test("the first stop of the keyboard is the way past the navigation, and a table can be reached", async () => {
    await page.goto("/orders");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), "#main");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const stops = [];
    for (let presses = 0; presses < 30; presses++) {
      await page.keyboard.press("Tab");
      stops.push(await page.evaluate(() => document.activeElement.getAttribute("role") ?? document.activeElement.getAttribute("href") ?? ""));
    }
    assert.ok(stops.includes("region"), "a table that scrolls");
    assert.ok(stops.some((stop) => stop.startsWith(`/orders/`)), "an order");
  });

  test("tables have captions, and their headings say what they head", async () => {
    for (const url of ["/", "/orders", "/transfers", "/bills", "/tables/goods"]) {
      await page.goto(url);
      const wrong = await page.evaluate(() => [...document.querySelectorAll("table")].filter((table) =>
        !table.caption?.textContent.trim() || [...table.querySelectorAll("th")].some((head) => !head.scope)).length);
      assert.equal(wrong, 0, url);
    }
  });
});

describe("how it looks", () => {
  for (const width of [375, 1280]) {
    for (const [colorScheme, lang] of [["light", "zh"], ["dark", "en"]]) {
      test(`${width} px, ${colorScheme}, ${lang}: nothing runs out of the page, and the navigation is whole`, async () => {
        await mkdir(results, { recursive: true });
        const looks = await openContext(browser, stack, { viewport: { width, height: 860 }, colorScheme });
        const own = await looks.newPage();
        for (const [name, url] of Object.entries({
          home: "/", orders: "/orders", "orders-search": "/orders?q=demo-user", transfers: "/transfers", shipping: "/shipping", bills: "/bills", developers: "/developers",
          "order-refunded": `/orders/${paid.bike}`,
        })) {
          await own.goto(`${url}${url.includes("?") ? "&" : "?"}lang=${lang}`);
          await own.waitForTimeout(250);
          await own.screenshot({ path: path.join(results, `${name}-${lang}-${width}-${colorScheme}.png`), fullPage: true });
          const over = await own.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${name}: ${over} px too wide`);
          const cut = await own.evaluate(() => [...document.querySelectorAll(".top nav a")].filter((link) => {
            const box = link.getBoundingClientRect();
            return box.left < 0 || box.right > innerWidth;
          }).length);
          assert.equal(cut, 0, `${name}: the navigation is cut`);
          const clipped = await own.evaluate(() => [...document.querySelectorAll("[data-testid=order-table] .badge")].filter((badge) => {
            const box = badge.getBoundingClientRect(), room = badge.closest(".scroll").getBoundingClientRect();
            return box.left < room.left || box.right > room.right;
          }).map((badge) => badge.textContent));
          assert.deepEqual(clipped, [], `${name}: a badge is cut`);
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
