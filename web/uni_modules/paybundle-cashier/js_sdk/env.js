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

// Tells whether the network is there, now and at every change; answers what ends it. uni-app's own call says nothing in
// some browsers.
export function watchNetwork(tell) {
  if (browser) {
    const changed = () => tell(navigator.onLine !== false);
    changed();
    for (const name of ["online", "offline"]) window.addEventListener(name, changed);
    return () => ["online", "offline"].forEach((name) => window.removeEventListener(name, changed));
  }
  const heard = ({ isConnected }) => tell(isConnected);
  uni.onNetworkStatusChange?.(heard);
  return () => uni.offNetworkStatusChange?.(heard);
}
