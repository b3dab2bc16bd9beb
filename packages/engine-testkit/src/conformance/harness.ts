import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { FileEntry } from "@boxrun/contract";
import type {
  Adoption,
  BoxSpec,
  CreateOptions,
  Engine,
  EngineExec,
  ExecExit,
  ExecSpec,
  OutputOffsets,
} from "@boxrun/core";
import { onTestFinished } from "vitest";
import { type ConformanceOptions, conformanceDefaults } from "./options.ts";

export interface Result {
  readonly exit: ExecExit;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** How much output may be read before it is acknowledged: less than any engine's spool. */
const acknowledgeEveryBytes = 128 * 1024;

/** The shared box's working directory, which no image has. */
export const missingWorkdir = "/srv/conformance/work";
const conformanceNote = JSON.stringify({ of: "the shared box", bytes: "\u0000ä😀" });

/** One engine under test, its boxes, and what tests do with them again and again. */
export class Harness {
  readonly options: ConformanceOptions;
  readonly #specs = new Map<string, BoxSpec>();
  /** Boxes that run and belong to no test, by `handOn`. */
  readonly #spare: string[] = [];
  #engine: Engine | undefined;
  #shared: string | undefined;
  readonly #others = new Map<string, Promise<string>>();
  readonly #adoptions = new Map<string, Adoption>();

  constructor(options: ConformanceOptions) {
    this.options = options;
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error("the engine is made before the first behaviour runs");
    return this.#engine;
  }

  /** The box that most behaviours share; each leaves it running and uses files of its own. */
  get box(): string {
    if (this.#shared === undefined) throw new Error("the shared box is made before the first behaviour runs");
    return this.#shared;
  }

  async open(): Promise<void> {
    this.#engine = await this.options.makeEngine();
    this.#shared = await this.create(
      this.spec({ hostname: "conformance", workdir: missingWorkdir, note: conformanceNote }),
    );
  }

