import type { Exec } from "@boxrun/contract";
import type { Listing } from "../output/format.ts";
import { shellText } from "../output/shell-text.ts";
import { age, duration, statusStyle } from "../output/text.ts";

const execFields = {
  id: null,
  box_id: null,
  status: null,
  cmd: null,
  env: null,
  secret_env: null,
  workdir: null,
  timeout_ms: null,
  exit_code: null,
  error_message: null,
  created_at: null,
  finished_at: null,
  user: null,
  tty: null,
} as const satisfies Record<keyof Exec, null>;

export const execListing: Listing<Exec> = {
  fields: execFields,
  id: ({ id }) => id,
  columns: [
    { head: "EXEC", cell: ({ id }) => id },
    { head: "STATUS", cell: ({ status }) => ({ text: status, style: statusStyle(status) }), yields: 4 },
    { head: "EXIT", cell: ({ exit_code }) => String(exit_code ?? "-"), yields: 3 },
    { head: "STARTED", cell: ({ created_at }) => age(created_at), yields: 2 },
    { head: "TOOK", cell: took, yields: 1 },
    { head: "COMMAND", cell: ({ cmd }) => shellText(cmd), yields: 0, minWidth: 16 },
  ],
};

/** Of several boxes, with what each is called. */
export function execListingOfAll(names: ReadonlyMap<string, string>): Listing<Exec> {
  const box = { head: "BOX", cell: ({ box_id }: Exec) => names.get(box_id) ?? box_id };
  return { ...execListing, columns: [box, ...execListing.columns] };
}

function took({ created_at, finished_at }: Exec): string {
  const end = finished_at === null ? Date.now() : Date.parse(finished_at);
  return duration(end - Date.parse(created_at));
}
