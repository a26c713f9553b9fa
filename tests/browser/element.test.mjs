// The custom element <vk-pay-button>: in the console's shop, and on a plain page of another origin.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { scan } from "./scan.mjs";
import { addButton, ending, eventsOf, servePage, startShop } from "./page.mjs";
import { killStacks, openContext, results, startBrowser, startStack } from "./stack.mjs";
import { becomes } from "./steps.mjs";

const built = new URL("../../web/dist/vk-pay-button.js", import.meta.url);

let plain, stack, browser, context, page;
let call, misbehave, openShop, orderOf, payElsewhere;

before(async () => {
  plain = await servePage(built);
  stack = await startStack({ extra: ["--cors-origin", plain.origin, "--schedule", "1"] });
  browser = await startBrowser();
  context = await openContext(browser, stack);
  page = await context.newPage();
  ({ call, misbehave, openShop, orderOf, payElsewhere } = startShop({ plain, stack, browser }));
});

after(async () => {
  await browser?.close();
  await plain?.close();
  const code = await stack?.stop();
  killStacks();
  assert.equal(code, 0, "SIGTERM ends it gracefully");
});

describe("in the console's shop", () => {
  for (const [product, provider] of [["recharge", "wxpay"], ["goods", "alipay"], ["vip", "vkspay"]]) {
    test(`${product} by ${provider}: the code is scanned off the screen, paid in the wallet, delivered`, async () => {
      await page.goto("/demo");
      await page.locator(`.product[data-kind=${product}] label:has(input[value=${provider}])`).click();
      const [answer] = await Promise.all([
        page.waitForResponse(`${stack.base}/create-payment`),
        page.click(`[data-testid=buy-${product}]`),
      ]);
      const created = await answer.json();
      assert.equal(created.provider, provider);
      const code = page.locator("[data-testid=qrcode]");
      await code.waitFor();
      assert.equal(await scan(code), created.orderInfo.codeUrl);
      const [wallet] = await Promise.all([context.waitForEvent("page"), page.click("[data-testid=open-wallet]")]);
      assert.equal(new URL(wallet.url()).pathname, `/sandbox/cashier/${created.out_trade_no}`);
      assert.match(await wallet.innerText("[data-testid=wallet-amount]"), /^¥\s*\d+\.\d\d$/);
      await wallet.click("[data-testid=wallet-pay]");
      await wallet.waitForSelector("[data-testid=wallet-paid]");
      await wallet.close();
      await page.bringToFront();
      const result = page.locator("[data-testid=result]");
      await result.waitFor();
      assert.equal(await result.getAttribute("data-out-trade-no"), created.out_trade_no);
      assert.equal(await result.getAttribute("data-delivered"), "true");
      assert.equal(await code.count(), 0, "the dialog has closed");
      const next = JSON.parse(await page.getAttribute(`[data-testid=buy-${product}]`, "order"));
      assert.notEqual(next.out_trade_no, created.out_trade_no, "the next one is another order");
      const logs = { recharge: "recharge_logs", goods: "goods_orders", vip: "vip_purchase_logs" };
      await page.goto(`/tables/${logs[product]}`);
      assert.ok((await page.innerText("[data-testid=table]")).includes(created.out_trade_no));
      await page.goto(`/orders/${created.out_trade_no}`);
      await becomes(page, "SUCCESS");
    });
  }

  test("a price that was changed on the page is refused, and the shop says so", async () => {
    await page.goto("/demo");
    await page.evaluate(() => {
      const button = document.querySelector("[data-testid=buy-vip]");
      button.setAttribute("order", JSON.stringify({ ...JSON.parse(button.getAttribute("order")), total_fee: 1 }));
    });
    const [answer] = await Promise.all([
      page.waitForResponse(`${stack.base}/create-payment`),
      page.click("[data-testid=buy-vip]"),
    ]);
    assert.equal(answer.status(), 403);
    await page.waitForSelector("[data-kind=vip] #said[data-tone=bad]:not([hidden])");
    assert.equal(await page.locator("[data-testid=qrcode]").count(), 0);
  });

  test("a payer who cancels is told that the order stands, and pays the same one", async () => {
    await page.goto("/demo");
    await page.click("[data-testid=buy-goods]");
    await page.waitForSelector("[data-testid=qrcode]");
    const { out_trade_no: no } = JSON.parse(await page.getAttribute("[data-testid=buy-goods]", "order"));
    await page.keyboard.press("Escape");
    await page.waitForSelector("[data-kind=goods] #said[data-tone=wait]:not([hidden])");
    await page.click("[data-testid=buy-goods]");
    await page.waitForSelector("[data-testid=qrcode]");
    assert.equal(await page.locator("#said").isHidden(), true);
    await payElsewhere(no);
    await page.waitForSelector(`[data-testid=result][data-out-trade-no="${no}"]`);
  });

  test("an order that was paid is shown to the payer who comes back with its number, another is not", async () => {
    await page.goto("/demo");
    await page.click("[data-testid=buy-goods]");
    await page.waitForSelector("[data-testid=qrcode]");
    const { out_trade_no: no } = JSON.parse(await page.getAttribute("[data-testid=buy-goods]", "order"));
    await page.goto(`/demo?out_trade_no=${no}`);
    assert.equal(await page.locator("[data-testid=result]").count(), 0, "not paid yet");
    await payElsewhere(no);
    await page.goto(`/demo?out_trade_no=${no}&out_trade_no=${no}_2`);
    assert.equal(await page.getAttribute("[data-testid=result]", "data-out-trade-no"), no);
  });

  test("a configuration that lets no page call without a credential has no buttons, and the shop says why", async () => {
    const config = JSON.parse(await readFile(path.join(stack.dir, "config.json"), "utf8"));
    const own = path.join(stack.dir, "own.json");
    for (const [auth, buttons] of [[config.auth, 3], [{ ...config.auth, createPayment: "key" }, 0], [{ ...config.auth, queryPayment: "key" }, 0]]) {
      await writeFile(own, JSON.stringify({ ...config, auth }));
      const other = await startStack({ extra: ["--config", own] });
      const text = await (await fetch(`${other.base}/demo`)).text();
      assert.equal(text.match(/<vk-pay-button /g)?.length ?? 0, buttons);
      assert.equal(text.includes("auth.createPayment"), buttons === 0);
      assert.equal(text.includes(config.auth.keys.demo) || text.includes(config.auth.quote.hs256), false, "no secret is on the page");
      assert.equal(text.includes("wallet-url"), false, "there is no simulated wallet");
      assert.equal(await other.stop(), 0);
    }
  });

  test("the console serves the element that is committed, byte for byte", async () => {
    const answer = await fetch(`${stack.base}/assets/vk-pay-button.js`);
    assert.match(answer.headers.get("content-type"), /^text\/javascript/);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), await readFile(built));
  });
});

