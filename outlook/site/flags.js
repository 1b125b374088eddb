// What a user asks of the gateway for one message, and how that is written into it: header fields where Outlook can set
// them, else tags in the subject. The gateway reads both (docs/administration.md). Nothing here touches a page.

/** The fields, in the order in which they are shown. */
export const FIELDS = {
  encrypt: "X-Siegel-Encrypt",
  sign: "X-Siegel-Sign",
  tls: "X-Siegel-TLS",
  plain: "X-Siegel-Plain",
  deMail: "X-Siegel-DeMail",
};

/** What tags and fields ask for, each by a word of its own, in the order in which they are looked for. */
const KINDS = ["encrypt", "sign", "tls", "plain"];

/** The options of De-Mail as the API names them, and the words of the field for them. */
const OPTION_WORDS = {
  sent: "dispatch",
  received: "receipt",
  collected: "retrieve",
  confirmed: "authoritative",
  personal: "private",
};

/** What is known of the gateway before it has said anything. */
export const DEFAULT_SETTINGS = {
  language: "en",
  tags: { sign: ["[sign]"], encrypt: ["[encrypt]"], plain: ["[plain]"], tls: ["[tls]"] },
  deMail: {
    enabled: false,
    options: [
      { name: "sent", tag: "[Versandbestätigung]", words: ["[Versandbestaetigung]", "[Delivery confirmation]"], may: true },
      { name: "received", tag: "[Eingangsbestätigung]", words: ["[Eingangsbestaetigung]", "[Receipt confirmation]"], may: true },
      { name: "collected", tag: "[Abholbestätigung]", words: ["[Abholbestaetigung]", "[Collection confirmation]"], may: true },
      { name: "confirmed", tag: "[Absenderbestätigt]", words: ["[Absenderbestaetigt]", "[Confirmed by sender]"], may: true },
      { name: "personal", tag: "[Persönlich]", words: ["[Persoenlich]", "[Personal]"], may: true },
    ],
  },
  authentication: "none",
  alternatives: [],
  limits: { recipients: 100, bytes: 262144 },
};

/** Nothing is asked for. */
export function nothing() {
  return { encrypt: false, sign: false, tls: false, plain: false, deMail: false, options: [] };
}

/** What either of two asks for. */
export function union(a, b) {
  return {
    encrypt: a.encrypt || b.encrypt,
    sign: a.sign || b.sign,
    tls: a.tls || b.tls,
    plain: a.plain || b.plain,
    deMail: a.deMail || b.deMail,
    options: [...new Set([...a.options, ...b.options])],
  };
}

/** The flags after one was set or taken back: no protection and protection exclude each other, an option of De-Mail means De-Mail. */
export function toggle(flags, name, on) {
  const next = { ...flags, options: [...flags.options] };
  if (name.startsWith("option:")) {
    const option = name.slice("option:".length);
    next.options = next.options.filter((o) => o !== option);
    if (on) {
      next.options.push(option);
      next.deMail = true;
    }
    return next;
  }
  next[name] = on;
  if (name === "deMail" && !on) next.options = [];
  if (on && name === "plain") Object.assign(next, { encrypt: false, sign: false });
  if (on && (name === "encrypt" || name === "sign")) next.plain = false;
  return next;
}

/** The fields that say this: those to set with their values, and those to remove. */
export function toFields(flags) {
  const set = {};
  if (flags.encrypt) set[FIELDS.encrypt] = "yes";
  if (flags.sign) set[FIELDS.sign] = "yes";
  if (flags.tls) set[FIELDS.tls] = "verified";
  if (flags.plain) set[FIELDS.plain] = "yes";
  if (flags.deMail || flags.options.length) {
    set[FIELDS.deMail] = flags.options.map((o) => OPTION_WORDS[o] || o).join(", ") || "yes";
  }
  return { set, remove: Object.values(FIELDS).filter((name) => !(name in set)) };
}

const YES = ["yes", "true", "1"];
const NO = ["", "no", "false", "0"];

