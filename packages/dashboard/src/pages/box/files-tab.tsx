import type { Box, FileEntry } from "boxrun-sdk";
import { useState } from "react";
import { failureOf } from "../../api/failure.ts";
import { entryAt, readWhole, useDirectory, useRefreshFiles } from "../../api/files.ts";
import { Button } from "../../ui/button.tsx";
import { Notice, Waiting } from "../../ui/notice.tsx";
import { toast } from "../../ui/toasts.tsx";
import { joinPath, normalPath, parentOf } from "../../util/paths.ts";
import { saveAs } from "../../util/save.ts";
import { FileDialog, type FileQuestion } from "./files/file-dialogs.tsx";
import { FileEditor } from "./files/file-editor.tsx";
import { type FileActions, FileTable } from "./files/file-table.tsx";
import { FilesBar } from "./files/files-bar.tsx";
import { maxTextBytes } from "./files/text-file.ts";
import { UploadList, useUploads } from "./files/uploads.tsx";
import "./files.css";

/** The files of a box. */
export function FilesTab({ box }: { readonly box: Box }) {
  const [path, setPath] = useState(() => normalPath(box.workdir));
  const [edited, setEdited] = useState<FileEntry>();
  const [question, setQuestion] = useState<FileQuestion>();
  const { data: entries, error } = useDirectory(box.id, path);
  const refresh = useRefreshFiles(box.id);
  const { uploads, upload } = useUploads(box.id, () => void refresh());
  const onFiles = (files: readonly File[]) => void upload(path, files);
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
  const download = (entry: FileEntry) => void save(box.id, path, entry);
  const open = (entry: FileEntry) => {
    if (entry.type === "dir") setPath(joinPath(path, entry.name));
    else if (entry.type === "file" && entry.size <= maxTextBytes) setEdited(entry);
    else if (entry.type === "symlink") {
      entryAt(box.id, joinPath(path, entry.name))
        .then((target) => open({ ...target, name: entry.name }))
        .catch((failure: unknown) => toast("failed", failureOf(failure).message));
    } else download(entry);
  };
  const actions: FileActions = {
    open,
    download,
    edit: setEdited,
    rename: (entry) => setQuestion({ kind: "rename", entry }),
    remove: (entry) => setQuestion({ kind: "remove", entry }),
  };
  return (
    <>
      <FilesBar
        path={path}
        onPath={setPath}
        onRefresh={() => void refresh()}
        onNewFolder={() => setQuestion({ kind: "new-folder" })}
        onFiles={onFiles}
      />
      <UploadList uploads={uploads} />
      {error !== null && (
        <Notice kind="bad" title={failureOf(error).message}>
          <Button onClick={() => setPath(parentOf(path))}>Back to {parentOf(path)}</Button>
        </Notice>
      )}
      {entries === undefined && error === null && <Waiting what="Reading the directory" />}
      {entries !== undefined && error === null && (
        <FileTable path={path} entries={entries} actions={actions} onPath={setPath} onFiles={onFiles} />
      )}
      {question !== undefined && (
        <FileDialog boxId={box.id} path={path} question={question} onClose={() => setQuestion(undefined)} />
      )}
    </>
  );
}

/** A file as it is, a directory as a tar. */
async function save(boxId: string, path: string, { name, type }: FileEntry): Promise<void> {
  const kind = type === "dir" ? "tar" : "file";
  try {
    const content = await readWhole(boxId, joinPath(path, name), kind);
    saveAs(content, kind === "tar" ? `${name}.tar` : name);
  } catch (failure) {
    toast("failed", failureOf(failure).message);
  }
}
