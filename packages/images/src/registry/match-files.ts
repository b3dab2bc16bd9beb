/** A file that skopeo fills with some layer. */
export interface GrowingFile {
  readonly name: string;
  readonly sizeBytes: number;
}

/** A layer that is not complete. */
export interface OpenLayer {
  readonly digest: string;
  readonly sizeBytes: number;
}

/**
 * Which file is which layer, as far as their sizes leave no choice: no file is larger than its layer, and every file is some layer's.
 * skopeo doesn't tell until a file is complete. What was `known` before stays. Digests by file name.
 */
export function matchFiles(
  files: readonly GrowingFile[],
  layers: readonly OpenLayer[],
  known: ReadonlyMap<string, string> = new Map(),
): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name } of files) {
    const digest = known.get(name);
    if (digest !== undefined && layers.some((layer) => layer.digest === digest)) found.set(name, digest);
  }
  for (;;) {
    const taken = new Set(found.values());
    const open = layers.filter((layer) => !taken.has(layer.digest));
    const match = files
      .filter((file) => !found.has(file.name))
      .map((file) => ({ file, fits: open.filter((layer) => layer.sizeBytes >= file.sizeBytes) }))
      .find(({ fits }) => fits.length === 1);
    const [layer] = match?.fits ?? [];
    if (match === undefined || layer === undefined) return found;
    found.set(match.file.name, layer.digest);
  }
}
