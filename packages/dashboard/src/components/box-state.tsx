import type { Box } from "boxrun-sdk";
import { useDoing } from "../api/boxes.ts";
import { classes } from "../util/classes.ts";

/** A box's state in a word, with what is being done to it, and what is wrong with it. */
export function BoxState({ box }: { readonly box: Box }) {
  const doing = useDoing(box.id);
  const trouble = box.error_message ?? box.unreachable ?? box.impaired;
  const word = doing ?? (box.unreachable === undefined ? box.status : "unreachable");
  const isBusy = doing !== undefined || box.status === "creating";
  return (
    <span className="connection" title={trouble ?? undefined}>
      <span
        className={classes("dot", `dot-${box.unreachable === undefined ? box.status : "lost"}`, isBusy && "dot-busy")}
        aria-hidden="true"
      />
      {word}
      {trouble !== undefined && trouble !== null && <span className="unseen">: {trouble}</span>}
    </span>
  );
}
