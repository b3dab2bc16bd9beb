import { labelFilter } from "@boxrun/contract";
import type { Handlers } from "../register.ts";
import { type Context, callerSignal, itemsOf } from "./context.ts";
import { repeatable } from "./repeatable.ts";

type BoxHandlers = Pick<
  Handlers,
  "createBox" | "listBoxes" | "getBox" | "startBox" | "stopBox" | "extendBox" | "commitBox" | "removeBox"
>;

/** A box that is coming up does so also when its caller hangs up: it is in the list, and removing it is the way to interrupt it. */
export function boxHandlers({ core, lifetime }: Context): BoxHandlers {
  const signal = lifetime.givingUp;
  return {
    createBox: async ({ body, request, reply }) => {
      const about = (id: string) => {
        request.subject = { box_id: id };
      };
      const box = await core.requests.create(body, { ...repeatable(request, reply), signal, onInserted: about });
      about(box.id);
      return box;
    },
    listBoxes: async ({ query: { status, label, ...query }, reply }) =>
      itemsOf(core.boxes.page(query, status === "all" ? undefined : status, labelFilter(label)), reply),
    getBox: async ({ path, query }) => core.boxes.get(path.id, query),
    startBox: async ({ path }) => core.boxes.start(path.id, { signal }),
    stopBox: ({ path, query }) => core.boxes.stop(path.id, query.timeout_ms),
    extendBox: ({ path, body }) => core.boxes.extend(path.id, body),
    commitBox: ({ path, body, reply }) => core.boxes.commit(path.id, body, { signal: callerSignal(reply, lifetime) }),
    removeBox: async ({ path, query }) => {
      await core.boxes.remove(path.id, query);
      return { ok: true };
    },
  };
}
