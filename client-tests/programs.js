// Programs of others, and how they are run.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer, request } from "node:http";

const inside = (path) => new URL(`node_modules/${path}`, import.meta.url).pathname;

/// A Node that is new enough for all of them.
export const NODE = [inside(`node-linux-${process.arch}/bin/node`)].find(existsSync) ?? process.execPath;
export const CONFORMANCE = inside("@modelcontextprotocol/conformance/dist/index.js");
export const INSPECTOR = inside("@modelcontextprotocol/inspector/clients/launcher/build/index.js");

/// The coding agents, by the names under which their guides call them. Their packages fetch these at installation by scripts, which are not run.
export const AGENTS = {
  claude: inside(`@anthropic-ai/claude-code-linux-${process.arch}/claude`),
  codex: inside("@openai/codex/bin/codex.js"),
  gemini: inside("@google/gemini-cli/bundle/gemini.js"),
  opencode: inside(`opencode-linux-${process.arch}/bin/opencode`),
};

/// Runs a command line to its end; `ms` is the longest that it may take.
export function run(line, { ms = 120_000, input, ...options } = {}) {
  const [program, ...rest] = line;
  const child = spawn(program, rest, { stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"], ...options });
  if (input !== undefined) child.stdin.end(input);
  const said = { out: "", err: "" };
  child.stdout.on("data", (bytes) => (said.out += bytes));
  child.stderr.on("data", (bytes) => (said.err += bytes));
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${line.join(" ")} does not end\n${said.out}\n${said.err}`));
    }, ms);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(late);
      resolve({ code, ...said });
    });
  });
}

/// A door before a server that adds its token to each request and changes nothing else: the suite of the protocol cannot send one.
export async function doorway(server) {
  const [hostname, port] = server.address.split(":");
  const door = createServer((asked, answer) => {
    const headers = { ...asked.headers, authorization: `Bearer ${server.token}` };
    const passed = request({ hostname, port, method: asked.method, path: asked.url, headers, setHost: false }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      answer.flushHeaders();
      response.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    asked.pipe(passed);
  });
  await new Promise((resolve) => door.listen(0, "127.0.0.1", resolve));
  return { url: `http://localhost:${door.address().port}/mcp`, close: () => door.close() };
}
