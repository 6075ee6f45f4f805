// Tests the console's pages for imports, attributes, syncs and API tokens.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { AxeBuilder } from "@axe-core/playwright";

import { DESKTOP, PHONE, launch, open, screenshot, server, settle, token } from "./browser.js";

const SCHEMA = [
  { key: "plan", type: "STRING" },
  { key: "age", type: "NUMBER" },
  { key: "joined", type: "DATE" },
];
const SIZES = { desktop: DESKTOP.viewport, phone: PHONE.viewport };

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

async function request(query, variables = {}, secret = token) {
  const response = await fetch(`${server}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${secret}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

async function createMemberbase(name, attributes = SCHEMA) {
  const created = await request("mutation ($name: String!) { createMemberbase(input: { name: $name }) { memberbase { id } } }", { name });
  const { id } = created.createMemberbase.memberbase;
  await request(
    "mutation ($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }",
    { input: { memberbaseId: id, attributes } },
  );
  return id;
}

async function upsert(memberbaseId, members) {
  await request("mutation ($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { summary { created } } }", {
    input: { memberbaseId, members },
  });
}

async function count(memberbaseId) {
  const { members } = await request("query ($id: ID!) { members(memberbaseId: $id, first: 0) { totalCount } }", {
    id: memberbaseId,
  });
  return members.totalCount;
}

/** Opens a page of the console, signed in. */
async function visit(path, options = DESKTOP, secret = token) {
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
async function inspect(page, name) {
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
async function choose(page, select, option, scope = page) {
  await scope.getByRole("button", { name: select }).click();
  await page.getByRole("option", { name: option, exact: true }).click();
}

const upload = (page, name, text) =>
  page.setInputFiles("input[type=file]", { name, mimeType: "text/plain", buffer: Buffer.from(text) });

const numberOf = async (page, name) =>
  Number((await page.locator("dl > div", { hasText: name }).locator("dd").first().innerText()).replaceAll(",", ""));

test("a file of 100,000 rows is checked and imported, and its bad rows are downloaded", async () => {
  const id = await createMemberbase("Readers");
  const { context, page, problems } = await visit(`memberbases/${id}/import`);
  await page.getByRole("heading", { name: "Drop a file here" }).waitFor();
  await page.getByText("Example files").click();
  await inspect(page, "import-1-file");
  const rows = Array.from({ length: 100_000 }, (_, n) => `ref-${n},"Gold, ""plus""",${n % 1000 === 7 ? "old" : n % 90},2024-01-31,x`);
  await upload(page, "readers.csv", ["ref,tier,age,joined,note", ...rows, "too,short", ""].join("\r\n"));
  await page.getByRole("heading", { name: "Which column identifies the member?" }).waitFor();
  await inspect(page, "import-2-content");
  await choose(page, "Import tier as", "plan");
  await page.getByRole("button", { name: "Add as attributes" }).click();
  await page.getByLabel("Key for note").fill("plan");
  await page.getByText("2 columns are imported as plan.").first().waitFor();
  assert.ok(await page.getByRole("button", { name: "Add 1 attribute and continue" }).isDisabled());
  await page.getByLabel("Key for note").fill("note");
  await page.getByRole("button", { name: "Add 1 attribute and continue" }).click();

  await page.getByRole("heading", { name: "Preview of the first 100,000 rows" }).waitFor({ timeout: 60_000 });
  assert.equal(await numberOf(page, "Would be created"), 99_900);
  assert.equal(await count(id), 0, "the check stores nothing");
  await inspect(page, "import-3-check");
  await page.getByRole("button", { name: "Check the whole file" }).click();
  await page.getByRole("heading", { name: "Preview of 100,001 rows" }).waitFor({ timeout: 60_000 });
  assert.equal(await numberOf(page, "Rejected"), 101);

  await page.evaluate(() => {
    window.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    }).observe({ entryTypes: ["longtask"] });
  });
  await page.getByRole("button", { name: "Import", exact: true }).click();
  // Other pages can be opened while the import runs.
  await page.getByRole("link", { name: "Syncs" }).first().click();
  await page.getByRole("heading", { name: "Syncs", exact: true }).waitFor();
  await page.getByRole("link", { name: "Import" }).first().click();
  await page.getByRole("heading", { name: "Imported readers.csv" }).waitFor({ timeout: 60_000 });
  const longest = await page.evaluate(() => window.longest);
  assert.ok(longest < 500, `the page was frozen for ${longest} ms`);
  assert.deepEqual([await numberOf(page, "Created"), await numberOf(page, "Rejected")], [99_900, 101]);
  assert.equal(await count(id), 99_900);
  await inspect(page, "import-4-done");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download as CSV" }).click();
  const lines = (await readFile(await (await download).path(), "utf8")).trimEnd().split("\r\n");
  assert.equal(lines.length, 102);
  assert.equal(lines[0], "\ufeffline,ref,field,code,message,row");
  assert.match(lines[1], /^9,ref-7,attributes\.age,INVALID_ATTRIBUTE_TYPE,/);
  assert.match(lines[101], /^100002,,,INVALID_VALUE,/);

  await page.getByRole("button", { name: "Import another file" }).click();
  await page.getByRole("heading", { name: "Drop a file here" }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("replacing the list deletes members only after a second confirmation", async () => {
  const id = await createMemberbase("Subscribers");
  await upsert(id, ["ann", "ben", "cem", "dee"].map((ref) => ({ ref })));
  const { context, page, problems } = await visit(`memberbases/${id}/import`, { ...PHONE });
  const packed = Buffer.concat([gzipSync('{"ref":"ann","attributes":{"plan":"gold","vip":true}}\n'), gzipSync('{"ref":"eve"}\n')]);
  await page.setInputFiles("input[type=file]", { name: "all.ndjson.gz", mimeType: "application/gzip", buffer: packed });
  await page.getByRole("heading", { name: "Keys that match no attribute" }).waitFor();
  await page.getByText("vip", { exact: true }).click();
  await page.getByText("Replace the list").click();
  await inspect(page, "import-5-replace");
  await page.getByRole("button", { name: "Add 1 attribute and continue" }).click();
  await page.getByText("3 of 4 members (75%)").waitFor();
  await inspect(page, "import-6-missing");
  assert.equal(await count(id), 4);
  await page.getByRole("button", { name: "Import", exact: true }).click();
  const dialog = page.getByRole("alertdialog", { name: "Delete 3 members?" });
  await dialog.waitFor();
  assert.equal(await count(id), 5, "no members are deleted before the confirmation");
  await inspect(page, "import-7-delete");
  await dialog.getByRole("button", { name: "Delete 3 members" }).click();
  await page.getByText("Deleted 3 members that were not in the file.").waitFor();
  assert.equal(await count(id), 2);

  await page.getByRole("button", { name: "Import another file" }).click();
  const dropped = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["ann\n"], "one.txt"));
    return data;
  });
  await page.getByText("Drop a file here").dispatchEvent("drop", { dataTransfer: dropped });
  await page.getByText("Replace the list").click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("1 of 2 members (50%)").waitFor();
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByRole("button", { name: "Keep members" }).click();
  await page.getByText("No members were deleted.").waitFor();
  assert.equal(await count(id), 2);
  const { memberbase } = await request("query ($id: ID!) { memberbase(id: $id) { syncs { nodes { state } } } }", { id });
  const states = memberbase.syncs.nodes.map(({ state }) => state);
  assert.deepEqual(states, ["COMMITTED", "ABANDONED", "COMMITTED", "ABANDONED"], "dry runs abandon their syncs");
  assert.deepEqual(problems, []);
  await context.close();
});

test("an import can be stopped, and unusable files are rejected with a reason", async () => {
  const id = await createMemberbase("Holders");
  const { context, page, problems } = await visit(`memberbases/${id}/import`);
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose a file" }).focus();
  await page.keyboard.press("Enter");
  await (await chooser).setFiles({ name: "empty.csv", mimeType: "text/csv", buffer: Buffer.from("") });
  await page.getByText("The file has no rows").waitFor();
  await page.getByRole("button", { name: "Back" }).click();
  await upload(page, "quote.csv", 'ref,plan\nann,gold\n"ben,silver\n');
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("The file ends within a quoted cell, which begins in line 3.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Import", exact: true }).isDisabled());
  await inspect(page, "import-8-damaged");
  await page.getByRole("button", { name: "Back" }).click();
  await page.getByRole("button", { name: "Back" }).click();
  await upload(page, "members.txt", "PK\x03\x04\x14\0\x06\0");
  await page.getByText("The file is a workbook (.xlsx, .ods) or another zip file: save it as CSV.").waitFor();
  await upload(page, "split.txt", 'ref\tplan\n\tgold\nann,"gold"\tx\n');
  await page.getByText("Replace the list").click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("No rows passed the check: there is nothing to import.").waitFor();
  await page.getByText("2 rows can't be attributed to a member, so no members would be deleted").waitFor();
  assert.ok(await page.getByRole("button", { name: "Import", exact: true }).isDisabled());
  await inspect(page, "import-8-nothing");
  await page.getByRole("button", { name: "Back" }).click();
  await page.getByRole("button", { name: "Back" }).click();

  // Requests with rows wait at the gate until it opens.
  let openGate;
  let gate;
  const closeGate = () => (gate = new Promise((resolve) => (openGate = resolve)));
  await context.route("**/graphql", async (route) => {
    if (route.request().postData()?.includes("ImportMembers")) await gate;
    await route.continue();
  });
  closeGate();
  await upload(page, "holders.txt", Array.from({ length: 100_000 }, (_, n) => `holder-${n}`).join("\n"));
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("button", { name: "Stop check" }).click();
  openGate();
  await page.getByRole("heading", { name: "Check stopped after 20,000 rows" }).waitFor();
  closeGate();
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByRole("heading", { name: "Importing holders.txt" }).waitFor();
  await inspect(page, "import-9-running");
  const asked = page.waitForEvent("dialog");
  const reload = page.reload().catch(() => undefined);
  const dialog = await asked;
  assert.equal(dialog.type(), "beforeunload", "leaving the page asks for confirmation");
  await dialog.dismiss();
  await reload;
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  openGate();
  await page.getByRole("heading", { name: "Import stopped" }).waitFor();
  assert.equal(await numberOf(page, "Created"), 20_000, "rows in flight are counted");
  assert.equal(await count(id), 20_000);
  assert.deepEqual(problems, []);
  await context.close();
});

test("attributes are added, changed and removed, unless members have values of them", async () => {
  const id = await createMemberbase("Card holders");
  await upsert(id, [{ ref: "ann", attributes: { age: 41 } }]);
  const { context, page, problems } = await visit(`memberbases/${id}/attributes`);
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
  const { context, page, problems } = await visit(`memberbases/${id}/syncs`);
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
  const { context, page, problems } = await visit("tokens", { ...DESKTOP, permissions: ["clipboard-read", "clipboard-write"] });
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
  const { context, page, problems } = await visit(`memberbases/${id}/attributes`, DESKTOP, created.createApiToken.secret);
  await page.getByRole("cell", { name: "plan" }).waitFor();
  assert.equal(await page.getByLabel("New attribute").count(), 0);
  assert.deepEqual(await page.getByRole("navigation").first().getByRole("link").allInnerTexts(), ["Members", "Attributes", "Syncs"]);
  await page.goto(`${server}/console#/tokens`);
  await page.getByRole("heading", { name: "Page not found" }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("an error shows its code and trace id, and can be retried", async () => {
  const id = await createMemberbase("Quiet");
  const { context, page } = await visit(`memberbases/${id}/syncs`);
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
