// What the gateway's types become in JSON, and what the pages make of it: nothing is lost, nothing has another name.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { readAnswer, readSettings } from "../site/api.js";
import { DEFAULT_SETTINGS } from "../site/flags.js";

const given = JSON.parse(process.env.CONTRACT);

test("settings", () => {
  assert.deepEqual(readSettings(given.settings), given.settings);
});

test("an answer", () => {
  assert.deepEqual(readAnswer(given.answer), given.answer);
});

test("odd settings become those that are known anyway", () => {
  for (const odd of [null, 1, "x", [], {}, { tags: 1, deMail: { options: [null, 1, {}] }, limits: { recipients: -1 }, entra: 5, alternatives: {} }]) {
    const s = readSettings(odd);
    assert.deepEqual([s.language, s.authentication, s.tags.sign, s.deMail.options, s.limits.recipients], ["en", "none", [], [], 100]);
  }
});

test("what is believed before the gateway has said anything is what its page says", async () => {
  const page = await readFile(new URL("../../docs/outlook-api.md", import.meta.url), "utf8");
  assert.deepEqual(JSON.parse(/```json settings\n([^]*?)```/.exec(page)[1]).limits, DEFAULT_SETTINGS.limits);
});
