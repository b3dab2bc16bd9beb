import type { FileChange, FileEntry } from "@boxrun/contract";
import { BoxRunError, boxUser } from "@boxrun/contract/plain";
import { type BodySource, chunksOf, isStream } from "../body.ts";
import type { WatchOptions } from "../file-changes.ts";
import type {
  ArchiveOptions,
  Download,
  Files,
  MakeDirectoryOptions,
  RenameOptions,
  StatOptions,
  UploadOptions,
} from "../files.ts";
import type { Local } from "../host/local.ts";
import type { CallOptions } from "../http.ts";
import { joined } from "./output.ts";

interface ProgressOptions {
  /** Called with the bytes moved so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export type ReadOptions = CallOptions & ProgressOptions;
export type WriteOptions = UploadOptions & ProgressOptions;

/** Files of a running box. Paths in the box are absolute. Everything streams: memory does not grow with what is moved, but for `read` and `readText`. */
export class BoxFiles {
  readonly #files: Files;
  readonly #box: string;

  constructor(files: Files, box: string) {
    this.#files = files;
    this.#box = box;
  }

  async read(path: string, options: ReadOptions = {}): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of await this.#open(path, options)) pieces.push(piece);
    return joined(pieces);
  }

  /** As UTF-8; what is none is replaced. */
  async readText(path: string, options: ReadOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.read(path, options));
  }

  /** Resolves once the server has begun to answer. Canceling the stream ends the transfer. */
  async stream(path: string, options: ReadOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const content = await this.#open(path, options);
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await content.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        async cancel() {
          await content.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** One file, its parents made; what breaks off leaves what was there before. */
  async write(path: string, content: BodySource, options: WriteOptions = {}): Promise<void> {
    const { onProgress, ...upload } = options;
    await sending(content, onProgress, (source) => this.#files.upload(this.#box, path, source, upload));
  }

  /** A directory's entries, sorted by name. */
  list(path: string, options: CallOptions = {}): Promise<FileEntry[]> {
    return this.#files.list(this.#box, path, options);
  }

  /** What is at a path: of a symlink itself, or with `follow` of what it leads to. FILE_NOT_FOUND. */
  stat(path: string, options: StatOptions = {}): Promise<FileEntry> {
    return this.#files.stat(this.#box, path, options);
  }

  /** With `parents` also those on the way, and a directory that is there is no FILE_EXISTS. */
  mkdir(path: string, options: MakeDirectoryOptions = {}): Promise<void> {
    return this.#files.mkdir(this.#box, path, options);
  }

  /** At once or not at all, within a file system. Without `replace` whatever is there is a FILE_EXISTS. */
  rename(path: string, to: string, options: RenameOptions = {}): Promise<void> {
    return this.#files.rename(this.#box, path, to, options);
  }

  /** What happens to a file, or in a directory, until it is gone; a lost connection is taken up again, with an `overflow`. */
  watch(path: string, options: WatchOptions = {}): AsyncGenerator<FileChange, void> {
    return this.#files.watch(this.#box, path, options);
  }

  /** A file, or a whole directory. */
  remove(path: string, options: CallOptions = {}): Promise<void> {
    return this.#files.remove(this.#box, path, options);
  }

  /** Unpacks a tar below the directory `dest`, made if missing. `owner`: without it, what the tar says. */
  uploadArchive(dest: string, tar: BodySource, options: UploadOptions = {}): Promise<void> {
    return this.#files.uploadArchive(this.#box, dest, tar, options);
  }

  /** A directory's content, names relative to it, or one file, as a tar. */
  downloadArchive(path: string, options: ArchiveOptions = {}): Promise<Download> {
    return this.#files.downloadArchive(this.#box, path, options);
  }

  /** A file of this computer to the path `dest`, or a directory's content into the directory `dest`. Not in a browser. */
  async upload(source: string, dest: string, options: WriteOptions = {}): Promise<void> {
    const { isDirectory, content } = await (await loadLocal()).openSource(source);
    if (!isDirectory) return await this.write(dest, content, options);
    const { onProgress, owner = boxUser, ...call } = options;
    await sending(content, onProgress, (tar) => this.#files.uploadArchive(this.#box, dest, tar, { ...call, owner }));
  }

  /**
   * A file to the path `target` of this computer, or a directory's content into the directory `target`. Modes are kept but for set-user-id and the like;
   * what would climb out of `target` is refused. Not in a browser.
   */
  async download(path: string, target: string, options: ReadOptions = {}): Promise<void> {
    const [local, file] = await Promise.all([
      loadLocal(),
      this.#open(path, options).catch((error: unknown) => failed(error)),
    ]);
    if (!("failure" in file)) return await local.writeFile(target, file);
    if (!(await this.#isDirectory(path, file.failure, options))) throw file.failure;
    const { content } = await this.#files.downloadArchive(this.#box, path, options);
    await local.unpack(target, counted(content, options.onProgress));
  }

  async #open(path: string, { onProgress, signal }: ReadOptions): Promise<AsyncGenerator<Uint8Array>> {
    const { content } = await this.#files.download(this.#box, path, { signal });
    return counted(content, onProgress);
  }

  async #isDirectory(path: string, refusal: unknown, { signal }: CallOptions): Promise<boolean> {
    if (!(refusal instanceof BoxRunError) || refusal.code !== "VALIDATION_ERROR") return false;
    return await this.#files.list(this.#box, path, { signal }).then(
      () => true,
      () => false,
    );
  }
}

const failed = (failure: unknown) => ({ failure });

async function loadLocal(): Promise<Local> {
  return (await import("#local")).local;
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  onProgress: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  let moved = 0;
  for await (const piece of content) {
    moved += piece.length;
    onProgress?.(moved);
    yield piece;
  }
}

/** What is whole is sent as it is, because not every platform streams what it sends, and its progress told at its end. */
async function sending(
  source: BodySource,
  onProgress: ((bytes: number) => void) | undefined,
  send: (source: BodySource) => Promise<void>,
): Promise<void> {
  if (onProgress === undefined) return await send(source);
  if (isStream(source)) return await send(counted(chunksOf(source), onProgress));
  await send(source);
  onProgress(new Blob([source instanceof Uint8Array ? new Uint8Array(source) : source]).size);
}
