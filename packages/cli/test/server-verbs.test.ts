import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { boxrun, CliProcess, cliPath } from "./support/cli.ts";
import { Tmux } from "./support/tmux.ts";

let stateDir: string;
let env: Record<string, string>;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "br-srv-"));
  env = { BOXRUN_STATE_DIR: stateDir, BOXRUN_PORT: "0", XDG_CONFIG_HOME: join(stateDir, "config") };
});
afterEach(async () => {
  await boxrun(["server", "stop"], { env });
  await rm(stateDir, { recursive: true, force: true });
});

const server = (...args: string[]) => boxrun(["server", ...args], { env });

describe("server start, status, stop", () => {
  it("go together, each as often as one likes", async () => {
    expect(await server("status")).toMatchObject({ code: 3, stdout: expect.stringContaining("does not run") });
    const started = await server("start");
    expect(started).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^BoxRun .* serves on unix:.* and http:.*\(pid \d+\)\n$/),
    });
    const again = await server("start", "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({ started: false, socket: join(stateDir, "boxrun.sock") });
    const { pid } = JSON.parse(again.stdout);
    const status = await server("status", "--json");
    expect(status.code).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({
      status: "running",
      pid,
      engine: { name: "qemu" },
      boxes: { running: 0 },
    });
    expect((await server("status")).stdout).toMatch(new RegExp(`^pid +${pid}$`, "m"));
    expect(await server("stop")).toMatchObject({ code: 0, stdout: `Stopped the BoxRun server (pid ${pid}).\n` });
    // Gone, but for what is left of a process until its parent asks for it.
    expect(await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).toBe("");
    expect(await server("stop")).toMatchObject({ code: 0, stdout: "The BoxRun server does not run.\n" });
    expect((await server("status")).code).toBe(3);
  });

  it("do not touch a server that is elsewhere", async () => {
    await boxrun(["context", "add", "far", "--host", "http://127.0.0.1:1"], { env });
    for (const verb of ["start", "stop", "status", "logs"]) {
      const { code, stderr } = await boxrun(["--context", "far", "server", verb], { env });
      expect(code).toBe(125);
      expect(stderr).toMatch(
        /^Error: server .*context far at http:\/\/127\.0\.0\.1:1 \(--context\) is not managed from here\nHint: .*--context local/,
      );
    }
  });
});

describe("a server.json that is not true any more", () => {
  let bystander: ChildProcess;
  beforeEach(async () => {
    bystander = spawn("sleep", ["600"]);
    await once(bystander, "spawn");
  });
  afterEach(() => bystander.kill());

  it.runIf(process.platform === "linux")("gets no other program killed that has the pid now", async () => {
    const record = { pid: bystander.pid, started_at: "2020-01-01T00:00:00Z", start_ticks: "1" };
    await writeFile(join(stateDir, "server.json"), JSON.stringify(record));
    expect(await server("stop")).toMatchObject({ code: 0, stdout: "The BoxRun server does not run.\n" });
    expect((await server("status")).code).toBe(3);
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
  });

  it("nor where nothing tells when a process began and nobody answers on the socket", async () => {
    const record = { pid: bystander.pid, started_at: "2020-01-01T00:00:00Z", start_ticks: null };
    await writeFile(join(stateDir, "server.json"), JSON.stringify(record));
    expect((await server("stop")).code).toBe(0);
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
  });
});

