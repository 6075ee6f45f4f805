//! Valid operations of many kinds, whose data is the same with both executors.

pub const QUERIES: &[&str] = &[
    // Root fields.
    r"query($base: ID!) { memberbase(id: $base) { id name createdAt updatedAt attributeSchema { key type } } }",
    r"query($missing: ID!) { memberbase(id: $missing) { id } }",
    r"{ memberbases { totalCount nodes { id name } edges { cursor node { id } } pageInfo { hasNextPage
      endCursor } } }",
    r#"query($base: ID!) { memberbases(filter: {or: [{id: {eq: $base}}, {name: {startsWith: "x"}}]}) { nodes {
      id } } }"#,
    r"query($member: ID!) { member(by: {id: $member}) { id ref attributes createdAt updatedAt sourceUpdatedAt } }",
    r"query($base: ID!, $ref: String!) { member(by: {ref: {memberbaseId: $base, ref: $ref}}) { id memberbaseId } }",
    r#"query($by: MemberBy!) { member(by: $by) { ref memberbase { name } attributes attribute(key: "name") } }"#,
    r"query($base: ID!, $refs: [String!]!) { membersByRef(memberbaseId: $base, refs: $refs) { id ref clips {
      totalCount } } }",
    r#"query($base: ID!) { membersByRef(memberbaseId: $base, refs: "ada") { id } }"#,
    r"{ apiTokens(first: 50) { totalCount edges { cursor node { id description access memberbaseId createdAt
      expiresAt lastUsedAt revokedAt } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }",
    // The operator has no token.
    r"{ currentApiToken { id access } }",
    r"query($open: ID!) { sync(id: $open) { id state startedAt endedAt seen missing deleted { members } memberbase {
      id } } }",
    r"query($base: ID!) { memberbase(id: $base) { syncs(last: 1) { totalCount nodes { id state deleted { clips } }
      pageInfo { hasPreviousPage startCursor } } } }",
    // Objects by their ids, and fragments on the interface.
    r"query($member: ID!) { node(id: $member) { id __typename ... on Member { ref } ... on Clip { dealId } } }",
    r#"query($nodes: [ID!]!) { nodes(ids: $nodes) { __typename id ...Named ... on Node { key: id } ... on Sync {
      state } ... on StampCollection { stamps member { ref } } ... on ApiToken { access } } }
      fragment Named on Node { ... on Memberbase { name members(first: 1) { nodes { ref } } } ... on Member {
      called: attribute(key: "name") ref } ... on Clip { dealId redeemedAt } ...Paid }
      fragment Paid on Transaction { externalId network amount currency authedAt clearedAt member { id } }"#,
    r"query($transaction: ID!, $stamps: ID!) { a: node(id: $transaction) { ... on Transaction { authCode bin
      merchantId statementDescriptor revertedAt createdAt updatedAt } } b: node(id: $stamps) {
      ... on StampCollection { id loyaltyProgramId rewardsEarned createdAt updatedAt } } }",
    r"query($clip: ID!) { node(id: $clip) { ... { ... on Node { ... on Clip { creativeId variantId } } } } }",
    // Pages in both directions, filters and orders.
    r"query($base: ID!) { members(memberbaseId: $base) { totalCount nodes { __typename id ref memberbaseId
      attributes createdAt updatedAt sourceUpdatedAt } edges { __typename cursor node { ref attributes } }
      pageInfo { hasNextPage } } }",
    r"query($base: ID!, $after: String, $two: Int) { members(memberbaseId: $base, first: $two, after: $after) {
      nodes { ref } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }",
    r#"query($base: ID!, $before: String, $two: Int) { members(memberbaseId: $base, last: $two, before: $before) {
      edges { cursor node { ref attribute(key: "points") } } pageInfo { hasNextPage hasPreviousPage }
      totalCount } }"#,
    r"query($base: ID!, $null: Int) { members(memberbaseId: $base, first: $null, filter: null, after: null) {
      nodes { id } } }",
    r"query($base: ID!) { members(memberbaseId: $base, first: 0) { nodes { id } edges { cursor } pageInfo {
      endCursor } } }",
    r"query($base: ID!, $filter: MemberFilter, $order: MemberOrder) { members(memberbaseId: $base, filter: $filter,
      orderBy: $order) { nodes { ref } totalCount } }",
    r"query($base: ID!, $direction: OrderDirection!) { members(memberbaseId: $base, orderBy: {field: REF,
      direction: $direction}) { nodes { ref } } }",
    r"query($base: ID!) { members(memberbaseId: $base, orderBy: {field: UPDATED_AT}) { edges { cursor node {
      id } } } }",
    r#"query($base: ID!, $refs: [String!]) { members(memberbaseId: $base,
      filter: {and: [{ref: {in: $refs}}, {not: {attribute: {key: "vip", eq: true}}}]}) { nodes { ref } } }"#,
    r#"query($base: ID!, $values: [AttributeValue!]) { members(memberbaseId: $base,
      filter: {attribute: {key: "points", in: $values}}) { nodes { ref attributes } } }"#,
    r#"query($base: ID!, $member: ID!) { members(memberbaseId: $base, filter: {id: {nin: [$member]},
      createdAt: {gt: "2020-01-01T00:00:00Z"}, ref: {regex: {pattern: "^[A-D]", caseInsensitive: true}}}) {
      nodes { ref } } }"#,
    r#"query($base: ID!) { members(memberbaseId: $base, filter: {or: [{attribute: {key: "tags", eq: ["a",
      ""]}}, {attribute: {key: "born", lt: "1900-01-01"}}, {attribute: {key: "name", exists: false}}]}) { nodes {
      ref } } }"#,
    // Nested lists.
    r"query($base: ID!) { members(memberbaseId: $base) { nodes { ref clips(first: 2) { totalCount nodes { id
      dealId } edges { cursor } pageInfo { hasNextPage endCursor } } stampCollections { nodes { loyaltyProgramId
      stamps } } transactions(last: 3) { edges { cursor node { externalId amount } } pageInfo {
      hasPreviousPage } } } } }",
    r"query($base: ID!, $two: Int!) { memberbase(id: $base) { members(first: $two) { nodes { memberbase {
      members(last: 1) { nodes { clips { nodes { member { memberbase { id } } } } } } } } } } }",
    // Aliases and merged fields, which async-graphql resolves as often as the document has them.
    r"query($base: ID!, $other: ID!) { a: memberbase(id: $base) { x: id y: id name } b: memberbase(id: $other) {
      name: id } }",
    r"query($base: ID!) { memberbase(id: $base) { id } memberbase(id: $base) { id name ...More } }
      fragment More on Memberbase { name members(first: 1) { totalCount } members(first: 1) { pageInfo {
      hasNextPage } } }",
    r"query($member: ID!) { node(id: $member) { ... on Member { clips { nodes { id } } } id ... on Member { clips {
      nodes { dealId } totalCount } } } }",
    // Conditions.
    r"query($base: ID!, $yes: Boolean!, $no: Boolean!, $given: Boolean = false) { memberbase(id: $base) {
      id @skip(if: $no) name @include(if: $no) createdAt @include(if: $yes) @skip(if: $yes)
      ... @include(if: $given) { updatedAt } ...Rest @skip(if: $given) ... on Node @include(if: $yes) { key: id } }
      memberbases @include(if: $no) { totalCount } } fragment Rest on Memberbase { rest: name }",
    r"query($base: ID!, $yes: Boolean!, $no: Boolean!) { members(memberbaseId: $base) { nodes @include(if: $yes) {
      ref id @include(if: $no) ... @skip(if: $no) { updatedAt } } edges @skip(if: $yes) { cursor } } }",
    r"query($base: ID!, $yes: Boolean!) { memberbase(id: $base) { ...Name @skip(if: $yes) ...Name } }
      fragment Name on Memberbase { name }",
    // Coercion of variables, and defaults of variables and of input fields.
    r"query($base: ID!, $ref: [String!]!) { membersByRef(memberbaseId: $base, refs: $ref) { ref } }",
    r#"query($base: ID!, $whole: [AttributeValue!]) { members(memberbaseId: $base,
      filter: {attribute: {key: "points", nin: $whole}}) { nodes { ref } } }"#,
    r#"query($base: ID!, $size: Int = null, $more: MemberFilter = {attribute: {key: "points", gt: 1e0}}) {
      members(memberbaseId: $base, first: $size, filter: $more) { nodes { ref } } }"#,
    r#"query($base: ID!, $size: Int = 1, $key: String! = "points", $sort: MemberOrder = {direction: DESC}) {
      members(memberbaseId: $base, first: $size, orderBy: $sort) { nodes { ref attribute(key: $key) } } }"#,
    r#"query($base: ID!, $absent: Int, $none: String) { members(memberbaseId: $base, first: $absent, after: $none,
      filter: {ref: {eq: $none, in: ["ada"]}}) { nodes { ref } } }"#,
    r"query($base: ID!, $sorted: MemberOrderField! = REF) { members(memberbaseId: $base, orderBy: {field: $sorted}) {
      nodes { ref } } }",
    // Texts and introspection.
    "\u{feff}query Named { __typename name: __typename } # a comment",
    "query($base: ID!) { membersByRef(memberbaseId: $base, refs: [\"\\u0061da\", \"\"\"\n    ada\n  \"\"\"]) { id } }",
    r#"{ __schema { queryType { name } subscriptionType { fields { name } } } member: __type(name: "Member") { kind
      interfaces { name } fields { name args { name defaultValue } type { kind name ofType { name } } } } }"#,
    r#"{ __type(name: "Nothing") { name } input: __type(name: "MemberOrder") { inputFields { name defaultValue } }
      values: __type(name: "UpsertMode") { enumValues { name description } } __typename }"#,
];

