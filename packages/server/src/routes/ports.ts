import { portParameterSchema } from "@boxrun/contract";
import { toApiError } from "../errors.ts";
import { servePort } from "../port-socket.ts";
import type { Handlers } from "../register.ts";
import { acceptWebSocket, requireWebSocket } from "../upgrade.ts";
import { validate } from "../validation.ts";
import { type Context, callerSignal } from "./context.ts";

type PortHandlers = Pick<Handlers, "listPorts" | "connectPort">;

export function portHandlers({ core, lifetime, logger, heartbeatMs }: Context): PortHandlers {
  return {
    listPorts: ({ path }) => core.services.list(path.id),
    connectPort: async ({ path, request, reply }) => {
      const port = validate(portParameterSchema, path.port, "port");
      requireWebSocket(request, reply);
      // That nothing listens there is said while it can be answered as to every other request.
      const connection = await core.services.connect(path.id, port, { signal: callerSignal(reply, lifetime) });
      const socket = await acceptWebSocket(request, reply);
      await servePort(socket, connection, {
        lifetime,
        heartbeatMs: 2 * heartbeatMs,
        toApiError: (error) => {
          const apiError = toApiError(error, request.id);
          request.errorCode = apiError.code;
          if (apiError.status >= 500) logger.error({ req_id: request.id, err: error }, "connection failed");
          return apiError;
        },
      });
      return reply;
    },
  };
}
