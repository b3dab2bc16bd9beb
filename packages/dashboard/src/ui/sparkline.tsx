import "./sparkline.css";

const width = 56;
const height = 18;

interface SparklineProps {
  /** Oldest first; `null` where nothing is known. */
  readonly values: readonly (number | null)[];
  /** What the top stands for; more than that is higher still. */
  readonly max: number;
}

/** A line of what was, small enough for a cell. What it says stands beside it in figures. */
export function Sparkline({ values, max }: SparklineProps) {
  const top = Math.max(max, ...values.map((value) => value ?? 0), Number.MIN_VALUE);
  const step = width / Math.max(1, values.length - 1);
  let isDown = false;
  const path = values.map((value, index) => {
    if (value === null) {
      isDown = false;
      return "";
    }
    const command = isDown ? "L" : "M";
    isDown = true;
    return `${command}${(index * step).toFixed(1)} ${(height - 1 - (value / top) * (height - 2)).toFixed(1)}`;
  });
  return (
    <svg className="sparkline" viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
      <path d={path.join("")} />
    </svg>
  );
}
