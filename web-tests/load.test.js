// Ten thousand tasks, and a thousand changes a second.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { live, openBrowser, openPage, Server, tell, until } from "./house.js";

const TASKS = 10_000;
const AGENTS = 100;
/// So generous that only a page that hangs breaks it; the measured time is printed.
const HANGS_MS = 10_000;

let browser;
let server;
let assigned;
before(async () => {
  [browser, server] = [await openBrowser(), await Server.start()];
  await server.bulk(Array.from({ length: AGENTS }, (_, at) => ({ register: { name: `agent-${at}` } })));
  await server.bulk(Array.from({ length: TASKS }, (_, at) => ({
    submit: { title: `Task ${at} of many`, priority: ["low", "medium", "high"][at % 3], project: `p-${at % 7}`, labels: [`l-${at % 50}`] },
  })));
  const answers = await server.bulk(Array.from({ length: AGENTS }, (_, at) => ({ next: { agent: `agent-${at}` } })));
  assigned = answers.map(({ assignments: [{ task, assignment }] }, at) => ({ agent: `agent-${at}`, task, assignment }));
  await server.bulk(assigned.map((start) => ({ start })));
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("a graph of five thousand tasks is moved and zoomed", async (context) => {
  const other = await Server.start();
  try {
    await other.bulk(Array.from({ length: 5000 }, (_, at) => ({ submit: { title: `Node ${at}`, key: `n-${at}`, depends_on: at < 50 ? [] : [...new Set([at - 50, at % 3 ? at - 50 : (at * 7) % (at - 49)])].map((on) => `n-${on}`) } })));
    const page = await openPage(browser, other, { path: "#/graph" });
    await page.getByText(/^5\s000 tasks, /).waitFor();
    await page.evaluate(watch);
    const canvas = page.locator("canvas");
    const box = await canvas.boundingBox();
    const pixels = () => canvas.evaluate((it) => it.toDataURL());
    const whole = await pixels();
    await page.mouse.move(box.x + 300, box.y + 200);
    for (let turn = 0; turn < 15; turn += 1) await page.mouse.wheel(0, -120);
    await until(async () => (await pixels()) !== whole, "it is zoomed");
    const zoomed = await pixels();
    await page.mouse.down();
    await page.mouse.move(box.x + 100, box.y + 100, { steps: 20 });
    await page.mouse.up();
    await until(async () => (await pixels()) !== zoomed, "it is moved");
    await canvas.focus();
    await page.keyboard.press("0");
    await until(async () => (await pixels()) === whole, "all of it is seen again");
    tell(context, `longest task in the page: ${Math.round(await page.evaluate(() => globalThis.longest))} ms`);
    await page.context().close();
  } finally {
    await other.stop();
  }
});

const watch = () => {
  globalThis.longest = 0;
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, task.duration);
  }).observe({ type: "longtask" });
};

test("ten thousand tasks stand on the board at once, of which the page holds only what is in view", async (context) => {
  const page = await openPage(browser, server, { token: "" });
  await page.context().addInitScript((token) => {
    sessionStorage.setItem("kapell.token", token);
    new MutationObserver((_, observer) => {
      if (!document.querySelector("[data-card]")) return;
      globalThis.painted = performance.now();
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
  }, server.token);
  const times = [];
  for (let turn = 0; turn < 3; turn += 1) {
    await page.goto("about:blank");
    await page.goto(`${server.base}/#/board`);
    await page.getByText("10 000 tasks", { exact: true }).waitFor();
    times.push(Math.round(await page.evaluate(() => globalThis.painted)));
  }
  tell(context, `first paint with data of ${TASKS} tasks: ${times.join(", ")} ms`);
  assert.ok(Math.min(...times) < HANGS_MS);
  const cards = await page.locator("[data-card]").count();
  assert.ok(cards > 0 && cards < 200, `${cards} cards stand in the page`);
  // The last card can be reached.
  const column = page.locator("section[aria-labelledby=column-ready] .windowed");
  await column.evaluate((box) => box.scrollTo(0, box.scrollHeight));
  await page.locator(`section[aria-labelledby=column-ready] li[aria-posinset="${TASKS - AGENTS}"]`).waitFor();
  await page.context().close();
});

test("a task appears on the board after its commit", async (context) => {
  const page = await openPage(browser, server, { path: "#/board?q=latency" });
  await live(page);
  await page.getByText("0 tasks", { exact: true }).waitFor();
  await page.evaluate(() => {
    globalThis.appeared = {};
    new MutationObserver(() => {
      for (const title of document.querySelectorAll("[data-card] .title")) globalThis.appeared[title.textContent] ??= Date.now();
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  const took = [];
  for (let turn = 0; turn < 10; turn += 1) {
    const title = `latency ${turn}`;
    await server.submit(title, { priority: "critical" });
    const committed = Date.now();
    const seen = await until(() => page.evaluate((title) => globalThis.appeared[title], title), `${title} appears`);
    took.push(seen - committed);
    await new Promise((wake) => setTimeout(wake, 300));
  }
  took.sort((a, b) => a - b);
  tell(context, `commit to board: ${took[5]} ms in the middle, ${took[9]} ms at most`);
  assert.equal(took.length, 10);
  await page.context().close();
});

test("a thousand changes a second leave the page responsive and are all taken", async (context) => {
  const page = await openPage(browser, server, { path: "#/board" });
  await live(page);
  await page.locator("[data-card]").first().waitFor();
  const took = () => page.evaluate(() => ({ ...globalThis.kapell.taken, position: globalThis.kapell.position.value }));
  const began = await took();
  await page.evaluate(watch);
  const start = Date.now();
  let sent = 0;
  const answered = [];
  for (let turn = 0; turn < 50; turn += 1) {
    const lines = assigned.map((report) => ({ progress: { ...report, percent: turn * 2 } }));
    // Every tenth is a new task: cards come as well as change.
    lines.splice(0, 10, ...Array.from({ length: 10 }, (_, at) => ({ submit: { title: `new ${turn} ${at}` } })));
    answered.push(server.bulk(lines));
    sent += lines.length;
    // The reader goes on meanwhile.
    if (turn % 10 === 5) await page.locator("section[aria-labelledby=column-ready] .windowed").evaluate((box) => box.scrollBy(0, 2000));
    await new Promise((wake) => setTimeout(wake, Math.max(0, start + (turn + 1) * 100 - Date.now())));
  }
  await Promise.all(answered);
  const rate = Math.round((sent * 1000) / (Date.now() - start));
  const { durable_position: end } = await server.get("/v1/health");
  const seen = await until(async () => {
    const now = await took();
    return now.position >= end && now;
  }, "every event is taken");
  assert.ok(seen.events - began.events >= sent);
  assert.deepEqual([seen.gaps, seen.repeated], [0, 0]);
  const longest = Math.round(await page.evaluate(() => globalThis.longest));
  tell(context, `${rate} changes a second: longest task in the page ${longest} ms`);
  assert.ok(longest < HANGS_MS);
  await page.getByText(`${(TASKS + 10 + 500).toLocaleString("en-GB").replace(",", " ")} tasks`, { exact: true }).waitFor();
  await page.context().close();
});
