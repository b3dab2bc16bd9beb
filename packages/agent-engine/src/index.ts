export { createAgentEngine } from "./engine.ts";
export type { Machine, MakeOptions, PreparedMachine, VmProvider, WatchedSurroundings } from "./provider.ts";
