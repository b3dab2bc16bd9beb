import type { Box } from "boxrun-sdk";
import { createContext, type ReactNode, useContext, useMemo, useState } from "react";
import { type BoxVerb, boxLabel, useBoxCommand, verbAllowed } from "../api/boxes.ts";
import { failureOf } from "../api/failure.ts";
import { Button } from "../ui/button.tsx";
import { Dialog, DialogActions } from "../ui/dialog.tsx";
import { toast } from "../ui/toasts.tsx";

/** Does something to boxes, and asks before what cannot be taken back. */
type CommandBoxes = (verb: BoxVerb, boxes: readonly Box[]) => void;

const CommandContext = createContext<CommandBoxes>(() => undefined);

export function useCommandBoxes(): CommandBoxes {
  return useContext(CommandContext);
}

const did: Readonly<Record<BoxVerb, string>> = { start: "Started", stop: "Stopped", remove: "Removed" };

interface Question {
  readonly verb: BoxVerb;
  readonly boxes: readonly Box[];
}

export function BoxCommands({ children }: { readonly children: ReactNode }) {
  const [question, setQuestion] = useState<Question>();
  const { mutate } = useBoxCommand();
  const command = useMemo<CommandBoxes>(() => {
    return (verb, boxes) => {
      const able = boxes.filter((box) => verbAllowed(verb, box));
      if (able.length === 0) return;
      if (verb === "remove" || (verb === "stop" && able.length > 1)) setQuestion({ verb, boxes: able });
      else carryOut(mutate, verb, able);
    };
  }, [mutate]);
  return (
    <CommandContext value={command}>
      {children}
      {question !== undefined && (
        <Confirm
          {...question}
          onClose={() => setQuestion(undefined)}
          onYes={() => {
            setQuestion(undefined);
            carryOut(mutate, question.verb, question.boxes);
          }}
        />
      )}
    </CommandContext>
  );
}

function carryOut(mutate: ReturnType<typeof useBoxCommand>["mutate"], verb: BoxVerb, boxes: readonly Box[]): void {
  for (const box of boxes) {
    mutate(
      { verb, id: box.id },
      {
        onSuccess: () => {
          if (boxes.length === 1) toast("done", `${did[verb]} ${boxLabel(box)}.`);
        },
        onError: (error) => {
          const { message, hint } = failureOf(error);
          toast("failed", `Could not ${verb} ${boxLabel(box)}: ${message}`, hint);
        },
      },
    );
  }
}

interface ConfirmProps extends Question {
  readonly onYes: () => void;
  readonly onClose: () => void;
}

function Confirm({ verb, boxes, onYes, onClose }: ConfirmProps) {
  const [only] = boxes;
  const what = boxes.length === 1 && only !== undefined ? boxLabel(only) : `${boxes.length} boxes`;
  const running = boxes.filter(({ status }) => status === "running").length;
  const title = verb === "remove" ? `Remove ${what}?` : `Stop ${what}?`;
  return (
    <Dialog title={title} onClose={onClose}>
      {boxes.length > 1 && (
        <ul className="names" aria-label="Boxes">
          {boxes.map((box) => (
            <li key={box.id} className="mono">
              {boxLabel(box)}
            </li>
          ))}
        </ul>
      )}
      <p>
        {verb === "remove"
          ? `${boxes.length === 1 ? "Its disk goes" : "Their disks go"} with everything on ${boxes.length === 1 ? "it" : "them"}. This cannot be undone.`
          : "Programs in them are ended; the disks stay."}
        {verb === "remove" &&
          running > 0 &&
          (boxes.length === 1 ? " It is running." : ` ${running} of them are running.`)}
      </p>
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind={verb === "remove" ? "danger" : "primary"} onClick={onYes} data-focus>
          {verb === "remove" ? "Remove" : "Stop"} {what}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
