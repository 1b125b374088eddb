// The pane of who writes: what is asked for, and what will happen to the message for each recipient.

import * as api from "./api.js";
import * as draft from "./draft.js";
import { same, toggle, toQuestion } from "./flags.js";
import * as host from "./host.js";
import { begin, make } from "./page.js";
import { sentence } from "./texts.js";

const QUIET = 400; // milliseconds of rest before the gateway is asked

begin("composeTitle", async (t, language) => {
  const main = document.getElementById("main");
  let settings = await api.settings();
  let flags;
  try {
    flags = await draft.readFlags(settings);
  } catch {
    main.replaceChildren(make("p", { class: "note bad", role: "alert" }, host.item() ? t.notRead : t.noItem));
    return;
  }

  const status = make("p", { class: "status", role: "status", id: "status" });
  const results = make("ul", { class: "recipients", "aria-label": t.happens });
  const notes = make("div", { class: "notes" });
  const failed = make("p", { class: "note bad", role: "alert", hidden: true });
  const controls = make("div", { class: "choices" });
  const signIn = make("button", { type: "button", class: "primary", hidden: true, onclick: () => ask(true) }, t.signIn);
  main.replaceChildren(
    make("section", { "aria-labelledby": "ask" }, make("h2", { id: "ask" }, t.ask), controls, failed),
    make("section", { "aria-labelledby": "happens" },
      make("div", { class: "bar" }, make("h2", { id: "happens" }, t.happens),
        make("button", { type: "button", id: "again", onclick: again }, t.again)),
      status, signIn, results, notes),
  );

  /** One thing that can be asked for. */
  function choice(name, label, hint, checked, able = true) {
    const id = `choice-${name.replace(":", "-")}`;
    return make("div", { class: "choice" },
      make("input", {
        type: "checkbox", id, checked: Boolean(checked), disabled: !able, "aria-describedby": hint ? `${id}-hint` : undefined,
        onchange: (e) => change(name, e.target.checked),
      }),
      make("label", { for: id }, label),
      hint && make("span", { id: `${id}-hint`, class: "hint" }, hint));
  }

  function showChoices() {
    const fields = host.takesFields();
    const focus = document.activeElement && document.activeElement.id;
    const deMail = settings.deMail.enabled || flags.deMail || flags.options.length > 0;
    controls.replaceChildren(
      ...["encrypt", "sign", "tls", "plain"]
        .filter((name) => fields || flags[name] || (settings.tags[name] || []).length)
        .map((name) => choice(name, t[name], t[`${name}Hint`], flags[name])),
      ...(deMail ? [deMailChoices(fields)] : []),
      ...(fields ? [] : [make("p", { class: "note" }, t.asTags)]));
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus();
  }

  function deMailChoices(fields) {
    const options = settings.deMail.options.map((o) => {
      const name = `option:${o.name}`;
      const asked = flags.options.includes(o.name);
      return choice(name, t[name] || o.tag || o.name, o.may ? "" : t.notForYou, asked, o.may || asked);
    });
    return make("div", { class: "demail" },
      fields ? choice("deMail", t.deMail, t.deMailHint, flags.deMail) : make("p", { class: "hint" }, t.deMailTagHint),
      options.length > 0 && make("fieldset", {}, make("legend", {}, t.options), options));
  }

  let writing = Promise.resolve();

  /** Writes what the user chose, one after the other. What could not be written is not shown as chosen. */
  function change(name, on) {
    writing = writing.then(async () => {
      const before = flags;
      flags = toggle(flags, name, on);
      try {
        await draft.writeFlags(flags, settings);
        failed.hidden = true;
      } catch {
        flags = before;
        failed.textContent = t.notWritten;
        failed.hidden = false;
      }
      showChoices();
      soon();
    });
    return writing;
  }

  let timer;
  let turn = 0;

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(() => ask(false), QUIET);
  }

  async function again() {
    if (!settings.reached) settings = await api.settings();
    await reread();
    ask(false);
  }

  /** Buttons on the ribbon, and the user in the subject, may have changed what is asked for. */
  async function reread() {
    try {
      const now = await draft.readFlags(settings);
      if (!same(now, flags)) {
        flags = now;
        showChoices();
      }
    } catch { /* what was read before stays */ }
  }

  function say(text, kind) {
    status.className = `status ${kind}`;
    status.textContent = text;
  }

  /** Asks the gateway, and shows the last answer only. */
  async function ask(interactive) {
    clearTimeout(timer);
    const mine = ++turn;
    let message;
    try {
      message = await draft.describe();
    } catch {
      if (mine === turn) show(t.notRead, "bad");
      return;
    }
    if (mine !== turn) return;
    const all = [...message.to, ...message.cc, ...message.bcc];
    if (!all.length) return show(t.noRecipients, "calm");
    if ([settings.authentication, ...settings.alternatives].every((way) => way === "none")) {
      return show(settings.reached ? t.none : t.away, settings.reached ? "calm" : "bad");
    }
    say(t.checking, "calm");
    const { question, cut } = toAsk(message);
    try {
      const answer = await api.explain(question, { ...settings, interactive });
      if (mine === turn) showAnswer(answer, all, cut, question);
    } catch (e) {
      if (mine === turn) showProblem(e);
    }
  }

  /** The question, with as many recipients as one may have. */
  function toAsk(message) {
    let room = settings.limits.recipients;
    const take = (list) => {
      const some = list.slice(0, room).map((r) => r.address);
      room -= some.length;
      return some;
    };
    const all = message.to.length + message.cc.length + message.bcc.length;
    const question = {
      from: message.from, to: take(message.to), cc: take(message.cc), bcc: take(message.bcc),
      subject: message.subject, size: message.size, flags: toQuestion(flags),
    };
    return { question, cut: all > settings.limits.recipients };
  }

  function show(text, kind, list = [], extra = []) {
    say(text, kind);
    signIn.hidden = true;
    results.replaceChildren(...list);
    results.hidden = !list.length;
    notes.replaceChildren(...extra.map((n) => make("p", { class: "note" }, n)));
  }

  function showProblem(e) {
    const kind = e instanceof api.Problem ? e.kind : "away";
    show(sentence(e.text, language) || t[kind] || t.faulty, "bad");
    const entra = [settings.authentication, ...settings.alternatives].includes("entra");
    signIn.hidden = !(kind === "unknown" && entra);
  }

  function showAnswer(answer, all, cut, question) {
    const refused = answer.recipients.filter((r) => r.refused);
    const waits = answer.recipients.filter((r) => !r.refused && (r.asks || r.holds));
    const n = answer.recipients.length;
    const names = new Map(all.map((r) => [r.address.toLowerCase(), r]));
    const sorted = [...refused, ...waits, ...answer.recipients.filter((r) => !refused.includes(r) && !waits.includes(r))];
    const extra = [];
    if (all.some((r) => r.list)) extra.push(t.listNote);
    if (cut) extra.push(t.tooMany(settings.limits.recipients));
    const [text, kind] = refused.length ? [t.someRefused(refused.length, n), "bad"]
      : waits.length ? [t.someWait(waits.length, n), "wait"] : [t.allFine(n), "fine"];
    show(text, kind, sorted.map((r) => recipient(r, names.get(r.to.toLowerCase()))), extra);
    remember(question, refused);
  }

  /** What was refused, for the script that runs on sending, should it not be able to ask by itself. */
  function remember(question, refused) {
    host.remember("siegel", {
      v: 1,
      of: fingerprint(question),
      refused: refused.slice(0, 20).map((r) => ({ to: r.to, text: r.text })),
    });
  }

  function outcome(r) {
    if (r.refused) return ["refused", t.resultRefused];
    if (r.asks) return ["waits", t.resultAsks];
    if (r.holds) return ["waits", t.resultHolds];
    if (r.way === "de-mail") return ["safe", t.resultDeMail];
    if (r.encrypt) return ["safe", r.sign ? t.resultBoth : t.resultEncrypt];
    if (r.sign) return ["signed", t.resultSign];
    if (r.way === "internal") return ["inside", t.resultInternal];
    return ["open", t.resultPlain];
  }

  function recipient(r, known) {
    const [kind, label] = outcome(r);
    const tls = r.refused ? "" : { verified: t.tlsVerified, required: t.tlsRequired }[r.tls] || "";
    const text = sentence(r.text, language) || (r.refused ? t.refusedFallback : t.fineFallback);
    const name = known && known.name && known.name !== r.to ? known.name : "";
    return make("li", { class: `recipient ${kind}` },
      make("p", { class: "who" }, name && make("bdi", { class: "name" }, name), make("bdi", { class: "address" }, r.to)),
      make("p", { class: "what" }, make("span", { class: "badge" }, label), tls && make("span", { class: "tls" }, tls)),
      text && make("p", { class: "text" }, text),
      r.keys.length > 0 && make("details", {},
        make("summary", { "aria-label": t.whyOf(r.to) }, t.why),
        make("dl", {}, r.keys.map((k) => [
          make("dt", {}, k.key), make("dd", {}, k.value, " ", k.by && make("span", { class: "by" }, t.from(k.by))),
        ]))));
  }

  showChoices();
  ask(false);
  await host.onRecipients(soon).catch(() => {});
  addEventListener("focus", () => { reread().then(soon); });
});

/** Names a question, so that an answer is not taken for that to another. launch.js does the same. */
export function fingerprint(q) {
  const all = [...q.to, ...q.cc, ...q.bcc].map((a) => a.toLowerCase()).sort();
  const f = q.flags;
  return JSON.stringify([q.from.toLowerCase(), all, f.sign, f.encrypt, f.plain, f.tls, [...f.deMail].sort()]);
}
