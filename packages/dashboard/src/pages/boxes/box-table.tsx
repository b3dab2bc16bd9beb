import { type SortingState, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import type { Box } from "boxrun-sdk";
import { type KeyboardEvent, useCallback, useRef, useState } from "react";
import { verbAllowed } from "../../api/boxes.ts";
import { useCommandBoxes } from "../../components/box-commands.tsx";
import { Button } from "../../ui/button.tsx";
import { Icon } from "../../ui/icon.tsx";
import { classes } from "../../util/classes.ts";
import { BoxRow } from "./box-row.tsx";
import { columns, features } from "./columns.ts";

const rowHeight = 40;
const phoneRowHeight = 62;

/** As many boxes as there are, of which only those in sight are drawn. */
export function BoxTable({ boxes, onLabel }: { readonly boxes: Box[]; readonly onLabel: (text: string) => void }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [sorting, setSorting] = useState<SortingState>([]);
  const table = useTable({
    features,
    columns,
    data: boxes,
    getRowId: ({ id }) => id,
    state: { sorting },
    onSortingChange: setSorting,
  });
  const { rows } = table.getRowModel();
  const height = window.matchMedia("(max-width: 720px)").matches ? phoneRowHeight : rowHeight;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 8,
  });
  const hasLabels = boxes.some(({ labels }) => labels !== undefined);
  const selected = table.getSelectedRowModel().rows.map(({ original }) => original);
  const select = useCallback(
    (id: string, event: unknown) => table.getRow(id).getToggleSelectedHandler()(event),
    [table],
  );
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (step === undefined || !(event.target instanceof HTMLAnchorElement)) return;
    event.preventDefault();
    const index = rows.findIndex(
      ({ id }) => id === event.currentTarget.querySelector("a:focus")?.id.slice("open-".length),
    );
    const next = rows[index + step];
    if (next === undefined) return;
    virtualizer.scrollToIndex(index + step);
    requestAnimationFrame(() => document.getElementById(`open-${next.id}`)?.focus());
  };
  return (
    <>
      {selected.length > 0 && <SelectionBar boxes={selected} onClear={() => table.resetRowSelection(true)} />}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys go between the links inside */}
      <div className="box-table-scroll" ref={scroller} onKeyDown={onKeyDown}>
        <table
          className={classes("box-table", hasLabels && "box-table-labels")}
          aria-label="Boxes"
          aria-rowcount={rows.length + 1}
        >
          <thead className="box-head">
            <tr aria-rowindex={1} className="box-row">
              <th scope="col" className="cell-select">
                <input
                  type="checkbox"
                  aria-label="Select all"
                  checked={table.getIsAllRowsSelected()}
                  onChange={table.getToggleAllRowsSelectedHandler()}
                />
              </th>
              {table.getFlatHeaders().map(({ id, column }) => {
                const sorted = column.getIsSorted();
                const label = String(column.columnDef.header);
                return (
                  <th
                    key={id}
                    scope="col"
                    className={`cell-${id}`}
                    aria-sort={sorted === false ? "none" : sorted === "asc" ? "ascending" : "descending"}
                  >
                    <button type="button" className="sort" onClick={column.getToggleSortingHandler()}>
                      {label}
                      {sorted !== false && <Icon name={sorted === "asc" ? "up" : "down"} />}
                    </button>
                  </th>
                );
              })}
              <th scope="col" className="cell-actions">
                <span className="unseen">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody className="box-rows" style={{ height: virtualizer.getTotalSize() }}>
            {virtualizer.getVirtualItems().map(({ index, start }) => {
              const row = rows[index];
              return (
                row && (
                  <BoxRow
                    key={row.id}
                    box={row.original}
                    index={index}
                    top={start}
                    isSelected={row.getIsSelected()}
                    onSelect={select}
                    onLabel={onLabel}
                  />
                )
              );
            })}
          </tbody>
        </table>
      </div>
    </>
  );
}

function SelectionBar({ boxes, onClear }: { readonly boxes: readonly Box[]; readonly onClear: () => void }) {
  const command = useCommandBoxes();
  const able = (verb: "start" | "stop" | "remove") => boxes.filter((box) => verbAllowed(verb, box)).length;
  return (
    <div className="selection" role="toolbar" aria-label="Selected boxes">
      <strong>{boxes.length} selected</strong>
      <Button icon="run" disabled={able("start") === 0} onClick={() => command("start", boxes)}>
        Start
      </Button>
      <Button icon="stop" disabled={able("stop") === 0} onClick={() => command("stop", boxes)}>
        Stop
      </Button>
      <Button icon="trash" disabled={able("remove") === 0} onClick={() => command("remove", boxes)}>
        Remove…
      </Button>
      <Button kind="bare" onClick={onClear}>
        Clear
      </Button>
    </div>
  );
}
