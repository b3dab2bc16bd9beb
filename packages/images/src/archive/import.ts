import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BoxRunError } from "@boxrun/contract";
import type { ImportedImage } from "@boxrun/core";
import { isErrno } from "@boxrun/host";
import { isOtherPlatform, orExplain } from "../content/explain.ts";
import type { CheckedImage, LayoutStore } from "../content/layout-store.ts";
import { mediaTypes } from "../oci/schemas.ts";
import { blobDir, writeLayoutFiles } from "../oci/write-layout.ts";
import { skopeoCopy } from "../skopeo/run.ts";
import { type ArchiveContents, readContents } from "./contents.ts";
import { selectImages } from "./select.ts";
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
    const isEmpty = contents.kind === "oci" ? contents.entries.length === 0 : contents.images.length === 0;
    if (isEmpty) throw invalid("the archive holds no image");
    const work = { store, file, scratchDir: scratch.path, temporary, signal };
    const checked = contents.kind === "oci" ? await checkLayout(work, contents) : await checkDocker(work, contents);
    // Only when all are known to be good: an archive is taken in as a whole, or not at all.
    const stored = await orExplain(() => store.publish(checked.map(({ image }) => image)), explanation(signal));
    return stored.map((image, index) => ({ ...image, references: checked[index]?.references ?? [] }));
  } catch (error) {
    throw explain(error, signal);
  }
}

interface ImportWork {
  readonly store: LayoutStore;
  readonly file: string;
  readonly scratchDir: string;
  readonly temporary: string;
  readonly signal: AbortSignal;
}

interface Checked {
  readonly references: readonly string[];
  readonly image: CheckedImage;
}

async function checkLayout(
  work: ImportWork,
  { entries }: Extract<ArchiveContents, { kind: "oci" }>,
): Promise<readonly Checked[]> {
  const { store, file, scratchDir, signal } = work;
  const layout = join(scratchDir, "oci");
  await unpackLayout(file, layout, signal);
  const checked: Checked[] = [];
  for (const [index, { references, descriptor }] of (await selectImages(layout, entries)).entries()) {
    await writeLayoutFiles(layout, descriptor);
    let from = layout;
    // Docker's kind of manifest becomes the specification's; that one is taken as it is.
    if (descriptor.mediaType !== mediaTypes.manifest) {
      from = join(scratchDir, `image-${index}`);
      await convert(work, `oci:${layout}`, from);
    }
    checked.push({ references, image: await orExplain(() => store.check(from, signal), explanation(signal)) });
  }
  return checked;
}

async function checkDocker(
  work: ImportWork,
  { images }: Extract<ArchiveContents, { kind: "docker" }>,
): Promise<readonly Checked[]> {
  const { store, file, scratchDir, signal } = work;
  const checked: Checked[] = [];
  let other: unknown;
  for (const [index, { references }] of images.entries()) {
    const layout = join(scratchDir, `image-${index}`);
    await convert(work, `docker-archive:${file}:@${index}`, layout);
    try {
      checked.push({ references, image: await orExplain(() => store.check(layout, signal), explanation(signal)) });
    } catch (error) {
      // Beside one that is for this host, those for others are passed over.
      if (!isOtherPlatform(error)) throw error;
      other ??= error;
    }
  }
  if (checked.length === 0) throw other;
  return checked;
}

/** Makes a layout of the specification's kinds of documents. */
async function convert({ store, temporary, signal }: ImportWork, source: string, layout: string): Promise<void> {
  await store.seed(layout);
  const options = { operation, errorCode: "VALIDATION_ERROR", scratchDir: temporary, signal } as const;
  await skopeoCopy([source, `oci:${layout}:image`], options);
}

function explanation(signal: AbortSignal) {
  return { signal, code: "VALIDATION_ERROR", operation } as const;
}

/** Unpacks what belongs to an OCI layout and nothing else: names are digests, so none can lead anywhere. */
async function unpackLayout(file: string, layoutDir: string, signal: AbortSignal): Promise<void> {
  await mkdir(blobDir(layoutDir), { recursive: true });
  await readTar(file, signal, async ({ header, content }) => {
    const hex = /^(?:\.\/)?blobs\/sha256\/([0-9a-f]{64})$/.exec(header.name)?.[1];
    if (hex === undefined || header.type !== "file") return;
    await pipeline(content, createWriteStream(join(blobDir(layoutDir), hex)), { signal });
  });
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
