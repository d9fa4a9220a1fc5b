// A team in the middle of its work, played with the backlog and the team of the demo: what the pictures in the docs show.

import { fileURLToPath } from "node:url";

const asset = (name) => fileURLToPath(new URL(`../crates/cli/assets/${name}`, import.meta.url));
const ROUNDS = 14;
const ROUND_MS = 500;

const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

/// Plays it; it takes about ten seconds, so that the timeline has something to show.
export async function play(server) {
  await server.run("team", asset("demo-team.toml"));
  await server.run("import", asset("demo-backlog.jsonl"));
  const agents = (await server.get("/v1/agents")).items.map((agent) => agent.name);
  const soon = new Date(Date.now() + 6 * 3_600_000).toISOString();
  const past = new Date(Date.now() - 2 * 3_600_000).toISOString();
  await server.ask("PATCH", "/v1/tasks/api-5", { deadline: soon });
  await server.ask("PATCH", "/v1/tasks/api-6", { deadline: past });
  await server.post("/v1/channels", { name: "booking", members: agents.slice(0, 5) });
  for (const agent of agents) await server.post(`/v1/agents/${agent}/heartbeat`);
  const at = new Map();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [place, agent] of agents.entries()) {
      for (const fresh of await server.next(agent)) {
        await server.report("start", fresh, agent);
        at.set(fresh.assignment, { ...fresh, agent, round });
      }
      for (const [key, held] of [...at].filter(([, held]) => held.agent === agent)) {
        const worked = round - held.round;
        if (worked < 2 + (place % 3)) await server.report("progress", held, agent, { percent: 25 * worked + 10, note: "tests are green so far" });
        else {
          at.delete(key);
          if ((round + place) % 11 === 0) await server.report("fail", held, agent, { reason: "the build broke on the old browser" });
          else await server.report("done", held, agent, { result: `merged, ${12 + place} tests added` });
        }
      }
    }
    await pause(ROUND_MS);
  }
  await settle(server, [...at.values()], agents);
}

/// Leaves somewhat for a person to do.
async function settle(server, running, agents) {
  const [first, second] = running;
  // Somebody who can takes the one over, and what its first owner reports after that is a late result.
  for (const agent of agents.filter((name) => name !== second.agent)) {
    const moved = await server.post(`/v1/tasks/${second.task}/move`, { agent, note: `${second.agent} is needed elsewhere` }).catch(() => null);
    if (moved) break;
  }
  await server.report("done", second, second.agent, { result: "finished after all: the totals agree" }).catch(() => {});
  await server.submit("Translate the legal notice", { key: "legal", priority: "critical", requires: [{ capability: "law", minimum: 0.5 }] });
  await server.submit("Sign the notice off", { key: "sign", depends_on: ["legal"], requires: [{ capability: "law", minimum: 0.5 }] });
  await server.post("/v1/tasks/legal/dependencies", { on: "sign", source: "imported" });
  const { conflict } = await server.post("/v1/decisions", { topic: "Where do holds of rooms live?", capability: "sql", options: ["a table of their own", "a column of the booking", "in memory"], architectural: true });
  const said = [["bram", "a table of their own", "a hold ends by itself, a booking does not", 0.9], ["chidi", "a table of their own", "the index stays small", 0.7], ["ada", "a column of the booking", "one place to look", 0.6]];
  for (const [agent, option, reasons, confidence] of said) await server.post(`/v1/conflicts/${conflict}/proposals`, { agent, option, reasons, confidence });
  const others = agents.filter((name) => name !== first.agent);
  // Nobody wants the other, so somebody is called.
  await server.post(`/v1/tasks/${first.task}/handoff`, { note: "it needs a second pair of eyes" });
  for (let asked = 0; asked < agents.length; asked += 1) {
    const [handoff] = (await server.get("/v1/handoffs?state=open")).items;
    if (!handoff?.to) break;
    await server.post(`/v1/tasks/${first.task}/handoff/decline`, { agent: handoff.to, reason: "no time before the release" });
  }
  await server.post("/v1/reservations", { agent: others[0], resources: [{ resource: "env:staging", mode: "exclusive" }], ttl_ms: 1_800_000 });
  await server.post("/v1/reservations", { agent: others[1], resources: [{ resource: "env:staging", mode: "exclusive" }], wait: true, wait_ms: 1_800_000 });
  await server.post("/v1/messages", { from: "bram", channel: "booking", text: "The hold table is in. Please rebase before you touch the calendar.", priority: "high", ack: true });
  await server.post("/v1/messages", { from: "dana", channel: "booking", text: "Done, the calendar is on it.", reply_to: "M-1" });
  await server.post("/v1/messages/M-1/ack", { agent: "dana" });
  await server.post("/v1/messages", { to: "ines", text: "Could the guide say what happens when a payment is late?", task: first.task });
}
