// The pane of who writes: what is asked for, and what will happen to the message for each recipient.

import * as api from "./api.js";
import { choices, recipient } from "./compose-parts.js";
import * as draft from "./draft.js";
import { fingerprint, same, toggle, toQuestion } from "./flags.js";
import * as host from "./host.js";
import { begin, make } from "./page.js";
import { sentence } from "./texts.js";

const FIRST = 3_000; // milliseconds that the pane waits for settings before it goes on with those of last time
const QUIET = 400; // milliseconds of rest before the gateway is asked

begin("composeTitle", async (t, language) => {
  const main = document.getElementById("main");
  main.replaceChildren(make("p", { class: "status calm", role: "status" }, t.checking));
  let settings = await api.settings(FIRST);
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

  function showChoices() {
    const focus = document.activeElement && document.activeElement.id;
    controls.replaceChildren(...choices(t, flags, settings, host.takesFields(), change));
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus();
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
      subject: message.subject, size: message.size,
      // A word of De-Mail in the subject asks for it of those who get it so; the field demands it of all.
      flags: { ...toQuestion(flags), deMail: toQuestion(message.fields).deMail },
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
    show(text, kind, sorted.map((r) => recipient(t, language, r, names.get(r.to.toLowerCase()))), extra);
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

  showChoices();
  ask(false);
  await host.onRecipients(soon).catch(() => {});
  addEventListener("focus", () => { reread().then(soon); });
});
