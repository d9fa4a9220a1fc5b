// Coding agents as they come from npm, with a stand-in for their models. Each guide of `docs/agents` is followed: what `kapell join`
// prints goes into the file that it names, and what the guide shows for the runner is what the runner gets.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { BINARY, Server, until } from "../web-tests/server.js";
import { RESULT, SAID, startModel, TASKS, WRITTEN } from "./model.js";
import { AGENTS, run } from "./programs.js";

const PROMPT = "Join Kapell and work off its tasks.";

/// How each is led to the stand-in, where its entry for Kapell goes, and how it is asked once. `files` are its own, in its home.
const KNOWN = {
  claude: {
    guide: "claude-code.md",
    env: (model) => ({
      ANTHROPIC_BASE_URL: model.base, ANTHROPIC_API_KEY: "none", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", MCP_CONNECTION_NONBLOCKING: "false",
    }),
    files: () => ({}),
    entry: ({ work }) => join(work, ".mcp.json"),
    once: ["claude", "-p", PROMPT, "--mcp-config", ".mcp.json", "--allowedTools", "mcp__kapell"],
  },
  codex: {
    guide: "codex.md",
    env: () => ({}),
    files: (model) => ({
      ".codex/config.toml":
        `model = "stand-in"\nmodel_provider = "stand-in"\n\n[model_providers.stand-in]\nname = "stand-in"\nbase_url = "${model.base}/v1"\nwire_api = "responses"\n\n`,
    }),
    entry: ({ home }) => join(home, ".codex/config.toml"),
    once: ["codex", "exec", "--skip-git-repo-check", PROMPT],
  },
  gemini: {
    guide: "gemini-cli.md",
    env: (model) => ({ GEMINI_API_KEY: "none", GOOGLE_GEMINI_BASE_URL: model.base }),
    files: () => ({ ".gemini/settings.json": JSON.stringify({ security: { auth: { selectedType: "gemini-api-key" } } }) }),
    entry: ({ home }) => join(home, ".gemini/settings.json"),
    once: ["gemini", "--approval-mode", "yolo", "--skip-trust", "-p", PROMPT],
  },
  opencode: {
    guide: "opencode.md",
    env: () => ({}),
    files: (model) => {
      const options = { baseURL: `${model.base}/v1`, apiKey: "none" };
      const provider = { "stand-in": { npm: "@ai-sdk/openai-compatible", options, models: { "stand-in": {} } } };
      return { ".config/opencode/opencode.json": JSON.stringify({ model: "stand-in/stand-in", provider }) };
    },
    entry: ({ work }) => join(work, "opencode.json"),
    once: ["opencode", "run", PROMPT],
  },
};

