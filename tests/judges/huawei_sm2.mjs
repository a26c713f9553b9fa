// npm sm-crypto judges Huawei's SM2: it verifies what the sandbox signs, and signs a callback of its own.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import smCrypto from "sm-crypto";

const { sm2 } = smCrypto;
const job = JSON.parse(readFileSync(0, "utf8"));

const canonical = (value) => {
  if (Array.isArray(value)) return value.filter((v) => v !== null).map(canonical).join(",");
  if (typeof value === "object") {
    const names = Object.keys(value).filter((name) => value[name] !== null).sort();
    return names.map((name) => `${name}=${canonical(value[name])}`).join("&");
  }
  return String(value);
};
const unsigned = ({ sign, ...rest }) => canonical(rest);
const options = { der: true, hash: true };

if (job.do === "verify") {
  const body = JSON.parse(job.body);
  const hex = Buffer.from(body.sign, "base64").toString("hex");
  assert.ok(sm2.doVerifySignature(unsigned(body), hex, job.key.toLowerCase(), options), "the sandbox's signature");
  body.totalAmount += 1;
  assert.ok(!sm2.doVerifySignature(unsigned(body), hex, job.key.toLowerCase(), options), "an altered body");
  console.log("sm-crypto takes the sandbox's callback, and not an altered one");
} else {
  const pair = sm2.generateKeyPairHex();
  const body = {
    ...job.body, callbackId: "judge-1", signType: "SM2", dataType: "plain", somethingNew: { b: 1, a: "x" },
  };
  body.sign = Buffer.from(sm2.doSignature(unsigned(body), pair.privateKey, options), "hex").toString("base64");
  console.log(JSON.stringify({ key: pair.publicKey, body: JSON.stringify(body) }));
}
