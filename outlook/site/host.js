// Outlook as promises: what the pages need of Office.js, for the requirement sets that the host has.

/** Whether the host has a Mailbox requirement set. */
export function supports(version) {
  try {
    return Office.context.requirements.isSetSupported("Mailbox", version);
  } catch {
    return false;
  }
}

const PATIENCE = 10_000;

/** Calls an asynchronous method of Office.js. A host that never calls back is given up. */
export function call(object, method, ...args) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), PATIENCE);
    try {
      object[method](...args, (result) => {
        clearTimeout(timer);
        if (result.status === Office.AsyncResultStatus.Succeeded) resolve(result.value);
        else reject(new Error(`${method}: ${(result.error && result.error.message) || "failed"}`));
      });
    } catch (e) {
      clearTimeout(timer);
      reject(e);
    }
  });
}

/** The message that is open; null where none is, as in a pinned pane with several chosen. */
export const item = () => Office.context.mailbox.item || null;

/** The language of Outlook: German or English. */
export function language(fallback = "en") {
  const tag = String((Office.context && Office.context.displayLanguage) || fallback).toLowerCase();
  return tag === "de" || tag.startsWith("de-") ? "de" : "en";
}

const addresses = (list) => (list || []).map((r) => ({
  address: String(r.emailAddress || ""),
  name: String(r.displayName || ""),
  list: r.recipientType === "distributionList",
})).filter((r) => r.address);

/** Who a draft is for. */
export async function recipients(m = item()) {
  const [to, cc, bcc] = await Promise.all(["to", "cc", "bcc"].map((f) => (m[f] ? call(m[f], "getAsync") : [])));
  return { to: addresses(to), cc: addresses(cc), bcc: addresses(bcc) };
}

/** Who a draft is from. */
export async function sender(m = item()) {
  if (m.from && m.from.getAsync) {
    try {
      const from = await call(m.from, "getAsync");
      if (from && from.emailAddress) return from.emailAddress;
    } catch { /* the owner of the mailbox is the next best */ }
  }
  return String(Office.context.mailbox.userProfile.emailAddress || "");
}

/** About how large a draft is, as far as its attachments say; 0: not known. They travel in base64. */
export async function size(m = item()) {
  if (!supports("1.8") || !m.getAttachmentsAsync) return 0;
  try {
    const all = await call(m, "getAttachmentsAsync");
    return Math.ceil(all.reduce((n, a) => n + (Number(a.size) || 0), 0) * 1.37);
  } catch {
    return 0;
  }
}

export const subject = (m = item()) => call(m.subject, "getAsync");
export const setSubject = (text, m = item()) => call(m.subject, "setAsync", text);

/** Whether a draft takes header fields: else tags in its subject say what is asked for. */
export const takesFields = (m = item()) => supports("1.8") && Boolean(m && m.internetHeaders);

export const getFields = (names, m = item()) => call(m.internetHeaders, "getAsync", names);

/** Writes and removes fields, and changes nothing that is right already. */
export async function setFields({ set, remove }, m = item()) {
  const now = await getFields([...Object.keys(set), ...remove], m);
  const there = {};
  for (const [name, value] of Object.entries(now || {})) there[name.toLowerCase()] = value;
  const gone = remove.filter((name) => there[name.toLowerCase()] !== undefined);
  const changed = Object.entries(set).filter(([name, value]) => there[name.toLowerCase()] !== value);
  if (gone.length) await call(m.internetHeaders, "removeAsync", gone);
  if (changed.length) await call(m.internetHeaders, "setAsync", Object.fromEntries(changed));
}

/** The whole header of a message that is read; null: this Outlook cannot show it. */
export async function header(m = item()) {
  if (!supports("1.8") || !m || !m.getAllInternetHeadersAsync) return null;
  return call(m, "getAllInternetHeadersAsync");
}

/** Puts one line above a draft, or takes it away. Some hosts have no such line, which is no fault. */
export async function notice(text, m = item()) {
  try {
    if (!text) return await call(m.notificationMessages, "removeAsync", "siegel");
    await call(m.notificationMessages, "replaceAsync", "siegel", {
      type: "informationalMessage",
      message: text.slice(0, 150), // the most that Office.js takes
      icon: "siegel.16",
      persistent: false,
    });
  } catch { /* nothing depends on it */ }
}

/** Calls back when recipients change, where the host tells. */
export async function onRecipients(handler, m = item()) {
  if (supports("1.7") && m.addHandlerAsync) await call(m, "addHandlerAsync", Office.EventType.RecipientsChanged, handler);
}

/** Calls back when another message is shown in a pane that is pinned. */
export async function onItem(handler) {
  if (supports("1.5") && Office.context.mailbox.addHandlerAsync) {
    await call(Office.context.mailbox, "addHandlerAsync", Office.EventType.ItemChanged, handler);
  }
}

/** Keeps what was found out for the script that runs on sending. Draft only, and only where the host can. */
export async function remember(key, value, m = item()) {
  if (!supports("1.11") || !m || !m.sessionData) return;
  const text = JSON.stringify(value);
  try {
    if (text.length < 40_000) await call(m.sessionData, "setAsync", key, text);
    else await call(m.sessionData, "removeAsync", key);
  } catch { /* the script asks by itself */ }
}
