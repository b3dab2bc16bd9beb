import type { ComponentProps, ReactNode } from "react";
import { classes } from "../util/classes.ts";
import { Icon, type IconName } from "./icon.tsx";
import "./button.css";

type Kind = "plain" | "primary" | "danger" | "bare";

interface ButtonProps extends ComponentProps<"button"> {
  readonly kind?: Kind;
  readonly icon?: IconName;
  readonly busy?: boolean;
  readonly children?: ReactNode;
}

export function Button({ kind = "plain", icon, busy = false, children, className, disabled, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={classes("button", `button-${kind}`, className)}
      disabled={disabled === true || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {busy ? <span className="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ComponentProps<"button">, "children"> {
  readonly icon: IconName;
  /** What it does, for those who don't see the icon, and on hovering. */
  readonly label: string;
  readonly kind?: Kind;
}

export function IconButton({ icon, label, kind = "bare", className, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      className={classes("button", "button-icon", `button-${kind}`, className)}
      aria-label={label}
      title={label}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}
