import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, readlink } from "node:fs/promises";
import { type ByteString, shown, toBuffer } from "./bytes.ts";
import { hasCode, hostFailure } from "./host-failure.ts";

/** Linux's O_PATH, which Node does not name: a directory that is only a place for names needs no right to be read. */
const openAsPath = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * An open directory of this host, in which names are looked up by way of the descriptor: whatever somebody does meanwhile to the directories
 * above it, they stay names in this very directory. Symlinks are never followed here; that is decided by whoever opens the first one.
 */
export class HostDirectory implements AsyncDisposable {
  readonly #handle: FileHandle;
  /** What it is called in messages. */
  readonly shown: string;

  private constructor(handle: FileHandle, name: string) {
    this.#handle = handle;
    this.shown = name;
  }

  /** Symlinks are followed: whoever calls has been given this path. */
  static async open(path: string): Promise<HostDirectory> {
    const handle = await open(path, openAsPath | O_DIRECTORY).catch((error: unknown) => {
      throw hostFailure(error, path);
    });
    return new HostDirectory(handle, path);
  }

  /** `undefined` if that is no directory, but a symlink to one, or anything else. */
  async enter(name: ByteString): Promise<HostDirectory | undefined> {
    const path = this.below(name);
    const handle = await open(this.at(name), openAsPath | O_DIRECTORY | O_NOFOLLOW).catch((error: unknown) => {
      if (hasCode(error, "ENOTDIR", "ELOOP")) return undefined;
      throw hostFailure(error, path);
    });
    return handle && new HostDirectory(handle, path);
  }

  /** The same, made if nothing is there. `isNew`: by this call. */
  async enterOrMake(
    name: ByteString,
    mode: number,
  ): Promise<{ readonly directory: HostDirectory | undefined; readonly isNew: boolean }> {
    const isNew = await mkdir(this.at(name), mode).then(
      () => true,
      (error: unknown) => {
        if (hasCode(error, "EEXIST")) return false;
        throw hostFailure(error, this.below(name));
      },
    );
    return { directory: await this.enter(name), isNew };
  }

  /** For calls that take a path. An empty name is the directory itself. */
  at(name: ByteString): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.#handle.fd}/`), toBuffer(name)]);
  }

  /** Where it really is, symlinks resolved. */
  async realPath(): Promise<ByteString> {
    return (await readlink(`/proc/self/fd/${this.#handle.fd}`, { encoding: "buffer" })).toString("latin1");
  }

  below(name: ByteString): string {
    return `${this.shown.replace(/\/$/, "")}/${shown(name)}`;
  }

  async lstat(name: ByteString): Promise<BigIntStats | undefined> {
    return await lstat(this.at(name), { bigint: true }).catch((error: unknown) => {
      if (hasCode(error, "ENOENT")) return undefined;
      throw hostFailure(error, this.below(name));
    });
  }

  async names(): Promise<ByteString[]> {
    // Opened anew: O_PATH is no right to read.
    const names = await readdir(this.at("."), { encoding: "buffer" }).catch((error: unknown) => {
      throw hostFailure(error, this.shown);
    });
    return names.map((name) => name.toString("latin1")).sort();
  }

  async readlink(name: ByteString): Promise<ByteString> {
    const target = await readlink(this.at(name), { encoding: "buffer" }).catch((error: unknown) => {
      throw hostFailure(error, this.below(name));
    });
    return target.toString("latin1");
  }

  async openFile(name: ByteString, flags: number, mode?: number): Promise<FileHandle> {
    return await open(this.at(name), flags | O_NOFOLLOW, mode).catch((error: unknown) => {
      throw hostFailure(error, this.below(name));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
