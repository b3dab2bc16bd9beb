import type { Box } from "@boxrun/contract";
import type { Engines } from "../engines.ts";
import type { BoxRecord } from "../ports/store.ts";
import { boxView } from "../views.ts";
import type { Reach } from "./reach.ts";

/** A box as it is seen: of a running one also what no record has. */
export function shownBox(box: BoxRecord, { reach, engine }: { readonly reach: Reach; readonly engine: Engines }): Box {
  if (box.status !== "running") return boxView(box);
  return boxView(box, { unreachable: reach.why(box.id), impaired: engine.impairment(box.id) });
}
