// launch.js as classic Outlook for Windows runs it: alone, without a page, up to ECMAScript 2016.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import vm from "node:vm";

const acorn = createRequire(`${process.env.NODE_MODULES}/`)("acorn");
const source = await readFile(new URL("../site/launch.js", import.meta.url), "utf8");

const settings = { authentication: "network", alternatives: [] };
const bob = (refused, more = {}) => ({ to: "bob@partner.example", refused, text: { de: "Es ist kein Zertifikat bekannt.", en: "No certificate is known." }, ...more });

/** Sends a draft in a runtime that has what the JavaScript runtime of Outlook has, and tells what the handler said. */
function send(given) {
  const o = { language: "en-US", version: 13, fields: {}, recipients: ["bob@partner.example"], replies: {}, session: {}, ...given };
  const asked = [];
  let handler;
  const ok = (value) => ({ status: "succeeded", value });
  const list = (all) => ({ getAsync: (f) => f(ok(all.map((a) => ({ emailAddress: a })))) });
  let timeout;
  class XMLHttpRequest {
    open(method, url) { this.method = method; this.url = url; this.headers = {}; }
    setRequestHeader(n, v) { this.headers[n] = v; }
    send(body) {
      asked.push({ method: this.method, url: this.url, headers: this.headers, body: body && JSON.parse(body) });
      let reply = o.replies[this.url.split("/api/")[1]];
      if (typeof reply === "function") reply = reply(asked.at(-1));
      if (reply === "never") return;
      if (reply === undefined || reply === "error") return void queueMicrotask(() => this.onerror());
      this.status = reply.status || 200;
      this.responseText = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body ?? reply);
      queueMicrotask(() => this.onload());
    }
  }
  const Office = {
    AsyncResultStatus: { Succeeded: "succeeded" },
    actions: { associate: (name, f) => { assert.equal(name, "siegelOnSend"); handler = f; } },
    auth: o.auth,
    context: {
      displayLanguage: o.language,
      requirements: { isSetSupported: (set, v) => o.version >= Number(v.split(".")[1]) },
      mailbox: {
        userProfile: { emailAddress: "alice@firma.example" },
        getUserIdentityTokenAsync: (f) => f(o.exchange ? ok(o.exchange) : { status: "failed" }),
        item: o.item === null ? null : {
          from: { getAsync: (f) => f(ok({ emailAddress: "Alice@firma.example" })) },
          to: list(o.recipients), cc: list(o.cc || []), bcc: list([]),
          subject: { getAsync: (f) => f(o.noSubject ? { status: "failed" } : ok("Offer")) },
          internetHeaders: { getAsync: (names, f) => f(ok(o.fields)) },
          sessionData: { getAsync: (k, f) => f(k in o.session ? ok(o.session[k]) : { status: "failed" }) },
        },
      },
    },
  };
  const sandbox = { Office, XMLHttpRequest, Promise, setTimeout: (f) => { timeout = f; return 1; }, clearTimeout: () => { timeout = null; }, JSON };
  vm.runInNewContext(source, sandbox);
  return new Promise((resolve) => {
    let n = 0;
    handler({ completed: (options) => { n++; setImmediate(() => resolve({ ...options, asked, times: n })); } });
    setTimeout(() => { if (timeout) timeout(); }, 20);
  });
}

const explain = (...recipients) => ({ settings, explain: { recipients } });

