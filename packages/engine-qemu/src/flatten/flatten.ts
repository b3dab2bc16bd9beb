import { type ChildProcess, fork, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { BoxRunError } from "@boxrun/contract";
import { keepTail, requireTool } from "@boxrun/host";
import type { Layer } from "./layer-content.ts";
import { readLayers } from "./layers.ts";
import { type MergeCommand, type MergeMessage, mergeMessageSchema } from "./merge-messages.ts";

export interface FlattenOptions {
  /** An OCI image layout directory whose index names exactly one image. */
  readonly layoutDir: string;
  /** Where the squashfs goes; its directory must exist. It appears there complete or not at all. */
  readonly outFile: string;
  readonly signal: AbortSignal;
}

/** Runs as it is from the sources and, with the other ending, from what is published. */
const mergeProcess = fileURLToPath(new URL(`./merge-process${extname(import.meta.url)}`, import.meta.url));

/**
 * lz4 unpacks fastest, which counts where the guest's CPU is emulated.
 *
 * The same layers give the same file, byte for byte. For that, sqfstar gets SOURCE_DATE_EPOCH as well: 4.5.1 ignores -root-time and
 * stamps the root with the present, but not with anything later than that variable, which is set to the image's youngest time stamp.
 */
const sqfstarOptions = ["-comp", "lz4", "-mem", "256M", "-no-progress", "-quiet", "-exit-on-error"];

/** Room for as many entries as merge.ts takes; an image that still needs more ends that process, not the server. */
const mergeOptions = ["--max-old-space-size=1536"];

/**
 * Merges an image's layers into one read-only squashfs, with owners, modes, devices, hard links, times and the xattrs that squashfs
 * can hold (`user.`, `trusted.`, `security.`), and needs no root for it: `merge-process.ts` turns the layers into one tar, `sqfstar` that
 * tar into the file system. Both are processes of their own, so that the server neither waits for nor grows with an image.
 *
 * IMAGE_PULL_FAILED for layers that are damaged, unsupported, or try to leave the root; RUNTIME_ERROR for what this host lacks (the
 * program, disk space). An abort rejects with the signal's reason. Nothing but a complete `outFile` is ever left.
 */
export async function flattenImage(options: FlattenOptions): Promise<void> {
  const { layoutDir, outFile, signal } = options;
  signal.throwIfAborted();
  const sqfstarPath = requireTool("sqfstar", "unpack the image");
  const layers = await readLayers(layoutDir).catch((error: unknown) => {
    throw new BoxRunError("IMAGE_PULL_FAILED", `unpack the image: ${layoutDir} is no OCI layout of one image`, {
      cause: error,
    });
  });
  const scratch = `${outFile}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await writeSquashfs(sqfstarPath, layers, scratch, signal);
    await syncFile(scratch);
    signal.throwIfAborted();
    await rename(scratch, outFile);
  } finally {
    await rm(scratch, { force: true });
  }
}

async function writeSquashfs(
  sqfstarPath: string,
  layers: readonly Layer[],
  file: string,
  signal: AbortSignal,
): Promise<void> {
  await using processes = new Processes(signal);
  const merger = fork(mergeProcess, [], { execArgv: mergeOptions, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const mergerEnd = processes.watch(merger);
  const mergerMessages = new MergeMessages(merger);
  const mergerErrors = keepTail(piped(merger.stderr), 4096);
  const verdict = async (): Promise<MergeMessage> => {
    const message = await Promise.race([mergerMessages.next(), mergerEnd]);
    signal.throwIfAborted();
    if (typeof message === "string") throw failed(`the merging process ${message}`, mergerErrors.text());
    if (message.kind === "failed") throw failed("merging its layers failed", message.message);
    if (message.kind === "refused") throw new BoxRunError("IMAGE_PULL_FAILED", `unpack the image: ${message.message}`);
    return message;
  };

  tellMerger(merger, { kind: "read", layers });
  const ready = await verdict();
  if (ready.kind !== "ready") throw failed("the merging process ended early", mergerErrors.text());
  // sqfstar gets the pipe itself: no byte of the image goes through this process, which lets go of it before the first is written.
  const tar = piped(merger.stdout);
  const sqfstar = spawn(sqfstarPath, [...sqfstarOptions, ...rootOptions(ready.root), file], {
    stdio: [tar, "ignore", "pipe"],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(ready.newestMtime) },
  });
  const sqfstarEnd = processes.watch(sqfstar);
  const sqfstarErrors = keepTail(piped(sqfstar.stderr), 4096);
  tar.destroy();
  tellMerger(merger, { kind: "write" });

  // A tar that ends early is a complete one to sqfstar: what it made counts only if the merging process says `done`.
  const end = await verdict();
  const how = await sqfstarEnd;
  signal.throwIfAborted();
  if (how !== success || end.kind !== "done") throw sqfstarError(how, sqfstarErrors.text(), file);
}

function rootOptions(root: { mode: number; uid: number; gid: number; mtime: number }): string[] {
  const values = {
    "-root-mode": root.mode.toString(8),
    "-root-uid": root.uid,
    "-root-gid": root.gid,
    "-root-time": root.mtime,
  };
  return Object.entries(values).flatMap(([option, value]) => [option, String(value)]);
}

/** A process that can't be told anything has ended, which is noticed where its end is waited for. */
function tellMerger(merger: ChildProcess, command: MergeCommand): void {
  merger.send(command, () => undefined);
}

/** Child processes that end with the scope or the signal, whichever is first. */
class Processes {
  readonly #ends: Promise<string>[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #signal: AbortSignal;
  readonly #kill = () => {
    for (const child of this.#children) child.kill("SIGKILL");
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#kill, { once: true });
  }

  /** Resolves with how the process ended, in words; never rejects. */
  watch(child: ChildProcess): Promise<string> {
    this.#children.push(child);
    const end = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(`could not be started: ${error.message}`));
      child.once("close", (code, signal) => resolve(code === null ? `was killed by ${signal}` : `ended with ${code}`));
    });
    this.#ends.push(end);
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#kill);
    this.#kill();
    await Promise.all(this.#ends);
  }
}

/** The messages of a merging process, one after the other. */
class MergeMessages {
  readonly #queue: MergeMessage[] = [];
  #waiting: ((message: MergeMessage) => void) | undefined;

  constructor(merger: ChildProcess) {
    merger.on("message", (received) => {
      const parsed = mergeMessageSchema.safeParse(received);
      const message = parsed.data ?? { kind: "failed", message: "it sent a message that makes no sense" };
      if (this.#waiting === undefined) this.#queue.push(message);
      else this.#waiting(message);
      this.#waiting = undefined;
    });
  }

  next(): Promise<MergeMessage> {
    const queued = this.#queue.shift();
    if (queued !== undefined) return Promise.resolve(queued);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
}

const success = "ended with 0";

function sqfstarError(how: string, said: string, file: string): BoxRunError {
  if (/no space left|disk quota|out of space/i.test(said)) {
    return new BoxRunError(
      "RUNTIME_ERROR",
      `unpack the image: the host's disk is full at ${dirname(file)}; make room and try again`,
    );
  }
  return failed(`sqfstar ${how}`, said);
}

function failed(what: string, said: string): BoxRunError {
  return new BoxRunError("RUNTIME_ERROR", `unpack the image: ${what}: ${said || "it said nothing"}`);
}

async function syncFile(file: string): Promise<void> {
  await using handle = await open(file, "r");
  await handle.sync();
}

function piped<T>(stream: T | null): T {
  if (stream === null) throw new BoxRunError("INTERNAL_ERROR", "unpack the image: a child process has no pipe");
  return stream;
}
