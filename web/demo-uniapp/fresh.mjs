// A new uni-app CLI project as a stranger makes it, of the module's folder and the packed client: `node fresh.mjs`, after
// `npm ci`. The compiler is this demo's, linked rather than downloaded again.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const web = path.dirname(here);
const folder = fs.mkdtempSync(path.join(tmpdir(), "paybundle-uni-"));
const file = (...parts) => path.join(folder, ...parts);
const put = (name, text) => {
  fs.mkdirSync(path.dirname(file(name)), { recursive: true });
  fs.writeFileSync(file(name), text);
};
const run = (command, args, cwd = folder) => execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, CI: "1" } });

const { dependencies, devDependencies } = JSON.parse(fs.readFileSync(path.join(here, "package.json"), "utf8"));
const module = "paybundle-cashier";
const importing = `import vkPay from "@/uni_modules/${module}/js_sdk/vk-pay.js";
import { field } from "paybundle-client";
import { createSSRApp } from "vue";
import App from "./App.vue";
vkPay.setup({ baseUrl: "https://pay.example" });
export function createApp() {
  const app = createSSRApp(App);
  app.config.globalProperties.paid = (reply) => field(reply, "trade_state");
  return { app };
}
`;
const page = `<template>
  <view>
    <vk-pay-button :order="order" @success="told = paid($event)">立即支付</vk-pay-button>
    <vk-uni-cashier :order="order"></vk-uni-cashier>
    <vk-pay-status :out-trade-no="order.out_trade_no"></vk-pay-status>
  </view>
</template>
<script>
export default { data: () => ({ told: "", order: { out_trade_no: "T1", total_fee: 100, subject: "商品", type: "goods" } }) };
</script>
`;

try {
  const [packed] = JSON.parse(run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], path.join(web, "packages/vk-pay-client")));
  put("package.json", JSON.stringify({ private: true, dependencies, devDependencies }));
  put("vite.config.js", 'import uni from "@dcloudio/vite-plugin-uni";\nimport { defineConfig } from "vite";\nexport default defineConfig({ plugins: [uni()] });\n');
  put("index.html", '<!doctype html><html><head><meta charset="utf-8"></head><body><div id="app"></div><script type="module" src="/src/main.js"></script></body></html>\n');
  put("src/manifest.json", JSON.stringify({ name: "shop", appid: "", vueVersion: "3", h5: {}, "mp-weixin": { appid: "", usingComponents: true } }));
  put("src/pages.json", JSON.stringify({ pages: [{ path: "pages/index/index", style: { navigationBarTitleText: "shop" } }] }));
  put("src/App.vue", "<script>\nexport default {};\n</script>\n");
  put("src/main.js", importing);
  put("src/pages/index/index.vue", page);
  fs.cpSync(path.join(web, "uni_modules", module), file("src/uni_modules", module), { recursive: true });
  fs.mkdirSync(file("node_modules"));
  for (const name of fs.readdirSync(path.join(here, "node_modules"))) {
    fs.symlinkSync(path.join(here, "node_modules", name), file("node_modules", name));
  }
  // The client and what it needs are installed; npm would put the rest back where it found links.
  run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", file("client"), file(packed.filename)]);
  for (const name of ["paybundle-client", "uqr"]) fs.symlinkSync(file("client/node_modules", name), file("node_modules", name));

  const compiler = path.join(here, "node_modules/@dcloudio/vite-plugin-uni/bin/uni.js");
  for (const platform of ["h5", "mp-weixin"]) {
    const began = Date.now();
    run(process.execPath, [compiler, "build", "-p", platform]);
    console.log(`a new project with ${module} and the packed client builds for ${platform}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
  const scripts = fs.readdirSync(file("dist/build/h5/assets")).filter((name) => name.endsWith(".js"));
  const all = scripts.map((name) => fs.readFileSync(file("dist/build/h5/assets", name), "utf8")).join("");
  for (const part of ["vk-pay-button__face", "vk-cashier__amount", "vk-pay-status__mark", "https://pay.example"]) assert.ok(all.includes(part), part);
  const components = Object.values(JSON.parse(fs.readFileSync(file("dist/build/mp-weixin/pages/index/index.json"), "utf8")).usingComponents);
  for (const name of ["vk-pay-button", "vk-uni-cashier", "vk-pay-status"]) {
    assert.ok(components.includes(`../../uni_modules/${module}/components/${name}/${name}`), name);
    assert.ok(fs.existsSync(file("dist/build/mp-weixin/uni_modules", module, "components", name, `${name}.wxml`)), name);
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
