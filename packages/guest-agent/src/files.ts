import type { ClientHttp2Stream } from "node:http2";
import { posix } from "node:path";
import type { Readable } from "node:stream";
import { BoxRunError, type ErrorCode, type FileEntry } from "@boxrun/contract";
import type {
  FileContent,
  FileOwner,
  MakeDirectoryOptions,
  RenameOptions,
  TransferOptions,
  WatchOptions,
  WriteOptions,
} from "@boxrun/core";
import { Body } from "./body.ts";
import { fromAgent } from "./errors.ts";
import type { AgentLine } from "./line.ts";
import { readListing, toEntry } from "./listing.ts";
import { type AgentErrorCode, entrySchema, okSchema } from "./messages.ts";
import { lost, openAnswerInTime, type Patience, requestJson, upload } from "./requests.ts";
import { WireViolation } from "./violation.ts";
import { watchFiles } from "./watch.ts";

/** Listing or removing a large tree on a slow disk. */
const treeLimitMs = 600_000;

const kind = "transfer";
/** A disk on a busy host is slow, and syncing a large tree takes its time; nothing at all for two minutes is an agent that does not work. */
const usualPatience: Patience = { silenceMs: 120_000, putAwayMs: 600_000 };

const codes: Partial<Record<AgentErrorCode, ErrorCode>> = {
  NOT_FOUND: "FILE_NOT_FOUND",
  EXISTS: "FILE_EXISTS",
  BAD_REQUEST: "VALIDATION_ERROR",
};

/** The box's files, over its agent. Paths are the box's, absolute, and go as they are: the agent resolves them inside the box. */
export class AgentFiles {
  readonly #line: AgentLine;
  readonly #boxId: string;
  readonly #patience: Patience;

  constructor(line: AgentLine, boxId: string, patience: Patience = usualPatience) {
    this.#line = line;
    this.#boxId = boxId;
    this.#patience = patience;
  }

  async write(path: string, content: Readable, options: WriteOptions): Promise<void> {
    await this.#do(`write ${path}`, () =>
      upload(this.#line, "PUT", `/files?${query(path)}${ownerQuery(options.owner)}`, okSchema, content, {
        kind,
        signal: options.signal,
        patience: this.#patience,
      }),
    );
  }

  async read(path: string, options: TransferOptions): Promise<FileContent> {
    return await this.#do(`read ${path}`, async () => {
      const answer = await this.#open(`/files?${query(path)}`, options.signal);
      if (answer.length === undefined) {
        answer.stream.destroy();
        throw new WireViolation("a file without its length");
      }
      return { size: answer.length, content: this.#body(`read ${path}`, answer.stream, answer.length, options.signal) };
    });
  }

  async writeArchive(directory: string, tar: Readable, options: WriteOptions): Promise<void> {
    await this.#do(`unpack an archive in ${directory}`, () =>
      upload(this.#line, "PUT", `/tar?${query(directory)}${ownerQuery(options.owner)}`, okSchema, tar, {
        kind,
        signal: options.signal,
        patience: this.#patience,
      }),
    );
  }

  async readArchive(path: string, options: TransferOptions & { readonly full?: boolean }): Promise<Readable> {
    const { signal, full = false } = options;
    return await this.#do(`archive ${path}`, async () => {
      const request = `/tar?${query(path)}${full ? "&full=1" : ""}`;
      const { stream } = await this.#open(request, signal);
      return this.#body(`archive ${path}`, stream, undefined, signal);
    });
  }

  /** What an image of the box is made of; docs/guest-protocol.md says what of it. */
  async readImage({ signal }: TransferOptions): Promise<Readable> {
    const what = "read the disk as an image";
    return await this.#do(what, async () => {
      const { stream } = await this.#open("/image", signal);
      return this.#body(what, stream, undefined, signal);
    });
  }

  /** What is read of the agent's answer waits for whoever takes the entries. */
  async *list(path: string, { signal }: TransferOptions): AsyncGenerator<FileEntry> {
    const what = `list ${path}`;
    // It reads all names before it answers.
    const { stream } = await this.#do(what, () => this.#open(`/list?${query(path)}`, signal, treeLimitMs));
    try {
      yield* readListing(this.#body(what, stream, undefined, signal));
    } catch (error) {
      throw fromAgent(`${what} in box ${this.#boxId}`, error, codes);
    }
  }

  async remove(path: string): Promise<void> {
    await this.#do(`remove ${path}`, () =>
      requestJson(this.#line, "DELETE", `/files?${query(path)}`, okSchema, { limitMs: treeLimitMs }),
    );
  }

  async stat(path: string, { follow }: { readonly follow: boolean }): Promise<FileEntry> {
    const request = `/stat?${query(path)}${follow ? "&follow=1" : ""}`;
    const entry = await this.#do(`stat ${path}`, () =>
      requestJson(this.#line, "GET", request, entrySchema, { repeatable: true }),
    );
    return toEntry(posix.basename(path) || "/", entry);
  }

  async makeDirectory(path: string, { parents, owner }: MakeDirectoryOptions): Promise<void> {
    const request = `/dirs?${query(path)}${parents ? "&parents=1" : ""}${ownerQuery(owner)}`;
    await this.#do(`make the directory ${path}`, () => requestJson(this.#line, "PUT", request, okSchema));
  }

  async rename(path: string, to: string, { replace }: RenameOptions): Promise<void> {
    const request = `/rename?${query(path)}&${query(to, "to")}${replace ? "&replace=1" : ""}`;
    await this.#do(`rename ${path} to ${to}`, () => requestJson(this.#line, "POST", request, okSchema));
  }

  watch(path: string, options: WatchOptions) {
    return watchFiles(this.#line, this.#boxId, path, options);
  }

  async #do<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw fromAgent(`${what} in box ${this.#boxId}`, error, codes);
    }
  }

  /** Asks for a stream, which may take as long as it likes while it goes on. */
  #open(path: string, signal: AbortSignal, limitMs = this.#patience.silenceMs) {
    return openAnswerInTime(this.#line, "GET", path, { kind, endStream: true, signal, limitMs });
  }

  /** The answer's body; it fails if the answer breaks off, is not as long as it said, or `signal` aborts. */
  #body(what: string, stream: ClientHttp2Stream, length: number | undefined, signal: AbortSignal): Readable {
    return new Body(stream, {
      length,
      untilClosed: true,
      silenceMs: this.#patience.silenceMs,
      fail: (cause) =>
        fromAgent(`${what} in box ${this.#boxId}`, signal.aborted ? signal.reason : lost(this.#line, stream, cause)),
    });
  }
}

function query(path: string, name = "path"): string {
  if (!path.isWellFormed()) throw new BoxRunError("VALIDATION_ERROR", "the path is not well-formed Unicode");
  return `${name}=${encodeURIComponent(path)}`;
}

function ownerQuery(owner: FileOwner | undefined): string {
  if (owner === undefined) return "";
  return `&${owner.of === "new" ? "new_owner" : "owner"}=${encodeURIComponent(owner.user.toWellFormed())}`;
}
