// What the page must never do: show data without a token, take text for markup, ask anybody else, weigh too much.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { fill, HOSTILE } from "./fleet.js";
import { live, openBrowser, openPage, ready, Server, tell, unfold } from "./house.js";
import { VIEWS } from "./views.js";

const WEIGHT_MAX = 250_000;

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

const text = (page) => page.locator("body").innerText();

test("a missing or wrong token shows a sign-in and no data", async () => {
  for (const token of ["", "kp_wrong"]) {
    const page = await openPage(browser, server, { token, path: "#/board" });
    await page.locator("#token").waitFor();
    assert.doesNotMatch(await text(page), /free rooms|T-1/, `with ${token || "no token"}`);
    const data = page.asked.filter((url) => url.includes("/v1/") && !url.endsWith("/v1/session"));
    assert.deepEqual(data, [], "nothing but the session is asked for");
    await page.context().close();
  }
});

test("a token is taken from a typed line or a link, and leaves the address", async () => {
  const page = await openPage(browser, server, { token: "" });
  await page.locator("#token").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.locator("#token").fill(server.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await live(page);
  const linked = await openPage(browser, server, { token: "", path: `#token=${server.token}` });
  await live(linked);
  assert.ok(!linked.url().includes(server.token), linked.url());
  for (const each of [page, linked]) await each.context().close();
});

test("a token that is revoked while the page is open takes the data away", async () => {
  const made = await server.post("/v1/tokens", { access: "viewer" });
  const page = await openPage(browser, server, { token: made.secret ?? made.token, path: "#/board" });
  await page.locator("[data-card]").first().waitFor();
  await server.ask("DELETE", `/v1/tokens/${made.id ?? made.name}`);
  await server.submit("Something happens");
  await page.locator("#token").waitFor();
  assert.doesNotMatch(await text(page), /free rooms/);
  await page.context().close();
});

test("a viewer is offered nothing that it may not do", async () => {
  const made = await server.post("/v1/tokens", { access: "viewer" });
  const page = await openPage(browser, server, { token: made.secret ?? made.token, path: "#/task/T-1" });
  await page.getByRole("heading", { name: "History" }).waitFor();
  assert.deepEqual(await page.locator("main button").allInnerTexts(), []);
  await page.goto(`${server.base}/#/board`);
  await page.locator("[data-card]").first().waitFor();
  assert.equal(await page.locator("[data-card][draggable=true]").count(), 0);
  await page.context().close();
});

test("hostile text stays text, nothing outside is asked for, nothing complains, and all of it is light", async (context) => {
  const page = await openPage(browser, server);
  let shown = 0;
  for (const view of VIEWS) {
    await page.goto(`${server.base}/#/${view}`);
    await live(page);
    await page.locator("main h1").first().waitFor({ state: "attached" });
    await ready(page);
    shown += (await page.locator("main").textContent()).split(HOSTILE.slice(0, 20)).length - 1;
    assert.equal(await page.locator("main img, main script").count(), 0, view);
    await unfold(page);
  }
  assert.ok(shown >= 4, `the text is seen as it is, ${shown} times`);
  assert.equal(await page.evaluate(() => globalThis.struck), undefined);
  const outside = page.asked.filter((url) => !url.startsWith(`${server.base}/`));
  assert.deepEqual(outside, []);
  assert.deepEqual(page.complaints, []);
  const files = new Set(page.asked.map((url) => new URL(url).pathname).filter((path) => !path.startsWith("/v1/")));
  const weights = await Promise.all([...files].map(async (path) => gzipSync(await (await fetch(server.base + path)).arrayBuffer()).length));
  const bytes = weights.reduce((sum, each) => sum + each, 0);
  assert.ok(files.size > 20 && bytes > 20_000, `${files.size} files of ${bytes} bytes were seen`);
  tell(context, `the page weighs ${bytes} bytes gzipped in ${files.size} files`);
  assert.ok(bytes <= WEIGHT_MAX, `${bytes} bytes`);
  await page.context().close();
});
