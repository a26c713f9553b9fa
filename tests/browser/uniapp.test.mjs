// The uni-app demo's web build in a browser, on an origin of its own, against the stack and its simulated wallet.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import jsqr from "jsqr";
import { PNG } from "pngjs";
import { startSite } from "./site.mjs";
import { killStacks, openContext, results, startBrowser, startStack } from "./stack.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const built = path.join(root, "web/demo-uniapp/dist/build/h5");
// With DOCS_IMAGES set, the pictures of docs/uni-app.md and docs/moving-a-page.md are made anew.
const images = path.join(root, "docs/images");
const inDocs = [
  "providers-375-light", "qrcode-375-light", "status-375-dark", "qrcode-1280-dark", "vkspay-1280-light", "state-success-light",
  "state-unknown-light",
];
const pictureOf = (shot) => path.join(process.env.DOCS_IMAGES && inDocs.includes(shot) ? images : results, `uniapp-${shot}.png`);

let site, stack, key, browser, context, wallet, page;

before(async () => {
  assert.ok(existsSync(path.join(built, "index.html")), "not built: web/check.sh, or npm run build:h5 in web/demo-uniapp");
  site = await startSite(built);
  stack = await startStack({ extra: ["--cors-origin", site.base] });
  key = stack.output.match(/Bearer (demo-[0-9a-f]+)/)[1];
  browser = await startBrowser();
  context = await openContext(browser, site);
  wallet = await (await openContext(browser, stack)).newPage();
  page = await connected(context);
});

after(async () => {
  await browser?.close();
  const code = await stack?.stop();
  await site?.stop();
  killStacks();
  assert.equal(code, 0);
});

// A page of the demo that knows where the stack is, told as a person tells it.
async function connected(context) {
  const page = await context.newPage();
  await page.goto("/");
  await page.fill("[data-testid=address] input", stack.base);
  await page.fill("[data-testid=key] input", key);
  await page.locator("[data-testid=key] input").blur();
  return page;
}

async function open(url, from = page) {
  // A hash alone would not load the page anew.
  await from.goto("about:blank");
  await from.goto(`/#${url}`);
}

async function ask(action, data) {
  const answer = await fetch(`${stack.base}/http/vk-pay`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ action, data }),
  });
  return answer.json();
}

const isCall = (action) => (response) => response.request().method() === "POST" && response.request().postData().includes(`"${action}"`);

// What the server answers to the call that `act` leads to.
async function replyTo(action, act, from = page) {
  const [response] = await Promise.all([from.waitForResponse(isCall(action)), act()]);
  return response.json();
}

// What becomes of the next orders that are to be made; answers what ends it.
async function onCreate(answer, on = page) {
  const all = `${stack.base}/**`;
  await on.route(all, (route) => (route.request().postData()?.includes('"pay/createPayment"') ? answer(route) : route.continue()));
  return () => on.unroute(all);
}

async function scan(from = page) {
  await from.waitForSelector("[data-testid=qrcode] img", { state: "attached" });
  const { data, width, height } = PNG.sync.read(await from.locator("[data-testid=qrcode]").screenshot());
  return jsqr(new Uint8ClampedArray(data), width, height)?.data;
}

async function payInWallet(number) {
  await wallet.goto(`/sandbox/cashier/${number}`);
  await wallet.click("[data-testid=wallet-pay]");
  await wallet.waitForSelector("[data-testid=wallet-paid]");
}

const toast = (text, from = page) => from.locator("uni-toast").filter({ hasText: text }).waitFor();
const modal = async (text) => {
  await page.locator("uni-modal").filter({ hasText: text }).waitFor();
  await page.locator(".uni-modal__btn_primary").click();
};
const popup = () => page.locator("[data-testid=qrcode-popup]");
const gone = () => popup().waitFor({ state: "detached" });
const sheet = (state, from = page) => from.locator(`[data-testid=qrcode-popup][data-state=${state}]`);
const asked = () => context.seen.filter((url) => url.startsWith(stack.base)).length;
const eventLine = (name, from = page) => from.locator(`[data-testid=event][data-event=${name}]`).first();

