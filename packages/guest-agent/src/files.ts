import type { ClientHttp2Stream } from "node:http2";
import { posix } from "node:path";
import { Readable } from "node:stream";
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
import { type BulkArea, type BulkLease, slotBytes } from "./bulk/area.ts";
import { offer, receive } from "./bulk/receiving.ts";
import { BulkSending } from "./bulk/sending.ts";
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
  readonly #bulk: BulkArea | undefined;
  readonly #patience: Patience;

  /** `bulk`: the disk for transfers that the VM has, if it has one. */
  constructor(
    line: AgentLine,
    boxId: string,
    {
      bulk,
      patience = usualPatience,
    }: { readonly bulk?: BulkArea | undefined; readonly patience?: Patience | undefined } = {},
  ) {
    this.#line = line;
    this.#boxId = boxId;
    this.#bulk = bulk;
    this.#patience = patience;
  }

  async write(path: string, content: Readable, options: WriteOptions): Promise<void> {
    await this.#send(`write ${path}`, `/files?${query(path)}${ownerQuery(options.owner)}`, content, options.signal);
  }

  async read(path: string, options: TransferOptions): Promise<FileContent> {
    const { length: size, content } = await this.#receive(`read ${path}`, `/files?${query(path)}`, options.signal);
    if (size === undefined) {
      content.destroy();
      throw fromAgent(`read ${path} in box ${this.#boxId}`, new WireViolation("a file without its length"), codes);
    }
    return { size, content };
  }

  async writeArchive(directory: string, tar: Readable, options: WriteOptions): Promise<void> {
    const request = `/tar?${query(directory)}${ownerQuery(options.owner)}`;
    await this.#send(`unpack an archive in ${directory}`, request, tar, options.signal);
  }

  async readArchive(path: string, options: TransferOptions & { readonly full?: boolean }): Promise<Readable> {
    const { signal, full = false } = options;
    const request = `/tar?${query(path)}${full ? "&full=1" : ""}`;
    return (await this.#receive(`archive ${path}`, request, signal)).content;
  }

  /** What an image of the box is made of; docs/guest-protocol.md says what of it. */
  async readImage({ signal }: TransferOptions): Promise<Readable> {
    return (await this.#receive("read the disk as an image", "/image", signal)).content;
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

  /** Through the disk for transfers, if there is one with room, and else over the line. */
  async #send(what: string, request: string, content: Readable, signal: AbortSignal): Promise<void> {
    await using lease = this.#bulk?.lend("in");
    const bulk = lease === undefined ? undefined : new BulkSending(lease);
    const options = { kind, signal, patience: this.#patience, bulk } as const;
    const path = lease === undefined ? request : `/bulk${request}`;
    await this.#do(what, () => upload(this.#line, "PUT", path, okSchema, content, options));
  }

  async #receive(
    what: string,
    request: string,
    signal: AbortSignal,
  ): Promise<{ readonly length: number | undefined; readonly content: Readable }> {
    const lease = this.#bulk?.lend("out");
    return await this.#do(what, async () => {
      if (lease !== undefined) return await this.#receiveThrough(lease, what, request, signal);
      const { stream, length } = await this.#open(request, signal);
      return { length, content: this.#body(what, stream, length, signal) };
    });
  }

  async #receiveThrough(lease: BulkLease, what: string, request: string, signal: AbortSignal) {
    try {
      const { stream, length } = await openAnswerInTime(this.#line, "POST", `/bulk${request}`, {
        kind,
        endStream: false,
        head: offer(lease.slots),
        signal,
        limitMs: this.#patience.silenceMs,
      });
      const body = this.#body(what, stream, undefined, signal, { untilClosed: false });
      // It tells whoever reads the content.
      body.on("error", () => undefined);
      const fail = (violation: WireViolation) => fromAgent(`${what} in box ${this.#boxId}`, violation, codes);
      const pieces = receive(body, stream, lease, { length, fail });
      const content = Readable.from(pieces, { objectMode: false, highWaterMark: slotBytes });
      // Not the generator's business: one that was never asked has nothing to clean up.
      content.once("close", () => {
        body.destroy();
        void lease[Symbol.asyncDispose]();
      });
      return { length, content };
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Asks for a stream, which may take as long as it likes while it goes on. */
  #open(path: string, signal: AbortSignal, limitMs = this.#patience.silenceMs) {
    return openAnswerInTime(this.#line, "GET", path, { kind, endStream: true, signal, limitMs });
  }

  /** The answer's body; it fails if the answer breaks off, is not as long as it said, or `signal` aborts. */
  #body(
    what: string,
    stream: ClientHttp2Stream,
    length: number | undefined,
    signal: AbortSignal,
    { untilClosed = true }: { readonly untilClosed?: boolean } = {},
  ): Readable {
    return new Body(stream, {
      length,
      untilClosed,
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
