// Stands for the package that uni-app injects wherever a page says `uniCloud`, and sends the calls to this backend:
// resolve: { alias: { "@dcloudio/uni-cloud": path.resolve(__dirname, "…/uni-cloud.js") } } in vite.config.ts
import vkPay from "@/uni_modules/paybundle-cashier/js_sdk/vk-pay.js";

const answer = (reply) => ({ result: reply, requestId: reply.request_id, header: {} });

// With callbacks and as a promise, as uniCloud has both. What the server refuses is a result too; only silence fails.
function callFunction({ success, fail, complete, ...options }) {
  const called = vkPay.callFunction(options).then(answer);
  if (!success && !fail && !complete) return called;
  called.then(
    (result) => {
      success?.(result);
      complete?.(result);
    },
    (error) => {
      const failure = { code: error.code, msg: error.message, errMsg: error.message };
      fail?.(failure);
      complete?.(failure);
    },
  );
}

export default { callFunction };
