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

test("whatever a manifest must have is missed where it is taken out", async () => {
  const manifest = await json(`${dir}/most/manifest.json`);
  const { required } = await AppManifestUtils.fetchSchema(manifest.$schema);
  for (const key of ["manifestVersion", "version", "id", "developer", "name", "description", "icons", "accentColor"]) assert.ok(required.includes(key), key);
  const places = [
    ...required.map((key) => [key]),
    ...["name", "websiteUrl", "privacyUrl", "termsOfUseUrl"].map((key) => ["developer", key]),
    ...["short", "full"].map((key) => ["description", key]), ["name", "short"], ["icons", "color"], ["icons", "outline"], ["localizationInfo", "defaultLanguageTag"],
    ["webApplicationInfo", "id"], ["extensions", 0, "runtimes", 0, "id"], ["extensions", 0, "runtimes", 0, "code", "page"], ["extensions", 0, "runtimes", 0, "actions", 0, "type"],
    ["extensions", 0, "ribbons", 0, "tabs"], ["extensions", 0, "ribbons", 0, "tabs", 0, "groups", 0, "controls", 0, "supertip"], ["extensions", 0, "ribbons", 0, "tabs", 0, "groups", 0, "controls", 0, "icons"],
    ["extensions", 0, "autoRunEvents", 0, "events", 0, "actionId"],
  ];
  for (const place of places) {
    const less = structuredClone(manifest);
    const last = place.at(-1);
    const around = place.slice(0, -1).reduce((o, k) => o[k], less);
    assert.ok(last in around, `${place.join(".")} is not there`);
    delete around[last];
    assert.notDeepEqual(await AppManifestUtils.validateAgainstSchema(less), [], `without ${place.join(".")}`);
  }
});

test("the check finds what it is for", async () => {
  const manifest = await json(`${dir}/least/manifest.json`);
  manifest.extensions[0].ribbons[0].tabs[0].groups[0].controls[0].type = "lever";
  manifest.name.short = "n".repeat(31);
  assert.equal((await AppManifestUtils.validateAgainstSchema(manifest)).length > 1, true);
});
