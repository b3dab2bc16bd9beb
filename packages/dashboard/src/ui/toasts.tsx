import { createStore, useStore } from "../util/store.ts";
import { IconButton } from "./button.tsx";
import { Icon } from "./icon.tsx";
import "./toasts.css";

interface Toast {
  readonly id: number;
  readonly kind: "done" | "failed";
  readonly text: string;
  readonly hint: string | undefined;
}

const shownMs = 4_000;
const most = 4;
const toasts = createStore<readonly Toast[]>([]);
let count = 0;

function dismiss(id: number): void {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

/** What went wrong stays until it is sent away. */
export function toast(kind: Toast["kind"], text: string, hint?: string): void {
  count += 1;
  const id = count;
  toasts.set([...toasts.get(), { id, kind, text, hint }].slice(-most));
  if (kind === "done") setTimeout(() => dismiss(id), shownMs);
}

/** What was done or failed just now, read out as well. */
export function Toasts() {
  return (
    <ol className="toasts" aria-live="polite" aria-label="Messages">
      {useStore(toasts).map(({ id, kind, text, hint }) => (
        <li key={id} className={`toast toast-${kind}`}>
          <Icon name={kind === "done" ? "check" : "warning"} />
          <div className="grow break">
            {text}
            {hint !== undefined && <p className="quiet small">{hint}</p>}
          </div>
          <IconButton icon="close" label="Dismiss" onClick={() => dismiss(id)} />
        </li>
      ))}
    </ol>
  );
}
