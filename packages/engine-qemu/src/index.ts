export { createQemuEngine, type QemuEngineOptions } from "./engine.ts";
export { type BuildGuestOptions, buildGuest } from "./guest-build/build.ts";
export { defaultCacheDir, type Guest, locateGuest } from "./guest-build/locate.ts";
