// Accounts: signing up, oneself, devices, blocks, and what is left after a log-out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { resolve } from "node:path";
import { at, bubble, choosePicture, logIn, look, newBrowser, onScreen, openAt, row, shoot, write } from "./browser.mjs";
import { PASSWORD, Person, unused } from "./people.mjs";
import { browser, hive, person, sent, strangers, until } from "./story.mjs";

const picture = (name) => resolve(import.meta.dirname, "../public", name);
/** Whether a picture is there, and could be read. */
const pictured = (place) => place.locator("img").evaluateAll((all) => all.some((img) => img.complete && img.naturalWidth > 0));

test("who logs out leaves nothing to the next one", async () => {
  const [anna, ben] = await strangers();
  await ben.write([anna], "A secret of Anna's");
  const page = await at(browser, anna);
  await row(page, "Ben Okafor").click();
  await bubble(page, "A secret of Anna's").waitFor();
  await page.getByLabel("Write a message").fill("a draft of Anna's");
  const other = await page.context().newPage();
  await other.goto(hive.url);
  await row(other, "Ben Okafor").waitFor();
  await page.bringToFront();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Log out", exact: true }).last().click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await other.getByRole("heading", { name: "Welcome back" }).waitFor();
  await other.close();
  const cleo = await person("Cleo Marchetti");
  await logIn(page, cleo.username);
  await page.getByText("No conversations yet").locator("visible=true").waitFor();
  const left = await page.evaluate(async () => {
    const names = (await indexedDB.databases()).map((d) => d.name);
    const cached = await Promise.all((await caches.keys()).map(async (k) => (await (await caches.open(k)).keys()).map((r) => r.url)));
    return JSON.stringify([names, { ...localStorage }, { ...sessionStorage }, cached]);
  });
  assert.ok(left.includes(cleo.id));
  for (const trace of [anna.id, anna.username, "secret", "draft of"]) assert.ok(!left.includes(trace), trace);
});

test("a device is logged out from another one", async () => {
  const anna = await person("Anna Weber");
  const [page, lost] = [await at(browser, anna), await at(browser, anna)];
  await page.getByRole("button", { name: "Settings" }).click();
  const devices = page.getByRole("region", { name: "Devices" });
  await devices.getByText("This device").waitFor();
  await devices.getByRole("listitem").filter({ hasText: "Chrome" }).filter({ hasNotText: "This device" }).first().getByRole("button", { name: "Log out" }).click();
  await lost.getByText("You were logged out on this device.").waitFor();
  await shoot(page, "settings");
});

