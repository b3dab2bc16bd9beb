import type { Session } from "@boxrun/contract";
import type { Listing } from "../output/format.ts";
import { age } from "../output/text.ts";

const sessionFields = {
  name: null,
  box_id: null,
  shell: null,
  cols: null,
  rows: null,
  clients: null,
  survives_server: null,
  created_at: null,
} as const satisfies Record<keyof Session, null>;

export const sessionListing: Listing<Session> = {
  fields: sessionFields,
  id: ({ name }) => name,
  columns: [
    { head: "NAME", cell: ({ name }) => name, yields: 5, minWidth: 8 },
    { head: "SHELL", cell: ({ shell }) => shell ?? "default", yields: 2 },
    { head: "ATTACHED", cell: ({ clients }) => String(clients), yields: 4 },
    { head: "SIZE", cell: ({ cols, rows }) => `${cols}x${rows}`, yields: 1 },
    { head: "STARTED", cell: ({ created_at }) => age(created_at), yields: 3 },
  ],
};
