import { useId } from "react";
import { classes } from "../util/classes.ts";
import { useFileDrop } from "./file-drop.ts";
import { Icon } from "./icon.tsx";
import "./drop-zone.css";

interface DropZoneProps {
  readonly label: string;
  readonly accept?: string;
  readonly multiple?: boolean;
  readonly onFiles: (files: readonly File[]) => void;
}

/** Takes files that are dropped on it, or chosen. */
export function DropZone({ label, accept, multiple = false, onFiles }: DropZoneProps) {
  const id = useId();
  const { isOver, handlers } = useFileDrop(onFiles);
  return (
    <label htmlFor={id} className={classes("drop-zone", isOver && "drop-zone-over")} {...handlers}>
      <Icon name="upload" />
      {label}
      <input
        id={id}
        className="unseen"
        type="file"
        accept={accept}
        multiple={multiple}
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
    </label>
  );
}
