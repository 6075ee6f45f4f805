// Tests the console's import.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { DESKTOP, launch, PHONE } from "./browser.js";
import { choose, count, createMemberbase, inspect, request, upsert, visit } from "./console.js";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const upload = (page, name, content) =>
  page.setInputFiles("input[type=file]", { name, mimeType: "application/octet-stream", buffer: Buffer.from(content) });

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

const heading = (page, name) => page.getByRole("heading", { name, exact: true }).waitFor({ timeout: 60_000 });

const numberOf = async (page, name) =>
  Number((await page.locator("dl > div", { hasText: name }).locator("dd").first().innerText()).replaceAll(",", ""));

/** Returns the attributes of a member. */
async function attributesOf(memberbaseId, ref) {
  const query = "query ($id: ID!, $refs: [String!]!) { membersByRef(memberbaseId: $id, refs: $refs) { attributes } }";
  const { membersByRef } = await request(query, { id: memberbaseId, refs: [ref] });
  return membersByRef[0]?.attributes;
}

/** Holds the requests that import a file until the gate is opened. */
async function holdImports(context) {
  let openGate;
  const gate = new Promise((resolve) => (openGate = resolve));
  await context.route(/\/import\?/, async (route) => {
    if (!route.request().url().includes("inspect=true")) await gate;
    await route.continue().catch(() => undefined);
  });
  return openGate;
}

test("a file of 100,000 rows is checked and imported, and its rejected rows are downloaded", async () => {
  const id = await createMemberbase("Readers");
  const { context, page, problems } = await visit(browser, `memberbases/${id}/import`);
  await heading(page, "Drop a file here");
  await page.getByText("Example files").click();
  await inspect(page, "import-1-file");
  const rows = Array.from({ length: 100_000 }, (_, n) => `ref-${n},"Gold, ""plus""",${n % 1000 === 7 ? "old" : n % 90},2024-01-31,x`);
  await upload(page, "readers.csv", ["ref,tier,age,joined,note", ...rows, "too,short", ""].join("\r\n"));
  await heading(page, "Columns");
  await choose(page, "Import tier as", "plan");
  await page.getByRole("columnheader", { name: "plan" }).waitFor();
  await page.getByText("1 of 20 would be rejected.").waitFor();
  await inspect(page, "import-2-content");
  await press(page, "Add as attributes");
  await page.getByLabel("Key for note").fill("plan");
  await page.getByText("An attribute with this key already exists.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Add 1 attribute" }).isDisabled());
  await page.getByLabel("Key for note").fill("remark");
  await press(page, "Add 1 attribute");
  await page.getByRole("columnheader", { name: "remark" }).waitFor();
  await press(page, "Continue");

  await heading(page, "Preview of 100,001 rows");
  assert.deepEqual([await numberOf(page, "Would be created"), await numberOf(page, "Rejected")], [99_900, 101]);
  assert.equal(await count(id), 0, "the check stores nothing");
  await inspect(page, "import-3-check");
  await press(page, "Import");
  // Other pages can be opened while the import runs.
  await page.getByRole("link", { name: "Syncs" }).first().click();
  await heading(page, "Syncs");
  await page.getByRole("link", { name: "Import" }).first().click();
  await heading(page, "Imported readers.csv");
  assert.deepEqual([await numberOf(page, "Created"), await numberOf(page, "Rejected")], [99_900, 101]);
  assert.equal(await count(id), 99_900);
  await inspect(page, "import-4-done");
  const download = page.waitForEvent("download");
  await press(page, "Download as CSV");
  const lines = (await readFile(await (await download).path(), "utf8")).trimEnd().split("\r\n");
  assert.equal(lines.length, 102);
  assert.equal(lines[0], "\ufeffline,ref,column,code,message,row");
  assert.match(lines[1], /^9,ref-7,age,INVALID_ATTRIBUTE_TYPE,/);
  assert.match(lines[101], /^100002,,,INVALID_VALUE,/);

  await press(page, "Import another file");
  await heading(page, "Drop a file here");
  assert.deepEqual(problems, []);
  await context.close();
});

