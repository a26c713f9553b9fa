// The pages that users have are shown as they are. Whoever changes one has changed what is proved.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const untouched = {
  "vkspay/vkspay.vue": "47f237839ebf9f85e9d882429bbe1c20fdddc1ba3bb782df83a310bb7ffefea5",
  "order/payment.vue": "4b92dc3a4e24cd04e87141c8c1bb947d9225bcd5d398840dadc6de34bd179a1b",
  "order/success.vue": "1c43974fbde842b4248490e1cdbd5f40b47bbf2eb8d1fcdb0f9eb8b28bd8a316",
  "order/manual.js": "a5453c8db42091799cfc436700c4136c2765b59638fab06f8a1c2efce14d54d9",
};

for (const [name, hash] of Object.entries(untouched)) {
  test(`${name} is the VK-Pay page, byte for byte`, () => {
    const bytes = readFileSync(new URL(`../src/pages/${name}`, import.meta.url));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), hash);
  });
}
