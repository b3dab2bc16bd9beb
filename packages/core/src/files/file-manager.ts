import type { Readable } from "node:stream";
import { boxUser, type FileEntry } from "@boxrun/contract";
import { findBox, requireAllowed } from "../boxes/box-lookup.ts";
import type { Reach } from "../boxes/reach.ts";
import type { Engine, FileContent, FileOwner, RenameOptions, TransferOptions, WatchOptions } from "../ports/engine.ts";
import type { BoxRecord, Store } from "../ports/store.ts";

interface UploadOptions extends TransferOptions {
  /** As the contract's `owner` says. */
  readonly owner?: string | undefined;
}

/** Files of running boxes. Everything streams; nothing is kept here. */
export class FileManager {
  readonly #store: Store;
  readonly #engine: Engine;
  readonly #reach: Reach;

  constructor(parts: { readonly store: Store; readonly engine: Engine; readonly reach: Reach }) {
    this.#store = parts.store;
    this.#engine = parts.engine;
    this.#reach = parts.reach;
  }

  async write(idOrName: string, path: string, content: Readable, options: UploadOptions): Promise<void> {
    const { signal, owner = boxUser } = options;
    const box = await this.#sending(idOrName, content);
    await this.#engine.writeFile(box.id, path, content, { signal, owner: fileOwner(box, owner) });
  }

  async read(idOrName: string, path: string, options: TransferOptions): Promise<FileContent> {
    return await this.#engine.readFile((await this.#running(idOrName)).id, path, options);
  }

  async writeArchive(idOrName: string, directory: string, tar: Readable, options: UploadOptions): Promise<void> {
    const { signal, owner } = options;
    const box = await this.#sending(idOrName, tar);
    const whose = owner === undefined ? {} : { owner: fileOwner(box, owner) };
    await this.#engine.writeArchive(box.id, directory, tar, { signal, ...whose });
  }

  async readArchive(
    idOrName: string,
    path: string,
    options: TransferOptions & { readonly full?: boolean },
  ): Promise<Readable> {
    return await this.#engine.readArchive((await this.#running(idOrName)).id, path, options);
  }

  /** As the box gives it: nothing is asked before the first entry is. */
  async *list(idOrName: string, path: string, options: TransferOptions): AsyncGenerator<FileEntry> {
    yield* this.#engine.listFiles((await this.#running(idOrName)).id, path, options);
  }

  async stat(idOrName: string, path: string, options: { readonly follow: boolean }): Promise<FileEntry> {
    return await this.#engine.statFile((await this.#running(idOrName)).id, path, options);
  }

  async makeDirectory(
    idOrName: string,
    path: string,
    options: { readonly parents: boolean; readonly owner?: string | undefined },
  ): Promise<void> {
    const { parents, owner = boxUser } = options;
    const box = await this.#running(idOrName);
    await this.#engine.makeDirectory(box.id, path, { parents, owner: fileOwner(box, owner) });
  }

  async rename(idOrName: string, path: string, to: string, options: RenameOptions): Promise<void> {
    await this.#engine.renameFile((await this.#running(idOrName)).id, path, to, options);
  }

  async watch(idOrName: string, path: string, options: WatchOptions) {
    return await this.#engine.watchFiles((await this.#running(idOrName)).id, path, options);
  }

  async remove(idOrName: string, path: string): Promise<void> {
    await this.#engine.removeFile((await this.#running(idOrName)).id, path);
  }

  async #running(idOrName: string): Promise<BoxRecord> {
    const box = findBox(this.#store, idOrName);
    requireAllowed(box, "exec");
    await this.#reach.answer(box);
    return box;
  }

  /** Where nothing can be sent, nobody will read the content. */
  async #sending(idOrName: string, content: Readable): Promise<BoxRecord> {
    try {
      return await this.#running(idOrName);
    } catch (error) {
      content.destroy();
      throw error;
    }
  }
}

function fileOwner(box: BoxRecord, owner: string): FileOwner {
  return owner === boxUser ? { user: box.imageConfig?.user ?? "0", of: "new" } : { user: owner, of: "everything" };
}
