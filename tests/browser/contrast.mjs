// Holds the colours of static/app.css to WCAG 2.2 AA: text 4.5:1 on every ground that it is used on, edges of controls and
// marks 3:1. Also fails if the two copies of the dark tokens differ. Needs nothing but node: node tests/browser/contrast.mjs
import { readFileSync } from "node:fs";

const sheet = readFileSync(new URL("../../static/app.css", import.meta.url), "utf8");

function tokens(selector) {
  const start = sheet.indexOf(`${selector} {`);
  if (start < 0) throw new Error(`no block ${selector} in app.css`);
  const block = sheet.slice(start, sheet.indexOf("}", start));
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*([^;]+);/g)].map((pair) => [pair[1], pair[2].trim()]));
}

const light = tokens(":root");
const system = tokens(':root:not([data-theme="light"])');
const dark = tokens(':root[data-theme="dark"]');
let wrong = 0;
const fail = (words) => { wrong += 1; console.error(words); };

for (const name of new Set([...Object.keys(system), ...Object.keys(dark)])) {
  if (system[name] !== dark[name]) fail(`dark by the system and dark by choice differ in --${name}`);
}

function luminance(hex) {
  const [r, g, b] = hex.match(/[\da-f]{2}/gi).map((part) => parseInt(part, 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function ratio(one, other) {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

const grounds = ["ground", "side", "sunken", "raised", "hover"];
const pairs = [
  ...["text", "muted", "accent", "met", "risk", "broken", "unknown", "working"].flatMap((ink) => grounds.map((on) => [ink, on, 4.5])),
  ...["met", "risk", "broken", "unknown", "working", "sim", "accent"].map((ink) => [ink, `${ink}-soft`, 4.5]),
  ...["met-soft", "risk-soft", "broken-soft", "working-soft", "accent-soft", "line-soft"].map((on) => ["text", on, 4.5]),
  ["muted", "line-soft", 4.5], ["muted", "broken-soft", 4.5], ["text", "accent-line", 4.5],
  ["on-fill", "fill", 4.5], ["on-fill", "fill-hover", 4.5],
  ["console-text", "console", 4.5], ["console-muted", "console", 4.5], ["console-success", "console", 4.5],
  ["console-warn", "console", 4.5], ["console-error", "console", 4.5], ["console-text", "console-line", 4.5],
  ...["edge", "focus", "chart", "chart-limit"].flatMap((ink) => ["ground", "side", "raised"].map((on) => [ink, on, 3])),
];

for (const [theme, own] of [["light", light], ["dark", { ...light, ...dark }]]) {
  for (const [ink, on, least] of pairs) {
    const found = ratio(own[ink], own[on]);
    if (found < least) fail(`${theme}: --${ink} on --${on} is ${found.toFixed(2)}:1, at least ${least}:1 is needed`);
  }
}

console.log(wrong ? `${wrong} wrong` : `${pairs.length} pairs in two themes hold`);
process.exit(wrong ? 1 : 0);
