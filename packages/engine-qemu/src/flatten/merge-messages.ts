import { z } from "zod";
import type { Layer } from "./layer-content.ts";

/**
 * What flatten.ts and the merging process say to each other over the IPC channel.
 *
 *   flatten.ts                         merge-process.ts
 *     ── read {layers} ─────────────►  reads all headers
 *     ◄───────── ready {root, …} ──
 *     starts sqfstar, which must be told the root directory's mode and time beforehand
 *     ── write ─────────────────────►  writes the merged tar to its stdout
 *     ◄── done │ output-closed ─────
 *
 * `refused` (an image that can't be taken) and `failed` (this host's fault) may come at any time. `output-closed`: whoever read the tar has gone.
 */
export type MergeCommand = { readonly kind: "read"; readonly layers: readonly Layer[] } | { readonly kind: "write" };

export const mergeMessageSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("ready"),
    root: z.object({ mode: z.int(), uid: z.int(), gid: z.int(), mtime: z.int() }),
    /** The youngest time stamp in the tree, in seconds since the epoch. */
    newestMtime: z.int(),
  }),
  z.object({ kind: z.literal("done") }),
  z.object({ kind: z.literal("output-closed") }),
  z.object({ kind: z.literal("refused"), message: z.string() }),
  z.object({ kind: z.literal("failed"), message: z.string() }),
]);
export type MergeMessage = z.infer<typeof mergeMessageSchema>;
