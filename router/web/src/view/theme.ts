// Light or dark: as the system has it, or as the person chose.

import { createSignal } from "solid-js";
import { loadChoice, saveChoice } from "./session";

export type Theme = "system" | "light" | "dark";

const kept = loadChoice("theme");
const [theme, setTheme] = createSignal<Theme>(kept === "light" || kept === "dark" ? kept : "system");
export { theme };

export const showTheme = (): void => {
  const chosen = theme();
  if (chosen === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
  // The bars of the browser follow.
  for (const meta of document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]")) {
    const own = meta.dataset["theme"];
    meta.media = chosen === "system" ? `(prefers-color-scheme: ${own})` : own === chosen ? "all" : "not all";
  }
};

export const chooseTheme = (chosen: Theme): void => {
  setTheme(chosen);
  saveChoice("theme", chosen);
  showTheme();
};
