import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { describe, expect, it } from "vitest";

async function bundle(platform: "browser" | "node") {
  const input = fileURLToPath(new URL("../src/index.ts", import.meta.url));
  await using built = await rolldown({ input, platform });
  const { output } = await built.generate({ format: "esm" });
  const chunks = output.filter((file) => file.type === "chunk");
  const names = new Set(chunks.map(({ fileName }) => fileName));
  return {
    modules: chunks.flatMap(({ moduleIds }) => moduleIds),
    imports: chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]).filter((name) => !names.has(name)),
    entryModules: chunks.filter(({ isEntry }) => isEntry).flatMap(({ moduleIds }) => moduleIds),
  };
}

describe("the client for the browser", () => {
  it("has nothing of Node in it, not even to be loaded later", async () => {
    const { modules, imports } = await bundle("browser");
    expect(modules.filter((id) => /transport-node|socket-node|[/]ws[/]/.test(id))).toEqual([]);
    expect(modules.filter((id) => id.endsWith("transport-browser.ts"))).toHaveLength(1);
    expect(imports).toEqual([]);
  });
});

describe("the client for Node", () => {
  it("loads its transport with the first request only, and ws with the first terminal", async () => {
    const { modules, entryModules } = await bundle("node");
    for (const late of [/transport-node\.ts$/, /[/]ws[/]/]) {
      expect(modules.some((id) => late.test(id))).toBe(true);
      expect(entryModules.some((id) => late.test(id))).toBe(false);
    }
  });
});
