import type { FileEntry } from "boxrun-sdk";
import { Age } from "../../../components/age.tsx";
import { IconButton } from "../../../ui/button.tsx";
import { useFileDrop } from "../../../ui/file-drop.ts";
import { Icon, type IconName } from "../../../ui/icon.tsx";
import { Menu, MenuItem, MenuLine } from "../../../ui/menu.tsx";
import { actionsColumn, type Column, Table } from "../../../ui/table.tsx";
import { bytesText } from "../../../util/bytes.ts";
import { classes } from "../../../util/classes.ts";
import { parentOf } from "../../../util/paths.ts";
import { maxTextBytes } from "./text-file.ts";

export interface FileActions {
  readonly open: (entry: FileEntry) => void;
  readonly download: (entry: FileEntry) => void;
  readonly edit: (entry: FileEntry) => void;
  readonly rename: (entry: FileEntry) => void;
  readonly remove: (entry: FileEntry) => void;
}

interface FileTableProps {
  readonly path: string;
  readonly entries: readonly FileEntry[];
  readonly actions: FileActions;
  readonly onPath: (path: string) => void;
  readonly onFiles: (files: readonly File[]) => void;
}

const icons: Readonly<Record<FileEntry["type"], IconName>> = {
  dir: "folder",
  file: "file",
  symlink: "link",
  other: "settings",
};

const columns: readonly Column[] = [
  { name: "Name" },
  { name: "Size", isNumber: true },
  { name: "Mode", isWideOnly: true },
  { name: "Owner", isWideOnly: true },
  { name: "Changed" },
  actionsColumn,
];

/** What is in a directory of a box; files that are dropped on it are put there. */
export function FileTable({ path, entries, actions, onPath, onFiles }: FileTableProps) {
  const { isOver, handlers } = useFileDrop(onFiles);
  return (
    <section className={classes("table-scroll", "files", isOver && "files-over")} aria-label="Files" {...handlers}>
      <Table label={`Files in ${path}`} columns={columns}>
        {path !== "/" && (
          <tr>
            <td colSpan={columns.length}>
              <button type="button" className="file-name" onClick={() => onPath(parentOf(path))}>
                <Icon name="up" /> ..
              </button>
            </td>
          </tr>
        )}
        {entries.map((entry) => (
          <FileRow key={entry.name} entry={entry} actions={actions} />
        ))}
      </Table>
      <p className="files-hint">Drop files here to upload them to {path}.</p>
    </section>
  );
}

function FileRow({ entry, actions }: { readonly entry: FileEntry; readonly actions: FileActions }) {
  return (
    <tr>
      <td>
        <button type="button" className="file-name" onClick={() => actions.open(entry)}>
          <Icon name={icons[entry.type]} />
          <span className="break">
            {entry.name}
            {entry.target !== undefined && <span className="quiet"> → {entry.target}</span>}
          </span>
        </button>
      </td>
      <td className="number quiet">{entry.type === "file" ? bytesText(entry.size) : ""}</td>
      <td className="wide-only">
        <code className="quiet">{entry.mode}</code>
      </td>
      <td className="quiet wide-only">
        {entry.uid}:{entry.gid}
      </td>
      <td className="quiet">
        <Age since={entry.mtime} />
      </td>
      <td className="actions">
        <Menu trigger={<IconButton icon="more" label={`More for ${entry.name}`} />}>
          <MenuItem icon="download" disabled={entry.type === "other"} onSelect={() => actions.download(entry)}>
            {entry.type === "dir" ? "Download as tar" : "Download"}
          </MenuItem>
          <MenuItem
            icon="edit"
            disabled={entry.type !== "file" || entry.size > maxTextBytes}
            onSelect={() => actions.edit(entry)}
          >
            Edit
          </MenuItem>
          <MenuItem icon="edit" onSelect={() => actions.rename(entry)}>
            Rename…
          </MenuItem>
          <MenuLine />
          <MenuItem icon="trash" danger onSelect={() => actions.remove(entry)}>
            Delete…
          </MenuItem>
        </Menu>
      </td>
    </tr>
  );
}
