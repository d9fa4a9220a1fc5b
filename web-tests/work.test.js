// What a person does in the page: give tasks to agents by dragging, settle what was escalated, look back.

import assert from "node:assert/strict";
import { createServer } from "node:http";
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

test("the hours of a person are set, changed and taken away; what cannot be is refused with its field", async () => {
  await server.post("/v1/agents", { name: "uma", kind: "person" });
  const page = await openPage(browser, server, { path: "#/agents/uma" });
  const card = page.locator("section[aria-labelledby=hours]");
  const hours = async () => (await server.get("/v1/agents/uma")).hours;
  await card.getByText("It works at any time.").waitFor();
  await card.getByRole("button", { name: "Set hours" }).click();
  await card.getByLabel("Time zone").fill("Europe/Nowhere");
  await card.getByRole("button", { name: "Set the hours" }).click();
  assert.match(await card.getByRole("alert").innerText(), /zone was `?Europe\/Nowhere`?; allowed: a time zone/);
  assert.equal(await hours(), undefined);
  await card.getByLabel("Time zone").fill("Europe/Berlin");
  await card.getByLabel("Friday").fill("09:00-12:00, 13:00-15:30");
  await card.getByLabel("Monday").fill("");
  await card.getByRole("button", { name: "Add a time away" }).click();
  const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 16);
  await card.getByLabel("From").fill(inDays(10));
  await card.getByLabel("To", { exact: true }).fill(inDays(20));
  await card.getByRole("button", { name: "Set the hours" }).click();
  await card.getByText("09:00-12:00, 13:00-15:30").waitFor();
  const set = await hours();
  assert.deepEqual([set.zone, set.week.mon, set.week.tue, set.week.fri], ["Europe/Berlin", undefined, ["09:00-17:00"], ["09:00-12:00", "13:00-15:30"]]);
  assert.equal(set.quiet.length, 1);
  // What is not touched stays as it was.
  await card.getByRole("button", { name: "Change them" }).click();
  await card.getByLabel("Sunday").fill("22:00-24:00");
  await card.getByRole("button", { name: "Set the hours" }).click();
  await card.getByText("22:00-24:00").waitFor();
  assert.deepEqual((await hours()).quiet, set.quiet);
  await card.getByRole("button", { name: "At any time" }).click();
  await card.getByText("It works at any time.").waitFor();
  assert.equal(await hours(), undefined);
  await page.context().close();
});

