// Keyboard use of a dialog. Only a browser has elements to focus; elsewhere these do nothing.
const inBrowser = (element) => Boolean(element && typeof element.focus === "function" && typeof document !== "undefined");

// Answers what had the focus before.
export function enterDialog(element) {
  if (!inBrowser(element)) return null;
  const before = document.activeElement;
  element.focus({ preventScroll: true });
  return before;
}

export function leaveDialog(before) {
  if (inBrowser(before) && before.isConnected) before.focus({ preventScroll: true });
}

// What had the focus may have gone with the state before.
export function holdFocus(element) {
  if (inBrowser(element) && !element.contains(document.activeElement)) element.focus({ preventScroll: true });
}

// Tab stays inside.
export function keepFocus(event, element) {
  const stops = [...element.querySelectorAll('[tabindex="0"]')];
  if (stops.length === 0) return;
  const at = stops.indexOf(document.activeElement);
  const next = at === -1 && event.shiftKey ? stops.length - 1 : at + (event.shiftKey ? -1 : 1);
  stops[(next + stops.length) % stops.length].focus();
  event.preventDefault();
}
