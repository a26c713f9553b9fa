// Copy buttons, the only thing here that needs a script of its own; without it they stay hidden.
document.documentElement.classList.add("js");
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.dataset.done = "";
    setTimeout(() => delete button.dataset.done, 1200);
  } catch {
    getSelection().selectAllChildren(source);
  }
});

// A part that refreshes itself is left as it is while a form in it has the focus or holds what somebody has typed: what
// is on the screen is what will be sent.
const filled = (field) => {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName === "SELECT") {
    const options = [...field.options];
    const usual = Math.max(0, options.findIndex((option) => option.defaultSelected));
    return options.length > 0 && field.selectedIndex !== usual;
  }
  return field.matches("input:not([type=hidden]), textarea") && field.value !== field.defaultValue;
};
const inUse = (part) => [...part.querySelectorAll("form")].some((form) =>
  form.contains(document.activeElement) || form.matches(":active") || [...form.elements].some(filled));

// One request asks for all parts of a page that have changed. While nothing changes the pauses grow; a page that nobody
// sees asks for nothing.
const refreshing = document.getElementById("refreshing");
if (refreshing) {
  const [least, most] = [1000, 5000];
  let pause = least;
  let timer = 0;
  let swapped = false;
  const held = new Set();
  const ask = () => htmx.trigger(refreshing, "refresh-parts");
  const later = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(ask, pause);
  };
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.target !== refreshing) return;
    swapped = false;
    held.clear();
    for (const part of document.querySelectorAll("[data-v]")) event.detail.parameters[part.dataset.part] = part.dataset.v;
  });
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target } = event.detail;
    if (inUse(target)) {
      event.detail.shouldSwap = false;
      held.add(target.id);
    } else {
      swapped = true;
    }
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target !== refreshing) return;
    for (const part of document.querySelectorAll("[data-v]")) part.toggleAttribute("data-held", held.has(part.id));
    pause = swapped ? least : Math.min(most, pause * 1.4);
    later();
  });
  document.addEventListener("visibilitychange", () => {
    pause = least;
    if (document.hidden) clearTimeout(timer);
    else ask();
  });
  // Whoever does something waits for what comes of it.
  for (const name of ["pointerdown", "keydown"]) {
    document.addEventListener(name, () => {
      if (pause === least) return;
      pause = least;
      later();
    }, { passive: true });
  }
  later();
}
