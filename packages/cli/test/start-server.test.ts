import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { boxrun, CliProcess } from "./support/cli.ts";

const holderSchema = z.object({ pid: z.int() });

let stateDir: string;
let env: Record<string, string>;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "br-auto-"));
  env = { BOXRUN_STATE_DIR: stateDir, BOXRUN_PORT: "0" };
});
afterEach(async () => {
  const pid = await serverPid();
  if (pid !== undefined) {
    process.kill(pid, "SIGTERM");
    await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false);
  }
  await rm(stateDir, { recursive: true, force: true });
});

async function serverPid(): Promise<number | undefined> {
  const text = await readFile(join(stateDir, "server.json"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : holderSchema.parse(JSON.parse(text)).pid;
}
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Every process that was started for the state directory and lives. */
async function processesOfStateDir(): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")));
  return pids.filter((_, index) => environments[index]?.includes(`BOXRUN_STATE_DIR=${stateDir}\0`));
}

describe("the first command", () => {
  it("starts the server in the background and says so; the next one finds it", async () => {
    const first = await boxrun(["ls"], { env });
    const pid = await serverPid();
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ID /),
      stderr: `Started the BoxRun server (pid ${pid}, log ${stateDir}/server.log)\n`,
    });
    expect((await stat(join(stateDir, "server.log"))).mode & 0o777).toBe(0o600);
    expect(await boxrun(["ls"], { env })).toMatchObject({ code: 0, stderr: "" });
    expect(await serverPid()).toBe(pid);
  });

  it.runIf(process.platform === "linux")(
    "gives the server what it needs of its environment, and no secrets",
    async () => {
      const secrets = { GITHUB_TOKEN: "ghp_x", SECRET: "abc", AWS_SECRET_ACCESS_KEY: "k", SSH_AUTH_SOCK: "/tmp/a" };
      const needed = { LC_TIME: "C", XDG_DATA_HOME: stateDir, https_proxy: "http://127.0.0.1:9", BOXRUN_MAX_CPU: "3" };
      await boxrun(["ls"], { env: { ...env, ...secrets, ...needed } });
      const environment = (await readFile(`/proc/${await serverPid()}/environ`, "utf8")).split("\0");
      const names = environment.map((entry) => entry.split("=")[0]);
      for (const secret of Object.keys(secrets)) expect(names).not.toContain(secret);
      for (const [name, value] of Object.entries(needed)) expect(environment).toContain(`${name}=${value}`);
      expect(environment).toContain(`PATH=${process.env.PATH}`);
      const note =
        "The server pulls with the proxy settings that it was started with; HTTP_PROXY of this command is not used.";
      // Refused before the network is asked.
      const pull = ["images", "pull", "not an image"];
      const proxies = { https_proxy: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:8" };
      expect((await boxrun(pull, { env: { ...env, ...proxies } })).stderr).toContain(note);
      expect((await boxrun(pull, { env: { ...env, HTTPS_PROXY: "http://127.0.0.1:9" } })).stderr).not.toContain(
        "proxy",
      );
    },
  );

  it("starts one server when two are given at the same moment", async () => {
    const results = await Promise.all(Array.from({ length: 4 }, () => boxrun(["ls", "--json"], { env })));
    for (const result of results) expect(result).toMatchObject({ code: 0, stdout: "[]\n" });
    const notes = results.map(({ stderr }) => stderr).filter((stderr) => stderr !== "");
    expect(notes).toHaveLength(1);
    expect(JSON.parse(notes[0] ?? "")).toMatchObject({ pid: await serverPid() });
  });

  it.runIf(process.platform === "linux")("leaves no second server behind that comes up later", async () => {
    const slowToServe =
      'if (process.argv.includes("serve")) await new Promise((resolve) => setTimeout(resolve, 600_000));';
    const slow = { ...env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(slowToServe)}` };
    const results = await Promise.all([boxrun(["ls", "-q"], { env }), boxrun(["ls", "-q"], { env: slow })]);
    for (const result of results) expect(result).toMatchObject({ code: 0, stdout: "" });
    await expect.poll(processesOfStateDir).toEqual([await serverPid()]);
  });

  it("says what the server said when it does not come up", async () => {
    await writeFile(
      join(stateDir, "boxrun.db"),
      "this is no database, and long enough to be told from one".repeat(100),
    );
    const result = await boxrun(["ls"], { env });
    expect(result).toMatchObject({ code: 125, stdout: "" });
    expect(result.stderr).toMatch(/^Error: The BoxRun server did not start\. The end of its log:\n(.*\n)*.*boxrun\.db/);
    expect(result.stderr).toMatch(/\nHint: .*boxrun doctor/);
  });

  it("says that the state directory can't be used", async () => {
    const result = await boxrun(["ls"], { env: { BOXRUN_STATE_DIR: "/dev/null/nowhere" } });
    expect(result).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/^Error: .*\/dev\/null\/nowhere can't be used: .*\nHint: .*BOXRUN_STATE_DIR/),
    });
  });

  it("refuses a state directory where others may write, and leaves no file in it", async () => {
    await chmod(stateDir, 0o777);
    for (const args of [["ls"], ["serve", "--no-tcp"]]) {
      const result = await boxrun(args, { env });
      expect(result).toMatchObject({ code: 125, stdout: "" });
      expect(result.stderr).toMatch(/^Error: .*others may write in it \(mode 777\); `chmod go-w` mends that/);
      expect(await readdir(stateDir)).toEqual([]);
    }
  });

  it.runIf(process.getuid?.() === 0)("refuses another user's state directory", async () => {
    await chown(stateDir, 12_345, 12_345);
    for (const args of [["ls"], ["serve", "--no-tcp"]]) {
      const result = await boxrun(args, { env });
      expect(result).toMatchObject({ code: 125, stdout: "" });
      expect(result.stderr).toMatch(/^Error: .*it belongs to the user with uid 12345, and this is uid 0/);
      expect(await readdir(stateDir)).toEqual([]);
    }
  });

  it("begins a new log when the old one is long", async () => {
    const log = join(stateDir, "server.log");
    await using file = await open(log, "w");
    await file.truncate(11 * 1024 * 1024);
    await boxrun(["ls"], { env });
    expect((await stat(`${log}.1`)).size).toBe(11 * 1024 * 1024);
    expect((await stat(log)).size).toBeLessThan(10_000);
  });

  it("starts a server without TCP where another one has the port", async () => {
    const other = createServer().listen(9090, "127.0.0.1");
    // Whoever has it, ours or another program: it is taken.
    await once(other, "listening").catch(() => undefined);
    try {
      const result = await boxrun(["ls"], { env: { BOXRUN_STATE_DIR: stateDir, BOXRUN_PORT: undefined } });
      expect(result).toMatchObject({ code: 0, stderr: expect.stringContaining("listens on its socket alone") });
    } finally {
      other.close();
    }
  });
});

describe("a command that follows", () => {
  it("starts the server again when it dies, and goes on", async () => {
    await boxrun(["ls"], { env });
    const killed = await serverPid();
    const watching = new CliProcess(["ls", "--watch"], { env });
    // It listens for changes once it has asked for the boxes, as `ls` had.
    const listed = async () => (await readFile(join(stateDir, "server.log"), "utf8")).split("listBoxes").length - 1;
    await expect.poll(listed, { timeout: 30_000 }).toBe(2);
    process.kill(killed ?? 0, "SIGKILL");
    await expect.poll(listed, { timeout: 30_000 }).toBe(3);
    expect(await serverPid()).not.toBe(killed);
    watching.child.kill("SIGINT");
    const { code, stderr } = await watching.result();
    expect(code).toBe(130);
    expect(stderr).toMatch(/Trying again…\nStarted the BoxRun server \(pid \d+, /);
  });
});

describe("serve", () => {
  it("runs in the foreground until SIGTERM, and refuses a second one on its state directory", async () => {
    const server = new CliProcess(["serve", "--state-dir", stateDir, "--no-tcp"]);
    await server.printed(`serves on unix://${stateDir}/boxrun.sock\n`);
    const second = await boxrun(["serve", "--state-dir", stateDir, "--no-tcp"]);
    expect(second).toMatchObject({ code: 125, stdout: "" });
    expect(second.stderr).toContain(`pid ${server.child.pid}`);
    expect((await boxrun(["info"], { env })).stdout).toMatch(/^engine /m);
    server.child.kill("SIGTERM");
    expect((await server.result()).code).toBe(0);
    expect(await readdir(stateDir)).not.toContain("server.json");
  });

  it("names the setting that it does not understand", async () => {
    const result = await boxrun(["serve", "--port", "many", "--state-dir", stateDir]);
    expect(result).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/^Error: serve: .*--port must be a port/),
    });
  });
});

