import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { version } from "../src/version.ts";
import { ask, read, response, send } from "./support/http.ts";
import { type ServerProcess, startServerProcess } from "./support/process.ts";

let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "boxrun-"));
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const socketPath = () => join(stateDir, "boxrun.sock");
const server = () => ({ http: { socketPath: socketPath(), tcp: null, close: async () => undefined } });
const start = (env: NodeJS.ProcessEnv = {}, flags: object = {}) =>
  startServerProcess({ stateDir, port: 0, ...flags }, env);
const discovery = async (): Promise<unknown> => JSON.parse(await readFile(join(stateDir, "server.json"), "utf8"));

describe("serve", () => {
  it("comes up on its socket and on TCP, and writes down where", async () => {
    await using process = await start();
    expect(process.said).toEqual({ socket: socketPath(), tcp: { host: "127.0.0.1", port: expect.any(Number) } });
    const { port } = Object(process.said.tcp);
    expect(await discovery()).toMatchObject({
      pid: process.child.pid,
      version,
      socket: socketPath(),
      tcp: `127.0.0.1:${port}`,
      started_at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect((await stat(join(stateDir, "server.json"))).mode & 0o777).toBe(0o600);
    const info = await ask(server(), "/v1/info");
    expect([info.status, info.json]).toMatchObject([200, { version, engine: { name: "qemu" } }]);
  });

  it("makes a state directory for its owner alone", async () => {
    const inner = join(stateDir, "new", "state");
    await using _process = await startServerProcess({ stateDir: inner, tcp: false });
    expect((await stat(inner)).mode & 0o777).toBe(0o700);
  });

  it("refuses to start twice on one state directory, and says who has it", async () => {
    await using first = await start();
    await using second = await start();
    expect(second.said).toMatchObject({ code: "RUNTIME_ERROR", details: { pid: first.child.pid } });
    expect(second.said.message).toContain(`the BoxRun server with pid ${first.child.pid}`);
    expect(await second.exited).toBe(1);
    expect((await ask(server(), "/healthz")).json).toEqual({
      status: "ok",
      version,
      idempotency_keys: true,
    });
  });

  it("starts once of five at the same moment", async () => {
    const processes = await Promise.all(Array.from({ length: 5 }, () => start()));
    expect(processes.filter(({ said }) => said.socket !== undefined)).toHaveLength(1);
    expect((await ask(server(), "/healthz")).status).toBe(200);
    for (const process of processes) await process[Symbol.asyncDispose]();
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "stops on %s, telling readers, and leaves no socket behind",
    async (signal) => {
      await using process = await start();
      const stream = read(await response(send(server(), "/v1/events")));
      process.child.kill(signal);
      expect(await process.exited).toBe(0);
      expect((await stream).text).toContain(": server is shutting down\n");
      await expect(stat(socketPath())).rejects.toThrow("ENOENT");
      await expect(discovery()).rejects.toThrow("ENOENT");
    },
  );

  it("comes up again after SIGKILL", async () => {
    await using killed = await start();
    killed.child.kill("SIGKILL");
    expect(await killed.exited).toBeNull();
    await using process = await start();
    expect(await discovery()).toMatchObject({ pid: process.child.pid });
    expect((await ask(server(), "/healthz")).status).toBe(200);
  });

  it("writes its log to a file for its owner alone", async () => {
    const logFile = join(stateDir, "server.log");
    await using process = await start({}, { logFile });
    await ask(server(), "/v1/info");
    process.child.kill("SIGTERM");
    await process.exited;
    const log = await readFile(logFile, "utf8");
    expect(log).toContain('"msg":"serving"');
    expect(log).toContain('"path":"/v1/info"');
    expect(process.log()).toBe("");
    expect((await stat(logFile)).mode & 0o777).toBe(0o600);
  });

  describe("refuses to start, and says why,", () => {
    const refused = async (process: ServerProcess) => {
      expect(await process.exited).toBe(1);
      return String(process.said.message);
    };

    it("with a setting that does not parse", async () => {
      await using process = await start({ BOXRUN_MAX_CPU: "many" });
      expect(await refused(process)).toBe(
        'Cannot start the server: BOXRUN_MAX_CPU must be a positive whole number, not "many"',
      );
    });

    it("on an address of the network without a token", async () => {
      await using process = await start({ BOXRUN_HOST: "0.0.0.0", BOXRUN_TOKEN: "" });
      expect(await refused(process)).toContain("Cannot listen on 0.0.0.0 without a token");
    });

    it("on a port that is taken", async () => {
      await using first = await start();
      const other = await mkdtemp(join(tmpdir(), "boxrun-"));
      const { port } = Object(first.said.tcp);
      await using second = await startServerProcess({ stateDir: other, port });
      expect(await refused(second)).toContain(`Cannot listen on 127.0.0.1:${port}: another program listens there.`);
      await rm(other, { recursive: true });
    });

    it("in a state directory that can't be made", async () => {
      await writeFile(join(stateDir, "file"), "");
      await using process = await startServerProcess({ stateDir: join(stateDir, "file", "state") });
      expect(await refused(process)).toMatch(
        /^Cannot use the state directory .*ENOTDIR.* Choose another one with BOXRUN_STATE_DIR/,
      );
    });

    it("with a database that is none", async () => {
      await writeFile(
        join(stateDir, "boxrun.db"),
        "this is no database, and long enough to be taken for one".repeat(20),
      );
      await using process = await start();
      expect(await refused(process)).toContain(join(stateDir, "boxrun.db"));
      expect(await readFile(join(stateDir, "boxrun.db"), "utf8")).toContain("this is no database");
    });

    it("with a log that can't be written", async () => {
      await using process = await start({}, { logFile: join(stateDir, "nowhere", "x.log") });
      expect(await refused(process)).toContain("Cannot write the log");
    });
  });
});
