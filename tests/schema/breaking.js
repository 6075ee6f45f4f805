// Compares schema.graphql with that of the last release, and checks that CHANGELOG.md names every breaking change.
//
//   node tests/schema/breaking.js        # the last release is the newest tag v*
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildSchema } from "graphql";

/** Returns the breaking changes between two schemas, each with its path (`Member.ref`) and a message. */
export async function breakingChanges(before, after) {
  const changes = await diff(buildSchema(before), buildSchema(after));
  return changes
    .filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking)
    .map(({ path, message }) => ({ path: path ?? "schema", message }));
}

/** Returns the paths that the changelog declares as broken: those in backticks under Unreleased, `### Breaking`. */
export function declaredBreaks(changelog) {
  const unreleased = changelog.split(/^## /m).find((section) => /^\[?Unreleased/i.test(section)) ?? "";
  const breaking = unreleased.split(/^### /m).filter((section) => /^Breaking\b/i.test(section));
  return new Set(breaking.join("\n").match(/`[^`\n]+`/g)?.map((path) => path.slice(1, -1)) ?? []);
}

/** Returns the breaking changes that the changelog does not name. */
export async function undeclaredBreaks(before, after, changelog) {
  const declared = declaredBreaks(changelog);
  const changes = await breakingChanges(before, after);
  return changes.filter(({ path }) => !declared.has(path));
}

const root = fileURLToPath(new URL("../../", import.meta.url));

function git(...args) {
  return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

async function main() {
  const changelog = readFileSync(`${root}CHANGELOG.md`, "utf8");
  const [tag] = git("tag", "--list", "v[0-9]*", "--sort=-version:refname", "--merged", "HEAD").split("\n");
  if (!tag) {
    if (/^## \[?v?[0-9]/m.test(changelog)) {
      console.error("schema: CHANGELOG.md has a release, but this clone has no tag v*: run git fetch --tags");
      process.exitCode = 1;
      return;
    }
    console.log("schema: no release (tag v*) to compare schema.graphql with");
    return;
  }
  const before = git("show", `${tag}:schema.graphql`);
  const after = readFileSync(`${root}schema.graphql`, "utf8");
  const missing = await undeclaredBreaks(before, after, changelog);
  for (const { path, message } of missing) {
    console.error(`breaking since ${tag}: ${message}`);
    console.error(`  name it in CHANGELOG.md, under Unreleased, in a section "### Breaking": \`${path}\``);
  }
  if (missing.length > 0) {
    process.exitCode = 1;
    return;
  }
  console.log(`schema: CHANGELOG.md names every breaking change since ${tag}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main();
}
