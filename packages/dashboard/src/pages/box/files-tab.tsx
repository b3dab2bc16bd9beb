import type { Box, FileEntry } from "boxrun-sdk";
import { type DragEvent, useState } from "react";
import { failureOf } from "../../api/failure.ts";
import {
  entryAt,
  readWhole,
  useDirectory,
  useMakeDirectory,
  useRefreshFiles,
  useRemoveFile,
  useRenameFile,
} from "../../api/files.ts";
import { Age } from "../../components/age.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Dialog, DialogActions } from "../../ui/dialog.tsx";
import { FileButton } from "../../ui/file-button.tsx";
import { Icon, type IconName } from "../../ui/icon.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/menu.tsx";
import { NameDialog } from "../../ui/name-dialog.tsx";
import { Notice, Waiting } from "../../ui/notice.tsx";
import { toast } from "../../ui/toasts.tsx";
import { bytesText } from "../../util/bytes.ts";
import { classes } from "../../util/classes.ts";
import { joinPath, normalPath, parentOf, pathParts } from "../../util/paths.ts";
import { saveAs } from "../../util/save.ts";
import { FileEditor } from "./files/file-editor.tsx";
import { maxTextBytes } from "./files/text-file.ts";
import { UploadList, useUploads } from "./files/uploads.tsx";
import "./files.css";

const icons: Readonly<Record<FileEntry["type"], IconName>> = {
  dir: "folder",
  file: "file",
  symlink: "link",
  other: "settings",
};

/** What is being given a name. */
type Naming = { readonly kind: "directory" } | { readonly kind: "rename"; readonly entry: FileEntry };

