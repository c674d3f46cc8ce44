// Links in messages. Text stays text: a piece becomes a link only when it is an address of an allowed scheme.

export type Piece = { is: "text"; text: string } | { is: "link"; text: string; href: string };

const CANDIDATE = /(?:https?:\/\/|mailto:|www\.)[^\s<>"'`\u200b\u202a-\u202e\u2066-\u2069]+/giu;
const SCHEMES = new Set(["https:", "http:", "mailto:"]);
/** Ends a sentence rather than an address. */
const TRAILING = /[.,;:!?'"…»”’]+$/u;
/** A message with more links than this is not meant to be clicked. */
const LINKS = 200;

export const pieces = (text: string): Piece[] => {
  const found: Piece[] = [];
  let end = 0;
  let links = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    if (links >= LINKS) break;
    const before = text[match.index - 1];
    // Inside a word it is not an address.
    if (before !== undefined && /[\p{L}\p{N}_@]/u.test(before)) continue;
    const shown = trimmed(match[0]);
    const href = address(shown);
    if (href === null) continue;
    if (match.index > end) found.push({ is: "text", text: text.slice(end, match.index) });
    found.push({ is: "link", text: shown, href });
    end = match.index + shown.length;
    links += 1;
  }
  if (end < text.length || found.length === 0) found.push({ is: "text", text: text.slice(end) });
  return found;
};

const trimmed = (candidate: string): string => {
  let shown = candidate.replace(TRAILING, "");
  // A closing bracket belongs to the address only if it was opened there.
  for (const [open, close] of ["()", "[]", "{}"] as const) {
    while (close !== undefined && shown.endsWith(close) && shown.split(open ?? "").length < shown.split(close).length) {
      shown = shown.slice(0, -1).replace(TRAILING, "");
    }
  }
  return shown;
};

const address = (shown: string): string | null => {
  try {
    const url = new URL(/^www\./iu.test(shown) ? `https://${shown}` : shown);
    const hasPlace = url.protocol === "mailto:" ? url.pathname.includes("@") : url.hostname.includes(".") || url.hostname === "localhost" || url.port !== "";
    return SCHEMES.has(url.protocol) && hasPlace && url.username === "" && url.password === "" ? url.href : null;
  } catch {
    return null;
  }
};
