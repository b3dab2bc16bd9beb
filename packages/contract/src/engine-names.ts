/** What `BOXRUN_ENGINE` may say. */
export const engineNames = ["auto", "boxlite", "qemu"] as const;
export type RequestedEngine = (typeof engineNames)[number];
