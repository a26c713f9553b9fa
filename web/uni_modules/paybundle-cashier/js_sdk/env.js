// What the core is told of the platform that this is compiled for.
import { browserPage, uniEnv, uniInvoke } from "./vk-pay-core.js";
import { platform } from "./platform.js";
import { api } from "./uni-api.js";

export { platform };

const browser = platform === "h5";

// `returnUrl` is where a browser comes back to from a cashier page; else it is the page that it left.
export const clientEnv = (returnUrl) =>
  browser ? uniEnv(platform, navigator, returnUrl || window.location.href) : uniEnv(platform);

const app = { open: (url) => plus.runtime.openURL(url) };

export const invoker = (returnUrl) =>
  uniInvoke(api, platform, browser ? browserPage(window) : platform === "app-plus" ? app : undefined, clientEnv(returnUrl));

// Follows an address that a server gave.
export const openUrl = (url) => browserPage(window).open(url);

export function topPage() {
  const pages = getCurrentPages();
  return pages[pages.length - 1];
}

// Whether a component of this page can be seen: no page covers its own, and no tab or app the browser.
export const isSeen = (page) => (!page || page === topPage()) && !(browser && document.hidden);
