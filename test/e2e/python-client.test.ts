import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pythonEnvironment } from "./support/python.ts";
import { TestServer } from "./support/server.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("clients/python_0_3.py", import.meta.url));

let server: TestServer;
let python: string;
beforeAll(async () => {
  python = join(await pythonEnvironment("boxrun-sdk-0.3.0", ["boxrun-sdk==0.3.0"]), "python");
  server = await TestServer.start();
});
afterAll(() => server?.[Symbol.asyncDispose]());

it("serves the published Python SDK of BoxRun 0.3, unchanged", async () => {
  const { stdout } = await run(python, [script, server.socketPath, server.stateDir]);
  expect(JSON.parse(stdout)).toEqual({
    created: ["running", "py", "base", "/root"],
    listed: [true],
    taken: "NAME_ALREADY_EXISTS",
    unknown: "BOX_NOT_FOUND",
    exec: ["failed", 3],
    stream: [
      ["log", "stdout", "out\n"],
      ["log", "stderr", "err\n"],
      ["exit", null, { exit_code: 0 }],
    ],
    timeout: "timeout",
    file: true,
    "no file": "FILE_NOT_FOUND",
    "remove running": "BOX_ALREADY_RUNNING",
    stopped: "stopped",
    "exec stopped": "BOX_NOT_RUNNING",
    started: "running",
    kept: "file\n",
    gc: 1,
    run: [5, "hello\n", ""],
    left: 0,
  });
});
