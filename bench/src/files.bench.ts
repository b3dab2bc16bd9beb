import { createHash, randomFillSync } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { urls } from "@boxrun/contract";
import { TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, mb, timed } from "./figures.ts";
import { peakResident } from "./memory.ts";

const size = 1024 * 1024 * 1024;
const chunk = 1024 * 1024;
const boundary = "boxrun-bench-boundary";

/** 1 GB up and down again: the same bytes, and the server's memory does not grow with them. */
export async function benchFiles(): Promise<Figure[]> {
  await using server = await TestServer.start();
  const box = await server.http.createBox({ disk_size_gb: 3, memory_mb: 512 });
  const path = join(server.stateDir, "one-gigabyte");
  const reference = await timed(() => writeRandomFile(path));
  const sent = await checksum(createReadStream(path));

  const upload = await peakResident(server.pid, () =>
    timed(async () => {
      const response = await server.http.raw("POST", urls.upload(box.id), {
        body: Readable.from(multipart(path)),
        headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
      });
      const answer = await response.body.text();
      if (response.statusCode !== 200) throw new Error(`upload answered ${response.statusCode}: ${answer}`);
    }),
  );
  const download = await peakResident(server.pid, () =>
    timed(async () => {
      const response = await server.http.raw("POST", urls.download(box.id), {
        body: JSON.stringify({ path: "/root/one-gigabyte" }),
        headers: { "content-type": "application/json" },
      });
      return checksum(response.body);
    }),
  );
  await rm(path);
  const same = download.result.result === sent;
  const rate = (ms: number) => `${(size / 1024 / 1024 / (ms / 1000)).toFixed(1)} MB/s`;
  const memory = (name: string, { before, peak }: { before: number; peak: number }): Figure => ({
    name: `server's memory during the ${name} of 1 GB`,
    value: `+${mb(peak - before)}`,
    reference: `${mb(before)} before`,
    bar: "+64 MB",
    held: peak - before < 64 * 1024 * 1024,
  });
  return [
    {
      name: "1 GB up and down again",
      value: `${same ? "checksums match" : "checksums DIFFER"}, up ${rate(upload.result.ms)}, down ${rate(download.result.ms)}`,
      reference: `${rate(reference.ms)} to write it on the host`,
      bar: "checksums match",
      held: same,
    },
    memory("upload", upload),
    memory("download", download),
  ];
}

async function writeRandomFile(path: string): Promise<void> {
  await using file = await open(path, "w");
  const buffer = Buffer.alloc(chunk);
  for (let written = 0; written < size; written += chunk) {
    randomFillSync(buffer);
    await file.write(buffer);
  }
}

async function* multipart(path: string): AsyncGenerator<Buffer> {
  const part = (name: string, rest = "") =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${rest}\r\n\r\n`;
  yield Buffer.from(`${part("dest")}/root/one-gigabyte\r\n${part("file", '; filename="one-gigabyte"')}`);
  for await (const data of createReadStream(path, { highWaterMark: chunk })) yield data;
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}

async function checksum(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(stream, hash);
  return hash.digest("hex");
}
