export { type FirstVm, makeFirstVm } from "./first-vm.ts";
export type { TcpAddress } from "./listen.ts";
export { type RunningServer, type ServeOptions, serve } from "./main.ts";
export type { ServeFlags } from "./settings.ts";
