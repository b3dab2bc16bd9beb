import type { FileEntry } from "boxrun-sdk";
import { failureOf } from "../../../api/failure.ts";
import { useMakeDirectory, useRemoveFile, useRenameFile } from "../../../api/files.ts";
import { Button } from "../../../ui/button.tsx";
import { Dialog, DialogActions } from "../../../ui/dialog.tsx";
import { NameDialog } from "../../../ui/name-dialog.tsx";
import { toast } from "../../../ui/toasts.tsx";
import { joinPath, normalPath } from "../../../util/paths.ts";

/** What is asked before something is done in a directory. */
export type FileQuestion =
  | { readonly kind: "new-folder" }
  | { readonly kind: "rename"; readonly entry: FileEntry }
  | { readonly kind: "remove"; readonly entry: FileEntry };

interface FileDialogProps {
  readonly boxId: string;
  readonly path: string;
  readonly question: FileQuestion;
  readonly onClose: () => void;
}

/** The dialog is closed by then. */
const onError = (failure: unknown) => toast("failed", failureOf(failure).message);

export function FileDialog({ question, ...props }: FileDialogProps) {
  if (question.kind === "new-folder") return <NewFolder {...props} />;
  const Asked = question.kind === "rename" ? Rename : Remove;
  return <Asked {...props} entry={question.entry} />;
}

type NewFolderProps = Omit<FileDialogProps, "question">;
type EntryProps = NewFolderProps & { readonly entry: FileEntry };

function NewFolder({ boxId, path, onClose }: NewFolderProps) {
  const make = useMakeDirectory(boxId);
  return (
    <NameDialog
      title="New folder"
      name=""
      onClose={onClose}
      onName={(name) => {
        make.mutateAsync(joinPath(path, name)).catch(onError);
        onClose();
      }}
    />
  );
}

function Rename({ boxId, path, entry, onClose }: EntryProps) {
  const rename = useRenameFile(boxId);
  return (
    <NameDialog
      title={`Rename ${entry.name}`}
      name={entry.name}
      onClose={onClose}
      onName={(name) => {
        const to = normalPath(name.startsWith("/") ? name : joinPath(path, name));
        rename.mutateAsync({ path: joinPath(path, entry.name), to }).catch(onError);
        onClose();
      }}
    />
  );
}

function Remove({ boxId, path, entry, onClose }: EntryProps) {
  const remove = useRemoveFile(boxId);
  const doomed = joinPath(path, entry.name);
  return (
    <Dialog title={`Delete ${entry.name}?`} onClose={onClose}>
      <p className="break">
        <code>{doomed}</code> {entry.type === "dir" && "and everything in it "}goes for good.
      </p>
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind="danger"
          onClick={() => {
            remove
              .mutateAsync(doomed)
              .then(() => toast("done", `Deleted ${entry.name}.`))
              .catch(onError);
            onClose();
          }}
        >
          Delete {entry.name}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
