import { createBoxRequestSchema } from "@boxrun/contract";
import { describe, expect, it } from "vitest";
import { checkRoom } from "../src/boxes/room-check.ts";
import { CoreHarness } from "./support/core.ts";

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
    const free = (bytes: number) => checkRoom(request({}), { engine, freeDiskBytes: async () => bytes });
    await expect(free(100 * 1024 * 1024)).rejects.toMatchObject({
      code: "RESOURCE_EXCEEDED",
      message: expect.stringMatching(/100 MB free.*256 MB.*boxrun df.*boxrun gc/),
    });
    await expect(free(256 * 1024 * 1024)).resolves.toBeUndefined();
  });
});
