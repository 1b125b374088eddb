// Every text is there in both languages, and every text that a page asks for exists.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { sentence, texts } from "../site/texts.js";

function shape(value, at = "") {
  if (Array.isArray(value)) return value.flatMap((v, i) => shape(v, `${at}[${i}]`));
  if (value && typeof value === "object") return Object.keys(value).sort().flatMap((k) => shape(value[k], `${at}.${k}`));
  return [`${at}:${typeof value}:${typeof value === "function" ? value.length : ""}`];
}

test("both languages have the same texts", () => {
  assert.deepEqual(shape(texts("de")), shape(texts("en")));
  assert.equal(texts("fr"), texts("en"));
});

test("what pages ask for is there", async () => {
  const t = texts("en");
  for (const name of ["compose.js", "compose-parts.js", "read.js", "commands.js"]) {
    const source = await readFile(new URL(`../site/${name}`, import.meta.url), "utf8");
    const asked = [...source.matchAll(/\bt\.([a-zA-Z]+)/g)].map((m) => m[1]);
    assert.ok(asked.length > 2);
    for (const key of asked) assert.ok(key in t, `${name}: ${key}`);
  }
});

test("a sentence of the gateway in the language of the user, else the other", () => {
  assert.equal(sentence({ de: "a", en: "b" }, "de"), "a");
  assert.equal(sentence({ de: "a", en: "" }, "en"), "a");
  assert.equal(sentence(null, "en"), "");
});
