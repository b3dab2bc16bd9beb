export { BoxRunCore, type CoreOptions } from "./core.ts";
export type { OtherEngines } from "./engines.ts";
export { KeyedLock } from "./keyed-lock.ts";
export { type CoreMetrics, noMetrics } from "./metrics.ts";
export * from "./ports/clock.ts";
export * from "./ports/engine.ts";
export * from "./ports/images.ts";
export * from "./ports/logger.ts";
export * from "./ports/store.ts";
