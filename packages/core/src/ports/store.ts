import type { BoxStatus, Environment, ExecStatus, Volume } from "@boxrun/contract";
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
  readonly images: ImageRecordStore;
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
  readonly volumes: readonly Volume[] | null;
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
  >
>;

export interface BoxStore {
  /** NAME_ALREADY_EXISTS if another box has the name. */
  insert(box: BoxRecord): void;
  get(id: string): BoxRecord | undefined;
  getByName(name: string): BoxRecord | undefined;
  /** Newest first. */
  list(status?: BoxStatus): readonly BoxRecord[];
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
  insert(exec: ExecRecord): void;
  get(id: string): ExecRecord | undefined;
  /** Newest first. */
  listByBox(boxId: string): readonly ExecRecord[];
  /** Every exec with status `running`, oldest first: what a restarted server picks up. */
  running(): readonly ExecRecord[];
}

/** A piece of one stream, as text or, where it is none, as base64. */
export interface OutputPiece {
  readonly stream: "stdout" | "stderr";
  readonly data: string;
  readonly base64: boolean;
  readonly truncated: boolean;
}

export interface NewOutputEvent extends OutputPiece {
  /** When it came out of the box. */
  readonly atMs: number;
}

/** One stored event; `seq` counts from 1 within an exec, without gaps. */
export type OutputEvent =
  | ({
      readonly kind: "log";
      readonly seq: number;
      /** `null` for what an older BoxRun stored. */
      readonly atMs: number | null;
    } & OutputPiece)
  /** `data` is the JSON text of the exit event. */
  | { readonly kind: "exit"; readonly seq: number; readonly data: string };

/** How far an exec's output has been stored. */
export interface OutputProgress {
  readonly offsets: OutputOffsets;
  /** Bytes of output kept (truncated output does not count). */
  readonly storedBytes: number;
  readonly truncated: boolean;
}

/** Where an exec begins. */
export const noOutput: OutputProgress = { offsets: { stdout: 0, stderr: 0 }, storedBytes: 0, truncated: false };

export interface ExecFinish {
  readonly status: Exclude<ExecStatus, "running">;
  readonly exitCode: number | null;
  readonly errorMessage: string | null;
  readonly finishedAtMs: number;
  /** The exit event's data. */
  readonly exitData: string;
  /** Output that came along with the end. */
  readonly last: OutputPart | null;
}

/** More of an exec's output, and where it stands after that. */
export interface OutputPart {
  readonly events: readonly NewOutputEvent[];
  readonly progress: OutputProgress;
}

export interface OutputStore {
  /** Queues events; resolves once they and `progress` are committed, together. Events of one exec keep their order. */
  append(execId: string, events: readonly NewOutputEvent[], progress: OutputProgress): Promise<void>;
  /** Queued behind what was appended before: the last output, the exec's row and its exit event commit together. Of an exec that is finished already: no-op. */
  finish(execId: string, finish: ExecFinish): Promise<void>;
  /** Events behind `after`, in order, at most about `maxBytes` of them but at least one if there is one. */
  read(execId: string, after: number, maxBytes: number): readonly OutputEvent[];
  progress(execId: string): OutputProgress;
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
  /** Idempotent. */
  delete(id: string): void;
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
