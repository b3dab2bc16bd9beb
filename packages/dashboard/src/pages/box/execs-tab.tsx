import type { Box, Exec, ExecInput } from "boxrun-sdk";
import { type FormEvent, useState } from "react";
import { canCancel, useExecActions, useExecs } from "../../api/execs.ts";
import { failureOf } from "../../api/failure.ts";
import { Age } from "../../components/age.tsx";
import { ExecOutput } from "../../components/output/exec-output.tsx";
import { Button } from "../../ui/button.tsx";
import { Empty, Notice, Waiting } from "../../ui/notice.tsx";
import { toast } from "../../ui/toasts.tsx";
import { classes } from "../../util/classes.ts";
import { shortDuration, useNow } from "../../util/time.ts";
import { shellLine, splitWords } from "../../util/words.ts";
import "./execs.css";

/** What was and is run in a box, and the output of one of them. */
export function ExecsTab({ box }: { readonly box: Box }) {
  const { data: execs, error } = useExecs(box.id);
  const { start, cancel } = useExecActions(box.id);
  const [chosen, setChosen] = useState<string>();
  const [showsList, setShowsList] = useState(true);
  const exec = execs?.find(({ id }) => id === chosen) ?? execs?.[0];
  const run = (input: ExecInput) =>
    start.mutate(input, {
      onSuccess: ({ id }) => {
        setChosen(id);
        setShowsList(false);
      },
      onError: (failure) => {
        const { message, hint } = failureOf(failure);
        toast("failed", message, hint);
      },
    });
  return (
    <>
      {box.status === "running" && <CommandLine onRun={run} isBusy={start.isPending} />}
      {error !== null && <Notice kind="bad">{failureOf(error).message}</Notice>}
      {execs === undefined ? (
        error === null && <Waiting what="Looking for execs" />
      ) : exec === undefined ? (
        <Empty title="Nothing was run here yet">
          <p>Every command that runs in this box is listed here with its output, whoever starts it.</p>
        </Empty>
      ) : (
        <div className={classes("execs", showsList && "execs-list-open")}>
          <ul className="exec-list" aria-label="Execs">
            {execs.map((one) => (
              <ExecLine
                key={one.id}
                exec={one}
                isChosen={one.id === exec.id}
                onChoose={() => {
                  setChosen(one.id);
                  setShowsList(false);
                }}
              />
            ))}
          </ul>
          <div className="exec-detail">
            <header className="exec-head">
              <Button kind="bare" className="exec-back" onClick={() => setShowsList(true)}>
                All execs
              </Button>
              <code className="exec-command break">{shellLine(exec.cmd)}</code>
              <ExecOutcome exec={exec} />
              <span className="grow" />
              {canCancel(exec) && (
                <Button
                  icon="stop"
                  busy={cancel.isPending}
                  onClick={() =>
                    cancel.mutate(exec.id, { onError: (failure) => toast("failed", failureOf(failure).message) })
                  }
                >
                  Cancel
                </Button>
              )}
              <Button icon="again" disabled={box.status !== "running"} onClick={() => run(againOf(exec))}>
                Run again
              </Button>
            </header>
            {exec.error_message !== null && <Notice kind="bad">{exec.error_message}</Notice>}
            <ExecOutput key={exec.id} exec={exec} />
          </div>
        </div>
      )}
    </>
  );
}

function againOf({ cmd, env, workdir, timeout_ms, user, tty }: Exec): ExecInput {
  return { cmd, env, workdir, timeout_ms, user, tty };
}

interface ExecLineProps {
  readonly exec: Exec;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function ExecLine({ exec, isChosen, onChoose }: ExecLineProps) {
  return (
    <li>
      <button
        type="button"
        className={classes("exec-line", isChosen && "exec-line-chosen")}
        aria-current={isChosen || undefined}
        onClick={onChoose}
      >
        <span
          className={classes(
            "dot",
            `dot-${exec.status === "running" ? "creating" : exec.status}`,
            exec.status === "running" && "dot-busy",
          )}
        />
        <code className="clip grow">{shellLine(exec.cmd)}</code>
        <span className="quiet small">
          <span className="unseen">{exec.status}, </span>
          <Age since={exec.created_at} />
        </span>
      </button>
    </li>
  );
}

function ExecOutcome({ exec }: { readonly exec: Exec }) {
  const now = useNow("second");
  const endMs = exec.finished_at === null ? now : Date.parse(exec.finished_at);
  const code = exec.exit_code === null ? "" : ` (${exec.exit_code})`;
  return (
    <span className="quiet small">
      {exec.status}
      {code} · {shortDuration(endMs - Date.parse(exec.created_at))}
    </span>
  );
}

function CommandLine({ onRun, isBusy }: { readonly onRun: (input: ExecInput) => void; readonly isBusy: boolean }) {
  const [text, setText] = useState("");
  const [shell, setShell] = useState(true);
  const words = shell ? ["sh", "-c", text] : splitWords(text);
  const ready = text.trim() !== "" && words !== undefined && words.length > 0;
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (!ready) return;
    onRun({ cmd: words });
    setText("");
  };
  return (
    <form className="input-line" onSubmit={onSubmit}>
      <input
        className="input mono"
        aria-label="Command to run"
        placeholder="Command to run in this box"
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <label className="check">
        <input type="checkbox" checked={shell} onChange={(event) => setShell(event.target.checked)} />
        in a shell
      </label>
      <Button type="submit" kind="primary" icon="run" disabled={!ready} busy={isBusy}>
        Run
      </Button>
    </form>
  );
}
