// The views that one looks things up in: the policy with its validation, the past, one agent, who holds and who waits.

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

test("the policy tells what each field may be, refuses what it may not, and is set with what changes in sight", async () => {
  const page = await openPage(browser, server, { path: "#/policy" });
  const field = (name) => page.locator(`[name="${name}"]`);
  await field("threshold").waitFor();
  const before = await server.get("/v1/policy");
  // Every field of the policy is there, with the choices that the contract gives.
  const names = (of, path = "") => Object.entries(of).flatMap(([name, value]) => (value !== null && typeof value === "object" && typeof value[0] !== "string" && Object.keys(value).length ? names(value, `${path}${name}.`) : [`${path}${name}`]));
  const shown = await page.locator("form.policy [name]").evaluateAll((all) => all.map((each) => each.name));
  assert.deepEqual(shown.sort(), names(before).filter((name) => name !== "version").sort());
  assert.deepEqual(await field("claims").locator("option").allInnerTexts(), ["scored", "first", "off"]);
  // The page itself stops what is out of range.
  await field("threshold").fill("2");
  await page.getByRole("button", { name: "Set the policy" }).click();
  assert.equal(await field("threshold").evaluate((input) => input.validity.rangeOverflow), true);
  await field("threshold").fill("0.65");
  // What only the server can judge, it refuses with the field, which is shown and focused.
  await field("weights.capability").fill("0.9");
  await page.getByRole("button", { name: "Set the policy" }).click();
  await page.getByRole("alert").getByText(/weights/).first().waitFor();
  assert.ok(await field("weights.capability").evaluate((input) => input.getAttribute("aria-invalid") === "true" && input === document.activeElement), "the group is marked");
  assert.deepEqual(await server.get("/v1/policy"), before, "nothing is set");
  await field("weights.capability").fill(String(before.weights.capability));
  assert.deepEqual(await page.locator(".changes li").allInnerTexts(), ["threshold from 0.7 to 0.65"]);
  await page.getByRole("button", { name: "Set the policy" }).click();
  await page.getByText("Version 1. Changes").waitFor();
  assert.equal((await server.get("/v1/policy")).threshold, 0.65);
  // Somebody else's change is not overwritten unseen.
  await field("max_attempts").fill("5");
  await server.ask("PUT", "/v1/policy", { ...(await server.get("/v1/policy")), max_losses: 7 });
  await page.getByRole("button", { name: "Set the policy" }).click();
  await page.getByRole("alert").waitFor();
  assert.deepEqual([(await server.get("/v1/policy")).max_attempts, (await server.get("/v1/policy")).max_losses], [before.max_attempts, 7]);
  // It is taken, and what was edited is kept.
  await page.getByText("Version 2 is there by now.").waitFor();
  await page.getByRole("button", { name: "Take the new one, keep my changes" }).click();
  assert.deepEqual([await field("max_losses").inputValue(), await field("max_attempts").inputValue()], ["7", "5"]);
  await page.getByRole("button", { name: "Set the policy" }).click();
  await page.getByText("Version 3. Changes").waitFor();
  assert.deepEqual([(await server.get("/v1/policy")).max_attempts, (await server.get("/v1/policy")).max_losses], [5, 7]);
  // Where nothing is edited, what another sets is shown.
  await server.ask("PUT", "/v1/policy", { ...(await server.get("/v1/policy")), max_losses: 6 });
  await page.getByText("Version 4. Changes").waitFor();
  assert.equal(await field("max_losses").inputValue(), "6");
  // What cannot be read as JSON is gone when it is taken back.
  const open = page.locator("form.policy textarea").first();
  const whole = await open.inputValue();
  await open.fill("{bad");
  await page.getByRole("button", { name: "Take it back" }).click();
  assert.deepEqual([await open.inputValue(), await open.evaluate((area) => area.checkValidity())], [whole, true]);
  // A field is found by what it means.
  await page.getByPlaceholder("Find a field").fill("slots");
  await until(async () => (await page.locator("form.policy [name]").count()) < shown.length, "fewer are shown");
  await page.context().close();
});

test("any event of the log can be gone back to, and a task is shown as it was then", async () => {
  const page = await openPage(browser, server, { path: "#/timeline?hours=1" });
  const then = page.locator("section[aria-labelledby=then]");
  // Right behind the first time that something was begun.
  const started = (await server.get("/v1/events?kind=task.started")).events[0];
  await then.getByRole("spinbutton", { name: "Position" }).fill(String(started.position));
  await then.getByRole("spinbutton", { name: "Position" }).press("Enter");
  const status = await server.get(`/v1/status?at=${started.position}`);
  await then.getByText(`${status.tasks.completed} completed, ${status.tasks.in_progress} in progress, ${status.tasks.assigned} assigned`).waitFor();
  await then.getByRole("button", { name: "One event back" }).click();
  const earlier = await server.get(`/v1/status?at=${started.position - 1}`);
  assert.equal(earlier.tasks.in_progress, status.tasks.in_progress - 1);
  await then.getByText(`${earlier.tasks.in_progress} in progress`).waitFor();
  await then.getByRole("button", { name: "One event on" }).click();
  await then.getByText(`${status.tasks.in_progress} in progress`).waitFor();
  await then.getByRole("link", { name: started.task }).click();
  await page.getByText(`As it was at position ${started.position} of the log.`).waitFor();
  const was = await server.get(`/v1/tasks/${started.task}?at=${started.position}`);
  assert.equal((await page.locator(".headline .pill").first().innerText()).toLowerCase(), was.state.replace("_", " "));
  assert.equal(await page.locator(".headline button").count(), 0, "the past is not steered");
  const last = Number(await page.locator("section[aria-labelledby=history] tbody tr").first().locator("td").last().innerText());
  assert.equal(last, started.position);
  await page.getByRole("link", { name: "As it is now" }).click();
  await page.getByRole("button", { name: "Cancel it" }).waitFor();
  await page.context().close();
});

