// Looks and access: phone and desk, light and dark, languages, screen readers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AxeBuilder } from "./axe.mjs";
import { at, bubble, newBrowser, openAt, PHONE, row, shoot } from "./browser.mjs";
import { allByTab } from "./keys.mjs";
import { Person, unused } from "./people.mjs";
import { browser, hive, person, strangers, until } from "./story.mjs";

test("on a phone: one pane, back by gesture and by button, draft kept", async () => {
  const [anna, ben] = await strangers();
  await ben.write([anna], "On the go?");
  const page = await at(browser, anna, { size: PHONE });
  await row(page, "Ben Okafor").waitFor();
  await shoot(page, "list-phone");
  await row(page, "Ben Okafor").tap();
  await bubble(page, "On the go?").waitFor();
  assert.equal(await page.locator(".side").isVisible(), false);
  const focused = () => page.evaluate(() => document.activeElement.className);
  await until(focused, "head-title");
  await page.getByLabel("Write a message").fill("half a thou");
  await shoot(page, "conversation-phone");
  await page.goBack();
  await page.getByText("Draft:").waitFor();
  await until(focused, "row");
  await row(page, "Ben Okafor").tap();
  assert.equal(await page.getByLabel("Write a message").inputValue(), "half a thou");
  await page.getByRole("button", { name: "Back" }).tap();
  await row(page, "Ben Okafor").waitFor();
  // Keys on a phone, then a narrower one: what sticks out would make it zoom out.
  await page.getByRole("button", { name: "New conversation" }).focus();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Tab");
  await page.waitForTimeout(600);
  await page.setViewportSize({ width: 320, height: 640 });
  const widths = () => page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
  await until(widths, [320, 320]);
});

test("on a phone the newest message is whole, and long names stay within the screen", async () => {
  const [anna, ben] = await strangers();
  const long = await Person.signUp(hive.url, "Maximiliane Alexandra von Hohenstein-Wittgenbach", unused("max"));
  await long.write([anna], "Good morning");
  const group = await ben.create({ kind: "group", title: "Beekeepers", user_ids: [anna.id] });
  const id = group.conversation.conversation_id;
  // So many that the beginning of it is out of sight, but none of them has to be fetched.
  for (let n = 1; n <= 12; n++) await ben.send(id, `Frame ${n} is full, and so are the two that stand beside it: take the big box.`);
  await ben.send(id, "That was the last of them.");
  const page = await at(browser, anna, { size: PHONE });
  await row(page, "Beekeepers").tap();
  // One begins with the first that is unread.
  await bubble(page, "Frame 1 is").waitFor();
  await page.getByRole("button", { name: "Jump to newest" }).tap();
  await bubble(page, "the last of them").waitFor();
  const gap = () =>
    page.evaluate(() => {
      const box = document.querySelector(".history");
      return box.scrollHeight > box.clientHeight ? Math.round(box.scrollHeight - box.clientHeight - box.scrollTop) : null;
    });
  await until(async () => (await gap()) !== null && (await gap()) <= 1, true);
  const within = async (locator) => {
    const { x, width } = await locator.boundingBox();
    return x >= 0 && x + width <= PHONE.width;
  };
  await page.getByRole("button", { name: "Details", exact: true }).tap();
  await page.getByRole("button", { name: "Add people" }).tap();
  await page.getByRole("option", { name: /Maximiliane/ }).waitFor();
  const title = () => page.getByRole("dialog").getByRole("heading", { name: "Details" }).evaluate((el) => el.offsetHeight);
  const before = await title();
  for (const letters of ["100%", "200%"]) {
    // As large as the browser is told.
    await page.evaluate((size) => (document.documentElement.style.fontSize = size), letters);
    for (const what of [page.getByRole("dialog"), page.getByRole("button", { name: "Close" }), page.getByRole("button", { name: "Add", exact: true })]) {
      assert.equal(await within(what), true, letters);
    }
  }
  assert.ok((await title()) >= 1.9 * before);
  await page.keyboard.press("Escape");
  await shoot(page, "large-letters");
  for (const what of [page.locator(".composer"), page.getByRole("button", { name: "Send" }), page.getByRole("button", { name: "Back" }), bubble(page, "the last of them")]) {
    assert.equal(await within(what), true);
  }
});

