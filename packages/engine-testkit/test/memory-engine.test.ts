import { BoxRunError } from "@boxrun/contract";
import type { BoxSpec, ExecSpec } from "@boxrun/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { createMemoryEngine, type MemoryEngineOptions } from "../src/index.ts";

const spec: BoxSpec = {
  id: "box_1",
  hostname: "box",
  workdir: "/root",
  image: { digest: "sha256:none", layoutDir: "/nonexistent" },
  cpu: 1,
  memoryMb: 256,
  diskSizeGb: 1,
  network: false,
  volumes: [],
};
const never = new AbortController().signal;

async function engineWithBox(options: MemoryEngineOptions = {}) {
  const engine = createMemoryEngine(options);
  onTestFinished(() => engine.close());
  await engine.create(spec, { signal: never, onEngineId: () => undefined });
  const run = async (cmd: readonly string[], changes: Partial<ExecSpec> = {}) => {
    const exec = await engine.exec("box_1", {
      id: `exec_${cmd.join(" ")}`,
      cmd,
      env: {},
      workdir: "/",
      user: null,
      stdin: false,
      tty: null,
      timeoutMs: null,
      ...changes,
    });
    let output = "";
    for await (const { data } of exec.output) output += Buffer.from(data).toString();
    return { output, code: (await exec.exit).code };
  };
  return { engine, run };
}

describe("its shell", () => {
  test.each([
    ["echo a; echo b", "a\nb\n", 0],
    ["echo one && false && echo never; echo two", "one\ntwo\n", 0],
    ["false || echo rescued", "rescued\n", 0],
    ["false; echo $?", "1\n", 0],
    ["exit 4; echo never", "", 4],
    ["cd /tmp && pwd", "/tmp\n", 0],
    [`echo 'a  b' "c $NAME d" e\\ f`, "a  b c value d e f\n", 0],
    ["echo 1 > /f; echo 2 >> /f; cat /f", "1\n2\n", 0],
    ["echo oops >&2", "oops\n", 0],
    ["no-such-thing; echo $?", "sh: no-such-thing: not found\n127\n", 0],
    ["exec echo replaced; echo never", "replaced\n", 0],
    ["", "", 0],
  ])("runs %j", async (script, output, code) => {
    const { run } = await engineWithBox();
    expect(await run(["sh", "-c", script], { env: { NAME: "value" } })).toEqual({ output, code });
  });

  test.each([
    "ls | wc",
    "echo $(id)",
    "for i in 1 2; do echo $i; done",
    "echo * ",
    "echo a &",
    "echo 'open",
    "A=1 env",
  ])("refuses %j whole, rather than running half of it", async (script) => {
    const { run } = await engineWithBox();
    const { output, code } = await run(["sh", "-c", script]);
    expect(code).toBe(2);
    expect(output).toContain("too small");
  });
});

describe("its controls", () => {
  test("count calls, and fail the next one", async () => {
    const { engine } = await engineWithBox();
    expect(engine.controls.calls("create")).toBe(1);
    engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "no room"));
    const create = () => engine.create({ ...spec, id: "box_2" }, { signal: never, onEngineId: () => undefined });
    await expect(create()).rejects.toMatchObject({ code: "RUNTIME_ERROR", message: "no room" });
    expect(await engine.listBoxes()).toEqual(["box_1"]);
    await create();
    expect(await engine.listBoxes()).toEqual(["box_1", "box_2"]);
  });

  test("hold a create until it is released", async () => {
    const engine = createMemoryEngine();
    const hold = engine.controls.hold("create");
    let up = false;
    const creating = engine.create(spec, { signal: never, onEngineId: () => undefined }).then(() => {
      up = true;
    });
    await hold.reached;
    expect(up).toBe(false);
    await expect(Array.fromAsync(engine.listFiles("box_1", "/", { signal: never }))).rejects.toMatchObject({
      code: "BOX_NOT_RUNNING",
    });
    hold.release();
    await creating;
    expect(await Array.fromAsync(engine.listFiles("box_1", "/tmp", { signal: never }))).toEqual([]);
  });

  test("let a held create be given up, and removed", async () => {
    for (const how of ["abort", "remove"] as const) {
      const engine = createMemoryEngine();
      const hold = engine.controls.hold("create");
      const controller = new AbortController();
      const creating = engine.create(spec, { signal: controller.signal, onEngineId: () => undefined });
      await hold.reached;
      if (how === "abort") controller.abort();
      else await engine.remove("box_1");
      await expect(creating).rejects.toMatchObject({ code: "CANCELED" });
      expect(await engine.listBoxes()).toEqual([]);
    }
  });

  test("kill a box's VM, and tell who listens", async () => {
    const { engine } = await engineWithBox();
    const deaths: unknown[] = [];
    engine.onDeath((death) => deaths.push(death));
    engine.host.kill("box_1", "out of memory");
    expect(deaths).toEqual([{ boxId: "box_1", reason: "out of memory" }]);
    expect(await engine.adopt(spec, { signal: never })).toEqual({ state: "dead" });
  });
});

test("a program of the test's own reads, writes, and handles signals", async () => {
  const greeter = Promise.withResolvers<void>();
  const { engine } = await engineWithBox({
    programs: {
      greet: async ({ argv, stdout, trap }) => {
        await stdout(`hello ${argv[1]}\n`);
        const terminated = new Promise<void>((resolve) => trap("SIGTERM", resolve));
        greeter.resolve();
        await terminated;
        await stdout("bye\n");
        return 5;
      },
    },
  });
  const exec = await engine.exec("box_1", {
    id: "exec_greet",
    cmd: ["greet", "world"],
    env: {},
    workdir: "/",
    user: null,
    stdin: false,
    tty: null,
    timeoutMs: null,
  });
  await greeter.promise;
  await exec.cancel();
  let output = "";
  for await (const { data } of exec.output) output += Buffer.from(data).toString();
  expect(output).toBe("hello world\nbye\n");
  expect(await exec.exit).toEqual({ code: 5, reason: "canceled" });
});
