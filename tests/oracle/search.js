// Compares generated requests for some time, and collects the kinds of disagreement.
import { generate } from "./generate.js";
import { Mutator } from "./mutate.js";
import { Random } from "./random.js";
import { shrink } from "./shrink.js";
import { join, plain, scatter, split } from "./tokens.js";

const CONCURRENCY = 6;
const MUTATED = 0.5;
const MUTATED_VARIABLES = 0.25;

/** Returns request number `index` of a seed. */
export function makeRequest(schema, data, seed, index) {
  const random = new Random(`${seed}/${index}`);
  const request = generate(schema, data, random);
  const mutator = new Mutator(schema, random);
  let tokens = split(request.document);
  let intact = true;
  if (random.chance(MUTATED)) {
    tokens = mutator.document(tokens);
    intact = false;
  }
  if (random.chance(MUTATED_VARIABLES)) {
    request.variables = mutator.variables(request.variables);
    intact = false;
  }
  if (random.chance(0.02)) request.operationName = random.pick(["", "Nope", "Q0", "F0"]);
  const pieces = random.chance(0.6) ? plain(tokens) : scatter(tokens, random);
  return { pieces, request: { ...request, document: join(pieces), intact } };
}

/**
 * Compares requests until their number or the deadline is reached. Returns counts and the kinds of disagreement with their
 * smallest request.
 */
export async function search(oracle, schema, data, { seed, only, seconds, maxRequests = Infinity }) {
  const start = Date.now();
  const found = new Map();
  const counts = { requests: 0, verdicts: {}, allowed: {} };
  let next = only ?? 0;
  const end = only === undefined ? maxRequests : only + 1;
  const worker = async () => {
    while (next < end && Date.now() - start < seconds * 750) {
      const index = next;
      next += 1;
      const made = makeRequest(schema, data, seed, index);
      const report = await oracle.ask(made.request);
      count(counts, report);
      if (report.kind) keep(found, { ...made, ...report, index });
    }
  };
  await concurrently(worker);
  // A quarter of the time is for making the requests small, the most frequent kinds first.
  const kinds = [...found.values()].sort((one, other) => other.count - one.count);
  const rest = [...kinds];
  await concurrently(async () => {
    for (let finding = rest.shift(); finding; finding = rest.shift()) {
      const left = start + seconds * 1000 - Date.now();
      const share = (left * CONCURRENCY) / (rest.length + CONCURRENCY);
      finding.small = await shrink(oracle, finding, Date.now() + share);
      finding.report = await oracle.ask(finding.small);
    }
  });
  return { counts, kinds };
}

function concurrently(worker) {
  return Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

function count(counts, { verdict, allowed }) {
  counts.requests += 1;
  counts.verdicts[verdict.kind] = (counts.verdicts[verdict.kind] ?? 0) + 1;
  if (allowed) counts.allowed[allowed] = (counts.allowed[allowed] ?? 0) + 1;
}

function keep(found, finding) {
  const known = found.get(finding.kind);
  const size = finding.pieces.length;
  if (!known) found.set(finding.kind, { ...finding, count: 1 });
  else if (known.pieces.length > size) found.set(finding.kind, { ...finding, count: known.count + 1 });
  else known.count += 1;
}
