import { posix } from "node:path";
import { BoxRunError, type FileEntry } from "@boxrun/contract";

interface Meta {
  mode: number;
  uid: number;
  gid: number;
  mtimeMs: number;
}
/** Whose a new file is. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface DirNode extends Meta {
  readonly type: "dir";
  readonly children: Map<string, FileNode>;
}
export interface RegularNode extends Meta {
  readonly type: "file";
  content: Buffer;
}
export interface LinkNode extends Meta {
  readonly type: "symlink";
  readonly target: string;
}
export type FileNode = DirNode | RegularNode | LinkNode;

/** As Linux has it: so many symlinks in one path are a loop. */
const maxLinks = 40;
const maxNameBytes = 255;

function newDir(mode = 0o755): DirNode {
  return { type: "dir", mode, uid: 0, gid: 0, mtimeMs: Date.now(), children: new Map() };
}

export function newFile(content: Buffer, mode = 0o644): RegularNode {
  return { type: "file", mode, uid: 0, gid: 0, mtimeMs: Date.now(), content };
}

export function newLink(target: string): LinkNode {
  return { type: "symlink", mode: 0o777, uid: 0, gid: 0, mtimeMs: Date.now(), target };
}

/** A tree of files in memory, with Linux's path rules: symlinks are resolved inside the root, and `..` stops there. */
export class MemoryFileSystem {
  readonly root: DirNode = newDir();

  /** FILE_NOT_FOUND. `follow`: the last name too. */
  get(path: string, options: { readonly follow: boolean } = { follow: true }): FileNode {
    const { node } = this.#walk(path, options.follow, false);
    if (node === undefined) throw notFound(path);
    return node;
  }

  /** `undefined` where nothing is. VALIDATION_ERROR where a file is on the way. */
  find(path: string): FileNode | undefined {
    return this.#walk(path, true, false).node;
  }

  /** The directory at `path`, made with its parents if missing. VALIDATION_ERROR if something else is there. */
  makeDir(path: string, owner?: Owner): DirNode {
    const { node, parent, name } = this.#walk(path, true, true, owner);
    if (node === undefined) {
      const dir = Object.assign(newDir(), owner);
      parent.children.set(name, dir);
      return dir;
    }
    if (node.type !== "dir") throw invalid(path, "is not a directory");
    return node;
  }

  /** Puts a file in the place of whatever file is there; makes parents. VALIDATION_ERROR if a directory is there. */
  put(path: string, node: RegularNode | LinkNode, owner?: Owner): void {
    const { node: existing, parent, name } = this.#walk(path, node.type === "file", true, owner);
    if (existing?.type === "dir") throw invalid(path, "is a directory");
    parent.children.set(name, node);
  }

  /** VALIDATION_ERROR unless a file could be put there; makes its parents. */
  checkPut(path: string, owner?: Owner): void {
    if (this.#walk(path, true, true, owner).node?.type === "dir") throw invalid(path, "is a directory");
  }

  remove(path: string): void {
    const { node, parent, name } = this.#walk(path, false, false);
    if (node === undefined) throw notFound(path);
    if (node === this.root) throw invalid(path, "is the root");
    parent.children.delete(name);
  }

  stat(path: string, options: { readonly follow: boolean }): FileEntry {
    return entry(posix.basename(path) || "/", this.get(path, options));
  }

  /** A directory whose parent is there. */
  makeOneDir(path: string, owner?: Owner): void {
    const { parent, name } = this.#place(path);
    if (parent.children.has(name)) throw exists(path);
    parent.children.set(name, Object.assign(newDir(), owner));
  }

  rename(path: string, to: string, replace: boolean): void {
    const from = this.#place(path);
    const node = from.parent.children.get(from.name);
    if (node === undefined) throw notFound(path);
    const target = this.#place(to);
    const there = target.parent.children.get(target.name);
    if (there !== undefined && !replace) throw exists(to);
    if (there === node) return;
    if (there !== undefined && (there.type === "dir") !== (node.type === "dir"))
      throw invalid(to, "is of another kind");
    if (node.type === "dir" && isBelow(target.parent, node)) throw invalid(to, `is below ${path}`);
    if (there?.type === "dir" && there.children.size > 0) throw exists(to);
    from.parent.children.delete(from.name);
    target.parent.children.set(target.name, node);
  }

  /** The directory, which is there, that a path is a name in. */
  #place(path: string): { readonly parent: DirNode; readonly name: string } {
    const directory = posix.dirname(path);
    const name = posix.basename(path);
    if (name === "" || name === "." || name === "..") throw invalid(path, "is not a name in a directory");
    if (Buffer.byteLength(name) > maxNameBytes) throw invalid(path, "has a name that is too long");
    const parent = this.get(directory);
    if (parent.type !== "dir") throw invalid(path, "goes through something that is not a directory");
    return { parent, name };
  }

