import type { ReactNode } from "react";
import { classes } from "../util/classes.ts";
import "./choice.css";

interface ChoiceProps<Name extends string> {
  readonly label: string;
  readonly names: readonly Name[];
  readonly chosen: Name;
  readonly onChoose: (name: Name) => void;
  readonly show?: (name: Name) => ReactNode;
}

/** A row of buttons of which one is pressed. */
export function Choice<Name extends string>({ label, names, chosen, onChoose, show }: ChoiceProps<Name>) {
  return (
    <fieldset className="choice">
      <legend className="unseen">{label}</legend>
      {names.map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={name === chosen}
          className={classes("choice-button", name === chosen && "choice-on")}
          onClick={() => onChoose(name)}
        >
          {show === undefined ? name : show(name)}
        </button>
      ))}
    </fieldset>
  );
}
