import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findServer } from "../src/host/find-server-node.ts";
import { local } from "../src/host/local-node.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-find-"));
  await writeFile(join(dir, "boxrun.sock"), "");
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe("a client that is told no address", () => {
  it("finds the server's socket before its port, and a URL before both", () => {
    const here = { BOXRUN_STATE_DIR: dir };
    const nowhere = { BOXRUN_STATE_DIR: join(dir, "none") };
    const found: [NodeJS.ProcessEnv, object][] = [
      [here, { socketPath: join(dir, "boxrun.sock") }],
      [{ ...nowhere, BOXRUN_SOCKET: join(dir, "boxrun.sock") }, { socketPath: join(dir, "boxrun.sock") }],
      [{ ...here, BOXRUN_HOST: "192.0.2.1", BOXRUN_PORT: "81" }, { socketPath: join(dir, "boxrun.sock") }],
      [nowhere, { baseUrl: "http://127.0.0.1:9090" }],
      [{ ...nowhere, BOXRUN_PORT: "81" }, { baseUrl: "http://127.0.0.1:81" }],
      [{ ...nowhere, BOXRUN_HOST: "::1" }, { baseUrl: "http://[::1]:9090" }],
      [{ ...here, BOXRUN_HOST: "https://box.example" }, { baseUrl: "https://box.example" }],
      [{ ...here, BOXRUN_HOST: "unix:///run/b.sock" }, { socketPath: "/run/b.sock" }],
    ];
    for (const [env, address] of found) expect(findServer(env)).toEqual({ ...address, token: undefined });
    expect(findServer({ ...here, BOXRUN_TOKEN: "secret" })).toMatchObject({ token: "secret" });
  });

  it("says which variable is no address", () => {
    expect(() => findServer({ BOXRUN_HOST: "ftp://x" })).toThrow('BOXRUN_HOST is "ftp://x"');
  });

  it("starts a server only when asked to, by the command, and says what that said", async () => {
    const script = join(dir, "boxrun.mjs");
    await writeFile(script, "console.error('no:', ...process.argv.slice(2)); process.exit(1)");
    const starting = local.startServer({ command: [process.execPath, script] });
    await expect(starting).rejects.toMatchObject({
      code: "SERVER_START_FAILED",
      message: expect.stringContaining("no: server start"),
    });
  });
});
