import type { Box } from "boxrun-sdk";
import { lazy, Suspense, useState } from "react";
import { failureOf } from "../../api/failure.ts";
import { useEndSession, useRefreshSessions, useSessions } from "../../api/sessions.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Empty, Notice, Waiting } from "../../ui/notice.tsx";
import { toast } from "../../ui/toasts.tsx";
import { classes } from "../../util/classes.ts";
import { freeSessionName } from "./session-names.ts";

const TerminalView = lazy(() =>
  import("../../components/terminal/terminal-view.tsx").then(({ TerminalView }) => ({ default: TerminalView })),
);

/** Shells that go on when the page is closed, each in a tab. */
export function TerminalTab({ box }: { readonly box: Box }) {
  const { data: sessions, error, isFetched } = useSessions(box.id, true);
  const refresh = useRefreshSessions(box.id);
  const end = useEndSession(box.id);
  const [added, setAdded] = useState<readonly string[]>([]);
  const [chosen, setChosen] = useState<string>();
  if (error !== null) return <Notice kind="bad">{failureOf(error).message}</Notice>;
  if (!isFetched) return <Waiting what="Looking for sessions" />;
  const names = [...new Set([...(sessions ?? []).map(({ name }) => name).reverse(), ...added])];
  const current = chosen !== undefined && names.includes(chosen) ? chosen : names[0];
  const add = () => {
    const name = freeSessionName(names);
    setAdded([...added, name]);
    setChosen(name);
  };
  const close = (name: string) => {
    setAdded(added.filter((one) => one !== name));
    setChosen(undefined);
    end.mutate(name, {
      onError: (failure) => {
        const { code, message, hint } = failureOf(failure);
        if (code !== "SESSION_NOT_FOUND") toast("failed", message, hint);
      },
    });
  };
  if (current === undefined) {
    return (
      <Empty title="No shell is open">
        <p>A session goes on when you leave this page, and can be shared: whoever opens it sees the same screen.</p>
        <Button kind="primary" icon="terminal" onClick={add}>
          Open a terminal
        </Button>
      </Empty>
    );
  }
  return (
    <div className="terminals">
      <div className="session-bar">
        <div role="tablist" aria-label="Sessions" className="session-tabs">
          {names.map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              id={`session-${name}`}
              aria-selected={name === current}
              aria-controls="session-panel"
              className={classes("session-tab", name === current && "session-tab-here")}
              onClick={() => setChosen(name)}
            >
              {name}
            </button>
          ))}
        </div>
        <IconButton icon="plus" label="New session" onClick={add} />
        <span className="grow" />
        <Button kind="bare" icon="close" onClick={() => close(current)}>
          End {current}
        </Button>
      </div>
      <div role="tabpanel" id="session-panel" aria-labelledby={`session-${current}`} className="session-panel">
        <Suspense fallback={<Waiting what="Loading the terminal" />}>
          <TerminalView key={current} boxId={box.id} session={current} onOver={refresh} />
        </Suspense>
      </div>
    </div>
  );
}
