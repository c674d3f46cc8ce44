// The app in real browsers, against a real deployment: each test is a story.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { AxeBuilder } from "./axe.mjs";
import { at, bubble, launch, logIn, newBrowser, openAt, PHONE, row, shoot, write } from "./browser.mjs";
import { startHive } from "./hive.mjs";
import { startNetwork } from "./network.mjs";
import { PASSWORD, Person, unused } from "./people.mjs";

let hive, browser;

before(async () => {
  hive = await startHive();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await hive?.stop();
});
// Whatever a story is about: nothing may break the page's policy, and no script may fail.
afterEach(async () => {
  const open = browser.contexts();
  const wrongs = open.flatMap((context) => context.wrongs ?? []);
  await Promise.all(open.map((context) => context.close()));
  assert.deepEqual(wrongs, []);
});

const person = (name) => Person.signUp(hive.url, name);
const texts = (page) => page.locator(".bubble .message-text").allTextContents();
/** Asks until it is so: what is shown follows what has come. */
const until = async (ask, expected) => {
  for (const end = Date.now() + 15_000; ; await new Promise((next) => setTimeout(next, 50))) {
    const now = await ask();
    if (JSON.stringify(now) === JSON.stringify(expected)) return;
    if (Date.now() > end) assert.deepEqual(now, expected);
  }
};
const sent = (page, text) => bubble(page, text).locator(".state-sent").waitFor();

/** Two people of different cells. */
const strangers = async () => {
  const one = await person("Anna Weber");
  for (;;) {
    const other = await person("Ben Okafor");
    if (other.route.cell_id !== one.route.cell_id) return [one, other];
  }
};

test("somebody signs up, finds somebody of another cell, and they talk", async () => {
  const page = await openAt(await newBrowser(browser), hive.url);
  const username = unused("mira");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("Please fill this in.").first().waitFor();
  await page.getByLabel("Name", { exact: true }).fill("Mira Stone");
  await page.getByLabel("Username").fill(username.toUpperCase());
  await page.getByLabel("E-mail").fill(`${username}@example.org`);
  await page.getByLabel("Password", { exact: true }).fill("password1");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("Many people use this one").waitFor();
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await shoot(page, "sign-up");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("No conversations yet").waitFor();
  await shoot(page, "empty");
  const cell = await page.evaluate(() => JSON.parse(localStorage.getItem("skep.session")).route.cell_id);
  let ben;
  do ben = await person("Ben Okafor");
  while (ben.route.cell_id === cell);

  const there = await at(browser, ben);
  await page.getByRole("combobox", { name: "Search" }).fill(ben.username);
  await page.getByRole("option", { name: "Ben Okafor" }).click();
  await write(page, "Hello from the other side");
  await sent(page, "Hello from the other side");
  await row(there, "Mira Stone").click();
  await bubble(there, "Hello from the other side").waitFor();
  await write(there, "I hear you");
  await bubble(page, "I hear you").waitFor();
  await page.getByText("Online", { exact: true }).waitFor();
  // Read there, so it is not unread here or anywhere.
  await there.locator(".badge").waitFor({ state: "detached" });
});

test("a group: made, renamed, somebody removed", async () => {
  const [anna, ben] = await strangers();
  const cleo = await person("Cleo Marchetti");
  const [here, there] = [await at(browser, anna), await at(browser, ben)];
  await here.getByRole("button", { name: "New conversation" }).first().click();
  await here.getByRole("tab", { name: "Group" }).click();
  await here.getByLabel("Group name").fill("Beekeepers");
  for (const someone of [ben, cleo]) {
    await here.getByRole("combobox", { name: "People" }).fill(someone.username);
    await here.getByRole("option").filter({ hasText: `@${someone.username}` }).click();
  }
  await shoot(here, "new-group");
  await here.getByRole("button", { name: "Create group" }).click();
  await write(here, "Welcome, everybody");
  await row(there, "Beekeepers").click();
  await bubble(there, "Welcome, everybody").waitFor();
  await here.getByRole("button", { name: "Details", exact: true }).click();
  await here.getByRole("button", { name: "Edit name" }).click();
  await here.getByLabel("Name", { exact: true }).fill("Keepers of bees");
  await here.getByRole("button", { name: "Save" }).click();
  await there.getByRole("heading", { name: "Keepers of bees" }).waitFor();
  await shoot(here, "details");
  await here.getByRole("button", { name: "Actions for Ben Okafor" }).click();
  await here.getByRole("menuitem", { name: "Remove" }).click();
  await here.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click();
  await there.getByText("An admin removed you.").waitFor();
  await row(there, "Keepers of bees").waitFor({ state: "detached" });
});

