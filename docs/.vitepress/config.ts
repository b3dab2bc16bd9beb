import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Pages lie where they also are without the site, so that links work in both; those that a checkout lacks are left out. */
const pages = (...list: readonly (readonly [text: string, page: string])[]) =>
  list.filter(([, page]) => existsSync(`${root}${page}.md`)).map(([text, page]) => ({ text, link: `/${page}` }));

/** `npm run docs:build`: the documentation as a static site in docs/.vitepress/dist, which asks nothing of any other server. */
export default defineConfig({
  title: "BoxRun",
  description: "Real Linux microVMs for AI agents, behind one small self-hosted server",
  srcDir: "..",
  srcExclude: [
    "**/node_modules/**",
    "**/dist/**",
    ".cache/**",
    "fixtures/**",
    "guest/**",
    "release/**",
    "packages/**",
    "CONTRIBUTING.md",
    "README.md",
  ],
  rewrites: { "docs/index.md": "index.md" },
  cacheDir: fileURLToPath(new URL("./cache", import.meta.url)),
  outDir: fileURLToPath(new URL("./dist", import.meta.url)),
  markdown: {
    // Nothing of a page is code, though a template of `--format` looks like Vue's.
    config: ({ renderer: { rules } }) => {
      for (const name of ["text", "code_inline"] as const) {
        const render = rules[name];
        rules[name] = (...args) => render?.(...args).replaceAll("{{", "&#123;&#123;") ?? "";
      }
    },
  },
  vite: { esbuild: { target: "es2022" } },
  lastUpdated: false,
  // README.md and CONTRIBUTING.md are for whoever has a checkout, as is what lies beside them.
  ignoreDeadLinks: [/\/(README|CONTRIBUTING|LICENSE)$/, /\/packages\//, /\/python\/(?!README)/],
  // Pages that are read side by side come into the search's index in another order each time, and a release has to be the same bytes.
  buildConcurrency: 1,
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Get started", link: "/docs/getting-started" },
      { text: "Guides", link: "/docs/guides/untrusted-code" },
      { text: "Reference", link: "/docs/cli" },
    ],
    sidebar: [
      {
        text: "Start",
        items: pages(
          ["Getting started", "docs/getting-started"],
          ["Installing", "docs/install"],
          ["Coming from 0.3", "docs/migrating"],
          ["Coming from Docker or E2B", "docs/coming-from"],
          ["When something goes wrong", "docs/troubleshooting"],
        ),
      },
      {
        text: "Guides",
        items: pages(
          ["Run code that nobody trusts", "docs/guides/untrusted-code"],
          ["A workspace for an agent", "docs/guides/agent-workspace"],
          ["Jobs of a CI", "docs/guides/ci-jobs"],
          ["Files in and out", "docs/copying"],
          ["Terminals", "docs/terminal"],
          ["Scripts", "docs/scripting"],
          ["Ports", "docs/ports"],
          ["Lifetimes and labels", "docs/lifetimes"],
          ["Images", "docs/images"],
          ["The dashboard", "docs/dashboard"],
        ),
      },
      {
        text: "Reference",
        items: pages(
          ["Commands", "docs/cli"],
          ["The REST API", "docs/rest"],
          ["The API with curl", "docs/http"],
          ["TypeScript", "docs/typescript"],
          ["Python", "python/README"],
          ["MCP", "docs/mcp"],
          ["Settings", "docs/settings"],
          ["Setting up the command", "docs/cli-setup"],
          ["Errors", "docs/errors"],
        ),
      },
      {
        text: "How it works",
        items: pages(
          ["Architecture", "ARCHITECTURE"],
          ["Engines", "docs/engines"],
          ["BoxLite", "docs/boxlite"],
          ["Security", "docs/security"],
          ["What survives what", "docs/durability"],
          ["Attached terminals", "docs/attach"],
          ["Host and guest", "docs/guest-protocol"],
          ["Testing with BoxLite", "docs/testing-boxlite"],
        ),
      },
    ],
  },
});
