// The pages in Chromium, as a user meets them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ADDRESS, OPTIONS, SETTINGS, check, draft, open, recipient, said, state } from "./chromium.mjs";

const bob = "bob@partner.example";
const echo = ({ body }) => ({ recipients: [...body.to, ...body.cc, ...body.bcc].map((to) => recipient(to, { encrypt: body.flags.encrypt, sign: body.flags.sign })) });
const compose = (more) => open({ page: "compose.html", fake: { item: draft() }, explain: echo, ...more });

test("what is chosen is written into the message, and the gateway is asked anew", async () => {
  const page = await compose();
  await said(page, "will be sent to the recipient");
  assert.equal(await page.locator(".badge").textContent(), "Not protected");
  await page.getByLabel("Encrypt", { exact: true }).check();
  await page.locator(".badge", { hasText: "Encrypted" }).waitFor();
  await page.getByLabel("Sign", { exact: true }).check();
  await page.locator(".badge", { hasText: "Encrypted and signed" }).waitFor();
  assert.deepEqual((await state(page)).fields, { "X-Siegel-Encrypt": "yes", "X-Siegel-Sign": "yes" });
  assert.deepEqual(page.asked.at(-1).body, {
    from: "alice@firma.example", to: [bob], cc: [], bcc: [], subject: "Offer", size: 0,
    flags: { sign: true, encrypt: true, plain: false, tls: false, deMail: [] },
  });
  assert.equal(page.asked.at(-1).authorization, undefined);
  await page.getByLabel("Without protection").check();
  await page.locator(".badge", { hasText: "Not protected" }).waitFor();
  assert.deepEqual((await state(page)).fields, { "X-Siegel-Plain": "yes" });
  assert.equal(await page.getByLabel("Encrypt", { exact: true }).isChecked(), false);
  await page.getByLabel("Without protection").uncheck();
  await page.waitForFunction(() => Object.keys(window.fake.item.fields).length === 0);
  await check(page, "compose");
});

test("a draft that is opened again shows what was asked for", async () => {
  const page = await compose({
    settings: { ...SETTINGS, deMail: { enabled: true, options: OPTIONS } },
    fake: { item: draft({ subject: "[sign] Offer", fields: { "x-siegel-encrypt": "yes", "X-Siegel-DeMail": "receipt", "X-Siegel-Encrypt": "yes" } }) },
  });
  await said(page, "will be sent");
  for (const [label, want] of [["Encrypt", true], ["Sign", true], ["Secure transport", false], ["De-Mail", true]]) {
    assert.equal(await page.getByLabel(label, { exact: true }).isChecked(), want, label);
  }
  assert.equal(await page.getByLabel(/Eingangsbestätigung/).isChecked(), true);
  assert.deepEqual(page.asked.at(-1).body.flags.deMail, ["received"]);
  assert.equal(await page.getByLabel(/Abholbestätigung/).isDisabled(), true);
  await page.getByLabel("Sign", { exact: true }).uncheck();
  await page.waitForFunction(() => window.fake.item.subject === "Offer");
  await page.getByLabel("De-Mail", { exact: true }).uncheck();
  await page.waitForFunction(() => !("X-Siegel-DeMail" in window.fake.item.fields));
  await check(page, "opened again");
});

test("a word of De-Mail in the subject is no demand for De-Mail", async () => {
  const settings = { ...SETTINGS, deMail: { enabled: true, options: OPTIONS } };
  const explain = ({ body }) => ({ recipients: body.to.map((to) => recipient(to, { encrypt: body.flags.deMail.includes("yes") })) });
  const page = await compose({ settings, explain, fake: { item: draft({ subject: "[Eingangsbestätigung] Offer" }) } });
  await said(page, "will be sent");
  assert.deepEqual(page.asked.at(-1).body.flags.deMail, []);
  await page.getByLabel("De-Mail", { exact: true }).uncheck();
  await page.waitForFunction(() => window.fake.item.subject === "Offer");
  await page.getByLabel("De-Mail", { exact: true }).check();
  await page.locator(".badge", { hasText: "Encrypted" }).waitFor();
  assert.equal((await state(page)).fields["X-Siegel-DeMail"], "yes");
});