/// Mutations whose result is the same when they run again.
pub const MUTATIONS: &[&str] = &[
    r"mutation($members: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $members) { memberIds members { id
      ref } results { index ref memberId outcome error { code message path } } summary { created updated unchanged
      stale skipped failed } } }",
    r"mutation($base: ID!, $rows: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $base, members: $rows,
      onError: SKIP_FAILED, mode: UPDATE_ONLY, dryRun: true}) { memberIds results { ...Result } } }
      fragment Result on MemberUpsertResult { __typename outcome ref error { code } }",
    r#"mutation($base: ID!, $row: MemberInput!, $open: ID) { bulkUpsertMembers(input: {memberbaseId: $base,
      dryRun: true, syncId: $open, members: [$row, {ref: "ada", attributes: {points: 2, name: null,
      tags: ["x"]}}]}) { results { outcome } } }"#,
    r#"mutation($base: ID!) { bulkUpsertMembers(input: {memberbaseId: $base, members: {ref: "dan"}}) { memberIds
      members { ref updatedAt transactions { nodes { amount } } } } }"#,
    r"mutation($clips: BulkUpsertClipsInput!) { bulkUpsertClips(input: $clips) { clipIds clips { id dealId }
      results { index nodeId outcome } summary { created updated unchanged } } }",
    r"mutation($stampCollections: BulkUpsertStampCollectionsInput!) {
      bulkUpsertStampCollections(input: $stampCollections) { stampCollectionIds stampCollections { stamps }
      results { outcome error { code message path } } summary { failed } } }",
    r"mutation($transactions: BulkUpsertTransactionsInput!) { bulkUpsertTransactions(input: $transactions) {
      transactionIds transactions { member { ref } } results { outcome error { code path } } summary { created
      unchanged failed } } }",
    r#"mutation($base: ID!) { bulkUpsertTransactions(input: {memberbaseId: $base, dryRun: true,
      transactions: [{memberRef: "ada", externalId: "x", authCode: "", network: VISA, bin: "400000",
      merchantId: "m", amount: -1, authedAt: "2026-01-31T12:00:00Z", clearedAt: null}]}) { results { outcome } } }"#,
    r#"mutation($base: ID!, $memberIds: [ID!]!) { deleteMembers(input: {memberbaseId: $base, memberIds: $memberIds,
      refs: ["nobody"], atMost: 10, dryRun: true}) { deletedMemberIds notFoundMemberIds notFoundRefs deleted {
      members attributes clips stampCollections transactions } } }"#,
    r"mutation($base: ID!) { deleteMembers(input: {memberbaseId: $base}) { deletedMemberIds notFoundRefs } }",
    r"mutation($other: ID!, $clip: ID!, $stamps: ID!, $transaction: ID!) { deleteClips(input: {memberbaseId: $other,
      clipIds: [$clip]}) { deletedClipIds notFoundClipIds } deleteStampCollections(input: {memberbaseId: $other,
      stampCollectionIds: [$stamps]}) { notFoundStampCollectionIds }
      deleteTransactions(input: {memberbaseId: $other, transactionIds: [$transaction]}) { notFoundTransactionIds } }",
    r"mutation($base: ID!) { deleteMemberbase(input: {memberbaseId: $base, dryRun: true, atMostMembers: 9}) {
      deletedMemberbaseId deleted { members attributes clips } } }",
    r#"mutation { createMemberbase(input: {name: "new"}) { memberbase { name attributeSchema { key } members {
      totalCount nodes { id } } } } }"#,
    r#"mutation($other: ID!) { updateMemberbase(input: {memberbaseId: $other, name: "of some"}) { memberbase {
      name } } }"#,
    r"mutation($base: ID!, $attributes: [AttributeDefinitionInput!]!) {
      setAttributeSchema(input: {memberbaseId: $base, attributes: $attributes}) { memberbase { attributeSchema { key
      type } updatedAt } } }",
    r"mutation($abandoned: ID!) { abandonSync(input: {syncId: $abandoned}) { sync { id state endedAt deleted {
      members } } } }",
    r"mutation($open: ID!) { commitSync(input: {syncId: $open, onMissing: KEEP, maxDeletedPercent: 1}) { sync {
      state endedAt seen missing deleted { members } } } }",
    r"mutation($base: ID!) { startSync(input: {memberbaseId: $base, abandonOpen: true}) { sync { state endedAt seen
      missing memberbase { id } } } }",
    r#"mutation($base: ID!) { createApiToken(input: {description: "new", access: READ, memberbaseId: $base,
      expiresAt: "2100-01-01T01:00:00+01:00"}) { apiToken { description access memberbaseId expiresAt
      lastUsedAt } } }"#,
    r"mutation($token: ID!) { revokeApiToken(input: {apiTokenId: $token}) { apiToken { id revokedAt } } }",
    // Root fields run one after another.
    r#"mutation($other: ID!) { a: updateMemberbase(input: {memberbaseId: $other, name: "a"}) { memberbase {
      name } } b: updateMemberbase(input: {memberbaseId: $other, name: "b"}) { memberbase { name } } __typename }"#,
];
