// What a person does in the page: give tasks to agents by dragging, settle what was escalated, look back.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fill } from "./fleet.js";
import { live, openBrowser, openPage, Server, until } from "./house.js";

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

/// Drags a card to what appears once the drag has begun.
export async function drag(page, card, target) {
  const box = await page.locator("[data-card]", { hasText: card }).boundingBox();
  await page.mouse.move(box.x + 20, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + 60, box.y + 40, { steps: 4 });
  await page.locator(target).waitFor();
  const to = await page.locator(target).boundingBox();
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 5 });
  await page.mouse.up();
}

test("a card is dragged to an agent, which gets it once the consequence was seen and confirmed", async () => {
  const page = await openPage(browser, server, { path: "#/board" });
  await live(page);
  await page.locator("[data-card]").first().waitFor();
  await drag(page, "Paint the door", "[data-agent=kim]");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("What comes of it").waitFor();
  assert.match(await dialog.innerText(), /not above the threshold/);
  assert.equal((await server.get("/v1/tasks/door")).owner, undefined, "nothing happens before it is confirmed");
  await dialog.getByRole("button", { name: "Assign it" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal((await server.get("/v1/tasks/door")).owner, "kim");
  await page.locator("section[aria-labelledby=column-assigned] [data-card]", { hasText: "Paint the door" }).waitFor();
  await page.context().close();
});

test("an agent that cannot have a task is not given it, and the page says why", async () => {
  const page = await openPage(browser, server, { path: "#/board" });
  await live(page);
  await page.locator("[data-card]").first().waitFor();
  await drag(page, "Draw the sky", "[data-agent=bea]");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("It cannot be given to bea").waitFor();
  assert.match(await dialog.innerText(), /the task demands at least 0.5/);
  assert.equal(await dialog.getByRole("button", { name: "Assign it" }).isDisabled(), true);
  await page.context().close();
});

test("an escalation and a late result are settled in the inbox", async () => {
  await server.submit("Sing to the moon", { key: "moon", priority: "critical", requires: [{ capability: "song", minimum: 0.5 }] });
  const page = await openPage(browser, server, { path: "#/inbox" });
  const escalation = page.locator("article", { hasText: "No suitable agent" });
  await escalation.first().waitFor();
  const before = (await server.get("/v1/escalations?state=open")).items.length;
  await escalation.first().getByRole("textbox").fill("we sing it ourselves");
  await escalation.first().getByRole("button", { name: "Settle" }).click();
  await until(async () => (await server.get("/v1/escalations?state=open")).items.length === before - 1, "it is settled");
  const offer = page.locator("article", { hasText: "late result" });
  await offer.getByRole("button", { name: "Accept as the result" }).click();
  await offer.waitFor({ state: "detached" });
  const [settled] = (await server.get("/v1/offers")).items;
  assert.equal(settled.state, "accepted");
  await page.getByText("No late result waits").waitFor();
  await page.context().close();
});

test("the timeline goes back to any moment of the log", async () => {
  const page = await openPage(browser, server, { path: "#/timeline?hours=1" });
  const slider = page.getByRole("slider", { name: "Moment" });
  await slider.waitFor();
  const status = page.locator("#then ~ *, section[aria-labelledby=then]").locator("p[role=status]");
  await status.waitFor();
  const now = await status.innerText();
  await slider.focus();
  await page.keyboard.press("Home");
  await page.getByRole("heading", { name: /^The fleet at / }).waitFor();
  await until(async () => (await status.innerText()) !== now, "the counts of then");
  const [step] = (await server.get("/v1/timeline?hours=1")).steps;
  assert.match(await page.locator("section[aria-labelledby=then] header .note").innerText(), /position/);
  assert.ok(step.position < (await server.get("/v1/health")).durable_position);
  await page.keyboard.press("End");
  await page.getByRole("heading", { name: "The fleet now" }).waitFor();
  await page.context().close();
});
