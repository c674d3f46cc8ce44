// What went wrong, as a sentence with what to do next.

import { t, type Key } from "../i18n";
import { ApiError } from "../net/http";

export const sentence = (error: unknown): string => {
  if (!(error instanceof ApiError)) return t("error.internal");
  const key = `error.${error.code}` as Key;
  const known = t(key);
  return known === key ? error.detail || t("error.internal") : known;
};

/** What is wrong with each field of a form. */
export const fieldErrors = (error: unknown): Record<string, string> => {
  if (!(error instanceof ApiError)) return {};
  return Object.fromEntries(
    error.fields.map(({ field, code, detail }) => {
      const keys = [`invalid.${field}.${code}`, `invalid.${code}`] as Key[];
      return [field, keys.map((key) => t(key)).find((text, n) => text !== keys[n]) ?? detail];
    }),
  );
};
