import type { Duplex, Readable } from "node:stream";
import type { Environment, FileChange, FileEntry, SignalName, TerminalSize } from "@boxrun/contract";

/**
 * The engine port: what the core asks of whatever runs boxes. Every promise below is a test of the conformance suite
 * (packages/engine-testkit); an adapter that can't keep one says so in `capabilities`, and the suite prints it.
 *
 * Errors: every method rejects with a BoxRunError. RUNTIME_ERROR carries the engine's own reason; BOX_UNREACHABLE says that a running box
 * has not answered, so that nobody knows whether it has done what it was asked; other codes are named at the method. Methods may be called concurrently, for the same box too, unless said otherwise.
 *
 * Whoever reads a stream of bytes, either way, has its pieces to itself, and may give their memory back (`releaseMemory`).
 */
export interface Engine {
  readonly name: string;

  /** Cheap enough for every `GET /v1/info`; probes at most once per process. Never rejects: a broken engine is `ready: false`. */
  describe(): Promise<EngineDescription>;

  /**
   * Makes the box's disk and boots it; resolves once it takes execs. If it rejects, or `signal` aborts, nothing of the box is left
   * (process, disk, socket). `onEngineId` is called as soon as the engine's own id is known, before anything is started.
   */
  create(spec: BoxSpec, options: CreateOptions): Promise<void>;

  /**
   * Makes a box of which nobody has said yet what only its owner says: host name, working directory and note (`spec.note` is kept until then). It takes no execs before a `create` with the
   * same id, which then takes a fraction of the time, if image and size are the same and the VM is well, and else makes the box from the beginning. `remove` ends it. If it rejects, or
   * `signal` aborts, nothing of it is left. An engine without the capability `prepared-boxes` leaves it out.
   */
  prepare?(spec: BoxSpec, options: PrepareOptions): Promise<void>;

  /**
   * Makes what new boxes like this begin with, so that already the first one comes up as fast as those after it. Nothing runs any more when this settles. Resolves with
   * whether anything was missing; rejects if it can't be made here, or `signal` aborts. An engine whose boxes begin with nothing leaves it out.
   */
  anticipate?(spec: BoxSpec, options: { readonly signal: AbortSignal }): Promise<boolean>;

  /** Boots a stopped or dead box on the disk that it has. If it rejects, the box is stopped and its disk is kept. A running box: no-op. */
  start(spec: BoxSpec, options: { readonly signal: AbortSignal }): Promise<void>;

  /**
   * Ends what runs in the box, by SIGTERM and `graceMs` later by SIGKILL, flushes the disk and ends the VM: politely and then by force, within
   * 30 s more. A box that is not running: no-op.
   */
  stop(boxId: string, options?: { readonly graceMs: number }): Promise<StopReport>;

  /** Ends the VM by force and destroys everything of it. Idempotent: an unknown box is a success. */
  remove(boxId: string): Promise<void>;

  /**
   * Finds the VM of a box that should be running and takes it over, from an earlier server or after a silence; asks it also if it was taken
   * over before. Within 15 s, and earlier if `signal` aborts. Ends nothing, and may be asked again.
   */
  adopt(spec: BoxSpec, options: { readonly signal: AbortSignal }): Promise<Adoption>;

  /**
   * Gives `take` all of a box's disk that an image can be made of, as the tar of its layer: docs/guest-protocol.md says what of it (`GET /image`). The
   * box is not running, and is not when this settles; its volumes and its network are left alone. Rejects if `take` does, or the stream breaks
   * off, or `signal` aborts. BOX_ALREADY_RUNNING.
   */
  readDisk<T>(spec: BoxSpec, options: TransferOptions, take: (tar: Readable) => Promise<T>): Promise<T>;

  /** Ids of every box that the engine holds anything of, known to the server or not: what recovery reports. */
  listBoxes(): Promise<readonly string[]>;

  /** The `note` that the box was last created or started with; `undefined` if there is none. */
  recall(boxId: string): Promise<string | undefined>;

