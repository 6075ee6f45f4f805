import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

import { budget } from "./budget.ts";

// For work on the pages: `MEMBERBASE_URL=http://127.0.0.1:8080 npx vite`, and the console is at /console.html.
const server = process.env.MEMBERBASE_URL ?? "http://127.0.0.1:8080";

// A page is an HTML file here and a folder of its name. All of them share the hashed files in assets/. Paths are
// relative: the server may stand behind a proxy, below a path of its own.
export default defineConfig({
  base: "./",
  plugins: [react(), budget("console.html", 300)],
  server: { proxy: { "/graphql": server } },
  // The workers of the playground are for the build alone.
  optimizeDeps: { entries: ["console.html"] },
  build: {
    outDir: "dist/pages",
    emptyOutDir: true,
    target: "es2022",
    // A file of its own, even if small: the Content-Security-Policy takes few things from a data: URL.
    assetsInlineLimit: 0,
    // Monaco is one large piece, and loaded after the page.
    chunkSizeWarningLimit: 5_000,
    // Their licences ask to be passed on with them.
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      input: ["playground.html", "console.html"],
      onLog(level, log, handle) {
        // React's compiler leaves "use no memo" in what it is not to touch; nothing here heeds it.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") handle(level, log);
      },
    },
  },
});
