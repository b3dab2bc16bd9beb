import { once } from "node:events";
import { Readable } from "node:stream";
import { BoxRunError, type FileEntry } from "@boxrun/contract";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { jsonArray } from "../src/json-array.ts";
import { ListingPlaces } from "../src/listing-places.ts";
import { ask, createBox, response, send } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

const entryBytes = 1024;
function entry(n: number): FileEntry {
  const name = String(n).padStart(8, "0").padEnd(entryBytes, "x");
  return { name, type: "file", size: n, mode: "0644", mtime: "1970-01-01T00:00:00.000Z", uid: 0, gid: 0 };
}
const many = 64 * 1024;
const never = new AbortController().signal;

describe("a directory's list", () => {
  let server: TestServer;
  let url: string;
  beforeEach(async () => {
    server = await startTestServer({ tcp: null, listings: { places: 2, perBox: 2, stillMs: 0 } });
    url = `/v1/boxes/${(await createBox(server)).id}/files?path=/`;
  });
  afterEach(() => server[Symbol.asyncDispose]());

  const boxGives = (entries: () => AsyncGenerator<FileEntry>) =>
    vi.spyOn(server.engine, "listFiles").mockImplementation(entries);

  it("is asked of the box no further than somebody reads, and ends in the box when they hang up", async () => {
    let given = 0;
    const over = Promise.withResolvers<number>();
    boxGives(async function* () {
      try {
        for (; given < many; given++) yield entry(given);
      } finally {
        over.resolve(given);
      }
    });
    const answer = await response(send(server, url));
    expect(answer.statusCode).toBe(200);
    await once(answer, "readable");
    answer.destroy();
    // What the sockets take, and a few batches.
    expect((await over.promise) * entryBytes).toBeLessThan(4 * 1024 * 1024);
  });

  it("is the same array as ever, however long, and empty where nothing is", async () => {
    let count = 0;
    boxGives(async function* () {
      for (let n = 0; n < count; n++) yield entry(n);
    });
    for (count of [0, 1, 63, 64, 65, 500]) {
      const answer = await ask(server, url);
      expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/json; charset=utf-8"]);
      expect(answer.json).toEqual(Array.from({ length: count }, (_, n) => entry(n)));
    }
  });

  it("says by its status what is wrong with it, while nothing is sent, and breaks off later", async () => {
    let good = 0;
    boxGives(async function* () {
      for (let n = 0; n < good; n++) yield entry(n);
      throw new BoxRunError("FILE_NOT_FOUND", "it is gone");
    });
    for (good of [0, 10]) {
      const { status, json } = await ask(server, url);
      expect([status, json]).toEqual([404, { code: "FILE_NOT_FOUND", message: "it is gone" }]);
    }
    good = 1000;
    await expect(ask(server, url)).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  it("gives its place to who waits, when its reader stands still", async () => {
    let [ended, given] = [0, 0];
    let count = many;
    boxGives(async function* () {
      const mine = count;
      try {
        for (let n = 0; n < mine; n++, given++) yield entry(n);
      } finally {
        ended += 1;
      }
    });
    const still = [await response(send(server, url)), await response(send(server, url))];
    for (const answer of still) answer.on("error", () => undefined);
    count = 1;
    expect((await ask(server, url)).json).toHaveLength(1);
    expect(ended).toBe(2);
    expect(given * entryBytes).toBeLessThan(8 * 1024 * 1024);
    for (const answer of still) answer.destroy();
  });
});

describe("places for listings", () => {
  async function* one(): AsyncGenerator<number> {
    yield 1;
  }
  const of = (boxId: string, signal = never) => ({ boxId, signal, cutOff: () => undefined });

  it("are as many as may be under way at once: others wait, and ask for nothing until then", async () => {
    const places = new ListingPlaces({ places: 2, perBox: 2 });
    let [open, most] = [0, 0];
    async function* items() {
      open += 1;
      most = Math.max(most, open);
      await new Promise(setImmediate);
      yield 1;
      open -= 1;
    }
    const boxes = Array.from({ length: 20 }, (_, n) => `box_${n}`);
    const lists = await Promise.all(boxes.map((box) => Array.fromAsync(places.during(items(), of(box)))));
    expect(lists).toEqual(boxes.map(() => [1]));
    expect([open, most]).toEqual([0, 2]);
  });

  it("are shared out so that one box leaves some to others", async () => {
    const places = new ListingPlaces({ places: 3, perBox: 2 });
    const held = [places.during(one(), of("a")), places.during(one(), of("a"))];
    for (const list of held) await list.next();
    const waiting = places.during(one(), of("a")).next();
    expect(await places.during(one(), of("b")).next()).toMatchObject({ value: 1 });
    for (const list of held) await list.return(undefined);
    expect(await waiting).toMatchObject({ value: 1 });
  });

  it("are not waited for by who has hung up", async () => {
    const places = new ListingPlaces({ places: 1 });
    const held = places.during(one(), of("a"));
    await held.next();
    const caller = new AbortController();
    const waiting = places.during(one(), of("b", caller.signal)).next();
    caller.abort(new Error("hung up"));
    await expect(waiting).rejects.toThrow("hung up");
    await held.return(undefined);
    expect(await places.during(one(), of("c")).next()).toMatchObject({ value: 1 });
  });
});

it("an array's stream that is destroyed before it was read ends what it is made of", async () => {
  let isOver = false;
  async function* items() {
    try {
      for (let n = 0; ; n++) yield entry(n);
    } finally {
      isOver = true;
    }
  }
  const stream = await jsonArray(items());
  if (!(stream instanceof Readable)) throw new Error("no stream");
  stream.destroy();
  await once(stream, "close");
  expect(isOver).toBe(true);
});
