// Tests the playground on an empty server.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { buildSchema, parse, validate } from "graphql";

import { DESKTOP, PHONE, launch, open, screenshot, server, token } from "./browser.js";

const schema = buildSchema(await readFile(new URL("../../schema.graphql", import.meta.url), "utf8"));
const TABS = ["CreateMemberbase", "UpsertMembers", "ReadMember", "PageMembers", "FilterMembers", "DeleteMembers"];

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** Returns the first sentence of a description up to the first Markdown syntax or line break. */
function firstSentence(description) {
  return description.match(/^[^.:;`*[\n]+/)[0];
}

/** Returns the text of a GraphiQL editor: "operation.graphql", "variables.json" or "response.json". */
function text(page, editor) {
  return page.evaluate(
    (editor) =>
      globalThis.__MONACO?.editor
        .getModels()
        .find((model) => model.uri.path.endsWith(editor))
        ?.getValue(),
    editor,
  );
}

/** Waits until the text of an editor passes the check, and returns it. */
async function waitForText(page, editor, check) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const current = await text(page, editor);
    if (current !== undefined && check(current)) return current;
    assert.ok(Date.now() < deadline, `${editor} contains: ${current}`);
    await page.waitForTimeout(50);
  }
}

async function visit(options) {
  const opened = await open(browser, options);
  await opened.page.goto(`${server}/`);
  await waitForText(opened.page, "variables.json", (variables) => variables.includes("Readers"));
  return opened;
}

async function enterToken(page, secret) {
  const schema = page.waitForResponse((response) => response.url().endsWith("/graphql"));
  await page.getByLabel("API token").fill(secret);
  await page.keyboard.press("Enter");
  await (await schema).finished();
}

async function openTab(page, tab) {
  await page.getByRole("tab", { name: tab }).click();
  await waitForText(page, "operation.graphql", (operation) => operation.includes(tab));
  // Ids are filled in shortly after the tab is shown.
  await waitForText(page, "variables.json", (variables) => !variables.includes("…"));
}

/** Executes the operation, and returns its data once the response pane shows the response. */
async function execute(page) {
  const responded = page.waitForResponse((response) => response.url().endsWith("/graphql"));
  await page.getByRole("button", { name: "Execute query" }).click();
  const result = await (await responded).json();
  await waitForText(page, "response.json", (response) => {
    try {
      return JSON.stringify(JSON.parse(response)) === JSON.stringify(result);
    } catch {
      return false;
    }
  });
  assert.equal(result.errors, undefined, JSON.stringify(result.errors));
  return result.data;
}

test("the tabs work in order on an empty server", async () => {
  const { context, page, problems } = await visit(DESKTOP);
  const operations = [];
  page.on("request", (request) => {
    if (request.method() === "POST") operations.push(request.postDataJSON());
  });
  assert.match(await page.getByRole("status").innerText(), /^Paste an API token to start/);
  await screenshot(page, "desktop-0-no-token");
  assert.deepEqual(operations, [], "no operation is sent without a token");

  await enterToken(page, token);
  assert.equal(await page.locator("header [role=status]").innerText(), "");
  assert.deepEqual(await page.getByRole("tab").allInnerTexts(), TABS);

  const { memberbase } = (await execute(page)).createMemberbase;
  assert.equal(memberbase.name, "Readers");
  await screenshot(page, "desktop-1-create");

  await openTab(page, "UpsertMembers");
  assert.equal(JSON.parse(await text(page, "variables.json")).memberbaseId, memberbase.id);
  const upserted = (await execute(page)).bulkUpsertMembers;
  assert.deepEqual(
    upserted.results.map(({ outcome }) => outcome),
    ["CREATED", "CREATED", "CREATED"],
  );
  await screenshot(page, "desktop-2-upsert");
  assert.deepEqual((await execute(page)).bulkUpsertMembers.summary, { created: 0, unchanged: 3 });

  await openTab(page, "ReadMember");
  const { member } = await execute(page);
  assert.deepEqual([member.id, member.ref], [upserted.memberIds[0], "ann"]);
  await screenshot(page, "desktop-3-read");

  await openTab(page, "PageMembers");
  const refs = (data) => data.members.nodes.map(({ ref }) => ref);
  assert.deepEqual(refs(await execute(page)), ["ann", "ben"]);
  await waitForText(page, "variables.json", (variables) => !variables.includes("null"));
  await screenshot(page, "desktop-4-page");
  assert.deepEqual(refs(await execute(page)), ["cem"]);
  await waitForText(page, "variables.json", (variables) => variables.includes("null"));
  assert.deepEqual(refs(await execute(page)), ["ann", "ben"], "the last page is followed by the first");

  await openTab(page, "FilterMembers");
  assert.deepEqual(refs(await execute(page)), ["ben", "cem"]);
  await screenshot(page, "desktop-5-filter");

  await openTab(page, "DeleteMembers");
  const { deletedMemberIds, notFoundRefs, deleted } = (await execute(page)).deleteMembers;
  assert.deepEqual([deletedMemberIds, notFoundRefs, deleted.members], [[upserted.memberIds[0]], ["zoe"], 1]);
  await screenshot(page, "desktop-6-delete");

  await openTab(page, "ReadMember");
  assert.equal((await execute(page)).member, null);

  for (const { query } of operations) {
    assert.deepEqual(validate(schema, parse(query)), [], query);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("typed variables are kept, and a new memberbase replaces the filled-in id of the first", async () => {
  const { context, page, problems } = await visit(DESKTOP);
  await enterToken(page, token);
  await execute(page);
  await openTab(page, "UpsertMembers");
  const typed = '{ "memberbaseId": "mb_00000000000000000000000000", "members": [] }';
  await page.evaluate((typed) => {
    const models = globalThis.__MONACO.editor.getModels();
    models.find((model) => model.uri.path.endsWith("variables.json")).setValue(typed);
  }, typed);
  await page.waitForTimeout(300);
  await openTab(page, "FilterMembers");
  const first = JSON.parse(await text(page, "variables.json")).memberbaseId;

  // The state of the tab survives a reload.
  await page.waitForTimeout(800);
  await page.reload();
  await waitForText(page, "operation.graphql", (operation) => operation.includes("FilterMembers"));
  assert.equal(await page.getByLabel("API token").inputValue(), token);
  await openTab(page, "CreateMemberbase");
  const { id } = (await execute(page)).createMemberbase.memberbase;
  assert.notEqual(id, first);
  await openTab(page, "UpsertMembers");
  assert.equal(await text(page, "variables.json"), typed);
  await openTab(page, "FilterMembers");
  await waitForText(page, "variables.json", (variables) => JSON.parse(variables).memberbaseId === id);

  const stores = await page.evaluate(() => [{ ...localStorage }, { ...sessionStorage }]);
  assert.deepEqual(stores[0], {}, "nothing is stored beyond the tab");
  const holders = Object.entries(stores[1]).filter(([, value]) => value.includes(token));
  assert.deepEqual(holders.map(([key]) => key), ["memberbase.token"]);
  assert.deepEqual(problems, []);

  const other = await context.newPage();
  await other.goto(`${server}/`);
  assert.equal(await other.getByLabel("API token").inputValue(), "", "another tab has no token");
  await context.close();
});

test("a missing or wrong token is reported", async () => {
  const { context, page, problems } = await visit(DESKTOP);
  await page.getByRole("button", { name: "Execute query" }).click();
  await waitForText(page, "response.json", (response) => response.includes("no API token"));
  assert.deepEqual(problems, []);

  await enterToken(page, "mbt_wrong");
  await page.getByText("The server does not recognise this token").waitFor();
  await screenshot(page, "desktop-7-wrong-token");
  await enterToken(page, token);
  await page.getByText("The server does not recognise this token").waitFor({ state: "hidden" });
  await waitForText(page, "response.json", (response) => !response.includes("UNAUTHENTICATED"));
  // The browser logs the 401 responses.
  assert.deepEqual(problems.filter((line) => !line.includes("status of 401")), []);
  await context.close();
});

test("the documentation explorer shows the schema", async () => {
  const { context, page, problems } = await visit(DESKTOP);
  await enterToken(page, token);
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await page.getByRole("link", { name: "Query", exact: true }).click();
  await page.getByText(firstSentence(schema.getQueryType().description)).first().waitFor();
  await page.getByRole("link", { name: "member", exact: true }).click();
  await page.getByText(firstSentence(schema.getQueryType().getFields().member.description)).first().waitFor();
  await screenshot(page, "desktop-8-documentation");
  assert.deepEqual(problems, []);
  await context.close();
});

test("a second visit loads all assets from the cache", async () => {
  const { context, page, problems } = await visit(DESKTOP);
  const files = (page) =>
    page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .filter(({ name }) => name.includes("/assets/"))
        .map(({ name, transferSize, encodedBodySize, decodedBodySize }) => ({
          name,
          transferSize,
          compressed: encodedBodySize < decodedBodySize,
        })),
    );
  const first = await files(page);
  assert.ok(first.length > 5 && first.some(({ transferSize }) => transferSize > 0));
  assert.ok(first.filter(({ name }) => name.endsWith(".js")).every(({ compressed }) => compressed));

  const second = await context.newPage();
  await second.goto(`${server}/`);
  await waitForText(second, "variables.json", (variables) => variables.includes("Readers"));
  for (const { name, transferSize } of await files(second)) {
    assert.equal(transferSize, 0, name);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("the playground fits a phone", async () => {
  const { context, page, problems } = await visit(PHONE);
  await screenshot(page, "phone-0-no-token");
  await enterToken(page, token);
  await execute(page);
  await screenshot(page, "phone-1-create");
  await openTab(page, "UpsertMembers");
  await execute(page);
  await screenshot(page, "phone-2-upsert");

  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(width, 375, "the page does not overflow");
  for (const [label, minHeight] of [
    ["Operation Editor", 150],
    ["Variables", 60],
    ["Result Window", 180],
  ]) {
    const box = await page.getByLabel(label, { exact: true }).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 375 && box.y + box.height <= 812, `${label} is visible`);
    assert.ok(box.width > 300 && box.height >= minHeight, `${label} is ${box.width} by ${box.height}`);
  }

  await page.getByRole("button", { name: "Show Documentation Explorer" }).tap();
  await page.getByRole("link", { name: "Query", exact: true }).tap();
  await page.getByText(firstSentence(schema.getQueryType().description)).first().waitFor();
  assert.ok((await page.locator(".graphiql-plugin").boundingBox()).height > 600, "the documentation takes the full height");
  await screenshot(page, "phone-3-documentation");
  assert.deepEqual(problems, []);
  await context.close();
});
