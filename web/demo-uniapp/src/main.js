import { createSSRApp } from "vue";
import App from "./App.vue";
import { connect } from "./connection.js";
import vkPay from "@/uni_modules/paybundle-cashier/js_sdk/vk-pay.js";

export function createApp() {
  connect();
  uni.vk = { callFunction: vkPay.callFunction };
  if (import.meta.env.DEV) globalThis.vk = uni.vk;
  return { app: createSSRApp(App) };
}
