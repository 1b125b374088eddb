// What a user asks for, and how it is written: pure functions.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as flags from "../site/flags.js";

const settings = {
  ...flags.DEFAULT_SETTINGS,
  tags: { sign: ["[sign]", "SIGN"], encrypt: ["[encrypt]", "[vertraulich]", "crypt"], plain: ["[plain]"], tls: ["[tls]"] },
};
const asks = (...names) => {
  const f = flags.nothing();
  for (const n of names) {
    if (n.startsWith("option:")) f.options.push(n.slice(7));
    else f[n] = true;
  }
  return f;
};

test("fields say what is asked for, and nothing else stays", () => {
  assert.deepEqual(flags.toFields(asks("encrypt", "sign")), {
    set: { "X-Siegel-Encrypt": "yes", "X-Siegel-Sign": "yes" },
    remove: ["X-Siegel-TLS", "X-Siegel-Plain", "X-Siegel-DeMail"],
  });
  assert.deepEqual(flags.toFields(asks("tls", "plain")).set, { "X-Siegel-TLS": "verified", "X-Siegel-Plain": "yes" });
  assert.equal(flags.toFields(asks("deMail")).set["X-Siegel-DeMail"], "yes");
  assert.equal(flags.toFields(asks("deMail", "option:sent", "option:personal")).set["X-Siegel-DeMail"], "dispatch, private");
  assert.equal(flags.toFields(flags.nothing()).remove.length, 5);
});

test("what fields say is read again, whatever the case of their names", () => {
  for (const f of [
    flags.nothing(), asks("encrypt"), asks("sign", "tls"), asks("plain"), asks("deMail"),
    asks("deMail", "option:received", "option:confirmed", "option:collected"),
  ]) {
    const { set } = flags.toFields(f);
    assert.deepEqual(flags.fromFields(set), f);
    assert.deepEqual(flags.fromFields(Object.fromEntries(Object.entries(set).map(([n, v]) => [n.toLowerCase(), v]))), f);
  }
  for (const no of ["", "no", "No", " false ", "0"]) assert.deepEqual(flags.fromFields({ "X-Siegel-Encrypt": no, "X-Siegel-DeMail": no }), flags.nothing());
  assert.deepEqual(flags.fromFields({ "X-Siegel-DeMail": "dispatch=yes; receipt=no  private" }), asks("deMail", "option:sent", "option:personal"));
  // What another program asked against is not shown as asked for, and what is not understood lowers nothing.
  assert.deepEqual(flags.fromFields({ "X-Siegel-Encrypt": " Never", "X-Siegel-Sign": "yes" }), asks("sign", "plain"));
  assert.deepEqual(flags.fromFields({ "X-Siegel-Plain": "maybe" }), flags.nothing());
  assert.deepEqual(flags.fromFields(null), flags.nothing());
  assert.deepEqual(flags.fromFields({ Other: "yes" }), flags.nothing());
});

test("tags count at the ends of a subject, and nowhere else", () => {
  for (const [subject, want, rest] of [
    ["Offer", [], "Offer"],
    ["[encrypt] Offer", ["encrypt"], "Offer"],
    ["Offer [Encrypt]  [SIGN] ", ["encrypt", "sign"], "Offer"],
    ["  [tls][plain]Offer", ["tls", "plain"], "Offer"],
    ["[vertraulich] Angebot [sign]", ["encrypt", "sign"], "Angebot"],
    ["Re: [encrypt] Offer", [], "Re: [encrypt] Offer"],
    ["crypt it", ["encrypt"], "it"],
    ["cryptic", [], "cryptic"],
    ["It is encrypt", [], "It is encrypt"],
    ["please SIGN", ["sign"], "please"],
    ["design", [], "design"],
    ["[encrypt]", ["encrypt"], ""],
    ["[Versandbestätigung, persönlich] Bescheid", ["option:sent", "option:personal"], "Bescheid"],
    ["Bescheid [ Eingangsbestätigung ]", ["option:received"], "Bescheid"],
    ["[Versandbestätigung, Foo] Bescheid", ["option:sent"], "Bescheid"],
    ["[sign, encrypt] Offer", ["sign", "encrypt"], "Offer"],
    ["[sign, Foo] Offer", [], "[sign, Foo] Offer"],
    ["Re: Offer [plain, tls]", ["tls"], "Re: Offer"],
    ["[plain] [sign] Offer", ["plain", "sign"], "Offer"],
    ["[Personal] x", ["option:personal"], "x"],
    ["[Personally] x", [], "[Personally] x"],
    ["", [], ""],
  ]) {
    assert.deepEqual(flags.fromSubject(subject, settings), { flags: asks(...want), rest }, subject);
  }
});

