import type { ReactNode } from "react";
import { classes } from "../util/classes.ts";

export interface Column {
  readonly name: string;
  readonly isNumber?: boolean;
  /** Not on a phone. */
  readonly isWideOnly?: boolean;
  /** What it has is seen; its name is for those who don't see. */
  readonly isNameless?: boolean;
}

interface TableProps {
  readonly label: string;
  readonly columns: readonly Column[];
  readonly className?: string;
  /** Its rows. */
  readonly children: ReactNode;
}

export function Table({ label, columns, className, children }: TableProps) {
  return (
    <table className={classes("table", className)} aria-label={label}>
      <thead>
        <tr>
          {columns.map(({ name, isNumber, isWideOnly, isNameless }) => (
            <th
              key={name}
              scope="col"
              className={classes(isNumber && "number", isWideOnly && "wide-only") || undefined}
            >
              {isNameless ? <span className="unseen">{name}</span> : name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

export const actionsColumn: Column = { name: "Actions", isNameless: true };
