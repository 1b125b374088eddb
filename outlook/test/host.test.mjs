// Outlook as promises, and drafts that are read and written, over Microsoft's office-addin-mock.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { beforeEach, test } from "node:test";
import * as draft from "../site/draft.js";
import * as flags from "../site/flags.js";
import * as host from "../site/host.js";

const { OfficeMockObject } = createRequire(`${process.env.NODE_MODULES}/`)("office-addin-mock");

let state;

const ok = (value) => ({ status: "succeeded", value });
const failed = { status: "failed", error: { message: "no" } };

/** An Outlook of a version with a draft in it. */
function outlook(version, given = {}) {
  state = { subject: "Offer", fields: {}, calls: [], ...given };
  const item = {
    to: { getAsync: (f) => f(ok(state.to || [{ emailAddress: "bob@partner.example", displayName: "Bob", recipientType: "externalUser" }])) },
    cc: { getAsync: (f) => f(ok([{ emailAddress: "all@firma.example", displayName: "All", recipientType: "distributionList" }])) },
    bcc: { getAsync: (f) => f(ok([{ displayName: "no address" }])) },
    subject: {
      getAsync: (f) => f(ok(state.subject)),
      setAsync: (s, f) => { state.calls.push("subject"); state.subject = s; f(state.fail ? failed : ok()); },
    },
    notificationMessages: {
      replaceAsync: (k, v, f) => { state.notice = v; f(ok()); },
      removeAsync: (k, f) => { state.notice = null; f(failed); },
    },
  };
  const at = Number(version.split(".")[1]);
  if (at >= 7) item.from = { getAsync: (f) => f(state.noFrom ? failed : ok({ emailAddress: "team@firma.example" })) };
  if (at >= 8) {
    item.internetHeaders = {
      getAsync: (names, f) => f(ok(Object.fromEntries(names.filter((n) => n in state.fields).map((n) => [n, state.fields[n]])))),
      setAsync: (v, f) => { state.calls.push("set"); Object.assign(state.fields, v); f(ok()); },
      removeAsync: (names, f) => { state.calls.push("remove"); for (const n of names) delete state.fields[n]; f(ok()); },
    };
    item.getAttachmentsAsync = (f) => f(state.noSize ? failed : ok([{ size: 1000 }, { size: 500 }, {}]));
  }
  globalThis.Office = new OfficeMockObject({
    host: "outlook",
    context: {
      displayLanguage: given.language || "de-DE",
      requirements: { isSetSupported: (set, v) => set === "Mailbox" && at >= Number(v.split(".")[1]) },
      mailbox: { item, userProfile: { emailAddress: "alice@firma.example" } },
    },
    AsyncResultStatus: { Succeeded: "succeeded" },
  }, "outlook");
}

beforeEach(() => outlook("1.8"));

test("the language is German or English", () => {
  for (const [tag, want] of [["de-DE", "de"], ["de", "de"], ["de-AT", "de"], ["DE-ch", "de"], ["en-GB", "en"], ["fr-FR", "en"], ["den", "en"]]) {
    outlook("1.8", { language: tag });
    assert.equal(host.language(), want, tag);
  }
});

test("a draft is described as the API wants it", async () => {
  assert.deepEqual(await draft.describe(), {
    from: "team@firma.example", subject: "Offer", size: 2055,
    to: [{ address: "bob@partner.example", name: "Bob", list: false }],
    cc: [{ address: "all@firma.example", name: "All", list: true }],
    bcc: [],
    fields: flags.nothing(),
  });
  outlook("1.8", { fields: { "X-Siegel-DeMail": "dispatch" }, subject: "[sign] Offer" });
  assert.deepEqual((await draft.describe()).fields, flags.toggle(flags.nothing(), "option:sent", true), "what fields ask for, and not what words in the subject do");
  outlook("1.8", { noFrom: true, noSize: true });
  const d = await draft.describe();
  assert.deepEqual([d.from, d.size], ["alice@firma.example", 0]);
  outlook("1.5");
  const old = await draft.describe();
  assert.deepEqual([old.from, old.fields], ["alice@firma.example", flags.nothing()]);
});

test("where fields can be set they are, and nothing else", async () => {
  const settings = flags.DEFAULT_SETTINGS;
  let f = flags.toggle(flags.nothing(), "encrypt", true);
  await draft.writeFlags(f, settings);
  assert.deepEqual(state.fields, { "X-Siegel-Encrypt": "yes" });
  assert.deepEqual(state.calls, ["set"]);
  assert.deepEqual(await draft.readFlags(settings), f);
  await draft.writeFlags(f, settings);
  assert.deepEqual(state.calls, ["set"], "what is right already is not written again");
  f = flags.toggle(flags.toggle(f, "encrypt", false), "option:sent", true);
  await draft.writeFlags(f, settings);
  assert.deepEqual(state.fields, { "X-Siegel-DeMail": "dispatch" });
  assert.equal(state.subject, "Offer");
  await draft.writeFlags(flags.nothing(), settings);
  assert.deepEqual(state.fields, {});
});

test("a tag that the user wrote is read, and goes where it is taken back", async () => {
  const settings = flags.DEFAULT_SETTINGS;
  outlook("1.8", { subject: "[sign] Offer", fields: { "X-Siegel-Encrypt": "yes" } });
  const f = await draft.readFlags(settings);
  assert.deepEqual([f.sign, f.encrypt], [true, true]);
  await draft.writeFlags(flags.toggle(f, "sign", false), settings);
  assert.equal(state.subject, "Offer");
  assert.deepEqual(state.fields, { "X-Siegel-Encrypt": "yes" });
});

test("before Mailbox 1.8 the subject says it", async () => {
  const settings = flags.DEFAULT_SETTINGS;
  outlook("1.5");
  let f = flags.toggle(flags.toggle(flags.nothing(), "encrypt", true), "tls", true);
  await draft.writeFlags(f, settings);
  assert.equal(state.subject, "[encrypt] [tls] Offer");
  assert.deepEqual(await draft.readFlags(settings), f);
  f = flags.toggle(f, "option:personal", true);
  await draft.writeFlags(f, settings);
  assert.equal(state.subject, "[encrypt] [tls] [Persönlich] Offer");
  assert.deepEqual(await draft.readFlags(settings), f);
  await draft.writeFlags(flags.nothing(), settings);
  assert.equal(state.subject, "Offer");
});

test("what Outlook refuses is an error", async () => {
  outlook("1.5", { fail: true });
  await assert.rejects(draft.writeFlags(flags.toggle(flags.nothing(), "sign", true), flags.DEFAULT_SETTINGS), /setAsync/);
});

test("a notice is as short as Office.js wants it, and its lack is no fault", async () => {
  await host.notice("x".repeat(200));
  assert.equal(state.notice.message.length, 150);
  await host.notice("");
  assert.equal(state.notice, null);
});

test("a host that never answers is given up", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = host.call({ getAsync: () => {} }, "getAsync");
  t.mock.timers.tick(10_000);
  await assert.rejects(asked, /no answer/);
});
