import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect, OutputReader } from "./harness.ts";

export function isolationBehaviours({ behaviour, harness }: Suite): void {
  behaviour("files of one box are not in another", [], async () => {
    const second = await harness.otherBox("second");
    const path = harness.newPath();
    await harness.write(path, "first box");
    await expect(harness.read(path, second)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await harness.write(path, "second box", second);
    expect((await harness.read(path)).toString()).toBe("first box");
  });

  behaviour("each has its own host name", [], async () => {
    const second = await harness.otherBox("second");
    expect((await harness.run(["hostname"], {}, second)).stdout.toString()).toBe("second\n");
    expect((await harness.run(["hostname"])).stdout.toString()).toBe("conformance\n");
  });

  behaviour("an exec belongs to its box: the same id in another is another exec", [], async () => {
    const second = await harness.otherBox("second");
    const changes = { id: "exec_conformance" };
    const [here, there] = await Promise.all([
      harness.run(["echo", "here"], changes),
      harness.run(["echo", "there"], changes, second),
    ]);
    expect([here.stdout.toString(), there.stdout.toString()]).toEqual(["here\n", "there\n"]);
  });

  behaviour("programs of one box are not seen in another", ["linux"], async () => {
    const second = await harness.otherBox("second");
    const exec = await harness.start(harness.box, ["sh", "-c", "echo ready; exec sleep 86451"]);
    await new OutputReader(exec).until("ready");
    const seen = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep 8645[1]' || true";
    expect(await harness.sh(seen, second)).toBe("0");
    expect(await harness.sh(seen)).toBe("1");
    await exec.signal("SIGKILL");
  });

  behaviour("each has its own kernel and its own randomness", ["linux"], async () => {
    const second = await harness.otherBox("second");
    const script =
      "cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n'";
    const [first, other] = await Promise.all([harness.sh(script), harness.sh(script, second)]);
    const values = [...first.split("\n"), ...other.split("\n")];
    expect(values).toHaveLength(6);
    expect(new Set(values).size).toBe(6);
  });

  behaviour("a busy box leaves the other answering", [], async () => {
    const second = await harness.otherBox("second");
    const busy = await harness.start(second, ["seq", "1", "100000"]);
    expect((await harness.run(["echo", "answer"])).stdout.toString()).toBe("answer\n");
    expect((await collect(busy)).exit.code).toBe(0);
  });
}