test("a subject has each tag once, and none when it was taken back", () => {
  let subject = "Re: Offer [keep]";
  let now = flags.nothing();
  for (const [name, on] of [
    ["encrypt", true], ["encrypt", true], ["sign", true], ["option:sent", true], ["option:personal", true], ["encrypt", false],
    ["tls", true], ["plain", true], ["option:sent", false], ["sign", true], ["tls", false], ["option:personal", false], ["sign", false],
  ]) {
    now = flags.toggle(now, name, on);
    subject = flags.toSubject(subject, now, settings);
    const read = flags.fromSubject(subject, settings);
    assert.equal(flags.same(read.flags, now, true), true, subject);
    assert.equal(read.rest, "Re: Offer [keep]");
    assert.equal(flags.toSubject(subject, now, settings), subject);
  }
  assert.equal(subject, "Re: Offer [keep]");
  assert.equal(flags.toSubject("Offer [sign]", asks("sign", "encrypt"), settings), "[encrypt] [sign] Offer");
  assert.equal(flags.toSubject("Angebot  [vertraulich]", asks("encrypt"), settings), "Angebot  [vertraulich]");
  assert.equal(flags.toSubject("", asks("encrypt"), settings), "[encrypt]");
});

test("De-Mail without an option can be demanded", () => {
  assert.deepEqual(flags.toQuestion(asks("deMail")).deMail, ["yes"]);
  assert.deepEqual(flags.toQuestion(asks("deMail", "option:sent")).deMail, ["sent"]);
  assert.deepEqual(flags.toQuestion(flags.fromFields({ "X-Siegel-DeMail": "yes" })).deMail, ["yes"]);
  assert.deepEqual(flags.toQuestion(flags.fromFields({ "X-Siegel-DeMail": "no" })).deMail, []);
});

test("protection and none exclude each other, and an option means De-Mail", () => {
  assert.deepEqual(flags.toggle(asks("encrypt", "sign", "tls"), "plain", true), asks("plain", "tls"));
  assert.deepEqual(flags.toggle(asks("plain"), "sign", true), asks("sign"));
  assert.deepEqual(flags.toggle(asks("plain"), "sign", false), asks("plain"));
  assert.deepEqual(flags.toggle(flags.nothing(), "option:sent", true), asks("deMail", "option:sent"));
  assert.deepEqual(flags.toggle(asks("deMail", "option:sent"), "deMail", false), flags.nothing());
  const before = asks("deMail", "option:sent");
  flags.toggle(before, "option:sent", false);
  assert.deepEqual(before, asks("deMail", "option:sent"), "the flags before are not changed");
});

test("odd subjects end", () => {
  for (const odd of ["[".repeat(5000), "[encrypt]".repeat(2000), " ".repeat(5000), "]".repeat(5000), "[sign".repeat(1000), "\u{1F600}[sign]", "ſign"]) {
    const { rest } = flags.fromSubject(odd, settings);
    assert.equal(typeof rest, "string");
  }
  assert.equal(flags.fromSubject("\u{1F600}[sign]", settings).rest, "\u{1F600}");
});

// TestSubjectsAsTheGateway reads them with the gateway's own code, and compares.
test("subjects for the gateway", { skip: !process.env.SUBJECTS }, async () => {
  const { writeFile } = await import("node:fs/promises");
  const out = [];
  for (const subject of ["Offer", "Re: [encrypt] Offer", "Äpfel [sign]", "[tls] a [encrypt]", "[Persönlich] Bescheid", "cryptic", "a [b]", "[b] [sign] c", "[sign]"]) {
    for (const f of [flags.nothing(), asks("encrypt"), asks("sign", "tls"), asks("plain"), asks("deMail"), asks("option:sent", "option:personal"), asks("encrypt", "option:received")]) {
      const written = flags.toSubject(subject, f, flags.DEFAULT_SETTINGS);
      out.push({ subject: written, fields: flags.toFields(f).set, question: flags.toQuestion(f), flags: f, rest: flags.fromSubject(subject, flags.DEFAULT_SETTINGS).rest });
      out.push({ subject, flags: flags.fromSubject(subject, flags.DEFAULT_SETTINGS).flags, rest: flags.fromSubject(subject, flags.DEFAULT_SETTINGS).rest });
    }
  }
  await writeFile(process.env.SUBJECTS, JSON.stringify(out));
});
