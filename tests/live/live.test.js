// Tests subscriptions with the common clients: graphql-ws and subscriptions-transport-ws over WebSocket, graphql-sse over
// server-sent events, and Apollo Client over multipart responses.
//
// MEMBERBASE_TEST_URL is the address of the server, MEMBERBASE_TEST_TOKEN an ADMIN token.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApolloClient, CombinedGraphQLErrors, CombinedProtocolErrors, gql, HttpLink, InMemoryCache } from "@apollo/client";
import * as sse from "graphql-sse";
import * as ws from "graphql-ws";
import { SubscriptionClient } from "subscriptions-transport-ws";
import { WebSocket } from "ws";

const url = process.env.MEMBERBASE_TEST_URL;
const admin = process.env.MEMBERBASE_TEST_TOKEN;
assert(url && admin, "set MEMBERBASE_TEST_URL and MEMBERBASE_TEST_TOKEN");

const CHANGED = `subscription ($id: ID!) {
  memberbaseChanged(memberbaseId: $id) {
    memberbaseId created updated deleted createdMemberIds updatedMemberIds deletedMemberIds truncated missed
  }
}`;

/** Sends an operation with POST, and asserts that it succeeds. */
async function request(query, variables, token = admin) {
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
  return (await request(query)).createMemberbase.memberbase.id;
}

async function upsert(id, ...refs) {
  const query = "mutation ($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { memberIds } }";
  const members = refs.map((ref) => ({ ref }));
  return (await request(query, { input: { memberbaseId: id, members } })).bulkUpsertMembers.memberIds;
}

async function remove(id, ...refs) {
  const query = "mutation ($input: DeleteMembersInput!) { deleteMembers(input: $input) { deletedMemberIds } }";
  await request(query, { input: { memberbaseId: id, refs } });
}

async function newToken(id) {
  const query = `mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { secret apiToken { id } } }`;
  const input = { description: "live", access: "READ", memberbaseId: id };
  const { secret, apiToken } = (await request(query, { input })).createApiToken;
  const revoke = "mutation ($id: ID!) { revokeApiToken(input: {apiTokenId: $id}) { apiToken { revokedAt } } }";
  return { secret, revoke: () => request(revoke, { id: apiToken.id }) };
}