test("the keyboard is enough, and keeps its place", async () => {
  const page = await compose();
  await said(page, "will be sent");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "choice-encrypt");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => "X-Siegel-Encrypt" in window.fake.item.fields);
  await page.locator(".badge", { hasText: "Encrypted" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "choice-encrypt");
  const order = [];
  for (let i = 0; i < 5; i++) {
    await page.keyboard.press("Tab");
    order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.localName));
  }
  assert.deepEqual(order, ["choice-sign", "choice-tls", "choice-plain", "again", "summary"]);
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("details").getAttribute("open"), "");
  assert.equal(await page.locator("details dl").innerText().then((t) => t.replace(/\s+/g, " ")), "Encryption demanded (your choice)");
});

test("before Mailbox 1.8 the subject says it, once", async () => {
  const page = await compose({ fake: { version: "1.5", item: draft() }, settings: { ...SETTINGS, deMail: { enabled: true, options: OPTIONS } } });
  await said(page, "will be sent");
  await page.getByText("writes your choice into the subject").waitFor();
  await page.getByLabel("Encrypt", { exact: true }).check();
  await page.waitForFunction(() => window.fake.item.subject === "[encrypt] Offer");
  await page.getByLabel(/Versandbestätigung/).check();
  await page.waitForFunction(() => window.fake.item.subject === "[encrypt] [Versandbestätigung] Offer");
  await page.getByLabel("Encrypt", { exact: true }).uncheck();
  await page.waitForFunction(() => window.fake.item.subject === "[Versandbestätigung] Offer");
  await page.getByLabel(/Versandbestätigung/).uncheck();
  await page.waitForFunction(() => window.fake.item.subject === "Offer");
  await check(page, "tags");
});

test("where the gateway is away the choice still works", async () => {
  const page = await compose({ settings: null, explain: null });
  await said(page, "cannot be reached");
  await page.getByLabel("Encrypt", { exact: true }).check();
  await page.waitForFunction(() => window.fake.item.fields["X-Siegel-Encrypt"] === "yes");
  await check(page, "away");
});

test("settings that were given once are known when the gateway is away", async () => {
  let away = false;
  const page = await compose({ settings: { ...SETTINGS, tags: { ...SETTINGS.tags, encrypt: ["[geheim]"] } }, fake: { version: "1.5", item: draft() }, explain: () => (away ? null : { recipients: [] }) });
  await said(page, "will be sent");
  away = true;
  await page.route(`${ADDRESS}api/settings`, (route) => route.abort());
  await page.reload();
  await said(page, "cannot be reached");
  await page.getByLabel("Encrypt", { exact: true }).check();
  await page.waitForFunction(() => window.fake.item.subject === "[geheim] Offer");
});

test("a gateway that is slow is waited for, and the page says so", async () => {
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  const page = await compose({ before: (p) => p.route(`${ADDRESS}api/settings`, async (route) => { await held; await route.fallback(); }) });
  await said(page, "being asked");
  assert.doesNotMatch(await page.locator("main").innerText(), /too old/);
  go();
  await said(page, "will be sent");
});

test("what Outlook does not write is not shown as chosen", async () => {
  const page = await compose({ fake: { item: draft(), fail: ["internetHeaders.setAsync"] } });
  await said(page, "will be sent");
  await page.getByLabel("Encrypt", { exact: true }).click();
  await page.getByRole("alert").filter({ hasText: "could not be written" }).waitFor();
  assert.equal(await page.getByLabel("Encrypt", { exact: true }).isChecked(), false);
  await check(page, "not written");
});

test("an old answer does not take the place of a newer one", async () => {
  const held = [];
  let n = 0;
  const page = await compose({
    explain: async ({ body }) => {
      if (++n === 1) await new Promise((resolve) => held.push(resolve));
      return { recipients: [recipient(bob, { encrypt: body.flags.encrypt, refused: !body.flags.encrypt })] };
    },
  });
  await said(page, "being asked");
  await page.getByLabel("Encrypt", { exact: true }).check();
  await page.locator(".badge", { hasText: "Encrypted" }).waitFor();
  held[0]();
  await page.evaluate(() => new Promise((r) => { requestAnimationFrame(() => requestAnimationFrame(r)); }));
  assert.equal(await page.locator(".badge").textContent(), "Encrypted and signed");
});

test("recipients that change are looked at", async () => {
  const page = await compose();
  await said(page, "will be sent to the recipient");
  await page.evaluate(() => {
    window.fake.item.cc = [{ emailAddress: "liste@firma.example", displayName: "Liste", recipientType: "distributionList" }];
    window.outlook.raise("olkRecipientsChanged");
  });
  await said(page, "all 2 recipients");
  await page.getByText("A distribution list is one recipient here").waitFor();
  await page.evaluate(() => { window.fake.item.cc = []; window.fake.item.to = []; });
  await page.getByRole("button", { name: "Check again" }).click();
  await said(page, "Enter recipients");
});

