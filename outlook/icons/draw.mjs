// Draws the icons: each SVG of this folder in the sizes that Outlook asks for, into ../site/icons. Run it after an SVG was changed:
//
//   NODE_MODULES=DIR node outlook/icons/draw.mjs
//
// where DIR has what ../test/package.json names.

import { readFile, readdir, writeFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";

const { chromium } = createRequire(`${process.env.NODE_MODULES}/`)("playwright-core");
const here = new URL("./", import.meta.url);
const out = new URL("../site/icons/", import.meta.url);
const SIZES = [16, 25, 32, 48, 64, 80, 128];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage();
await mkdir(out, { recursive: true });

async function draw(svg, size, name, shrink = 1) {
  await page.setViewportSize({ width: size, height: size });
  const data = `data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}`;
  const pad = Math.round((size * (1 - shrink)) / 2);
  await page.setContent(`<style>body{margin:0}img{display:block;margin:${pad}px}</style><img width="${size - 2 * pad}" height="${size - 2 * pad}" src="${data}">`);
  await page.evaluate(() => document.querySelector("img").decode());
  await writeFile(new URL(name, out), await page.screenshot({ omitBackground: true }));
}

for (const file of (await readdir(here)).filter((f) => f.endsWith(".svg"))) {
  const svg = await readFile(new URL(file, here), "utf8");
  const name = file.slice(0, -".svg".length);
  if (name === "outline") {
    await draw(svg, 32, "outline.png");
    continue;
  }
  for (const size of SIZES) await draw(svg, size, `${name}-${size}.png`);
  if (name === "siegel") await draw(svg, 192, "color.png", 0.8);
}
await browser.close();
