// On paper, and for whoever wants nothing to move.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fill } from "./fleet.js";
import { live, openBrowser, openPage, ready, Server } from "./house.js";
import { VIEWS } from "./views.js";

let browser;
let server;
before(async () => {
  [browser, server] = [await openBrowser(), await Server.start()];
  await fill(server);
  await server.bulk(Array.from({ length: 100 }, (_, at) => ({ submit: { title: `Sheet ${at}`, requires: [{ capability: "ink", minimum: 0.5 }] } })));
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("what is printed is dark on white in either theme, whole, and without what cannot be pressed on paper", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const page = await openPage(browser, server, { path: "#/board", colorScheme });
    await live(page);
    await page.locator("[data-card]").first().waitFor();
    const seen = await page.locator("[data-card]").count();
    await page.emulateMedia({ media: "print", colorScheme });
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    await page.getByText("Sheet 99").first().waitFor();
    // Where something stands twice, this says what it is, and where.
    const found = await page.getByText("Sheet 99").evaluateAll((all) => all.map((each) => `${each.closest("section, dialog, aside")?.getAttribute("aria-labelledby")}: ${(each.closest("li") || each).outerHTML}`));
    assert.equal(found.length, 1, found.join("\n"));
    const cards = await page.locator("[data-card]").count();
    assert.ok(cards > seen, `${cards} cards are printed, ${seen} were in view`);
    assert.equal(await page.getByRole("navigation", { name: "Views" }).isVisible(), false);
    const inks = await page.evaluate(() => [document.body, document.querySelector("[data-card]")].map((each) => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor]));
    const light = (colour) => colour.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) > 600;
    for (const [ink, paper] of inks) assert.deepEqual([light(ink), light(paper)], [false, true], `${colorScheme}: ${ink} on ${paper}`);
    const pdf = await page.pdf();
    assert.ok((pdf.toString("latin1").match(/\/Type\s*\/Page\b/g) || []).length > 1, "it takes more than a sheet");
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    await page.context().close();
  }
});

test("nothing moves by itself for whoever wants it so", async () => {
  const page = await openPage(browser, server, { reducedMotion: "reduce" });
  for (const view of VIEWS) {
    await page.goto(`${server.base}/#/${view}`);
    await live(page);
    await ready(page);
    const moving = await page.evaluate(() => [document.getAnimations().length, [...document.querySelectorAll("*")].filter((each) => parseFloat(getComputedStyle(each).transitionDuration) > 0).length]);
    assert.deepEqual(moving, [0, 0], view);
  }
  await page.context().close();
});
