import type { HistoryEntry } from "@boxrun/contract";
import type { Listing } from "../output/format.ts";
import { shellText } from "../output/shell-text.ts";
import { age } from "../output/text.ts";

const historyFields = {
  seq: null,
  at: null,
  box_id: null,
  box_name: null,
  action: null,
  target: null,
  cmd: null,
  exec_id: null,
  caller: null,
  user_agent: null,
  error_code: null,
} as const satisfies Record<keyof HistoryEntry, null>;

export const historyListing: Listing<HistoryEntry> = {
  fields: historyFields,
  id: ({ seq }) => String(seq),
  columns: [
    { head: "WHEN", cell: ({ at }) => age(at) },
    { head: "BOX", cell: ({ box_name, box_id }) => box_name ?? box_id ?? "-" },
    {
      head: "ACTION",
      cell: ({ action, error_code }) => ({ text: action, style: error_code === null ? undefined : "red" }),
    },
    { head: "BY", cell: who, yields: 2 },
    { head: "WITH", cell: ({ user_agent }) => user_agent ?? "-", yields: 1, minWidth: 12 },
    { head: "WHAT", cell: what, yields: 0, minWidth: 24 },
  ],
};

function who({ caller: { kind, uid } }: HistoryEntry): string {
  if (kind === "token") return "token";
  return uid === null ? kind : `uid ${uid}, ${kind}`;
}

function what({ target, cmd, error_code }: HistoryEntry): string {
  const said = [target, cmd === null ? null : shellText(cmd)].filter((part) => part !== null).join(": ");
  return error_code === null ? said : `${said}${said === "" ? "" : " "}(${error_code})`;
}
