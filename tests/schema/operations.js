// Finds the GraphQL operations in documents and programs.
import { readFile, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** The fenced blocks of a Markdown text: their language and text. */
function blocks(markdown) {
  return [...markdown.matchAll(/^(```+|~~~+)(\w*)[^\n]*\n([\s\S]*?)^\1\s*$/gm)].map(([, , language, text]) => ({
    language,
    text,
  }));
}

/**
 * The operations in a Markdown text: blocks of graphql, bodies of requests (`"query": "..."`) in any other block, and
 * what a shell variable holds (`PAGE='query ...'`), which the body then names (`"query": "'"$PAGE"'"`).
 */
export function operationsOfMarkdown(markdown) {
  return blocks(markdown).flatMap(({ language, text }) => {
    if (/^(graphql|gql)$/.test(language)) return [text];
    const bodies = [...text.matchAll(/"query":\s*("(?:[^"\\\n]|\\.)*")/g)]
      .map(([, literal]) => JSON.parse(literal))
      .filter((query) => query !== "'");
    const variables = text.matchAll(/^\w+='((?:query|mutation|subscription|\{)[^']*)'/gm);
    return [...bodies, ...[...variables].map(([, query]) => query)];
  });
}

/** How many operations there seem to be, by a measure that is cruder than `operationsOfMarkdown`, and misses no form. */
export function seemingOperations(markdown) {
  const keyword = /\b(query|mutation|subscription)\b[ \w]*[({]/g;
  return blocks(markdown).flatMap(({ text }) => text.match(keyword) ?? []).length;
}

/** The documents in a TypeScript program: graphql`...` and graphql(`...`). */
export function documentsOfTypeScript(program) {
  return [...program.matchAll(/(?<![/\w])graphql\(?\s*`([^`]*)`/g)].map(([, text]) => text);
}

/** The files below a folder whose name ends so, without what is installed or generated. */
export async function files(folder, ...endings) {
  const found = [];
  for (const entry of await readdir(`${root}${folder}`, { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (/^(\..*|node_modules|target|build|gql|__generated__)$/.test(entry.name)) continue;
      found.push(...(await files(path, ...endings)));
    } else if (endings.some((ending) => path.endsWith(ending))) {
      found.push(path);
    }
  }
  return found.sort();
}

export function read(path) {
  return readFile(`${root}${path}`, "utf8");
}
