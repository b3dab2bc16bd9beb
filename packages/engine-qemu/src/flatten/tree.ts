import { maxPathBytes, type Path, splitPath } from "./paths.ts";
import type { EntryType, TarEntry } from "./tar-header.ts";

/** Where a node's last word comes from: layers count from 0 at the bottom, entries within a layer from 0. */
export interface Origin {
  readonly layer: number;
  readonly entry: number;
}

export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly xattrs: ReadonlyMap<string, string>;
}

/** Everything that is not a directory. Hard links are one Leaf under several names. */
export interface Leaf {
  readonly kind: "leaf";
  readonly type: Exclude<EntryType, "directory" | "link">;
  readonly origin: Origin;
  readonly metadata: Metadata;
  /** Bytes of a file's content. */
  readonly size: number;
  /** Target of a symlink. */
  readonly linkName: string;
  readonly devMajor: number;
  readonly devMinor: number;
}

export interface Directory {
  readonly kind: "directory";
  metadata: Metadata;
  readonly children: Map<string, Child>;
}

/** A name in a directory. Not the node, which hard links share, but the name remembers which layer put it there. */
export interface Child {
  layer: number;
  readonly node: Directory | Leaf;
}

const whiteoutPrefix = ".wh.";
const opaqueMarker = ".wh..wh..opq";
/** Besides the opaque marker, names with this prefix are book-keeping of AUFS, which container runtimes skip. */
const aufsPrefix = ".wh..wh.";
/** Where AUFS keeps files with several names, in layers of its time: the names in the layer are links to there. */
const aufsLinksDir = ".wh..wh.plnk";

/** As in Linux: more symlinks than this in one path are a loop. */
const maxSymlinks = 40;

/** Keeps the recursion over hostile trees, which symlinks can make deeper than any path is long, away from the stack's end. */
const maxDepth = 2048;

const noXattrs: ReadonlyMap<string, string> = new Map();
const impliedDirectory: Metadata = { mode: 0o755, uid: 0, gid: 0, mtime: 0, xattrs: noXattrs };

/**
 * The merged file system of layers applied one after the other, without contents. Rules are those of the OCI image specification, and
 * where it is silent those of containerd: a directory merges only with a directory, everything else replaces what had the name; a
 * parent that is a symlink is followed inside the root; whiteouts hide what lower layers have, never what their own layer brings.
 *
 * Stricter than containerd in one thing: a path that climbs above the root is refused, not clamped to it.
 * Every method throws a plain Error that says what is wrong with the entry.
 */
export class Tree {
  readonly root: Directory = { kind: "directory", metadata: impliedDirectory, children: new Map() };
  /** Files of `aufsLinksDir` by layer and path. */
  readonly #aufsFiles = new Map<string, Leaf>();

  apply(entry: TarEntry, origin: Origin): void {
    const path = splitPath(entry.name, "its name");
    const name = path.at(-1);
    if (name === undefined) {
      if (entry.type !== "directory") throw new Error("the root cannot be anything but a directory");
      this.root.metadata = metadataOf(entry);
      return;
    }
    const parentPath = path.slice(0, -1);
    if (name === opaqueMarker) this.#hideChildren(this.#makeParent(parentPath, origin.layer), origin.layer);
    else if (path.some((part) => part.startsWith(aufsPrefix))) this.#keepAufsFile(path, entry, origin);
    else if (name.startsWith(whiteoutPrefix)) this.#whiteout(parentPath, name, origin.layer);
    else if (entry.type === "directory") this.#putDirectory(parentPath, name, metadataOf(entry), origin.layer);
    else if (entry.type === "link") this.#putLink(parentPath, name, entry.linkName, origin.layer);
    else this.#putLeaf(parentPath, name, leaf(entry, entry.type, origin));
  }

  /** Seconds since the epoch. */
  newestMtime(directory: Directory = this.root): number {
    let newest = directory.metadata.mtime;
    for (const { node } of directory.children.values()) {
      const mtime = node.kind === "directory" ? this.newestMtime(node) : node.metadata.mtime;
      if (mtime > newest) newest = mtime;
    }
    return newest;
  }

