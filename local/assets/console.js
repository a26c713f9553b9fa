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
