import { createBoxRequestSchema } from "@boxrun/contract";
import { describe, expect, it } from "vitest";
import { checkRoom } from "../src/boxes/room-check.ts";
import { silentLogger } from "../src/index.ts";
import { CoreHarness, never } from "./support/core.ts";

const request = (changes: object) => createBoxRequestSchema.parse({ image: "base", ...changes });

describe("a box that could not come up", () => {
  it("is refused for too little memory, and none is left that keeps its name", async () => {
    await using harness = await CoreHarness.open({ engine: { leastMemoryMb: 128 } });
    await expect(harness.create({ name: "small", memory_mb: 127 })).rejects.toMatchObject({
      code: "VALIDATION_ERROR",
      message: "memory_mb: 127 MB is too little: a box of the memory engine needs at least 128 MB",
    });
    expect(harness.core.boxes.list()).toEqual([]);
    expect((await harness.create({ name: "small", memory_mb: 128 })).status).toBe("running");
    expect((await harness.core.info()).engine).toMatchObject({ least_memory_mb: 128 });
  });

  it("is refused for a disk that is full, with what makes room", async () => {
    const engine = {
      name: "memory",
      describe: async () => ({ accelerator: "none", ready: true, why: "", capabilities: [] }),
    };
    const free = (bytes: number) =>
      checkRoom(request({}), { engine, boxDisks: { free: async () => bytes, written: async () => 0 } });
    await expect(free(100 * 1024 * 1024)).rejects.toMatchObject({
      code: "RESOURCE_EXCEEDED",
      message: expect.stringMatching(/100 MB free.*256 MB.*boxrun df.*boxrun gc/),
    });
    await expect(free(256 * 1024 * 1024)).resolves.toBeUndefined();
  });
});

describe("what a box takes of the host beside its guest's memory", () => {
  it("counts for each box that is up, and is told apart from it", async () => {
    await using harness = await CoreHarness.open({ engine: { ownMemoryMb: 100 }, maxMemoryMb: 1000 });
    const first = await harness.create({ memory_mb: 400 });
    await expect(harness.create({ memory_mb: 401 })).rejects.toMatchObject({
      code: "RESOURCE_EXCEEDED",
      message: expect.stringMatching(
        /wants 401 MB of memory, and 100 MB for its VM's own process; 500 of the server's 1000 MB are free/,
      ),
      details: { resource: "memory_mb", wanted: 401, used: 400, own: 100, used_own: 100 },
    });
    const second = await harness.create({ memory_mb: 400 });
    expect(await harness.core.info()).toMatchObject({ used_memory_mb: 800, engine: { own_memory_mb: 100 } });
    await harness.core.boxes.stop(first.id);
    await harness.create({ memory_mb: 400 });
    await expect(harness.core.boxes.start(first.id, { signal: never })).rejects.toMatchObject({
      code: "RESOURCE_EXCEEDED",
    });
    await harness.core.boxes.stop(second.id);
    expect((await harness.core.boxes.start(first.id, { signal: never })).status).toBe("running");
  });
});

describe("what boxes may still write to their disks", () => {
  const gb = 1024 ** 3;

  it("is a number of times of what is free at most: a box that does not fit is refused by name, and comes in when there is room", async () => {
    const disk = { free: 10 * gb, written: 0 };
    const boxDisks = { free: async () => disk.free, written: async () => disk.written };
    const warned: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => void warned.push(message) };
    await using harness = await CoreHarness.open({ diskOvercommit: 2, boxDisks, logger });
    const create = (disk_size_gb: number) => harness.create({ disk_size_gb, memory_mb: 128, cpu: 1 });
    const first = await create(8);
    await create(8);
    await expect
      .poll(() => warned, { timeout: 20_000 })
      .toEqual([expect.stringContaining("boxes that are up may write more")]);
    await expect(create(5)).rejects.toMatchObject({
      code: "RESOURCE_EXCEEDED",
      message: expect.stringMatching(
        /disk of 5 GB.*still write 16\.0 GB.*10\.0 GB free.*20\.0 GB \(2 times.*disk_size_gb.*BOXRUN_DISK_OVERCOMMIT/,
      ),
    });
    expect(harness.core.boxes.list()).toHaveLength(2);
    // Written is no longer to be written, and no longer free.
    Object.assign(disk, { free: 8 * gb, written: 6 * gb });
    expect(await harness.core.boxes.admission.promisedDiskBytes()).toBe(10 * gb);
    await create(5);
    await expect(create(2)).rejects.toMatchObject({ details: { resource: "disk", promised_bytes: 15 * gb } });
    await harness.core.boxes.stop(first.id);
    await create(2);
    await expect(harness.core.boxes.start(first.id, { signal: never })).rejects.toMatchObject({
      details: { resource: "disk" },
    });
  });

  it("counts for boxes that are made at the same moment, too", async () => {
    const boxDisks = { free: async () => 10 * gb, written: async () => 0 };
    await using harness = await CoreHarness.open({ diskOvercommit: 1, boxDisks });
    const made = await Promise.allSettled(
      Array.from({ length: 8 }, () => harness.create({ disk_size_gb: 4, memory_mb: 128, cpu: 1 })),
    );
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  });
});
