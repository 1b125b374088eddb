/*
 * Runs when a message is sent, where Outlook has Smart Alerts: says so beforehand if the gateway would refuse the message. It never
 * keeps anybody from sending: the user may send all the same, and where the gateway is away, or does not know the user, nothing is
 * said. The gateway itself sends nothing that is not protected as it must be.
 *
 * Classic Outlook for Windows runs this file alone, outside of any page, up to ECMAScript 2016: no imports, no DOM, no async.
 */
var siegelOnSend = (function () { // a global name: some hosts look for it
  "use strict";

  var BASE = "https://gateway.invalid/outlook/";
  var PATIENCE = 4000; // Outlook says after five seconds that the add-in takes long
  var FIELDS = { encrypt: "X-Siegel-Encrypt", sign: "X-Siegel-Sign", tls: "X-Siegel-TLS", plain: "X-Siegel-Plain", deMail: "X-Siegel-DeMail" };
  var OPTIONS = { dispatch: "sent", receipt: "received", retrieve: "collected", authoritative: "confirmed", private: "personal" };
  var MOST = 100; // recipients of a question, where the gateway does not say
  var YES = ["yes", "true", "1"];
  var TEXTS = {
    en: {
      one: "This message would come back: it cannot be protected as it must be.", more: function (n) { return "and " + n + " more"; },
      advice: "You can change the recipients or what you asked for.", 
    },
    de: {
      one: "Diese Nachricht k\u00e4me zur\u00fcck: Der verlangte Schutz ist nicht m\u00f6glich.", more: function (n) { return "und " + n + " weitere"; },
      advice: "Sie k\u00f6nnen Empf\u00e4nger oder Ihre Wahl \u00e4ndern.",
    },
  };
  var LONGEST = 480; // of what Outlook shows

  function language() {
    var tag = String(Office.context.displayLanguage || "en").toLowerCase();
    return tag === "de" || tag.indexOf("de-") === 0 ? "de" : "en";
  }

  function supports(version) {
    try {
      return Office.context.requirements.isSetSupported("Mailbox", version);
    } catch (e) {
      return false;
    }
  }

  function call(object, method, args) {
    return new Promise(function (resolve, reject) {
      object[method].apply(object, (args || []).concat(function (result) {
        if (result.status === Office.AsyncResultStatus.Succeeded) resolve(result.value);
        else reject(new Error(method));
      }));
    });
  }

  function addresses(list) {
    return (list || []).map(function (r) { return String(r.emailAddress || ""); }).filter(Boolean);
  }

  function text(value) { return String(value || "").trim().toLowerCase(); }

  function asks(value) {
    return ["", "no", "false", "0"].indexOf(text(value)) < 0;
  }

  /** What the field of De-Mail asks for: options, or De-Mail without any. */
  function deMail(value) {
    var options = [];
    var demanded = false;
    text(value).split(/[,;\s]+/).forEach(function (word) {
      var parts = word.split("=");
      if (!word || !asks(parts.length > 1 ? parts[1] : parts[0])) return;
      demanded = true;
      if (YES.indexOf(parts[0]) >= 0) return;
      var option = OPTIONS[parts[0]] || parts[0];
      if (options.indexOf(option) < 0) options.push(option);
    });
    return demanded && !options.length ? ["yes"] : options;
  }

  /** What fields ask for. flags.js reads them the same way. */
  function flags(fields) {
    var values = {};
    Object.keys(fields || {}).forEach(function (name) { values[name.toLowerCase()] = fields[name]; });
    function of(name) { return text(values[FIELDS[name].toLowerCase()]); }
    function against(name) { return of(name) === "never"; }
    return {
      sign: asks(of("sign")) && !against("sign"), encrypt: asks(of("encrypt")) && !against("encrypt"),
      plain: YES.indexOf(of("plain")) >= 0 || against("sign") || against("encrypt"), tls: asks(of("tls")), deMail: deMail(of("deMail")),
    };
  }

  /** The draft as the API is asked about it. Tags in the subject the gateway reads by itself. */
  function question(item) {
    var names = Object.keys(FIELDS).map(function (n) { return FIELDS[n]; });
    return Promise.all([
      call(item.from, "getAsync"), call(item.to, "getAsync"), call(item.cc, "getAsync"), call(item.bcc, "getAsync"),
      call(item.subject, "getAsync"), call(item.internetHeaders, "getAsync", [names]),
    ]).then(function (v) {
      return {
        from: String((v[0] && v[0].emailAddress) || Office.context.mailbox.userProfile.emailAddress || ""),
        to: addresses(v[1]), cc: addresses(v[2]), bcc: addresses(v[3]),
        subject: String(v[4] || ""), size: 0, flags: flags(v[5]),
      };
    });
  }

  /** Names a question, so that an answer is not taken for that to another. flags.js does the same. */
  function fingerprint(q) {
    var all = q.to.concat(q.cc, q.bcc).map(function (a) { return a.toLowerCase(); }).sort();
    var f = q.flags;
    return JSON.stringify([q.from.toLowerCase(), all, f.sign, f.encrypt, f.plain, f.tls, f.deMail.slice().sort()]);
  }

  function request(method, path, bearer, body) {
    return new Promise(function (resolve, reject) {
      var x = new XMLHttpRequest();
      x.open(method, BASE + "api/" + path);
      x.timeout = PATIENCE;
      if (body) x.setRequestHeader("Content-Type", "application/json");
      if (bearer) x.setRequestHeader("Authorization", "Bearer " + bearer);
      x.onload = function () {
        try {
          if (x.status !== 200) reject(new Error(String(x.status)));
          else resolve(JSON.parse(x.responseText));
        } catch (e) {
          reject(e);
        }
      };
      x.onerror = x.ontimeout = function () { reject(new Error("away")); };
      x.send(body ? JSON.stringify(body) : null);
    });
  }

  /** The token for one way to be known, without ever asking the user. */
  function token(way) {
    if (way === "network") return Promise.resolve("");
    if (way === "exchange") return call(Office.context.mailbox, "getUserIdentityTokenAsync");
    var auth = typeof OfficeRuntime !== "undefined" && OfficeRuntime.auth ? OfficeRuntime.auth : Office.auth;
    if (way === "entra" && auth && auth.getAccessToken) return Promise.resolve(auth.getAccessToken({ allowSignInPrompt: false }));
    return Promise.reject(new Error("no way"));
  }

  function first(ways, attempt) {
    return ways.reduce(function (before, way) {
      return before.catch(function () { return attempt(way); });
    }, Promise.reject(new Error("none")));
  }

  /** The question with as many recipients as one may have, as the pane asks it. */
  function within(q, limits) {
    var room = limits && limits.recipients > 0 ? limits.recipients : MOST;
    function take(list) {
      var some = list.slice(0, room);
      room -= some.length;
      return some;
    }
    return { from: q.from, to: take(q.to), cc: take(q.cc), bcc: take(q.bcc), subject: q.subject, size: q.size, flags: q.flags };
  }

  function explain(whole) {
    return request("GET", "settings").then(function (settings) {
      var q = within(whole, settings.limits);
      var ways = [settings.authentication].concat(settings.alternatives || []);
      return first(ways, function (way) {
        return token(way).then(function (bearer) { return request("POST", "explain", bearer, q); });
      });
    }).then(function (answer) {
      return (answer.recipients || []).filter(function (r) { return r.refused === true; });
    });
  }

  /** What the pane found out of the same draft, for hosts that give this script no token. */
  function remembered(item, q) {
    if (!item.sessionData) return Promise.resolve([]);
    return call(item.sessionData, "getAsync", ["siegel"]).then(function (text) {
      var kept = JSON.parse(text);
      return kept.v === 1 && kept.of === fingerprint(q) ? kept.refused : [];
    }).catch(function () { return []; });
  }

  /** What is said of recipients that would be refused. */
  function message(refused) {
    var lang = language();
    var t = TEXTS[lang];
    var out = "";
    for (var i = 0; i < refused.length; i++) {
      var r = refused[i];
      var text = (r.text && (r.text[lang] || r.text.en || r.text.de)) || t.one;
      var line = (i ? " " : "") + String(r.to || "") + ": " + String(text);
      var rest = refused.length - i;
      var tail = " " + t.more(rest) + ". " + t.advice;
      if (out.length + line.length + tail.length > LONGEST) {
        if (i > 0) return out + tail;
        return (out + line).slice(0, LONGEST - t.advice.length - 3) + "\u2026 " + t.advice;
      }
      out += line;
    }
    return out + " " + t.advice;
  }

  function siegelOnSend(event) {
    var done = false;
    function complete(options) {
      if (done) return;
      done = true;
      event.completed(options);
    }
    function send() { complete({ allowEvent: true }); }
    function warn(refused) {
      if (!refused || !refused.length) return send();
      var options = { allowEvent: false, errorMessage: message(refused) };
      if (supports("1.14")) options.commandId = "siegel.composePane"; // opens the pane from the dialog
      return complete(options);
    }
    var asked = null;
    var item = null;
    var timer = setTimeout(giveUp, PATIENCE);
    function giveUp() {
      if (!asked) return send();
      return remembered(item, asked).then(warn).catch(send);
    }
    try {
      item = Office.context.mailbox.item;
      question(item).then(function (q) {
        asked = q;
        if (!q.to.length && !q.cc.length && !q.bcc.length) return send();
        return explain(q).then(warn, giveUp);
      }).catch(send).then(function () { clearTimeout(timer); });
    } catch (e) {
      clearTimeout(timer);
      send();
    }
  }

  return siegelOnSend;
})();

Office.actions.associate("siegelOnSend", siegelOnSend);
