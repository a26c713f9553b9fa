// Shows the popup on a page that has no element for it.
import { createApp, h, reactive } from "vue";
import Popup from "../components/vk-uni-pay-qrcode-popup/vk-uni-pay-qrcode-popup.vue";

// Answers what takes it away again.
export function showQrcode(props, on) {
  const shown = reactive({ ...props, status: 1 });
  const app = createApp({ render: () => h(Popup, { ...shown, ...on }) });
  const place = document.body.appendChild(document.createElement("div"));
  app.mount(place);
  window.addEventListener("popstate", on.onClose);
  return () => {
    window.removeEventListener("popstate", on.onClose);
    app.unmount();
    place.remove();
  };
}
