// Finds GraphQL operations in Markdown and source code.
import { readFile, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Returns the fenced code blocks of a Markdown text, each with its language and text. */
function blocks(markdown) {
  return [...markdown.matchAll(/^(```+|~~~+)(\w*)[^\n]*\n([\s\S]*?)^\1\s*$/gm)].map(([, , language, text]) => ({
    language,
    text,
  }));
}

/**
 * Returns the operations in a Markdown text: graphql blocks, and in other blocks request bodies (`"query": "..."`) and shell
 * variables (`PAGE='query ...'`), which a body then refers to (`"query": "'"$PAGE"'"`).
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

/** Counts operations with a pattern that is cruder than `operationsOfMarkdown`, to detect forms that it misses. */
export function countOperationKeywords(markdown) {
  const keyword = /\b(query|mutation|subscription)\b[ \w]*[({]/g;
  return blocks(markdown).flatMap(({ text }) => text.match(keyword) ?? []).length;
}

/** Returns the documents in TypeScript code: graphql`...` and graphql(`...`). */
export function documentsOfTypeScript(program) {
  return [...program.matchAll(/(?<![/\w])graphql\(?\s*`([^`]*)`/g)].map(([, text]) => text);
}

/** Returns the files in a folder and its subfolders with one of the endings, except installed and generated ones. */
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
