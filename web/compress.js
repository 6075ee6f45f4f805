// Writes a .gz and a .br next to every built file that shrinks by at least 5%, so that the server compresses nothing.
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const folder = path.join(import.meta.dirname, "dist/pages");
const codings = {
  ".gz": (bytes) => promisify(gzip)(bytes, { level: 9 }),
  ".br": (bytes) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
};

const entries = await readdir(folder, { recursive: true, withFileTypes: true });
const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
await Promise.all(
  files.map(async (file) => {
    const bytes = await readFile(file);
    for (const [ending, compress] of Object.entries(codings)) {
      const compressed = await compress(bytes);
      if (compressed.length < bytes.length * 0.95) await writeFile(file + ending, compressed);
    }
  }),
);
