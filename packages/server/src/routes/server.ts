import { openApiDocument } from "@boxrun/contract";
import type { Handlers } from "../register.ts";
import { answerEvents, type Context, callerSignal } from "./context.ts";

type ServerHandlers = Pick<
  Handlers,
  "run" | "collectGarbage" | "getInfo" | "streamEvents" | "getHealth" | "getMetrics" | "getOpenApi"
>;

export function serverHandlers(context: Context): ServerHandlers {
  const { core, lifetime, metrics, version } = context;
  let openApi: Record<string, unknown> | undefined;
  return {
    run: ({ body, reply }) => core.run(body, { signal: callerSignal(reply, lifetime) }),
    collectGarbage: async ({ body }) => ({ removed: await core.gc(body.older_than) }),
    getInfo: () => core.info(),
    streamEvents: async ({ reply }) =>
      answerEvents(reply, context, async function* (signal) {
        for await (const event of core.events({ signal })) yield [event];
      }),
    getHealth: async () => ({ status: "ok", version }),
    getMetrics: async ({ reply }) => reply.type(metrics.contentType).send(await metrics.text()),
    getOpenApi: async () => (openApi ??= openApiDocument(version)),
  };
}