test("a file of a spreadsheet is recognized, and other settings are previewed at once", async () => {
  const id = await createMemberbase("Kunden");
  const { context, page, problems } = await visit(browser, `memberbases/${id}/import`);
  const text = "Kundennummer;Plan;Age;Joined\n4711;Jörg;1.234,5;31.12.2024\n4712;;2,5;3/2/2025\n4713;gold;7;\n";
  await upload(page, "kunden.csv", Buffer.from(text, "latin1"));
  const selected = (name) => page.getByRole("button", { name }).innerText();
  await page.getByRole("cell", { name: "Jörg" }).first().waitFor();
  assert.match(await selected(/Encoding/), /Windows-1252/);
  assert.match(await selected(/Separator/), /Semicolon/);
  assert.match(await selected(/Import Kundennummer as/), /Ref/);
  assert.match(await selected(/Numbers/), /Automatic \(1\.234,56\)/);
  await page.getByText("1 of 3 would be rejected.").waitFor();
  await page.getByText('attribute "joined" is of type DATE').waitFor();
  await inspect(page, "import-5-recognized");

  await choose(page, /Dates/, "Day first: 31/1/2026");
  await page.getByRole("cell", { name: "2025-02-03", exact: true }).waitFor();
  await choose(page, /Empty cells/, "Keep the stored value");
  await page.getByRole("cell", { name: "unchanged" }).first().waitFor();
  await choose(page, "Import Age as", "Don't import");
  await page.getByText("As they will be stored.").waitFor();
  await choose(page, /Separator/, "Comma");
  await page.getByText("Choose which column is the ref, which identifies a member.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Continue" }).isDisabled());
  await inspect(page, "import-6-no-ref");
  await choose(page, /Separator/, "Semicolon");
  await choose(page, "Import Age as", "Don't import");
  await choose(page, /Invalid rows/, "Stop the import");
  await page.getByText("As they will be stored.").waitFor();
  await press(page, "Continue");
  await heading(page, "Preview of 3 rows");
  await press(page, "Import");
  await heading(page, "Imported kunden.csv");
  assert.deepEqual(await attributesOf(id, "4711"), { plan: "Jörg", joined: "2024-12-31" });
  assert.deepEqual(await attributesOf(id, "4712"), { joined: "2025-02-03" });
  assert.deepEqual(problems, []);
  await context.close();
});

test("replacing the list deletes members only after a confirmation", async () => {
  const id = await createMemberbase("Subscribers");
  await upsert(id, ["ann", "ben", "cem", "dee"].map((ref) => ({ ref })));
  const { context, page, problems } = await visit(browser, `memberbases/${id}/import`, { ...PHONE });
  const packed = Buffer.concat([gzipSync('{"ref":"ann","attributes":{"plan":"gold","vip":true}}\n'), gzipSync('{"ref":"eve"}\n')]);
  await upload(page, "all.ndjson.gz", packed);
  await page.getByText("1 field matches no attribute: rows with attributes that are not declared are rejected.").waitFor();
  await press(page, "Add as attributes");
  await page.getByText("Replace the list").click();
  await inspect(page, "import-7-replace");
  await press(page, "Add 1 attribute");
  await page.getByText("As they will be stored.").waitFor();
  await press(page, "Continue");
  await page.getByText("3 of 4 members (75%)").waitFor();
  await inspect(page, "import-8-missing");
  await press(page, "Import");
  const dialog = page.getByRole("alertdialog", { name: "Delete 3 members?" });
  await dialog.waitFor();
  await inspect(page, "import-9-delete");
  await press(dialog, "Cancel");
  assert.equal(await count(id), 4, "no members are deleted before the confirmation");
  await press(page, "Import");
  await press(dialog, "Import and delete 3 members");
  await page.getByText("Deleted 3 members that were not in the file.").waitFor();
  assert.equal(await count(id), 2);

  await press(page, "Import another file");
  const dropped = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["ref\nann\n\t\neve\n"], "one.csv"));
    return data;
  });
  await page.getByText("Drop a file here").dispatchEvent("drop", { dataTransfer: dropped });
  await page.getByText("Replace the list").click();
  await press(page, "Continue");
  await page.getByText("Every member is in the file.").or(page.getByText("would be deleted, with")).first().waitFor();
  const { memberbase } = await request("query ($id: ID!) { memberbase(id: $id) { syncs { nodes { state } } } }", { id });
  const states = memberbase.syncs.nodes.map(({ state }) => state);
  assert.deepEqual(states, ["ABANDONED", "COMMITTED", "ABANDONED"], "dry runs abandon their syncs");
  assert.deepEqual(problems, []);
  await context.close();
});

test("unusable files are rejected with a reason", async () => {
  const id = await createMemberbase("Holders");
  const { context, page, problems } = await visit(browser, `memberbases/${id}/import`);
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose a file" }).focus();
  await page.keyboard.press("Enter");
  await (await chooser).setFiles({ name: "empty.txt", mimeType: "text/plain", buffer: Buffer.from("") });
  await page.getByText("The file has no rows: choose another file.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Continue" }).isDisabled());
  await press(page, "Back");
  await upload(page, "members.xlsx", "PK\x03\x04\x14\0\x06\0\b\0\0\0!\0");
  await page.getByText("The file is a workbook (.xlsx, .ods) or another zip file: save it as CSV.").waitFor();
  await inspect(page, "import-10-workbook");
  await upload(page, "quote.csv", 'ref,plan\nann,gold\n"ben,silver\n');
  await page.getByText("The file ends within a quoted cell, which begins in line 3.").waitFor();
  await inspect(page, "import-11-damaged");
  await press(page, "Back");
  await upload(page, "split.txt", 'ref\tplan\n\tgold\nann,"gold"\tx\n');
  await page.getByText("2 of 2 would be rejected.").waitFor();
  await press(page, "Continue");
  await page.getByText("No rows passed the check: there is nothing to import.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Import", exact: true }).isDisabled());
  await inspect(page, "import-12-nothing");
  assert.deepEqual(problems.filter((problem) => !problem.includes("status of 400")), []);
  await context.close();
});

