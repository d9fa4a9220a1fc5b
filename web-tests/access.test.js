// Whoever cannot see well, has no mouse or has a narrow screen: axe in both themes, the keyboard alone, 360 px.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { fill } from "./fleet.js";
import { live, openBrowser, openPage, ready, Server, unfold, until } from "./house.js";
import { VIEWS } from "./views.js";

let browser;
let server;
before(async () => {
  [browser, server] = [await openBrowser(), await Server.start()];
  await fill(server);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function judged(page, where) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations.map(({ id, nodes }) => `${where}: ${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 140)} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing in the ${colorScheme} theme`, async () => {
    const page = await openPage(browser, server, { colorScheme });
    const found = [];
    for (const view of VIEWS) {
      await page.goto(`${server.base}/#/${view}`);
      await live(page);
      await ready(page);
      await unfold(page);
      found.push(...(await judged(page, view)));
    }
    await page.goto(`${server.base}/#/task/apart`);
    await page.getByRole("button", { name: "Move" }).click();
    await page.getByRole("dialog").getByRole("combobox", { name: "To" }).selectOption("kim");
    await page.getByText("What comes of it").waitFor();
    found.push(...(await judged(page, "dialog")));
    await page.keyboard.press("Escape");
    await page.goto(`${server.base}/#/board`);
    await page.getByRole("button", { name: "New task" }).click();
    await page.getByRole("dialog").waitFor();
    found.push(...(await judged(page, "new task")));
    const out = await openPage(browser, server, { token: "", colorScheme });
    await out.locator("#token").waitFor();
    found.push(...(await judged(out, "sign-in")));
    assert.deepEqual(found, []);
    for (const each of [page, out]) await each.context().close();
  });
}

test("a task is found, opened, and given to an agent by the keyboard alone", async () => {
  const page = await openPage(browser, server, { path: "#/now" });
  await live(page);
  // By the skip link into the content, and through the bar to the board.
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  for (let steps = 0; steps < 10 && (await page.evaluate(() => document.activeElement.textContent)) !== "Board"; steps += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("[data-card]").first().waitFor();
  // The focus moves over the cards; what has it can be seen.
  for (let steps = 0; steps < 30 && !(await page.evaluate(() => document.activeElement.matches("[data-card]"))); steps += 1) await page.keyboard.press("Tab");
  const focused = () => page.evaluate(() => document.activeElement.querySelector?.(".id")?.textContent);
  const first = await focused();
  await page.keyboard.press("ArrowRight");
  await until(async () => (await focused()) !== first, "another card is focused");
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
  await page.keyboard.press("/");
  await page.keyboard.type("apart");
  await page.waitForURL(/q=apart/);
  await until(async () => (await page.locator("[data-card]").count()) === 1, "only what was searched for stands there");
  for (let steps = 0; steps < 30 && !(await page.evaluate(() => document.activeElement.matches("[data-card]"))); steps += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("a");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("combobox").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await until(() => page.evaluate(() => document.activeElement.matches("[data-card]")), "the focus comes back");
  await page.keyboard.press("a");
  await dialog.getByRole("combobox").waitFor();
  for (let steps = 0; steps < 5 && (await page.evaluate(() => document.activeElement.tagName)) !== "SELECT"; steps += 1) await page.keyboard.press("Tab");
  await page.keyboard.type("kim");
  await page.getByText("What comes of it").waitFor();
  await until(() => page.getByRole("button", { name: "Move it" }).isEnabled(), "it can be sent");
  for (let steps = 0; steps < 9 && (await page.evaluate(() => document.activeElement.textContent)) !== "Move it"; steps += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  assert.equal((await server.get("/v1/tasks/apart")).owner, "kim");
  for (let steps = 0; steps < 30 && !(await page.evaluate(() => document.activeElement.matches("[data-card]"))); steps += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Keep bookings apart" }).waitFor();
  await page.context().close();
});

/// Columns of text in which a word no longer stands: what is pressed together, with its width, height and beginning.
const pressed = () =>
  [...document.querySelectorAll("main td, main th, main li, main p, main dd, main label, header p")]
    .map((each) => [each, each.getBoundingClientRect(), each.innerText.trim()])
    .filter(([each, { width, height }, text]) => each.checkVisibility() && text.length > 12 && width > 1 && width < 80 && height > 100)
    .map(([, { width, height }, text]) => `${Math.round(width)} x ${Math.round(height)}: ${text.slice(0, 40)}`);

test("every view fits into 360 px, and nothing in it is pressed together", async () => {
  const page = await openPage(browser, server, { viewport: { width: 360, height: 740 } });
  const wide = [];
  for (const view of VIEWS) {
    await page.goto(`${server.base}/#/${view}`);
    await live(page);
    await ready(page);
    const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    if (needed > there) wide.push(`${view} needs ${needed} px`);
    wide.push(...(await page.evaluate(pressed)).map((each) => `${view}: ${each}`));
  }
  assert.deepEqual(wide, []);
  await page.context().close();
});
