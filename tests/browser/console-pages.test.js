// Tests the console's pages for attributes, syncs and API tokens.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { DESKTOP, launch, server, token } from "./browser.js";
import { choose, createMemberbase, inspect, request, upsert, visit } from "./console.js";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("attributes are added, changed and removed, unless members have values of them", async () => {
  const id = await createMemberbase("Card holders");
  await upsert(id, [{ ref: "ann", attributes: { age: 41 } }]);
  const { context, page, problems } = await visit(browser, `memberbases/${id}/attributes`);
  await page.getByLabel("New attribute").fill("age");
  await page.getByText("An attribute with this key already exists.").waitFor();
  await page.getByLabel("New attribute").fill("tags");
  await choose(page, "Type", "List of texts", page.locator("form"));
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("button", { name: "Remove plan" }).click();
  await page.getByRole("button", { name: "Remove age" }).click();
  await inspect(page, "attributes-1-editor");
  await page.getByRole("button", { name: "Review and save" }).click();
  const dialog = page.getByRole("alertdialog", { name: "Save these changes?" });
  await dialog.getByText("1 member has a value.").waitFor();
  assert.ok(await dialog.getByRole("button", { name: "Save", exact: true }).isDisabled());
  await inspect(page, "attributes-2-save");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Restore age" }).click();
  await page.getByRole("button", { name: "Review and save" }).click();
  await dialog.getByRole("button", { name: "Save", exact: true }).click();
  await dialog.waitFor({ state: "detached" });
  const { memberbase } = await request("query ($id: ID!) { memberbase(id: $id) { attributeSchema { key type } } }", { id });
  assert.deepEqual(
    memberbase.attributeSchema.toSorted((a, b) => a.key.localeCompare(b.key)),
    [
      { key: "age", type: "NUMBER" },
      { key: "joined", type: "DATE" },
      { key: "tags", type: "STRING_LIST" },
    ],
  );
  assert.deepEqual(problems, []);
  await context.close();
});

test("syncs are listed with their state, and an open one is abandoned", async () => {
  const id = await createMemberbase("Savers");
  const { context, page, problems } = await visit(browser, `memberbases/${id}/syncs`);
  await page.getByRole("heading", { name: "No syncs yet" }).waitFor();
  await inspect(page, "syncs-0-empty");
  await upsert(id, [{ ref: "ann" }, { ref: "ben" }]);
  const start = "mutation ($id: ID!) { startSync(input: { memberbaseId: $id }) { sync { id } } }";
  const { startSync } = await request(start, { id });
  await request("mutation ($id: ID!) { commitSync(input: { syncId: $id }) { sync { id } } }", { id: startSync.sync.id });
  await request(start, { id });
  await page.getByRole("button", { name: "Refresh" }).click();
  await page.getByText("Open", { exact: true }).waitFor();
  await inspect(page, "syncs-1");
  await page.getByRole("button", { name: "Abandon" }).click();
  const dialog = page.getByRole("alertdialog", { name: "Abandon this sync?" });
  await inspect(page, "syncs-2-abandon");
  await dialog.getByRole("button", { name: "Abandon" }).click();
  await page.getByText("Abandoned", { exact: true }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("a token is created, its secret is copied, and it is revoked", async () => {
  const name = `Pension ${Date.now()}`;
  const id = await createMemberbase(name);
  const { context, page, problems } = await visit(browser, "tokens", { ...DESKTOP, permissions: ["clipboard-read", "clipboard-write"] });
  await page.getByRole("button", { name: "New token" }).click();
  await page.getByLabel("Description").fill(`sync of ${name}`);
  await choose(page, /Access/, "Write");
  await choose(page, /Memberbase/, name);
  await choose(page, /Expires/, "On a date");
  await page.getByLabel("At the end of").fill("2020-01-01");
  await page.getByText("Choose today or a later date.").waitFor();
  await page.getByLabel("At the end of").fill("2099-01-31");
  await inspect(page, "tokens-1-new");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  const secret = await page.getByLabel("Secret", { exact: true }).innerText();
  await page.getByRole("button", { name: "Copy secret" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  await inspect(page, "tokens-2-secret");
  const { currentApiToken } = await request("{ currentApiToken { access memberbaseId expiresAt } }", {}, secret);
  assert.deepEqual([currentApiToken.access, currentApiToken.memberbaseId], ["WRITE", id]);
  assert.match(currentApiToken.expiresAt, /^2099-01-31T23:59:59/);
  await page.getByRole("button", { name: "Done" }).click();
  assert.ok(!(await page.content()).includes(secret));
  const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
  assert.ok(!kept.includes(secret), "a secret is never stored");

  const row = page.getByRole("row", { name: `sync of ${name}` });
  await row.waitFor();
  await inspect(page, "tokens-3-list");
  await row.getByRole("button", { name: "Revoke" }).click();
  const dialog = page.getByRole("alertdialog", { name: `Revoke sync of ${name}?` });
  await inspect(page, "tokens-4-revoke");
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await row.getByText("Revoked", { exact: true }).waitFor();
  const rejected = await fetch(`${server}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${secret}` },
    body: JSON.stringify({ query: "{ currentApiToken { id } }" }),
  });
  assert.equal(rejected.status, 401);
  assert.deepEqual(problems, []);
  await context.close();
});

test("the console shows only the pages that a token has access to", async () => {
  const id = await createMemberbase("Guests");
  const created = await request(
    "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { secret } }",
    { input: { description: "reader", access: "READ", memberbaseId: id } },
  );
  const { context, page, problems } = await visit(browser, `memberbases/${id}/attributes`, DESKTOP, created.createApiToken.secret);
  await page.getByRole("cell", { name: "plan" }).waitFor();
  assert.equal(await page.getByLabel("New attribute").count(), 0);
  assert.deepEqual(await page.getByRole("navigation").first().getByRole("link").allInnerTexts(), ["Members", "Attributes", "Syncs"]);
  await page.goto(`${server}/console#/memberbases/${id}/import`);
  await page.getByText("This page needs a token with WRITE access.").waitFor();
  await inspect(page, "no-access");
  await page.goto(`${server}/console#/tokens`);
  await page.getByRole("heading", { name: "Page not found" }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("an error shows its code and trace id, and can be retried", async () => {
  const id = await createMemberbase("Quiet");
  const { context, page } = await visit(browser, `memberbases/${id}/syncs`);
  await page.getByRole("heading", { name: "No syncs yet" }).waitFor();
  const errors = [{ message: "the test fails this query", extensions: { code: "INTERNAL_SERVER_ERROR", traceId: "trace-1" } }];
  await page.route("**/graphql", (route) =>
    route.request().postData()?.includes("ApiTokens") ? route.fulfill({ json: { data: null, errors } }) : route.continue(),
  );
  await page.goto(`${server}/console#/tokens`);
  const alert = page.getByRole("alert");
  await alert.getByText("Couldn't load the tokens").waitFor();
  assert.match(await alert.innerText(), /The test fails this query\.[\s\S]*INTERNAL_SERVER_ERROR[\s\S]*trace-1/);
  await page.unroute("**/graphql");
  await alert.getByRole("button", { name: "Retry" }).click();
  await page.getByRole("table", { name: "API tokens" }).waitFor();
  await context.close();
});
