import { hostArchitecture } from "../oci/platform.ts";
import type { Descriptor } from "../oci/schemas.ts";
import { best, ImageSelection, type IndexEntry } from "../oci/select.ts";
import { namesOf } from "./contents.ts";

export interface SelectedImage {
  readonly references: readonly string[];
  readonly descriptor: Descriptor;
}

/**
 * The images of an unpacked layout that are for this host, with their names. Of those that share a name, which are one image for several
 * platforms, it is the one that suits the host best. Throws an Error that says what there is if none is for this host.
 */
export async function selectImages(
  layoutDir: string,
  entries: readonly IndexEntry[],
): Promise<readonly SelectedImage[]> {
  const selection = new ImageSelection(layoutDir);
  const found = [];
  for (const entry of entries) found.push({ entry, image: await selection.resolve(entry) });
  const fittest = new Map<string, (typeof found)[number]>();
  const selected: SelectedImage[] = [];
  const named = found.flatMap((each) => {
    if (each.image.kind !== "image") return [];
    const own = namesOf(each.entry);
    return [{ each, names: own.length > 0 ? own : namesOf(each.image.entry), image: each.image }];
  });
  for (const { each, names, image } of named) {
    for (const name of names) {
      const before = fittest.get(name)?.image;
      if (before === undefined || best([before, image]) === image) fittest.set(name, each);
    }
  }
  for (const { each, names, image } of named) {
    const references = names.filter((name) => fittest.get(name) === each);
    if (names.length === 0 || references.length > 0) selected.push({ references, descriptor: image.descriptor });
  }
  if (selected.length > 0) return selected;
  const all = best(found.map(({ image }) => image));
  const what = all.kind === "other" ? all.what : "";
  throw new Error(`the archive holds no image for linux/${hostArchitecture}; it has ${what}`);
}
