import type { ReactNode } from "react";
import { Icon } from "./icon.tsx";
import "./notice.css";

interface NoticeProps {
  readonly kind: "bad" | "warn" | "quiet";
  readonly title?: string;
  readonly children?: ReactNode;
}

export function Notice({ kind, title, children }: NoticeProps) {
  return (
    <div className={`notice notice-${kind}`} role={kind === "bad" ? "alert" : "status"}>
      {kind !== "quiet" && <Icon name="warning" />}
      <div className="grow break">
        {title !== undefined && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  );
}

/** Instead of a list that has nothing in it. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Shown while something is on its way for long enough to be noticed. */
export function Waiting({ what }: { readonly what: string }) {
  return (
    <p className="waiting" role="status">
      <span className="spinner" aria-hidden="true" /> {what}
    </p>
  );
}
