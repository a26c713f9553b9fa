// The server of these tests: `cargo run`'s binary when VK_PAY_LOCAL names it, so that real signatures are handed on,
// else one that answers as it does, with random texts for signatures.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";

export const startServer = () => (process.env.VK_PAY_LOCAL ? startBinary(process.env.VK_PAY_LOCAL) : startPlayed());

async function startBinary(binary) {
  const dir = await mkdtemp(path.join(tmpdir(), "vk-pay-mp-"));
  const child = spawn(binary, ["--port", "0", "--data-dir", dir], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  for await (const bytes of child.stdout.iterator({ destroyOnReturn: false })) {
    output += bytes;
    if (output.includes("Ctrl-C")) break;
  }
  child.stdout.resume();
  const base = output.match(/http:\/\/127\.0\.0\.1:\d+/)[0];
  return {
    base,
    key: output.match(/Bearer (demo-[0-9a-f]+)/)[1],
    async pay(number) {
      const wallet = `${base}/sandbox/cashier/${number}`;
      const token = (await (await fetch(wallet)).text()).match(/name="_token" value="([0-9a-f]+)"/)[1];
      const paid = await fetch(wallet, { method: "POST", body: new URLSearchParams({ _token: token, how: "pay" }), redirect: "manual" });
      if (paid.status !== 303) throw new Error(`not paid: ${paid.status}`);
    },
    async stop() {
      child.kill("SIGTERM");
      await once(child, "exit");
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function startPlayed() {
  const paid = new Set();
  const random = () => randomBytes(24).toString("base64");
  const orderInfo = {
    wxpay: () => ({ appId: "wx1", timeStamp: "1795256000", nonceStr: random(), package: `prepay_id=${random()}`, signType: "RSA", paySign: random() }),
    "wxpay-virtual": () => ({
      mode: "short_series_coin",
      signData: `{"offerId":"1", "buyQuantity":10,"env":1,"attach":"\\u4e2d/${random()}"}`,
      paySig: random(),
      signature: random(),
    }),
  };
  const answers = {
    "pay/code2Session": () => ({ openid: "o-payer" }),
    "pay/createPayment": ({ provider, out_trade_no, openid }) =>
      openid === "o-payer"
        ? { provider, pay_type: `${provider}_mp-weixin`, out_trade_no, orderInfo: orderInfo[provider](), trade_state: "NOTPAY", status: 0 }
        : { code: 1006, msg: "openid" },
    "pay/queryPayment": ({ out_trade_no }) =>
      paid.has(out_trade_no) ? { orderPaid: true, trade_state: "SUCCESS", out_trade_no } : { code: 2002, trade_state: "NOTPAY", out_trade_no },
  };
  const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const bytes of request) body += bytes;
    const { action, data } = JSON.parse(body);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ code: 0, msg: "ok", ...answers[action](data) }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    base: `http://127.0.0.1:${server.address().port}`,
    key: "none",
    pay: async (number) => paid.add(number),
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}