test("nothing that axe knows is wrong, in light and dark, on desk and phone, and the keys get everywhere", async () => {
  const [anna, ben] = await strangers();
  const { conversation } = await ben.write([anna], "Look at https://example.org");
  await anna.send(conversation.conversation_id, "I do");
  const group = await anna.create({ kind: "group", title: "Swarm", user_ids: [ben.id] });
  await ben.send(group.conversation.conversation_id, "Buzz");
  const channel = await anna.create({ kind: "channel", title: "Nectar", topic: "What flows" });
  const clean = async (page, what) => {
    const { violations } = await new AxeBuilder(page).analyze();
    assert.deepEqual(violations.map((v) => [what, v.id, ...v.nodes.map((n) => n.html.slice(0, 400))]), []);
    if (what.startsWith("light")) await allByTab(page, what);
  };
  const looks = [["light", {}], ["dark", { dark: true }], ["phone", { size: PHONE }], ["phone-dark", { size: PHONE, dark: true }]];
  for (const [look, options] of looks) {
    const fresh = await openAt(await newBrowser(browser, options), hive.url);
    await fresh.getByRole("button", { name: "Create account" }).waitFor();
    await clean(fresh, `${look}: sign up`);
    await fresh.goto(channel.link.url);
    await fresh.getByRole("heading", { name: "Nectar" }).waitFor();
    await clean(fresh, `${look}: join`);
    await fresh.getByRole("button", { name: "Join channel" }).click();
    await fresh.getByRole("button", { name: "Create account" }).waitFor();
    await clean(fresh, `${look}: join, and sign up`);
    const page = await at(browser, anna, options);
    await row(page, "Swarm").waitFor();
    await clean(page, `${look}: list`);
    await page.getByRole("combobox", { name: "Search" }).fill(ben.username.slice(0, 6));
    await page.getByRole("option", { name: "Ben Okafor" }).first().waitFor();
    await clean(page, `${look}: search`);
    await page.getByRole("combobox", { name: "Search" }).press("Escape");
    await row(page, "Ben Okafor").click();
    await bubble(page, "I do").waitFor();
    await page.getByText("Offline", { exact: true }).or(page.getByText(/Last seen/)).first().waitFor();
    await clean(page, `${look}: conversation`);
    await shoot(page, `conversation-${look}`);
    await page.goto(`${hive.url}/#${group.conversation.conversation_id}/details`);
    await page.getByRole("button", { name: "Leave" }).waitFor();
    await page.getByText("Ben Okafor").last().waitFor();
    await clean(page, `${look}: details`);
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByRole("alertdialog").waitFor();
    await clean(page, `${look}: question`);
    await page.keyboard.press("Escape");
    await page.goto(`${hive.url}/#settings`);
    await page.getByText("This device").waitFor();
    await clean(page, `${look}: settings`);
    await page.keyboard.press("Escape");
    await page.goto(`${hive.url}/#`);
    await page.keyboard.press("n");
    await page.getByRole("tab", { name: "Group" }).waitFor();
    await clean(page, `${look}: new`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await clean(page, `${look}: shortcuts`);
    await page.context().close();
  }
});

test("in German", async () => {
  const page = await openAt(await newBrowser(browser, { locale: "de-DE" }), hive.url);
  await page.getByRole("button", { name: "Konto anlegen" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
});

test("text from right to left stands right, and does not turn what is around it", async () => {
  const [anna, dara] = [await person("Anna Weber"), await Person.signUp(hive.url, "دارا حسینی", unused("dara"))];
  const { conversation } = await dara.write([anna], "سلام! فردا می‌بینمت.");
  await anna.send(conversation.conversation_id, "see you");
  const page = await at(browser, anna);
  await row(page, "دارا").click();
  const direction = (text) => bubble(page, text).locator(".message-text").evaluate((el) => getComputedStyle(el).direction);
  assert.deepEqual([await direction("سلام"), await direction("see you")], ["rtl", "ltr"]);
  await page.getByLabel("Write a message").fill("שלום");
  assert.equal(await page.getByLabel("Write a message").evaluate((el) => getComputedStyle(el).direction), "rtl");
  await shoot(page, "right-to-left");
  // In the list it stands where the other names do, and what is cut off is its end.
  const names = row(page, "دارا").locator(".row-title");
  const aligned = (el) => {
    const range = document.createRange();
    range.selectNodeContents(el);
    return [Math.round(range.getBoundingClientRect().left - el.getBoundingClientRect().left), getComputedStyle(el).direction];
  };
  assert.deepEqual(await names.evaluate(aligned), [0, "rtl"]);
  await dara.send(conversation.conversation_id, "فردا ".repeat(60).trim());
  const cut = (el) => [getComputedStyle(el).direction, el.scrollWidth > el.clientWidth];
  await until(() => row(page, "دارا").locator(".row-preview").evaluate(cut), ["rtl", true]);
});

test("in high contrast, what is chosen and what stands in front have lines", async () => {
  const page = await at(browser, await person("Anna Weber"), { forcedColors: "active" });
  await page.getByRole("button", { name: "New conversation" }).first().click();
  const lines = (locator) => locator.evaluate((el) => getComputedStyle(el).borderTopWidth);
  assert.equal(await lines(page.getByRole("dialog")), "1px");
  assert.equal(await lines(page.getByRole("tab", { selected: true })), "1px");
  assert.equal(await lines(page.getByRole("tab", { name: "Channel" })), "0px");
  await shoot(page, "high-contrast");
});

test("who wants less motion gets none", async () => {
  const page = await at(browser, await person("Anna Weber"), { reducedMotion: "reduce" });
  await page.keyboard.press("Control+,");
  const dialog = page.getByRole("dialog", { name: "Settings" });
  await dialog.waitFor();
  const moves = await page.evaluate(() => document.getAnimations().filter((a) => a.effect.getComputedTiming().duration > 1).length);
  assert.equal(moves, 0);
});
