/* VK-Pay client for uni-app. Source: web/packages/vk-pay-client; do not edit. Contains uqr 0.1.3, MIT, (c) Anthony Fu, Project Nayuki. */
var __defProp = Object.defineProperty;
var __defProps = Object.defineProperties;
var __getOwnPropDescs = Object.getOwnPropertyDescriptors;
var __getOwnPropSymbols = Object.getOwnPropertySymbols;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __propIsEnum = Object.prototype.propertyIsEnumerable;
var __defNormalProp = (obj, key, value) => key in obj ? __defProp(obj, key, { enumerable: true, configurable: true, writable: true, value }) : obj[key] = value;
var __spreadValues = (a, b) => {
  for (var prop in b || (b = {}))
    if (__hasOwnProp.call(b, prop))
      __defNormalProp(a, prop, b[prop]);
  if (__getOwnPropSymbols)
    for (var prop of __getOwnPropSymbols(b)) {
      if (__propIsEnum.call(b, prop))
        __defNormalProp(a, prop, b[prop]);
    }
  return a;
};
var __spreadProps = (a, b) => __defProps(a, __getOwnPropDescs(b));
var __publicField = (obj, key, value) => {
  __defNormalProp(obj, typeof key !== "symbol" ? key + "" : key, value);
  return value;
};

// src/types.ts
var PayError = class extends Error {
  constructor(code, msg) {
    super(msg);
    this.name = "PayError";
    this.code = code;
  }
};

