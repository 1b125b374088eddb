// The pane of who reads: what the gateway found of this message, in plain words, and how far it can be believed.

import * as host from "./host.js";
import { begin, make } from "./page.js";
import { read } from "./verdict.js";

begin("readTitle", async (t) => {
  const main = document.getElementById("main");
  let turn = 0;

  async function show() {
    const mine = ++turn;
    main.replaceChildren(make("p", { class: "status calm", role: "status" }, t.reading));
    const content = await look();
    if (mine === turn) main.replaceChildren(...content);
  }

  async function look() {
    const m = host.item();
    if (!m) return [say(t.noItem)];
    let header;
    try {
      header = await host.header(m);
    } catch {
      return [make("p", { class: "note bad", role: "alert" }, t.notRead)];
    }
    if (header === null) return [say(t.tooOld)];
    const found = read(header, m.from ? m.from.emailAddress : undefined);
    if (found.state === "none") return [finding("unknown", t.readNone, [t.readNoneText])];
    if (found.state === "unverified") {
      const from = found.why === "from";
      return [finding("bad", from ? t.readFrom : t.readOdd, [from ? t.readFromText : t.readOddText], "", true)];
    }
    // De-Mail is signed and hidden by its providers, as a rule without S/MIME: that there is none is no news then.
    const smime = !found.deMail || found.verdict !== "unsigned" || found.encrypted;
    return [deMail(found), smime && signature(found), smime && encryption(found), origin(found), believe()].filter(Boolean);
  }

  const say = (text) => make("p", { class: "status calm", role: "status" }, text);

  /** One finding: what it is about, what was found, and what that means. */
  function finding(kind, title, lines, about = "", alert = false, details = []) {
    return make("section", { class: `finding ${kind}`, role: alert ? "alert" : undefined },
      about && make("p", { class: "about" }, about),
      make("h2", {}, title),
      lines.filter(Boolean).map((l) => make("p", {}, l)),
      details.length > 0 && make("ul", { class: "details" }, details.map((d) => make("li", {}, d))));
  }

  function signature(f) {
    const [title, text] = t.v[f.verdict];
    const who = f.signers.find((s) => s.verdict === f.verdict) || f.signers[0];
    const details = who ? [
      who.address && f.verdict !== "valid" && t.signedBy(who.address), who.issuer && t.issuedBy(who.issuer),
      who.signedAt && t.signedAt(when(who.signedAt)), who.reason && t.reason(who.reason),
    ].filter(Boolean) : [];
    const kind = f.verdict === "valid" ? "good" : f.verdict === "unsigned" ? "unknown" : "bad";
    return finding(kind, title, [text(who ? who.address : "")], t.signature, false, details);
  }

  function when(stamp) {
    const at = new Date(stamp);
    return Number.isNaN(at.getTime()) ? stamp : at.toLocaleString(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
  }

  function encryption(f) {
    const [title, text] = !f.encrypted ? t.open : f.closed ? t.closed : f.changeable ? t.changeable : t.encrypted;
    const more = [];
    if (f.headers && f.headers.applied && f.encrypted) {
      if (f.headers.obscured.split(" ").includes("Subject")) more.push(t.subjectHidden);
    }
    if (f.headers && f.headers.applied && f.headers.altered) more.push(t.altered(f.headers.altered));
    const kind = !f.encrypted ? "unknown" : f.closed ? "bad" : "good";
    return finding(kind, title, [text, ...more], t.encryption);
  }

  function deMail(f) {
    if (!f.deMail) return null;
    const [title, text] = t.deMailFound[f.deMail.word];
    const details = [f.deMail.sender && t.sentBy(f.deMail.sender), f.deMail.reason && t.reason(f.deMail.reason)].filter(Boolean);
    return finding(f.deMail.word === "unverified" ? "bad" : "good", title, [text], "De-Mail", false, details);
  }

  function origin(f) {
    if (!f.origin || f.deMail) return null;
    const [title, text] = t.origin[f.origin.word];
    return finding({ confirmed: "good", unconfirmed: "unknown", doubtful: "bad" }[f.origin.word], title,
      [text(f.origin.domain || "?")], t.senderTitle);
  }

  const believe = () => make("details", { class: "believe" }, make("summary", {}, t.believe), make("p", {}, t.believeText));

  await show();
  await host.onItem(show).catch(() => {});
});
