// Runs uni-app's compiler: `node uni.mjs dev`, or `node uni.mjs h5 mp-weixin …` to build for these.
// With CI set it does not call its maker.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";

const found = createRequire(import.meta.url).resolve("@dcloudio/vite-plugin-uni/package.json");
const compiler = path.join(path.dirname(found), "bin", "uni.js");

function uni(...options) {
  const { status } = spawnSync(process.execPath, [compiler, ...options], { stdio: "inherit", env: { ...process.env, CI: "1" } });
  if (status !== 0) process.exit(status ?? 1);
}

const platforms = process.argv.slice(2);
if (platforms[0] === "dev") uni("--host", "127.0.0.1");
else for (const platform of platforms) uni("build", "-p", platform);
