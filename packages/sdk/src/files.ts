import type { FileChange, FileEntry } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import { type BodySource, encodeUpload } from "./body.ts";
import { type WatchOptions, watchFiles } from "./file-changes.ts";
import type { CallOptions, Http } from "./http.ts";

export interface Download {
  /** Bytes, where the server says so beforehand. */
  readonly sizeBytes: number | undefined;
  /** Leaving a loop over it ends the transfer. CONNECTION_FAILED if it breaks off. */
  readonly content: AsyncGenerator<Uint8Array>;
}

export interface UploadOptions extends CallOptions {
  /**
   * `USER` or `USER:GROUP`, names or numbers: everything becomes theirs. `@box` (`boxUser`): the box's own user, for what is new. Default: that for a
   * file, and what the tar says for a tar.
   */
  readonly owner?: string | undefined;
}

export interface ArchiveOptions extends CallOptions {
  /** The tar says more than every reader of tars understands: docs/copying.md. */
  readonly full?: boolean;
}

export interface StatOptions extends CallOptions {
  readonly follow?: boolean;
}

export interface MakeDirectoryOptions extends CallOptions {
  /** Makes the directories on the way too; a directory that is there is then a success. */
  readonly parents?: boolean;
  /** As an upload's; the box's own user if missing. */
  readonly owner?: string | undefined;
}

export interface RenameOptions extends CallOptions {
  /** A file takes the place of a file that is there, and a directory that of an empty one. */
  readonly replace?: boolean;
}

/** Files of a running box. Everything streams, both ways. Paths are absolute and inside the box. */
export class Files {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Writes one file, its parents made; a transfer that breaks off leaves what was there. */
  async upload(box: string, dest: string, content: BodySource, options: UploadOptions = {}): Promise<void> {
    const { owner, ...call } = options;
    await this.#upload(urls.upload(box, { owner }), dest, content, call);
  }

  /** Unpacks a tar stream below the directory `dest`, made if missing. */
  async uploadArchive(box: string, dest: string, tar: BodySource, options: UploadOptions = {}): Promise<void> {
    const { owner, ...call } = options;
    await this.#upload(urls.upload(box, { archive: "tar", owner }), dest, tar, call);
  }

  download(box: string, path: string, options: CallOptions = {}): Promise<Download> {
    return this.#download(urls.download(box), path, options);
  }

  /** A directory's content, names relative to it, or one file, as a tar stream. */
  downloadArchive(box: string, path: string, options: ArchiveOptions = {}): Promise<Download> {
    const { full = false, ...call } = options;
    return this.#download(urls.download(box, { archive: "tar", full }), path, call);
  }

  /** A directory's entries, sorted by name. VALIDATION_ERROR if it is none. */
  list(box: string, path: string, options: CallOptions = {}): Promise<FileEntry[]> {
    return this.#http.call("GET", urls.files(box, path), (contract) => contract.fileListSchema, options);
  }

  /** What is at a path, its entry as in a list: of a symlink itself, or with `follow` of what it leads to. FILE_NOT_FOUND. */
  stat(box: string, path: string, options: StatOptions = {}): Promise<FileEntry> {
    const { follow = false, ...call } = options;
    return this.#http.call("GET", urls.stat(box, path, follow), (contract) => contract.fileEntrySchema, call);
  }

  /** Makes a directory. FILE_EXISTS if anything is there, FILE_NOT_FOUND if its parent is not: with `parents` neither is in the way of it. */
  async mkdir(box: string, path: string, options: MakeDirectoryOptions = {}): Promise<void> {
    const { signal, ...more } = options;
    await this.#http.do("POST", urls.makeDirectory(box), { signal, json: { path, ...more } });
  }

  /** Gives a file or a directory another path in the same file system, at once or not at all. FILE_EXISTS if anything is there. */
  async rename(box: string, path: string, to: string, options: RenameOptions = {}): Promise<void> {
    const { signal, ...more } = options;
    await this.#http.do("POST", urls.renameFile(box), { signal, json: { path, to, ...more } });
  }

  /** What happens to a file, or in a directory, until it is gone: `watchFiles`. FILE_NOT_FOUND. */
  watch(box: string, path: string, options: WatchOptions = {}): AsyncGenerator<FileChange, void> {
    return watchFiles(this.#http, { box, path }, options);
  }

  /** A file or a whole directory. */
  async remove(box: string, path: string, options: CallOptions = {}): Promise<void> {
    await this.#http.do("DELETE", urls.files(box, path), options);
  }

  async #upload(url: string, dest: string, content: BodySource, options: CallOptions): Promise<void> {
    const body = encodeUpload(dest, content);
    await this.#http.call("POST", url, (contract) => contract.uploadResponseSchema, { ...options, body });
  }

  async #download(url: string, path: string, options: CallOptions): Promise<Download> {
    const response = await this.#http.open("POST", url, { ...options, json: { path } });
    const length = response.headers.get("content-length");
    return {
      sizeBytes: length === null ? undefined : Number(length),
      content: this.#http.chunks(response, options.signal),
    };
  }
}
