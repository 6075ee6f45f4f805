// A browser that reaches the server under test and nothing else, and keeps a record of what went wrong in it.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

export const { MEMBERBASE_TEST_URL: server, MEMBERBASE_TEST_TOKEN: token } = process.env;
const { MEMBERBASE_TEST_CHROMIUM: executablePath, MEMBERBASE_TEST_SCREENSHOTS: screenshots } = process.env;
if (!server || !token || !executablePath || !screenshots) {
  throw new Error("this is run by scripts/browser.sh");
}

export const DESKTOP = { viewport: { width: 1280, height: 800 }, colorScheme: "light" };
export const PHONE = { viewport: { width: 375, height: 812 }, colorScheme: "dark", hasTouch: true };

export function launch() {
  return chromium.launch({
    executablePath,
    args: [
      // Every name and address but that of the server leads nowhere.
      `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${new URL(server).hostname}`,
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-quic",
      "--disable-gpu",
      "--no-first-run",
      // Chromium's sandbox does not start for root, who runs this in containers.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ],
  });
}

/** A window of its own, with nothing kept in it, and the list of what is amiss in it, which is to stay empty. */
export async function open(browser, options) {
  const context = await browser.newContext(options);
  const amiss = [];
  context.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== server) amiss.push(`asked another host: ${request.url()}`);
  });
  context.on("requestfailed", (request) => {
    // What is aborted was called off by the page, which starts workers anew and is reloaded.
    const why = request.failure()?.errorText;
    if (why !== "net::ERR_ABORTED") amiss.push(`failed: ${request.url()} ${why}`);
  });
  context.on("weberror", (event) => amiss.push(`uncaught: ${event.error().stack}`));
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) amiss.push(`${message.type()}: ${message.text().slice(0, 300)}`);
  });
  await context.exposeFunction("reportViolation", (what) => amiss.push(`forbidden by the policy: ${what}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile }) =>
      window.reportViolation(`${violatedDirective} ${blockedURI} ${sourceFile}`),
    );
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  return { context, page, amiss };
}

export async function screenshot(page, name) {
  await mkdir(screenshots, { recursive: true });
  await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
}

/** Waits for what comes and goes slowly: it is judged when it is there. */
export async function settle(page) {
  await page.waitForTimeout(200);
  await page.evaluate(() => {
    const ends = (animation) => animation.effect?.getTiming().iterations !== Infinity;
    return Promise.allSettled(document.getAnimations().filter(ends).map((animation) => animation.finished));
  });
}

/** Holds the page to what axe knows of accessibility: at once, or where it has just changed, a moment later. */
export async function fine(page, name) {
  let told;
  for (let look = 0; look < 3; look += 1) {
    // On a small screen axe's first look at a dialog that was just opened misses that it is one.
    const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
    told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
    if (told.length === 0) return;
    await page.waitForTimeout(300);
  }
  assert.deepEqual(told, [], `axe finds nothing: ${name}`);
}
