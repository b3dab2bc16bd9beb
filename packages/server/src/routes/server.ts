import { openApiDocument } from "@boxrun/contract";
import { diskUsage } from "../disk-usage.ts";
import { findings } from "../findings.ts";
import type { Handlers } from "../register.ts";
import { answerEvents, type Context, callerSignal } from "./context.ts";
import { repeatable } from "./repeatable.ts";

type ServerHandlers = Pick<
  Handlers,
  | "run"
  | "collectGarbage"
  | "listOrphans"
  | "adoptOrphan"
  | "removeOrphan"
  | "getInfo"
  | "getUsage"
  | "getFindings"
  | "streamEvents"
  | "getHealth"
  | "getMetrics"
  | "getOpenApi"
>;

export function serverHandlers(context: Context): ServerHandlers {
  const { core, lifetime, metrics, version } = context;
  let openApi: Record<string, unknown> | undefined;
  return {
    run: ({ body, request, reply }) =>
      core.requests.run(body, {
        ...repeatable(request, reply),
        caller: callerSignal(reply, lifetime),
        signal: lifetime.givingUp,
      }),
    collectGarbage: ({ body }) => core.gc(body),
    getUsage: () => diskUsage(core, context),
    getFindings: () => findings(context),
    listOrphans: () => core.orphans.list(),
    adoptOrphan: ({ path }) => core.orphans.adopt(path.id),
    removeOrphan: async ({ path }) => {
      await core.orphans.remove(path.id);
      return { ok: true };
    },
    getInfo: () => core.info(),
    streamEvents: async ({ reply }) =>
      answerEvents(reply, context, async function* (signal) {
        for await (const event of core.events({ signal })) yield [event];
      }),
    getHealth: async () => ({
      status: "ok",
      version,
      idempotency_keys: true,
      ...(core.isRecovering ? { recovering: true } : {}),
    }),
    getMetrics: async ({ reply }) => reply.type(metrics.contentType).send(await metrics.text()),
    getOpenApi: async () => (openApi ??= openApiDocument(version)),
  };
}
