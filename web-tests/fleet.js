// A fleet in which every view has something to show.

import assert from "node:assert/strict";

export const HOSTILE = `"><img src=x onerror="globalThis.struck=1"><script>globalThis.struck=1</script>{{nonce}}\${1}`;

/// Three agents, two projects, tasks in every state, an open escalation, a late result, a cycle that was broken, resources, a decision
/// that only a person may make, a handoff that is stuck, and a channel with a thread.
export async function fill(server) {
  await server.agent("ada", { role: "developer", capabilities: { rust: 0.9, sql: 0.7 }, max_concurrent_tasks: 2 });
  await server.agent("bea", { role: "reviewer", capabilities: { rust: 0.8, docs: 0.9 }, max_concurrent_tasks: 2 });
  await server.agent("kim", { role: "maintainer", kind: "person", capabilities: { docs: 0.6 } });
  for (const [name, title] of [["rooms", "The list of free rooms"], ["guests", "What guests see"]]) {
    await server.post("/v1/projects", { name, title });
  }
  const rust = [{ capability: "rust" }];
  await server.submit("Serve the list of free rooms", { key: "serve", project: "rooms", requires: rust, priority: "high", estimate_hours: 3, resources: [{ resource: "path:src/rooms/**", mode: "exclusive" }] });
  await server.submit("Keep bookings apart", { key: "apart", project: "rooms", requires: rust, estimate_hours: 5 });
  await server.submit("Check it under load", { key: "load", project: "rooms", requires: rust, depends_on: ["serve", "apart"], estimate_hours: 2 });
  await server.submit("Write down how it is used", { key: "write", project: "guests", requires: [{ capability: "docs" }], depends_on: ["load"], deadline: "2020-01-01T00:00:00Z" });
  await server.submit("Later", { key: "later", project: "guests", not_before: "2099-01-01T00:00:00Z" });
  await server.submit("Not wanted", { key: "unwanted", project: "guests" });
  await server.post("/v1/tasks/unwanted/cancel", { reason: "nobody asks for it" });
  await server.submit("Draw the sky", { key: "sky", priority: "critical", requires: [{ capability: "paint", minimum: 0.5 }], labels: ["art"] });
  await server.submit(HOSTILE, { key: "hostile", description: HOSTILE, labels: [HOSTILE.slice(0, 90)], requires: [{ capability: "paint", minimum: 0.5 }] });
  await server.submit("Paint the door", { key: "door", requires: [{ capability: "docs" }, { capability: "paint" }] });
  const egg = [{ capability: "paint", minimum: 0.5 }];
  await server.submit("Lay the egg", { key: "egg", requires: egg, priority: "low" });
  await server.submit("Hatch the hen", { key: "hen", requires: egg, depends_on: ["egg"] });
  // Each waits for the other now, so one of the waits is taken out.
  await server.post("/v1/tasks/egg/dependencies", { on: "hen", source: "imported" });
  await server.post("/v1/agents/kim/heartbeat");
  const [first] = await server.next("ada");
  await server.report("start", first, "ada");
  await server.report("progress", first, "ada", { percent: 40, note: HOSTILE });
  // What bea reports after the task was taken from it is kept as a late result.
  const [second] = await server.next("bea");
  await server.report("start", second, "bea");
  await server.post(`/v1/tasks/${second.task}/move`, { agent: "ada", note: "bea is away" });
  await assert.rejects(server.report("done", second, "bea", { result: `done after all ${HOSTILE}` }), /stale_assignment/);
  const { conflict } = await server.post("/v1/decisions", { topic: `Where do bookings live? ${HOSTILE}`, capability: "rust", options: ["sqlite", "postgres"], architectural: true, tasks: ["later"] });
  await server.post(`/v1/conflicts/${conflict}/proposals`, { agent: "ada", option: "sqlite", reasons: HOSTILE, confidence: 0.9 });
  await server.post(`/v1/conflicts/${conflict}/proposals`, { agent: "bea", option: "postgres", reasons: "there will be more machines", confidence: 0.6 });
  // Nobody else can take it, so somebody is called.
  await server.post(`/v1/tasks/${first.task}/handoff`, { to: "bea", note: "bea knows the rooms" });
  await server.post(`/v1/tasks/${first.task}/handoff/decline`, { agent: "bea", reason: "no time this week" });
  await server.post("/v1/channels", { name: "rooms", members: ["ada", "bea", "kim"] });
  await server.post("/v1/messages", { from: "ada", channel: "rooms", text: `Which rooms first? ${HOSTILE}`, task: "serve", priority: "high", ack: true });
  await server.post("/v1/messages", { from: "bea", channel: "rooms", text: "Those with a view.", reply_to: "M-1" });
  await server.post("/v1/messages", { to: "kim", text: "Please look at the wording.", task: "write" });
}