/// A server, a stand-in, a home, a directory to work in, and the agents on the path.
async function place(known) {
  const folder = await mkdtemp(join(tmpdir(), "kapell-agents-"));
  // The server first: a stand-in that is left over keeps the tests from ending.
  const server = await Server.start();
  const at = { folder, server, model: await startModel() };
  for (const name of ["home", "work", "bin"]) {
    at[name] = join(folder, name);
    await mkdir(at[name]);
  }
  for (const [name, program] of Object.entries({ ...AGENTS, kapell: BINARY })) await symlink(program, join(at.bin, name));
  for (const [path, text] of Object.entries(known.files(at.model))) await added(join(at.home, path), text);
  at.env = { PATH: `${at.bin}:${process.env.PATH}`, HOME: at.home, KAPELL_DATA: at.server.data, ...known.env(at.model) };
  at.run = (line, more = {}) => run(line, { cwd: at.work, env: at.env, ...more });
  at.well = async (line) => {
    const said = await at.run(line);
    assert.equal(said.code, 0, `${line.join(" ")}\n${said.out}\n${said.err}`);
    return said.out;
  };
  at.close = async () => {
    at.model.close();
    await at.server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return at;
}

/// Puts a text into a file beside what is there.
async function added(path, text) {
  await mkdir(dirname(path), { recursive: true });
  const before = await readFile(path, "utf8").catch(() => "");
  const joined = before && path.endsWith(".json") ? JSON.stringify({ ...JSON.parse(before), ...JSON.parse(text) }) : before + text;
  await writeFile(path, joined);
}

for (const [name, known] of Object.entries(KNOWN)) {
  for (const transport of ["stdio", "http"]) {
    test(`${name} joins by itself over ${transport}, takes tasks and reports them done`, async () => {
      const at = await place(known);
      try {
        for (let number = 1; number <= TASKS; number += 1) await at.server.submit(`Say hello ${number}`);
        const own = transport === "http" ? ["--own-token"] : [];
        const entries = JSON.parse(await at.well(["kapell", "join", "backend-1", "--for", name, "--json", ...own]));
        await added(known.entry(at), entries.find((entry) => entry.transport === transport).text);
        const said = await at.run(known.once);
        const asked = () => at.model.asked.map(({ path, decided }) => `${path} ${JSON.stringify(decided)}`).join("\n");
        assert.equal(said.code, 0, `${said.out}\n${said.err}\n${asked()}`);
        assert.match(said.out, new RegExp(SAID), asked());
        for (let number = 1; number <= TASKS; number += 1) {
          const { state, result, finished_by: by } = await at.server.get(`/v1/tasks/T-${number}`);
          assert.deepEqual({ state, result, by }, { state: "completed", result: RESULT, by: "backend-1" }, asked());
        }
      } finally {
        await at.close();
      }
    });
  }
}

const read = (guide) => readFile(new URL(`../docs/agents/${guide}`, import.meta.url), "utf8");

test("Claude Code is set up by its own command and told at its start what is its own, as its guide says", async () => {
  const at = await place(KNOWN.claude);
  try {
    const text = await read(KNOWN.claude.guide);
    const [command] = text.match(/claude mcp add .*/);
    const [hook] = text.match(/\{"hooks"[^`]*?\}\]\}\]\}\}/);
    for (let number = 1; number <= TASKS; number += 1) await at.server.submit(`Say hello ${number}`);
    await at.server.agent("backend-1");
    await at.well(command.split(" "));
    await added(join(at.work, ".claude/settings.json"), hook);
    await at.well(["claude", "-p", PROMPT, "--allowedTools", "mcp__kapell"]);
    assert.match(JSON.stringify(at.model.asked[0].asked.messages), /# You are backend-1/);
    assert.equal((await at.server.get(`/v1/tasks/T-${TASKS}`)).state, "completed");
    assert.equal((await at.server.get("/v1/agents/backend-1")).state, "offline", "it has signed off at its end");
  } finally {
    await at.close();
  }
});

/// The blocks of a guide that are a runner's file.
async function blocks(guide) {
  const text = await read(guide);
  return [...text.matchAll(/```toml\n([^]*?)```/g)].map(([, block]) => block);
}

/// The variable by which processes of a runner and its agents are found.
const MARK = "KAPELL_TEST_MARK";

/// Returns the processes that carry the mark of a place.
async function marked(at) {
  const found = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(`${MARK}=${at.folder}`)) found.push(pid);
  }
  return found;
}

/// A repository, a task and a runner's file with a guide's block.
async function prepared(known, block) {
  const at = await place(known);
  at.env[MARK] = at.folder;
  at.git = (...more) => at.well(["git", "-c", "user.name=Tester", "-c", "user.email=tester@kapell.invalid", ...more]);
  await at.git("init", "--quiet", "-b", "main");
  await at.git("commit", "--quiet", "--allow-empty", "-m", "first");
  const handed = [MARK, ...Object.keys(known.env(at.model))].map((variable) => JSON.stringify(variable));
  at.file = join(at.folder, "kapell.toml");
  await writeFile(at.file, `repository = "work"\nstate = "state"\nenv = [${handed.join(", ")}]\n${block}`);
  await at.well(["kapell", "run", "--check", at.file]);
  await at.server.submit("Write hello.txt");
  at.told = "";
  return at;
}

function runner(at) {
  const child = spawn(join(at.bin, "kapell"), ["run", at.file], { cwd: at.work, env: at.env, stdio: ["ignore", "ignore", "pipe"] });
  child.stderr.on("data", (bytes) => (at.told += bytes));
  child.ended = new Promise((resolve) => child.once("exit", resolve));
  return child;
}

/// Waits until the task is over, stops the runner, and looks at what was done.
async function finished(at, child) {
  try {
    const over = async () => {
      const task = await at.server.get("/v1/tasks/T-1");
      return ["completed", "failed"].includes(task.state) && task;
    };
    const asked = () => at.model.asked.map(({ path, tools, decided }) => `${path} ${tools} ${JSON.stringify(decided)}`).join("\n");
    const task = await until(over, "the task is over", 120_000).catch((error) => assert.fail(`${error}\n${at.told}\n${asked()}`));
    assert.equal(task.state, "completed", `${at.told}\n${asked()}`);
    assert.equal(task.attempts, 1);
    assert.match(task.result, new RegExp(SAID), at.told);
  } finally {
    child.kill("SIGINT");
    assert.equal(await child.ended, 0, at.told);
  }
  const branch = (await at.git("branch", "--list", "--format=%(refname:short)", "kapell/*")).trim();
  assert.equal(await at.git("show", `${branch}:hello.txt`), WRITTEN);
  assert.deepEqual(await marked(at), [], "nobody is left running");
}

/// Has the runner start an agent as a guide's block says, and looks at what it did.
async function started(known, block) {
  const at = await prepared(known, block);
  try {
    await finished(at, runner(at));
  } finally {
    await at.close();
  }
}

for (const name of ["claude", "opencode"]) {
  test(`a runner that is killed while ${name} works leaves nobody, and the next goes on`, async () => {
    const known = KNOWN[name];
    const at = await prepared(known, (await blocks(known.guide))[0]);
    try {
      at.model.hold();
      const first = runner(at);
      await until(() => at.model.asked.length > 0, "the agent asks its model", 120_000);
      assert.ok((await marked(at)).length >= 3, "the runner, a supervisor and the agent run");
      first.kill("SIGKILL");
      await first.ended;
      await until(async () => (await marked(at)).length === 0, "nobody is left running", 60_000);
      const { state, attempts } = await at.server.get("/v1/tasks/T-1");
      assert.deepEqual([state, attempts], ["in_progress", 1]);
      at.model.release();
      await finished(at, runner(at));
    } finally {
      at.model.release?.();
      await at.close();
    }
  });
}

for (const [name, known] of Object.entries(KNOWN)) {
  test(`the runner starts ${name} as its guide says`, async () => started(known, (await blocks(known.guide))[0]));
}

for (const name of ["gemini", "opencode"]) {
  test(`the runner drives ${name} over the Agent Client Protocol as its guide says`, async () => started(KNOWN[name], (await blocks(KNOWN[name].guide))[1]));
}
