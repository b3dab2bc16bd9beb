import type { BoxAction, OnExpiry } from "@boxrun/contract";
import { boxAllows } from "@boxrun/contract/plain";
import { skipToken, useMutation, useMutationState, useQuery } from "@tanstack/react-query";
import type { Box, CreateBoxInput } from "boxrun-sdk";
import { client } from "./client.ts";
import { keys } from "./keys.ts";

/** `undefined` until they are known. `keepLive` writes them, nobody asks. */
export function useBoxes(): readonly Box[] | undefined {
  return useQuery<readonly Box[]>({ queryKey: keys.boxes, queryFn: skipToken }).data;
}

/** By its id or name. `undefined`: not known yet; `null`: there is none. */
export function useBox(idOrName: string): Box | null | undefined {
  return useQuery<readonly Box[], Error, Box | null>({
    queryKey: keys.boxes,
    queryFn: skipToken,
    select: (boxes) => boxes.find(({ id, name }) => id === idOrName || name === idOrName) ?? null,
  }).data;
}

export const boxVerbs = ["start", "stop", "remove"] as const;
export type BoxVerb = (typeof boxVerbs)[number];

const doing: Readonly<Record<BoxVerb, string>> = { start: "starting", stop: "stopping", remove: "removing" };

/** A running box is removed by force: the page has asked by name before. */
const actionOf: Readonly<Record<BoxVerb, BoxAction>> = { start: "start", stop: "stop", remove: "forceRemove" };

export function verbAllowed(verb: BoxVerb, box: Box): boolean {
  return boxAllows(actionOf[verb], box.status) === true;
}

interface BoxCommand {
  readonly verb: BoxVerb;
  readonly id: string;
}

const commandKey = ["box-command"] as const;

async function carryOut({ verb, id }: BoxCommand): Promise<void> {
  if (verb === "start") await client.boxes.start(id);
  else if (verb === "stop") await client.boxes.stop(id);
  else await client.boxes.remove(id, { force: true });
}

export function useBoxCommand() {
  return useMutation({ mutationKey: commandKey, mutationFn: carryOut });
}

/** What is being done to a box from this page: `stopping`, say. */
export function useDoing(id: string): string | undefined {
  const verbs = useMutationState({
    filters: { mutationKey: commandKey, status: "pending" },
    select: ({ state }) => commandOf(state.variables),
  });
  const command = verbs.find((one) => one?.id === id);
  return command && doing[command.verb];
}

function commandOf(variables: unknown): BoxCommand | undefined {
  if (typeof variables !== "object" || variables === null || !("verb" in variables) || !("id" in variables))
    return undefined;
  const verb = boxVerbs.find((known) => known === variables.verb);
  return verb === undefined ? undefined : { verb, id: String(variables.id) };
}

interface Deadline {
  readonly box: Box;
  /** From now; `null`: never. */
  readonly ttlSeconds: number | null;
  readonly onExpiry: OnExpiry;
}

/** Sets when a box expires, and what happens then. The server's events show it. */
export function useSetDeadline() {
  return useMutation({
    mutationFn: ({ box, ttlSeconds, onExpiry }: Deadline) => client.boxes.extend(box.id, ttlSeconds, { onExpiry }),
  });
}

export function createBox(input: CreateBoxInput, signal?: AbortSignal): Promise<Box> {
  return client.boxes.create(input, { signal });
}

export function boxLabel(box: Pick<Box, "id" | "name">): string {
  return box.name ?? box.id;
}
