// What every story has: a deployment, a browser, people; and what must hold whatever it is about.

import assert from "node:assert/strict";
import { after, afterEach, before } from "node:test";
import { bubble, launch, shoot } from "./browser.mjs";
import { startHive } from "./hive.mjs";
import { stopNetworks } from "./network.mjs";
import { Person } from "./people.mjs";

export let hive, browser;

before(async () => {
  hive = await startHive();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await hive?.stop();
});
// Nothing may break the page's policy, and no script may fail.
afterEach(async (story) => {
  const open = browser.contexts();
  const wrongs = open.flatMap((context) => context.wrongs ?? []);
  const pages = open.flatMap((context) => context.pages());
  const name = story.name.replace(/\W+/g, "-").slice(0, 40);
  if (story.passed === false) await Promise.allSettled(pages.map((page, n) => shoot(page, `failed-${name}-${n}`)));
  await Promise.all(open.map((context) => context.close()));
  stopNetworks();
  assert.deepEqual(wrongs, []);
});

export const person = (name) => Person.signUp(hive.url, name);

/** Two people of different cells. */
export const strangers = async () => {
  const one = await person("Anna Weber");
  for (;;) {
    const other = await person("Ben Okafor");
    if (other.route.cell_id !== one.route.cell_id) return [one, other];
  }
};

export const texts = (page) => page.locator(".bubble .message-text").allTextContents();
export const sent = (page, text) => bubble(page, text).locator(".state-sent").waitFor();

/** Asks until it is so: what is shown follows what has come. */
export const until = async (ask, expected) => {
  for (const end = Date.now() + 30_000; ; await new Promise((next) => setTimeout(next, 50))) {
    const now = await ask();
    if (JSON.stringify(now) === JSON.stringify(expected)) return;
    if (Date.now() > end) assert.deepEqual(now, expected);
  }
};