describe("VksPay's sample page, unchanged", () => {
  const vkspay = "/pages/vkspay/vkspay";
  const start = () => replyTo("pay/createPayment", () => page.getByText("发起支付（智能模式）").click());
  beforeEach(() => open(vkspay));

  test("a QR code that reads as the server said, paid, success, queried, refunded in part and in full, refunds queried", async () => {
    await page.locator(".input input").first().fill("100");
    const order = await start();
    assert.equal(order.code, 0);
    assert.equal(await scan(), order.orderInfo.codeUrl);
    assert.match(await page.innerText("[data-testid=qrcode-amount]"), /1\.00/);
    await payInWallet(order.out_trade_no);
    await toast("支付成功");
    await gone();

    const found = await replyTo("pay/queryPayment", () => page.getByText("支付结果查询").click());
    assert.equal(found.trade_state, "SUCCESS");
    await toast(found.msg);

    await page.locator(".input input").nth(3).fill("30");
    const part = await replyTo("pay/refund", () => page.getByText("申请退款").click());
    assert.deepEqual([part.code, part.refund_fee], [0, 30]);
    await toast(part.msg);
    // A field that is left empty means the rest, as the page says under it.
    await page.locator(".input input").nth(3).fill("");
    const rest = await replyTo("pay/refund", () => page.getByText("申请退款").click());
    assert.deepEqual([rest.code, rest.refund_fee], [0, 70]);
    const refunds = await replyTo("pay/queryRefund", () => page.getByText("退款结果查询").click());
    assert.deepEqual(refunds.refunds.map((one) => one.refund_fee).sort(), [30, 70]);
    await modal(refunds.msg);
  });

  test("closing the code is cancelling, and nothing is asked after it", async () => {
    await start();
    await popup().waitFor();
    await page.click("[data-testid=qrcode-close]");
    await toast("用户取消支付");
    await gone();
    const before = asked();
    await page.waitForTimeout(2500);
    assert.equal(asked(), before);
  });

  test("“I have paid” before it is so says that it is not; starting again keeps the number", async () => {
    const order = await start();
    const state = await replyTo("pay/queryPayment", () => page.click("[data-testid=qrcode-query]"));
    assert.equal(state.code, 2002);
    await modal(state.msg);
    const again = await replyTo("pay/createPayment", () => page.click("[data-testid=qrcode-afresh]"));
    assert.equal(again.out_trade_no, order.out_trade_no);
    await payInWallet(order.out_trade_no);
    await toast("支付成功");
  });

  test("an order that is refused is shown with the reason", async () => {
    await page.locator(".input input").first().fill("0");
    await page.getByText("发起支付（智能模式）").click();
    await modal("total_fee");
    await page.locator(".input input").first().fill("1");
    await ask("pay/createPayment", { provider: "vkspay", out_trade_no: "TAKEN00001", total_fee: 5, subject: "s", type: "custom" });
    await page.locator(".input input").nth(1).fill("TAKEN00001");
    const refused = await replyTo("pay/createPayment", () => page.getByText("原订单发起支付").click());
    assert.equal(refused.code, 2010);
    await modal(refused.msg);
    assert.equal(await popup().count(), 0);
  });

  test("an order that is closed while its code is shown has failed", async () => {
    const order = await start();
    await popup().waitFor();
    assert.equal((await ask("pay/closePayment", { out_trade_no: order.out_trade_no })).code, 0);
    await toast("支付失败");
    await gone();
  });

  test("without a network no order is made, and one that was made is found paid when the network is back", async () => {
    await context.setOffline(true);
    await page.getByText("发起支付（智能模式）").click();
    await modal("fail");
    await context.setOffline(false);
    const order = await start();
    await popup().waitFor();
    await context.setOffline(true);
    await payInWallet(order.out_trade_no);
    await page.waitForTimeout(3000);
    assert.equal(await popup().count(), 1);
    await context.setOffline(false);
    await toast("支付成功");
  });

  test("a page that is left asks nothing more", async () => {
    await start();
    await popup().waitFor();
    await page.evaluate(() => history.back());
    await page.waitForTimeout(500);
    const before = asked();
    await page.waitForTimeout(2500);
    assert.equal(asked(), before);
  });

  test("back from a cashier page it asks how the order stands", async () => {
    const number = `BACK${Date.now()}`;
    await ask("pay/createPayment", { provider: "vkspay", out_trade_no: number, total_fee: 1, subject: "s", type: "custom" });
    await payInWallet(number);
    const found = await replyTo("pay/queryPayment", () => open(`${vkspay}?return=1&out_trade_no=${number}`));
    assert.equal(found.orderPaid, true);
    await toast(found.msg);
  });
});

