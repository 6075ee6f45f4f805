import { readdirSync } from "node:fs";
import { defineConfig } from "vite";

const tests = readdirSync("console", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".test.ts"));

// Builds the unit tests as modules for `node --test`.
export default defineConfig({
  build: {
    ssr: true,
    outDir: "dist/tests",
    emptyOutDir: true,
    target: "es2023",
    rolldownOptions: {
      input: Object.fromEntries(tests.map((file) => [file.replaceAll("/", "-").replace(/\.ts$/, ""), `console/${file}`])),
    },
  },
});