test("no more is asked than the gateway takes", async () => {
  const to = Array.from({ length: 12 }, (_, i) => ({ emailAddress: `p${i}@partner.example` }));
  const page = await compose({ fake: { item: draft({ to, cc: to.slice(0, 2) }) }, settings: { ...SETTINGS, limits: { recipients: 10, bytes: 1000 } } });
  await said(page, "will be sent");
  await page.getByText("Only the first 10 recipients").waitFor();
  assert.deepEqual([page.asked[0].body.to.length, page.asked[0].body.cc.length], [10, 0]);
});

test("hostile names and answers stay text", async () => {
  const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202E';
  const page = await compose({
    fake: { item: draft({ to: [{ emailAddress: bob, displayName: evil }], subject: evil }) },
    explain: { recipients: [recipient(bob, { text: { en: evil, de: evil }, keys: [{ key: evil, value: evil, by: evil }, { key: "encrypt", value: evil, by: evil }, { key: "constructor", value: "x", by: "toString" }] }), recipient(evil)] },
  });
  await said(page, "will be sent");
  assert.equal(await page.locator(".name").first().textContent(), evil);
  assert.equal(await page.locator("main img, main script").count(), 0);
  await check(page, "hostile");
});

test("odd answers do no harm", async () => {
  for (const odd of [{ recipients: "x" }, { recipients: [{}] }, [], { recipients: [{ to: 5, text: "x", keys: {} }] }]) {
    const page = await compose({ explain: { status: 200, body: odd } });
    await said(page, "will be sent");
    assert.deepEqual(page.problems, []);
  }
  for (const [status, body, want] of [
    [401, {}, "does not know who you are"], [403, {}, "may not write in its name"], [429, {}, "too often"], [413, {}, "too many recipients"],
    [400, {}, "did not understand"], [500, {}, "cannot be reached"],
    [403, { error: { code: "forbidden", de: "Nein.", en: "Not for this sender." } }, "Not for this sender."],
    [503, { error: { code: "unavailable", de: "Später.", en: "The directory is away." } }, "The directory is away."],
  ]) {
    const page = await compose({ explain: { status, body } });
    await said(page, want);
    assert.deepEqual(page.problems, []);
  }
});

test("what was refused is kept for the script that runs on sending", async () => {
  const page = await compose({ explain: { recipients: [recipient(bob, { refused: true, text: { de: "x", en: "No certificate." } })] } });
  await said(page, "would not be sent");
  const kept = JSON.parse((await state(page)).session.siegel);
  assert.deepEqual(kept, {
    v: 1, of: JSON.stringify(["alice@firma.example", [bob], false, false, false, false, []]), refused: [{ to: bob, text: { de: "x", en: "No certificate." } }],
  });
});

test("a token of Exchange", async () => {
  const page = await compose({ settings: { ...SETTINGS, authentication: "exchange" } });
  await said(page, "will be sent");
  assert.equal(page.asked[0].authorization, "Bearer token-of-exchange");
});

const entra = { ...SETTINGS, authentication: "entra", entra: { clientId: "0a1b2c3d-1111-4222-8333-0123456789ab", authority: "https://login.microsoftonline.com/tenant", scope: "0a1b2c3d-1111-4222-8333-0123456789ab/access_as_user" } };

test("a token of Entra, by Microsoft's library and the host", async () => {
  const page = await compose({ settings: entra, fake: { item: draft(), bridge: {} } });
  await said(page, "will be sent");
  assert.equal(page.asked[0].authorization, "Bearer token-of-entra");
  assert.deepEqual(await page.evaluate(() => window.fake.bridge.asked), ["GetInitContext", "GetToken"]);
  assert.match(await page.evaluate(() => window.fake.bridge.scope), /^0a1b2c3d-1111-4222-8333-0123456789ab\/access_as_user\b/);
  await check(page, "entra");
});

test("a token of Entra that needs the user is asked for when the user says so", async () => {
  const page = await compose({ settings: entra, fake: { item: draft(), bridge: { refuse: true } } });
  await said(page, "does not know who you are");
  assert.equal(page.asked.length, 0);
  await check(page, "sign in");
  await page.getByRole("button", { name: "Sign in" }).click();
  await said(page, "will be sent");
  assert.equal(page.asked[0].authorization, "Bearer token-of-entra");
});