describe("the pay button's page and the status page, unchanged", () => {
  const press = () => replyTo("pay/createPayment", () => page.getByTestId("vk-pay-button").click());
  beforeEach(() => open("/pages/order/payment"));

  test("bought by QR code, success, and the status page says so", async () => {
    const order = await press();
    assert.equal(order.provider, "wxpay");
    assert.equal(await scan(), order.orderInfo.codeUrl);
    await payInWallet(order.out_trade_no);
    await page.waitForURL(`**/#/pages/order/success?order_no=${order.out_trade_no}`);
    await page.locator(".payment-status .success").filter({ hasText: "支付成功" }).waitFor();
    assert.match(await page.innerText(".payment-status .amount"), /￥1$/);
    await page.getByText("完成").click();
    await page.waitForURL("**/#/pages/order/payment");
  });

  test("closed with the keyboard it is cancelled, and the focus is back on the button", async () => {
    await page.getByTestId("vk-pay-button").focus();
    await page.keyboard.press("Enter");
    await popup().waitFor();
    for (let stop = 0; stop < 9; stop++) {
      await page.keyboard.press("Tab");
      assert.ok(await page.evaluate(() => document.querySelector("[data-testid=qrcode-popup]").contains(document.activeElement)));
    }
    await page.keyboard.press("Escape");
    await toast("支付已取消");
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "vk-pay-button");
  });

  test("an order that is closed by the shop has failed, and a second try says why", async () => {
    const order = await press();
    await ask("pay/closePayment", { out_trade_no: order.out_trade_no });
    await sheet("ended").filter({ hasText: "订单已关闭" }).waitFor();
    await page.locator("uni-toast").waitFor();
    const refused = await replyTo("pay/createPayment", () => page.getByTestId("qrcode-again").click());
    assert.equal(refused.code, 2012);
    await toast(refused.msg);
    await page.click("[data-testid=qrcode-close]");
    await gone();
  });

  test("the status page says that an order is not paid, and leads back to paying", async () => {
    const number = `OPEN${Date.now()}`;
    await ask("pay/createPayment", { provider: "wxpay", out_trade_no: number, total_fee: 1, subject: "s", type: "custom" });
    await open(`/pages/order/success?order_no=${number}`);
    await page.getByText("未支付").waitFor();
    await page.getByText("重新支付").click();
    await page.waitForURL(`**/#/pages/order/payment?order_no=${number}`);
  });

  test("vkPay.pay() by hand: a code is shown, paid, and the page goes on to the status page", async () => {
    await open("/pages/order/manual");
    const order = await replyTo("pay/createPayment", () => page.click("[data-testid=manual-pay]"));
    assert.equal(await scan(), order.orderInfo.codeUrl);
    await payInWallet(order.out_trade_no);
    await page.waitForURL(`**/#/pages/order/success?order_no=${order.out_trade_no}`);
    await page.locator(".payment-status .success").filter({ hasText: "支付成功" }).waitFor();
    await gone();
  });

  test("vkPay.pay() by hand: a code that is closed is not paid", async () => {
    await open("/pages/order/manual");
    await page.click("[data-testid=manual-pay]");
    await popup().waitFor();
    await page.click("[data-testid=qrcode-close]");
    await toast("支付已取消");
    await gone();
  });
});

