import type { Box } from "@boxrun/contract";
import type { Engines } from "../engines.ts";
import type { BoxRecord } from "../ports/store.ts";
import type { PublishedPorts } from "../services/published-ports.ts";
import { boxView } from "../views.ts";
import type { Reach } from "./reach.ts";

interface Knowing {
  readonly reach: Reach;
  readonly engine: Engines;
  readonly published: PublishedPorts;
}

/** A box as it is seen: of a running one also what no record has. */
export function shownBox(box: BoxRecord, { reach, engine, published }: Knowing): Box {
  if (box.status !== "running") return boxView(box);
  const impairments = [engine.impairment(box.id), published.trouble(box.id)].filter((why) => why !== undefined);
  const impaired = impairments.length === 0 ? undefined : impairments.join("; ");
  return boxView(box, { unreachable: reach.why(box.id), impaired });
}
