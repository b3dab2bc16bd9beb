import type {
  ActorKind,
  BoxStatus,
  Environment,
  ExecStatus,
  HistoryAction,
  LabelFilter,
  Labels,
  OnExpiry,
  PublishedPort,
  Volume,
} from "@boxrun/contract";
import type { OutputOffsets } from "./engine.ts";
import type { ImageConfig } from "./images.ts";

/**
 * The store port: everything that outlives the process. Synchronous but for output, which is written in batches: one transaction
 * for all that came in during one turn of the event loop. Times are milliseconds since the epoch.
 */
export interface Store {
  readonly boxes: BoxStore;
  readonly execs: ExecStore;
  readonly output: OutputStore;
  readonly sessions: SessionStore;
  readonly unconfirmedEnds: UnconfirmedEndStore;
  readonly images: ImageRecordStore;
  readonly signIns: SignInStore;
  readonly history: HistoryStore;
  readonly keys: KeyStore;
  /** Writes what is queued and closes the file. */
  close(): Promise<void>;
}

export interface BoxRecord {
  readonly id: string;
  readonly name: string | null;
  readonly status: BoxStatus;
  /** The resolved reference. */
  readonly image: string;
  readonly imageDigest: string | null;
  readonly imageConfig: ImageConfig | null;
  readonly cpu: number;
  readonly memoryMb: number;
  readonly diskSizeGb: number;
  readonly network: boolean;
  readonly workdir: string;
  readonly env: Environment | null;
  /** Names in `env` whose values are not shown. */
  readonly secretEnv: readonly string[];
  readonly volumes: readonly Volume[] | null;
  readonly labels: Labels;
  /** When it is ended, as `onExpiry` says; never if `null`. */
  readonly expiresAtMs: number | null;
  readonly onExpiry: OnExpiry;
  /** Those that the host publishes while it runs. */
  readonly ports: readonly PublishedPort[];
  /** It belongs to a request, and goes with it: also when the server dies in the middle. */
  readonly ephemeral: boolean;
  readonly engine: string;
  readonly engineId: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly stoppedAtMs: number | null;
}

/** What may change about a box after it was inserted. */
export type BoxPatch = Partial<
  Pick<
    BoxRecord,
    | "status"
    | "imageDigest"
    | "imageConfig"
    | "workdir"
    | "engineId"
    | "errorCode"
    | "errorMessage"
    | "startedAtMs"
    | "stoppedAtMs"
    | "expiresAtMs"
    | "onExpiry"
  >
>;

/** Some of a list. */
export interface PageRequest {
  readonly limit: number;
  /** What a `cursor` of this list has given: what it stands for need not be there any more. */
  readonly after?: string | undefined;
}

export interface BoxStore {
  /** NAME_ALREADY_EXISTS if another box has the name. `key`: of the request that it was made for, kept with it or not at all. */
  insert(box: BoxRecord, key?: RequestKey): void;
  get(id: string): BoxRecord | undefined;
  getByName(name: string): BoxRecord | undefined;
  /** Those whose id begins so, ten at most. */
  startingWith(prefix: string): readonly BoxRecord[];
  /** Newest first; of those with all of the labels. */
  list(status?: BoxStatus, page?: PageRequest, labels?: LabelFilter): readonly BoxRecord[];
  /** Those with a deadline, the nearest first. */
  expiring(): readonly { readonly id: string; readonly expiresAtMs: number }[];
  /** Where a list goes on behind this box. */
  cursor(id: string): string;
  /** How many there are in each state, whatever their number at the same cost. */
  count(): Record<BoxStatus, number>;
  /** The box as it is afterwards; `undefined` if it is gone. */
  update(id: string, patch: BoxPatch): BoxRecord | undefined;
  /** With its execs, their output and its sessions. Idempotent. */
  delete(id: string): void;
}

export interface ExecRecord {
  readonly id: string;
  readonly boxId: string;
  readonly status: ExecStatus;
  readonly cmd: readonly string[];
  readonly env: Environment | null;
  /** Names in `env` whose values are not shown. */
  readonly secretEnv: readonly string[];
  readonly workdir: string | null;
  readonly user: string | null;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly timeoutMs: number | null;
  readonly exitCode: number | null;
  readonly errorMessage: string | null;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | null;
}

export interface ExecStore {
  /** `key`: of the request that it was made for, kept with it or not at all. */
  insert(exec: ExecRecord, key?: RequestKey): void;
  get(id: string): ExecRecord | undefined;
  /** Those of a box whose id begins so, ten at most. */
  startingWith(boxId: string, prefix: string): readonly ExecRecord[];
  /** Newest first. */
  listByBox(boxId: string, page?: PageRequest): readonly ExecRecord[];
  /** Where a list goes on behind this exec. */
  cursor(id: string): string;
  /** Every exec with status `running`, oldest first: what a restarted server picks up. */
  running(): readonly ExecRecord[];
}

