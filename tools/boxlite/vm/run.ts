import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import { locateAgent } from "@boxrun/guest-agent";
import { isAlive } from "@boxrun/host";
import { locateGuest } from "../../../packages/engine-qemu/src/guest-build/locate.ts";
import { basePointerFile, locateBase } from "../../../packages/images/src/base/cache.ts";
import type { RunningVm } from "./boot.ts";
import { quote, ssh } from "./ssh.ts";

export interface Run {
  readonly checkout: string;
  readonly cacheDir: string;
  /** Program and arguments, run in the checkout's root. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Connect the command to this process's terminal. */
  readonly tty?: boolean;
  /** Gets the lines of both outputs, and the command no standard input; without it they are this process's own. */
  readonly onLine?: ((line: string) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Variables that a command inside gets from here. */
const passedOn = ["CI", "FORCE_COLOR", "NO_COLOR", "TERM"];

/** The VM's own cache directory. */
const cacheInside = "/root/.cache/boxrun";

/** Where in a cache directory `boxrun` (packages/cli/bin/boxrun.js) lets Node.js keep the modules that it has compiled and stripped of types. */
const compileCache = "compile";

/**
 * Gives the VM what set-up built for the checkout, base image, agent and guest, where its programs look for it, and what Node.js has compiled on the
 * host; only when the VM does not have it yet.
 */
async function feedCache(vm: RunningVm, cacheDir: string, signal: AbortSignal): Promise<void> {
  const base = await locateBase(cacheDir);
  const agent = dirname(locateAgent(cacheDir).file);
  const guest = locateGuest(cacheDir).dir;
  const fed = join(vm.dir, "fed");
  const now = `${base}\n${agent}\n${guest}\n`;
  if ((await readFile(fed, "utf8").catch(() => "")) === now) return;
  const parts = [agent, guest].flatMap((part) => [join(dirname(part), "current.json"), part]);
  const paths = [basePointerFile(cacheDir), base, ...parts];
  const compiled = join(cacheDir, compileCache);
  if (existsSync(compiled)) paths.push(compiled);
  const given = paths.map((path) => relative(cacheDir, path));
  await send(vm, ["-C", cacheDir, ...given], `mkdir -p ${cacheInside} && tar -x -C ${cacheInside}`, signal);
  await writeFile(fed, now);
}

/** A file of the VM's; `undefined` if it is not there. */
export async function readFileInside(vm: RunningVm, path: string, signal: AbortSignal): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  const stdout = (chunk: Buffer) => void chunks.push(chunk);
  const code = await ssh(vm.dir, `cat ${quote(path)}`, { stdout, signal });
  return code === 0 ? Buffer.concat(chunks).toString("utf8") : undefined;
}

/**
 * Sends the checkout as it is now and runs the command on that copy, its output going to ours. Its exit code; 255 if the connection fails.
 * RUNTIME_ERROR, saying how, if the VM ends.
 */
export async function runInside(vm: RunningVm, run: Run): Promise<number> {
  const code = await sendAndRun(vm, run);
  if (code !== 255 || isAlive(vm.qemu)) return code;
  const how = (await vm.ended) ?? "has ended";
  throw new BoxRunError("RUNTIME_ERROR", `the outer VM ended under the command: QEMU ${how}`);
}

async function sendAndRun(vm: RunningVm, run: Run): Promise<number> {
  await feedCache(vm, run.cacheDir, run.signal);
  const sources = `/scratch/sources-${process.pid}-${Date.now()}.tar`;
  const exclude = ["--exclude=./node_modules", "--exclude=./.git"];
  await send(vm, ["-C", run.checkout, ...exclude, "."], `cat >${sources}`, run.signal);
  const kept = passedOn.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]] as const],
  );
  const env = {
    NODE_COMPILE_CACHE: `${cacheInside}/${compileCache}`,
    ...Object.fromEntries(kept),
    ...run.env,
    SOURCES: sources,
    NOW: `${Math.ceil(Date.now() / 1000)}`,
  };
  const words = [
    "env",
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...["/run/boxlite/run", run.checkout, ...run.command],
  ];
  const command = words.map(quote).join(" ");
  const { tty = false, onLine, signal } = run;
  if (onLine === undefined) return ssh(vm.dir, command, { stdin: "inherit", tty, signal });
  const output = new PassThrough();
  const lines = createInterface({ input: output }).on("line", onLine);
  const code = await ssh(vm.dir, `${command} 2>&1`, { stdout: (chunk) => void output.write(chunk), signal });
  output.end();
  await once(lines, "close");
  return code;
}

async function send(vm: RunningVm, tarArgs: readonly string[], command: string, signal: AbortSignal): Promise<void> {
  const tar = spawn("tar", ["-c", ...tarArgs], { stdio: ["ignore", "pipe", "inherit"], signal });
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.once("error", reject);
    tar.once("close", resolve);
  });
  const [packed, status] = await Promise.all([ended, ssh(vm.dir, command, { stdin: tar.stdout, signal })]);
  // 1: a file changed while it was read, as files of a checkout may.
  if (status !== 0 || (packed !== 0 && packed !== 1)) {
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `send files into the outer VM: tar ended with ${packed}, the VM's end with ${status}`,
    );
  }
}
