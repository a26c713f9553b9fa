// What a person does in the console, as steps that read like it.
import assert from "node:assert/strict";

export const waysOf = {
  default: [
    "wxpay_h5", "wxpay_mp-weixin", "wxpay_h5-weixin", "wxpay_app-plus", "wxpay_mweb", "wxpay_codepay",
    "alipay_h5", "alipay_mp-alipay", "alipay_app-plus", "alipay_pc", "alipay_wap", "alipay_codepay",
    "appleiap_app-plus",
    "vkspay_h5", "vkspay_h5-weixin", "vkspay_mweb", "vkspay_mp-weixin", "vkspay_mp-alipay", "vkspay_app-plus",
    "wxpay-virtual_mp-weixin", "douyin_mp-toutiao", "huawei_mp-harmony", "huawei_app-harmony",
  ],
  v2: [
    "wxpay_h5", "wxpay_mp-weixin", "wxpay_h5-weixin", "wxpay_app-plus", "wxpay_mweb", "vkspay_h5", "wxpay-virtual_mp-weixin",
  ],
  cert: ["wxpay_h5", "alipay_h5", "alipay_app-plus", "vkspay_h5", "douyin_mp-toutiao"],
};

export async function createOrder(page, { way, pid = "", amount = "1.00", type = "recharge", fields = {} }) {
  await page.goto("/");
  await page.selectOption('[data-testid=create] [name="pay_type"]', way);
  await page.selectOption('[data-testid=create] [name="pid"]', pid);
  await page.selectOption('[data-testid=create] [name="type"]', type);
  await page.fill('[data-testid=create] [name="amount"]', amount);
  if (Object.keys(fields).length > 0) await page.click("[data-testid=create] details.more > summary");
  for (const [name, value] of Object.entries(fields)) await page.fill(`[data-testid=create] [name="${name}"]`, value);
  await page.click("[data-testid=create-order]");
  const status = await page.getAttribute("[data-testid=notice]", "data-status");
  assert.equal(status, "200", `${way}/${pid}: ${await page.innerText("[data-testid=notice]")}`);
  return decodeURIComponent(new URL(page.url()).pathname.split("/").pop());
}

export async function payInWallet(page, no, how = "pay") {
  await page.goto(`/sandbox/cashier/${no}`);
  if (how !== "pay") await page.click(".sheet details.more > summary");
  await page.click(`[data-testid=wallet-${how}]`);
  await page.waitForSelector("[data-testid=wallet-paid]");
  await page.click("[data-testid=back-to-order]");
}

export const state = (page) => page.getAttribute("[data-testid=head] .badge", "data-state");

export async function becomes(page, wanted) {
  await page.waitForSelector(`[data-testid=head] .badge[data-state=${wanted}]`);
}

export async function balance(page) {
  await page.goto("/tables/uni-id-users");
  return Number(await page.innerText('[data-testid=table] td[data-field="balance"] >> nth=0'));
}

// In place of an amount: all that is left.
export const ALL = Symbol("all");

export async function refund(page, amount) {
  if (amount === ALL) {
    await page.click("[data-testid=refund-all]");
  } else {
    await page.fill('[data-testid=refund-form] [name="amount"]', amount);
    await page.click("[data-testid=refund]");
  }
  // What is refused at once is said on the order's page.
  if ((await page.locator("[data-testid=confirm-refund]").count()) > 0) await page.click("[data-testid=confirm]");
  return Number(await page.getAttribute("[data-testid=notice]", "data-status"));
}

export async function sendCallback(page, kind) {
  await page.click(`[data-testid=callback-${kind}]`);
  const first = page.locator("[data-testid=callback-answers] > li").first();
  assert.equal(await first.getAttribute("data-kind"), kind);
  return Number(await first.getAttribute("data-status"));
}

export async function settled(page, no, times) {
  await page.goto(`/orders/${no}`);
  await page.waitForFunction((times) =>
    document.querySelectorAll('[data-testid=refund-item][data-state="SUCCESS"]').length === times, times);
}
