// What the gateway found of a message that came in, read from the X-Siegel- fields that it wrote on top of it. Nothing here
// touches a page, and nothing decides: what does not look exactly as the gateway writes it is not believed.

/** The fields that the gateway writes, once each but for layers and signers. "round-trip" is its mark on mail that goes back to Exchange Online. */
export const ONCE = ["verdict", "headers", "origin", "demail", "demail-subject", "round-trip"];

const VERDICTS = [
  "valid", "unsigned", "partial", "time", "expired", "weak", "mismatch", "purpose", "untrusted", "revoked", "broken",
];
const ORIGINS = ["confirmed", "unconfirmed", "doubtful"];
const DEMAIL = ["verified", "intact", "unverified"];

const MAX_HEADER = 1 << 20;
const MAX_FIELDS = 2000;

/** Splits a header into its fields and unfolds them (RFC 5322, 2.2.3). */
export function fields(header) {
  const out = [];
  for (const line of String(header ?? "").slice(0, MAX_HEADER).split(/\r\n|\n|\r/)) {
    if (line === "") {
      if (out.length) break;
      continue;
    }
    if (/^[ \t]/.test(line)) {
      if (out.length) out[out.length - 1].value += " " + line.trim();
      continue;
    }
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    if (out.length >= MAX_FIELDS) break;
    out.push({ name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() });
  }
  return out;
}

/** Reads `word; name=value; name="quoted \" value"; word`: the words, and the values by their names. */
export function parts(value) {
  const words = [];
  const values = Object.create(null);
  const pattern = /\s*([^;="]*)(?:=(?:"((?:[^"\\]|\\.)*)"|([^;"]*)))?\s*(;|$)/gy;
  while (pattern.lastIndex < value.length) {
    const at = pattern.lastIndex;
    const m = pattern.exec(value);
    if (!m || pattern.lastIndex === at) return null;
    const name = m[1].trim();
    if (m[2] === undefined && m[3] === undefined) {
      if (name) words.push(name);
    } else {
      if (!name || name in values) return null;
      values[name] = m[2] !== undefined ? m[2].replace(/\\(.)/g, "$1") : m[3].trim();
    }
  }
  return { words, values };
}

const unverified = (why) => ({ state: "unverified", why });

/** Sorts the X-Siegel- fields: the single ones, and layers with their signers. Null: they are not as the gateway writes them. */
function sort(own) {
  const single = {};
  const layers = [];
  for (const { name, value } of own) {
    const key = name.toLowerCase().slice("x-siegel-".length);
    const layer = /^(layer|signer)-([1-9][0-9]?)$/.exec(key);
    if (ONCE.includes(key)) {
      if (key in single) return null;
      single[key] = value;
    } else if (layer) {
      const n = Number(layer[2]);
      const one = (layers[n] = layers[n] || { signers: [] });
      const read = parts(value);
      if (!read) return null;
      if (layer[1] === "signer") one.signers.push(read);
      else if (one.layer) return null;
      else one.layer = read;
    } else return null;
  }
  for (let n = 1; n < layers.length; n++) if (!layers[n] || !layers[n].layer) return null;
  return { single, layers: layers.slice(1) };
}

/** What the layers say of encryption: how far the message was hidden on its way. */
function hidden(layers) {
  const out = { encrypted: false, closed: false, changeable: false };
  for (const { layer } of layers) {
    if (!/^(enveloped|authEnveloped)$/i.test(layer.words[0] || "")) continue;
    out.encrypted = true;
    if (!layer.words.includes("decrypted")) out.closed = true;
    if (layer.words.includes("unauthenticated")) out.changeable = true;
  }
  return out;
}

/** The signers of all layers, the innermost first: that is who speaks for the content. */
function signers(layers) {
  const out = [];
  for (const { signers: of } of [...layers].reverse()) {
    for (const s of of) {
      out.push({
        verdict: s.words[0] || "",
        address: s.values.address || "",
        subject: s.values.subject || "",
        issuer: s.values.issuer || "",
        algorithm: s.values.algorithm || "",
        signedAt: s.values["signed-at"] || "",
        reason: s.values.reason || "",
      });
    }
  }
  return out;
}

/** The first word of a single field, if it is one of those that the gateway writes; false: it is another. */
function oneOf(value, known) {
  if (value === undefined) return null;
  const read = parts(value);
  return read && known.includes(read.words[0]) ? { word: read.words[0], ...read.values } : false;
}

const address = (s) => String(s ?? "").trim().toLowerCase();

/**
 * What the gateway found. state is "none": it wrote nothing, so the message did not come through it, or not from outside;
 * "unverified": there are fields, but not as it writes them; "found". from is the sender that Outlook shows.
 */
export function read(header, from) {
  const own = fields(header).filter((f) => /^x-siegel-/i.test(f.name));
  if (!own.length) return { state: "none" };
  const sorted = sort(own);
  if (!sorted) return unverified("odd");
  const { single, layers } = sorted;
  if (single.verdict === undefined) return unverified("odd");
  if (!VERDICTS.includes(single.verdict)) return unverified("odd");
  const origin = oneOf(single.origin, ORIGINS);
  const deMail = oneOf(single.demail, DEMAIL);
  const protectedHeaders = single.headers === undefined ? null : parts(single.headers);
  if (origin === false || deMail === false || (single.headers !== undefined && !protectedHeaders)) return unverified("odd");
  const by = signers(layers);
  const signed = by.filter((s) => s.verdict === "valid" && s.address);
  if (single.verdict === "valid" && !signed.length) return unverified("odd");
  if (single.verdict === "unsigned" && by.length) return unverified("odd");
  if (single.verdict === "valid" && from !== undefined && !signed.some((s) => address(s.address) === address(from))) {
    return unverified("from");
  }
  return {
    state: "found",
    verdict: single.verdict,
    signers: by,
    ...hidden(layers),
    origin,
    deMail,
    headers: protectedHeaders && {
      applied: protectedHeaders.words.includes("applied"),
      obscured: protectedHeaders.values.obscured || "",
      altered: [protectedHeaders.values.altered, protectedHeaders.values.added, protectedHeaders.values.removed]
        .filter(Boolean).flatMap((names) => names.split(" ")).join(", "),
    },
  };
}
