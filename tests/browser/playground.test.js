// The playground as a person meets it on an empty server.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { buildSchema, parse, validate } from "graphql";

import { DESKTOP, PHONE, launch, open, screenshot, server, token } from "./browser.js";

const TABS = ["CreateMemberbase", "UpsertMembers", "ReadMember", "PageMembers", "FilterMembers", "DeleteMembers"];

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** What stands in one of GraphiQL's editors: "operation.graphql", "variables.json", "response.json". */
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

/** Waits for what an editor holds to be as wanted, and gives it back. */
async function until(page, editor, wanted) {
  const end = Date.now() + 15_000;
  for (;;) {
    const now = await text(page, editor);
    if (now !== undefined && wanted(now)) return now;
    assert.ok(Date.now() < end, `${editor} holds: ${now}`);
    await page.waitForTimeout(50);
  }
}

async function visit(options) {
  const opened = await open(browser, options);
  await opened.page.goto(`${server}/`);
  await until(opened.page, "variables.json", (variables) => variables.includes("Readers"));
  return opened;
}

async function giveToken(page, secret) {
  const schema = page.waitForResponse((response) => response.url().endsWith("/graphql"));
  await page.getByLabel("API token").fill(secret);
  await page.keyboard.press("Enter");
  await (await schema).finished();
}

async function bringToFront(page, tab) {
  await page.getByRole("tab", { name: tab }).click();
  await until(page, "operation.graphql", (operation) => operation.includes(tab));
  // Ids are filled in just after.
  await until(page, "variables.json", (variables) => !variables.includes("…"));
}

/** Presses the button, and gives back the answer as it stands in the response pane. */
async function execute(page) {
  const answered = page.waitForResponse((response) => response.url().endsWith("/graphql"));
  await page.getByRole("button", { name: "Execute query" }).click();
  const answer = await (await answered).json();
  await until(page, "response.json", (response) => {
    try {
      return JSON.stringify(JSON.parse(response)) === JSON.stringify(answer);
    } catch {
      return false;
    }
  });
  assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  return answer.data;
}

test("the tabs work in order on an empty server", async () => {
  const { context, page, amiss } = await visit(DESKTOP);
  const operations = [];
  page.on("request", (request) => {
    if (request.method() === "POST") operations.push(request.postDataJSON());
  });
  assert.match(await page.getByRole("status").innerText(), /^Paste an API token to begin/);
  await screenshot(page, "desktop-0-no-token");
  assert.deepEqual(operations, [], "nothing is asked without a token");

  await giveToken(page, token);
  assert.equal(await page.locator("header [role=status]").innerText(), "");
  assert.deepEqual(await page.getByRole("tab").allInnerTexts(), TABS);

  const { memberbase } = (await execute(page)).createMemberbase;
  assert.equal(memberbase.name, "Readers");
  await screenshot(page, "desktop-1-create");

  await bringToFront(page, "UpsertMembers");
  assert.equal(JSON.parse(await text(page, "variables.json")).memberbaseId, memberbase.id);
  const upserted = (await execute(page)).bulkUpsertMembers;
  assert.deepEqual(
    upserted.results.map(({ outcome }) => outcome),
    ["CREATED", "CREATED", "CREATED"],
  );
  await screenshot(page, "desktop-2-upsert");
  assert.deepEqual((await execute(page)).bulkUpsertMembers.summary, { created: 0, unchanged: 3 });

  await bringToFront(page, "ReadMember");
  const { member } = await execute(page);
  assert.deepEqual([member.id, member.ref], [upserted.memberIds[0], "ann"]);
  await screenshot(page, "desktop-3-read");

  await bringToFront(page, "PageMembers");
  const refs = (data) => data.members.nodes.map(({ ref }) => ref);
  assert.deepEqual(refs(await execute(page)), ["ann", "ben"]);
  await until(page, "variables.json", (variables) => !variables.includes("null"));
  await screenshot(page, "desktop-4-page");
  assert.deepEqual(refs(await execute(page)), ["cem"]);
  await until(page, "variables.json", (variables) => variables.includes("null"));
  assert.deepEqual(refs(await execute(page)), ["ann", "ben"], "behind the last page comes the first");

  await bringToFront(page, "FilterMembers");
  assert.deepEqual(refs(await execute(page)), ["ben", "cem"]);
  await screenshot(page, "desktop-5-filter");

  await bringToFront(page, "DeleteMembers");
  const { deletedMemberIds, notFoundRefs, deleted } = (await execute(page)).deleteMembers;
  assert.deepEqual([deletedMemberIds, notFoundRefs, deleted.members], [[upserted.memberIds[0]], ["zoe"], 1]);
  await screenshot(page, "desktop-6-delete");

  await bringToFront(page, "ReadMember");
  assert.equal((await execute(page)).member, null);

  const schema = buildSchema(await readFile(new URL("../../schema.graphql", import.meta.url), "utf8"));
  for (const { query } of operations) {
    assert.deepEqual(validate(schema, parse(query)), [], query);
  }
  assert.deepEqual(amiss, []);
  await context.close();
});

