// The data that the compared documents read, and the values that generated documents name.

const WRITE = {
  memberbase: "mutation ($name: String!) { createMemberbase(input: {name: $name}) { memberbase { id } } }",
  schema: "mutation ($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }",
  members: "mutation ($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { memberIds } }",
  clips: "mutation ($input: BulkUpsertClipsInput!) { bulkUpsertClips(input: $input) { clipIds } }",
  stamps: `mutation ($input: BulkUpsertStampCollectionsInput!) {
    bulkUpsertStampCollections(input: $input) { stampCollectionIds }
  }`,
  transactions: `mutation ($input: BulkUpsertTransactionsInput!) {
    bulkUpsertTransactions(input: $input) { transactionIds }
  }`,
  token: "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { secret apiToken { id } } }",
  start: "mutation ($id: ID!) { startSync(input: {memberbaseId: $id}) { sync { id } } }",
  abandon: "mutation ($id: ID!) { abandonSync(input: {syncId: $id}) { sync { id } } }",
};

const ATTRIBUTES = [
  { key: "tier", type: "STRING" },
  { key: "age", type: "NUMBER" },
  { key: "active", type: "BOOLEAN" },
  { key: "joined", type: "DATE" },
  { key: "tags", type: "STRING_LIST" },
];
const NAMES = ["Alpha", "Beta \u{1F600}"];
const REFS = ["ada", "bob", "ｃ", "dora \u{1F600}", 'e"\\'];

/** Stores two memberbases with everything in them, and returns ids, refs, cursors and two tokens. */
export async function createData(server, admin) {
  const write = (kind, variables) => server.request(WRITE[kind], variables, admin);
  const { secret, apiToken } = (await write("token", { input: { description: "reader", access: "READ" } }))
    .createApiToken;
  const data = { admin, reader: secret, ids: { ApiToken: [apiToken.id] }, refs: REFS, names: NAMES, unknown: UNKNOWN };
  for (const name of NAMES) {
    const { id } = (await write("memberbase", { name })).createMemberbase.memberbase;
    keep(data, "Memberbase", id);
    await fill(id, write, data);
  }
  data.cursors = await cursors(server, data);
  return data;
}

/** Ids of the right form that the server does not have. */
const UNKNOWN = [
  "mb_01kat0fzj6e2fb5e8r1mdc9w3x",
  "m_01kat0fzj6e2fb5e8r1mdc9w3x",
  "sync_01kat0fzj6e2fb5e8r1mdc9w3x",
  "clip_01kat0fzj6e2fb5e8r1mdc9w3x",
  "atok_01kat0fzj6e2fb5e8r1mdc9w3x",
];

async function fill(memberbaseId, write, data) {
  await write("schema", { input: { memberbaseId, attributes: ATTRIBUTES } });
  const values = { tier: "gold", age: 41.5, active: true, joined: "2024-02-29", tags: ["a", "b"] };
  const members = REFS.map((ref, index) => ({
    ref,
    ...(index < 3 && { attributes: values, sourceUpdatedAt: "2024-01-01T00:00:00Z" }),
  }));
  const { memberIds } = (await write("members", { input: { memberbaseId, members } })).bulkUpsertMembers;
  keep(data, "Member", ...memberIds);
  const clips = [1, 2, 3].map((number) => ({
    memberRef: "ada",
    dealId: `deal ${number}`,
    creativeId: "c",
    ...(number > 1 && { redeemedAt: "2024-05-05T05:05:05Z" }),
  }));
  keep(data, "Clip", ...(await write("clips", { input: { memberbaseId, clips } })).bulkUpsertClips.clipIds);
  const stampCollections = [
    { memberRef: "ada", loyaltyProgramId: "coffee", stamps: 3 },
    { memberRef: "bob", loyaltyProgramId: "tea", rewardsEarned: 1 },
  ];
  const stamps = await write("stamps", { input: { memberbaseId, stampCollections } });
  keep(data, "StampCollection", ...stamps.bulkUpsertStampCollections.stampCollectionIds);
  const transactions = ["x1", "x2"].map((externalId, index) => ({
    memberRef: "ada",
    externalId,
    authCode: "1",
    network: "VISA",
    bin: "411111",
    merchantId: "m",
    authedAt: "2024-01-01T00:00:00Z",
    ...(index > 0 && { amount: -5, currency: "GBP" }),
  }));
  const stored = await write("transactions", { input: { memberbaseId, transactions } });
  keep(data, "Transaction", ...stored.bulkUpsertTransactions.transactionIds);
  const abandoned = (await write("start", { id: memberbaseId })).startSync.sync.id;
  await write("abandon", { id: abandoned });
  keep(data, "Sync", abandoned, (await write("start", { id: memberbaseId })).startSync.sync.id);
}

function keep(data, type, ...ids) {
  data.ids[type] = [...(data.ids[type] ?? []), ...ids];
}

/** Cursors of the first memberbase and its first member, by the type of their list. */
async function cursors(server, { ids, admin }) {
  const list = "{ __typename edges { cursor } }";
  const { apiTokens, memberbases, memberbase, member } = await server.request(
    `query ($base: ID!, $member: ID!) {
      apiTokens ${list}
      memberbases ${list}
      memberbase(id: $base) { members ${list} syncs ${list} }
      member(by: {id: $member}) { clips ${list} stampCollections ${list} transactions ${list} }
    }`,
    { base: ids.Memberbase[0], member: ids.Member[0] },
    admin,
  );
  const lists = [apiTokens, memberbases, ...Object.values(memberbase), ...Object.values(member)];
  return Object.fromEntries(lists.map(({ __typename, edges }) => [__typename, edges.map(({ cursor }) => cursor)]));
}
