// The pictures of the README: `npm run pictures`. Small, and made anew when the looks change.

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { at, bubble, DESK, launch, newBrowser, openAt, PHONE, row } from "./browser.mjs";
import { startHive } from "./hive.mjs";
import { Person } from "./people.mjs";

const folder = process.env.PICTURES ?? resolve(import.meta.dirname, "../../../docs/images");
mkdirSync(folder, { recursive: true });

const hive = await startHive();
const browser = await launch();
const person = (name) => Person.signUp(hive.url, name);
const [anna, ben, cleo, dara, emil, long] = [
  await person("Anna Weber"),
  await person("Ben Okafor"),
  await person("Cléo Marchetti"),
  await person("دارا حسینی"),
  await person("Emil Sørensen"),
  await person("Maximiliane Alexandra von Hohenstein-Wittgenbach"),
];
const say = async (id, ...lines) => {
  for (const [who, text] of lines) await who.send(id, text);
};
await long.write([anna], "Could you send me the minutes of the last meeting, please? I cannot find them anywhere.");
await dara.write([anna], "سلام! فردا ساعت ده می‌بینمت.");
const channel = await anna.create({ kind: "channel", title: "Honey news", topic: "What flowers, what flows, and where to get it" });
const code = channel.link.code;
await Promise.all([ben, cleo, emil].map((p) => p.call("POST", `/v1/links/${code}/join`)));
await say(channel.conversation.conversation_id, [emil, "The lime trees by the river have opened 🌳"]);
const group = await ben.create({ kind: "group", title: "Beekeepers", user_ids: [anna.id, cleo.id, emil.id] });
const gid = group.conversation.conversation_id;
await say(
  gid,
  [ben, "Morning, everyone. Who can help with the harvest on Saturday?"],
  [cleo, "I can! From ten on, until the kids are back."],
  [cleo, "And I still have the big extractor from last year."],
  [emil, "Count me in. Is anyone bringing jars?\nI have about forty, but we will need more than that if it is anything like last summer."],
  [anna, "I'll bring jars and the labels 🐝"],
  [anna, "Here is where we meet: https://maps.example.org/meadow?gate=north"],
  [ben, "Perfect. See you at the meadow then."],
);
const direct = await ben.write([anna], "Did the queen arrive?");
const did = direct.conversation.conversation_id;
await say(did, [anna, "She did, this morning. Calm as anything."], [ben, "Good. Keep her warm until tonight."], [anna, "Will do. Thank you for driving all the way!"], [ben, "Any time 🍯"]);
await cleo.write([anna], "Are you at the market tomorrow?");

const shoot = (page, name) => page.screenshot({ path: join(folder, `${name}.png`) });
for (const [look, options] of [["light", {}], ["dark", { dark: true }]]) {
  const online = await at(browser, ben);
  const desk = await at(browser, anna, { ...options, size: DESK });
  await row(desk, "Beekeepers").click();
  await bubble(desk, "See you at the meadow").waitFor();
  await desk.waitForTimeout(1_500);
  await shoot(desk, `desk-${look}`);
  await desk.getByRole("button", { name: "Details", exact: true }).click();
  await desk.getByText("Emil").last().waitFor();
  await desk.waitForTimeout(600);
  await shoot(desk, `details-${look}`);
  await desk.keyboard.press("Escape");
  await desk.keyboard.press("Control+,");
  await desk.getByText("This device").waitFor();
  await desk.waitForTimeout(400);
  await shoot(desk, `settings-${look}`);
  const phone = await at(browser, anna, { ...options, size: PHONE });
  await row(phone, "Beekeepers").waitFor();
  await phone.waitForTimeout(1_200);
  await shoot(phone, `phone-list-${look}`);
  await row(phone, "Ben Okafor").tap();
  await bubble(phone, "Any time").waitFor();
  await phone.waitForTimeout(800);
  await shoot(phone, `phone-conversation-${look}`);
  await phone.goto(`${hive.url}/#`);
  await phone.getByRole("button", { name: "New conversation" }).tap();
  await phone.getByRole("tab", { name: "Group" }).tap();
  await phone.waitForTimeout(600);
  await shoot(phone, `phone-new-${look}`);
  const join_ = await openAt(await newBrowser(browser, { ...options, size: PHONE }), `${hive.url}/c/${code}`);
  await join_.getByRole("heading", { name: "Honey news" }).waitFor();
  await join_.waitForTimeout(600);
  await shoot(join_, `phone-join-${look}`);
  await Promise.all([online, desk, phone, join_].map((page) => page.context().close()));
}
await browser.close();
await hive.stop();
