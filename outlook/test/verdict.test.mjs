// What the gateway's fields say, and what is not believed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ONCE, fields, parts, read } from "../site/verdict.js";

const bob = "bob@partner.example";
const lines = (...l) => ["Received: from a by b; now", ...l, "From: Bob <bob@partner.example>", "Subject: x"].join("\r\n");
const signer = (n, word, address = bob) => `X-Siegel-Signer-${n}: ${word}; address="${address}"; algorithm=rsa-sha256; serial=12; subject="CN=Bob"; issuer="CN=Partner CA"; signed-at=2026-11-26T09:00:00Z`;
const valid = [
  "X-Siegel-Verdict: valid", 'X-Siegel-Headers: cipher; applied; obscured="Subject"; altered="To Cc"; added="Reply-To"',
  "X-Siegel-Layer-1: enveloped; aes256-cbc; decrypted; unauthenticated", "X-Siegel-Layer-2: signed; clear; valid", signer(2, "valid"),
];

test("a header is split and unfolded", () => {
  assert.deepEqual(fields("A: 1\r\nB:\r\n 2\r\n\t3\r\nno colon\r\nC: 4\r\n\r\nD: body"), [
    { name: "A", value: "1" }, { name: "B", value: " 2 3" }, { name: "C", value: "4" },
  ]);
  assert.equal(fields("A: 1\nB: 2\rC: 3").length, 3);
  assert.deepEqual(fields(null), []);
  assert.ok(fields("A: 1\r\n".repeat(10000)).length <= 2000);
});

test("values are read as the gateway writes them", () => {
  const p = parts('valid; address="b\\"o\\\\b; x=1@partner.example"; serial=12; reason=');
  assert.deepEqual(p.words, ["valid"]);
  assert.equal(p.values.address, 'b"o\\b; x=1@partner.example');
  assert.equal(p.values.serial, "12");
  assert.equal(p.values.reason, "");
  for (const odd of ['a="b', 'a="b" c', "=1", "a=1; a=2", 'a"b']) assert.equal(parts(odd), null, odd);
  assert.deepEqual(parts("").words, []);
  assert.equal(parts("__proto__=1; constructor=2").values.constructor, "2");
});

test("valid", () => {
  const f = read(lines(...valid), "Bob@Partner.example");
  assert.equal(f.state, "found");
  assert.equal(f.verdict, "valid");
  assert.equal(f.signers[0].address, bob);
  assert.equal(f.signers[0].issuer, "CN=Partner CA");
  assert.deepEqual([f.encrypted, f.closed, f.changeable], [true, false, true]);
  assert.deepEqual(f.headers, { applied: true, obscured: "Subject", altered: "To, Cc, Reply-To" });
});

test("nothing was written", () => {
  assert.deepEqual(read(lines(), bob), { state: "none" });
  assert.deepEqual(read("", bob), { state: "none" });
  assert.deepEqual(read(null, bob), { state: "none" });
});

test("unsigned, with origin and De-Mail", () => {
  const f = read(lines("X-Siegel-Verdict: unsigned", "X-Siegel-Origin: doubtful; domain=partner.example"), bob);
  assert.deepEqual([f.state, f.verdict, f.origin.word, f.encrypted], ["found", "unsigned", "doubtful", false]);
  const d = read(lines("X-Siegel-Verdict: unsigned", 'X-Siegel-DeMail: unverified; reason="the body is not the one that was hashed"; integrity=broken', "X-Siegel-DeMail-Subject: x"), bob);
  assert.deepEqual([d.deMail.word, d.deMail.reason], ["unverified", "the body is not the one that was hashed"]);
});

test("not decrypted", () => {
  const f = read(lines("X-Siegel-Verdict: unsigned", "X-Siegel-Layer-1: authEnveloped; aes256-gcm; not decrypted"), bob);
  assert.deepEqual([f.encrypted, f.closed, f.changeable], [true, true, false]);
});

