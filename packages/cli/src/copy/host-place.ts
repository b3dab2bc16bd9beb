import { chmod, link, lutimes, rename, rm, symlink, utimes } from "node:fs/promises";
import { type ByteString, shown, toBuffer } from "./bytes.ts";
import type { HostDirectory } from "./host-directory.ts";
import { hostFailure } from "./host-failure.ts";
import { type Attributes, type FileFields, placeFile, temporaryFor } from "./host-file.ts";
import { type FileTime, nodeTime, setExactTimes } from "./host-times.ts";

/** A directory on the way to where something is written. */
interface Step {
  readonly name: ByteString;
  readonly directory: HostDirectory;
}

/** How many times may wait for the end. */
const mostWaitingTimes = 20_000;

/**
 * A directory of this host into which something is written that we don't trust: names that lead out of it, symlinks over which others
 * climb, and others who change the tree meanwhile. Every name is looked up in its open directory, and no symlink is followed.
 * Directories that were there before keep their modes and times.
 */
export class HostPlace implements AsyncDisposable {
  readonly #root: Step;
  /** The directory in which the last entry was, from the root down. */
  #steps: Step[] = [];
  /** Paths of directories that were made here. */
  readonly #made = new Set<ByteString>();
  /** What those are to have once nothing is written into them any more: by the path above, by name. */
  readonly #attributes = new Map<ByteString, Map<ByteString, Attributes>>();
  /** By the path above. */
  #times = new Map<ByteString, FileTime[]>();
  #waitingTimes = 0;

  /** `directory` becomes the place's own, which closes it. */
  constructor(directory: HostDirectory) {
    this.#root = { name: "", directory };
  }

  /** The parts of an archive's name; `undefined` if it climbs. A leading slash means nothing. */
  static parts(name: ByteString): readonly ByteString[] | undefined {
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    return parts.includes("..") || name.includes("\0") ? undefined : parts;
  }

  async makeDirectory(parts: readonly ByteString[], attributes: Attributes): Promise<string | undefined> {
    const [above, name] = split(parts);
    const parent = await this.#enter(above);
    if (parent === undefined) return isUnderSymlink;
    // Ours alone, and writable, until it is complete.
    const { directory, isNew } = await parent.directory.enterOrMake(name, 0o700);
    await directory?.[Symbol.asyncDispose]();
    if (directory === undefined) return "something that is no directory has its name";
    if (isNew) this.#made.add(parts.join("/"));
    if (!this.#made.has(parts.join("/"))) return undefined;
    const path = above.join("/");
    const siblings = this.#attributes.get(path) ?? new Map<ByteString, Attributes>();
    this.#attributes.set(path, siblings.set(name, attributes));
    return undefined;
  }

  async writeFile(
    parts: readonly ByteString[],
    content: AsyncIterable<Uint8Array>,
    fields: FileFields,
  ): Promise<string | undefined> {
    return await this.#put(parts, fields.mtimeNs, (directory, name) => placeFile(directory, name, content, fields));
  }

  async makeSymlink(parts: readonly ByteString[], target: ByteString, mtimeNs: bigint): Promise<string | undefined> {
    return await this.#put(parts, mtimeNs, (directory, name) =>
      replace(directory, name, async (path) => {
        await symlink(toBuffer(target), path);
        await lutimes(path, nodeTime(mtimeNs), nodeTime(mtimeNs)).catch(() => undefined);
      }),
    );
  }