test("the script is one of ECMAScript 2016, imports nothing and needs no page", () => {
  const tree = acorn.parse(source, { ecmaVersion: 2016, sourceType: "script" });
  assert.ok(tree.body.length > 0);
  assert.throws(() => acorn.parse("async () => {}", { ecmaVersion: 2016 }));
  assert.ok(tree.body.some((n) => n.type === "VariableDeclaration" && n.declarations[0].id.name === "siegelOnSend"), "the handler has a global name");
  for (const word of ["document", "window", "localStorage", "fetch(", "async ", "import", "alert("]) assert.ok(!source.replace(/\/\*[\s\S]*?\*\//g, "").includes(word), word);
});

test("what can be sent is sent, and nothing is said", async () => {
  const said = await send({ replies: explain(bob(false)), fields: { "X-Siegel-Encrypt": "yes", "X-Siegel-DeMail": "dispatch, private" } });
  assert.equal(said.allowEvent, true);
  assert.equal(said.times, 1);
  assert.deepEqual(said.asked.map((a) => `${a.method} ${a.url}`), [
    "GET https://gateway.invalid/outlook/api/settings", "POST https://gateway.invalid/outlook/api/explain",
  ]);
  assert.deepEqual(said.asked[1].body, {
    from: "Alice@firma.example", to: ["bob@partner.example"], cc: [], bcc: [], subject: "Offer", size: 0,
    flags: { sign: false, encrypt: true, plain: false, tls: false, deMail: ["sent", "personal"] },
  });
  assert.equal("Authorization" in said.asked[1].headers, false);
});

test("De-Mail without an option is demanded, and what is not understood lowers nothing", async () => {
  for (const [fields, want] of [
    [{ "X-Siegel-DeMail": "yes" }, { deMail: ["yes"] }], [{ "x-siegel-demail": "dispatch=yes; receipt=no  private" }, { deMail: ["sent", "personal"] }],
    [{ "X-Siegel-DeMail": "no" }, {}], [{ "X-Siegel-Plain": "maybe" }, {}], [{ "X-Siegel-Plain": "Yes" }, { plain: true }],
    [{ "X-Siegel-DeMail": "yes", "X-Siegel-Encrypt": "never", "X-Siegel-Sign": "yes" }, { sign: true, plain: true, deMail: ["yes"] }],
  ]) {
    const said = await send({ replies: explain(bob(false)), fields });
    assert.deepEqual(said.asked[1].body.flags, { sign: false, encrypt: false, plain: false, tls: false, deMail: [], ...want }, JSON.stringify(fields));
  }
});

test("of many recipients as many are asked about as one question may have", async () => {
  const many = Array.from({ length: 150 }, (_, i) => `somebody-${i}@partner.example`);
  for (const [limits, most] of [[undefined, 100], [{ recipients: 120 }, 120], [{ recipients: 0 }, 100]]) {
    const said = await send({ recipients: many, cc: many, replies: { settings: { ...settings, limits }, explain: { recipients: [bob(true)] } } });
    assert.equal(said.allowEvent, false);
    assert.deepEqual([said.asked[1].body.to.length, said.asked[1].body.cc.length], [most, 0]);
  }
});

test("what would come back is said before, in the language of the user", async () => {
  const en = await send({ replies: explain(bob(true)) });
  assert.equal(en.allowEvent, false);
  assert.equal(en.errorMessage, "bob@partner.example: No certificate is known. You can change the recipients or what you asked for.");
  assert.equal("commandId" in en, false);
  const de = await send({ replies: explain(bob(true)), language: "de-AT", version: 14 });
  assert.match(de.errorMessage, /^bob@partner\.example: Es ist kein Zertifikat bekannt\./);
  assert.equal(de.commandId, "siegel.composePane");
  const bare = await send({ replies: explain({ to: "bob@partner.example", refused: true }), language: "de-DE" });
  assert.match(bare.errorMessage, /^bob@partner\.example: Diese Nachricht käme zurück: Der verlangte Schutz/);
});

test("many are named as far as there is room", async () => {
  const many = Array.from({ length: 60 }, (_, i) => bob(true, { to: `somebody-${i}@partner.example` }));
  const said = await send({ replies: explain(...many) });
  assert.ok(said.errorMessage.length <= 480, said.errorMessage.length);
  assert.match(said.errorMessage, /somebody-0@.* and \d+ more\. You can/);
  const long = await send({ replies: explain(bob(true, { text: { en: "x".repeat(2000) } })) });
  assert.ok(long.errorMessage.length <= 480, long.errorMessage.length);
});

test("nobody is kept from sending where the gateway is away, slow, or knows nobody", async () => {
  for (const replies of [
    {}, { settings: "error" }, { settings, explain: "error" }, { settings, explain: "never" }, { settings: "never" },
    { settings, explain: { status: 401, body: {} } }, { settings, explain: { status: 500, body: "oops" } },
    { settings, explain: { status: 200, body: "no json" } }, { settings: { authentication: "none", alternatives: [] } },
    { settings: { status: 200, body: "<html>" } }, { settings, explain: {} },
  ]) {
    const said = await send({ replies });
    assert.deepEqual([said.allowEvent, said.times], [true, 1], JSON.stringify(replies));
  }
  for (const odd of [{ item: null }, { noSubject: true }, { recipients: [] }]) assert.equal((await send({ ...odd, replies: explain(bob(true)) })).allowEvent, true);
});

test("a token of Exchange, or of Entra without a word, in the order that the gateway gives", async () => {
  const byToken = (want) => ({ settings: { authentication: "entra", alternatives: ["exchange"] }, explain: (a) => (a.headers.Authorization === `Bearer ${want}` ? { recipients: [bob(true)] } : { status: 401, body: {} }) });
  assert.equal((await send({ replies: byToken("E"), exchange: "E" })).allowEvent, false);
  let asked;
  const auth = { getAccessToken: (o) => { asked = o; return Promise.resolve("A"); } };
  const entra = await send({ replies: byToken("A"), auth, exchange: "E" });
  assert.equal(entra.allowEvent, false);
  assert.equal(asked.allowSignInPrompt, false);
  assert.equal(entra.asked.length, 2);
  assert.equal((await send({ replies: byToken("E"), auth: { getAccessToken: () => Promise.reject(new Error("13001")) }, exchange: "E" })).allowEvent, false);
  assert.equal((await send({ replies: byToken("E"), auth, exchange: "E" })).asked.length, 3);
});

test("without a token what the pane found out of the same draft counts", async () => {
  const of = JSON.stringify(["alice@firma.example", ["bob@partner.example"], false, true, false, false, []]);
  const kept = (o) => ({ siegel: JSON.stringify({ v: 1, of, refused: [bob(true)], ...o }) });
  const fields = { "X-Siegel-Encrypt": "yes" };
  assert.equal((await send({ fields, session: kept({}) })).allowEvent, false);
  assert.equal((await send({ fields, session: kept({ refused: [] }) })).allowEvent, true);
  assert.equal((await send({ session: kept({}) })).allowEvent, true, "other flags");
  assert.equal((await send({ fields, recipients: ["carol@partner.example"], session: kept({}) })).allowEvent, true, "other recipients");
  assert.equal((await send({ fields, session: kept({ v: 2 }) })).allowEvent, true);
  assert.equal((await send({ fields, session: { siegel: "{" } })).allowEvent, true);
  assert.equal((await send({ fields, session: kept({}), replies: { settings: "never" } })).allowEvent, false);
  assert.equal((await send({ fields, session: kept({}), replies: explain(bob(false)) })).allowEvent, true, "the gateway itself knows better");
});