  /**
   * Tells within a second of a VM's death that nobody asked for, whether it was created, started or adopted. Execs of that box have
   * settled (`exit` rejected) before or do so right after. Returns the unsubscribe function.
   */
  onDeath(listener: (death: BoxDeath) => void): () => void;

  /** What of a running box does not work though its VM does, for a person: its network, a volume. An engine that can't know leaves it out. */
  impairment?(boxId: string): string | undefined;

  /** Tells, within seconds, that a box's `impairment` has changed. Returns the unsubscribe function. */
  onImpairment?(listener: (boxId: string) => void): () => void;

  /**
   * Starts a command. Resolves once the engine has taken it, with the command started or ended as `not_started`; rejects only if the
   * box could not be asked (BOX_NOT_RUNNING, BOX_UNREACHABLE, RUNTIME_ERROR). The same `spec.id` again starts nothing and returns the exec.
   */
  exec(boxId: string, spec: ExecSpec): Promise<EngineExec>;

  /**
   * The exec of an earlier server, or of a box that had fallen silent, its output from the given offsets on; `undefined` if the box itself says
   * that it doesn't have it (any more), or the engine can't keep execs apart from the server (capability `exec-resume` missing). VALIDATION_ERROR for
   * what was acknowledged.
   */
  resumeExec(boxId: string, execId: string, from: OutputOffsets): Promise<EngineExec | undefined>;

  /**
   * Writes a file. Makes its parents, replaces what is there, and leaves nothing at `path` if `content` fails or ends early: it is
   * renamed into place when complete. VALIDATION_ERROR if `path` is a directory, or the box knows no such owner. Memory does not grow with
   * the file. Without an owner, what is new is root's, and what is replaced keeps its own.
   */
  writeFile(boxId: string, path: string, content: Readable, options: WriteOptions): Promise<void>;

  /** FILE_NOT_FOUND; VALIDATION_ERROR if it is not a regular file. Destroying `content` ends the transfer. */
  readFile(boxId: string, path: string, options: TransferOptions): Promise<FileContent>;

  /**
   * Unpacks a tar stream below `directory`, making it if missing. VALIDATION_ERROR for what is no tar or climbs out, or an owner that the box
   * doesn't know. Without an owner, it is whose the tar says.
   */
  writeArchive(boxId: string, directory: string, tar: Readable, options: WriteOptions): Promise<void>;

  /**
   * A directory's content (names relative to it) or one file as a tar stream. FILE_NOT_FOUND. `full`: with what docs/guest-protocol.md says of
   * it, where the box can.
   */
  readArchive(boxId: string, path: string, options: TransferOptions & { readonly full?: boolean }): Promise<Readable>;

  /**
   * A directory's entries, sorted by their names' bytes. FILE_NOT_FOUND; VALIDATION_ERROR if it is not a directory: both come of the first entry,
   * and what breaks later comes between two. Nothing is asked before that one is. What is not taken waits in the box, but for some 1 MiB: memory
   * does not grow with the directory. Leaving the loop ends it.
   */
  listFiles(boxId: string, path: string, options: TransferOptions): AsyncIterable<FileEntry>;

  /**
   * What is at a path, as a list would tell it, under the path's last name. FILE_NOT_FOUND. `follow`: what a symlink leads to, and not itself.
   * NOT_SUPPORTED, as the next two, by a box that an older BoxRun has started.
   */
  statFile(boxId: string, path: string, options: { readonly follow: boolean }): Promise<FileEntry>;

  /**
   * Makes a directory with mode 0755. FILE_EXISTS if anything is there, FILE_NOT_FOUND if its parent is not. With `parents` those are made
   * too, and a directory that is there is a success. VALIDATION_ERROR if the path leads through a file, or the box knows no such owner.
   */
  makeDirectory(boxId: string, path: string, options: MakeDirectoryOptions): Promise<void>;

