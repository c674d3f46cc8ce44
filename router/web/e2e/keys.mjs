// Whether the keys get everywhere.

import assert from "node:assert/strict";

/** By Tab, one gets to everything that takes the keys: on the page, or in what stands in front of it. */
export const allByTab = async (page, what) => {
  await page.evaluate(() => {
    const front = [...document.querySelectorAll("[role=dialog], [role=alertdialog]")].at(-1) ?? document.body;
    const takes = [...front.querySelectorAll("a[href], button, input, textarea, select, [tabindex]")];
    // Of several to choose one from, the chosen one stands for all.
    const isOne = (el) => el.type !== "radio" || el.checked;
    window.awaited = new Set(takes.filter((el) => el.tabIndex >= 0 && !el.disabled && el.checkVisibility() && !("focusTrap" in el.dataset) && isOne(el)));
  });
  const rest = () =>
    page.evaluate(() => {
      window.awaited.delete(document.activeElement);
      return [...window.awaited].map((el) => el.outerHTML.slice(0, 120));
    });
  let left = await rest();
  for (let presses = 2 * left.length + 10; presses > 0 && left.length > 0; presses--) {
    await page.keyboard.press("Tab");
    left = await rest();
  }
  assert.deepEqual(left, [], what);
};
