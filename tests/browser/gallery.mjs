// Opens every page of the gallery in Chromium: nothing sticks out at the sides, nothing breaks the content security policy,
// and axe-core finds nothing serious; with a directory for pictures, takes them. Run by tests/browser/run.
//   node gallery.mjs GALLERY STATIC MODULES [PICTURES]
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { extname, join, normalize } from "node:path";

const [gallery, assets, modules, pictures] = process.argv.slice(2);
const load = createRequire(join(modules, "node_modules", "x.js"));
const { chromium } = load("playwright-core");
const axe = readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");

// As the server sends it; the pages must live with this.
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };
const server = createServer((request, response) => {
  const path = normalize(new URL(request.url, "http://x").pathname);
  const file = path.startsWith("/static/") ? join(assets, path.slice(8)) : join(gallery, path);
  try {
    const body = readFileSync(file);
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-security-policy": POLICY });
    response.end(body);
  } catch {
    response.writeHead(204).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const origin = `http://127.0.0.1:${server.address().port}`;
if (pictures) mkdirSync(pictures, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const names = readdirSync(gallery).filter((name) => name.endsWith(".html")).sort();
let wrong = 0;
const fail = (...words) => { wrong += 1; console.error(...words); };

for (const colorScheme of ["light", "dark"]) {
  for (const width of [360, 800, 1440, 2560]) {
    // The checker puts a script into the page, which the policy rightly forbids: it is told apart from our own.
    for (const bypassCSP of width === 360 || width === 1440 ? [false, true] : [false]) {
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP, reducedMotion: "reduce" });
      for (const name of names) {
        const where = `${name} at ${width} px, ${colorScheme}:`;
        const page = await context.newPage();
        page.on("console", (message) => {
          if (message.type() === "error" && /policy/i.test(message.text())) fail(where, message.text());
        });
        page.on("pageerror", (error) => fail(where, error.message));
        await page.goto(`${origin}/${name}`, { waitUntil: "load" });
        if (bypassCSP) {
          await page.evaluate(axe);
          const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
          for (const one of found.violations) {
            const words = [where, one.impact, one.id, one.nodes.slice(0, 2).map((node) => node.html.slice(0, 140)).join(" | ")];
            if (["serious", "critical"].includes(one.impact)) fail(...words); else console.log(...words);
          }
        } else {
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          if (over > 0) fail(where, `sticks out by ${over} px`);
          if (pictures) await page.screenshot({ path: join(pictures, `${name.replace(".html", "")}-${width}-${colorScheme}.png`), fullPage: true });
        }
        await page.close();
      }
      await context.close();
    }
  }
}
await browser.close();
server.close();
console.log(wrong ? `${wrong} wrong` : `${names.length} pages hold`);
process.exit(wrong ? 1 : 0);
