import { setFlagsFromString } from "node:v8";

/**
 * For a process through which buffers come and go by the gigabyte. V8 before 14 (Node 24 and 25) marks all of the heap for every 16 MB of them, however large both are; told to, it counts them
 * together with the heap. What is young it then collects where it is, often, rather than let that grow to 48 MB of what is long of no use (bench/README.md, "V8's heap").
 */
export function countBuffersWithHeap(): void {
  if (Number(process.versions.v8.split(".")[0]) >= 14) return;
  setFlagsFromString("--external-memory-accounted-in-global-limit");
  setFlagsFromString("--semi-space-growth-factor=1");
}
