export { defaultCacheDir } from "@boxrun/host";
export { createQemuEngine, type QemuEngineOptions } from "./engine.ts";
export { type BuildGuestOptions, buildGuest } from "./guest-build/build.ts";
export { type Guest, locateGuest } from "./guest-build/locate.ts";