describe("on a plain page of another origin", () => {
  test("an order is created, shown, paid and told of", async () => {
    const { page, done } = await openShop();
    const order = orderOf();
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order });
    await page.click("#a");
    const code = page.locator("#a [data-testid=qrcode]");
    await code.waitFor();
    const [created] = await eventsOf(page, "a");
    assert.equal(created.name, "create");
    assert.equal(await scan(code), created.detail.orderInfo.codeUrl);
    await payElsewhere(order.out_trade_no);
    const { name, detail } = await ending(page, "a");
    assert.equal(name, "success");
    assert.equal(detail.out_trade_no, order.out_trade_no);
    assert.equal(detail.trade_state, "SUCCESS");
    assert.equal(detail.total_fee, 1234);
    await code.waitFor({ state: "detached" });
    assert.deepEqual((await eventsOf(page, "a")).map((event) => event.name), ["create", "success"]);
    await done();
  });

  test("an origin that is not allowed gets no order", async () => {
    const stranger = await servePage(built);
    const shop = await openContext(browser, stack);
    const page = await shop.newPage();
    await page.goto(`${stranger.origin}/`);
    const order = orderOf();
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order });
    await page.click("#a");
    const { name, detail } = await ending(page, "a");
    assert.deepEqual([name, detail.failType, detail.code], ["fail", "create", -1]);
    assert.equal((await call("queryPayment", { out_trade_no: order.out_trade_no })).code, 2001);
    await shop.close();
    await stranger.close();
  });

  test("a lost callback is found by asking", async () => {
    const { page, done } = await openShop();
    const order = orderOf();
    await addButton(page, "a", { "base-url": stack.base, provider: "alipay", order });
    await page.click("#a");
    await page.waitForSelector("#a [data-testid=qrcode]");
    await payElsewhere(order.out_trade_no, "lost");
    assert.equal((await ending(page, "a")).name, "success");
    await done();
  });
});