test("what a person typed is left alone, and another memberbase takes the place of the first", async () => {
  const { context, page, amiss } = await visit(DESKTOP);
  await giveToken(page, token);
  await execute(page);
  await bringToFront(page, "UpsertMembers");
  const typed = '{ "memberbaseId": "mb_00000000000000000000000000", "members": [] }';
  await page.evaluate((typed) => {
    const models = globalThis.__MONACO.editor.getModels();
    models.find((model) => model.uri.path.endsWith("variables.json")).setValue(typed);
  }, typed);
  await page.waitForTimeout(300);
  await bringToFront(page, "FilterMembers");
  const first = JSON.parse(await text(page, "variables.json")).memberbaseId;

  // What is kept is kept for the tab of the browser: a reload loses nothing.
  await page.waitForTimeout(800);
  await page.reload();
  await until(page, "operation.graphql", (operation) => operation.includes("FilterMembers"));
  assert.equal(await page.getByLabel("API token").inputValue(), token);
  await bringToFront(page, "CreateMemberbase");
  const { id } = (await execute(page)).createMemberbase.memberbase;
  assert.notEqual(id, first);
  await bringToFront(page, "UpsertMembers");
  assert.equal(await text(page, "variables.json"), typed);
  await bringToFront(page, "FilterMembers");
  await until(page, "variables.json", (variables) => JSON.parse(variables).memberbaseId === id);

  const stores = await page.evaluate(() => [{ ...localStorage }, { ...sessionStorage }]);
  assert.deepEqual(stores[0], {}, "nothing outlives the tab");
  const holders = Object.entries(stores[1]).filter(([, value]) => value.includes(token));
  assert.deepEqual(holders.map(([key]) => key), ["memberbase.token"]);
  assert.deepEqual(amiss, []);

  const other = await context.newPage();
  await other.goto(`${server}/`);
  assert.equal(await other.getByLabel("API token").inputValue(), "", "another tab has no token");
  await context.close();
});

test("a token that is missing or wrong is told in words", async () => {
  const { context, page, amiss } = await visit(DESKTOP);
  await page.getByRole("button", { name: "Execute query" }).click();
  await until(page, "response.json", (response) => response.includes("no token yet"));
  assert.deepEqual(amiss, []);

  await giveToken(page, "mbt_wrong");
  await page.getByText("The server does not know this token").waitFor();
  await screenshot(page, "desktop-7-wrong-token");
  await giveToken(page, token);
  await page.getByText("The server does not know this token").waitFor({ state: "hidden" });
  await until(page, "response.json", (response) => !response.includes("UNAUTHENTICATED"));
  // The browser itself notes the refusals.
  assert.deepEqual(amiss.filter((line) => !line.includes("status of 401")), []);
  await context.close();
});

test("the documentation is there", async () => {
  const { context, page, amiss } = await visit(DESKTOP);
  await giveToken(page, token);
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await page.getByRole("link", { name: "Query", exact: true }).click();
  await page.getByText("What can be asked.").waitFor();
  await page.getByRole("link", { name: "member", exact: true }).click();
  await page.getByText("One member, by id or by ref").waitFor();
  await screenshot(page, "desktop-8-documentation");
  assert.deepEqual(amiss, []);
  await context.close();
});

test("a second visit fetches no file again", async () => {
  const { context, page, amiss } = await visit(DESKTOP);
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
  await until(second, "variables.json", (variables) => variables.includes("Readers"));
  for (const { name, transferSize } of await files(second)) {
    assert.equal(transferSize, 0, name);
  }
  assert.deepEqual(amiss, []);
  await context.close();
});

test("a phone has room for it", async () => {
  const { context, page, amiss } = await visit(PHONE);
  await screenshot(page, "phone-0-no-token");
  await giveToken(page, token);
  await execute(page);
  await screenshot(page, "phone-1-create");
  await bringToFront(page, "UpsertMembers");
  await execute(page);
  await screenshot(page, "phone-2-upsert");

  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(width, 375, "nothing sticks out to the side");
  for (const [what, least] of [
    ["Operation Editor", 150],
    ["Variables", 60],
    ["Result Window", 180],
  ]) {
    const box = await page.getByLabel(what, { exact: true }).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 375 && box.y + box.height <= 812, `${what} is in sight`);
    assert.ok(box.width > 300 && box.height >= least, `${what} is ${box.width} by ${box.height}`);
  }

  await page.getByRole("button", { name: "Show Documentation Explorer" }).tap();
  await page.getByRole("link", { name: "Query", exact: true }).tap();
  await page.getByText("What can be asked.").waitFor();
  assert.ok((await page.locator(".graphiql-plugin").boundingBox()).height > 600, "the documentation has all of the room");
  await screenshot(page, "phone-3-documentation");
  assert.deepEqual(amiss, []);
  await context.close();
});
