// Tests the console on a memberbase of 100,000 members.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { checkAccessibility, DESKTOP, launch, open, PHONE, screenshot, server, settle, token } from "./browser.js";

const MEMBERS = 100_000;
const WINDOWS = [DESKTOP, PHONE].flatMap((window) =>
  ["light", "dark"].map((colorScheme) => ({
    ...window,
    colorScheme,
    reducedMotion: "reduce",
    name: `${window === PHONE ? "phone" : "desktop"}-${colorScheme}`,
  })),
);

let browser;
let base;
let readerToken;

async function request(query, variables) {
  const response = await fetch(`${server}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

async function createMemberbase(name) {
  const { createMemberbase } = await request(
    "mutation ($input: CreateMemberbaseInput!) { createMemberbase(input: $input) { memberbase { id } } }",
    { input: { name } },
  );
  return createMemberbase.memberbase.id;
}

function upsert(kind, rows, memberbaseId = base) {
  const [type, field] = { members: ["Members", "members"], clips: ["Clips", "clips"], stamps: ["StampCollections", "stampCollections"], transactions: ["Transactions", "transactions"] }[kind];
  return request(
    `mutation ($input: BulkUpsert${type}Input!) { bulkUpsert${type}(input: $input) { summary { created } } }`,
    { input: { memberbaseId, [field]: rows } },
  );
}

const ref = (number) => `card-${String(number).padStart(6, "0")}`;

before(async () => {
  browser = await launch();
  base = await createMemberbase("Aurora Rewards");
  const attributes = [
    ["tier", "STRING"],
    ["points", "NUMBER"],
    ["joined", "DATE"],
    ["active", "BOOLEAN"],
    ["interests", "STRING_LIST"],
  ].map(([key, type]) => ({ key, type }));
  await request("mutation ($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }", {
    input: { memberbaseId: base, attributes },
  });
  const members = Array.from({ length: MEMBERS }, (_, number) => ({
    ref: ref(number),
    attributes: {
      tier: ["bronze", "silver", "gold"][number % 3],
      points: number,
      joined: new Date(1.6e12 + number * 1e6).toISOString().slice(0, 10),
      active: number % 5 !== 0,
      ...(number % 2 && { interests: ["coffee", "travel"] }),
    },
  }));
  await upsert("members", members);
  const ofMember = (count, row) => Array.from({ length: count }, (_, at) => ({ memberRef: ref(7), ...row(at) }));
  await upsert("clips", ofMember(12, (at) => ({ dealId: `deal-${at}`, creativeId: "spring", redeemedAt: at % 2 ? "2026-03-01T10:00:00Z" : null })));
  await upsert("stamps", ofMember(2, (at) => ({ loyaltyProgramId: `programme-${at}`, stamps: 4 + at, rewardsEarned: at })));
  await upsert(
    "transactions",
    ofMember(25, (at) => ({
      externalId: `payment-${at}`,
      authCode: "A1",
      network: ["VISA", "MASTERCARD", "AMEX"][at % 3],
      bin: "411111",
      merchantId: "coffee-house",
      statementDescriptor: ["COFFEE HOUSE LONDON", "RAIL TICKETS", null][at % 3],
      amount: 123450 + at,
      currency: ["GBP", "JPY", "BHD"][at % 3],
      authedAt: new Date(1.77e12 + at * 8.64e7).toISOString(),
      ...(at % 2 && { clearedAt: new Date(1.771e12 + at * 8.64e7).toISOString() }),
      ...(at % 5 === 4 && { revertedAt: new Date(1.772e12 + at * 8.64e7).toISOString() }),
    })),
  );
  const created = await request(
    "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { secret } }",
    { input: { description: "Front desk", access: "READ", memberbaseId: base } },
  );
  readerToken = created.createApiToken.secret;
});
after(() => browser?.close());

/** Opens the console at an address, signed in unless `secret` is null. */
async function visit(window, address = "", secret = token) {
  const { name, ...options } = window;
  const opened = await open(browser, options);
  if (secret) {
    await opened.context.addInitScript((secret) => {
      // A tab that was signed out stays signed out after a reload.
      if (!sessionStorage.getItem("test.signed-in")) sessionStorage.setItem("memberbase.token", secret);
      sessionStorage.setItem("test.signed-in", "1");
    }, secret);
  }
  await opened.page.goto(`${server}/console${address && `#/${address}`}`);
  return opened;
}

const members = (parameters = "") => `memberbases/${base}/members${parameters && `?${parameters}`}`;
const where = (...condition) => `where=${encodeURIComponent(JSON.stringify(condition))}`;

function heading(page, name) {
  return page.getByRole("heading", { level: 1, name }).waitFor();
}

/** Returns the refs in the table once it is loaded. */
async function refs(page) {
  await page.locator("[aria-busy=false] tbody a").first().waitFor();
  return page.locator("tbody a").allInnerTexts();
}

/** Waits until the first row has this ref, and returns all refs. */
async function waitForFirstRow(page, first) {
  await page.locator(`[aria-busy=false] tbody tr:first-child a[title="${first}"]`).waitFor();
  return refs(page);
}

async function checkWidth(page) {
  const [width, available] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(width <= available, `the page overflows: ${width} of ${available} pixels`);
}

for (const window of WINDOWS) {
  test(`every page is accessible and fits the screen, ${window.name}`, async () => {
    const signedOut = await visit(window, "", null);
    await heading(signedOut.page, "Sign in");
    const check = async (page, name) => {
      await settle(page);
      await checkWidth(page);
      await checkAccessibility(page, name);
      await screenshot(page, `console-${window.name}-${name}`);
    };
    await check(signedOut.page, "0-sign-in");
    assert.deepEqual(signedOut.problems, []);
    await signedOut.context.close();

    const { context, page, problems } = await visit(window, "memberbases");
    await page.getByRole("cell", { name: "100,000" }).waitFor();
    await check(page, "1-memberbases");
    await page.getByRole("button", { name: "New memberbase" }).click();
    await page.getByLabel("Name", { exact: true }).waitFor();
    await check(page, "2-new");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Actions for Aurora Rewards" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await page.getByRole("alertdialog").getByText("100,000", { exact: true }).waitFor({ timeout: 60_000 });
    await check(page, "3-delete-memberbase");
    await page.keyboard.press("Escape");

    await page.getByRole("link", { name: "Aurora Rewards" }).click();
    await waitForFirstRow(page, ref(MEMBERS - 1));
    await page.getByText("100,000 members in Aurora Rewards").waitFor();
    await check(page, "4-members");
    if (window.hasTouch) {
      await page.getByRole("button", { name: "Navigation" }).click();
      await page.getByRole("dialog", { name: "Navigation" }).waitFor();
      await check(page, "5-navigation");
      await page.keyboard.press("Escape");
    }
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByRole("button", { name: "Add filter" }).waitFor();
    await check(page, "6-filter");
    await page.keyboard.press("Escape");

    await page.goto(`${server}/console#/${members(`ref=${ref(7)}`)}`);
    await waitForFirstRow(page, ref(7));
    await page.getByRole("link", { name: ref(7) }).click();
    await page.getByRole("complementary", { name: "Member" }).getByText("silver", { exact: true }).waitFor();
    await check(page, "7-member");
    for (const [tab, text] of [["Clips", "deal-0"], ["Stamps", "programme-0"], ["Transactions", "RAIL TICKETS"]]) {
      await page.getByRole("tab", { name: tab }).click();
      await page.getByText(text, { exact: true }).first().waitFor();
      await check(page, `8-member-${tab.toLowerCase()}`);
    }

    await page.goto(`${server}/console#/${members("ref=missing")}`);
    await page.getByText("No members match").waitFor();
    await check(page, "9-empty");
    await page.goto(`${server}/console#/${members("after=nonsense")}`);
    await page.getByRole("alert").waitFor();
    await check(page, "10-error");
    await page.goto(`${server}/console#/${members(`size=25&ref=card-00&${where("tier", "eq", "gold")}`)}`);
    await waitForFirstRow(page, ref(9998));
    await page.getByRole("checkbox", { name: "Select this page" }).check();
    await page.getByRole("button", { name: "Select all 3,333 matching members" }).click();
    await check(page, "11-selected");
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByLabel("Type 3333 to confirm").waitFor({ timeout: 30_000 });
    await check(page, "12-delete-members");
    assert.deepEqual(problems, []);
    await context.close();
  });
}

