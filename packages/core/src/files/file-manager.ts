import type { Readable } from "node:stream";
import type { FileEntry } from "@boxrun/contract";
import { findBox, requireAllowed } from "../boxes/box-lookup.ts";
import type { Engine, FileContent, TransferOptions } from "../ports/engine.ts";
import type { Store } from "../ports/store.ts";

/** Files of running boxes. Everything streams; nothing is kept here. */
export class FileManager {
  readonly #store: Store;
  readonly #engine: Engine;

  constructor(parts: { readonly store: Store; readonly engine: Engine }) {
    this.#store = parts.store;
    this.#engine = parts.engine;
  }

  async write(idOrName: string, path: string, content: Readable, options: TransferOptions): Promise<void> {
    await this.#engine.writeFile(this.#running(idOrName), path, content, options);
  }

  async read(idOrName: string, path: string, options: TransferOptions): Promise<FileContent> {
    return await this.#engine.readFile(this.#running(idOrName), path, options);
  }

  async writeArchive(idOrName: string, directory: string, tar: Readable, options: TransferOptions): Promise<void> {
    await this.#engine.writeArchive(this.#running(idOrName), directory, tar, options);
  }

  async readArchive(idOrName: string, path: string, options: TransferOptions): Promise<Readable> {
    return await this.#engine.readArchive(this.#running(idOrName), path, options);
  }

  async list(idOrName: string, path: string): Promise<readonly FileEntry[]> {
    return await this.#engine.listFiles(this.#running(idOrName), path);
  }

  async remove(idOrName: string, path: string): Promise<void> {
    await this.#engine.removeFile(this.#running(idOrName), path);
  }

  #running(idOrName: string): string {
    const box = findBox(this.#store, idOrName);
    requireAllowed(box, "exec");
    return box.id;
  }
}
