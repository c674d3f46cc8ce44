// Texts of people are shown as they are, and do nothing.

import { describe, expect, it } from "vitest";
import de from "../src/i18n/de.json";
import en from "../src/i18n/en.json";
import { isFewEmoji } from "../src/text/emoji";
import { t } from "../src/i18n";
import { pieces } from "../src/text/links";
import { countChars, initials, nameOf, safeName } from "../src/text/names";
import { strength } from "../src/text/strength";

const links = (text: string) => pieces(text).flatMap((p) => (p.is === "link" ? [[p.text, p.href]] : []));

describe("links", () => {
  it.each([
    ["see https://example.org.", [["https://example.org", "https://example.org/"]]],
    ["(https://example.org/a_(b))", [["https://example.org/a_(b)", "https://example.org/a_(b)"]]],
    ["www.example.org/x, and", [["www.example.org/x", "https://www.example.org/x"]]],
    ["mailto:anna@example.org", [["mailto:anna@example.org", "mailto:anna@example.org"]]],
    ["http://localhost:7700/c/x", [["http://localhost:7700/c/x", "http://localhost:7700/c/x"]]],
    ["javascript:alert(1) data:text/html,x vbscript:x file:///etc/passwd", []],
    ["https://bank.example@evil.example/", []],
    ["xhttps://example.org http:// https://. www.", []],
    ["<script>alert('https://example.org/')</script>", [["https://example.org/", "https://example.org/"]]],
    ["https://example.org/\u202egnp.exe", [["https://example.org/", "https://example.org/"]]],
  ])("%s", (text, expected) => expect(links(text)).toEqual(expected));

  it("lose nothing of the text", () => {
    const texts = ["a https://example.org, b", "www.a.b c www.d.e", "", "\n", "x".repeat(10_000), "🐝".repeat(10_000)];
    for (const text of texts) expect(pieces(text).map((p) => p.text).join("")).toBe(text);
  });
});

describe("names", () => {
  it.each([
    ["Anna Weber", "Anna Weber"],
    ["\u202eevil\u202c", "evil"],
    ["\u200b\u200b", ""],
    ["\u3164", ""],
    ["a\u0000\u0007b", "ab"],
    ["  a \n b ", "a b"],
    ["👩‍👩‍👧", "👩‍👩‍👧"],
  ])("%j is shown as %j", (name, shown) => expect(safeName(name)).toBe(shown));

  it("fall back to the username", () => {
    expect(nameOf({ display_name: "\u200b", username: "anna" }, "?")).toBe("anna");
    expect(nameOf(undefined, "?")).toBe("?");
  });

  it.each([
    ["Anna Weber", "AW"],
    ["anna", "A"],
    ["王小明", "王"],
    ["🐝 bee", "B"],
    ["🐝", "🐝"],
    ["", ""],
  ])("%s has the letters %s", (name, letters) => expect(initials(name)).toBe(letters));

  it("count letters as people do", () => expect(countChars("a🐝é")).toBe(3));
});

describe("passwords", () => {
  it.each([
    ["short", 0],
    ["aaaaaaaaaa", 1],
    ["12345678", 1],
    ["password1", 1],
    ["Tr0ub4dor&3", 3],
    ["correct horse battery staple of mine", 4],
  ])("%s", (password, level) => expect(strength(password)).toBe(level));
});

describe("emoji", () => {
  it.each(["🐝", "🐝 🍯", "👨‍👩‍👧‍👦👍🏽", "🇳🇬🇩🇪🇫🇷", "❤️"])("%s alone are large", (text) => expect(isFewEmoji(text)).toBe(true));
  it.each(["🐝🐝🐝🐝", "a🐝", "12", "", " ", "#", "🐝!", "🐝".repeat(10_000)])("others are not", (text) => expect(isFewEmoji(text)).toBe(false));
});

describe("message files", () => {
  it("set apart what runs from right to left, and nothing else", () => {
    expect(t("list.preview", { name: "دارا", text: "see you" })).toBe("\u2068دارا\u2069: see you");
    expect(t("list.preview", { name: "Anna", text: "שלום" })).toBe("Anna: \u2068שלום\u2069");
  });

  it("have the same texts with the same places to fill in", () => {
    const german = de as Record<string, string>;
    const places = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map((m) => m[0]).sort();
    expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(en)) expect(places(german[key] ?? ""), key).toEqual(places(text));
  });
});
