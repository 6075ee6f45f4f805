// Writes the result of a search for people.

export function describe({ counts, kinds }, seed, seconds) {
  const list = (record) =>
    Object.entries(record)
      .map(([name, number]) => `${number} ${name}`)
      .join(", ") || "none";
  const lines = [
    `seed ${seed}: ${counts.requests} requests in ${seconds} s (${list(counts.verdicts)}; allowed differences: ` +
      `${list(counts.allowed)})`,
    `${kinds.length} kinds of disagreement with graphql-js`,
  ];
  for (const [index, finding] of kinds.entries()) lines.push("", ...describeKind(finding, index + 1, seed));
  return lines.join("\n");
}

function describeKind({ kind, count, index, small, report }, number, seed) {
  const lines = [
    `${number}. ${kind}`,
    `   ${count} times, for instance ORACLE_SEED=${seed}/${index}`,
    `   document:   ${readable(small.document)}`,
  ];
  if (small.variables !== "{}") lines.push(`   variables:  ${small.variables}`);
  if (small.operationName !== null) lines.push(`   operation:  ${small.operationName}`);
  lines.push(`   graphql-js: ${describeVerdict(report)}`, `   server:     ${describeResponse(report.response)}`);
  return lines;
}

/** A document on one line, unless its line breaks may matter. */
function readable(document) {
  return /[^\x20-\x7e]|^ | $/.test(document) ? `${JSON.stringify(document)} (as JSON)` : document;
}

function describeVerdict({ verdict, expected }) {
  if (expected) return shorten(JSON.stringify(expected));
  if (verdict.errors.length === 0) return "valid";
  const [{ message, locations: [place] = [] }] = verdict.errors;
  return `${verdict.kind} error${place ? ` at ${place.line}:${place.column}` : ""}: ${message}`;
}

function describeResponse(response) {
  const errors = response.errors?.map(({ message, path, locations, extensions }) => ({
    message,
    path,
    locations,
    code: extensions?.code,
  }));
  return shorten(JSON.stringify({ ...("data" in response && { data: response.data }), errors }));
}

function shorten(text) {
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}
