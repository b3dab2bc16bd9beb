import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { isErrno } from "@boxrun/host";
import { sealedCopy } from "../host/memory-copy.ts";
import { type TemplateStore, templateFiles } from "./store.ts";

/** The parts of a template, which are of no use to any other's. */
export interface OpenTemplate {
  readonly identity: string;
  readonly memory: FileHandle;
  readonly state: Uint8Array;
  /** The disk of a box that is new; `undefined`: its VM has none yet. */
  readonly disk: FileHandle | undefined;
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
  const disk = await open(join(dir, templateFiles.disk)).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  });
  let memory: FileHandle | undefined;
  try {
    memory = await sealedCopy(hostHelper, join(dir, templateFiles.memory));
    if ((await store.identity(key)) === identity) return { identity, memory, state, disk };
    throw new BoxRunError("RUNTIME_ERROR", `open the template ${dir}: it was removed meanwhile`);
  } catch (error) {
    await memory?.close();
    await disk?.close();
    throw error;
  }
}

export async function closeTemplate({ memory, disk }: OpenTemplate): Promise<void> {
  await memory.close();
  await disk?.close();
}
