import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { constants } from "node:os";
import { Duplex } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import { boxDirVariable, keepTail, type ProcessRef, processRef } from "@boxrun/host";
import { z } from "zod";
import { type BoxCgroup, startedIn } from "./started-in.ts";

/** A process of a box: in a session of its own, so that it outlives the server. */
export interface DetachedProcess {
  readonly ref: ProcessRef;
  /** Resolves when it ends while this server is there: with how, and its last words. */
  readonly ended: Promise<string>;
}

/** A program that is started by bwrap, which tells its pid on descriptor 3 and, if told to, waits for a word on 4 before it goes on. */
interface Wrapped {
  readonly beforeGo: (pid: number) => Promise<void>;
}

/** What bwrap tells of its child. */
const wrappedInfoSchema = z.object({ "child-pid": z.int().positive() });

export interface DetachOptions {
  readonly wrapped?: Wrapped;
  /** Open files that it gets: its descriptors from `firstPassed` on. */
  readonly files?: readonly number[];
  /** What it is started in. */
  readonly cgroup?: BoxCgroup | undefined;
}

/** Behind the three that every program has, and bwrap's two. */
export const firstPassed = 5;

/** Starts one with the box's directory as its working directory. RUNTIME_ERROR if the program can't be started. */
export async function spawnDetached(
  program: string,
  args: readonly string[],
  boxDir: string,
  { wrapped, files = [], cgroup }: DetachOptions = {},
): Promise<DetachedProcess> {
  const ofBwrap: readonly ("pipe" | "ignore")[] = wrapped === undefined ? ["ignore", "ignore"] : ["pipe", "pipe"];
  const further: ("pipe" | "ignore" | number)[] =
    wrapped === undefined && files.length === 0 ? [] : [...ofBwrap, ...files];
  const command = startedIn(cgroup, program, args);
  const child: ChildProcess = spawn(command.program, command.args, {
    cwd: boxDir,
    detached: true,
    // Its last words are read while somebody reads; nothing that it writes becomes a file.
    stdio: ["ignore", "ignore", "pipe", ...further],
    env: { PATH: process.env.PATH ?? "", LANG: "C", [boxDirVariable]: boxDir },
  });
  const ended = endOf(child, wrapped !== undefined);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) =>
      reject(new BoxRunError("RUNTIME_ERROR", `start ${program}: ${error.message}`, { cause: error })),
    );
  });
  child.on("error", () => undefined);
  const ref = wrapped === undefined ? refOf(child.pid) : await refOfWrapped(child, wrapped);
  if (ref === undefined) throw new BoxRunError("RUNTIME_ERROR", `start ${program}: it ${await ended}`);
  child.unref();
  if (child.stderr instanceof Socket) child.stderr.unref();
  return { ref, ended };
}

function endOf(child: ChildProcess, isWrapped: boolean): Promise<string> {
  const errors = child.stderr === null ? undefined : keepTail(child.stderr, 4096);
  return new Promise((resolve) => {
    child.once("close", (code, signal) => {
      const words = errors?.text() ?? "";
      const how = describeEnd(code, signal, isWrapped);
      resolve(words === "" ? how : `${how}: ${words}`);
    });
  });
}

/** bwrap ends as a shell does when its child was killed: with 128 and the signal's number. */
function describeEnd(code: number | null, signal: string | null, isWrapped: boolean): string {
  const number = (code ?? 0) - 128;
  const ofChild = Object.entries(constants.signals).find(([, value]) => isWrapped && value === number)?.[0];
  const name = signal ?? ofChild;
  return name === undefined ? `ended with ${code}` : `was killed by ${name}`;
}

function refOf(pid: number | undefined): ProcessRef | undefined {
  return pid === undefined ? undefined : processRef(pid);
}

/** `undefined` if it has ended before it began. */
async function refOfWrapped(child: ChildProcess, { beforeGo }: Wrapped): Promise<ProcessRef | undefined> {
  const [, , , told, go] = child.stdio;
  if (!(told instanceof Duplex) || !(go instanceof Duplex)) throw new Error("bwrap was started without pipes");
  go.on("error", () => undefined);
  try {
    const pid = await pidFrom(told);
    const ref = refOf(pid);
    if (pid === undefined || ref === undefined) return undefined;
    await beforeGo(pid);
    return ref;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    // Closed, and not just ended: bwrap need not close its end, and an open one would keep this server from ending.
    go.end("\n", () => go.destroy());
    told.destroy();
  }
}

async function pidFrom(told: Duplex): Promise<number | undefined> {
  let text = "";
  for await (const chunk of told) {
    text += String(chunk);
    // It ends with its only closing brace, and is far shorter.
    if (text.includes("}") || text.length > 4096) break;
  }
  return text === "" ? undefined : wrappedInfoSchema.parse(JSON.parse(text))["child-pid"];
}
