// Opens a browser that can reach only the server under test, and records problems in its pages.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

export const { MEMBERBASE_TEST_URL: server, MEMBERBASE_TEST_TOKEN: token } = process.env;
const { MEMBERBASE_TEST_CHROMIUM: executablePath, MEMBERBASE_TEST_SCREENSHOTS: screenshots } = process.env;
if (!server || !token || !executablePath || !screenshots) {
  throw new Error("run this with scripts/browser.sh");
}

export const DESKTOP = { viewport: { width: 1280, height: 800 }, colorScheme: "light" };
export const PHONE = { viewport: { width: 375, height: 812 }, colorScheme: "dark", hasTouch: true };

export function launch() {
  return chromium.launch({
    executablePath,
    args: [
      // Only the host of the server can be resolved.
      `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${new URL(server).hostname}`,
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-quic",
      "--disable-gpu",
      "--no-first-run",
      // Chromium's sandbox does not start as root, which containers use.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ],
  });
}

/** Opens a page in a new context. `problems` collects failed requests, errors and policy violations, and has to stay empty. */
export async function open(browser, options) {
  const context = await browser.newContext(options);
  const problems = [];
  context.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== server) problems.push(`requested another host: ${request.url()}`);
  });
  context.on("requestfailed", (request) => {
    // Pages abort requests themselves when they restart workers or are reloaded.
    const why = request.failure()?.errorText;
    if (why !== "net::ERR_ABORTED") problems.push(`failed: ${request.url()} ${why}`);
  });
  context.on("weberror", (event) => problems.push(`uncaught: ${event.error().stack}`));
  context.on("console", (message) => {
    // The console asks for the progress of an import until the server knows it.
    if (/\/import\/[0-9a-f-]+$/.test(message.location().url) && message.text().includes("404")) return;
    if (["error", "warning"].includes(message.type())) problems.push(`${message.type()}: ${message.text().slice(0, 300)}`);
  });
  await context.exposeFunction("reportViolation", (what) => problems.push(`violates the Content-Security-Policy: ${what}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile }) =>
      window.reportViolation(`${violatedDirective} ${blockedURI} ${sourceFile}`),
    );
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  return { context, page, problems };
}

export async function screenshot(page, name) {
  await mkdir(screenshots, { recursive: true });
  await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
}

/** Waits for finite animations to end, so that checks and screenshots see the final state. */
export async function settle(page) {
  await page.waitForTimeout(200);
  await page.evaluate(() => {
    const ends = (animation) => animation.effect?.getTiming().iterations !== Infinity;
    return Promise.allSettled(document.getAnimations().filter(ends).map((animation) => animation.finished));
  });
}

/** Checks the page with axe, up to three times. */
export async function checkAccessibility(page, name) {
  let found;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    // On small screens, axe's first run does not recognise a dialog that was just opened.
    const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
    found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
    if (found.length === 0) return;
    await page.waitForTimeout(300);
  }
  assert.deepEqual(found, [], `axe finds no violations: ${name}`);
}
