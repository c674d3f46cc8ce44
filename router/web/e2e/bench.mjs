// The app's speed, against a real deployment: what people notice, in milliseconds. `ops/bench web` runs it.

import { at, bubble, DESK, launch, newBrowser, openAt, row, write } from "./browser.mjs";
import { startHive } from "./hive.mjs";
import { Person } from "./people.mjs";

const HISTORY = Number(process.env.HISTORY ?? 100_000);
const FLOOD = Number(process.env.FLOOD ?? 10_000);
const TYPED = Number(process.env.TYPED ?? 100);
/** Calls under way at once while history is made. */
const WRITERS = 64;

const results = [];
const note = (what, value, unit, target) => {
  const ok = value <= target;
  results.push({ what, value: Math.round(value * 10) / 10, unit, target, ok });
  console.log(`${ok ? "ok  " : "SLOW"} ${what}: ${Math.round(value * 10) / 10} ${unit} (target ${target})`);
};
const percentile = (values, p) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))] ?? 0;

const hive = await startHive();
const browser = await launch();
try {
  const [anna, ben] = [await Person.signUp(hive.url, "Anna Weber"), await Person.signUp(hive.url, "Ben Okafor")];
  const { conversation } = await ben.write([anna], "first");
  const id = conversation.conversation_id;

  // === the first sight ===
  const paints = [];
  for (let n = 0; n < 5; n++) {
    const page = await openAt(await newBrowser(browser), hive.url);
    paints.push(await page.evaluate(() => new Promise((seen) => new PerformanceObserver((list) => list.getEntriesByName("first-contentful-paint").forEach((e) => seen(e.startTime))).observe({ type: "paint", buffered: true }))));
    if (n === 0) {
      const bytes = await page.evaluate(() => performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation")).filter((e) => !e.name.includes("/v1/")).reduce((sum, e) => sum + e.encodedBodySize, 0));
      note("first load", bytes / 1024, "KiB", 150);
    }
    await page.context().close();
  }
  note("first contentful paint, median of 5", percentile(paints, 0.5), "ms", 1_000);

  // === from one keyboard to the other screen ===
  const [here, there] = [await at(browser, anna, { size: DESK }), await at(browser, ben, { size: DESK })];
  await row(here, "Ben Okafor").click();
  await row(there, "Anna Weber").click();
  await bubble(there, "first").waitFor();
  await there.evaluate(() => {
    window.shownAt = {};
    new MutationObserver(() => {
      for (const text of document.querySelectorAll(".bubble .message-text")) window.shownAt[text.textContent] ??= Date.now();
    }).observe(document.querySelector(".history"), { childList: true, subtree: true });
  });
  await here.evaluate(() => {
    window.typedAt = {};
    document.querySelector(".composer textarea").addEventListener("keydown", (event) => event.key === "Enter" && (window.typedAt[event.target.value] = Date.now()), { capture: true });
  });
  for (let n = 0; n < TYPED; n++) {
    await here.getByLabel("Write a message").fill(`typed ${n}`);
    await here.keyboard.press("Enter");
    await bubble(there, `typed ${n}`).last().waitFor();
  }
  const [typedAt, shownAt] = [await here.evaluate(() => window.typedAt), await there.evaluate(() => window.shownAt)];
  note(`typed to shown, p95 of ${TYPED}`, percentile(Object.keys(typedAt).map((k) => shownAt[k] - typedAt[k]), 0.95), "ms", 150);

  // === memory while much comes in ===
  const session = await there.context().newCDPSession(there);
  const heap = async () => {
    await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize / 1024 / 1024;
  };
  const flood = async (count, word) => {
    let next = 0;
    const writer = async () => {
      while (next < count) await anna.send(id, `${word} ${(next += 1)}`);
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
  };
  const quiet = (page, text) => page.waitForFunction((t) => document.querySelector(".row-preview")?.textContent.includes(t), text, { timeout: 60_000 });
  await flood(500, "warm");
  await there.waitForTimeout(2_000);
  const before = await heap();
  await flood(FLOOD, "flood");
  await anna.send(id, "the flood is over");
  await quiet(there, "the flood is over");
  await there.waitForTimeout(2_000);
  note(`memory grown over ${FLOOD} received messages`, (await heap()) - before, "MiB", 5);

  // === a long conversation ===
  await flood(Math.max(0, HISTORY - FLOOD - 500 - TYPED), "history");
  await anna.send(id, "the very last one");
  const cleo = await Person.signUp(hive.url, "Cleo Marchetti");
  await cleo.write([ben], "something else");
  const fresh = await at(browser, ben);
  await row(fresh, "Cleo Marchetti").click();
  await bubble(fresh, "something else").waitFor();
  const opened = await fresh.evaluate(
    () =>
      new Promise((done) => {
        const link = [...document.querySelectorAll(".row")].find((r) => r.textContent.includes("Anna Weber"));
        const begun = performance.now();
        const watch = () => {
          const shown = [...document.querySelectorAll(".bubble")].some((b) => b.textContent.includes("the very last one") && getComputedStyle(b).visibility === "visible");
          if (shown) done(performance.now() - begun);
          else requestAnimationFrame(watch);
        };
        link.click();
        watch();
      }),
  );
  note(`opening a conversation of ${HISTORY} messages`, opened, "ms", 300);
  await fresh.evaluate(() => {
    window.longTasks = [];
    new PerformanceObserver((list) => list.getEntries().forEach((e) => window.longTasks.push(e.duration))).observe({ type: "longtask" });
  });
  await fresh.mouse.move(900, 400);
  for (let n = 0; n < 150; n++) {
    await fresh.mouse.wheel(0, -1_200);
    await fresh.waitForTimeout(16);
  }
  note("longest script task while scrolling", Math.max(0, ...(await fresh.evaluate(() => window.longTasks))), "ms", 50);
} finally {
  await browser.close();
  await hive.stop();
}
console.log(JSON.stringify(results));
process.exitCode = results.every((r) => r.ok) ? 0 : 1;
