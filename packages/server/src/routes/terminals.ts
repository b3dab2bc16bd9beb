import { BoxRunError } from "@boxrun/contract";
import type { Handlers } from "../register.ts";
import type { Context } from "./context.ts";

type TerminalHandlers = Pick<Handlers, "attach" | "listSessions" | "removeSession">;

export function terminalHandlers({ core }: Context): TerminalHandlers {
  return {
    attach: async ({ path }) => {
      core.boxes.get(path.id);
      throw new BoxRunError("NOT_SUPPORTED", "This server can't attach terminals yet");
    },
    listSessions: async ({ path }) => {
      core.boxes.get(path.id);
      return [];
    },
    removeSession: async ({ path }) => {
      core.boxes.get(path.id);
      throw new BoxRunError("SESSION_NOT_FOUND", `Box ${path.id} has no session ${JSON.stringify(path.name)}`);
    },
  };
}
