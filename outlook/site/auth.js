// Who the user is: by Entra, through the host (nested app authentication), by an identity token of Exchange, or by nothing but where
// the request comes from. Tokens stay in memory.

import { call } from "./host.js";

const LIBRARY = new URL("./vendor/msal-browser.min.js", import.meta.url);

let client = null;

/** Loads Microsoft's library when it is first needed: most companies need it never. */
function library() {
  if (globalThis.msal) return Promise.resolve(globalThis.msal);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = LIBRARY.href;
    script.onload = () => (globalThis.msal ? resolve(globalThis.msal) : reject(new Error("msal")));
    script.onerror = () => reject(new Error("msal"));
    document.head.append(script);
  });
}

async function application(entra) {
  if (!client) {
    client = library().then((msal) => msal.createNestablePublicClientApplication({
      auth: { clientId: entra.clientId, authority: entra.authority },
      cache: { cacheLocation: "memoryStorage" },
    }));
    client.catch(() => { client = null; });
  }
  return client;
}

/** A token of Entra: without a word if that can be, else the user is asked. */
async function byEntra(settings, fresh) {
  const { entra } = settings;
  if (!entra || !entra.clientId || !entra.authority || !entra.scope) throw new Error("entra");
  const app = await application(entra);
  const request = { scopes: [entra.scope], forceRefresh: fresh };
  try {
    return (await app.acquireTokenSilent(request)).accessToken;
  } catch (e) {
    if (!settings.interactive) throw e;
    return (await app.acquireTokenPopup(request)).accessToken;
  }
}

/** The token for a way to be known; undefined: it needs none. It fails where this Outlook cannot be known that way. */
export async function token(way, settings, fresh) {
  switch (way) {
    case "entra": return byEntra(settings, fresh);
    case "exchange": return call(Office.context.mailbox, "getUserIdentityTokenAsync");
    case "network": return undefined;
    default: throw new Error(`no way ${way}`);
  }
}
