// For pages that import VK-Pay's path.
export { default } from "../../paybundle-cashier/js_sdk/vk-pay.js";