  #putDirectory(parentPath: Path, name: string, metadata: Metadata, layer: number): void {
    const parent = this.#makeParent(parentPath, layer);
    const old = parent.children.get(name);
    if (old?.node.kind === "directory") {
      old.node.metadata = metadata;
      old.layer = layer;
    } else {
      parent.children.set(name, { layer, node: { kind: "directory", metadata, children: new Map() } });
    }
  }

  #putLeaf(parentPath: Path, name: string, node: Leaf): void {
    this.#makeParent(parentPath, node.origin.layer).children.set(name, { layer: node.origin.layer, node });
  }

  #putLink(parentPath: Path, name: string, linkName: string, layer: number): void {
    const targetPath = splitPath(linkName, "its hard link target");
    const targetName = targetPath.at(-1);
    const target =
      targetName === undefined
        ? this.root
        : (this.#aufsFiles.get(aufsKey(targetPath, layer)) ??
          this.#find(targetPath.slice(0, -1))?.children.get(targetName)?.node);
    if (target === undefined) throw new Error(`its hard link target ${printable(linkName)} does not exist`);
    if (target.kind === "directory") throw new Error(`its hard link target ${printable(linkName)} is a directory`);
    this.#makeParent(parentPath, layer).children.set(name, { layer, node: target });
  }

  #keepAufsFile(path: Path, entry: TarEntry, origin: Origin): void {
    if (path[0] === aufsLinksDir && entry.type === "file") {
      this.#aufsFiles.set(aufsKey(path, origin.layer), leaf(entry, entry.type, origin));
    }
  }

  #whiteout(parentPath: Path, marker: string, layer: number): void {
    const name = marker.slice(whiteoutPrefix.length);
    if (name === "" || name === "." || name === "..")
      throw new Error("it is a whiteout of nothing that can be removed");
    const parent = this.#find(parentPath);
    const child = parent?.children.get(name);
    if (parent !== undefined && child !== undefined && !this.#survives(child, layer)) parent.children.delete(name);
  }

  #hideChildren(directory: Directory, layer: number): void {
    for (const [name, child] of directory.children) {
      if (!this.#survives(child, layer)) directory.children.delete(name);
    }
  }

  /** Removes what lower layers have at and below a child; true if something of this layer is left. */
  #survives(child: Child, layer: number): boolean {
    if (child.node.kind === "leaf") return child.layer === layer;
    this.#hideChildren(child.node, layer);
    return child.layer === layer || child.node.children.size > 0;
  }

  /** The directory at `path`, symlinks followed; made where it is missing, as container runtimes do. */
  #makeParent(path: Path, layer: number): Directory {
    return this.#walk(path, (parent, name) => {
      const node: Directory = { kind: "directory", metadata: impliedDirectory, children: new Map() };
      parent.children.set(name, { layer, node });
      return node;
    });
  }

  /** The directory at `path`, symlinks followed; `undefined` if it is missing. */
  #find(path: Path): Directory | undefined {
    return this.#walk(path, () => undefined);
  }

  #walk<T extends Directory | undefined>(path: Path, missing: (parent: Directory, name: string) => T): Directory | T {
    const todo = [...path].reverse();
    const trail: Directory[] = [this.root];
    let symlinks = 0;
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      const here = trail.at(-1) ?? this.root;
      if (name === "..") {
        if (trail.length === 1) throw new Error("a symlink on its way leads out of the image's root");
        trail.pop();
        continue;
      }
      const node = here.children.get(name)?.node;
      if (node === undefined) {
        const made = missing(here, name);
        if (made === undefined) return made;
        trail.push(made);
        continue;
      }
      if (node.kind === "directory") {
        trail.push(node);
        if (trail.length > maxDepth) throw new Error(`it lies deeper than ${maxDepth} directories`);
        continue;
      }
      if (node.type !== "symlink") throw new Error(`${printable(name)} on its way is not a directory`);
      symlinks += 1;
      if (symlinks > maxSymlinks) throw new Error("symlinks on its way form a loop");
      if (node.linkName.startsWith("/")) trail.length = 1;
      todo.push(...symlinkParts(node.linkName).reverse());
    }
    return trail.at(-1) ?? this.root;
  }
}

/** Copies, so that the tree does not hold on to the rest of the entry. */
function metadataOf({ mode, uid, gid, mtime, xattrs }: TarEntry): Metadata {
  return { mode, uid, gid, mtime, xattrs };
}

function aufsKey(path: Path, layer: number): string {
  return `${layer}/${path.join("/")}`;
}

function leaf(entry: TarEntry, type: Leaf["type"], origin: Origin): Leaf {
  const linkName = type === "symlink" ? symlinkTarget(entry.linkName) : "";
  const { size, devMajor, devMinor } = entry;
  return { kind: "leaf", type, origin, metadata: metadataOf(entry), size, linkName, devMajor, devMinor };
}

function symlinkTarget(target: string): string {
  if (target === "" || target.length >= maxPathBytes || target.includes("\0")) {
    throw new Error(`its symlink target must be 1 to ${maxPathBytes - 1} bytes without NUL`);
  }
  return target;
}

/** `..` stays: what it means depends on where the parts before it lead. */
function symlinkParts(target: string): string[] {
  return target.split("/").filter((part) => part !== "" && part !== ".");
}

/** A byte string for an error message: UTF-8 where it is, cut to a sensible length. */
export function printable(bytes: string): string {
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
