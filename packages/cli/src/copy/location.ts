import { posix } from "node:path";
import { BoxRunError } from "@boxrun/contract/plain";
import type { BoxRunClient } from "boxrun-sdk";

/** One end of a copy. */
export type Location =
  | { readonly kind: "stdio" }
  | { readonly kind: "host"; readonly path: string }
  /** `path` may be relative: to the box's working directory. */
  | { readonly kind: "box"; readonly box: string; readonly path: string };

/** `-`, `BOX:PATH`, or a path of this host: that is whatever has a `/` before its first colon. */
export function parseLocation(text: string): Location {
  if (text === "-") return { kind: "stdio" };
  const match = /^([A-Za-z0-9][A-Za-z0-9_.-]*):(.*)$/s.exec(text);
  const [, box, path] = match ?? [];
  return box === undefined || path === undefined ? { kind: "host", path: text } : { kind: "box", box, path };
}

/** A place in a box, its path absolute. A trailing `/` (it must be a directory) or `/.` (its content) is kept in `as`. */
export interface BoxPath {
  readonly box: string;
  readonly path: string;
  readonly as: "named" | "directory" | "content";
}

export async function resolveInBox(
  client: BoxRunClient,
  { box, path }: Extract<Location, { kind: "box" }>,
  signal: AbortSignal,
): Promise<BoxPath> {
  const base = path.startsWith("/") ? "/" : (await client.boxes.get(box, { signal })).workdir;
  const absolute = posix.resolve(base, path);
  return { box, path: absolute, as: wantedAs(path) };
}

export function wantedAs(path: string): BoxPath["as"] {
  if (/(^|\/)\.$/.test(path)) return "content";
  return path === "" || path.endsWith("/") ? "directory" : "named";
}

/** What lies at a path of a box; symlinks are followed. */
export async function kindInBox(
  client: BoxRunClient,
  { box, path }: BoxPath,
  signal: AbortSignal,
): Promise<"directory" | "file" | "nothing"> {
  try {
    await client.files.list(box, path, { signal });
    return "directory";
  } catch (error) {
    if (error instanceof BoxRunError && error.code === "FILE_NOT_FOUND") return "nothing";
    if (error instanceof BoxRunError && error.code === "VALIDATION_ERROR") return "file";
    throw error;
  }
}
