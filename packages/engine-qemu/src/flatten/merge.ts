import type { Writable } from "node:stream";
import { type Layer, readLayer } from "./layer-content.ts";
import { maxPathBytes } from "./paths.ts";
import type { TarEntry } from "./tar-header.ts";
import { TarError, TarParser } from "./tar-parser.ts";
import { encodeEntry, endOfArchive, type OutputEntry, padding, sentBytes } from "./tar-writer.ts";
import { type Directory, type Leaf, printable, Tree } from "./tree.ts";

/** Several times what the largest images have. An entry takes some 1.3 kB while layers are merged. */
const maxEntries = 1_000_000;

/**
 * Pass 1: reads the headers of all layers, from the bottom up, into one tree. Memory holds headers, never contents.
 *
 * LayerError names the layer and the entry that can't be taken.
 */
export async function readTree(layers: readonly Layer[]): Promise<Tree> {
  const tree = new Tree();
  let entries = 0;
  for (const [layer, content] of layers.entries()) {
    let entry = 0;
    await parseLayer(content, layer, {
      entry: (header) => {
        entries += 1;
        if (entries > maxEntries) throw new Error(`the image has more than ${maxEntries} entries`);
        tree.apply(header, { layer, entry: entry++ });
      },
      content: () => undefined,
    });
  }
  return tree;
}

/**
 * Pass 2: writes everything below the root as one tar, contents in the order in which the layers have them. OutputError when the
 * stream fails.
 */
export async function writeMerged(tree: Tree, layers: readonly Layer[], output: Writable): Promise<void> {
  const out = new TarOutput(output);
  const filesOfLayer = await writeTree(tree.root, layers.length, out);
  for (const [layer, files] of filesOfLayer.entries()) {
    const content = layers[layer];
    if (content !== undefined && files.size > 0) await copyContents(content, layer, files, out);
  }
  await out.end();
}

/** A file with content and every name that it has. */
interface FileNames {
  readonly leaf: Leaf;
  readonly paths: string[];
}

/**
 * Writes what has no content, parents first, and returns what has, for each layer by the entry that brings the content. Sorted by
 * name, so that the same layers always give the same archive.
 */
async function writeTree(root: Directory, layers: number, out: TarOutput): Promise<Map<number, FileNames>[]> {
  const filesOfLayer = Array.from({ length: layers }, () => new Map<number, FileNames>());
  const firstPath = new Map<Leaf, string>();
  const visit = async (directory: Directory, prefix: string): Promise<void> => {
    const children = [...directory.children].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, { node }] of children) {
      const path = prefix + name;
      if (path.length >= maxPathBytes)
        throw new LayerError(`${printable(path)} is longer than ${maxPathBytes - 1} bytes`);
      if (node.kind === "directory") {
        out.write(encodeEntry({ path, type: "directory", metadata: node.metadata }));
        await visit(node, `${path}/`);
      } else if (node.size > 0) {
        const files = filesOfLayer[node.origin.layer];
        const known = files?.get(node.origin.entry);
        if (known === undefined) files?.set(node.origin.entry, { leaf: node, paths: [path] });
        else known.paths.push(path);
      } else {
        const first = firstPath.get(node);
        if (first === undefined) firstPath.set(node, path);
        out.write(encodeEntry(first === undefined ? leafEntry(node, path) : linkEntry(node, path, first)));
      }
      await out.drained();
    }
  };
  await visit(root, "");
  return filesOfLayer;
}

async function copyContents(
  content: Layer,
  layer: number,
  files: ReadonlyMap<number, FileNames>,
  out: TarOutput,
): Promise<void> {
  let entry = 0;
  let copying: (FileNames & { readonly sent: number }) | undefined;
  const finish = () => {
    const [first, ...others] = copying?.paths ?? [];
    if (copying === undefined || first === undefined) return;
    out.write(padding(copying.sent));
    for (const path of others) out.write(encodeEntry(linkEntry(copying.leaf, path, first)));
    copying = undefined;
  };
  await parseLayer(
    content,
    layer,
    {
      entry: ({ extents }) => {
        finish();
        const file = files.get(entry++);
        const path = file?.paths[0];
        if (file === undefined || path === undefined) return;
        const header = { ...leafEntry(file.leaf, path), extents };
        copying = { ...file, sent: sentBytes(header) };
        out.write(encodeEntry(header));
      },
      content: (chunk) => {
        if (copying !== undefined) out.write(chunk);
      },
    },
    () => out.drained(),
  );
  finish();
}

function leafEntry(leaf: Leaf, path: string): OutputEntry {
  const { type, metadata, size, linkName, devMajor, devMinor } = leaf;
  return { path, type, metadata, size, linkName, devMajor, devMinor };
}

function linkEntry(leaf: Leaf, path: string, target: string): OutputEntry {
  return { path, type: "link", metadata: leaf.metadata, linkName: target };
}

interface LayerVisitor {
  entry(entry: TarEntry): void;
  content(chunk: Buffer): void;
}

async function parseLayer(
  content: Layer,
  layer: number,
  visitor: LayerVisitor,
  afterChunk: () => Promise<void> | undefined = () => undefined,
): Promise<void> {
  const parser = new TarParser(visitor);
  try {
    await readLayer(content, (chunk) => {
      parser.write(chunk);
      return afterChunk();
    });
    parser.end();
  } catch (error) {
    if (error instanceof OutputError) throw error;
    throw layerError(error, content, layer);
  }
}

function layerError(error: unknown, content: Layer, layer: number): LayerError {
  const where = `layer ${layer + 1} (${content.digest})`;
  const entry = error instanceof TarError && error.entryName !== "" ? `, entry ${printable(error.entryName)}` : "";
  const reason = error instanceof Error ? error.message : String(error);
  return new LayerError(`${where}${entry}: ${reason}`, { cause: error });
}

/** The image can't be taken; the message names layer and entry. */
export class LayerError extends Error {}

/** The reader of the archive has gone: its own words say why, not the layer that was being copied. */
export class OutputError extends Error {}

/** Writes with an eye on what has not been taken yet. */
class TarOutput {
  readonly #stream: Writable;
  #failure: OutputError | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("drain", () => this.#wake?.());
    stream.on("error", (error) => {
      this.#failure = new OutputError(error.message, { cause: error });
      this.#wake?.();
    });
  }

  write(chunk: Buffer): void {
    if (chunk.length > 0) this.#stream.write(chunk);
  }

  /** Resolves when there is room again; rejects when the stream has failed. */
  async drained(): Promise<void> {
    if (this.#stream.writableNeedDrain) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when everything has been taken. */
  async end(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#stream.write(endOfArchive, () => resolve());
    });
    if (this.#failure !== undefined) throw this.#failure;
  }
}
