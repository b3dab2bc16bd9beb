import { type CSSProperties, memo } from "react";
import { cssColour, parseLine, plainStyle, type TextStyle } from "../../util/ansi.ts";
import { classes } from "../../util/classes.ts";
import type { Line } from "../../util/line-store.ts";

interface LineViewProps {
  readonly line: Line;
  readonly number: number;
  readonly isFound: boolean;
}

/** A line as text: whatever it says, it is never taken for HTML. */
export const LineView = memo(function LineView({ line, number, isFound }: LineViewProps) {
  return (
    <div className={classes("line", line.stream === "stderr" && "line-stderr", isFound && "line-found")}>
      <span className="line-number" aria-hidden="true">
        {number}
      </span>
      <span className="line-text">
        {parseLine(line.text, line.style).spans.map(({ text, style }, index) =>
          style === plainStyle ? (
            text
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: spans have nothing but their place
            <span key={index} style={cssOf(style)}>
              {text}
            </span>
          ),
        )}
      </span>
    </div>
  );
});

function cssOf(style: TextStyle): CSSProperties | undefined {
  const { foreground, background, bold, faint, italic, underline, struck, inverse } = style;
  const front = foreground === undefined ? undefined : cssColour(foreground);
  const back = background === undefined ? undefined : cssColour(background);
  const css: CSSProperties = {};
  if (inverse) {
    css.color = back ?? "var(--surface)";
    css.backgroundColor = front ?? "var(--text)";
  } else {
    if (front !== undefined) css.color = back === undefined ? readable(front) : front;
    if (back !== undefined) css.backgroundColor = back;
  }
  if (bold) css.fontWeight = 700;
  if (faint) css.opacity = 0.75;
  if (italic) css.fontStyle = "italic";
  if (underline || struck)
    css.textDecoration = [underline && "underline", struck && "line-through"].filter(Boolean).join(" ");
  return css;
}

/** A program chose its colour for a ground that it did not know: as light or dark as ours asks for. The palette's own are right already. */
function readable(colour: string): string {
  if (colour.startsWith("var(")) return colour;
  return `light-dark(oklch(from ${colour} min(l, 0.52) c h), oklch(from ${colour} max(l, 0.74) c h))`;
}
