// A draft and what its user asks for: read from it, written into it. Used by the pane and by the buttons.

import { FIELDS, fromFields, fromSubject, nothing, toFields, toSubject, union } from "./flags.js";
import * as host from "./host.js";

/** What a draft asks for, in its fields and in its subject. */
export async function readFlags(settings, m = host.item()) {
  const bySubject = fromSubject(await host.subject(m), settings).flags;
  if (!host.takesFields(m)) return { ...bySubject, deMail: bySubject.options.length > 0 };
  return union(fromFields(await host.getFields(Object.values(FIELDS), m)), {
    ...bySubject, deMail: bySubject.options.length > 0,
  });
}

/** Makes a draft ask for exactly this: by fields, with no tag left in its subject, or by tags where there are no fields. */
export async function writeFlags(flags, settings, m = host.item()) {
  const subject = await host.subject(m);
  const fields = host.takesFields(m);
  if (fields) await host.setFields(toFields(flags), m);
  const now = fromSubject(subject, settings);
  const next = fields ? (tagged(now.flags) ? now.rest : subject) : toSubject(subject, flags, settings);
  if (next !== subject) await host.setSubject(next, m);
}

const tagged = (f) => f.encrypt || f.sign || f.tls || f.plain || f.options.length > 0;

/** The draft as the API is asked about it; fields are what they alone ask for: tags in the subject the gateway reads by itself. */
export async function describe(m = host.item()) {
  const [from, to, subject, size, fields] = await Promise.all([
    host.sender(m), host.recipients(m), host.subject(m), host.size(m), host.takesFields(m) ? host.getFields(Object.values(FIELDS), m) : null,
  ]);
  return { from, ...to, subject: String(subject ?? ""), size, fields: fields ? fromFields(fields) : nothing() };
}