/** The files of a box. */
export function FilesTab({ box }: { readonly box: Box }) {
  const [path, setPath] = useState(() => normalPath(box.workdir));
  const [edited, setEdited] = useState<FileEntry>();
  const [doomed, setDoomed] = useState<FileEntry>();
  const [naming, setNaming] = useState<Naming>();
  const [isOver, setIsOver] = useState(false);
  const { data: entries, error } = useDirectory(box.id, path);
  const refresh = useRefreshFiles(box.id);
  const remove = useRemoveFile(box.id);
  const rename = useRenameFile(box.id);
  const makeDirectory = useMakeDirectory(box.id);
  const { uploads, upload } = useUploads(box.id, () => void refresh());
  const download = (entry: FileEntry) => {
    const kind = entry.type === "dir" ? "tar" : "file";
    readWhole(box.id, joinPath(path, entry.name), kind)
      .then((content) => saveAs(content, kind === "tar" ? `${entry.name}.tar` : entry.name))
      .catch((failure: unknown) => toast("failed", failureOf(failure).message));
  };
  const open = (entry: FileEntry) => {
    if (entry.type === "dir") setPath(joinPath(path, entry.name));
    else if (entry.type === "file" && entry.size <= maxTextBytes) setEdited(entry);
    else if (entry.type === "symlink") {
      entryAt(box.id, joinPath(path, entry.name))
        .then((target) => open({ ...target, name: entry.name }))
        .catch((failure: unknown) => toast("failed", failureOf(failure).message));
    } else download(entry);
  };
  if (edited !== undefined) {
    return (
      <FileEditor
        boxId={box.id}
        directory={path}
        entry={edited}
        onClose={() => {
          setEdited(undefined);
          void refresh();
        }}
      />
    );
  }
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    void upload(path, [...event.dataTransfer.files]);
  };
  return (
    <>
      <div className="files-bar">
        <nav className="crumbs" aria-label="Path">
          {pathParts(path).map((part, index, all) => (
            <span key={part.path}>
              <button
                type="button"
                className="crumb"
                aria-current={index === all.length - 1 ? "location" : undefined}
                onClick={() => setPath(part.path)}
              >
                {part.name}
              </button>
              {index > 0 && index < all.length - 1 && <span aria-hidden="true">/</span>}
            </span>
          ))}
        </nav>
        <IconButton icon="again" label="Read the directory again" onClick={() => void refresh()} />
        <Button icon="plus" onClick={() => setNaming({ kind: "directory" })}>
          Folder
        </Button>
        <FileButton icon="upload" multiple onFiles={(files) => void upload(path, files)}>
          Upload
        </FileButton>
      </div>
      <UploadList uploads={uploads} />
      {error !== null && (
        <Notice kind="bad" title={failureOf(error).message}>
          <Button onClick={() => setPath(parentOf(path))}>Back to {parentOf(path)}</Button>
        </Notice>
      )}
      {entries === undefined && error === null && <Waiting what="Reading the directory" />}
      {entries !== undefined && error === null && (
        <section
          className={classes("table-scroll", "files", isOver && "files-over")}
          aria-label="Files"
          onDragOver={(event) => {
            event.preventDefault();
            setIsOver(true);
          }}
          onDragLeave={() => setIsOver(false)}
          onDrop={onDrop}
        >
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col" className="number">
                  Size
                </th>
                <th scope="col" className="wide-only">
                  Mode
                </th>
                <th scope="col" className="wide-only">
                  Owner
                </th>
                <th scope="col">Changed</th>
                <th scope="col">
                  <span className="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {path !== "/" && (
                <tr>
                  <td colSpan={6}>
                    <button type="button" className="file-name" onClick={() => setPath(parentOf(path))}>
                      <Icon name="up" /> ..
                    </button>
                  </td>
                </tr>
              )}
              {entries.map((entry) => (
                <tr key={entry.name}>
                  <td>
                    <button type="button" className="file-name" onClick={() => open(entry)}>
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
                      <MenuItem icon="download" disabled={entry.type === "other"} onSelect={() => download(entry)}>
                        {entry.type === "dir" ? "Download as tar" : "Download"}
                      </MenuItem>
                      <MenuItem
                        icon="edit"
                        disabled={entry.type !== "file" || entry.size > maxTextBytes}
                        onSelect={() => setEdited(entry)}
                      >
                        Edit
                      </MenuItem>
                      <MenuItem icon="edit" onSelect={() => setNaming({ kind: "rename", entry })}>
                        Rename…
                      </MenuItem>
                      <MenuLine />
                      <MenuItem icon="trash" danger onSelect={() => setDoomed(entry)}>
                        Delete…
                      </MenuItem>
                    </Menu>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <p className="files-hint">Drop files here to upload them to {path}.</p>
        </section>
      )}
      {naming !== undefined && (
        <NameDialog
          title={naming.kind === "rename" ? `Rename ${naming.entry.name}` : "New folder"}
          name={naming.kind === "rename" ? naming.entry.name : ""}
          onClose={() => setNaming(undefined)}
          onName={(name) => {
            setNaming(undefined);
            const onError = (failure: unknown) => toast("failed", failureOf(failure).message);
            if (naming.kind === "directory") makeDirectory.mutate(joinPath(path, name), { onError });
            else {
              const from = joinPath(path, naming.entry.name);
              rename.mutate(
                { path: from, to: normalPath(name.startsWith("/") ? name : joinPath(path, name)) },
                { onError },
              );
            }
          }}
        />
      )}
      {doomed !== undefined && (
        <Dialog title={`Delete ${doomed.name}?`} onClose={() => setDoomed(undefined)}>
          <p className="break">
            <code>{joinPath(path, doomed.name)}</code> {doomed.type === "dir" && "and everything in it "}goes for good.
          </p>
          <DialogActions>
            <Button onClick={() => setDoomed(undefined)}>Cancel</Button>
            <Button
              kind="danger"
              onClick={() => {
                setDoomed(undefined);
                remove.mutate(joinPath(path, doomed.name), {
                  onSuccess: () => toast("done", `Deleted ${doomed.name}.`),
                  onError: (failure) => toast("failed", failureOf(failure).message),
                });
              }}
            >
              Delete {doomed.name}
            </Button>
          </DialogActions>
        </Dialog>
      )}
    </>
  );
}
