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
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (xhr.status === 204) {
    target.removeAttribute("data-held");
  } else if (inUse(target)) {
    event.detail.shouldSwap = false;
    target.setAttribute("data-held", "");
  }
});
