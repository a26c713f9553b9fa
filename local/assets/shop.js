// The demo shop: which provider a button pays with, and what the shop says when it has ended. Whether an order is
// paid is for the server to say, so the outcome is the server's own page.
const buttonOf = (event) => event.target.closest?.("vk-pay-button, vk-cashier");
const said = document.getElementById("said");

// Says it under the button that it is about.
function say(button, text, tone) {
  button.after(said);
  said.textContent = text;
  said.dataset.tone = tone;
  said.hidden = false;
}

// A paid or ended order is not bought again: the button gets the next one.
async function renew(button, query = "") {
  const answer = await fetch(`/demo${query}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector(`[data-testid="${button.dataset.testid}"]`);
  if (fresh) button.setAttribute("order", fresh.getAttribute("order"));
  return page;
}

document.addEventListener("change", (event) => {
  const card = event.target.closest(".product");
  card?.querySelector("vk-pay-button")?.setAttribute("provider", event.target.value);
});

// The order whose wallet is open.
let created;
document.addEventListener("create", (event) => {
  if (!buttonOf(event)) return;
  said.hidden = true;
  created = { button: buttonOf(event), number: event.detail.out_trade_no };
});

const isPaid = async (number) => (await (await fetch(`/demo?out_trade_no=${encodeURIComponent(number)}`)).text()).includes('data-testid="result"');

// A browser that only says that it is a wallet's has no bridge: the simulated wallet, in a window of its own, answers
// for it. It says what became of it when the window is closed, or the order is paid.
function simulate(answer) {
  const { button, number } = created;
  const wallet = window.open(button.getAttribute("wallet-url").replace("{out_trade_no}", encodeURIComponent(number)));
  const look = async () => {
    const closed = !wallet || wallet.closed;
    const paid = await isPaid(number);
    if (paid || closed) answer(paid);
    else setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
}

if (document.querySelector("vk-pay-button[wallet-url]")) {
  if (/micromessenger/i.test(navigator.userAgent)) {
    window.WeixinJSBridge ??= {
      invoke: (name, info, done) => simulate((paid) => done({ err_msg: `get_brand_wcpay_request:${paid ? "ok" : "cancel"}` })),
    };
  }
  if (/alipayclient/i.test(navigator.userAgent)) {
    window.AlipayJSBridge ??= { call: (name, trade, done) => simulate((paid) => done({ resultCode: paid ? "9000" : "6001" })) };
  }
}

document.addEventListener("success", async (event) => {
  const button = buttonOf(event);
  if (!button) return;
  const page = await renew(button, `?out_trade_no=${encodeURIComponent(event.detail.out_trade_no)}`);
  for (const id of ["facts", "outcome"]) document.getElementById(id).replaceWith(page.getElementById(id));
  document.getElementById("outcome").scrollIntoView({ block: "center" });
});

document.addEventListener("fail", (event) => {
  const button = buttonOf(event);
  if (!button) return;
  say(button, event.detail.code === 2012 ? said.dataset.ended : event.detail.msg, "bad");
  return renew(button);
});

for (const name of ["cancel", "pending"]) {
  document.addEventListener(name, (event) => {
    const button = buttonOf(event);
    if (button) say(button, said.dataset[name], "wait");
  });
}