describe("server logs", () => {
  const line = (msg: string, more: object = {}) =>
    `${JSON.stringify({ level: "info", time: "2026-03-01T12:00:00.000Z", pid: 1, ...more, msg })}\n`;

  it("shows the end of the log for people, or as it stands", async () => {
    const text = ["one", "two", "three"].map((msg) => line(msg, { box: "a b", status: 200 })).join("");
    await writeFile(join(stateDir, "server.log"), `${text}not JSON \u001b[31mred\n`);
    const shown = await server("logs", "--tail", "2");
    expect(shown.stdout).toMatch(/^2026-03-01 \d\d:00:00\.000 INFO {2}three box="a b" status=200\nnot JSON red\n$/);
    expect((await server("logs", "--json", "--tail", "4")).stdout).toBe(`${text}not JSON \u001b[31mred\n`);
    expect((await server("logs", "--tail", "all")).stdout.split("\n")).toHaveLength(5);
    expect((await server("logs", "--tail", "0")).stdout).toBe("");
  });

  it("shows an error's stack on lines of its own", async () => {
    await writeFile(join(stateDir, "server.log"), line("failed", { err: { message: "m", stack: "Error: m\n  at x" } }));
    expect((await server("logs")).stdout).toMatch(/INFO {2}failed\n {4}Error: m\n {6}at x\n$/);
  });

  it("says where to look when there is none", async () => {
    expect(await server("logs")).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/There is no log at .*\nHint: .*boxrun serve/),
    });
  });

  it("follows, line by line, through a new file and an emptied one, until Ctrl-C", async () => {
    const log = join(stateDir, "server.log");
    await writeFile(log, line("old"));
    const following = new CliProcess(["server", "logs", "-f"], { env });
    await following.printed("old");
    await appendFile(log, line("first").slice(0, 20));
    await appendFile(log, line("first").slice(20));
    await following.printed("first");
    await appendFile(log, line("last of the old"));
    await rename(log, `${log}.1`);
    await writeFile(log, line("new file"));
    await following.printed("new file");
    await writeFile(log, line("x"));
    await following.printed("INFO  x");
    following.child.kill("SIGINT");
    const { code, stdout } = await following.result();
    expect(code).toBe(130);
    expect(stdout.split("\n").map((text) => text.split("INFO  ")[1])).toEqual([
      "old",
      "first",
      "last of the old",
      "new file",
      "x",
      undefined,
    ]);
  });
});

describe("uninstall and upgrade from a checkout", () => {
  const cached = () => ({
    ...env,
    BOXRUN_CACHE_DIR: join(stateDir, "cache"),
    XDG_DATA_HOME: join(stateDir, "data"),
    HOME: stateDir,
  });

  it("upgrade only says what to do", async () => {
    const { code, stdout } = await boxrun(["upgrade"], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/runs from a checkout.*\n {2}cd .* && git pull && npm ci\n$/);
  });

  it("uninstall asks, and without a terminal does nothing", async () => {
    const { code, stderr } = await boxrun(["uninstall", "--purge"], { env: cached() });
    expect(code).toBe(2);
    expect(stderr).toMatch(/no terminal to ask on\nHint: --yes/);
  });

  it("uninstall asks on a terminal, and Ctrl-C gives it up", async () => {
    await server("start");
    await using tmux = await Tmux.start([process.execPath, cliPath, "uninstall", "--purge"], {
      cols: 150,
      env: cached(),
    });
    await tmux.shows(/Removes all boxes, running ones too.*Go on\? \[y\/N\]/s);
    await tmux.press("C-c");
    expect(await tmux.ended()).toBe(130);
    expect((await server("status")).code).toBe(0);
  });

  it("uninstall leaves the state, and says what that is", async () => {
    await server("start");
    const { code, stdout, stderr } = await boxrun(["uninstall", "--yes"], { env: cached() });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "Done.\n" });
    expect(stderr).toMatch(
      /Stops the server \(pid \d+\)\.\nLeaves, unless --purge is given:\n {2}\/.*br-srv-.* \(boxes, images and log, [\d.]+ kB\)/,
    );
    expect((await server("status")).code).toBe(3);
    expect(await readFile(join(stateDir, "server.log"), "utf8")).toContain("stopping");
  });

  it("uninstall --purge removes what is BoxRun's, and nothing else", async () => {
    await server("start");
    await boxrun(["context", "add", "far", "--host", "http://127.0.0.1:1"], { env });
    await mkdir(join(stateDir, "precious"));
    const { code, stdout } = await boxrun(["uninstall", "--purge", "--yes"], { env: cached() });
    expect(code).toBe(0);
    expect(stdout).toContain(`Left, because it is not BoxRun's:\n  ${stateDir}/`);
    expect(stdout).toContain(`${stateDir}/precious\n`);
    for (const gone of ["boxrun.db", "server.log", "lock", "cache", "config/boxrun"]) {
      await expect(readFile(join(stateDir, gone))).rejects.toThrow("ENOENT");
    }
  });
});
