// The page to try queries on: GraphiQL, a field for the token, and operations to begin with.
"use strict";

const CDN = "https://cdn.jsdelivr.net/npm/";
const PATIENCE = 15_000;
const TOKEN = "memberbase.token";

// The hashes are those of the published packages: what the CDN serves is that or nothing.
const STYLE = {
  path: "graphiql@3.9.0/graphiql.min.css",
  integrity: "sha384-QMux00XgRtwRLSYIY3kw2rj1ovk5AuuliAchk+HSQbqdbGFnz9GYuqIlOqxhwCE2",
};
const SCRIPTS = [
  {
    path: "react@18.3.1/umd/react.production.min.js",
    integrity: "sha384-DGyLxAyjq0f9SPpVevD6IgztCFlnMF6oW/XQGmfe+IsZ8TqEiDrcHkMLKI6fiB/Z",
  },
  {
    path: "react-dom@18.3.1/umd/react-dom.production.min.js",
    integrity: "sha384-gTGxhz21lVGYNMcdJOyq01Edg0jhn/c22nsx0kyqP0TxaV5WVdsSH1fSDUf5YJj1",
  },
  {
    path: "graphiql@3.9.0/graphiql.min.js",
    integrity: "sha384-8NGfVj4CVlqHajlZj+bPJT4thxPMHMJYn7DWK2CvtopLd02E7qsPHazniBYvVjOO",
  },
];

const MEMBERBASE = { memberbaseId: "mb_" };

const OPERATIONS = [
  {
    query: `# 1. A memberbase. Its id goes into the variables of the other tabs.
mutation CreateMemberbase($name: String!) {
  createMemberbase(input: {name: $name}) {
    memberbase { id name createdAt }
  }
}
`,
    variables: { name: "My members" },
  },
  {
    query: `# 2. Three members. Run it again: nothing changes, and the ids stay the same.
mutation UpsertMembers($memberbaseId: ID!, $members: [MemberInput!]!) {
  bulkUpsertMembers(input: {memberbaseId: $memberbaseId, members: $members}) {
    memberIds
    results { index ref outcome error { code message path } }
    summary { created updated unchanged }
  }
}
`,
    variables: { ...MEMBERBASE, members: [{ ref: "ann" }, { ref: "bob" }, { ref: "cem" }] },
  },
  {
    query: `# 3. Page by page: the endCursor of one is the after of the next.
query Members($memberbaseId: ID!, $after: String) {
  members(memberbaseId: $memberbaseId, first: 2, after: $after) {
    totalCount
    nodes { id ref createdAt updatedAt }
    pageInfo { hasNextPage endCursor }
  }
}
`,
    variables: { ...MEMBERBASE, after: null },
  },
  {
    query: `# 4. Members by your own keys; null where there is none.
query MembersByRef($memberbaseId: ID!, $refs: [String!]!) {
  membersByRef(memberbaseId: $memberbaseId, refs: $refs) { id ref updatedAt }
}
`,
    variables: { ...MEMBERBASE, refs: ["ann"] },
  },
  {
    query: `# 5. Gone, with everything of its own.
mutation DeleteMembers($memberbaseId: ID!, $refs: [String!]!) {
  deleteMembers(input: {memberbaseId: $memberbaseId, refs: $refs}) {
    deletedMemberIds
    notFoundRefs
  }
}
`,
    variables: { ...MEMBERBASE, refs: ["ann"] },
  },
];

const endpoint = new URL("graphql", document.baseURI);
const field = document.getElementById("token");
const state = document.getElementById("state");
const place = document.getElementById("graphiql");

// For this tab only: the token is gone when the tab is closed.
field.value = sessionStorage.getItem(TOKEN) ?? "";
document.getElementById("curl").textContent = document
  .getElementById("curl")
  .textContent.replace("http://127.0.0.1:8080/graphql", endpoint.href);

async function ask(parameters) {
  const headers = { "Content-Type": "application/json", Accept: "application/graphql-response+json" };
  if (field.value.trim()) headers.Authorization = `Bearer ${field.value.trim()}`;
  const body = JSON.stringify(parameters);
  const response = await fetch(endpoint, { method: "POST", headers, body, credentials: "omit" });
  const refusal = headers.Authorization ? "this token is not valid" : "a token is needed";
  state.textContent = response.status === 401 ? refusal : "";
  return response.json();
}

function load(tag, attributes) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(tag), attributes, { crossOrigin: "anonymous" });
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${attributes.src ?? attributes.href} can't be loaded`));
    setTimeout(element.onerror, PATIENCE);
    document.head.append(element);
  });
}

async function start() {
  const { path, integrity } = STYLE;
  const loads = [load("link", { rel: "stylesheet", href: CDN + path, integrity })];
  for (const { path, integrity } of SCRIPTS) {
    loads.push(load("script", { src: CDN + path, integrity, async: false }));
  }
  await Promise.all(loads);

  const { createElement } = window.React;
  const defaultTabs = OPERATIONS.map(({ query, variables }) => ({
    query,
    variables: JSON.stringify(variables, null, 2),
  }));
  const root = window.ReactDOM.createRoot(place);
  // Another key is another GraphiQL, which asks for the schema anew.
  const render = () =>
    root.render(createElement(window.GraphiQL, { key: field.value, fetcher: ask, defaultTabs, isHeadersEditorEnabled: false }));
  field.addEventListener("change", render);
  render();
}

field.addEventListener("change", () => sessionStorage.setItem(TOKEN, field.value.trim()));
start().catch((error) => {
  document.getElementById("notice").textContent = `GraphiQL is not there: ${error.message}.`;
});