describe("the page of every provider", () => {
  const providers = "/pages/providers/providers";

  for (const [way, wants] of [["wxpay", /^weixin:/], ["alipay", /^https:\/\/qr\.alipay\.com\//], ["vkspay", /^https:/]]) {
    test(`${way}: scanned, paid and delivered, and the status component agrees`, async () => {
      await open(providers);
      await page.click(`[data-testid=way-${way}]`);
      await page.click("[data-testid=wait]");
      const order = await replyTo("pay/createPayment", () => page.getByTestId("vk-pay-button").click());
      const code = await scan();
      assert.match(code, wants);
      assert.equal(code, order.orderInfo.codeUrl);
      await payInWallet(order.out_trade_no);
      await eventLine("success").waitFor();
      await page.click("[data-testid=to-status]");
      await page.locator("[data-testid=vk-pay-status][data-state=success]").waitFor();
      await ask("pay/refund", { out_trade_no: order.out_trade_no });
      while ((await ask("pay/queryRefund", { out_trade_no: order.out_trade_no })).trade_state !== "REFUND") await page.waitForTimeout(200);
      await open(`/pages/status/status?out_trade_no=${order.out_trade_no}`);
      await page.locator("[data-testid=vk-pay-status][data-state=refund]").waitFor();
    });
  }

  test("an order that expires while its code is shown has failed", async () => {
    await open(providers);
    await page.click("[data-testid=way-alipay]");
    await page.fill("[data-testid=seconds] input", "5");
    await page.getByTestId("vk-pay-button").click();
    await popup().waitFor();
    await eventLine("fail").filter({ hasText: "result 2012" }).waitFor();
    await sheet("expired").filter({ hasText: "订单已过期" }).waitFor();
    assert.equal(await page.locator("[data-testid=qrcode]").count(), 0);
    await page.click("[data-testid=qrcode-close]");
    await gone();
  });

  test("the sheet is there from the click on, and says what became of the order", async () => {
    await open(providers);
    await page.click("[data-testid=way-wxpay]");
    let answer;
    const held = new Promise((done) => (answer = done));
    const unroute = await onCreate(async (route) => {
      await held;
      await route.continue();
    });
    await page.getByTestId("vk-pay-button").click();
    await sheet("ask").filter({ hasText: "请稍候" }).waitFor();
    answer();
    await sheet("wait").filter({ hasText: "等待支付" }).waitFor();
    await unroute();
    await context.setOffline(true);
    await sheet("wait").filter({ hasText: "网络异常" }).waitFor();
    await context.setOffline(false);
    const number = (await page.innerText("[data-testid=qrcode-copy]")).match(/U\d+/)[0];
    await payInWallet(number);
    await sheet("success").filter({ hasText: "支付成功" }).waitFor();
    assert.equal(await page.locator("[data-testid=qrcode-query]").count(), 0);
    await gone();
  });

  for (const [state, reply, words] of [
    ["unknown", { code: 2013, msg: "渠道没有回应" }, "可以放心重试"],
    ["fail", { code: 403, msg: "没有权限" }, "没有权限"],
  ]) {
    test(`an order that could not be made is ${state}, and another try is paid`, async () => {
      await open(providers);
      await page.click("[data-testid=way-wxpay]");
      const tried = [];
      const unroute = await onCreate((route) => {
        tried.push(route.request().postDataJSON().data.out_trade_no);
        return route.fulfill({ json: reply, headers: { "access-control-allow-origin": site.base } });
      });
      await page.getByTestId("vk-pay-button").click();
      await sheet(state).filter({ hasText: words }).waitFor();
      await eventLine("fail").waitFor();
      assert.equal(tried.length, 1);
      await unroute();
      const made = await replyTo("pay/createPayment", () => page.getByTestId("qrcode-again").click());
      assert.equal(made.code, 0);
      // What may have been made is asked for again, and nothing else.
      assert.equal(made.out_trade_no === tried[0], state === "unknown");
      await payInWallet(made.out_trade_no);
      await sheet("success").waitFor();
      await gone();
    });
  }

  test("a payer who says to have paid and leaves has not cancelled; one who says nothing has, unless it is paid", async () => {
    await open(providers);
    await page.click("[data-testid=way-wxpay]");
    const begin = async () => {
      const order = await replyTo("pay/createPayment", () => page.getByTestId("vk-pay-button").click());
      await sheet("wait").waitFor();
      return order;
    };
    for (const [name, before] of [
      ["pending", () => replyTo("pay/queryPayment", () => page.getByTestId("qrcode-query").click())],
      ["cancel", () => {}],
      ["success", (order) => payInWallet(order.out_trade_no)],
    ]) {
      await context.setOffline(false);
      const order = await begin();
      // The order is paid while the page asks nothing.
      if (name === "success") await context.setOffline(true);
      await before(order);
      const had = await page.locator("[data-testid=event]").count();
      await context.setOffline(false);
      await page.click("[data-testid=qrcode-close]");
      await gone();
      await page.waitForFunction((had) => document.querySelectorAll("[data-testid=event]").length > had, had);
      assert.equal(await page.locator("[data-testid=event]").first().getAttribute("data-event"), name);
    }
  });

  test("a cashier page is opened, with the way back to this page", async () => {
    await open(providers);
    await page.click("[data-testid=way-alipay-pc]");
    let opened;
    await page.route("**/gateway.do*", (route) => {
      opened = route.request().url();
      return route.abort();
    });
    const failed = page.waitForEvent("requestfailed", (request) => request.url().includes("gateway.do"));
    await page.getByTestId("vk-pay-button").click();
    await failed;
    await page.unroute("**/gateway.do*");
    const { searchParams } = new URL(opened);
    assert.equal(searchParams.get("method"), "alipay.trade.page.pay");
    const number = JSON.parse(searchParams.get("biz_content")).out_trade_no;
    const back = searchParams.get("return_url");
    assert.ok(back.startsWith(`${site.base}/`) && back.endsWith(`#${providers}?return=1&out_trade_no=${number}`), back);
  });

  test("on a phone WeChat Pay's own page is opened; back without a payment, it can be started again", async () => {
    const userAgent = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36";
    const own = await openContext(browser, site, { userAgent });
    const phone = await connected(own);
    const opened = [];
    // 204 leaves the page where it is, as an app that is opened does.
    await phone.route("https://wx.tenpay.com/**", (route) => {
      opened.push(route.request().url());
      return route.fulfill({ status: 204 });
    });
    await open(providers, phone);
    for (const times of [1, 2]) {
      const pressed = phone.getByTestId(times === 1 ? "vk-pay-button" : "qrcode-afresh");
      const order = await replyTo("pay/createPayment", () => pressed.click(), phone);
      assert.equal(order.pay_type, "wxpay_mweb");
      await sheet("wait", phone).filter({ hasText: "请在打开的收银台完成支付" }).waitFor();
      while (opened.length < times) await phone.waitForTimeout(50);
      const back = new URL(opened.at(-1)).searchParams.get("redirect_url");
      assert.ok(back.startsWith(`${site.base}/`) && back.endsWith(`#${providers}?return=1&out_trade_no=${order.out_trade_no}`), back);
    }
    await own.close();
  });

  test("after three minutes without a payment it says pending, the code stays, and “I have paid” asks again", async () => {
    const own = await openContext(browser, site);
    const slow = await connected(own);
    await slow.clock.install();
    await open(providers, slow);
    await slow.getByTestId("vk-pay-button").click();
    await slow.waitForSelector("[data-testid=qrcode-popup]");
    for (let step = 0; step < 200 && (await eventLine("pending", slow).count()) === 0; step++) {
      await slow.clock.runFor(1500);
      await new Promise((done) => setTimeout(done, 20));
    }
    assert.equal(await eventLine("pending", slow).count(), 1);
    assert.equal(await sheet("pending", slow).locator("[data-testid=qrcode]").count(), 1);
    const before = own.seen.length;
    await slow.clock.runFor(20_000);
    assert.equal(own.seen.length, before);
    await payInWallet((await slow.innerText("[data-testid=qrcode-copy]")).match(/U\d+/)[0]);
    await slow.getByTestId("qrcode-query").click();
    for (let step = 0; step < 50 && (await eventLine("success", slow).count()) === 0; step++) {
      await slow.clock.runFor(300);
      await new Promise((done) => setTimeout(done, 20));
    }
    assert.equal(await eventLine("success", slow).count(), 1);
    assert.equal(await eventLine("cancel", slow).count(), 0);
    await own.close();
  });

  test("in English where the browser is", async () => {
    const own = await openContext(browser, site, { locale: "en-GB" });
    const english = await connected(own);
    await open(providers, english);
    await english.getByTestId("vk-pay-button").click();
    await sheet("wait", english).waitFor();
    assert.match(await english.innerText("[data-testid=qrcode-popup]"), /Scan with WeChat to pay[^]*I have paid/);
    await own.close();
  });
});

describe("the page of one order and several wallets", () => {
  test("the sheet leads back to the choice, and the same order is paid by the other wallet", async () => {
    await open("/pages/cashier/cashier");
    const choose = async (wallet) => {
      await page.click(`[data-testid=method-${wallet}]`);
      return replyTo("pay/createPayment", () => page.getByTestId("vk-pay-button").click());
    };
    const first = await choose("alipay");
    assert.deepEqual([first.code, first.provider], [0, "alipay"]);
    assert.equal(await scan(), first.orderInfo.codeUrl);
    await page.click("[data-testid=qrcode-change]");
    await gone();
    const second = await choose("wxpay");
    assert.deepEqual([second.code, second.provider, second.out_trade_no], [0, "wxpay", first.out_trade_no]);
    assert.equal(await scan(), second.orderInfo.codeUrl);
    await payInWallet(second.out_trade_no);
    await sheet("success").waitFor();
    await gone();
    assert.deepEqual(await page.locator("[data-testid=event]").evaluateAll((lines) => lines.map((line) => line.dataset.event)), ["success", "create", "create"]);
  });

  test("the order's number is copied", async () => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await open("/pages/cashier/cashier");
    const order = await replyTo("pay/createPayment", () => page.getByTestId("vk-pay-button").click());
    await sheet("wait").waitFor();
    await page.click("[data-testid=qrcode-copy]");
    await toast("已复制");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), order.out_trade_no);
    await page.click("[data-testid=qrcode-close]");
    await gone();
  });
});

