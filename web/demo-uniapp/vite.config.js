import fs from "node:fs";
import path from "node:path";
import uni from "@dcloudio/vite-plugin-uni";
import { defineConfig } from "vite";

const at = (name) => path.resolve(__dirname, name);

// uni-app takes what lies below src for a project's own, and a symbolic link does not survive every checkout.
for (const [from, to] of [["../uni_modules", "src/uni_modules"], ["../shims/uni-cloud.js", "src/shims/uni-cloud.js"]]) {
  fs.rmSync(at(to), { recursive: true, force: true });
  fs.cpSync(at(from), at(to), { recursive: true });
}

export default defineConfig(({ command }) => ({
  plugins: [uni()],
  // A page of the VK framework says `vk` without importing it. The dev server would read this before there is a `uni`.
  define: command === "build" ? { vk: "uni.vk" } : {},
  // `uniCloud` is injected from this package by its name.
  resolve: { alias: { "@dcloudio/uni-cloud": at("src/shims/uni-cloud.js") } },
}));
