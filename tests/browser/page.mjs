// A shop's own page, as plain as can be, on an origin of its own.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { openContext } from "./stack.mjs";

const names = ["create", "success", "fail", "cancel", "pending"];

const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A shop</title>
<link rel="icon" href="data:,">
<script type="module" src="/vk-pay-button.js"></script>
<script>
  window.events = [];
  for (const name of ${JSON.stringify(names)}) {
    document.addEventListener(name, (event) => events.push({ name, id: event.target.id, detail: event.detail }));
  }
</script>
<body></body>
</html>`;

// Serves the page and the element's file.
export async function servePage(file) {
  const script = await readFile(file);
  const server = http.createServer((request, response) => {
    const [kind, body] = request.url.startsWith("/vk-pay-button.js") ? ["text/javascript", script] : ["text/html", html];
    response.writeHead(200, { "content-type": `${kind}; charset=utf-8` }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }),
  };
}

// Puts a button on the page: attributes as given, an order as JSON.
export function addButton(page, id, attributes, text = "Pay") {
  return page.evaluate(([id, attributes, text]) => {
    const button = document.createElement("vk-pay-button");
    button.id = id;
    button.textContent = text;
    for (const [name, value] of Object.entries(attributes)) {
      button.setAttribute(name, typeof value === "object" ? JSON.stringify(value) : value);
    }
    document.body.append(button);
  }, [id, attributes, text]);
}

// The events of a button so far.
export const eventsOf = (page, id) => page.evaluate((id) => window.events.filter((event) => event.id === id), id);

// Waits until a button's payment has ended, and gives the event that ended it.
export async function ending(page, id, timeout = 15_000) {
  await page.waitForFunction((id) => window.events.some((event) => event.id === id && event.name !== "create"), id, { timeout });
  const events = await eventsOf(page, id);
  return events.find((event) => event.name !== "create");
}

// What a shop's server, its payers and the providers do, around one stack and one browser.
export function startShop({ plain, stack, browser }) {
  let count = 0;
  // A new order, as a shop's server would name it.
  const orderOf = (fields = {}) => ({
    out_trade_no: `ELEMENT${Date.now()}${++count}`, total_fee: 1234, subject: "Tea", type: "recharge", user_id: "demo-user",
    ...fields,
  });

  const key = async () => JSON.parse(await readFile(path.join(stack.dir, "config.json"), "utf8")).auth.keys.demo;

  // Calls a function as the shop's server does.
  async function call(action, data) {
    const target = { closePayment: "create-payment", queryPayment: "query-payment" }[action];
    const answer = await fetch(`${stack.base}/${target}`, {
      method: "POST",
      headers: { authorization: `Bearer ${await key()}`, "content-type": "application/json" },
      body: JSON.stringify({ url: `pay/${action}`, data }),
    });
    return answer.json();
  }

  // Pays in the simulated wallet, as the payer does on another device.
  async function payElsewhere(no, how = "pay") {
    const other = await openContext(browser, stack);
    const wallet = await other.newPage();
    await wallet.goto(`/sandbox/cashier/${no}`);
    if (how !== "pay") await wallet.click(".sheet details.more > summary");
    await wallet.click(`[data-testid=wallet-${how}]`);
    await wallet.waitForSelector("[data-testid=wallet-paid]");
    await other.close();
  }

  // Lets the simulated providers misbehave.
  async function misbehave(what, op, times = 1) {
    const other = await openContext(browser, stack);
    const page = await other.newPage();
    await page.goto("/sandbox");
    await page.selectOption('[name="what"]', what);
    await page.selectOption('[name="op"]', op);
    await page.fill('[name="times"]', String(times));
    await page.click("[data-testid=misbehave]");
    await other.close();
  }

  // A context in which a shop's plain page stands open.
  async function openShop(options = {}) {
    const shop = await openContext(browser, stack, options);
    const page = await shop.newPage();
    await page.goto(`${plain.origin}/`);
    await page.waitForFunction(() => customElements.get("vk-pay-button"));
    return { shop, page, done: () => leaves(shop) };
  }

  // Closes a context that asked nothing of anybody but the shop and the functions.
  async function leaves(shop) {
    const own = [`${plain.origin}/`, `${stack.base}/`, "data:", "blob:"];
    assert.deepEqual(shop.seen.filter((url) => !own.some((base) => url.startsWith(base))), []);
    await shop.close();
  }

  return { call, misbehave, openShop, orderOf, payElsewhere };
}