  async close(): Promise<void> {
    for (const id of this.#specs.keys()) await this.#engine?.remove(id);
    await this.#engine?.close();
  }

  /** The shared box's. */
  get note(): string {
    return conformanceNote;
  }

  spec(changes: Partial<BoxSpec> = {}): BoxSpec {
    return {
      id: newId("box"),
      hostname: "box",
      workdir: "/root",
      image: this.options.image,
      ...(this.options.box ?? conformanceDefaults.box),
      network: false,
      volumes: [],
      ...changes,
    };
  }

  /** A box for this test alone, removed when it is over. */
  async freshBox(changes: Partial<BoxSpec> = {}): Promise<string> {
    const spec = this.spec(changes);
    this.removeAfterTest(spec.id);
    return await this.create(spec);
  }

  /** A box of which the test may make what it likes: one that another has handed on, or else a fresh one. Removed when the test is over. */
  async anyBox(): Promise<string> {
    const spare = this.#spare.shift();
    if (spare === undefined) return await this.freshBox();
    this.removeAfterTest(spare);
    return spare;
  }

  /** Said at the end of a test that leaves a box running: it is not removed, and another test may have it. A boot takes longer than most tests. */
  handOn(...boxIds: readonly string[]): void {
    this.#spare.push(...boxIds);
  }

  /** Another box that tests share, by its host name, for what the first can't be; made when first asked for. */
  otherBox(hostname: string, changes: Partial<BoxSpec> = {}): Promise<string> {
    const box = this.#others.get(hostname) ?? this.create(this.spec({ hostname, ...changes }));
    this.#others.set(hostname, box);
    return box;
  }

  specOf(boxId: string): BoxSpec {
    const spec = this.#specs.get(boxId);
    if (spec === undefined) throw new Error(`${boxId} was not made by this harness`);
    return spec;
  }

  removeAfterTest(boxId: string): void {
    onTestFinished(async () => {
      if (this.#spare.includes(boxId)) return;
      await this.engine.remove(boxId);
      this.#specs.delete(boxId);
    });
  }

  /** As a restart of the server: lets go of everything, and takes over what is there. */
  async restart(whileGone: () => Promise<void> = async () => undefined): Promise<void> {
    await this.engine.close();
    try {
      await whileGone();
    } finally {
      this.#engine = await this.options.makeEngine();
    }
    for (const spec of this.#specs.values()) {
      this.#adoptions.set(spec.id, await this.#engine.adopt(spec, { signal: never() }));
    }
  }

  /** What the last restart found of a box. */
  adoption(boxId: string): Adoption | undefined {
    return this.#adoptions.get(boxId);
  }

  /** As the engine's own, and the harness knows the box. */
  async create(
    spec: BoxSpec,
    { signal = never(), onEngineId = () => undefined }: Partial<CreateOptions> = {},
  ): Promise<string> {
    this.#specs.set(spec.id, spec);
    await this.engine.create(spec, { signal, onEngineId });
    return spec.id;
  }

  start(boxId: string, cmd: readonly string[], changes: Partial<ExecSpec> = {}): Promise<EngineExec> {
    return this.engine.exec(boxId, execSpec(cmd, changes));
  }

  async run(cmd: readonly string[], changes: Partial<ExecSpec> = {}, boxId: string = this.box): Promise<Result> {
    return await collect(await this.start(boxId, cmd, changes));
  }

  /** A shell script in the shared box that must succeed; its standard output, without the last newline. */
  async sh(script: string, boxId: string = this.box): Promise<string> {
    const { exit, stdout, stderr } = await this.run(["sh", "-c", script], {}, boxId);
    if (exit.code !== 0) throw new Error(`${script}\nended with ${exit.code} ${exit.message ?? ""}: ${stderr}`);
    return stdout.toString("utf8").replace(/\n$/, "");
  }

  async write(path: string, content: string | Buffer | Readable, boxId: string = this.box): Promise<void> {
    const stream = content instanceof Readable ? content : Readable.from(Buffer.from(content), { objectMode: false });
    await this.engine.writeFile(boxId, path, stream, { signal: never() });
  }

  async read(path: string, boxId: string = this.box): Promise<Buffer> {
    const { content } = await this.engine.readFile(boxId, path, { signal: never() });
    return await buffer(content);
  }

  async names(directory: string, boxId: string = this.box): Promise<string[]> {
    return (await this.list(directory, boxId)).map(({ name }) => name);
  }

  async list(directory: string, boxId: string = this.box): Promise<FileEntry[]> {
    return await Array.fromAsync(this.engine.listFiles(boxId, directory, { signal: never() }));
  }

  /** A directory in the box that no other test uses; it does not exist yet. */
  newPath(): string {
    return `/root/test-${randomBytes(6).toString("hex")}`;
  }
}

export function execSpec(cmd: readonly string[], changes: Partial<ExecSpec> = {}): ExecSpec {
  return {
    id: newId("exec"),
    cmd,
    env: {},
    workdir: "/root",
    user: null,
    stdin: false,
    tty: null,
    timeoutMs: null,
    ...changes,
  };
}

export function newId(kind: "box" | "exec"): string {
  return `${kind}_${randomBytes(9).toString("base64url")}`;
}

/** A signal that does not abort. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** All of an exec's output from the offsets on, and its end. Fails on a byte that is missing, repeated or out of order. */
export async function collect(exec: EngineExec, from: OutputOffsets = { stdout: 0, stderr: 0 }): Promise<Result> {
  const reader = new OutputReader(exec, from);
  while (await reader.next());
  return { exit: await exec.exit, stdout: reader.bytes("stdout"), stderr: reader.bytes("stderr") };
}

/** Reads an exec's output a chunk at a time, checks each chunk's place, and acknowledges as a server does. */
export class OutputReader {
  readonly #exec: EngineExec;
  readonly #chunks: AsyncIterator<{ stream: "stdout" | "stderr"; offset: number; data: Uint8Array }>;
  readonly #kept: { readonly stdout: Uint8Array[]; readonly stderr: Uint8Array[] } = { stdout: [], stderr: [] };
  #offsets: { stdout: number; stderr: number };
  #unacknowledged = 0;

  constructor(exec: EngineExec, from: OutputOffsets = { stdout: 0, stderr: 0 }) {
    this.#exec = exec;
    this.#chunks = exec.output[Symbol.asyncIterator]();
    this.#offsets = { ...from };
  }

  get offsets(): OutputOffsets {
    return { ...this.#offsets };
  }

  /** `false` at the end of the output. */
  async next(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done === true) return false;
    const { stream, offset, data } = value;
    if (offset !== this.#offsets[stream]) {
      throw new Error(`${stream} goes on at byte ${offset} where byte ${this.#offsets[stream]} was expected`);
    }
    if (data.length === 0) throw new Error(`an empty chunk of ${stream}`);
    this.#offsets[stream] += data.length;
    this.#kept[stream].push(Buffer.from(data));
    this.#unacknowledged += data.length;
    if (this.#unacknowledged >= acknowledgeEveryBytes) this.acknowledge();
    return true;
  }

  acknowledge(): void {
    this.#unacknowledged = 0;
    this.#exec.acknowledge(this.offsets);
  }

  bytes(stream: "stdout" | "stderr"): Buffer {
    return Buffer.concat(this.#kept[stream]);
  }

  /** Reads on until the text has come; what came so far on standard output. */
  async until(text: string): Promise<string> {
    for (;;) {
      const soFar = this.bytes("stdout").toString("utf8");
      if (soFar.includes(text)) return soFar;
      if (!(await this.next())) throw new Error(`the output ended before ${JSON.stringify(text)}: ${soFar}`);
    }
  }
}

/** Writes to an exec's standard input. */
export async function type(
  exec: EngineExec,
  content: string | Buffer,
  options: { readonly eof: boolean; readonly offset?: number },
): Promise<void> {
  const stream = Readable.from(Buffer.from(content), { objectMode: false });
  await exec.writeStdin(stream, { ...options, signal: never() });
}

/** Asks again until it is so; each question is a round trip to the box or host, which paces it. */
export async function eventually(what: string, deadlineMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what}: not so after ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