/** What fields ask for, as the gateway reads them. */
export function fromFields(fields) {
  const values = {};
  for (const [name, value] of Object.entries(fields || {})) values[name.toLowerCase()] = String(value ?? "").trim();
  const value = (name) => (values[FIELDS[name].toLowerCase()] || "").toLowerCase();
  const flags = nothing();
  flags.tls = !NO.includes(value("tls"));
  for (const name of ["encrypt", "sign"]) flags[name] = ![...NO, "never"].includes(value(name));
  // Another program may have asked against it. What is not understood lowers nothing.
  flags.plain = YES.includes(value("plain")) || value("encrypt") === "never" || value("sign") === "never";
  for (const word of (values[FIELDS.deMail.toLowerCase()] || "").toLowerCase().split(/[,;\s]+/).filter(Boolean)) {
    const [name, said] = word.split("=", 2);
    if (NO.includes(said ?? name)) continue;
    flags.deMail = true;
    if (YES.includes(name)) continue;
    const option = Object.keys(OPTION_WORDS).find((o) => OPTION_WORDS[o] === name) || name;
    if (!flags.options.includes(option)) flags.options.push(option);
  }
  return flags;
}

// Below, tags are read as the gateway reads them (gateway/policy); a test compares the two.

const WORD = /[\p{L}\p{Nd}]/u;
const BLANKS = " \t\r\n";
const ANSWER = /^[\t\n\f\r ]*(re|aw|antw|antwort|sv|vs|ref|rif|res|odp|ynt|bls|vá|atb|απ|wg|fw|fwd|wtr|tr|rv|i|doorst|enc|vl|pd|ilt|továbbítás|πρθ)[\t\n\f\r ]*(\[\d+\])?[\t\n\f\r ]*:/iu;
const LONGEST_BRACKET = 256; // bytes, with the brackets
const MOST_PARTS = 16;

/** A text without the blanks at one end: those of a header field, and no others. */
function trim(text, back) {
  let n = 0;
  while (n < text.length && BLANKS.includes(back ? text[text.length - 1 - n] : text[n])) n++;
  return back ? text.slice(0, text.length - n) : text.slice(n);
}

/** Two texts are the same without regard to case, character by character. */
const fold = (a, b) => new RegExp(`^${a.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}$`, "iu").test(b);

/** How many characters of text a tag takes at its beginning or end; 0 where it does not stand there as a word of its own. */
function match(text, tag, back) {
  const want = [...tag];
  const near = back ? text.slice(-2 * want.length - 2) : text.slice(0, 2 * want.length + 2);
  const at = [...near];
  if (!want.length || at.length < want.length) return 0;
  const there = (back ? at.slice(-want.length) : at.slice(0, want.length)).join("");
  if (!fold(tag, there)) return 0;
  const inner = back ? want[0] : want[want.length - 1];
  const next = back ? at[at.length - want.length - 1] : at[want.length];
  if (next !== undefined && WORD.test(inner) && WORD.test(next)) return 0;
  return there.length;
}

/** A word in lower case, composed, with single blanks, as it is compared in brackets. */
const plainText = (s) => [...s.normalize("NFC")].map((c) => [...c.toLowerCase()][0]).join("").split(/\p{White_Space}+/u).filter(Boolean).join(" ");

/** A word of De-Mail: blanks in it do not matter either. */
const plainWord = (s) => plainText(s).replaceAll(" ", "");
const deMailWord = (s) => plainWord(s).replace(/^\[/, "").replace(/\]$/, "");

/** What stands in square brackets at one end of a text; null where nothing does. */
function bracketed(text, back) {
  const [open, close] = back ? [text.lastIndexOf("["), text.length - 1] : [0, text.indexOf("]")];
  if (open < 0 || close <= open || text[open] !== "[" || text[close] !== "]") return null;
  const inner = text.slice(open + 1, close);
  if (inner.length > LONGEST_BRACKET || /[[\]]/.test(inner) || new TextEncoder().encode(inner).length + 2 > LONGEST_BRACKET) return null;
  return inner;
}

/** The kind of tag whose brackets hold a text. */
function inBrackets(part, settings) {
  const want = plainText(part);
  return KINDS.find((name) => (settings.tags[name] || []).some((tag) => /^\[.*\]$/su.test(tag) && want !== "" && plainText(tag.slice(1, -1)) === want));
}

