export type { ConformanceOptions, NetworkFixture, NetworkHooks } from "./conformance/options.ts";
export { type ConformancePart, engineConformance } from "./conformance/suite.ts";
export type { ControlledMethod, Hold, MemoryControls } from "./memory/controls.ts";
export { createMemoryEngine, type MemoryEngine, type MemoryEngineOptions } from "./memory/engine.ts";
export { MemoryHost } from "./memory/host.ts";
export type { Program, ProgramContext, Write } from "./memory/program.ts";
export { ip, noNetworks, type OutsideNetwork, openOutsideNetwork, outsideNetworkHooks } from "./outside-network.ts";
