import { expect, test } from "vitest";
import { readListing } from "../src/listing.ts";

const entry = (name: string) => ({ name, type: "file", size: 1, mode: "0644", mtime: 0, uid: 0, gid: 0 });

async function* inPieces(text: string, bytes: number): AsyncGenerator<Buffer> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
}

const read = (text: string, bytes = text.length + 1) => readListing(inPieces(text, bytes));

test("names with all that JSON has come out of pieces of any size", async () => {
  const names = ["", "},{", '"', "\\", '\\"}', "]}", "ä\u{1f600}", "\n\u0000", "plain"].sort();
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
  ["an entry that is no JSON", '{"entries":[{a}]}'],
  ["an entry without an end", `{"entries":[{"name":"${"x".repeat(70_000)}`],
])("%s is refused", async (_, text) => {
  for (const bytes of [1, 100_000]) await expect(read(text, bytes)).rejects.toMatchObject({ name: "WireViolation" });
});

test("a long listing leaves the event loop to others while it is read", async () => {
  const text = JSON.stringify({ entries: Array.from({ length: 5000 }, (_, n) => entry(`${n}`)) });
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
