import { endianness } from "node:os";
import { describe, expect, it } from "vitest";
import { entryEnd, findOwner } from "../src/auth/peer.ts";

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const ours = { local: "0100007F:C001", remote: "0100007F:2382" };
const entry = (state: string, uid: number, inode: number, ends = ours) =>
  `  12: ${ends.local} ${ends.remote} ${state} 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 ${inode} 1 0000000000000000 20 4 30 10 -1`;

describe("the owner of the other end", () => {
  it.each([
    ["of an established connection is its user", [entry("01", 1000, 7)], 1000],
    ["of one that has said all but still listens is its user", [entry("05", 1000, 7)], 1000],
    ["of one that a process has closed is nobody, though the kernel says root", [entry("05", 0, 0)], undefined],
    ["of one in TIME_WAIT is nobody", [entry("06", 0, 0)], undefined],
    ["of one that only begins is nobody", [entry("02", 1000, 7)], undefined],
    ["is found behind a dead entry", [entry("06", 0, 0), entry("01", 1000, 7)], 1000],
    ["is not the owner of our own end", [entry("01", 1000, 7, { local: ours.remote, remote: ours.local })], undefined],
    [
      "is not the owner of another connection",
      [entry("01", 1000, 7, { local: ours.local, remote: "0200007F:2382" })],
      undefined,
    ],
    ["is nobody in an empty table", [], undefined],
    ["is nobody in a table that breaks off", [entry("01", 1000, 7).slice(0, 60)], undefined],
  ])("%s", (_, entries, uid) => {
    expect(findOwner([header, ...entries, ""].join("\n"), ours)).toBe(uid);
  });
});

describe.runIf(endianness() === "LE")("an end of a connection", () => {
  it.each([
    ["127.0.0.1", 9090, "v4", "0100007F:2382"],
    ["10.1.2.3", 80, "v4", "0302010A:0050"],
    ["127.0.0.1", 9090, "v6", "0000000000000000FFFF00000100007F:2382"],
    ["::1", 9090, "v6", "00000000000000000000000001000000:2382"],
    ["fe80::1:2%eth0", 1, "v6", "000080FE000000000000000002000100:0001"],
    ["2001:db8:1:2:3:4:5:6", 1, "v6", "B80D0120020001000400030006000500:0001"],
  ])("%s is written as the kernel does", (address, port, version, written) => {
    expect(entryEnd(address, port, version)).toBe(written);
  });
});
