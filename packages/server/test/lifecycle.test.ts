import { once } from "node:events";
import { mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boxSchema } from "@boxrun/contract";
import { afterEach, describe, expect, it } from "vitest";
import { ask, createBox, read, readUntil, response, send, startExec } from "./support/http.ts";
import { startTestServer } from "./support/server.ts";

const dirs: string[] = [];
afterEach(async () => {
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true, force: true });
});
async function newDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "boxrun-"));
  dirs.push(dir);
  return dir;
}

describe("listening", () => {
  it("makes a socket for its owner alone", async () => {
    await using server = await startTestServer();
    expect((await stat(server.http.socketPath)).mode & 0o777).toBe(0o600);
  });

  it("does without TCP", async () => {
    await using server = await startTestServer({ tcp: null });
    expect(server.http.tcp).toBeNull();
    expect((await ask(server, "/healthz")).status).toBe(200);
  });

  it("replaces the socket of a server that died", async () => {
    const stateDir = await newDir();
    const dead = createServer().listen(join(stateDir, "other.sock"));
    await once(dead, "listening");
    // Closing it removes the file by its first name: under another it stays, as a dead server's does.
    await rename(join(stateDir, "other.sock"), join(stateDir, "boxrun.sock"));
    await new Promise((resolve) => dead.close(resolve));
    await using server = await startTestServer({ stateDir });
    expect((await ask(server, "/healthz")).status).toBe(200);
  });

  it("leaves the socket of a live server and any other file alone", async () => {
    const stateDir = await newDir();
    const path = join(stateDir, "boxrun.sock");
    const live = createServer((socket) => socket.on("error", () => undefined).end("alive")).listen(path);
    await once(live, "listening");
    await expect(startTestServer({ stateDir })).rejects.toThrow(
      `Cannot listen on the socket ${path}: another server answers there.`,
    );
    await new Promise((resolve) => live.close(resolve));
    await writeFile(path, "precious");
    await expect(startTestServer({ stateDir })).rejects.toThrow(
      `Cannot listen on the socket ${path}: something that is no socket is there already.`,
    );
    expect((await stat(path)).size).toBe("precious".length);
  });

  it("says which port is taken and what to do, and opens nothing then", async () => {
    const stateDir = await newDir();
    await using first = await startTestServer();
    const port = first.http.tcp?.port ?? 0;
    await expect(startTestServer({ stateDir, tcp: { host: "127.0.0.1", port } })).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port}: another program listens there. Choose another port with --port (0 picks a free one), or do without TCP: --no-tcp.`,
    );
    await expect(stat(join(stateDir, "boxrun.sock"))).rejects.toThrow("ENOENT");
  });

  it("does without a port that is taken if nobody has asked for it", async () => {
    await using first = await startTestServer();
    const port = first.http.tcp?.port ?? 0;
    await using second = await startTestServer({ tcp: { host: "127.0.0.1", port, byDefault: true } });
    expect(second.http.tcp).toBeNull();
    expect((await ask(second, "/healthz")).status).toBe(200);
  });

  it("leaves the port that nobody has asked for to the host's own service, also while that does not run", async () => {
    const portIsLeft = () => true;
    await using left = await startTestServer({ tcp: { host: "127.0.0.1", port: 0, byDefault: true }, portIsLeft });
    expect(left.http.tcp).toBeNull();
    expect((await ask(left, "/healthz")).status).toBe(200);
    await using asked = await startTestServer({ tcp: { host: "127.0.0.1", port: 0 }, portIsLeft });
    expect(asked.http.tcp).not.toBeNull();
  });

  it("says that a host is none of its own", async () => {
    await expect(startTestServer({ tcp: { host: "192.0.2.1", port: 0 }, token: "x" })).rejects.toThrow(
      "this host does not have that address",
    );
  });
});

describe("stopping", () => {
  it("tells readers of events, and ends their streams", async () => {
    const server = await startTestServer();
    dirs.push(server.stateDir);
    const box = await createBox(server);
    const exec = await startExec(server, box.id, ["sleep", "100"]);
    const streams = await Promise.all(
      [`/v1/boxes/${box.id}/exec/${exec.id}/events`, "/v1/events"].map((path) => response(send(server, path))),
    );
    const ends = streams.map((stream) => read(stream));
    const begunAtMs = performance.now();
    await server.stop();
    expect(performance.now() - begunAtMs).toBeLessThan(900);
    for (const end of await Promise.all(ends)) expect(end.text).toMatch(/\n: server is shutting down\n$/);
  });

  it("finishes requests, and takes no more", async () => {
    const server = await startTestServer({ graceMs: 10_000 });
    dirs.push(server.stateDir);
    const box = await createBox(server);
    const hold = server.engine.controls.hold("stop");
    const stopping = response(send(server, `/v1/boxes/${box.id}:stop`, { method: "POST" }));
    await hold.reached;
    const stopped = server.stop();
    await expect
      .poll(() =>
        ask(server, "/healthz").then(
          () => "answers",
          () => "refuses",
        ),
      )
      .toBe("refuses");
    hold.release();
    const answer = await read(await stopping);
    expect([answer.status, answer.json, answer.headers.connection]).toMatchObject([
      200,
      { status: "stopped" },
      "close",
    ]);
    await stopped;
  });

  it("gives up what takes too long", async () => {
    const server = await startTestServer({ graceMs: 100 });
    dirs.push(server.stateDir);
    const hold = server.engine.controls.hold("create");
    const creating = response(send(server, "/v1/boxes", { body: { image: "base" } }));
    const running = response(send(server, "/v1/run", { body: { image: "base", cmd: ["true"] } }));
    await hold.reached;
    await expect.poll(() => server.core.boxes.list().length).toBe(2);
    await server.stop();
    const answers = [await read(await creating), await read(await running)];
    await using next = await startTestServer({ stateDir: server.stateDir });
    const [left] = next.core.boxes.list();
    expect(left).toMatchObject({ status: "error", error_code: "CANCELED" });
    const canceled = { code: "CANCELED", message: "The server is shutting down" };
    expect(answers.map(({ status, json }) => [status, json])).toEqual([
      [400, { ...canceled, details: { box_id: left?.id } }],
      [400, canceled],
    ]);
  });

  it("does not wait for a caller that never reads", async () => {
    const server = await startTestServer({ graceMs: 100 });
    dirs.push(server.stateDir);
    const box = await createBox(server);
    const exec = await startExec(server, box.id, ["seq", "2000000"]);
    const stuck = await response(send(server, `/v1/boxes/${box.id}/exec/${exec.id}/events`));
    stuck.on("error", () => undefined);
    await once(stuck, "readable");
    await server.stop();
    stuck.destroy();
  });
});

describe("a caller that hangs up", () => {
  it("in the middle of a create finds the box later", async () => {
    await using server = await startTestServer();
    const hold = server.engine.controls.hold("create");
    const request = send(server, "/v1/boxes", { body: { image: "base", name: "kept" } });
    request.on("error", () => undefined);
    await hold.reached;
    request.destroy();
    await expect
      .poll(() => server.log())
      .toContainEqual(expect.objectContaining({ operation: "createBox", hung_up: true }));
    hold.release();
    await expect.poll(async () => boxSchema.parse((await ask(server, "/v1/boxes/kept")).json).status).toBe("running");
  });

  it.each(["create", "exec"] as const)("in the middle of a run, at its %s, takes the box with them", async (at) => {
    await using server = await startTestServer();
    const hold = server.engine.controls.hold(at);
    const request = send(server, "/v1/run", { body: { image: "base", cmd: ["sleep", "100"] } });
    request.on("error", () => undefined);
    await hold.reached;
    expect(server.core.boxes.list()).toHaveLength(1);
    request.destroy();
    await expect.poll(() => server.log()).toContainEqual(expect.objectContaining({ operation: "run", hung_up: true }));
    hold.release();
    await expect.poll(() => server.core.boxes.list()).toEqual([]);
    expect(server.host.boxes.size).toBe(0);
  });

  it("while their run's command runs, takes the box with them", async () => {
    await using server = await startTestServer();
    const request = send(server, "/v1/run", { body: { image: "base", cmd: ["sleep", "100"] } });
    request.on("error", () => undefined);
    await expect.poll(() => server.engine.controls.calls("exec")).toBe(1);
    request.destroy();
    await expect.poll(() => server.core.boxes.list()).toEqual([]);
  });

  it("in the middle of standard input leaves the exec, which has what came", async () => {
    await using server = await startTestServer();
    const box = await createBox(server);
    const exec = await startExec(server, box.id, ["cat"], { stdin: true });
    const path = `/v1/boxes/${box.id}/exec/${exec.id}`;
    const events = await response(send(server, `${path}/events`));
    const request = send(server, `${path}/stdin`, { method: "POST", body: "half", headers: { "content-length": "8" } });
    request.on("error", () => undefined);
    await readUntil(events, (text) => text.includes("half"));
    request.destroy();
    expect((await ask(server, `${path}/stdin?eof=true`, { method: "POST", body: "rest" })).json).toEqual({ ok: true });
    const rest = await read(events);
    expect(rest.text).toContain('"data":"rest"');
    expect(rest.text).toContain("event: exit");
  });
});

describe("a run", () => {
  it("answers with the output, and leaves no box", async () => {
    await using server = await startTestServer();
    const answer = await ask(server, "/v1/run", {
      body: { image: "base", cmd: ["sh", "-c", "echo out; echo err >&2; exit 3"] },
    });
    expect([answer.status, answer.json]).toEqual([
      200,
      { exit_code: 3, stdout: "out\n", stderr: "err\n", error_message: null },
    ]);
    expect(server.core.boxes.list()).toEqual([]);
  });
});

describe("the log", () => {
  it("has one line for each request, with what it was about and without its query", async () => {
    await using server = await startTestServer();
    const box = await createBox(server, { name: "dev" });
    const before = server.log().length;
    const exec = await startExec(server, "dev", ["true"]);
    await ask(server, `/v1/boxes/dev/exec/${exec.id}?x=secret`);
    await ask(server, "/v1/boxes/nobody");
    await ask(server, "/v1/boxes/%zz?x=secret");
    const lines = server
      .log()
      .slice(before)
      .filter((line) => line.msg === "request");
    const common = {
      level: "info",
      req_id: expect.any(String),
      duration_ms: expect.any(Number),
      time: expect.any(String),
    };
    expect(lines).toMatchObject([
      {
        ...common,
        method: "POST",
        path: "/v1/boxes/dev/exec",
        status: 201,
        operation: "startExec",
        box_id: box.id,
        exec_id: exec.id,
      },
      {
        ...common,
        method: "GET",
        path: `/v1/boxes/dev/exec/${exec.id}`,
        status: 200,
        operation: "getExec",
        box_id: box.id,
        exec_id: exec.id,
      },
      {
        ...common,
        path: "/v1/boxes/nobody",
        status: 404,
        operation: "getBox",
        box: "nobody",
        error_code: "BOX_NOT_FOUND",
      },
      { ...common, path: "/v1/boxes/%zz", status: 400, error_code: "VALIDATION_ERROR" },
    ]);
    expect(server.rawLog()).not.toContain("secret");
    expect(new Set(lines.map((line) => line.req_id)).size).toBe(4);
  });
});

describe("the metrics", () => {
  it("count what the server did", async () => {
    await using server = await startTestServer();
    const box = await createBox(server);
    const exec = await startExec(server, box.id, ["echo", "hello"]);
    await ask(server, `/v1/boxes/${box.id}/exec/${exec.id}/events`);
    await ask(server, "/v1/boxes/nobody");
    const { status, headers, text } = await ask(server, "/metrics");
    expect([status, headers["content-type"]]).toEqual([200, expect.stringMatching(/^text\/plain/)]);
    for (const line of [
      'boxrun_boxes{status="running"} 1',
      'boxrun_boxes{status="error"} 0',
      'boxrun_create_seconds_count{result="ok"} 1',
      'boxrun_exec_seconds_count{status="succeeded"} 1',
      "boxrun_output_bytes_total 6",
      "boxrun_sse_readers 0",
      'boxrun_http_requests_total{method="POST",operation="createBox",status="201"} 1',
      'boxrun_http_requests_total{method="GET",operation="getBox",status="404"} 1',
    ]) {
      expect(text.split("\n")).toContain(line);
    }
    expect(text).toContain("process_resident_memory_bytes");
  });
});