  list(path: string): FileEntry[] {
    const node = this.get(path);
    if (node.type !== "dir") throw invalid(path, "is not a directory");
    return [...node.children]
      .map(([name, child]) => entry(name, child))
      .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  }

  /** `owner`: of the parents that are made. */
  #walk(
    path: string,
    follow: boolean,
    makeParents: boolean,
    owner?: Owner,
  ): { node?: FileNode; parent: DirNode; name: string } {
    let stack: DirNode[] = [this.root];
    let names = path.split("/");
    let links = 0;
    let last: { node?: FileNode; parent: DirNode; name: string } = { node: this.root, parent: this.root, name: "" };
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (stack.length > 1) stack.pop();
        const dir = stack.at(-1) ?? this.root;
        last = { node: dir, parent: dir, name: "" };
        continue;
      }
      if (Buffer.byteLength(name) > maxNameBytes) throw invalid(path, "has a name that is too long");
      const parent = stack.at(-1) ?? this.root;
      const isLast = names.every((rest) => rest === "" || rest === ".");
      let node = parent.children.get(name);
      if (node?.type === "symlink" && (follow || !isLast)) {
        links += 1;
        if (links > maxLinks) throw invalid(path, "has too many levels of symbolic links");
        if (node.target.startsWith("/")) stack = [this.root];
        names = [...node.target.split("/"), ...names];
        const dir = stack.at(-1) ?? this.root;
        last = { node: dir, parent: dir, name: "" };
        continue;
      }
      if (!isLast) {
        if (node === undefined && makeParents) {
          node = Object.assign(newDir(), owner);
          parent.children.set(name, node);
        }
        if (node === undefined) return { parent, name };
        if (node.type !== "dir") throw invalid(path, "goes through something that is not a directory");
      }
      if (node?.type === "dir") stack.push(node);
      last = node === undefined ? { parent, name } : { node, parent, name };
    }
    return last;
  }
}

function entry(name: string, node: FileNode): FileEntry {
  return {
    name,
    type: node.type,
    size: node.type === "file" ? node.content.length : node.type === "symlink" ? Buffer.byteLength(node.target) : 0,
    mode: node.mode.toString(8).padStart(4, "0"),
    mtime: new Date(node.mtimeMs).toISOString(),
    uid: node.uid,
    gid: node.gid,
    ...(node.type === "symlink" ? { target: node.target } : {}),
  };
}

function isBelow(node: FileNode, directory: DirNode): boolean {
  return (
    node === directory || [...directory.children.values()].some((child) => child.type === "dir" && isBelow(node, child))
  );
}

function exists(path: string): BoxRunError {
  return new BoxRunError("FILE_EXISTS", `There is a ${path} in the box`);
}

function notFound(path: string): BoxRunError {
  return new BoxRunError("FILE_NOT_FOUND", `There is no ${path} in the box`);
}

function invalid(path: string, why: string): BoxRunError {
  return new BoxRunError("VALIDATION_ERROR", `${path} ${why}`);
}
