import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonEnvironment, pythonSdkPackages } from "./support/python.ts";
import { TestServer } from "./support/server.ts";

const execute = promisify(execFile);
const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const sdk = fileURLToPath(new URL("../../python/src", import.meta.url));

/** What each prints, of two that are twins the same. */
const same = {
  agentLoop: ["attempt 1: exit code 2", "attempt 2: exit code 0", "sum 10"],
  basic: ["kernel: Linux", "exit code 3: nothing here"],
  files: ["numbers.txt: 6 bytes", "sorted.txt: 6 bytes", "sorted: 1 2 3", "back: 6 bytes"],
  notebook: ["one cell, and everybody leaves", "hello, notebook", "total 6"],
  runOnce: ["0: from a box of its own"],
  streaming: ["stdout: 6*7 = 42", "stdout: 2+2 = 4", "stderr: done", "exit 0"],
  tenBoxes: ["0 1 4 9 16 25 36 49 64 81"],
  volumes: ["sorted: apple pear", "writing into a read-only one: refused"],
};

const typescript: Record<string, string[]> = {
  "agent-loop.ts": same.agentLoop,
  "ai-sdk.ts": [
    'writeFile: "wrote /work/data.txt"',
    'shell: {"exitCode":0,"stdout":"12\\n","stderr":""}',
    "The sum is 12.",
  ],
  "basic.ts": same.basic,
  "files.ts": same.files,
  "notebook.ts": same.notebook,
  "run-once.ts": same.runOnce,
  "streaming.ts": same.streaming,
  "ten-boxes.ts": same.tenBoxes,
  "volumes.ts": same.volumes,
};

const python: Record<string, string[]> = {
  "agent_loop.py": same.agentLoop,
  "basic.py": same.basic,
  "files.py": same.files,
  "notebook.py": same.notebook,
  "openai_agents.py": [
    "tool: wrote /work/data.txt",
    'tool: {"exit_code": 0, "stdout": "12\\n", "stderr": ""}',
    "The sum is 12.",
  ],
  "run_once.py": same.runOnce,
  "streaming.py": same.streaming,
  "ten_boxes.py": same.tenBoxes,
  "volumes.py": same.volumes,
};

/** What an example needs beside the SDK, and what that needs itself. */
const sdkPackages = await pythonSdkPackages();
const environments: Record<string, readonly [name: string, packages: readonly string[]]> = {
  "openai_agents.py": ["python-agents", [...sdkPackages, "openai-agents==0.24.0"]],
};
const plain = ["python-examples", sdkPackages] as const;

/** Ten boxes beside other tests' boxes on two cores take more than a minute. */
const patienceMs = 600_000;

describe("the examples", () => {
  let server: TestServer;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    server = await TestServer.start();
    const { BOXRUN_HOST: _, BOXRUN_PORT: __, ...others } = process.env;
    env = { ...others, BOXRUN_SOCKET: server.socketPath, PYTHONPATH: sdk };
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const lines = async (program: string, args: string[]) =>
    (await execute(program, args, { env })).stdout.trimEnd().split("\n");

  it("are all run here", async () => {
    expect((await readdir(join(examples, "typescript"))).sort()).toEqual(Object.keys(typescript).sort());
    expect((await readdir(join(examples, "python"))).sort()).toEqual(Object.keys(python).sort());
  });

  for (const [file, prints] of Object.entries(typescript)) {
    it(
      `${file} does what it says, and leaves no box behind`,
      async () => {
        expect(await lines(process.execPath, [join(examples, "typescript", file)])).toEqual(prints);
        expect((await server.http.json("GET", "/v1/boxes")).body).toEqual([]);
      },
      patienceMs,
    );
  }

  for (const [file, prints] of Object.entries(python)) {
    it(
      `${file} does what it says, and leaves no box behind`,
      async () => {
        const bin = await pythonEnvironment(...(environments[file] ?? plain));
        expect(await lines(join(bin, "python"), [join(examples, "python", file)])).toEqual(prints);
        expect((await server.http.json("GET", "/v1/boxes")).body).toEqual([]);
      },
      patienceMs,
    );
  }
});
