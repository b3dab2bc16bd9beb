/**
 * The process that merges an image's layers. flatten.ts starts it; merge-messages.ts is what they say. It loads no library, and no
 * package as a whole, because loading takes longer than merging a small image.
 */
import { LayerError, OutputError, readTree, writeMerged } from "./merge.ts";
import type { MergeCommand, MergeMessage } from "./merge-messages.ts";

// The server has died: nobody would take the result.
process.once("disconnect", () => process.exit(1));

function tell(message: MergeMessage): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()));
}

function command(): Promise<MergeCommand> {
  // Whoever is at the other end is our own code, of the same version.
  return new Promise((resolve) => process.once("message", (message) => resolve(message as MergeCommand)));
}

async function merge(): Promise<MergeMessage> {
  try {
    const read = await command();
    if (read.kind !== "read") throw new Error(`asked to ${read.kind} before anything was read`);
    const tree = await readTree(read.layers);
    const { mode, uid, gid, mtime } = tree.root.metadata;
    const write = command();
    await tell({ kind: "ready", root: { mode, uid, gid, mtime }, newestMtime: tree.newestMtime() });
    await write;
    await writeMerged(tree, read.layers, process.stdout);
    return { kind: "done" };
  } catch (error) {
    if (error instanceof OutputError) return { kind: "output-closed" };
    if (error instanceof LayerError) return { kind: "refused", message: error.message };
    return { kind: "failed", message: String(error) };
  }
}

await tell(await merge());
process.disconnect?.();
