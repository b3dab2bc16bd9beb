import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import type { ServerHttp2Stream } from "node:http2";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { BoxRunError } from "@boxrun/contract";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { socketAddress } from "../src/address.ts";
import { locateAgent } from "../src/build/agent.ts";
import { BulkArea, bulkDiskBytes, slotBytes } from "../src/bulk/area.ts";
import { decodePieces } from "../src/bulk/pieces.ts";
import { AgentFiles } from "../src/files.ts";
import { AgentLine } from "../src/line.ts";
import { WireViolation } from "../src/violation.ts";
import { startFakeAgent } from "./support/fake-agent.ts";

const never = () => ({ signal: new AbortController().signal });

let dir: string;
let disk: string;
let bulk: BulkArea;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "bb-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  disk = join(dir, "bulk");
  await writeFile(disk, "");
  await truncate(disk, bulkDiskBytes);
  bulk = new BulkArea(disk);
});

const isFree = () => expect.poll(() => [bulk.free("in"), bulk.free("out")]).toEqual([8, 8]);

describe("over the agent itself", () => {
  let root: string;
  let files: AgentFiles;
  beforeEach(async () => {
    root = join(dir, "root");
    await mkdir(root);
    const { file } = locateAgent(process.env.BOXRUN_CACHE_DIR ?? join(homedir(), ".cache/boxrun"));
    const socket = join(dir, "s");
    const agent = spawn(file, ["--listen", `unix:${socket}`, "--root", root, "--bulk", disk], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const ended = once(agent, "close");
    const line = new AgentLine(socketAddress(socket));
    onTestFinished(async () => {
      line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
      agent.kill();
      await ended;
    });
    files = new AgentFiles(line, "box_1", { bulk });
  });

  const put = (path: string, content: Uint8Array, chunk = 65_536) =>
    files.write(path, Readable.from(cut(content, chunk)), never());
  const get = async (path: string) => buffer((await files.read(path, never())).content);

  test.each([0, 1, 65_536, 65_537, slotBytes - 1, slotBytes, slotBytes + 1, 5 * slotBytes + 4095])(
    "a file of %i bytes comes out as it went in",
    async (size) => {
      const content = randomBytes(size);
      await put("/f", content, 40_000);
      expect((await readFile(join(root, "f"))).equals(content)).toBe(true);
      const { size: said, content: out } = await files.read("/f", never());
      expect(said).toBe(size);
      expect((await buffer(out)).equals(content)).toBe(true);
      await isFree();
    },
  );

  test("archives go through it, too, and more transfers at once than have room there", async () => {
    const contents = Array.from({ length: 12 }, () => randomBytes(3 * slotBytes + 17));
    await Promise.all(contents.map((content, nth) => put(`/d/${nth}`, content)));
    const tar = await buffer(await files.readArchive("/d", never()));
    await files.writeArchive("/copy", Readable.from(cut(tar, 100_000)), never());
    const back = await Promise.all(contents.map((_, nth) => get(`/copy/${nth}`)));
    expect(back.map((one, nth) => one.equals(contents[nth] ?? Buffer.of()))).toEqual(contents.map(() => true));
    await isFree();
  });

  test("a refusal is told, whether the body has begun or not", async () => {
    const refused = { code: "VALIDATION_ERROR", message: expect.stringMatching(/is a directory/) };
    await expect(put("/", randomBytes(4 * slotBytes))).rejects.toMatchObject(refused);
    await expect(files.read("/nowhere", never())).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    const noTar = files.writeArchive("/d", Readable.from(cut(randomBytes(4 * slotBytes), 65_536)), never());
    await expect(noTar).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    await isFree();
  });

  test("a refusal in the middle does not wait for the rest of the body", async () => {
    const begun = new Readable({ read: () => undefined });
    begun.push(Buffer.alloc(slotBytes, "x"));
    await expect(files.writeArchive("/d", begun, never())).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    await isFree();
  });

  test("one that is given up in the middle leaves nothing, and its slots to others", async () => {
    const gone = new AbortController();
    const half = async function* () {
      yield randomBytes(4 * slotBytes);
      gone.abort(new Error("given up"));
      yield randomBytes(slotBytes);
    };
    await expect(files.write("/f", Readable.from(half()), { signal: gone.signal })).rejects.toThrow();
    await expect.poll(() => readdir(root)).toEqual([]);
    await put("/big", randomBytes(8 * slotBytes));
    const left = await files.read("/big", never());
    left.content.destroy();
    const begun = await files.read("/big", never());
    for await (const _ of begun.content) break;
    await isFree();
    const content = randomBytes(6 * slotBytes);
    await put("/f", content);
    expect((await get("/f")).equals(content)).toBe(true);
  });

  test("where the host's file takes nothing, the content goes over the line", async () => {
    await put("/first", Buffer.of());
    await rm(disk);
    const content = randomBytes(3 * slotBytes);
    await put("/f", content);
    expect((await readFile(join(root, "f"))).equals(content)).toBe(true);
  });
});

describe("what a guest says of pieces", () => {
  const piece = (slot: number, length: number, bytes: Uint8Array = Buffer.of()) => {
    const head = Buffer.alloc(5);
    head.writeUInt8(slot, 0);
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, bytes]);
  };
  const end = piece(254, 0);
  const decode = (bytes: Uint8Array, chunk: number) =>
    Array.fromAsync(decodePieces(Readable.from(cut(bytes, chunk)), [8, 9]));

  test.each([1, 4, 1000])("is read in whatever chunks of %i bytes it comes", async (chunk) => {
    const bytes = Buffer.concat([piece(8, slotBytes), piece(255, 3, Buffer.from("abc")), piece(9, 1), end]);
    expect(await decode(bytes, chunk)).toEqual([
      { at: "slot", slot: 8, length: slotBytes },
      { at: "line", data: Buffer.from("abc") },
      { at: "slot", slot: 9, length: 1 },
      { at: "end" },
    ]);
  });

  test.each([
    ["a slot that was not lent", Buffer.concat([piece(10, 1), end])],
    ["one that is the host's to fill", Buffer.concat([piece(0, 1), end])],
    ["more than a slot holds", Buffer.concat([piece(8, slotBytes + 1), end])],
    ["nothing", Buffer.concat([piece(8, 0), end])],
    ["a long piece on the line", piece(255, 65_537, Buffer.alloc(65_537))],
    ["an end with a length", piece(254, 1)],
    ["something behind the end", Buffer.concat([end, piece(8, 1)])],
    ["no end", piece(8, 1)],
  ])("is a violation: %s", async (_, bytes) => {
    await expect(decode(bytes, 7)).rejects.toThrow(WireViolation);
  });

  const fake = async (answer: (stream: ServerHttp2Stream) => void) => {
    const agent = await startFakeAgent(join(dir, "s"), answer);
    const line = new AgentLine(socketAddress(agent.path));
    onTestFinished(async () => {
      line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
      await agent[Symbol.asyncDispose]();
    });
    return new AgentFiles(line, "box_1", { bulk });
  };

  test("a file that is longer or shorter than it said fails, and ends nothing else", async () => {
    for (const length of ["1", "3"]) {
      const files = await fake((stream) => {
        stream.respond({ ":status": 200, "boxrun-length": length });
        stream.end(Buffer.concat([piece(255, 2, Buffer.from("ab")), end]));
      });
      const { content } = await files.read("/f", never());
      await expect(buffer(content)).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
      await rm(join(dir, "s"), { force: true });
    }
    await isFree();
  });

  test("a slot that it frees and does not have fails the transfer", async () => {
    const files = await fake((stream) => {
      stream.respond({ ":status": 200 });
      stream.write(Buffer.of(1, 1, 1, 1));
    });
    const write = files.write("/f", Readable.from(cut(Buffer.alloc(2 * slotBytes), 65_536)), never());
    await expect(write).rejects.toMatchObject({ message: expect.stringMatching(/frees a slot/) });
    await isFree();
  });
});

function* cut(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
