import { readFileSync } from "node:fs";

/**
 * Counts the transactions in a write-ahead log: a frame whose header gives the database's size ends one
 * (https://www.sqlite.org/fileformat2.html#walformat). Frames of an earlier round carry another salt.
 */
export function countCommits(walPath: string): number {
  const wal = readFileSync(walPath);
  if (wal.length < 32) return 0;
  const pageSize = wal.readUInt32BE(8);
  const salt = wal.subarray(16, 24);
  let commits = 0;
  for (let at = 32; at + 24 + pageSize <= wal.length; at += 24 + pageSize) {
    if (!wal.subarray(at + 8, at + 16).equals(salt)) break;
    if (wal.readUInt32BE(at + 4) !== 0) commits++;
  }
  return commits;
}
