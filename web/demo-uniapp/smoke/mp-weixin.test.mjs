import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startServer } from "./server.mjs";
import { startMiniProgram } from "./weixin.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.stop());

let count = 0;
const order = (more) => ({ provider: "wxpay", out_trade_no: `MP${Date.now()}${++count}`, total_fee: 100, subject: "mini program", type: "custom", ...more });
const virtual = () => order({ provider: "wxpay-virtual", wxpay_virtual: { mode: "short_series_coin", buy_quantity: 10 } });

// A mini program whose payer does what `calls` say.
function start(calls) {
  const program = startMiniProgram(calls);
  program.vkPay.setup({ baseUrl: server.base, headers: () => ({ authorization: `Bearer ${server.key}` }) });
  return program;
}
const actions = ({ sent }) => sent.map(({ data }) => data.action);
const names = ({ events }) => events.map(({ name }) => name).filter((name) => !name.startsWith("update:"));
const signed = ({ received }) => received.map((text) => JSON.parse(text)).find(({ orderInfo }) => orderInfo).orderInfo;

const drawn = () => new Promise((done) => setTimeout(done, 20));

describe("vk-uni-pay in the compiled mini program", () => {
  test("logs in, hands wx.requestPayment exactly what the server signed, and believes the server only", async () => {
    const asked = [];
    const data = order();
    const program = start({
      requestPayment(options) {
        asked.push(options);
        server.pay(data.out_trade_no).then(() => options.success({ errMsg: "requestPayment:ok" }));
      },
    });
    const component = program.mount("vk-uni-pay");
    const outcome = await component.vm.createPayment({ data });
    assert.equal(outcome.type, "success", JSON.stringify(outcome));
    assert.equal(outcome.reply.trade_state, "SUCCESS");
    assert.deepEqual(actions(program).slice(0, 3), ["pay/code2Session", "pay/createPayment", "pay/queryPayment"]);
    assert.equal(program.sent[1].data.data.vk_platform, "mp-weixin");
    assert.equal(asked.length, 1);
    const { success, fail, complete, provider, ...handed } = asked[0];
    assert.deepEqual(handed, signed(program));
    assert.deepEqual(names(component), ["init", "create", "success"]);
  });

  test("hands wx.requestVirtualPayment its signData byte for byte", async () => {
    const asked = [];
    const data = virtual();
    const program = start({
      requestVirtualPayment(options) {
        asked.push(options);
        server.pay(data.out_trade_no).then(() => options.success({ errMsg: "requestVirtualPayment:ok" }));
      },
    });
    const outcome = await program.mount("vk-uni-pay").vm.createPayment({ data });
    assert.equal(outcome.type, "success", JSON.stringify(outcome));
    const { mode, signData, paySig, signature } = asked[0];
    assert.deepEqual({ mode, signData, paySig, signature }, signed(program));
    const answer = program.received.find((text) => text.includes("signData"));
    assert.ok(answer.includes(JSON.stringify(signData)), "the same text as on the wire");
  });

  test("says cancel when the payer cancels, and asks nothing then", async () => {
    const program = start({ requestPayment: ({ fail }) => fail({ errMsg: "requestPayment:fail cancel" }) });
    const component = program.mount("vk-uni-pay");
    assert.equal((await component.vm.createPayment({ data: order() })).type, "cancel");
    assert.deepEqual(names(component), ["init", "create", "cancel"]);
    assert.ok(!actions(program).includes("pay/queryPayment"));
  });

  test("says fail with WeChat's reason when virtual payment is refused, and cancel for its code of cancelling", async () => {
    for (const [errCode, type] of [[-15005, "fail"], [-2, "cancel"]]) {
      const program = start({ requestVirtualPayment: ({ fail }) => fail({ errCode, errMsg: "requestVirtualPayment:fail" }) });
      const outcome = await program.mount("vk-uni-pay").vm.createPayment({ data: virtual() });
      assert.equal(outcome.type, type);
      if (type === "fail") assert.deepEqual([outcome.reply.failType, outcome.reply.code], ["request", errCode]);
    }
  });

  test("takes WeChat's ok for no payment: it asks until the page is left, and then is silent", async () => {
    const program = start({ requestPayment: ({ success }) => success({ errMsg: "requestPayment:ok" }) });
    const component = program.mount("vk-uni-pay", { pollingTime: 300 });
    const running = component.vm.createPayment({ data: order() });
    while (actions(program).filter((name) => name === "pay/queryPayment").length < 2) await new Promise((done) => setTimeout(done, 50));
    component.detach();
    assert.equal((await running).type, "stopped");
    const asked = program.sent.length;
    await new Promise((done) => setTimeout(done, 900));
    assert.equal(program.sent.length, asked);
    assert.deepEqual(names(component), ["init", "create"]);
  });

  test("a payer who leaves has cancelled what is not paid, and not what WeChat says is paid, nor what nobody knows", async () => {
    const ends = ["success", "cancel", "pending"];
    for (const [calls, before, name] of [
      [{}, async () => {}, "cancel"],
      [{}, (data) => server.pay(data.out_trade_no), "success"],
      [{ requestPayment: ({ success }) => success({ errMsg: "requestPayment:ok" }) }, () => new Promise((done) => setTimeout(done, 300)), "pending"],
      [{}, (data, program) => program.vkPay.setup({ baseUrl: "http://127.0.0.1:1" }), "pending"],
    ]) {
      const data = order();
      const program = start({ requestPayment() {}, ...calls });
      const component = program.mount("vk-uni-pay", { pollingTime: 60_000 });
      const told = [];
      const hooks = Object.fromEntries(ends.map((end) => [end, () => told.push(end)]));
      const running = component.vm.createPayment({ data, ...hooks });
      while (component.vm.controller.status !== 1) await new Promise((done) => setTimeout(done, 10));
      await before(data, program);
      await component.vm.cancel();
      assert.equal((await running).type, "stopped");
      assert.deepEqual(told, [name]);
      assert.deepEqual(names(component), ["init", "create", name]);
    }
  });

  test("asks nothing while another page covers it", async () => {
    const data = order();
    const program = start({
      requestPayment({ success }) {
        program.pages.push({ route: "pages/other" });
        success({ errMsg: "requestPayment:ok" });
      },
    });
    const component = program.mount("vk-uni-pay");
    const running = component.vm.createPayment({ data });
    await new Promise((done) => setTimeout(done, 1500));
    assert.ok(!actions(program).includes("pay/queryPayment"));
    await server.pay(data.out_trade_no);
    program.pages.pop();
    assert.equal((await running).type, "success");
  });
});

