import type { FileEntry } from "boxrun-sdk";
import { lazy, Suspense, useEffect, useState } from "react";
import { failureOf } from "../../../api/failure.ts";
import { entryAt, readWhole } from "../../../api/files.ts";
import { uploadFile } from "../../../api/upload.ts";
import { Button } from "../../../ui/button.tsx";
import { Dialog, DialogActions } from "../../../ui/dialog.tsx";
import { Notice, Waiting } from "../../../ui/notice.tsx";
import { toast } from "../../../ui/toasts.tsx";
import { joinPath } from "../../../util/paths.ts";
import { textOf } from "./text-file.ts";

const Editor = lazy(() => import("../../../components/editor/editor.tsx").then(({ Editor }) => ({ default: Editor })));

interface FileEditorProps {
  readonly boxId: string;
  readonly directory: string;
  readonly entry: FileEntry;
  readonly onClose: () => void;
}

/** A text file of a box. What somebody else has changed meanwhile is not overwritten without asking. */
export function FileEditor({ boxId, directory, entry, onClose }: FileEditorProps) {
  const path = joinPath(directory, entry.name);
  const [loaded, setLoaded] = useState<{ readonly text: string } | { readonly why: string }>();
  const [known, setKnown] = useState(entry);
  const [draft, setDraft] = useState<string>();
  const [isSaving, setIsSaving] = useState(false);
  const [question, setQuestion] = useState<"overwrite" | "discard">();
  useEffect(() => {
    const leave = new AbortController();
    readWhole(boxId, path, "file", leave.signal)
      .then(textOf)
      .then((text) =>
        setLoaded(
          text === undefined ? { why: "This is no text, or too long to edit here. It can be downloaded." } : { text },
        ),
      )
      .catch((error: unknown) => !leave.signal.aborted && setLoaded({ why: failureOf(error).message }));
    return () => leave.abort();
  }, [boxId, path]);
  const write = async (text: string) => {
    await uploadFile(boxId, path, new Blob([text]), () => undefined);
    setKnown(await entryAt(boxId, path));
    setDraft((later) => (later === text ? undefined : later));
    toast("done", `Saved ${entry.name}.`);
  };
  const save = async (text: string, isSure: boolean) => {
    setIsSaving(true);
    setQuestion(undefined);
    try {
      const now = await entryAt(boxId, path);
      const isOther = now.mtime !== known.mtime || now.size !== known.size;
      if (isOther && !isSure) setQuestion("overwrite");
      else await write(text);
    } catch (error) {
      const { message, hint } = failureOf(error);
      toast("failed", message, hint);
    } finally {
      setIsSaving(false);
    }
  };
  const isChanged = draft !== undefined;
  return (
    <section className="file-editor" aria-label={path}>
      <header className="exec-head">
        <Button kind="bare" onClick={() => (isChanged ? setQuestion("discard") : onClose())}>
          Back
        </Button>
        <code className="break">{path}</code>
        <span className="quiet small" role="status">
          {isChanged ? "not saved" : ""}
        </span>
        <span className="grow" />
        <Button
          kind="primary"
          disabled={!isChanged}
          busy={isSaving}
          onClick={() => draft !== undefined && void save(draft, false)}
        >
          Save
        </Button>
      </header>
      {loaded === undefined && <Waiting what="Reading the file" />}
      {loaded !== undefined && "why" in loaded && <Notice kind="warn">{loaded.why}</Notice>}
      {loaded !== undefined && "text" in loaded && (
        <Suspense fallback={<Waiting what="Loading the editor" />}>
          <Editor name={entry.name} text={loaded.text} onChange={setDraft} onSave={(text) => void save(text, false)} />
        </Suspense>
      )}
      {question === "overwrite" && (
        <Dialog title={`Overwrite ${entry.name}?`} onClose={() => setQuestion(undefined)}>
          <p>It was changed in the box since it was opened here.</p>
          <DialogActions>
            <Button onClick={() => setQuestion(undefined)}>Cancel</Button>
            <Button kind="danger" onClick={() => draft !== undefined && void save(draft, true)}>
              Overwrite
            </Button>
          </DialogActions>
        </Dialog>
      )}
      {question === "discard" && (
        <Dialog title={`Leave ${entry.name} without saving?`} onClose={() => setQuestion(undefined)}>
          <DialogActions>
            <Button onClick={() => setQuestion(undefined)}>Go on editing</Button>
            <Button kind="danger" onClick={onClose}>
              Discard the changes
            </Button>
          </DialogActions>
        </Dialog>
      )}
    </section>
  );
}
