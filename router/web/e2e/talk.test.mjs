// People talk: across cells, in groups and channels, from several tabs, whatever they write.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, bubble, newBrowser, openAt, PHONE, row, shoot, write } from "./browser.mjs";
import { PASSWORD, Person, unused } from "./people.mjs";
import { browser, hive, person, sent, strangers, texts, until } from "./story.mjs";

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
  await page.getByText("No conversations yet").locator("visible=true").waitFor();
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
  assert.equal(await here.getByLabel("About").count(), 0, "a group has no topic");
  await here.getByRole("button", { name: "Save" }).click();
  await there.getByRole("heading", { name: "Keepers of bees" }).waitFor();
  await shoot(here, "details");
  await here.getByRole("button", { name: "Actions for Ben Okafor" }).click();
  await here.getByRole("menuitem", { name: "Remove" }).click();
  await here.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click();
  await there.getByText("An admin removed you.").waitFor();
  await row(there, "Keepers of bees").waitFor({ state: "detached" });
});

test("a group whose answer was lost is made once, and who was hidden is found again", async () => {
  const [anna, ben] = await strangers();
  await ben.write([anna], "Where are you?");
  const page = await at(browser, anna);
  let lost = 0;
  await page.route("**/v1/conversations", async (route) => {
    if (route.request().method() !== "POST" || lost++ > 0) return route.fallback();
    await route.fetch();
    await route.abort("connectionreset");
  });
  await page.getByRole("button", { name: "New conversation" }).click();
  await page.getByRole("tab", { name: "Group" }).click();
  // Somebody chosen by mistake: the keys go back to where one chooses.
  await page.getByRole("option", { name: /Ben Okafor/ }).click();
  await page.getByRole("button", { name: "Remove Ben Okafor" }).press("Enter");
  await until(() => page.evaluate(() => document.activeElement.getAttribute("aria-label")), "People");
  await page.getByLabel("Group name").fill("Twice asked");
  await page.getByRole("option", { name: /Ben Okafor/ }).click();
  await page.getByRole("button", { name: "Create group" }).click();
  await page.getByText("You are offline").waitFor();
  await page.getByRole("button", { name: "Create group" }).click();
  await page.getByRole("heading", { name: "Twice asked" }).waitFor();
  await write(page, "Here");
  await sent(page, "Here");
  assert.equal(await row(page, "Twice asked").count(), 1);

  await row(page, "Ben Okafor").click();
  await bubble(page, "Where are you?").waitFor();
  await page.getByRole("button", { name: "Details", exact: true }).click();
  await page.getByRole("button", { name: "Hide conversation" }).click();
  const question = page.getByRole("alertdialog");
  await question.waitFor();
  // What asks is above all else, and the dialog behind it is in the shade.
  const above = await page.evaluate(() => document.elementsFromPoint(innerWidth / 2, innerHeight / 2).map((el) => el.className).filter((c) => /^(dialog( dialog-small)?|overlay)$/.test(c)));
  assert.deepEqual(above.slice(0, 2), ["dialog dialog-small", "overlay"]);
  await question.getByRole("button", { name: "Hide conversation" }).click();
  await row(page, "Ben Okafor").waitFor({ state: "detached" });
  await page.getByRole("combobox", { name: "Search" }).fill(ben.username);
  await page.getByRole("option", { name: /Ben Okafor/ }).click();
  await bubble(page, "Where are you?").waitFor();
  await row(page, "Ben Okafor").waitFor();
});

test("members are added, made admins and back, and the last admin's leaving leaves one behind", async () => {
  const [anna, ben] = await strangers();
  const cleo = await person("Cleo Marchetti");
  const { conversation } = await anna.create({ kind: "group", title: "Hive tools", user_ids: [ben.id] });
  await anna.send(conversation.conversation_id, "Welcome");
  await cleo.write([ben], "Are you still there?");
  const [here, there] = [await at(browser, anna), await at(browser, ben)];
  const details = async (page) => {
    await row(page, "Hive tools").click();
    await page.getByRole("button", { name: "Details", exact: true }).click();
  };
  const choose = async (page, name, item) => {
    await page.getByRole("button", { name: `Actions for ${name}` }).click();
    await page.getByRole("menuitem", { name: item }).click();
  };
  const member = (page, name) => page.getByRole("dialog").getByRole("listitem").filter({ hasText: name });
  await here.route("**/members?*", (route) => route.abort("connectionreset"), { times: 1 });
  await details(here);
  await here.getByRole("dialog").getByText("You are offline").waitFor();
  await here.getByRole("button", { name: "Try again" }).click();
  await details(there);
  await there.getByText("Only admins can change the name.").waitFor();
  // Anybody may add; what only admins may is not offered to others.
  await there.getByRole("button", { name: "Add people" }).click();
  await until(() => there.evaluate(() => document.activeElement.getAttribute("aria-label")), "People");
  await there.keyboard.type(cleo.username);
  await there.getByRole("option").filter({ hasText: `@${cleo.username}` }).click();
  await there.getByRole("button", { name: "Add", exact: true }).click();
  await there.getByText("1 person added").waitFor();
  await member(there, "Cleo Marchetti").waitFor();
  await there.getByRole("button", { name: "Actions for Cleo Marchetti" }).click();
  await there.getByRole("menuitem", { name: "Send message" }).waitFor();
  assert.equal(await there.getByRole("menuitem", { name: "Remove" }).count(), 0);
  await there.keyboard.press("Escape");
  await choose(here, "Ben Okafor", "Make admin");
  await member(here, "Ben Okafor").getByText("Admin").waitFor();
  await there.getByRole("button", { name: "Edit name" }).waitFor();
  await choose(here, "Ben Okafor", "Take admin rights away");
  await there.getByText("Only admins can change the name.").waitFor();
  await here.getByRole("button", { name: "Leave" }).click();
  await here.getByRole("alertdialog").getByRole("button", { name: "Leave" }).click();
  await row(here, "Hive tools").waitFor({ state: "detached" });
  // There is no going back to what one has left.
  await here.getByText("No conversations yet").locator("visible=true").waitFor();
  assert.equal(await here.evaluate(() => [location.hash, history.state?.inside ?? 0].join()), ",0");
  await there.getByRole("button", { name: "Edit name" }).waitFor();
  // Whoever has gone on meanwhile stays where they are.
  let goOn;
  await there.route("**/members/me", (route) => new Promise((go) => (goOn = go)).then(() => route.fallback()));
  await there.getByRole("button", { name: "Leave" }).click();
  await there.getByRole("alertdialog").getByRole("button", { name: "Leave" }).click();
  await until(() => goOn !== undefined, true);
  await there.keyboard.press("Escape");
  await row(there, "Cleo Marchetti").click();
  await bubble(there, "Are you still there?").waitFor();
  goOn();
  await row(there, "Hive tools").waitFor({ state: "detached" });
  await write(there, "I am");
  await sent(there, "I am");
});

