import type { OnExpiry } from "@boxrun/contract";
import type { Box } from "boxrun-sdk";
import { type FormEvent, useState } from "react";
import { boxLabel, useSetDeadline } from "../../api/boxes.ts";
import { failureOf } from "../../api/failure.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Choice } from "../../ui/choice.tsx";
import { Dialog, DialogActions } from "../../ui/dialog.tsx";
import { toast } from "../../ui/toasts.tsx";
import { dateText, durationText, useNow } from "../../util/time.ts";

/** When a box is stopped or removed by itself, and a way to change that. */
export function Deadline({ box }: { readonly box: Box }) {
  const [isAsking, setIsAsking] = useState(false);
  return (
    <span className="deadline">
      {box.expires_at === undefined ? "never" : <Until box={box} at={box.expires_at} />}
      <IconButton icon="edit" label="Change when it expires" onClick={() => setIsAsking(true)} />
      {isAsking && <DeadlineDialog box={box} onClose={() => setIsAsking(false)} />}
    </span>
  );
}

function Until({ box, at }: { readonly box: Box; readonly at: string }) {
  const leftMs = Date.parse(at) - useNow();
  const then = box.on_expiry === "remove" ? "removed" : "stopped";
  return (
    <span>
      {dateText(at)}{" "}
      <span className="quiet">{leftMs > 0 ? `(${then} in ${durationText(leftMs)})` : "(it is past)"}</span>
    </span>
  );
}

const fresh = { "1 hour": 3_600, "8 hours": 28_800, "1 day": 86_400, "7 days": 604_800, never: null } as const;
const asSet = "as it is";
type Term = keyof typeof fresh | typeof asSet;
const freshTerms: readonly Term[] = ["1 hour", "8 hours", "1 day", "7 days", "never"];
const ends: readonly OnExpiry[] = ["stop", "remove"];

function DeadlineDialog({ box, onClose }: { readonly box: Box; readonly onClose: () => void }) {
  const { expires_at } = box;
  // What is set is what it begins with, so that one of the two can be changed alone.
  const [term, setTerm] = useState<Term>(expires_at === undefined ? "never" : asSet);
  const terms: readonly Term[] = expires_at === undefined ? freshTerms : [asSet, ...freshTerms];
  const leftSeconds = () => Math.max(1, Math.ceil((Date.parse(expires_at ?? "") - Date.now()) / 1000));
  const [onExpiry, setOnExpiry] = useState<OnExpiry>(box.on_expiry ?? "stop");
  const deadline = useSetDeadline();
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    deadline.mutate(
      { box, ttlSeconds: term === asSet ? leftSeconds() : fresh[term], onExpiry },
      { onSuccess: onClose, onError: (error) => toast("failed", failureOf(error).message, failureOf(error).hint) },
    );
  };
  return (
    <Dialog title={`When does ${boxLabel(box)} expire?`} onClose={onClose}>
      <form className="deadline-form" onSubmit={onSubmit}>
        <p>{term === asSet && expires_at !== undefined ? `At ${dateText(expires_at)}, or from now:` : "From now:"}</p>
        <Choice label="From now" names={terms} chosen={term} onChoose={setTerm} />
        {term !== "never" && (
          <>
            <p>{onExpiry === "stop" ? "Then it is stopped; its disk stays." : "Then it is removed, with its disk."}</p>
            <Choice label="What happens then" names={ends} chosen={onExpiry} onChoose={setOnExpiry} />
          </>
        )}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={deadline.isPending}>
            Set
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
