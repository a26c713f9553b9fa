// The pictures of the console: node docs/images/console.mjs
// Needs the built binary (cargo build -p vk-pay), Chromium, and what `npm ci --prefix tests/browser` installs.
import { spawn, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "../../tests/browser/node_modules/playwright-core/index.mjs";

const images = path.dirname(fileURLToPath(import.meta.url));
const binary = process.env.VK_PAY_LOCAL ?? path.join(images, "../../target/debug/vk-pay");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// What happened today: the scene, the provider, yuan.
const scenes = [
  ["paid", "wxpay", "128.00"], ["paid", "alipay", "25.80"], ["paid", "douyin", "6.00"], ["paid", "huawei", "30.00"],
  ["paid", "vkspay", "9.90"], ["paid", "wxpay", "66.00"], ["refund", "alipay", "18.00"], ["paid", "appleiap", "6.00"],
  ["paid", "wxpay", "288.00"], ["mismatch", "wxpay", "12.00"], ["paid", "alipay", "49.00"],
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});

// What the orders are called is in the language that they were made in, so each has a stack of its own.
async function shoot(lang) {
  const folder = mkdtempSync(path.join(tmpdir(), "vk-pay-"));
  const run = (...line) => execFileSync(binary, [...line, "--data-dir", folder, "--lang", lang, "--json"], { encoding: "utf8" });
  const stack = spawn(binary, ["--port", "0", "--data-dir", folder, "--schedule", "1"], { stdio: "ignore" });
  try {
    const file = path.join(folder, "stack.json");
    for (let tries = 0; !existsSync(file); tries += 1) {
      if (tries === 150) throw new Error("the stack does not start");
      await sleep(200);
    }
    const { url } = JSON.parse(readFileSync(file, "utf8"));
    for (const [scene, provider, amount] of scenes) run("trigger", scene, "--provider", provider, "--amount", amount);
    await sleep(2500);
    const [incident] = JSON.parse(run("incidents")).list;
    for (const [colorScheme, suffix] of [["light", ""], ["dark", "-dark"]]) {
      const context = await browser.newContext({ baseURL: url, viewport: { width: 1280, height: 860 }, colorScheme });
      const page = await context.newPage();
      for (const [name, place] of [["home", "/"], ["order", `/orders/${incident.out_trade_no}`]]) {
        await page.goto(`${place}?lang=${lang}`);
        await sleep(1500);
        await page.screenshot({ path: path.join(images, `console-${name}-${lang}${suffix}.png`) });
      }
    }
  } finally {
    stack.kill("SIGTERM");
    await sleep(1000);
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  for (const lang of ["zh", "en"]) await shoot(lang);
} finally {
  await browser.close();
}
