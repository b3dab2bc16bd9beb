import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { urls } from "@boxrun/contract";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { collect } from "./support/http.ts";
import { runCli, TestServer } from "./support/server.ts";

describe("a server that can't use its state directory says why and ends", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "br-"));
    return () => rm(directory, { recursive: true, force: true });
  });
  const serve = (env: Record<string, string>) =>
    runCli(["serve", "--port", "0"], { ...process.env, BOXRUN_STATE_DIR: directory, ...env });

  it("because it can't be written", async () => {
    await writeFile(join(directory, "file"), "");
    const { exitCode, stderr } = await serve({ BOXRUN_STATE_DIR: join(directory, "file", "below") });
    expect(exitCode).toBe(125);
    expect(stderr).toContain(join(directory, "file", "below"));
  });

  it("because its path is too long for a socket", async () => {
    const { exitCode, stderr } = await serve({ BOXRUN_STATE_DIR: join(directory, "x".repeat(120)) });
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/BOXRUN_STATE_DIR|too long|longer/);
  });

  it("because its database is not one", async () => {
    const path = join(directory, "boxrun.db");
    await writeFile(path, "this is no database, and longer than a header of one hundred bytes would be".repeat(10));
    const { exitCode, stderr } = await serve({});
    expect(exitCode).toBe(125);
    expect(stderr).toContain(path);
  });

  it("because its database is of a newer BoxRun, and leaves that as it is", async () => {
    const first = await TestServer.start();
    await first.stop();
    const path = join(first.stateDir, "boxrun.db");
    const version = (value?: number) => {
      const database = new DatabaseSync(path);
      if (value !== undefined) database.exec(`PRAGMA user_version = ${value}`);
      const found = database.prepare("PRAGMA user_version").get()?.user_version;
      database.close();
      return Number(found);
    };
    const ours = version();
    expect(version(9999)).toBe(9999);
    const { exitCode, stderr } = await serve({ BOXRUN_STATE_DIR: first.stateDir });
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/9999.*newer/s);
    expect(version()).toBe(9999);
    version(ours);
    await first[Symbol.asyncDispose]();
  });

  it.each([
    ["BOXRUN_PORT", "ninety"],
    ["BOXRUN_MAX_CPU", "-1"],
    ["BOXRUN_MAX_MEMORY_MB", "lots"],
    ["BOXRUN_ENGINE", "docker"],
  ])("because %s does not parse", async (name, value) => {
    const arguments_ = name === "BOXRUN_PORT" ? ["serve"] : ["serve", "--port", "0"];
    const { exitCode, stderr } = await runCli(arguments_, {
      ...process.env,
      BOXRUN_STATE_DIR: directory,
      [name]: value,
    });
    expect(exitCode).toBe(125);
    expect(stderr).toContain(name);
  });
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write("skipped: a full disk: mounting a small tmpfs needs root\n");

describe.skipIf(!isRoot)("a server whose disk is full", () => {
  let directory: string;
  let server: TestServer;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "br-"));
    mount(["-t", "tmpfs", "-o", "size=400m,mode=0700", "tmpfs", directory]);
    server = await TestServer.start({ stateDir: directory });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]().catch((error: unknown) => {
      // The mount point itself can't be removed while it is mounted.
      if (!String(error).includes("EBUSY")) throw error;
    });
    spawnSync("umount", [directory]);
    await rm(directory, { recursive: true, force: true });
  });

  it("answers, gives errors that say so, keeps the output of commands for later, and recovers when there is room", async () => {
    const box = await server.http.createBox();
    const script = "read go; dd if=/dev/urandom of=/root/big bs=1M count=8 conv=fsync; seq 100000; echo ended";
    const writer = await server.http.startExec(box.id, ["sh", "-c", script], { stdin: true });
    await fillUp(directory);
    await server.http.raw("POST", urls.stdin(box.id, writer.id, { eof: true }), { body: "go\n" });
    const output = collect(server.http.events(box.id, writer.id));

    expect((await server.http.json("GET", urls.health())).status).toBe(200);
    const refused = await server.http.json("POST", urls.boxes(), { image: "base", memory_mb: 256, disk_size_gb: 1 });
    expect(refused).toMatchObject({ status: 409, body: { code: "RESOURCE_EXCEEDED", details: { resource: "disk" } } });
    await expect.poll(() => server.log, { timeout: 60_000 }).toContain("output could not be stored");

    await rm(join(directory, "ballast"));
    const { stdout, stderr, exitCode } = await output;
    expect(stderr).toMatch(/error|No space|Read-only/i);
    expect(stdout).toBe(`${Array.from({ length: 100_000 }, (_, n) => n + 1).join("\n")}\nended\n`);
    expect(exitCode).toBe(0);
    expect((await server.http.json("DELETE", urls.removeBox(box.id, true))).body).toEqual({ ok: true });
    const another = await server.http.createBox();
    expect((await server.http.run(another.id, ["echo", "room again"])).stdout).toBe("room again\n");
  });
});

function mount(args: readonly string[]): void {
  const { status, stderr } = spawnSync("mount", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`mount ${args.join(" ")}: ${stderr}`);
}

/** Takes what is left of the file system. */
async function fillUp(directory: string): Promise<void> {
  const { stderr } = spawnSync("dd", ["if=/dev/zero", `of=${join(directory, "ballast")}`, "bs=4k"], {
    encoding: "utf8",
  });
  expect(stderr).toMatch(/No space left/);
}
