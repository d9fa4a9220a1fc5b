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

test("a card is dragged to another priority, which it gets once the consequence was seen and confirmed", async () => {
  await server.submit("Sweep the yard", { key: "yard", priority: "low", requires: [{ capability: "broom", minimum: 0.5 }] });
  await server.submit("Open the yard", { key: "open", priority: "low", depends_on: ["yard"], requires: [{ capability: "broom", minimum: 0.5 }] });
  const page = await openPage(browser, server, { path: "#/board?q=yard" });
  await live(page);
  await page.locator("[data-card]").nth(1).waitFor();
  await drag(page, "Open the yard", "[data-priority=high]");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("What comes of it").waitFor();
  const { id } = await server.get("/v1/tasks/yard");
  assert.match(await dialog.innerText(), new RegExp(`It is blocked.*${id}, for which it waits, becomes high too`, "s"));
  assert.equal((await server.get("/v1/tasks/open")).priority, "low", "nothing happens before it is confirmed");
  await dialog.getByRole("button", { name: "Set it" }).click();
  await dialog.waitFor({ state: "detached" });
  // What was told has come: the one that it waits for is urgent too.
  assert.equal((await server.get("/v1/tasks/yard")).effective_priority, "high");
  await page.locator("[data-card].p-high", { hasText: "Sweep the yard" }).waitFor();
  // And by the keyboard: to what is inherited from a dependent it says so.
  await page.locator("[data-card]", { hasText: "Sweep the yard" }).focus();
  await page.keyboard.press("p");
  await dialog.getByRole("combobox").selectOption("medium");
  await dialog.getByText(/In effect it is high: T-\d+ waits for it and is high/).waitFor();
  // A task that has changed meanwhile is shown anew instead of being changed unseen.
  await server.ask("PATCH", "/v1/tasks/yard", { title: "Sweep the whole yard" });
  await dialog.getByRole("button", { name: "Set it" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByText("Sweep the whole yard").waitFor();
  await dialog.getByRole("button", { name: "Set it" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal((await server.get("/v1/tasks/yard")).priority, "medium");
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

test("a wait that closed a cycle is shown with the cycle, and can be put back", async () => {
  const page = await openPage(browser, server, { path: "#/graph" });
  const cycles = page.locator("section[aria-labelledby=cycles]");
  await cycles.waitFor();
  const [broken] = (await server.get("/v1/cycles")).items;
  assert.match(await cycles.innerText(), new RegExp(broken.cycle.join(" waits for ")));
  assert.match(await cycles.innerText(), /Broken/);
  // The other wait goes first; then it closes nothing any more.
  await server.ask("DELETE", `/v1/tasks/${broken.on}/dependencies/${broken.task}`);
  await cycles.getByRole("button").click();
  await cycles.getByText("Restored").waitFor();
  const restored = await server.get(`/v1/tasks/${broken.task}`);
  assert.ok(restored.depends_on.some((edge) => edge.task === broken.on && !edge.waived), JSON.stringify(restored.depends_on));
  await page.context().close();
});

test("the report tells how the work goes, as a page and as Markdown, and a project has its burn-up", async () => {
  const page = await openPage(browser, server, { path: "#/reports" });
  await page.getByRole("heading", { name: "What could be done" }).waitFor();
  const report = await server.get("/v1/report");
  for (const { detail } of report.bottlenecks) await page.locator("section[aria-labelledby=bottlenecks]").getByText(detail, { exact: true }).first().waitFor();
  await page.getByRole("button", { name: "As Markdown" }).click();
  assert.match(await page.getByRole("region", { name: "The report as Markdown" }).innerText(), /^# /);
  await page.getByRole("button", { name: "Save it on the server" }).click();
  await page.getByText(/^Saved as /).waitFor();
  await page.goto(`${server.base}/#/projects/rooms?hours=1`);
  const burn = page.locator("section[aria-labelledby=burn-up]");
  await burn.getByText(/tasks? left/).waitFor();
  const { tasks } = (await server.get("/v1/projects")).items.find((project) => project.name === "rooms");
  await burn.locator("summary").click();
  const cells = await burn.locator("tbody tr").last().locator("td").allInnerTexts();
  assert.deepEqual(cells.slice(1), [String(tasks.total), String(tasks.completed)]);
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
  // What is ahead: how much is left, and the deadlines, the missed one among them.
  await page.locator("section[aria-labelledby=ahead]").getByText(/tasks left/).waitFor();
  assert.match(await page.locator("section[aria-labelledby=deadlines] tbody").innerText(), /ago.*Write down how it is used/s);
  await page.keyboard.press("End");
  await page.getByRole("heading", { name: "The fleet now" }).waitFor();
  await page.context().close();
});
