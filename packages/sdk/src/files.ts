import type { FileEntry } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import { type BodySource, encodeUpload } from "./body.ts";
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
