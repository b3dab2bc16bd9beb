import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

const printLoads = fileURLToPath(new URL("./support/print-loads.ts", import.meta.url));

it("`ls` loads no schema library, no HTTP library, and no verb but itself", async () => {
  await using cli = await CliWithServer.start();
  const { code, stderr } = await cli.runWith({ nodeOptions: ["--import", printLoads] }, "ls");
  expect(code).toBe(0);
  const loaded = stderr.trim().split("\n");
  expect(loaded.some((url) => url.endsWith("/cli/src/program.ts"))).toBe(true);
  expect(loaded.filter((url) => /node_modules\/(zod|undici|tar|yaml)\//.test(url))).toEqual([]);
  expect(loaded.filter((url) => /\/cli\/src\/commands\//.test(url)).map((url) => url.split("/").at(-1))).toEqual([
    "ls.ts",
  ]);
});
