export { createAgentEngine } from "./engine.ts";
export type {
  Machine,
  MakeOptions,
  PreparedMachine,
  ProviderDescription,
  VmProvider,
  WatchedSurroundings,
} from "./provider.ts";
