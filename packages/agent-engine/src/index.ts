export { createAgentEngine } from "./engine.ts";
export type { Machine, MakeOptions, VmProvider, WatchedSurroundings } from "./provider.ts";
