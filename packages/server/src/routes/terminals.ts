import { toApiError } from "../errors.ts";
import type { Handlers } from "../register.ts";
import { serveTerminal } from "../terminal-socket.ts";
import { acceptWebSocket } from "../upgrade.ts";
import type { Context } from "./context.ts";

type TerminalHandlers = Pick<Handlers, "attach" | "listSessions" | "removeSession">;

export function terminalHandlers({ core, lifetime, logger, heartbeatMs }: Context): TerminalHandlers {
  return {
    attach: async ({ path, query, request, reply }) => {
      // Said while it can be answered as to every other request.
      await core.sessions.check(path.id);
      const socket = await acceptWebSocket(request, reply);
      await serveTerminal(socket, () => core.sessions.attach(path.id, query), {
        lifetime,
        heartbeatMs: 2 * heartbeatMs,
        toApiError: (error) => {
          const apiError = toApiError(error, request.id);
          request.errorCode = apiError.code;
          if (apiError.status >= 500) logger.error({ req_id: request.id, err: error }, "terminal failed");
          return apiError;
        },
      });
      return reply;
    },
    listSessions: ({ path }) => core.sessions.list(path.id),
    removeSession: async ({ path }) => {
      await core.sessions.remove(path.id, path.name);
      return { ok: true };
    },
  };
}
