// axe-core in the page. It is brought in past the page's policy, which it is not the matter of here.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export class AxeBuilder {
  constructor(page) {
    this.page = page;
  }
  async analyze() {
    // What still fades in has less contrast than it will have.
    await this.page.evaluate(() => Promise.allSettled(document.getAnimations().filter((a) => Number.isFinite(a.effect.getComputedTiming().endTime)).map((a) => a.finished)));
    await this.page.evaluate(source);
    return this.page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  }
}