// src/env.ts
var MOST_URL = 512;
var RETURNS = /^(https:|http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])[:/])/i;
function detectEnv(platform, userAgent = "", touchPoints = 0, returnUrl) {
  const web = platform === "h5";
  const isPhone = !web || /android|ipod|ipad|mobile|phone|tablet|harmony/i.test(userAgent) && !/\(PC;/i.test(userAgent) || /macintosh/i.test(userAgent) && touchPoints > 1;
  const inWeChat = web && /micromessenger/i.test(userAgent);
  return __spreadValues({
    platform,
    isPhone,
    isPC: !isPhone && !inWeChat,
    inWeChat,
    inAlipay: web && /alipayclient/i.test(userAgent)
  }, returnUrl ? { returnUrl } : {});
}
function clientFields(env, order) {
  const fields = {};
  if (!order.vk_platform && !order.platform) {
    fields.vk_platform = env.platform;
    if (env.isPC)
      fields.isPC = true;
  }
  const back = env.platform === "h5" && env.returnUrl ? withOrder(env.returnUrl, String(order.out_trade_no)) : "";
  if (RETURNS.test(back) && back.length <= MOST_URL)
    fields.return_url = back;
  return fields;
}
function openWay(env, provider, method) {
  if (env.platform !== "h5" || !/^(alipay|vkspay)$/.test(provider))
    return "qrcode";
  if (env.inWeChat || env.inAlipay)
    return "link";
  return env.isPhone && method !== "wxpay" ? "scheme" : "qrcode";
}
function alipayScheme(codeUrl) {
  return `alipays://platformapi/startapp?saId=10000007&qrcode=${encodeURIComponent(codeUrl)}`;
}
function withOrder(url, outTradeNo) {
  const [page = "", hash] = url.split(/#(.*)/);
  const added = `return=1&out_trade_no=${encodeURIComponent(outTradeNo)}`;
  if ((hash == null ? void 0 : hash[0]) === "/")
    return `${page}#${append(hash, added)}`;
  return append(page, added) + (hash === void 0 ? "" : `#${hash}`);
}
function append(path, added) {
  const [name, query = ""] = path.split(/\?(.*)/);
  const kept2 = query.split("&").filter((pair) => pair && !/^(return|out_trade_no)=/.test(pair));
  return `${name}?${[...kept2, added].join("&")}`;
}

// src/reply.ts
function field(reply, name) {
  var _a;
  const { data } = reply;
  return (_a = reply[name]) != null ? _a : data && typeof data === "object" ? data[name] : void 0;
}
function readState(reply) {
  var _a;
  switch ((_a = field(reply, "trade_state")) != null ? _a : field(reply, "status")) {
    case "SUCCESS":
    case "REFUND":
    case 1:
    case 2:
    case 3:
      return "paid";
    case "CLOSED":
    case -1:
      return "closed";
    case "NOTPAY":
    case 0:
      return "unpaid";
  }
  if (reply.code === 2001)
    return "missing";
  if (reply.code === 2002 || field(reply, "orderPaid") === false)
    return "unpaid";
  return field(reply, "orderPaid") === true ? "paid" : "unknown";
}
function isPassing({ code }) {
  return code < 0 || code === 429 || code >= 500 && code < 600 || code === 5040 || code === 2013;
}
function noReply(error) {
  return {
    code: error instanceof PayError ? error.code : -1,
    msg: messageOf(error)
  };
}
function messageOf(error) {
  const told = error;
  return String((told == null ? void 0 : told.message) || (told == null ? void 0 : told.errMsg) || (told == null ? void 0 : told.msg) || error || "no reply");
}
function endOf(state, doubt) {
  if (state === "paid")
    return "success";
  return state === "unknown" || doubt && state === "unpaid" ? "pending" : "cancel";
}

// src/controller.ts
var FIRST = 200;
var OFTEN = 20;
var RARE = 3e3;
var LONGEST = 18e4;
var FEW = 5;
var RESUMED = 10;
var HIDDEN = 500;
var LEAST_WAIT = 250;
var DAY = 864e5;
var DEFAULTS = {
  polling: false,
  pollingTime: 1500,
  maxPolls: 120,
  awaitNotify: false,
  payOrderInfo: true,
  queryAction: "pay/queryPayment"
};
var STOPPED = { type: "stopped" };
function createPayController(deps, options = {}, events = {}) {
  var _a, _b;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const sleep = false ? wait : (_a = deps.sleep) != null ? _a : wait;
  const now = false ? Date.now : (_b = deps.now) != null ? _b : Date.now;
  let opts = __spreadValues(__spreadValues({}, DEFAULTS), options);
  let status = 0;
  let current;
  let shown = false;
  function call(listener) {
    try {
      return listener();
    } catch (error) {
      setTimeout(() => {
        throw error;
      });
      return void 0;
    }
  }
  function setStatus(next) {
    if (next === status)
      return;
    status = next;
    if (false)
      return;
    call(() => {
      var _a2;
      return (_a2 = events.status) == null ? void 0 : _a2.call(events, next);
    });
  }
  function show(codeUrl, image) {
    if (false)
      return;
    if (!shown && !codeUrl && !image)
      return;
    shown = Boolean(codeUrl || image);
    call(() => {
      var _a2;
      return (_a2 = events.codeUrl) == null ? void 0 : _a2.call(events, codeUrl);
    });
    call(() => {
      var _a2;
      return (_a2 = events.qrcodeImage) == null ? void 0 : _a2.call(events, image);
    });
  }
  function stop() {
    current == null ? void 0 : current.stop();
    current = void 0;
    if (status === 1)
      setStatus(0);
    show("", "");
  }
  function begin(hooks, outTradeNo) {
    const again = (current == null ? void 0 : current.outTradeNo) === outTradeNo && status === 1;
    current == null ? void 0 : current.stop();
    if (!again) {
      setStatus(0);
      show("", "");
    }
    let end = () => {
    };
    const stopped = new Promise((done) => {
      end = done;
    });
    current = { hooks, outTradeNo, stopped, stop: () => end(STOPPED) };
    return current;
  }
  async function finish2(run, flow) {
    let outcome = await Promise.race([run.stopped, flow.catch((error) => failed2(run, "request", noReply(error)))]);
    if (run !== current)
      outcome = STOPPED;
    const { type } = outcome;
    if (run === current && type !== "waiting" && type !== "pending") {
      current = void 0;
      setStatus(type === "success" ? 2 : 0);
      show("", "");
    }
    if (outcome.type !== "stopped" && outcome.type !== "waiting") {
      const ended2 = type;
      const reply = __spreadValues({ out_trade_no: run.outTradeNo }, outcome.reply);
      if (true) {
        call(() => {
          var _a2;
          return (_a2 = events[ended2]) == null ? void 0 : _a2.call(events, reply);
        });
        call(() => {
          var _a2, _b2;
          return (_b2 = (_a2 = run.hooks)[ended2]) == null ? void 0 : _b2.call(_a2, reply);
        });
      }
      outcome = { type: ended2, reply };
    }
    if (true)
      call(() => {
        var _a2, _b2;
        return (_b2 = (_a2 = run.hooks).complete) == null ? void 0 : _b2.call(_a2, outcome);
      });
    return outcome;
  }
  function failed2(run, failType, reply) {
    return { type: "fail", reply: __spreadProps(__spreadValues({}, reply), { failType, out_trade_no: run.outTradeNo }) };
  }
  async function create(run, action, data) {
    var _a2, _b2, _c;
    const order = __spreadValues(__spreadValues({}, clientFields(deps.env, data)), data);
    if (!order.openid)
      delete order.openid;
    let reply;
    try {
      const openid = (_b2 = order.openid) != null ? _b2 : false ? void 0 : await ((_a2 = deps.openid) == null ? void 0 : _a2.call(deps, order));
      if (run !== current)
        return STOPPED;
      reply = await deps.transport(action, openid ? __spreadProps(__spreadValues({}, order), { openid }) : order);
    } catch (error) {
      return failed2(run, "create", noReply(error));
    }
    if (run !== current)
      return STOPPED;
    if (reply.code === 2011)
      return ask(run, reply, { first: 0, most: FEW });
    if (reply.code !== 0)
      return failed2(run, "create", reply);
    const created = __spreadValues(__spreadValues({}, reply.data), reply);
    run.outTradeNo = String((_c = created.out_trade_no) != null ? _c : run.outTradeNo);
    const left = Number(created.time_expire) - now();
    if (left > 0 && left < 30 * DAY)
      run.ends = now() + left;
    if (true)
      call(() => {
        var _a3;
        return (_a3 = events.create) == null ? void 0 : _a3.call(events, created);
      });
    if (call(() => {
      var _a3, _b3;
      return (_b3 = (_a3 = run.hooks).create) == null ? void 0 : _b3.call(_a3, created);
    }) === false || run !== current)
      return STOPPED;
    setStatus(1);
    return pay(run, created);
  }
  async function pay(run, created) {
    var _a2;
    const asking = { first: FIRST, most: opts.maxPolls };
    if (readState(created) === "paid")
      return settle(run, created);
    if (/_codepay$/.test(created.pay_type)) {
      call(() => {
        var _a3;
        return (_a3 = events.userPaying) == null ? void 0 : _a3.call(events, created);
      });
      call(() => {
        var _a3, _b2;
        return (_b2 = (_a3 = run.hooks).userPaying) == null ? void 0 : _b2.call(_a3, created);
      });
      return ask(run, created, asking);
    }
    const told = await deps.invoke(created);
    if (told.result === "purchase")
      return verify(run, told);
    if (run !== current)
      return STOPPED;
    const lost = (result) => failed2(run, "request", {
      code: "code" in result && Number(result.code) || -1,
      msg: "msg" in result && result.msg || "payment failed"
    });
    switch (told.result) {
      case "ok":
        if (opts.awaitNotify || opts.payOrderInfo)
          return ask(run, created, asking);
        return { type: "success", reply: __spreadProps(__spreadValues({}, created), { clientOnly: true }) };
      case "cancel":
        return { type: "cancel", reply: created };
      case "fail":
        return lost(told);
      case "unknown":
        if (!told.otherwise)
          return ask(run, created, asking);
        return ask(run, created, __spreadProps(__spreadValues({}, asking), {
          most: FEW,
          otherwise: told.otherwise === "cancel" ? { type: "cancel", reply: created } : lost(told)
        }));
      case "qrcode":
        if (true)
          show(told.codeUrl, String((_a2 = field(created, "qrcodeImage")) != null ? _a2 : ""));
    }
    if (!opts.polling)
      return { type: "waiting", reply: created };
    return ask(run, created, { first: opts.pollingTime, most: opts.maxPolls });
  }
  async function pause(run, ms) {
    var _a2;
    await sleep(ms);
    while (run === current && ((_a2 = deps.visible) == null ? void 0 : _a2.call(deps)) === false)
      await sleep(HIDDEN);
  }
  function waitAfter(asked, reply) {
    var _a2;
    const own = asked < OFTEN ? opts.pollingTime : Math.max(opts.pollingTime, RARE);
    const wished = Number(field(reply, "next_poll_ms")) || Math.max(own, (_a2 = reply.retry_after_ms) != null ? _a2 : 0);
    return Math.max(wished, LEAST_WAIT);
  }
  async function ask(run, before, { first, most, otherwise }) {
    let last = before;
    let spent = 0;
    let wait2 = first;
    for (let asked = 0; asked < most && spent + wait2 <= LONGEST; ) {
      await pause(run, wait2);
      if (run !== current)
        return STOPPED;
      const began = now();
      const { state, reply } = await query({ out_trade_no: run.outTradeNo, await_notify: false });
      if (run !== current)
        return STOPPED;
      last = reply;
      asked += 1;
      if (state === "paid")
        return settle(run, reply);
      if (state === "closed" || state === "missing")
        return failed2(run, "result", ended(reply));
      if (state === "unpaid" && run.ends !== void 0 && now() >= run.ends)
        return failed2(run, "result", ended(reply));
      if (state === "unknown" && !isPassing(reply))
        break;
      spent += wait2 + Math.max(0, now() - began);
      wait2 = waitAfter(asked, reply);
    }
    return otherwise && readState(last) === "unpaid" ? otherwise : { type: "pending", reply: last };
  }
  function ended(reply) {
    return reply.code === 2001 ? reply : __spreadProps(__spreadValues({}, reply), { code: 2012, msg: reply.code === 0 ? "closed" : reply.msg });
  }
  async function settle(run, reply) {
    const handled = typeof field(reply, "user_order_success") === "boolean";
    const complete = opts.awaitNotify ? handled : !opts.payOrderInfo || field(reply, "payOrder") !== void 0;
    if (complete)
      return { type: "success", reply };
    const more = await query({ out_trade_no: run.outTradeNo, await_notify: opts.awaitNotify });
    return { type: "success", reply: more.paid ? more.reply : reply };
  }
  const verify = false ? never : async (run, bought) => {
    let wait2 = 0;
    for (let tries = 1; ; tries++) {
      if (wait2)
        await sleep(wait2);
      const reply = await deps.transport(bought.action, bought.data).catch(noReply);
      if (readState(reply) === "paid") {
        await bought.finish().catch(() => {
        });
        return run === current ? settle(run, reply) : STOPPED;
      }
      if (run !== current)
        return STOPPED;
      if (!isPassing(reply))
        return failed2(run, "result", reply);
      if (tries >= FEW)
        return { type: "pending", reply };
      wait2 = waitAfter(tries, reply);
    }
  };
  async function query(data) {
    const asked = __spreadValues({ pay_order_info: opts.payOrderInfo }, data);
    const reply = await deps.transport(opts.queryAction, asked).catch(noReply);
    const state = readState(reply);
    return { state, paid: state === "paid", reply };
  }
  function outTradeNoOf(data) {
    var _a2;
    return String((_a2 = data.out_trade_no) != null ? _a2 : "");
  }
  return {
    get status() {
      return status;
    },
    pay(action, data, hooks = {}) {
      stop();
      const run = begin(hooks, outTradeNoOf(data));
      return finish2(run, create(run, action, data));
    },
    resume(data, hooks = {}) {
      const run = begin(hooks, outTradeNoOf(data));
      setStatus(1);
      return finish2(run, ask(run, { code: -1, msg: "not asked" }, { first: 0, most: RESUMED }));
    },
    query,
    stop,
    set(changed) {
      opts = __spreadValues(__spreadValues({}, opts), changed);
    }
  };
}

// node_modules/uqr/dist/index.mjs
var QrCodeDataType = /* @__PURE__ */ ((QrCodeDataType2) => {
  QrCodeDataType2[QrCodeDataType2["Border"] = -1] = "Border";
  QrCodeDataType2[QrCodeDataType2["Data"] = 0] = "Data";
  QrCodeDataType2[QrCodeDataType2["Function"] = 1] = "Function";
  QrCodeDataType2[QrCodeDataType2["Position"] = 2] = "Position";
  QrCodeDataType2[QrCodeDataType2["Timing"] = 3] = "Timing";
  QrCodeDataType2[QrCodeDataType2["Alignment"] = 4] = "Alignment";
  return QrCodeDataType2;
})(QrCodeDataType || {});
var LOW = [0, 1];
var MEDIUM = [1, 0];
var QUARTILE = [2, 3];
var HIGH = [3, 2];
var EccMap = {
  L: LOW,
  M: MEDIUM,
  Q: QUARTILE,
  H: HIGH
};
var NUMERIC_REGEX = /^\d*$/;
var ALPHANUMERIC_REGEX = /^[A-Z0-9 $%*+./:-]*$/;
var ALPHANUMERIC_CHARSET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
var MIN_VERSION = 1;
var MAX_VERSION = 40;
var PENALTY_N1 = 3;
var PENALTY_N2 = 3;
var PENALTY_N3 = 40;
var PENALTY_N4 = 10;
var ECC_CODEWORDS_PER_BLOCK = [
  // Version: (note that index 0 is for padding, and is set to an illegal value)
  // 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40    Error correction level
  [-1, 7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
  // Low
  [-1, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  // Medium
  [-1, 13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30, 28, 30, 30, 30, 30, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
  // Quartile
  [-1, 17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28, 30, 24, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30]
  // High
];
var NUM_ERROR_CORRECTION_BLOCKS = [
  // Version: (note that index 0 is for padding, and is set to an illegal value)
  // 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40    Error correction level
  [-1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25],
  // Low
  [-1, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49],
  // Medium
  [-1, 1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35, 38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68],
  // Quartile
  [-1, 1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81]
  // High
];
var QrCode = class {
  /* -- Constructor (low level) and fields -- */
  // Creates a new QR Code with the given version number,
  // error correction level, data codeword bytes, and mask number.
  // This is a low-level API that most users should not use directly.
  // A mid-level API is the encodeSegments() function.
  constructor(version, ecc, dataCodewords, msk) {
    /* -- Fields -- */
    // The width and height of this QR Code, measured in modules, between
    // 21 and 177 (inclusive). This is equal to version * 4 + 17.
    __publicField(this, "size");
    // The index of the mask pattern used in this QR Code, which is between 0 and 7 (inclusive).
    // Even if a QR Code is created with automatic masking requested (mask = -1),
    // the resulting object still has a mask value between 0 and 7.
    __publicField(this, "mask");
    // The modules of this QR Code (false = light, true = dark).
    // Immutable after constructor finishes. Accessed through getModule().
    __publicField(this, "modules", []);
    __publicField(this, "types", []);
    this.version = version;
    this.ecc = ecc;
    if (version < MIN_VERSION || version > MAX_VERSION)
      throw new RangeError("Version value out of range");
    if (msk < -1 || msk > 7)
      throw new RangeError("Mask value out of range");
    this.size = version * 4 + 17;
    const row = Array.from({ length: this.size }).fill(false);
    for (let i = 0; i < this.size; i++) {
      this.modules.push(row.slice());
      this.types.push(row.map(() => 0));
    }
    this.drawFunctionPatterns();
    const allCodewords = this.addEccAndInterleave(dataCodewords);
    this.drawCodewords(allCodewords);
    if (msk === -1) {
      let minPenalty = 1e9;
      for (let i = 0; i < 8; i++) {
        this.applyMask(i);
        this.drawFormatBits(i);
        const penalty = this.getPenaltyScore();
        if (penalty < minPenalty) {
          msk = i;
          minPenalty = penalty;
        }
        this.applyMask(i);
      }
    }
    this.mask = msk;
    this.applyMask(msk);
    this.drawFormatBits(msk);
  }
  /* -- Accessor methods -- */
  // Returns the color of the module (pixel) at the given coordinates, which is false
  // for light or true for dark. The top left corner has the coordinates (x=0, y=0).
  // If the given coordinates are out of bounds, then false (light) is returned.
  getModule(x, y) {
    return x >= 0 && x < this.size && y >= 0 && y < this.size && this.modules[y][x];
  }
  /* -- Private helper methods for constructor: Drawing function modules -- */
  // Reads this object's version field, and draws and marks all function modules.
  drawFunctionPatterns() {
    for (let i = 0; i < this.size; i++) {
      this.setFunctionModule(6, i, i % 2 === 0, QrCodeDataType.Timing);
      this.setFunctionModule(i, 6, i % 2 === 0, QrCodeDataType.Timing);
    }
    this.drawFinderPattern(3, 3);
    this.drawFinderPattern(this.size - 4, 3);
    this.drawFinderPattern(3, this.size - 4);
    const alignPatPos = this.getAlignmentPatternPositions();
    const numAlign = alignPatPos.length;
    for (let i = 0; i < numAlign; i++) {
      for (let j = 0; j < numAlign; j++) {
        if (!(i === 0 && j === 0 || i === 0 && j === numAlign - 1 || i === numAlign - 1 && j === 0))
          this.drawAlignmentPattern(alignPatPos[i], alignPatPos[j]);
      }
    }
    this.drawFormatBits(0);
    this.drawVersion();
  }
  // Draws two copies of the format bits (with its own error correction code)
  // based on the given mask and this object's error correction level field.
  drawFormatBits(mask) {
    const data = this.ecc[1] << 3 | mask;
    let rem = data;
    for (let i = 0; i < 10; i++)
      rem = rem << 1 ^ (rem >>> 9) * 1335;
    const bits = (data << 10 | rem) ^ 21522;
    for (let i = 0; i <= 5; i++)
      this.setFunctionModule(8, i, getBit(bits, i));
    this.setFunctionModule(8, 7, getBit(bits, 6));
    this.setFunctionModule(8, 8, getBit(bits, 7));
    this.setFunctionModule(7, 8, getBit(bits, 8));
    for (let i = 9; i < 15; i++)
      this.setFunctionModule(14 - i, 8, getBit(bits, i));
    for (let i = 0; i < 8; i++)
      this.setFunctionModule(this.size - 1 - i, 8, getBit(bits, i));
    for (let i = 8; i < 15; i++)
      this.setFunctionModule(8, this.size - 15 + i, getBit(bits, i));
    this.setFunctionModule(8, this.size - 8, true);
  }
  // Draws two copies of the version bits (with its own error correction code),
  // based on this object's version field, iff 7 <= version <= 40.
  drawVersion() {
    if (this.version < 7)
      return;
    let rem = this.version;
    for (let i = 0; i < 12; i++)
      rem = rem << 1 ^ (rem >>> 11) * 7973;
    const bits = this.version << 12 | rem;
    for (let i = 0; i < 18; i++) {
      const color = getBit(bits, i);
      const a = this.size - 11 + i % 3;
      const b = Math.floor(i / 3);
      this.setFunctionModule(a, b, color);
      this.setFunctionModule(b, a, color);
    }
  }
  // Draws a 9*9 finder pattern including the border separator,
  // with the center module at (x, y). Modules can be out of bounds.
  drawFinderPattern(x, y) {
    for (let dy = -4; dy <= 4; dy++) {
      for (let dx = -4; dx <= 4; dx++) {
        const dist = Math.max(Math.abs(dx), Math.abs(dy));
        const xx = x + dx;
        const yy = y + dy;
        if (xx >= 0 && xx < this.size && yy >= 0 && yy < this.size)
          this.setFunctionModule(xx, yy, dist !== 2 && dist !== 4, QrCodeDataType.Position);
      }
    }
  }
  // Draws a 5*5 alignment pattern, with the center module
  // at (x, y). All modules must be in bounds.
  drawAlignmentPattern(x, y) {
    for (let dy = -2; dy <= 2; dy++) {
      for (let dx = -2; dx <= 2; dx++) {
        this.setFunctionModule(
          x + dx,
          y + dy,
          Math.max(Math.abs(dx), Math.abs(dy)) !== 1,
          QrCodeDataType.Alignment
        );
      }
    }
  }
  // Sets the color of a module and marks it as a function module.
  // Only used by the constructor. Coordinates must be in bounds.
  setFunctionModule(x, y, isDark, type = QrCodeDataType.Function) {
    this.modules[y][x] = isDark;
    this.types[y][x] = type;
  }
  /* -- Private helper methods for constructor: Codewords and masking -- */
  // Returns a new byte string representing the given data with the appropriate error correction
  // codewords appended to it, based on this object's version and error correction level.
  addEccAndInterleave(data) {
    const ver = this.version;
    const ecl = this.ecc;
    if (data.length !== getNumDataCodewords(ver, ecl))
      throw new RangeError("Invalid argument");
    const numBlocks = NUM_ERROR_CORRECTION_BLOCKS[ecl[0]][ver];
    const blockEccLen = ECC_CODEWORDS_PER_BLOCK[ecl[0]][ver];
    const rawCodewords = Math.floor(getNumRawDataModules(ver) / 8);
    const numShortBlocks = numBlocks - rawCodewords % numBlocks;
    const shortBlockLen = Math.floor(rawCodewords / numBlocks);
    const blocks = [];
    const rsDiv = reedSolomonComputeDivisor(blockEccLen);
    for (let i = 0, k = 0; i < numBlocks; i++) {
      const dat = data.slice(k, k + shortBlockLen - blockEccLen + (i < numShortBlocks ? 0 : 1));
      k += dat.length;
      const ecc = reedSolomonComputeRemainder(dat, rsDiv);
      if (i < numShortBlocks)
        dat.push(0);
      blocks.push(dat.concat(ecc));
    }
    const result = [];
    for (let i = 0; i < blocks[0].length; i++) {
      blocks.forEach((block, j) => {
        if (i !== shortBlockLen - blockEccLen || j >= numShortBlocks)
          result.push(block[i]);
      });
    }
    return result;
  }
  // Draws the given sequence of 8-bit codewords (data and error correction) onto the entire
  // data area of this QR Code. Function modules need to be marked off before this is called.
  drawCodewords(data) {
    if (data.length !== Math.floor(getNumRawDataModules(this.version) / 8))
      throw new RangeError("Invalid argument");
    let i = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6)
        right = 5;
      for (let vert = 0; vert < this.size; vert++) {
        for (let j = 0; j < 2; j++) {
          const x = right - j;
          const upward = (right + 1 & 2) === 0;
          const y = upward ? this.size - 1 - vert : vert;
          if (!this.types[y][x] && i < data.length * 8) {
            this.modules[y][x] = getBit(data[i >>> 3], 7 - (i & 7));
            i++;
          }
        }
      }
    }
  }
  // XORs the codeword modules in this QR Code with the given mask pattern.
  // The function modules must be marked and the codeword bits must be drawn
  // before masking. Due to the arithmetic of XOR, calling applyMask() with
  // the same mask value a second time will undo the mask. A final well-formed
  // QR Code needs exactly one (not zero, two, etc.) mask applied.
  applyMask(mask) {
    if (mask < 0 || mask > 7)
      throw new RangeError("Mask value out of range");
    for (let y = 0; y < this.size; y++) {
      for (let x = 0; x < this.size; x++) {
        let invert;
        switch (mask) {
          case 0:
            invert = (x + y) % 2 === 0;
            break;
          case 1:
            invert = y % 2 === 0;
            break;
          case 2:
            invert = x % 3 === 0;
            break;
          case 3:
            invert = (x + y) % 3 === 0;
            break;
          case 4:
            invert = (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0;
            break;
          case 5:
            invert = x * y % 2 + x * y % 3 === 0;
            break;
          case 6:
            invert = (x * y % 2 + x * y % 3) % 2 === 0;
            break;
          case 7:
            invert = ((x + y) % 2 + x * y % 3) % 2 === 0;
            break;
          default:
            throw new Error("Unreachable");
        }
        if (!this.types[y][x] && invert)
          this.modules[y][x] = !this.modules[y][x];
      }
    }
  }
  // Calculates and returns the penalty score based on state of this QR Code's current modules.
  // This is used by the automatic mask choice algorithm to find the mask pattern that yields the lowest score.
  getPenaltyScore() {
    let result = 0;
    for (let y = 0; y < this.size; y++) {
      let runColor = false;
      let runX = 0;
      const runHistory = [0, 0, 0, 0, 0, 0, 0];
      for (let x = 0; x < this.size; x++) {
        if (this.modules[y][x] === runColor) {
          runX++;
          if (runX === 5)
            result += PENALTY_N1;
          else if (runX > 5)
            result++;
        } else {
          this.finderPenaltyAddHistory(runX, runHistory);
          if (!runColor)
            result += this.finderPenaltyCountPatterns(runHistory) * PENALTY_N3;
          runColor = this.modules[y][x];
          runX = 1;
        }
      }
      result += this.finderPenaltyTerminateAndCount(runColor, runX, runHistory) * PENALTY_N3;
    }
    for (let x = 0; x < this.size; x++) {
      let runColor = false;
      let runY = 0;
      const runHistory = [0, 0, 0, 0, 0, 0, 0];
      for (let y = 0; y < this.size; y++) {
        if (this.modules[y][x] === runColor) {
          runY++;
          if (runY === 5)
            result += PENALTY_N1;
          else if (runY > 5)
            result++;
        } else {
          this.finderPenaltyAddHistory(runY, runHistory);
          if (!runColor)
            result += this.finderPenaltyCountPatterns(runHistory) * PENALTY_N3;
          runColor = this.modules[y][x];
          runY = 1;
        }
      }
      result += this.finderPenaltyTerminateAndCount(runColor, runY, runHistory) * PENALTY_N3;
    }
    for (let y = 0; y < this.size - 1; y++) {
      for (let x = 0; x < this.size - 1; x++) {
        const color = this.modules[y][x];
        if (color === this.modules[y][x + 1] && color === this.modules[y + 1][x] && color === this.modules[y + 1][x + 1]) {
          result += PENALTY_N2;
        }
      }
    }
    let dark = 0;
    for (const row of this.modules)
      dark = row.reduce((sum, color) => sum + (color ? 1 : 0), dark);
    const total = this.size * this.size;
    const k = Math.ceil(Math.abs(dark * 20 - total * 10) / total) - 1;
    result += k * PENALTY_N4;
    return result;
  }
  /* -- Private helper functions -- */
  // Returns an ascending list of positions of alignment patterns for this version number.
  // Each position is in the range [0,177), and are used on both the x and y axes.
  // This could be implemented as lookup table of 40 variable-length lists of integers.
  getAlignmentPatternPositions() {
    if (this.version === 1) {
      return [];
    } else {
      const numAlign = Math.floor(this.version / 7) + 2;
      const step = this.version === 32 ? 26 : Math.ceil((this.version * 4 + 4) / (numAlign * 2 - 2)) * 2;
      const result = [6];
      for (let pos = this.size - 7; result.length < numAlign; pos -= step)
        result.splice(1, 0, pos);
      return result;
    }
  }
  // Can only be called immediately after a light run is added, and
  // returns either 0, 1, or 2. A helper function for getPenaltyScore().
  finderPenaltyCountPatterns(runHistory) {
    const n = runHistory[1];
    const core = n > 0 && runHistory[2] === n && runHistory[3] === n * 3 && runHistory[4] === n && runHistory[5] === n;
    return (core && runHistory[0] >= n * 4 && runHistory[6] >= n ? 1 : 0) + (core && runHistory[6] >= n * 4 && runHistory[0] >= n ? 1 : 0);
  }
  // Must be called at the end of a line (row or column) of modules. A helper function for getPenaltyScore().
  finderPenaltyTerminateAndCount(currentRunColor, currentRunLength, runHistory) {
    if (currentRunColor) {
      this.finderPenaltyAddHistory(currentRunLength, runHistory);
      currentRunLength = 0;
    }
    currentRunLength += this.size;
    this.finderPenaltyAddHistory(currentRunLength, runHistory);
    return this.finderPenaltyCountPatterns(runHistory);
  }
  // Pushes the given value to the front and drops the last value. A helper function for getPenaltyScore().
  finderPenaltyAddHistory(currentRunLength, runHistory) {
    if (runHistory[0] === 0)
      currentRunLength += this.size;
    runHistory.pop();
    runHistory.unshift(currentRunLength);
  }
};
function appendBits(val, len, bb) {
  if (len < 0 || len > 31 || val >>> len !== 0)
    throw new RangeError("Value out of range");
  for (let i = len - 1; i >= 0; i--)
    bb.push(val >>> i & 1);
}
function getBit(x, i) {
  return (x >>> i & 1) !== 0;
}
var QrSegment = class {
  // Creates a new QR Code segment with the given attributes and data.
  // The character count (numChars) must agree with the mode and the bit buffer length,
  // but the constraint isn't checked. The given bit buffer is cloned and stored.
  constructor(mode, numChars, bitData) {
    this.mode = mode;
    this.numChars = numChars;
    this.bitData = bitData;
    if (numChars < 0)
      throw new RangeError("Invalid argument");
    this.bitData = bitData.slice();
  }
  /* -- Methods -- */
  // Returns a new copy of the data bits of this segment.
  getData() {
    return this.bitData.slice();
  }
};
var MODE_NUMERIC = [1, 10, 12, 14];
var MODE_ALPHANUMERIC = [2, 9, 11, 13];
var MODE_BYTE = [4, 8, 16, 16];
function numCharCountBits(mode, ver) {
  return mode[Math.floor((ver + 7) / 17) + 1];
}
function makeBytes(data) {
  const bb = [];
  for (const b of data)
    appendBits(b, 8, bb);
  return new QrSegment(MODE_BYTE, data.length, bb);
}
function makeNumeric(digits) {
  if (!isNumeric(digits))
    throw new RangeError("String contains non-numeric characters");
  const bb = [];
  for (let i = 0; i < digits.length; ) {
    const n = Math.min(digits.length - i, 3);
    appendBits(Number.parseInt(digits.substring(i, i + n), 10), n * 3 + 1, bb);
    i += n;
  }
  return new QrSegment(MODE_NUMERIC, digits.length, bb);
}
function makeAlphanumeric(text) {
  if (!isAlphanumeric(text))
    throw new RangeError("String contains unencodable characters in alphanumeric mode");
  const bb = [];
  let i;
  for (i = 0; i + 2 <= text.length; i += 2) {
    let temp = ALPHANUMERIC_CHARSET.indexOf(text.charAt(i)) * 45;
    temp += ALPHANUMERIC_CHARSET.indexOf(text.charAt(i + 1));
    appendBits(temp, 11, bb);
  }
  if (i < text.length)
    appendBits(ALPHANUMERIC_CHARSET.indexOf(text.charAt(i)), 6, bb);
  return new QrSegment(MODE_ALPHANUMERIC, text.length, bb);
}
function makeSegments(text) {
  if (text === "")
    return [];
  else if (isNumeric(text))
    return [makeNumeric(text)];
  else if (isAlphanumeric(text))
    return [makeAlphanumeric(text)];
  else
    return [makeBytes(toUtf8ByteArray(text))];
}
function isNumeric(text) {
  return NUMERIC_REGEX.test(text);
}
function isAlphanumeric(text) {
  return ALPHANUMERIC_REGEX.test(text);
}
function getTotalBits(segs, version) {
  let result = 0;
  for (const seg of segs) {
    const ccbits = numCharCountBits(seg.mode, version);
    if (seg.numChars >= 1 << ccbits)
      return Number.POSITIVE_INFINITY;
    result += 4 + ccbits + seg.bitData.length;
  }
  return result;
}
function toUtf8ByteArray(str) {
  str = encodeURI(str);
  const result = [];
  for (let i = 0; i < str.length; i++) {
    if (str.charAt(i) !== "%") {
      result.push(str.charCodeAt(i));
    } else {
      result.push(Number.parseInt(str.substring(i + 1, i + 3), 16));
      i += 2;
    }
  }
  return result;
}
function getNumRawDataModules(ver) {
  if (ver < MIN_VERSION || ver > MAX_VERSION)
    throw new RangeError("Version number out of range");
  let result = (16 * ver + 128) * ver + 64;
  if (ver >= 2) {
    const numAlign = Math.floor(ver / 7) + 2;
    result -= (25 * numAlign - 10) * numAlign - 55;
    if (ver >= 7)
      result -= 36;
  }
  return result;
}
function getNumDataCodewords(ver, ecl) {
  return Math.floor(getNumRawDataModules(ver) / 8) - ECC_CODEWORDS_PER_BLOCK[ecl[0]][ver] * NUM_ERROR_CORRECTION_BLOCKS[ecl[0]][ver];
}
function reedSolomonComputeDivisor(degree) {
  if (degree < 1 || degree > 255)
    throw new RangeError("Degree out of range");
  const result = [];
  for (let i = 0; i < degree - 1; i++)
    result.push(0);
  result.push(1);
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < result.length; j++) {
      result[j] = reedSolomonMultiply(result[j], root);
      if (j + 1 < result.length)
        result[j] ^= result[j + 1];
    }
    root = reedSolomonMultiply(root, 2);
  }
  return result;
}
function reedSolomonComputeRemainder(data, divisor) {
  const result = divisor.map((_) => 0);
  for (const b of data) {
    const factor = b ^ result.shift();
    result.push(0);
    divisor.forEach((coef, i) => result[i] ^= reedSolomonMultiply(coef, factor));
  }
  return result;
}
function reedSolomonMultiply(x, y) {
  if (x >>> 8 !== 0 || y >>> 8 !== 0)
    throw new RangeError("Byte out of range");
  let z = 0;
  for (let i = 7; i >= 0; i--) {
    z = z << 1 ^ (z >>> 7) * 285;
    z ^= (y >>> i & 1) * x;
  }
  return z;
}
function encodeSegments(segs, ecl, minVersion = 1, maxVersion = 40, mask = -1, boostEcl = true) {
  if (!(MIN_VERSION <= minVersion && minVersion <= maxVersion && maxVersion <= MAX_VERSION) || mask < -1 || mask > 7) {
    throw new RangeError("Invalid value");
  }
  let version;
  let dataUsedBits;
  for (version = minVersion; ; version++) {
    const dataCapacityBits2 = getNumDataCodewords(version, ecl) * 8;
    const usedBits = getTotalBits(segs, version);
    if (usedBits <= dataCapacityBits2) {
      dataUsedBits = usedBits;
      break;
    }
    if (version >= maxVersion)
      throw new RangeError("Data too long");
  }
  for (const newEcl of [MEDIUM, QUARTILE, HIGH]) {
    if (boostEcl && dataUsedBits <= getNumDataCodewords(version, newEcl) * 8)
      ecl = newEcl;
  }
  const bb = [];
  for (const seg of segs) {
    appendBits(seg.mode[0], 4, bb);
    appendBits(seg.numChars, numCharCountBits(seg.mode, version), bb);
    for (const b of seg.getData())
      bb.push(b);
  }
  const dataCapacityBits = getNumDataCodewords(version, ecl) * 8;
  appendBits(0, Math.min(4, dataCapacityBits - bb.length), bb);
  appendBits(0, (8 - bb.length % 8) % 8, bb);
  for (let padByte = 236; bb.length < dataCapacityBits; padByte ^= 236 ^ 17)
    appendBits(padByte, 8, bb);
  const dataCodewords = Array.from({ length: Math.ceil(bb.length / 8) }, () => 0);
  bb.forEach((b, i) => dataCodewords[i >>> 3] |= b << 7 - (i & 7));
  return new QrCode(version, ecl, dataCodewords, mask);
}
function encode(data, options) {
  var _a;
  const {
    ecc = "L",
    boostEcc = false,
    minVersion = 1,
    maxVersion = 40,
    maskPattern = -1,
    border = 1
  } = options || {};
  const segment = typeof data === "string" ? makeSegments(data) : Array.isArray(data) ? [makeBytes(data)] : void 0;
  if (!segment)
    throw new Error(`uqr only supports encoding string and binary data, but got: ${typeof data}`);
  const qr = encodeSegments(
    segment,
    EccMap[ecc],
    minVersion,
    maxVersion,
    maskPattern,
    boostEcc
  );
  const result = addBorder({
    version: qr.version,
    maskPattern: qr.mask,
    size: qr.size,
    data: qr.modules,
    types: qr.types
  }, border);
  if (options == null ? void 0 : options.invert)
    result.data = result.data.map((row) => row.map((mod) => !mod));
  (_a = options == null ? void 0 : options.onEncoded) == null ? void 0 : _a.call(options, result);
  return result;
}
function addBorder(input, border = 1) {
  if (!border)
    return input;
  const { size } = input;
  const newSize = size + border * 2;
  input.size = newSize;
  input.data.forEach((row) => {
    for (let i = 0; i < border; i++) {
      row.unshift(false);
      row.push(false);
    }
  });
  for (let i = 0; i < border; i++) {
    input.data.unshift(Array.from({ length: newSize }, (_) => false));
    input.data.push(Array.from({ length: newSize }, (_) => false));
  }
  const b = QrCodeDataType.Border;
  input.types.forEach((row) => {
    for (let i = 0; i < border; i++) {
      row.unshift(b);
      row.push(b);
    }
  });
  for (let i = 0; i < border; i++) {
    input.types.unshift(Array.from({ length: newSize }, (_) => b));
    input.types.push(Array.from({ length: newSize }, (_) => b));
  }
  return input;
}

// src/qr.ts
var SCALE = 8;
var BLOCK = 4096;
var BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
function qrModules(text) {
  return encode(text, { ecc: "M", border: 4 }).data;
}
function qrPng(text) {
  const modules = qrModules(text);
  const width = modules.length * SCALE;
  const rows = [];
  for (const line of modules) {
    const row = [0];
    for (const dark of line)
      row.push(dark ? 0 : 255);
    for (let copy = 0; copy < SCALE; copy++)
      rows.push(...row);
  }
  const bytes = [
    137,
    80,
    78,
    71,
    13,
    10,
    26,
    10,
    ...chunk("IHDR", [...big(width), ...big(width), 1, 0, 0, 0, 0]),
    ...chunk("IDAT", stored(rows)),
    ...chunk("IEND", [])
  ];
  return `data:image/png;base64,${base64(bytes)}`;
}
function big(value) {
  return [value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}
function chunk(name, content) {
  const body = [...name].map((letter) => letter.charCodeAt(0)).concat(content);
  let crc = -1;
  for (const byte of body) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++)
      crc = crc >>> 1 ^ (crc & 1 ? 3988292384 : 0);
  }
  return [...big(content.length), ...body, ...big(~crc)];
}
function stored(content) {
  const out = [120, 1];
  for (let at = 0; at < content.length; at += BLOCK) {
    const block = content.slice(at, at + BLOCK);
    const size = block.length;
    out.push(at + size < content.length ? 0 : 1, size & 255, size >>> 8, ~size & 255, ~size >>> 8 & 255, ...block);
  }
  let a = 1;
  let b = 0;
  for (const byte of content) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return [...out, b >>> 8, b & 255, a >>> 8, a & 255];
}
function base64(bytes) {
  var _a, _b, _c;
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const group = ((_a = bytes[at]) != null ? _a : 0) << 16 | ((_b = bytes[at + 1]) != null ? _b : 0) << 8 | ((_c = bytes[at + 2]) != null ? _c : 0);
    for (let digit = 0; digit < 4; digit++) {
      text += at + digit > bytes.length ? "=" : BASE64[group >>> 18 - 6 * digit & 63];
    }
  }
  return text;
}