const TOTALS = { rows: 400, bytes: 5_000, created: 400, updated: 0, unchanged: 0, stale: 0, skipped: 0, rejected: 0 };

/** Returns a stream of server-sent events. */
const streamOf = (...events) => ({
  contentType: "text/event-stream",
  body: events.map((event) => `: comment\n\ndata: ${JSON.stringify(event)}\n\n`).join(""),
});

test("an import shows its progress, is stopped and continued", async () => {
  const id = await createMemberbase("Keepers");
  const { context, page, problems } = await visit(browser, `memberbases/${id}/import`, DESKTOP);
  const openGate = await holdImports(context);
  await context.route(/\/import\/[0-9a-f-]+$/, (route) => route.fulfill(streamOf({ event: "progress", ...TOTALS })));
  await upload(page, "keepers.txt", Array.from({ length: 1_000 }, (_, n) => `keep-${String(n).padStart(4, "0")}`).join("\n"));
  await press(page, "Continue");
  await page.getByText("50%").waitFor();
  await inspect(page, "import-13-checking");
  await press(page, "Stop check");
  await heading(page, "Check stopped after 400 rows");
  await press(page, "Import");
  await heading(page, "Importing keepers.txt");
  await page.getByText("50%").waitFor();
  await inspect(page, "import-14-running");
  const asked = page.waitForEvent("dialog");
  const reload = page.reload().catch(() => undefined);
  const dialog = await asked;
  assert.equal(dialog.type(), "beforeunload", "leaving the page asks for confirmation");
  await dialog.dismiss();
  await reload;
  await press(page, "Stop");
  await heading(page, "Import stopped");
  assert.equal(await numberOf(page, "Created"), 400);
  await inspect(page, "import-15-stopped");
  openGate();
  await press(page, "Continue");
  await heading(page, "Imported keepers.txt");
  assert.equal(await count(id), 1_000);
  assert.deepEqual(problems, []);
  await context.close();
});

test("an import that loses its connection is continued with the same id", async () => {
  const id = await createMemberbase("Losers");
  const { context, page } = await visit(browser, `memberbases/${id}/import`, DESKTOP);
  const ids = [];
  await context.route(/\/import\?.*onError=/, (route) => {
    const { searchParams } = new URL(route.request().url());
    if (searchParams.get("dryRun") === "true") return route.continue();
    ids.push(searchParams.get("import"));
    return ids.length === 1 ? route.abort("connectionreset") : route.continue();
  });
  await upload(page, "losers.txt", "ann\nben\n");
  await press(page, "Continue");
  await heading(page, "Preview of 2 rows");
  await press(page, "Import");
  await heading(page, "Import failed");
  await page.getByText("The server can't be reached.").waitFor();
  await inspect(page, "import-16-lost");
  await press(page, "Continue");
  await heading(page, "Imported losers.txt");
  assert.equal(await count(id), 2);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
  await context.close();
});

test("an import that has failed ends without the rest of the file", async () => {
  const id = await createMemberbase("Failures");
  const { context, page, problems } = await visit(browser, `memberbases/${id}/import`, DESKTOP);
  await holdImports(context);
  const rejected = { event: "rejected", line: 7, ref: "cem", code: "INVALID_VALUE", message: "no", path: [] };
  const failed = { event: "failed", code: "BAD_USER_INPUT", message: "line 7: no", retryable: false, traceId: "trace-7" };
  await context.route(/\/import\/[0-9a-f-]+$/, (route) =>
    route.fulfill(streamOf({ event: "progress", ...TOTALS }, rejected, { ...failed, ...TOTALS, rejected: 1 })),
  );
  await upload(page, "failures.txt", "ann\nben\n");
  await press(page, "Continue");
  await page.getByText("The check couldn't finish").waitFor();
  await page.getByText("Line 7: no.").waitFor();
  await heading(page, "1 row would be rejected");
  await page.getByRole("cell", { name: "cem" }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Import", exact: true }).isDisabled());
  assert.deepEqual(problems, []);
  await context.close();
});
