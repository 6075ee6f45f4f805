// Helpers of the tests of the console's pages.
import assert from "node:assert/strict";
import { AxeBuilder } from "@axe-core/playwright";

import { DESKTOP, open, PHONE, screenshot, server, settle, token } from "./browser.js";

const SCHEMA = [
  { key: "plan", type: "STRING" },
  { key: "age", type: "NUMBER" },
  { key: "joined", type: "DATE" },
];
const SIZES = { desktop: DESKTOP.viewport, phone: PHONE.viewport };

export async function request(query, variables = {}, secret = token) {
  const response = await fetch(`${server}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${secret}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

export async function createMemberbase(name, attributes = SCHEMA) {
  const created = await request("mutation ($name: String!) { createMemberbase(input: { name: $name }) { memberbase { id } } }", { name });
  const { id } = created.createMemberbase.memberbase;
  await request(
    "mutation ($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }",
    { input: { memberbaseId: id, attributes } },
  );
  return id;
}

export async function upsert(memberbaseId, members) {
  await request("mutation ($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { summary { created } } }", {
    input: { memberbaseId, members },
  });
}

export async function count(memberbaseId) {
  const { members } = await request("query ($id: ID!) { members(memberbaseId: $id, first: 0) { totalCount } }", {
    id: memberbaseId,
  });
  return members.totalCount;
}

/** Opens a page of the console, signed in. */
export async function visit(browser, path, options = DESKTOP, secret = token) {
  const opened = await open(browser, { locale: "en-GB", timezoneId: "UTC", ...options });
  await opened.context.addInitScript((secret) => {
    // axe creates empty frames, which have no storage.
    if (location.protocol === "about:") return;
    if (!sessionStorage.getItem("memberbase.token")) sessionStorage.setItem("memberbase.token", secret);
  }, secret);
  await opened.page.goto(`${server}/console#/${path}`);
  return opened;
}

/** Takes screenshots in both themes and sizes, and checks that the page has no axe violations and does not overflow. */
export async function inspect(page, name) {
  const before = page.viewportSize();
  // Hides tooltips from the screenshots.
  await page.mouse.move(0, 0);
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await settle(page);
      await screenshot(page, `console-${name}-${size}-${colorScheme}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${name} is ${wide} px too wide for a ${size}`);
      // axe is slow, so each theme and each size is checked once.
      if ((size === "phone") !== (colorScheme === "dark")) continue;
      const { violations } = await new AxeBuilder({ page }).exclude("[data-live-announcer]").analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
      assert.deepEqual(found, [], `${name}, ${size}, ${colorScheme}`);
    }
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}

/** Chooses an option of a select. `scope` is the page or a part of it. */
export async function choose(page, select, option, scope = page) {
  await scope.getByRole("button", { name: select }).click();
  await page.getByRole("option", { name: option, exact: true }).click();
}
