import { expect, test } from "vitest";
import { readListing } from "../src/listing.ts";

const entry = (name: string) => ({ name, type: "file", size: 1, mode: "0644", mtime: 0, uid: 0, gid: 0 });

async function* inPieces(text: string, bytes: number): AsyncGenerator<Buffer> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
}

const read = (text: string, bytes = text.length + 1) => Array.fromAsync(readListing(inPieces(text, bytes)));

test("names with all that JSON has come out of pieces of any size", async () => {
  const names = ["},{", '"', "\\", '\\"}', "]}", "ä\u{1f600}", "\n\u0001", "plain"].sort();
  const text = `${JSON.stringify({ entries: names.map(entry) })}\n`;
  for (const bytes of [1, 2, 3, 7, 64, 100_000]) {
    expect((await read(text, bytes)).map(({ name }) => name)).toEqual(names);
  }
});

test("an empty listing is one", async () => {
  expect(await read('{"entries":[]}', 1)).toEqual([]);
});

const one = JSON.stringify(entry("a"));

test.each([
  ["nothing", ""],
  ["half of it", '{"entries":[{"na'],
  ["no end", `{"entries":[${one}`],
  ["something else", '{"code":"IO","message":"no"}'],
  ["entries without a comma", `{"entries":[${one}${one}]}`],
  ["more behind the end", `{"entries":[${one}]}{`],
  ["an entry that is none", '{"entries":[{"name":1}]}'],
  ["entries out of order", JSON.stringify({ entries: [entry("b"), entry("a")] })],
  ["an entry without a name", JSON.stringify({ entries: [{ ...entry("a"), name: undefined }] })],
  ...["", ".", "..", "../etc", "a\0"].map((name) => [
    `${JSON.stringify(name)} as a name`,
    JSON.stringify({ entries: [entry(name)] }),
  ]),
  ["an entry that is no JSON", '{"entries":[{a}]}'],
  ["an entry without an end", `{"entries":[{"name":"${"x".repeat(70_000)}`],
])("%s is refused", async (_, text) => {
  for (const bytes of [1, 100_000]) await expect(read(text, bytes)).rejects.toMatchObject({ name: "WireViolation" });
});

test("the order is that of the names' bytes, whatever they are", async () => {
  const names = ["\uFF61", "\u{1f600}"];
  const other = { ...entry(""), name: undefined, name_b64: Buffer.from([0xff]).toString("base64") };
  const listed = await read(JSON.stringify({ entries: [...names.map(entry), other] }));
  expect(listed.map(({ name }) => name)).toEqual([...names, "\uFFFD"]);
});

test("a name that comes twice is taken once", async () => {
  expect(await read(`{"entries":[${one},${one},${one}]}`)).toHaveLength(1);
});

test("no more of it is read than its entries are taken, and leaving them ends it", async () => {
  let [pieces, isOver] = [0, false];
  async function* endless() {
    try {
      yield Buffer.from('{"entries":[');
      for (; ; pieces++) yield Buffer.from(`${JSON.stringify(entry(String(pieces).padStart(8, "0")))},`);
    } finally {
      isOver = true;
    }
  }
  let taken = 0;
  for await (const _ of readListing(endless())) {
    expect(pieces).toBe(taken);
    taken += 1;
    if (taken === 1000) break;
  }
  expect(isOver).toBe(true);
});

test("a long listing leaves the event loop to others while it is read", async () => {
  const text = JSON.stringify({ entries: Array.from({ length: 5000 }, (_, n) => entry(String(n).padStart(5, "0"))) });
  let turnsOfOthers = 0;
  let isOver = false;
  const count = () => {
    turnsOfOthers++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  expect(await read(text)).toHaveLength(5000);
  isOver = true;
  expect(turnsOfOthers).toBeGreaterThan(5);
});