/** A piece of one stream, as text or, where it is none, as base64. */
export interface OutputPiece {
  readonly stream: "stdout" | "stderr";
  readonly data: string;
  readonly base64: boolean;
  /** Of the output that it holds. */
  readonly bytes: number;
}

export interface NewOutputEvent extends OutputPiece {
  /** When it came out of the box. */
  readonly atMs: number;
}

/** One event of an exec. `seq` counts from 1 within it, without gaps but where a `gap` says so. */
export type OutputEvent = LogOutput | OutputGap | ExitOutput;

export interface LogOutput {
  readonly kind: "log";
  readonly seq: number;
  readonly stream: "stdout" | "stderr";
  readonly data: string;
  readonly base64: boolean;
  /** An older BoxRun dropped what came behind this. */
  readonly truncated: boolean;
  /** `null` for what an older BoxRun stored. */
  readonly atMs: number | null;
  /** Bytes of output, of both streams, before this event; `null` for what an older BoxRun stored. */
  readonly position: number | null;
  /** Of output that it holds. */
  readonly bytes: number;
}

/** Output that is not kept any more; it is not stored as an event, but shows between those that are. */
export interface OutputGap {
  readonly kind: "gap";
  /** Of the last event that is missing. */
  readonly seq: number;
  /** How much is missing; at most so much, for who reads on from a place within the gap. */
  readonly bytes: number;
  /** Says so to people. */
  readonly data: string;
}

export interface ExitOutput {
  readonly kind: "exit";
  readonly seq: number;
  /** The JSON text of the exit event. */
  readonly data: string;
}

/** How far an exec's output has been stored. */
export interface OutputProgress {
  readonly offsets: OutputOffsets;
  /** What the slowest reader that the program waits for has taken, as its event's `seq`; `null` if there is none. */
  readonly awaitedSeq: number | null;
}

/** Where an exec begins. */
export const noOutput: OutputProgress = { offsets: { stdout: 0, stderr: 0 }, awaitedSeq: null };

/** How much of an exec's output is kept: its beginning, and its end. */
export interface OutputLimit {
  /** Bytes of output, and `eventCostBytes` for each event. Beginning and end get half of it each. */
  readonly bytes: number;
  /** What is behind this event stays all the same; `null`: nothing has to. */
  readonly untilSeq: number | null;
}

/** What an event costs besides its output, so that a flood of tiny ones is bounded too. */
export const eventCostBytes = 24;

export interface ExecFinish {
  readonly status: Exclude<ExecStatus, "running">;
  readonly exitCode: number | null;
  readonly errorMessage: string | null;
  readonly finishedAtMs: number;
  /** The exit event's data. */
  readonly exitData: string;
  /** Output that came along with the end. */
  readonly last: OutputPart | null;
  /** The server has ended it, and its box has not said that it did: it is among the `UnconfirmedEnd`s from then on. */
  readonly isUnconfirmed: boolean;
}

/** More of an exec's output, and where it stands after that. */
export interface OutputPart {
  readonly events: readonly NewOutputEvent[];
  readonly progress: OutputProgress;
  /** What is kept then; without it, everything. */
  readonly limit?: OutputLimit;
}

export interface OutputStore {
  /**
   * Queues events; resolves once they and their progress are committed, together, and what passes the limit is gone from the middle, with
   * the bytes that are kept then. Events of one exec keep their order.
   */
  append(
    execId: string,
    events: readonly NewOutputEvent[],
    progress: OutputProgress,
    limit?: OutputLimit,
  ): Promise<number>;
  /** Queued behind what was appended before: the last output, the exec's row and its exit event commit together. Of an exec that is finished already: no-op. */
  finish(execId: string, finish: ExecFinish): Promise<void>;
  /**
   * Events behind `after`, in order, at most about `maxBytes` of them but at least one if there is one. `position`: bytes of output
   * that the reader has, where it knows, so that a gap is told exactly.
   */
  read(execId: string, after: number, maxBytes: number, position?: number): readonly OutputEvent[];
  progress(execId: string): OutputProgress;
  /** What all execs keep, in bytes of output and `eventCostBytes` for each event. */
  totalBytes(): number;
  /** Gives up the output of execs that ended before that, but for their exits; resolves with its bytes. It is deleted bit by bit. */
  expire(finishedBeforeMs: number): Promise<number>;
}

