// Coding agents as they come from npm, with a stand-in for their models. Each guide of `docs/agents` is followed: what `kapell join`
// prints goes into the file that it names, and what the guide shows for the runner is what the runner gets.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
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
    once: ["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", PROMPT],
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
  const at = { folder, model: await startModel(), server: await Server.start() };
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

/// The blocks of a guide that are a runner's file.
async function blocks(guide) {
  const text = await readFile(new URL(`../docs/agents/${guide}`, import.meta.url), "utf8");
  return [...text.matchAll(/```toml\n([^]*?)```/g)].map(([, block]) => block);
}

/// Has the runner start an agent as a guide's block says, and looks at what it did.
async function started(known, block) {
  const at = await place(known);
  try {
    const git = (...more) => at.well(["git", "-c", "user.name=Tester", "-c", "user.email=tester@kapell.invalid", ...more]);
    await git("init", "--quiet", "-b", "main");
    await git("commit", "--quiet", "--allow-empty", "-m", "first");
    const handed = Object.keys(known.env(at.model)).map((variable) => JSON.stringify(variable));
    await writeFile(join(at.folder, "kapell.toml"), `repository = "work"\nstate = "state"\nenv = [${handed.join(", ")}]\n${block}`);
    const file = join(at.folder, "kapell.toml");
    await at.well(["kapell", "run", "--check", file]);
    await at.server.submit("Write hello.txt");
    const runner = spawn(join(at.bin, "kapell"), ["run", file], { cwd: at.work, env: at.env, stdio: ["ignore", "ignore", "pipe"] });
    let told = "";
    runner.stderr.on("data", (bytes) => (told += bytes));
    const ended = new Promise((resolve) => runner.once("exit", resolve));
    try {
      const over = async () => {
        const task = await at.server.get("/v1/tasks/T-1");
        return ["completed", "failed"].includes(task.state) && task;
      };
      const asked = () => at.model.asked.map(({ path, tools, decided }) => `${path} ${tools} ${JSON.stringify(decided)}`).join("\n");
      const task = await until(over, "the task is over", 120_000).catch((error) => assert.fail(`${error}\n${told}\n${asked()}`));
      assert.equal(task.state, "completed", `${told}\n${asked()}`);
      assert.match(task.result, new RegExp(SAID), told);
    } finally {
      runner.kill("SIGINT");
      assert.equal(await ended, 0, told);
    }
    const branch = (await git("branch", "--list", "--format=%(refname:short)", "kapell/*")).trim();
    assert.equal(await git("show", `${branch}:hello.txt`), WRITTEN);
  } finally {
    await at.close();
  }
}

for (const [name, known] of Object.entries(KNOWN)) {
  test(`the runner starts ${name} as its guide says`, async () => started(known, (await blocks(known.guide))[0]));
}

for (const name of ["gemini", "opencode"]) {
  test(`the runner drives ${name} over the Agent Client Protocol as its guide says`, async () => started(KNOWN[name], (await blocks(KNOWN[name].guide))[1]));
}
