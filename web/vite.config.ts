import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

import { budget } from "./budget.ts";

// Development: `MEMBERBASE_URL=http://127.0.0.1:8080 npx vite` serves the console at /console.html.
const server = process.env.MEMBERBASE_URL ?? "http://127.0.0.1:8080";

// Each page has an HTML file here and a folder of the same name. All pages share the hashed files in assets/. Paths are
// relative, because a proxy may serve the server under a path prefix.
export default defineConfig({
  base: "./",
  plugins: [react(), budget("console.html", 300)],
  server: { proxy: { "/graphql": server, "/import": server } },
  // The playground's workers work only in the build.
  optimizeDeps: { entries: ["console.html"] },
  build: {
    outDir: "dist/pages",
    emptyOutDir: true,
    target: "es2022",
    // Small assets stay files, because the Content-Security-Policy allows few data: URLs.
    assetsInlineLimit: 0,
    // Monaco is one large chunk, loaded after the page.
    chunkSizeWarningLimit: 5_000,
    // The licences of the bundled packages require redistribution.
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      input: ["playground.html", "console.html"],
      onLog(level, log, handle) {
        // Libraries contain the directive "use no memo" for the React compiler, which is not used here.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") handle(level, log);
      },
    },
  },
});
