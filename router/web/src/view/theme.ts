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
};

export const chooseTheme = (chosen: Theme): void => {
  setTheme(chosen);
  saveChoice("theme", chosen);
  showTheme();
};
