import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./chart.css";

interface Line {
  readonly name: string;
  /** A custom property: `--accent`. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  /** Seconds since the epoch. */
  readonly at: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** What the axis goes up to at least. */
  readonly max?: number | undefined;
  /** The axis goes by powers of two, as bytes do. */
  readonly isBinary?: boolean;
}

const height = 130;

/** Lines over time. What they say at the end, or where the pointer is, stands above them in words. */
export function Chart({ title, at, lines, format, max = 0, isBinary = false }: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const shown = useRef<HTMLSpanElement>(null);
  const latest = useRef({ at, lines, format, max, isBinary });
  latest.current = { at, lines, format, max, isBinary };
  const names = lines.map(({ name, colour }) => `${name} ${colour}`).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: other lines are another plot
  useEffect(() => {
    if (host.current === null) return;
    const element = host.current;
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, latest, shown), dataOf(latest.current), element);
    };
    draw();
    scheme.addEventListener("change", draw);
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      scheme.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: each reading moves the lines
  useEffect(() => {
    plot.current?.setData(dataOf(latest.current));
    if (shown.current !== null) shown.current.textContent = wordsAt(latest.current, latest.current.at.length - 1);
  }, [at]);

  return (
    <figure className="chart" aria-label={title}>
      <figcaption>
        <strong>{title}</strong> <span ref={shown} className="quiet" />
      </figcaption>
      <div ref={host} className="chart-plot" aria-hidden="true" />
    </figure>
  );
}

type Shown = Required<Pick<ChartProps, "at" | "lines" | "format" | "isBinary">> & { readonly max: number };

function dataOf({ at, lines }: Shown): uPlot.AlignedData {
  return [[...at], ...lines.map(({ values }) => [...values])];
}

function wordsAt({ lines, format }: Shown, index: number): string {
  return lines
    .map(({ name, values }) => {
      const value = values[index];
      const text = value === null || value === undefined ? "–" : format(value);
      return lines.length === 1 ? text : `${name} ${text}`;
    })
    .join(" · ");
}

function optionsOf(
  element: HTMLElement,
  latest: { readonly current: Shown },
  shown: { readonly current: HTMLElement | null },
): uPlot.Options {
  const colour = (name: string) => {
    element.style.color = `var(${name})`;
    const found = getComputedStyle(element).color;
    element.style.color = "";
    return found;
  };
  const font = `11px ${getComputedStyle(element).fontFamily}`;
  const axis = {
    stroke: colour("--text-quiet"),
    font,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: (_plot, _min, top) => [0, Math.max(latest.current.max, (top ?? 0) * 1.05, 1)] } },
    series: [
      {},
      ...latest.current.lines.map(({ name, colour: line }) => ({
        label: name,
        stroke: colour(line),
        width: 1.5,
        spanGaps: false,
        points: { show: false },
      })),
    ],
    axes: [
      {
        ...axis,
        size: 26,
        space: 96,
        values: (_plot, ticks, _axis, _space, seconds) =>
          ticks.map((tick) => (seconds < 60 ? exact : clock).format(tick * 1000)),
      },
      {
        ...axis,
        size: 62,
        values: (_plot, ticks) => ticks.map((tick) => latest.current.format(tick)),
        ...(latest.current.isBinary && { incrs: powersOfTwo }),
      },
    ],
    hooks: {
      setCursor: [
        ({ cursor: { idx } }) => {
          const { current } = latest;
          const index = idx ?? current.at.length - 1;
          const time = idx === null || idx === undefined ? "" : ` at ${clock.format((current.at[index] ?? 0) * 1000)}`;
          if (shown.current !== null) shown.current.textContent = wordsAt(current, index) + time;
        },
      ],
    },
  };
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const powersOfTwo = Array.from({ length: 50 }, (_, power) => 2 ** power);
