// Chromium with the rest of the world cut off, and a record of what a page should not do.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { house } from "./address.mjs";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function launch() {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(`no ${EXECUTABLE}: apt-get install chromium, or name one in CHROMIUM`);
  }
  return chromium.launch({ executablePath: EXECUTABLE, args: FLAGS, headless: true });
}

/** A page of a visitor who was never here. `faults` fills with whatever went wrong on it. */
export async function freshPage(browser) {
  const context = await browser.newContext();
  const faults = [];
  await context.route("**/*", (route) => {
    const url = new URL(route.request().url());
    if (url.origin === house.origin || url.protocol === "data:") return route.continue();
    faults.push(`asked for ${url}`);
    return route.abort();
  });
  await context.exposeFunction("reportViolation", (what) => faults.push(`violated ${what}`));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      globalThis.reportViolation(`${violatedDirective}: ${blockedURI}`),
    );
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`threw ${error}`));
  page.on("websocket", (socket) => {
    if (new URL(socket.url()).host !== house.host) faults.push(`asked for ${socket.url()}`);
  });
  page.on("response", (response) => {
    if (!response.ok()) faults.push(`${response.status()} for ${response.url()}`);
  });
  return { page, faults };
}