/** A shell that clients attach to. Its output is not stored: it lies in memory, and with the engine. */
export interface SessionRecord {
  /** Also its exec's. */
  readonly id: string;
  readonly boxId: string;
  /** `null`: of one client alone, and over when that leaves. */
  readonly name: string | null;
  readonly shell: string | null;
  readonly cols: number;
  readonly rows: number;
  readonly createdAtMs: number;
  /** Output from here on can still be had of the engine. */
  readonly outputOffset: number;
  /** What the output before that has set on the terminal, by the numbers of DECSET. */
  readonly modes: readonly (readonly [mode: number, isSet: boolean])[];
}

export interface SessionStore {
  /** NAME_ALREADY_EXISTS if the box has a session of that name; BOX_NOT_FOUND. */
  insert(session: SessionRecord): void;
  /** Everything but `id`, `boxId` and `name` may change. One that is gone: no-op. */
  update(session: SessionRecord): void;
  /** Oldest first. */
  list(): readonly SessionRecord[];
  /** `isUnconfirmed`: its box has not said that it ended, and it is among the `UnconfirmedEnd`s from then on. Idempotent. */
  delete(id: string, options: { readonly isUnconfirmed: boolean }): void;
}

/** A program of an exec or a session that has ended for its callers, and may run on in its box, which has not said that it did. */
export interface UnconfirmedEnd {
  /** The exec's, or the session's. */
  readonly execId: string;
  readonly boxId: string;
  /** What its box may have forgotten of its output. */
  readonly acknowledged: OutputOffsets;
}

/** Each is written with the end of its exec or session, and is here until it is confirmed: what a restarted server tells to end once more. */
export interface UnconfirmedEndStore {
  list(): readonly UnconfirmedEnd[];
  /** One that is confirmed: no-op. */
  acknowledge(execId: string, acknowledged: OutputOffsets): void;
  /** It has ended: its box has said so, does not have it, or has no VM any more. If it has an exec, that says `message` from now on, by its status. Idempotent. */
  confirm(execId: string, message: Readonly<Record<"canceled" | "timeout", string>>): void;
}

export interface ImageRecord {
  readonly reference: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly config: ImageConfig;
  readonly createdAtMs: number;
}

export interface ImageRecordStore {
  /** Inserts or replaces the record of this reference. */
  put(image: ImageRecord): void;
  get(reference: string): ImageRecord | undefined;
  /** By reference. */
  list(): readonly ImageRecord[];
  delete(reference: string): void;
}

/** A browser that has signed in. */
export interface SignInRecord {
  /** Of what it shows; that itself is not stored. */
  readonly digest: string;
  /** The user at the other end, where the system told. */
  readonly uid: number | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface SignInStore {
  /** Beyond `max` the oldest ones go, and so do those that have expired. */
  insert(signIn: SignInRecord, max: number): void;
  get(digest: string): SignInRecord | undefined;
  /** Idempotent. */
  delete(digest: string): void;
}

/** One thing that somebody did to a box, or with it. */
export interface NewHistoryRecord {
  readonly atMs: number;
  readonly boxId: string | null;
  readonly boxName: string | null;
  readonly action: HistoryAction;
  readonly target: string | null;
  readonly cmd: readonly string[] | null;
  readonly execId: string | null;
  readonly caller: { readonly kind: ActorKind; readonly uid: number | null };
  readonly userAgent: string | null;
  readonly errorCode: string | null;
}

export interface HistoryRecord extends NewHistoryRecord {
  /** In the order in which they were written. */
  readonly seq: number;
}

export interface HistoryStore {
  /** Queued, and written in this turn of the event loop or, if the file can't be written, later: what waits is bounded. */
  append(record: NewHistoryRecord): void;
  /** Newest first, at most `limit` with `after < seq < before`; it outlives the boxes. */
  list(query: {
    readonly box?: { readonly id: string } | { readonly name: string } | undefined;
    readonly after?: number | undefined;
    readonly before?: number | undefined;
    readonly limit: number;
  }): readonly HistoryRecord[];
}

/** What names a request that may be sent again, and tells it from others under the same name. Neither shows what was asked. */
export interface RequestKey {
  readonly digest: string;
  readonly fingerprint: string;
}

/** A request that something was made of. It outlives that. */
export interface KeyRecord extends RequestKey {
  readonly boxId: string;
  /** `null`: the box is what was made. */
  readonly execId: string | null;
  /** JSON text, where that is all that is left of it; `null` if it isn't there (yet). */
  readonly answer: string | null;
}

/** The keys of requests, for as long as these may be sent again. */
export interface KeyStore {
  /** `undefined` also for one that has expired. */
  get(digest: string): KeyRecord | undefined;
  /** Keeps the answer with its key. Where all answers together are too much, the oldest go, with their keys. */
  answer(digest: string, answer: string): void;
}