describe("doctor", () => {
  it("starts no server, and says what is wrong and what to do", async () => {
    await mkdir(join(stateDir, "boxrun.sock"));
    const result = await boxrun(["doctor"], {
      env: { ...env, PATH: "/nonexistent", BOXRUN_CACHE_DIR: join(stateDir, "c") },
    });
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/^FAIL {2}qemu-system-x86_64 {2}is missing.*\n +→ `boxrun setup`/m);
    expect(result.stdout).toMatch(/^FAIL {2}guest kernel +find the guest kernel: none is built.*\n +→ Boxes/m);
    expect(result.stdout).toMatch(/^FAIL {2}socket .*is not a socket/m);
    expect(result.stdout).toMatch(/^ok {4}node/m);
    expect(await readdir(stateDir)).not.toContain("server.log");
  });

  it("tells the same to programs", async () => {
    const checks = z
      .array(z.object({ name: z.string(), status: z.enum(["ok", "warn", "fail"]), message: z.string() }))
      .parse(JSON.parse((await boxrun(["doctor", "--json"], { env })).stdout));
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["node", "kvm", "base image", "disk space", "server"]),
    );
  });

  it("asks the server for its engine", async () => {
    await boxrun(["ls"], { env });
    const { stdout } = await boxrun(["doctor"], { env });
    expect(stdout).toMatch(/^(ok {4}|warn {2}|FAIL {2})engine +qemu/m);
  });
});
