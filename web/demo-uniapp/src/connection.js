import vkPay from "@/uni_modules/paybundle-cashier/js_sdk/vk-pay.js";

const KEY = "vk-pay-demo-connection";

// Where the demo sends its requests. A shop has its address in its code, and its users' tokens instead of a key.
export const connection = () => ({ address: "http://127.0.0.1:8787", key: "", user: "demo-user", ...uni.getStorageSync(KEY) });

export function connect(changed) {
  if (changed) uni.setStorageSync(KEY, changed);
  const { address, key, user } = connection();
  vkPay.setup({
    // What a query string says joins the data. VK's cloud functions know the user by themselves.
    baseUrl: `${address.replace(/\/+$/, "")}/http/vk-pay?user_id=${encodeURIComponent(user)}`,
    style: "envelope",
    headers: () => (key ? { authorization: `Bearer ${key}` } : {}),
  });
}
