import type { PullLayers } from "../api/pull-layers.ts";
import { bytesText } from "../util/bytes.ts";

/** How far the pull of an image is, by layer. */
export function PullView({ layers }: { readonly layers: PullLayers }) {
  return (
    <ul className="layers" aria-label="Layers">
      {[...layers].map(([name, { message, doneBytes, totalBytes }]) => (
        <li key={name} className="layer">
          <code className="clip">{name === "" ? "image" : name.replace(/^sha256:/, "").slice(0, 12)}</code>
          {totalBytes === undefined || totalBytes === 0 ? (
            <span className="clip quiet">{message}</span>
          ) : (
            <progress max={totalBytes} value={doneBytes ?? 0} aria-label={name} />
          )}
          <span className="quiet clip">
            {totalBytes === undefined ? "" : `${bytesText(doneBytes ?? 0)} of ${bytesText(totalBytes)}`}
          </span>
        </li>
      ))}
    </ul>
  );
}
