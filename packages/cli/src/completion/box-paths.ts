import { posix } from "node:path";
import type { BoxRunClient } from "boxrun-sdk";
import { parseLocation } from "../copy/location.ts";
import { type Candidate, nothing, type Offer } from "./candidate.ts";
import type { Line } from "./line.ts";

/** What a question to the server takes. */
export interface Ask {
  readonly client: BoxRunClient;
  readonly line: Line;
  readonly signal: AbortSignal;
}

/** For `cp`: boxes that run and files of this host; behind `BOX:` what is in that box. */
export async function offerLocations(
  ask: Ask,
  boxes: (ask: Ask, action: "exec") => Promise<Candidate[]>,
): Promise<Offer> {
  const { line } = ask;
  const location = parseLocation(line.word);
  if (location.kind === "box") {
    const { box, path } = location;
    const found = await pathsInBox(ask, box, path);
    return { candidates: found.map((one) => ({ ...one, word: `${box}:${one.word}` })) };
  }
  // Both ends may be in the same box.
  const candidates = /[/~]/.test(line.word) ? [] : await boxes({ ...ask, line: { ...line, operands: [] } }, "exec");
  return { candidates: candidates.map((one) => ({ ...one, word: `${one.word}:` })), hostPaths: "files" };
}

/** Absolute paths in the box that the line's first operand names. */
export async function offerPathsInBox(ask: Ask): Promise<Offer> {
  const { line } = ask;
  const [box] = line.operands;
  const isBoxVerb = line.verb.registeredArguments[0]?.name() === "box";
  if (box === undefined || !isBoxVerb || !line.word.startsWith("/")) return nothing;
  return { candidates: await pathsInBox(ask, box, line.word) };
}

/** What a path can go on as. One that is relative is so to the box's working directory. */
async function pathsInBox({ client, signal }: Ask, box: string, path: string): Promise<Candidate[]> {
  const typedDir = path.slice(0, path.lastIndexOf("/") + 1);
  const start = path.slice(typedDir.length);
  const base = path.startsWith("/") ? "/" : (await client.boxes.get(box, { signal })).workdir;
  const entries = await client.files.list(box, posix.resolve(base, typedDir), { signal });
  const found = entries
    .filter(({ name }) => name.startsWith(start) && (start.startsWith(".") || !name.startsWith(".")))
    .map(({ name, type }) => ({ word: `${typedDir}${name}${type === "dir" ? "/" : ""}` }));
  return path === "" ? [{ word: "/" }, ...found] : found;
}
