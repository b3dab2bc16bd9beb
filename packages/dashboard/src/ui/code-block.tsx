import { CopyIcon } from "./copy.tsx";
import "./code-block.css";

/** Text to copy. */
export function CodeBlock({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <figure className="code-block" aria-label={label}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <pre tabIndex={0}>{text}</pre>
      <CopyIcon text={text} label={`Copy ${label}`} />
    </figure>
  );
}
