import { type FileHandle, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { sealedCopy } from "./sealed-memory.ts";
import { type TemplateStore, templateFiles } from "./store.ts";

/** The two halves of a template, which are of no use to any other's. */
export interface OpenTemplate {
  readonly identity: string;
  readonly memory: FileHandle;
  readonly state: Uint8Array;
}

/** RUNTIME_ERROR, or Node's own error, if it is not all there, or another has taken its place meanwhile. */
export async function openTemplate(
  store: TemplateStore,
  key: string,
  identity: string,
  hostHelper: string,
): Promise<OpenTemplate> {
  const dir = store.path(key);
  const state = await readFile(join(dir, templateFiles.state));
  const memory = await sealedCopy(hostHelper, join(dir, templateFiles.memory));
  if ((await store.identity(key)) === identity) return { identity, memory, state };
  await memory.close();
  throw new BoxRunError("RUNTIME_ERROR", `open the template ${dir}: it was removed meanwhile`);
}