describe("on a phone", () => {
  const phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36";

  test("WeChat Pay's cashier brings the payer back to the page, which asks by itself", async () => {
    const { shop, page } = await openShop({ userAgent: phone, viewport: { width: 375, height: 700 } });
    const order = orderOf({ return_url: `${plain.origin}/?from=cashier` });
    let cashier;
    // WeChat's own page is not here: the payer pays, and it goes where it was told to.
    await shop.route("https://wx.tenpay.com/**", async (route) => {
      cashier = new URL(route.request().url());
      await payElsewhere(order.out_trade_no);
      await route.fulfill({ status: 302, headers: { location: cashier.searchParams.get("redirect_url") } });
    });
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order });
    await page.click("#a");
    await page.waitForURL(`${plain.origin}/?from=cashier&out_trade_no=${order.out_trade_no}`);
    assert.equal(cashier.pathname, "/cgi-bin/mmpayweb-bin/checkmweb");
    await page.waitForFunction(() => customElements.get("vk-pay-button"));
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order, resume: "" });
    const { name, detail } = await ending(page, "a");
    assert.deepEqual([name, detail.out_trade_no], ["success", order.out_trade_no]);
    await shop.close();
  });

  test("a page in WeChat hands its bridge exactly what the server signed", async () => {
    const { page, done } = await openShop({ userAgent: `${phone} MicroMessenger/8.0.50` });
    await page.evaluate(() => {
      window.WeixinJSBridge = { invoke: (name, told, say) => { window.asked = [name, told]; window.say = say; } };
    });
    const order = orderOf({ openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" });
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order });
    await page.click("#a");
    await page.waitForFunction(() => window.asked);
    const [created] = await eventsOf(page, "a");
    assert.equal(created.detail.pay_type, "wxpay_h5-weixin");
    assert.deepEqual(await page.evaluate(() => window.asked), ["getBrandWCPayRequest", created.detail.orderInfo]);
    await payElsewhere(order.out_trade_no);
    await page.evaluate(() => window.say({ err_msg: "get_brand_wcpay_request:ok" }));
    assert.equal((await ending(page, "a")).name, "success");
    await done();
  });

  test("WeChat's word alone is not believed", async () => {
    const { page, done } = await openShop({ userAgent: `${phone} MicroMessenger/8.0.50` });
    await page.evaluate(() => {
      window.WeixinJSBridge = { invoke: (name, told, say) => say({ err_msg: "get_brand_wcpay_request:ok" }) };
    });
    const order = orderOf({ openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" });
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order });
    await page.click("#a");
    await page.waitForTimeout(4_000);
    assert.deepEqual((await eventsOf(page, "a")).map((event) => event.name), ["create"], "nobody has paid");
    await done();
  });
});