test("a tap on vk-pay-button pays its order, and its page is told", async () => {
  const data = order();
  const program = start({
    requestPayment: ({ success }) => server.pay(data.out_trade_no).then(() => success({ errMsg: "requestPayment:ok" })),
  });
  const cashier = program.mount("vk-uni-pay");
  const { provider, ...item } = data;
  const button = program.mount("vk-pay-button", { order: item }, [cashier]);
  button.fire("vk-pay-button__face", "tap");
  // A second tap while the first is at work is none.
  button.fire("vk-pay-button__face", "tap");
  while (!names(button).includes("success")) await new Promise((done) => setTimeout(done, 50));
  assert.deepEqual(names(button), ["create", "success"]);
  assert.equal(actions(program).filter((name) => name === "pay/createPayment").length, 1);
  assert.equal(program.sent.find((one) => one.data.action === "pay/createPayment").data.data.provider, "wxpay");
});

test("a code is saved to the album as the picture that is shown", async () => {
  const program = start({});
  const code = program.mount("vk-uni-qrcode");
  const popup = program.mount("vk-uni-pay-qrcode-popup", { codeUrl: "https://pay.example/q/1", status: 1, outTradeNo: "N1" }, [code]);
  await drawn();
  code.vm.$.props.text = "https://pay.example/q/1";
  await drawn();
  popup.fire("qrcode-save", "tap");
  await drawn();
  const picture = code.events.find(({ name }) => name === "image").detail;
  const shown = Buffer.from((picture.__args__ ?? [picture])[0].split(",")[1], "base64");
  assert.deepEqual(program.album, [shown]);
  assert.equal(shown.subarray(1, 4).toString(), "PNG");
  // Its clock stops with it; one that runs on would keep this process.
  popup.vm.$.props.codeUrl = "";
  await drawn();
});

