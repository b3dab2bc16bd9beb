import { boxOperations } from "./operations/boxes.ts";
import { execOperations } from "./operations/execs.ts";
import { fileOperations } from "./operations/files.ts";
import { historyOperations } from "./operations/history.ts";
import { imageOperations } from "./operations/images.ts";
import { mcpOperations } from "./operations/mcp.ts";
import { portOperations } from "./operations/ports.ts";
import { serverOperations } from "./operations/server.ts";
import { signInOperations } from "./operations/sign-in.ts";
import { statsOperations } from "./operations/stats.ts";
import { terminalOperations } from "./operations/terminals.ts";

/**
 * Every operation of the API, once. The server's routes and its validation, the OpenAPI document and through it the clients all
 * follow from this table; nothing is served that is not in it.
 */
export const operations = {
  ...boxOperations,
  ...execOperations,
  ...terminalOperations,
  ...portOperations,
  ...fileOperations,
  ...imageOperations,
  ...serverOperations,
  ...historyOperations,
  ...statsOperations,
  ...signInOperations,
  ...mcpOperations,
};

export type OperationId = keyof typeof operations;
export const operationIds = Object.keys(operations) as OperationId[];

/** The names in a path template: `"id" | "exec_id"`. */
export type PathParameter<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParameter<Rest>
  : never;