describe("how it ends otherwise", () => {
  test("closing the dialog is a cancel, and the same order can be paid afterwards", async () => {
    const { page, done } = await openShop();
    const order = orderOf();
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order });
    await page.click("#a");
    await page.waitForSelector("#a [data-testid=qrcode]");
    await page.keyboard.press("Escape");
    const { name, detail } = await ending(page, "a");
    assert.deepEqual([name, detail.out_trade_no], ["cancel", order.out_trade_no]);
    assert.equal(await page.locator("#a [data-testid=qrcode]").count(), 0);
    await page.evaluate(() => { window.events = []; });
    await page.click("#a");
    await page.waitForSelector("#a [data-testid=qrcode]");
    await payElsewhere(order.out_trade_no);
    assert.equal((await ending(page, "a")).name, "success");
    await done();
  });

  test("closing the dialog is no cancel where nobody can tell, or the payer says to have paid: pending", async () => {
    const { shop, page, done } = await openShop();
    for (const [id, before] of [
      ["a", () => shop.setOffline(true)],
      ["b", () => page.click("#b [data-testid=paid]")],
    ]) {
      await addButton(page, id, { "base-url": stack.base, provider: "wxpay", order: orderOf() });
      await page.click(`#${id}`);
      await page.waitForSelector(`#${id} [data-testid=qrcode]`);
      await before();
      await page.click(`#${id} [data-testid=close]`);
      assert.equal((await ending(page, id)).name, "pending");
      assert.equal(await page.locator(`#${id} [data-testid=qrcode]`).count(), 0);
      await shop.setOffline(false);
    }
    await done();
  });

  test("a provider that fails makes a failure of creating", async () => {
    const { page, done } = await openShop();
    await misbehave("system_error", "create");
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order: orderOf() });
    await page.click("#a");
    const { name, detail } = await ending(page, "a");
    assert.deepEqual([name, detail.failType], ["fail", "create"]);
    assert.ok(detail.code > 0 && detail.msg, JSON.stringify(detail));
    await done();
  });

  test("an order that is closed while its code is shown is a failure of the result", async () => {
    const { page, done } = await openShop();
    const order = orderOf();
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order });
    await page.click("#a");
    await page.waitForSelector("#a [data-testid=qrcode]");
    assert.equal((await call("closePayment", { out_trade_no: order.out_trade_no })).code, 0);
    const { name, detail } = await ending(page, "a");
    assert.deepEqual([name, detail.failType, detail.code], ["fail", "result", 2012]);
    await done();
  });

  test("an order that expires is a failure of the result, and cannot be paid any more", async () => {
    const { page, done } = await openShop();
    const order = orderOf({ time_expire: Date.now() + 5_000 });
    await addButton(page, "a", { "base-url": stack.base, provider: "alipay", order });
    await page.click("#a");
    await page.waitForSelector("#a [data-testid=qrcode]");
    const { name, detail } = await ending(page, "a");
    assert.deepEqual([name, detail.failType, detail.code], ["fail", "result", 2012]);
    await page.waitForSelector("#a dialog[data-state=ended]");
    await page.evaluate(() => { window.events = []; });
    await page.click("#a [data-testid=again]");
    const again = await ending(page, "a");
    assert.deepEqual([again.name, again.detail.failType, again.detail.code], ["fail", "create", 2012]);
    await done();
  });

  test("without a network nothing is created", async () => {
    const { shop, page, done } = await openShop();
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order: orderOf() });
    await shop.setOffline(true);
    await page.click("#a");
    const { name, detail } = await ending(page, "a");
    assert.deepEqual([name, detail.failType, detail.code], ["fail", "create", -1]);
    await shop.setOffline(false);
    await done();
  });

  test("a network that goes and comes back makes no failure", async () => {
    const { shop, page, done } = await openShop();
    const order = orderOf();
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order });
    await page.click("#a");
    await page.waitForSelector("#a [data-testid=qrcode]");
    await shop.setOffline(true);
    await payElsewhere(order.out_trade_no);
    await page.waitForTimeout(3_500);
    assert.deepEqual((await eventsOf(page, "a")).map((event) => event.name), ["create"]);
    await shop.setOffline(false);
    assert.equal((await ending(page, "a")).name, "success");
    await done();
  });

  test("a network that does not come back ends as pending: the money may be on its way", async () => {
    const { shop, page, done } = await openShop();
    const order = orderOf();
    await page.clock.install();
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order });
    await page.click("#a");
    await page.waitForSelector("#a [data-testid=qrcode]");
    await shop.setOffline(true);
    for (let seconds = 0; seconds < 200 && (await eventsOf(page, "a")).length < 2; seconds += 5) await page.clock.runFor(5_000);
    const { name, detail } = await ending(page, "a");
    assert.deepEqual([name, detail.out_trade_no], ["pending", order.out_trade_no]);
    await shop.setOffline(false);
    await done();
  });

  test("a page that is left stops asking", async () => {
    const { shop, page, done } = await openShop();
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order: orderOf() });
    await page.click("#a");
    await page.waitForSelector("#a [data-testid=qrcode]");
    await page.evaluate(() => document.getElementById("a").remove());
    const asked = () => shop.seen.filter((url) => url.endsWith("/query-payment")).length;
    await page.waitForTimeout(500);
    const before = asked();
    await page.waitForTimeout(4_000);
    assert.equal(asked(), before);
    await done();
  });
});

