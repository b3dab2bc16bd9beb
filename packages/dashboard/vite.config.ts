import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/**
 * The built page asks for everything by relative addresses: it works wherever the server (or a proxy before it) puts it. `npm run dev` needs a
 * server to talk to: BOXRUN_DEV_SERVER, by default the one of this machine.
 */
export default defineConfig(({ command }) => {
  const target = process.env.BOXRUN_DEV_SERVER ?? "http://127.0.0.1:9090";
  return {
    base: command === "serve" ? "/ui/" : "./",
    plugins: [react()],
    build: {
      target: "es2023",
      // The server says in `content-security-policy` that nothing is inline.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 1000,
      manifest: true,
      rolldownOptions: {
        output: {
          // What the first sight of the page needs comes in one file: a browser asks for six at a time, and waits for each.
          codeSplitting: { groups: [{ name: "first", tags: ["$initial"] }] },
        },
      },
      // What is in the page, for THIRD_PARTY_LICENSES.txt and the bill of materials of a release.
      license: { fileName: ".vite/license.json" },
    },
    server: {
      host: "127.0.0.1",
      proxy: Object.fromEntries(
        ["/v1", "/healthz", "/metrics", "/openapi.json"].map((path) => [path, { target, ws: true }]),
      ),
    },
  };
});
