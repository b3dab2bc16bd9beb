import { useConnection } from "../api/connection.ts";
import { Button } from "../ui/button.tsx";
import { classes } from "../util/classes.ts";
import { useNow } from "../util/time.ts";
import "./connection-bar.css";

const words = {
  connecting: "Connecting…",
  live: "Live",
  lost: "Not connected",
  "signed-out": "Signed out",
  outdated: "Reload needed",
} as const;

export function ConnectionDot() {
  const { state } = useConnection();
  return (
    <span className="connection small">
      <span className={classes("dot", `dot-${state}`)} aria-hidden="true" />
      {words[state]}
    </span>
  );
}

/** Says so when the page may not show what is. */
export function ConnectionBar() {
  const connection = useConnection();
  if (connection.state === "lost") {
    return (
      <div className="connection-bar" role="alert">
        <strong>The server does not answer.</strong>
        <Countdown untilMs={connection.retryAtMs} />
        <details className="small">
          <summary>Why</summary>
          {connection.why}
        </details>
      </div>
    );
  }
  if (connection.state === "outdated") {
    return (
      <div className="connection-bar" role="alert">
        <strong>The server has another version than this page.</strong>
        <Button onClick={() => location.reload()}>Reload</Button>
      </div>
    );
  }
  return null;
}

function Countdown({ untilMs }: { readonly untilMs: number }) {
  const seconds = Math.ceil((untilMs - useNow("second")) / 1000);
  return (
    <span>{seconds > 0 ? `Trying again in ${seconds} s; what you see may be out of date.` : "Trying again…"}</span>
  );
}
