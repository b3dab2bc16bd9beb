import { setFlagsFromString } from "node:v8";

/**
 * For a process through which buffers come and go by the gigabyte. V8 before 14 (Node 24 and 25) marks all of the heap for every 16 MB of them, however large both are; told to, it counts them
 * together with the heap.
 */
export function countBuffersWithHeap(): void {
  if (Number(process.versions.v8.split(".")[0]) < 14) setFlagsFromString("--external-memory-accounted-in-global-limit");
}
