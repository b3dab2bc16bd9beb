import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, type UIEvent, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Button, IconButton } from "../../ui/button.tsx";
import type { LineStore } from "../../util/line-store.ts";
import { findLines } from "./find.ts";
import { LineView } from "./line-view.tsx";
import "./output.css";

const lineHeight = 19;

/** More than are ever drawn: a place that is left is taken by the line that comes as many lines later, and its elements with it. */
const places = 512;

interface OutputViewProps {
  readonly lines: LineStore;
  readonly isLive: boolean;
  /** What else can be done with it. */
  readonly actions?: ReactNode;
}

/** The lines of an output, of which only those in sight are drawn; it stays at the end while it grows, until somebody scrolls up. */
export function OutputView({ lines, isLive, actions }: OutputViewProps) {
  const version = useSyncExternalStore(lines.subscribe, lines.version);
  const scroller = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const [follows, setFollows] = useState(true);
  const search = useSearch(lines, version);
  const virtualizer = useVirtualizer({
    count: lines.count,
    getScrollElement: () => scroller.current,
    estimateSize: () => lineHeight,
    overscan: 10,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: each change of the lines moves the end
  useEffect(() => {
    if (follows && scroller.current !== null) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [follows, version]);
  // Upwards it is only ever scrolled by somebody; at the end is where they want to be again.
  const onScroll = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }: UIEvent<HTMLDivElement>) => {
    if (scrollTop < lastTop.current) setFollows(false);
    else if (scrollHeight - scrollTop - clientHeight < lineHeight * 2) setFollows(true);
    lastTop.current = scrollTop;
  };
  const goTo = (index: number | undefined) => {
    if (index === undefined) return;
    setFollows(false);
    virtualizer.scrollToIndex(index, { align: "center" });
  };
  return (
    <section className="output" aria-label="Output">
      <div className="output-bar">
        <search className="output-search">
          <input
            className="input"
            placeholder="Search in the output"
            aria-label="Search in the output"
            value={search.text}
            onChange={(event) => search.look(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter") goTo(search.step(event.shiftKey ? -1 : 1));
              if (event.key === "Escape") search.look("");
            }}
          />
          {search.text !== "" && (
            <>
              <span className="quiet small" role="status">
                {search.found.length === 0 ? "none" : `${search.current + 1} of ${search.found.length}`}
              </span>
              <IconButton icon="up" label="Previous" onClick={() => goTo(search.step(-1))} />
              <IconButton icon="down" label="Next" onClick={() => goTo(search.step(1))} />
            </>
          )}
        </search>
        <span className="grow" />
        {!follows && (
          <Button icon="down" onClick={() => setFollows(true)}>
            {isLive ? "Follow" : "To the end"}
          </Button>
        )}
        {actions}
      </div>
      {lines.dropped > 0 && (
        <p className="output-note">
          The first {lines.dropped.toLocaleString()} lines are not shown; a download has them.
        </p>
      )}
      <div
        className="output-lines"
        ref={scroller}
        onScroll={onScroll}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        tabIndex={0}
        role="log"
        aria-label="Lines"
        aria-live="off"
      >
        {lines.count === 0 && (
          <p className="output-note">{isLive ? "Nothing was written yet." : "Nothing was written."}</p>
        )}
        <div className="output-all" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map(({ index, start }) => {
            const line = lines.line(index);
            return (
              line && (
                <div key={index % places} className="output-place" style={{ transform: `translateY(${start}px)` }}>
                  <LineView
                    line={line}
                    number={lines.dropped + index + 1}
                    isFound={search.found[search.current] === index}
                  />
                </div>
              )
            );
          })}
        </div>
      </div>
    </section>
  );
}

function useSearch(lines: LineStore, version: number) {
  const [text, setText] = useState("");
  const [found, setFound] = useState<readonly number[]>([]);
  const [current, setCurrent] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: other lines, other places
  useEffect(() => {
    if (text === "") return;
    const leave = new AbortController();
    const timer = setTimeout(() => {
      void findLines(lines, text, leave.signal).then((places) => !leave.signal.aborted && setFound(places));
    }, 150);
    return () => {
      clearTimeout(timer);
      leave.abort();
    };
  }, [lines, version, text]);
  return {
    text,
    found: text === "" ? [] : found,
    current: Math.min(current, Math.max(0, found.length - 1)),
    look(wanted: string) {
      setText(wanted);
      setFound([]);
      setCurrent(0);
    },
    /** The place of the next one. */
    step(by: 1 | -1): number | undefined {
      if (found.length === 0) return undefined;
      const next = (current + by + found.length) % found.length;
      setCurrent(next);
      return found[next];
    },
  };
}