test("a channel is joined by its link, also by who has no account yet", async () => {
  const anna = await person("Anna Weber");
  const here = await at(browser, anna);
  await here.getByRole("button", { name: "New conversation" }).first().click();
  await here.getByRole("tab", { name: "Channel" }).click();
  await here.getByLabel("Channel name").fill("Honey news");
  await here.getByLabel("What is it about?").fill("All that is sweet");
  await here.getByRole("button", { name: "Create channel" }).click();
  const link = await here.getByLabel("Invitation link").inputValue();
  await here.getByRole("button", { name: "Open channel" }).click();
  await write(here, "First harvest is in");
  await sent(here, "First harvest is in");

  const there = await openAt(await newBrowser(browser, { size: PHONE }), link);
  await there.getByRole("heading", { name: "Honey news" }).waitFor();
  await there.getByText("All that is sweet").waitFor();
  await shoot(there, "join-phone");
  const username = unused("finn");
  await there.getByLabel("Name", { exact: true }).fill("Finn Larsen");
  await there.getByLabel("Username").fill(username);
  await there.getByLabel("E-mail").fill(`${username}@example.org`);
  await there.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await there.getByRole("button", { name: "Create account" }).click();
  await there.getByRole("button", { name: "Join channel" }).click();
  await bubble(there, "First harvest is in").waitFor();
  await write(there, "Sweet!");
  await bubble(here, "Sweet!").waitFor();
  const gone = await openAt(await newBrowser(browser), `${hive.url}/c/0000aaaaaaaaaaaaaaaaaaaa`);
  await gone.getByText("This link does not work any more").waitFor();
});