test("each verdict but valid is shown with its signer", () => {
  for (const v of ["partial", "time", "expired", "weak", "mismatch", "purpose", "untrusted", "revoked", "broken"]) {
    const f = read(lines(`X-Siegel-Verdict: ${v}`, `X-Siegel-Layer-1: signed; clear; ${v}`, signer(1, v, "eve@evil.example")), bob);
    assert.deepEqual([f.state, f.verdict, f.signers[0].address], ["found", v, "eve@evil.example"]);
  }
});

test("what is not as the gateway writes it is not believed", () => {
  const without = (name) => valid.filter((l) => !l.startsWith(name));
  for (const [why, ...l] of [
    ["two verdicts", ...valid, "X-Siegel-Verdict: valid"],
    ["two verdicts in other case", ...valid, "x-siegel-VERDICT: unsigned"],
    ["no verdict", ...without("X-Siegel-Verdict")],
    ["another word", ...without("X-Siegel-Verdict"), "X-Siegel-Verdict: very valid"],
    ["an empty word", ...without("X-Siegel-Verdict"), "X-Siegel-Verdict:"],
    ["valid without a signer", ...without("X-Siegel-Signer")],
    ["valid with a signer who is not", ...without("X-Siegel-Signer"), signer(2, "broken")],
    ["valid with no address", ...without("X-Siegel-Signer"), signer(2, "valid", "")],
    ["a signer of no layer", ...without("X-Siegel-Layer-2")],
    ["a layer twice", ...valid, "X-Siegel-Layer-1: signed; clear; valid"],
    ["a gap between layers", ...valid, "X-Siegel-Layer-4: signed; clear; valid"],
    ["a field that there is not", ...valid, "X-Siegel-Trust: high"],
    ["a request that the gateway takes out", ...valid, "X-Siegel-Encrypt: yes"],
    ["a signer without form", ...without("X-Siegel-Signer"), 'X-Siegel-Signer-2: valid; address="bob'],
    ["an origin of another word", ...valid, "X-Siegel-Origin: certain"],
    ["two origins", ...valid, "X-Siegel-Origin: confirmed", "X-Siegel-Origin: confirmed"],
    ["a De-Mail of another word", ...valid, "X-Siegel-DeMail: yes"],
    ["headers without form", ...without("X-Siegel-Headers"), 'X-Siegel-Headers: a="b'],
    ["unsigned with signers", ...without("X-Siegel-Verdict"), "X-Siegel-Verdict: unsigned"],
    ["layer 0", ...valid, "X-Siegel-Layer-0: signed"],
    ["only a request", "X-Siegel-Sign: yes"],
  ]) {
    assert.deepEqual(read(lines(...l), bob), { state: "unverified", why: "odd" }, why);
  }
});

test("a valid signature of somebody else than Outlook shows", () => {
  assert.deepEqual(read(lines(...valid), "chef@firma.example"), { state: "unverified", why: "from" });
  assert.deepEqual(read(lines(...valid), ""), { state: "unverified", why: "from" });
  assert.equal(read(lines(...valid)).state, "found");
});

test("a very long header ends", () => {
  const long = "X-Siegel-Verdict: valid\r\n" + 'X-Siegel-Signer-1: a="'.padEnd(200_000, "\\") + "\r\n" + "A: b\r\n".repeat(50_000);
  assert.equal(read(long, bob).state, "unverified");
});

// TestFieldsOfTheGateway reads its source for the names of all that it writes.
test("every field that the gateway writes is known", { skip: !process.env.FIELDS }, () => {
  for (const name of process.env.FIELDS.split(" ")) {
    const key = name.toLowerCase().slice("x-siegel-".length);
    assert.ok(ONCE.includes(key) || /^(layer|signer)-$/.test(key), name);
  }
});

test("the mark of mail that goes back is no finding", () => {
  assert.equal(read(lines("X-Siegel-Verdict: unsigned", "X-Siegel-Round-Trip: v1 incoming 1 x"), bob).state, "found");
});