test("sign-in checks the token, keeps it in the tab only, and sign-out removes it", async () => {
  const { context, page, problems } = await visit(DESKTOP, "", null);
  const field = page.getByLabel("API token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Enter an API token.").waitFor();
  await field.fill("mbs_wrong");
  await page.keyboard.press("Enter");
  await page.getByText("The server does not recognise this token").waitFor();
  await field.fill(` ${token} `);
  await page.keyboard.press("Enter");
  await heading(page, "Memberbases");
  assert.deepEqual(
    await page.evaluate(() => [{ ...localStorage }, { ...sessionStorage }]),
    [{}, { "memberbase.token": token }],
  );
  await page.reload();
  await heading(page, "Memberbases");
  await page.getByRole("button", { name: "Sign out" }).click();
  await heading(page, "Sign in");
  assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), {});
  // The browser logs the 401.
  assert.deepEqual(problems.filter((line) => !line.includes("status of 401")), []);
  await context.close();
});

test("a memberbase is created, renamed and deleted", async () => {
  const { context, page, problems } = await visit(DESKTOP);
  await page.getByRole("button", { name: "New memberbase" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Courier");
  await page.keyboard.press("Enter");
  await heading(page, "Members");
  await page.getByText("No members yet").waitFor();
  await page.getByRole("link", { name: "Memberbases" }).click();

  await page.getByRole("button", { name: "Actions for Courier" }).click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Daily Courier");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Daily Courier" }).waitFor();

  await page.getByRole("button", { name: "Actions for Daily Courier" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  const confirm = page.getByRole("button", { name: "Delete memberbase" });
  await page.getByLabel("Type the memberbase name").fill("Daily");
  assert.equal(await confirm.isDisabled(), true);
  await page.getByLabel("Type the memberbase name").fill("Daily Courier");
  const asked = page.waitForRequest((request) => request.postData()?.includes("atMostMembers"));
  await confirm.click();
  assert.equal((await asked).postDataJSON().variables.input.atMostMembers, 0);
  await page.getByRole("link", { name: "Daily Courier" }).waitFor({ state: "hidden" });
  assert.deepEqual(problems, []);
  await context.close();
});

test("a READ token of one memberbase opens that memberbase and hides actions without access", async () => {
  const { context, page, problems } = await visit(DESKTOP, "", readerToken);
  await waitForFirstRow(page, ref(MEMBERS - 1));
  assert.ok(page.url().includes(base));
  assert.equal(await page.getByRole("checkbox").count(), 0);
  assert.equal(await page.getByRole("link", { name: "Memberbases" }).count(), 0);
  await page.goto(`${server}/console#/${members(`ref=${ref(7)}`)}`);
  await waitForFirstRow(page, ref(7));
  await page.getByRole("link", { name: ref(7) }).click();
  await page.getByRole("tab", { name: "Clips 12" }).waitFor();
  assert.equal(await page.getByRole("button", { name: /Delete/ }).count(), 0);
  await page.goto(`${server}/console#/memberbases`);
  await waitForFirstRow(page, ref(MEMBERS - 1));
  assert.deepEqual(problems, []);
  await context.close();
});

test("paging in both directions returns every member, and reload and the back button keep the page", async () => {
  const { context, page, problems } = await visit(DESKTOP, members("ref=card-&order=REF.ASC&size=25"));
  const range = (from) => Array.from({ length: 25 }, (_, at) => ref(from + at));
  assert.deepEqual(await waitForFirstRow(page, ref(0)), range(0));
  await page.getByRole("button", { name: "Next" }).click();
  assert.deepEqual(await waitForFirstRow(page, ref(25)), range(25));
  await page.getByRole("button", { name: "Next" }).click();
  assert.deepEqual(await waitForFirstRow(page, ref(50)), range(50));
  await page.reload();
  assert.deepEqual(await waitForFirstRow(page, ref(50)), range(50));
  await page.getByRole("button", { name: "Previous" }).click();
  assert.deepEqual(await waitForFirstRow(page, ref(25)), range(25));
  await page.goBack();
  assert.deepEqual(await waitForFirstRow(page, ref(50)), range(50));

  await page.getByRole("link", { name: ref(53) }).click();
  const panel = page.getByRole("complementary", { name: "Member" });
  await panel.getByRole("heading", { name: ref(53) }).waitFor();
  await page.getByRole("button", { name: "Next" }).click();
  assert.deepEqual(await waitForFirstRow(page, ref(75)), range(75));
  await panel.getByRole("heading", { name: ref(53) }).waitFor();
  await page.reload();
  await panel.getByRole("heading", { name: ref(53) }).waitFor();
  assert.deepEqual(await waitForFirstRow(page, ref(75)), range(75));
  await panel.getByRole("button", { name: "Close panel" }).click();
  await panel.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "First" }).click();
  assert.deepEqual(await waitForFirstRow(page, ref(0)), range(0));
  assert.equal(await page.getByRole("button", { name: "Previous" }).isDisabled(), true);
  assert.deepEqual(problems, []);
  await context.close();
});

