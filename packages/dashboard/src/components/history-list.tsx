import type { HistoryEntry } from "@boxrun/contract";
import { useState } from "react";
import { Link } from "wouter";
import { failureOf } from "../api/failure.ts";
import { useHistory } from "../api/history.ts";
import { Button } from "../ui/button.tsx";
import { Empty, Notice, Waiting } from "../ui/notice.tsx";
import { type Column, Table } from "../ui/table.tsx";
import { shellLine } from "../util/words.ts";
import { Age } from "./age.tsx";
import { boxPath } from "./paths.ts";
import "./history.css";

/** How many are shown at first, and at most. */
const first = 100;
const most = 1_000;

const columns: readonly Column[] = [
  { name: "When" },
  { name: "Box" },
  { name: "Action" },
  { name: "What" },
  { name: "By", isWideOnly: true },
  { name: "With", isWideOnly: true },
];

/** What was done and by whom: to one box, or to all. */
export function HistoryList({ boxId }: { readonly boxId?: string }) {
  const [limit, setLimit] = useState(first);
  const { data: entries, error, isFetching } = useHistory(boxId, limit);
  if (error !== null) return <Notice kind="bad">{failureOf(error).message}</Notice>;
  if (entries === undefined) return <Waiting what="Reading the history" />;
  if (entries.length === 0) {
    return (
      <Empty title="Nothing was done yet">
        <p>Who does what to a box, and when, is listed here, also when the box is gone.</p>
      </Empty>
    );
  }
  return (
    <>
      <div className="table-scroll">
        <Table label="History" columns={columns.filter(({ name }) => boxId === undefined || name !== "Box")}>
          {entries.map((entry) => (
            <Entry key={entry.seq} entry={entry} showsBox={boxId === undefined} />
          ))}
        </Table>
      </div>
      {entries.length === limit && limit < most && (
        <div>
          <Button busy={isFetching} onClick={() => setLimit(most)}>
            Show up to {most.toLocaleString()}
          </Button>
        </div>
      )}
    </>
  );
}

function Entry({ entry, showsBox }: { readonly entry: HistoryEntry; readonly showsBox: boolean }) {
  const { at, box_id, box_name, action, error_code, user_agent } = entry;
  return (
    <tr>
      <td className="quiet">
        <Age since={at} />
      </td>
      {showsBox && (
        <td className="history-box clip">
          {box_id === null ? "–" : <Link to={boxPath({ id: box_id })}>{box_name ?? box_id}</Link>}
        </td>
      )}
      <td>{action}</td>
      <td>
        <div className="history-what break">
          <What entry={entry} />
          {error_code !== null && <span className="failed"> {error_code}</span>}
        </div>
      </td>
      <td className="quiet nowrap wide-only">{whoOf(entry)}</td>
      <td className="quiet clip user-agent wide-only" title={user_agent ?? undefined}>
        {user_agent ?? "–"}
      </td>
    </tr>
  );
}

function What({ entry: { box_id, cmd, exec_id, target } }: { readonly entry: HistoryEntry }) {
  const said = cmd === null ? exec_id : shellLine(cmd);
  const command = said !== null && <code>{said}</code>;
  const isLinked = command !== false && exec_id !== null && box_id !== null;
  return (
    <>
      {target !== null && <code>{target}</code>}{" "}
      {isLinked ? <Link to={boxPath({ id: box_id }, "execs")}>{command}</Link> : command}
    </>
  );
}

function whoOf({ caller: { kind, uid } }: HistoryEntry): string {
  if (kind === "token") return "token";
  return uid === null ? kind : `uid ${uid}, ${kind}`;
}
