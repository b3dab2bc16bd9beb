import { link, lstat, lutimes, mkdir, realpath, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { printable } from "../output/text.ts";
import { hostFailure, setHostAttributes, temporaryBeside, writeHostFile } from "./host-file.ts";

interface Attributes {
  /** Permission bits; those for setuid and its like are not set. */
  readonly mode: number;
  readonly mtime: Date;
}

/** A directory of this host into which something is written that we don't trust: paths that lead out of it, symlinks over which others climb. */
export class HostPlace {
  /** Without symlinks. */
  readonly #root: string;
  /** Directories that were looked at, and are none of symlinks. */
  readonly #sound = new Set<string>();
  readonly #directories = new Map<string, Attributes>();
  readonly #symlinks: { readonly path: string; readonly target: string; readonly mtime: Date }[] = [];

  private constructor(root: string) {
    this.#root = root;
    this.#sound.add(root);
  }

  static async open(directory: string): Promise<HostPlace> {
    return new HostPlace(await realpath(directory));
  }

  /** Where a name of the archive lies; `undefined` if it climbs. A leading slash means nothing. */
  locate(name: string): string | undefined {
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    return parts.includes("..") || name.includes("\0") ? undefined : join(this.#root, ...parts);
  }

  /** Makes the directories above a path, unless one of them is a symlink. */
  async holds(path: string): Promise<boolean> {
    if (path === this.#root) return true;
    const folder = dirname(path);
    if (this.#sound.has(folder)) return true;
    if (!(await this.holds(folder))) return false;
    await mkdir(folder).catch(ignore("EEXIST"));
    if (!(await lstat(folder)).isDirectory()) return false;
    this.#sound.add(folder);
    return true;
  }

  async makeDirectory(path: string, attributes: Attributes): Promise<string | undefined> {
    // Ours alone, and writable, until it is complete.
    await mkdir(path, 0o700).catch(ignore("EEXIST"));
    if (!(await lstat(path)).isDirectory()) return "something that is no directory has its name";
    this.#sound.add(path);
    this.#directories.set(path, attributes);
    return undefined;
  }

  async writeFile(
    path: string,
    content: AsyncIterable<Uint8Array>,
    attributes: Attributes,
  ): Promise<string | undefined> {
    if (await isDirectory(path)) return "a directory has its name";
    await writeHostFile(path, content, attributes);
    return undefined;
  }

  async makeHardLink(path: string, targetName: string): Promise<string | undefined> {
    const target = this.locate(targetName);
    if (target === undefined || !(await this.holds(target)))
      return "it is a link to what lies outside of the directory";
    if (!(await lstat(target).catch(() => undefined))?.isFile())
      return `there is no file ${printable(targetName)} to link it to`;
    if (await isDirectory(path)) return "a directory has its name";
    const temporary = temporaryBeside(path);
    await link(target, temporary).catch(rethrow);
    await rename(temporary, path).catch(rethrow);
    // Renaming over another name of the same file does nothing.
    await rm(temporary, { force: true });
    return undefined;
  }

  /** Last, when nothing else is written any more: so they may point anywhere, as they do in the box, and lead nothing astray. */
  makeSymlinkLater(path: string, target: string, mtime: Date): void {
    this.#symlinks.push({ path, target, mtime });
  }

  /** Makes the symlinks, then sets what directories have, the deepest first. Resolves with what was left out. */
  async finish(): Promise<string[]> {
    const leftOut: string[] = [];
    for (const { path, target, mtime } of this.#symlinks) {
      if (!(await this.#isStillSound(dirname(path))) || (await isDirectory(path)) || path === this.#root) {
        leftOut.push(`${printable(path)}: it can't become a symlink`);
        continue;
      }
      const temporary = temporaryBeside(path);
      await symlink(target, temporary).catch(rethrow);
      await lutimes(temporary, mtime, mtime).catch(() => undefined);
      await rename(temporary, path).catch(rethrow);
    }
    for (const [path, attributes] of [...this.#directories].toReversed()) {
      if (await this.#isStillSound(path)) await setHostAttributes(path, attributes);
    }
    return leftOut;
  }

  /** Symlinks may have come since. */
  async #isStillSound(folder: string): Promise<boolean> {
    return this.#sound.has(folder) && (await realpath(folder).catch(() => "")) === folder;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() ?? false;
}

function ignore(code: string): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof Error && "code" in error && error.code === code)) throw hostFailure(error);
  };
}

function rethrow(error: unknown): never {
  throw hostFailure(error);
}
