// What every test needs: the real binary on a fresh data directory, a client of its API, and a browser.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const BINARY = process.env.KAPELL_BIN || new URL("../target/debug/kapell", import.meta.url).pathname;
const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/// A server of its own, which can be ended and started again on the same address.
export class Server {
  static async start() {
    const server = new Server();
    server.data = await mkdtemp(join(tmpdir(), "kapell-web-"));
    await server.up("127.0.0.1:0");
    server.token = (await readFile(join(server.data, "admin.token"), "utf8")).trim();
    return server;
  }

  async up(listen = this.address) {
    this.process = spawn(BINARY, ["up", "--data", this.data, "--listen", listen], { stdio: ["ignore", "ignore", "pipe"] });
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
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
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

export const openBrowser = () => chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });

/// A tab of its own, signed in where a server's token is given, that keeps what it asked for and complained about.
export async function openPage(browser, server, { token = server.token, path = "#/now", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.asked = [];
  page.complaints = [];
  page.on("request", (request) => page.asked.push(request.url()));
  page.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  await context.addInitScript((token) => {
    if (token) sessionStorage.setItem("kapell.token", token);
  }, token);
  await page.goto(`${server.base}/${path}`);
  return page;
}

/// Waits until the page follows the log.
export const live = (page) => page.locator(".connection.c-live").waitFor();

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

/// Tells a measured value: printed beside the tests, not judged by the clock.
export const tell = (context, text) => context.diagnostic(text);

/// Unfolds the table twin of every picture.
export const unfold = (page) => page.evaluate(() => document.querySelectorAll("main details").forEach((details) => (details.open = true)));
