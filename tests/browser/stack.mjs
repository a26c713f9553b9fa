// Starts the built binary in a fresh folder, and a browser that may go nowhere else.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, "target");
const binary = process.env.VK_PAY_LOCAL ?? path.join(target, "debug", "vk-pay");

const children = new Set();

// Ends what a failed test has left behind.
export const killStacks = () => children.forEach((child) => child.kill("SIGKILL"));

// Chromium has hung on closing a context. What a file does first, each of its tests and what it does last take no longer
// than this, ms; then its Chromium is killed, on which whatever waits for it fails. What waits on even so ends the file.
const MOST = Number(process.env.BROWSER_TEST_LIMIT ?? 180_000);
const GRACE = MOST / 6;
const browsers = new Set();
let watchdog;

function watch(what) {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => {
    const told = `${path.basename(process.argv[1])}: ${what} has not ended within ${MOST / 1000} s`;
    console.error(`${told}; its Chromium is killed`);
    for (const pid of browsers) kill(pid);
    watchdog = setTimeout(() => {
      console.error(`${told}, nor ${GRACE / 1000} s after its Chromium`);
      killStacks();
      process.exit(1);
    }, GRACE).unref();
  }, MOST).unref();
}

// A browser with the processes that it started, which are its group.
function kill(pid) {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }
}

watch("what comes before the tests");
beforeEach((test) => watch(`"${test.fullName}"`));
afterEach((test) => watch(`what comes after "${test.fullName}"`));

export const results = path.join(root, "test-results");

export async function startStack({ dir, extra = [] } = {}) {
  dir ??= await mkdtemp(path.join(tmpdir(), "vk-pay-"));
  const child = spawn(binary, ["--port", "0", "--data-dir", dir, ...extra], { stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  child.once("exit", () => children.delete(child));
  const stack = { dir, output: "", log: "" };
  child.stderr.on("data", (bytes) => (stack.log += bytes));
  stack.base = await new Promise((found, failed) => {
    const timer = setTimeout(() => failed(new Error(`not started within 60 s\n${stack.log}`)), 60_000);
    child.once("error", failed);
    child.once("exit", (code) => failed(new Error(`ended with ${code}\n${stack.log}`)));
    child.stdout.on("data", (bytes) => {
      stack.output += bytes;
      const first = stack.output.match(/http:\/\/127\.0\.0\.1:\d+(?=\s)/);
      if (first && stack.output.includes("Ctrl-C")) {
        clearTimeout(timer);
        found(first[0]);
      }
    });
  });
  stack.stop = async ({ keep = false } = {}) => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const [code] = await ended;
    if (!keep) await rm(dir, { recursive: true, force: true });
    return code;
  };
  return stack;
}

export async function startBrowser() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const { id } = processInfo.find(({ type }) => type === "browser");
  await session.detach();
  browsers.add(id);
  browser.once("disconnected", () => browsers.delete(id));
  return browser;
}

// A context whose requests and script errors are collected.
export async function openContext(browser, stack, options = {}) {
  const context = await browser.newContext({ baseURL: stack.base, locale: "zh-CN", ...options });
  context.setDefaultTimeout(15_000);
  context.seen = [];
  context.faults = [];
  context.on("request", (request) => context.seen.push(request.url()));
  context.on("console", (message) => {
    if (message.type() === "error" && !/the server responded with a status of 4/.test(message.text())) {
      context.faults.push(message.text());
    }
  });
  context.on("weberror", (error) => context.faults.push(String(error.error())));
  return context;
}

// A request as no browser would send it: `Host` and the rest as given.
export function raw(base, { method = "GET", path: target = "/", headers = {}, body = "" } = {}) {
  const { hostname, port } = new URL(base);
  return new Promise((done, failed) => {
    const request = http.request({ hostname, port, method, path: target, headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (bytes) => (text += bytes));
      response.on("end", () => done({ status: response.statusCode, headers: response.headers, text }));
    });
    request.on("error", failed);
    request.end(body);
  });
}