test("what is written offline is sent once and in order, and what was missed is there", async () => {
  const [anna, ben] = await strangers();
  const { conversation } = await anna.write([ben], "Before the storm");
  const network = await startNetwork();
  const page = await at(browser, anna, { proxy: network.proxy });
  await row(page, "Ben Okafor").click();
  await bubble(page, "Before the storm").waitFor();
  network.cut();
  for (const text of ["one", "two", "three"]) await write(page, text);
  await page.getByText("Waiting for network").first().waitFor();
  await shoot(page, "offline");
  for (let n = 1; n <= 30; n++) await ben.send(conversation.conversation_id, `meanwhile ${n}`);
  // Also over a reload: what waits is on disk. The shell comes from the service worker.
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
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
  network.stop();
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

test("two tabs are one: one connection, one state, and the second goes on when the first is closed", async () => {
  const [anna, ben] = await strangers();
  await anna.write([ben], "Hello");
  const first = await at(browser, anna);
  const sockets = [];
  const second = await first.context().newPage();
  second.on("websocket", (socket) => sockets.push(socket.url()));
  await second.goto(hive.url);
  await row(second, "Ben Okafor").click();
  await write(second, "from the second");
  await sent(second, "from the second");
  await row(first, "Ben Okafor").click();
  await bubble(first, "from the second").waitFor();
  assert.deepEqual(sockets, []);
  await first.close();
  await write(second, "still here");
  await sent(second, "still here");
  assert.equal(sockets.length, 1);
});

test("on a phone: one pane, back by gesture and by button, draft kept", async () => {
  const [anna, ben] = await strangers();
  await ben.write([anna], "On the go?");
  const page = await at(browser, anna, { size: PHONE });
  await row(page, "Ben Okafor").waitFor();
  await shoot(page, "list-phone");
  await row(page, "Ben Okafor").tap();
  await bubble(page, "On the go?").waitFor();
  assert.equal(await page.locator(".side").isVisible(), false);
  await page.getByLabel("Write a message").fill("half a thou");
  await shoot(page, "conversation-phone");
  await page.goBack();
  await page.getByText("Draft:").waitFor();
  await row(page, "Ben Okafor").tap();
  assert.equal(await page.getByLabel("Write a message").inputValue(), "half a thou");
  await page.getByRole("button", { name: "Back" }).tap();
  await row(page, "Ben Okafor").waitFor();
  // Narrower phones, and nothing is cut off.
  await page.setViewportSize({ width: 320, height: 640 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
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
  network.stop();
});

test("texts are shown, and never carried out", async () => {
  const ben = await Person.signUp(hive.url, "<img src=x onerror=alert(1)>");
  const hidden = await Person.signUp(hive.url, "\u200b\u202e\u200b", unused("invisible"));
  const anna = await person("Anna Weber");
  const { conversation } = await ben.write([anna], "<script>window.broken = true</script>");
  const all = [
    '<a href="javascript:window.broken=true">x</a> javascript:window.broken=true',
    "\u202eright to left\u202c and \u2066isolated\u2069 \u0007\u001b[31m",
    "שלום עולם, hello",
    "🐝".repeat(10_000),
    "&lt;b&gt; &#x3c;",
    "a\u0300".repeat(500),
  ];
  for (const text of all) await ben.send(conversation.conversation_id, text);
  await hidden.write([anna], "Who am I?");
  const page = await at(browser, anna);
  page.on("dialog", () => assert.fail("a text was carried out"));
  await row(page, hidden.username).waitFor();
  await row(page, "<img src=x").click();
  await bubble(page, "<script>window.broken").waitFor();
  await bubble(page, "hello").waitFor();
  assert.equal(await page.evaluate(() => window.broken), undefined);
  assert.equal(await page.locator(".bubble a[href^=javascript]").count(), 0);
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
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Log out", exact: true }).last().click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await other.getByRole("heading", { name: "Welcome back" }).waitFor();
  await other.close();
  const cleo = await person("Cleo Marchetti");
  await logIn(page, cleo.username);
  await page.getByText("No conversations yet").waitFor();
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

test("two thousand conversations are no burden", async () => {
  const anna = await person("Anna Weber");
  let next = 0;
  const make = async () => {
    while (next < 2_000) {
      const title = `Group ${(next += 1)}`;
      await anna.create({ kind: "group", title, user_ids: [] });
    }
  };
  await Promise.all(Array.from({ length: 16 }, make));
  const page = await at(browser, anna);
  await page.locator(".row").first().waitFor();
  assert.ok((await page.locator(".row").count()) < 60, "only what is on screen is in the page");
  await page.getByRole("combobox", { name: "Search" }).fill("Group 1234");
  await page.getByRole("option", { name: "Group 1234" }).click();
  await write(page, "found");
  await sent(page, "found");
  await page.reload();
  await row(page, "Group 1234").first().waitFor();
});

test("by keyboard alone", async () => {
  const [anna, ben] = await strangers();
  const cleo = await person("Cleo Marchetti");
  await ben.write([anna], "from Ben");
  await cleo.write([anna], "from Cleo");
  const page = await at(browser, anna);
  await row(page, "Cleo Marchetti").waitFor();
  await page.keyboard.press("Alt+ArrowDown");
  await bubble(page, "from Cleo").waitFor();
  await page.keyboard.press("Alt+ArrowDown");
  await bubble(page, "from Ben").waitFor();
  await page.keyboard.type("typed at once");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("on two lines");
  await page.keyboard.press("Enter");
  await sent(page, "on two lines");
  await page.keyboard.press("Escape");
  await page.getByText("Choose a conversation").waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("Cleo");
  await page.getByRole("option", { name: "Cleo Marchetti" }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await bubble(page, "from Cleo").waitFor();
});

test("nothing that axe knows is wrong, in light and dark, on desk and phone", async () => {
  const [anna, ben] = await strangers();
  const { conversation } = await ben.write([anna], "Look at https://example.org");
  await anna.send(conversation.conversation_id, "I do");
  const group = await anna.create({ kind: "group", title: "Swarm", user_ids: [ben.id] });
  await ben.send(group.conversation.conversation_id, "Buzz");
  const clean = async (page, what) => {
    const { violations } = await new AxeBuilder(page).analyze();
    assert.deepEqual(violations.map((v) => [what, v.id, ...v.nodes.map((n) => n.html.slice(0, 160))]), []);
  };
  for (const [look, options] of [["light", {}], ["dark", { dark: true }], ["phone", { size: PHONE }]]) {
    const fresh = await openAt(await newBrowser(browser, options), hive.url);
    await fresh.getByRole("button", { name: "Create account" }).waitFor();
    await clean(fresh, `${look}: sign up`);
    const page = await at(browser, anna, options);
    await row(page, "Swarm").waitFor();
    await clean(page, `${look}: list`);
    await row(page, "Ben Okafor").click();
    await bubble(page, "I do").waitFor();
    await page.getByText("Offline", { exact: true }).or(page.getByText(/Last seen/)).first().waitFor();
    await clean(page, `${look}: conversation`);
    await shoot(page, `conversation-${look}`);
    await page.goto(`${hive.url}/#${group.conversation.conversation_id}/details`);
    await page.getByRole("button", { name: "Leave" }).waitFor();
    await page.getByText("Ben Okafor").last().waitFor();
    await clean(page, `${look}: details`);
    await page.goto(`${hive.url}/#settings`);
    await page.getByText("This device").waitFor();
    await clean(page, `${look}: settings`);
    await page.keyboard.press("Escape");
    await page.goto(`${hive.url}/#`);
    await page.keyboard.press("n");
    await page.getByRole("tab", { name: "Group" }).waitFor();
    await clean(page, `${look}: new`);
  }
});

test("in German", async () => {
  const page = await openAt(await newBrowser(browser, { locale: "de-DE" }), hive.url);
  await page.getByRole("button", { name: "Konto anlegen" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
});