test("a task is written and an agent registered in the page, and one gets the other", async () => {
  const page = await openPage(browser, server, { path: "#/agents" });
  const register = page.locator("section[aria-labelledby=register]");
  await register.getByRole("textbox", { name: "Name" }).fill("zoe");
  await register.getByRole("textbox", { name: "Can do" }).fill("zither=0.9, docs=0.2");
  await register.getByRole("button", { name: "Register it" }).click();
  await register.getByText("kapell join zoe").waitFor();
  assert.deepEqual((await server.get("/v1/agents/zoe")).capabilities, { docs: 0.2, zither: 0.9 });
  await server.post("/v1/agents/zoe/heartbeat");
  await page.goto(`${server.base}/#/board`);
  await page.locator("[data-card]").first().waitFor();
  await page.keyboard.press("n");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Title" }).fill("Tune the zither");
  await dialog.getByRole("textbox", { name: "Needs" }).fill("zither=0.5");
  await dialog.getByRole("spinbutton", { name: "Estimate, in hours" }).fill("1.5");
  await dialog.getByLabel("Waits for").fill("nothing-there");
  await dialog.getByRole("button", { name: "Submit it" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel("Waits for").fill("");
  await dialog.getByRole("button", { name: "Submit it" }).click();
  await page.getByRole("heading", { name: "Tune the zither" }).waitFor();
  const task = await server.get(`/v1/tasks/${decodeURIComponent(page.url().split("/task/")[1])}`);
  assert.deepEqual([task.owner, task.estimate_hours, task.requires.map((need) => [need.capability, need.minimum])], ["zoe", 1.5, [["zither", 0.5]]]);
  await page.context().close();
});

test("an empty fleet says how to begin", async () => {
  const empty = await Server.start();
  try {
    const page = await openPage(browser, empty, { path: "#/now" });
    await page.getByRole("heading", { name: "How to begin" }).waitFor();
    await page.getByRole("link", { name: "Write the first task" }).click();
    await page.getByText("There is no task yet.").waitFor();
    await empty.submit("The first one");
    await page.locator("[data-card]", { hasText: "The first one" }).waitFor();
    await page.goto(`${empty.base}/#/now`);
    await page.getByRole("heading", { name: "Health" }).waitFor();
    assert.equal(await page.getByRole("heading", { name: "How to begin" }).count(), 0);
    await page.context().close();
  } finally {
    await empty.stop();
  }
});

test("what waits for a person is counted beside the way to the inbox", async () => {
  const page = await openPage(browser, server, { path: "#/projects" });
  const badge = page.getByRole("link", { name: "Inbox" }).locator(".badge");
  await badge.waitFor();
  // As many as the inbox shows, a decision that nobody is called for among them.
  const { conflict } = await server.post("/v1/decisions", { topic: "Tea or coffee?", capability: "rust" });
  await page.goto(`${server.base}/#/inbox`);
  await page.getByRole("article", { name: `decision ${conflict}` }).waitFor();
  const sum = async () => (await page.locator("main .card > header .note").allInnerTexts()).reduce((sum, text) => sum + Number(text), 0);
  await until(async () => Number(await badge.innerText()) === (await sum()), "the badge says what the inbox shows");
  await page.goto(`${server.base}/#/now`);
  await page.locator("section[aria-labelledby=person] header .note", { hasText: `${await badge.innerText()} things` }).waitFor();
  // An agent's own is counted for its own token.
  const { token } = await server.post("/v1/tokens", { access: "agent", agent: "bea" });
  const own = await openPage(browser, server, { token, path: "#/projects" });
  const { total } = await server.ask("GET", "/v1/inbox?limit=1", undefined, token);
  assert.notEqual(total, Number(await badge.innerText()));
  await own.getByRole("link", { name: "Inbox" }).locator(".badge", { hasText: String(total) }).waitFor();
  await server.post(`/v1/conflicts/${conflict}/withdraw`, { reason: "water" });
  for (const each of [page, own]) await each.context().close();
});

test("a webhook that its receiver has stopped is shown, without its address", async () => {
  const gone = createServer((request, answer) => answer.writeHead(410).end());
  await new Promise((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const own = await Server.start(["--private-webhooks"]);
  try {
    await own.agent("ada");
    await own.post("/v1/webhooks", { name: "pager", url: `http://127.0.0.1:${gone.address().port}/secret-way`, types: ["kapell.task.submitted"] });
    await own.submit("Something happens");
    await until(async () => (await own.get("/v1/status")).webhooks_stuck.length === 1, "it is stopped");
    const page = await openPage(browser, own, { path: "#/now" });
    const line = page.locator("section[aria-labelledby=person] li", { hasText: "pager" });
    await line.waitFor();
    assert.match(await line.innerText(), /webhook stopped.*410 Gone/s);
    assert.ok(!(await page.locator("main").innerText()).includes("secret-way"));
    await page.context().close();
  } finally {
    await own.stop();
    gone.close();
  }
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

test("finished work is sent back and approved in the inbox, and its page shows the gates", async () => {
  const made = await server.submit("Bind the book", { key: "book", agent: "ada", gates: [{ kind: "approval" }], priority: "critical" }).catch(() => null);
  assert.ok(made, "it is taken");
  await until(async () => (await server.get("/v1/tasks/book")).owner || (await server.post("/v1/tasks/book/assign", { agent: "kim" }).catch(() => null)), "somebody owns it");
  const { owner, assignment } = await server.get("/v1/tasks/book");
  const done = { task: "book", assignment };
  await server.report("done", done, owner, { result: "bound in blue" });
  const page = await openPage(browser, server, { path: "#/inbox" });
  const { id } = await server.get("/v1/tasks/book");
  const work = page.getByRole("article", { name: `approval of ${id}` });
  await work.getByText("bound in blue").waitFor();
  assert.equal(await work.getByRole("button", { name: "Send it back" }).isDisabled(), true, "that needs a reason");
  await work.getByRole("textbox").fill("in red, please");
  await work.getByRole("button", { name: "Send it back" }).click();
  await work.waitFor({ state: "detached" });
  assert.equal((await server.get("/v1/tasks/book")).state, "assigned");
  await server.report("done", done, owner, { result: "bound in red" });
  await work.getByText("bound in red").waitFor();
  await work.getByRole("button", { name: "Approve" }).focus();
  await page.keyboard.press("Enter");
  await work.waitFor({ state: "detached" });
  // The focus stays among the approvals.
  await until(() => page.evaluate(() => Boolean(document.activeElement.closest("section[aria-labelledby=approvals]"))), "the focus is in its place");
  assert.equal((await server.get("/v1/tasks/book")).state, "completed");
  await page.goto(`${server.base}/#/task/book`);
  const gates = page.locator("section[aria-labelledby=gates]");
  assert.match(await gates.locator("tbody").innerText(), /Approval.*passed.*manager/s);
  assert.match(await gates.locator("header").innerText(), /sent back 1 time/);
  await page.context().close();
});

test("what an agent wants leave for is seen and answered in the inbox", async () => {
  const made = await server.submit("Climb the roof", { key: "roof", agent: "ada", priority: "critical" }).catch(() => null);
  assert.ok(made, "it is taken");
  await until(async () => (await server.get("/v1/tasks/roof")).owner || (await server.post("/v1/tasks/roof/assign", { agent: "ada" }).catch(() => null)), "somebody owns it");
  const { id, owner, assignment } = await server.get("/v1/tasks/roof");
  await server.report("start", { task: "roof", assignment }, owner);
  const options = [{ id: "yes", name: "Yes, this once", kind: "allow_once" }, { id: "no", name: "No", kind: "reject_once" }];
  const wanted = { agent: owner, assignment, name: "0-1", title: "remove <b>tiles</b>", kind: "execute", detail: "command: rm tiles", options };
  await server.post("/v1/tasks/roof/permission", wanted);
  const page = await openPage(browser, server, { path: "#/inbox" });
  const leave = page.getByRole("article", { name: `leave for ${id}` });
  await leave.getByText("remove <b>tiles</b>").waitFor();
  await leave.getByText("command: rm tiles").waitFor();
  await leave.getByRole("button", { name: "Yes, this once" }).click();
  await leave.waitFor({ state: "detached" });
  const { permission } = await server.get("/v1/tasks/roof");
  assert.deepEqual([permission.state, permission.option, permission.by], ["allowed", "yes", "manager"]);
  await server.report("done", { task: "roof", assignment }, owner);
  await page.context().close();
});

test("the page of a task shows what it has cost, and at a limit it is given more there", async () => {
  const made = await server.submit("Gild the frame", { key: "frame", agent: "ada", priority: "critical" }).catch(() => null);
  assert.ok(made, "it is taken");
  await until(async () => (await server.get("/v1/tasks/frame")).owner || (await server.post("/v1/tasks/frame/assign", { agent: "ada" }).catch(() => null)), "somebody owns it");
  const { id, owner, assignment } = await server.get("/v1/tasks/frame");
  await server.ask("PUT", "/v1/budgets", { of: "task", name: id, budget: { total: { money_micros: { hard: 1_000_000 } } } });
  const usage = { input_tokens: 1200, cached_tokens: 900, output_tokens: 300, money_micros: 1_250_000 };
  await server.report("progress", { task: "frame", assignment }, owner, { percent: 30, usage });
  const page = await openPage(browser, server, { path: "#/task/frame" });
  const cost = page.locator("section[aria-labelledby=cost]");
  await cost.getByText("1.25 USD of 1.00 USD spent").waitFor();
  assert.match(await cost.locator("tbody").innerText(), new RegExp(`${assignment}.*ada.*1.25.*900.*300`, "s"));
  await cost.getByRole("spinbutton").fill("20");
  await cost.getByRole("button", { name: "Set the limit" }).click();
  await until(async () => (await server.get("/v1/tasks/frame")).cost.standing.state === "open", "it has room again");
  await cost.getByText("20.00 USD").waitFor();
  await page.context().close();
});

test("finished work before its gates is told as such, on Now and on the timeline, and nobody has it once its owner is gone", async () => {
  await server.agent("gil", { capabilities: { gates: 1 } });
  await server.post("/v1/agents/gil/heartbeat");
  const made = await server.submit("Hang the gate", { key: "gate", agent: "gil", gates: [{ kind: "approval" }] });
  const mine = { task: "gate", assignment: made.assignment };
  await server.report("start", mine, "gil");
  await server.report("done", mine, "gil");
  const { id } = await server.get("/v1/tasks/gate");
  const page = await openPage(browser, server, { path: "#/now" });
  const owned = page.locator(".doing li", { hasText: id });
  await owned.waitFor();
  assert.match(await owned.innerText(), /waiting, /);
  const had = async () => {
    await page.goto(`${server.base}/#/timeline?hours=1`);
    const then = page.locator("section[aria-labelledby=then]");
    await then.getByRole("table").waitFor();
    return then.getByRole("row", { name: id });
  };
  await (await had()).getByText("finished, waits for its gates").waitFor();
  await server.ask("DELETE", "/v1/agents/gil");
  await page.goto(`${server.base}/#/now`);
  await (await had()).waitFor({ state: "detached" });
  await page.context().close();
});

test("whoever is called answers under a token of its own, and a person sets its own hours", async () => {
  const own = await Server.start();
  try {
    await fill(own);
    await own.agent("mia", { role: "agent_manager", kind: "person" });
    const { token } = await own.post("/v1/tokens", { access: "agent", agent: "mia" });
    const calls = (await own.get("/v1/escalations?state=open")).items.filter((each) => each.role === "agent_manager");
    const [stuck, other] = [calls.find((each) => each.kind === "handoff_stuck"), calls.find((each) => each.kind !== "handoff_stuck")];
    const page = await openPage(browser, own, { token, path: "#/inbox" });
    const call = page.getByRole("article", { name: `escalation ${other.id}` });
    await call.getByRole("button", { name: "Take on" }).click();
    await call.getByText("taken on by mia").waitFor();
    await call.getByRole("textbox").fill("somebody learns it");
    await call.getByRole("button", { name: "Settle" }).click();
    await call.waitFor({ state: "detached" });
    await page.getByRole("article", { name: "handoff H-1" }).getByRole("button", { name: "Settle" }).click();
    await until(async () => (await own.get("/v1/escalations?state=settled")).items.filter((each) => [stuck.id, other.id].includes(each.id)).length === 2, "both are settled");
    // Who is called for is not every role.
    const { token: bea } = await own.post("/v1/tokens", { access: "agent", agent: "bea" });
    const beside = await openPage(browser, own, { token: bea, path: "#/inbox" });
    await beside.getByRole("heading", { name: "Escalations" }).waitFor();
    assert.equal(await beside.getByRole("button", { name: "Settle" }).count(), 0);
    await page.goto(`${own.base}/#/agents/mia`);
    await page.getByRole("button", { name: "Set hours" }).click();
    await page.getByRole("button", { name: "Set the hours" }).click();
    await page.getByText("09:00-17:00").first().waitFor();
    assert.ok((await own.get("/v1/agents/mia")).hours);
    await page.goto(`${own.base}/#/agents/kim`);
    await page.getByText("It works at any time.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Set hours" }).count(), 0, "those of others are not set");
    for (const each of [page, beside]) await each.context().close();
  } finally {
    await own.stop();
  }
});

test("a person takes a task, begins it, tells how far it is, gives it back and ends it on the task's page", async () => {
  await server.agent("pia", { kind: "person", max_concurrent_tasks: 3 });
  await server.post("/v1/agents/pia/heartbeat");
  const policy = await server.get("/v1/policy");
  await server.ask("PUT", "/v1/policy", { ...policy, claims: "first" });
  await server.submit("Ring the bell", { key: "bell", requires: [{ capability: "bells" }] });
  const bell = () => server.get("/v1/tasks/bell");
  const { token } = await server.post("/v1/tokens", { access: "agent", agent: "pia" });
  const page = await openPage(browser, server, { token, path: "#/task/bell" });
  const own = page.locator("section[aria-labelledby=own]");
  const press = (name) => own.getByRole("button", { name, exact: true }).click();
  await press("Take it");
  await press("Begin");
  await own.getByRole("spinbutton", { name: "Percent done" }).fill("60");
  await own.getByRole("textbox").fill("it hums");
  await press("So far");
  await until(async () => (await bell()).progress_percent === 60, "it is known how far it is");
  assert.equal((await bell()).owner, "pia");
  await press("Give it back");
  await until(async () => (await bell()).state === "ready", "nobody has it");
  await press("Take it");
  await press("Begin");
  assert.equal(await own.getByRole("button", { name: "It failed" }).isDisabled(), true, "that needs a reason");
  await own.getByRole("textbox").fill("it rings");
  await press("Done");
  await until(async () => (await bell()).state === "completed", "it is done");
  assert.equal((await bell()).result, "it rings");
  await own.waitFor({ state: "detached" });
  // What another owns is not answered for.
  await page.goto(`${server.base}/#/task/serve`);
  await page.getByRole("heading", { name: "Serve the list of free rooms" }).waitFor();
  assert.equal(await own.count(), 0);
  await server.ask("PUT", "/v1/policy", { ...(await server.get("/v1/policy")), claims: policy.claims });
  await page.context().close();
});

test("an emergency is shown with what was done about it and ended in the inbox", async () => {
  const { emergency } = await server.post("/v1/emergencies", { kind: "critical_task_failure", task: "sky", reason: "the sky must be painted today" });
  const page = await openPage(browser, server, { path: "#/inbox" });
  const shown = page.getByRole("article", { name: `emergency ${emergency}` });
  await shown.getByText("the sky must be painted today").waitFor();
  // Its call stands beside it.
  const call = (await server.get("/v1/escalations?state=open")).items.find((each) => each.kind === "emergency");
  await shown.getByText(call.id).waitFor();
  assert.equal(await page.getByRole("article", { name: `escalation ${call.id}` }).count(), 0);
  await shown.getByRole("textbox").fill("it rains anyway");
  await shown.getByRole("button", { name: "End it" }).click();
  await until(async () => (await server.get(`/v1/emergencies/${emergency}`)).state !== "open", "it ends");
  await page.context().close();
});

test("a decision is shown with its tally and ruled on in the inbox", async () => {
  const page = await openPage(browser, server, { path: "#/inbox" });
  const [{ id }] = (await server.get("/v1/conflicts?kind=decision_conflict")).items;
  const decision = page.getByRole("article", { name: `decision ${id}` });
  await decision.waitFor();
  const { decision: asked } = await server.get(`/v1/conflicts/${id}`);
  const shown = await decision.getByRole("table", { name: "Support for each option" }).locator("tbody tr").allInnerTexts();
  assert.deepEqual(shown.map((row) => row.match(/\d+ %/)[0]), asked.tally.map(({ support }) => `${Math.round(support * 100)} %`));
  // Somebody is called for it: that stands beside it, not once more among the escalations.
  const { items } = await server.get("/v1/escalations?state=open");
  const call = items.find((each) => each.conflict === id);
  assert.equal(await page.getByRole("article", { name: `escalation ${call.id}` }).count(), 0);
  await page.goto(`${server.base}/#/inbox?open=${call.id}`);
  await page.locator("article.marked", { hasText: "Where do bookings live?" }).waitFor();
  await decision.getByText("2 proposals").click();
  await decision.getByText("there will be more machines").waitFor();
  await decision.getByRole("combobox", { name: `Ruling on ${id}` }).selectOption("postgres");
  await decision.getByRole("textbox", { name: "Why" }).fill("we shall need more machines");
  await decision.getByRole("button", { name: "Rule" }).click();
  await decision.waitFor({ state: "detached" });
  const ruled = await server.get(`/v1/conflicts/${id}`);
  assert.deepEqual([ruled.state, ruled.decision.decided, ruled.decision.decided_by], ["resolved", "postgres", "manager"]);
  assert.equal((await server.get(`/v1/escalations?state=open`)).items.some((each) => each.conflict), false, "the call is over too");
  // With what is settled it is there again, and says how.
  await page.getByRole("checkbox", { name: "also what is settled" }).check();
  await decision.getByText("Decided for postgres by a manager").waitFor();
  await page.context().close();
});

test("a person proposes, and rules where a tally may not, under a token of its own", async () => {
  const { conflict } = await server.post("/v1/decisions", { topic: "What colour is the door?", capability: "docs", irreversible: true });
  const { token } = await server.post("/v1/tokens", { access: "agent", agent: "kim" });
  const page = await openPage(browser, server, { token, path: "#/inbox" });
  const decision = page.getByRole("article", { name: `decision ${conflict}` });
  await decision.getByRole("combobox", { name: `Proposal to ${conflict}` }).fill("green");
  await decision.getByRole("textbox", { name: "Reasons" }).fill("it goes with the wall");
  await decision.getByRole("spinbutton").fill("70");
  await decision.getByRole("button", { name: "Propose" }).click();
  await decision.getByText("1 proposal", { exact: true }).waitFor();
  const [said] = (await server.get(`/v1/conflicts/${conflict}`)).decision.proposals;
  assert.deepEqual([said.agent, said.option, said.confidence, said.score], ["kim", "green", 0.7, 0.6]);
  await decision.getByRole("combobox", { name: `Ruling on ${conflict}` }).fill("green");
  await decision.getByRole("textbox", { name: "Why" }).fill("nobody else minds");
  await decision.getByRole("button", { name: "Rule" }).click();
  await decision.waitFor({ state: "detached" });
  assert.equal((await server.get(`/v1/conflicts/${conflict}`)).decision.decided_by, "kim");
  await page.context().close();
});

test("a handoff that is stuck is called off in the inbox, and another is begun, packed and confirmed", async () => {
  const page = await openPage(browser, server, { path: "#/inbox" });
  const handoff = page.getByRole("article", { name: "handoff H-1" });
  await handoff.waitFor();
  assert.match(await handoff.innerText(), /ada to nobody now.*is stuck: declined/s);
  await handoff.getByRole("textbox", { name: "Why it is called off" }).fill("ada finishes it");
  await handoff.getByRole("button", { name: "Call it off" }).click();
  await handoff.waitFor({ state: "detached" });
  const [off] = (await server.get("/v1/handoffs")).items;
  assert.deepEqual([off.stage, off.outcome, off.reason], ["ended", "cancelled", "ada finishes it"]);
  // On the task's page the next one is begun; the package is shown there once it has come.
  const before = await server.get(`/v1/tasks/${off.task}`);
  assert.equal(before.owner, "ada");
  await page.goto(`${server.base}/#/task/${off.task}`);
  await page.getByRole("button", { name: "Hand over" }).click();
  await page.getByRole("dialog").getByRole("combobox").selectOption("bea");
  await page.getByRole("dialog").getByRole("button", { name: "Hand it over" }).click();
  const next = page.getByRole("article", { name: "handoff H-2" });
  await next.locator("[aria-current=step]", { hasText: "Package due" }).waitFor();
  const packed = { completed: "the list", state: "it serves", remaining: "the filter", context: "see the notes", files: ["none"], reservations: before.reservations || [] };
  await server.post(`/v1/tasks/${off.task}/handoff/package`, { agent: "ada", assignment: before.assignment, ...packed });
  await next.locator("[aria-current=step]", { hasText: "Transferred" }).waitFor();
  assert.match(await next.locator("dl").innerText(), /the list.*it serves.*the filter.*see the notes/s);
  const { token } = await server.post("/v1/tokens", { access: "agent", agent: "bea" });
  const bea = await openPage(browser, server, { token, path: `#/task/${off.task}` });
  await bea.getByRole("article", { name: "handoff H-2" }).getByRole("button", { name: "Confirm" }).click();
  await next.locator("[aria-current=step]", { hasText: "Released" }).waitFor();
  assert.equal((await server.get(`/v1/tasks/${off.task}`)).owner, "bea");
  for (const each of [page, bea]) await each.context().close();
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

test("the columns of a project add up to its tasks", async () => {
  const page = await openPage(browser, server, { path: "#/projects" });
  const rows = page.getByRole("table", { name: "Projects" }).locator("tbody tr");
  await rows.first().waitFor();
  for (const row of await rows.all()) {
    const cells = await row.locator("td").allInnerTexts();
    const [done, all] = cells[2].split(" of ").map(Number);
    assert.equal(done + cells.slice(3, 7).reduce((sum, text) => sum + Number(text), 0), all, cells.join(" | "));
  }
  await page.getByText("running: owned, in review or waiting at a gate").waitFor();
  await page.context().close();
});

test("a pace without anything done lately is no date", async () => {
  const page = await openPage(browser, server, { path: "#/projects/rooms?hours=1" });
  // Twelve steps of a minute: one task a step at first, then nothing.
  await page.route("**/v1/timeline?*", async (route) => {
    const lines = await (await route.fetch()).json();
    const began = Date.parse("2026-01-05T10:00:00Z");
    const at = (minute) => new Date(began + minute * 60_000).toISOString();
    const steps = Array.from({ length: 12 }, (_, step) => ({ at: at(step + 1), position: 1, submitted: 0, completed: step < 6 ? 1 : 0, failed: 0, archived: 0 }));
    await route.fulfill({ json: { ...lines, from: at(0), to: at(12), steps } });
  });
  await page.route("**/v1/projects?*", async (route) => {
    const answer = await (await route.fetch()).json();
    const tasks = Object.fromEntries(Object.keys(answer.items[0].tasks).map((state) => [state, { total: 10, completed: 6, ready: 4 }[state] || 0]));
    await route.fulfill({ json: { ...answer, items: answer.items.map((each) => ({ ...each, tasks })) } });
  });
  await page.reload();
  const burn = page.locator("section[aria-labelledby=burn-up]");
  await burn.getByText("4 tasks left. Not before 8 min from now at the pace of this time; nothing was completed lately.").waitFor();
  const { width } = await burn.locator("path.band").boundingBox();
  const whole = await burn.locator("svg").boundingBox();
  assert.ok(width > whole.width / 4, `the band is ${width} of ${whole.width} px wide`);
  await page.context().close();
});

test("a task that was broken down is done with its parts: it is not left for ever", async () => {
  await server.post("/v1/projects", { name: "parts" });
  await server.submit("All of it", { key: "all", project: "parts", role: "nobody", description: "- [ ] the store\n- [ ] the door" });
  await server.post("/v1/tasks/all/breakdown");
  const { tasks } = (await server.get("/v1/projects")).items.find((project) => project.name === "parts");
  assert.equal(tasks.archived, 1);
  const page = await openPage(browser, server, { path: "#/projects/parts?hours=1" });
  await page.getByText(`0 of ${tasks.total - 1}`, { exact: true }).waitFor();
  const burn = page.locator("section[aria-labelledby=burn-up]");
  await burn.getByText(`${tasks.total - 1} tasks left`).waitFor();
  for (const { id } of (await server.get("/v1/tasks?project=parts")).items.filter((task) => task.state !== "archived")) await server.post(`/v1/tasks/${id}/cancel`, { reason: "enough" });
  await burn.getByText("Nothing is left.").waitFor();
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
  const { first } = await server.get("/v1/timeline?hours=1");
  assert.equal(await page.getByRole("spinbutton", { name: "Position" }).inputValue(), String(first), "the beginning is the beginning");
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

test("the board's filters follow the address and what is on the board", async () => {
  const page = await openPage(browser, server, { path: "#/board?agent=lou" });
  await live(page);
  const agent = page.getByRole("combobox", { name: "Agent" });
  await page.locator(".column").first().waitFor();
  assert.equal(await agent.inputValue(), "lou", "what is asked for is chosen, though nothing is there");
  await agent.selectOption("");
  await server.submit("Given later", { key: "given", requires: [{ capability: "lute", minimum: 0.5 }] });
  await page.locator("[data-card]", { hasText: "Given later" }).waitFor();
  await server.agent("lou", { capabilities: { lute: 0.9 } });
  await server.post("/v1/agents/lou/heartbeat");
  await until(async () => (await server.get("/v1/tasks/given")).owner === "lou", "lou owns it");
  await until(async () => (await agent.locator("option").allInnerTexts()).includes("lou"), "lou can be chosen");
  const box = page.getByRole("searchbox");
  await box.fill("zzz");
  await page.waitForURL(/q=zzz/);
  await page.getByRole("link", { name: "Board", exact: true }).click();
  await until(async () => (await box.inputValue()) === "", "the box is empty again");
  await page.goBack();
  await until(async () => (await box.inputValue()) === "zzz", "it is back");
  await page.goto(`${server.base}/#/timeline?hours=2`);
  assert.equal(await page.getByRole("combobox", { name: "How far back" }).inputValue(), "2");
  await page.context().close();
});

test("an address that cannot be read is shown as it stands", async () => {
  const page = await openPage(browser, server, { path: "#/task/%" });
  await page.getByRole("heading", { name: "%", exact: true }).waitFor();
  await page.getByRole("link", { name: "Board", exact: true }).click();
  await page.goto(`${server.base}/#/agents/100%`);
  await page.getByText("There is no agent of that name.").waitFor();
  await page.context().close();
});
