import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cruiseImports } from "../checks/import-graph.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Each import that must not be, and the rule that says so. */
const forbidden = [
  ["packages/contract/src/a.ts", "@boxrun/core", "contract-imports"],
  ["packages/contract/src/library.ts", "undici", "contract-needs-the-schema-library-alone"],
  ["packages/core/src/a.ts", "@boxrun/store", "core-imports"],
  ["packages/store/src/a.ts", "@boxrun/images", "store-imports"],
  ["packages/images/src/a.ts", "@boxrun/store", "images-imports"],
  ["packages/engine-qemu/src/a.ts", "@boxrun/images", "engine-qemu-imports"],
  ["packages/engine-testkit/src/a.ts", "@boxrun/engine-qemu", "engine-testkit-imports"],
  ["packages/sdk/src/a.ts", "@boxrun/core", "sdk-imports"],
  ["packages/server/src/routes/a.ts", "@boxrun/store", "server-wires-in-main-alone"],
  ["packages/server/src/routes/b.ts", "@boxrun/engine-qemu", "server-wires-in-main-alone"],
  ["packages/cli/src/a.ts", "@boxrun/core", "cli-imports"],
  ["packages/cli/src/commands/ls.ts", "@boxrun/server", "cli-imports"],
  ["packages/cli/src/commands/serve.ts", "@boxrun/engine-qemu", "serve-loads-the-server-alone"],
  ["packages/server/src/main.ts", "@boxrun/engine-testkit", "testkit-is-for-tests"],
  ["packages/dashboard/src/api/a.ts", "@boxrun/core", "dashboard-imports"],
  ["packages/dashboard/src/ui/a.ts", "boxrun-sdk", "widgets-know-no-server"],
  ["packages/dashboard/src/ui/b.tsx", "../api/client.ts", "widgets-know-no-server"],
  ["packages/dashboard/src/ui/c.ts", "wouter", "widgets-know-no-server"],
  ["packages/core/src/b.ts", "../test/helper.ts", "sources-import-no-tests"],
  ["packages/server/src/routes/c.ts", "../../../core/src/index.ts", "packages-meet-at-their-entry"],
  ["test/e2e/a.test.ts", "../../packages/server/src/main.ts", "packages-meet-at-their-entry"],
  ["packages/core/src/cycle/a.ts", "./b.ts", "no-cycles"],
  ["packages/core/src/typo.ts", "./no-such-file.ts", "no-unresolvable"],
  ["packages/core/src/typo-package.ts", "@boxrun/nothing", "no-unresolvable"],
] as const;

/** Imports that look like the ones above and are right. */
const allowed = [
  ["packages/core/src/fine.ts", "@boxrun/contract"],
  ["packages/contract/src/fine.ts", "zod"],
  ["packages/server/src/main.ts", "@boxrun/store"],
  ["packages/server/src/routes/fine.ts", "@boxrun/core"],
  ["packages/cli/src/commands/serve.ts", "@boxrun/server"],
  ["packages/engine-qemu/test/conformance.vm.test.ts", "@boxrun/engine-testkit"],
  ["packages/dashboard/src/api/fine.ts", "boxrun-sdk"],
  ["packages/dashboard/src/pages/fine.tsx", "wouter"],
  ["packages/core/test/fine.test.ts", "../src/fine.ts"],
  ["bench/src/fine.ts", "../../packages/engine-qemu/src/index.ts"],
] as const;

/** Files of clients that import the contract's entry: where the way in which they do so is what the rule is about. */
const contractImports = {
  "packages/cli/src/value.ts": 'import { anything } from "@boxrun/contract";\nexport const again = anything;\n',
  "packages/cli/src/both.ts":
    'import { type Anything, anything } from "@boxrun/contract";\nexport const again: Anything = anything;\n',
  "packages/sdk/src/passed-on.ts": 'export { anything } from "@boxrun/contract";\n',
  "packages/cli/src/type.ts": 'import type { Anything } from "@boxrun/contract";\nexport type Again = Anything;\n',
  "packages/sdk/src/passed-type.ts": 'export type { Anything } from "@boxrun/contract";\n',
  "packages/sdk/src/later.ts":
    'export const load = (): Promise<typeof import("@boxrun/contract")> => import("@boxrun/contract");\n',
};
const schemaLoaders = ["packages/cli/src/both.ts", "packages/cli/src/value.ts", "packages/sdk/src/passed-on.ts"];

const statements = [
  (to: string) => `import "${to}";\n`,
  (to: string) => `import type { Anything } from "${to}";\nexport type Again = Anything;\n`,
  (to: string) => `export { anything } from "${to}";\n`,
  (to: string) => `export async function load() {\n  return (await import("${to}")).anything;\n}\n`,
];

describe("the import rules", () => {
  const tree = mkdtempSync(join(tmpdir(), "boxrun-imports-"));
  const found = new Set<string>();

  function put(file: string, text: string): void {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    writeFileSync(join(tree, file), text, { flag: "a" });
  }

  beforeAll(async () => {
    for (const name of readdirSync(join(root, "packages"))) {
      put(`packages/${name}/package.json`, JSON.stringify({ exports: { ".": "./src/index.ts" } }));
      put(`packages/${name}/src/index.ts`, "export const anything = 1;\nexport type Anything = 1;\n");
      mkdirSync(join(tree, "node_modules/@boxrun"), { recursive: true });
      symlinkSync(`../../packages/${name}`, join(tree, `node_modules/@boxrun/${name}`));
    }
    // Under the name that it is published by.
    symlinkSync("../packages/sdk", join(tree, "node_modules/boxrun-sdk"));
    for (const name of ["zod", "undici", "wouter"]) {
      put(`node_modules/${name}/package.json`, JSON.stringify({ name, main: "index.js" }));
      put(`node_modules/${name}/index.js`, "");
    }
    put("packages/dashboard/src/api/client.ts", "export const anything = 1;\nexport type Anything = 1;\n");
    put("packages/core/test/helper.ts", "export const anything = 1;\n");
    put("packages/core/src/cycle/b.ts", 'import "./a.ts";\n');
    // Each way to write an import takes its turn over the rules.
    for (const [index, [from, to]] of [...forbidden, ...allowed].entries()) {
      const statement = statements[index % statements.length];
      put(from, statement ? statement(to) : "");
    }
    for (const [from, text] of Object.entries(contractImports)) put(from, text);
    const { summary } = await cruiseImports(root, tree, ["packages", "test", "bench"]);
    for (const { from, rule } of summary.violations) found.add(`${from}: ${rule.name}`);
  });
  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  it.each(forbidden)("%s importing %s breaks %s", (from, _to, rule) => {
    expect(found).toContain(`${from}: ${rule}`);
  });

  it("let clients take types from the contract's schemas, and values only when they need them", () => {
    const broken = [...found].filter((violation) => violation.endsWith(": clients-load-no-schemas"));
    expect(broken.sort()).toEqual(schemaLoaders.map((from) => `${from}: clients-load-no-schemas`));
  });

  it("let every other import through", () => {
    const expected = new Set(forbidden.map(([from, , rule]) => `${from}: ${rule}`));
    for (const from of schemaLoaders) expected.add(`${from}: clients-load-no-schemas`);
    expected.add("packages/core/src/cycle/b.ts: no-cycles");
    expect([...found].filter((violation) => !expected.has(violation))).toEqual([]);
  });
});
