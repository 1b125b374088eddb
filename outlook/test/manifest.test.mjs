// The unified manifests and their German texts, judged by Microsoft's package @microsoft/app-manifest and the schemas in it, offline.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { AppManifestUtils } = require("@microsoft/app-manifest");
const dir = process.env.MANIFESTS;

globalThis.fetch = () => { throw new Error("a schema that is not in the package was asked for"); };

const json = async (path) => JSON.parse(await readFile(path, "utf8"));
const names = (await readdir(dir)).filter((n) => !n.endsWith(".zip"));

test("there are some", () => assert.ok(names.length >= 3));

for (const name of names) {
  test(`${name}: the manifest is valid`, async () => {
    const manifest = await AppManifestUtils.readTeamsManifest(`${dir}/${name}/manifest.json`);
    assert.deepEqual(await AppManifestUtils.validateAgainstSchema(manifest), []);
    assert.deepEqual(await AppManifestUtils.validateAgainstSchema(await json(`${dir}/${name}/manifest.json`)), []);
  });

  test(`${name}: the German texts are valid, and stand where there is something`, async () => {
    const german = await json(`${dir}/${name}/de.json`);
    // The patterns of that schema are none for the validator, which reads them with the flag u; so they are matched here.
    const schema = await AppManifestUtils.fetchSchema(german.$schema);
    for (const key of Object.keys(german)) {
      const rules = [schema.properties[key], ...Object.entries(schema.patternProperties).filter(([p]) => new RegExp(p).test(key)).map(([, r]) => r)].filter(Boolean);
      assert.ok(rules.length > 0, `${key} is no place for a text`);
      for (const r of rules) assert.ok([...german[key]].length <= (r.maxLength ?? Infinity), `${key} is longer than ${r.maxLength}`);
    }
    const manifest = await json(`${dir}/${name}/manifest.json`);
    for (const path of Object.keys(german).filter((p) => p !== "$schema")) {
      const found = path.split(/[.[\]]+/).filter(Boolean).reduce((o, k) => o && o[k], manifest);
      assert.equal(typeof found, "string", path);
    }
  });

  test(`${name}: every action of a button is one of a runtime`, async () => {
    const [extension] = (await json(`${dir}/${name}/manifest.json`)).extensions;
    const actions = extension.runtimes.flatMap((r) => r.actions.map((a) => a.id));
    assert.equal(new Set(actions).size, actions.length);
    const used = extension.ribbons.flatMap((r) => r.tabs.flatMap((t) => t.groups.flatMap((g) => g.controls)))
      .flatMap((c) => [c, ...(c.items || [])]).filter((c) => c.type !== "menu").map((c) => c.actionId);
    for (const e of extension.autoRunEvents || []) used.push(...e.events.map((x) => x.actionId));
    assert.deepEqual([...new Set(used)].sort(), [...actions].sort());
  });
}

test("the check finds what it is for", async () => {
  const manifest = await json(`${dir}/least/manifest.json`);
  manifest.extensions[0].ribbons[0].tabs[0].groups[0].controls[0].type = "lever";
  manifest.name.short = "n".repeat(31);
  assert.equal((await AppManifestUtils.validateAgainstSchema(manifest)).length > 1, true);
});
