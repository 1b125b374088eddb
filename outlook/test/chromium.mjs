// Chromium with the pages in it: an Outlook and a gateway that a test describes, and what no page may ever do.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, afterEach, before } from "node:test";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { chromium } = require("playwright-core");
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
const office = await readFile(new URL("./fake-office.js", import.meta.url), "utf8");

export const ADDRESS = process.env.ADDRESS; // the pages alone
export const SERVED = process.env.SERVED; // the gateway's own server
export const OPTIONS = [
  { name: "sent", tag: "[Versandbestätigung]", may: true },
  { name: "received", tag: "[Eingangsbestätigung]", may: true },
  { name: "collected", tag: "[Abholbestätigung]", may: false },
  { name: "confirmed", tag: "[Absenderbestätigt]", may: true },
  { name: "personal", tag: "[Persönlich]", may: true },
];
export const SETTINGS = {
  language: "de",
  tags: { sign: ["[sign]"], encrypt: ["[encrypt]"], plain: ["[plain]"], tls: ["[tls]"] },
  deMail: { enabled: false, options: [] },
  authentication: "network", alternatives: [], limits: { recipients: 100, bytes: 262144 },
};

let browser;
const opened = [];

/** One browser for all files of tests. */
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", `--ignore-certificate-errors-spki-list=${process.env.SPKI}`],
    timeout: 120_000,
  });
});
after(() => browser && browser.close());

/** Pages that stay open would each keep a process. */
afterEach(async () => {
  for (const context of opened.splice(0)) await context.close();
});

/** A draft to somebody. */
export const draft = (more) => ({
  compose: true, subject: "Offer", to: [{ emailAddress: "bob@partner.example", displayName: "Bob Berger", recipientType: "externalUser" }], ...more,
});

/** What the gateway says of a recipient. */
export const recipient = (to, more) => ({
  to, way: "smtp", sign: true, encrypt: true, tls: "", asks: false, holds: false, refused: false,
  text: { de: "Die Nachricht wird signiert und verschlüsselt.", en: "The message will be signed and encrypted." },
  keys: [{ key: "encrypt", value: "require", by: "flag" }], ...more,
});

/**
 * Opens a page. given: page, fake (of Office.js), settings (null: the gateway is away), explain (an answer, a function of the request, or
 * null), real (the gateway is there at SERVED, and asked), width, height, scheme, contrast. The page object has the requests that were made, and `problems`, which must stay empty.
 */
export async function open(given) {
  const at = given.real ? SERVED : ADDRESS;
  const context = await browser.newContext({
    viewport: { width: given.width || 360, height: given.height || 760 }, locale: given.locale || "en-US",
    colorScheme: given.scheme || "light", forcedColors: given.contrast ? "active" : "none", reducedMotion: "reduce",
  });
  opened.push(context);
  const page = await context.newPage();
  page.setDefaultTimeout(180_000);
  page.problems = [];
  page.asked = [];
  page.on("pageerror", (e) => page.problems.push(`error: ${e.message}`));
  page.on("console", (m) => {
    if (/Content Security Policy|Refused to/i.test(m.text())) page.problems.push(m.text());
  });
  page.on("request", (r) => {
    if (!r.url().startsWith(at) && !r.url().startsWith(process.env.SDK)) page.problems.push(`asked ${r.url()}`);
  });
  await page.route(`${process.env.SDK}/**`, (route) => (given.office === false ? route.abort() : route.fulfill({ contentType: "text/javascript", body: office })));
  const json = (route, body, status = 200) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });
  if (!given.real) await page.route(`${at}api/settings`, (route) => (given.settings === null ? route.abort() : json(route, given.settings || SETTINGS)));
  if (!given.real) await page.route(`${at}api/explain`, async (route) => {
    const request = route.request();
    const one = { body: request.postDataJSON(), authorization: request.headers().authorization };
    page.asked.push(one);
    const reply = typeof given.explain === "function" ? await given.explain(one) : given.explain;
    if (reply === null || reply === undefined) return route.abort();
    return json(route, reply.body || reply, reply.status || 200);
  });
  await page.addInitScript((fake) => {
    window.fake = fake;
    // A page gives up on what takes seconds. This machine may be busy: no test is to fail of that.
    AbortSignal.timeout = () => new AbortController().signal;
    const later = window.setTimeout;
    window.setTimeout = (f, ms, ...args) => later(f, ms > 1000 ? 600_000 : ms, ...args);
    Object.defineProperty(XMLHttpRequest.prototype, "timeout", { set() {} });
  }, given.fake || {});
  if (given.before) await given.before(page);
  await page.goto(at + given.page);
  return page;
}

/** Waits until the status line has a text. */
export const said = (page, text) => page.locator("[role=status]").filter({ hasText: text }).waitFor();

/** Nothing that a person with a screen reader, or little sight, would stumble on, and nothing that a page may not do. */
export async function check(page, name) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  assert.deepEqual(result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" | ")}`), [], name);
  await fits(page, name);
}

/** Nothing is wider than the page, nor was anything done that may not be. */
export async function fits(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name}: ${wide} pixels too wide`);
  assert.deepEqual(page.problems, [], name);
}

/** A picture for people, where they want some. */
export const shot = async (page, name) => {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
};

export const state = (page) => page.evaluate(() => window.fake.item);