test("members are filtered by ref and attributes, ordered, and shown with the chosen columns", async () => {
  const { context, page, problems } = await visit(DESKTOP, members());
  await page.getByLabel("Ref starts with").fill("card-0123");
  await waitForFirstRow(page, ref(12399));
  await page.getByText("100 members match").waitFor();

  const add = async (attribute, condition, value) => {
    await page.getByRole("button", { name: "Filter", exact: true }).click();
    const form = page.getByRole("dialog", { name: "Filter" });
    await form.getByRole("button", { name: /Attribute/ }).click();
    await page.getByRole("option", { name: attribute, exact: true }).click();
    await form.getByRole("button", { name: /Condition/ }).click();
    await page.getByRole("option", { name: condition, exact: true }).click();
    await form.getByLabel("Value", { exact: true }).fill(value);
    await form.getByRole("button", { name: "Add filter" }).click();
    await form.waitFor({ state: "hidden" });
  };
  await add("tier", "is", "gold");
  await waitForFirstRow(page, ref(12398));
  await add("points", "is at most", "12310");
  await waitForFirstRow(page, ref(12308));
  await page.getByText("3 members match").waitFor();
  assert.deepEqual(await refs(page), [12308, 12305, 12302].map(ref));

  await page.getByRole("button", { name: /Order/ }).click();
  await page.getByRole("option", { name: "Ref, A to Z" }).click();
  await waitForFirstRow(page, ref(12302));
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("dialog").getByText("interests").click();
  await page.keyboard.press("Escape");
  await page.getByRole("columnheader", { name: "interests" }).waitFor();

  await page.reload();
  await waitForFirstRow(page, ref(12302));
  await page.getByRole("columnheader", { name: "interests" }).waitFor();
  assert.equal(await page.getByLabel("Ref starts with").inputValue(), "card-0123");
  await page.getByRole("button", { name: /Remove filter points/ }).click();
  await page.getByText("33 members match").waitFor();
  await page.goBack();
  await page.getByText("3 members match", { exact: true }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("money, times and numbers are formatted in the reader's locale", async () => {
  const { member } = await request("query ($ref: String!, $base: ID!) { member(by: { ref: { memberbaseId: $base, ref: $ref } }) { id } }", { ref: ref(7), base });
  const { context, page, problems } = await visit({ ...DESKTOP, locale: "de-DE", timezoneId: "Europe/Berlin" }, members(`member=${member.id}`));
  const panel = page.getByRole("complementary", { name: "Member" });
  await panel.getByRole("tab", { name: "Transactions 25" }).click();
  // The newest transactions: 123474 pence, and 123473 fils (three decimal places).
  await panel.getByText("1.234,74 £").waitFor();
  await panel.getByText("123,473 BHD").waitFor();
  await panel.getByText("123.472 ¥").waitFor();
  assert.equal(await panel.getByRole("listitem").count(), 10);
  await panel.getByRole("button", { name: "Show more" }).click();
  await panel.getByRole("listitem").nth(19).waitFor();
  await panel.getByRole("button", { name: "Show more" }).click();
  await panel.getByRole("listitem").nth(24).waitFor();
  await page.getByText("100.000 members in Aurora Rewards").waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("a selection is previewed and deleted with the keyboard only", async () => {
  await upsert("members", [1, 2, 3].map((number) => ({ ref: `away-${number}`, attributes: { tier: "gold" } })));
  await upsert("clips", [{ memberRef: "away-1", dealId: "deal", creativeId: "spring" }]);
  const { context, page, problems } = await visit(DESKTOP, members("ref=away-&order=REF.ASC"));
  await waitForFirstRow(page, "away-1");
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  /** Presses Tab until the element with this name has the focus. */
  const tabTo = async (name) => {
    for (let steps = 0; steps < 40; steps += 1) {
      const label = await page.evaluate(
        () => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent,
      );
      if (label === name) return;
      await press("Tab");
    }
    assert.fail(`${name} is not reachable with Tab`);
  };
  await tabTo("Select away-1");
  await press("Space");
  await tabTo("Select away-2");
  await press("Space");
  await page.getByText("2 members selected").waitFor();
  await page.keyboard.press("Shift+Tab");
  const tabBackTo = async (name) => {
    for (let steps = 0; steps < 40; steps += 1) {
      if ((await page.evaluate(() => document.activeElement?.textContent)) === name) return;
      await press("Shift+Tab");
    }
    assert.fail(`${name} is not reachable with Shift+Tab`);
  };
  await tabBackTo("Delete…");
  await press("Enter");
  const dialog = page.getByRole("alertdialog", { name: "Delete 2 members?" });
  await dialog.waitFor();
  assert.deepEqual(await dialog.getByRole("definition").allInnerTexts(), ["2", "2", "1", "0", "0"]);
  await press("Escape");
  await dialog.waitFor({ state: "hidden" });
  // The focus returns to the button that opened the dialog.
  await page.waitForFunction(() => document.activeElement?.textContent === "Delete…");

  await press("Enter");
  await dialog.waitFor();
  await tabTo("Delete 2 members");
  const asked = page.waitForRequest((request) => request.postData()?.includes("atMost"));
  await press("Enter");
  const { input } = (await asked).postDataJSON().variables;
  assert.deepEqual([input.atMost, input.memberIds.length, input.dryRun], [2, 2, undefined]);
  await page.getByText("Deleted 2 members").waitFor();
  assert.deepEqual(await waitForFirstRow(page, "away-3"), ["away-3"]);

  await page.getByRole("link", { name: "away-3" }).press("Enter");
  await tabTo("Delete member…");
  await press("Enter");
  await page.getByRole("alertdialog", { name: "Delete 1 member?" }).waitFor();
  await tabTo("Delete 1 member");
  await press("Enter");
  await page.getByText("No members match").waitFor();
  await page.getByRole("complementary", { name: "Member" }).waitFor({ state: "hidden" });
  assert.deepEqual(problems, []);
  await context.close();
});

test("all matching members on all pages are deleted once their number is typed", async () => {
  const rows = Array.from({ length: 6_000 }, (_, number) => ({ ref: `gone-${number}` }));
  await upsert("members", [...rows, { ref: "stays" }]);
  const { context, page, problems } = await visit(DESKTOP, members("ref=gone-"));
  await waitForFirstRow(page, "gone-5999");
  await page.getByText("6,000 members match").waitFor();
  await page.getByRole("checkbox", { name: "Select this page" }).check();
  await page.getByRole("button", { name: "Select all 6,000 matching members" }).click();
  await page.getByRole("button", { name: "Delete…" }).click();
  const confirm = page.getByRole("button", { name: "Delete 6,000 members" });
  await confirm.waitFor({ timeout: 30_000 });
  assert.equal(await confirm.isDisabled(), true);
  await page.getByLabel("Type 6000").fill("6,000");
  await confirm.click();
  await page.getByText("Deleted 6,000 members").waitFor({ timeout: 30_000 });
  await page.getByText("No members match").waitFor();
  const { members: left } = await request(
    `query ($base: ID!) { members(memberbaseId: $base, filter: { ref: { in: ["gone-0", "gone-5999", "stays"] } }) { nodes { ref } } }`,
    { base },
  );
  assert.deepEqual(left.nodes, [{ ref: "stays" }]);
  await request("mutation ($base: ID!) { deleteMembers(input: { memberbaseId: $base, refs: [\"stays\"] }) { deleted { members } } }", { base });
  assert.deepEqual(problems, []);
  await context.close();
});

test("a deletion that would exceed its preview deletes nothing", async () => {
  await upsert("members", [{ ref: "guarded" }]);
  const { context, page } = await visit(DESKTOP, members("ref=guarded"));
  await waitForFirstRow(page, "guarded");
  await page.getByRole("checkbox", { name: "Select guarded" }).check();
  await page.route("**/graphql", async (route) => {
    const body = route.request().postDataJSON();
    if (body.variables.input?.atMost === 1) body.variables.input.atMost = 0;
    await route.continue({ postData: JSON.stringify(body) });
  });
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete 1 member" }).click();
  const alert = page.getByRole("alert");
  await alert.getByText("LIMIT_EXCEEDED").waitFor();
  await alert.getByRole("button", { name: "Copy trace id" }).waitFor();
  await page.unroute("**/graphql");
  await page.getByRole("button", { name: "Cancel" }).click();
  assert.deepEqual(await refs(page), ["guarded"]);
  await request("mutation ($base: ID!) { deleteMembers(input: { memberbaseId: $base, refs: [\"guarded\"] }) { deleted { members } } }", { base });
  await context.close();
});

test("an error shows its code and trace id, and can be retried", async () => {
  const { context, page, problems } = await visit(DESKTOP, members("ref=card-&order=REF.ASC&after=nonsense"));
  const alert = page.getByRole("alert");
  await alert.getByText("BAD_USER_INPUT").waitFor();
  assert.match(await alert.innerText(), /Trace id\s+[0-9a-f]{16,}/);
  const retried = page.waitForRequest((request) => request.postData()?.includes("nonsense"));
  await alert.getByRole("button", { name: "Retry" }).click();
  await retried;
  await page.getByRole("link", { name: "Go to the first page" }).click();
  await waitForFirstRow(page, ref(0));
  assert.deepEqual(problems, []);

  await page.route("**/graphql", (route) => route.abort());
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("The server can't be reached.").waitFor();
  await page.unroute("**/graphql");
  await page.getByRole("button", { name: "Retry" }).click();
  await waitForFirstRow(page, ref(50));
  await context.close();
});

test("changes are counted, and rows change only after a reload by the reader", async () => {
  const { context, page, problems } = await visit(DESKTOP, members("ref=news-"));
  await page.getByText("No members match").waitFor();
  // The subscription starts shortly after the page is shown.
  await page.waitForTimeout(1_500);
  await upsert("members", [{ ref: "news-1" }, { ref: "news-2" }]);
  await page.getByText("2 changes", { exact: true }).waitFor();
  // The total is refetched automatically, the rows are not.
  await page.getByText("2 members match").waitFor();
  await page.waitForTimeout(500);
  assert.equal(await page.getByRole("link", { name: "news-1" }).count(), 0);
  await page.getByRole("button", { name: "Reload", exact: true }).click();
  await waitForFirstRow(page, "news-2");
  await page.getByText("2 changes", { exact: true }).waitFor({ state: "hidden" });
  await request("mutation ($base: ID!) { deleteMembers(input: { memberbaseId: $base, refs: [\"news-1\", \"news-2\"] }) { deleted { members } } }", { base });
  await page.getByText("2 changes", { exact: true }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});
