import type { Image } from "@boxrun/contract";
import type { Listing } from "../output/format.ts";
import { age, bytes } from "../output/text.ts";

/** Of a digest: enough to tell images apart. */
const digestCharacters = "sha256:".length + 12;

export const imageFields = {
  reference: null,
  digest: null,
  size_bytes: null,
  created_at: null,
  builtin: null,
} as const satisfies Record<keyof Image, null>;

export const imageListing: Listing<Image> = {
  fields: imageFields,
  id: ({ reference }) => reference,
  columns: [
    { head: "IMAGE", cell: ({ reference }) => reference, yields: 3, minWidth: 20 },
    { head: "DIGEST", cell: ({ digest }) => digest.slice(0, digestCharacters), yields: 1 },
    { head: "SIZE", cell: ({ size_bytes }) => bytes(size_bytes), yields: 2 },
    { head: "ADDED", cell: ({ builtin, created_at }) => (builtin ? "built in" : age(created_at)), yields: 2 },
  ],
};
