import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cliPath, runCli, TestServer } from "./support/server.ts";

let server: TestServer;
let files: string;
beforeAll(async () => {
  server = await TestServer.start();
  files = join(server.stateDir, "host-files");
  await mkdir(files);
  await server.http.createBox({ name: "dev" });
});
afterAll(() => server[Symbol.asyncDispose]());

const cli = (...args: string[]) => server.runCli(args);

it("passes output and exit code of a command through, each stream to its own", async () => {
  expect(await cli("exec", "dev", "--", "sh", "-c", "echo out; echo err >&2; exit 42")).toEqual({
    stdout: "out\n",
    stderr: "err\n",
    exitCode: 42,
  });
  expect((await cli("exec", "dev", "no-such-program")).exitCode).toBe(127);
});

it("serves ten clients at once, each with its own output", async () => {
  const results = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      cli("exec", "dev", "--", "sh", "-c", `seq ${n * 1000} ${n * 1000 + 500}; exit ${n}`),
    ),
  );
  for (const [n, { stdout, exitCode }] of results.entries()) {
    expect(exitCode).toBe(n);
    expect(stdout).toBe(Array.from({ length: 501 }, (_, i) => `${n * 1000 + i}\n`).join(""));
  }
});

it("copies files in and out, byte for byte and with their modes", async () => {
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 31) % 256));
  await writeFile(join(files, "script"), content, { mode: 0o755 });
  expect((await cli("cp", join(files, "script"), "dev:/opt/new/script")).exitCode).toBe(0);
  expect((await cli("cp", "dev:/opt/new/script", join(files, "back"))).exitCode).toBe(0);
  expect(await readFile(join(files, "back"))).toEqual(content);

  await mkdir(join(files, "tree", "below"), { recursive: true });
  await writeFile(join(files, "tree", "below", "run"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
  expect((await cli("cp", join(files, "tree"), "dev:/srv/tree")).exitCode).toBe(0);
  expect((await cli("exec", "dev", "/srv/tree/below/run")).stdout).toBe("ran\n");
  expect((await cli("cp", "dev:/srv/tree", join(files, "tree-back"))).exitCode).toBe(0);
  expect((await stat(join(files, "tree-back", "below", "run"))).mode & 0o777).toBe(0o755);
});

it("cancels the command on Ctrl-C", async () => {
  const child = spawn(process.execPath, [cliPath, "exec", "dev", "--", "sh", "-c", "echo started; exec sleep 4242"], {
    env: server.env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  const exited = once(child, "exit");
  child.kill("SIGINT");
  expect((await exited)[0]).toBe(130);
  expect((await cli("exec", "dev", "--", "sh", "-c", "ps | grep '[s]leep 4242'")).exitCode).toBe(1);
});

it("takes the box of a run with it on Ctrl-C", async () => {
  const child = spawn(
    process.execPath,
    [cliPath, "run", "-m", "256", "-d", "1", "base", "--", "sh", "-c", "echo started; exec sleep 4242"],
    {
      env: server.env,
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  await once(child.stdout, "data");
  const exited = once(child, "exit");
  child.kill("SIGINT");
  expect((await exited)[0]).toBe(130);
  expect(JSON.parse((await cli("ls", "--json")).stdout)).toHaveLength(1);
});

it("stops, starts and removes several boxes at once, and says which it could not", async () => {
  await cli("create", "base", "--name", "two", "--cpu", "1", "--memory", "256", "--disk", "1");
  expect((await cli("stop", "dev", "two")).exitCode).toBe(0);
  expect((await cli("start", "dev", "two")).exitCode).toBe(0);
  const refused = await cli("rm", "two", "nobody");
  expect(refused.exitCode).toBe(125);
  expect(refused.stderr).toContain("nobody");
  // By force, what is not there is gone already.
  const removed = await cli("rm", "--force", "two", "nobody", "dev");
  expect(removed.exitCode).toBe(0);
  expect(removed.stderr).toContain("nobody");
  expect(JSON.parse((await cli("ls", "--json")).stdout)).toEqual([]);
});

it("starts one server for two commands that come at the same moment", async () => {
  const stateDir = `${server.stateDir}-auto`;
  const env = { ...process.env, BOXRUN_STATE_DIR: stateDir, BOXRUN_PORT: "0" };
  const results = await Promise.all([runCli(["ls", "--json"], env), runCli(["ls", "--json"], env)]);
  try {
    for (const { stdout, exitCode } of results)
      expect({ stdout: JSON.parse(stdout), exitCode }).toEqual({ stdout: [], exitCode: 0 });
    expect(results.filter(({ stderr }) => stderr.includes("pid"))).toHaveLength(1);
    expect((await stat(join(stateDir, "server.log"))).mode & 0o777).toBe(0o600);
  } finally {
    const { pid } = JSON.parse(await readFile(join(stateDir, "server.json"), "utf8"));
    process.kill(pid, "SIGTERM");
    await expect
      .poll(
        () =>
          stat(join(stateDir, "server.json")).then(
            () => true,
            () => false,
          ),
        { timeout: 15_000 },
      )
      .toBe(false);
    await rm(stateDir, { recursive: true, force: true });
  }
});
