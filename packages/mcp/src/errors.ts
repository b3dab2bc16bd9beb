import { BoxRunError, type ErrorCode } from "@boxrun/contract/plain";
import { ClientError } from "boxrun-sdk";

/** What a tool refuses by itself; the message says what to do instead. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}

/** What a model can do about it, where that is a tool; the contract's hints are for people with a command line. */
const hints: Partial<Record<ErrorCode, string>> = {
  VALIDATION_ERROR: "Correct the named argument and call the tool again.",
  BOX_NOT_FOUND: "box_list shows the boxes that there are, box_create makes one.",
  EXEC_NOT_FOUND:
    "The id comes from exec or exec_start, and belongs to one box: pass both. A removed box takes its execs with it.",
  FILE_NOT_FOUND: "Paths are absolute and inside the box; file_list shows what a directory holds.",
  IMAGE_NOT_FOUND: 'Use "base", which is always there, or another image reference.',
  BOX_NOT_RUNNING: "box_start starts it again, with the files that it had.",
  BOX_UNREACHABLE: "Try again in a few seconds; box_stop ends it in any case.",
  SERVER_RECOVERING: "The server has just started. Try again in a few seconds.",
  BOX_ALREADY_RUNNING: "To remove a running box, call box_remove with force: true, or box_stop first.",
  NAME_ALREADY_EXISTS: "Leave the name out, choose another one, or use the box that has it: box_list shows it.",
  RESOURCE_EXCEEDED: "Ask for less cpu or memory_mb, or stop or remove boxes that are not needed: box_list shows them.",
  EXEC_ALREADY_FINISHED: "exec_output has its output and exit code.",
  IMAGE_PULL_FAILED: 'Check the image reference. "base" is always there and needs no registry.',
  RUNTIME_ERROR: "Try once more; if it fails in the same way, tell the user to run `boxrun doctor`.",
  UNAUTHORIZED: "The user has to set BOXRUN_TOKEN where this MCP server is configured.",
};

/** Any failure, for a model: what happened, and what to do next. */
export function taught(error: unknown): string {
  if (error instanceof ToolError) return error.message;
  if (error instanceof BoxRunError) return `${error.code}: ${error.message}\n${hints[error.code] ?? error.hint}`;
  if (error instanceof ClientError) return `${error.code}: ${error.message}\nTell the user: ${error.hint}`;
  return `The tool failed: ${error instanceof Error ? error.message : String(error)}`;
}
