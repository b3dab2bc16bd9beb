import { useState } from "react";
import { failureOf } from "../../../api/failure.ts";
import { uploadFile } from "../../../api/upload.ts";
import { toast } from "../../../ui/toasts.tsx";
import { bytesText } from "../../../util/bytes.ts";
import { joinPath } from "../../../util/paths.ts";

interface Upload {
  readonly id: number;
  readonly name: string;
  readonly size: number;
  readonly share: number;
}

let count = 0;

/** Uploads, one after the other, and how far each is. */
export function useUploads(boxId: string, onDone: () => void) {
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const change = (id: number, share: number) =>
    setUploads((all) => all.map((one) => (one.id === id ? { ...one, share } : one)));
  const upload = async (directory: string, files: readonly File[]) => {
    const added = files.map((file) => {
      count += 1;
      return { id: count, name: file.name, size: file.size, share: 0, file };
    });
    setUploads((all) => [...all, ...added]);
    for (const { id, name, file } of added) {
      try {
        await uploadFile(boxId, joinPath(directory, name), file, (share) => change(id, share));
        toast("done", `Uploaded ${name}.`);
      } catch (error) {
        const { message, hint } = failureOf(error);
        toast("failed", `Could not upload ${name}: ${message}`, hint);
      }
      setUploads((all) => all.filter((one) => one.id !== id));
      onDone();
    }
  };
  return { uploads, upload };
}

export function UploadList({ uploads }: { readonly uploads: readonly Upload[] }) {
  if (uploads.length === 0) return null;
  return (
    <ul className="layers" aria-label="Uploads">
      {uploads.map(({ id, name, size, share }) => (
        <li key={id} className="layer">
          <span className="clip">{name}</span>
          <progress max={1} value={share} aria-label={`Upload of ${name}`} />
          <span className="quiet">{bytesText(size)}</span>
        </li>
      ))}
    </ul>
  );
}
