// What is written in the page reaches whom it is for, and shows who has read it.

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

test("a channel shows its threads, who must acknowledge, and an answer goes into its thread", async () => {
  const page = await openPage(browser, server, { path: "#/channels" });
  await page.getByRole("navigation", { name: "Channels" }).getByRole("link", { name: /#rooms/ }).click();
  const thread = page.getByRole("article", { name: "thread M-1" });
  await thread.getByText("Those with a view.").waitFor();
  await thread.getByText("to be acknowledged by 2").click();
  await thread.getByText("Waits for bea, kim.").waitFor();
  assert.equal(await page.getByText("Please look at the wording.").count(), 0, "what went elsewhere is not in the channel");
  await thread.getByRole("button", { name: "Answer M-2" }).click();
  await thread.getByRole("textbox").fill("Both, then.");
  await thread.getByRole("button", { name: "Send" }).click();
  await thread.getByText("Both, then.").waitFor();
  const [last] = (await server.get("/v1/messages?channel=rooms")).items;
  assert.deepEqual([last.text, last.thread, last.from, last.unread], ["Both, then.", "M-1", undefined, 3]);
  await page.context().close();
});

test("a person reads, acknowledges, answers and leaves under a token of its own", async () => {
  const { token } = await server.post("/v1/tokens", { access: "agent", agent: "kim" });
  const page = await openPage(browser, server, { token, path: "#/channels" });
  const own = page.locator("section[aria-labelledby=own]");
  await own.getByRole("button", { name: "Acknowledge", exact: true }).click();
  await until(async () => !(await server.get("/v1/messages/M-1")).unread_by?.includes("kim"), "it is acknowledged");
  await own.getByRole("button", { name: "All of it is read" }).click();
  await own.getByText("Nothing is to be read.").waitFor();
  assert.deepEqual((await server.get("/v1/agents/kim/messages")).items, []);
  await page.getByRole("form", { name: "Write to an agent" }).getByRole("combobox", { name: "To" }).selectOption("ada");
  await page.getByRole("form", { name: "Write to an agent" }).getByRole("textbox").fill("The wording is fine.");
  await page.getByRole("checkbox", { name: "must be acknowledged" }).check();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("article").getByText("The wording is fine.").waitFor();
  const [sent] = (await server.get("/v1/messages")).items;
  assert.deepEqual([sent.from, sent.to, sent.ack, sent.unread], ["kim", "ada", true, 1]);
  // What ada does is seen without asking.
  await server.post(`/v1/messages/${sent.id}/ack`, { agent: "ada" });
  await page.getByRole("article", { name: `thread ${sent.id}` }).getByText("acknowledged", { exact: true }).waitFor();
  await page.goto(`${server.base}/#/channels/rooms`);
  await page.getByRole("button", { name: "Take kim out of rooms" }).click();
  await until(async () => !(await server.get("/v1/channels")).items[0].members.includes("kim"), "it has left");
  assert.equal(await page.getByRole("button", { name: "Take ada out of rooms" }).count(), 0, "others are not its own");
  await page.context().close();
});

test("a channel is made, and a message about a task stands on the task's page", async () => {
  const page = await openPage(browser, server, { path: "#/channels" });
  await page.getByText("Make a channel").click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("doors");
  await page.getByRole("textbox", { name: "Members, by name" }).fill("bea, kim");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("link", { name: /#doors/ }).waitFor();
  await page.goto(`${server.base}/#/task/serve`);
  await live(page);
  const about = page.locator("section[aria-labelledby=messages]");
  await about.getByText("Which rooms first?").waitFor();
  await about.getByRole("textbox").fill("Is it nearly there?");
  await about.getByRole("combobox", { name: "To" }).selectOption("ada");
  await about.getByRole("button", { name: "Send" }).click();
  await about.getByRole("article").getByText("Is it nearly there?").waitFor();
  const [sent] = (await server.get("/v1/messages?task=serve")).items;
  assert.deepEqual([sent.to, sent.text], ["ada", "Is it nearly there?"]);
  // What it was told by the orchestrator stands there too.
  await about.locator("summary", { hasText: "notice" }).click();
  await about.getByText("was told").first().waitFor();
  await page.context().close();
});