  /**
   * Gives a file, a symlink itself or a directory another path, at once or not at all. FILE_NOT_FOUND, also for the directory that it should go
   * to; FILE_EXISTS if anything is there, or with `replace` a directory that is not empty; VALIDATION_ERROR if `replace` would put a file and a
   * directory in each other's place, a directory would come into itself, or the two paths are on different file systems.
   */
  renameFile(boxId: string, path: string, to: string, options: RenameOptions): Promise<void>;

  /**
   * What happens to a file (by its name) or in a directory, with `recursive` in everything below it, also in directories that are made meanwhile. Resolves
   * once it watches: nothing from then on is missed, or there is an `overflow`. Ends when what is watched is gone; rejects when the box does not
   * answer or ends, and when `signal` aborts. FILE_NOT_FOUND; VALIDATION_ERROR for a tree of more than 8,192 directories; NOT_SUPPORTED as above.
   * Memory does not grow with what is not taken. Leaving the loop ends it.
   */
  watchFiles(boxId: string, path: string, options: WatchOptions): Promise<AsyncGenerator<readonly FileChange[], void>>;

  /** Removes a file or a whole directory. FILE_NOT_FOUND. */
  removeFile(boxId: string, path: string): Promise<void>;

  /**
   * A TCP connection to a port of the box, on its own 127.0.0.1 or else ::1; the box needs no network. Each direction ends by itself, and what nobody reads
   * holds up its sender and nobody else. Destroying it, or aborting `signal`, ends both. It ends with an error if the program resets it, or the box falls
   * silent. PORT_REFUSED if nothing listens there; RESOURCE_EXCEEDED if a hundred are open; NOT_SUPPORTED by a box that an older BoxRun has started.
   */
  connect(boxId: string, port: number, options: TransferOptions): Promise<Duplex>;

  /** The TCP ports on which something in the box listens, whatever the address; by port. NOT_SUPPORTED as `connect`. */
  listPorts(boxId: string): Promise<readonly ListeningPort[]>;

  /**
   * What a box's VM uses at the moment: within 3 s, also if the box does not answer, which is told and no error. BOX_NOT_RUNNING. An engine
   * that can't know leaves it out.
   */
  usage?(boxId: string, options: UsageOptions): Promise<BoxUsage>;

  /**
   * Has a box that does nothing let go of what it keeps of files in memory and has little use for: what it has not yet written to its disk stays. Where the engine can, the memory is the
   * host's again some seconds later. Best effort: neither a box that does not answer nor one that an older BoxRun has started is an error. BOX_NOT_RUNNING. An engine that can't leaves it out.
   */
  reclaimMemory?(boxId: string): Promise<void>;

  /** Drops what the engine made of this image (a flattened disk, say). Boxes that use it keep working or make it refuse. */
  forgetImage(digest: string): Promise<void>;

  /** Lets go of every box and leaves it running; only connections end. */
  close(): Promise<void>;
}

/**
 * Optional abilities, discoverable through `describe()`:
 * `exec-resume`: execs outlive the server · `binary-output`: output arrives byte for byte · `network` · `volumes` · `tty` · `prepared-boxes`: it has `prepare`.
 */
export const engineCapabilities = [
  "exec-resume",
  "binary-output",
  "network",
  "volumes",
  "tty",
  "prepared-boxes",
] as const;
export type EngineCapability = (typeof engineCapabilities)[number];

export interface EngineDescription {
  /** `kvm`, `tcg`, … */
  readonly accelerator: string;
  readonly ready: boolean;
  /** Why this accelerator, or what is missing and how to get it. */
  readonly why: string;
  /** How a box's processes on the host are kept from the host, for a person; `complete` if nothing is missing that the engine has for it. */
  readonly confinement?: { readonly complete: boolean; readonly how: string };
  readonly capabilities: readonly EngineCapability[];
  /** A box with less does not come up. */
  readonly leastMemoryMb?: number;
  /** What a box's processes take of the host's memory, beside the guest's own: what is usual for one that works. */
  readonly ownMemoryMb?: number;
}

