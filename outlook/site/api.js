// The gateway's API: what it may be asked, and what became of the question. Answers are cut to what is known of them.

import { DEFAULT_SETTINGS } from "./flags.js";
import { token } from "./auth.js";

const PATIENCE = 8_000;
const KEPT = "siegel.settings";
const base = new URL("./api/", import.meta.url);

const string = (v, most = 500) => (typeof v === "string" ? v.slice(0, most) : "");
const list = (v) => (Array.isArray(v) ? v : []);
const strings = (v) => list(v).filter((s) => typeof s === "string" && s !== "" && s.length <= 100).slice(0, 50);

/** Settings as the gateway gives them, with what is missing or odd replaced by what is known anyway. */
export function readSettings(v) {
  const given = v && typeof v === "object" ? v : {};
  const tags = given.tags || {};
  const deMail = given.deMail || {};
  const limits = given.limits || {};
  return {
    language: given.language === "de" ? "de" : "en",
    tags: {
      sign: strings(tags.sign), encrypt: strings(tags.encrypt), plain: strings(tags.plain), tls: strings(tags.tls),
    },
    deMail: {
      enabled: deMail.enabled === true,
      options: list(deMail.options).slice(0, 20)
        .map((o) => ({ name: string(o && o.name, 40), tag: string(o && o.tag, 100), words: strings(o && o.words), may: Boolean(o && o.may) }))
        .filter((o) => o.name),
    },
    authentication: string(given.authentication, 20) || "none",
    alternatives: strings(given.alternatives),
    entra: given.entra && typeof given.entra === "object" ? {
      clientId: string(given.entra.clientId), authority: string(given.entra.authority), scope: string(given.entra.scope),
    } : null,
    limits: {
      recipients: Number.isInteger(limits.recipients) && limits.recipients > 0 ? limits.recipients : DEFAULT_SETTINGS.limits.recipients,
      bytes: Number.isInteger(limits.bytes) && limits.bytes > 0 ? limits.bytes : DEFAULT_SETTINGS.limits.bytes,
    },
  };
}

function kept() {
  try {
    return readSettings(JSON.parse(localStorage.getItem(KEPT)) || DEFAULT_SETTINGS);
  } catch {
    return DEFAULT_SETTINGS;
  }
}

/** Settings: of the gateway, else those that it gave last, else what every gateway understands. */
export async function settings(patience = PATIENCE) {
  try {
    const response = await fetch(new URL("settings", base), {
      signal: AbortSignal.timeout(patience), credentials: "omit", redirect: "error", cache: "no-store",
    });
    if (!response.ok) throw new Error(String(response.status));
    const given = await response.json();
    try {
      localStorage.setItem(KEPT, JSON.stringify(given));
    } catch { /* a browser that keeps nothing */ }
    return { ...readSettings(given), reached: true };
  } catch {
    return { ...kept(), reached: false };
  }
}

/** What went wrong with a question: away, unknown (who asks), forbidden, often, large or faulty; text is the gateway's own, if it gave any. */
export class Problem extends Error {
  constructor(kind, text) {
    super(kind);
    this.kind = kind;
    this.text = text || null;
  }
}

const KINDS = { 401: "unknown", 403: "forbidden", 413: "large", 429: "often" };

/** An answer as the gateway gives it, with nothing in it that is not known. */
export function readAnswer(v) {
  return {
    recipients: list(v && v.recipients).slice(0, 5000).map((r) => ({
      to: string(r.to, 400),
      way: string(r.way, 20),
      sign: r.sign === true, encrypt: r.encrypt === true, tls: string(r.tls, 20),
      asks: r.asks === true, holds: r.holds === true, refused: r.refused === true,
      text: { de: string(r.text && r.text.de, 1000), en: string(r.text && r.text.en, 1000) },
      keys: list(r.keys).slice(0, 50).map((k) => ({ key: string(k.key), value: string(k.value), by: string(k.by) })),
    })),
  };
}

async function ask(question, bearer) {
  const headers = { "Content-Type": "application/json" };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  let response;
  try {
    response = await fetch(new URL("explain", base), {
      method: "POST", headers, body: JSON.stringify(question),
      signal: AbortSignal.timeout(PATIENCE), credentials: "omit", redirect: "error", cache: "no-store",
    });
  } catch {
    throw new Problem("away");
  }
  let body = null;
  try {
    body = await response.json();
  } catch { /* judged below */ }
  if (response.ok && body) return readAnswer(body);
  const said = body && body.error;
  const text = said ? { de: string(said.de), en: string(said.en) } : null;
  throw new Problem(KINDS[response.status] || (response.status >= 500 ? "away" : "faulty"), text);
}

/** Asks what would happen to a message. Each way to be known is tried in turn; a token that is not taken is got anew once. */
export async function explain(question, settings) {
  let problem = new Problem("unknown");
  for (const way of [settings.authentication, ...settings.alternatives]) {
    if (way === "none") continue;
    for (const fresh of [false, true]) {
      let bearer;
      try {
        bearer = await token(way, settings, fresh);
      } catch {
        break;
      }
      try {
        return await ask(question, bearer);
      } catch (e) {
        problem = e;
        if (!(e instanceof Problem) || e.kind !== "unknown") throw e;
        if (way === "network") break;
      }
    }
  }
  throw problem;
}
