// Keys for everything. Single letters count only where nobody is writing, and can be switched off: who speaks to the
// machine instead of typing would set them off by accident.

import { createSignal } from "solid-js";
import { loadChoice, saveChoice } from "./session";

export type Action = "search" | "new" | "next" | "previous" | "unread" | "details" | "settings" | "compose" | "help" | "close";

const [singleKeys, setSingleKeys] = createSignal(loadChoice("single_keys") !== "off");
export { singleKeys };
export const chooseSingleKeys = (on: boolean): void => {
  setSingleKeys(on);
  saveChoice("single_keys", on ? "on" : "off");
};

/** Whether the list of them is shown. */
const [keysShown, setKeysShown] = createSignal(false);
export { keysShown };
export const showKeys = (): void => void setKeysShown(true);
export const hideKeys = (): void => void setKeysShown(false);

/** As it is called on this keyboard. */
export const COMMAND = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";

/** As they are shown and told to screen readers. */
export const KEYS: Record<Action, string[]> = {
  search: [COMMAND, "K"],
  new: ["N"],
  next: ["Alt", "↓"],
  previous: ["Alt", "↑"],
  unread: ["Alt", "Shift", "↓"],
  details: ["I"],
  settings: [COMMAND, ","],
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
  if (writes || command || event.altKey || !singleKeys()) return null;
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
