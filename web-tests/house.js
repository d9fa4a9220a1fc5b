// What every test needs: the real binary on a fresh data directory (`server.js`), and a browser.

import { join } from "node:path";
import { chromium } from "playwright-core";
import { BINARY } from "./server.js";

export { Server, until } from "./server.js";

/// Where it is set, the page's files are taken from there instead of from the binary, so that they can be tried without a build.
const ASSETS = process.env.KAPELL_ASSETS;
const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const openBrowser = () => chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });

/// A tab of its own, signed in where a server's token is given, that keeps what it asked for and complained about.
export async function openPage(browser, server, { token = server.token, path = "#/now", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  if (ASSETS) await context.route("**/assets/**", (route) => route.fulfill({ path: join(ASSETS, new URL(route.request().url()).pathname.slice("/assets/".length)) }));
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

/// How many times longer than promised anything may take: a build without optimisation is not what was promised for.
const SLACK = Number(process.env.KAPELL_SLACK) || (BINARY.includes("/debug/") ? 10 : 1);

/// Holds a promise of so many ms: `measure` is done anew, at most `rounds` times, until it keeps to it. What else the machine does
/// meanwhile is not the page's fault; what the page itself needs every time is.
export async function held(context, what, limit, rounds, measure) {
  const took = [];
  while (took.length < rounds) {
    took.push(Math.round(await measure()));
    if (took.at(-1) <= limit * SLACK) break;
  }
  context.diagnostic(`${what}: ${took.join(", ")} ms; promised are ${limit}`);
  if (took.at(-1) > limit * SLACK) throw new Error(`${what}: ${took.join(", ")} ms, at most ${limit * SLACK} are allowed`);
}

/// Tells a measured value: printed beside the tests, not judged by the clock.
export const tell = (context, text) => context.diagnostic(text);

/// Unfolds the table twin of every picture.
export const unfold = (page) => page.evaluate(() => document.querySelectorAll("main details").forEach((details) => (details.open = true)));
