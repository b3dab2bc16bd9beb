import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BoxRunError } from "@boxrun/contract";
import type { ImportedImage } from "@boxrun/core";
import { addOrExplain } from "../content/add-image.ts";
import type { LayoutStore } from "../content/layout-store.ts";
import { isErrno } from "../errno.ts";
import { blobDir } from "../oci/write-layout.ts";
import { skopeoCopy } from "../skopeo/run.ts";
import { type ArchiveContents, readContents } from "./contents.ts";
import { NotATarError, readTar } from "./tar-file.ts";

const operation = "import the image";

/** Takes in every image of an OCI layout tar or docker-archive. Errors as ImageContent.importArchive promises. */
export async function importArchive(
  store: LayoutStore,
  body: Readable,
  options: { readonly signal: AbortSignal },
): Promise<readonly ImportedImage[]> {
  const { signal } = options;
  // A caller that hangs up before anybody reads: the pipeline below tells it.
  body.on("error", () => undefined);
  await using scratch = await store.scratch.make();
  const file = join(scratch.path, "archive.tar");
  const temporary = join(scratch.path, "tmp");
  await mkdir(temporary);
  try {
    await pipeline(body, createWriteStream(file), { signal });
    const contents = await readContents(file, signal);
    if (contents === undefined)
      throw invalid("the tar holds neither an OCI layout (index.json) nor a docker-archive (manifest.json)");
    if (contents.images.length === 0) throw invalid("the archive holds no image");
    const layout = join(scratch.path, "oci");
    if (contents.kind === "oci") await unpackLayout(file, layout, signal);
    const imported: ImportedImage[] = [];
    for (const [index, { references, descriptor }] of contents.images.entries()) {
      if (contents.kind === "oci") await writeIndex(layout, descriptor);
      const out = join(scratch.path, `image-${index}`);
      await store.seed(out);
      await skopeoCopy([...source(contents, file, layout, index), `oci:${out}:image`], {
        operation,
        errorCode: "VALIDATION_ERROR",
        scratchDir: temporary,
        signal,
      });
      const image = await addOrExplain(store, out, signal, "VALIDATION_ERROR", operation);
      imported.push({ ...image, references });
    }
    return imported;
  } catch (error) {
    throw explain(error, signal);
  }
}

function source(contents: ArchiveContents, file: string, layout: string, index: number): string[] {
  return contents.kind === "oci" ? [`oci:${layout}`] : [`docker-archive:${file}:@${index}`];
}

/** Unpacks what belongs to an OCI layout and nothing else: names are digests, so none can lead anywhere. */
async function unpackLayout(file: string, layoutDir: string, signal: AbortSignal): Promise<void> {
  await mkdir(blobDir(layoutDir), { recursive: true });
  await writeFile(join(layoutDir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await readTar(file, signal, async ({ header, content }) => {
    const hex = /^(?:\.\/)?blobs\/sha256\/([0-9a-f]{64})$/.exec(header.name)?.[1];
    if (hex === undefined || header.type !== "file") return;
    await pipeline(content, createWriteStream(join(blobDir(layoutDir), hex)), { signal });
  });
}

async function writeIndex(layoutDir: string, descriptor: unknown): Promise<void> {
  await writeFile(join(layoutDir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
}

function explain(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted || error instanceof BoxRunError) return error;
  if (isErrno(error, "ENOSPC") || isErrno(error, "EDQUOT")) {
    return new BoxRunError("RUNTIME_ERROR", `${operation}: the host's disk is full; make room and try again`, {
      cause: error,
    });
  }
  if (error instanceof NotATarError)
    return invalid(`the body is not a tar, or it is damaged (${error.message})`, error);
  // The caller's stream broke off, or a document in the archive is malformed.
  return invalid(error instanceof Error ? error.message : String(error), error);
}

function invalid(why: string, cause?: unknown): BoxRunError {
  return new BoxRunError("VALIDATION_ERROR", `${operation}: ${why}`, { cause });
}
