import { type FileHandle, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { sealedCopy } from "./sealed-memory.ts";
import { templateFiles } from "./store.ts";

/** The two halves of a template, which are of no use to any other's. */
export interface OpenTemplate {
  readonly memory: FileHandle;
  readonly state: Uint8Array;
}

/** RUNTIME_ERROR, or Node's own error, if it is not all there, or another has taken its place meanwhile. */
export async function openTemplate(dir: string, hostHelper: string): Promise<OpenTemplate> {
  const before = await stat(dir);
  const state = await readFile(join(dir, templateFiles.state));
  const memory = await sealedCopy(hostHelper, join(dir, templateFiles.memory));
  const after = await stat(dir).catch(() => undefined);
  // A number may be given again at once; its time is another then.
  if (after?.ino === before.ino && after.ctimeMs === before.ctimeMs) return { memory, state };
  await memory.close();
  throw new BoxRunError("RUNTIME_ERROR", `open the template ${dir}: it was removed meanwhile`);
}
