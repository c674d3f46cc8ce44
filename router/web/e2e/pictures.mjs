// Pictures of every screen, on desk and phone, in light and dark: `npm run pictures`. Made anew when the looks change,
// to be looked at; those of the README go to docs/images.
//
//   npm run pictures              all of them
//   npm run pictures settings     only the screens whose names say so; docs/images is left as it is

import { copyFileSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { artifacts, startHive } from "./hive.mjs";
import { at, bubble, DESK, launch, newBrowser, openAt, PHONE, row } from "./browser.mjs";
import { Person } from "./people.mjs";
import { portrait } from "./portraits.mjs";

const folder = join(artifacts, "pictures");
const docs = resolve(import.meta.dirname, "../../../docs/images");
const README = ["conversation-desk-light", "details-channel-desk-dark", "list-phone-light", "conversation-phone-dark", "new-group-phone-light", "join-phone-dark"];
const wanted = process.argv[2] ?? "";
for (const made of [folder, docs]) mkdirSync(made, { recursive: true });

const hive = await startHive();
const browser = await launch();

// === who is there, and what was said ===

const person = (name) => Person.signUp(hive.url, name);
const say = async (id, ...lines) => {
  for (const [who, text] of lines) await who.send(id, text);
};
const [anna, ben, cleo, dara, emil, fay, long, shown] = [
  await person("Anna Weber"),
  await person("Ben Okafor"),
  await person("Cléo Marchetti"),
  await person("دارا حسینی"),
  await person("Emil Sørensen"),
  await person("Fay Lindqvist"),
  await person("Maximiliane Alexandra von Hohenstein-Wittgenbach"),
  await person("Gus Adeyemi"),
];
await Promise.all([anna, ben, cleo, emil].map(async (who, n) => who.setImage(await portrait(browser, n))));

await long.write([anna], "Could you send me the minutes of the last meeting, please? I cannot find them anywhere.");
await dara.write([anna], "سلام! فردا ساعت ده می‌بینمت.");
const wall = await anna.create({ kind: "group", title: "Sunday walk", user_ids: [fay.id, cleo.id] });
await say(wall.conversation.conversation_id, [fay, "Ten o'clock at the mill?"], [anna, "Works for me"]);
const tale = await fay.write([anna], "The whole story, from the beginning:");
const taleId = tale.conversation.conversation_id;
for (let n = 1; n <= 30; n++) await (n % 3 === 0 ? anna : fay).send(taleId, n % 3 === 0 ? `And then? (${n / 3})` : `Part ${n}: the swarm hung in the old pear tree, and nobody dared to go near it.`);
await fay.send(taleId, Array.from({ length: 40 }, (_, n) => `${n + 1}. A line of a list that is too long for a chat`).join("\n"));
await anna.create({ kind: "group", title: "Quiet corner", user_ids: [fay.id] });
const channel = await anna.create({ kind: "channel", title: "Honey news", topic: "What flowers, what flows, and where to get it" });
const { code } = channel.link;
const channelId = channel.conversation.conversation_id;
await Promise.all([ben, cleo, emil, fay].map((who) => who.call("POST", `/v1/links/${code}/join`)));
await say(
  channelId,
  [anna, "Welcome! Here is what flowers this week, and who has jars to give away."],
  [cleo, "Rape is nearly over by the lake. The acacias are at their best."],
  [emil, "The lime trees by the river have opened 🌳"],
);
const group = await ben.create({ kind: "group", title: "Beekeepers", user_ids: [anna.id, cleo.id, emil.id] });
const groupId = group.conversation.conversation_id;
await say(
  groupId,
  [ben, "Morning, everyone. Who can help with the harvest on Saturday?"],
  [cleo, "I can! From ten on, until the kids are back."],
  [cleo, "And I still have the big extractor from last year."],
  [emil, "Count me in. Is anyone bringing jars?\nI have about forty, but we will need more than that if it is anything like last summer."],
  [anna, "I'll bring jars and the labels 🐝"],
  [anna, "Here is where we meet: https://maps.example.org/meadow?gate=north"],
  [ben, "Perfect. See you at the meadow then."],
);
const direct = await ben.write([anna], "Did the queen arrive?");
const directId = direct.conversation.conversation_id;
await say(directId, [anna, "She did, this morning. Calm as anything."], [ben, "Good. Keep her warm until tonight."], [anna, "Will do. Thank you for driving all the way!"], [ben, "Any time"], [ben, "🍯"]);
await cleo.write([anna], "Are you at the market tomorrow?");
await say(channelId, [emil, "First jars are at the market tomorrow, from eight."], [fay, "Keep two for me, please!"]);

// === the screens ===

let page, phone, look;
const shoot = async (name) => {
  await page.waitForTimeout(350);
  await page.screenshot({ path: join(folder, `${name}-${look}.png`) });
};
const back = async () => {
  await page.goto(`${hive.url}/#`);
  await page.locator(".row").first().waitFor();
};
const talk = async (title, text) => {
  await back();
  await row(page, title).click();
  await bubble(page, text).waitFor();
};
const escape = async () => {
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
};

/** Of somebody who is not logged in. */
const strange = {
  "sign-up": async (shot) => {
    await page.getByRole("button", { name: "Create account" }).waitFor();
    await shot();
  },
  "sign-up-filled": async (shot) => {
    await page.getByLabel("Name", { exact: true }).fill("Gus Adeyemi");
    await page.getByLabel("Username").fill("gus");
    await page.getByLabel("E-mail").fill("gus.example");
    await page.getByLabel("Password", { exact: true }).fill("a bee in the hive");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.locator("[aria-invalid=true]").first().waitFor();
    await shot();
  },
  "log-in": async (shot) => {
    await page.getByRole("button", { name: "I already have an account" }).click();
    await page.getByLabel("Username or e-mail").fill("gus");
    await page.getByLabel("Password", { exact: true }).fill("not this one");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("alert").waitFor();
    await shot();
  },
  join: async (shot) => {
    await page.goto(`${hive.url}/c/${code}`);
    await page.getByRole("heading", { name: "Honey news" }).waitFor();
    await shot();
  },
  "join-sign-up": async (shot) => {
    await page.getByRole("button", { name: "Join channel" }).click();
    await page.getByRole("button", { name: "Create account" }).waitFor();
    await shot();
  },
  "join-gone": async (shot) => {
    await page.goto(`${hive.url}/c/notthere12345678`);
    await page.getByRole("heading").waitFor();
    await shot();
  },
};

/** Of one who has nothing yet. */
const fresh = {
  empty: async (shot) => {
    await page.getByText("No conversations yet").locator("visible=true").waitFor();
    await shot();
  },
  "new-alone": async (shot) => {
    await page.getByRole("button", { name: "New conversation" }).first().click();
    await page.getByRole("tab", { name: "Chat" }).waitFor();
    await shot();
    await escape();
  },
  "join-member": async (shot) => {
    await page.goto(`${hive.url}/c/${code}`);
    await page.getByRole("button", { name: "Join channel" }).waitFor();
    await shot();
  },
};

/** Of Anna. */
const own = {
  list: async (shot) => {
    await row(page, "Beekeepers").waitFor();
    await shot();
  },
  search: async (shot) => {
    await page.getByRole("combobox", { name: "Search" }).fill("e");
    await page.getByRole("option").first().waitFor();
    await page.waitForTimeout(500);
    await shot();
  },
  "search-none": async (shot) => {
    await page.getByRole("combobox", { name: "Search" }).fill("zzzz nobody");
    await page.getByText("Nobody found").waitFor();
    await shot();
    await escape();
  },
  conversation: async (shot) => {
    await talk("Beekeepers", "See you at the meadow");
    await shot();
  },
  direct: async (shot) => {
    await talk("Ben Okafor", "Any time");
    await page.getByLabel("Write a message").fill("One more thing:\nshall I bring the smoker?");
    await shot();
    await page.getByLabel("Write a message").fill("");
  },
  channel: async (shot) => {
    await talk("Honey news", "Keep two for me");
    await shot();
  },
  "right-to-left": async (shot) => {
    await talk("دارا", "سلام");
    await shot();
  },
  "long-name": async (shot) => {
    await talk("Maximiliane", "minutes of the last");
    await shot();
  },
  "scrolled-up": async (shot) => {
    await talk("Fay Lindqvist", "40. A line");
    // Until it stands still, and what is shown is read.
    await page.waitForTimeout(500);
    await shot("folded");
    await page.locator(".history").evaluate((el) => el.scrollTo(0, el.scrollHeight / 2));
    await page.getByLabel("Jump to newest").waitFor();
    await fay.send(taleId, "Are you still there?");
    await fay.send(taleId, "Never mind.");
    await page.getByText("2 new messages").waitFor();
    await shot();
  },
  "nothing-said": async (shot) => {
    await back();
    await row(page, "Quiet corner").click();
    await page.getByText("This is where it begins").waitFor();
    await shot();
  },
  details: async (shot) => {
    await talk("Beekeepers", "See you at the meadow");
    await page.getByRole("button", { name: "Details", exact: true }).click();
    await page.getByText("Emil").last().waitFor();
    await shot();
  },
  "member-menu": async (shot) => {
    await page.getByRole("button", { name: /Actions for Emil/ }).click();
    await page.getByRole("menuitem").first().waitFor();
    await shot();
    await page.keyboard.press("Escape");
  },
  "details-channel": async (shot) => {
    await page.goto(`${hive.url}/#${channelId}/details`);
    await page.getByLabel("Invitation link").last().waitFor();
    await page.getByText("Emil").last().waitFor();
    await shot();
  },
  rename: async (shot) => {
    await page.getByRole("button", { name: "Edit" }).click();
    await shot();
    await page.getByRole("button", { name: "Cancel" }).click();
  },
  invite: async (shot) => {
    await page.getByRole("button", { name: "Add people" }).click();
    await shot();
  },
  leave: async (shot) => {
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByRole("alertdialog").waitFor();
    await shot();
    await page.getByRole("button", { name: "Cancel" }).click();
  },
  profile: async (shot) => {
    await page.goto(`${hive.url}/#${directId}/details`);
    await page.getByText(`@${ben.username}`).waitFor();
    await shot();
  },
  settings: async (shot) => {
    await page.goto(`${hive.url}/#settings`);
    await page.getByText("This device").waitFor();
    await shot();
  },
  "settings-below": async (shot) => {
    await page.locator(".dialog-body").evaluate((el) => el.scrollTo(0, el.scrollHeight));
    await shot();
  },
  password: async (shot) => {
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByLabel("New password").fill("bee");
    await shot();
    await escape();
  },
  new: async (shot) => {
    await back();
    await page.getByRole("button", { name: "New conversation" }).click();
    await page.getByRole("option").first().waitFor();
    await shot();
  },
  "new-group": async (shot) => {
    await page.getByRole("tab", { name: "Group" }).click();
    await page.getByLabel("Group name").fill("Market day");
    await page.getByRole("option", { name: /Cléo/ }).click();
    await page.getByRole("option", { name: /Maximiliane/ }).click();
    await shot();
  },
  "new-channel": async (shot) => {
    await page.getByRole("tab", { name: "Channel" }).click();
    await shot();
    await escape();
  },
  shortcuts: async (shot) => {
    if (phone) return;
    await back();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await shot();
    await escape();
  },
  german: async (shot) => {
    await page.goto(`${hive.url}/#settings`);
    await page.getByText("Deutsch").click();
    await page.getByText("Einstellungen").waitFor();
    await shot();
    await page.getByText("English").click();
    await escape();
  },
  narrow: async (shot) => {
    if (!phone) return;
    await page.setViewportSize({ width: 320, height: 640 });
    await talk("Beekeepers", "See you at the meadow");
    await shot();
    await page.goto(`${hive.url}/#${channelId}/details`);
    await page.getByText("Emil").last().waitFor();
    await shot("narrow-details");
    await page.setViewportSize(PHONE);
  },
  offline: async (shot) => {
    await talk("Sunday walk", "Works for me");
    await page.context().setOffline(true);
    await page.evaluate(() => dispatchEvent(new Event("offline")));
    await page.getByLabel("Write a message").fill("I am in the tunnel");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Waiting for network").locator("visible=true").first().waitFor();
    await shot();
    await page.context().setOffline(false);
  },
};

const walk = async (screens) => {
  for (const [name, show] of Object.entries(screens)) {
    try {
      await show((as = name) => (as.includes(wanted) ? shoot(as) : undefined));
    } catch (error) {
      throw new Error(`${name}, ${look}: ${error.message}`, { cause: error });
    }
    process.stderr.write(".");
  }
};

const online = await Promise.all([at(browser, ben), at(browser, cleo)]);
for (const size of [DESK, PHONE]) {
  for (const dark of [false, true]) {
    phone = size === PHONE;
    look = `${phone ? "phone" : "desk"}-${dark ? "dark" : "light"}`;
    const options = { size, dark };
    page = await openAt(await newBrowser(browser, options), hive.url);
    await walk(strange);
    await page.context().close();
    page = await at(browser, shown, options);
    await walk(fresh);
    await page.context().close();
    page = await at(browser, anna, options);
    await walk(own);
    await page.context().close();
  }
}
await Promise.all(online.map((one) => one.context().close()));
if (wanted === "") for (const name of README) copyFileSync(join(folder, `${name}.png`), join(docs, `${name}.png`));
process.stderr.write(`\nThe pictures are in ${folder}.\n`);
await browser.close();
await hive.stop();
