// What every page begins with: language, theme, and making elements. Text becomes text, never markup.

import { texts } from "./texts.js";
import * as host from "./host.js";

/** Makes an element: properties, then children, of which strings are text. */
export function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) if (child || child === 0) element.append(child);
  return element;
}

/** How bright a colour such as #1f1f1f is, from 0 to 255. */
function brightness(colour) {
  const m = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(colour || "");
  if (!m) return null;
  const [r, g, b] = m.slice(1).map((h) => parseInt(h, 16));
  return 0.299 * r + 0.587 * g + 0.114 * b;
}

/** Follows the theme of Outlook where it tells; else the style sheet follows that of the system. */
function theme() {
  const office = Office.context && Office.context.officeTheme;
  const light = office && brightness(office.bodyBackgroundColor);
  if (light !== null && light !== undefined) document.documentElement.dataset.theme = light < 128 ? "dark" : "light";
}

/** Begins a page: when Outlook is ready it is called with the texts and the language. */
export async function begin(titleKey, run) {
  const browser = String(navigator.language || "").toLowerCase().startsWith("de") ? "de" : "en";
  if (!globalThis.Office || !Office.onReady) {
    document.documentElement.lang = browser;
    document.querySelector("main").replaceChildren(make("p", { class: "note bad", role: "alert" }, texts(browser).sdk));
    return;
  }
  document.querySelector("main").replaceChildren(); // what it says is for those whose Outlook does not come here
  await Office.onReady();
  const language = host.language(browser);
  const t = texts(language);
  document.documentElement.lang = language;
  document.title = t[titleKey];
  theme();
  document.querySelector("h1").textContent = t[titleKey];
  await run(t, language);
}