describe("two buttons on one page", () => {
  test("do not disturb each other", async () => {
    const { page, done } = await openShop();
    const orders = { a: orderOf(), b: orderOf({ total_fee: 99 }) };
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order: orders.a });
    await addButton(page, "b", { "base-url": stack.base, provider: "alipay", order: orders.b });
    await page.evaluate(() => { for (const id of ["a", "b"]) document.getElementById(id).pay(); });
    for (const id of ["a", "b"]) await page.waitForSelector(`#${id} [data-testid=qrcode]`);
    await payElsewhere(orders.b.out_trade_no);
    const first = await ending(page, "b");
    assert.deepEqual([first.name, first.detail.out_trade_no, first.detail.total_fee], ["success", orders.b.out_trade_no, 99]);
    assert.equal(await page.locator("#b [data-testid=qrcode]").count(), 0);
    assert.equal(await page.locator("#a [data-testid=qrcode]").count(), 1, "the other one still waits");
    assert.deepEqual((await eventsOf(page, "a")).map((event) => event.name), ["create"]);
    await payElsewhere(orders.a.out_trade_no);
    assert.deepEqual((await ending(page, "a")).detail.out_trade_no, orders.a.out_trade_no);
    await done();
  });
});

describe("by keyboard", () => {
  test("the button is reached by Tab, opened by Enter, left by Escape, and has the focus again", async () => {
    const { page, done } = await openShop();
    await addButton(page, "a", { "base-url": stack.base, provider: "wxpay", order: orderOf() });
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "a");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    await page.waitForSelector("#a [data-testid=qrcode]");
    assert.ok(await page.evaluate(() => document.getElementById("a").shadowRoot.querySelector("dialog").contains(document.getElementById("a").shadowRoot.activeElement)), "the focus is in the dialog");
    for (let presses = 0; presses < 8; presses++) {
      await page.keyboard.press("Tab");
      const outside = await page.evaluate(() => document.activeElement !== document.body && document.activeElement.id !== "a");
      assert.equal(outside, false, "Tab stays in the dialog");
    }
    await page.keyboard.press("Escape");
    assert.equal((await ending(page, "a")).name, "cancel");
    assert.equal(await page.evaluate(() => document.activeElement.id), "a");
    await page.keyboard.press("Space");
    await page.waitForSelector("#a [data-testid=qrcode]");
    await done();
  });
});

describe("how it looks", () => {
  for (const [width, height] of [[375, 700], [960, 640], [1280, 800]]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${width} px, ${colorScheme}: the shop and the dialog, nothing runs out of the page`, async () => {
        await mkdir(results, { recursive: true });
        const looks = await openContext(browser, stack, { viewport: { width, height }, colorScheme, locale: "en", reducedMotion: "reduce" });
        const page = await looks.newPage();
        const shoot = async (name, folder = results) => {
          await page.screenshot({ path: path.join(folder, `pay-button-${name}-${width}-${colorScheme}.png`), animations: "disabled" });
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${name}: ${over} px too wide`);
        };
        await page.goto("/demo");
        await shoot("shop");
        await page.click("[data-testid=buy-goods]");
        await page.waitForSelector("[data-testid=qrcode]");
        const box = await page.locator("[data-testid=buy-goods] dialog").boundingBox();
        assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, JSON.stringify(box));
        // The pictures of docs/pay-button.md are made here, when they are asked for.
        await shoot("dialog", width === 1280 ? results : process.env.DOCS_IMAGES);
        const { out_trade_no: no } = JSON.parse(await page.getAttribute("[data-testid=buy-goods]", "order"));
        await payElsewhere(no);
        await page.waitForSelector("[data-testid=result]");
        await shoot("paid");
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