// src/transport.ts
var FUNCTIONS = {
  createPayment: "create-payment",
  closePayment: "create-payment",
  queryPayment: "query-payment",
  queryOrders: "query-payment",
  queryIncidents: "query-payment",
  queryComplaints: "query-payment",
  rerunHandler: "query-payment",
  "appleiap/verifyReceipt": "query-payment",
  "huaweiiap/verifyPurchase": "query-payment",
  methods: "query-payment",
  refund: "refund",
  queryRefund: "refund",
  resolveIncident: "refund",
  uploadShipping: "refund",
  queryShipping: "refund",
  confirmReceive: "refund",
  answerComplaint: "refund",
  completeComplaint: "refund",
  refundComplaint: "refund",
  subscribeComplaints: "refund",
  applyAbnormalRefund: "refund",
  addReceiver: "refund",
  deleteReceiver: "refund",
  profitShare: "refund",
  unfreezeShare: "refund",
  returnShare: "refund",
  queryShare: "refund",
  transfer: "transfer",
  queryTransfer: "transfer",
  cancelTransfer: "transfer",
  transferReceipt: "transfer",
  createUserConfirmAuthorization: "transfer",
  queryUserConfirmAuthorization: "transfer",
  closeUserConfirmAuthorization: "transfer",
  request: "transfer",
  queryBalance: "transfer",
  queryAccountBalance: "transfer",
  "wxpayVirtual/queryUserBalance": "transfer",
  "wxpayVirtual/currencyPay": "transfer",
  "wxpayVirtual/cancelCurrencyPay": "transfer",
  "wxpayVirtual/presentCurrency": "transfer",
  code2Session: "login",
  code2SessionWeixin: "login",
  code2SessionWeixinH5: "login",
  code2SessionAlipay: "login",
  code2SessionDouyin: "login"
};
var KNOWN = false ? { createPayment: "create-payment", queryPayment: "query-payment", methods: "query-payment" } : FUNCTIONS;
var MOST_FEN = 1e10;
var AMOUNTS = [["total_fee", 1003], ["transfer_amount", 1007], ["refund_fee", 1031]];
function readAction(action) {
  var _a, _b, _c, _d;
  const named = typeof action === "string" ? { action } : action;
  return {
    action: (_b = (_a = named.action) != null ? _a : named.name) != null ? _b : "",
    actionKey: (_c = named.actionKey) != null ? _c : "action",
    dataKey: (_d = named.dataKey) != null ? _d : "data"
  };
}
function isFen(value) {
  return typeof value === "string" ? /^[1-9]\d{0,10}$/.test(value) && Number(value) <= MOST_FEN : typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MOST_FEN;
}
function prepare(action, data) {
  const fields = __spreadValues({}, data);
  if (/(^|\/)refund$/.test(action) && fields.refund_fee === "")
    delete fields.refund_fee;
  for (const [name, code] of AMOUNTS) {
    if (fields[name] !== void 0 && !isFen(fields[name])) {
      throw new PayError(code, `${name}: ${String(fields[name])}`);
    }
  }
  return fields;
}
function address({ urls = {}, baseUrl, style }, action) {
  var _a, _b, _c;
  if (style === "envelope" && baseUrl)
    return baseUrl;
  const short = action.replace(/^pay\//, "");
  const name = (_a = KNOWN[short]) != null ? _a : "";
  const own = (_c = (_b = urls[action]) != null ? _b : urls[short]) != null ? _c : urls[name];
  if (own)
    return own;
  if (!name || baseUrl === void 0)
    throw new PayError(404, `${action}: no address`);
  return `${baseUrl.replace(/\/+$/, "")}/${name}`;
}
function httpTransport(options, post) {
  return async (action, data) => {
    var _a, _b, _c;
    const call = false ? { action, actionKey: "", dataKey: "" } : readAction(action);
    const fields = false ? data : prepare(call.action, data);
    const url = address(options, call.action);
    const plain2 = options.style !== "envelope";
    const actionKey = false ? "action" : plain2 && !/^(action|\$?url)$/.test(call.actionKey) ? "action" : call.actionKey;
    const waits = fields.await_notify ? Number((_a = fields.await_max_time) != null ? _a : 20) * 1e3 : 0;
    let response;
    try {
      response = await post({
        url,
        body: JSON.stringify({ [actionKey]: call.action, [plain2 ? "data" : call.dataKey]: fields }),
        headers: __spreadValues({ "content-type": "application/json" }, (_b = options.headers) == null ? void 0 : _b.call(options)),
        timeout: ((_c = options.timeout) != null ? _c : 15e3) + waits
      });
    } catch (error) {
      throw new PayError(-1, messageOf(error));
    }
    return readResponse(response);
  };
}
function readResponse({ status, body, header }) {
  var _a, _b;
  let found = body;
  if (typeof body === "string") {
    try {
      found = JSON.parse(body);
    } catch (e) {
      found = null;
    }
  }
  const fields = found && typeof found === "object" ? found : {};
  const reply = __spreadProps(__spreadValues({}, fields), { code: (_a = fields.code) != null ? _a : status < 400 ? -1 : status, msg: (_b = fields.msg) != null ? _b : `HTTP ${status}` });
  const after = header("retry-after");
  const wait = after ? /^\d+$/.test(after) ? Number(after) * 1e3 : Date.parse(after) - Date.now() : 0;
  if (wait > 0)
    reply.retry_after_ms = wait;
  return reply;
}
var chosen;
function setup(options) {
  chosen = httpTransport(options, options.post);
}
function defaultTransport() {
  if (!chosen)
    throw new PayError(-1, "setup({ baseUrl }) has not been called");
  return chosen;
}
function readCall({ url, action, name, data = {} }) {
  var _a;
  if (url)
    return [{ action: url, actionKey: "url" }, data];
  if (action)
    return [action, data];
  const event = data;
  const actionKey = ["action", "$url", "url"].find((key) => typeof event[key] === "string");
  if (!actionKey)
    return [name != null ? name : "", data];
  return [{ action: String(event[actionKey]), actionKey }, (_a = event.data) != null ? _a : {}];
}
async function callFunction(options) {
  var _a, _b, _c;
  let reply;
  try {
    reply = await defaultTransport()(...readCall(options));
  } catch (error) {
    if (!options.fail && !options.complete)
      throw error;
    reply = noReply(error);
  }
  if (reply.code === 0)
    (_a = options.success) == null ? void 0 : _a.call(options, reply);
  else
    (_b = options.fail) == null ? void 0 : _b.call(options, reply);
  (_c = options.complete) == null ? void 0 : _c.call(options, reply);
  return reply;
}

// src/page.ts
var BRIDGE_WAIT = 1e4;
var isAddress = (url) => /^(https?|alipays?|weixin):/i.test(url);
var CASHIER = /^(https:\/\/[^/@]+|http:\/\/(127(\.\d+){3}|\[::1\])(:\d+)?)\//;
function cashierForm(page, document) {
  const make = (tag, attributes) => {
    const element = document.createElement(tag);
    for (const name in attributes)
      element.setAttribute(name, attributes[name]);
    return element;
  };
  const of = (element, name) => {
    var _a;
    return (_a = element == null ? void 0 : element.getAttribute(name)) != null ? _a : "";
  };
  const [form, other] = page.querySelectorAll("form");
  const written = of(form, "action");
  const action = /^https?:\/\//i.test(written) ? new URL(written).href : "";
  const method = of(form, "method") || "get";
  let right = !other && CASHIER.test(action) && /^(get|post)$/i.test(method);
  const built = make("form", { action, method, "accept-charset": "utf-8" });
  for (const field2 of page.querySelectorAll("input[name],select[name],textarea[name]")) {
    const type = of(field2, "type");
    if (/^(submit|button|reset|image)$/i.test(type))
      continue;
    right && (right = field2.tagName === "INPUT" && /^(hidden|text)?$/i.test(type));
    built.append(make("input", { type: "hidden", name: of(field2, "name"), value: of(field2, "value") }));
  }
  if (!right)
    throw new Error("no form to send");
  return built;
}
function browserPage(window) {
  const own = window;
  const { document } = window;
  const bridge = (name) => () => new Promise((found, failed2) => {
    const look = () => {
      const there = own[name];
      if (there)
        found(there);
    };
    look();
    setTimeout(() => failed2(new Error(`${name} is not ready`)), BRIDGE_WAIT);
    document.addEventListener(`${name}Ready`, look, { once: true });
  });
  return {
    url: () => window.location.href,
    open(url) {
      if (!isAddress(url))
        throw new Error(`not an address to open: ${url.slice(0, 40)}`);
      window.location.href = url;
    },
    submit(html) {
      var _a;
      const form = cashierForm(new ((_a = own.DOMParser) != null ? _a : DOMParser)().parseFromString(html, "text/html"), document);
      document.body.append(form);
      HTMLFormElement.prototype.submit.call(form);
    },
    bridge: bridge("WeixinJSBridge"),
    alipayBridge: bridge("AlipayJSBridge")
  };
}

// src/uni/api.ts
function callUni(api, options) {
  return new Promise((done) => {
    if (!api)
      return done({ ok: false, told: { errMsg: "not supported on this platform" } });
    api(__spreadProps(__spreadValues({}, options), {
      success: (told) => done({ ok: true, told: told != null ? told : {} }),
      fail: (told) => done({ ok: false, told: told != null ? told : {} })
    }));
  });
}

// src/uni/client.ts
function uniPost(uni) {
  return ({ url, body, headers, timeout }) => new Promise((done, failed2) => {
    uni.request({
      url,
      method: "POST",
      data: body,
      header: headers,
      timeout,
      // Texts are parsed by the transport, which knows what a broken one means.
      dataType: "text",
      success: ({ statusCode, data, header }) => {
        const found = Object.entries(header != null ? header : {});
        done({
          status: Number(statusCode),
          body: data,
          header: (name) => {
            var _a;
            return (_a = found.find(([key]) => key.toLowerCase() === name)) == null ? void 0 : _a[1];
          }
        });
      },
      fail: (told) => failed2(new PayError(-1, messageOf(told)))
    });
  });
}
function uniEnv(platform, browser, returnUrl) {
  var _a;
  const known = (_a = { app: "app-plus", web: "h5" }[platform]) != null ? _a : platform;
  return detectEnv(known, browser == null ? void 0 : browser.userAgent, browser == null ? void 0 : browser.maxTouchPoints, returnUrl);
}
var LOGIN = {
  "mp-weixin wxpay": "wxpay",
  "mp-weixin wxpay-virtual": "wxpay-virtual",
  "mp-alipay alipay": "alipay",
  "mp-toutiao douyin": "douyin"
};
function uniOpenid(uni, platform, transport) {
  const found = /* @__PURE__ */ new Map();
  return async (data) => {
    var _a, _b;
    const provider = LOGIN[`${platform} ${String(data.provider)}`];
    if (!provider)
      return void 0;
    const known = found.get(provider);
    if (known)
      return known;
    const { ok, told } = await callUni((_a = uni.login) == null ? void 0 : _a.bind(uni), provider === "alipay" ? { scopes: "auth_base" } : {});
    const code = (_b = told.code) != null ? _b : told.authCode;
    if (!ok || !code)
      throw new PayError(1013, messageOf(told));
    const reply = await transport("pay/code2Session", { provider, code, vk_platform: platform });
    const openid = field(reply, "openid");
    if (reply.code !== 0 || typeof openid !== "string")
      throw new PayError(reply.code || 1006, reply.msg);
    if (provider !== "wxpay-virtual")
      found.set(provider, openid);
    return openid;
  };
}

// src/uni/iap.ts
var VERIFY = "pay/appleiap/verifyReceipt";
var KEPT = "vk-pay-appleiap";
var MOST_KEPT = 50;
var PURCHASED = ["1", "3"];
var FAILED = "2";
async function store(uni) {
  var _a, _b;
  const { told } = await callUni((_a = uni.getProvider) == null ? void 0 : _a.bind(uni), { service: "payment" });
  const found = (_b = told.providers) == null ? void 0 : _b.find(({ id }) => id === "appleiap");
  if (!found)
    throw new PayError(-1, "appleiap: no such provider in this app");
  return found;
}
function kept(uni) {
  var _a;
  const list = (_a = uni.getStorageSync) == null ? void 0 : _a.call(uni, KEPT);
  return Array.isArray(list) ? list : [];
}
function keep(uni, purchase) {
  var _a;
  const others = kept(uni).filter((other) => other.out_trade_no !== purchase.out_trade_no);
  (_a = uni.setStorageSync) == null ? void 0 : _a.call(uni, KEPT, [...others, purchase].slice(-MOST_KEPT));
}
function forget(uni, outTradeNo) {
  var _a;
  (_a = uni.setStorageSync) == null ? void 0 : _a.call(uni, KEPT, kept(uni).filter((purchase) => purchase.out_trade_no !== outTradeNo));
}
function finish(iap, transaction) {
  return new Promise((done, failed2) => {
    iap.finishTransaction(transaction, done, (told) => failed2(new PayError(-1, messageOf(told))));
  });
}
function proof(outTradeNo, transaction) {
  return {
    out_trade_no: outTradeNo,
    transaction_receipt: transaction.transactionReceipt,
    transaction_identifier: transaction.transactionIdentifier
  };
}
async function buyApple(uni, created) {
  var _a, _b, _c;
  const info = created.orderInfo;
  const { out_trade_no } = created;
  let iap;
  try {
    iap = await store(uni);
    await new Promise((done, failed2) => iap.requestProduct([info.productid], done, failed2));
  } catch (error) {
    return { result: "fail", msg: messageOf(error), raw: error };
  }
  const purchase = { out_trade_no, productid: info.productid, username: info.username };
  keep(uni, purchase);
  const { ok, told } = await callUni((_a = uni.requestPayment) == null ? void 0 : _a.bind(uni), {
    provider: "appleiap",
    orderInfo: __spreadProps(__spreadValues({}, info), { manualFinishTransaction: true })
  });
  if (!ok) {
    const cancel = Number((_b = told.errCode) != null ? _b : told.code) === 2 || /cancel/i.test(String((_c = told.errMsg) != null ? _c : ""));
    if (cancel)
      forget(uni, out_trade_no);
    return cancel ? { result: "cancel", raw: told } : { result: "fail", msg: messageOf(told), raw: told };
  }
  const transaction = told;
  keep(uni, __spreadProps(__spreadValues({}, purchase), { transaction: transaction.transactionIdentifier }));
  return {
    result: "purchase",
    action: VERIFY,
    data: proof(out_trade_no, transaction),
    async finish() {
      await finish(iap, transaction);
      forget(uni, out_trade_no);
    },
    raw: told
  };
}
function orderOf(list, { transactionIdentifier, payment }) {
  var _a, _b;
  const exact = (_a = list.find((purchase) => purchase.transaction && purchase.transaction === transactionIdentifier)) != null ? _a : list.find(({ username }) => username && username === (payment == null ? void 0 : payment.username));
  if (exact)
    return exact.out_trade_no;
  const alike = list.filter(({ productid, transaction }) => !transaction && productid === (payment == null ? void 0 : payment.productid));
  return alike.length === 1 ? (_b = alike[0]) == null ? void 0 : _b.out_trade_no : void 0;
}
async function restorePurchases(uni, transport) {
  var _a;
  const iap = await store(uni);
  const list = await new Promise((done, failed2) => {
    const options = { manualFinishTransaction: true, username: "" };
    iap.restoreCompletedTransactions(options, done, (told) => failed2(new PayError(-1, messageOf(told))));
  });
  const restored = [];
  for (const transaction of list) {
    const state = String(transaction.transactionState);
    const name = (_a = transaction.transactionIdentifier) != null ? _a : "";
    if (state === FAILED)
      await finish(iap, transaction).catch(() => {
      });
    if (!PURCHASED.includes(state))
      continue;
    const out_trade_no = orderOf(kept(uni), transaction);
    if (!out_trade_no) {
      restored.push({ transaction: name, paid: false, finished: false });
      continue;
    }
    const reply = await transport(VERIFY, proof(out_trade_no, transaction)).catch(noReply);
    const paid = readState(reply) === "paid";
    const finished = paid && await finish(iap, transaction).then(() => true, () => false);
    if (finished)
      forget(uni, out_trade_no);
    restored.push({ transaction: name, out_trade_no, paid, finished, reply });
  }
  return restored;
}

// src/web/invoke.ts
function webInvoke(page, env) {
  return async (created) => {
    var _a, _b, _c, _d;
    const { orderInfo } = created;
    const info = orderInfo && typeof orderInfo === "object" ? orderInfo : {};
    const form = typeof orderInfo === "string" ? orderInfo : info.form;
    try {
      if (info.paySign && created.provider === "wxpay")
        return await askBridge(page, info);
      if (created.pay_type === "alipay_mp-alipay")
        return await askAlipay(page, String(orderInfo));
      if (form && /<form/i.test(form)) {
        page.submit(form);
        return { result: "redirect", url: page.url() };
      }
      const cashier2 = (_c = (_b = (_a = info.mwebUrl) != null ? _a : info.mweb_url) != null ? _b : info.h5Url) != null ? _c : info.payUrl;
      if (cashier2)
        return open(page, created.pay_type === "wxpay_mweb" ? withReturn(cashier2, page, env, created) : cashier2);
      const codeUrl = (_d = info.codeUrl) != null ? _d : info.code_url;
      if (!codeUrl)
        return { result: "fail", msg: `${created.pay_type}: not payable in a browser` };
      const way = created.provider === "alipay" ? openWay(env, "alipay") : "qrcode";
      if (way === "qrcode")
        return { result: "qrcode", codeUrl };
      return open(page, way === "scheme" ? alipayScheme(codeUrl) : codeUrl);
    } catch (error) {
      return { result: "fail", msg: messageOf(error) };
    }
  };
}
function open(page, url) {
  page.open(url);
  return { result: "redirect", url };
}
function withReturn(url, page, env, { out_trade_no }) {
  var _a;
  if (/[?&]redirect_url=/.test(url))
    return url;
  const back = withOrder((_a = env.returnUrl) != null ? _a : page.url(), out_trade_no);
  return `${url}${url.includes("?") ? "&" : "?"}redirect_url=${encodeURIComponent(back)}`;
}
var TRADE_PAY = { 9e3: "ok", 8e3: "unknown", 6004: "unknown", 6001: "cancel" };
async function askAlipay(page, tradeNO) {
  const bridge = await page.alipayBridge();
  return new Promise((done) => {
    bridge.call("tradePay", { tradeNO }, (raw) => {
      var _a;
      const code = String(raw.resultCode);
      done({ result: (_a = TRADE_PAY[code]) != null ? _a : "fail", msg: raw.memo || code, raw });
    });
  });
}
async function askBridge(page, info) {
  const bridge = await page.bridge();
  return new Promise((done) => {
    bridge.invoke("getBrandWCPayRequest", info, (raw) => {
      const msg = String(raw.err_msg);
      if (/:ok$/.test(msg))
        done({ result: "ok", raw });
      else if (/:cancel$/.test(msg))
        done({ result: "cancel", raw });
      else
        done({ result: "fail", msg, raw });
    });
  });
}

// src/uni/invoke.ts
function uniInvoke(uni, platform, page, env = detectEnv(platform)) {
  if (platform === "h5") {
    if (!page || !("bridge" in page))
      throw new Error("uniInvoke on h5 needs browserPage(window)");
    return webInvoke(page, env);
  }
  return async (created) => {
    var _a;
    const { orderInfo, provider } = created;
    const info = orderInfo && typeof orderInfo === "object" ? orderInfo : {};
    const codeUrl = (_a = info.codeUrl) != null ? _a : info.code_url;
    if (typeof codeUrl === "string") {
      if (!page || platform !== "app-plus" || provider !== "alipay")
        return { result: "qrcode", codeUrl };
      try {
        page.open(alipayScheme(codeUrl));
        return { result: "redirect", url: alipayScheme(codeUrl) };
      } catch (e) {
        return { result: "qrcode", codeUrl };
      }
    }
    const pay = (options) => callUni(bound(uni, "requestPayment"), options);
    switch (`${platform} ${provider}`) {
      case "mp-weixin wxpay-virtual":
        return virtual(await callUni(bound(uni, "requestVirtualPayment"), info));
      case "mp-weixin wxpay":
        return plain(await pay(__spreadValues({ provider }, info)));
      case "mp-alipay alipay":
        return tradePay(await pay({ provider, orderInfo }));
      case "mp-toutiao douyin":
        return info.byteAuthorization ? tradeOrder(uni, info) : cashier(await pay({ provider: "toutiao", service: 5, orderInfo }));
      case "mp-harmony huawei":
      case "app-harmony huawei":
        return typeof orderInfo === "string" ? huawei(await pay({ provider, orderInfo })) : unsupported(platform, created);
      case "app-plus appleiap":
        return buyApple(uni, created);
      case "app-plus alipay":
      case "app-harmony alipay":
        return doubtful(await pay({ provider, orderInfo }), (told) => cancelled(told) || Number(codeOf(told)) === 62001);
      case "app-plus wxpay":
      case "app-harmony wxpay":
        return plain(await pay({ provider, orderInfo }));
    }
    return unsupported(platform, created);
  };
}
function bound(uni, name) {
  var _a;
  return (_a = uni[name]) == null ? void 0 : _a.bind(uni);
}
function unsupported(platform, { provider, pay_type }) {
  return { result: "fail", msg: `${pay_type || provider}: not payable on ${platform}` };
}
function codeOf(told) {
  var _a, _b;
  return (_b = (_a = told.errCode) != null ? _a : told.errNo) != null ? _b : told.code;
}
function cancelled(told) {
  var _a;
  return /cancel|取消/i.test(String((_a = told.errMsg) != null ? _a : ""));
}
function failed(told) {
  const code = codeOf(told);
  return __spreadValues({ result: "fail", msg: messageOf(told), raw: told }, code === void 0 ? {} : { code });
}
function plain({ ok, told }) {
  if (ok)
    return { result: "ok", raw: told };
  return cancelled(told) ? { result: "cancel", raw: told } : failed(told);
}
function doubtful({ ok, told }, isCancel = cancelled) {
  if (ok)
    return { result: "ok", raw: told };
  if (isCancel(told))
    return { result: "cancel", raw: told };
  return { result: "unknown", otherwise: "fail", msg: messageOf(told), raw: told };
}
function virtual(answer) {
  return !answer.ok && Number(codeOf(answer.told)) === -2 ? { result: "cancel", raw: answer.told } : plain(answer);
}
function byCode(codes, code, raw) {
  var _a;
  const result = codes[String(code)];
  const msg = `${messageOf((_a = raw.memo) != null ? _a : raw)} (${String(code)})`;
  if (result === "fail")
    return { result, msg, code: String(code), raw };
  if (result)
    return { result, raw };
  return { result: "unknown", otherwise: "fail", msg, raw };
}
var TRADE_PAY2 = { 9e3: "ok", 8e3: "unknown", 6004: "unknown", 6001: "cancel", 4e3: "fail" };
function tradePay({ ok, told }) {
  if (told.resultCode === void 0)
    return doubtful({ ok: false, told: ok ? { errMsg: "no resultCode" } : told });
  return byCode(TRADE_PAY2, told.resultCode, told);
}
var CASHIER2 = { 0: "ok", 2: "fail", 4: "cancel", 9: "unknown" };
function cashier(answer) {
  const { ok, told } = answer;
  if (!ok)
    return plain(answer);
  if (Number(told.code) === 3)
    return { result: "unknown", otherwise: "cancel", raw: told };
  return byCode(CASHIER2, told.code, told);
}
async function tradeOrder(uni, info) {
  const placed = await callUni(bound(uni, "requestOrder"), { data: info.data, byteAuthorization: info.byteAuthorization });
  if (!placed.ok)
    return plain(placed);
  return doubtful(await callUni(bound(uni, "getOrderPayment"), { orderId: placed.told.orderId }));
}
function huawei(answer) {
  if (!answer.ok && Number(codeOf(answer.told)) === 50000101)
    return { result: "unknown", otherwise: "cancel", raw: answer.told };
  return doubtful(answer);
}
export {
  PayError,
  alipayScheme,
  browserPage,
  callFunction,
  createPayController,
  defaultTransport,
  detectEnv,
  endOf,
  field,
  httpTransport,
  isFen,
  isPassing,
  openWay,
  qrPng,
  readState,
  restorePurchases,
  setup,
  uniEnv,
  uniInvoke,
  uniOpenid,
  uniPost,
  withOrder
};
