// The pages as the gateway serves them: nothing between Chromium and the gateway's server is simulated, but for Outlook and for who decides.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SERVED, check, draft, open, said, state } from "./chromium.mjs";

const to = (...all) => all.map((emailAddress) => ({ emailAddress }));

test("what is asked for comes back as what will happen", async () => {
  const page = await open({ real: true, page: "compose.html", fake: { item: draft({ to: to("bob@partner.example", "eve@partner.example") }) } });
  await said(page, "all 2 recipients");
  await page.getByLabel("Encrypt", { exact: true }).check();
  await said(page, "for 1 of 2");
  assert.deepEqual(await page.locator(".badge").allTextContents(), ["Not sent", "Encrypted"]);
  assert.match(await page.locator(".refused .text").textContent(), /no certificate of this recipient is known/);
  await page.locator(".refused summary").click();
  assert.match(await page.locator(".refused dl").innerText(), /Encryption\s+demanded \(your choice\)/);
  assert.deepEqual((await state(page)).fields, { "X-Siegel-Encrypt": "yes" });
  await page.getByLabel("De-Mail", { exact: true }).waitFor();
  await check(page, "served");
});

test("whose address it is not is told nothing, and may choose all the same", async () => {
  const page = await open({ real: true, page: "compose.html", fake: { item: draft({ from: "somebody@other.example" }) } });
  await said(page, "You can send all the same");
  await page.getByLabel("Sign", { exact: true }).check();
  await page.waitForFunction(() => window.fake.item.fields["X-Siegel-Sign"] === "yes");
  assert.deepEqual(page.problems, []);
});

test("on sending the gateway itself is asked", async () => {
  const page = await open({ real: true, page: "commands.html", fake: { item: draft({ to: to("eve@partner.example"), fields: { "X-Siegel-Encrypt": "yes" } }) } });
  await page.waitForFunction(() => window.outlook && window.outlook.actions.siegelOnSend);
  const warned = await page.evaluate(() => window.outlook.press("siegelOnSend"));
  assert.equal(warned.allowEvent, false);
  assert.match(warned.errorMessage, /^eve@partner\.example: .*no certificate of this recipient is known/);
  await page.evaluate(() => { window.fake.item.fields = {}; });
  assert.deepEqual(await page.evaluate(() => window.outlook.press("siegelOnSend")), { allowEvent: true });
  assert.deepEqual(page.problems, []);
});

test("the pane of who reads, and the page about it", async () => {
  const page = await open({ real: true, page: "read.html", fake: { item: { from: "bob@partner.example", header: "X-Siegel-Verdict: unsigned\r\n" } } });
  await page.getByRole("heading", { name: "Not signed" }).waitFor();
  await check(page, "read");
  await page.goto(`${SERVED}about.html`);
  await page.getByRole("link", { name: /MIT/ }).click();
  await page.getByText("MIT License").waitFor();
  const known = await page.request.get(new URL("/.well-known/microsoft-officeaddins-allowed.json", SERVED).href, { ignoreHTTPSErrors: true });
  assert.deepEqual(await known.json(), { allowed: [`${SERVED}launch.js`] });
});