export interface BoxSpec {
  readonly id: string;
  /** What the box calls itself. */
  readonly hostname: string;
  /** Where its programs start: made by `create` and `start` if it is missing, as root's with mode 0755. */
  readonly workdir: string;
  readonly image: EngineImage;
  readonly cpu: number;
  readonly memoryMb: number;
  readonly diskSizeGb: number;
  readonly network: boolean;
  /** To be mounted in this order: one that lies in another comes after it. */
  readonly volumes: readonly VolumeSpec[];
  /** The core's own words about the box, which the engine keeps with it. */
  readonly note?: string;
}

/** Whether a box that was prepared as the one can become the other. */
export function isAlike(prepared: BoxSpec, wanted: BoxSpec): boolean {
  return (
    prepared.image.digest === wanted.image.digest &&
    prepared.cpu === wanted.cpu &&
    prepared.memoryMb === wanted.memoryMb &&
    prepared.diskSizeGb === wanted.diskSizeGb &&
    prepared.network === wanted.network &&
    wanted.volumes.length === 0
  );
}

export interface EngineImage {
  /** `sha256:…` of the manifest. */
  readonly digest: string;
  /** An OCI image layout directory whose index names this image. */
  readonly layoutDir: string;
}

export interface VolumeSpec {
  readonly hostPath: string;
  readonly guestPath: string;
  readonly readonly: boolean;
}

export interface CreateOptions {
  readonly signal: AbortSignal;
  readonly onEngineId: (engineId: string) => void;
}

export interface PrepareOptions {
  readonly signal: AbortSignal;
  /** Called if it ends by itself before it was created or removed, once nothing of it is left. */
  readonly onEnd: () => void;
}

/**
 * What has become of a VM. `dead`: its disk is there, and its VM is proven to be gone. `missing`: nothing of it is there. `unreachable`: neither is
 * known, or the VM is there and can't be spoken to: `why`, for a person. It may answer later.
 */
export type Adoption =
  | { readonly state: "running" | "dead" | "missing" }
  | { readonly state: "unreachable"; readonly why: string };

/** What programs get between SIGTERM and SIGKILL at a stop, where nobody says how long. */
export const defaultStopGraceMs = 10_000;

/** How a stop went. */
export interface StopReport {
  /** The processes that had to be killed, as far as the box has told: what it says is a guest's word. */
  readonly killed: readonly { readonly pid: number; readonly name: string }[];
  /** The VM was ended without its agent's word that everything in it had ended: what it had only in memory is lost. */
  readonly forced: boolean;
}

/** Nothing was there to be stopped. */
export const nothingStopped: StopReport = { killed: [], forced: false };

export interface BoxDeath {
  readonly boxId: string;
  /** What is known of the cause, for a person: an exit code, a signal, the last line of the console. */
  readonly reason: string;
}

export interface ExecSpec {
  readonly id: string;
  readonly cmd: readonly string[];
  /** Complete but for PATH, HOME and TERM, which the box fills in where missing. */
  readonly env: Environment;
  readonly workdir: string;
  /** `null`: root. */
  readonly user: string | null;
  readonly stdin: boolean;
  readonly tty: TerminalSize | null;
  /** Counted by the engine, also while no server is there: SIGTERM to the process group, SIGKILL 5 s later. */
  readonly timeoutMs: number | null;
}

/** Bytes of each stream that are stored for good. */
export interface OutputOffsets {
  readonly stdout: number;
  readonly stderr: number;
}

export interface OutputChunk {
  readonly stream: "stdout" | "stderr";
  /** Of the chunk's first byte in its stream. */
  readonly offset: number;
  readonly data: Uint8Array;
}

export interface ExecExit {
  /** 0 to 255; 128+n for a signal. */
  readonly code: number;
  readonly reason: "exited" | "signaled" | "timeout" | "canceled" | "not_started";
  readonly message?: string;
}

