// A simulated Office.js for the pages in Chromium: as much of it as they use, over a draft or message that a test describes in
// window.fake. It is no Outlook and proves nothing about one; it keeps to what Microsoft documents of each method.

(() => {
  const fake = Object.assign({ version: "1.13", language: "en-US", mailbox: "alice@firma.example", fail: [], silent: [] }, window.fake);
  window.fake = fake;
  const item = fake.item;
  const draft = item && item.compose;
  const handlers = {};
  const at = (v) => v.split(".").map(Number);
  const has = (version) => {
    const [a, b] = [at(fake.version), at(version)];
    return a[0] > b[0] || (a[0] === b[0] && a[1] >= b[1]);
  };

  /** Answers later, as Outlook does; what fake.fail names fails, what fake.silent names never answers. */
  const answer = (name, args, work) => {
    const callback = args.findLast((a) => typeof a === "function");
    if (fake.silent.includes(name)) return;
    setTimeout(() => {
      if (fake.fail.includes(name)) callback({ status: "failed", error: { code: 9, message: `${name} failed` } });
      else callback({ status: "succeeded", value: work(...args) });
    }, 1);
  };
  const methods = (owner, prefix, all) => {
    for (const [name, work] of Object.entries(all)) owner[name] = (...args) => answer(prefix + name, args, work);
    return owner;
  };
  const list = (name) => methods({}, `${name}.`, { getAsync: () => (item[name] || []).slice() });

  let current = null;
  if (draft) {
    current = methods({ to: list("to"), cc: list("cc"), bcc: list("bcc") }, "", {});
    current.subject = methods({}, "subject.", { getAsync: () => item.subject || "", setAsync: (s) => { item.subject = s; } });
    if (has("1.7")) {
      current.from = methods({}, "from.", { getAsync: () => ({ emailAddress: item.from || fake.mailbox }) });
      methods(current, "", { addHandlerAsync: (type, f) => { handlers[type] = f; } });
    }
    if (has("1.8")) {
      item.fields = item.fields || {};
      current.internetHeaders = methods({}, "internetHeaders.", {
        getAsync: (names) => Object.fromEntries(names.filter((n) => n in item.fields).map((n) => [n, item.fields[n]])),
        setAsync: (fields) => { Object.assign(item.fields, fields); },
        removeAsync: (names) => { for (const n of names) delete item.fields[n]; },
      });
      methods(current, "", { getAttachmentsAsync: () => item.attachments || [] });
    }
    if (has("1.11")) {
      item.session = item.session || {};
      current.sessionData = methods({}, "sessionData.", {
        getAsync: (k) => item.session[k], setAsync: (k, v) => { item.session[k] = v; }, removeAsync: (k) => { delete item.session[k]; },
      });
    }
    item.notices = {};
    current.notificationMessages = methods({}, "notificationMessages.", {
      replaceAsync: (k, v) => { item.notices[k] = v; }, removeAsync: (k) => { delete item.notices[k]; },
    });
  } else if (item) {
    current = { from: { emailAddress: item.from } };
    if (has("1.8")) methods(current, "", { getAllInternetHeadersAsync: () => item.header });
  }

  const mailbox = methods({ item: current, userProfile: { emailAddress: fake.mailbox } }, "mailbox.", {
    addHandlerAsync: (type, f) => { handlers[type] = f; },
    getUserIdentityTokenAsync: () => "token-of-exchange",
  });
  const actions = {};
  window.Office = {
    onReady: async () => ({ host: "Outlook", platform: "OfficeOnline" }),
    AsyncResultStatus: { Succeeded: "succeeded", Failed: "failed" },
    EventType: { RecipientsChanged: "olkRecipientsChanged", ItemChanged: "olkItemChanged" },
    actions: { associate: (name, f) => { actions[name] = f; } },
    context: {
      displayLanguage: fake.language, officeTheme: fake.theme, mailbox, platform: "OfficeOnline",
      requirements: { isSetSupported: (set, version) => set === "Mailbox" && has(version) },
    },
  };
  /** What a test does to Outlook. */
  window.outlook = {
    actions,
    press: (name) => new Promise((resolve) => actions[name]({ completed: resolve })),
    raise: (type) => handlers[type] && handlers[type]({}),
    show: (next) => {
      Object.assign(item, next);
      mailbox.item = next ? Object.assign({}, current, { from: { emailAddress: item.from } }) : null;
      return handlers.olkItemChanged && handlers.olkItemChanged({});
    },
  };
  if (fake.bridge) {
    // The host's side of nested app authentication, as msal-browser expects it.
    let heard;
    const claims = { aud: "client", iss: "https://login.microsoftonline.com/tenant/v2.0", sub: "s", oid: "o", tid: "tenant", preferred_username: fake.mailbox };
    const part = (o) => btoa(JSON.stringify(o)).replace(/=+$/, "").replace(/\+/g, "-").replace(/\//g, "_");
    const idToken = [part({ typ: "JWT", alg: "RS256" }), part(claims), "sig"].join(".");
    const account = { environment: "login.microsoftonline.com", homeAccountId: "o.tenant", localAccountId: "o", tenantId: "tenant", username: fake.mailbox, idToken, idTokenClaims: claims };
    fake.bridge = { asked: [], ...fake.bridge };
    window.nestedAppAuthBridge = {
      addEventListener: (type, f) => { heard = f; },
      removeEventListener: () => {},
      postMessage: (text) => {
        const ask = JSON.parse(text);
        fake.bridge.asked.push(ask.method);
        if (ask.tokenParams) fake.bridge.scope = ask.tokenParams.scope;
        const refuse = fake.bridge.refuse && ask.method === "GetToken";
        setTimeout(() => heard(JSON.stringify({
          messageType: "NestedAppAuthResponse", requestId: ask.requestId, success: !refuse,
          ...(refuse ? { error: { status: "USER_INTERACTION_REQUIRED", code: "x", description: "" } }
            : ask.method === "GetInitContext" ? { initContext: { sdkName: "fake", sdkVersion: "1", capabilities: {}, accountContext: { homeAccountId: "o.tenant", environment: "login.microsoftonline.com", tenantId: "tenant" } } }
              : { token: { access_token: "token-of-entra", id_token: idToken, expires_in: 3600, scope: ask.tokenParams.scope, properties: null }, account }),
        })), 1);
      },
    };
  }
})();
