// The official conformance suite of the Model Context Protocol, at both of its eras.
//
// Most scenarios call tools, prompts and resources of fixed names: `kapell up --mcp-fixtures` serves them behind the doors and the
// transport of the product. What needs none of them is run on the product as it is.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Server } from "../web-tests/server.js";
import { CONFORMANCE, doorway, NODE, run } from "./programs.js";

/// Scenarios of each revision.
const SCENARIOS = { "2025-11-25": 33, "2026-07-28": 40 };
/// What needs no fixtures, or few: what cannot be tested without them the suite says itself.
const PLAIN = {
  "2025-11-25": [
    "server-initialize", "server-session-lifecycle", "ping", "completion-complete", "tools-list", "resources-list", "prompts-list",
    "server-sse-polling", "server-sse-multiple-streams", "dns-rebinding-protection",
  ],
  "2026-07-28": [
    "completion-complete", "tools-list", "resources-list", "prompts-list", "server-sse-multiple-streams", "dns-rebinding-protection", "caching",
    "http-header-validation", "sep-2164-resource-not-found", "input-required-result-unsupported-methods", "server-stateless",
  ],
};

/// Runs scenarios against a server and returns the checks of each by its name.
async function judged(server, revision, more) {
  const door = await doorway(server);
  const results = await mkdtemp(join(tmpdir(), "kapell-conformance-"));
  try {
    const said = await run([NODE, CONFORMANCE, "server", "--url", door.url, "--spec-version", revision, "-o", results, ...more], { ms: 300_000 });
    const found = new Map();
    for (const folder of await readdir(results)) {
      const name = folder.match(/^server-(.*)-\d{4}-\d\d-\d\dT/)?.[1];
      assert.ok(name, `a folder of another shape: ${folder}`);
      found.set(name, JSON.parse(await readFile(join(results, folder, "checks.json"), "utf8")));
    }
    assert.ok(found.size > 0, `no scenario was run: ${said.out} ${said.err}`);
    return found;
  } finally {
    door.close();
    await rm(results, { recursive: true, force: true });
  }
}

/// Warnings that there are no sessions: there are none, on purpose.
const SESSIONS = ["server-sse-polling-session", "server-sse-multiple-streams-session"];

/// Returns what was found wrong, warnings too.
const wrong = (checks) =>
  checks
    .filter(({ status }) => status === "FAILURE" || status === "WARNING")
    .map(({ id, status, errorMessage }) => `${status} ${id}: ${errorMessage}`);

for (const [revision, count] of Object.entries(SCENARIOS)) {
  test(`all scenarios of ${revision} behind the product's doors`, async (context) => {
    const server = await Server.start(["--mcp-fixtures"]);
    try {
      const found = await judged(server, revision, ["--suite", "all"]);
      for (const [name, checks] of found) await context.test(`${revision} ${name}`, () => assert.deepEqual(wrong(checks), []));
      assert.equal(found.size, count);
    } finally {
      await server.stop();
    }
  });

  test(`scenarios of ${revision} without fixtures on the product as it is`, async (context) => {
    const server = await Server.start();
    try {
      for (const scenario of PLAIN[revision]) {
        await context.test(`${revision} ${scenario}`, async () => {
          const found = await judged(server, revision, ["--scenario", scenario]);
          const meant = ({ id, details }) => !SESSIONS.includes(id) && !details?.untestable;
          assert.deepEqual(wrong([...found.values()].flat().filter(meant)), []);
        });
      }
    } finally {
      await server.stop();
    }
  });
}
