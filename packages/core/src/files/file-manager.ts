import type { Readable } from "node:stream";
import { boxUser, type FileEntry } from "@boxrun/contract";
import { findBox, requireAllowed } from "../boxes/box-lookup.ts";
import type { Engine, FileContent, FileOwner, TransferOptions } from "../ports/engine.ts";
import type { BoxRecord, Store } from "../ports/store.ts";

interface UploadOptions extends TransferOptions {
  /** As the contract's `owner` says. */
  readonly owner?: string | undefined;
}

/** Files of running boxes. Everything streams; nothing is kept here. */
export class FileManager {
  readonly #store: Store;
  readonly #engine: Engine;

  constructor(parts: { readonly store: Store; readonly engine: Engine }) {
    this.#store = parts.store;
    this.#engine = parts.engine;
  }

  async write(idOrName: string, path: string, content: Readable, options: UploadOptions): Promise<void> {
    const { signal, owner = boxUser } = options;
    const box = this.#running(idOrName);
    await this.#engine.writeFile(box.id, path, content, { signal, owner: fileOwner(box, owner) });
  }

  async read(idOrName: string, path: string, options: TransferOptions): Promise<FileContent> {
    return await this.#engine.readFile(this.#running(idOrName).id, path, options);
  }

  async writeArchive(idOrName: string, directory: string, tar: Readable, options: UploadOptions): Promise<void> {
    const { signal, owner } = options;
    const box = this.#running(idOrName);
    const whose = owner === undefined ? {} : { owner: fileOwner(box, owner) };
    await this.#engine.writeArchive(box.id, directory, tar, { signal, ...whose });
  }

  async readArchive(
    idOrName: string,
    path: string,
    options: TransferOptions & { readonly full?: boolean },
  ): Promise<Readable> {
    return await this.#engine.readArchive(this.#running(idOrName).id, path, options);
  }

  async list(idOrName: string, path: string): Promise<readonly FileEntry[]> {
    return await this.#engine.listFiles(this.#running(idOrName).id, path);
  }

  async remove(idOrName: string, path: string): Promise<void> {
    await this.#engine.removeFile(this.#running(idOrName).id, path);
  }

  #running(idOrName: string): BoxRecord {
    const box = findBox(this.#store, idOrName);
    requireAllowed(box, "exec");
    return box;
  }
}

function fileOwner(box: BoxRecord, owner: string): FileOwner {
  return owner === boxUser ? { user: box.imageConfig?.user ?? "0", of: "new" } : { user: owner, of: "everything" };
}
