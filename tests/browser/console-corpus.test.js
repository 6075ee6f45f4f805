// Imports the files of tests/files by the console's import, with the outcomes that they have over HTTP and by the command.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { DESKTOP, launch } from "./browser.js";
import { choose, createMemberbase, request, visit } from "./console.js";

const FOLDER = new URL("../files/", import.meta.url);

const ATTRIBUTES = Object.entries({
  plan: "STRING",
  age: "NUMBER",
  active: "BOOLEAN",
  joined: "DATE",
  tags: "STRING_LIST",
}).map(([key, type]) => ({ key, type }));

/** The selects of parameters, and their options. The first ones change the columns. */
const OPTIONS = {
  header: ["First line", { false: "A row" }],
  encoding: ["Encoding", { "windows-1252": "Windows-1252" }],
  decimal: ["Numbers", { comma: "1.234,56", point: "1,234.56" }],
  dateOrder: ["Dates", { dmy: "Day first: 31/1/2026", mdy: "Month first: 1/31/2026" }],
  empty: ["Empty cells", { keep: "Keep the stored value" }],
};

/** Parameters that the console sets itself. */
const OWN = ["map", "onError", "ignoreUnknownColumns"];

const cases = JSON.parse(await readFile(new URL("outcomes.json", FOLDER), "utf8"));

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** Returns the attributes of all members by ref. */
async function membersOf(memberbaseId) {
  const query = "query ($id: ID!) { members(memberbaseId: $id, first: 100) { nodes { ref attributes } } }";
  const { members } = await request(query, { id: memberbaseId });
  return Object.fromEntries(members.nodes.map(({ ref, attributes }) => [ref, attributes]));
}

/** Returns the number of rows with an outcome. */
const numberOf = async (page, name) =>
  Number(await page.locator("dl > div", { has: page.getByText(name, { exact: true }) }).locator("dd").innerText());

/** Chooses what the parameters say. */
async function set(page, parameters) {
  for (const [name, [select, options]] of Object.entries(OPTIONS)) {
    const value = parameters[name];
    if (value !== undefined) await choose(page, new RegExp(select), options[value]);
  }
  for (const pair of parameters.map ?? []) {
    const [key, column] = pair.split("=");
    await choose(page, `Import ${column} as`, key === "ref" ? "Ref" : key);
  }
}

for (const { file, parameters = {}, inConsole, ...overHttp } of cases) {
  test(file, async () => {
    const outcome = inConsole ?? overHttp;
    assert.deepEqual(
      Object.keys(parameters).filter((name) => !(name in OPTIONS) && !OWN.includes(name)),
      [],
    );
    const id = await createMemberbase(file, ATTRIBUTES);
    const { context, page } = await visit(browser, `memberbases/${id}/import`, DESKTOP);
    await page.setInputFiles("input[type=file]", new URL(file, FOLDER).pathname);
    if (outcome.failure) {
      await page.getByText(outcome.failure).first().waitFor();
      assert.equal(await page.getByRole("button", { name: "Continue" }).count(), 0);
    } else {
      await page.getByRole("heading", { name: "Import options" }).waitFor();
      await set(page, parameters);
      await page.getByRole("button", { name: "Continue", exact: true }).click();
      await page.getByRole("button", { name: "Import", exact: true }).click();
      await page.getByRole("heading", { name: `Imported ${file}`, exact: true }).waitFor();
      const counts = { created: await numberOf(page, "Created"), rejected: await numberOf(page, "Rejected") };
      assert.deepEqual(counts, { created: outcome.created, rejected: outcome.rejected.length });
    }
    assert.deepEqual(await membersOf(id), outcome.members);
    await context.close();
  });
}