test("vkPay.pay() takes an order that was created by vk.callFunction, and answers what the server says", async () => {
  const data = order();
  const program = start({
    requestPayment: ({ success }) => server.pay(data.out_trade_no).then(() => success({ errMsg: "requestPayment:ok" })),
  });
  const session = await program.vkPay.callFunction({ action: "pay/code2Session", data: { provider: "wxpay", code: "c1" } });
  const created = await program.vkPay.callFunction({ action: "pay/createPayment", data: { ...data, openid: session.openid } });
  const paid = await program.vkPay.pay({ provider: created.provider, orderInfo: created.orderInfo });
  assert.equal(paid.code, 0);
  assert.equal(paid.trade_state, "SUCCESS");
  assert.equal(paid.clientOnly, undefined);
});

test("the sheet says every state in words, and offers what can be done there", async () => {
  const program = start({});
  const says = {
    ask: ["请稍候…"],
    wait: ["请在打开的收银台完成支付", "等待支付…", "我已完成支付"],
    pending: ["暂未收到支付结果", "如已付款，请勿重复支付，稍后再查", "我已完成支付"],
    success: ["支付成功"],
    cancel: ["支付已取消", "订单仍然有效，可以继续支付", "重试"],
    fail: ["支付失败", "余额不足", "重试"],
    ended: ["订单已关闭", "如已付款，请联系商家", "重试"],
    expired: ["订单已过期", "如已付款，请联系商家", "重试"],
    unknown: ["暂未收到响应", "可以放心重试，不会重复扣款", "重试"],
  };
  const popup = program.mount("vk-uni-pay-qrcode-popup", { outTradeNo: "N1", provider: "wxpay", totalFee: 100 });
  await drawn();
  for (const [state, texts] of Object.entries(says)) {
    popup.vm.$.props.state = state;
    popup.vm.$.props.message = state === "fail" ? "余额不足" : "";
    await drawn();
    assert.equal(popup.vm.shown, true);
    assert.equal(popup.vm.stage, state);
    const shown = [popup.vm.words.title, popup.vm.advice, ...(popup.vm.can.paid ? [popup.vm.words.havePaid] : []), ...(popup.vm.can.again ? [popup.vm.words.again] : [])];
    assert.deepEqual(shown.filter(Boolean), texts, state);
    for (const text of texts) assert.ok(JSON.stringify(popup.instance.data).includes(text), `${state}: ${text}`);
  }
  popup.vm.$.props.state = "";
  await drawn();
  assert.equal(popup.vm.shown, false);
});

test("vk-pay-button knows the state of its sheet from what the cashier and the server say", async () => {
  for (const [calls, states] of [
    [{ requestPayment: ({ fail }) => fail({ errMsg: "requestPayment:fail cancel" }) }, ["ask", "wait", "cancel"]],
    [{ requestPayment: ({ fail }) => fail({ errMsg: "requestPayment:fail no balance" }) }, ["ask", "wait", "fail"]],
  ]) {
    const program = start(calls);
    const cashier = program.mount("vk-uni-pay");
    const { provider, ...item } = order();
    const button = program.mount("vk-pay-button", { order: item }, [cashier]);
    const seen = [];
    const stop = setInterval(() => seen.at(-1) !== button.vm.state && seen.push(button.vm.state), 1);
    button.fire("vk-pay-button__face", "tap");
    while (button.vm.state !== states.at(-1)) await new Promise((done) => setTimeout(done, 5));
    clearInterval(stop);
    assert.equal(button.vm.state, states.at(-1));
    assert.deepEqual(seen.filter((state) => ["ask", "wait"].includes(state))[0], "ask");
    button.vm.leave();
    assert.equal(button.vm.state, "");
  }
});
