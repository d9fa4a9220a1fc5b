// What every test needs: the real binary on a fresh data directory (`server.js`), and a browser.

import { join } from "node:path";
import { chromium } from "playwright-core";
import { BINARY, until } from "./server.js";

export { Server, until } from "./server.js";

/// Where it is set, the page's files are taken from there instead of from the binary, so that they can be tried without a build.
const ASSETS = process.env.KAPELL_ASSETS;
const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const openBrowser = () => chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });

/// A tab of its own, signed in where a server's token is given, that keeps what it asked for and complained about. With `clock` its time can be
/// put forward.
export async function openPage(browser, server, { token = server.token, path = "#/now", clock = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  if (ASSETS) await context.route("**/assets/**", (route) => route.fulfill({ path: join(ASSETS, new URL(route.request().url()).pathname.slice("/assets/".length)) }));
  const page = await context.newPage();
  if (clock) await page.clock.install();
  page.setDefaultTimeout(20_000);
  page.asked = [];
  page.complaints = [];
  page.on("request", (request) => page.asked.push(request.url()));
  // That a project has no forecast yet is an answer, though the browser complains about it.
  page.on("console", (message) => message.type() === "error" && !message.location().url.endsWith("/forecast") && page.complaints.push(message.text()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  await context.addInitScript((token) => {
    if (token) sessionStorage.setItem("kapell.token", token);
  }, token);
  await page.goto(`${server.base}/${path}`);
  return page;
}

/// Waits until the page follows the log.
export const live = (page) => page.locator(".connection.c-live").waitFor();

/// Waits until nothing that is shown is still on its way.
export const ready = (page) => until(async () => (await page.locator("main .loading").count()) === 0, "all of it is loaded");

/// How many times longer than promised anything may take: a build without optimisation is not what was promised for.
const SLACK = Number(process.env.KAPELL_SLACK) || (BINARY.includes("/debug/") ? 3 : 1);

/// Returns how many times longer work takes than on a machine that does nothing else, at most 3: many short pieces of it by the shortest.
function crowd() {
  const pieces = Array.from({ length: 60 }, () => {
    const began = performance.now();
    for (let turn = 0, sum = 0; turn < 200_000; turn += 1) sum = (sum + turn * turn) % 1_000_003;
    return performance.now() - began;
  }).slice(10);
  return Math.min(3, pieces.reduce((sum, piece) => sum + piece, 0) / (pieces.length * Math.min(...pieces)));
}

/// Holds a promise of so many ms: `measure` is done anew, at most `rounds` times, until it keeps to it. What else the machine does
/// meanwhile is not the page's fault: one that gives these tests half of its time has twice as long.
export async function held(context, what, limit, rounds, measure) {
  const told = [];
  for (let kept = false; !kept && told.length < rounds; ) {
    const before = crowd();
    const took = Math.round(await measure());
    const allowed = Math.round(limit * SLACK * Math.max(before, crowd()));
    told.push(`${took} of ${allowed}`);
    kept = took <= allowed;
    if (!kept && told.length === rounds) throw new Error(`${what}: ${told.join(", ")} ms, promised are ${limit}`);
  }
  context.diagnostic(`${what}: ${told.join(", ")} ms, promised are ${limit}`);
}

/// Tells a measured value: printed beside the tests, not judged by the clock.
export const tell = (context, text) => context.diagnostic(text);

/// Unfolds the table twin of every picture.
export const unfold = (page) => page.evaluate(() => document.querySelectorAll("main details").forEach((details) => (details.open = true)));
