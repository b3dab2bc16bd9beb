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

interface EmptyProps {
  readonly title: string;
  /** Instead of a whole page. */
  readonly isPage?: boolean;
  readonly children?: ReactNode;
}

/** Instead of a list that has nothing in it. */
export function Empty({ title, isPage = false, children }: EmptyProps) {
  const Heading = isPage ? "h1" : "h2";
  return (
    <div className="empty">
      <Heading>{title}</Heading>
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
