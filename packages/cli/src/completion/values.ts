import { constants } from "node:os";
import type { Box } from "@boxrun/contract";
import { type BoxAction, boxActions, boxAllows, boxStatuses, imageAliases } from "@boxrun/contract/plain";
import { openClient } from "../connect.ts";
import { localContext, readContexts } from "../contexts/file.ts";
import { filterNames } from "../listings/box-filter.ts";
import { age } from "../output/text.ts";
import { addressOf, resolveTarget } from "../target.ts";
import { type Ask, offerLocations, offerPathsInBox } from "./box-paths.ts";
import { type Candidate, nothing, type Offer } from "./candidate.ts";
import type { LookUp } from "./completer.ts";
import type { Line } from "./line.ts";

/** Whoever presses Tab waits for it: a server that is slower than this has nothing to offer. */
const deadlineMs = 1_000;

export async function offerValue(completer: LookUp, line: Line, env: NodeJS.ProcessEnv): Promise<Offer> {
  switch (completer) {
    case "file":
      return { candidates: [], hostPaths: "files" };
    case "directory":
      return { candidates: [], hostPaths: "directories" };
    case "volume":
      // What comes behind the colon is in a box that is not there yet.
      return line.word.includes(":") ? nothing : { candidates: [], hostPaths: "directories" };
    case "signal":
      return { candidates: Object.keys(constants.signals).map((name) => ({ word: name.replace(/^SIG/, "") })) };
    case "shell":
      return {
        candidates: ["/bin/bash", "/bin/sh", "/bin/zsh", "/bin/ash", "/usr/bin/fish"].map((word) => ({ word })),
      };
    case "variable":
      return { candidates: line.word.includes("=") ? [] : Object.keys(env).map((word) => ({ word })) };
    case "context":
      return { candidates: contexts(env) };
    case "choices":
    case "nothing":
      return nothing;
    default:
      return await askServer(completer, line, env);
  }
}

function contexts(env: NodeJS.ProcessEnv): Candidate[] {
  const known = Object.entries(readContexts(env).contexts).map(([word, { host }]) => ({ word, description: host }));
  return [{ word: localContext, description: "your own server" }, ...known];
}

/** Starts no server: Tab changes nothing. */
async function askServer(completer: LookUp, line: Line, env: NodeJS.ProcessEnv): Promise<Offer> {
  const target = resolveTarget({ host: line.options.get("host"), context: line.options.get("context") }, env);
  await using client = await openClient(target);
  const ask: Ask = { client, line, signal: AbortSignal.timeout(deadlineMs) };
  const [kind, action] = completer.split(":");
  if (kind === "box") return { candidates: await boxes(ask, isAction(action) ? action : undefined) };
  switch (completer) {
    case "image":
      return { candidates: await images(ask) };
    case "image-source":
      return { candidates: [...shortNames(), ...(await images(ask))] };
    case "label":
      return { candidates: await labels(ask) };
    case "filter":
      return { candidates: await filters(ask) };
    case "orphan":
      return { candidates: await orphans(ask) };
    case "exec":
    case "running-exec":
      return { candidates: await execs(ask, completer === "running-exec") };
    case "location":
      return await offerLocations(ask, boxes);
    case "box-path":
      return await offerPathsInBox(ask);
    default:
      throw new Error(`nobody completes ${completer} at ${addressOf(target)}`);
  }
}

function isAction(text: string | undefined): text is BoxAction {
  return text !== undefined && Object.hasOwn(boxActions, text);
}

/** Names; the ids too once one is being typed, and of those that have no name. Not those that stand in the line already. */
async function boxes({ client, line, signal }: Ask, action?: BoxAction): Promise<Candidate[]> {
  const wantsIds = line.word.startsWith("box_");
  const named = new Set(line.operands);
  const fitting = (await client.boxes.list({ signal })).filter(
    (box) =>
      (action === undefined || boxAllows(action, box.status) === true) &&
      !named.has(box.id) &&
      !named.has(box.name ?? ""),
  );
  return fitting.map((box) => ({ word: wantsIds || box.name === null ? box.id : box.name, description: boxText(box) }));
}

function boxText({ status, image, created_at }: Box): string {
  return `${status}, ${image}, ${age(created_at)}`;
}

/** Those that boxes have. */
async function labels({ client, signal }: Pick<Ask, "client" | "signal">): Promise<Candidate[]> {
  const all = (await client.boxes.list({ signal })).flatMap((box) => Object.entries(box.labels ?? {}));
  return [...new Set(all.map(([name, value]) => `${name}=${value}`))].sort().map((word) => ({ word }));
}

async function filters(ask: Ask): Promise<Candidate[]> {
  const key = ask.line.word.split("=", 1)[0] ?? "";
  if (!ask.line.word.includes("=")) return filterNames.map((name) => ({ word: `${name}=` }));
  const values = key === "status" ? boxStatuses : key === "label" ? (await labels(ask)).map(({ word }) => word) : [];
  return values.map((value) => ({ word: `${key}=${value}` }));
}

async function images({ client, line, signal }: Ask): Promise<Candidate[]> {
  const list = await client.images.list({ signal });
  return list
    .filter(({ reference }) => !line.operands.includes(reference))
    .map(({ reference, builtin, created_at }) => ({
      word: reference,
      description: builtin ? "built in" : age(created_at),
    }));
}

async function orphans({ client, line, signal }: Ask): Promise<Candidate[]> {
  const list = await client.orphans.list({ signal });
  return list
    .filter(({ id }) => !line.operands.includes(id))
    .map(({ id, name, image }) => ({
      word: id,
      description: [name, image].filter((text) => text !== null).join(", "),
    }));
}

function shortNames(): Candidate[] {
  return Object.entries(imageAliases).map(([word, reference]) => ({ word, description: reference }));
}

async function execs({ client, line, signal }: Ask, running: boolean): Promise<Candidate[]> {
  const [box] = line.operands;
  if (box === undefined) return [];
  const list = await client.execs.list(box, { signal });
  return list
    .filter(({ id, status }) => (!running || status === "running") && !line.operands.includes(id))
    .map(({ id, status, cmd, created_at }) => ({
      word: id,
      description: `${status}, ${age(created_at)}: ${cmd.join(" ")}`,
    }));
}
