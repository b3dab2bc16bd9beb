import { useMutation } from "@tanstack/react-query";
import type { Image } from "boxrun-sdk";
import { type FormEvent, useState } from "react";
import { failureOf } from "../api/failure.ts";
import { pullImage, useImageActions, useImages } from "../api/images.ts";
import type { PullLayers } from "../api/pull-layers.ts";
import { uploadImage } from "../api/upload.ts";
import { Age } from "../components/age.tsx";
import { PullView } from "../components/pull-view.tsx";
import { Button, IconButton } from "../ui/button.tsx";
import { CopyIcon } from "../ui/copy.tsx";
import { Dialog, DialogActions } from "../ui/dialog.tsx";
import { DropZone } from "../ui/drop-zone.tsx";
import { Notice, Waiting } from "../ui/notice.tsx";
import { Card, Page } from "../ui/page.tsx";
import { actionsColumn, type Column, Table } from "../ui/table.tsx";
import { toast } from "../ui/toasts.tsx";
import { bytesText } from "../util/bytes.ts";
import "./images.css";

const columns: readonly Column[] = [
  { name: "Reference" },
  { name: "Digest", isWideOnly: true },
  { name: "Size", isNumber: true },
  { name: "Age" },
  actionsColumn,
];

export function ImagesPage() {
  const { data: images, error } = useImages();
  const { remove, refresh } = useImageActions();
  const [doomed, setDoomed] = useState<Image>();
  return (
    <Page title="Images">
      {error !== null && <Notice kind="bad">{failureOf(error).message}</Notice>}
      {images === undefined ? (
        error === null && <Waiting what="Looking for images" />
      ) : (
        <div className="table-scroll">
          <Table label="Images" columns={columns}>
            {images.map((image) => (
              <tr key={image.reference}>
                <td className="break">
                  {image.reference} {image.builtin && <span className="quiet small">ships with BoxRun</span>}
                </td>
                <td className="wide-only">
                  <span className="digest">
                    <code title={image.digest}>{image.digest.replace(/^sha256:/, "").slice(0, 12)}</code>
                    <CopyIcon text={image.digest} label={`Copy the digest of ${image.reference}`} />
                  </span>
                </td>
                <td className="number">{bytesText(image.size_bytes)}</td>
                <td className="quiet">{image.builtin ? "" : <Age since={image.created_at} />}</td>
                <td className="actions">
                  {!image.builtin && (
                    <IconButton icon="trash" label={`Remove ${image.reference}`} onClick={() => setDoomed(image)} />
                  )}
                </td>
              </tr>
            ))}
          </Table>
        </div>
      )}
      <div className="cards">
        <Pull onDone={refresh} />
        <Import onDone={refresh} />
      </div>
      {doomed !== undefined && (
        <Dialog title={`Remove ${doomed.reference}?`} onClose={() => setDoomed(undefined)}>
          <p>Boxes that were made of it keep what they have. It can be pulled again where there is a registry.</p>
          <DialogActions>
            <Button onClick={() => setDoomed(undefined)}>Cancel</Button>
            <Button
              kind="danger"
              onClick={() => {
                setDoomed(undefined);
                remove.mutate(doomed.reference, {
                  onSuccess: () => toast("done", `Removed ${doomed.reference}.`),
                  onError: (failure) => {
                    const { message, hint } = failureOf(failure);
                    toast("failed", message, hint);
                  },
                });
              }}
            >
              Remove {doomed.reference}
            </Button>
          </DialogActions>
        </Dialog>
      )}
    </Page>
  );
}

function Pull({ onDone }: { readonly onDone: () => void }) {
  const [reference, setReference] = useState("");
  const [layers, setLayers] = useState<PullLayers>();
  const pull = useMutation({
    mutationFn: (wanted: string) => pullImage(wanted, { onLayers: setLayers }),
    onSuccess: (image) => {
      setReference("");
      toast("done", `Pulled ${image.reference}.`);
    },
    onSettled: () => {
      setLayers(undefined);
      onDone();
    },
  });
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (reference.trim() !== "") pull.mutate(reference.trim());
  };
  return (
    <Card title="Pull from a registry">
      <form className="input-line" onSubmit={onSubmit}>
        <input
          className="input grow"
          aria-label="Image to pull"
          placeholder="python, debian:12, registry/name:tag"
          spellCheck={false}
          autoCapitalize="off"
          value={reference}
          onChange={(event) => setReference(event.target.value)}
        />
        <Button type="submit" icon="download" busy={pull.isPending} disabled={reference.trim() === ""}>
          Pull
        </Button>
      </form>
      {layers !== undefined && <PullView layers={layers} />}
      {pull.error !== null && (
        <Notice kind="bad" title={failureOf(pull.error).message}>
          {failureOf(pull.error).hint}
        </Notice>
      )}
    </Card>
  );
}

function Import({ onDone }: { readonly onDone: () => void }) {
  const [share, setShare] = useState<number>();
  const bring = useMutation({
    mutationFn: (file: File) => uploadImage(file, setShare),
    onSuccess: (images) => toast("done", `Imported ${images.map(({ reference }) => reference).join(", ")}.`),
    onSettled: () => {
      setShare(undefined);
      onDone();
    },
  });
  return (
    <Card title="Import a tar">
      <DropZone
        label="Drop a docker archive or an OCI layout here, or choose one"
        accept=".tar"
        onFiles={([file]) => file !== undefined && bring.mutate(file)}
      />
      {share !== undefined && <progress className="wide-progress" max={1} value={share} aria-label="Import" />}
      {bring.error !== null && (
        <Notice kind="bad" title={failureOf(bring.error).message}>
          {failureOf(bring.error).hint}
        </Notice>
      )}
    </Card>
  );
}
