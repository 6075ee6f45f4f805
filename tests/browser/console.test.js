// The console as a back-office person uses it, on a memberbase of 100,000 members.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { DESKTOP, PHONE, fine, launch, open, screenshot, server, settle, token } from "./browser.js";

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

async function api(query, variables) {
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
  const { createMemberbase } = await api(
    "mutation ($input: CreateMemberbaseInput!) { createMemberbase(input: $input) { memberbase { id } } }",
    { input: { name } },
  );
  return createMemberbase.memberbase.id;
}

function upsert(what, rows, memberbaseId = base) {
  const [kind, field] = { members: ["Members", "members"], clips: ["Clips", "clips"], stamps: ["StampCollections", "stampCollections"], transactions: ["Transactions", "transactions"] }[what];
  return api(
    `mutation ($input: BulkUpsert${kind}Input!) { bulkUpsert${kind}(input: $input) { summary { created } } }`,
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
  await api("mutation ($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }", {
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
  const own = (count, row) => Array.from({ length: count }, (_, at) => ({ memberRef: ref(7), ...row(at) }));
  await upsert("clips", own(12, (at) => ({ dealId: `deal-${at}`, creativeId: "spring", redeemedAt: at % 2 ? "2026-03-01T10:00:00Z" : null })));
  await upsert("stamps", own(2, (at) => ({ loyaltyProgramId: `programme-${at}`, stamps: 4 + at, rewardsEarned: at })));
  await upsert(
    "transactions",
    own(25, (at) => ({
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
  const made = await api(
    "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { secret } }",
    { input: { description: "Front desk", access: "READ", memberbaseId: base } },
  );
  readerToken = made.createApiToken.secret;
});
after(() => browser?.close());

/** A window in which somebody is signed in, at this place of the console. */
async function visit(window, place = "", secret = token) {
  const { name, ...options } = window;
  const opened = await open(browser, options);
  if (secret) {
    await opened.context.addInitScript((secret) => {
      // A tab that was signed out stays so over a reload.
      if (!sessionStorage.getItem("test.signed-in")) sessionStorage.setItem("memberbase.token", secret);
      sessionStorage.setItem("test.signed-in", "1");
    }, secret);
  }
  await opened.page.goto(`${server}/console${place && `#/${place}`}`);
  return opened;
}

const members = (parameters = "") => `memberbases/${base}/members${parameters && `?${parameters}`}`;
const where = (...condition) => `where=${encodeURIComponent(JSON.stringify(condition))}`;

function heading(page, name) {
  return page.getByRole("heading", { level: 1, name }).waitFor();
}

/** The refs in the table, once its page is there. */
async function refs(page) {
  await page.locator("[aria-busy=false] tbody a").first().waitFor();
  return page.locator("tbody a").allInnerTexts();
}

/** Waits for the table to begin with this ref. */
async function begins(page, first) {
  await page.locator(`[aria-busy=false] tbody tr:first-child a[title="${first}"]`).waitFor();
  return refs(page);
}

async function fits(page) {
  const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(width <= room, `nothing sticks out to the side: ${width} of ${room}`);
}

for (const window of WINDOWS) {
  test(`every page is fit to be seen and read, ${window.name}`, async () => {
    const signedOut = await visit(window, "", null);
    await heading(signedOut.page, "Sign in");
    const look = async (page, name) => {
      await settle(page);
      await fits(page);
      await fine(page, name);
      await screenshot(page, `console-${window.name}-${name}`);
    };
    await look(signedOut.page, "0-sign-in");
    assert.deepEqual(signedOut.amiss, []);
    await signedOut.context.close();

    const { context, page, amiss } = await visit(window, "memberbases");
    await page.getByRole("cell", { name: "100,000" }).waitFor();
    await look(page, "1-memberbases");
    await page.getByRole("button", { name: "New memberbase" }).click();
    await page.getByLabel("Name", { exact: true }).waitFor();
    await look(page, "2-new");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Actions for Aurora Rewards" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await page.getByRole("alertdialog").getByText("100,000", { exact: true }).waitFor({ timeout: 60_000 });
    await look(page, "3-delete-memberbase");
    await page.keyboard.press("Escape");

    await page.getByRole("link", { name: "Aurora Rewards" }).click();
    await begins(page, ref(MEMBERS - 1));
    await page.getByText("100,000 members in Aurora Rewards").waitFor();
    await look(page, "4-members");
    if (window.hasTouch) {
      await page.getByRole("button", { name: "Navigation" }).click();
      await page.getByRole("dialog", { name: "Navigation" }).waitFor();
      await look(page, "5-navigation");
      await page.keyboard.press("Escape");
    }
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByRole("button", { name: "Add filter" }).waitFor();
    await look(page, "6-filter");
    await page.keyboard.press("Escape");

    await page.goto(`${server}/console#/${members(`ref=${ref(7)}`)}`);
    await begins(page, ref(7));
    await page.getByRole("link", { name: ref(7) }).click();
    await page.getByRole("complementary", { name: "Member" }).getByText("silver", { exact: true }).waitFor();
    await look(page, "7-member");
    for (const [tab, text] of [["Clips", "deal-0"], ["Stamps", "programme-0"], ["Transactions", "RAIL TICKETS"]]) {
      await page.getByRole("tab", { name: tab }).click();
      await page.getByText(text, { exact: true }).first().waitFor();
      await look(page, `8-member-${tab.toLowerCase()}`);
    }

    await page.goto(`${server}/console#/${members("ref=nobody")}`);
    await page.getByText("No member matches").waitFor();
    await look(page, "9-empty");
    await page.goto(`${server}/console#/${members("after=nonsense")}`);
    await page.getByRole("alert").waitFor();
    await look(page, "10-error");
    await page.goto(`${server}/console#/${members(`size=25&ref=card-00&${where("tier", "eq", "gold")}`)}`);
    await begins(page, ref(9998));
    await page.getByRole("checkbox", { name: "Select this page" }).check();
    await page.getByRole("button", { name: "Select all 3,333 that match" }).click();
    await look(page, "11-selected");
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByLabel("Type 3333 to delete that many members").waitFor({ timeout: 30_000 });
    await look(page, "12-delete-members");
    assert.deepEqual(amiss, []);
    await context.close();
  });
}

test("a token is asked for, judged, kept for the tab alone and given up", async () => {
  const { context, page, amiss } = await visit(DESKTOP, "", null);
  const field = page.getByLabel("API token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Paste a token first.").waitFor();
  await field.fill("mbs_wrong");
  await page.keyboard.press("Enter");
  await page.getByText("The server does not know this token").waitFor();
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
  // The browser itself notes the refusal.
  assert.deepEqual(amiss.filter((line) => !line.includes("status of 401")), []);
  await context.close();
});

test("a memberbase is made, renamed and deleted", async () => {
  const { context, page, amiss } = await visit(DESKTOP);
  await page.getByRole("button", { name: "New memberbase" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Courier");
  await page.keyboard.press("Enter");
  await heading(page, "Members");
  await page.getByText("No member yet").waitFor();
  await page.getByRole("link", { name: "Memberbases" }).click();

  await page.getByRole("button", { name: "Actions for Courier" }).click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Daily Courier");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Daily Courier" }).waitFor();

  await page.getByRole("button", { name: "Actions for Daily Courier" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  const sure = page.getByRole("button", { name: "Delete for good" });
  await page.getByLabel("Type its name").fill("Daily");
  assert.equal(await sure.isDisabled(), true);
  await page.getByLabel("Type its name").fill("Daily Courier");
  const asked = page.waitForRequest((request) => request.postData()?.includes("atMostMembers"));
  await sure.click();
  assert.equal((await asked).postDataJSON().variables.input.atMostMembers, 0);
  await page.getByRole("link", { name: "Daily Courier" }).waitFor({ state: "hidden" });
  assert.deepEqual(amiss, []);
  await context.close();
});

test("a bound READ token leads to its memberbase and shows nothing that it may not do", async () => {
  const { context, page, amiss } = await visit(DESKTOP, "", readerToken);
  await begins(page, ref(MEMBERS - 1));
  assert.ok(page.url().includes(base));
  assert.equal(await page.getByRole("checkbox").count(), 0);
  assert.equal(await page.getByRole("link", { name: "Memberbases" }).count(), 0);
  await page.goto(`${server}/console#/${members(`ref=${ref(7)}`)}`);
  await begins(page, ref(7));
  await page.getByRole("link", { name: ref(7) }).click();
  await page.getByRole("tab", { name: "Clips 12" }).waitFor();
  assert.equal(await page.getByRole("button", { name: /Delete/ }).count(), 0);
  await page.goto(`${server}/console#/memberbases`);
  await begins(page, ref(MEMBERS - 1));
  assert.deepEqual(amiss, []);
  await context.close();
});

test("paging forward and back loses nobody, and keeps its place over a reload and the back button", async () => {
  const { context, page, amiss } = await visit(DESKTOP, members("ref=card-&order=REF.ASC&size=25"));
  const range = (from) => Array.from({ length: 25 }, (_, at) => ref(from + at));
  assert.deepEqual(await begins(page, ref(0)), range(0));
  await page.getByRole("button", { name: "Next" }).click();
  assert.deepEqual(await begins(page, ref(25)), range(25));
  await page.getByRole("button", { name: "Next" }).click();
  assert.deepEqual(await begins(page, ref(50)), range(50));
  await page.reload();
  assert.deepEqual(await begins(page, ref(50)), range(50));
  await page.getByRole("button", { name: "Previous" }).click();
  assert.deepEqual(await begins(page, ref(25)), range(25));
  await page.goBack();
  assert.deepEqual(await begins(page, ref(50)), range(50));

  await page.getByRole("link", { name: ref(53) }).click();
  const panel = page.getByRole("complementary", { name: "Member" });
  await panel.getByRole("heading", { name: ref(53) }).waitFor();
  await page.getByRole("button", { name: "Next" }).click();
  assert.deepEqual(await begins(page, ref(75)), range(75));
  await panel.getByRole("heading", { name: ref(53) }).waitFor();
  await page.reload();
  await panel.getByRole("heading", { name: ref(53) }).waitFor();
  assert.deepEqual(await begins(page, ref(75)), range(75));
  await panel.getByRole("button", { name: "Close the panel" }).click();
  await panel.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "First" }).click();
  assert.deepEqual(await begins(page, ref(0)), range(0));
  assert.equal(await page.getByRole("button", { name: "Previous" }).isDisabled(), true);
  assert.deepEqual(amiss, []);
  await context.close();
});

test("members are found by ref and attributes, ordered, and shown with the attributes that are chosen", async () => {
  const { context, page, amiss } = await visit(DESKTOP, members());
  await page.getByLabel("Ref begins with").fill("card-0123");
  await begins(page, ref(12399));
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
  await begins(page, ref(12398));
  await add("points", "is at most", "12310");
  await begins(page, ref(12308));
  await page.getByText("3 members match").waitFor();
  assert.deepEqual(await refs(page), [12308, 12305, 12302].map(ref));

  await page.getByRole("button", { name: /Order/ }).click();
  await page.getByRole("option", { name: "Ref, A to Z" }).click();
  await begins(page, ref(12302));
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("dialog").getByText("interests").click();
  await page.keyboard.press("Escape");
  await page.getByRole("columnheader", { name: "interests" }).waitFor();

  await page.reload();
  await begins(page, ref(12302));
  await page.getByRole("columnheader", { name: "interests" }).waitFor();
  assert.equal(await page.getByLabel("Ref begins with").inputValue(), "card-0123");
  await page.getByRole("button", { name: /Remove the filter points/ }).click();
  await page.getByText("33 members match").waitFor();
  await page.goBack();
  await page.getByText("3 members match", { exact: true }).waitFor();
  assert.deepEqual(amiss, []);
  await context.close();
});

test("money, times and numbers are written as the reader's locale has them", async () => {
  const { member } = await api("query ($ref: String!, $base: ID!) { member(by: { ref: { memberbaseId: $base, ref: $ref } }) { id } }", { ref: ref(7), base });
  const { context, page, amiss } = await visit({ ...DESKTOP, locale: "de-DE", timezoneId: "Europe/Berlin" }, members(`member=${member.id}`));
  const panel = page.getByRole("complementary", { name: "Member" });
  await panel.getByRole("tab", { name: "Transactions 25" }).click();
  // The 25th and 24th: 123474 pence, 123473 thousandths of a dinar.
  await panel.getByText("1.234,74 £").waitFor();
  await panel.getByText("123,473 BHD").waitFor();
  await panel.getByText("123.472 ¥").waitFor();
  assert.equal(await panel.getByRole("listitem").count(), 10);
  await panel.getByRole("button", { name: "Show more" }).click();
  await panel.getByRole("listitem").nth(19).waitFor();
  await panel.getByRole("button", { name: "Show more" }).click();
  await panel.getByRole("listitem").nth(24).waitFor();
  await page.getByText("100.000 members in Aurora Rewards").waitFor();
  assert.deepEqual(amiss, []);
  await context.close();
});

test("a selection is deleted by the keyboard alone, after a look at what would go", async () => {
  await upsert("members", [1, 2, 3].map((number) => ({ ref: `away-${number}`, attributes: { tier: "gold" } })));
  await upsert("clips", [{ memberRef: "away-1", dealId: "deal", creativeId: "spring" }]);
  const { context, page, amiss } = await visit(DESKTOP, members("ref=away-&order=REF.ASC"));
  await begins(page, "away-1");
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  /** Tab by tab to what bears this name. */
  const tabTo = async (name) => {
    for (let steps = 0; steps < 40; steps += 1) {
      const label = await page.evaluate(
        () => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent,
      );
      if (label === name) return;
      await press("Tab");
    }
    assert.fail(`no way to ${name} by Tab`);
  };
  await tabTo("Select away-1");
  await press("Space");
  await tabTo("Select away-2");
  await press("Space");
  await page.getByText("2 members selected").waitFor();
  await page.keyboard.press("Shift+Tab");
  const back = async (name) => {
    for (let steps = 0; steps < 40; steps += 1) {
      if ((await page.evaluate(() => document.activeElement?.textContent)) === name) return;
      await press("Shift+Tab");
    }
    assert.fail(`no way back to ${name}`);
  };
  await back("Delete…");
  await press("Enter");
  const dialog = page.getByRole("alertdialog", { name: "Delete 2 members?" });
  await dialog.waitFor();
  assert.deepEqual(await dialog.getByRole("definition").allInnerTexts(), ["2", "2", "1", "0", "0"]);
  await press("Escape");
  await dialog.waitFor({ state: "hidden" });
  // The focus goes back to where it came from.
  await page.waitForFunction(() => document.activeElement?.textContent === "Delete…");

  await press("Enter");
  await dialog.waitFor();
  await tabTo("Delete 2 members");
  const asked = page.waitForRequest((request) => request.postData()?.includes("atMost"));
  await press("Enter");
  const { input } = (await asked).postDataJSON().variables;
  assert.deepEqual([input.atMost, input.memberIds.length, input.dryRun], [2, 2, undefined]);
  await page.getByText("Deleted 2 members").waitFor();
  assert.deepEqual(await begins(page, "away-3"), ["away-3"]);

  await page.getByRole("link", { name: "away-3" }).press("Enter");
  await tabTo("Delete member…");
  await press("Enter");
  await page.getByRole("alertdialog", { name: "Delete 1 member?" }).waitFor();
  await tabTo("Delete 1 member");
  await press("Enter");
  await page.getByText("No member matches").waitFor();
  await page.getByRole("complementary", { name: "Member" }).waitFor({ state: "hidden" });
  assert.deepEqual(amiss, []);
  await context.close();
});

test("all that match are deleted, on whatever page, once their number is typed", async () => {
  const rows = Array.from({ length: 6_000 }, (_, number) => ({ ref: `gone-${number}` }));
  await upsert("members", [...rows, { ref: "stays" }]);
  const { context, page, amiss } = await visit(DESKTOP, members("ref=gone-"));
  await begins(page, "gone-5999");
  await page.getByText("6,000 members match").waitFor();
  await page.getByRole("checkbox", { name: "Select this page" }).check();
  await page.getByRole("button", { name: "Select all 6,000 that match" }).click();
  await page.getByRole("button", { name: "Delete…" }).click();
  const sure = page.getByRole("button", { name: "Delete 6,000 members" });
  await sure.waitFor({ timeout: 30_000 });
  assert.equal(await sure.isDisabled(), true);
  await page.getByLabel("Type 6000").fill("6,000");
  await sure.click();
  await page.getByText("Deleted 6,000 members").waitFor({ timeout: 30_000 });
  await page.getByText("No member matches").waitFor();
  const { members: left } = await api(
    `query ($base: ID!) { members(memberbaseId: $base, filter: { ref: { in: ["gone-0", "gone-5999", "stays"] } }) { nodes { ref } } }`,
    { base },
  );
  assert.deepEqual(left.nodes, [{ ref: "stays" }]);
  await api("mutation ($base: ID!) { deleteMembers(input: { memberbaseId: $base, refs: [\"stays\"] }) { deleted { members } } }", { base });
  assert.deepEqual(amiss, []);
  await context.close();
});

test("a deletion that would take more than it told takes nobody", async () => {
  await upsert("members", [{ ref: "guarded" }]);
  const { context, page } = await visit(DESKTOP, members("ref=guarded"));
  await begins(page, "guarded");
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
  await api("mutation ($base: ID!) { deleteMembers(input: { memberbaseId: $base, refs: [\"guarded\"] }) { deleted { members } } }", { base });
  await context.close();
});

test("an error tells its code and trace id, and can be tried again", async () => {
  const { context, page, amiss } = await visit(DESKTOP, members("ref=card-&order=REF.ASC&after=nonsense"));
  const alert = page.getByRole("alert");
  await alert.getByText("BAD_USER_INPUT").waitFor();
  assert.match(await alert.innerText(), /Trace id\s+[0-9a-f]{16,}/);
  const again = page.waitForRequest((request) => request.postData()?.includes("nonsense"));
  await alert.getByRole("button", { name: "Retry" }).click();
  await again;
  await page.getByRole("link", { name: "Go to the first page" }).click();
  await begins(page, ref(0));
  assert.deepEqual(amiss, []);

  await page.route("**/graphql", (route) => route.abort());
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("The server can't be reached.").waitFor();
  await page.unroute("**/graphql");
  await page.getByRole("button", { name: "Retry" }).click();
  await begins(page, ref(50));
  await context.close();
});

test("changes by others are told, and rows move only when the reader says so", async () => {
  const { context, page, amiss } = await visit(DESKTOP, members("ref=news-"));
  await page.getByText("No member matches").waitFor();
  // The subscription begins a moment after the page.
  await page.waitForTimeout(1_500);
  await upsert("members", [{ ref: "news-1" }, { ref: "news-2" }]);
  await page.getByText("2 changes since this was read.").waitFor();
  // The figures follow by themselves, the rows do not.
  await page.getByText("2 members match").waitFor();
  await page.waitForTimeout(500);
  assert.equal(await page.getByRole("link", { name: "news-1" }).count(), 0);
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await begins(page, "news-2");
  await page.getByText("changes since").waitFor({ state: "hidden" });
  await api("mutation ($base: ID!) { deleteMembers(input: { memberbaseId: $base, refs: [\"news-1\", \"news-2\"] }) { deleted { members } } }", { base });
  await page.getByText("2 changes since this was read.").waitFor();
  assert.deepEqual(amiss, []);
  await context.close();
});
