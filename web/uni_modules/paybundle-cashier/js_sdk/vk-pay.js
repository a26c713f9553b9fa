// import vkPay from "@/uni_modules/paybundle-cashier/js_sdk/vk-pay.js"
import { callFunction as callCore, createPayController, defaultTransport, endOf, setup as setupCore, uniPost } from "./vk-pay-core.js";
import { clientEnv, invoker, isSeen, topPage } from "./env.js";
import { platform, showQrcode } from "./platform.js";
import { inEnglish, t } from "./texts.js";
import { api } from "./uni-api.js";

const CREATE = "pay/createPayment";

// `pay()` is given an order's pay parameters alone; by these it knows the order again.
let latest = null;

function setup(options) {
  const headers = () => ({ ...(inEnglish() ? { "accept-language": "en" } : {}), ...(options.headers ? options.headers() : {}) });
  setupCore({ ...options, headers, post: uniPost(api) });
}

// A cloud function's shape has the call inside of `data`.
const isNested = ({ url, action }) => !url && !action;

function actionOf(options) {
  const { url, action } = isNested(options) ? { ...options.data, url: options.data?.url ?? options.data?.$url } : options;
  return url ?? action?.action ?? action;
}

// A cloud function knows its client's platform by itself, a server on the web does not.
function withPlatform(options) {
  const order = isNested(options) ? options.data.data : options.data;
  if (order?.vk_platform || order?.platform) return options;
  const told = { vk_platform: platform, ...order };
  return { ...options, data: isNested(options) ? { ...options.data, data: told } : told };
}

async function callFunction(options) {
  if (actionOf(options) !== CREATE) return callCore(options);
  const reply = await callCore(withPlatform(options));
  if (reply.code === 0) latest = reply;
  return reply;
}

const createPayment = (data) => callFunction({ url: CREATE, data });

const queryPayment = (data) => callFunction({ url: "pay/queryPayment", data });

const known = (orderInfo) =>
  latest && JSON.stringify(latest.orderInfo) === JSON.stringify(orderInfo) ? latest : undefined;

// Opens the cashier for an order that is there. Code 0: the server says that it is paid. Of an order whose number is not
// known it is the cashier's word alone, and `clientOnly` says so: ask the server then.
async function pay({ provider, orderInfo, out_trade_no, qrcodeImage }) {
  const order = known(orderInfo);
  const reply = { ...order, code: 0, msg: "", provider, orderInfo };
  if (qrcodeImage) reply.qrcodeImage = qrcodeImage;
  reply.out_trade_no = out_trade_no ?? order?.out_trade_no ?? orderInfo?.username;
  return reply.out_trade_no ? payKnown(reply) : payUnknown(reply);
}

const not = (msg, more) => ({ code: -1, msg, ...more });

function payKnown(reply) {
  const transport = (action, data) => (action === CREATE ? Promise.resolve(reply) : defaultTransport()(action, data));
  const code = {};
  const page = topPage();
  return new Promise((answer) => {
    const number = { out_trade_no: reply.out_trade_no };
    let hide;
    let doubt = false;
    const end = (result) => {
      hide?.();
      answer(result);
    };
    const told = (type, last) => {
      if (type === "success") end({ ...last, code: 0 });
      else if (type === "cancel") end(not(t("cancelled"), { cancel: true }));
      else if (type === "fail") end(not(last.msg, { failType: last.failType, reason: last.code }));
      else if (type === "pending") end(not(t("stillPending"), { pending: true }));
    };
    const show = (part) => {
      Object.assign(code, part);
      if (hide || !(code.codeUrl || code.qrcodeImage)) return;
      if (!showQrcode) {
        controller.stop();
        return end(not(t("noQrcode")));
      }
      // A page that waits with a mask would hide the code.
      uni.hideLoading();
      hide = showQrcode(
        { ...code, provider: reply.provider, totalFee: reply.total_fee, outTradeNo: reply.out_trade_no, afreshable: false },
        {
          // The server has the last word, for it may have been paid just now.
          onClose: async () => {
            controller.stop();
            hide();
            hide = undefined;
            const { state, reply: last } = await controller.query(number);
            told(endOf(state, doubt), last);
          },
          onQuery: async () => {
            doubt = true;
            const { paid, reply: last } = await controller.query(number);
            if (!paid) uni.showToast({ title: last.code === -1 ? last.msg : t("stillPending"), icon: "none" });
          },
        },
      );
    };
    const controller = createPayController(
      { transport, invoke: invoker(), env: clientEnv(), visible: () => isSeen(page) },
      { polling: true },
      { codeUrl: (codeUrl) => show({ codeUrl }), qrcodeImage: (image) => show({ qrcodeImage: image }) },
    );
    controller.pay(CREATE, {}).then(({ type, reply: last }) => told(type, last));
  });
}

async function payUnknown(reply) {
  const outcome = await invoker()(reply);
  if (outcome.result === "ok") return { code: 0, msg: "", clientOnly: true };
  if (outcome.result === "cancel") return not(t("cancelled"), { cancel: true });
  if (outcome.result === "fail") return not(outcome.msg, { failType: "request", reason: outcome.code });
  if (outcome.result === "qrcode") return not(t("noQrcode"));
  return not(t("stillPending"), { pending: true });
}

export default { setup, pay, callFunction, createPayment, queryPayment };
