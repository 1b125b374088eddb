// Every state of the pages, in every look: nothing that axe-core finds, nothing too wide, and a picture of each for people to look at.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTIONS, SETTINGS, check, draft, fits, open, recipient, said, shot } from "./chromium.mjs";

const who = (emailAddress, displayName) => ({ emailAddress, displayName });
const bob = who("bob@partner.example", "Bob Berger");
const long = who("einkauf.abteilung-nord.standort-hamburg@sehr-lange-domain-eines-partners.example", "Einkaufsabteilung Nord, Standort Hamburg");
const to = [bob, who("chefin@firma.example", "Clara Chefin"), long, who("buergeramt@stadt.de-mail.de", "Bürgeramt"), who("dora@kunde.example", "Dora")];
const key = (k, value, by) => ({ key: k, value, by });
const answers = [
  recipient(bob.emailAddress, { tls: "verified", keys: [key("sign", "always", "company"), key("encrypt", "require", "rule"), key("tls", "verified", "flag"), key("on_missing", "ask", "recipient"), key("form", "clear", "company")] }),
  recipient("chefin@firma.example", { way: "internal", sign: false, encrypt: false, text: { de: "Bleibt im Haus.", en: "Stays inside the company." }, keys: [] }),
  recipient(long.emailAddress, { encrypt: false, text: { de: "Wird signiert. Verschlüsselt wird nicht, weil kein Zertifikat bekannt ist.", en: "Will be signed. It is not encrypted, since no certificate is known." } }),
  recipient("buergeramt@stadt.de-mail.de", { way: "de-mail", sign: false, encrypt: false, text: { de: "Geht als De-Mail von kontakt@firma.de-mail.de.", en: "Leaves as De-Mail from kontakt@firma.de-mail.de." } }),
  recipient("dora@kunde.example", { sign: false, encrypt: false, text: { de: "Wird ohne Schutz gesendet.", en: "Is sent without protection." } }),
];
const noCertificate = {
  de: "Die Nachricht an bob@partner.example muss verschlüsselt werden, und es ist kein Zertifikat bekannt. Bitten Sie um eine signierte Nachricht, oder fragen Sie die IT (1234).",
  en: "The message to bob@partner.example must be encrypted, and no certificate is known. Ask for a signed message, or ask IT (1234).",
};
const refused = answers.map((r, i) => (i === 0 ? { ...r, refused: true, way: "", sign: false, encrypt: false, tls: "", text: noCertificate } : r));
const waits = answers.map((r, i) => (i === 0 ? { ...r, asks: true, text: { de: "Wartet, bis der Empfänger eine signierte Nachricht schickt.", en: "Waits until the recipient sends a signed message." } }
  : i === 4 ? { ...r, holds: true, text: { de: "Wird zurückgehalten, bis ein Administrator entscheidet.", en: "Is held until an administrator decides." } } : r));

const asked = draft({ to, subject: "Vertrag 2027", fields: { "X-Siegel-Encrypt": "yes", "X-Siegel-Sign": "yes" } });
const deMailSettings = { ...SETTINGS, deMail: { enabled: true, options: OPTIONS } };
const entra = { ...SETTINGS, authentication: "entra", entra: { clientId: "c", authority: "https://login.microsoftonline.com/t", scope: "s" } };
const compose = {
  sent: { explain: { recipients: answers }, item: asked, until: /all 5|alle 5/ },
  refused: { explain: { recipients: refused }, item: asked, until: /would not be sent|würde nicht gesendet/ },
  waits: { explain: { recipients: waits }, item: asked, until: /with a delay|Verzögerung/ },
  demail: {
    settings: deMailSettings, explain: { recipients: [answers[3]] },
    item: draft({ to: [to[3]], fields: { "X-Siegel-DeMail": "dispatch, private" } }), until: /to the recipient|an den Empfänger/,
  },
  tags: { version: "1.5", explain: { recipients: [answers[0]] }, settings: deMailSettings, item: draft({ subject: "[encrypt] Vertrag" }), until: /to the recipient|an den Empfänger/ },
  away: { settings: null, explain: null, item: asked, until: /cannot be reached|nicht erreichbar/ },
  unknown: { settings: entra, explain: null, item: asked, until: /does not know|weiß nicht/ },
  none: { settings: { ...SETTINGS, authentication: "none" }, item: asked, until: /has not set up|nicht eingerichtet/ },
  empty: { item: draft({ to: [] }), until: /Enter recipients|Geben Sie Empfänger/ },
};

