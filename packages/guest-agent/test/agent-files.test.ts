import { mkdtempSync, rmSync } from "node:fs";
import type { ServerHttp2Stream } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { BoxRunError } from "@boxrun/contract";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { socketAddress } from "../src/address.ts";
import { AgentFiles } from "../src/files.ts";
import { AgentLine } from "../src/line.ts";
import type { Patience } from "../src/requests.ts";
import { json, startFakeAgent } from "./support/fake-agent.ts";

const dir = mkdtempSync(join(tmpdir(), "bf-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let sockets = 0;
const never = () => ({ signal: new AbortController().signal });
const list = (files: AgentFiles, path: string) => Array.fromAsync(files.list(path, never()));

/** `behindStream`: over a connection that is no socket, whose frames Node takes in all at once. */
async function filesOf(
  answer: (stream: ServerHttp2Stream, path: string) => void,
  { behindStream = false, patience }: { readonly behindStream?: boolean; readonly patience?: Patience } = {},
): Promise<AgentFiles> {
  const agent = await startFakeAgent(join(dir, `${sockets++}.sock`), (stream, { path }) => {
    if (path === "/hello") json(stream, { agent: "0", protocol: 1, boot_id: "0".repeat(32), setup: true });
    else answer(stream, path);
  });
  const stream = async () => {
    const socket = connect(agent.path);
    return Duplex.from({ readable: socket, writable: socket });
  };
  const line = new AgentLine(behindStream ? { name: "a stream", connect: stream } : socketAddress(agent.path));
  onTestFinished(async () => {
    line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
    await agent[Symbol.asyncDispose]();
  });
  return new AgentFiles(line, "box_1", { patience });
}

test.each([{ behindStream: false }, { behindStream: true }])(
  "an empty file is read to its end: %o",
  async (connection) => {
    const atOnce = (stream: ServerHttp2Stream) => {
      stream.respond({ ":status": 200, "content-length": "0" });
      stream.end();
    };
    const inTheHead = (stream: ServerHttp2Stream) =>
      stream.respond({ ":status": 200, "content-length": "0" }, { endStream: true });
    for (const answer of [atOnce, inTheHead]) {
      const { size, content } = await (await filesOf(answer, connection)).read("/empty", never());
      expect([size, (await buffer(content)).length]).toEqual([0, 0]);
    }
  },
);

const entry = { type: "file", size: 1, mode: "0644", mtime: 0, uid: 0, gid: 0 };

test("the agent's refusals become the port's codes, with the path and the box", async () => {
  const cases = [
    ["NOT_FOUND", 404, "FILE_NOT_FOUND"],
    ["BAD_REQUEST", 400, "VALIDATION_ERROR"],
    ["IO", 500, "RUNTIME_ERROR"],
  ] as const;
  for (const [code, status, expected] of cases) {
    const files = await filesOf((stream) => json(stream, { code, message: "because" }, status));
    const refused = { code: expected, message: expect.stringMatching(/\/a b.*box_1.*because/) };
    await expect(list(files, "/a b")).rejects.toMatchObject(refused);
    await expect(files.read("/a b", never())).rejects.toMatchObject(refused);
    await expect(files.remove("/a b")).rejects.toMatchObject(refused);
  }
});

test("an agent that has no such request is an older one: NOT_SUPPORTED, and what to do", async () => {
  const files = await filesOf((stream, path) =>
    json(stream, { code: "BAD_REQUEST", message: `no such request: GET ${path.split("?")[0]}` }, 400),
  );
  const older = { code: "NOT_SUPPORTED", message: expect.stringMatching(/box_1.*older.*start it again/) };
  await expect(files.stat("/a", { follow: false })).rejects.toMatchObject(older);
  await expect(files.makeDirectory("/a", { parents: true })).rejects.toMatchObject(older);
  await expect(files.rename("/a", "/b", { replace: false })).rejects.toMatchObject(older);
});

test("an entry of stat has the name that it was asked for by; one that is none is a violation", async () => {
  const asked: string[] = [];
  const files = await filesOf((stream, path) => {
    asked.push(path);
    json(stream, { ...entry, name: "../../evil" });
  });
  expect(await files.stat("/dir/a b/", { follow: true })).toMatchObject({ name: "a b", size: 1 });
  expect(asked).toEqual(["/stat?path=%2Fdir%2Fa%20b%2F&follow=1"]);
  const broken = await filesOf((stream) => json(stream, { ...entry, type: "whatever" }));
  await expect(broken.stat("/a", { follow: false })).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
});

const watch = async (...lines: readonly unknown[]) => {
  const files = await filesOf((stream) => {
    stream.respond({ ":status": 200 });
    stream.end(lines.map((line) => (typeof line === "string" ? line : `${JSON.stringify(line)}\n`)).join(""));
  });
  const changes = await files.watch("/dir", { recursive: true, ...never() });
  return (await Array.fromAsync(changes)).flat();
};

test("changes come below what is watched, as well as their names can", async () => {
  expect(
    await watch(
      { event: "created", name: "a b/c", dir: true },
      { event: "renamed", name_b64: Buffer.from("x\xff", "latin1").toString("base64"), from: "a b/c" },
      { event: "overflow", reason: "too much" },
      { event: "removed", name: "", dir: true },
    ),
  ).toEqual([
    { event: "created", path: "/dir/a b/c", is_dir: true },
    { event: "renamed", path: "/dir/x\ufffd", from: "/dir/a b/c", is_dir: false },
    { event: "overflow", reason: "too much" },
    { event: "removed", path: "/dir", is_dir: true },
  ]);
});

test.each([
  ["a name that climbs", [{ event: "created", name: "../etc/passwd" }]],
  ["an absolute name", [{ event: "created", name: "/etc/passwd" }]],
  ["a NUL", [{ event: "created", name: "a\0b" }]],
  ["no name", [{ event: "removed" }]],
  ["a rename from nowhere", [{ event: "renamed", name: "a" }]],
  ["another event", [{ event: "exploded", name: "a" }]],
  ["no JSON", ["what?\n"]],
  ["a line without its end", ['{"event":"removed","name":""}']],
  ["a line that does not end", ["x".repeat(100_000)]],
])("changes with %s are a violation, and reach nobody", async (_, lines) => {
  await expect(watch(...lines)).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
});

test("a listing comes as the agent sorts it, and names that are not UTF-8 come as well as they can", async () => {
  const files = await filesOf((stream) =>
    json(stream, {
      entries: [
        { ...entry, name: "B", type: "symlink", target: "/x" },
        { ...entry, name_b64: Buffer.from([0x61, 0xff]).toString("base64") },
        { ...entry, name: "b" },
      ],
    }),
  );
  const listed = await list(files, "/");
  expect(listed.map(({ name }) => name)).toEqual(["B", "a\uFFFD", "b"]);
  expect(listed[0]).toMatchObject({ target: "/x", mtime: "1970-01-01T00:00:00.000Z" });
});

test("a listing whose taker takes its time waits in the box, but for what its connection may hold", async () => {
  const pad = "x".repeat(1000);
  const lines = Array.from({ length: 8000 }, (_, n) =>
    JSON.stringify({ ...entry, name: `${String(n).padStart(6, "0")}${pad}` }),
  );
  let sentBytes = 0;
  async function* text() {
    yield '{"entries":[';
    for (const [n, line] of lines.entries()) {
      sentBytes += line.length;
      yield n === 0 ? line : `,${line}`;
    }
    yield "]}";
  }
  const files = await filesOf((stream) => {
    stream.respond({ ":status": 200 });
    Readable.from(text(), { objectMode: false }).pipe(stream);
  });
  let [takenBytes, count, mostBytes] = [0, 0, 0];
  for await (const _ of files.list("/", never())) {
    if (count % 10 === 0) await new Promise(setImmediate);
    mostBytes = Math.max(mostBytes, sentBytes - takenBytes);
    takenBytes += lines[count]?.length ?? 0;
    count += 1;
  }
  expect(count).toBe(lines.length);
  expect(mostBytes).toBeLessThan(2 * 1024 * 1024);
});

test("a listing that breaks off in the middle gives what came, and then fails", async () => {
  const files = await filesOf((stream) => {
    stream.respond({ ":status": 200 });
    stream.write(`{"entries":[${JSON.stringify({ ...entry, name: "a" })},`);
    setImmediate(() => stream.destroy(new Error("the agent gives up")));
  });
  const names: string[] = [];
  const reading = async () => {
    for await (const { name } of files.list("/", never())) names.push(name);
  };
  await expect(reading()).rejects.toMatchObject({ code: "BOX_UNREACHABLE" });
  expect(names).toEqual(["a"]);
});

test("leaving a listing ends it at the agent, and so does its caller's hanging up", async () => {
  const closed: Promise<void>[] = [];
  const files = await filesOf((stream) => {
    closed.push(new Promise((resolve) => stream.once("close", resolve)));
    stream.respond({ ":status": 200 });
    stream.write(`{"entries":[${JSON.stringify({ ...entry, name: "a" })},`);
  });
  for await (const { name } of files.list("/", never())) {
    expect(name).toBe("a");
    break;
  }
  await closed[0];
  const caller = new AbortController();
  const entries = files.list("/", { signal: caller.signal });
  await entries.next();
  const next = entries.next();
  caller.abort();
  await expect(next).rejects.toMatchObject({ code: "CANCELED" });
  await closed[1];
});

test.each([
  ["a size below 0", { size: -1 }],
  ["a mode that is none", { mode: "rwx" }],
  ["a time beyond all calendars", { mtime: 1e300 }],
  ["a type that is none", { type: "door" }],
])("a listing with %s is refused", async (_, wrong) => {
  const files = await filesOf((stream) => json(stream, { entries: [{ ...entry, name: "x", ...wrong }] }));
  await expect(list(files, "/")).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
});

test("a file that is not as long as it said fails the reader", async () => {
  const files = await filesOf((stream) => {
    stream.respond({ ":status": 200, "content-length": "10" });
    stream.end("short");
  });
  const { content } = await files.read("/f", never());
  await expect(buffer(content)).rejects.toMatchObject({ code: "BOX_UNREACHABLE" });
});

test("a file without its length is refused", async () => {
  const files = await filesOf((stream) => {
    stream.respond({ ":status": 200 });
    stream.end("x");
  });
  await expect(files.read("/f", never())).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
});

test("an answer that breaks off in the middle fails the reader", async () => {
  const files = await filesOf((stream) => {
    stream.respond({ ":status": 200 });
    stream.write("half");
    setImmediate(() => stream.destroy(new Error("the agent gives up")));
  });
  await expect(buffer(await files.readArchive("/d", never()))).rejects.toMatchObject({ code: "BOX_UNREACHABLE" });
});

test("what waits for a reader that stands still holds no memory of what another one has read", async () => {
  const streams = new Map<string, ServerHttp2Stream>();
  const files = await filesOf((stream, path) => {
    stream.respond({ ":status": 200, "content-length": "100000000" });
    streams.set(path, stream);
  });
  const [still, read] = [await files.read("/still", never()), await files.read("/read", never())];
  const [stillStream, readStream] = [...streams.values()];
  const pieces = 100;
  for (let n = 0; n < pieces; n++) {
    stillStream?.write("x");
    // They come together: a piece of one in a read that is full of the other.
    readStream?.write(Buffer.alloc(50_000));
    let left = 50_000;
    while (left > 0) {
      const piece: Buffer | null = read.content.read();
      if (piece === null) await new Promise((resolve) => read.content.once("readable", resolve));
      else left -= piece.length;
    }
  }
  const held = new Set<ArrayBufferLike>();
  let bytes = 0;
  await new Promise<void>((resolve) => {
    // Not iterated: that would join the pieces.
    still.content.on("data", (piece: Buffer) => {
      held.add(piece.buffer);
      bytes += piece.length;
      if (bytes === pieces) resolve();
    });
  });
  still.content.destroy();
  read.content.destroy();
  const heldBytes = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(heldBytes).toBeLessThanOrEqual(64 * 1024);
});

test("a reader that leaves ends the transfer at the agent, even while nothing comes", async () => {
  const closed = Promise.withResolvers<void>();
  const files = await filesOf((stream) => {
    stream.respond({ ":status": 200, "content-length": "10" });
    stream.write("1");
    stream.once("close", () => closed.resolve());
  });
  const { content } = await files.read("/f", never());
  await new Promise((resolve) => content.once("data", resolve));
  content.destroy();
  await closed.promise;
});

test("an upload whose source fails is seen by the agent as broken off, never as complete", async () => {
  const seen = Promise.withResolvers<string>();
  const began = Promise.withResolvers<void>();
  const files = await filesOf((stream) => {
    stream.on("data", () => began.resolve());
    stream.once("end", () => seen.resolve("complete"));
    stream.once("aborted", () => seen.resolve("broken off"));
  });
  const source = new Readable({ read: () => undefined });
  source.push(Buffer.alloc(100_000));
  const writing = files.write("/f", source, never());
  // Before that the request may never have gone out.
  void began.promise.then(() => source.destroy(new Error("the client hung up")));
  await expect(writing).rejects.toMatchObject({ message: expect.stringContaining("the client hung up") });
  expect(await seen.promise).toBe("broken off");
});

test("an upload that is given up is CANCELED, and the agent sees it break off", async () => {
  const seen = Promise.withResolvers<string>();
  const began = Promise.withResolvers<void>();
  const files = await filesOf((stream) => {
    stream.once("data", () => began.resolve());
    stream.once("end", () => seen.resolve("complete"));
    stream.once("aborted", () => seen.resolve("broken off"));
  });
  const controller = new AbortController();
  const source = new Readable({ read: () => undefined });
  source.push(Buffer.alloc(1000));
  const writing = files.write("/f", source, { signal: controller.signal });
  await began.promise;
  controller.abort();
  await expect(writing).rejects.toMatchObject({ code: "CANCELED" });
  expect(await seen.promise).toBe("broken off");
  expect(source.destroyed).toBe(true);
});

test("a transfer that waits for the agent again and again leaves nothing behind each time", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  const files = await filesOf((stream) => {
    stream.resume().on("end", () => json(stream, { ok: true }));
  });
  const pieces = Readable.from(Array.from({ length: 200 }, () => Buffer.alloc(64 * 1024)));
  await files.write("/f", pieces, never());
  expect(warnings).toEqual([]);
});

test("a transfer to or from an agent that falls silent is given up, and one whose client is slow is not", async () => {
  const patience = { silenceMs: 100, putAwayMs: 200 };
  const give = (answer: (stream: ServerHttp2Stream) => void) => filesOf(answer, { patience });
  const silent = await give(() => undefined);
  const unreachable = (message: string) => ({ code: "BOX_UNREACHABLE", message: expect.stringContaining(message) });
  const endless = () => Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(64 * 1024)));
  await expect(silent.write("/f", endless(), never())).rejects.toMatchObject(
    unreachable("not taken anything for 0.1 s"),
  );
  await expect(silent.read("/f", never())).rejects.toMatchObject(unreachable("not answered GET /files"));
  await expect(silent.readArchive("/d", never())).rejects.toMatchObject(unreachable("not answered GET /tar"));
  const deaf = await give((stream) => stream.resume());
  const written = deaf.writeArchive("/d", Readable.from([Buffer.alloc(10)]), never());
  await expect(written).rejects.toMatchObject(unreachable("not answered for 0.2 s"));
  const half = await give((stream) => {
    stream.respond({ ":status": 200, "content-length": "1000000" });
    stream.write(Buffer.alloc(500_000));
  });
  const { content } = await half.read("/f", never());
  // Nobody reads for longer than the agent may be silent: it is not the agent that is waited for.
  await new Promise((resolve) => setTimeout(resolve, 3 * patience.silenceMs));
  await expect(buffer(content)).rejects.toMatchObject(unreachable("sent nothing for 0.1 s"));
});
