import type { RunInput, RunResponse } from "@boxrun/contract";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { client } from "../api/client.ts";
import { failureOf } from "../api/failure.ts";
import { provideImage } from "../api/images.ts";
import type { PullLayers } from "../api/pull-layers.ts";
import { BoxFields } from "../components/box-form/box-fields.tsx";
import { type BoxForm, emptyForm, readForm } from "../components/box-form/form.ts";
import { MakingAside } from "../components/box-form/making-aside.tsx";
import { runCommand } from "../components/box-form/snippets.ts";
import { OutputView } from "../components/output/output-view.tsx";
import { Button } from "../ui/button.tsx";
import { CodeBlock } from "../ui/code-block.tsx";
import { Field } from "../ui/field.tsx";
import { Card, Page } from "../ui/page.tsx";
import { LineStore } from "../util/line-store.ts";
import { shortDuration, useNow } from "../util/time.ts";

interface Done {
  readonly answer: RunResponse;
  readonly lines: LineStore;
}

/** One command in a box of its own, which is gone afterwards. */
export function RunPage() {
  const [form, setForm] = useState<BoxForm>(emptyForm);
  const [command, setCommand] = useState("uname -a");
  const [layers, setLayers] = useState<PullLayers>();
  const leave = useRef<AbortController>(undefined);
  const run = useMutation({
    mutationFn: async (input: RunInput): Promise<Done> => {
      const controller = new AbortController();
      leave.current = controller;
      const { signal } = controller;
      await provideImage(input.image, { signal, onLayers: setLayers });
      setLayers(undefined);
      const answer = await client.boxes.run(input, { signal });
      const lines = new LineStore();
      lines.append(answer.stdout, "stdout");
      lines.append(answer.stderr, "stderr");
      return { answer, lines };
    },
    onSettled: () => setLayers(undefined),
  });
  // The server removes the box once nobody waits for its answer.
  useEffect(() => () => leave.current?.abort(), []);
  const read = readForm(form);
  const cmd = ["sh", "-c", command];
  const ready = read.ok && command.trim() !== "";
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (ready) run.mutate({ ...read.input, cmd });
  };
  const isCanceled = run.error instanceof DOMException && run.error.name === "AbortError";
  const failure = run.error === null || isCanceled ? undefined : failureOf(run.error);
  return (
    <Page title="Run">
      <p className="quiet">One command in a fresh box, which is removed afterwards, whatever happens.</p>
      <div className="form-columns">
        <form className="card" onSubmit={onSubmit} noValidate>
          <Field label="Command" hint="run by the box's shell">
            <textarea
              className="input mono"
              rows={3}
              spellCheck={false}
              autoCapitalize="off"
              value={command}
              onChange={(event) => setCommand(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
                  event.currentTarget.form?.requestSubmit();
              }}
            />
          </Field>
          <div className="form-end">
            <Button type="submit" kind="primary" icon="run" disabled={!ready} busy={run.isPending}>
              Run
            </Button>
            {run.isPending ? (
              <Button icon="stop" onClick={() => leave.current?.abort()}>
                Cancel
              </Button>
            ) : (
              <span className="quiet small">
                <kbd>Ctrl</kbd> <kbd>Enter</kbd>
              </span>
            )}
            {run.isPending && <Elapsed sinceMs={run.submittedAt} />}
          </div>
          <details className="more run-box">
            <summary>The box: {form.image || "no image"}</summary>
            <div className="more-fields">
              <BoxFields form={form} errors={read.ok ? {} : read.errors} onChange={setForm} isTemporary />
            </div>
          </details>
        </form>
        <div className="page-side">
          <MakingAside failure={failure} layers={layers} />
          {read.ok && (
            <Card title="The same in a terminal">
              <CodeBlock label="command" text={runCommand(read.input, cmd)} />
            </Card>
          )}
        </div>
      </div>
      {run.data !== undefined && !run.isPending && (
        <>
          <p role="status">
            <strong>
              {run.data.answer.exit_code === 0
                ? "It succeeded."
                : `It ended with code ${run.data.answer.exit_code ?? "–"}.`}
            </strong>{" "}
            {run.data.answer.error_message !== null && <span className="break">{run.data.answer.error_message}</span>}
          </p>
          <div className="run-output">
            <OutputView lines={run.data.lines} isLive={false} />
          </div>
        </>
      )}
    </Page>
  );
}

function Elapsed({ sinceMs }: { readonly sinceMs: number }) {
  return (
    <span className="quiet small" role="status">
      {shortDuration(Math.max(0, Math.floor((useNow("second") - sinceMs) / 1000) * 1000))}
    </span>
  );
}
