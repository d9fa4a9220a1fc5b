// The official inspector's command line, strict about what other clients could not read, over both transports.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import { BINARY, Server } from "../web-tests/server.js";
import { INSPECTOR, NODE, run } from "./programs.js";

/// How many tools the tier of all has, as the documentation says: a test of the server's holds that page true.
const DOCUMENTED = Number(/^\| `all` \| (\d+) \|/m.exec(readFileSync(new URL("../docs/mcp.md", import.meta.url), "utf8"))[1]);

let server;
beforeEach(async () => {
  server = await Server.start();
});
afterEach(() => server?.stop());

/// The transports, as the inspector names a server on each.
const transports = () => ({
  stdio: [[BINARY, "mcp", "--data", server.data, "--tools", "all"], []],
  http: [[`${server.base}/mcp?tools=all`], ["--transport", "http", "--header", `Authorization: Bearer ${server.token}`]],
});

async function inspected(transport, more) {
  const [target, options] = transports()[transport];
  const said = await run([NODE, INSPECTOR, "--cli", ...target, ...options, ...more]);
  return { ...said, answer: said.code === 0 ? JSON.parse(said.out) : null };
}

for (const transport of ["stdio", "http"]) {
  for (const era of ["legacy", "modern"]) {
    test(`the definitions are portable over ${transport}, ${era}`, async () => {
      const { code, out, err, answer } = await inspected(transport, ["--protocol-era", era, "--method", "tools/list", "--strict"]);
      assert.equal(code, 0, out + err);
      assert.equal(answer.tools.length, DOCUMENTED);
      assert.equal(answer.tools[0].name, "join");
    });
  }

  test(`an agent joins and takes a task over ${transport}`, async () => {
    const call = async (tool, given) => {
      const list = Object.entries(given).flatMap(([name, value]) => ["--tool-arg", `${name}=${value}`]);
      const { code, out, err, answer } = await inspected(transport, ["--method", "tools/call", "--tool-name", tool, ...list]);
      assert.equal(code, 0, out + err);
      return answer.structuredContent;
    };
    const { handle } = await call("join", { name: "backend-1" });
    await server.submit("Say hello");
    const [{ task, assignment }] = (await call("next", { handle, wait_seconds: 10 })).assignments;
    assert.equal((await call("done", { handle, task, assignment, result: "seen" })).state, "completed");
    const refused = await inspected(transport, ["--method", "tools/call", "--tool-name", "done", "--tool-arg", `handle=${handle}`, "--tool-arg", `task=${task}`]);
    assert.notEqual(refused.code, 0);
  });
}
