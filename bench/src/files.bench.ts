import { createHash, randomFillSync } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { urls } from "@boxrun/contract";
import { TestServer } from "../../test/e2e/support/server.ts";
import { curl } from "./curl.ts";
import { type Figure, mb, median, timed } from "./figures.ts";
import { peakResident } from "./memory.ts";

const sizeMb = 256;
const size = sizeMb * 1024 * 1024;
const chunk = 1024 * 1024;
const rounds = 3;

/** Of the guest's own speed. */
const leastRatio = 0.8;
const mostGrowth = 64 * 1024 * 1024;

/** What the guest's own dd reads, and what is copied in: the same bytes, which lie in memory on either side. */
const source = "/dev/shm/content";
const written = "/root/written";
const copied = "/root/copied";

/**
 * Files in and out, against the guest's own dd: the same bytes onto the same disk, flushed, and from it, with cold caches. `dd` has the guest's
 * CPU to itself, and all of the host's; BoxRun's caller is one that takes little of those.
 */
export async function benchFiles(): Promise<Figure[]> {
  await using server = await TestServer.start();
  const { id } = await server.http.createBox({ disk_size_gb: 3, memory_mb: 1024 });
  const path = join(server.stateDir, "content");
  await writeRandomFile(path);
  const sent = await checksum(createReadStream(path));
  await upload(server, id, path, source);

  const growths: number[] = [];
  const measured = async <T>(work: () => Promise<T>) => {
    const { before, peak, result } = await peakResident(server.pid, () => timed(work));
    growths.push(peak - before);
    return result;
  };
  const write: Pair[] = [];
  const read: Pair[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await inGuest(server, id, `rm -f ${written} ${copied}; sync; ${dropCaches}`);
    const dd = await timedInGuest(server, id, `dd if=${source} of=${written} bs=1M conv=fsync`);
    await inGuest(server, id, dropCaches);
    const up = await measured(async () => {
      await upload(server, id, path, copied);
      await inGuest(server, id, `sync ${copied}`);
    });
    write.push({ ownMs: dd, boxRunMs: up.ms });
    await inGuest(server, id, dropCaches);
    const own = await timedInGuest(server, id, `dd if=${written} of=/dev/null bs=1M`);
    await inGuest(server, id, dropCaches);
    const down = await measured(() => download(server, id, copied));
    read.push({ ownMs: own, boxRunMs: down.ms });
  }
  await rm(path);
  const same = (await checksumOfDownload(server, id, copied)) === sent;
  const growth = Math.max(...growths);
  return [
    speed(`${sizeMb} MB in, and flushed`, "dd with fsync", write),
    speed(`${sizeMb} MB out, cold caches`, "dd to /dev/null", read),
    {
      name: "what comes out again",
      value: same ? "checksums match" : "checksums DIFFER",
      reference: "what went in",
      bar: "checksums match",
      held: same,
    },
    {
      name: `server's memory meanwhile`,
      value: `+${mb(growth)}`,
      reference: `transfers of ${sizeMb} MB`,
      bar: `+${mb(mostGrowth)}`,
      held: growth < mostGrowth,
    },
  ];
}

/** The same in the guest alone, and through BoxRun. */
interface Pair {
  readonly ownMs: number;
  readonly boxRunMs: number;
}

function speed(name: string, reference: string, pairs: readonly Pair[]): Figure {
  const ratio = median(pairs.map(({ ownMs, boxRunMs }) => ownMs / boxRunMs));
  const rate = (ms: number) => `${(sizeMb / (ms / 1000)).toFixed(1)} MB/s`;
  return {
    name: `${name}, median of ${pairs.length}`,
    value: `${ratio.toFixed(2)} × the guest's own speed, ${rate(median(pairs.map(({ boxRunMs }) => boxRunMs)))}`,
    reference: `${reference} in the guest, ${rate(median(pairs.map(({ ownMs }) => ownMs)))}`,
    bar: `${leastRatio} ×`,
    held: ratio >= leastRatio,
  };
}

const dropCaches = "echo 3 > /proc/sys/vm/drop_caches";

/** How long the command took by the guest's own clock, in ms: what it takes to start it through BoxRun is not counted. */
async function timedInGuest(server: TestServer, boxId: string, command: string): Promise<number> {
  const now = "cut -d' ' -f1 /proc/uptime";
  const { stdout } = await inGuest(server, boxId, `${now}; ${command} 2>/dev/null; ${now}`);
  const [begun, ended] = stdout.trim().split("\n").map(Number);
  return ((ended ?? Number.NaN) - (begun ?? Number.NaN)) * 1000;
}

async function inGuest(server: TestServer, boxId: string, command: string) {
  const result = await server.http.run(boxId, ["sh", "-ec", command]);
  if (result.exitCode !== 0) throw new Error(`${command}: exit code ${result.exitCode}: ${result.stderr}`);
  return result;
}

async function upload(server: TestServer, boxId: string, path: string, dest: string): Promise<void> {
  await curl(server.socketPath, urls.upload(boxId), ["--form", `dest=${dest}`, "--form", `file=@${path}`]);
}

async function download(server: TestServer, boxId: string, path: string): Promise<void> {
  const form = ["--json", JSON.stringify({ path }), "--output", "/dev/null"];
  await curl(server.socketPath, urls.download(boxId), form);
}

async function checksumOfDownload(server: TestServer, boxId: string, path: string): Promise<string> {
  const response = await server.http.raw("POST", urls.download(boxId), {
    body: JSON.stringify({ path }),
    headers: { "content-type": "application/json" },
  });
  return checksum(response.body);
}

async function writeRandomFile(path: string): Promise<void> {
  await using file = await open(path, "w");
  const buffer = Buffer.alloc(chunk);
  for (let begin = 0; begin < size; begin += chunk) {
    randomFillSync(buffer);
    await file.write(buffer);
  }
}

async function checksum(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(stream, hash);
  return hash.digest("hex");
}
