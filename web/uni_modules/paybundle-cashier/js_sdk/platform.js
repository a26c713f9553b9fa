// What this is compiled for, by the names of `vk_platform`. All conditional compilation of the module is here.
let name = "h5";
// #ifdef APP-PLUS
name = "app-plus";
// #endif
// #ifdef APP-HARMONY
name = "app-harmony";
// #endif
// #ifdef MP-WEIXIN
name = "mp-weixin";
// #endif
// #ifdef MP-ALIPAY
name = "mp-alipay";
// #endif
// #ifdef MP-TOUTIAO
name = "mp-toutiao";
// #endif
// #ifdef MP-HARMONY
name = "mp-harmony";
// #endif

export const platform = name;

// #ifdef H5
export { showQrcode } from "./qrcode-h5.js";
// #endif
// #ifndef H5
// Only a browser can put a component on a page that has not named it.
export const showQrcode = undefined;
// #endif