  async makeHardLink(parts: readonly ByteString[], targetName: ByteString): Promise<string | undefined> {
    const target = HostPlace.parts(targetName);
    const outside = "it is a link to what lies outside of the directory";
    if (target === undefined) return outside;
    const [above, targetLast] = split(target);
    const from = await this.#lookUp(above);
    if (from === "symlink") return outside;
    const none = `there is no file ${shown(targetName)} to link it to`;
    if (from === undefined) return none;
    try {
      if (!(await from.lstat(targetLast))?.isFile()) return none;
      return await this.#put(parts, undefined, (directory, name) =>
        replace(directory, name, (path) => link(from.at(targetLast), path)),
      );
    } finally {
      await from[Symbol.asyncDispose]();
    }
  }

  /** Sets times, then the modes of directories, the deepest first: some can't be entered any more. */
  async finish(): Promise<void> {
    await this.#leave(0);
    const depth = (path: ByteString) => (path === "" ? 0 : path.split("/").length);
    const deepestFirst = [...this.#attributes].sort(([a], [b]) => depth(b) - depth(a));
    for (const [path, children] of deepestFirst) {
      const set = ({ mtimeNs }: Attributes, at: Buffer) => utimes(at, nodeTime(mtimeNs), nodeTime(mtimeNs));
      await this.#setOfDirectories(path, children, set);
      for (const [name, { mtimeNs }] of children) this.#addTime(path, { name, mtimeNs });
    }
    await this.#setTimes();
    for (const [path, children] of deepestFirst) {
      await this.#setOfDirectories(path, children, ({ mode }, at) => chmod(at, mode & 0o777));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { directory } of [...this.#steps, this.#root]) await directory[Symbol.asyncDispose]();
    this.#steps = [];
  }

  /** Makes something that takes the place of whatever has the name, but for a directory. */
  async #put(
    parts: readonly ByteString[],
    mtimeNs: bigint | undefined,
    make: (directory: HostDirectory, name: ByteString) => Promise<void>,
  ): Promise<string | undefined> {
    const [above, name] = split(parts);
    if (name === "") return "it would take the place of the directory itself";
    const step = await this.#enter(above);
    if (step === undefined) return isUnderSymlink;
    if ((await step.directory.lstat(name))?.isDirectory()) return "a directory has its name";
    await make(step.directory, name);
    if (mtimeNs !== undefined) this.#addTime(above.join("/"), { name, mtimeNs });
    if (this.#waitingTimes > mostWaitingTimes) await this.#setTimes();
    return undefined;
  }

  #addTime(path: ByteString, time: FileTime): void {
    const times = this.#times.get(path);
    if (times === undefined) this.#times.set(path, [time]);
    else times.push(time);
    this.#waitingTimes += 1;
  }

  async #setTimes(): Promise<void> {
    const times = this.#times;
    this.#times = new Map();
    this.#waitingTimes = 0;
    await setExactTimes(this.#root.directory, times);
  }

  async #setOfDirectories(
    path: ByteString,
    children: ReadonlyMap<ByteString, Attributes>,
    set: (attributes: Attributes, at: Buffer) => Promise<void>,
  ): Promise<void> {
    // Somebody may have put a symlink into the way.
    const parent = await this.#lookUp(path === "" ? [] : path.split("/"));
    if (parent === undefined || parent === "symlink") return;
    await using above = parent;
    for (const [name, attributes] of children) {
      const directory = await above.enter(name).catch(() => undefined);
      if (directory === undefined) continue;
      await using open = directory;
      await set(attributes, open.at("")).catch((error: unknown) => {
        throw hostFailure(error, above.below(name));
      });
    }
  }

  /** The directory of that path, made where missing; `undefined` where something on the way is none. */
  async #enter(parts: readonly ByteString[]): Promise<Step | undefined> {
    let shared = 0;
    while (shared < this.#steps.length && this.#steps[shared]?.name === parts[shared]) shared += 1;
    await this.#leave(shared);
    for (const [index, name] of parts.slice(shared).entries()) {
      const above = this.#steps.at(-1) ?? this.#root;
      const { directory, isNew } = await above.directory.enterOrMake(name, 0o755);
      if (isNew) this.#made.add(parts.slice(0, shared + index + 1).join("/"));
      if (directory === undefined) return undefined;
      this.#steps.push({ name, directory });
    }
    return this.#steps.at(-1) ?? this.#root;
  }

  async #leave(depth: number): Promise<void> {
    for (let step = this.#steps[depth]; step !== undefined; step = this.#steps[depth]) {
      await (this.#steps.pop() ?? step).directory[Symbol.asyncDispose]();
    }
  }

  /** The directory of that path as one of its own, if it is there; nothing is made. */
  async #lookUp(parts: readonly ByteString[]): Promise<HostDirectory | "symlink" | undefined> {
    let directory = await this.#root.directory.enter(".");
    for (const name of parts) {
      await using above = directory;
      try {
        directory = await above?.enter(name);
      } catch {
        return undefined;
      }
      if (directory === undefined) return "symlink";
    }
    return directory;
  }
}

const isUnderSymlink = "something above it is no directory, and nothing is written through a symlink";

function split(parts: readonly ByteString[]): readonly [above: readonly ByteString[], name: ByteString] {
  return [parts.slice(0, -1), parts.at(-1) ?? ""];
}

/** `make` makes it under another name, which takes the place of whatever has this one. */
async function replace(
  directory: HostDirectory,
  name: ByteString,
  make: (path: Buffer) => Promise<void>,
): Promise<void> {
  const temporary = directory.at(temporaryFor(name));
  try {
    await make(temporary);
    await rename(temporary, directory.at(name));
  } catch (error) {
    throw hostFailure(error, directory.below(name));
  } finally {
    // Also after a success: renaming over another name of the same file does nothing.
    await rm(temporary, { force: true });
  }
}
