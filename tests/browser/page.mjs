// A shop's own page, as plain as can be, on an origin of its own.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";

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

// The events of a button so far, or those of its last payment's end.
export const eventsOf = (page, id) => page.evaluate((id) => window.events.filter((event) => event.id === id), id);

// Waits until a button's payment has ended, and gives the event that ended it.
export async function ending(page, id, timeout = 15_000) {
  await page.waitForFunction((id) => window.events.some((event) => event.id === id && event.name !== "create"), id, { timeout });
  const events = await eventsOf(page, id);
  return events.find((event) => event.name !== "create");
}
