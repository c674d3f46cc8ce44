// What becomes of messages when the network, a cell or the disk fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, bubble, logIn, look, newBrowser, onScreen, openAt, row, shoot, write } from "./browser.mjs";
import { startNetwork } from "./network.mjs";
import { browser, hive, sent, strangers, texts, until } from "./story.mjs";

test("what is written offline is sent once and in order, and what was missed is there", async () => {
  const [anna, ben] = await strangers();
  const { conversation } = await anna.write([ben], "Before the storm");
  const network = await startNetwork();
  const page = await at(browser, anna, { proxy: network.proxy });
  await row(page, "Ben Okafor").click();
  await bubble(page, "Before the storm").waitFor();
  // The shell is kept by the service worker, once that is there.
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  network.cut();
  for (const text of ["one", "two", "three"]) await write(page, text);
  await row(page, "Ben Okafor").getByText("You: three").waitFor();
  await row(page, "Ben Okafor").getByRole("img", { name: /Sending|Waiting/ }).waitFor();
  await page.getByText("Waiting for network").first().waitFor();
  await shoot(page, "offline");
  for (let n = 1; n <= 30; n++) await ben.send(conversation.conversation_id, `meanwhile ${n}`);
  // Also over a reload: what waits is on disk.
  await page.reload();
  await bubble(page, "three").waitFor();
  network.back();
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await sent(page, "three");
  await page.waitForFunction(() => document.querySelectorAll(".state-waiting, .state-sending").length === 0);
  const { messages } = await ben.call("GET", `/v1/conversations/${conversation.conversation_id}/messages?before=1000&limit=100`);
  assert.deepEqual(messages.filter((m) => m.sender_id === anna.id).map((m) => m.text), ["Before the storm", "one", "two", "three"]);
  assert.equal((await texts(page)).filter((t) => t === "two").length, 1);
  await bubble(page, "meanwhile 30").waitFor();
});

test("who was not there goes on where they were, be it they or the network", async () => {
  const [anna, ben] = await strangers();
  const { conversation } = await ben.write([anna], "Before");
  const id = conversation.conversation_id;
  for (let n = 1; n <= 20; n++) await ben.send(id, `old ${n}`);
  const network = await startNetwork();
  const page = await at(browser, anna, { proxy: network.proxy });
  await row(page, "Ben Okafor").click();
  await page.getByRole("button", { name: "Jump to newest" }).click();
  await bubble(page, "old 20").waitFor();
  await row(page, "Ben Okafor").locator(".badge").waitFor({ state: "detached" });
  const unread = (count) => row(page, "Ben Okafor").getByText(count, { exact: true }).waitFor();
  const comesBack = async (what, count) => {
    await page.locator(".new-mark").waitFor();
    await until(() => onScreen(page, `${what} 1`), true);
    assert.equal(await onScreen(page, `${what} ${count}`), false, "the newest is not read by being jumped to");
    assert.equal(await page.locator(".new-mark").count(), 1);
    // Read is what was seen, and no more.
    await until(async () => Number(await row(page, "Ben Okafor").locator(".badge").textContent()) > count / 2, true);
    await page.getByRole("button", { name: "Jump to newest" }).click();
    await bubble(page, `${what} ${count}`).waitFor();
    await row(page, "Ben Okafor").locator(".badge").waitFor({ state: "detached" });
  };
  await look(page, false);
  for (let n = 1; n <= 40; n++) await ben.send(id, `unseen ${n}`);
  await unread("40");
  await look(page, true);
  await comesBack("unseen", 40);
  network.cut();
  await page.getByText("Waiting for network").first().waitFor();
  // More than a return brings at once: those between come a while after the newest.
  for (let n = 1; n <= 80; n++) await ben.send(id, `offline ${n}`);
  network.weather.latencyMs = 300;
  network.back();
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await comesBack("offline", 80);
  // Who stays is followed.
  for (let n = 1; n <= 30; n++) await ben.send(id, `live ${n}`);
  await bubble(page, "live 30").waitFor();
  await row(page, "Ben Okafor").locator(".badge").waitFor({ state: "detached" });
  // After midnight, what was today is yesterday.
  await row(page, "Ben Okafor").locator(".row-time", { hasText: ":" }).waitFor();
  await page.clock.setFixedTime(Date.now() + 86_400_000);
  await look(page, true);
  await row(page, "Ben Okafor").locator(".row-time", { hasNotText: ":" }).waitFor();
});

test("a cell is killed while somebody writes", async () => {
  const [anna, ben] = await strangers();
  await anna.write([ben], "Ready?");
  const [here, there] = [await at(browser, anna), await at(browser, ben)];
  await row(here, "Ben Okafor").click();
  await row(there, "Anna Weber").click();
  const cell = hive.read().cells.find((c) => c.cell_id === anna.route.cell_id);
  await write(here, "before");
  process.kill(cell.pid, "SIGKILL");
  for (let n = 1; n <= 5; n++) await write(here, `through ${n}`);
  await bubble(there, "through 5").waitFor({ timeout: 30_000 });
  await sent(here, "through 5");
  const heard = async () => (await texts(there)).filter((t) => t.startsWith("through"));
  await until(heard, [1, 2, 3, 4, 5].map((n) => `through ${n}`));
});

test("over a slow line that loses packets, all arrives once and in order", async () => {
  const [anna, ben] = await strangers();
  await anna.write([ben], "Slow line");
  const network = await startNetwork();
  Object.assign(network.weather, { latencyMs: 300, loss: 0.05 });
  const here = await at(browser, anna, { proxy: network.proxy });
  const there = await at(browser, ben);
  await row(here, "Ben Okafor").click();
  await row(there, "Anna Weber").click();
  const all = Array.from({ length: 12 }, (_, n) => `packet ${n}`);
  for (const text of all) await write(here, text);
  await bubble(there, "packet 11").waitFor();
  await until(async () => (await texts(there)).filter((t) => t.startsWith("packet")), all);
});

test("without a disk, everything goes on", async () => {
  const [anna, ben] = await strangers();
  await ben.write([anna], "Do you keep this?");
  const context = await newBrowser(browser);
  await context.addInitScript(() => {
    Object.defineProperty(window, "indexedDB", { get: () => { throw new DOMException("refused", "SecurityError"); } });
  });
  const page = await openAt(context, hive.url);
  await logIn(page, anna.username);
  await row(page, "Ben Okafor").click();
  await write(page, "Not here");
  await sent(page, "Not here");
  await page.reload();
  await bubble(page, "Not here").waitFor();
});
