import { type FormEvent, useState } from "react";
import { Button } from "./button.tsx";
import { Dialog, DialogActions } from "./dialog.tsx";
import { Field } from "./field.tsx";

interface NameDialogProps {
  readonly title: string;
  readonly name: string;
  readonly onName: (name: string) => void;
  readonly onClose: () => void;
}

/** Asks for a name. */
export function NameDialog({ title, name: before, onName, onClose }: NameDialogProps) {
  const [name, setName] = useState(before);
  const isReady = name.trim() !== "" && name !== before;
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (isReady) onName(name);
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={onSubmit}>
        <Field label="Name">
          <input
            className="input"
            data-focus
            autoCapitalize="off"
            autoComplete="off"
            spellCheck={false}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" disabled={!isReady}>
            {before === "" ? "Create" : "Rename"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