describe("how it looks", () => {
  for (const width of [375, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${width} px, ${colorScheme}: nothing runs out of the page`, async () => {
        for (const folder of [results, images]) await mkdir(folder, { recursive: true });
        const own = await openContext(browser, site, { viewport: { width, height: 812 }, colorScheme });
        const looks = await connected(own);
        const shoot = async (name) => {
          await looks.waitForTimeout(400);
          await looks.screenshot({ path: pictureOf(`${name}-${width}-${colorScheme}`) });
          const over = await looks.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${name}: ${over} px too wide`);
        };
        await shoot("home");
        await open("/pages/providers/providers", looks);
        await shoot("providers");
        const order = await replyTo("pay/createPayment", () => looks.getByTestId("vk-pay-button").click(), looks);
        await shoot("qrcode");
        await payInWallet(order.out_trade_no);
        await eventLine("success", looks).waitFor();
        await open(`/pages/status/status?out_trade_no=${order.out_trade_no}`, looks);
        await looks.waitForSelector("[data-state=success]");
        await shoot("status");
        await open(`/pages/order/success?order_no=${order.out_trade_no}`, looks);
        await looks.waitForSelector(".payment-status .success");
        await shoot("unchanged-status");
        await open("/pages/vkspay/vkspay", looks);
        await shoot("unchanged-vkspay");
        await looks.getByText("发起支付（智能模式）").click();
        await looks.waitForSelector("[data-testid=qrcode-popup]");
        await shoot("vkspay");
        assert.deepEqual(own.faults, []);
        await own.close();
      });
    }
  }

  for (const [colorScheme, contrast] of [["light", "no-preference"], ["dark", "no-preference"], ["light", "more"]]) {
    test(`every state of the sheet at 375 px, ${colorScheme}${contrast === "more" ? ", with more contrast" : ""}`, async () => {
      await mkdir(results, { recursive: true });
      const own = await openContext(browser, site, { viewport: { width: 375, height: 812 }, colorScheme, contrast });
      const looks = await connected(own);
      const shoot = async (state) => {
        await sheet(state, looks).waitFor();
        await looks.waitForTimeout(350);
        await looks.screenshot({ path: pictureOf(`state-${state}-${colorScheme}${contrast === "more" ? "-contrast" : ""}`) });
        const box = await looks.locator(".vk-pay-popup__dialog").boundingBox();
        assert.ok(box.x === 0 && box.width === 375 && Math.round(box.y + box.height) === 812, `${state}: ${JSON.stringify(box)}`);
      };
      await open("/pages/providers/providers", looks);
      let answer;
      for (const [state, reply] of [["ask"], ["unknown", { code: 2013, msg: "渠道没有回应" }], ["fail", { code: 403, msg: "没有权限" }]]) {
        const unroute = await onCreate((route) => {
          if (!reply) return void (answer = route);
          return route.fulfill({ json: reply, headers: { "access-control-allow-origin": site.base } });
        }, looks);
        await looks.getByTestId("vk-pay-button").click();
        await shoot(state);
        await answer?.abort();
        answer = undefined;
        await unroute();
        await looks.click("[data-testid=qrcode-close]");
      }
      const order = await replyTo("pay/createPayment", () => looks.getByTestId("vk-pay-button").click(), looks);
      await shoot("wait");
      await ask("pay/closePayment", { out_trade_no: order.out_trade_no });
      await shoot("ended");
      const again = await replyTo("pay/createPayment", () => looks.getByTestId("qrcode-again").click(), looks);
      await payInWallet(again.out_trade_no);
      await shoot("success");
      await own.close();
    });
  }
});

test("no request left the site and the stack", () => {
  const own = [`${site.base}/`, `${stack.base}/`, "data:", "blob:"];
  const strangers = context.seen.filter((url) => !own.some((start) => url.startsWith(start)) && !url.includes("/gateway.do?"));
  assert.deepEqual(strangers, []);
  const faults = context.faults.filter((text) => !/ERR_INTERNET_DISCONNECTED|ERR_FAILED/.test(text));
  assert.deepEqual(faults, []);
});
