// Keys for everything. Single letters count only where nobody is writing.

export type Action = "search" | "new" | "next" | "previous" | "unread" | "details" | "settings" | "compose" | "help" | "close";

/** As they are shown and told to screen readers. */
export const KEYS: Record<Action, string[]> = {
  search: ["Ctrl", "K"],
  new: ["N"],
  next: ["Alt", "↓"],
  previous: ["Alt", "↑"],
  unread: ["Alt", "Shift", "↓"],
  details: ["I"],
  settings: ["Ctrl", ","],
  compose: ["R"],
  help: ["?"],
  close: ["Esc"],
};

const actionOf = (event: KeyboardEvent, writes: boolean): Action | null => {
  const command = event.ctrlKey || event.metaKey;
  if (command && !event.altKey && event.key.toLowerCase() === "k") return "search";
  if (command && event.key === ",") return "settings";
  if (event.altKey && event.key === "ArrowDown") return event.shiftKey ? "unread" : "next";
  if (event.altKey && event.key === "ArrowUp") return "previous";
  if (event.key === "Escape") return "close";
  if (writes || command || event.altKey) return null;
  switch (event.key) {
    case "n":
      return "new";
    case "i":
      return "details";
    case "r":
      return "compose";
    case "/":
      return "search";
    case "?":
      return "help";
    default:
      return null;
  }
};

export const startShortcuts = (actions: Record<Action, () => void>): (() => void) => {
  const pressed = (event: KeyboardEvent): void => {
    // A dialog, a menu or an input method has its own keys.
    if (event.defaultPrevented || event.isComposing) return;
    if (document.querySelector("[role=dialog], [role=alertdialog], [role=menu]") !== null) return;
    const target = event.target as HTMLElement;
    const writes = target.matches("input, textarea, select, [contenteditable]");
    const action = actionOf(event, writes);
    if (action === null || (action === "close" && writes && target.matches(".search-input"))) return;
    event.preventDefault();
    actions[action]();
  };
  addEventListener("keydown", pressed);
  return () => removeEventListener("keydown", pressed);
};