test("a channel's new link ends the old one", async () => {
  const anna = await person("Anna Weber");
  const { conversation, link } = await anna.create({ kind: "channel", title: "Honey prices" });
  const page = await at(browser, anna);
  await page.goto(`${hive.url}/#${conversation.conversation_id}/details`);
  await until(() => page.getByRole("textbox", { name: "Invitation link" }).inputValue(), link.url);
  await page.getByRole("button", { name: "Make a new link" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Make a new link" }).click();
  await until(async () => (await page.getByRole("textbox", { name: "Invitation link" }).inputValue()) === link.url, false);
  const [old, fresh] = [link.url, await page.getByRole("textbox", { name: "Invitation link" }).inputValue()];
  const other = await newBrowser(browser);
  await (await openAt(other, old)).getByText("This link does not work any more").waitFor();
  await (await openAt(other, fresh)).getByRole("heading", { name: "Honey prices" }).waitFor();
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

  const phone = await newBrowser(browser, { size: PHONE });
  let answer;
  await phone.route("**/v1/links/*", (route) => new Promise((go) => (answer = go)).then(() => route.fallback()));
  const there = await openAt(phone, link);
  await there.getByRole("img", { name: "Loading" }).waitFor();
  answer();
  await there.getByRole("heading", { name: "Honey news" }).waitFor();
  await there.getByText("All that is sweet").waitFor();
  await shoot(there, "join-phone");
  await there.getByRole("button", { name: "Join channel" }).tap();
  const username = unused("finn");
  await there.getByLabel("Name", { exact: true }).fill("Finn Larsen");
  await there.getByLabel("Username").fill(username);
  await there.getByLabel("E-mail").fill(`${username}@example.org`);
  await there.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await there.getByRole("button", { name: "Create account" }).click();
  await bubble(there, "First harvest is in").waitFor();
  await write(there, "Sweet!");
  await bubble(here, "Sweet!").waitFor();
  const gone = await openAt(await newBrowser(browser), `${hive.url}/c/0000aaaaaaaaaaaaaaaaaaaa`);
  await gone.getByText("This link does not work any more").waitFor();
  // Who tries again without a network can go on trying: the keys stay there.
  const away = await newBrowser(browser);
  let tries = 0;
  await away.route("**/v1/links/*", (route) => (tries += 1) && route.abort("connectionreset"));
  const waits = await openAt(away, link);
  for (const times of [1, 2, 3]) {
    await until(() => tries, times);
    await waits.getByRole("button", { name: "Try again", disabled: false }).waitFor();
    if (times === 1) await waits.getByRole("button", { name: "Try again" }).focus();
    await waits.keyboard.press("Enter");
  }
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
  // The settings stand in front, and the keys go back to where they were.
  await page.keyboard.press("Control+,");
  await page.getByRole("dialog", { name: "Settings" }).waitFor();
  await page.keyboard.press("Escape");
  await until(() => page.evaluate(() => document.activeElement.tagName), "TEXTAREA");
  await page.keyboard.type("typed on");
  await page.keyboard.press("Enter");
  await sent(page, "typed on");
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
  await until(() => page.evaluate(() => document.activeElement.tagName), "TEXTAREA");
  // A new one: the name can be typed at once, and so can what there is to say.
  await page.keyboard.press("Escape");
  await until(() => page.evaluate(() => document.activeElement.className.includes("row")), true);
  await page.keyboard.press("n");
  await page.getByRole("tab", { name: "Group" }).waitFor();
  await until(() => page.evaluate(() => document.activeElement.getAttribute("aria-label")), "People");
  await page.keyboard.type(ben.username);
  await page.getByRole("option", { name: /Ben Okafor/ }).waitFor();
  await page.keyboard.press("Enter");
  await bubble(page, "from Ben").waitFor();
  await until(() => page.evaluate(() => document.activeElement.tagName), "TEXTAREA");
  // Who speaks to the machine switches single letters off.
  await page.keyboard.press("Control+,");
  await page.getByRole("switch", { name: "Single letters" }).press("Space");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await page.getByText("Choose a conversation").waitFor();
  await page.keyboard.press("n");
  await page.keyboard.press("Control+k");
  await until(() => page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Search");
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.equal(await page.locator("[aria-keyshortcuts=N]").count(), 0);
});
