// The pay sheet and the cashier in the console's shop: each state as the payer sees it, and the ways of a phone.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { killStacks, openContext, results, startBrowser, startStack } from "./stack.mjs";

const PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36";
const small = { userAgent: PHONE, viewport: { width: 375, height: 700 }, hasTouch: true, isMobile: true };

let stack, browser;

before(async () => {
  await mkdir(results, { recursive: true });
  stack = await startStack();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  const code = await stack?.stop();
  killStacks();
  assert.equal(code, 0);
});

async function shop(options = {}) {
  const context = await openContext(browser, stack, options);
  const page = await context.newPage();
  await page.goto("/demo");
  await page.waitForFunction(() => customElements.get("vk-pay-button") && customElements.get("vk-cashier"));
  return { context, page };
}

const numberOf = async (page, button = "buy-goods") => JSON.parse(await page.getAttribute(`[data-testid=${button}]`, "order")).out_trade_no;
const stateOf = (page, state) => page.waitForSelector(`[data-testid=buy-goods] dialog[data-state=${state}]`);

async function payElsewhere(no) {
  const context = await openContext(browser, stack);
  const wallet = await context.newPage();
  await wallet.goto(`/sandbox/cashier/${no}`);
  await wallet.click("[data-testid=wallet-pay]");
  await wallet.waitForSelector("[data-testid=wallet-paid]");
  await context.close();
}

// Words of the sheet, by language.
const WORDS = {
  zh: { locale: "zh-CN", scan: "请使用微信扫码支付", offline: "网络异常", paid: "支付成功", ended: "订单已失效" },
  en: { locale: "en", scan: "Scan with WeChat to pay", offline: "No connection", paid: "Paid", ended: "no longer valid" },
};

describe("on a screen of each size, in each language and colour", () => {
  for (const [width, height] of [[375, 700], [1280, 800]]) {
    for (const colorScheme of ["light", "dark"]) {
      for (const [lang, words] of Object.entries(WORDS)) {
        test(`${width} px, ${colorScheme}, ${lang}: waiting, offline, paid, ended`, async () => {
          const { context, page } = await shop({ viewport: { width, height }, colorScheme, locale: words.locale, reducedMotion: "reduce" });
          const sheet = page.locator("[data-testid=buy-goods] dialog");
          const says = (text) => sheet.locator("[role=status]").filter({ hasText: text }).waitFor();
          const shoot = async (name) => {
            await page.screenshot({ path: path.join(results, `sheet-${name}-${width}-${colorScheme}-${lang}.png`), animations: "disabled" });
            const box = await sheet.boundingBox();
            assert.ok(box.x >= 0 && box.x + box.width <= width + 1 && box.y >= 0 && box.y + box.height <= height + 1, JSON.stringify(box));
            if (width === 375) assert.ok(Math.abs(box.y + box.height - height) <= 1, "a sheet at the bottom");
            else assert.ok(box.y > 20 && box.y + box.height < height - 20, "a dialog in the middle");
          };
          const no = await numberOf(page);
          await page.click("[data-testid=buy-goods]");
          await says(words.scan);
          assert.match(await sheet.innerText(), /¥1\.00[\s\S]*龙井|¥1\.00[\s\S]*Longjing/);
          assert.match(await sheet.innerText(), new RegExp(no));
          assert.match(await sheet.locator("time").innerText(), /\d+:\d\d$/);
          await shoot("wait");
          await context.setOffline(true);
          await says(words.offline);
          await shoot("offline");
          await context.setOffline(false);
          await payElsewhere(no);
          await says(words.paid);
          await shoot("paid");
          await sheet.waitFor({ state: "hidden" });
          context.faults.length = 0;
          // The next one is closed while it is shown.
          await page.waitForFunction((no) => JSON.parse(document.querySelector("[data-testid=buy-goods]").getAttribute("order")).out_trade_no !== no, no);
          const next = await numberOf(page);
          await page.click("[data-testid=buy-goods]");
          await says(words.scan);
          const other = await (await openContext(browser, stack)).newPage();
          await other.goto(`/orders/${next}`);
          await other.click("[data-testid=close-order], [data-testid=close]");
          await other.context().close();
          await says(words.ended);
          await shoot("ended");
          assert.deepEqual(context.faults, []);
          await context.close();
        });
      }
    }
  }

  test("with less motion nothing moves, and in forced colours the sheet has a border", async () => {
    const { context, page } = await shop({ reducedMotion: "reduce", forcedColors: "active" });
    await page.click("[data-testid=buy-goods]");
    await stateOf(page, "wait");
    const look = await page.evaluate(() => {
      const dialog = document.querySelector("[data-testid=buy-goods]").shadowRoot.querySelector("dialog");
      return [getComputedStyle(dialog).animationName, getComputedStyle(dialog).borderTopStyle];
    });
    assert.deepEqual(look, ["none", "solid"]);
    await context.close();
  });

  test("the order's number is copied", async () => {
    const { context, page } = await shop({ permissions: ["clipboard-read", "clipboard-write"] });
    const no = await numberOf(page);
    await page.click("[data-testid=buy-goods]");
    await stateOf(page, "wait");
    await page.click("[data-testid=buy-goods] [data-testid=copy]");
    await page.waitForFunction(() => document.querySelector("[data-testid=buy-goods]").shadowRoot.querySelector("[data-testid=copy]").textContent.startsWith("✓"));
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), no);
    await context.close();
  });

  test("I have paid asks, and the code stays meanwhile", async () => {
    const { context, page } = await shop();
    const no = await numberOf(page);
    await page.click("[data-testid=buy-goods]");
    await stateOf(page, "wait");
    const asked = page.waitForRequest(`${stack.base}/query-payment`);
    await page.click("[data-testid=buy-goods] [data-testid=paid]");
    await asked;
    await stateOf(page, "ask");
    assert.equal(await page.locator("[data-testid=buy-goods] [data-testid=qrcode]").isVisible(), true);
    await payElsewhere(no);
    await page.waitForSelector(`[data-testid=result][data-out-trade-no="${no}"]`);
    await context.close();
  });
});

