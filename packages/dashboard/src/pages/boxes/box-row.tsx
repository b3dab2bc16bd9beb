import type { Box } from "boxrun-sdk";
import { memo } from "react";
import { Link } from "wouter";
import { boxLabel } from "../../api/boxes.ts";
import { Age } from "../../components/age.tsx";
import { useCommandBoxes } from "../../components/box-commands.tsx";
import { BoxMenu } from "../../components/box-menu.tsx";
import { BoxState } from "../../components/box-state.tsx";
import { boxPath } from "../../components/paths.ts";
import { CpuUse, MemoryUse } from "../../components/usage-cells.tsx";
import { IconButton } from "../../ui/button.tsx";
import { classes } from "../../util/classes.ts";
import { labelTexts } from "./filter.ts";

interface BoxRowProps {
  readonly box: Box;
  readonly index: number;
  readonly top: number;
  readonly isSelected: boolean;
  readonly onSelect: (id: string, event: unknown) => void;
  /** Looks for what has this label too. */
  readonly onLabel: (text: string) => void;
}

/** Drawn anew only when its own box changes. */
export const BoxRow = memo(function BoxRow({ box, index, top, isSelected, onSelect, onLabel }: BoxRowProps) {
  const command = useCommandBoxes();
  const label = boxLabel(box);
  const isRunning = box.status === "running";
  return (
    <tr
      aria-rowindex={index + 2}
      className={classes("box-row", isSelected && "box-row-selected")}
      style={{ transform: `translateY(${top}px)` }}
    >
      <td className="cell-select">
        <input
          type="checkbox"
          aria-label={`Select ${label}`}
          checked={isSelected}
          onChange={(event) => onSelect(box.id, event)}
        />
      </td>
      <td className="cell-name clip">
        <Link id={`open-${box.id}`} to={boxPath(box)} title={box.id}>
          {label}
        </Link>
      </td>
      <td className="cell-state">
        <BoxState box={box} />
      </td>
      <td className="cell-image clip" title={box.image}>
        {box.image}
      </td>
      <td className="cell-labels">
        <Labels box={box} onLabel={onLabel} />
      </td>
      <td className="cell-engine quiet clip">{box.engine}</td>
      <td className="cell-cpu">
        <CpuUse box={box} />
      </td>
      <td className="cell-memory">
        <MemoryUse box={box} />
      </td>
      <td className="cell-age quiet">
        <Age since={box.created_at} />
      </td>
      <td className="cell-actions">
        {isRunning ? (
          <IconButton icon="stop" label={`Stop ${label}`} onClick={() => command("stop", [box])} />
        ) : (
          <IconButton
            icon="run"
            label={`Start ${label}`}
            disabled={box.status === "creating"}
            onClick={() => command("start", [box])}
          />
        )}
        <BoxMenu box={box} />
      </td>
    </tr>
  );
});

/** One of them, so that rows stay rows; the others by their number. */
function Labels({ box, onLabel }: Pick<BoxRowProps, "box" | "onLabel">) {
  const [text, ...rest] = labelTexts(box);
  return (
    <>
      {text !== undefined && (
        <button type="button" className="label clip" title={`Boxes with ${text}`} onClick={() => onLabel(text)}>
          {text}
        </button>
      )}
      {rest.length > 0 && (
        <span className="quiet small" title={rest.join("\n")}>
          +{rest.length}
        </span>
      )}
    </>
  );
}
