// The buttons on the ribbon: each asks for something, or takes it back when pressed again. They need no gateway.

import * as api from "./api.js";
import * as draft from "./draft.js";
import { toggle } from "./flags.js";
import * as host from "./host.js";
import { texts } from "./texts.js";

const PATIENCE = 2_000; // the gateway knows the words of subjects; a button does not wait long for them

const BUTTONS = {
  siegelEncrypt: "encrypt",
  siegelSign: "sign",
  siegelTls: "tls",
  siegelPlain: "plain",
  siegelDeMail: "deMail",
};

/** What one button does. */
async function press(name) {
  const t = texts(host.language());
  try {
    const settings = await api.settings(host.takesFields() ? 1 : PATIENCE);
    const before = await draft.readFlags(settings);
    const flags = toggle(before, name, !before[name]);
    await draft.writeFlags(flags, settings);
    const asked = Object.keys(t.notice).filter((n) => flags[n]).map((n) => t.notice[n]);
    await host.notice(asked.length ? t.asked(asked.join(", ")) : "");
  } catch {
    await host.notice(t.notWritten);
  }
}

await Office.onReady();
for (const [call, name] of Object.entries(BUTTONS)) {
  const run = (event) => press(name).finally(() => event.completed());
  Office.actions.associate(call, run);
  globalThis[call] = run; // hosts before Mailbox 1.8 look for a function of this name
}