const signer = (n, v, a) => `X-Siegel-Signer-${n}: ${v}; address="${a}"; algorithm=rsa-sha256; serial=4711; subject="CN=Bob Berger"; issuer="CN=Partner Mail CA 3, O=Partner"; signed-at=2026-11-26T09:00:00Z`;
const header = (...l) => [...l, `From: <${bob.emailAddress}>`, "Subject: x"].join("\r\n");
const read = {
  valid: header("X-Siegel-Verdict: valid", "X-Siegel-Origin: confirmed; domain=partner.example", 'X-Siegel-Headers: cipher; applied; obscured="Subject"', "X-Siegel-Layer-1: authEnveloped; aes256-gcm; decrypted", "X-Siegel-Layer-2: signed; clear; valid", signer(2, "valid", bob.emailAddress)),
  old: header("X-Siegel-Verdict: valid", 'X-Siegel-Headers: cipher; applied; obscured="Subject"; altered="To Cc"', "X-Siegel-Layer-1: enveloped; aes256-cbc; decrypted; unauthenticated", "X-Siegel-Layer-2: signed; clear; valid", signer(2, "valid", bob.emailAddress)),
  unsigned: header("X-Siegel-Verdict: unsigned", "X-Siegel-Origin: unconfirmed"),
  broken: header("X-Siegel-Verdict: broken", "X-Siegel-Origin: doubtful; domain=partner.example", "X-Siegel-Layer-1: signed; clear; broken", `${signer(1, "broken", bob.emailAddress)}; reason="the digest of the content is another"`),
  untrusted: header("X-Siegel-Verdict: untrusted", "X-Siegel-Layer-1: signed; clear; untrusted", signer(1, "untrusted", bob.emailAddress)),
  closed: header("X-Siegel-Verdict: unsigned", "X-Siegel-Layer-1: enveloped; aes256-cbc; not decrypted"),
  demail: header("X-Siegel-Verdict: unsigned", 'X-Siegel-DeMail: verified; level=high; sender=amt@stadt.de-mail.de; integrity=trusted; type="normal"'),
  forged: header("X-Siegel-Verdict: valid", "X-Siegel-Verdict: valid", "X-Siegel-Layer-1: signed; clear; valid", signer(1, "valid", bob.emailAddress)),
  other: header("X-Siegel-Verdict: valid", "X-Siegel-Layer-1: signed; clear; valid", signer(1, "valid", "eve@evil.example")),
  none: header(),
};

/** Two languages, each in two looks: light and forced colours, dark and narrow. */
const looks = [
  { language: "en-GB", scheme: "light", first: "en-light", then: "en-contrast", change: (page) => page.emulateMedia({ forcedColors: "active" }) },
  { language: "de-DE", scheme: "dark", first: "de-dark", then: "de-narrow", change: (page) => page.setViewportSize({ width: 320, height: 760 }) },
];

async function look(name, given, ready, also = () => {}) {
  for (const l of looks) {
    const page = await open({ ...given, scheme: l.scheme, fake: { ...given.fake, language: l.language } });
    await ready(page);
    if (l === looks[0]) for (const d of await page.locator("details").all()) await d.locator("summary").click();
    await shot(page, `${name}-${l.first}`);
    await check(page, `${name} ${l.first}`);
    assert.equal(await page.evaluate(() => document.documentElement.lang), l.language.slice(0, 2));
    await also(page);
    await l.change(page);
    await shot(page, `${name}-${l.then}`);
    await fits(page, `${name} ${l.then}`);
  }
}

for (const [name, s] of Object.entries(compose)) {
  test(`compose: ${name}`, () => look(`compose-${name}`, {
    page: "compose.html", settings: s.settings, explain: s.explain, fake: { version: s.version || "1.13", item: s.item },
  }, (page) => said(page, s.until)));
}

for (const [name, h] of Object.entries(read)) {
  test(`read: ${name}`, () => look(`read-${name}`, {
    page: "read.html", fake: { item: { from: bob.emailAddress, header: h } },
  }, (page) => page.locator(".finding h2").first().waitFor(), async (page) => {
    if (!["forged", "other"].includes(name)) return;
    assert.doesNotMatch(await page.locator("main").innerText(), /valid|gültig|bob@|eve@/i);
  }));
}

test("read: an Outlook that cannot show it", async () => {
  const page = await open({ page: "read.html", fake: { version: "1.5", item: { from: bob.emailAddress, header: read.valid } } });
  await said(page, "cannot show it");
  await shot(page, "read-old-outlook");
  await check(page, "old Outlook");
});

test("the theme of Outlook comes before that of the system", async () => {
  for (const [colour, want] of [["#1f1f1f", "dark"], ["#ffffff", "light"]]) {
    const page = await open({ page: "compose.html", scheme: want === "dark" ? "light" : "dark", explain: { recipients: answers }, fake: { item: asked, theme: { bodyBackgroundColor: colour } } });
    await said(page, "all 5");
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), want === "dark" ? "rgb(31, 30, 29)" : "rgb(255, 255, 255)");
    await check(page, want);
  }
});

test("about", async () => {
  const page = await open({ page: "about.html", width: 320 });
  await shot(page, "about");
  await check(page, "about");
});