test("a project's forecast is made in the page, with its three marks and the longest path", async () => {
  const page = await openPage(browser, server, { path: "#/projects/rooms" });
  const forecast = page.locator("section[aria-labelledby=forecast]");
  await forecast.getByRole("button", { name: /Make/ }).click();
  await forecast.getByText("eight of ten by").waitFor();
  const made = await server.get("/v1/projects/rooms/forecast");
  assert.ok(made.p50 <= made.p80 && made.p80 <= made.p90);
  await forecast.getByText(made.seed).waitFor();
  // Each mark stands in the picture with all of its label, and in the table below.
  const picture = await forecast.locator("svg").boundingBox();
  for (const label of await forecast.locator("svg text").all()) {
    const { x, width } = await label.boundingBox();
    assert.ok(x >= picture.x && x + width <= picture.x + picture.width + 1, `${await label.textContent()} is cut off`);
  }
  const twin = forecast.locator("details.twin");
  await twin.locator("summary").click();
  assert.equal(await twin.locator("tbody tr").count(), made.deadline ? 4 : 3);
  const path = forecast.locator("details:not(.twin)");
  await path.locator("summary").click();
  assert.deepEqual(await path.locator("tbody tr td:first-child").allInnerTexts(), made.path.map((step) => step.task));
  await page.context().close();
});

test("an agent's page tells what it does, what it was told and what it has to read", async () => {
  const page = await openPage(browser, server, { path: "#/agents/bea" });
  const told = page.locator("section[aria-labelledby=told]");
  await told.getByText("bea", { exact: false }).first().waitFor();
  const { items } = await server.get("/v1/agents/bea/notices");
  assert.equal(await told.locator("header .note").innerText(), `${items.length} notice${items.length === 1 ? "" : "s"}`);
  const { items: unread } = await server.get("/v1/agents/bea/messages");
  assert.equal(await page.locator("section[aria-labelledby=unread] header .note").first().innerText(), `${unread.length} message${unread.length === 1 ? "" : "s"}`);
  await page.locator("section[aria-labelledby=lately]").getByText("task.started").first().waitFor();
  await page.getByRole("button", { name: "Drain bea" }).click();
  await page.getByText("online, draining").waitFor();
  await page.getByRole("button", { name: "Resume bea" }).click();
  await until(async () => !(await server.get("/v1/agents/bea")).draining, "it is resumed");
  await page.context().close();
});

test("a resource is shown with who holds it and who waits, and is released by force with a reason", async () => {
  const staging = { resources: [{ resource: "env:staging", mode: "exclusive" }] };
  await server.post("/v1/reservations", { agent: "bea", ...staging, ttl_ms: 600_000 });
  await server.post("/v1/reservations", { agent: "kim", ...staging, wait: true, wait_ms: 600_000 });
  const page = await openPage(browser, server, { path: "#/resources" });
  const row = page.getByRole("row", { name: /env:staging/ }).first();
  assert.match(await row.innerText(), /bea, exclusive\s+kim, exclusive/);
  const [held] = (await server.get("/v1/reservations?state=held&agent=bea")).items;
  await page.getByRole("button", { name: `Release ${held.id}` }).click();
  await page.getByRole("dialog").getByRole("textbox").fill("bea is done with it");
  await page.getByRole("dialog").getByRole("button", { name: "Release it" }).click();
  await until(async () => /kim, exclusive\s+nobody/.test(await row.innerText()), "the next one has it");
  // Who only stands in line loses nothing.
  await server.post("/v1/reservations", { agent: "bea", ...staging, wait: true, wait_ms: 600_000 });
  await page.locator("section[aria-labelledby=waiting]").getByRole("button", { name: /^Release / }).click();
  await page.getByRole("dialog").getByText("bea no longer stands in line for env:staging; nobody loses anything.").waitFor();
  await page.context().close();
});

test("what is drawn follows the theme that is chosen while it is open", async () => {
  const page = await openPage(browser, server, { path: "#/timeline?hours=1", colorScheme: "light" });
  const drawn = () => page.locator("canvas").evaluate((canvas) => canvas.toDataURL());
  for (const view of ["timeline?hours=1", "graph"]) {
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(`${server.base}/#/${view}`);
    await page.locator("canvas").waitFor();
    await until(async () => (await page.locator("canvas").evaluate((canvas) => canvas.width)) > 300, "it is drawn");
    const light = await drawn();
    await page.emulateMedia({ colorScheme: "dark" });
    await until(async () => (await drawn()) !== light, `${view} is drawn anew`);
  }
  await page.context().close();
});
