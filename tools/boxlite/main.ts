/**
 * A VM with a working /dev/kvm, on a host that has none. docs/testing-boxlite.md is about it.
 *
 *   node tools/boxlite/main.ts COMMAND…          boots it, runs a command of this checkout in it, ends it
 *   node tools/boxlite/main.ts --keep COMMAND…   the same, but leaves the VM running: the next commands use it
 *   node tools/boxlite/main.ts --shell           a shell in it
 *   node tools/boxlite/main.ts --stop            ends the VM that was kept
 *
 *   --cpus N, --memory MB    of a VM that is booted (1 and 4096; with more CPUs boxes die)
 *   --slowdown N             how many times slower its clock goes than the host's (4): time limits inside are as much longer
 *   --env NAME[=VALUE]       sets a variable for the command, or passes on this shell's; repeatable
 *
 * Each command gets a copy of the checkout as it is then, uncommitted changes included, and of the node_modules of when the VM booted.
 * Exit code: the command's own; 125 if there is no VM to run it in.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { toBoxRunError } from "@boxrun/contract";
import { commandLine } from "../../packages/host/src/command-line.ts";
import { defaultCacheDir } from "../../packages/images/src/cache-dir.ts";
import { buildBoxParts, defaultSize, defaultSlowdown, startOuterVm } from "./session.ts";
import { endVm } from "./vm/boot.ts";
import { forgetVm, keptVm, rememberVm } from "./vm/kept.ts";
import { runInside } from "./vm/run.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const cacheDir = defaultCacheDir();
const log = (line: string) => void process.stderr.write(`outer VM: ${line}\n`);
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => interrupted.abort(new Error(name)));

function readArguments() {
  const options = {
    keep: { type: "boolean", default: false },
    shell: { type: "boolean", default: false },
    stop: { type: "boolean", default: false },
    slowdown: { type: "string" },
    cpus: { type: "string" },
    memory: { type: "string" },
    env: { type: "string", multiple: true, default: [] as string[] },
  } as const;
  // What follows the command's name is the command's: only what stands before it is ours.
  const given = process.argv.slice(2);
  const { tokens } = parseArgs({ args: given, options, allowPositionals: true, strict: false, tokens: true });
  const first = tokens.find((token) => token.kind === "positional" || token.kind === "option-terminator");
  const at = first?.index ?? given.length;
  const { values, refuse } = commandLine(import.meta.url, { args: given.slice(0, at), options });
  const command = given.slice(first?.kind === "option-terminator" ? at + 1 : at);
  const size = {
    cpus: Number(values.cpus ?? defaultSize.cpus),
    memoryMb: Number(values.memory ?? defaultSize.memoryMb),
  };
  const slowdown = Number(values.slowdown ?? defaultSlowdown);
  if (![...Object.values(size), slowdown].every((count) => Number.isInteger(count) && count > 0)) {
    refuse("--cpus, --memory and --slowdown are whole numbers");
  }
  const shaped = [values.cpus, values.memory, values.slowdown].some((value) => value !== undefined);
  return { ...values, refuse, shaped, command: values.shell ? ["/bin/bash", ...command] : command, size, slowdown };
}

async function main(): Promise<number> {
  const { signal } = interrupted;
  const args = readArguments();
  const kept = await keptVm(cacheDir, checkout);
  if (args.stop) {
    if (kept !== undefined) await endVm(kept);
    await forgetVm(cacheDir, checkout);
    log(kept === undefined ? "none was running" : "ended");
    return 0;
  }
  if (args.command.length === 0) args.refuse("Name a command to run inside, or --shell");
  if (kept !== undefined && args.shaped) {
    args.refuse("A VM is running that was booted with other settings, maybe; end it first, with --stop");
  }
  const session = { checkout, cacheDir, size: args.size, slowdown: args.slowdown, keep: args.keep, log, signal };
  await buildBoxParts(session);
  const vm = kept ?? (await startOuterVm(session));
  try {
    if (args.keep) await rememberVm(cacheDir, checkout, vm);
    const tty = process.stdin.isTTY && process.stdout.isTTY;
    return await runInside(vm, { checkout, cacheDir, command: args.command, env: environment(args.env), tty, signal });
  } finally {
    if (kept === undefined && !args.keep) await endVm(vm);
  }
}

function environment(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? [pair, process.env[pair] ?? ""] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!interrupted.signal.aborted) log(toBoxRunError(error).message);
  process.exitCode = interrupted.signal.aborted ? 130 : 125;
}