export interface EngineExec {
  readonly id: string;
  /**
   * Every byte once, in the order in which it was read, and then the end; only one reader. Reading is what makes room: a reader that
   * pauses slows the program down, and nothing is dropped. Rejects (RUNTIME_ERROR) if the box dies, and with BOX_UNREACHABLE if it falls
   * silent: the program may go on, and `resumeExec` takes it up again.
   */
  readonly output: AsyncIterable<OutputChunk>;
  /** Settles after the last byte of output was handed out. Rejects as `output` does if that ends before. */
  readonly exit: Promise<ExecExit>;
  /** Its end came along with its start: all of `output`, and `exit`, are as good as here. */
  readonly isOver: boolean;
  /** Everything before these offsets is stored; the engine may forget it. */
  acknowledge(offsets: OutputOffsets): void;
  /**
   * Appends to standard input; resolves when the box has taken it all. EXEC_ALREADY_FINISHED. With an offset the same content may come again, with
   * its end: what was taken is skipped. VALIDATION_ERROR if bytes before it are missing; NOT_SUPPORTED by a box that an older BoxRun has started.
   */
  writeStdin(content: Readable, options: StdinOptions): Promise<void>;
  resize(size: TerminalSize): Promise<void>;
  signal(name: SignalName): Promise<void>;
  /** SIGTERM to the process group, SIGKILL after 5 s to all that is left; `exit` then has reason `canceled`. Returns at once; twice is as once. */
  cancel(): Promise<void>;
  /** Nobody waits for it any more: `output` and `exit` reject at once, and the box is told nothing. No-op behind its end. */
  letGo(): void;
  /** The exit is stored: the engine may forget the exec, and has when this resolves. It may take its time. Best effort, never rejects. */
  forget(): Promise<void>;
}

export interface StdinOptions extends TransferOptions {
  /** Standard input ends behind it. */
  readonly eof: boolean;
  /** Where the content begins in all of the input, in bytes; behind what there is if missing. */
  readonly offset?: number | undefined;
}

export interface TransferOptions {
  readonly signal: AbortSignal;
}

export interface WriteOptions extends TransferOptions {
  readonly owner?: FileOwner;
}

export interface MakeDirectoryOptions {
  readonly parents: boolean;
  /** Of what is made. */
  readonly owner?: FileOwner;
}

export interface WatchOptions extends TransferOptions {
  readonly recursive: boolean;
}

export interface RenameOptions {
  readonly replace: boolean;
}

/** Whose files become. */
export interface FileOwner {
  /** `USER` or `USER:GROUP`, names or numbers, looked up in the box. */
  readonly user: string;
  /** `new`: what is there keeps its owner. */
  readonly of: "everything" | "new";
}

/** As the box tells it. */
export interface ListeningPort {
  readonly port: number;
  /** `0.0.0.0`, `127.0.0.1`, `::`, … */
  readonly address: string;
  /** Whose it is; `null` if that is not known. */
  readonly pid: number | null;
  readonly process: string | null;
}

export interface FileContent {
  /** Bytes. */
  readonly size: number;
  readonly content: Readable;
}

export interface UsageOptions {
  /** Whether to ask the box itself, which costs it a few milliseconds of CPU. */
  readonly guest: boolean;
  /** Whether to find out what of its memory it shares, which costs the host some. */
  readonly proportional: boolean;
}

export interface BoxUsage {
  readonly host: {
    /** CPU time of its processes on the host since they began, in milliseconds. */
    readonly cpuMs: number;
    readonly residentBytes: number;
    /** What is shared with others is divided among them; `null` if it wasn't asked for, or the kernel doesn't say. */
    readonly proportionalBytes: number | null;
  };
  readonly guest: GuestAnswer;
}

/** What the box itself says, hostile or not. */
export type GuestAnswer =
  | { readonly state: "answered"; readonly usage: GuestUsage }
  | { readonly state: "not-asked" }
  /** Its agent is older than the question. */
  | { readonly state: "unsupported" }
  | { readonly state: "unreachable"; readonly why: string };

/** Counters count from the VM's start. */
export interface GuestUsage {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly memoryTotalBytes: number;
  readonly diskBytes: number;
  readonly diskSizeBytes: number;
  /** `null`: it has none. */
  readonly network: { readonly receivedBytes: number; readonly sentBytes: number } | null;
  readonly processes: number;
}
