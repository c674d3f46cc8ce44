// Every pair of colours that stand on one another can be read, in light and dark: WCAG 2.2 AA.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const css = ["base", "parts"].map((name) => readFileSync(new URL(`../src/style/${name}.css`, import.meta.url), "utf8")).join("\n");

/** [light, dark] of each name. */
const colours = new Map<string, [string, string]>();
for (const [, name = "", both = ""] of css.matchAll(/--([\w-]+): (light-dark\(#\w+, #\w+\)|#\w+);/g)) {
  const [light = "", dark = light] = both.match(/#\w+/g) ?? [];
  // Hues repeat these two names.
  const key = colours.has(name) ? `${name} ${[...colours.keys()].filter((k) => k.split(" ")[0] === name).length}` : name;
  colours.set(key, [light, dark]);
}

const luminance = (hex: string): number => {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one: string, other: string): number => {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};

const TEXT = 4.5;
const SHAPE = 3;
const grounds = (ink: string, least: number, ...names: string[]) => names.map((ground) => [ink, ground, least] as const);
const inks = [...colours.keys()].filter((name) => name.startsWith("ink"));
const pairs = [
  ...grounds("text", TEXT, "bg", "side", "raised", "hover", "press", "bubble"),
  ...grounds("soft", TEXT, "bg", "side", "raised", "hover", "press", "bubble"),
  ...grounds("link", TEXT, "bg", "side", "raised", "hover", "bubble"),
  ...grounds("bad", TEXT, "bg", "side", "raised", "hover", "press", "bad-soft"),
  ...grounds("own-text", TEXT, "own"),
  ...grounds("own-soft", TEXT, "own"),
  ...grounds("accent-text", TEXT, "accent", "accent-hover"),
  ...inks.flatMap((ink) => grounds(ink, TEXT, ink.replace("ink", "ground"), "bubble")),
  ...grounds("field", SHAPE, "bg", "raised"),
  ...grounds("focus", SHAPE, "bg", "side", "raised"),
  ...grounds("good", SHAPE, "bg", "side", "raised"),
];

it("knows the colours", () => expect(inks.length).toBe(8));
it.each(pairs)("%s on %s: %s", (ink, ground, least) => {
  const [one, other] = [colours.get(ink), colours.get(ground)];
  for (const look of [0, 1] as const) expect(contrast(one?.[look] ?? "", other?.[look] ?? ""), look === 0 ? "light" : "dark").toBeGreaterThanOrEqual(least);
});
