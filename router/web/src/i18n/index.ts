// Texts come from message files, one per language. English is built in, others are fetched when they are wanted.
// `{name}` is filled in; a text with `.one` and `.other` is chosen by `count`, as the language counts. What runs from
// right to left is set apart where it is filled in, so that it does not turn what stands around it.

import { createMemo, createRoot, createSignal } from "solid-js";
import { loadChoice, saveChoice } from "../view/session";
import en from "./en.json";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

type Stem<K> = K extends `${infer S}.one` | `${infer S}.other` ? S : K;
export type Key = Stem<keyof typeof en>;
type Messages = Record<string, string>;

const files: Record<Exclude<Language, "en">, () => Promise<{ default: Messages }>> = { de: () => import("./de.json") };

const [messages, setMessages] = createSignal<Messages>(en);
const [language, setLanguage] = createSignal<Language>("en");
export { language };

/** For dates and numbers: the person's own variant of the language where the browser names one. */
export const locale = createRoot(() => createMemo((): string => globalThis.navigator?.languages?.find((l) => l.split("-")[0] === language()) ?? language()));

const FROM_RIGHT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const setApart = (text: string): string => (FROM_RIGHT.test(text) ? `\u2068${text}\u2069` : text);

export const t = (key: Key, values: Record<string, string | number> = {}): string => {
  const all = messages();
  let text = all[key] ?? (en as Messages)[key];
  if (text === undefined && typeof values["count"] === "number") {
    const form = new Intl.PluralRules(language()).select(values["count"]);
    text = all[`${key}.${form}`] ?? all[`${key}.other`] ?? (en as Messages)[`${key}.other`];
  }
  return (text ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? value.toLocaleString(locale()) : setApart(value);
  });
};

export const useLanguage = async (chosen: Language): Promise<void> => {
  setMessages(chosen === "en" ? en : (await files[chosen]()).default);
  setLanguage(chosen);
  document.documentElement.lang = chosen;
};

export const chooseLanguage = (chosen: Language): Promise<void> => {
  saveChoice("language", chosen);
  return useLanguage(chosen);
};

/** The one chosen before, else the browser's first that there is. */
export const startLanguage = (): Promise<void> => {
  const wanted = [loadChoice("language"), ...(navigator.languages ?? []).map((l) => l.split("-")[0])];
  const known = wanted.find((l): l is Language => l != null && l in LANGUAGES) ?? "en";
  return useLanguage(known).catch(() => useLanguage("en"));
};
