import { boxStatuses } from "@boxrun/contract/plain";
import type { Box, BoxStatus } from "boxrun-sdk";
import { type RefObject, useEffect, useMemo, useRef, useState } from "react";
import { Link } from "wouter";
import { useBoxes } from "../api/boxes.ts";
import { useUsageOfAll } from "../api/stats.ts";
import { Choice } from "../ui/choice.tsx";
import { CodeBlock } from "../ui/code-block.tsx";
import { Icon } from "../ui/icon.tsx";
import { Empty, Waiting } from "../ui/notice.tsx";
import { Page } from "../ui/page.tsx";
import { isTyping } from "../util/keyboard.ts";
import { BoxTable } from "./boxes/box-table.tsx";
import { countByStatus, filterBoxes } from "./boxes/filter.ts";
import "./boxes/boxes.css";

export function BoxesPage() {
  const boxes = useBoxes();
  useUsageOfAll();
  return (
    <div className="page-fixed">
      <Page
        title="Boxes"
        actions={
          <Link className="button button-primary" to="/create">
            <Icon name="plus" /> Create
          </Link>
        }
      >
        {boxes === undefined ? (
          <Waiting what="Looking for boxes" />
        ) : boxes.length === 0 ? (
          <NoBoxes />
        ) : (
          <Boxes boxes={boxes} />
        )}
      </Page>
    </div>
  );
}

function Boxes({ boxes }: { readonly boxes: readonly Box[] }) {
  const [search, setSearch] = useState("");
  const [status, setStatus] = useState<BoxStatus | "all">("all");
  const input = useRef<HTMLInputElement>(null);
  const shown = useMemo(() => filterBoxes(boxes, { search, status }), [boxes, search, status]);
  const counts = useMemo(() => countByStatus(boxes), [boxes]);
  useSlashFocuses(input);
  return (
    <>
      <div className="filters">
        <div className="search">
          <Icon name="search" />
          <input
            ref={input}
            className="input"
            type="search"
            placeholder="Search   /"
            aria-label="Search boxes"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
            onKeyDown={(event) => event.key === "Escape" && setSearch("")}
          />
        </div>
        <Choice
          label="State"
          names={["all", ...boxStatuses]}
          chosen={status}
          onChoose={setStatus}
          show={(name) => (
            <>
              {name} <span className="quiet">{name === "all" ? boxes.length : counts[name]}</span>
            </>
          )}
        />
      </div>
      {shown.length > 0 ? (
        <BoxTable boxes={shown} onLabel={setSearch} />
      ) : (
        <Empty title="No box is like that">
          <button
            type="button"
            className="button"
            onClick={() => {
              setSearch("");
              setStatus("all");
            }}
          >
            Show all {boxes.length}
          </button>
        </Empty>
      )}
    </>
  );
}

function useSlashFocuses(input: RefObject<HTMLInputElement | null>): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      event.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [input]);
}

function NoBoxes() {
  return (
    <Empty title="No boxes yet">
      <p>
        A box is a small Linux machine of its own: it starts in seconds, keeps its disk, and goes when you remove it.
      </p>
      <Link className="button button-primary" to="/create">
        <Icon name="plus" /> Create the first box
      </Link>
      <p>or, in a terminal:</p>
      <CodeBlock label="commands" text={"boxrun create base --name dev\nboxrun exec dev -- uname -a"} />
    </Empty>
  );
}
