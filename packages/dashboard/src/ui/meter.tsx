import "./meter.css";

interface MeterProps {
  readonly label: string;
  readonly value: number;
  readonly max: number;
  readonly text: string;
}

/** How much of what there is is taken. */
export function Meter({ label, value, max, text }: MeterProps) {
  return (
    <div className="meter">
      <span>{label}</span>
      <span className="quiet">{text}</span>
      <meter aria-label={label} min={0} max={Math.max(1, max)} high={max * 0.9} value={value} />
    </div>
  );
}
