// The real binary on a fresh data directory, and a client of its API.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const BINARY = process.env.KAPELL_BIN || new URL("../target/debug/kapell", import.meta.url).pathname;

/// A server of its own, which can be ended and started again on the same address.
export class Server {
  /// `more` stands at the end of its command line.
  static async start(more = []) {
    const server = new Server();
    server.more = more;
    server.data = await mkdtemp(join(tmpdir(), "kapell-web-"));
    await server.up("127.0.0.1:0");
    server.token = (await readFile(join(server.data, "admin.token"), "utf8")).trim();
    return server;
  }

  async up(listen = this.address) {
    this.process = spawn(BINARY, ["up", "--data", this.data, "--listen", listen, ...this.more], { stdio: ["ignore", "ignore", "pipe"] });
    this.ended = new Promise((resolve) => this.process.once("exit", resolve));
    let said = "";
    this.address = await new Promise((resolve, reject) => {
      this.process.once("error", reject);
      this.process.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
      this.process.stderr.on("data", (bytes) => {
        said += bytes;
        const found = said.match(/listens on http:\/\/(\S+)/);
        if (found) resolve(found[1]);
      });
    });
    this.base = `http://${this.address}`;
  }

  /// Ends it without a word.
  async kill() {
    this.process.kill("SIGKILL");
    await this.ended;
  }

  async stop() {
    await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }

  async ask(method, path, body, token = this.token) {
    const headers = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    const answer = await fetch(this.base + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (answer.status === 503 && method === "GET") {
      await new Promise((wake) => setTimeout(wake, JSON.parse(text).retry_after_ms || 250));
      return this.ask(method, path, body, token);
    }
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /// Runs the command line against it.
  async run(...line) {
    const { stdout } = await promisify(execFile)(BINARY, [...line, "--data", this.data]);
    return stdout;
  }

  get = (path) => this.ask("GET", path);
  post = (path, body = {}) => this.ask("POST", path, body);

  /// Sends many commands at once; each must be taken.
  async bulk(lines) {
    const answers = [];
    for (let from = 0; from < lines.length; from += 5000) {
      const answer = await fetch(`${this.base}/v1/bulk`, {
        method: "POST",
        headers: { authorization: `Bearer ${this.token}`, "content-type": "application/x-ndjson" },
        body: lines.slice(from, from + 5000).map((line) => JSON.stringify(line)).join("\n"),
      });
      if (!answer.ok) throw new Error(`bulk: ${answer.status} ${await answer.text()}`);
      answers.push(...(await answer.text()).trim().split("\n").map((line) => JSON.parse(line)));
    }
    const refused = answers.find((answer) => answer.error);
    if (refused) throw new Error(`bulk: ${JSON.stringify(refused)}`);
    return answers;
  }

  submit = (title, more = {}) => this.post("/v1/tasks", { title, ...more });
  agent = (name, more = {}) => this.post("/v1/agents", { name, ...more });

  /// An agent calls in and gets what it is given.
  next = async (agent) => (await this.post(`/v1/agents/${agent}/next`)).assignments;

  report = (verb, { task, assignment }, agent, more = {}) => this.post(`/v1/tasks/${task}/${verb}`, { agent, assignment, ...more });
}

/// Waits until `look` gives something true, and returns it.
export async function until(look, what, ms = 20_000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}
