// Browsers, and the app in them as a person uses it.

import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";
import { artifacts } from "./hive.mjs";
import { PASSWORD } from "./people.mjs";

export const DESK = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

export const launch = () => {
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"];
  // A page that comes from the test itself has no address, and so would not be let to this machine's.
  if (process.env.DIST) args.push("--disable-features=LocalNetworkAccessChecks");
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
};

/** A browser of one's own: nothing is shared with others. What the page should never do is noted. */
export const newBrowser = async (browser, { size = DESK, dark = false, ...options } = {}) => {
  const context = await browser.newContext({
    viewport: size,
    colorScheme: dark ? "dark" : "light",
    locale: "en-GB",
    hasTouch: size === PHONE,
    isMobile: size === PHONE,
    ...options,
  });
  // Generous: a loaded machine is no reason to fail, and what is there is seen at once.
  context.setDefaultTimeout(Number(process.env.PATIENCE_MS ?? 30_000));
  context.wrongs = [];
  await context.exposeBinding("noteViolation", (_, text) => context.wrongs.push(`policy: ${text}`));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => window.noteViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));
  });
  if (process.env.DIST) await fromDist(context);
  context.on("weberror", (error) => context.wrongs.push(`error: ${error.error().stack ?? error.error()}`));
  return context;
};

/** The page as it is in dist/, while the app is worked on: the router's program need not be built for each change. */
const fromDist = (context) =>
  context.route(/^http:..127/, (route) => {
    const { pathname } = new URL(route.request().url());
    const dist = resolve(import.meta.dirname, "../dist");
    const path = join(dist, pathname === "/" || pathname.startsWith("/c/") ? "index.html" : pathname);
    return existsSync(path) ? route.fulfill({ path }) : route.fallback();
  });

export const openAt = async (context, url) => {
  const page = await context.newPage();
  await page.goto(url);
  return page;
};

export const logIn = async (page, login, password = PASSWORD) => {
  await page.getByRole("button", { name: "Log in" }).or(page.getByRole("button", { name: "I already have an account" })).first().waitFor();
  const other = page.getByRole("button", { name: "I already have an account" });
  if (await other.isVisible()) await other.click();
  await page.getByLabel("Username or e-mail").fill(login);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.locator(".side, .conversation").first().waitFor();
};

/** Logged in and at the list. */
export const at = async (browser, person, options) => {
  const context = await newBrowser(browser, options);
  const page = await openAt(context, person.url);
  await logIn(page, person.username);
  return page;
};

/** By its title: who wrote last may be of another name. */
export const row = (page, title) => page.locator(".row", { has: page.locator(".row-title", { hasText: title }) });
/** The one message that says so: none is there twice. */
export const bubble = (page, text) => page.locator(".bubble", { hasText: text });

/** Looks elsewhere, or again at the page. */
export const look = (page, visible) =>
  page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    document.dispatchEvent(new Event("visibilitychange"));
  }, visible ? "visible" : "hidden");
/** Whether a message is where one sees it. */
export const onScreen = (page, text) =>
  page.locator(".history").evaluate((box, said) => {
    const view = box.getBoundingClientRect();
    const texts = [...box.querySelectorAll(".message-text")].filter((el) => el.textContent === said).map((el) => el.getBoundingClientRect());
    return texts.some(({ top, bottom }) => top >= view.top && bottom <= view.bottom);
  }, text);

export const write = async (page, text) => {
  await page.getByLabel("Write a message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
};

/** Chooses a picture of oneself as it is; `seen`: while it can still be moved and zoomed. */
export const choosePicture = async (page, path, seen = async () => {}) => {
  await page.locator("input[type=file]").setInputFiles(path);
  const crop = page.getByRole("dialog", { name: "Move and zoom" });
  await crop.getByRole("slider", { name: "Zoom" }).fill("1.5");
  await seen();
  await crop.getByRole("button", { name: "Use picture" }).click();
  await crop.waitFor({ state: "detached" });
};

export const shoot = async (page, name) => {
  mkdirSync(artifacts, { recursive: true });
  await page.screenshot({ path: join(artifacts, `${name}.png`) });
};
