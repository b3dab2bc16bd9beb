import { fork } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const packages = fileURLToPath(new URL("../../", import.meta.url));
const mergeProcess = "engine-qemu/src/flatten/merge-process.ts";
const tellsWhatIsLoaded = `
  import { registerHooks } from "node:module";
  registerHooks({ load: (url, context, next) => { if (url.startsWith("file:")) console.log(url); return next(url, context); } });
`;

test("the process that merges layers loads only what it needs for that: it is waited for with every image", async () => {
  const execArgv = ["--import", `data:text/javascript,${encodeURIComponent(tellsWhatIsLoaded)}`];
  const merger = fork(`${packages}${mergeProcess}`, [], { execArgv, stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const said = merger.stdout === null ? "" : text(merger.stdout);
  merger.send({ kind: "read", layers: [] });
  expect(await once(merger, "message")).toContainEqual(expect.objectContaining({ kind: "ready" }));
  merger.disconnect();
  const loaded = (await said)
    .trim()
    .split("\n")
    .map((url) => fileURLToPath(url).replace(packages, ""));
  expect(loaded).toContain(mergeProcess);
  expect(loaded.filter((file) => !file.startsWith("engine-qemu/src/flatten/"))).toEqual(["host/src/zstd.ts"]);
});
