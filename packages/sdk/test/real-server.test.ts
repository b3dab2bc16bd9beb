import { randomBytes } from "node:crypto";
import { MemoryHost } from "@boxrun/engine-testkit";
import { startTestServer, type TestServer } from "@boxrun/server/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { BoxRunClient, type ExecEvent, logBytes } from "../src/index.ts";
import { toArray } from "./support/stub-server.ts";

let server: TestServer;
let client: BoxRunClient;
const box = "dev";

beforeAll(async () => {
  server = await startTestServer({
    host: new MemoryHost(),
    programs: {
      // One line each time that it is told to.
      counting: async ({ stdin, stdout }) => {
        let line = 0;
        for await (const _ of stdin) {
          line += 1;
          await stdout(`line ${line}\n`);
        }
        return 3;
      },
    },
  });
  client = new BoxRunClient({ socketPath: server.http.socketPath });
  await client.boxes.create({ image: "base", name: box, cpu: 1, memory_mb: 64 });
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function outputOf(events: AsyncIterable<ExecEvent>) {
  const chunks: Uint8Array[] = [];
  for await (const event of events) {
    if (event.event === "log") chunks.push(logBytes(event));
    else return { output: Buffer.concat(chunks), exitCode: event.exit_code, seq: event.seq };
  }
  throw new Error("no exit event");
}

describe("a real server", () => {
  it("tells of itself", async () => {
    expect(await client.health()).toMatchObject({ status: "ok" });
    expect(await client.info()).toMatchObject({ engine: { name: "memory", ready: true } });
  });

  it("stops, starts, lists and removes boxes", async () => {
    const made = await client.boxes.create({ image: "base", cpu: 1, memory_mb: 64 });
    expect(made).toMatchObject({ status: "running", engine: "memory" });
    expect(await client.boxes.stop(made.id)).toMatchObject({ status: "stopped" });
    expect((await client.boxes.list({ status: "stopped" })).map(({ id }) => id)).toEqual([made.id]);
    expect(await client.boxes.start(made.id)).toMatchObject({ status: "running" });
    await expect(client.boxes.remove(made.id)).rejects.toMatchObject({ code: "BOX_ALREADY_RUNNING" });
    await client.boxes.remove(made.id, { force: true });
    await expect(client.boxes.get(made.id)).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
  });

  it("runs programs: output, input, signals, cancel", async () => {
    const cat = await client.execs.start(box, { cmd: ["cat"], stdin: true });
    await client.execs.stdin(box, cat.id, "one\n");
    await client.execs.stdin(box, cat.id, new Uint8Array([0xff, 0x00]), { eof: true });
    const { output, exitCode } = await outputOf(client.execs.events(box, cat.id));
    expect([...output]).toEqual([...Buffer.from("one\n"), 0xff, 0x00]);
    expect(exitCode).toBe(0);

    const sleep = await client.execs.start(box, { cmd: ["sleep", "60"], tty: true });
    await client.execs.resize(box, sleep.id, { cols: 100, rows: 30 });
    await client.execs.signal(box, sleep.id, "SIGKILL");
    expect((await outputOf(client.execs.events(box, sleep.id))).exitCode).toBe(137);

    const other = await client.execs.start(box, { cmd: ["sleep", "60"] });
    await client.execs.cancel(box, other.id);
    expect(await client.execs.get(box, other.id)).toMatchObject({ status: "canceled" });
    expect((await client.execs.list(box)).map(({ id }) => id)).toEqual([other.id, sleep.id, cat.id]);
    const pages: string[][] = [];
    for await (const page of client.execs.pages(box, { limit: 2 })) pages.push(page.map(({ id }) => id));
    expect(pages).toEqual([[other.id, sleep.id], [cat.id]]);
    for await (const page of client.boxes.pages({ limit: 1 })) expect(page).toMatchObject([{ id: expect.any(String) }]);
    await expect(client.execs.cancel(box, other.id)).rejects.toMatchObject({ code: "EXEC_ALREADY_FINISHED" });
  });

  it("runs a box for one command", async () => {
    const result = await client.boxes.run({
      image: "base",
      cmd: ["sh", "-c", "echo out; echo err >&2; exit 4"],
      cpu: 1,
    });
    expect(result).toEqual({ exit_code: 4, stdout: "out\n", stderr: "err\n", error_message: null });
  });

  it("moves files both ways", async () => {
    const bytes = randomBytes(2_000_000);
    await client.files.upload(box, "/data/random", new Blob([bytes]).stream());
    const { content, sizeBytes } = await client.files.download(box, "/data/random");
    expect(Buffer.concat(await toArray(content)).equals(bytes)).toBe(true);
    expect(sizeBytes).toBe(bytes.length);
    const { content: tar } = await client.files.downloadArchive(box, "/data");
    await client.files.uploadArchive(box, "/copy", tar);
    expect(await client.files.list(box, "/copy")).toMatchObject([{ name: "random", size: bytes.length, type: "file" }]);
    await client.files.remove(box, "/copy");
    await expect(client.files.list(box, "/copy")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  it("makes, looks at and renames files and directories", async () => {
    await client.files.mkdir(box, "/made/deep", { parents: true });
    await expect(client.files.mkdir(box, "/made/deep")).rejects.toMatchObject({ code: "FILE_EXISTS", status: 409 });
    await client.files.upload(box, "/made/one", "1");
    await client.files.upload(box, "/made/two", "22");
    await expect(client.files.rename(box, "/made/one", "/made/two")).rejects.toMatchObject({ code: "FILE_EXISTS" });
    await client.files.rename(box, "/made/one", "/made/two", { replace: true });
    expect(await client.files.stat(box, "/made/two")).toMatchObject({ name: "two", type: "file", size: 1 });
    await expect(client.files.stat(box, "/made/one", { follow: true })).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      status: 404,
    });
  });

  it("watches a directory until it is gone, over a restart of the server", async () => {
    await client.files.mkdir(box, "/watched");
    const opened = Promise.withResolvers<void>();
    const changes = client.files.watch(box, "/watched", { recursive: true, onOpen: opened.resolve });
    const first = changes.next();
    await opened.promise;
    await client.files.mkdir(box, "/watched/new");
    expect((await first).value).toEqual({ event: "created", path: "/watched/new", is_dir: true });
    const afterRestart = changes.next();
    const { stateDir, host } = server;
    await server.stop();
    server = await startTestServer({ stateDir, host });
    expect((await afterRestart).value).toMatchObject({ event: "overflow" });
    await client.files.rename(box, "/watched/new", "/watched/newer");
    await client.files.remove(box, "/watched");
    expect(await toArray(changes)).toEqual([
      { event: "renamed", path: "/watched/newer", from: "/watched/new", is_dir: true },
      { event: "removed", path: "/watched", is_dir: true },
    ]);
    await expect(client.files.watch(box, "/watched").next()).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      status: 404,
    });
  });

  it("rejects where a directory's list breaks off in the middle", async () => {
    const entry = { type: "file", size: 1, mode: "0644", mtime: "1970-01-01T00:00:00.000Z", uid: 0, gid: 0 } as const;
    const broken = vi.spyOn(server.engine, "listFiles").mockImplementation(async function* () {
      for (let n = 0; n < 5000; n++) yield { ...entry, name: String(n).padStart(8, "0") };
      throw new Error("the agent broke the protocol");
    });
    await expect(client.files.list(box, "/")).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    broken.mockRestore();
  });

  it("lists, imports, pulls and removes images", async () => {
    expect(await client.images.import("tar:x", { reference: "my/own:1" })).toMatchObject([{ reference: "my/own:1" }]);
    expect((await client.images.list()).map(({ reference }) => reference)).toEqual(["base", "my/own:1"]);
    expect(await client.images.get("base")).toMatchObject({
      builtin: true,
      platform: "linux/amd64",
      programs: ["ls", "sh"],
    });
    const own = await client.images.get("my/own:1");
    expect(own).toMatchObject({
      reference: "my/own:1",
      config: { user: null, entrypoint: ["echo"], cmd: ["its own"] },
    });
    expect(own).not.toHaveProperty("programs");
    await client.images.remove("my/own:1");
    await expect(client.images.get("my/own:1")).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    await expect(toArray(client.images.pull("no/such:1"))).rejects.toMatchObject({ code: "IMAGE_PULL_FAILED" });
  });

  it("tells of every change of state", async () => {
    const watching = new AbortController();
    const seen: string[] = [];
    const events = client.events({ signal: watching.signal });
    const first = events.next();
    // Whoever watches is told from the moment on at which the server has answered.
    await expect.poll(async () => (await fetchMetric()) >= 1).toBe(true);
    const made = await client.boxes.create({ image: "base", cpu: 1, memory_mb: 64 });
    await client.boxes.remove(made.id, { force: true });
    for (let next = await first; !next.done; next = await events.next()) {
      seen.push(next.value.event === "box" ? next.value.data.status : next.value.event);
      if (next.value.event === "box_removed") break;
    }
    watching.abort();
    expect([seen[0], seen.at(-1)]).toEqual(["creating", "box_removed"]);
    expect(seen).toContain("running");
  });

  it("may be restarted in the middle of an exec: every event comes once", async () => {
    const exec = await client.execs.start(box, { cmd: ["counting"], stdin: true });
    const lines: string[] = [];
    const seqs: number[] = [];
    let exitCode: number | null | undefined;
    await client.execs.stdin(box, exec.id, "go");
    for await (const event of client.execs.events(box, exec.id)) {
      seqs.push(event.seq);
      if (event.event === "exit") {
        exitCode = event.exit_code;
        continue;
      }
      lines.push(event.data);
      if (lines.length === 2) {
        const { stateDir, host } = server;
        await server.stop();
        server = await startTestServer({ stateDir, host });
      }
      if (lines.length < 4) await client.execs.stdin(box, exec.id, "go", { eof: lines.length === 3 });
    }
    expect(lines.join("")).toBe("line 1\nline 2\nline 3\nline 4\n");
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    expect(exitCode).toBe(3);
  });
});

/** Readers of event streams. */
async function fetchMetric(): Promise<number> {
  const { tcp } = server.http;
  if (tcp === null) throw new Error("no TCP");
  const text = await (await fetch(`http://${tcp.host}:${tcp.port}/metrics`)).text();
  return Number(/^boxrun_sse_readers(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0);
}
