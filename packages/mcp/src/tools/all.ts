import type { Tool } from "../tool.ts";
import { boxTools } from "./boxes.ts";
import { execTools } from "./execs.ts";
import { fileTools } from "./files.ts";
import { runTools } from "./run.ts";

const all: readonly Tool[] = [...runTools, ...boxTools, ...execTools, ...fileTools];

/** Every tool, by its name. */
export const tools: ReadonlyMap<string, Tool> = new Map(all.map((tool) => [tool.listed.name, tool]));

export const toolNames: readonly string[] = [...tools.keys()];
