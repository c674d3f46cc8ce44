// Names as they are shown. People may call themselves anything: what would hide or reorder other text is left out.

import type { Profile } from "../protocol";

/** Control characters, overrides of direction, and what takes no room. */
const UNSHOWN = /[\p{Cc}\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u00ad\u061c\u180e]/gu;
/** Something to see: a letter, a number, a sign, a picture. */
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;
/** Blank although they count as letters. */
const BLANK = /[\u115f\u1160\u3164\uffa0\u2800]/gu;

export const safeName = (name: string): string => {
  const shown = name.replace(UNSHOWN, "").replace(BLANK, " ").replace(/\s+/gu, " ").trim();
  return VISIBLE.test(shown) ? shown : "";
};

export const nameOf = (profile: Pick<Profile, "display_name" | "username"> | undefined, unknown: string): string =>
  profile === undefined ? unknown : safeName(profile.display_name) || profile.username;

/** One or two letters that stand for a name. */
export const initials = (name: string): string => {
  const words = name.split(/[\s._-]+/u).filter((w) => /[\p{L}\p{N}]/u.test(w));
  const first = (word: string): string => [...(word.match(/[\p{L}\p{N}]/u)?.[0] ?? "")].join("").toLocaleUpperCase();
  const [one, ...rest] = words;
  if (one === undefined) return [...name][0] ?? "";
  const last = rest.at(-1);
  return first(one) + (last === undefined ? "" : first(last));
};

/** One of so many colours, always the same for an id. */
export const hueOf = (id: string, hues: number): number => {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return hash % hues;
};

/** Letters as people count them: Unicode scalar values. */
export const countChars = (text: string): number => {
  let count = 0;
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) & 0xfc00) !== 0xdc00) count += 1;
  return count;
};
