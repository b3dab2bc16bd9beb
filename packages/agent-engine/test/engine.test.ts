import { BoxRunError } from "@boxrun/contract";
import { type BoxSpec, silentLogger } from "@boxrun/core";
import { expect, test } from "vitest";
import { createAgentEngine, type VmProvider } from "../src/index.ts";

const spec: BoxSpec = {
  id: "box_1",
  hostname: "one",
  workdir: "/root",
  image: { digest: `sha256:${"0".repeat(64)}`, layoutDir: "/nowhere" },
  cpu: 1,
  memoryMb: 128,
  diskSizeGb: 1,
  network: false,
  volumes: [],
  note: "a note",
};

/** A provider whose VMs are on no machine at all: it writes down what it is asked, and fails where it is told to. */
function playedProvider(parts: Partial<VmProvider> = {}) {
  const asked: string[] = [];
  const tell = (word: string) => async () => {
    asked.push(word);
  };
  const provider: VmProvider = {
    name: "played",
    place: "a cluster's volumes",
    describe: async () => ({ accelerator: "none", ready: true, why: "played", capabilities: [] }),
    check: tell("check"),
    recall: async () => "a note",
    make: async (box, { onEngineId }) => {
      asked.push("make");
      onEngineId(`engine-${box.id}`);
    },
    has: async () => true,
    boot: async () => {
      asked.push("boot");
      throw new Error("no machine has room");
    },
    adopt: async () => ({ state: "dead" }),
    wake: async () => false,
    endUnasked: tell("end unasked"),
    endLeftovers: tell("end leftovers"),
    destroy: tell("destroy"),
    list: async () => ["box_1"],
    forgetImage: async () => {
      throw new Error("the registry is gone");
    },
    ...parts,
  };
  return { asked, engine: createAgentEngine(provider, silentLogger) };
}

const options = () => ({ signal: new AbortController().signal, onEngineId: () => undefined });

test("a create whose boot fails leaves nothing of the box, and says what failed for which box", async () => {
  const { asked, engine } = playedProvider();
  await expect(engine.create(spec, options())).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: "create box box_1: no machine has room",
  });
  expect(asked).toEqual(["check", "make", "boot", "destroy"]);
});

test("what is there already under the id is never destroyed by a create that it refuses", async () => {
  const taken = new BoxRunError("RUNTIME_ERROR", "it exists already");
  const { asked, engine } = playedProvider({ make: () => Promise.reject(taken) });
  await expect(engine.create(spec, options())).rejects.toBe(taken);
  expect(asked).toEqual(["check"]);
});

test.each([
  ["Node's own word for it", Object.assign(new Error("ENOSPC: write"), { code: "ENOSPC" })],
  ["what a program said", new BoxRunError("RUNTIME_ERROR", "mkfs.ext4: No space left on device")],
])("a full disk is told with the place that is full: %s", async (_, error) => {
  const { engine } = playedProvider({ make: () => Promise.reject(error) });
  await expect(engine.create(spec, options())).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: "create box box_1: the disk that holds a cluster's volumes is full",
    cause: error,
  });
});

test("removing a box gives up its create, and destroys it after that has come to its end", async () => {
  const started = Promise.withResolvers<void>();
  const { asked, engine } = playedProvider({
    boot: (_, signal) =>
      new Promise((_resolve, reject) => {
        started.resolve();
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
  });
  const created = engine.create(spec, options());
  const failed = expect(created).rejects.toMatchObject({ code: "CANCELED" });
  await started.promise;
  await engine.remove(spec.id);
  await failed;
  expect(asked).toEqual(["check", "make", "destroy", "destroy"]);
});

test("what runs of a box that nobody has taken over is ended before it boots, and flushed when it is stopped", async () => {
  const { asked, engine } = playedProvider({ wake: async () => true });
  await expect(engine.start(spec, options())).rejects.toThrow(/^start box box_1: no machine has room/);
  expect(asked.splice(0)).toEqual(["check", "end leftovers", "boot"]);
  expect(await engine.stop(spec.id)).toEqual({ killed: [], forced: true });
  expect(asked).toEqual(["end unasked", "end leftovers"]);
});

test("a box without a disk is missing, and starting it says where the disk is looked for", async () => {
  const { engine } = playedProvider({ has: async () => false });
  expect(await engine.adopt(spec, options())).toEqual({ state: "missing" });
  await expect(engine.start(spec, options())).rejects.toMatchObject({
    message: "start box box_1: it has no disk in a cluster's volumes; remove it",
  });
});

test("a closed engine makes nothing any more, and its provider is closed", async () => {
  let isClosed = false;
  const { asked, engine } = playedProvider({
    close: async () => {
      isClosed = true;
    },
  });
  await engine.close();
  await expect(engine.create(spec, options())).rejects.toMatchObject({ code: "CANCELED" });
  expect(asked).toEqual([]);
  expect(isClosed).toBe(true);
});

test("a box that does not run takes no exec, and every other failure of the provider's is a BoxRunError too", async () => {
  const { engine } = playedProvider();
  await expect(engine.removeFile(spec.id, "/x")).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
  await expect(engine.forgetImage(spec.image.digest)).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: `forget the image ${spec.image.digest}: the registry is gone`,
  });
});