describe("the phone's own way", () => {
  test("a phone's browser shows no code: it goes to the wallet as an app, and back to the paid order", async () => {
    const { context, page } = await shop(small);
    const no = await numberOf(page);
    await page.click("[data-testid=buy-goods]");
    await page.waitForURL(`**/sandbox/cashier/${no}?from=shop`);
    await page.screenshot({ path: path.join(results, "phone-wallet-375.png") });
    await page.click("[data-testid=wallet-pay]");
    await page.waitForSelector("[data-testid=wallet-paid]");
    await page.click("[data-testid=back-to-shop]");
    await page.waitForSelector(`[data-testid=result][data-out-trade-no="${no}"]`);
    assert.deepEqual(context.faults, []);
    await context.close();
  });

  test("a payer who comes back unpaid is asked about at once, and can pay on", async () => {
    const { context, page } = await shop(small);
    const no = await numberOf(page);
    await page.click("[data-testid=buy-goods]");
    await page.waitForURL(`**/sandbox/cashier/${no}?from=shop`);
    const asked = page.waitForRequest(`${stack.base}/query-payment`);
    await page.click("[data-testid=back-to-shop]");
    await asked;
    await stateOf(page, "ask");
    await payElsewhere(no);
    await page.waitForSelector(`[data-testid=result][data-out-trade-no="${no}"]`);
    await context.close();
  });

  for (const [name, agent, provider] of [["WeChat", "MicroMessenger/8.0.50", "wxpay"], ["Alipay", "AlipayClient/10.6.0", "alipay"]]) {
    test(`inside ${name} its own bridge is asked, and no other wallet is offered`, async () => {
      const { context, page } = await shop({ ...small, userAgent: `${PHONE} ${agent}` });
      assert.deepEqual(await page.$$eval("[data-kind=goods] input[type=radio]", (inputs) => inputs.map((input) => input.value)), [provider]);
      const no = await numberOf(page);
      const [wallet] = await Promise.all([context.waitForEvent("page"), page.click("[data-testid=buy-goods]")]);
      await wallet.waitForURL(`**/sandbox/cashier/${no}?from=shop`);
      assert.equal(await page.locator("[data-testid=buy-goods] [data-testid=qrcode]").count(), 0);
      await wallet.click("[data-testid=wallet-pay]");
      await wallet.waitForSelector("[data-testid=wallet-paid]");
      await wallet.close();
      await page.waitForSelector(`[data-testid=result][data-out-trade-no="${no}"]`);
      await context.close();
    });

    test(`inside ${name} a wallet that is left says so, and the same order can be paid again`, async () => {
      const { context, page } = await shop({ ...small, userAgent: `${PHONE} ${agent}` });
      const [wallet] = await Promise.all([context.waitForEvent("page"), page.click("[data-testid=buy-goods]")]);
      await wallet.waitForLoadState();
      await wallet.close();
      await stateOf(page, "cancel");
      const no = await numberOf(page);
      const [again] = await Promise.all([context.waitForEvent("page"), page.click("[data-testid=buy-goods] [data-testid=again]")]);
      await again.waitForURL(`**/sandbox/cashier/${no}?from=shop`);
      await context.close();
    });
  }
});

describe("the cashier", () => {
  test("lists what the server has for this client, and pays one order by another wallet", async () => {
    const { context, page } = await shop();
    const cashier = page.locator("[data-testid=cashier]");
    await cashier.locator("label").nth(1).waitFor();
    assert.deepEqual(await cashier.locator("label input").evaluateAll((inputs) => inputs.map((input) => input.value)), ["wxpay", "alipay", "vkspay"]);
    await cashier.screenshot({ path: path.join(results, "cashier-1280.png") });
    const no = await numberOf(page, "cashier");
    await cashier.getByRole("button", { name: "立即支付" }).click();
    await cashier.locator("dialog[data-state=wait]").waitFor();
    await cashier.locator("[data-testid=change]").click();
    await cashier.locator("label").nth(1).click();
    await cashier.getByRole("button", { name: "立即支付" }).click();
    await cashier.locator("dialog[data-state=wait][data-provider=alipay]").waitFor();
    await payElsewhere(no);
    await page.waitForSelector(`[data-testid=result][data-out-trade-no="${no}"]`);
    await page.goto(`/orders/${no}`);
    const attempts = await page.locator(".attempts li").allInnerTexts();
    assert.equal(attempts.length, 2, attempts.join());
    assert.match(attempts[0], /关闭/, "the earlier attempt was closed at its provider");
    await page.goto("/demo");
    await page.locator("[data-testid=cashier] label").nth(1).waitFor();
    assert.equal(await page.locator("[data-testid=cashier] input").nth(1).isChecked(), true, "the last choice is remembered");
    assert.equal(context.seen.filter((url) => url.endsWith("/query-payment")).length > 0, true);
    await context.close();
  });

  test("is chosen and paid by keyboard alone", async () => {
    const { context, page } = await shop();
    const cashier = page.locator("[data-testid=cashier]");
    await cashier.locator("label").nth(1).waitFor();
    await cashier.locator("input").first().focus();
    await page.keyboard.press("ArrowDown");
    assert.equal(await cashier.locator("input").nth(1).isChecked(), true);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await cashier.locator("dialog[data-state=wait][data-provider=alipay]").waitFor();
    await page.keyboard.press("Escape");
    await cashier.locator("dialog").waitFor({ state: "hidden" });
    await context.close();
  });
});