/** Creates each client for a token, and records the close codes of its connection. */
const clients = {
  "graphql-ws": (token) => {
    const observed = { closeCodes: [] };
    const client = ws.createClient({
      url: `${url.replace("http", "ws")}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: () => ({ Authorization: `Bearer ${token}` }),
      retryAttempts: 0,
      on: { closed: ({ code }) => observed.closeCodes.push(code) },
    });
    return { client, observed };
  },
  "graphql-sse": (token) => {
    const client = sse.createClient({
      url: `${url}/graphql`,
      headers: { Authorization: `Bearer ${token}` },
      retryAttempts: 0,
    });
    return { client, observed: {} };
  },
};

/** Returns an iterator over the values of an observable. */
async function* values(observable) {
  const queue = [];
  let wake = () => {};
  const push = (entry) => { queue.push(entry); wake(); };
  const subscription = observable.subscribe({
    next: (value) => push({ value }),
    error: (error) => push({ error }),
    complete: () => push({ done: true }),
  });
  try {
    for (;;) {
      while (queue.length === 0) await new Promise((resolve) => (wake = resolve));
      const { value, error, done } = queue.shift();
      if (error) throw error;
      if (done) return;
      yield value;
    }
  } finally {
    subscription.unsubscribe();
  }
}

clients["subscriptions-transport-ws"] = (token) => {
  const observed = { closeCodes: [] };
  // Fails at once instead of connecting again.
  const client = new SubscriptionClient(`${url.replace("http", "ws")}/graphql`, {
    connectionParams: { Authorization: `Bearer ${token}` }, reconnect: false, inactivityTimeout: 0,
  }, WebSocket);
  let refuse;
  const refused = new Promise((_, reject) => (refuse = reject));
  refused.catch(() => {});
  client.client.addEventListener("close", ({ code }) => {
    observed.closeCodes.push(code);
    refuse(Object.assign(new Error("closed"), { code }));
  });
  async function* iterate(request) {
    const events = values(client.request(request));
    for (;;) {
      // This client reports the end of its connection to no operation.
      const next = await Promise.race([events.next(), refused]).catch((error) => {
        throw error.extensions ? [error] : error;
      });
      if (next.done) return;
      yield next.value;
    }
  }
  return { client: { iterate, dispose: () => client.close() }, observed };
};

clients["Apollo Client"] = (token) => {
  const link = new HttpLink({ uri: `${url}/graphql`, headers: { Authorization: `Bearer ${token}` } });
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  async function* iterate({ query, variables }) {
    let isFirst = true;
    for await (const { data, error } of values(client.subscribe({ query: gql(query), variables }))) {
      if (error && !CombinedGraphQLErrors.is(error) && !CombinedProtocolErrors.is(error)) throw error;
      const errors = error?.errors;
      // This client does not report the status of a response that has GraphQL errors.
      if (isFirst && errors?.[0].extensions.code === "UNAUTHENTICATED") throw { response: { status: 401 } };
      isFirst = false;
      if (data) for (const field of Object.values(data)) delete field?.__typename;
      yield { data, errors };
    }
  }
  return { client: { iterate, dispose: () => client.stop() }, observed: {} };
};

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Writes until the subscription receives an event, because neither protocol reports that a subscription has started. */
async function waitUntilSubscribed(id, events) {
  const first = events.next();
  let received = false;
  first.then(() => (received = true), () => (received = true));
  for (let attempt = 0; !received; attempt += 1) {
    await upsert(id, `probe-${attempt}`);
    await sleep(100);
  }
  const { value } = await first;
  // Skips the events of the writes above.
  await upsert(id, "last probe");
  const [last] = await upsert(id, "last probe");
  let event = value;
  while (!event.data?.memberbaseChanged.createdMemberIds.includes(last)) event = (await events.next()).value;
  return event;
}

for (const [name, connect] of Object.entries(clients)) {
  test(`${name} receives an event for every write`, async () => {
    const id = await newMemberbase();
    const { client } = connect(admin);
    const events = client.iterate({ query: CHANGED, variables: { id } });
    await waitUntilSubscribed(id, events);
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

  test(`${name} receives the deletion of the memberbase as the last event`, async () => {
    const id = await newMemberbase();
    const { client } = connect(admin);
    const events = client.iterate({ query: CHANGED, variables: { id } });
    await waitUntilSubscribed(id, events);
    await request("mutation ($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deletedMemberbaseId } }", { id });
    assert((await events.next()).value.data.memberbaseChanged.deleted > 0);
    assert.equal((await events.next()).done, true);
    await client.dispose();
  });

  test(`${name} receives the errors of an operation`, async () => {
    const { client } = connect(admin);
    const errorCodes = async (request) => {
      const results = [];
      try {
        for await (const result of client.iterate(request)) results.push(...(result.errors ?? []));
      } catch (errors) {
        if (!Array.isArray(errors)) throw errors;
        results.push(...errors);
      }
      return results.map((error) => error.extensions.code);
    };
    assert.deepEqual(await errorCodes({ query: "subscription { nothing }" }), ["GRAPHQL_VALIDATION_FAILED"]);
    const missing = { id: "mb_01kat0fzj6e2fb5e8r1mdc9w3x" };
    assert.deepEqual(await errorCodes({ query: CHANGED, variables: missing }), ["NOT_FOUND"]);
    assert.deepEqual(await errorCodes({ query: CHANGED, variables: {} }), ["BAD_USER_INPUT"]);
    await client.dispose();
  });

  test(`${name} is disconnected or gets 401 if its token is unknown`, async () => {
    const { client, observed } = connect("mbs_unknown");
    await assert.rejects(async () => {
      for await (const _ of client.iterate({ query: CHANGED, variables: { id: await newMemberbase() } }));
    }, (error) => error.code === 4401 || error.response?.status === 401);
    if (observed.closeCodes) assert.deepEqual(observed.closeCodes, [4401]);
  });

  test(`${name} ends with an error when its token is revoked`, async () => {
    const id = await newMemberbase();
    const token = await newToken(id);
    const { client, observed } = connect(token.secret);
    const events = client.iterate({ query: CHANGED, variables: { id } });
    await waitUntilSubscribed(id, events);
    await token.revoke();
    if (observed.closeCodes) {
      await assert.rejects(events.next(), ({ code }) => code === 4403);
    } else {
      const { value } = await events.next();
      assert.deepEqual(value.errors.map((error) => error.extensions.code), ["UNAUTHENTICATED"]);
      assert.equal((await events.next()).done, true);
    }
    await client.dispose();
  });
}

for (const name of ["graphql-ws", "subscriptions-transport-ws"]) {
  test(`${name} executes queries and mutations`, async () => {
    const { client } = clients[name](admin);
    const results = [];
    for await (const result of client.iterate({ query: "{ currentApiToken { access } }" })) results.push(result);
    const query = 'mutation { createMemberbase(input: {name: "socket"}) { memberbase { name } } }';
    for await (const result of client.iterate({ query })) results.push(result);
    assert.deepEqual(results, [
      { data: { currentApiToken: { access: "ADMIN" } } },
      { data: { createMemberbase: { memberbase: { name: "socket" } } } },
    ]);
    await client.dispose();
  });
}

test("graphql-ws multiplexes subscriptions on one connection, and completes them one by one", async () => {
  const { client } = clients["graphql-ws"](admin);
  const bases = await Promise.all([1, 2, 3].map(newMemberbase));
  const subscriptions = bases.map((id) => client.iterate({ query: CHANGED, variables: { id } }));
  for (const [index, id] of bases.entries()) await waitUntilSubscribed(id, subscriptions[index]);
  await subscriptions[1].return();
  for (const index of [0, 2]) {
    const [member] = await upsert(bases[index], `after ${index}`);
    assert.deepEqual((await subscriptions[index].next()).value.data.memberbaseChanged.createdMemberIds, [member]);
  }
  await Promise.all([subscriptions[0].return(), subscriptions[2].return()]);
  await client.dispose();
});

test("graphql-sse executes queries", async () => {
  const { client } = clients["graphql-sse"](admin);
  const results = [];
  for await (const result of client.iterate({ query: "{ currentApiToken { access } }" })) results.push(result);
  assert.deepEqual(results, [{ data: { currentApiToken: { access: "ADMIN" } } }]);
  await client.dispose();
});
