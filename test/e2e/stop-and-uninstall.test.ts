import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runCli, TestServer } from "./support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.http.createBox({ name: "dev" });
});
afterAll(() => server[Symbol.asyncDispose]());

it("a server that is stopped leaves its boxes running, and says so", async () => {
  expect(await server.runCli(["server", "stop"])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(
      /^Stopped the BoxRun server \(pid \d+\)\.\n1 box runs on; `boxrun server stop --boxes`/,
    ),
  });
  expect((await server.boxProcesses()).size).toBe(1);
});

it("`server stop --boxes` stops also boxes that a server has left behind", async () => {
  const env = { ...server.env, BOXRUN_PORT: "0" };
  const stopped = await runCli(["server", "stop", "--boxes"], env);
  expect(stopped).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Stopped dev\.\nStopped the BoxRun server/),
  });
  expect(await server.boxProcesses()).toEqual(new Map());
});

it("`uninstall --purge` leaves no VM and nothing in the state directory", async () => {
  await server.restart();
  expect((await server.runCli(["start", "dev"])).exitCode).toBe(0);
  // What was built at set-up is not the test's to remove.
  const elsewhere = await mkdtemp(join(tmpdir(), "br-cache-"));
  const env = {
    ...server.env,
    BOXRUN_CACHE_DIR: elsewhere,
    XDG_CONFIG_HOME: join(elsewhere, "config"),
    // The command's own code, compiled, goes into its cache directory.
    NODE_COMPILE_CACHE: undefined,
  };
  expect(await runCli(["uninstall", "--purge", "--yes"], env)).toMatchObject({ exitCode: 0, stdout: "Done.\n" });
  expect(await server.boxProcesses()).toEqual(new Map());
  for (const gone of [server.stateDir, elsewhere]) await expect(readdir(gone)).rejects.toThrow("ENOENT");
});
