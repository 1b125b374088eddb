// Microsoft's library in site/vendor is, byte for byte, the file of the package that the lock file names.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const here = (name) => readFile(new URL(name, import.meta.url));
const there = (name) => readFile(`${process.env.NODE_MODULES}/@azure/msal-browser/${name}`);

test("the library is the one of the package, and so is its licence", async () => {
  assert.ok((await here("../site/vendor/msal-browser.min.js")).equals(await there("lib/msal-browser.min.js")));
  assert.ok((await here("../site/vendor/LICENSE.txt")).equals(await there("LICENSE")));
});
