// Subjects as the gateway reads them: TestSubjectsAsTheGatewayReads makes the table with the gateway's own code.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as flags from "../site/flags.js";

const tables = JSON.parse(await readFile(process.env.TABLE, "utf8"));
const bare = (s) => s.replace(/^[ \t]+|[ \t]+$/g, "");

/** What the page reads, in the form of the table: who asks for protection and against it gets it. */
function read(subject, settings) {
  const { flags: f, rest } = flags.fromSubject(subject, settings);
  const order = flags.DEFAULT_SETTINGS.deMail.options.map((o) => o.name);
  return {
    subject, asks: ["encrypt", "sign", "tls", "plain"].filter((name) => f[name] && (name !== "plain" || (!f.encrypt && !f.sign))), options: order.filter((name) => f.options.includes(name)), rest: bare(rest),
  };
}

for (const [i, table] of tables.entries()) {
  const settings = { ...flags.DEFAULT_SETTINGS, tags: table.tags, deMail: { enabled: true, options: table.options } };

  test(`table ${i}: what subjects ask for, and what stays of them`, () => {
    assert.ok(table.cases.length > 2000);
    for (const want of table.cases) assert.deepEqual(read(want.subject, settings), want);
  });

  test(`table ${i}: what is rewritten asks for exactly what was wanted`, () => {
    for (const { subject } of table.cases) {
      const { flags: now } = flags.fromSubject(subject, settings);
      const next = flags.toggle(now, "encrypt", !now.encrypt);
      const written = flags.toSubject(subject, next, settings);
      const again = flags.fromSubject(written, settings);
      const can = (name) => (settings.tags[name] || []).some(Boolean);
      if (["encrypt", "sign", "tls", "plain"].every((name) => !next[name] || can(name))) assert.equal(flags.same(again.flags, next, true), true, `${subject} -> ${written}`);
    }
  });
}
