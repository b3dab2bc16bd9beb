/**
 * The part of the contract that needs no schema library, as an entry of its own (`@boxrun/contract/plain`): loading that
 * library takes longer than most commands of the CLI do.
 */
export * from "./engine-names.ts";
export * from "./errors.ts";
export * from "./image-names.ts";
export * from "./masking.ts";
export * from "./names.ts";
export * from "./revision.ts";
export * from "./size-text.ts";
export * from "./state-dir.ts";
export * from "./states.ts";
export * from "./urls.ts";
