// What every test needs: the real binary on a fresh data directory (`server.js`), and a browser.

import { chromium } from "playwright-core";

export { Server, until } from "./server.js";

const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

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

/// Tells a measured value: printed beside the tests, not judged by the clock.
export const tell = (context, text) => context.diagnostic(text);

/// Unfolds the table twin of every picture.
export const unfold = (page) => page.evaluate(() => document.querySelectorAll("main details").forEach((details) => (details.open = true)));
