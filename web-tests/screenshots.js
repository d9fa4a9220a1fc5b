// Makes the pictures of the docs: `npm run screenshots`, with KAPELL_BIN naming the binary. They go into docs/images, as WebP.

import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { live, openBrowser, openPage, ready, Server } from "./house.js";
import { play } from "./scene.js";

const INTO = process.argv[2] || fileURLToPath(new URL("../docs/images", import.meta.url));

/// Name, address, theme, width and height, and what is done before the picture is taken.
const PICTURES = [
  ["now", "now", "light", 1280, 800],
  ["board", "board", "light", 1280, 800],
  ["board-dark", "board", "dark", 1280, 800],
  ["task", "task/TASK", "light", 1280, 900],
  ["inbox", "inbox", "light", 1280, 900],
  ["channels", "channels/booking", "light", 1280, 640],
  ["graph", "graph", "dark", 1280, 800],
  ["timeline", "timeline?hours=1", "light", 1280, 900],
  ["resources", "resources", "light", 1280, 560],
  ["policy", "policy", "light", 1280, 620],
  ["narrow", "now", "dark", 360, 740],
];

/// Returns a PNG as WebP, which the browser itself can write.
async function smaller(page, png) {
  const text = await page.evaluate(async (source) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.85);
  }, `data:image/png;base64,${png.toString("base64")}`);
  return Buffer.from(text.split(",")[1], "base64");
}

const [browser, server] = [await openBrowser(), await Server.start()];
try {
  await mkdir(INTO, { recursive: true });
  await play(server);
  const task = (await server.get("/v1/handoffs")).items[0]?.task || "T-1";
  const press = await (await browser.newContext()).newPage();
  for (const [name, path, colorScheme, width, height] of PICTURES) {
    const page = await openPage(browser, server, { path: `#/${path.replace("TASK", task)}`, colorScheme, viewport: { width, height } });
    await live(page);
    await ready(page);
    await page.evaluate(() => new Promise((wake) => setTimeout(() => requestAnimationFrame(wake), 400)));
    const bytes = await smaller(press, await page.screenshot());
    await writeFile(`${INTO}/${name}.webp`, bytes);
    console.log(`${name}.webp: ${Math.round(bytes.length / 1024)} KB`);
    await page.context().close();
  }
} finally {
  await browser.close();
  await server.stop();
}
