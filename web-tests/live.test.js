// The page follows the log: two tabs, and a server that ends and comes back in the middle.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { live, openBrowser, openPage, Server, until } from "./house.js";

let browser;
let server;
before(async () => {
  [browser, server] = [await openBrowser(), await Server.start()];
  await server.agent("ada", { max_concurrent_tasks: 5 });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const taken = (page) => page.evaluate(() => ({ ...globalThis.kapell.taken, position: globalThis.kapell.position.value }));
const ids = (page) => page.locator("[data-card] .id").allInnerTexts();

/// Waits until the page has taken everything that is in the log, and returns how it got there.
async function caughtUp(page) {
  return until(async () => {
    const [seen, { durable_position: end }] = [await taken(page), await server.get("/v1/health")];
    return seen.position === end && seen;
  }, "the page is where the log is");
}

test("two tabs show the same, and what is done in one is seen in the other", async () => {
  const tabs = [await openPage(browser, server, { path: "#/board" }), await openPage(browser, server, { path: "#/board" })];
  await Promise.all(tabs.map(live));
  const began = await Promise.all(tabs.map(taken));
  const { task } = await server.submit("Seen twice");
  for (const tab of tabs) await tab.locator("[data-card]", { hasText: "Seen twice" }).waitFor();
  await tabs[0].goto(`${server.base}/#/task/${task}`);
  await tabs[0].getByRole("button", { name: "Cancel it" }).click();
  await tabs[0].getByRole("dialog").getByRole("textbox").fill("seen enough");
  await tabs[0].getByRole("dialog").getByRole("button", { name: "Cancel it" }).click();
  await tabs[1].locator("section[aria-labelledby=column-cancelled] [data-card]", { hasText: "Seen twice" }).waitFor();
  for (const [at, tab] of tabs.entries()) {
    const seen = await caughtUp(tab);
    assert.equal(seen.events - began[at].events, seen.position - began[at].position);
    assert.deepEqual([seen.repeated, seen.gaps], [0, 0]);
    await tab.context().close();
  }
});

test("a server that is killed and started again costs no event and brings none twice", async () => {
  const page = await openPage(browser, server, { path: "#/board" });
  await live(page);
  const began = await taken(page);
  await server.bulk(Array.from({ length: 50 }, (_, at) => ({ submit: { title: `before ${at}` } })));
  await server.kill();
  await page.locator(".stale").waitFor();
  assert.match(await page.locator(".stale").innerText(), /connection was lost/);
  // It lies over nothing, and has all of the width.
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    const [banner, bar, content] = await Promise.all([".stale", ".bar", "main"].map((each) => page.locator(each).boundingBox()));
    assert.deepEqual([banner.width, banner.y >= bar.y + bar.height, banner.y + banner.height <= content.y], [width, true, true], JSON.stringify({ banner, bar, content }));
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await server.up();
  // These are durable before the page is back.
  await server.bulk(Array.from({ length: 50 }, (_, at) => ({ submit: { title: `between ${at}` } })));
  await live(page);
  await page.locator(".stale").waitFor({ state: "detached" });
  await server.bulk(Array.from({ length: 50 }, (_, at) => ({ submit: { title: `after ${at}` } })));
  const seen = await caughtUp(page);
  assert.equal(seen.events - began.events, seen.position - began.position, "as many events as positions");
  assert.deepEqual([seen.repeated, seen.gaps], [0, 0]);
  assert.ok(seen.connects >= 2, `${seen.connects} connections`);
  const { tasks } = await server.get("/v1/status");
  await page.getByText(`${tasks.total} tasks`, { exact: true }).waitFor();
  await page.locator("input[type=search]").fill("between");
  await page.getByText("50 tasks", { exact: true }).waitFor();
  const shown = await ids(page);
  assert.equal(new Set(shown).size, shown.length, "no card twice");
  await page.context().close();
});

test("what is told by the clock goes on without an event", async () => {
  const page = await openPage(browser, server, { path: "#/now", clock: true });
  await live(page);
  const { task } = await server.submit("Due at once", { deadline: new Date(Date.now() + 3000).toISOString() });
  const late = page.locator("section[aria-labelledby=late]");
  const { durable_position: end } = await until(async () => (await caughtUp(page)) && server.get("/v1/health"), "it is in the page");
  await until(async () => (await server.get("/v1/overview")).late.some((each) => each.task === task && each.lateness === "overdue"), "the server knows it");
  assert.equal((await server.get("/v1/health")).durable_position, end, "no event told it");
  await page.clock.fastForward(31_000);
  await late.locator("li", { hasText: task }).getByText("Overdue").waitFor();
  // The words go on by themselves, without a question to the server.
  await page.goto(`${server.base}/#/board?q=${encodeURIComponent("Due at once")}`);
  const card = page.locator("[data-card]", { hasText: "Due at once" });
  await card.getByText("overdue").waitFor();
  const asked = page.asked.length;
  const before = await card.locator("time").innerText();
  await page.clock.fastForward(20_000);
  await until(async () => (await card.locator("time").innerText()) !== before, "the time goes on");
  assert.deepEqual(page.asked.slice(asked), []);
  await page.context().close();
});

test("what could not be read is read again without an event, and says meanwhile that it is old", async () => {
  const page = await openPage(browser, server, { path: "#/now" });
  await live(page);
  // A view that was gone to while there was no server.
  await server.kill();
  await page.locator(".stale").waitFor();
  await page.goto(`${server.base}/#/reports`);
  await page.getByText("The server cannot be reached.").waitFor();
  await server.up();
  await live(page);
  await page.getByRole("heading", { name: "What could be done" }).waitFor({ timeout: 5000 });
  // One answer that fails while the connection is there.
  await page.goto(`${server.base}/#/now`);
  await page.getByRole("heading", { name: "Health" }).waitFor();
  let fails = 2;
  await page.route("**/v1/overview", (route) => (fails-- > 0 ? route.fulfill({ status: 500, json: { detail: "The disk is on fire." } }) : route.continue()));
  const { tasks } = await server.get("/v1/status");
  await server.submit("Comes while it fails", { requires: [{ capability: "nobody-can", minimum: 0.5 }] });
  await page.locator(".stale", { hasText: /Since \d\d:\d\d.*The disk is on fire/ }).waitFor();
  await page.getByRole("link", { name: `${tasks.ready + 1} Ready` }).waitFor();
  await page.locator(".stale").waitFor({ state: "detached" });
  await page.context().close();
});

test("a page that finds no server keeps its token and goes on as soon as there is one", async () => {
  for (const path of ["/v1/session", "/v1/health"]) {
    const page = await openPage(browser, server, { path: "#/now" });
    await live(page);
    let down = true;
    await page.route(`**${path}`, (route) => (down ? route.abort() : route.continue()));
    await page.reload();
    await page.locator(".boot", { hasText: "The server cannot be reached. It is tried again." }).waitFor();
    assert.equal(await page.locator("#token").count(), 0, "the token is not asked for");
    down = false;
    await live(page);
    await page.getByRole("heading", { name: "Health" }).waitFor();
    await page.context().close();
  }
});
