import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Engine } from "@boxrun/core";
import { afterAll, expect, test } from "vitest";
import { boxSpec, create, never, nextDeath, shSpec } from "./support/boxes.ts";
import { openTestHost } from "./support/host.ts";
import { roundLimitMs, rounds } from "./support/rounds.ts";

const host = await openTestHost();
afterAll(() => host[Symbol.asyncDispose]());

/** Files come, grow, are renamed and go, some written through and some not. */
const writeLoad = `
  mkdir -p /root/load; cd /root/load; n=0
  while :; do
    n=$((n + 1))
    dd if=/dev/urandom of=new bs=64k count=$((n % 5 + 1)) 2>/dev/null
    mv new file-$((n % 20)); mkdir -p d-$((n % 7))/e; ln -f file-$((n % 20)) d-$((n % 7))/e/link
    [ $((n % 3)) != 0 ] || rm -rf d-$(((n + 3) % 7))
    [ $((n % 4)) != 0 ] || sync
    [ $n != 5 ] || echo writing
  done`;

/** Resolves once programs of the box are writing. */
async function writeInBox(engine: Engine, boxId: string): Promise<void> {
  const exec = await engine.exec(boxId, shSpec(writeLoad));
  // It ends with its box, which is what this is about.
  exec.exit.catch(() => undefined);
  const output = exec.output[Symbol.asyncIterator]();
  const first = await output.next();
  expect(Buffer.from(first.value?.data ?? []).toString()).toBe("writing\n");
  void drain(output).catch(() => undefined);
}

async function drain(output: AsyncIterator<unknown>): Promise<void> {
  while ((await output.next()).done !== true);
}

const ends = rounds(5);

test(`a disk needs no repair after ${ends} kills and ${ends} stops while its box was writing`, {
  timeout: 2 * ends * roundLimitMs,
}, async () => {
  const engine = host.makeEngine();
  const spec = boxSpec(host);
  await create(engine, spec);
  for (let nth = 1; nth <= ends; nth++) {
    await writeInBox(engine, spec.id);
    const death = nextDeath(engine);
    process.kill(host.qemuPid(spec.id), "SIGKILL");
    await death;
    // The start replays the journal, as of any machine that has lost its power, and repairs nothing.
    await engine.start(spec, { signal: never() });
    await writeInBox(engine, spec.id);
    await engine.stop(spec.id);
    const disk = join(host.boxDir(spec.id), "disk.ext4");
    // It says what it would repair, and ends with another code than 0 then.
    expect(
      () => execFileSync("e2fsck", ["-f", "-n", disk], { stdio: "pipe", encoding: "utf8" }),
      `round ${nth}`,
    ).not.toThrow();
    await engine.start(spec, { signal: never() });
  }
  await engine.remove(spec.id);
  await engine.close();
});
