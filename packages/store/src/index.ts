export { lockStateDir, type StateHolder, type StateLock } from "./state-lock.ts";
export { openStore, type StoreOptions } from "./store.ts";
