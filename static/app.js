// What the pages do beyond HTML, and all of it is an improvement: every page works with this file missing.
//
// Markup that it looks for:
//   data-events="ADDRESS"   on any element: server-sent events are read from there for as long as it is on the page
//   data-on="name name"     inside it: gets a `refresh` event when one of these arrives (hx-trigger="refresh")
//   data-console            inside it: a list that gets a line for each `console` event; follows the end unless scrolled
//   data-follow             beside a console: the button that goes back to the end
//   data-copy="#id"         a button that copies that element's text
//   time[data-relative]     kept true as time goes by
//   form.theme              sets the theme at once instead of after a reload
//   .toast [data-dismiss]   takes the message away
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (within, selector) => Array.from(within.querySelectorAll(selector));

  // ── live updates ──────────────────────────────────────────────────────────────────────────────────────
  const LEVELS = ["debug", "info", "success", "warn", "error"];
  const MOST_LINES = 5000;
  const sources = new Map();
  const due = new Map();

  // Many events in a row make one request, and never more than two a second for one element.
  function refresh(element) {
    if (due.has(element)) return;
    due.set(element, setTimeout(() => {
      due.delete(element);
      if (element.isConnected) element.dispatchEvent(new CustomEvent("refresh"));
    }, 500));
  }

  function atEnd(list) {
    return list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  }

  function line(list, { seq, at, level, message }) {
    if (Number(seq) <= Number(list.dataset.last || 0)) return;
    list.dataset.last = seq;
    const least = LEVELS.indexOf(list.dataset.least || "debug");
    if (!LEVELS.includes(level) || LEVELS.indexOf(level) < least) return;
    const follow = atEnd(list);
    const item = document.createElement("li");
    item.className = level;
    const time = document.createElement("time");
    time.dateTime = at;
    time.textContent = new Date(at).toLocaleTimeString("en-GB", { timeZone: list.dataset.zone || undefined });
    const word = document.createElement("span");
    word.className = "level";
    word.textContent = level;
    const text = document.createElement("span");
    text.className = "message";
    text.textContent = message;
    item.append(time, word, text);
    list.append(item);
    while (list.childElementCount > MOST_LINES) list.firstElementChild.remove();
    if (follow) list.scrollTop = list.scrollHeight;
    list.closest(".console-frame")?.classList.toggle("behind", !follow);
  }

  function listen(element) {
    const source = new EventSource(element.dataset.events);
    sources.set(element, source);
    const names = new Set(all(element, "[data-on]").flatMap((one) => one.dataset.on.split(/\s+/)));
    // The element itself may ask to be redrawn as well.
    (element.dataset.on || "").split(/\s+/).filter(Boolean).forEach((name) => names.add(name));
    for (const name of names) {
      source.addEventListener(name, () => {
        const wanted = `[data-on~="${CSS.escape(name)}"]`;
        all(element, wanted).forEach(refresh);
        if (element.matches(wanted)) refresh(element);
      });
    }
    source.addEventListener("console", (event) => {
      let entry;
      try { entry = JSON.parse(event.data); } catch { return; }
      all(element, "[data-console]").forEach((list) => line(list, entry));
    });
    // The server says when nothing more will come; a browser would ask again for ever.
    source.addEventListener("end", () => source.close());
  }

  function attach() {
    for (const [element, source] of sources) {
      if (!element.isConnected) { source.close(); sources.delete(element); }
    }
    all(document, "[data-events]").filter((element) => !sources.has(element)).forEach(listen);
    all(document, "[data-console]:not([data-ready])").forEach((list) => {
      list.dataset.ready = "";
      list.scrollTop = list.scrollHeight;
      list.addEventListener("scroll", () => {
        if (atEnd(list)) list.closest(".console-frame")?.classList.remove("behind");
      }, { passive: true });
    });
    tick();
  }

  // ── relative times ────────────────────────────────────────────────────────────────────────────────────
  const UNITS = [[86400, "d", 3600, "h"], [3600, "h", 60, "m"], [60, "m", 1, "s"]];
  const drift = Number(root.dataset.now || 0) ? Date.now() - Number(root.dataset.now) * 1000 : 0;

  function span(seconds) {
    for (const [large, name, small, rest] of UNITS) {
      if (seconds >= large) {
        const left = Math.floor((seconds % large) / small);
        return left ? `${Math.floor(seconds / large)} ${name} ${left} ${rest}` : `${Math.floor(seconds / large)} ${name}`;
      }
    }
    return `${seconds} s`;
  }

  function tick() {
    const now = Date.now() - drift;
    for (const time of all(document, "time[data-relative]")) {
      const seconds = Math.round((now - Date.parse(time.dateTime)) / 1000);
      if (Number.isNaN(seconds)) continue;
      const text = seconds === 0 ? "just now" : seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
      if (time.textContent !== text) time.textContent = text;
    }
  }
  setInterval(tick, 1000);

  // ── toasts, copying, theme ────────────────────────────────────────────────────────────────────────────
  function toast(message, kind) {
    const shelf = document.getElementById("toasts");
    if (!shelf) return;
    const item = document.createElement("div");
    item.className = `toast ${kind || ""}`;
    const text = document.createElement("p");
    text.textContent = message;
    item.append(text);
    shelf.append(item);
    if (kind !== "broken") setTimeout(() => item.remove(), 6000);
  }

  async function copy(button) {
    const from = document.querySelector(button.dataset.copy);
    if (!from) return;
    try {
      await navigator.clipboard.writeText((from.value ?? from.textContent).trim());
      toast("Copied.", "met");
    } catch {
      // Over plain HTTP browsers refuse the clipboard: select the text, so that one key press copies it.
      getSelection().selectAllChildren(from);
      toast("Selected. Press Ctrl+C to copy.");
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-dismiss], [data-follow]");
    if (!button) return;
    if ("copy" in button.dataset) copy(button);
    else if ("dismiss" in button.dataset) button.closest(".toast").remove();
    else {
      const frame = button.closest(".console-frame");
      const list = frame.querySelector("[data-console]");
      list.scrollTop = list.scrollHeight;
      frame.classList.remove("behind");
    }
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form.theme") || !event.submitter) return;
    event.preventDefault();
    const theme = event.submitter.value;
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    all(form, "button").forEach((one) => one.setAttribute("aria-pressed", String(one === event.submitter)));
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)), redirect: "manual" });
  });

  // An htmx answer that could not be had must not look like a click that did nothing.
  document.addEventListener("htmx:sendError", () => toast("Zerfaux did not answer. What you see may be old.", "broken"));
  document.addEventListener("htmx:responseError", (event) => toast(`The request was refused (${event.detail.xhr.status}).`, "broken"));
  document.addEventListener("htmx:afterSettle", attach);
  document.addEventListener("DOMContentLoaded", () => {
    attach();
    // Good news goes away by itself; anything else waits to be read.
    setTimeout(() => all(document, ".toast.met").forEach((one) => one.remove()), 8000);
  });
})();
