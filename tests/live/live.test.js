// Subscriptions by the clients that others use: graphql-ws over a WebSocket, graphql-sse over server-sent events.
//
// The server is in MEMBERBASE_TEST_URL, an ADMIN token in MEMBERBASE_TEST_TOKEN.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as sse from "graphql-sse";
import * as ws from "graphql-ws";
import { WebSocket } from "ws";

const url = process.env.MEMBERBASE_TEST_URL;
const admin = process.env.MEMBERBASE_TEST_TOKEN;
assert(url && admin, "MEMBERBASE_TEST_URL and MEMBERBASE_TEST_TOKEN say where the server is");

const CHANGED = `subscription ($id: ID!) {
  memberbaseChanged(memberbaseId: $id) {
    memberbaseId created updated deleted createdMemberIds updatedMemberIds deletedMemberIds truncated missed
  }
}`;

/** Sends an operation by POST; it has to succeed. */
async function ask(query, variables, token = admin) {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

async function newMemberbase() {
  const query = 'mutation { createMemberbase(input: {name: "live"}) { memberbase { id } } }';
  return (await ask(query)).createMemberbase.memberbase.id;
}

async function upsert(id, ...refs) {
  const query = "mutation ($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { memberIds } }";
  const members = refs.map((ref) => ({ ref }));
  return (await ask(query, { input: { memberbaseId: id, members } })).bulkUpsertMembers.memberIds;
}

async function remove(id, ...refs) {
  const query = "mutation ($input: DeleteMembersInput!) { deleteMembers(input: $input) { deletedMemberIds } }";
  await ask(query, { input: { memberbaseId: id, refs } });
}

async function newToken(id) {
  const query = `mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { secret apiToken { id } } }`;
  const input = { description: "live", access: "READ", memberbaseId: id };
  const { secret, apiToken } = (await ask(query, { input })).createApiToken;
  const revoke = "mutation ($id: ID!) { revokeApiToken(input: {apiTokenId: $id}) { apiToken { revokedAt } } }";
  return { secret, revoke: () => ask(revoke, { id: apiToken.id }) };
}

/** Each client, as a function from a token to a connection and what is known of it. */
const clients = {
  "graphql-ws": (token) => {
    const seen = { closes: [], pings: 0 };
    const client = ws.createClient({
      url: `${url.replace("http", "ws")}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: () => ({ Authorization: `Bearer ${token}` }),
      retryAttempts: 0,
      on: { closed: ({ code }) => seen.closes.push(code) },
    });
    return { client, seen };
  },
  "graphql-sse": (token) => {
    const client = sse.createClient({
      url: `${url}/graphql`,
      headers: { Authorization: `Bearer ${token}` },
      retryAttempts: 0,
    });
    return { client, seen: {} };
  },
};

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Writes until the subscription hears of it: neither protocol says that it has begun. */
async function begun(id, events) {
  const first = events.next();
  let heard = false;
  first.then(() => (heard = true), () => (heard = true));
  for (let attempt = 0; !heard; attempt += 1) {
    await upsert(id, `first-${attempt}`);
    await pause(100);
  }
  const { value } = await first;
  // The rest of what was written meanwhile.
  await upsert(id, "last of the first");
  const [last] = await upsert(id, "last of the first");
  let event = value;
  while (!event.data?.memberbaseChanged.createdMemberIds.includes(last)) event = (await events.next()).value;
  return event;
}

for (const [name, connect] of Object.entries(clients)) {
  test(`${name} hears of every write`, async () => {
    const id = await newMemberbase();
    const { client } = connect(admin);
    const events = client.iterate({ query: CHANGED, variables: { id } });
    await begun(id, events);
    const nothing = { createdMemberIds: [], updatedMemberIds: [], deletedMemberIds: [], truncated: false, missed: false };
    const [a, b] = await upsert(id, "a", "b");
    const created = (await events.next()).value.data.memberbaseChanged;
    assert.deepEqual({ ...created, createdMemberIds: created.createdMemberIds.toSorted() }, {
      ...nothing, memberbaseId: id, created: 2, updated: 0, deleted: 0, createdMemberIds: [a, b].toSorted(),
    });
    await upsert(id, "a", "b");
    await remove(id, "a");
    assert.deepEqual((await events.next()).value.data.memberbaseChanged, {
      ...nothing, memberbaseId: id, created: 0, updated: 0, deleted: 1, deletedMemberIds: [a],
    });
    await events.return();
    await client.dispose();
  });

  test(`${name} hears that the memberbase is deleted, and no more`, async () => {
    const id = await newMemberbase();
    const { client } = connect(admin);
    const events = client.iterate({ query: CHANGED, variables: { id } });
    await begun(id, events);
    await ask("mutation ($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deletedMemberbaseId } }", { id });
    assert((await events.next()).value.data.memberbaseChanged.deleted > 0);
    assert.equal((await events.next()).done, true);
    await client.dispose();
  });

  test(`${name} is told what is wrong with an operation`, async () => {
    const { client } = connect(admin);
    const told = async (request) => {
      const results = [];
      try {
        for await (const result of client.iterate(request)) results.push(...(result.errors ?? []));
      } catch (errors) {
        if (!Array.isArray(errors)) throw errors;
        results.push(...errors);
      }
      return results.map((error) => error.extensions.code);
    };
    assert.deepEqual(await told({ query: "subscription { nothing }" }), ["GRAPHQL_VALIDATION_FAILED"]);
    const nowhere = { id: "mb_01kat0fzj6e2fb5e8r1mdc9w3x" };
    assert.deepEqual(await told({ query: CHANGED, variables: nowhere }), ["NOT_FOUND"]);
    assert.deepEqual(await told({ query: CHANGED, variables: {} }), ["BAD_USER_INPUT"]);
    await client.dispose();
  });

  test(`${name} is told that its token is no good`, async () => {
    const { client, seen } = connect("mbs_nobody");
    await assert.rejects(async () => {
      for await (const _ of client.iterate({ query: CHANGED, variables: { id: await newMemberbase() } }));
    }, (error) => error.code === 4401 || error.response?.status === 401);
    if (seen.closes) assert.deepEqual(seen.closes, [4401]);
  });

  test(`${name} is told that its token was revoked`, async () => {
    const id = await newMemberbase();
    const token = await newToken(id);
    const { client, seen } = connect(token.secret);
    const events = client.iterate({ query: CHANGED, variables: { id } });
    await begun(id, events);
    await token.revoke();
    if (seen.closes) {
      await assert.rejects(events.next(), ({ code }) => code === 4403);
    } else {
      const { value } = await events.next();
      assert.deepEqual(value.errors.map((error) => error.extensions.code), ["UNAUTHENTICATED"]);
      assert.equal((await events.next()).done, true);
    }
    await client.dispose();
  });
}

test("graphql-ws carries many subscriptions on one connection, and ends them one by one", async () => {
  const { client } = clients["graphql-ws"](admin);
  const bases = await Promise.all([1, 2, 3].map(newMemberbase));
  const all = bases.map((id) => client.iterate({ query: CHANGED, variables: { id } }));
  for (const [place, id] of bases.entries()) await begun(id, all[place]);
  await all[1].return();
  for (const place of [0, 2]) {
    const [member] = await upsert(bases[place], `after ${place}`);
    assert.deepEqual((await all[place].next()).value.data.memberbaseChanged.createdMemberIds, [member]);
  }
  await Promise.all([all[0].return(), all[2].return()]);
  await client.dispose();
});

test("graphql-sse carries queries and mutations too", async () => {
  const { client } = clients["graphql-sse"](admin);
  const results = [];
  for await (const result of client.iterate({ query: "{ currentApiToken { access } }" })) results.push(result);
  assert.deepEqual(results, [{ data: { currentApiToken: { access: "ADMIN" } } }]);
  await client.dispose();
});
