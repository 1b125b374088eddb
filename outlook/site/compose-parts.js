// What the pane of who writes is made of: what can be asked for, and what will happen for one recipient.

import { make } from "./page.js";
import { sentence } from "./texts.js";

/** One thing that can be asked for. change is told its name and whether it is. */
function choice(name, label, hint, checked, able, change) {
  const id = `choice-${name.replace(":", "-")}`;
  return make("div", { class: "choice" },
    make("input", {
      type: "checkbox", id, checked: Boolean(checked), disabled: !able, "aria-describedby": hint ? `${id}-hint` : undefined,
      onchange: (e) => change(name, e.target.checked),
    }),
    make("label", { for: id }, label),
    hint && make("span", { id: `${id}-hint`, class: "hint" }, hint));
}

function deMailChoices(t, flags, settings, fields, change) {
  const options = settings.deMail.options.map((o) => {
    const name = `option:${o.name}`;
    const asked = flags.options.includes(o.name);
    return choice(name, t[name] || o.tag || o.name, o.may ? "" : t.notForYou, asked, o.may || asked, change);
  });
  return make("div", { class: "demail" },
    fields ? choice("deMail", t.deMail, t.deMailHint, flags.deMail, true, change) : make("p", { class: "hint" }, t.deMailTagHint),
    options.length > 0 && make("fieldset", {}, make("legend", {}, t.options), options));
}

/** Everything that can be asked for. fields: the message takes header fields; else only what there are words for. */
export function choices(t, flags, settings, fields, change) {
  const deMail = settings.deMail.enabled || flags.deMail || flags.options.length > 0;
  return [
    ...["encrypt", "sign", "tls", "plain"]
      .filter((name) => fields || flags[name] || (settings.tags[name] || []).length)
      .map((name) => choice(name, t[name], t[`${name}Hint`], flags[name], true, change)),
    ...(deMail ? [deMailChoices(t, flags, settings, fields, change)] : []),
    ...(fields ? [] : [make("p", { class: "note" }, t.asTags)]),
  ];
}

/** How a recipient's copy is shown: its kind, which has a sign and a colour, and a word. */
function outcome(t, r) {
  if (r.refused) return ["refused", t.resultRefused];
  if (r.asks) return ["waits", t.resultAsks];
  if (r.holds) return ["waits", t.resultHolds];
  if (r.way === "de-mail") return ["safe", t.resultDeMail];
  if (r.encrypt) return ["safe", r.sign ? t.resultBoth : t.resultEncrypt];
  if (r.sign) return ["signed", t.resultSign];
  if (r.way === "internal") return ["inside", t.resultInternal];
  return ["open", t.resultPlain];
}

/** Why: the settings that users have words for, each with where it came from. */
function why(t, r) {
  const known = r.keys.filter((k) => Object.hasOwn(t.keys, k.key));
  if (!known.length) return null;
  const word = (list, v) => (Object.hasOwn(list, v) ? list[v] : v);
  return make("details", {},
    make("summary", { "aria-label": t.whyOf(r.to) }, t.why),
    make("dl", {}, known.map((k) => [
      make("dt", {}, t.keys[k.key]),
      make("dd", {}, word(t.values, k.value), k.by && make("span", { class: "by" }, ` (${word(t.by, k.by)})`)),
    ])));
}

/** What will happen to the copy of one recipient. known is what Outlook knows of it. */
export function recipient(t, language, r, known) {
  const [kind, label] = outcome(t, r);
  const tls = r.refused ? "" : { verified: t.tlsVerified, required: t.tlsRequired }[r.tls] || "";
  const text = sentence(r.text, language) || (r.refused ? t.refusedFallback : "");
  const name = known && known.name && known.name !== r.to ? known.name : "";
  return make("li", { class: `recipient ${kind}` },
    make("p", { class: "who" }, name && make("bdi", { class: "name" }, name), make("bdi", { class: "address" }, r.to)),
    make("p", { class: "what" }, make("span", { class: "badge" }, label), tls && make("span", { class: "tls" }, tls)),
    text && make("p", { class: "text" }, text),
    why(t, r));
}
