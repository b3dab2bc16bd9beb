import type {
  Box,
  BoxStats,
  BoxStatus,
  Exec,
  Image,
  ListeningPort,
  Session,
  StoppedBox,
  TerminalSize,
} from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import type { Boxes } from "../boxes.ts";
import type { ExecEvent, ExecEventsOptions, ExecStarted } from "../exec-events.ts";
import type { Execs } from "../execs.ts";
import type { Files } from "../files.ts";
import type { CallOptions } from "../http.ts";
import type { PortConnection } from "../ports/connection.ts";
import type { Ports } from "../ports/ports.ts";
import type { Sessions } from "../sessions.ts";
import type { Stats } from "../stats.ts";
import type { AttachOptions } from "../terminal/attach.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { type ExecOptions, type ExecStreamOptions, openStream, runToEnd } from "./exec.ts";
import { ExecStream } from "./exec-stream.ts";
import { BoxFiles } from "./files.ts";
import type { ExecResult } from "./output.ts";

/** The API's resources, by which a handle does what it does; BoxRunClient is them. */
export interface Resources {
  readonly boxes: Boxes;
  readonly execs: Execs;
  readonly files: Files;
  readonly sessions: Sessions;
  readonly ports: Ports;
  readonly stats: Stats;
  attach(box: string, options: AttachOptions): Promise<Terminal>;
}

export type BoxAttachOptions = Omit<AttachOptions, "size"> & {
  /** Default: 80 × 24. */
  readonly size?: TerminalSize | undefined;
};

/** A box, to be driven. `await using` removes it at the end, with its disk. */
export class BoxHandle implements AsyncDisposable {
  readonly files: BoxFiles;
  readonly #api: Resources;
  #info: Box;

  constructor(api: Resources, info: Box) {
    this.#api = api;
    this.#info = info;
    this.files = new BoxFiles(api.files, info.id);
  }

  get id(): string {
    return this.#info.id;
  }

  get name(): string | null {
    return this.#info.name;
  }

  get status(): BoxStatus {
    return this.#info.status;
  }

  /** The box as the server last told it to this handle, in the API's words; `refresh` asks again. */
  get info(): Box {
    return this.#info;
  }

  async refresh(options: CallOptions = {}): Promise<Box> {
    this.#info = await this.#api.boxes.get(this.id, options);
    return this.#info;
  }

  /** Boots it on the disk that it has. */
  async start(options: CallOptions = {}): Promise<Box> {
    this.#info = await this.#api.boxes.start(this.id, options);
    return this.#info;
  }

  /** Its disk is kept. `timeoutMs`: what programs get between SIGTERM and SIGKILL, by default 10 s. The answer says which had to be killed. */
  async stop(options: CallOptions & { readonly timeoutMs?: number | undefined } = {}): Promise<StoppedBox> {
    const stopped = await this.#api.boxes.stop(this.id, options);
    this.#info = stopped;
    return stopped;
  }

  /** Sets when it expires, in seconds from now; `null`: never. `onExpiry`: as it was, if missing. */
  async extend(
    ttlSeconds: number | null,
    options: CallOptions & { readonly onExpiry?: "stop" | "remove" | undefined } = {},
  ): Promise<Box> {
    this.#info = await this.#api.boxes.extend(this.id, ttlSeconds, options);
    return this.#info;
  }

  /** Makes an image of it under that name, once it is stopped: what is on its disk, for other boxes. `replace`: also of a name that is taken. */
  commit(reference: string, options: CallOptions & { readonly replace?: boolean | undefined } = {}): Promise<Image> {
    return this.#api.boxes.commit(this.id, reference, options);
  }

  /** With its disk, its commands and their output. `force`: also while it runs. */
  async remove(options: CallOptions & { readonly force?: boolean | undefined } = {}): Promise<void> {
    await this.#api.boxes.remove(this.id, options);
  }

  /** Runs a command to its end. A failing one is a result; with `check` it is a CommandFailed. */
  exec(cmd: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return runToEnd(this.#api.execs, this.id, cmd, options);
  }

  /** Runs a line of shell: `box.shell("ls | wc -l")`. */
  shell(line: string, options: ExecOptions = {}): Promise<ExecResult> {
    return this.exec(["sh", "-c", line], options);
  }

  /** Starts a command at once, and tells its output as it comes. */
  execStream(cmd: readonly string[], options: ExecStreamOptions = {}): ExecStream {
    return openStream(this.#api.execs, this.id, cmd, options);
  }

  /** A command that was started before, by whomever: its output from the beginning (or behind the event `after`), then live. */
  follow(exec: string, options: ExecEventsOptions = {}): ExecStream {
    return new ExecStream(this.#api.execs, knownThenEvents(this.#api.execs, this.id, exec, options), options.signal);
  }

  /** Its commands, newest first, 10,000 at most. */
  execs(options: CallOptions = {}): Promise<Exec[]> {
    return this.#api.execs.list(this.id, options);
  }

  /** What it uses now. */
  stats(options: CallOptions = {}): Promise<BoxStats> {
    return this.#api.stats.get(this.id, options);
  }

  /** What it uses, every two seconds, until it runs no more. */
  followStats(options: CallOptions = {}): AsyncGenerator<BoxStats> {
    return this.#api.stats.follow(this.id, options);
  }

  /** Shells that outlive their clients, newest first; `attach` with a `session` starts them. */
  sessions(options: CallOptions = {}): Promise<Session[]> {
    return this.#api.sessions.list(this.id, options);
  }

  /** Ends it, and everything that was started in it. */
  removeSession(name: string, options: CallOptions = {}): Promise<void> {
    return this.#api.sessions.remove(this.id, name, options);
  }

  /** A terminal on a shell, or on the session of that name, which goes on when this one leaves. */
  attach({ size = { cols: 80, rows: 24 }, ...options }: BoxAttachOptions = {}): Promise<Terminal> {
    return this.#api.attach(this.id, { ...options, size });
  }

  /** The TCP ports on which something in the box listens. */
  ports(options: CallOptions = {}): Promise<ListeningPort[]> {
    return this.#api.ports.list(this.id, options);
  }

  /** A TCP connection to a port of the box, which needs no network for that. */
  connect(port: number, options: CallOptions = {}): Promise<PortConnection> {
    return this.#api.ports.connect(this.id, port, options);
  }

  /** Removes it, running or not, if it is still there. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.remove({ force: true });
    } catch (error) {
      if (!(error instanceof BoxRunError) || error.code !== "BOX_NOT_FOUND") throw error;
    }
  }
}

async function* knownThenEvents(
  execs: Execs,
  box: string,
  id: string,
  options: ExecEventsOptions,
): AsyncGenerator<ExecStarted | ExecEvent> {
  yield { event: "exec", exec: await execs.get(box, id, options) };
  yield* execs.events(box, id, options);
}
