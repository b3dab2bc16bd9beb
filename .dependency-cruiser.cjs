/** Import directions: contract <- core <- {store, images, engines} <- server/main.ts, and contract <- sdk <- {cli, dashboard}. */
const only = (from, allowed) => ({
  name: `${from}-imports`,
  comment: `${from} may import ${["itself", ...allowed].join(", ")}.`,
  severity: "error",
  from: { path: `^packages/${from}/src/` },
  to: { path: "^packages/", pathNot: `^packages/(${[from, ...allowed].join("|")})/` },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "packages-meet-at-their-entry",
      comment:
        "Another package is imported by its name, so that its package.json says what is public; never by a path. " +
        "tools/ generates from sources and bench/ measures an engine against its own parts, so these may look inside.",
      severity: "error",
      from: { path: "^(packages/[^/]+|test/e2e)/" },
      to: { path: "^packages/", pathNot: "^$1/", dependencyTypes: ["local"] },
    },
    only("contract", []),
    {
      name: "contract-needs-the-schema-library-alone",
      severity: "error",
      from: { path: "^packages/contract/src/" },
      to: { path: "node_modules/", pathNot: "node_modules/zod/" },
    },
    only("core", ["contract"]),
    only("store", ["core", "contract"]),
    only("images", ["core", "contract", "host"]),
    only("host", ["contract"]),
    only("guest-agent", ["core", "contract", "host"]),
    only("agent-engine", ["core", "contract", "guest-agent"]),
    only("engine-qemu", ["agent-engine", "core", "contract", "guest-agent", "host"]),
    only("engine-boxlite", ["agent-engine", "core", "contract", "guest-agent", "host"]),
    only("engine-testkit", ["core", "contract"]),
    only("sdk", ["contract"]),
    only("dashboard", ["sdk", "contract"]),
    {
      name: "widgets-know-no-server",
      comment: "What is in the dashboard's ui/ could be in any page: it knows neither the API nor where one can go.",
      severity: "error",
      from: { path: "^packages/dashboard/src/(ui|util)/" },
      to: { path: "^packages/(sdk|contract)/|^packages/dashboard/src/(?!ui/|util/)|node_modules/wouter/" },
    },
    only("mcp", ["sdk", "contract"]),
    {
      name: "mcp-is-loaded-when-it-is-spoken",
      comment: "Its protocol's libraries take longer to load than most commands run.",
      severity: "error",
      from: { path: "^packages/(cli|server)/src/" },
      to: { path: "^packages/mcp/", dependencyTypesNot: ["type-only", "dynamic-import", "type-import"] },
    },
    {
      name: "server-wires-in-main-alone",
      comment:
        "Only main.ts knows which store, image store and engines there are, and first-vm.ts, which needs no server.",
      severity: "error",
      from: { path: "^packages/server/src/", pathNot: "^packages/server/src/(main|first-vm|engines/factories)\\.ts$" },
      to: { path: "^packages/(store|images|guest-agent|agent-engine|engine-[^/]+)/" },
    },
    {
      name: "cli-imports",
      comment:
        "The CLI talks to the server over the SDK, as `mcp` does; `serve` and `setup` alone load the server, and what installs it knows the host.",
      severity: "error",
      from: {
        path: "^packages/cli/src/",
        pathNot:
          "^packages/cli/src/(commands/(serve|setup|doctor|images/build-debian)\\.ts$|first-vm\\.ts$|doctor/|service/)",
      },
      to: { path: "^packages/", pathNot: "^packages/(cli|sdk|mcp|contract)/" },
    },
    {
      name: "doctor-knows-the-host",
      comment:
        "What doctor and setup look at, and a service is installed on, is the host of the own server, as the engines see it.",
      severity: "error",
      from: { path: "^packages/cli/src/(doctor/|service/|commands/(setup|doctor)\\.ts$)" },
      to: { path: "^packages/", pathNot: "^packages/(cli|sdk|contract|host)/" },
    },
    {
      name: "serve-loads-the-server-alone",
      severity: "error",
      from: { path: "^packages/cli/src/(commands/serve|first-vm)\\.ts$" },
      to: { path: "^packages/", pathNot: "^packages/(cli|sdk|contract|server)/" },
    },
    {
      name: "clients-load-no-schemas",
      comment:
        "CLI and SDK import values from @boxrun/contract/plain: the schema library takes longer to load than most commands run. " +
        "Types cost nothing, and an import() comes when an answer has to be checked.",
      severity: "error",
      from: { path: "^packages/(cli|sdk)/src/" },
      to: {
        path: "^packages/contract/src/index\\.ts$",
        dependencyTypesNot: ["type-only", "dynamic-import", "type-import"],
      },
    },
    {
      name: "testkit-is-for-tests",
      severity: "error",
      from: { path: "^packages/(?!engine-testkit/)[^/]+/src/" },
      to: { path: "^packages/engine-testkit/" },
    },
    {
      name: "sources-import-no-tests",
      severity: "error",
      from: { path: "^packages/[^/]+/src/" },
      to: { path: "^(packages/[^/]+/test|test|bench|tools)/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^packages/[^/]+/dist/" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
      extensions: [".ts", ".tsx", ".js"],
    },
  },
};