test("where one way to be known is not there, the next is tried", async () => {
  const page = await compose({ settings: { ...entra, alternatives: ["exchange", "network"] } });
  await said(page, "will be sent");
  assert.equal(page.asked[0].authorization, "Bearer token-of-exchange");
  const second = await compose({ settings: { ...SETTINGS, authentication: "exchange", alternatives: ["network"] }, explain: (a) => (a.authorization ? { status: 401, body: {} } : { recipients: [recipient(bob)] }) });
  await said(second, "will be sent");
  assert.deepEqual(second.asked.map((a) => a.authorization), ["Bearer token-of-exchange", "Bearer token-of-exchange", undefined]);
});

test("nobody is asked where no way is set up", async () => {
  const page = await compose({ settings: { ...SETTINGS, authentication: "none" } });
  await said(page, "has not set up this preview");
  assert.equal(page.asked.length, 0);
});

test("buttons on the ribbon ask, and take back, without the gateway", async () => {
  const page = await open({ page: "commands.html", settings: null, fake: { item: draft(), language: "de-DE" } });
  await page.waitForFunction(() => window.outlook && Object.keys(window.outlook.actions).length === 6);
  const press = (name) => page.evaluate((n) => window.outlook.press(n), name);
  await press("siegelEncrypt");
  await press("siegelTls");
  let item = await state(page);
  assert.deepEqual(item.fields, { "X-Siegel-Encrypt": "yes", "X-Siegel-TLS": "verified" });
  assert.equal(item.notices.siegel.message, "Siegel: verschlüsseln, sicherer Transport.");
  await press("siegelEncrypt");
  await press("siegelTls");
  item = await state(page);
  assert.deepEqual([item.fields, item.notices], [{}, {}]);
  await press("siegelDeMail");
  await press("siegelSign");
  await press("siegelPlain");
  assert.deepEqual((await state(page)).fields, { "X-Siegel-DeMail": "yes", "X-Siegel-Plain": "yes" });
  assert.deepEqual(page.problems, []);
});

test("buttons on an old Outlook write the subject, with the words of the gateway", async () => {
  const page = await open({ page: "commands.html", settings: { ...SETTINGS, tags: { ...SETTINGS.tags, sign: ["[signieren]"] } }, fake: { version: "1.5", item: draft() } });
  await page.waitForFunction(() => window.siegelSign && window.outlook);
  await page.evaluate(() => window.outlook.press("siegelSign"));
  assert.equal((await state(page)).subject, "[signieren] Offer");
  await page.evaluate(() => window.outlook.press("siegelSign"));
  assert.equal((await state(page)).subject, "Offer");
});

test("a button that fails says so, and ends", async () => {
  const page = await open({ page: "commands.html", fake: { item: draft(), fail: ["internetHeaders.setAsync"] } });
  await page.waitForFunction(() => window.siegelSign && window.outlook);
  await page.evaluate(() => window.outlook.press("siegelSign"));
  assert.match((await state(page)).notices.siegel.message, /could not be written/);
});

test("on sending, in a page, the user is warned", async () => {
  const page = await open({ page: "commands.html", fake: { item: draft() }, explain: { recipients: [recipient(bob, { refused: true, text: { de: "x", en: "No certificate is known." } })] } });
  await page.waitForFunction(() => window.outlook && window.outlook.actions.siegelOnSend);
  const said = await page.evaluate(() => window.outlook.press("siegelOnSend"));
  assert.equal(said.allowEvent, false);
  assert.match(said.errorMessage, /bob@partner\.example: No certificate is known\./);
  assert.deepEqual(page.problems, []);
});

test("a pinned pane follows the message", async () => {
  const header = "X-Siegel-Verdict: unsigned\r\n";
  const page = await open({ page: "read.html", fake: { item: { from: bob, header } } });
  await page.getByRole("heading", { name: "Not signed" }).waitFor();
  await page.evaluate(() => window.outlook.show({ header: "Subject: x\r\n" }));
  await page.getByRole("heading", { name: "has written nothing" }).waitFor();
  await page.evaluate(() => window.outlook.show(null));
  await page.getByText("Open one message").waitFor();
});

test("Office.js that cannot be loaded is said", async () => {
  for (const [locale, want] of [["en-GB", "could not be loaded from Microsoft"], ["de-DE", "ließ sich nicht von Microsoft laden"]]) {
    const page = await open({ page: "compose.html", office: false, locale });
    await page.getByRole("alert").filter({ hasText: want }).waitFor();
  }
});
