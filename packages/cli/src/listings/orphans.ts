import type { Orphan } from "@boxrun/contract";
import type { Listing } from "../output/format.ts";
import { age } from "../output/text.ts";

const orphanFields = {
  id: null,
  engine: null,
  name: null,
  image: null,
  created_at: null,
  adoptable: null,
} as const satisfies Record<keyof Orphan, null>;

export const orphanListing: Listing<Orphan> = {
  fields: orphanFields,
  id: ({ id }) => id,
  columns: [
    { head: "ID", cell: ({ id }) => id, yields: 1 },
    { head: "NAME", cell: ({ name }) => name ?? "", yields: 4, minWidth: 8 },
    { head: "IMAGE", cell: ({ image }) => image ?? "", yields: 5, minWidth: 8 },
    { head: "ENGINE", cell: ({ engine }) => engine, yields: 3 },
    { head: "CREATED", cell: ({ created_at }) => (created_at === null ? "" : age(created_at)), yields: 2 },
    { head: "CAN BE", cell: ({ adoptable }) => (adoptable ? "recovered, removed" : "removed"), yields: 6 },
  ],
};