/**
 * A bracket of words at one end: how many characters it takes, and what they ask for. Each must be known, but for De-Mail: beside one of
 * its words another one asks for something that there is not, and the gateway sends nothing.
 */
function bracket(text, settings, back) {
  const inner = bracketed(text, back);
  const parts = inner === null ? [] : inner.split(",");
  if (parts.length > MOST_PARTS) return null;
  let flags = nothing();
  let known = false;
  let unknown = false;
  for (const part of parts) {
    const word = plainWord(part);
    const option = word && settings.deMail.options.find((o) => [o.tag, ...(o.words || [])].some((known) => known && deMailWord(known) === word));
    const name = option ? "" : inBrackets(part, settings);
    known = known || Boolean(option || name);
    if (option) flags = union(flags, { ...nothing(), options: [option.name] });
    else if (name) flags = union(flags, { ...nothing(), [name]: true });
    else if (word) unknown = true;
  }
  if (!known || (unknown && !flags.options.length)) return null;
  return { length: inner.length + 2, flags };
}

/** Takes one tag, or one bracket of tags, off one end of a subject. */
function takeOne(text, settings, back) {
  for (const name of KINDS) {
    for (const tag of settings.tags[name] || []) {
      const length = match(text, tag, back);
      if (length) return { length, flags: { ...nothing(), [name]: true } };
    }
  }
  return bracket(text, settings, back);
}

/** What the tags at one end ask for, and the text without them. At the end of an answer nobody can tell an old tag from a new one: what lowers counts for nothing there. */
function takeEnd(subject, settings, back) {
  const lowers = !back || !ANSWER.test(subject);
  let flags = nothing();
  let rest = subject;
  for (;;) {
    const text = trim(rest, back);
    const one = takeOne(text, settings, back);
    if (!one) return { flags, rest };
    flags = union(flags, { ...one.flags, plain: one.flags.plain && lowers });
    rest = trim(back ? text.slice(0, -one.length) : text.slice(one.length), back);
  }
}

/** What the tags of a subject ask for, and the subject without them. Tags count at its very beginning and end. */
export function fromSubject(subject, settings) {
  let flags = nothing();
  let rest = String(subject ?? "");
  for (const back of [false, true, false]) { // what stood before a tag at the end may stand alone then
    const end = takeEnd(rest, settings, back);
    flags = union(flags, end.flags);
    rest = end.rest;
  }
  return { flags, rest };
}

/** The subject with tags for exactly these flags: each once, at its beginning. Without any change it stays as it is. */
export function toSubject(subject, flags, settings) {
  const now = fromSubject(subject, settings);
  if (same(now.flags, flags, true)) return String(subject ?? "");
  const tags = [];
  for (const name of KINDS) {
    const tag = (settings.tags[name] || []).find(Boolean);
    if (flags[name] && tag) tags.push(tag);
  }
  for (const name of flags.options) {
    const option = settings.deMail.options.find((o) => o.name === name);
    if (option && option.tag) tags.push(option.tag.startsWith("[") ? option.tag : `[${option.tag}]`);
  }
  return trim(trim([...tags, now.rest].join(" "), false), true);
}

/** Whether two flags ask for the same; a subject cannot ask for De-Mail without an option. */
export function same(a, b, subject = false) {
  const key = (f) => JSON.stringify([f.encrypt, f.sign, f.tls, f.plain, subject ? null : f.deMail, [...f.options].sort()]);
  return key(a) === key(b);
}

/** The flags as the API wants them; "yes" is De-Mail without an option. launch.js does the same. */
export function toQuestion(flags) {
  return {
    sign: Boolean(flags.sign),
    encrypt: Boolean(flags.encrypt),
    plain: Boolean(flags.plain),
    tls: Boolean(flags.tls),
    deMail: flags.deMail && !flags.options.length ? ["yes"] : [...flags.options],
  };
}

/** Names a question, so that an answer is not taken for that to another. launch.js does the same. */
export function fingerprint(q) {
  const all = [...q.to, ...q.cc, ...q.bcc].map((a) => a.toLowerCase()).sort();
  const f = q.flags;
  return JSON.stringify([q.from.toLowerCase(), all, f.sign, f.encrypt, f.plain, f.tls, [...f.deMail].sort()]);
}
