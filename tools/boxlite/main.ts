/**
 * A VM with a working /dev/kvm, on a host that has none: docs/testing-boxlite.md.
 *
 *   node tools/boxlite/main.ts [--] COMMAND…     runs a command of this checkout in it
 *   node tools/boxlite/main.ts --keep COMMAND…   the same, and leaves the VM running for the next commands
 *   node tools/boxlite/main.ts --shell           a shell in it
 *   node tools/boxlite/main.ts --stop            ends the VM that was kept
 *
 *   --cpus N (2), --memory MB (6144), --env NAME=VALUE (repeatable)
 *
 * Each command gets a copy of the checkout as it is at that moment, uncommitted changes included. Exit code: the command's own.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { toBoxRunError } from "@boxrun/contract";
import { defaultCacheDir } from "../../packages/images/src/cache-dir.ts";
import { outerImage } from "./image/build.ts";
import { bootOuterVm, endVm, type RunningVm } from "./vm/boot.ts";
import { forgetVm, keptVm, rememberVm } from "./vm/kept.ts";
import { feedCache, runInside } from "./vm/run.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const cacheDir = defaultCacheDir();
const log = (line: string) => process.stderr.write(`outer VM: ${line}\n`);

const { values, positionals } = parseArgs({
  options: {
    keep: { type: "boolean", default: false },
    shell: { type: "boolean", default: false },
    stop: { type: "boolean", default: false },
    cpus: { type: "string", default: "2" },
    memory: { type: "string", default: "6144" },
    env: { type: "string", multiple: true, default: [] },
  },
  allowPositionals: true,
});

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => stop.abort(new Error(name)));

async function main(): Promise<number> {
  const { signal } = stop;
  const kept = await keptVm(cacheDir, checkout);
  if (values.stop) {
    if (kept !== undefined) await endVm(kept);
    await forgetVm(cacheDir, checkout);
    log(kept === undefined ? "none was kept" : "ended");
    return 0;
  }
  const command = values.shell ? ["/bin/bash"] : positionals;
  if (command.length === 0) {
    process.stderr.write("usage: main.ts [--keep] [--env NAME=VALUE] [--] COMMAND… | --shell | --stop\n");
    return 2;
  }
  const vm = kept ?? (await boot(signal));
  try {
    if (values.keep) await rememberVm(cacheDir, checkout, vm);
    const env = Object.fromEntries(
      values.env.map((pair): [string, string] => {
        const at = pair.indexOf("=");
        return at < 0 ? [pair, process.env[pair] ?? ""] : [pair.slice(0, at), pair.slice(at + 1)];
      }),
    );
    const tty = process.stdin.isTTY && process.stdout.isTTY;
    return await runInside(vm, { checkout, command, env, tty, signal });
  } finally {
    if (kept === undefined && !values.keep) await endVm(vm);
  }
}

async function boot(signal: AbortSignal): Promise<RunningVm> {
  const image = await outerImage({ cacheDir, log, signal });
  const options = { image, checkout, cacheDir, log, signal, keep: values.keep };
  const vm = await bootOuterVm({ ...options, cpus: Number(values.cpus), memoryMb: Number(values.memory) });
  try {
    await feedCache(vm, cacheDir, signal);
    return vm;
  } catch (error) {
    await endVm(vm);
    throw error;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!stop.signal.aborted) log(toBoxRunError(error).message);
  process.exitCode = stop.signal.aborted ? 130 : 125;
}
