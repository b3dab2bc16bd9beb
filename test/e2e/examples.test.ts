import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonEnvironment } from "./support/python.ts";
import { TestServer } from "./support/server.ts";

const execute = promisify(execFile);
const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const sdk = fileURLToPath(new URL("../../python/src", import.meta.url));

/** What each prints; fewer boxes than ten make no other program. */
const typescript: Record<string, { readonly args?: string[]; readonly prints: string[] }> = {
  "agent-loop.ts": { prints: ["attempt 1: exit code 2", "attempt 2: exit code 0", "sum 10"] },
  "basic.ts": { prints: ["kernel: Linux", "exit code 3: nothing here"] },
  "files.ts": { prints: ["numbers.txt: 6 bytes", "sorted.txt: 6 bytes", "sorted: 1 2 3", "back: 6 bytes"] },
  "run-once.ts": { prints: ["0: from a box of its own"] },
  "streaming.ts": { prints: ["stdout: 6*7 = 42", "stdout: 2+2 = 4", "stderr: done", "exit 0"] },
  "ten-boxes.ts": { args: ["3"], prints: ["0 1 4"] },
};

const python: Record<string, string[]> = {
  "basic.py": ["kernel: Linux", "exit code 3: nothing here"],
  "streaming.py": ["stdout: out", "stderr: err", 'exit {"exit_code":2}'],
};

describe("the examples", () => {
  let server: TestServer;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    server = await TestServer.start();
    const { BOXRUN_HOST: _, BOXRUN_PORT: __, ...plain } = process.env;
    env = { ...plain, BOXRUN_SOCKET: server.socketPath, PYTHONPATH: sdk };
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const lines = async (program: string, args: string[]) =>
    (await execute(program, args, { env })).stdout.trimEnd().split("\n");

  it("are all run here", async () => {
    expect((await readdir(join(examples, "typescript"))).sort()).toEqual(Object.keys(typescript).sort());
    expect((await readdir(join(examples, "python"))).sort()).toEqual(Object.keys(python).sort());
  });

  for (const [file, { args = [], prints }] of Object.entries(typescript)) {
    it(`${file} does what it says, and leaves no box behind`, async () => {
      expect(await lines(process.execPath, [join(examples, "typescript", file), ...args])).toEqual(prints);
      expect((await server.http.json("GET", "/v1/boxes")).body).toEqual([]);
    });
  }

  for (const [file, prints] of Object.entries(python)) {
    it(`${file} does what it says, and leaves no box behind`, async () => {
      const bin = await pythonEnvironment("python-examples", ["httpx>=0.27", "httpx-sse>=0.4"]);
      expect(await lines(join(bin, "python"), [join(examples, "python", file)])).toEqual(prints);
      expect((await server.http.json("GET", "/v1/boxes")).body).toEqual([]);
    });
  }
});
