import path from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

/** Fails the build if the scripts of a page, including those that it loads lazily, exceed this size when gzipped. */
export function budget(page: string, kilobytes: number): Plugin {
  return {
    name: "budget",
    apply: "build",
    writeBundle(_, bundle) {
      const entry = Object.values(bundle).find(
        (file) => file.type === "chunk" && file.isEntry && path.basename(file.facadeModuleId ?? "") === page,
      );
      if (!entry) return this.error(`budget: there is no page ${page}`);
      const bytes = [...reachableFiles(entry, bundle)]
        .filter((name) => name.endsWith(".js"))
        .reduce((sum, name) => sum + gzipSync(source(bundle[name]!), { level: 9 }).length, 0);
      const size = `the scripts of ${page} are ${(bytes / 1000).toFixed(1)} kB gzipped, at most ${kilobytes} kB allowed`;
      if (bytes > kilobytes * 1000) this.error(`budget: ${size}`);
      console.log(size);
    },
  };
}

type File = Rolldown.OutputAsset | Rolldown.OutputChunk;

function source(file: File) {
  return file.type === "chunk" ? file.code : file.source;
}

/** Returns all files that the entry refers to. Workers are assets without an import, so they are found by name. */
function reachableFiles(entry: File, bundle: Rolldown.OutputBundle): Set<string> {
  const reached = new Set<string>();
  const pending = [entry.fileName];
  for (let name = pending.pop(); name; name = pending.pop()) {
    const file = bundle[name];
    if (!file || reached.has(name)) continue;
    reached.add(name);
    if (file.type === "chunk") pending.push(...file.imports, ...file.dynamicImports);
    if (!name.endsWith(".js")) continue;
    const text = String(source(file));
    pending.push(...Object.keys(bundle).filter((other) => other.endsWith(".js") && text.includes(path.basename(other))));
  }
  return reached;
}
