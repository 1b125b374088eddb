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
      { name: "sent", tag: "[Versandbestätigung]", may: true },
      { name: "received", tag: "[Eingangsbestätigung]", may: true },
      { name: "collected", tag: "[Abholbestätigung]", may: true },
      { name: "confirmed", tag: "[Absenderbestätigt]", may: true },
      { name: "personal", tag: "[Persönlich]", may: true },
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

/** What fields ask for, as the gateway reads them. */
export function fromFields(fields) {
  const values = {};
  for (const [name, value] of Object.entries(fields || {})) values[name.toLowerCase()] = String(value ?? "").trim();
  const asks = (name) => !["", "no", "false", "0"].includes((values[name.toLowerCase()] || "").toLowerCase());
  const flags = nothing();
  for (const name of ["encrypt", "sign", "tls", "plain"]) flags[name] = asks(FIELDS[name]);
  for (const name of ["encrypt", "sign"]) { // another program may have asked against it
    if ((values[FIELDS[name].toLowerCase()] || "").toLowerCase() !== "never") continue;
    flags[name] = false;
    flags.plain = true;
  }
  for (const word of (values[FIELDS.deMail.toLowerCase()] || "").toLowerCase().split(/[,;\s]+/).filter(Boolean)) {
    const [name, said] = word.split("=", 2);
    if (["no", "false", "0"].includes(said ?? name)) continue;
    flags.deMail = true;
    if (["yes", "true", "1"].includes(name)) continue;
    const option = Object.keys(OPTION_WORDS).find((o) => OPTION_WORDS[o] === name) || name;
    if (!flags.options.includes(option)) flags.options.push(option);
  }
  return flags;
}

const WORD = /[\p{L}\p{Nd}]/u;

/** How many characters of text a tag takes at its beginning or end; 0 where it does not stand there as a word of its own. */
function match(text, tag, back) {
  const at = [...text];
  const want = [...tag];
  if (!want.length || at.length < want.length) return 0;
  const there = back ? at.slice(-want.length) : at.slice(0, want.length);
  if (there.join("").toLowerCase() !== tag.toLowerCase()) return 0;
  const inner = back ? want[0] : want[want.length - 1];
  const next = back ? at[at.length - want.length - 1] : at[want.length];
  if (next !== undefined && WORD.test(inner) && WORD.test(next)) return 0;
  return there.join("").length;
}

const plainWord = (s) => s.normalize("NFC").toLowerCase().replace(/^\s*\[|\]\s*$/g, "").trim().replace(/\s+/g, " ");

/** A bracket of De-Mail words at one end: how many characters it takes, and which options it names. */
function bracket(text, options, back) {
  const found = (back ? /\[([^[\]]{0,250})\]$/ : /^\[([^[\]]{0,250})\]/).exec(text);
  if (!found) return null;
  const names = [];
  for (const word of found[1].split(",")) {
    const option = options.find((o) => plainWord(o.tag) === plainWord(word));
    if (!option) return null;
    names.push(option.name);
  }
  return names.length ? { length: found[0].length, names } : null;
}

/** Takes one tag off one end of a subject. */
function takeOne(text, settings, back) {
  for (const name of ["encrypt", "sign", "tls", "plain"]) {
    for (const tag of settings.tags[name] || []) {
      const length = match(text, tag, back);
      if (length) return { length, flags: { ...nothing(), [name]: true } };
    }
  }
  const words = bracket(text, settings.deMail.options, back);
  if (words) return { length: words.length, flags: { ...nothing(), options: words.names } };
  return null;
}

/** What the tags of a subject ask for, and the subject without them. Tags count at its very beginning and end. */
export function fromSubject(subject, settings) {
  let flags = nothing();
  let rest = String(subject ?? "");
  for (const back of [false, true]) {
    for (;;) {
      const text = back ? rest.trimEnd() : rest.trimStart();
      const one = takeOne(text, settings, back);
      if (!one) break;
      flags = union(flags, one.flags);
      rest = back ? text.slice(0, -one.length).trimEnd() : text.slice(one.length).trimStart();
    }
  }
  return { flags, rest };
}

/** The subject with tags for exactly these flags: each once, at its beginning. Without any change it stays as it is. */
export function toSubject(subject, flags, settings) {
  const now = fromSubject(subject, settings);
  if (same(now.flags, flags, true)) return String(subject ?? "");
  const tags = [];
  for (const name of ["encrypt", "sign", "tls", "plain"]) {
    const tag = (settings.tags[name] || [])[0];
    if (flags[name] && tag) tags.push(tag);
  }
  for (const name of flags.options) {
    const option = settings.deMail.options.find((o) => o.name === name);
    if (option && option.tag) tags.push(option.tag.startsWith("[") ? option.tag : `[${option.tag}]`);
  }
  return [...tags, now.rest].join(" ").trim();
}

/** Whether two flags ask for the same; a subject cannot ask for De-Mail without an option. */
export function same(a, b, subject = false) {
  const key = (f) => JSON.stringify([f.encrypt, f.sign, f.tls, f.plain, subject ? null : f.deMail, [...f.options].sort()]);
  return key(a) === key(b);
}

/** The flags as the API wants them; "yes" is De-Mail without any option. */
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