test("a picture is chosen at sign-up, seen by others, changed and removed", async () => {
  const username = unused("pia");
  const page = await openAt(await newBrowser(browser), hive.url);
  await page.locator("input[type=file]").setInputFiles({ name: "no.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await page.getByText("This picture cannot be read").waitFor();
  await choosePicture(page, picture("icon-512.png"), () => shoot(page, "crop"));
  await page.getByLabel("Name", { exact: true }).fill("Pia Lind");
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("E-mail").fill(`${username}@example.org`);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("No conversations yet").locator("visible=true").waitFor();
  await until(() => pictured(page.locator(".side-head")), true);

  const ben = await person("Ben Okafor");
  const there = await at(browser, ben);
  await there.getByRole("combobox", { name: "Search" }).fill(username);
  const found = there.getByRole("option", { name: "Pia Lind" });
  await found.waitFor();
  await until(() => pictured(found), true);

  await page.getByRole("button", { name: "Settings" }).click();
  const settings = page.getByRole("dialog", { name: "Settings" });
  await settings.getByText(`${username}@example.org`).waitFor();
  const before = await page.locator(".side-head img").getAttribute("src");
  await choosePicture(page, picture("icon-maskable.png"));
  await page.getByText("Saved").first().waitFor();
  await until(async () => (await page.locator(".side-head img").getAttribute("src")) === before, false);
  await until(() => pictured(page.locator(".side-head")), true);
  await settings.getByRole("button", { name: "Remove picture" }).click();
  await page.locator(".side-head img").waitFor({ state: "detached" });
  await settings.getByLabel("Name", { exact: true }).fill("Pia Lindqvist");
  await settings.getByRole("button", { name: "Save" }).click();
  await settings.getByRole("button", { name: "Save" }).waitFor({ state: "detached" });
  const { users } = await ben.call("GET", `/v1/users?query=${username}`);
  assert.deepEqual(users.map((u) => [u.display_name, u.image_url]), [["Pia Lindqvist", null]]);
});

test("people are found by username and by words of their name, and an empty search says so", async () => {
  const word = unused("quill");
  const page = await at(browser, await person("Anna Weber"));
  const cleo = await Person.signUp(hive.url, `Cleo ${word}`);
  const search = page.getByRole("combobox", { name: "Search" });
  await search.fill(cleo.username.toUpperCase());
  await page.getByRole("option", { name: `Cleo ${word}` }).waitFor();
  // By a word of the name after a moment: asked anew until then, as a person would.
  await until(async () => {
    await search.fill("");
    await search.fill(word);
    return page.getByRole("option", { name: `Cleo ${word}` }).waitFor({ timeout: 3_000 }).then(() => true, () => false);
  }, true);
  await search.fill("nobody.is.called.so");
  await page.getByText("Nobody found").waitFor();
  await shoot(page, "search-none");
  await page.getByRole("button", { name: "Clear search" }).click();
  assert.equal(await search.inputValue(), "");
  // The same again is found, or not, as before.
  await search.fill("nobody.is.called.so");
  await page.getByText("Nobody found").waitFor();
  await page.route("**/v1/users?query=*", (route) => route.abort("connectionreset"));
  await search.fill(cleo.username);
  await page.getByText("You are offline").waitFor();
  await page.unroute("**/v1/users?query=*");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("option", { name: `Cleo ${word}` }).waitFor();
  // The best one is a key away, and then one writes.
  await page.keyboard.press("Tab");
  await search.press("Enter");
  await page.getByRole("heading", { name: `Cleo ${word}` }).waitFor();
  await until(() => page.evaluate(() => document.activeElement.tagName), "TEXTAREA");
  // Where something was found here, it is said that there may be more.
  await page.route("**/v1/users?query=*", (route) => route.abort("connectionreset"));
  await search.fill(word);
  await page.getByRole("option", { name: `Cleo ${word}` }).waitFor();
  await page.getByText("You are offline").waitFor();
});

test("a notification tells of what nobody looks at, and goes when that is read or one logs out", async () => {
  const [anna, ben] = await strangers();
  const { conversation } = await ben.write([anna], "Before");
  const page = await at(browser, anna);
  await page.context().grantPermissions(["notifications"]);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await page.keyboard.press("Control+,");
  await page.getByRole("switch", { name: "Tell me about new messages" }).press("Space");
  await page.keyboard.press("Escape");
  // Some systems take them back by themselves after a while: what counts is what is taken back here.
  await page.evaluate(() => {
    window.takenBack = [];
    const { close } = Notification.prototype;
    Notification.prototype.close = function () {
      window.takenBack.push(this.body);
      close.call(this);
    };
  });
  const takenBack = (text) => until(() => page.evaluate((body) => window.takenBack.includes(body), text), true);
  const told = () =>
    page.evaluate(async () => {
      const worker = await navigator.serviceWorker.getRegistration();
      return (await worker.getNotifications()).map(({ title, body }) => [title, body]);
    });
  const say = async (text) => {
    await look(page, false);
    await ben.send(conversation.conversation_id, text);
    await until(told, [["Ben Okafor", text]]);
  };
  await say("Is anybody there?");
  // Read on another device.
  await anna.call("PUT", `/v1/conversations/${conversation.conversation_id}/read`, { seq: 2 });
  await takenBack("Is anybody there?");
  await say("Hello?");
  const [worker] = page.context().serviceWorkers();
  await worker.evaluate(async () => {
    const [notification] = await self.registration.getNotifications();
    self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
  });
  await look(page, true);
  await bubble(page, "Hello?").waitFor();
  await page.keyboard.press("Escape");
  await say("The next one at this machine need not know.");
  await look(page, true);
  await page.keyboard.press("Control+,");
  await page.getByRole("button", { name: "Log out", exact: true }).last().click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Log out" }).click();
  await page.getByRole("button", { name: "Create account" }).or(page.getByRole("button", { name: "Log in" })).first().waitFor();
  await takenBack("The next one at this machine need not know.");
});

test("whom one blocks cannot write, until unblocked", async () => {
  const [anna, ben] = await strangers();
  const { conversation } = await ben.write([anna], "Buy my honey!");
  const [here, there] = [await at(browser, anna), await at(browser, ben)];
  await row(here, "Ben Okafor").click();
  await row(there, "Anna Weber").click();
  await here.getByRole("button", { name: "Details", exact: true }).click();
  await here.getByRole("button", { name: "Block" }).click();
  await here.getByRole("alertdialog").getByRole("button", { name: "Block" }).click();
  await here.getByRole("button", { name: "Unblock" }).waitFor();
  await here.keyboard.press("Escape");
  await here.getByText("You have blocked Ben Okafor.").waitFor();
  await shoot(here, "blocked");
  await write(there, "Still there?");
  await there.getByText("Not sent. You cannot write here.").waitFor();
  await shoot(there, "refused");
  // What is given up is not lost: it can be changed and sent again.
  await write(there, "Hello?");
  await there.getByText("Not sent. You cannot write here.").nth(1).waitFor();
  for (const text of ["Still there?", "Hello?"]) {
    await there.getByRole("button", { name: "Delete" }).first().click();
    await bubble(there, text).waitFor({ state: "detached" });
  }
  await until(() => there.getByLabel("Write a message").inputValue(), "Still there?\nHello?");
  await write(there, "Still there?");
  await there.getByText("Not sent. You cannot write here.").waitFor();
  await here.keyboard.press("Control+,");
  const blocked = here.getByRole("region", { name: "Blocked people" });
  await blocked.getByRole("listitem").filter({ hasText: "Ben Okafor" }).getByRole("button", { name: "Unblock" }).click();
  await blocked.getByText("You have not blocked anybody.").waitFor();
  await here.keyboard.press("Escape");
  // One that failed keeps nobody from going on where they were, and is not the newest.
  await look(there, false);
  for (let n = 1; n <= 40; n++) await anna.send(conversation.conversation_id, `Sorry ${n}`);
  await row(there, "Anna Weber").getByText("40", { exact: true }).waitFor();
  await row(there, "Anna Weber").getByText("Sorry 40").waitFor();
  await look(there, true);
  await until(() => onScreen(there, "Sorry 1"), true);
  assert.equal(await onScreen(there, "Sorry 40"), false);
  await there.getByRole("button", { name: "Jump to newest" }).click();
  await there.getByRole("button", { name: "Try again" }).click();
  await sent(there, "Still there?");
  await bubble(here, "Still there?").waitFor();
});

test("a new password: the old one is asked for, and other devices are logged out", async () => {
  const anna = await person("Anna Weber");
  const [page, other] = [await at(browser, anna), await at(browser, anna)];
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Change password" }).click();
  const set = async (old, fresh) => {
    await page.getByLabel("Current password", { exact: true }).fill(old);
    await page.getByLabel("New password", { exact: true }).fill(fresh);
    await page.getByRole("button", { name: "Save" }).click();
  };
  await set("not the one I have", "an even better hive 8");
  await page.getByText("The current password is not right.").waitFor();
  await set(PASSWORD, "password1");
  await page.getByText("Many people use this one").waitFor();
  await set(PASSWORD, "an even better hive 8");
  await page.getByText("Password changed.").waitFor();
  await other.getByText("You were logged out on this device.").waitFor();
  await logIn(other, anna.username, "an even better hive 8");
});
