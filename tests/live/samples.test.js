// Compiles the TypeScript samples of docs/live.md strictly, and runs each against a server that revokes its token and restarts.
//
// MEMBERBASE_BINARY is the path of the server.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";

const binary = process.env.MEMBERBASE_BINARY;
assert(binary, "set MEMBERBASE_BINARY");

const here = fileURLToPath(new URL(".", import.meta.url));
const text = readFileSync(join(here, "../../docs/live.md"), "utf8");
const operation = text.match(/```graphql\n(subscription[^]*?)```/)[1];
const blocks = [...text.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code);

/** What the samples use without declaring it. */
const GIVEN = `
interface Change { created: number; createdMemberIds: string[]; missed: boolean }
interface Given { CHANGES: string; id: string; token(): string; apply(change: Change): void }
const { CHANGES, id, token, apply } = (globalThis as unknown as { given: Given }).given;
`;

const names = { "graphql-ws": "graphql-ws", "graphql-sse": "graphql-sse", "@apollo/client": "apollo", "@urql/core": "urql" };
const samples = Object.entries(names).map(([module, name]) => {
  const code = blocks.find((block) => block.match(/from "([^"]+)"/)?.[1] === module);
  assert(code, `docs/live.md has no sample for ${module}`);
  return [name, code];
});
assert.equal(blocks.length, samples.length, "docs/live.md has a sample that is not tested");

/** The client of graphql-ws, which the samples of Apollo Client and urql use. */
const socketClient = samples[0][1].split("const changes")[0];

const folder = mkdtempSync(join(tmpdir(), "memberbase-samples-"));
const database = `sqlite://${folder}/data.sqlite?mode=rwc`;
let server;
let port = 0;
after(() => {
  server?.kill("SIGKILL");
  rmSync(folder, { recursive: true });
  rmSync(compiled, { recursive: true });
});

/** Starts the server, on the same port as before. */
async function start() {
  const options = ["serve", "--listen", `127.0.0.1:${port}`, "--database-url", database];
  server = spawn(binary, options, { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  for await (const chunk of server.stdout) {
    output += chunk;
    const address = output.match(/listening on http:\/\/127\.0\.0\.1:(\d+)/);
    if (address) {
      port = Number(address[1]);
      server.stdout.resume();
      return;
    }
  }
  throw new Error(`the server does not start: ${output}`);
}

async function restart() {
  server.kill("SIGTERM");
  await once(server, "exit");
  await start();
}

function command(...options) {
  return execFileSync(binary, [...options, "--database-url", database], { encoding: "utf8" }).trim();
}

command("migrate", "up");
const admin = command("token", "create", "--access", "admin", "--description", "samples");
await start();

async function request(query, variables) {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${admin}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

async function newToken(memberbaseId) {
  const create = "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { secret apiToken { id } } }";
  const input = { description: "sample", access: "READ", memberbaseId };
  return (await request(create, { input })).createApiToken;
}

/** Writes until a change arrives. */
async function waitForChange(id, changes) {
  const upsert = "mutation ($id: ID!, $ref: String!) { bulkUpsertMembers(input: {memberbaseId: $id, members: [{ref: $ref}]}) \
    { memberIds } }";
  const before = changes.length;
  for (let attempt = 0; attempt < 200; attempt += 1) {
    await request(upsert, { id, ref: `${before}-${attempt}` });
    await sleep(100);
    if (changes.length > before) return;
  }
  assert.fail("no change arrives");
}

// Below the folder of the packages, so that they are found.
const compiled = join(here, "node_modules/.samples");
rmSync(compiled, { recursive: true, force: true });
mkdirSync(compiled, { recursive: true });
for (const [name, code] of samples) {
  const before = name === "apollo" || name === "urql" ? socketClient : "";
  const source = (GIVEN + before + code).replaceAll("//members.example.com", `//127.0.0.1:${port}`);
  writeFileSync(join(compiled, `${name}.ts`), source.replaceAll("wss:", "ws:").replaceAll("https:", "http:"));
}

test("the samples compile strictly", () => {
  const options = ["--strict", "--target", "es2023", "--module", "nodenext", "--skipLibCheck", "--lib", "es2023,dom,esnext"];
  const sources = samples.map(([name]) => join(compiled, `${name}.ts`));
  try {
    execFileSync(join(here, "node_modules/.bin/tsc"), [...options, ...sources], { encoding: "utf8" });
  } catch ({ stdout }) {
    assert.fail(stdout);
  }
});

for (const [name] of samples) {
  test(`the sample for ${name} goes on after the end of its token and a restart`, async () => {
    globalThis.WebSocket ??= WebSocket;
    const create = 'mutation { createMemberbase(input: {name: "sample"}) { memberbase { id } } }';
    const { id } = (await request(create)).createMemberbase.memberbase;
    let token = await newToken(id);
    const changes = [];
    globalThis.given = { CHANGES: operation, id, token: () => token.secret, apply: (change) => changes.push(change) };
    // It never ends.
    const ended = import(join(compiled, `${name}.js`)).then(() => {});
    ended.catch((error) => assert.fail(error));
    await waitForChange(id, changes);
    const revoked = token;
    token = await newToken(id);
    await request("mutation ($id: ID!) { revokeApiToken(input: {apiTokenId: $id}) { apiToken { id } } }", {
      id: revoked.apiToken.id,
    });
    await sleep(1_500);
    await waitForChange(id, changes);
    await restart();
    await waitForChange(id, changes);
  });
}
